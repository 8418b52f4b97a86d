"""A scenario from arrays, without a file: a recurrent module of torch's, its parameters, and what enters from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnnstep.cells import MODULES
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.modules.linear import Linear
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.localized import Localized
from rnnstep.scenario.model import Batch, Display, Scenario
from rnnstep.scenario.recorded import Recorded
from rnnstep.scenario.recorded_shapes import check_recorded
from rnnstep.scenario.weights.parameters import parameter_shapes

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class BatchInput:
    """What enters from outside in one batch, every array in the shape that torch takes.

    Attributes:
        x: The input: (T, B, I), (B, T, I) with `batch_first`, or (T, I) without a batch.
        h_0: The states before the first step, of each row its own; zeros without.
        c_0: The same of an LSTM's second state.
        lengths: The true length of each row of a padded batch.
        packed: Whether the padding is left out.
        masks: What dropout multiplies the output of each layer but the last with, in that output's shape; drawn from
            the seed without.
        above: Gradients that the backward pass begins with in the place of a loss: by the block and the value that they are
            given at, ("L0", "c"), an array (T, B, n).
        reset: Of a cell the rows whose states are zeros before a step: (T, B) of 0 and 1.
        recorded: What another run gave for this batch; it stands beside the engine's in the place of torch's results.
    """

    x: ArrayLike
    h_0: ArrayLike | None = None
    c_0: ArrayLike | None = None
    lengths: tuple[int, ...] | None = None
    packed: bool = True
    masks: Sequence[ArrayLike] | None = None
    above: Mapping[tuple[str, str], ArrayLike] | None = None
    reset: ArrayLike | None = None
    recorded: Recorded | None = None


def made(
    module: str,
    x: ArrayLike | BatchInput | Sequence[BatchInput],
    parameters: Mapping[str, ArrayLike],
    *,
    batch_first: bool = False,
    nonlinearity: str = "tanh",
    dropout: float = 0.0,
    dropout_seed: int = 0,
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
        x: In the module's shape: (T, B, I), (B, T, I) with `batch_first`, or (T, I) without a batch; or all that enters in
            one batch, or in each of several.
        parameters: All of them under torch's names, with `linear.weight` and `linear.bias` where a linear layer follows.
        batch_first: As in torch's constructor.
        nonlinearity: "tanh" or "relu", of an RNN.
        dropout: As in torch's constructor; the module is in training mode then.
        dropout_seed: Of numpy's generator that draws the masks where none are given.
        h_0: As of `BatchInput`, of one input alone; so are the three that follow.
        c_0: See there.
        lengths: See there.
        packed: See there.
        name: What it is called.

    Raises:
        UsageError: A shape does not fit, or a parameter is missing or none of the module's.
    """
    if module not in MODULES:
        raise _misfit("module", printable(module), ", ".join(MODULES))
    alone = (
        None if h_0 is c_0 is lengths is None else BatchInput(cast(ArrayLike, x), h_0, c_0, lengths, packed)
    )
    every = _batch_inputs(x, alone)
    ndim, dtype = _axes_and_dtype(every)
    arrays = {key: np.array(value, dtype) for key, value in parameters.items()}
    recurrent = _recurrent(module, arrays, batch_first=batch_first, nonlinearity=nonlinearity)
    layers = _with_head(_with_resets(_with_dropout(recurrent, dropout, dropout_seed), every), arrays)
    shapes = parameter_shapes(layers)
    _check_shapes(arrays, shapes)
    scenario = Scenario(
        name=printable(name),
        title=Localized(printable(name)),
        layers=layers,
        batches=_batches(every, layers[0], dtype),
        parameters=MappingProxyType({key: arrays[key] for key in shapes}),
        display=Display(dtype=dtype.name, order="layer" if recurrent.bidirectional else "time"),  # type: ignore[arg-type]
        is_batched=ndim == 3,
    )
    return _with_states_of_one_batch(scenario)


def _batch_inputs(
    x: ArrayLike | BatchInput | Sequence[BatchInput], alone: BatchInput | None
) -> tuple[BatchInput, ...]:
    """What enters in each batch; `alone` has what was said of one beside its x."""
    every = (x,) if isinstance(x, BatchInput) else x
    if not isinstance(every, list | tuple) or not any(isinstance(one, BatchInput) for one in every):
        return (BatchInput(cast(ArrayLike, x)) if alone is None else alone,)
    if not all(isinstance(one, BatchInput) for one in every):
        raise _misfit("x", ", ".join(type(one).__name__ for one in every), BatchInput.__name__)
    if alone is not None:
        raise _misfit("h_0, c_0, lengths", "made(…)", BatchInput.__name__)
    return cast("tuple[BatchInput, ...]", tuple(every))


def _axes_and_dtype(every: Sequence[BatchInput]) -> tuple[int, np.dtype[Any]]:
    """How many axes each x has, and the dtype of the first."""
    xs = [np.asarray(one.x) for one in every]
    if xs[0].ndim not in (2, 3) or any(one.ndim != xs[0].ndim for one in xs):
        raise _misfit("x", ", ".join(str(one.shape) for one in xs), "(T, B, I), (B, T, I), (T, I)")
    return xs[0].ndim, np.dtype(np.float64 if xs[0].dtype == np.float64 else np.float32)


def _with_head(
    recurrent: Recurrent, arrays: Mapping[str, Array]
) -> tuple[Recurrent, *tuple[NetworkModule, ...]]:
    """The module, and a linear layer on its output where it has parameters."""
    if "linear.weight" not in arrays:
        return (recurrent,)
    return recurrent, Linear(recurrent.size, arrays["linear.weight"].shape[0], "linear.bias" in arrays)


def _with_resets(recurrent: Recurrent, every: Sequence[BatchInput]) -> Recurrent:
    """The module with resets where rows begin anew in any batch."""
    return replace(recurrent, has_resets=any(one.reset is not None for one in every))


def _with_dropout(recurrent: Recurrent, p: float, seed: int) -> Recurrent:
    """The module in training mode where anything is dropped."""
    if not 0 <= p <= 1 or (p and (recurrent.is_cell or recurrent.num_layers == 1)):
        raise _misfit("dropout (p)", p, "0 … 1, num_layers > 1")
    return replace(recurrent, dropout=float(p), dropout_seed=seed, mode="train") if p else recurrent


def _with_states_of_one_batch(scenario: Scenario) -> Scenario:
    """One batch's first states are those of the scenario: a file can say them then."""
    for one in scenario.batches:
        check_recorded(scenario, one)
    batch, *others = scenario.batches
    if others or batch.initial_state is None:
        return scenario
    batches = (replace(batch, initial_state=None),)
    return replace(scenario, batches=batches, initial_state=batch.initial_state)


def _check_shapes(arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    for key in {**shapes, **arrays}:
        found, expected = arrays[key].shape if key in arrays else "–", shapes.get(key, "–")
        if found != expected:
            raise _misfit(key, found, expected)


def _batches(every: Sequence[BatchInput], recurrent: Recurrent, dtype: np.dtype[Any]) -> tuple[Batch, ...]:
    where = (f"x[{number}]." if len(every) > 1 else "" for number in range(len(every)))
    return tuple(_batch(one, recurrent, dtype, name) for one, name in zip(every, where, strict=True))


def _batch(given: BatchInput, recurrent: Recurrent, dtype: np.dtype[Any], where: str) -> Batch:
    """Give what enters time-major; `where` stands before the names of what does not fit."""
    x = np.asarray(given.x, dtype)
    values = _time_major(x, recurrent)
    steps, rows, size = values.shape
    if size != recurrent.input_size or not x.size:
        raise _misfit(f"{where}x", x.shape, f"(…, {recurrent.input_size})")
    lengths = None if given.lengths is None else tuple(given.lengths)
    if lengths is not None and not (len(lengths) == rows and all(1 <= one <= steps for one in lengths)):
        raise _misfit(f"{where}lengths", lengths, f"1 … {steps}, {rows}×")
    states = _states(recurrent, given, rows, dtype, where)
    return Batch(
        np.ascontiguousarray(values),
        None,
        lengths,
        packed=lengths is not None and given.packed,
        initial_state=states or None,
        masks=_masks(recurrent, given, steps, rows, dtype, where),
        above=None if given.above is None else {at: np.array(g, dtype) for at, g in given.above.items()},
        keep=_keep(recurrent, given, steps, rows, dtype, where),
        recorded=None if given.recorded is None else given.recorded.as_arrays(),
    )


def _keep(
    recurrent: Recurrent, given: BatchInput, steps: int, rows: int, dtype: np.dtype[Any], where: str
) -> Array | None:
    """0 where a row's states are zeros before a step, else 1, (T, B, 1); None where the cell has no resets."""
    if given.reset is None:
        return np.ones((steps, rows, 1), dtype) if recurrent.has_resets else None
    reset = np.asarray(given.reset)
    if reset.shape != (steps, rows) or not recurrent.is_cell:
        raise _misfit(f"{where}reset", reset.shape, (steps, rows) if recurrent.is_cell else "–")
    others = reset[(reset != 0) & (reset != 1)]
    if others.size:
        raise _misfit(f"{where}reset", others[0], "0, 1")
    return np.asarray(1 - reset.astype(dtype), dtype)[..., None]


def _time_major(shown: Array, recurrent: Recurrent) -> Array:
    if shown.ndim == 2:
        return shown[:, None]
    return shown.swapaxes(0, 1) if recurrent.batch_first else shown


def _masks(
    recurrent: Recurrent, given: BatchInput, steps: int, rows: int, dtype: np.dtype[Any], where: str
) -> Mapping[str, Array] | None:
    if given.masks is None:
        return None
    above = [recurrent.above(layer) for layer in range(recurrent.num_layers - 1)]
    if not recurrent.has_masks or len(given.masks) != len(above):
        expected = f"{len(above)}" if recurrent.has_masks else "dropout > 0"
        raise _misfit(f"{where}masks", f"{len(given.masks)}", expected)
    found = {}
    for one, shown in zip(above, given.masks, strict=True):
        mask, ndim = np.array(shown, dtype), np.ndim(given.x)
        if mask.ndim != ndim or _time_major(mask, recurrent).shape != (steps, rows, recurrent.size):
            raise _misfit(f"{where}masks", mask.shape, f"{np.shape(given.x)[:-1]} × {recurrent.size}")
        assert one is not None
        found[one.key] = np.ascontiguousarray(_time_major(mask, recurrent))
    return MappingProxyType(found)


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
    recurrent: Recurrent, given: BatchInput, rows: int, dtype: np.dtype[Any], where: str
) -> Mapping[str, Array]:
    sizes = recurrent.state_sizes
    states: dict[str, Array] = {}
    for key, value in (("h_0", given.h_0), ("c_0", given.c_0)):
        if value is None:
            continue
        array = np.array(value, dtype)
        size = sizes.get(key.removesuffix("_0"))
        whole = (recurrent.num_states, rows, size or 0)
        axes = [*([] if recurrent.is_cell else whole[:1]), rows, whole[2]]
        unbatched = [one for position, one in enumerate(axes) if position != len(axes) - 2]
        if size is None or (list(array.shape) != axes and not (rows == 1 and list(array.shape) == unbatched)):
            raise _misfit(f"{where}{key}", array.shape, "–" if size is None else tuple(axes))
        states[key] = array.reshape(whole)
    return MappingProxyType(states)


def _misfit(name: str, found: object, expected: object) -> UsageError:
    return UsageError(
        Text(
            "{name}: found {found}, expected {expected}", name=name, found=str(found), expected=str(expected)
        )
    )
