"""The laws of moving about, of editing, and of where a number comes from, over small runs of every kind."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstep.equations.expand import expand
from rnnstep.scenario import bundled
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.parameters import parameter_shapes
from rnnstep.scenario.read import read, read_text
from rnnstep.session import moves
from rnnstep.session.edits import Edit, Target, apply, current
from rnnstep.session.moves import Position
from rnnstep.session.place import read_place, write_place
from rnnstep.session.provenance import readers, source
from rnnstep.session.run import Run
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot

OWN = {
    "by layer": """
input = {random = {shape = [3, 2, 2], seed = 1}}
recurrent = {module = "RNN", hidden_size = 2, num_layers = 2}
weights = {seed = 1}
display = {order = "layer"}
""",
    "packed, both directions, final states": """
vocabulary = ["a", "b"]
input = {text = ["ba", "abba", "b"]}
recurrent = {module = "GRU", hidden_size = 2, num_layers = 2, bidirectional = true, batch_first = true}
linear = {out_features = 2, from = "h_n"}
weights = {seed = 1}
""",
    "packed by time, longest row shorter than T": """
input = {random = {shape = [4, 2, 1], seed = 1}, lengths = [1, 3]}
recurrent = {module = "RNN", hidden_size = 2, num_layers = 2}
linear = {out_features = 1, from = "h_n"}
weights = {seed = 1}
""",
    "dropout": """
input = {random = {shape = [2, 1, 2], seed = 1}}
recurrent = {module = "LSTM", hidden_size = 2, num_layers = 2, dropout = 0.5, mode = "train", dropout_seed = 3}
linear = {out_features = 1}
weights = {seed = 1}
""",
    "dropout, both directions": """
input = {random = {shape = [2, 1, 1], seed = 1}}
weights = {seed = 1}
[recurrent]
module = "RNN"
hidden_size = 2
num_layers = 2
bidirectional = true
dropout = 0.5
mode = "train"
""",
    "projection": """
input = {random = {shape = [2, 1, 1], seed = 1}}
recurrent = {module = "LSTM", hidden_size = 3, proj_size = 2, num_layers = 2}
linear = {out_features = 2, from = "h_n"}
weights = {seed = 1}
""",
    "windows, last batch smaller": """
input = {random = {shape = [5, 1], seed = 1}, windows = {length = 2, stride = 2, batch_size = 2}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
""",
    "embedding, packed": """
vocabulary = "ascii"
input = {text = ["hi", "a"]}
recurrent = {module = "RNN", hidden_size = 2, bidirectional = true}
embedding = {num_embeddings = 128, embedding_dim = 2}
weights = {seed = 1}
""",
    "one of all": """
input = {values = [[1.0]]}
recurrent = {module = "RNN", hidden_size = 1, bias = false}
weights = {seed = 1}
""",
}
BUNDLED = (
    "hello",
    "rnn",
    "multilayer",
    "windows",
    "packed",
    "bidirectional",
    "gru",
    "lstm_by_hand",
    "initial_state",
    "mgu",
)
NAMES = (*OWN, *BUNDLED)
each_run = pytest.mark.parametrize("name", NAMES)


def complete(scenario: Scenario) -> Scenario:
    if scenario.pending is None:
        return scenario
    shapes = parameter_shapes(scenario.recurrent, scenario.cell, scenario.embedding, scenario.linear)
    generator = np.random.default_rng(0)
    return scenario.with_parameters(
        {
            name: generator.standard_normal(shapes[name]).astype(scenario.dtype)
            for name in scenario.pending.names
        }
    )


@functools.cache
def run_of(name: str) -> Run:
    scenario = read_text(OWN[name]) if name in OWN else read(bundled.find(name))
    return Run.of(complete(scenario))


def live_steps(run: Run, batch: int) -> int:
    given = run.scenario.batches[batch]
    return max(given.lengths) if given.packed and given.lengths else given.num_steps


def blocks_and_steps(run: Run, batch: int) -> Iterator[tuple[str, int]]:
    """Every block at every step, in the order of computation, from the scenario alone."""
    last = live_steps(run, batch) - 1
    linear = run.scenario.linear
    blocks = run.trace.passes[batch].blocks
    is_final = {
        block.key: block.kind == "linear" and linear is not None and linear.source == "h_n"
        for block in blocks
    }
    if run.scenario.display.order == "time":
        for t in range(last + 1):
            yield from ((block.key, t) for block in blocks if t == last or not is_final[block.key])
        return
    for block in blocks:
        steps = [last] if is_final[block.key] else list(range(last + 1))
        yield from ((block.key, t) for t in (reversed(steps) if block.direction == "backward" else steps))


@functools.cache
def terms(name: str) -> tuple[Spot, ...]:
    """Every term of a run in the order of computation: what all zooms are cut out of."""
    run = run_of(name)
    found = []
    for batch, done in enumerate(run.trace.passes):
        for key, t in blocks_and_steps(run, batch):
            values = done.values(key, t)
            for line in done.by_key[key].program.lines:
                row = {**done.by_key[key].parameters, **{one: value[0] for one, value in values.items()}}
                for element in range(values[line.name].shape[-1]):
                    count = len(expand(line, element, row).terms)
                    found += [Spot(batch, key, t, line.name, element, term) for term in range(count)]
    return tuple(found)


def at_zoom(run: Run, spot: Spot, level: str) -> Spot:
    """A term's place as far as a zoom sees it."""
    order = run.tree.levels
    kept = {
        "batch": {},
        "step": {"t": spot.t},
        "block": {"key": spot.key},
        "operation": {"operation": spot.operation},
        "element": {"element": spot.element},
        "term": {"term": spot.term},
    }
    values: dict = {}
    for one in order[: order.index(level) + 1]:
        values |= kept[one]
    return Spot(spot.batch, **values)


def in_order(name: str, level: str) -> list[Spot]:
    run = run_of(name)
    return list(dict.fromkeys(at_zoom(run, spot, level) for spot in terms(name)))


def seen(session: Session) -> tuple:
    return session.position.path, session.position.zoom, session.position.row


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """A session somewhere in a run: after a jump, some moves and rows."""
    name = draw(st.sampled_from(NAMES))
    session = Session.open(run_of(name))
    if draw(st.booleans()):
        spot = draw(st.sampled_from(terms(name)))
        level = draw(st.sampled_from(session.tree.levels))
        path = session.tree.path_to(at_zoom(session.run, spot, level))
        assert path is not None
        session = session.jump(path)
    for move in draw(st.lists(st.sampled_from(MOVES), max_size=6)):
        session = move(session)
    return session


MOVES = (
    Session.right,
    Session.left,
    Session.into,
    Session.out,
    lambda session: session.same_place(1),
    lambda session: session.same_place(-1),
    lambda session: session.other_row(1),
    lambda session: session.other_row(-1),
    Session.home,
    Session.end,
    lambda session: session.go("2"),
    lambda session: session.go("L0/h[0]"),
    Session.resume,
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
    session = Session.open(run_of("hello")).right().into().right().end().home().go("3/hh[1]")
    count = 0
    while session.back().note is None:
        session, count = session.back(), count + 1
    assert (session.position.is_start, count) == (True, 6)


@each_run
@pytest.mark.parametrize("level", ["batch", "step", "block", "operation", "element", "term"])
def test_right_visits_each_place_of_a_zoom_once_in_order_and_left_mirrors(name, level):
    run = run_of(name)
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


@each_run
def test_every_place_is_written_and_read_back(name):
    run = run_of(name)
    has_batches = len(run.trace.passes) > 1
    for level in run.tree.levels:
        for spot in in_order(name, level):
            path = run.tree.path_to(spot)
            assert path is not None
            assert run.tree.locate(path) == spot
            assert len(path) == run.tree.level(level)
            if level != "batch" or has_batches:
                assert read_place(run.tree, write_place(run.tree, path, has_batches=has_batches)) == path


@settings(max_examples=150, deadline=None)
@given(session=sessions(), data=st.data())
def test_what_is_done_is_what_was_computed_up_to_the_end_of_the_place(session, data):
    run = session.run
    name = next(name for name in NAMES if run_of(name) is run)
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
    batch = path[0] if path else 0
    assert 0 <= session.position.row < session.run.num_rows(batch)


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


# ── where numbers come from ──────────────────────────────────────────────────────────────


def factors(run: Run, name: str, row: int) -> Iterator[tuple[Spot, tuple[Spot, ...], object]]:
    for spot in dict.fromkeys(replace(spot, term=None) for spot in terms(name)):
        known = run.known(spot, row)
        if known is None:
            continue
        for term in expand(run.tree.line(spot), spot.element, known).terms:
            yield from ((spot, factor) for factor in term.factors)


def is_given(run: Run, spot: Spot, factor_name: str, row: int) -> bool:
    """Whether a number is not computed: a parameter, a state before the first step, x, an index, a mask."""
    block = run.tree.block(spot)
    if factor_name in block.parameters or factor_name in ("index", "mask"):
        return True
    if factor_name.endswith("_prev"):
        batch = run.scenario.batches[spot.batch]
        length = batch.lengths[row] if batch.packed and batch.lengths else batch.num_steps
        return spot.t == (0 if block.direction == "forward" else length - 1)
    is_lowest = block.layer == 0 and block.kind == "recurrent" and run.scenario.embedding is None
    return factor_name == "x" and is_lowest


def rows_of(run: Run) -> range:
    return range(min(batch.num_rows for batch in run.scenario.batches))


@each_run
def test_the_value_at_a_factors_source_is_the_factor(name):
    run = run_of(name)
    for row in rows_of(run):
        for spot, factor in factors(run, name, row):
            path = source(run, spot, factor.name, factor.index[0] if factor.index else 0, row)
            if is_given(run, spot, factor.name, row):
                assert path is None
                continue
            if factor.name.startswith("("):  # a product in brackets, of a cell of one's own
                continue
            assert path is not None, (spot, factor)
            there = run.tree.locate(path)
            known = run.known(there, row)
            assert known is not None, (spot, factor, there)
            assert float(known[there.operation][there.element]) == factor.value, (spot, factor, there)


@each_run
def test_who_reads_a_value_is_who_has_it_as_a_source(name):
    run = run_of(name)
    for row in rows_of(run):
        expected: dict[Spot, set[Spot]] = {}
        for spot, factor in factors(run, name, row):
            path = source(run, spot, factor.name, factor.index[0] if factor.index else 0, row)
            if path is not None:
                there = replace(run.tree.locate(path), element=None)
                expected.setdefault(there, set()).add(replace(spot, element=None))
        for spot in in_order(name, "operation"):
            if run.known(spot, row) is not None:
                found = readers(run, spot, row)
                assert len(set(found)) == len(found)
                assert set(found) == expected.get(spot, set()), spot


# ── editing ──────────────────────────────────────────────────────────────────────────────


def targets(scenario: Scenario) -> Iterator[Target]:
    for key, array in scenario.parameters.items():
        yield Target("parameters", key, tuple(size - 1 for size in array.shape), key)
    if len({batch.num_rows for batch in scenario.batches}) == 1:
        yield from (Target("initial_state", f"{name}_0", (0, 0, 0), name) for name in scenario.cell.states)
    for index, batch in enumerate(scenario.batches):
        if batch.values is not None:
            yield Target("values", str(index), (0, 0, 0), "x")


def everything(run: Run) -> list[np.ndarray]:
    return [
        value
        for done in run.trace.passes
        for key in done.by_key
        for t in range(live_steps(run, done.index))
        for value in done.values(key, t).values()
    ]


def assert_equal_runs(left: Run, right: Run) -> None:
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
    assert_equal_runs(session.run, Run.of(apply(run.scenario, edits)))
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
        session = Session.open(Run.of(scenario))
        for target in targets(scenario):
            session = session.edit(Edit(target, -2.5))
        session.end().undo().undo()
        everything(session.run)
    finally:
        for array in arrays:
            array.setflags(write=True)


@pytest.mark.parametrize("part", [Session, Run, Position, Edit, Target, Spot])
def test_what_a_session_is_made_of_is_frozen(part):
    assert part.__dataclass_params__.frozen
    session = Session.open(run_of("hello"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        session.position = None
