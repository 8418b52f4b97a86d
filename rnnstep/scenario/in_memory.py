"""A scenario from arrays, without a file: a recurrent module of torch's, its parameters, and what goes in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnnstep.cells import MODULES
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.modules.linear import Linear
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.model import Batch, Display, Localized, Scenario
from rnnstep.scenario.weights.parameters import parameter_shapes

Array = NDArray[Any]


def made(
    module: str,
    x: ArrayLike,
    parameters: Mapping[str, ArrayLike],
    *,
    batch_first: bool = False,
    nonlinearity: str = "tanh",
    h_0: ArrayLike | None = None,
    c_0: ArrayLike | None = None,
    lengths: tuple[int, ...] | None = None,
    packed: bool = True,
    name: str = "made",
) -> Scenario:
    """Make a scenario of a module of torch's from its `state_dict` and an input, both as arrays.

    The sizes, layers, directions, biases and the projection are those that the parameters have. What is computed is
    in float64 where x is, else in float32.

    Args:
        module: "RNN", "LSTM", "GRU", or one of their cells, which is looped over x.
        x: In the module's shape: (T, B, I), (B, T, I) with `batch_first`, or (T, I) without a batch.
        parameters: All of them under torch's names, with `linear.weight` and `linear.bias` where a linear layer follows.
        batch_first: As in torch's constructor.
        nonlinearity: "tanh" or "relu", of an RNN.
        h_0: In torch's shape; zeros without.
        c_0: Likewise.
        lengths: The true length of each row of a padded batch.
        packed: Whether the padding is left out.
        name: What it is called.

    Raises:
        UsageError: A shape does not fit, or a parameter is missing or none of the module's.
    """
    if module not in MODULES:
        raise _misfit("module", printable(module), ", ".join(MODULES))
    given = np.asarray(x)
    dtype = np.dtype(np.float64 if given.dtype == np.float64 else np.float32)
    arrays = {key: np.array(value, dtype) for key, value in parameters.items()}
    if given.ndim not in (2, 3):
        raise _misfit("x", given.shape, "(T, B, I), (B, T, I), (T, I)")
    recurrent = _recurrent(module, arrays, batch_first=batch_first, nonlinearity=nonlinearity)
    layers: tuple[NetworkModule, ...] = (recurrent,)
    if "linear.weight" in arrays:
        head = Linear(recurrent.size, arrays["linear.weight"].shape[0], "linear.bias" in arrays)
        layers = (recurrent, head)
    shapes = parameter_shapes(layers)
    _check_shapes(arrays, shapes)
    batch = _batch(given.astype(dtype), recurrent, lengths, packed=packed)
    return Scenario(
        name=printable(name),
        title=Localized(printable(name)),
        layers=layers,
        batches=(batch,),
        parameters=MappingProxyType({key: arrays[key] for key in shapes}),
        display=Display(dtype=dtype.name, order="layer" if recurrent.bidirectional else "time"),  # type: ignore[arg-type]
        initial_state=_states(recurrent, {"h_0": h_0, "c_0": c_0}, batch.num_rows, dtype),
        is_batched=given.ndim == 3,
    )


def _check_shapes(arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    for key in {**shapes, **arrays}:
        found, expected = arrays[key].shape if key in arrays else "–", shapes.get(key, "–")
        if found != expected:
            raise _misfit(key, found, expected)


def _batch(x: Array, recurrent: Recurrent, lengths: tuple[int, ...] | None, *, packed: bool) -> Batch:
    """Give x time-major, with the lengths of its rows."""
    values = x[:, None] if x.ndim == 2 else x.swapaxes(0, 1) if recurrent.batch_first else x
    steps, rows, size = values.shape
    if size != recurrent.input_size or not x.size:
        raise _misfit("x", x.shape, f"(…, {recurrent.input_size})")
    if lengths is not None and not (len(lengths) == rows and all(1 <= one <= steps for one in lengths)):
        raise _misfit("lengths", tuple(lengths), f"1 … {steps}, {rows}×")
    return Batch(np.ascontiguousarray(values), None, lengths, packed=lengths is not None and packed)


def _recurrent(
    module: str, arrays: Mapping[str, Array], *, batch_first: bool, nonlinearity: str
) -> Recurrent:
    """Read the module's options from the names and shapes of its parameters."""
    first = "" if module.endswith("Cell") else "_l0"
    weight = arrays.get(f"weight_ih{first}")
    if weight is None or weight.ndim != 2:
        raise _misfit(f"weight_ih{first}", "–" if weight is None else weight.shape, "(…, input_size)")
    projection = arrays.get(f"weight_hr{first}")
    gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[module.removesuffix("Cell")]
    return Recurrent(
        module,
        weight.shape[1],
        max(1, weight.shape[0] // gates),
        num_layers=max(
            1, sum(key.startswith("weight_ih_l") and not key.endswith("_reverse") for key in arrays)
        ),
        nonlinearity=nonlinearity,
        bias=f"bias_ih{first}" in arrays,
        batch_first=batch_first and bool(first),
        bidirectional=f"weight_ih{first}_reverse" in arrays,
        proj_size=0 if projection is None else projection.shape[0],
    )


def _states(
    recurrent: Recurrent, given: Mapping[str, ArrayLike | None], rows: int, dtype: np.dtype[Any]
) -> Mapping[str, Array]:
    sizes = recurrent.state_sizes
    states: dict[str, Array] = {}
    for key, value in given.items():
        if value is None:
            continue
        array = np.array(value, dtype)
        size = sizes.get(key.removesuffix("_0"))
        whole = (recurrent.num_states, rows, size or 0)
        axes = [*([] if recurrent.is_cell else whole[:1]), rows, whole[2]]
        unbatched = [one for position, one in enumerate(axes) if position != len(axes) - 2]
        if size is None or (list(array.shape) != axes and not (rows == 1 and list(array.shape) == unbatched)):
            raise _misfit(key, array.shape, "–" if size is None else tuple(axes))
        states[key] = array.reshape(whole)
    return MappingProxyType(states)


def _misfit(name: str, found: object, expected: object) -> UsageError:
    return UsageError(
        Text(
            "{name}: found {found}, expected {expected}", name=name, found=str(found), expected=str(expected)
        )
    )
