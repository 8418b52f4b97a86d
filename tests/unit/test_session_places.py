"""Places as they are written and read, and what is said of those that are not there."""

from __future__ import annotations

import functools

import pytest

from rnnstep.errors import UsageError
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text
from rnnstep.session.place import read_place, read_row, write_place
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot


@functools.cache
def run_of(name: str) -> SessionRun:
    return SessionRun.of(read(bundled.find(name)))


BY_LAYER = """
input = {random = {shape = [3, 1, 2], seed = 1}}
recurrent = {module = "RNN", hidden_size = 2, num_layers = 2}
weights = {seed = 1}
display = {order = "layer"}
"""


@pytest.mark.parametrize(
    ("name", "text", "spot"),
    [
        ("hello", "3", Spot(0, None, 2)),
        ("hello", " 3/L0 ", Spot(0, "L0", 2)),
        ("hello", "3/L0→/hh", Spot(0, "L0", 2, "hh")),
        ("hello", "3/hh[1]", Spot(0, "L0", 2, "hh", 1)),
        ("hello", "3/L0/hh[1].4", Spot(0, "L0", 2, "hh", 1, 4)),
        ("multilayer", "2/L1/h", Spot(0, "L1", 1, "h")),
        ("bidirectional", "1/L0←/h[0]", Spot(0, "L0←", 0, "h", 0)),
        ("bidirectional", "1/L0<-/h[0]", Spot(0, "L0←", 0, "h", 0)),
        ("bidirectional", "L0←", Spot(0, "L0←")),
        ("bidirectional", "2", Spot(0, "L0", 1)),
        ("windows", "2:3/L0/hh", Spot(1, "L0", 2, "hh")),
        ("windows", "3", Spot(0, None, 2)),
        ("windows", "4:", Spot(3, phase=None)),
        ("windows", "e1:", Spot(None, phase=None)),
        ("hello", "backward:3", Spot(0, None, 2, phase="backward")),
        ("hello", "backward:", Spot(0, phase="backward")),
        ("hello", "forward:", Spot(0)),
        ("hello", "forward:3/hh[1]", Spot(0, "L0", 2, "hh", 1)),
        ("hello", "back:3/L0/d.a[1]", Spot(0, "L0", 2, "∂a", 1, phase="backward")),
        ("hello", "Backward:3/grad.a", Spot(0, "L0", 2, "∂a", phase="backward")),
        ("hello", "backward:3/L0/∂W_hh[1,0]", Spot(0, "L0", 2, "∂W_hh", 4, phase="backward")),
        ("hello", "backward:3/L0/∂W_hh[1, 2].1", Spot(0, "L0", 2, "∂W_hh", 6, 1, phase="backward")),
        ("hello", "e7:backward:3/L0", Spot(0, "L0", 2, phase="backward", epoch=6)),
        ("hello", "e7:3", Spot(0, None, 2, epoch=6)),
        ("hello", "E7:", Spot(None, phase=None, epoch=6)),
        ("hello", "e7:1:", Spot(0, phase=None, epoch=6)),
        ("hello", "e7", Spot(None, phase=None, epoch=6)),
        ("hello", "e7:backward", Spot(0, phase="backward", epoch=6)),
        ("hello", "backward", Spot(0, phase="backward")),
        ("hello", "更新", Spot(0, phase="update")),
        ("hello", "update:", Spot(0, phase="update")),
        ("hello", "update:weight_hh", Spot(0, "weight_hh", 0, phase="update")),
        ("hello", "update:weight_hh/m[3,1]", Spot(0, "weight_hh", 0, "m", 13, phase="update")),
        ("hello", "update:1/weight_hh/m", Spot(0, "weight_hh", 0, "m", phase="update")),
        ("hello", "反向：3／L0／∂a［1］", Spot(0, "L0", 2, "∂a", 1, phase="backward")),
        ("hello", "更新：bias_ih", Spot(0, "bias_ih", 0, phase="update")),
        ("weather", "update:linear.bias/w[0]", Spot(0, "linear.bias", 0, "w", 0, phase="update")),
        ("hello", "h_3", Spot(0, "L0", 2, "h")),
        ("hello", "h_3[1]", Spot(0, "L0", 2, "h", 1)),
        ("multilayer", "L1/h_2", Spot(0, "L1", 1, "h")),
        ("windows", "2:h_3", Spot(1, "L0", 2, "h")),
        ("hello", "backward:d.h_3", Spot(0, "L0", 2, "∂h", phase="backward")),
        ("hello", "e7:反向：∂h_3［1］", Spot(0, "L0", 2, "∂h", 1, phase="backward", epoch=6)),
    ],
)
def test_a_place_is_read(name, text, spot):
    tree = run_of(name).tree
    path = read_place(tree, text)
    assert tree.locate(path) == spot


@pytest.mark.parametrize("text", ["", "start", "0", " start "])
def test_start_is_a_place(text):
    assert read_place(run_of("hello").tree, text) == ()
    assert write_place(run_of("hello").tree, ()) == "start"


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("hello", "9", ("no step 9", "1 to 5")),
        ("hello", "0/hh", ("no step 0", "1 to 5")),
        ("hello", "3/L0/hg", ("did you mean `h`",)),
        ("hello", "3/L9/hh", ("did you mean `L0`",)),
        ("hello", "3/L0/hh[4]", ("no element [4] in `3/L0/hh[4]`", "from [0] to [3]")),
        ("hello", "3/L0/hh[1].9", ("no term 9", "from 0 to 4")),
        ("hello", "3/L0/hh[", ("is not a place", "3/L0/hh[1]")),
        ("hello", "3//hh", ("no place",)),
        ("hello", "-1", ("is not a place",)),
        ("hello", ":", ("is not a place",)),
        ("hello", "hello" * 50, ("no place",)),
        ("hello", "hh", ("no place `hh`",)),
        ("bidirectional", "L0←/hh", ("is not a place",)),
        ("hello", "2:1", ("no batch 2", "there are 1")),
        ("hello", "L0", ("no place `L0`",)),
        ("windows", "9:", ("no batch 9", "there are 5")),
        ("windows", "0:1", ("no batch 0", "there are 5")),
        ("bidirectional", "7/L0", ("no step 7",)),
        ("hello", "³/L0", ("is not a place",)),
        ("hello", "e16:1", ("no epoch 16", "there are 15")),
        ("hello", "e0:1", ("no epoch 0", "there are 15")),
        ("rnn", "e2:", ("no epoch 2", "there are 1")),
        ("hello", "e2:3:1", ("no batch 3", "there are 1")),
        ("hello", "bakward:3", ("no pass `bakward`", "did you mean `backward`")),
        ("hello", "sideways:3", ("no pass `sideways`", "forward, backward, update")),
        ("rnn", "backward:3", ("no pass `backward`", "there is forward")),
        ("rnn", "up:3", ("no pass `up`", "there is forward")),
        ("hello", "backward:9", ("no step 9", "1 to 5")),
        ("hello", "backward:3/L0/∂hg", ("did you mean `∂h`",)),
        ("hello", "3/L0/d.a", ("did you mean `backward:3/L0/∂a`",)),
        ("hello", "backward:3/hh[1]", ("did you mean `3/L0/hh`",)),
        ("hello", "backward:3/L0/∂W_hh[1]", ("no element [1]", "from [0,0] to [3,3]")),
        ("hello", "backward:3/L0/∂W_hh[1,4]", ("no element [1,4]", "from [0,0] to [3,3]")),
        ("hello", "3/L0/hh[1,0]", ("no element [1,0]", "from [0] to [3]")),
        ("hello", "update:weight_hx", ("did you mean `weight_",)),
        ("hello", "update:weight_hh/k", ("no place", "there is m, v, m_hat, v_hat, update, w")),
        ("hello", "update:weight_hh[1,0]", ("did you mean `update:weight_hh/w[1,0]`",)),
        ("hello", "3/total", ("no step 3", "steps of `total`: 5")),
        ("hello", "end", ("no place `end`", "there is L0, loss, total")),
        ("hello", "h_9", ("no step 9", "1 to 5")),
        ("hello", "h_0", ("no step 0", "1 to 5")),
        ("hello", "k_3", ("no place `k_3`",)),
        ("hello", "update:h_3", ("no place",)),
    ],
)
def test_a_place_that_is_not_there_is_told(name, text, parts):
    with pytest.raises(UsageError) as refused:
        read_place(run_of(name).tree, text)
    for part in parts:
        assert part in refused.value.into("en")
    assert len(refused.value.into("en")) < 120
    assert refused.value.into("zh") != refused.value.into("en")


@pytest.mark.parametrize(
    ("text", "place"),
    [("hh", "1/L0/hh"), ("L0", "1/L0"), ("loss", "1/loss"), ("weight_hh", "update:weight_hh")],
)
def test_an_operation_without_a_step_is_the_first_steps_where_nothing_is_computed_yet(text, place):
    assert Session.open(run_of("hello")).go(text).place == place


@pytest.mark.parametrize(
    ("at", "text", "place"),
    [
        ("1/L1/ih", "h_2", "2/L1/h"),
        ("1/L0", "h_2", "2/L0/h"),
        ("1/L1", "L0/h_2", "2/L0/h"),
        ("start", "h_2", "2/L0/h"),
    ],
)
def test_a_name_with_its_step_is_read_in_the_block_where_one_is(at, text, place):
    assert Session.open(run_of("multilayer")).go(at).go(text).place == place


def test_a_bad_place_is_said_and_nothing_moves():
    session = Session.open(run_of("hello")).right().go("9/L0")
    assert session.place == "1"
    assert "no step 9" in str(session.note)


def test_a_step_alone_means_the_first_block_where_the_order_is_by_layer():
    run = SessionRun.of(read_text(BY_LAYER))
    session = Session.open(run).go("2")
    assert session.place == "2/L0"
    assert session.right().place == "3/L0"
    assert session.right().right().place == "1/L1"


def test_the_place_of_a_batch_stands_before_the_step():
    session = Session.open(run_of("windows")).go("2:3/hh[1]")
    assert session.place == "2:3/L0/hh[1]"
    assert session.out().out().out().place == "2:"


@pytest.mark.parametrize(
    ("name", "place", "rows"),
    [("rnn_cell_batch", "2/L0/hh[1]", 5), ("windows", "2:3/L0", 1), ("rnn_cell_batch", "start", 7)],
)
def test_a_place_is_written_with_its_row_and_read_back(name, place, rows):
    session = Session.open(run_of(name)).go(place)
    assert session.place_and_row == place
    for _ in range(rows):
        session = session.other_row(1)
    assert session.place == place
    assert session.place_and_row == f"{place}@row{rows}"
    back = Session.open(run_of(name)).at(session.place_and_row)
    assert (back.place, back.position.row) == (place, rows)
    assert read_place(run_of(name).tree, f"{place} @ row {rows}") == session.position.path


def test_a_place_without_a_row_keeps_the_row():
    session = Session.open(run_of("rnn_cell_batch")).go("2@row5").go("1/hh")
    assert (session.place, session.position.row) == ("1/L0/hh", 5)
    assert session.go("1/hh@row0").position.row == 0


def test_a_row_that_is_not_there_is_told_and_nothing_moves():
    session = Session.open(run_of("rnn_cell_batch")).go("2@row5")
    gone = session.go("1@row64")
    assert "no row 64" in str(gone.note)
    assert "0 to 63" in str(gone.note)
    assert gone.note.into("zh") != gone.note.into("en")
    assert gone.position == session.position
    with pytest.raises(UsageError, match="no row 9"):
        read_row("3@row9", 8)


@pytest.mark.parametrize("text", ["3@5", "3@row", "3@rowx", "@row2@row1"])
def test_a_row_is_written_one_way(text):
    assert "is not a place" in str(Session.open(run_of("rnn_cell_batch")).go(text).note)


def test_out_at_start_looks_at_whole_batches_and_into_comes_back():
    session = Session.open(run_of("windows"))
    wide = session.out()
    assert (wide.position.is_start, wide.level, wide.note) == (True, "batch", None)
    assert wide.right().place == "1:"
    assert wide.right().right().place == "2:"
    assert wide.into().level == "step"
    assert "outermost" in str(wide.out().note)
    deep = session.go("1:1/hh[1]").home()
    assert deep.out().into().level == "element"


def test_where_there_is_one_batch_start_has_no_wider_zoom():
    session = Session.open(run_of("rnn"))
    assert "outermost" in str(session.out().note)
    assert "→ makes the first step" in str(session.into().note)


def test_out_at_start_of_a_training_looks_at_passes_and_epochs():
    session = Session.open(run_of("hello")).out()
    assert (session.level, session.right().place) == ("pass", "forward:")
    assert session.right().right().place == "backward:"
    session = session.out()
    assert (session.level, session.right().place, session.right().right().place) == ("epoch", "e1:", "e2:")
    assert "outermost" in str(session.out().note)
    assert (session.into().level, session.into().into().level) == ("pass", "step")
    fresh = session.right().home()
    assert (fresh.level, fresh.into().level, fresh.into().into().level) == ("epoch", "pass", "step")


@pytest.mark.parametrize("steps", [1, -1])
def test_another_step_at_start_says_what_to_do_first(steps):
    assert "→ makes the first step" in str(Session.open(run_of("hello")).same_place(steps).note)


def test_home_at_start_and_end_at_the_end_say_so():
    session = Session.open(run_of("hello"))
    assert "this is the start" in str(session.home().note)
    assert session.end().note is None
    assert "this is the end" in str(session.end().end().note)


def test_the_row_comes_back_after_a_batch_that_has_fewer():
    source = """
input = {random = {shape = [3, 1], seed = 1}, windows = {length = 1, batch_size = 2}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
"""
    session = Session.open(SessionRun.of(read_text(source))).right().other_row(1)
    there = session.right()
    assert (session.position.row, there.position.row, there.left().position.row) == (1, 0, 1)


def test_up_goes_back_to_where_down_came_from_even_past_an_only_child():
    session = Session.open(run_of("rnn")).go("3/L0")
    assert session.into().place == "3/L0/ih"
    assert session.into().out().place == "3/L0"
    assert session.into().right().out().place == "3"
