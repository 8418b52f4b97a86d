"""What a scenario says of learning: its loss and targets, mistakes made on purpose, and their cures."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from rnnstep.errors import ScenarioError
from rnnstep.scenario import bundled
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.file.save import edited_text
from rnnstep.scenario.keys import MISTAKES
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read, read_text

CELL = """\
vocabulary = ["e", "h", "l", "o"]
[input]
text = "hello"
[recurrent]
module = "RNNCell"
hidden_size = 4
[weights]
seed = 2
[target]
text = "ohlol"
[training]
optimizer = "Adam"
lr = 0.1
"""
MODULE = CELL.replace("RNNCell", "RNN")
NUMBERS = """\
[input]
values = [[[1, 2], [0, 1]], [[3, 4], [1, 0]], [[5, 6], [0, 0]]]
[recurrent]
module = "GRU"
hidden_size = 3
[linear]
out_features = 2
[weights]
seed = 0
"""
PITFALLS = {
    "backward_inside_the_loop",
    "h_0_of_the_wrong_shape",
    "hidden_not_reset",
    "last_output_of_both_directions",
    "no_zero_grad",
    "oholo",
    "shift_by_one",
    "softmax_before_cross_entropy",
    "typo_in_data",
}


def cure_of(text: str) -> Scenario:
    cure = read_text(text).cure
    assert cure is not None
    return cure


def problems(text: str, limits: Limits | None = None) -> list[tuple[tuple[int, int], str]]:
    with pytest.raises(ScenarioError) as caught:
        read_text(text, limits=limits or Limits())
    for problem in caught.value.problems:
        assert problem.message.into("zh") != problem.message.into("en")
    return [((one.line, one.column), one.message.into("en")) for one in caught.value.problems]


def lines(*added: str) -> str:
    return "".join(f"{line}\n" for line in added)


# ── targets and losses ───────────────────────────────────────────────────────────────────────


def test_letters_of_a_target_that_are_the_ignored_class_stay_in_it() -> None:
    scenario = read_text(CELL + "[loss]\nignore_index = 2\n")
    assert scenario.loss is not None
    assert scenario.loss.ignore_index == 2
    assert scenario.batches[0].target is not None
    assert scenario.batches[0].target[:, 0].tolist() == [3, 1, 2, 3, 2]


def test_texts_of_different_lengths_are_filled_up_with_the_ignored_class() -> None:
    text = MODULE.replace('"hello"', '["hello", "he"]').replace('"ohlol"', '["ohlol", "oh"]')
    for ignored, loss in ((-100, ""), (0, "[loss]\nignore_index = 0\n"), (9, "[loss]\nignore_index = 9\n")):
        target = read_text(text + loss).batches[0].target
        assert target is not None
        assert target[:, 1].tolist() == [3, 1, ignored, ignored, ignored]


def test_steps_may_be_left_out_of_the_loss_by_index() -> None:
    scenario = read_text(MODULE.replace('text = "ohlol"', "indices = [-100, -100, -100, -100, 2]"))
    assert scenario.batches[0].target is not None
    assert scenario.batches[0].target[:, 0].tolist() == [-100, -100, -100, -100, 2]


def test_windows_share_the_rows_of_a_target_out() -> None:
    windows = """\
    input.values = [1, 2, 3, 4, 5]
    input.windows = {length = 2, batch_size = 2}
    recurrent = {module = "RNN", hidden_size = 3}
    weights.seed = 0
    """
    every = read_text(windows + "target.indices = [[0, 1, 2, 0, 1], [2, 1, 0, 2, 1]]")
    assert [batch.target.tolist() for batch in every.batches if batch.target is not None] == [
        [[0, 1], [2, 1]],
        [[2, 0], [0, 2]],
        [[1], [1]],
    ]
    final = 'linear = {out_features = 1, from = "h_n"}\ntarget.values = [[3], [4], [5], [6], [7]]'
    last = read_text(windows + final)
    assert last.loss is not None
    assert last.loss.name == "MSELoss"
    assert [batch.target.ravel().tolist() for batch in last.batches if batch.target is not None] == [
        [3, 4],
        [5, 6],
        [7],
    ]


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "SmoothL1Loss", "BCEWithLogitsLoss"])
@pytest.mark.parametrize(
    ("source", "shape"), [("output", (3, 2, 2)), ("h_n", (2, 2))], ids=["every step", "final state"]
)
def test_losses_of_numbers_take_values_of_the_shape_of_the_logits(
    name: str, source: str, shape: tuple[int, ...]
) -> None:
    values = np.linspace(0, 1, math.prod(shape)).reshape(shape).tolist()
    text = NUMBERS.replace("features = 2", f'features = 2\nfrom = "{source}"')
    scenario = read_text(text + f'[target]\nvalues = {values}\n[loss]\nname = "{name}"\n')
    assert scenario.loss is not None
    assert scenario.loss.name == name
    assert scenario.batches[0].target is not None
    assert scenario.batches[0].target.shape == shape
    [(_, message)] = problems(text + f'[target]\nvalues = {values[:1]}\n[loss]\nname = "{name}"\n')
    assert "`values`" in message


def test_reduction_none_is_refused_with_the_reason() -> None:
    [(position, message)] = problems(CELL + '[loss]\nreduction = "none"\n')
    assert position == (15, 1)
    assert "`backward` needs one number" in message
    assert '"mean" or "sum"' in message


# ── memory ───────────────────────────────────────────────────────────────────────────────────


def test_gradients_and_the_optimizers_numbers_are_counted_before_anything_is_made() -> None:
    plain = NUMBERS.replace("hidden_size = 3", "hidden_size = 100")
    target = "[target]\nvalues = [[[0, 0], [0, 0]], [[0, 0], [0, 0]], [[0, 0], [0, 0]]]\n"
    adam = target + '[training]\noptimizer = "Adam"\n'
    one = 4 * (300 * 102 + 600)  # bytes of the recurrent module's parameters
    for added, copies in (("", 1), (target, 2), (target + "[training]\n", 3), (adam, 5)):
        assert read_text(plain + added, limits=Limits(int(one * (copies + 0.9)))).parameters
        [(position, message)] = problems(plain + added, Limits(int(one * copies)))
        assert position == (5, 1)
        assert "GiB" in message


def test_values_of_a_long_run_count_twice_where_they_have_a_gradient() -> None:
    long = NUMBERS.replace("values = [[[1, 2], [0, 1]], [[3, 4], [1, 0]], [[5, 6], [0, 0]]]", "{}")
    text = long.format("random = {shape = [1000, 1, 2]}") + "[loss]\n[target]\n"
    text += f"values = {[[[0, 0]]] * 1000}\n"
    run = 4 * 1000 * (2 + 12 * 3 + 2 + 3 * 2)
    assert read_text(text, limits=Limits(int(2.5 * run))).loss is not None
    assert "GiB" in problems(text, Limits(int(1.5 * run)))[0][1]


# ── mistakes made on purpose ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_read_and_its_cure_is_the_same_without(mistake: str) -> None:
    scenario = read_text(CELL + f'mistake = "{mistake}"\n')
    assert scenario.training is not None
    assert scenario.training.mistake == mistake
    cure = scenario.cure
    assert cure is not None
    assert cure.training is not None
    assert cure.training.mistake is None
    assert cure.training.arguments == scenario.training.arguments
    assert cure.cure is None
    assert cure.title == scenario.title
    for name, values in scenario.parameters.items():
        np.testing.assert_array_equal(cure.parameters[name], values)


def test_a_scenario_without_mistake_and_cure_has_none() -> None:
    scenario = read_text(CELL)
    assert scenario.cure is None
    assert scenario.training is not None
    assert scenario.training.mistake is None


OTHER = {
    "MSELoss": NUMBERS
    + "[target]\nvalues = [[[0, 0], [0, 0]], [[0, 0], [0, 0]], [[0, 0], [0, 0]]]\n[training]\n",
    "together": CELL + "[loss]\nover_time = 'together'\n",
    "module": MODULE,
    "one step": CELL.replace('"hello"', '"h"').replace('"ohlol"', '"o"'),
    "own": CELL.replace("RNNCell", "mine")
    + "[cell.mine]\nstate = ['h']\nparameters.W = 'hidden_size, input_size'\nequations = 'h = W @ x + h_prev'\n",
    "windows": """\
    input = {values = [1, 2, 3, 4], windows = {length = 2}}
    recurrent = {module = "RNN", hidden_size = 3}
    weights.seed = 0
    target.indices = [[0, 1, 2, 0], [0, 1, 2, 0]]
    [training]
    """,
}


@pytest.mark.parametrize(
    ("base", "mistake", "says"),
    [
        ("MSELoss", "softmax_before_cross_entropy", "CrossEntropyLoss, found MSELoss"),
        ("module", "backward_inside_the_loop", "found RNN"),
        ("own", "backward_inside_the_loop", "found mine"),
        ("together", "backward_inside_the_loop", '`over_time = "sum"`'),
        ("one step", "backward_inside_the_loop", "more than one step"),
        ("own", "h_0_of_the_wrong_shape", "a module of torch"),
        ("windows", "hidden_not_reset", "found 4"),
    ],
)
def test_a_mistake_that_cannot_be_made_here_is_told_once(base: str, mistake: str, says: str) -> None:
    text = OTHER[base].replace("[training]", f"[training]\nmistake = '{mistake}'")
    [(position, message)] = problems(text)
    assert text.split("\n")[position[0] - 1][position[1] - 1 :].startswith("mistake")
    assert message.startswith(f'`mistake`: "{mistake}" needs ')
    assert says in message


# ── cures ────────────────────────────────────────────────────────────────────────────────────


def test_a_cure_puts_its_keys_in_place_and_leaves_the_rest() -> None:
    text = CELL + lines("[cure]", "input.indices = [1, 0, 2, 2, 3]", "training.clip_grad_norm = 1.0")
    scenario = read_text(text.replace('"hello"', '"hlllo"'))
    cure = scenario.cure
    assert cure is not None
    assert scenario.batches[0].indices is not None
    assert cure.batches[0].indices is not None
    assert scenario.batches[0].indices[:, 0].tolist() == [1, 2, 2, 2, 3]
    assert cure.batches[0].indices[:, 0].tolist() == [1, 0, 2, 2, 3]
    assert cure.training is not None
    assert (cure.training.clip_grad_norm, cure.training.optimizer) == (1.0, "Adam")
    assert cure.training.arguments["lr"] == 0.1
    assert cure.vocabulary == scenario.vocabulary


def test_a_cure_takes_the_mistake_away_too() -> None:
    cure = cure_of(CELL + lines('mistake = "no_zero_grad"', "[cure.training]", "lr = 0.05"))
    assert cure.training is not None
    assert cure.training.mistake is None
    assert cure.training.arguments["lr"] == 0.05


def test_a_source_of_the_cure_drives_the_files_out(tmp_path: Path) -> None:
    assert cure_of(CELL + "[cure]\ntarget.indices = [3, 3, 3, 3, 3]\n").batches[0].target is not None
    whole = "[cure]\nweights = {seed = 3, round = 1}\n"
    path = tmp_path / "file.toml"
    path.write_text(
        CELL.replace("[training]", "[loss]\n[training]") + "[cure.data]\nfile = 'rows.csv'\n"
        '[cure.linear]\nfrom = "h_n"\n[cure.recurrent]\nmodule = "RNN"\n'
    )
    (tmp_path / "rows.csv").write_text("text,label\nhello,a\nhole,b\n")
    cure = read(path).cure
    assert cure is not None
    assert cure.target_vocabulary == ("a", "b")
    assert cure.recurrent.module == "RNN"
    weights = cure_of(CELL + whole).parameters["weight_ih"]
    assert (np.round(weights, 1) == weights).all()


def test_lists_of_a_cure_are_put_in_place_whole() -> None:
    cure = cure_of(CELL + '[cure]\nvocabulary = ["o", "l", "h", "e"]\n')
    assert cure.vocabulary == ("o", "l", "h", "e")
    assert cure.batches[0].indices is not None
    assert cure.batches[0].indices[:, 0].tolist() == [2, 3, 1, 1, 0]


def test_wishes_of_the_command_line_hold_for_the_cure_too() -> None:
    scenario = read_text(CELL + 'mistake = "no_zero_grad"\n', dtype="float64", decimals=2)
    assert scenario.cure is not None
    assert scenario.cure.display == scenario.display
    assert scenario.cure.parameters["weight_ih"].dtype == np.float64


@pytest.mark.parametrize(
    ("cure", "line", "says"),
    [
        (["[cure]", "input.indices = [1, 0, 2, 2, 9]"], (15, 30), "`indices[4]`: found 9"),
        (["[cure]", "training.lr = -1"], (15, 10), "`lr`: found -1"),
        (["[cure.training]", "lr = -1"], (15, 1), "`lr`: found -1"),
        (["[cure]", "recurrent.hiden_size = 5"], (15, 11), "did you mean `hidden_size`?"),
        (["[cure]", "hidden_size = 5"], (15, 1), "belongs in [recurrent]"),
        (["[cure]", "recurrent = 5"], (15, 1), "a table"),
        (["[cure]", "input.indices = [1, 0, 2, 2]"], (14, 1), "line 10 does not fit it: `text`"),
        (["[cure]"], (14, 1), "[cure] changes nothing"),
        (["[cure]", "training.lr = 0.1"], (14, 1), "[cure] changes nothing"),
        (["[cure]", 'training.mistake = "no_zero_grad"'], (15, 10), "`mistake`: a cure has none"),
        (["[cure]", "cure.training.lr = 1"], (15, 1), "`cure`: a cure has none"),
        (["[cure]", 'training.mistake = "x"', "training.lr = 1"], (15, 10), "`mistake`: a cure has none"),
        (["[cure]", 'input.file = "no.csv"'], (15, 7), "there is no file"),
    ],
)
def test_what_is_wrong_with_a_cure_is_told_at_its_place(
    cure: list[str], line: tuple[int, int], says: str
) -> None:
    [(position, message)] = problems(CELL + lines(*cure))
    assert position == line
    assert says in message


def test_mistakes_of_the_file_are_not_told_again_for_the_cure() -> None:
    text = CELL.replace("hidden_size = 4", "hidden_size = 0") + "[cure]\ntraining.lr = -1\n"
    assert [position for position, _ in problems(text)] == [(6, 1), (15, 10)]


def test_a_cure_that_is_no_table_is_told() -> None:
    [(position, message)] = problems("cure = 4\n" + CELL)
    assert position == (1, 1)
    assert "`cure`: found 4, expected a table" in message


class _Target:
    store = "parameters"
    key = "weight_ih"
    index = (0, 0)


class _Edit:
    target = _Target()


def test_a_saved_edit_keeps_the_mistake_and_its_cure(tmp_path: Path) -> None:
    text = CELL + lines('mistake = "no_zero_grad"', "[cure]", "training.lr = 0.05")
    scenario = read_text(text, tmp_path / "file.toml")
    again = read_text(edited_text(scenario, [_Edit()], tmp_path))
    assert again.training == scenario.training
    assert again.cure is not None
    assert again.cure.training is not None
    assert again.cure.training.arguments["lr"] == 0.05


# ── the bundled ones ─────────────────────────────────────────────────────────────────────────


def test_every_pitfall_has_a_cure_and_says_how() -> None:
    names = {name.removeprefix("pitfalls/") for name in bundled.names() if name.startswith("pitfalls/")}
    assert names == PITFALLS
    for name in names:
        scenario = read(bundled.find(f"pitfalls/{name}"))
        assert scenario.cure is not None
        assert "Cure: " in scenario.summary.en
        assert "To find it, " in scenario.summary.en
        assert "改正：" in scenario.summary.zh
        assert "怎样发现：" in scenario.summary.zh


def test_every_mistake_has_its_pitfall() -> None:
    for mistake in MISTAKES:
        training = read(bundled.find(f"pitfalls/{mistake}")).training
        assert training is not None
        assert training.mistake == mistake


def test_the_folder_of_pitfalls_has_a_name() -> None:
    assert bundled.find("pitfalls") == bundled.folder() / "pitfalls"


def test_the_names_are_of_eighteen_countries_and_each_stands_once() -> None:
    with (bundled.folder() / "names.csv").open(encoding="ascii", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["name", "country"]
    names = [name for name, _ in rows]
    assert len(set(names)) == len(names)
    assert all(name.replace("'", "").isalpha() for name in names)
    counts = {country: [one for _, one in rows].count(country) for _, country in rows}
    assert len(counts) == 18
    assert set(counts.values()) == {25}


def test_names_are_kept_apart_and_the_others_come_in_batches() -> None:
    scenario = read(bundled.find("names"))
    assert sum(batch.num_rows for batch in scenario.test_batches) == 90
    assert [batch.num_rows for batch in scenario.batches] == [60] * 6
    assert scenario.target_vocabulary is not None
    assert len(scenario.target_vocabulary) == 18
    assert all(batch.packed for batch in scenario.batches)


def test_the_texts_of_vanishing_differ_in_their_first_letter_alone() -> None:
    rnn, lstm = (read(bundled.find(name)) for name in ("vanishing", "vanishing_lstm"))
    for scenario in (rnn, lstm):
        [batch] = scenario.batches
        assert batch.first.num_steps == 60
        assert batch.indices is not None
        assert (batch.indices[1:, 0] == batch.indices[1:, 1]).all()
        assert batch.indices[0].tolist() == [0, 1]
    assert (rnn.loss, rnn.training) == (lstm.loss, lstm.training)
