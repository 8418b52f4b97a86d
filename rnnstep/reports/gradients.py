"""The gradients of a scenario with autograd's beside them, and their JSON, CSV and npz: what `rnnstep.grad` gives."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block, Model
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.operations import Array
from rnnstep.equations.shares import SHARE, D
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.network.blocks import Direction, joined_parts
from rnnstep.reference import ComparedGradients, Finding, check_gradients
from rnnstep.reports.formats import members, plain, write_arrays
from rnnstep.reports.trace import npz_folder, verdict
from rnnstep.scenario.model import Scenario

MOST_STEPS = 200  # whose shares are told of: each is computed from all that come before it on the way back


@dataclass(frozen=True, eq=False, slots=True)
class Share:
    """One step on the way back.

    Attributes:
        t: the step, from 0.
        share: what it gives to the gradient.
        total: that and what the steps before it on the way back gave.
    """

    t: int
    share: Array
    total: Array


def parts_of(block: Block) -> dict[str, tuple[str, ...]]:
    """Give torch's parameters that a block uses and that are learnt, each with the equations' parameters that its rows are."""
    found: dict[str, tuple[str, ...]] = {}
    for part, where in block.learnt_in.items():
        found[where.torch] = (*found.get(where.torch, ()), part)
    return found


def shares(back: BackwardPass, key: str) -> Mapping[str, list[Share]]:
    """Give every weight of a block under torch's name with its steps, in the order of the way back."""
    block = back.done.by_key[key]
    weights = {torch: parts for torch, parts in parts_of(block).items() if back.parameters[torch].ndim > 1}
    found: dict[str, list[Share]] = {torch: [] for torch in weights}
    for t in steps_back(back, key):
        values = back.values(key, t)
        for torch, parts in weights.items():
            totals = [values.get(f"{D}{part}", np.zeros_like(block.parameters[part])) for part in parts]
            given = [
                values.get(f"{D}{part}{SHARE}", total) for part, total in zip(parts, totals, strict=True)
            ]
            places = [block.kept_in[part] for part in parts]
            whole = (joined_parts(list(zip(places, each, strict=True))) for each in (given, totals))
            found[torch].append(Share(t, *whole))
    return found


def steps_back(back: BackwardPass, key: str) -> Iterator[int]:
    """Give a block's steps in the order of the way back."""
    if key in back.done.runs:
        yield from (t for t, other in back.recurrent_steps() if other == key)
    elif back.by_key[key].extent.is_single:
        yield back.done.axis(key).num_steps - 1
    else:
        yield from reversed(range(back.done.axis(key).num_steps))


# ── all gradients ────────────────────────────────────────────────────────────────────────────────


class StateGradient(Mapping[str, Array]):
    """The total derivative of the loss by the states of one step: `["h"]`, `["c"]`, each (live rows, n).

    Attributes:
        t: the step, from 0.
        module: what its module is called: "encoder".
        is_one_of_several: whether there are other recurrent modules.
        sequence: the sequence whose step it is, "input" the first.
        layer: the layer, from 0.
        direction: "forward" or "backward".
        batch: which batch, from 0.
        key: of the block, "L0←".
        rows: the live rows of a packed batch, ascending; None when all are.
    """

    def __init__(self, back: BackwardPass, key: str, t: int, whole: Mapping[str, Array]) -> None:
        block = back.done.by_key[key]
        self.t = t
        self.module = back.scenario.recurrent_of(block).name
        self.is_one_of_several = len(back.scenario.recurrents) > 1
        self.sequence = block.sequence
        self.layer: int = block.layer
        self.direction: Direction = block.direction
        self.batch = back.index
        self.key = key
        self.rows: NDArray[np.intp] | None = back.live_rows(key, t)
        self._whole = whole

    def __getitem__(self, name: str) -> Array:
        found: Array = self._whole[name][self.t]
        return found if self.rows is None else found[self.rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)

    def __repr__(self) -> str:
        return (
            f"StateGradient(t={self.t}, layer={self.layer}, direction={self.direction!r}, states={[*self]})"
        )


class TorchGradients:
    """torch's loss and autograd's gradients; of a cell of one's own the same equations in torch's operations.

    Attributes:
        loss: the loss of torch's whole module. Of several batches a list, as all here.
        parameters: torch's name → ∂L/∂ of the parameter.
    """

    def __init__(self, comparisons: Sequence[ComparedGradients]) -> None:
        self.loss = _single([one.loss for one in comparisons])
        self.parameters = {
            name: _single([one.parameters[name] for one in comparisons]) for name in comparisons[0].parameters
        }
        self._comparisons = comparisons

    @cached_property
    def states(self) -> Sequence[StateGradient]:
        """∂L/∂ of the states, of torch's stepped cells, in the order of ours."""
        return [
            StateGradient(one.back, key, t, one.states[key])
            for one in self._comparisons
            for t, key in one.back.done.recurrent_steps()
        ]


class Gradients:
    """A scenario's loss and gradients, autograd's beside. Of several batches lists, an entry each.

    Attributes:
        scenario: what was run.
        passes: our way back through each batch, every value of it at hand.
        comparisons: each beside autograd's, every value of it at hand as well; none where torch was not asked,
            and all that is said of it is None.
        loss: the loss.
        parameters: torch's name → ∂L/∂ of the parameter, in its shape.
        reference: torch's; None of a cell of one's own, which torch does not have.
        self_check: of such a cell, the same equations in torch's operations; else None.
    """

    def __init__(self, passes: Sequence[BackwardPass], comparisons: Sequence[ComparedGradients] = ()) -> None:
        self.comparisons = tuple(comparisons)
        self.passes = tuple(passes)
        self.scenario: Scenario = self.passes[0].scenario
        self.loss = _single([back.loss for back in self.passes])
        self.parameters = {
            name: _single([back.parameters[name] for back in self.passes])
            for name in self.passes[0].parameters
        }
        beside = TorchGradients(comparisons) if comparisons else None
        is_module = not self.scenario.has_own_cells
        self.reference = beside if is_module else None
        self.self_check = None if is_module else beside

    @property
    def beside(self) -> TorchGradients | None:
        """`reference`, or `self_check` where there is none."""
        return self.reference if self.reference is not None else self.self_check

    def compared(self, index: int) -> ComparedGradients | None:
        """Autograd's numbers beside those of a batch."""
        return self.comparisons[index] if self.comparisons else None

    @cached_property
    def states(self) -> Sequence[StateGradient]:
        """∂L/∂ of every state after every step, in the order of the forward pass: `states[3]["h"]` is (B, H)."""
        found = []
        for back in self.passes:
            whole = {
                key: {name: back.states(key, name) for name in run.block.program.states}
                for key, run in back.done.runs.items()
            }
            found += [StateGradient(back, key, t, whole[key]) for t, key in back.done.recurrent_steps()]
        return found

    @cached_property
    def max_abs_diff(self) -> dict[str, float] | None:
        """The largest difference of `loss`, `parameters` and `states`, each program on its own run."""
        if not self.comparisons:
            return None
        kinds = self.comparisons[0].max_abs_diff
        return {kind: max(one.max_abs_diff[kind] for one in self.comparisons) for kind in kinds}

    @cached_property
    def worst(self) -> Finding | None:
        """Where a difference takes up most of what rounding may make it: of one step back from torch's own numbers."""
        found = [one.worst for one in self.comparisons if one.worst is not None]
        return max(found, key=lambda worst: worst.share, default=None)

    @property
    def tolerance(self) -> float | None:
        """What rounding may make the difference that takes up most of it."""
        if not self.comparisons:
            return None
        return self.worst.allowed if self.worst is not None else 0.0

    @property
    def agrees(self) -> bool | None:
        """Whether our gradients are autograd's, judged one step at a time."""
        return all(one.agrees for one in self.comparisons) if self.comparisons else None

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain lists and numbers, as `rnnstep grad --format json` prints it."""
        return gradients_dict(self)

    def __repr__(self) -> str:
        return f"Gradients({self.scenario.name!r}, loss {self.loss}, {verdict(agrees=self.agrees)})"


def gradients(scenario: Scenario, *, is_beside: bool = True) -> Gradients:
    """Run a complete scenario from its parameters, go back from the loss, and let autograd do the same if it is to.

    Where gradients are given elsewhere than at what torch's modules return nothing stands beside.

    Raises:
        UsageError: There is no loss to go back from.
    """
    if not scenario.goes_back:
        check_loss(scenario)
    model = Model(scenario)
    passes, comparisons = [], []
    for done in model.run().passes:
        back = model.backward(done)
        assert back is not None
        passes.append(back)
        if is_beside and back.has_torchs_word:
            comparisons.append(check_gradients(done, back))
    return Gradients(passes, comparisons if len(comparisons) == len(passes) else ())


def check_loss(scenario: Scenario) -> None:
    """Make sure that a scenario has a loss.

    Raises:
        UsageError: It has none.
    """
    if not scenario.has_loss:
        raise UsageError(
            Text(
                "{name}: there is no loss to go back from; add what each step should answer, such as"
                ' [target] with text = "ohlol" (indices, values), and [loss] if it is not to be the usual one',
                name=scenario.name,
            )
        )


def _single(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else found


# ── JSON, CSV and npz ────────────────────────────────────────────────────────────────────────────

CSV_COLUMNS = ("batch", "t", "layer", "direction", "row", "name", "index", "column", "value", "torch")

CsvCells = tuple[Any, ...]


# ── JSON ─────────────────────────────────────────────────────────────────────────────


def gradients_json(found: Gradients) -> Iterator[str]:
    """Give the text of the whole, an object of one line a step."""
    yield "{"
    yield from members(_numbers(found, found))
    if found.reference is None:
        yield ',\n"reference": null'
    if found.beside is not None:
        yield f',\n"{_name_of_beside(found)}": {{'
        yield from members({**_numbers(found, found.beside), **_recorded(found)})
        yield "}"
    yield ",\n"
    yield from members(_verdict_dict(found))
    yield "}\n"


def gradients_dict(found: Gradients) -> dict[str, Any]:
    """Give the same as a dictionary of plain lists and numbers."""
    beside: dict[str, Any] = {"reference": None}
    if found.beside is not None:
        beside[_name_of_beside(found)] = {**_as_lists(_numbers(found, found.beside)), **_recorded(found)}
    return {**_as_lists(_numbers(found, found)), **beside, **_verdict_dict(found)}


def _recorded(found: Gradients) -> dict[str, Any]:
    """The names of what was recorded, where anything was: it stands in the place of autograd's."""
    names = dict.fromkeys(name for one in found.comparisons for name in one.recorded)
    return {"recorded": list(names)} if names else {}


def _as_lists(numbers: dict[str, Any]) -> dict[str, Any]:
    return {**numbers, "states": list(numbers["states"])}


def _name_of_beside(found: Gradients) -> str:
    return "self_check" if found.reference is None else "reference"


def _numbers(found: Gradients, source: Gradients | TorchGradients) -> dict[str, Any]:
    return {
        "loss": source.loss,
        "parameters": {name: plain(value) for name, value in source.parameters.items()},
        "states": (_state(found, one) for one in source.states),
    }


def _state(found: Gradients, one: StateGradient) -> dict[str, Any]:
    where: dict[str, Any] = {"t": one.t, "layer": one.layer, "direction": one.direction}
    if found.scenario.is_network:
        where |= {"block": one.module, "sequence": one.sequence}
    if len(found.passes) > 1:
        where["batch"] = one.batch
    if one.rows is not None:
        where["rows"] = one.rows.tolist()
    return {**where, **{name: plain(value) for name, value in one.items()}}


def _verdict_dict(found: Gradients) -> dict[str, Any]:
    return {"max_abs_diff": found.max_abs_diff, "tolerance": found.tolerance, "agrees": found.agrees}


# ── CSV ──────────────────────────────────────────────────────────────────────────────


def gradients_csv(found: Gradients) -> Iterator[str]:
    """Give the text, the header first: `loss`, torch's name of a parameter, or a state's name; counted from 0."""
    yield _csv_text([CSV_COLUMNS])
    for index, back in enumerate(found.passes):
        yield _csv_text(list(_of_batch(back, found.compared(index))))
    states = [None] * len(found.states) if found.beside is None else found.beside.states
    for ours, theirs in zip(found.states, states, strict=True):
        yield _csv_text(list(_of_step(ours, theirs)))


def _of_batch(back: BackwardPass, torch: ComparedGradients | None) -> Iterator[CsvCells]:
    nowhere = ("", "", "", "")
    yield (back.index, *nowhere, "loss", "", "", back.loss, "" if torch is None else torch.loss)
    for name, value in back.parameters.items():
        for place in np.ndindex(value.shape):
            index, column = (*place, "")[:2]
            number = float(value[place])
            beside = "" if torch is None else float(torch.parameters[name][place])
            yield (back.index, *nowhere, name, index, column, number, beside)


def _of_step(ours: StateGradient, theirs: StateGradient | None) -> Iterator[CsvCells]:
    before = f"{ours.module}." if ours.is_one_of_several else ""
    for name, value in ours.items():
        rows = range(len(value)) if ours.rows is None else ours.rows.tolist()
        beside = None if theirs is None else theirs[name].tolist()
        for position, (row, numbers) in enumerate(zip(rows, value.tolist(), strict=True)):
            where = (ours.batch, ours.t, ours.layer, ours.direction, row)
            for index, number in enumerate(numbers):
                told = "" if beside is None else beside[position][index]
                yield (*where, f"{before}{name}", index, "", number, told)


def _csv_text(rows: Sequence[CsvCells]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


# ── npz ──────────────────────────────────────────────────────────────────────────────


def gradients_npz(found: Gradients, file: IO[bytes]) -> None:
    """Write `loss`, `parameters/NAME`, each state as `l0/h` or `l0_reverse/h` (T, B, n), and torch's as `torch/…`.

    Zeros stand where a packed row is over. With several batches all names begin with `batch0/`, `batch1/` …
    """
    write_arrays(_arrays(found), file)


def _arrays(found: Gradients) -> Iterator[tuple[str, NDArray[Any]]]:
    if found.agrees is not None:
        yield "agrees", np.asarray(found.agrees)
    for position, back in enumerate(found.passes):
        torch = found.compared(position)
        prefix = f"batch{back.index}/" if len(found.passes) > 1 else ""
        dtype = found.scenario.dtype
        yield f"{prefix}loss", np.asarray(back.loss, dtype)
        if torch is not None:
            yield f"{prefix}torch/loss", np.asarray(torch.loss, dtype)
        for name, value in back.parameters.items():
            yield f"{prefix}parameters/{name}", value
            if torch is not None:
                yield f"{prefix}torch/parameters/{name}", torch.parameters[name]
        for key, run in back.done.runs.items():
            folder = npz_folder(back.done, run.block)
            for name in run.block.program.states:
                yield f"{prefix}{folder}/{name}", _whole(back.states(key, name))
                if torch is not None:
                    yield f"{prefix}torch/{folder}/{name}", _whole(torch.states[key][name])


def _whole(value: Array) -> NDArray[Any]:
    return np.ascontiguousarray(value)
