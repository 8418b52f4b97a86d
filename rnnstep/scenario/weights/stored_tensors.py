"""What a file of weights holds, under the names that the model's own modules give.

What wraps a model puts a word into the names of its parameters: `module.` (`DataParallel`, DDP), `_orig_mod.`
(`torch.compile`). What computes a weight anew at each call keeps what it is computed from: `weight_norm` a length and a
direction. Here the words are taken out, and a weight of `weight_norm` is one tensor again, computed as torch does. What
cannot be known from the file alone, a weight under `spectral_norm`, is told when it is wanted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnstep.language import Text
from rnnstep.scenario.file.document import shown

Shape = tuple[int, ...]
Load = Callable[[str], NDArray[np.generic]]

# What torch's own wrappers call the module inside; `module` may be a name of the model's own, too.
_WORDS = frozenset(("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"))

_PARAMETRIZED = re.compile(r"(?P<module>(?:.*\.)?)parametrizations\.(?P<own>[^.]+)\.(?P<part>.+)")
_OF_TORCH = "parametrizations."
_LENGTH = "_g"  # of the older weight_norm, which keeps weight_g and weight_v
_DIRECTION = "_v"
_HOOKED = "_orig"  # of the older spectral_norm, which keeps weight_orig and weight_u, and of pruning
_VECTOR = "_u"
_MASK = "_mask"


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor as the model's module has it.

    Attributes:
        shape: of the tensor.
        keys: its key in the file; of a weight under `weight_norm` the keys of its length g and its direction v.
        problem: why it cannot be had; None where it can.
    """

    shape: Shape
    keys: tuple[str, ...]
    problem: Text | None = None


def stored_tensors(available: Mapping[str, Shape], kept: Collection[str] = ()) -> dict[str, Stored]:
    """Give a file's tensors under the names of the model's own modules, and the weights computed from several of them.

    Args:
        available: Key and shape of each tensor in the file.
        kept: Names of modules that a wrapper's word stands for: it is not taken out then.
    """
    modules = dict.fromkeys(map(_module_of, available))
    taken = Counter(unwrapped(module, kept) for module in modules)
    # Where two modules would get one name (a model's beside its averaged copy's), both keep the words that tell them apart.
    is_own = {module: taken[unwrapped(module, kept)] == 1 for module in modules}
    keys = {unwrapped(key, kept) if is_own[_module_of(key)] else key: key for key in available}
    found = {name: Stored(available[key], (key,)) for name, key in keys.items()}
    parametrized: dict[tuple[str, str], dict[str, str]] = {}
    for name, key in keys.items():
        match = _PARAMETRIZED.fullmatch(name) if _OF_TORCH in name else None
        if match is not None:
            parametrized.setdefault((match["module"], match["own"]), {})[match["part"]] = key
            continue
        weight, computed = _of_hook(name, keys, available)
        if computed is not None:
            found.setdefault(weight, computed)
    for (module, own), parts in parametrized.items():
        found.setdefault(f"{module}{own}", _of_parametrization(f"{module}{own}", parts, available))
    return found


def unwrapped(key: str, kept: Collection[str] = ()) -> str:
    """Give a key, or what stands before one, without what wrappers put into it."""
    *modules, own = key.split(".")
    if _WORDS.isdisjoint(modules):
        return key
    return ".".join([*(one for one in modules if one not in _WORDS or one in kept), own])


def _module_of(key: str) -> str:
    """Give what stands before the parameters of the module that a key belongs to, the dot included."""
    if _OF_TORCH in key:
        return key.partition(_OF_TORCH)[0]
    module, dot, _ = key.rpartition(".")
    return module + dot


def load_stored(keys: tuple[str, ...], load: Load, dtype: np.dtype[np.floating]) -> NDArray[np.generic]:
    """Give a tensor's numbers from its keys (`Stored.keys`); what is computed is so in `dtype` at least.

    `load` gives the numbers under a key of the file.
    """
    if len(keys) == 1:
        return load(keys[0])
    g, v = map(load, keys)
    return normed_weight(v, g, dtype)


def normed_weight(
    v: NDArray[np.generic], g: NDArray[np.generic], dtype: np.dtype[np.floating]
) -> NDArray[np.generic]:
    """Give v · (g / ‖v‖), the norm over the axes that g has not, as `torch._weight_norm` does, in `dtype` or a wider type.

    The norm is added up in float64. torch adds in the numbers' own type, in an order that depends on the machine, so that
    its last bits are others.
    """
    wide = np.result_type(v.dtype, g.dtype, dtype)
    v, g = v.astype(wide), g.astype(wide)
    axes = tuple(axis for axis in range(v.ndim) if not g.ndim or g.shape[axis] == 1)
    with np.errstate(all="ignore"):  # a row of zeros is NaN, as in torch
        norm = np.sqrt(np.square(v, dtype=np.float64).sum(axes, keepdims=True)).astype(wide)
        return np.asarray(v * (g / norm))


def norm_axis(g: Shape, v: Shape) -> int | None:
    """Along which axis of v each place has a length of its own, torch's `dim`; -1 where all of v has one.

    None where g is no length of v.
    """
    if not g:
        return -1
    own = [axis for axis, size in enumerate(g) if size != 1]
    if len(g) != len(v) or len(own) > 1 or any(g[axis] != v[axis] for axis in own):
        return None
    if own:
        return own[0]
    return next((axis for axis, size in enumerate(v) if size == 1), None)


def _of_hook(name: str, keys: Mapping[str, str], available: Mapping[str, Shape]) -> tuple[str, Stored | None]:
    """Give the weight that a hook computes before each call from the tensor `name` and another, and its name."""
    if name.endswith(_DIRECTION):
        weight = name.removesuffix(_DIRECTION)
        return weight, _normed(keys.get(weight + _LENGTH), keys[name], available)
    weight = name.removesuffix(_HOOKED)
    if weight == name:
        return name, None
    own = weight.rpartition(".")[2][:60]
    if weight + _VECTOR in keys:
        text = Text(
            "`file`: {name} is under spectral_norm, so that the file has no such weight; make it one before saving:"
            " torch.nn.utils.remove_spectral_norm(MODULE, '{own}')",
            name=shown(weight),
            own=own,
        )
    elif weight + _MASK in keys:
        text = Text(
            "`file`: {name} is pruned by a mask, so that the file has no such weight; make it one before saving:"
            " torch.nn.utils.prune.remove(MODULE, '{own}')",
            name=shown(weight),
            own=own,
        )
    else:
        return weight, None
    return weight, Stored(available[keys[name]], (keys[name],), text)


def _normed(g: str | None, v: str, available: Mapping[str, Shape]) -> Stored | None:
    """Give the weight whose length and direction stand under two keys, where they are that."""
    if g is None or norm_axis(available[g], available[v]) is None:
        return None
    return Stored(available[v], (g, v))


def _of_parametrization(weight: str, parts: Mapping[str, str], available: Mapping[str, Shape]) -> Stored:
    """Give a weight of `torch.nn.utils.parametrize` from its parts' keys: that of `weight_norm`, else why it cannot be had."""
    if parts.keys() == {"original0", "original1"}:
        normed = _normed(parts["original0"], parts["original1"], available)
        if normed is not None:
            return normed
    told = {"name": shown(weight), "own": weight.rpartition(".")[2][:60]}
    if any(part.endswith("._u") for part in parts):
        text = Text(
            "`file`: {name} is under spectral_norm, so that the file has no such weight; make it one before saving:"
            " torch.nn.utils.parametrize.remove_parametrizations(MODULE, '{own}')",
            **told,
        )
    else:
        text = Text(
            "`file`: {name} is computed by a parametrization, so that the file has no such weight; make it one before"
            " saving: torch.nn.utils.parametrize.remove_parametrizations(MODULE, '{own}')",
            **told,
        )
    key = next((parts[part] for part in ("original", "original1") if part in parts), min(parts.values()))
    return Stored(available[key], (key,), text)
