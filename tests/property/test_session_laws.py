"""The laws of moving about, of editing, of running on and of turning to another run, over small runs and trainings of every kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstep.scenario.model import Scenario
from rnnstep.session import moves
from rnnstep.session.breakpoints import breakpoint_at
from rnnstep.session.counterpart import counterpart, turned_to
from rnnstep.session.edits import Edit, EditTarget, apply, current
from rnnstep.session.moves import Position
from rnnstep.session.place import read_place, write_place
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.session.tree import BY_TIME, Path, Spot
from tests.property.small_runs import (
    MOVES,
    NAMES,
    at_zoom,
    each_run,
    in_order,
    name_of,
    run_at,
    run_of,
    seen,
    sessions,
    terms,
)

# ── moving ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (Session.right, Session.left),
        (Session.into, Session.out),
        (Session.out, Session.into),
        (lambda session: session.same_place(1), lambda session: session.same_place(-1)),
        (lambda session: session.same_place(-1), lambda session: session.same_place(1)),
        (lambda session: session.other_row(1), lambda session: session.other_row(-1)),
    ],
    ids=["→←", "↓↑", "↑↓", "][", "[]", "}{"],
)
@settings(max_examples=150, deadline=None)
@given(session=sessions())
def test_a_move_and_its_opposite_return(there, back, session):
    moved = there(session)
    if moved.note is None:
        assert seen(moved) != seen(session)
        assert seen(back(moved)) == seen(session)
    else:
        assert seen(moved) == seen(session)


@settings(max_examples=150, deadline=None)
@given(session=sessions())
def test_left_then_right_returns_but_at_start(session):
    moved = session.left()
    if moved.note is None:
        assert seen(moved.right()) == seen(session)


@settings(max_examples=150, deadline=None)
@given(session=sessions(), chosen=st.lists(st.sampled_from(MOVES), max_size=12))
def test_backspace_undoes_any_sequence_exactly(session, chosen):
    passed = [session]
    for move in chosen:
        moved = move(passed[-1])
        if moved.position != passed[-1].position:
            passed.append(moved)
    while len(passed) > 1:
        before = passed.pop().back()
        assert before.position == passed[-1].position
    assert passed == [session]


def test_backspace_goes_on_to_the_very_start_and_then_refuses():
    session = Session.open(run_of("hello")).right().into().right().end().home().go("backward:3/d.a[1]")
    count = 0
    while session.back().note is None:
        session, count = session.back(), count + 1
    assert (session.position.is_start, count) == (True, 6)


@each_run
@pytest.mark.parametrize("level", BY_TIME)
def test_right_visits_each_place_of_a_zoom_once_in_order_and_left_mirrors(name, level):
    run = run_of(name)
    if level not in run.tree.levels:  # of one sequence it is none
        return
    expected = in_order(name, level)
    session = replace(Session.open(run), position=Position((), run.tree.level(level)))
    visited = []
    while (after := session.right()).note is None:
        session = after
        visited.append(session.spot)
    assert visited == expected
    assert seen(session.end()) == seen(session)
    while not session.position.is_start:
        assert session.spot == visited.pop()
        session = session.left()
    assert not visited
    assert session.left().note is not None


def without_only_children(run: SessionRun, path: Path) -> Path:
    """The widest of the places that are the same: a step of one block is its block."""
    while len(path) > 1 and run.tree.count(path[:-1]) == 1:
        path = path[:-1]
    return path


@each_run
def test_every_place_is_written_and_read_back(name):
    run = run_of(name)
    for level in run.tree.levels:
        for spot in in_order(name, level):
            path = run.tree.path_to(spot)
            assert path is not None
            assert run.tree.locate(path) == spot
            assert len(path) == run.tree.level(level)
            back = read_place(run.tree, write_place(run.tree, path))
            assert without_only_children(run, back) == without_only_children(run, path)
            if level in ("operation", "element", "term"):
                assert back == path


@settings(max_examples=150, deadline=None)
@given(session=sessions(), data=st.data())
def test_what_is_done_is_what_was_computed_up_to_the_end_of_the_place(session, data):
    run = session.run
    name = name_of(run)
    paths = [run.tree.path_to(spot) for spot in terms(name)]
    here = session.position.path
    reached = max((index for index, path in enumerate(paths) if path[: len(here)] == here), default=-1)
    if not here:
        reached = -1
    level = data.draw(st.sampled_from(run.tree.levels))
    path = data.draw(st.sampled_from(paths))[: run.tree.level(level)]
    last = max(index for index, one in enumerate(paths) if one[: len(path)] == path)
    assert moves.is_done(run.tree, session.position, path) == (last <= reached)


@settings(max_examples=60, deadline=None)
@given(session=sessions())
def test_the_cursor_is_always_at_a_place_and_row_that_are_there(session):
    path = session.position.path
    assert not path or session.tree.path_to(session.tree.locate(path)) == path
    assert not path or len(path) == session.position.zoom
    assert 0 <= session.position.row < session.run.num_rows(session.batch)
    assert session.run.epoch.index == (path[0] if path else 0)
    assert session.run.learning is run_of(name_of(session.run)).learning


PIECES = [
    "0",
    "1",
    "2",
    "9",
    "/",
    "L0",
    "L1",
    "←",
    "→",
    "hh",
    "h",
    "x",
    "W_hh",
    "[",
    "]",
    ".",
    ":",
    ",",
    "=",
    " ",
    "-",
    "ü",
    "∂",
    "grad.",
    "e2:",
    "backward:",
    "update:",
    "total",
    "weight_hh",
]
typed = st.lists(st.sampled_from(PIECES), max_size=10).map("".join) | st.text(max_size=12)


@settings(max_examples=400, deadline=None)
@given(session=sessions(), text=typed)
def test_whatever_is_typed_leads_to_a_place_or_is_told(session, text):
    gone = session.go(text)
    if gone.note is None:
        assert gone.position.is_start or gone.tree.locate(gone.position.path)
    else:
        assert gone.position == session.position
        assert gone.note.into("zh")


@settings(max_examples=200, deadline=None)
@given(session=sessions(), text=typed)
def test_whatever_is_typed_as_an_edit_is_one_or_is_told(session, text):
    edited = session.edit_text(text)
    is_edit = edited.run is not session.run
    assert len(edited.edits) == len(session.edits) + is_edit
    assert edited.note is not None
    assert edited.note.into("zh")
    assert edited.position == session.position


# ── editing ──────────────────────────────────────────────────────────────────────────────


def targets(scenario: Scenario) -> Iterator[EditTarget]:
    for key, array in scenario.parameters.items():
        yield EditTarget("parameters", key, tuple(size - 1 for size in array.shape), key)
    if len({batch.num_rows for batch in scenario.batches}) == 1:
        yield from (
            EditTarget("initial_state", f"{name}_0", (0, 0, 0), name) for name in scenario.cell.states
        )
    for index, batch in enumerate(scenario.batches):
        if batch.values is not None:
            yield EditTarget("values", str(index), (0, 0, 0), "x")


def everything(run: SessionRun) -> list[np.ndarray]:
    """Every value of the first epoch and of the last."""
    tree = run.tree
    found = []
    for epoch in dict.fromkeys((0, tree.num_epochs - 1)):
        here = run.at_epoch(epoch, 0)
        for batch in range(tree.num_batches):
            for phase in tree.phases:
                spot = Spot(batch, phase=phase, epoch=epoch)
                done = here.pass_of(spot)
                for key, steps in tree.stage(spot).steps.items():
                    found += [value for t in steps for value in done.values(key, t).values()]
    return found


def assert_equal_runs(left: SessionRun, right: SessionRun) -> None:
    for ours, theirs in zip(everything(left), everything(right), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@each_run
def test_an_edit_is_the_edited_scenario_run_from_scratch_and_undo_gives_the_old_numbers(name):
    run = run_of(name)
    before = [array.copy() for array in everything(run)]
    session = Session.open(run).right()
    edits = [Edit(target, 0.75) for target in targets(run.scenario)]
    passed = [session]
    for edit in edits:
        passed.append(passed[-1].edit(edit))
        assert current(passed[-1].run.scenario, edit.target) == 0.75
    session = passed[-1]
    assert session.edits == tuple(edits)
    assert session.has_unsaved_edits
    assert not session.saved_as("new").has_unsaved_edits
    assert_equal_runs(session.run, SessionRun.of(apply(run.scenario, edits)))
    for number in range(len(edits) - 1, -1, -1):
        session = session.undo()
        assert session.edits == tuple(edits[:number])
    assert_equal_runs(session.run, run)
    assert session.undo().note is not None
    for _ in edits:
        session = session.redo()
    assert session.edits == tuple(edits)
    assert session.redo().note is not None
    assert_equal_runs(session.run, passed[-1].run)
    for old, now in zip(before, everything(run), strict=True):
        np.testing.assert_array_equal(old, now)


def test_a_new_edit_forgets_what_was_undone():
    session = Session.open(run_of("hello")).edit_text("W_hh[0,0] = 1").undo().edit_text("W_hh[0,1] = 1")
    assert session.undone == ()
    assert session.redo().note is not None


def test_every_edit_is_a_revision_of_its_own_and_keeps_the_place():
    session = Session.open(run_of("hello")).go("3/hh[1]")
    edited = session.edit_text("W_hh[1,0] = 2")
    assert (edited.run.revision, edited.place, edited.before) == (1, "3/L0/hh[1]", session.run)
    assert edited.undo().run.revision == 2


@each_run
def test_base_arrays_are_never_written_to(name):
    scenario = run_of(name).scenario
    arrays = [*scenario.parameters.values(), *scenario.initial_state.values()]
    arrays += [batch.values for batch in scenario.batches if batch.values is not None]
    for array in arrays:
        array.setflags(write=False)
    try:
        session = Session.open(SessionRun.of(scenario))
        for target in targets(scenario):
            session = session.edit(Edit(target, -2.5))
        session.end().undo().undo()
        everything(session.run)
    finally:
        for array in arrays:
            array.setflags(write=True)


@pytest.mark.parametrize("part", [Session, SessionRun, Position, Edit, EditTarget, Spot])
def test_what_a_session_is_made_of_is_frozen(part):
    assert part.__dataclass_params__.frozen
    session = Session.open(run_of("hello"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        session.position = None


# ── running on and back ──────────────────────────────────────────────────────────────────


@st.composite
def sessions_with_stops(draw: st.DrawFn) -> Session:
    """A session with some breakpoints, set at places of its run or by a condition."""
    session = draw(sessions())
    name = name_of(session.run)
    for spot in draw(st.lists(st.sampled_from(terms(name)), min_size=1, max_size=2)):
        level = draw(st.sampled_from(("step", "block", "operation")))
        place = at_zoom(session.run, spot, level)
        one = breakpoint_at(place, session.tree.phases)
        assert one is not None
        session = replace(session, breakpoints=(*session.breakpoints, one), note=None)
    return session.break_when("h[0] > 0.1") if draw(st.booleans()) else session


def computed(session: Session) -> Path:
    """The last operation that is computed at the cursor."""
    depth = session.tree.level("operation")
    path = session.position.path
    return moves.last_below(session.tree, path, depth)[:depth] if path else ()


def all_stops(session: Session) -> list[Path]:
    """Every operation at which running stops, in the order of computation, looked for one by one."""
    name = name_of(session.run)
    found = []
    for spot in in_order(name, "operation"):
        if any(one.stops_at(run_at(name, spot.epoch), spot) for one in session.breakpoints):
            path = session.tree.path_to(spot)
            assert path is not None
            found.append(path)
    return found


@settings(max_examples=80, deadline=None)
@given(session=sessions_with_stops())
def test_running_on_stops_at_the_next_of_all_stops_and_running_back_at_the_one_before(session):
    stops = all_stops(session)
    after = [path for path in stops if path > computed(session)]
    before = [path for path in stops if path < computed(session)]
    if after:
        assert session.resume().position.path == after[0]
    back = session.resume_back()
    assert back.position.path == (before[-1] if before else ())


@settings(max_examples=80, deadline=None)
@given(session=sessions_with_stops())
def test_running_on_and_back_turn_each_other_round(session):
    stop = session.resume()
    on = stop.resume()
    if on.note is None and stop.note is None:
        assert seen(on.resume_back()) == seen(stop)
    back = session.resume_back()
    if seen(back) != seen(session):
        assert seen(back.back()) == seen(session)


# ── turning to another run ───────────────────────────────────────────────────────────────


@settings(max_examples=200, deadline=None)
@given(session=sessions(), name=st.sampled_from(NAMES))
def test_the_counterpart_is_a_place_of_the_other_run_and_looks_as_deep(session, name):
    other = run_of(name)
    spot = session.spot
    if spot is None:
        return
    path = counterpart(session.tree, spot, other.tree)
    there = other.tree.locate(path)
    assert other.tree.path_to(there) == path
    if spot.t is not None and spot.key is not None and there.t is not None and spot.phase == there.phase:
        steps = other.tree.stage(there).steps[there.key]
        assert abs(there.t - spot.t) == min(abs(t - spot.t) for t in steps)
        assert (there.operation is None) == (spot.operation is None)
        assert (there.element is None) == (spot.element is None)


@settings(max_examples=100, deadline=None)
@given(session=sessions())
def test_a_place_is_its_own_counterpart_in_the_same_file(session):
    if session.spot is not None:
        path = counterpart(session.tree, session.spot, session.tree)
        assert path == session.position.path


@settings(max_examples=150, deadline=None)
@given(session=sessions(), name=st.sampled_from(NAMES))
def test_turning_to_and_fro_comes_to_rest(session, name):
    trees = session.tree, run_of(name).tree
    spot = session.spot
    if spot is None:
        return
    there = trees[1].locate(counterpart(trees[0], spot, trees[1]))
    back = trees[0].locate(counterpart(trees[1], there, trees[0]))
    again = trees[1].locate(counterpart(trees[0], back, trees[1]))
    assert trees[0].locate(counterpart(trees[1], again, trees[0])) == back


@settings(max_examples=100, deadline=None)
@given(
    session=sessions(),
    name=st.sampled_from(NAMES),
    last=st.sampled_from(("start", "2", "1/L0/h[0]", "99/L9")),
)
def test_backspace_right_after_a_turn_goes_to_where_one_was_last(session, name, last):
    fresh = Session.open(run_of(name))
    there = fresh.go(last)
    turned = turned_to(fresh, session, last)
    if session.position.is_start:
        assert turned.position.is_start
    elif there.note is None:
        assert turned.back().place == there.place


@pytest.mark.parametrize(
    ("of", "to", "place", "found"),
    [
        ("hello", "lstm", "3/L0/hh[1]", "3/L0/hh_g[1]"),
        ("hello", "gru", "3/L0/a", "3/L0/a_n"),
        ("lstm_by_hand", "hello", "2/L0/a_f[0]", "2/L0/a[0]"),
        ("lstm_by_hand", "gru", "2/L0/f", "2/L0/z"),
        ("lstm_by_hand", "hello", "2/L0/c", "2/L0/h"),
        ("hello", "lstm", "5/L0/h", "3/L0/h"),
        ("hello", "multilayer", "2", "2"),
        ("multilayer", "hello", "2/L2/hh", "2/L0/hh"),
        ("hello", "trained by time", "update:weight_hh/m[1,0]", "update:weight_hh/m[1,0]"),
        ("hello", "rnn", "backward:3/L0/∂a", "3/L0"),
        ("bidirectional", "hello", "3/L0←/hh", "3/L0/hh"),
    ],
)
def test_what_stands_for_what(of, to, place, found):
    session = Session.open(run_of(of)).at(place)
    path = counterpart(session.tree, session.spot, run_of(to).tree)
    assert write_place(run_of(to).tree, path) == found
