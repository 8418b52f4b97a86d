"""What-if: one number of a weight, a bias, x or a state before changed, and all computed anew.

An edit names its target as the program writes it: `W_hh[0,2]`, `b_ih[1]`, `x[0]` (of the
step and row at the cursor), `h_0[1]`. Edits only ever make new arrays. What is edited is what training
begins with: weights can be edited where no update has changed them yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from rnnstep.equations.shares import ROWS
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.network.description import INPUT
from rnnstep.network.wires import When
from rnnstep.scenario.model import Floats, Scenario
from rnnstep.session.place import write_place
from rnnstep.session.run import SessionRun
from rnnstep.session.tree import Index, Spot, shape_of

_NAMED = re.compile(r"\s*(∂?[A-Za-z_]\w*)\s*\[\s*(\d{1,9})\s*(?:,\s*(\d{1,9})\s*)?\]\s*(?:=\s*(\S+)\s*)?")


@dataclass(frozen=True, slots=True)
class EditTarget:
    """One number that can be edited: an element of an array of the scenario.

    `store` says which: "parameters", "initial_state", "batch_state" or "values"; `key` is its name there
    (torch's name, `h_0`, `1 h_0` of batch 1 alone, or the batch, `0 target` of a sequence beside the first), `index` the element, `shown` how it is written.
    """

    store: str
    key: str
    index: tuple[int, ...]
    shown: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A target and its new value."""

    target: EditTarget
    value: float


def target_at(run: SessionRun, spot: Spot, row: int, name: str, index: Index) -> EditTarget | None:
    """Find what an element of a block's value is in the scenario; None for what is computed.

    A weight is found where training has changed it, too; see `where_to_edit`.

    Args:
        run: the run that the spot is in.
        spot: where the value is read, in any pass but the update.
        row: the row of the batch.
        name: the value's name in the block's equations: `W_hh`, `b_ih`, `x`, `h_prev`; `x⋮` of all rows.
        index: the element, `(i,)` or `(i, j)`; of all rows the row before it.
    """
    if spot.phase == "update":
        return None
    assert spot.batch is not None
    if name.endswith(ROWS):
        name, row, index = name.removesuffix(ROWS), index[0], index[1:]
    scenario = run.scenario
    block = run.tree.block(replace(spot, phase="forward"))
    shown = f"{name}[{','.join(map(str, index))}]"
    if name in block.kept_in:
        where = block.kept_in[name]
        return EditTarget("parameters", where.torch, where.index(index), shown)
    if block.kind != "recurrent":
        return None
    if name == "x" and spot.t is not None and all(wire.when is When.DATA for wire in block.wires[name]):
        if block.sequence in scenario.feeds:  # what the network said itself
            return None
        along = "" if block.sequence == INPUT else f" {block.sequence}"
        return EditTarget("values", f"{spot.batch}{along}", (spot.t, row, *index), shown)
    state = name.removesuffix("_prev").removesuffix("_0")
    batch = scenario.batches[spot.batch]
    has_own = batch.initial_state is not None
    if not (has_own or has_one_batch_size(scenario)) or gone_on_from(run, spot) is not None:
        return None
    is_first = spot.t == batch.axis(block.sequence).first_step(block.direction, row)
    if state in block.program.states and (name.endswith("_0") or (name.endswith("_prev") and is_first)):
        recurrent = scenario.recurrent_of(block)
        position = recurrent.position(block.layer, block.direction)
        given = f"{recurrent.before_places}{state}_0"
        store, key = ("batch_state", f"{spot.batch} {given}") if has_own else ("initial_state", given)
        return EditTarget(store, key, (position, row, *index), f"{state}_0[{index[0]}]")
    return None


def is_learnt(run: SessionRun, spot: Spot) -> bool:
    """Whether updates have changed the parameters before a spot's batch."""
    return "update" in run.tree.phases and run.tree.batch_before(spot) is not None


def gone_on_from(run: SessionRun, spot: Spot) -> Spot | None:
    """The batch with whose last states a spot's block begins: with `carry`, or as a mistake made on purpose; None without."""
    block = run.tree.block(replace(spot, phase="forward"))
    if not block.program.states:
        return None
    training = run.scenario.training
    if training is not None and training.mistake == "hidden_not_reset":
        return run.tree.batch_before(spot) if is_learnt(run, spot) else None
    return run.tree.batch_before(spot) if spot.batch and run.scenario.recurrent_of(block).carry else None


def where_to_edit(run: SessionRun, spot: Spot, target: EditTarget) -> Text | None:
    """Say where a weight can be edited that was learnt; None where it can be here."""
    if target.store != "parameters" or not is_learnt(run, spot):
        return None
    path = run.tree.path_to(replace(spot, batch=0, epoch=0))
    return Text(
        "{what} is what training has made of it; edit it where that begins, at {place}",
        what=target.shown,
        place="start" if path is None else write_place(run.tree, path),
    )


def has_one_batch_size(scenario: Scenario) -> bool:
    """Whether all batches have the same number of rows, so that one h_0 fits them."""
    return len({batch.num_rows for batch in (*scenario.batches, *scenario.test_batches)}) == 1


def read_edit(text: str, run: SessionRun, spot: Spot, row: int) -> Edit:
    """Read `W_hh[0,2] = 0.5`, at a place.

    Raises:
        UsageError: another form, a name or element that is not there, or one that is computed.
    """
    match = _NAMED.fullmatch(text.replace("−", "-").replace("，", ",").replace("＝", "="))
    if match is None or match[4] is None:
        raise UsageError(Text("an edit is written W_hh[0,2] = 0.5; found `{text}`", text=text[:60]))
    index = tuple(int(part) for part in (match[2], match[3]) if part is not None)
    name = match[1]
    block = run.tree.block(spot)
    read_as = f"{name[:-2]}_prev" if name.endswith("_0") else name
    if read_as not in block.program.shapes:
        raise UsageError(Text("unknown name `{name}`", name=name))
    shape = shape_of(block, read_as)
    if len(index) != len(shape) or any(k >= size for k, size in zip(index, shape, strict=True)):
        raise UsageError(
            Text(
                "`{text}` is outside {name}, which is {shape}",
                text=text[:60],
                name=name,
                shape="×".join(map(str, shape)),
            )
        )
    target = target_at(run, spot, row, name, index)
    states = block.program.states
    if target is None and not has_one_batch_size(run.scenario) and name.removesuffix("_0") in states:
        raise UsageError(
            Text("`{name}` cannot be given here: the batches have different numbers of rows", name=name)
        )
    if target is None:
        raise UsageError(
            Text("`{name}` is computed here and cannot be edited; edit what it is made of", name=name)
        )
    elsewhere = where_to_edit(run, spot, target)
    if elsewhere is not None:
        raise UsageError(elsewhere)
    return Edit(target, read_value(match[4], run.scenario))


def read_number(text: str) -> float:
    """Read a number as people type it. Raises UsageError for anything else."""
    try:
        return float(text.strip().replace("−", "-").replace("，", "."))
    except ValueError:
        raise UsageError(Text("not a number: `{text}`", text=text[:40])) from None


def read_value(text: str, scenario: Scenario) -> float:
    """Read a number for a scenario: `inf` and `nan` are ones, what is too large for its dtype is not.

    Raises:
        UsageError: It is no number, or too large.
    """
    value = read_number(text)
    largest = float(np.finfo(scenario.dtype).max)
    if abs(value) > largest and "inf" not in text.lower():
        raise UsageError(
            Text(
                "{text} is too large for {dtype}, whose largest number is {largest:.2e}; inf may be typed",
                text=text[:40],
                dtype=scenario.dtype.name,
                largest=largest,
            )
        )
    return value


def change_in_words(before: Scenario, after: Scenario, target: EditTarget) -> Text:
    """Say what an edit, or undoing it, did to its target: `W_hh[1,0]: −0.4897 → 0`."""
    numbers = current(before, target), current(after, target)
    old, new = (f"{number:.4g}" for number in numbers)
    if old == new:
        old, new = (f"{number:.9g}" for number in numbers)
    return Text(
        "{what}: {old} → {new}", what=target.shown, old=old.replace("-", "−"), new=new.replace("-", "−")
    )


def current(scenario: Scenario, target: EditTarget) -> float:
    """Give a target's present value; a state that was not given is zero."""
    match target.store:
        case "parameters":
            return float(scenario.parameters[target.key][target.index])
        case "initial_state" | "batch_state":
            given = _initial_of(scenario, target)
            return 0.0 if given is None else float(given[target.index])
    number, sequence = batch_and_sequence(target)
    values = scenario.batches[number].sequences[sequence].values
    assert values is not None
    return float(values[target.index])


def batch_and_sequence(target: EditTarget) -> tuple[int, str]:
    """The batch and the sequence that an x is of."""
    number, _, sequence = target.key.partition(" ")
    return int(number), sequence or INPUT


def changes(scenario: Scenario, edit: Edit) -> bool:
    """Whether an edit gives its target another value than it has."""
    wanted = float(scenario.dtype.type(edit.value))
    present = current(scenario, edit.target)
    return wanted != present and not (np.isnan(wanted) and np.isnan(present))


def apply(scenario: Scenario, edits: Sequence[Edit]) -> Scenario:
    """Give a scenario with edits made, in their order."""
    for edit in edits:
        scenario = _apply(scenario.without_records(), edit)
    return scenario


def _apply(scenario: Scenario, edit: Edit) -> Scenario:
    target = edit.target
    if target.store == "parameters":
        changed = _with_number(scenario.parameters[target.key], edit)
        return scenario.with_parameters({target.key: changed})
    if target.store in ("initial_state", "batch_state"):
        return _with_state(scenario, edit)
    batches = list(scenario.batches)
    number, sequence = batch_and_sequence(target)
    batch = batches[number]
    fed = batch.sequences[sequence]
    assert fed.values is not None
    values = _with_number(fed.values, edit)
    if sequence == INPUT:
        batches[number] = replace(batch, values=values)
    else:
        batches[number] = replace(batch, beside={**batch.beside, sequence: replace(fed, values=values)})
    return replace(scenario, batches=tuple(batches))


def _with_number(array: Floats, edit: Edit) -> Floats:
    changed = array.copy()
    changed[edit.target.index] = edit.value
    return changed


def _with_state(scenario: Scenario, edit: Edit) -> Scenario:
    number, name = _batch_and_state(edit.target)
    batch, given = scenario.batches[number or 0], _initial_of(scenario, edit.target)
    if given is None:
        recurrent = scenario.recurrent_called(name)
        size = recurrent.state_sizes[name.removeprefix(recurrent.before_places).removesuffix("_0")]
        given = np.zeros((recurrent.num_states, batch.num_rows, size), scenario.dtype)
    states = MappingProxyType(
        {
            **(scenario.initial_state if number is None else scenario.initial_of(batch)),
            name: _with_number(given, edit),
        }
    )
    if number is None:
        return replace(scenario, initial_state=states)
    batches = list(scenario.batches)
    batches[number] = replace(batch, initial_state=states)
    return replace(scenario, batches=tuple(batches))


def _initial_of(scenario: Scenario, target: EditTarget) -> Floats | None:
    """The array of states before the first step that a target is in; None where it was not given."""
    number, name = _batch_and_state(target)
    every = scenario.initial_state if number is None else scenario.initial_of(scenario.batches[number])
    return every.get(name)


def _batch_and_state(target: EditTarget) -> tuple[int | None, str]:
    """Of which batch alone a state before the first step is, None of all; and its name."""
    number, _, name = target.key.rpartition(" ")
    return (int(number) if number else None), name
