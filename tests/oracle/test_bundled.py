"""Every bundled scenario is opened, stepped to its end, and confirmed by torch; every module has one, and an oracle."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice

import numpy as np
import pytest
import torch

from rnnstep.cells import BUILT_IN, MODULES, cell_for
from rnnstep.engine import Model
from rnnstep.reference import Checked, check, complete
from rnnstep.scenario import bundled
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read, read_text
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.session.tree import Path as Place
from rnnstep.session.tree import Tree
from rnnstep.views.alphabet import ASCII

NAMES = bundled.names()
DTYPES = ("float32", "float64")
MOST_ELEMENTS = 3000  # of an epoch: what is walked element by element


@cache
def scenario_of(name: str, dtype: str) -> Scenario:
    return complete(read(bundled.find(name), dtype=dtype))


@cache
def run_of(name: str, dtype: str) -> SessionRun:
    """The first epoch, torch's numbers beside it."""
    run = SessionRun.of(scenario_of(name, dtype))
    return run.with_checked(check(run.trace))


def checked(name: str, dtype: str) -> Checked:
    found = run_of(name, dtype).checked
    assert found is not None
    return found


@cache
def walked_in(name: str, dtype: str, zoom: str) -> tuple[Session, ...]:
    """What `walked` gives of the first epoch of a bundled scenario."""
    return tuple(walked(Session.open(run_of(name, dtype)), zoom))


def walked(session: Session, zoom: str) -> list[Session]:
    """The places of the first epoch that `→` visits from start at a zoom, as sessions."""
    tree = session.tree
    session = session.jump((0,) * tree.level(zoom)).home()
    visited: list[Session] = []
    while True:
        after = session.right()
        if after.position == session.position or after.position.path[0] > 0:
            assert (after.note is None) == (tree.num_epochs > 1)
            return visited
        assert len(after.position.path) == tree.level(zoom)
        visited.append(after)
        session = after


def paths_to(tree: Tree, depth: int, path: Place = ()) -> Iterator[Place]:
    if len(path) == depth:
        yield path
    else:
        for child in range(tree.count(path)):
            yield from paths_to(tree, depth, (*path, child))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_torch_confirms_every_bundled_scenario(name: str, dtype: str) -> None:
    found = checked(name, dtype)
    assert run_of(name, dtype).trace.passes[0].x.dtype == dtype
    assert found.agrees, found.explanation
    assert not found.faults
    assert found.one_step_diff <= found.tolerance
    assert found.is_module is not scenario_of(name, dtype).recurrent.is_own


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_every_bundled_scenario_is_stepped_through_an_epoch(name: str, dtype: str) -> None:
    start = Session.open(run_of(name, dtype))
    assert start.position.is_start
    for zoom in ("step", "operation"):
        visited = walked_in(name, dtype, zoom)
        paths = [session.position.path for session in visited]
        assert paths == sorted(set(paths))
        assert paths == list(paths_to(start.tree, start.tree.level(zoom), (0,)))
        assert len({session.place for session in visited}) == len(visited)


@pytest.mark.parametrize("name", NAMES)
def test_every_bundled_scenario_is_walked_to_the_end_of_its_training(name: str) -> None:
    run = SessionRun.of(scenario_of(name, "float32"))
    assert run.learning.reach(run.tree.num_epochs - 1, 120)
    session = Session.open(run).jump((0, 0, 0)).home()
    count = 0
    while (after := session.right()).note is None:
        session, count = after, count + 1
        done = session.run.pass_of(session.spot)
        assert (
            np.isfinite(done.value(done.blocks[-1].key, done.blocks[-1].output, 0)).all()
            or "exploding" in name
        )
    assert count == run.tree.num_epochs * run.tree.num_batches * len(run.tree.phases)
    assert session.end().position == session.position


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_torch_stands_beside_every_operation_of_the_network(name: str, dtype: str) -> None:
    run = run_of(name, dtype)
    for session in walked_in(name, dtype, "operation"):
        spot = session.spot
        assert spot is not None
        assert spot.batch is not None
        assert spot.key is not None
        assert spot.operation is not None
        assert spot.t is not None
        if spot.phase != "forward" or spot.key in ("loss", "total"):
            continue
        assert run.checked is not None
        comparison = run.checked.comparisons[spot.batch]
        assert comparison.agrees_at(spot.key, spot.operation, spot.t)
        ours = run.value(spot, spot.operation)
        assert np.isfinite(ours).all()
        theirs = comparison.value(spot.key, spot.operation, spot.t)
        if theirs is None:
            assert spot.operation == "mask"
        else:
            assert theirs.shape == ours.shape


@pytest.mark.parametrize("name", NAMES)
def test_its_words_have_a_spelling_in_ascii(name: str) -> None:
    scenario = read(bundled.find(name))
    assert ASCII.spell(f"{scenario.title.en} {scenario.summary.en}").isascii()


@pytest.mark.parametrize("name", NAMES)
def test_the_small_ones_are_stepped_element_by_element(name: str) -> None:
    start = Session.open(SessionRun.of(scenario_of(name, "float32")))
    paths = list(islice(paths_to(start.tree, start.tree.level("element"), (0,)), MOST_ELEMENTS + 1))
    if len(paths) > MOST_ELEMENTS:
        return
    assert [session.position.path for session in walked(start, "element")] == paths


@pytest.mark.parametrize("cell", BUILT_IN)
def test_every_cell_has_a_bundled_scenario(cell: str) -> None:
    used = {scenario_of(name, "float32").recurrent.module for name in NAMES}
    assert used & {cell, f"{cell}Cell"}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("module", MODULES)
def test_every_module_gives_the_numbers_of_torchs_own(module: str, dtype: str) -> None:
    scenario = read_text(
        f"""\
        input.random = {{shape = [4, 2, 3], seed = 1}}
        recurrent = {{module = "{module}", hidden_size = 5}}
        weights.seed = 3
        """,
        dtype=dtype,
    )
    ours = Model(scenario).run()
    torch.manual_seed(3)
    theirs = getattr(torch.nn, module)(3, 5).to(getattr(torch, dtype))
    x = torch.tensor(ours.input)
    with torch.no_grad():
        if module.endswith("Cell"):
            outputs, state = [], None
            for x_t in x:
                state = theirs(x_t, state)
                outputs.append(state[0] if isinstance(state, tuple) else state)
            output = torch.stack(outputs)
        else:
            output, state = theirs(x)
    expected = [output, *(state if isinstance(state, tuple) else (state,))]
    found = [ours.output, ours.h_n, ours.c_n]
    tolerance = 64 * np.finfo(dtype).eps
    for mine, wanted in zip(found, expected, strict=False):
        np.testing.assert_allclose(mine, wanted.numpy(), rtol=0, atol=tolerance)
    assert (ours.c_n is not None) == (len(cell_for(module).states) == 2)
