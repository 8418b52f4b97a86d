"""Walking through a training: passes and epochs, the run that goes along, what can be edited where, and stops in all of it."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from rnnstep.engine.learning import Learning
from rnnstep.errors import EquationError
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text
from rnnstep.session import breakpoints
from rnnstep.session.cursor import edit_prompt, follow, nudge
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session

TWO_BATCHES = """
input = {random = {shape = [4, 1], seed = 1}, windows = {length = 2, stride = 2, batch_size = 1}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
target = {values = [[[0.1], [0.2]], [[0.4], [0.5]]]}
training = {optimizer = "SGD", lr = 0.5, momentum = 0.5, epochs = 3}
"""
TWO_ROWS = """
vocabulary = ["a", "b"]
input = {text = ["ba", "a"]}
recurrent = {module = "RNN", hidden_size = 2}
weights = {seed = 1}
target = {text = ["ab", "b"]}
training = {optimizer = "SGD", lr = 0.5, clip_grad_norm = 0.5}
"""
MOMENTUM = """
input = {random = {shape = [2, 1, 1], seed = 1}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
target = {values = [[[0.1]], [[0.2]]]}
training = {optimizer = "SGD", lr = 0.5, momentum = 0.5, dampening = 0.5, epochs = 3}
"""
NOT_RESET = """
input = {random = {shape = [2, 1, 1], seed = 1}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
target = {values = [[[0.1]], [[0.2]]]}
training = {optimizer = "SGD", lr = 0.5, epochs = 3, mistake = "hidden_not_reset"}
"""


@functools.cache
def run_of(name: str) -> SessionRun:
    return SessionRun.of(read_text(name) if "\n" in name else read(bundled.find(name)))


def at(name: str, place: str = "start") -> Session:
    session = Session.open(run_of(name)).go(place)
    assert session.note is None
    return session


def walked(session: Session, most: int) -> list[str]:
    places = []
    while len(places) < most and (session := session.right()).note is None:
        places.append(session.place)
    return places


# ── the walk ─────────────────────────────────────────────────────────────────────────────


def test_steps_lead_forward_then_back_from_the_last_one_then_to_the_update_and_the_next_epoch():
    assert walked(at("hello"), 12) == [
        *("1", "2", "3", "4", "5"),
        *(f"backward:{step}" for step in (5, 4, 3, 2, 1)),
        "update:",
        "e2:1",
    ]


def test_blocks_lead_through_the_loss_to_the_total_and_back():
    session = at("hello", "5/L0")
    assert walked(session, 6) == [
        "5/loss",
        "5/total",
        "backward:5/total",
        "backward:5/loss",
        "backward:5/L0",
        "backward:4/loss",
    ]


def test_each_batch_is_followed_by_its_own_way_back_and_update():
    places = walked(at(TWO_BATCHES).out(), 8)
    assert places[:4] == ["1:forward:", "1:backward:", "1:update:", "2:forward:"]
    assert places[6:] == ["e2:1:forward:", "e2:1:backward:"]


def test_where_nothing_is_updated_an_epoch_ends_with_the_way_back():
    source = TWO_BATCHES.replace("training =", "#")
    assert walked(at(source).out(), 9) == ["1:forward:", "1:backward:", "2:forward:", "2:backward:"]


@pytest.mark.parametrize(
    ("place", "later"),
    [
        ("3/L0/hh[1]", "4/L0/hh[1]"),
        ("backward:3/L0/∂a", "backward:2/L0/∂a"),
        ("update:weight_hh/m[1,2]", "e2:update:weight_hh/m[1,2]"),
        ("update:", "e2:update:"),
        ("backward:", "e2:backward:"),
        ("e3:", "e4:"),
    ],
)
def test_the_same_place_of_a_pass_or_an_update_is_in_the_next_epoch(place, later):
    session = at("hello", place)
    assert session.same_place(1).place == later
    assert session.same_place(1).same_place(-1).place == place


def test_before_the_first_and_after_the_last_epoch_there_is_none():
    assert "no earlier epoch" in str(at("hello", "update:").same_place(-1).note)
    assert "no later epoch" in str(at("hello", "e15:").same_place(1).note)
    assert "no earlier step" in str(at("hello", "backward:5/L0").same_place(-1).note)


def test_the_first_update_has_lines_of_its_own():
    first, second = (
        at(MOMENTUM, "update:weight_hh_l0/buf[0,0]"),
        at(MOMENTUM, "e2:update:weight_hh_l0/buf[0,0]"),
    )
    assert first.tree.count(first.position.path) == 1
    assert second.tree.count(second.position.path) == 2
    assert second.into().right().same_place(-1).note is not None
    for session in (first, second):
        assert session.run.line(session.spot) == session.tree.line(session.spot)


# ── the run goes along ───────────────────────────────────────────────────────────────────


def test_a_move_to_another_epoch_takes_its_run():
    session = at("hello")
    there = session.go("e4:1/L0")
    assert (session.run.epoch.index, there.run.epoch.index) == (0, 3)
    assert there.run.revision != session.run.revision
    assert there.run.learning is session.run.learning
    weights = session.run.block(session.go("1/L0").spot).parameters["W_hh"]
    assert not np.array_equal(weights, there.run.block(there.spot).parameters["W_hh"])
    np.testing.assert_array_equal(there.run.scenario.parameters["weight_hh"], weights)
    assert there.home().run.epoch.index == 0
    assert there.back().run is session.run


def test_torch_is_not_asked_again_about_an_epoch_that_was_just_left():
    session, checked = at("hello"), object()
    session = session.with_checked(checked, session.run.revision)
    there = session.go("e2:1")
    assert there.run.checked is None
    assert there.with_checked(object(), session.run.revision) is there
    again = there.go("3")
    assert again.run.checked is checked
    revisions = {session.go(f"e{epoch}:").run.revision for epoch in range(2, 5)}
    assert revisions == {1}
    walk = session
    seen = set()
    for epoch in (2, 3, 2, 4, 5, 1, 6, 2):
        walk = walk.go(f"e{epoch}:1")
        assert walk.note is None
        seen.add((walk.run.revision, epoch))
    assert len({revision for revision, _ in seen}) == len(seen)


def test_an_epoch_that_is_far_from_trained_is_told_and_the_cursor_stays(monkeypatch):
    run = SessionRun.of(read(bundled.find("hello")))
    session = Session.open(run).go("3")
    run.learning.reach(4, 10)
    monkeypatch.setattr(Learning, "reach", lambda self, index, _: len(self.records) >= index)
    for moved in (session.end(), session.go("e9:1"), session.resume()):
        assert "is not reached yet: 4 of 15 are trained" in str(moved.note)
        assert moved.note.into("zh") != moved.note.into("en")
        assert (moved.position, moved.run) == (session.position, session.run)
    assert session.go("e5:1").note is None


def test_reading_a_file_again_keeps_place_and_zoom_in_any_pass():
    for place in ("backward:3/L0/∂a", "e3:update:bias_hh", "e3:"):
        session = at("hello", place)
        moved = session.moved_to(SessionRun.of(read(bundled.find("hello"))))
        assert (moved.place, moved.level, moved.note) == (place, session.level, None)
    update = at("hello", "backward:1").right()
    assert (update.place, update.level) == ("update:", "step")
    assert update.moved_to(SessionRun.of(read(bundled.find("hello")))).position.path == update.position.path


# ── following ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "place", "there"),
    [
        ("hello", "5/total/loss[0].3", "4/loss/nll[0]"),
        ("hello", "3/loss/p[1]", "3/L0/h[1]"),
        ("hello", "backward:4/loss/∂log_p", "backward:5/total/∂nll"),
        ("hello", "backward:4/L0/∂h[1].0", "backward:4/loss/∂logits[1]"),
        ("hello", "backward:4/L0/∂h[1].1", "backward:5/L0/∂h_prev[1]"),
        ("hello", "backward:4/L0/∂h_prev[1].2", "backward:4/L0/∂hh[2]"),
        ("hello", "backward:4/L0/∂W_hh[1,2].0", "backward:5/L0/∂W_hh[1,2]"),
        ("hello", "update:weight_hh/m[1,2].1", "backward:1/L0/∂W_hh[1,2]"),
        ("hello", "e2:update:weight_hh/m[1,2].0", "update:weight_hh/m[1,2]"),
        ("hello", "e2:1/L0/ih[1]", "update:weight_ih/w[1,0]"),
        ("hello", "e2:2/L0/hh[1]", "e2:1/L0/h[0]"),
        ("gru", "2/h", "2/L0/z"),
        (TWO_BATCHES, "2:1/L0/ih[0]", "1:update:weight_ih_l0/w[0,0]"),
        (TWO_BATCHES, "e2:1:1/L0/ih[0]", "2:update:weight_ih_l0/w[0,0]"),
        (NOT_RESET, "e2:1/L0/hh[0].0", "2/L0/h[0]"),
        (TWO_ROWS, "update:clip/clip_coef[0]", "update:clip/total_norm[0]"),
        (TWO_ROWS, "update:bias_hh_l0/clipped[1]", "update:clip/clip_coef[0]"),
    ],
)
def test_enter_follows_a_number_across_passes_and_epochs(name, place, there):
    assert follow(at(name, place)).place == there


def test_a_number_of_another_row_is_followed_into_that_row():
    session = at(TWO_ROWS, "backward:1/L0/∂W_hh_t[0,1].1")
    assert session.run.known(session.spot, 0) is not None
    there = follow(session)
    assert (there.place, there.position.row) == ("backward:1/L0/∂hh[0]", 1)
    assert there.back().position.row == 0
    total = at(TWO_ROWS + 'loss = {reduction = "sum"}', "2/total/loss[0].1")
    assert (follow(total).place, follow(total).position.row) == ("1/loss/nll[0]", 1)


# ── editing ──────────────────────────────────────────────────────────────────────────────


def test_weights_are_edited_where_training_begins_and_all_epochs_follow():
    session = at("hello", "3/L0/hh[1]").edit_text("W_hh[1,0] = 2")
    assert session.place == "3/L0/hh[1]"
    old, new = at("hello", "e3:1/L0"), session.go("e3:1/L0")
    pair = [one.run.block(one.spot).parameters["W_hh"][1, 0] for one in (old, new)]
    assert abs(pair[1] - 2) < 0.5 < abs(pair[0] - 2)
    assert (session.before.epoch.index, new.before.epoch.index) == (0, 2)


@pytest.mark.parametrize(
    ("name", "place", "text", "where"),
    [
        ("hello", "e3:3/L0/hh[1]", "W_hh[1,0] = 2", "at 3/L0/hh"),
        ("hello", "e3:backward:3/L0/∂h_prev[1]", "W_hh[1,0] = 2", "at backward:3/L0/∂h_prev"),
        ("hello", "e2:update:weight_hh", "b_hh[1] = 2", "at 1/L0"),
        (TWO_BATCHES, "2:1/L0/hh", "W_hh[0,0] = 2", "at 1:1/L0/hh"),
    ],
)
def test_a_weight_that_was_learnt_is_refused_with_the_place_to_edit_it_at(name, place, text, where):
    session = at(name, place)
    refused = session.edit_text(text)
    assert where in str(refused.note)
    assert refused.note.into("zh") != refused.note.into("en")
    assert (refused.edits, refused.run) == ((), session.run)


def test_the_number_under_the_cursor_is_no_learnt_weight():
    session = at("hello", "e3:3/L0/hh[1]")
    assert edit_prompt(session) == ""
    assert "edit it where that begins, at 3/L0/hh" in str(nudge(session, 0.1).note)
    assert edit_prompt(at("hello", "e3:3/L0/ih[1]")).startswith("x[0] = ")
    assert "all of it is computed" in str(nudge(at("hello", "e3:update:bias_hh/m[1]"), 0.1).note)


@pytest.mark.parametrize(
    ("name", "place", "text", "row"),
    [
        ("hello", "e3:3/L0/hh[1]", "x[0] = 0.5", 0),
        ("hello", "e3:1/L0/hh[1]", "h_0[1] = 0.5", 0),
        ("hello", "e3:backward:1/L0/∂a", "h_0[1] = 0.5", 0),
        (TWO_BATCHES, "e2:2:1/L0/ih", "x[0] = 0.5", 0),
    ],
)
def test_x_and_h_0_are_edited_in_any_epoch_and_the_cursor_stays(name, place, text, row):
    session = at(name, place)
    edited = session.edit_text(text)
    assert edited.note.template == "{what}: {old} → {new}"
    assert (edited.place, edited.run.epoch.index) == (session.place, session.run.epoch.index)
    assert edited.run.learning is not session.run.learning
    assert edited.undo().place == session.place
    loss = [one.run.learning.record(session.run.epoch.index).loss for one in (session, edited, edited.undo())]
    assert loss[0] == loss[2] != loss[1]


@pytest.mark.parametrize(
    ("place", "text", "edited"),
    [
        ("backward:3/L0/∂h_prev[1].2", "W_hh[2,1] = 5", ("weight_hh", (2, 1))),
        ("backward:3/L0/∂a", "b_hh[1] = 5", ("bias_hh", (1,))),
        ("backward:3/loss", "W_ih[2,1] = 5", ("weight_ih", (2, 1))),
        ("update:weight_hh/m", "W_hh[2,1] = 5", ("weight_hh", (2, 1))),
    ],
)
def test_weights_are_edited_from_every_pass_of_the_first_epoch(place, text, edited):
    session = at("hello", place).edit_text(text)
    (edit,) = session.edits
    assert (edit.target.key, edit.target.index) == edited


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("backward:3/L0/∂a", "∂a[0] = 1"),
        ("backward:3/L0/∂a", "∂W_hh[0,1] = 1"),
        ("backward:3/L0/∂a", "h[0] = 1"),
        ("backward:3/L0/∂a", "h_prev[0] = 1"),
        ("update:weight_hh", "m[0,1] = 1"),
        ("update:weight_hh", "grad[0,1] = 1"),
        ("update:weight_hh", "w_prev[0,1] = 1"),
        ("3/loss", "p[0] = 1"),
    ],
)
def test_what_is_computed_in_any_pass_cannot_be_edited(place, text):
    session = at("hello", place).edit_text(text)
    assert "is computed here" in str(session.note)
    assert session.edits == ()


def test_the_weight_of_a_product_on_the_way_back_is_offered():
    assert edit_prompt(at("hello", "backward:3/L0/∂h_prev[1].2")).startswith("W_hh[2,1] = ")
    (edit,) = nudge(at(TWO_ROWS, "backward:1/L0/∂W_ih_t[0,1].1"), 0.5).edits
    assert (edit.target.store, edit.target.index) == ("values", (0, 1, 1))


def test_states_that_go_on_from_epoch_to_epoch_are_computed():
    assert len(at(NOT_RESET, "1/L0/hh").edit_text("h_0[0] = 1").edits) == 1
    assert "is computed here" in str(at(NOT_RESET, "e2:1/L0/hh").edit_text("h_0[0] = 1").note)


def test_an_edit_far_into_a_slow_training_leads_to_the_first_epoch_and_says_so(monkeypatch):
    session = at("hello", "e3:3/L0/hh[1]")
    monkeypatch.setattr(Learning, "reach", lambda self, index, _: len(self.records) >= index)
    edited = session.edit_text("x[0] = 0.5")
    assert (edited.place, edited.run.epoch.index, len(edited.edits)) == ("3/L0/hh[1]", 0, 1)
    assert str(edited.note) == "x[0]: 0 → 0.5; epoch 3 is not reached yet: 0 of 15 are trained"
    assert "is not reached yet" in str(edited.back().note)
    monkeypatch.undo()
    assert edited.back().place == "e3:3/L0/hh[1]"


def test_saving_names_the_runs_of_all_epochs():
    saved = at("hello", "3").edit_text("W_hh[0,0] = 1").go("e2:1").saved_as("new")
    assert (saved.run.scenario.name, saved.go("3").run.scenario.name) == ("new", "new")
    assert not saved.has_unsaved_edits


# ── stops ────────────────────────────────────────────────────────────────────────────────


def stops(session: Session, most: int) -> list[str]:
    found = []
    while len(found) < most and (session := session.resume()).note is None:
        found.append(session.place)
    return found


@pytest.mark.parametrize(
    ("place", "written", "expected"),
    [
        ("backward:3/L0/∂a", "backward:L0/∂a", ["backward:5/L0/∂a", "backward:4/L0/∂a"]),
        ("backward:3/L0", "backward:L0", ["backward:5/L0/∂b_ih", "backward:4/L0/∂b_ih"]),
        ("backward:3", "backward:3", ["backward:3/L0/∂b_ih", "e2:backward:3/L0/∂b_ih"]),
        ("3/L0", "L0", ["1/L0/h", "2/L0/h"]),
        ("update:weight_hh/v", "update:weight_hh/v", ["update:weight_hh/v", "e2:update:weight_hh/v"]),
        ("update:", "update:", ["update:bias_hh/w", "e2:update:bias_hh/w"]),
        ("forward:", "forward:", ["5/total/loss", "e2:5/total/loss"]),
    ],
)
def test_a_breakpoint_is_in_its_pass_of_every_epoch(place, written, expected):
    session = at("hello", place).toggle_breakpoint().home()
    assert str(session.breakpoints[0]) == written
    assert stops(session, 2) == expected


def test_the_step_of_an_update_is_the_update():
    session = at("hello", "backward:1").right().toggle_breakpoint()
    assert str(session.breakpoints[0]) == "update:"
    assert at("hello", "update:").toggle_breakpoint().breakpoints == session.breakpoints
    assert "go to a step" in str(at("hello", "e2:").toggle_breakpoint().note)


@pytest.mark.parametrize("text", ["norm(∂h) > 0.9", "norm(grad.h) > 0.9", "norm( d.h )>0.9"])
def test_a_condition_on_the_way_back(text):
    session = at("hello").break_when(text)
    assert session.breakpoints[0].phase == "backward"
    expected = []
    for epoch in range(15):
        back = session.run.at_epoch(epoch, 0).epoch.backward(0)
        prefix = f"e{epoch + 1}:" if epoch else ""
        large = [t for t in reversed(range(5)) if np.linalg.norm(back.value("L0", "∂h", t)) > 0.9]
        expected += [f"{prefix}backward:{t + 1}/L0/∂b_ih" for t in large]
    assert 0 < len(expected) < 75
    assert stops(session, 100) == expected
    again = session.break_when("norm(∂h) > 0.9")
    assert again.breakpoints == () or text.startswith("norm( ")


@pytest.mark.parametrize(
    ("name", "text", "first"),
    [
        ("hello", "max(abs(∂W_hh)) > 0", "backward:5/L0/∂b_ih"),
        ("hello", "max(abs(update)) > 0", "update:weight_ih/w"),
        (TWO_ROWS, "clip_coef < 1", "update:clip/clip_coef"),
        ("hello", "W_hh[0] @ h > 0", None),
        ("hello", "t == 3", "4/L0/h"),
    ],
)
def test_a_condition_is_looked_at_in_the_pass_whose_values_it_names(name, text, first):
    session = at(name)
    if first is None:
        with pytest.raises(EquationError):
            session.break_when(text)
    else:
        assert session.break_when(text).resume().place == first


def test_what_is_wrong_with_a_gradients_name_is_told_with_its_sign():
    with pytest.raises(EquationError, match="unknown name `∂hx`: did you mean `∂"):
        at("hello").break_when("norm(grad.hx) > 1")


def test_a_watch_on_the_way_back_has_a_value_there():
    session = at("hello", "backward:3").watch("norm(∂h)").watch("max(∂W_hh)")
    back = session.run.epoch.backward(0)
    block = back.by_key["L0"]
    norm, largest = (watch.value(block, back.values("L0", 2), 2) for watch in session.watches)
    np.testing.assert_allclose(np.ravel(norm)[0], np.linalg.norm(back.value("L0", "∂h", 2)), rtol=1e-6)
    assert float(np.ravel(largest)[0]) == float(back.value("L0", "∂W_hh", 2).max())
    moved = session.moved_to(SessionRun.of(read(bundled.find("hello"))))
    assert [watch.text for watch in moved.watches] == ["norm(∂h)", "max(∂W_hh)"]
    assert [watch.phase for watch in moved.watches] == ["backward", "backward"]


def test_running_on_stops_where_training_has_not_come(monkeypatch):
    run = SessionRun.of(read(bundled.find("hello")))
    run.learning.reach(2, 10)
    monkeypatch.setattr(Learning, "reach", lambda self, index, _: len(self.records) >= index)
    session = Session.open(run).break_when("h[0] > 5").resume()
    assert session.place == "e3:update:bias_hh/w"
    assert "epoch 4 is not reached yet: 2 of 15 are trained" in str(session.note)
    assert session.resume().position == session.position
    assert session.back().position.is_start


def test_running_on_gives_the_keys_back_after_a_while_and_goes_on_from_there(monkeypatch):
    monkeypatch.setattr(breakpoints.time, "monotonic", iter(range(10_000)).__next__)
    session = Session.open(run_of("hello")).break_when("h[0] > 5")
    path, note = breakpoints.next_stop(session.run, session.position, session.breakpoints, seconds=2)
    assert "c looks further" in str(note)
    further, _ = breakpoints.next_stop(
        session.run, session.jump(path).position, session.breakpoints, seconds=2
    )
    assert further > path
