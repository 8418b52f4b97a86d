"""A run with torch's beside it, and its JSON, CSV and npz: what `rnnstep.trace` gives, step by step as far as asked."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block, Pass, Trace, TraceStep
from rnnstep.engine.shapes import as_torch_shows
from rnnstep.engine.watch import Watch
from rnnstep.equations.operations import Array
from rnnstep.reference import Checked, Comparison
from rnnstep.reports.formats import (
    members,
    plain,
    write_arrays,
)
from rnnstep.scenario.model import Scenario


def verdict(*, agrees: bool | None) -> str:
    """Say how numbers stand to torch's."""
    if agrees is None:
        return "without torch"
    return f"{'agrees' if agrees else 'disagrees'} with torch"


class ReferenceStep(Mapping[str, Array]):
    """torch's values of one step, each (live rows, n), under the names of ours.

    h and c are those of torch.nn's modules, stepped; the others are the same equations in
    torch's own operations (`rnnstep.reference`). Of a very long run the later steps have
    h and c only.
    """

    def __init__(self, comparison: Comparison, step: TraceStep) -> None:
        self.t = step.t
        self.layer = step.layer
        self.direction = step.direction
        self.batch = step.batch
        self.rows: NDArray[np.intp] | None = step.rows
        self._comparison = comparison
        self._key = step.key
        self._names = tuple(step)

    def __getitem__(self, name: str) -> Array:
        value = self._comparison.value(self._key, name, self.t) if name in self._names else None
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names if self._comparison.value(self._key, name, self.t) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def is_self_check(self, name: str) -> bool:
        """Whether a value is the same equation in torch's operations, and not torch.nn's own number."""
        return not self._comparison.is_module_confirmed(self._key, name)

    def agrees(self, name: str) -> bool:
        """Whether nothing was found to disagree with ours at this value."""
        return self._comparison.agrees_at(self._key, name, self.t) is not False


class Reference(Mapping[str, Any]):
    """What torch gave, under the keys of the run: `reference["h_n"]`, or `reference.h_n`."""

    def __init__(self, trace: Trace, checked: Checked) -> None:
        self._trace = trace
        self._checked = checked
        results = {"output": checked.output, "h_n": checked.h_n, "c_n": checked.c_n, "logits": checked.logits}
        self._results = {name: value for name, value in results.items() if value is not None}

    @cached_property
    def steps(self) -> Sequence[ReferenceStep]:
        """The values of torch, step by step, in the order of the run's."""
        return [self.step(step) for step in self._trace.steps]

    def step(self, step: TraceStep) -> ReferenceStep:
        """Give torch's values of one of the run's steps."""
        return ReferenceStep(self._checked.compared[step.batch], step)

    @property
    def input(self) -> Any:
        """What entered torch's module; a list where there are several batches."""
        scenario = self._trace.scenario
        found = [
            as_torch_shows(scenario, next(iter(comparison.reference.x.values())))
            for comparison in self._checked.compared
        ]
        return found[0] if len(found) == 1 else found

    def layer_results(self) -> list[dict[str, dict[str, Array]]]:
        """Of a network what each layer gave, batch by batch; nothing else."""
        scenario = self._trace.scenario
        if not scenario.is_network:
            return []
        return [comparison.reference.layer_results(scenario) for comparison in self._checked.compared]

    def __getattr__(self, name: str) -> Any:
        if name in ("output", "h_n", "c_n", "logits"):
            return self._results.get(name)
        raise AttributeError(name)

    def __getitem__(self, name: str) -> Any:
        if name in ("input", "steps"):
            return getattr(self, name)
        return self._results[name]

    def __iter__(self) -> Iterator[str]:
        yield from ("input", "steps", *self._results)

    def __len__(self) -> int:
        return 2 + len(self._results)


class Run:
    """A scenario's run, and torch's beside it. Arrays are in torch's shapes; lists with several batches.

    Attributes:
        scenario: what was run.
        trace: the engine's run alone.
        checked: the comparison with torch; None where torch was not asked, as all that follows is then.
        reference: what torch gave; None of a cell of one's own, which torch does not have.
        self_check: of such a cell, the same equations in torch's own operations; else None.
    """

    def __init__(self, trace: Trace, checked: Checked | None) -> None:
        self.scenario: Scenario = trace.scenario
        self.trace = trace
        self.checked = checked
        beside = None if checked is None else Reference(trace, checked)
        is_module = not self.scenario.has_own_cells
        self.reference = beside if is_module else None
        self.self_check = None if is_module else beside

    @property
    def beside(self) -> Reference | None:
        """`reference`, or `self_check` where there is none."""
        return self.reference if self.reference is not None else self.self_check

    @property
    def steps(self) -> Sequence[TraceStep]:
        """Every step of every layer and direction, in order of computation; `steps[3]["h"]` is (B, H)."""
        return self.trace.steps

    @property
    def input(self) -> Any:
        """What enters the recurrent module."""
        return self.trace.input

    @property
    def output(self) -> Any:
        """`output` as torch returns it; for a cell the stack of its h."""
        return self.trace.output

    @property
    def h_n(self) -> Any:
        """`h_n` as torch returns it."""
        return self.trace.h_n

    @property
    def c_n(self) -> Any:
        """`c_n` as torch returns it; None where there is no second state."""
        return self.trace.c_n

    @property
    def logits(self) -> Any:
        """The linear layer's result; None without one."""
        return self.trace.logits

    def layer_results(self) -> list[dict[str, dict[str, Array]]]:
        """Of a network what each layer gave, batch by batch; nothing else."""
        return [done.layer_results() for done in self.trace.passes] if self.scenario.is_network else []

    @property
    def max_abs_diff(self) -> dict[str, float] | None:
        """The largest difference of each result along the run, each program on its own states."""
        return None if self.checked is None else dict(self.checked.max_abs_diff)

    @property
    def one_step_diff(self) -> float | None:
        """The difference of one step from torch's own states, where it takes up most of `tolerance`."""
        return None if self.checked is None else self.checked.one_step_diff

    @property
    def tolerance(self) -> float | None:
        """What rounding may make `one_step_diff`."""
        return None if self.checked is None else self.checked.tolerance

    @property
    def agrees(self) -> bool | None:
        """Whether our numbers are torch's, judged one step at a time; without torch whether they are what was recorded."""
        if self.checked is not None:
            return self.checked.agrees
        from rnnstep.reference.judge.recorded import faults_beside_records

        faults = faults_beside_records(self.trace)
        return None if faults is None else not faults

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain lists and numbers, as `rnnstep trace --format json` prints it."""
        return run_dict(Selection(self))

    def __repr__(self) -> str:
        return f"Run({self.scenario.name!r}, {len(self.steps)} steps, {verdict(agrees=self.agrees)})"


# ── what of it is shown ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Seen:
    """One step of ours, torch's beside it, and what the watches give there."""

    step: TraceStep
    torch: ReferenceStep | None
    key: str  # of its block
    watched: dict[str, Array]  # by the watch's text, (B, n)


class Selection:
    """A run with watches, up to where `until` first holds.

    Attributes:
        run: The run.
        watches: What is shown beside the values.
        until: Where to stop; None for the whole run.
        stopped: After `steps` has been walked: the step at which `until` held.
    """

    def __init__(self, run: Run, watches: Sequence[Watch] = (), until: Watch | None = None) -> None:
        self.run = run
        self.watches = tuple(watches)
        self.until = until
        self.stopped: TraceStep | None = None

    def steps(self) -> Iterator[Seen]:
        """Walk the steps in order of computation; each is made when it comes, and not kept."""
        self.stopped = None
        for done in self.run.trace.passes:
            for t, key in done.recurrent_steps():
                step = TraceStep(done, key, t)
                block = done.by_key[key]
                beside = self.run.beside
                yield Seen(
                    step, None if beside is None else beside.step(step), key, self.watched(block, step)
                )
                if self.until is not None and self.until.holds(block, step, t):
                    self.stopped = step
                    return

    def watched(self, block: Block, step: TraceStep) -> dict[str, Array]:
        """What the watches give at a step, (B, n) each; those that the block has."""
        num_rows = len(step[block.output])
        values = {watch.text: watch.value(block, step, step.t) for watch in self.watches}
        return {text: _by_row(value, num_rows) for text, value in values.items() if value is not None}


def _by_row(value: Array, num_rows: int) -> Array:
    """Give (B, n), also of what is the same for all rows."""
    whole = np.atleast_2d(value)
    return np.broadcast_to(whole, (num_rows, whole.shape[1]))


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────


def trace_json(selection: Selection) -> Iterator[str]:
    """Give the text of the whole, an object of one line a step."""
    yield "{"
    yield from members({**_head(selection), "steps": _our_steps(selection), **_results(selection.run)})
    beside, is_module = selection.run.beside, selection.run.reference is not None
    if not is_module:
        yield ',\n"reference": null'
    if beside is not None:
        yield f',\n"{"reference" if is_module else "self_check"}": {{'
        steps = {"input": _input(selection, beside), "steps": _torch_steps(selection)}
        yield from members({**steps, **_results(beside), **_recorded(selection.run)})
        yield "}"
    yield ",\n"
    yield from members(_verdict_dict(selection))
    yield "}\n"


def _recorded(run: Run) -> dict[str, Any]:
    """The names of what was recorded, where anything was: it stands in the place of torch's results."""
    names = () if run.checked is None else run.checked.recorded
    return {"recorded": list(names)} if names else {}


def run_dict(selection: Selection) -> dict[str, Any]:
    """Give the same as a dictionary of plain lists and numbers."""
    run = selection.run
    found: dict[str, Any] = {"reference": None}
    if run.beside is not None:
        found["reference" if run.reference is not None else "self_check"] = {
            "input": _input(selection, run.beside),
            "steps": list(_torch_steps(selection)),
            **_results(run.beside),
            **_recorded(run),
        }
    return {
        **_head(selection),
        "steps": list(_our_steps(selection)),
        **_results(run),
        **found,
        **_verdict_dict(selection),
    }


def _head(selection: Selection) -> dict[str, Any]:
    scenario = selection.run.scenario
    return {
        "title": scenario.title.into(scenario.display.language or "en"),
        "module": "network" if scenario.is_network else scenario.recurrent.module,
        "dtype": scenario.display.dtype,
        "input": _input(selection, selection.run),
    }


def _input(selection: Selection, source: Run | Reference) -> Any:
    """What enters the recurrent module; of a network what it is given, by its sequence, which torch is given, too."""
    if not selection.run.scenario.is_network:
        return plain(source.input)
    given = [done.given_input() for done in selection.run.trace.passes]
    return {name: _of_batches([one[name] for one in given]) for name in given[0]}


def _of_batches(found: list[Array]) -> Any:
    return plain(found[0] if len(found) == 1 else found)


def _results(source: Run | Reference) -> dict[str, Any]:
    results = {name: plain(getattr(source, name)) for name in ("output", "h_n", "c_n", "logits")}
    found = {name: value for name, value in results.items() if value is not None}
    layers = source.layer_results()
    if layers:
        found["layers"] = {
            name: {key: _of_batches([one[name][key] for one in layers]) for key in layers[0][name]}
            for name in layers[0]
        }
    return found


def _verdict_dict(selection: Selection) -> dict[str, Any]:
    run = selection.run
    return {
        "max_abs_diff": run.max_abs_diff,
        "one_step_diff": run.one_step_diff,
        "tolerance": run.tolerance,
        "agrees": run.agrees,
    }


def _our_steps(selection: Selection) -> Iterator[dict[str, Any]]:
    for seen in selection.steps():
        values = {**seen.step, **seen.watched}
        yield {**_where(selection, seen), "values": {name: plain(value) for name, value in values.items()}}


def _torch_steps(selection: Selection) -> Iterator[dict[str, Any]]:
    for seen in selection.steps():
        yield {
            **_where(selection, seen),
            "values": {name: plain(value) for name, value in (seen.torch or {}).items()},
        }


def _where(selection: Selection, seen: Seen) -> dict[str, Any]:
    step = seen.step
    where: dict[str, Any] = {"t": step.t, "layer": step.layer, "direction": step.direction}
    if selection.run.scenario.is_network:
        where |= {"block": step.module, "sequence": step.sequence}
    if len(selection.run.scenario.batches) > 1:
        where["batch"] = step.batch
    if step.rows is not None:
        where["rows"] = step.rows.tolist()
    return where


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────

CSV_COLUMNS = ("batch", "t", "layer", "direction", "row", "name", "index", "value", "torch")

CsvCells = tuple[Any, ...]


def trace_csv(selection: Selection) -> Iterator[str]:
    """Give the text, the header first; counted from 0; a watch is a name like any other, without torch's."""
    yield _csv_text([CSV_COLUMNS])
    for seen in selection.steps():
        yield _csv_text(list(_step_cells(seen)))
    if selection.stopped is None:
        yield from _logits_csv(selection)


def _step_cells(seen: Seen) -> Iterator[CsvCells]:
    step = seen.step
    where = (step.batch, step.t, step.layer, step.direction)
    num_rows = len(next(iter(step.values())))
    rows = range(num_rows) if step.rows is None else step.rows.tolist()
    before = f"{step.module}." if step.is_one_of_several else ""
    for name, value in step.items():
        torch = None if seen.torch is None else seen.torch.get(name)
        yield from _number_cells(where, f"{before}{name}", value, torch, rows)
    for name, value in seen.watched.items():
        yield from _number_cells(where, name, value, None, rows)


def _number_cells(
    where: CsvCells, name: str, value: Array, torch: Array | None, rows: Sequence[int]
) -> Iterator[CsvCells]:
    beside = torch.tolist() if torch is not None else None
    for position, (row, numbers) in enumerate(zip(rows, value.tolist(), strict=True)):
        for index, number in enumerate(numbers):
            yield (*where, row, name, index, number, "" if beside is None else beside[position][index])


def _logits_csv(selection: Selection) -> Iterator[str]:
    """Give the linear layer's results: with their step, or without where it stands on the final state."""
    run = selection.run
    for done in run.trace.passes:
        head = done.head
        if head is None:
            return
        comparison = None if run.checked is None else run.checked.comparisons[done.index]
        is_single = head.extent.is_single
        steps = range(1 if is_single else done.axis(head.key).num_steps)
        for t in steps:
            alive = None if is_single else done.live_rows(head.key, t)
            rows = range(done.batch.num_rows) if alive is None else alive.tolist()
            where = (done.index, "" if is_single else t, head.layer, "")
            torch = None if comparison is None else comparison.value(head.key, "logits", t)
            ours = done.value(head.key, "logits", t)
            yield _csv_text(list(_number_cells(where, "logits", ours, torch, rows)))


def _csv_text(rows: Sequence[CsvCells]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


# ── npz ──────────────────────────────────────────────────────────────────────────────────────────


def trace_npz(selection: Selection, file: IO[bytes]) -> None:
    """Write `input` (of several sequences `input/NAME`), `output`, `h_n` …, each value as `l0/h` or `l0_reverse/h` (T, B, n), and torch's as `torch/…`.

    Zeros stand where a packed row is over, and NaN after the place where `until` held. With
    several batches all names begin with `batch0/`, `batch1/` …
    """
    write_arrays(_npz_arrays(selection), file)


def _npz_arrays(selection: Selection) -> Iterator[tuple[str, NDArray[Any]]]:
    run = selection.run
    if run.agrees is not None:
        yield "agrees", np.asarray(run.agrees)
    reached = _reached(selection)
    for done in run.trace.passes:
        comparison = None if run.checked is None else run.checked.comparisons[done.index]
        prefix = f"batch{done.index}/" if len(run.trace.passes) > 1 else ""
        given = done.given_input()
        if len(given) == 1:
            yield f"{prefix}input", done.input
        else:
            yield from ((f"{prefix}input/{name}", value) for name, value in given.items())
        for name in ("output", "h_n", "c_n", "logits"):
            for source, before in (
                (done, ""),
                (None if comparison is None else comparison.reference, "torch/"),
            ):
                value = getattr(source, name, None)
                if value is not None:
                    yield f"{prefix}{before}{name}", value
        for block in (block for block in done.blocks if block.kind == "recurrent"):
            steps = reached[done.index, block.key]
            folder = npz_folder(done, block)
            for name in _names(block):
                yield f"{prefix}{folder}/{name}", _over_time(done, block, name, steps, None)
                if comparison is not None:
                    yield f"{prefix}torch/{folder}/{name}", _over_time(done, block, name, steps, comparison)
            for watch in selection.watches:
                if block.key in watch.blocks:
                    yield f"{prefix}{folder}/{watch.text}", _watched(done, block, watch, steps)


def npz_folder(done: Pass, block: Block) -> str:
    """Give where the values of a recurrent block stand: "l0", "l0_reverse", in a network "encoder/l0"."""
    name = done.scenario.recurrent_of(block).name
    own = f"l{block.layer}{'_reverse' if block.direction == 'backward' else ''}"
    return f"{name}/{own}" if done.scenario.is_network else own


def _reached(selection: Selection) -> Mapping[tuple[int, str], list[int]]:
    """Give the steps of each batch and block as far as the selection goes."""
    keys = [(done.index, key) for done in selection.run.trace.passes for key in done.runs]
    reached: dict[tuple[int, str], list[int]] = {key: [] for key in keys}
    for seen in selection.steps():
        reached[seen.step.batch, seen.key].append(seen.step.t)
    return reached


def _names(block: Block) -> list[str]:
    program = block.program
    return [*program.inputs, *program.befores, *program.names]


def _watched(done: Pass, block: Block, watch: Watch, steps: list[int]) -> Array:
    return _stacked(done, block, steps, lambda t: watch.value(block, done.values(block.key, t), t))


def _over_time(done: Pass, block: Block, name: str, steps: list[int], comparison: Comparison | None) -> Array:
    source = done if comparison is None else comparison
    return _stacked(done, block, steps, lambda t: source.value(block.key, name, t))


def _stacked(done: Pass, block: Block, steps: list[int], value_at: Callable[[int], Array | None]) -> Array:
    """Put the values of single steps into one array (T, B, n), each as it comes: many are views of large ones."""
    shape = (done.axis(block.key).num_steps, done.batch.num_rows)
    whole = np.full((*shape, 1), np.nan, done.scenario.dtype)
    for t in steps:
        value = value_at(t)
        if value is None:
            continue
        value = np.atleast_2d(value)
        if whole.shape[-1] != value.shape[-1]:
            whole = np.full((*shape, value.shape[-1]), np.nan, done.scenario.dtype)
        rows = done.runs[block.key].live_rows(t)
        whole[t] = 0
        whole[t, slice(None) if rows is None else rows] = value
    return whole
