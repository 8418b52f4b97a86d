"""The laws of moving about, of editing, and of where a number comes from, over small runs and trainings of every kind."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstep.equations.expand import Factor, expand
from rnnstep.scenario import bundled
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read, read_text
from rnnstep.scenario.weights.parameters import parameter_shapes
from rnnstep.session import moves
from rnnstep.session.breakpoints import breakpoint_at
from rnnstep.session.counterpart import counterpart, turned_to
from rnnstep.session.edits import Edit, EditTarget, apply, current
from rnnstep.session.moves import Position
from rnnstep.session.place import read_place, write_place
from rnnstep.session.provenance import Origin, source
from rnnstep.session.readers import readers
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.session.tree import BY_TIME, Path, Spot, index_of, size_of

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
    "trained by time": """
vocabulary = ["a", "b"]
input = {text = "ab"}
recurrent = {module = "RNNCell", hidden_size = 2}
weights = {seed = 1}
target = {text = "ba"}
training = {optimizer = "Adam", lr = 0.1, epochs = 3}
""",
    "trained, rows of different lengths": """
vocabulary = ["a", "b"]
input = {text = ["ba", "b"]}
recurrent = {module = "GRU", hidden_size = 1, num_layers = 2}
linear = {out_features = 2}
weights = {seed = 1}
target = {text = ["ab", "a"]}
[training]
optimizer = "SGD"
lr = 0.1
momentum = 0.9
dampening = 0.5
weight_decay = 0.01
clip_grad_norm = 0.1
epochs = 2
""",
    "trained, several batches": """
input = {random = {shape = [5, 1], seed = 1}, windows = {length = 2, stride = 2, batch_size = 2}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
target = {values = [[[0.1], [0.2], [0.3]], [[0.4], [0.5], [0.6]]]}
training = {optimizer = "AdamW", lr = 0.1, epochs = 2, weight_decay = 0.1}
""",
    "loss of packed final states, both directions": """
vocabulary = ["a", "b"]
input = {text = ["ba", "aba"]}
recurrent = {module = "RNN", hidden_size = 1, num_layers = 2, bidirectional = true}
linear = {out_features = 2, from = "h_n"}
weights = {seed = 1}
target = {indices = [1, 0]}
""",
    "trained embedding, both directions": """
vocabulary = ["a", "b"]
input = {text = ["ba", "a"]}
recurrent = {module = "RNN", hidden_size = 1, bidirectional = true}
embedding = {num_embeddings = 2, embedding_dim = 1}
linear = {out_features = 2}
weights = {seed = 1}
target = {text = ["ab", "b"]}
training = {optimizer = "RMSprop", lr = 0.1}
""",
    "loss of a projection": """
input = {random = {shape = [2, 2, 1], seed = 1}}
recurrent = {module = "LSTM", hidden_size = 2, proj_size = 1, num_layers = 2, dropout = 0.5, mode = "train"}
weights = {seed = 1}
target = {values = [[[1.0], [0.0]], [[0.0], [1.0]]]}
loss = {name = "BCEWithLogitsLoss", reduction = "sum"}
""",
    "states that are not reset": """
input = {random = {shape = [2, 1, 1], seed = 1}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
target = {values = [[[1.0]], [[0.0]]]}
training = {optimizer = "SGD", lr = 0.1, epochs = 2, mistake = "hidden_not_reset"}
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
    shapes = parameter_shapes(scenario.layers)
    generator = np.random.default_rng(0)
    return scenario.with_parameters(
        {
            name: generator.standard_normal(shapes[name]).astype(scenario.dtype)
            for name in scenario.pending.names
        }
    )


@functools.cache
def run_of(name: str) -> SessionRun:
    scenario = read_text(OWN[name]) if name in OWN else read(bundled.find(name))
    if name not in OWN and scenario.training is not None:
        scenario = replace(scenario, training=replace(scenario.training, epochs=2))
    return SessionRun.of(complete(scenario))


@functools.cache
def run_at(name: str, epoch: int) -> SessionRun:
    run = run_of(name)
    return run.at_epoch(epoch, epoch) if epoch else run


def name_of(run: SessionRun) -> str:
    return next(name for name in NAMES if run_of(name).learning is run.learning)


def live_steps(run: SessionRun, batch: int) -> int:
    given = run.scenario.batches[batch]
    return max(given.lengths) if given.packed and given.lengths else given.num_steps


def is_final(run: SessionRun, key: str) -> bool:
    return key in ("linear", "loss") and run.scenario.reads_final_state


def blocks_and_steps(run: SessionRun, spot: Spot) -> Iterator[tuple[str, int]]:
    """Every block at every step of a pass, in the order of computation, from the scenario alone."""
    blocks = run.pass_of(spot).blocks
    if spot.phase == "update":
        yield from ((block.key, 0) for block in blocks)
        return
    last = live_steps(run, spot.batch) - 1
    order = 1 if spot.phase == "forward" else -1
    steps = {
        block.key: [last] if block.kind == "total" or is_final(run, block.key) else list(range(last + 1))
        for block in blocks
    }
    if run.scenario.display.order == "time":
        for t in range(last + 1)[::order]:
            yield from ((block.key, t) for block in blocks if t in steps[block.key])
        return
    for block in blocks:
        yield from (
            (block.key, t) for t in steps[block.key][:: -order if block.direction == "backward" else order]
        )


def passes(name: str) -> Iterator[tuple[SessionRun, Spot]]:
    """Every pass of a training in the order of computation."""
    scenario = run_of(name).scenario
    has_loss = scenario.loss is not None and scenario.batches[0].target is not None
    is_trained = has_loss and scenario.training is not None
    for epoch in range(scenario.training.epochs if is_trained else 1):
        for batch in range(len(scenario.batches)):
            for phase in ("forward", *["backward"] * has_loss, *["update"] * is_trained):
                yield run_at(name, epoch), Spot(batch, phase=phase, epoch=epoch)


@functools.cache
def terms(name: str) -> tuple[Spot, ...]:
    """Every term of a training in the order of computation: what all zooms are cut out of."""
    found = []
    for run, spot in passes(name):
        done = run.pass_of(spot)
        for key, t in blocks_and_steps(run, spot):
            block = done.by_key[key]
            rows = range(run.scenario.batches[spot.batch].num_rows)
            known = next(known for row in rows if (known := done.known(key, t, row)) is not None)
            for line in block.program.lines:
                for element in range(size_of(block, line.name)):
                    index = index_of(block, line.name, element)
                    place = replace(spot, key=key, t=t, operation=line.name, element=element)
                    count = len(expand(line, index, known).terms)
                    found += [replace(place, term=term) for term in range(count)]
    return tuple(found)


def at_zoom(run: SessionRun, spot: Spot, level: str) -> Spot:
    """A term's place as far as a zoom sees it."""
    order = run.tree.levels
    kept = {
        "epoch": {},
        "batch": {"batch": spot.batch},
        "pass": {"phase": spot.phase},
        "step": {"t": spot.t},
        "block": {"key": spot.key},
        "operation": {"operation": spot.operation},
        "element": {"element": spot.element},
        "term": {"term": spot.term},
    }
    values: dict = {"batch": None, "phase": None}
    for one in order[: order.index(level) + 1]:
        values |= kept[one]
    return Spot(**values, epoch=spot.epoch)


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
    lambda session: session.go("backward:1"),
    lambda session: session.go("e2:"),
    lambda session: session.go("update:"),
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
    session = Session.open(run_of("hello")).right().into().right().end().home().go("backward:3/d.a[1]")
    count = 0
    while session.back().note is None:
        session, count = session.back(), count + 1
    assert (session.position.is_start, count) == (True, 6)


@each_run
@pytest.mark.parametrize("level", BY_TIME)
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
    name, learns = factor.name, "update" in run.tree.phases
    is_first = not learns or (spot.epoch, spot.batch) == (0, 0)
    if spot.phase == "update":
        is_state = name.endswith("_prev")
        return name.startswith("bias_correction") or name == "norms" or (is_state and is_first)
    if name.endswith("⋮"):
        name, row = name[:-1], factor.index[0]
    batch = run.scenario.batches[spot.batch]
    length = batch.lengths[row] if batch.packed and batch.lengths else batch.num_steps
    block = run.tree.block(replace(spot, phase="forward"))
    is_over = spot.t >= length
    if name.startswith("∂"):
        # What nothing reaches is zero: before the first share, after the last step, where the loss reads no state.
        is_inside = name in run.tree.block(spot).program.names
        comes_from_nowhere = not is_inside or is_over
        return name == "∂loss" or (factor.value == 0 and comes_from_nowhere)
    if name in block.parameters:
        return is_first
    if name in ("index", "mask", "target", "counts", "share"):
        return True
    if name.endswith("_prev"):
        is_start = spot.t == (0 if block.direction == "forward" else length - 1)
        training = run.scenario.training
        is_reset = training is None or training.mistake != "hidden_not_reset" or is_first
        return is_over or (is_start and is_reset)
    is_network = block.kind != "total" and not is_final(run, spot.key)
    is_lowest = block.layer == 0 and block.kind == "recurrent" and run.scenario.lookup is None
    return (name == "x" and is_lowest) or (is_over and is_network and name not in block.program.names)


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
    is_below = spot.key == "embedding" or (
        spot.key.startswith(("join", "dropout")) and spot.key[-1] < f"{layers - 1}"
    )
    is_above = name.removesuffix("⋮") in ("∂output", "∂x") and spot.phase == "backward"
    return is_above and is_below and run.scenario.recurrent.bidirectional


@each_run
def test_the_value_at_a_factors_source_is_the_factor(name):
    for row in rows_of(run_of(name)):
        for run, spot, factor in factors(name, row):
            origin = source(run, spot, factor.name, factor.index, row)
            if origin is None:
                assert factor.name.startswith("(") or is_given(run, spot, factor, row), (spot, factor)
                continue
            assert factor.value == 0 or not is_given(run, spot, factor, row), (spot, factor)
            if comes_from_both(run, spot, factor.name):
                continue
            found, there = value_at(name, origin), run.tree.locate(origin.path)
            if factor.name.endswith("_later") or factor.name == "grad":
                # Sums of shares are one product over all steps: the order of additions is not that of the steps.
                assert np.isclose(found, factor.value, rtol=1e-4, atol=1e-7), (spot, factor, there)
            else:
                assert found == factor.value, (spot, factor, there)


@each_run
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
                assert set(found) == expected.get(spot, set()), spot
                paths = [run.tree.path_to(one) for one in found]
                assert paths == sorted(paths)
                # Of an element no more than of the whole, and at least those that read it.
                last = replace(spot, element=size_of(run.tree.block(spot), spot.operation) - 1)
                assert by_element.get(last, set()) <= set(readers(run, last, row)) <= set(found)


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
