"""Running to breakpoints, watching expressions, predicting, and reading the file again."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from rnnstep.errors import EquationError
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text
from rnnstep.session.breakpoints import Breakpoint
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session


@functools.cache
def run_of(name: str) -> SessionRun:
    return SessionRun.of(read(bundled.find(name)))


def small(hidden_size: int = 2, steps: int = 3, more: str = "") -> SessionRun:
    return SessionRun.of(
        read_text(f"""
input = {{random = {{shape = [{steps}, 2, 2], seed = 1}}}}
recurrent = {{module = "RNN", hidden_size = {hidden_size}{more}}}
weights = {{seed = 1}}
""")
    )


def stops(session: Session, most: int = 1000) -> list[str]:
    """Every place where `c` stops, up to the end."""
    found = []
    while len(found) < most and (session := session.resume()).note is None:
        found.append(session.place)
    return found


def test_a_breakpoint_at_an_operation_stops_at_every_step():
    session = Session.open(run_of("hello")).go("2/hh[1]").toggle_breakpoint()
    assert str(session.breakpoints[0]) == "L0/hh"
    assert stops(session.home(), 5) == [f"{step}/L0/hh" for step in range(1, 6)]
    assert stops(session, 4) == [*(f"{step}/L0/hh" for step in range(3, 6)), "e2:1/L0/hh"]
    assert len(stops(session.home())) == 5 * 15


def test_a_breakpoint_at_a_block_stops_at_its_last_operation():
    session = Session.open(run_of("multilayer")).go("2/L1").toggle_breakpoint().home()
    assert stops(session) == [f"{step}/L1/h" for step in range(1, 6)]


def test_a_breakpoint_at_a_step_stops_when_its_blocks_are_done():
    session = Session.open(run_of("rnn")).go("2").toggle_breakpoint().home()
    assert (str(session.breakpoints[0]), stops(session)) == ("2", ["2/L0/h"])
    session = Session.open(run_of("multilayer")).go("2").toggle_breakpoint().home()
    assert stops(session) == ["2/L2/h"]
    session = Session.open(run_of("hello")).go("4").toggle_breakpoint().home()
    assert stops(session, 2) == ["4/loss/nll", "e2:4/loss/nll"]


def test_setting_a_breakpoint_twice_takes_it_away():
    session = Session.open(run_of("hello")).go("2/hh").toggle_breakpoint()
    assert "breakpoint set: L0/hh" in str(session.note)
    session = session.toggle_breakpoint()
    assert "breakpoint removed: L0/hh" in str(session.note)
    assert session.breakpoints == ()


def test_a_whole_batch_takes_no_breakpoint():
    session = Session.open(run_of("windows")).go("2:").toggle_breakpoint()
    assert session.breakpoints == ()
    assert "go to a step" in str(session.note)


def test_running_on_without_breakpoints_ends_at_the_end_and_says_why():
    session = Session.open(run_of("rnn")).resume()
    assert (session.place, "no breakpoint set" in str(session.note)) == ("3", True)
    session = Session.open(run_of("hello")).resume()
    assert (session.place, "no breakpoint set" in str(session.note)) == ("e15:update:", True)
    session = Session.open(run_of("hello")).go("1/hh").toggle_breakpoint().end().resume()
    assert "no breakpoint ahead" in str(session.note)


def test_backspace_undoes_running():
    session = Session.open(run_of("hello")).go("3/hh").toggle_breakpoint().home().resume()
    assert session.place == "1/L0/hh"
    assert session.back().place == "start"


@pytest.mark.parametrize("name", ["hello", "multilayer", "packed", "bidirectional", "lstm", "windows"])
@pytest.mark.parametrize(
    "text", ["h[0] < 0", "t == 1", "max(abs(h)) > 0.5", "norm(h - h_prev) < 0.3 and layer == 0"]
)
def test_a_condition_stops_where_it_holds_for_any_row(name, text):
    run = run_of(name)
    session = Session.open(run).break_when(text)
    expected = []
    for epoch, index in itertools.product(range(run.tree.num_epochs), range(run.tree.num_batches)):
        done = run.at_epoch(epoch, epoch).trace.passes[index]
        for t, key in done.recurrent_steps():
            values, layer = done.values(key, t), done.by_key[key].layer
            h, before = values["h"].astype(np.float64), values["h_prev"].astype(np.float64)
            holds = {
                "h[0] < 0": (h[:, 0] < 0).any(),
                "t == 1": t == 1,
                "max(abs(h)) > 0.5": (np.abs(h) > 0.5).any(),
                "norm(h - h_prev) < 0.3 and layer == 0": layer == 0
                and (np.linalg.norm(h - before, axis=1) < 0.3).any(),
            }[text]
            if holds:
                prefix = f"e{epoch + 1}:" if epoch else ""
                prefix += f"{index + 1}:" if len(run.trace.passes) > 1 else ""
                expected.append(f"{prefix}{t + 1}/{key}/h")
    assert stops(session) == expected


@pytest.mark.parametrize(
    "text", ["h[9] > 0", "hh >", "foo > 1", "__import__('os')", "h_t > 0", "norm(∂q) > 1", "∂h.T > 1"]
)
def test_a_bad_condition_or_watch_is_refused_and_the_session_stays_as_it_was(text):
    session = Session.open(run_of("hello"))
    with pytest.raises(EquationError):
        session.break_when(text)
    with pytest.raises(EquationError):
        session.watch(text)
    assert (session.breakpoints, session.watches) == ((), ())


def test_a_watch_has_a_value_for_each_row_of_a_step():
    run = run_of("rnn_cell_batch")
    session = Session.open(run).watch("norm(h)").watch("t")
    done = run.trace.passes[0]
    block = done.blocks[0]
    values = done.values("L0", 1)
    norm, t = (watch.value(block, values, 1) for watch in session.watches)
    np.testing.assert_allclose(np.ravel(norm), np.linalg.norm(values["h"], axis=1), rtol=1e-6)
    assert float(np.ravel(t)[0]) == 1.0
    assert session.drop_watches().watches == ()


def test_a_watch_that_fits_one_layer_alone_is_silent_in_the_others():
    run = SessionRun.of(
        read_text("""
input = {random = {shape = [2, 1, 5], seed = 1}}
recurrent = {module = "RNN", hidden_size = 2, num_layers = 2}
weights = {seed = 1}
""")
    )
    watch = Session.open(run).watch("x[4]").watches[0]
    done = run.trace.passes[0]
    assert watch.value(done.by_key["L1"], done.values("L1", 0), 0) is None
    assert watch.value(done.by_key["L0"], done.values("L0", 0), 0) is not None


def test_the_same_condition_again_takes_it_away():
    session = Session.open(run_of("hello")).go("2/hh").toggle_breakpoint().break_when("h[0] > 0.5")
    assert "B with the same or nothing removes it" in str(session.note)
    session = session.break_when("t == 2")
    gone = session.break_when(" h[0]>0.5 ")
    assert [str(one) for one in gone.breakpoints] == ["L0/hh", "t == 2"]
    assert "breakpoint removed" in str(gone.note)


def test_an_empty_condition_takes_all_conditions_away_and_leaves_the_rest():
    session = Session.open(run_of("hello")).go("2/hh").toggle_breakpoint()
    assert "no condition to remove" in str(session.break_when(" ").note)
    session = session.break_when("h[0] > 0.5").break_when("t == 2").break_when("")
    assert [str(one) for one in session.breakpoints] == ["L0/hh"]
    assert "all conditions removed" in str(session.note)


def test_dropping_watches_where_there_are_none_says_so():
    assert "nothing is watched" in str(Session.open(run_of("hello")).drop_watches().note)


# ── predicting ───────────────────────────────────────────────────────────────────────────


def test_predicting_hides_what_a_move_computes_until_it_is_revealed():
    session = Session.open(run_of("hello")).toggle_predict()
    assert not session.is_hidden
    session = session.right()
    assert session.is_hidden
    assert not session.reveal().is_hidden
    assert session.reveal().note is None
    assert "nothing is hidden" in str(session.reveal().reveal().note)
    assert session.reveal().right().is_hidden
    assert not session.toggle_predict().is_hidden


# ── reading again ────────────────────────────────────────────────────────────────────────


def test_another_run_is_opened_at_the_same_place_with_row_breakpoints_and_watches():
    session = Session.open(small()).watch("norm(h)").break_when("h[1] > 5").toggle_predict()
    session = session.go("2/hh[1]").toggle_breakpoint().other_row(1)
    moved = session.moved_to(small(hidden_size=3))
    assert (moved.place, moved.position.row, moved.note, moved.is_predicting) == ("2/L0/hh[1]", 1, None, True)
    assert [str(one) for one in moved.breakpoints] == ["h[1] > 5", "L0/hh"]
    assert [watch.text for watch in moved.watches] == ["norm(h)"]
    assert moved.edits == ()


def test_conditions_that_fit_no_longer_are_dropped_and_running_on_does_not_fail():
    session = Session.open(small(hidden_size=3)).watch("h[2]").break_when("h[2] > -5").break_when("h[0] > -5")
    moved = session.moved_to(small(hidden_size=2))
    assert moved.watches == ()
    assert [str(one) for one in moved.breakpoints] == ["h[0] > -5"]
    assert moved.resume().place == "1/L0/h"


def test_a_place_that_is_gone_leads_to_the_start():
    moved = Session.open(small(steps=3)).go("3").moved_to(small(steps=2))
    assert (moved.position.is_start, moved.note) == (True, None)


def test_an_order_that_changed_keeps_the_kind_of_zoom():
    session = Session.open(small())
    moved = session.moved_to(small(more=", bidirectional = true"))
    assert (moved.position.is_start, moved.level) == (True, "step")


def test_torchs_word_on_another_revision_is_dropped():
    session = Session.open(small())
    checked = object()
    assert session.with_checked(checked, 1) is session
    assert session.with_checked(checked, 0).run.checked is checked


def test_a_breakpoint_is_a_value():
    assert Breakpoint("L0", "hh") == Breakpoint("L0", "hh")
