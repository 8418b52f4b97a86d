"""The law of where a number comes from: the value at a factor's source is the factor, and who reads a value has it as a source."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rnnstep.equations.expand import Factor, expand
from rnnstep.equations.write import write_line
from rnnstep.session.provenance import Origin, source
from rnnstep.session.readers import readers
from rnnstep.session.run import SessionRun
from rnnstep.session.tree import Spot, index_of, size_of
from tests.property.small_runs import (
    WIRED,
    each_network,
    in_order,
    is_final,
    name_of,
    run_at,
    run_of,
    terms,
)

# ── where numbers come from ──────────────────────────────────────────────────────────────


@functools.lru_cache(maxsize=4096)
def known_at(name: str, spot: Spot, row: int):
    """What is known at an operation, for all of its elements."""
    return run_at(name, spot.epoch).known(spot, row)


def factors(name: str, row: int) -> Iterator[tuple[SessionRun, Spot, Factor]]:
    """All numbers that are read in a row of the batch, each with where it is read."""
    for spot in dict.fromkeys(replace(spot, term=None) for spot in terms(name)):
        run = run_at(name, spot.epoch)
        known = known_at(name, replace(spot, element=None), row)
        if known is None:
            continue
        index = index_of(run.block(spot), spot.operation, spot.element)
        for term in expand(run.line(spot), index, known).terms:
            yield from ((run, spot, factor) for factor in term.factors)


def is_given(run: SessionRun, spot: Spot, factor: Factor, row: int) -> bool:
    """Whether a number is not computed in any place."""
    if name_of(run) in WIRED and spot.phase != "update":
        return is_given_in_network(run, spot, factor, row)
    name, learns = factor.name, "update" in run.tree.phases
    is_first = not learns or (spot.epoch, spot.batch) == (0, 0)
    if spot.phase == "update":
        is_state = name.endswith("_prev")
        return name.startswith("bias_correction") or name == "norms" or (is_state and is_first)
    if name.endswith("⋮"):
        name, row = name[:-1], factor.index[0]
    batch = run.scenario.batches[spot.batch]
    length = batch.lengths[row] if batch.packed and batch.lengths else batch.first.num_steps
    block = run.tree.block(replace(spot, phase="forward"))
    is_over = spot.t >= length
    if name.startswith("∂"):
        # What nothing reaches is zero: before the first share, after the last step, where the loss reads no state.
        is_inside = name in run.tree.block(spot).program.names
        comes_from_nowhere = not is_inside or is_over
        return name == "∂loss" or (factor.value == 0 and comes_from_nowhere)
    if name in block.parameters:
        return is_first
    if name in ("index", "mask", "target", "counts", "share", "count", "N", "present"):
        return True
    if name == "last" and batch.first.num_steps > length:  # output[-1] of a row that is over
        return factor.value == 0
    if name.endswith("_prev"):
        is_start = spot.t == (0 if block.direction == "forward" else length - 1)
        training = run.scenario.training
        is_reset = training is None or training.mistake != "hidden_not_reset" or is_first
        goes_on = bool(spot.batch) and run.scenario.recurrent_of(block).carry
        return is_over or (is_start and is_reset and not goes_on)
    is_network = block.kind != "total" and not is_final(run, spot.key)
    is_lowest = block.layer == 0 and block.kind == "recurrent" and block.module == run.scenario.layers[0].key
    is_own = name in block.program.names and not (block.kind == "map" and spot.phase == "backward")
    is_nowhere = is_over and is_network and not is_own
    if name == "xs":
        return run.scenario.layers[0].key == "batchnorm1d" or factor.value == 0
    return (name == "x" and is_lowest) or name == "input" or is_nowhere


def is_given_in_network(run: SessionRun, spot: Spot, factor: Factor, row: int) -> bool:
    """The same where modules read one another by name: what a wire brings from no block, and what nothing reaches."""
    name, element = factor.name, factor.index[-1] if factor.index else 0
    if name.endswith("⋮"):
        name, row = name[:-1], factor.index[0]
    forward = replace(spot, phase="forward")
    block, graph = run.tree.block(forward), run.tree.stage(forward).graph
    axis = run.scenario.batches[spot.batch].axis(block.sequence)
    if name.startswith("∂"):
        is_inside = name in run.tree.block(spot).program.names
        is_over = not axis.is_live(spot.t, row)
        return name == "∂loss" or (factor.value == 0 and (not is_inside or is_over))
    if name in block.kept_in:
        return "update" not in run.tree.phases or (spot.epoch, spot.batch) == (0, 0)
    if name in block.program.befores:
        state = next(one for one in block.program.states if block.program.before(one) == name)
        is_start = spot.t == axis.first_step(block.direction, row)
        return not axis.is_live(spot.t, row) or (is_start and f"{state}_0" not in block.wires)
    if not block.extent.is_single and not axis.is_live(spot.t, row):
        return name not in block.program.names
    part = graph.origin(spot.key, name, element)
    if part is None or not part.wire.block:
        return name not in block.program.names
    there = run.scenario.batches[spot.batch].axis(graph.by_key[part.wire.block].sequence)
    return factor.value == 0 and there.length(row) < there.num_steps


def is_added_up_nowhere(run: SessionRun, spot: Spot, name: str) -> bool:
    """Whether a number is what several blocks of a network send back, which no operation adds up."""
    if name_of(run) not in WIRED or spot.phase != "backward" or not name.startswith("∂"):
        return False
    graph = run.tree.stage(replace(spot, phase="forward")).graph
    is_given = name.removesuffix("⋮") in run.tree.block(spot).program.inputs
    back = run.tree.stage(spot).by_key
    reading = {
        part.reader for part in (*graph.readers(spot.key), *graph.ends(spot.key)) if part.reader in back
    }
    return is_given and len(reading) > 1


def is_sent_in_a_loop(run: SessionRun, spot: Spot, there: Spot) -> bool:
    """Whether a gradient is what another module of a loop sent at one step: that one shows its own of all steps at once."""
    if spot.phase != "backward" or there.key == spot.key:
        return False
    loop_of = run.tree.stage(replace(spot, phase="forward")).graph.loop_of
    return {spot.key, there.key} <= set(loop_of)


def is_of_several_shares(run: SessionRun, spot: Spot, name: str) -> bool:
    """Whether a gradient is the sum of what several blocks have of a parameter: the last one leads on."""
    blocks = run.tree.stage(replace(spot, phase="backward")).blocks
    sharing = [one for one in blocks if spot.key in {where.torch for where in one.kept_in.values()}]
    return spot.phase == "update" and name == "grad" and len(sharing) > 1


def has_gradient_given(run: SessionRun, spot: Spot, name: str) -> bool:
    """Whether a number is a gradient that is given from outside, alone or beside what comes from above."""
    value = name.removesuffix("⋮").removeprefix("∂")
    batch = run.scenario.batches[spot.batch]
    is_read = name.removesuffix("⋮") in run.tree.block(spot).program.inputs
    is_back = spot.phase == "backward" and name.startswith("∂") and is_read
    return is_back and (spot.key, value.removesuffix("_above")) in (batch.above or {})


def rows_of(run: SessionRun) -> range:
    return range(min(batch.num_rows for batch in run.scenario.batches))


def value_at(name: str, origin: Origin) -> float:
    spot = run_of(name).tree.locate(origin.path)
    run = run_at(name, spot.epoch)
    known = known_at(name, replace(spot, element=None, term=None), origin.row)
    assert known is not None, (spot, origin.row)
    return float(known[spot.operation][index_of(run.block(spot), spot.operation, spot.element)])


def comes_from_both(run: SessionRun, spot: Spot, name: str) -> bool:
    """Whether both directions of the layer above send something back, which no operation adds up."""
    layers = run.scenario.recurrent.num_layers
    modules = run.scenario.layers
    is_below = spot.key in [one.key for one in modules[: modules.index(run.scenario.recurrent)]] or (
        spot.key.startswith(("join", "dropout")) and spot.key[-1] < f"{layers - 1}"
    )
    if spot.key.endswith((".mu", ".var")) or (spot.key == "L0" and "batchnorm1d" in run.scenario.by_key):
        return spot.phase == "backward"  # from all steps, and by way of both statistics
    is_above = name.removesuffix("⋮") in ("∂output", "∂x") and spot.phase == "backward"
    return is_above and is_below and run.scenario.recurrent.bidirectional


@each_network
def test_the_value_at_a_factors_source_is_the_factor(name):
    for row in rows_of(run_of(name)):
        for run, spot, factor in factors(name, row):
            origin = source(run, spot, factor.name, factor.index, row)
            if is_added_up_nowhere(run, spot, factor.name):
                continue
            if origin is None:
                # A part of an expression stands at no place: "(1 − z)", "mean(output)".
                is_there = is_given(run, spot, factor, row) or has_gradient_given(run, spot, factor.name)
                is_there |= comes_from_both(run, spot, factor.name)
                assert "(" in factor.name or is_there, (spot, factor)
                continue
            if has_gradient_given(run, spot, factor.name):  # no operation adds it to what comes from above
                continue
            assert factor.value == 0 or not is_given(run, spot, factor, row), (spot, factor)
            if comes_from_both(run, spot, factor.name) or is_of_several_shares(run, spot, factor.name):
                continue
            found, there = value_at(name, origin), run.tree.locate(origin.path)
            if factor.name.endswith("_later") or factor.name == "grad":
                # Sums of shares are one product over all steps: the order of additions is not that of the steps.
                assert np.isclose(found, factor.value, rtol=1e-4, atol=1e-7), (spot, factor, there)
            elif is_sent_in_a_loop(run, spot, there):
                # Some processors add up a product of one step otherwise than that of all steps: a last bit.
                assert np.isclose(found, factor.value, rtol=1e-6, atol=1e-8), (spot, factor, there)
            else:
                assert found == factor.value, (spot, factor, there)


def is_read_in_parts(run: SessionRun, spot: Spot) -> bool:
    """Whether an operation shows some of what it reads as parts of an expression alone.

    The means on the way back of a norm; `(U_a · memory)` of each step; of what several blocks share their sum.
    """
    line = run.tree.line(spot)
    is_of_each = "on_each" in repr(line.expression)
    return "normalized_back" in write_line(line) or is_of_each or is_of_several_shares(run, spot, "grad")


@each_network
def test_who_reads_a_value_is_who_has_it_as_a_source(name):
    for row in rows_of(run_of(name)):
        expected: dict[Spot, set[Spot]] = {}
        by_element: dict[Spot, set[Spot]] = {}
        for run, spot, factor in factors(name, row):
            origin = source(run, spot, factor.name, factor.index, row)
            if origin is not None and origin.row == row:
                there, reader = run.tree.locate(origin.path), replace(spot, element=None)
                expected.setdefault(replace(there, element=None), set()).add(reader)
                by_element.setdefault(there, set()).add(reader)
        for spot in in_order(name, "operation"):
            run = run_at(name, spot.epoch)
            if run.known(spot, row) is not None:
                found = readers(run, spot, row)
                assert len(set(found)) == len(found)
                shown = expected.get(spot, set())
                assert shown <= set(found), spot
                assert all(map(functools.partial(is_read_in_parts, run), set(found) - shown)), spot
                paths = [run.tree.path_to(one) for one in found]
                assert paths == sorted(paths)
                # Of an element no more than of the whole, and at least those that read it.
                last = replace(spot, element=size_of(run.tree.block(spot), spot.operation) - 1)
                assert by_element.get(last, set()) <= set(readers(run, last, row)) <= set(found)
