"""`carry`: how a series is cut, what is left over, and what a file that cannot carry is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnstep.errors import ScenarioError
from rnnstep.scenario.file.save import edited_text
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.modules import remarks
from rnnstep.scenario.read import read, read_text
from rnnstep.session.cursor import edit_typed
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.look import Look
from rnnstep.views.now import now
from rnnstep.views.scene import Scene


def carried(count: int, windows: str, more: str = "") -> Scenario:
    return read_text(f"""
[input]
values = {list(range(count))}
windows = {{{windows}}}
[recurrent]
module = "RNN"
hidden_size = 1
bias = false
carry = true
{more}
[weights]
weight_ih_l0 = [[1.0]]
weight_hh_l0 = [[1.0]]
""")


def rows_of(scenario: Scenario) -> list[list[list[float]]]:
    """Each batch as its rows."""
    return [batch.values[:, :, 0].T.tolist() for batch in scenario.batches]


def test_each_row_goes_on_where_it_ended() -> None:
    scenario = carried(14, "length = 3, batch_size = 2")
    assert rows_of(scenario) == [[[0, 1, 2], [7, 8, 9]], [[3, 4, 5], [10, 11, 12]]]
    assert scenario.left_over == 2
    assert [remark.into("en") for remark in remarks(scenario)] == [
        "2 values of the series are left over: it is cut into 2 equal parts, each into whole windows of 3"
    ]


def test_nothing_is_said_where_nothing_is_left_over() -> None:
    assert not remarks(carried(12, "length = 3, batch_size = 2, stride = 3"))


def test_a_pad_that_is_given_fills_the_last_windows_of_each_part() -> None:
    scenario = carried(11, "length = 3, batch_size = 2, pad = -1")
    assert rows_of(scenario) == [[[0, 1, 2], [5, 6, 7]], [[3, 4, -1], [8, 9, -1]]]
    assert scenario.left_over == 1


def test_what_comes_next_is_wanted_of_each_row() -> None:
    scenario = carried(13, "length = 3, batch_size = 2, horizon = 1")
    assert rows_of(scenario) == [[[0, 1, 2], [6, 7, 8]], [[3, 4, 5], [9, 10, 11]]]
    wanted = [batch.target[:, :, 0].T.tolist() for batch in scenario.batches]
    assert wanted == [[[1, 2, 3], [7, 8, 9]], [[4, 5, 6], [10, 11, 12]]]
    assert scenario.left_over == 0
    assert len(carried(12, "length = 3, batch_size = 2, horizon = 1").batches) == 1


def test_one_row_tells_of_the_end_of_the_series() -> None:
    (remark,) = remarks(carried(8, "length = 3"))
    assert "last 2 values" in remark.into("en")


@pytest.mark.parametrize(
    ("windows", "more", "said"),
    [
        ("length = 3, stride = 1", "", "`stride`: found 1, expected 3, the `length`"),
        ("length = 3, batch_size = 4", "", "each of the `batch_size` 4 equal parts"),
        (
            "length = 3",
            "bidirectional = true",
            "`carry`: the backward direction begins at the end of a window",
        ),
    ],
)
def test_what_cannot_be_carried_is_told(windows: str, more: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        carried(9, windows, more)
    assert any(said in problem.message.into("en") for problem in caught.value.problems)


WHOLE = """
[input]
text = "abba"
[recurrent]
module = "RNN"
hidden_size = 2
carry = 1
"""


def test_one_batch_has_none_to_go_on_to() -> None:
    for wrong, said in (("true", "expected `windows` in [input]"), ('"yes"', "expected true or false")):
        text = 'vocabulary = ["a", "b"]\n' + WHOLE.replace("carry = 1", f"carry = {wrong}")
        with pytest.raises(ScenarioError) as caught:
            read_text(text + "[weights]\nseed = 0\n")
        (problem,) = caught.value.problems
        assert said in problem.message.into("en")
        assert (problem.line, problem.column) == (8, 1)


LAYERS = """
[input]
values = [1, 2, 3, 4, 5, 6]
windows = {length = 2}
[[layers]]
name = "low"
module = "GRU"
hidden_size = 2
[[layers]]
name = "top"
module = "GRU"
hidden_size = 2
h_0 = "low.h_n"
carry = true
[[layers]]
module = "Linear"
out_features = 1
carry = true
[weights]
seed = 0
"""


def test_a_layer_takes_its_first_state_from_one_place_and_a_linear_one_has_none() -> None:
    with pytest.raises(ScenarioError) as caught:
        read_text(LAYERS)
    told = [problem.message.into("en") for problem in caught.value.problems]
    assert any("with `carry` the state comes from the window before" in one for one in told)
    assert any("`carry`" in one and "unknown key" in one for one in told)


# ── on the screen ────────────────────────────────────────────────────────────────────────────────


def session_at(place: str, count: int = 14) -> Session:
    return Session.open(SessionRun.of(carried(count, "length = 3, batch_size = 2"))).at(place)


def told(place: str, language: str = "en") -> str:
    scene = Scene(session_at(place), Look(language=language))
    return "\n".join("".join(span.text for span in row) for row in now(scene, None, 100, 8))


def test_the_first_step_of_a_batch_says_where_its_state_comes_from() -> None:
    said = "h_prev: where batch 1 ended, carried on without a gradient"
    assert said in told("2:1/L0")
    assert said in told("2:1")
    assert "h_prev：接着第 1 批结束时的状态" in told("2:1", "zh")
    assert "carried" not in told("1:1") + told("2:2") + told("2:2/L0")


def test_what_is_changed_in_a_batch_changes_the_state_that_is_carried() -> None:
    session = edit_typed(session_at("1:3/L0"), "x[0] = 0")
    assert session.note is not None
    before, after = (run.epoch.forward(1).values("L0", 0)["h_prev"] for run in (session.before, session.run))
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_a_carried_state_is_computed_and_no_target_of_an_edit() -> None:
    refused = edit_typed(session_at("2:1/L0"), "h_0[0] = 1")
    assert refused.edits == ()
    assert "`h_0` is computed here" in refused.note.into("en")
    session = edit_typed(session_at("1:1/L0"), "h_0[0] = 1")
    assert session.run.scenario.initial_state["h_0"][0, 0] == 1


def test_an_edited_x_is_saved_in_the_order_of_the_parts(tmp_path: Path) -> None:
    path = tmp_path / "cut.toml"
    path.write_text(
        "[input]\nvalues = [0, 1, 2, 3, 4, 5, 6, 7, 8]\nwindows = {length = 2, batch_size = 2}\n"
        '[recurrent]\nmodule = "RNN"\nhidden_size = 1\ncarry = true\nbias = false\n'
        "[weights]\nweight_ih_l0 = [[0.1]]\nweight_hh_l0 = [[0.1]]\n",
        "utf-8",
    )
    session = edit_typed(Session.open(SessionRun.of(read(path))).at("2:2/L0@row1"), "x[0] = 0.5")
    again = read_text(edited_text(session.run.scenario, session.edits, tmp_path))
    assert rows_of(again) == rows_of(session.run.scenario) == [[[0, 1], [4, 5]], [[2, 3], [6, 0.5]]]
