"""What stands on the screen of a training: sentences, boards, norms and epochs."""

from __future__ import annotations

import pytest

from rnnstep.equations.syntax import parse_expression
from rnnstep.equations.write import BLACKBOARD, SOURCE, write
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views import gradients, header, learning
from rnnstep.views.alphabet import ASCII
from rnnstep.views.board import board
from rnnstep.views.look import Look
from rnnstep.views.now_back import whole
from rnnstep.views.rows import plain
from rnnstep.views.scene import Scene
from rnnstep.views.screen import screen
from rnnstep.views.sentences import sentence, update_sentence
from rnnstep.views.sentences_back import Back
from rnnstep.views.worked import expansion
from tests.unit.command_line import NAN_IN_DATA

pytestmark = pytest.mark.usefixtures("unhurried")

SIZES = [(60, 17), (80, 24), (120, 35), (200, 60)]


def opened(name: str) -> Session:
    return Session.open(SessionRun.of(read(bundled.find(name))))


def scene_at(name: str, place: str, **look: object) -> Scene:
    return Scene(opened(name).go(place), Look(torch="none", **look))


def drawn(scene: Scene, cells: int = 78, height: int = 10) -> str:
    return plain(board(scene, cells, height, expansion(scene)))


# ── formulas and sentences ───────────────────────────────────────────────────────────────


def test_a_number_before_a_vector_is_written_with_a_dot() -> None:
    expression = parse_expression("0.9 * m + (1 - 0.9) * g * g")
    assert write(expression, BLACKBOARD) == "0.9 · m + (1 − 0.9) · g ⊙ g"
    assert write(expression, SOURCE) == "0.9 * m + (1 - 0.9) * g * g"


@pytest.mark.parametrize(
    "name", ["hello", "hello_lstm", "hello_gru", "exploding", "weather", "pitfalls/no_zero_grad"]
)
def test_every_line_of_a_training_is_told_in_a_sentence(name: str) -> None:
    session = opened(name)
    structure, scenario = session.run.learning.structure, session.run.scenario
    forward = structure.stage(0, "forward")
    silent = []
    for phase in structure.phases:
        stage = structure.stage(0, phase)
        for block in stage.blocks:
            for line in block.program.lines:
                if phase == "forward":
                    said = sentence(block, line.name)
                elif phase == "update":
                    assert scenario.training is not None
                    said = update_sentence(line.name, scenario.training.optimizer)
                else:
                    steps = stage.steps[block.key]
                    place = Back(block, forward.by_key[block.key], steps, steps[0])
                    said = place.sentence(line.name)
                if said is None:
                    silent.append((phase, block.key, line.name))
    assert silent == []


@pytest.mark.parametrize(
    ("name", "operation", "words"),
    [
        ("hello", "∂h", "what reaches h from above and from the next step"),
        ("hello", "∂a", "the slope of tanh is 1 − h²"),
        ("hello", "∂hh", "a sum passes its gradient on to both as it is"),
        ("hello", "∂h_prev", "W_hhᵀ takes it one step back in time"),
        ("hello", "∂W_hh", "the sum of the shares of steps 3…5"),
        ("hello_gru", "∂hh_n", "the reset gate stands between: what it shuts gets nothing back"),
        ("hello_lstm", "∂c_prev", "the forget gate alone takes it one step back: no matrix, no tanh"),
    ],
)
def test_the_way_back_in_words(name: str, operation: str, words: str) -> None:
    text = plain(screen(opened(name).go(f"backward:3/L0/{operation}"), Look(torch="none"), 120, 35))
    assert words in text


@pytest.mark.parametrize(
    ("name", "words"), [("hello", "get the same gradient"), ("hello_gru", "not that of b_in")]
)
def test_the_gradients_of_both_biases_are_told_together(name: str, words: str) -> None:
    bias = "b_hh" if name == "hello" else "b_hn"
    text = plain(screen(opened(name).go(f"backward:1/L0/∂{bias}"), Look(torch="none"), 120, 35))
    assert words in text


# ── the blackboard ───────────────────────────────────────────────────────────────────────


def test_what_goes_back_is_multiplied_with_the_matrix_turned() -> None:
    text = drawn(scene_at("hello", "backward:3/L0/∂h_prev"))
    assert text.splitlines()[0].split() == ["W_hhᵀ", "4×4", "∂hh", "∂h_prev"]
    assert "0.2116 −0.4897 −0.0475 −0.2834" in text  # a column of W_hh as a row


def test_a_share_is_a_column_times_a_row() -> None:
    lines = drawn(scene_at("hello", "backward:3/L0/∂W_hh_t")).splitlines()
    assert any("h_prevᵀ 1×4" in line for line in lines)
    assert any("[  0.4394  0.2191  0.0886 −0.4498]" in line for line in lines)


def test_of_several_rows_the_share_is_a_product_of_matrices() -> None:
    text = drawn(scene_at("exploding", "backward:3/L0/∂W_hh_t"))
    assert "∂hh⋮ᵀ 2×4" in text
    assert "h_prev⋮ 4×2" in text
    assert drawn(scene_at("exploding", "backward:3/L0/∂b_hh_t")).startswith("   ∂hh⋮ᵀ 2×4")


def test_the_place_of_the_target_is_named() -> None:
    assert "at [2]" in drawn(scene_at("hello", "backward:3/loss/∂log_p"))
    assert "[2]" in drawn(scene_at("hello", "3/loss/nll"))


def test_elements_of_a_matrix_are_links_and_come_one_by_one() -> None:
    scene = scene_at("hello", "backward:3/L0/∂W_hh[1,0]")
    targets = {span.target for row in board(scene, 118, 12, expansion(scene)) for span in row}
    assert "go backward:3/L0/∂W_hh[0,3]" in targets
    last = drawn(scene, 118).splitlines()[2]
    assert last.split("=")[1].split() == ["│", "0.1231", "·", "·", "·│"]


def test_where_there_is_little_room_the_result_stands_first() -> None:
    text = drawn(scene_at("hello_lstm", "backward:3/L0/∂h_prev"))
    assert text.startswith("∂h_prev ")
    assert "0.0034" in text.splitlines()[5]


# ── screens ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "place",
    [
        "3/loss",
        "5/total/loss",
        "backward:3",
        "backward:3/L0",
        "backward:",
        "update:",
        "update:bias_hh/w",
        "e4:",
    ],
)
def test_signs_stay_plain_where_asked(place: str, size: tuple[int, int]) -> None:
    assert plain(screen(opened("hello").go(place), Look(torch="none", alphabet=ASCII), *size)).isascii()


def test_the_way_back_comes_from_the_right() -> None:
    text = plain(screen(opened("hello").go("backward:3/L0"), Look(torch="none"), 80, 24))
    row = next(line for line in text.splitlines() if line.startswith(" ∂L0"))
    assert row.split() == ["∂L0", "·", "·", "▶", "■", "■"]


def test_a_step_s_loss_stands_in_the_timeline_once_it_is_computed() -> None:
    text = plain(screen(opened("hello").go("3"), Look(torch="none"), 80, 24))
    row = next(line for line in text.splitlines() if line.startswith(" loss"))
    assert row.split() == ["loss", "1.493", "1.291", "1.217", "·", "·"]


# ── epochs ───────────────────────────────────────────────────────────────────────────────


def test_the_table_marks_the_epoch_and_the_wrong_letters() -> None:
    text = plain(learning.table(scene_at("hello", "e5:"), 70, 8))
    assert "(h)hl(l)l ✗" in text
    assert next(line for line in text.splitlines() if line.startswith("▶")).split()[1] == "5"
    assert "epochs 2–7 of 15" in text


def test_the_table_tells_nothing_of_a_loss_that_is_not_computed_yet() -> None:
    assert len(learning.told(scene_at("hello", "e3:2/L0"))) == 2
    assert len(learning.told(scene_at("hello", "e3:5/total"))) == 3


def test_the_curve_has_the_cure_s_beside() -> None:
    assert "loss with the cure" in plain(learning.curve(scene_at("pitfalls/typo_in_data", "e5:"), 50, 10))


def test_the_header_says_whose_numbers_these_are() -> None:
    session = opened("pitfalls/typo_in_data")
    names = [
        header.module_in_words(Scene(one, Look(torch="none"))) for one in (session, session.switch_cure())
    ]
    assert [name.partition("  ")[0] for name in names] == ["typo_in_data: mistake", "typo_in_data: cure"]
    assert header.module_in_words(scene_at("hello", "start")).startswith("hello  ")


def test_what_torch_refuses_is_shown_as_the_cure_and_has_no_other_side() -> None:
    scene = scene_at("pitfalls/backward_inside_the_loop", "e5:")
    assert header.module_in_words(scene).startswith("backward_inside_the_loop: cure")
    assert "with the cure" not in plain(learning.curve(scene, 50, 10))
    switched = scene.session.switch_cure()
    assert switched.run is scene.session.run
    assert "the cure's" in switched.note.into("en")


def test_the_norm_that_no_zero_grad_lets_grow_is_told_at_the_update() -> None:
    session = opened("pitfalls/no_zero_grad").go("e20:update:")
    for one, norm in ((session, 13.5), (session.switch_cure(), 0.348)):
        told = plain(whole(Scene(one, Look(torch="none")), 78))
        assert f"norm of all gradients together: {norm}" in told


def test_every_epoch_of_the_curve_is_a_link() -> None:
    rows = learning.curve(scene_at("hello", "e5:"), 70, 10)
    assert "go e12:" in {span.target for row in rows for span in row}


# ── norms of gradients ───────────────────────────────────────────────────────────────────


def test_the_largest_singular_value_is_told_in_words() -> None:
    words = plain(gradients.sentences(scene_at("hello", "backward:1"), 200))
    assert "largest singular value of W_hh 0.76 < 1" in words
    assert "at step 1" in words


def test_norms_are_seen_as_far_back_as_the_way_back_has_come() -> None:
    whole, part = (
        sum(
            "\u2800" < sign < "\u28ff" for sign in plain(gradients.gradients(scene_at("hello", place), 60, 9))
        )
        for place in ("backward:1", "backward:4")
    )
    assert whole > part > 0


def test_the_path_through_c_stands_beside_that_through_h() -> None:
    text = plain(gradients.gradients(scene_at("hello_lstm", "backward:1"), 90, 12))
    assert "‖∂c_T/∂c_t‖ through c" in text
    assert "‖∂h_T/∂h_t‖ through h" in text


def test_gradients_that_are_not_finite_are_marked_as_far_as_the_way_back_has_come(tmp_path) -> None:
    text = NAN_IN_DATA + '[target]\nvalues = [[1.0, 0.0], [0.5, 1.0], [0.2, 1.0]]\n[loss]\nname = "MSELoss"\n'
    (tmp_path / "nan.toml").write_text(text, "utf-8")
    session = Session.open(SessionRun.of(read(tmp_path / "nan.toml")))
    told = [
        plain(gradients.gradients(Scene(session.go(f"backward:{t}"), Look(torch="none")), 90, 12))
        for t in (3, 2, 1)
    ]
    assert ["NaN 3 " in told[0], "NaN 2–3" in told[1], "NaN 1–3" in told[2]] == [True] * 3
    assert all("×" in one.split("└")[0] for one in told)


def test_an_update_of_what_is_tied_says_whose_shares_its_gradient_has():
    shown = plain(screen(opened("tied").go("update:embed.weight"), Look(torch="none"), 100, 30))
    assert "its gradient is the sum of what goes back to each of embed, linear" in shown
    shown = plain(screen(opened("tied").go("update:linear.bias"), Look(torch="none"), 100, 30))
    assert "its gradient is the sum" not in shown
