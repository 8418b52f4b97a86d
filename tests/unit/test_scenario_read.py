"""What a good scenario file becomes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from rnnstep.engine import Model
from rnnstep.errors import UsageError
from rnnstep.modules.linear import Linear
from rnnstep.scenario import bundled
from rnnstep.scenario.localized import Localized
from rnnstep.scenario.model import Loss, Training
from rnnstep.scenario.read import read, read_text

RNN = """\
input.values = [[[1, 2]], [[3, 4]]]
recurrent = {module = "RNN", hidden_size = 3}
weights.seed = 0
"""
CELL = """\
vocabulary = ["e", "h", "l", "o"]
input.text = "hello"
recurrent = {module = "GRUCell", hidden_size = 4}
weights.seed = 0
"""
TARGET = 'target.text = "ohlol"\n'
OWN = '''\
input.values = [[1, 2], [3, 4]]
recurrent = {module = "mine", hidden_size = 2, proj_size = 1}
weights.seed = 0
[cell.mine]
state = {h = "proj_size", c = "hidden_size"}
parameters = {W = "hidden_size, input_size", P = ["proj_size", "hidden_size"], k = 1}
equations = """
c = W @ x + k * c_prev
h = P @ c + h_prev
"""
'''


def test_input_size_follows_from_the_data() -> None:
    assert read_text(RNN).recurrent.input_size == 2
    assert read_text(CELL).recurrent.input_size == 4


def test_defaults_are_those_of_torch() -> None:
    recurrent = read_text(RNN).recurrent
    assert (recurrent.num_layers, recurrent.nonlinearity, recurrent.bias) == (1, "tanh", True)
    assert (recurrent.batch_first, recurrent.dropout, recurrent.bidirectional) == (False, 0.0, False)
    assert (recurrent.proj_size, recurrent.mode) == (0, "eval")


def test_sizes_of_embedding_and_linear_follow_from_input_and_target() -> None:
    scenario = read_text(
        CELL.replace("hidden_size", "input_size = 10, hidden_size") + TARGET + "[embedding]\n[linear]\n"
    )
    assert scenario.lookup is not None
    assert (scenario.lookup.num_embeddings, scenario.lookup.embedding_dim) == (4, 10)
    assert isinstance(scenario.head, Linear)
    assert scenario.head.out_features == 4


def test_a_negative_padding_idx_counts_from_the_end() -> None:
    scenario = read_text(CELL + "embedding = {embedding_dim = 3, padding_idx = -1}\n")
    assert scenario.lookup is not None
    assert scenario.lookup.padding_idx == 3


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        (RNN, None),
        (CELL + TARGET, Loss("CrossEntropyLoss", over_time="sum")),
        (CELL.replace("GRUCell", "GRU") + TARGET, Loss("CrossEntropyLoss", over_time="together")),
        (RNN + "target.values = [[[1, 2, 3]], [[4, 5, 6]]]", Loss("MSELoss")),
        (CELL + TARGET + 'loss = {over_time = "together", ignore_index = 2}', Loss(ignore_index=2)),
    ],
)
def test_the_loss_that_is_not_given_fits_target_and_module(text: str, loss: Loss | None) -> None:
    assert read_text(text).loss == loss


def test_an_optimizer_has_all_of_torchs_arguments() -> None:
    training = read_text(
        CELL + TARGET + 'training = {optimizer = "SGD", momentum = 1, nesterov = true}'
    ).training
    assert isinstance(training, Training)
    assert dict(training.arguments) == {
        "lr": 1e-3,
        "momentum": 1.0,
        "dampening": 0.0,
        "weight_decay": 0.0,
        "nesterov": True,
        "maximize": False,
    }
    assert (training.epochs, training.clip_grad_norm) == (1, None)


def test_the_order_is_by_time_unless_bidirectional() -> None:
    assert read_text(RNN).display.order == "time"
    assert read_text(RNN.replace("3}", "3, bidirectional = true}")).display.order == "layer"
    assert read_text(RNN + 'display.order = "layer"').display.order == "layer"


def test_the_command_line_goes_before_the_file() -> None:
    text = RNN + 'display = {dtype = "float32", decimals = 2, language = "en"}'
    scenario = read_text(text, dtype="float64", decimals=0, language="zh")
    assert (scenario.display.dtype, scenario.display.decimals, scenario.display.language) == (
        "float64",
        0,
        "zh",
    )
    assert scenario.parameters["weight_ih_l0"].dtype == np.float64


def test_title_and_summary_are_one_text_or_one_a_language() -> None:
    scenario = read_text('title = "one"\nsummary = {zh = "二", en = "two\\n\\tlines"}\n' + RNN)
    assert scenario.title == Localized("one")
    assert scenario.summary == Localized("two\n    lines", "二")


def test_without_a_title_the_file_gives_it() -> None:
    assert read_text(RNN, "folder/my lesson.toml").title.into("zh") == "my lesson"


def test_ascii_is_a_vocabulary_of_128() -> None:
    scenario = read_text(CELL.replace('["e", "h", "l", "o"]', '"ascii"'))
    assert scenario.is_ascii
    assert scenario.recurrent.input_size == 128


def test_letters_of_a_target_are_named_by_the_vocabulary() -> None:
    assert read_text(CELL + TARGET).target_vocabulary == ("e", "h", "l", "o")
    assert read_text(CELL + "target.indices = [3, 1, 2, 3, 2]").target_vocabulary == ("e", "h", "l", "o")
    other = "target.indices = [4, 1, 2, 3, 2]\nlinear.out_features = 5"
    assert read_text(CELL + other).target_vocabulary is None


def test_an_own_cell_has_its_own_parameters_in_the_files_order() -> None:
    scenario = read_text(OWN)
    assert scenario.recurrent.is_own
    assert scenario.recurrent.is_cell
    assert scenario.recurrent.output_size == 1
    assert {name: array.shape for name, array in scenario.parameters.items()} == {
        "W": (2, 2),
        "P": (1, 2),
        "k": (1,),
    }


CONTRACT = '''\
vocabulary = ["e", "h", "l", "o"]

[input]
text = "hello"

[recurrent]
module = "mgu"
hidden_size = 4

[weights]
seed = 2

[cell.mgu]                                    # minimal gated unit
state = ["h"]
parameters = {W_f = "hidden_size, input_size", U_f = "hidden_size, hidden_size", b_f = "hidden_size",
              W_n = "hidden_size, input_size", U_n = "hidden_size, hidden_size", b_n = "hidden_size"}
equations = """
f = sigmoid(W_f @ x + U_f @ h_prev + b_f)
n = tanh(W_n @ x + U_n @ (f * h_prev) + b_n)
h = (1 - f) * h_prev + f * n
"""
'''


def test_the_own_cell_whose_table_in_braces_takes_several_lines_is_read_and_runs() -> None:
    scenario = read_text(CONTRACT)
    assert list(scenario.parameters) == ["W_f", "U_f", "b_f", "W_n", "U_n", "b_n"]
    output = Model(scenario).run().output
    assert output.shape == (5, 1, 4)
    assert (output != 0).all()


def test_tables_in_braces_hold_comments_a_last_comma_and_new_escapes() -> None:
    text = RNN.replace("3}", "3,  # units\n  # and no more\n}")
    scenario = read_text('title = "\\x52NN"\n' + text)
    assert scenario.title.en == "RNN"
    assert scenario.recurrent.hidden_size == 3


def test_a_scenario_keeps_its_text_for_saving() -> None:
    assert read_text(RNN).file_text == RNN


@pytest.mark.parametrize("name", bundled.names())
def test_every_bundled_scenario_is_read_and_has_both_languages(name: str) -> None:
    scenario = read(bundled.find(name))
    assert scenario.name == Path(name).name
    assert scenario.title.en
    assert scenario.title.zh
    assert scenario.summary.en
    assert scenario.summary.zh


def test_a_bundled_name_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert bundled.find("hello").name == "hello.toml"


def test_a_path_that_exists_goes_before_a_bundled_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(bundled.find("rnn"), tmp_path / "hello")
    assert bundled.find("hello") == Path("hello")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("helo", "did you mean hello?"),
        ("zzzzzz", "`rnnstep list` names them"),
        ("lessn.toml", r"did you mean lesson.toml\?"),
        ("none/none.toml", "there is no such file"),
        ("", "no file"),
        ("nul\0", "no file"),
        ("\x1b[2J", r"\\x1b\[2J: no file"),
    ],
)
def test_what_is_neither_file_nor_bundled_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lesson.toml").touch()
    with pytest.raises(UsageError, match=says):
        bundled.find(name)
