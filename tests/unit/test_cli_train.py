"""`rnnstep train`: its rows, what goes before the file, what is saved, and how it is stopped."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

import rnnstep
from rnnstep import reports
from rnnstep.cli import main, progress
from rnnstep.cli.page import TextPage
from rnnstep.cli.progress import Bar, Interrupts
from rnnstep.cli.training_text import training_pieces
from rnnstep.reports.training import training_run
from rnnstep.scenario.bundled import find, names
from rnnstep.scenario.modules import remarks
from rnnstep.scenario.read import read
from rnnstep.views.alphabet import UNICODE
from rnnstep.views.rows import width as cells_of
from tests.forked import Forked
from tests.unit.command_line import OWN, run, written

TRAINED = [name for name in names() if read(find(name)).training is not None]
PATIENCE = 300.0  # seconds that something may take on a busy machine
ROW = re.compile(r" *(\d+) +(\S+) +(\S+) +(\S+) +(\d+)%  (\w+)$")

OWN_TRAINED = f"{OWN}[training]\nlr = 0.1\nepochs = 3\n"
ARRAYS = """
[input]
values = [[[0.5], [1.0]]]
[recurrent]
module = "RNN"
hidden_size = 1
[weights]
weight_ih_l0 = [[1]]
weight_hh_l0 = [[0.5]]
bias_ih_l0 = [0]
[target]
values = [[[0.1], [0.3]]]
[training]
lr = 0.1
epochs = 3
"""

LABELLED = """
vocabulary = "ascii"
[data]
file = "words.csv"
test = 0.25
seed = 0
batch_size = 5
[embedding]
embedding_dim = 2
[recurrent]
module = "RNN"
hidden_size = 3
[linear]
from = "h_n"
[weights]
seed = 0
[training]
lr = 0.1
epochs = 1
"""


def epochs(capsys, *arguments):
    return json.loads(run(capsys, "train", *arguments, "--format", "json")[1])["epochs"]


@pytest.mark.parametrize("name", TRAINED)
def test_every_bundled_training_agrees_in_every_format(name, capsys, monkeypatch):
    """Each format is written of the same epochs, as they come; they are gone through once."""
    trained = []

    def once(*arguments, **options):
        if trained:
            return Replayed(trained[0])
        trained.append(training_run(*arguments, **options))
        return trained[0]

    monkeypatch.setattr(reports.training, "training_run", once)
    for form in ("text", "json", "csv"):
        count = "2" if name == "names" else "4"  # whose epochs take seconds
        status, out, err = run(capsys, "train", name, "--format", form, "--epochs", count)
        assert (status, err) == (0, "".join(f"{one.into('en')}\n" for one in remarks(read(find(name)))))
        assert out
        if (name, form) == ("names", "json"):
            _learns_from_its_test_rows_nothing(json.loads(out)["epochs"][0])


def _learns_from_its_test_rows_nothing(epoch):
    assert 0 <= epoch["test_accuracy"] < 0.2
    assert len(epoch["prediction"]) == 360


class Replayed:
    """A training that was gone through, once more from its beginning."""

    def __init__(self, done):
        self._done = done
        self.epochs = []

    def __getattr__(self, name):
        return getattr(self._done, name)

    @property
    def is_done(self):
        return len(self.epochs) == len(self._done.epochs)

    def advance(self):
        self.epochs.append(self._done.epochs[len(self.epochs)])
        return self.epochs[-1]


# ── rows ─────────────────────────────────────────────────────────────────────────────


def test_text_has_a_row_an_epoch(capsys):
    _, out, _ = run(capsys, "train", "hello")
    rows = [match.groups() for line in out.splitlines() if (match := ROW.match(line))]
    assert [int(row[0]) for row in rows] == list(range(1, 16))
    assert [row[5] for row in rows][:5] == ["heeee", "hhlll", "ohlll", "ohlll", "ohlol"]
    assert rows[0][1] == rows[0][2] == "7.0365"
    assert "wanted: ohlol" in out


def test_json_is_the_dictionary(capsys, tmp_path):
    for name in ("hello", "weather", "vanishing", "pitfalls/no_zero_grad", written(tmp_path, OWN_TRAINED)):
        _, out, _ = run(capsys, "train", name, "--format", "json", "--epochs", "4")
        assert json.loads(out) == rnnstep.train(name, epochs=4).as_dict()


def test_json_has_the_contracts_keys(capsys):
    found = json.loads(run(capsys, "train", "hello", "--format", "json")[1])
    assert list(found) == ["epochs", "max_abs_diff", "agrees"]
    assert list(found["epochs"][0]) == ["epoch", "loss", "prediction", "reference_loss"]
    assert [epoch["epoch"] for epoch in found["epochs"]] == list(range(1, 16))
    assert found["epochs"][4]["prediction"] == "ohlol"
    assert "prediction" not in epochs(capsys, "weather")[0]
    assert epochs(capsys, "vanishing", "--epochs", "1")[0]["prediction"] == ["b", "b"]


def test_loss_is_that_before_the_update(capsys):
    assert epochs(capsys, "hello")[0]["loss"] == rnnstep.grad("hello").loss


def test_test_rows_are_told(capsys, tmp_path):
    path = written(tmp_path, LABELLED)
    (tmp_path / "words.csv").write_text(
        "text,label\n" + "".join(f"{'ab'[k % 2] * 3},{k % 2}\n" for k in range(20))
    )
    found = epochs(capsys, path, "--epochs", "1")[0]
    assert 0 <= found["test_accuracy"] <= 1
    assert len(found["prediction"]) == 15
    assert "on the test rows" in run(capsys, "train", path, "--epochs", "1")[1]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [80, 63, 60, 52, 50, 47, 44, 40])
def test_the_table_fits_the_page(tmp_path, width, language):
    path = written(tmp_path, LABELLED)
    (tmp_path / "words.csv").write_text(
        "text,label\n" + "".join(f"{'ab'[k % 2] * 3},{k % 2}\n" for k in range(20))
    )
    trained = training_run(read(path))
    page = TextPage(language, 4, UNICODE, width)
    lines = "".join(training_pieces(trained, [trained.advance(), trained.advance()], page)).splitlines()
    rows = [line for line in lines if line.endswith("%") and line.split()[0].isdigit()]
    heads = lines[: lines.index(rows[0])]
    heads = heads[len(heads) - heads[::-1].index("") :]
    assert len(rows) == 2
    assert max(map(cells_of, [*heads, *rows])) <= width
    assert cells_of(heads[-1]) == cells_of(rows[0])  # its last word stands above the last number
    assert len(heads) == 1 or width < 63


def test_csv_has_a_row_an_epoch(capsys):
    _, out, _ = run(capsys, "train", "hello", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [float(row["loss"]) for row in rows] == [epoch["loss"] for epoch in epochs(capsys, "hello")]
    assert rows[4]["prediction"] == "ohlol"
    assert rows[4]["accuracy"] == "1.0"
    assert rows[4]["test_accuracy"] == ""


def test_own_cell_is_a_self_check(capsys, tmp_path):
    path = written(tmp_path, OWN_TRAINED)
    found = epochs(capsys, path)[0]
    assert found["reference_loss"] is None
    assert found["self_check_loss"] == pytest.approx(found["loss"], rel=1e-6)
    out = run(capsys, "train", path)[1]
    assert "self-check torch" in out
    assert "(self-check)" in out


def test_disagreement_is_loud_and_status_1(capsys, monkeypatch):
    monkeypatch.setattr("rnnstep.reference.run.training.take_step", lambda *_: None)  # torch never learns
    status, out, _ = run(capsys, "train", "hello")
    assert status == 1
    assert "✗ torch disagrees: e1:update:" in out
    assert next(line for line in out.splitlines() if line.startswith("    1 ")).endswith("✗")
    assert json.loads(run(capsys, "train", "hello", "--format", "json")[1])["agrees"] is False


# ── mistakes and their cures ─────────────────────────────────────────────────────────


def test_mistake_stands_beside_its_cure(capsys):
    _, out, _ = run(capsys, "train", "pitfalls/no_zero_grad")
    cured = rnnstep.train("hello", epochs=20)
    row = next(line for line in out.splitlines() if line.startswith("   20 "))
    assert row.split("│")[1].split() == [f"{cured.epochs[19].loss:.4f}", "ohlol"]
    assert "the cure: optimizer.zero_grad() before every loss.backward()" in out
    found = json.loads(run(capsys, "train", "pitfalls/no_zero_grad", "--format", "json")[1])
    assert found["cure"]["epochs"][19] == {
        "epoch": 20, "loss": cured.epochs[19].loss, "prediction": "ohlol",
    }  # fmt: skip


def test_mistake_in_the_data_names_what_was_meant(capsys):
    _, out, _ = run(capsys, "train", "pitfalls/oholo")
    assert "wanted: oholo\nwith the cure: ohlol\n" in out
    assert "the cure: target.indices = [3, 1, 2, 3, 2]" in out


def test_what_was_learnt_is_asked_from_a_fresh_start(capsys):
    _, out, _ = run(capsys, "train", "pitfalls/hidden_not_reset")
    assert "says lhlol" in out.partition("after 15 updates")[2].partition("\n")[0]
    assert "with the cure: loss 0.0133, says ohlol" in out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("backward_inside_the_loop", "RuntimeError: Trying to backward through the graph a second time"),
        ("backward_inside_the_loop", "modified by an inplace operation"),
        ("h_0_of_the_wrong_shape", "RuntimeError: Expected hidden size (1, 1, 8), got [1, 1, 4]"),
    ],
)
def test_what_torch_refuses_is_told_in_its_words(name, words, capsys):
    status, out, _ = run(capsys, "train", f"pitfalls/{name}")
    assert status == 0
    assert words in " ".join(out.split())
    assert "the training with the cure" in out
    assert "│" not in out


def test_a_refused_mistake_is_told_in_json_and_above_the_gradients(capsys):
    _, out, _ = run(capsys, "train", "pitfalls/backward_inside_the_loop", "--format", "json")
    mistake = json.loads(out)["mistake"]
    assert mistake["name"] == "backward_inside_the_loop"
    assert "a second time" in mistake["refused"][0]
    _, out, _ = run(capsys, "grad", "pitfalls/backward_inside_the_loop")
    assert "the numbers are those of the cure" in " ".join(out.split())


# ── what goes before the file ────────────────────────────────────────────────────────


def test_options_go_before_the_file(capsys):
    found = epochs(capsys, "hello", "--epochs", "3", "--lr", "0.05", "--seed", "7")
    assert len(found) == 3
    assert found == rnnstep.train("hello", epochs=3, lr=0.05, seed=7).as_dict()["epochs"]
    assert found[0]["loss"] != epochs(capsys, "hello")[0]["loss"]


def test_options_are_the_files_own_words(capsys, tmp_path):
    text = find("hello").read_text("utf-8")
    for before, after in (("seed = 2", "seed = 7"), ("lr = 0.1", "lr = 0.05"), ("epochs = 15", "epochs = 3")):
        assert before in text
        text = text.replace(before, after)
    assert epochs(capsys, written(tmp_path, text)) == epochs(
        capsys, "hello", "--epochs", "3", "--lr", "0.05", "--seed", "7"
    )


def test_options_reach_the_cure(capsys):
    found = json.loads(
        run(capsys, "train", "pitfalls/oholo", "--epochs", "3", "--seed", "7", "--format", "json")[1]
    )
    assert found["cure"]["epochs"] == [
        {"epoch": epoch.epoch, "loss": epoch.loss, "prediction": epoch.prediction}
        for epoch in rnnstep.train("hello", epochs=3, seed=7).epochs
    ]


def test_seed_draws_an_embedding_anew(capsys):
    first = epochs(capsys, "embedding", "--epochs", "1", "--seed", "5")[0]
    assert first["loss"] == pytest.approx(first["reference_loss"], rel=1e-6)
    assert first["loss"] != epochs(capsys, "embedding", "--epochs", "1")[0]["loss"]


def test_dtype_and_options_together(capsys):
    found = epochs(capsys, "hello", "--dtype", "float64", "--epochs", "2")
    assert abs(found[1]["loss"] - found[1]["reference_loss"]) < 1e-12


def test_seed_beside_arrays_is_refused(capsys, tmp_path):
    status, out, err = run(capsys, "train", written(tmp_path, ARRAYS), "--seed", "3")
    assert (status, out) == (2, "")
    assert err.startswith("--seed: the file gives its weights as arrays")
    assert run(capsys, "train", written(tmp_path, ARRAYS))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs: found 0, expected a whole number from 1"),
        (["--epochs", "1e3"], "--epochs: found 1e3, expected a whole number"),
        (["--lr", "fast"], "--lr: found fast, expected a number"),
        (["--lr", "-0.1"], "--lr: found -0.1, expected a number"),
        (["--lr", "1e999"], "--lr: found 1e999, expected a number"),
        (["--lr", "nan"], "--lr: found nan, expected a number"),
        (["--seed", "1.5"], "--seed: found 1.5, expected a whole number"),
        (["--seed", str(2**64)], f"--seed: found {2**64}, expected a whole number"),
        (["--format", "npz"], "--format: found npz, expected one of text, json, csv"),
    ],
)
def test_bad_options_are_told(arguments, message, capsys):
    status, out, err = run(capsys, "train", "hello", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(message)


def test_largest_and_smallest_seed_are_taken(capsys):
    for seed in (2**64 - 1, -(2**63)):
        assert len(epochs(capsys, "hello", "--epochs", "1", "--seed", str(seed))) == 1


def test_no_training_is_a_usage_error(capsys, tmp_path):
    assert run(capsys, "train", "packed")[2].startswith("packed: there is no loss")
    text = find("hello").read_text("utf-8").partition("[training]")[0]
    status, out, err = run(capsys, "train", written(tmp_path, text))
    assert (status, out) == (2, "")
    assert err == ('s: there is no [training]; add one, such as optimizer = "Adam", lr = 0.1, epochs = 15\n')


# ── what is saved ────────────────────────────────────────────────────────────────────


def test_saved_weights_go_on_where_training_ended(capsys, tmp_path):
    path = tmp_path / "trained.safetensors"
    assert run(capsys, "train", "hello", "--save", str(path))[0] == 0
    text = find("hello").read_text("utf-8").replace("seed = 2 ", f'file = "{path.name}" ')
    assert path.name in text
    again = written(tmp_path, text)
    assert epochs(capsys, again)[0]["loss"] == epochs(capsys, "hello", "--epochs", "16")[15]["loss"]


def test_saved_names_are_torchs(tmp_path):
    path = tmp_path / "w.safetensors"
    assert main(["train", "embedding", "--epochs", "2", "--save", str(path)]) == 0
    found = load_file(path)
    trained = rnnstep.train("embedding", epochs=2).parameters
    assert found.keys() == trained.keys()
    assert "embedding.weight" in found
    for name, value in trained.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype


def test_file_that_is_there_is_kept(capsys, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_text("mine")
    status, out, err = run(capsys, "train", "hello", "--save", str(path))
    assert (status, out) == (2, "")
    assert err == f"{path} is there already: pass --force to replace it\n"
    assert path.read_text() == "mine"
    assert run(capsys, "train", "hello", "--save", str(path), "--force")[0] == 0
    assert load_file(path)


def test_one_file_cannot_be_two(capsys, tmp_path):
    path = str(tmp_path / "both")
    status, _, err = run(capsys, "train", "hello", "--save", path, "--output", path)
    assert (status, err) == (2, "--output and --save name the same file\n")


def test_output_is_what_would_be_printed(capsys, tmp_path):
    path = tmp_path / "out.txt"
    assert run(capsys, "train", "hello", "--output", str(path)) == (0, "", "")
    assert path.read_text("utf-8") == run(capsys, "train", "hello")[1]
    assert os.listdir(tmp_path) == ["out.txt"]


# ── stopping ─────────────────────────────────────────────────────────────────────────


def interrupted(*arguments, after):
    """Start a training, press Ctrl-C when a line matches, and give status, output and messages."""
    words = [sys.executable, "-m", "rnnstep", "train", "hello", "--epochs", "900000000", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Forked(words, torch=True, **streams, text=True) as started:
        lines = []
        for line in started.stdout:
            lines.append(line)
            if after in line:
                started.send_signal(signal.SIGINT)
                break
        out, err = "".join(lines) + started.stdout.read(), started.stderr.read()
        return started.wait(timeout=PATIENCE), out, err


def test_rows_come_as_they_are_done_and_ctrl_c_keeps_them(tmp_path):
    """The first rows are there long before a training of so many epochs could end."""
    path = tmp_path / "w.safetensors"
    status, out, err = interrupted("--save", str(path), after="    3  ")
    assert status == 130
    match = re.match(r"stopped after (\d+) of 900000000 epochs\n", err)
    assert match
    assert err[match.end() :] == f"the trained weights stand in {path}\n"
    done = int(match[1])
    assert "    1     7.0365" in out
    assert f"after {done} updates, " in out
    assert "give the same training" in out
    assert (
        load_file(path)["weight_hh"].tolist()
        == rnnstep.train("hello", epochs=done).parameters["weight_hh"].tolist()
    )


def test_ctrl_c_leaves_whole_json():
    status, out, _ = interrupted("--format", "json", after='"epoch": 2,')
    found = json.loads(out)
    assert status == 130
    assert len(found["epochs"]) >= 2
    assert found["agrees"]


def test_ctrl_c_before_the_first_epoch_leaves_whole_json(capsys, monkeypatch):
    class Pressed(Interrupts):
        def __enter__(self):
            self.is_asked = True
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr("rnnstep.cli.progress.Interrupts", Pressed)
    status, out, err = run(capsys, "train", "hello", "--format", "json")
    assert status == 130
    assert json.loads(out) == {"epochs": [], "max_abs_diff": {"loss": 0.0}, "agrees": True}
    assert err == "stopped after 0 of 15 epochs\n"
    assert run(capsys, "train", "hello")[0] == 130


def test_ctrl_c_while_the_bar_is_written_is_told_afterwards(monkeypatch):
    class Written(io.StringIO):
        def isatty(self):
            return True

        def write(self, text):
            assert not self.is_busy  # Python's own stream would raise RuntimeError
            self.is_busy = True
            if "1/2" in text:
                os.kill(os.getpid(), signal.SIGINT)
            self.is_busy = False
            return super().write(text)

    written = Written()
    written.is_busy = False
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    bar = Bar(2, "hello")
    with Interrupts(bar, "en") as interrupts:
        bar.draw(1)
        assert interrupts.is_asked
    bar_and_clear, _, told = written.getvalue().rpartition("\r\x1b[K")
    assert "1/2" in bar_and_clear
    assert told.startswith("stopping after this epoch")


def test_second_ctrl_c_stops_at_once():
    before = signal.getsignal(signal.SIGINT)
    with Interrupts(Bar(1, "a bar"), "en") as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.is_asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def terminal():
    """A terminal of our own: its end to read from, and the other one for a program."""
    ends = pty.openpty()
    yield ends
    os.close(ends[0])


def on_terminal(terminal, *arguments, **streams):
    """Start a training whose standard error is a terminal."""
    started = Forked(
        [sys.executable, "-m", "rnnstep", "train", *arguments],
        torch=True,
        **{"stdout": subprocess.DEVNULL, "stderr": terminal[1], **streams},
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(terminal[1])
    return started


def test_bar_on_a_terminal_is_cleared(terminal):
    started = on_terminal(terminal, "hello", "--epochs", "900000000", "--format", "json")
    seen = read_until(terminal[0], b"/900000000  ")
    assert b"hello [" in seen
    started.send_signal(signal.SIGINT)
    seen = read_until(terminal[0], None)
    assert started.wait(timeout=PATIENCE) == 130
    assert b"stopped after" in seen
    assert seen.rpartition(b"\r\x1b[K")[2].rstrip().endswith(b"epochs")


def test_rows_on_a_terminal_stand_clear_of_the_bar(terminal):
    started = on_terminal(terminal, "hello", "--epochs", "300", stdout=terminal[1])
    seen = read_until(terminal[0], None)
    assert started.wait(timeout=PATIENCE) == 0
    lines = [line.rpartition(b"\r\x1b[K")[2] for line in seen.split(b"\r\n")]
    rows = [match for line in lines if (match := ROW.match(line.decode()))]
    assert [int(row[1]) for row in rows] == list(range(1, 301))
    assert seen.count(b"hello [") > 1
    assert not any(b"hello [" in line for line in lines)


def test_short_training_shows_no_bar(monkeypatch):
    """By a clock of the test's own: how long a run takes is the machine's affair."""
    now, written = [100.0], io.StringIO()
    written.isatty = lambda: True
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bar = Bar(10, "hello")
    now[0] += 0.45
    bar.draw(9)
    bar.clear()
    assert written.getvalue() == ""
    now[0] += 0.1
    bar.draw(9)
    assert "hello [" in written.getvalue()


def read_until(descriptor, wanted):
    """Read a terminal until something stands there, or to its end."""
    seen = b""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and (wanted is None or wanted not in seen):
        if not select.select([descriptor], [], [], 1)[0]:
            continue
        try:
            piece = os.read(descriptor, 4096)
        except OSError:  # Linux says so where the other end is closed
            break
        if not piece:
            break
        seen += piece
    return seen


def test_nothing_is_said_where_there_is_no_terminal(capsys, monkeypatch):
    """However long it takes: by a clock of the test's own."""
    hours = itertools.count(0, 3600)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: float(next(hours))))
    status, out, err = run(capsys, "train", "hello")
    assert (status, err) == (0, "")
    assert "\x1b" not in out
    assert next(hours) > 0  # the clock was looked at


def test_python_can_go_epoch_by_epoch():
    training = training_run(read(find("hello")))
    first = training.advance()
    assert (first.epoch, first.prediction, training.is_done) == (1, "heeee", False)
    training.finish()
    assert len(training.epochs) == 15
