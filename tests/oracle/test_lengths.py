"""Layers that change the number of steps: whole networks beside modules written with torch, and what is said of them."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from decimal import Decimal
from functools import cache
from math import isclose
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rnnstep
from rnnstep.cli import main
from rnnstep.engine import Model
from rnnstep.equations.expand import expand
from rnnstep.errors import ScenarioError
from rnnstep.reference import check, check_gradients, complete
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.modules import remarks
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read_text
from rnnstep.session.cursor import follow
from rnnstep.session.place import read_place, write_place
from rnnstep.session.provenance import source
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot, index_of, size_of
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.screen import screen
from rnnstep.views.shapes import data_shapes
from tests.oracle.loss_checks import assert_are_torchs
from tests.oracle.programs import agrees, scenario_in
from tests.unit.test_worksheet_key import Calculator, worked

LETTERS = """
vocabulary = ["a", "b", "c"]
[input]
text = ["abcabca", "cabca"]
packed = %(packed)s
[[layers]]
module = "Embedding"
embedding_dim = 3
[[layers]]
name = "seen"
module = "Conv1d"
out_channels = 4
%(options)s
[[layers]]
module = "LSTM"
hidden_size = 3
batch_first = %(first)s
[[layers]]
module = "Linear"
out_features = 2
[weights]
seed = 1
[target]
indices = %(target)s
[training]
optimizer = "Adam"
lr = 0.05
epochs = 4
[display]
dtype = "float64"
"""
OPTIONS = {
    "kernel_size = 3": (1, 0, 1),
    "kernel_size = 3\nstride = 2": (2, 0, 1),
    "kernel_size = 2\npadding = 2\ndilation = 3": (1, 2, 3),
    'kernel_size = 4\nstride = 2\npadding = "valid"': (2, 0, 1),
}


def letters(options: str, *, packed: bool = True, first: bool = False) -> str:
    stride, padding, dilation = OPTIONS[options]
    kernel = int(options.split("=")[1].partition("\n")[0])
    lengths = [(length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for length in (7, 5)]
    drawn = np.random.default_rng(3).integers(0, 2, (lengths[0], 2))
    drawn[lengths[1] :, 1] = -100
    known = {"packed": packed, "first": first}
    return LETTERS % {
        "options": options,
        "target": (drawn.T if first else drawn).tolist(),
        **{name: str(value).lower() for name, value in known.items()},
    }


class Windows(nn.Module):
    """The same, written by hand."""

    def __init__(self, conv: nn.Conv1d) -> None:
        super().__init__()
        self.embedding, self.seen = nn.Embedding(3, 3), conv
        self.rnn, self.linear = nn.LSTM(4, 3), nn.Linear(3, 2)

    def forward(self, indices: torch.Tensor, lengths: list[int] | None) -> torch.Tensor:
        x = self.seen(self.embedding(indices).permute(1, 2, 0)).permute(2, 0, 1)
        if lengths is None:
            return self.linear(self.rnn(x)[0])
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths)
        output, _ = self.rnn(packed)
        return self.linear(nn.utils.rnn.pad_packed_sequence(output, total_length=len(x))[0])


def filled(module: nn.Module, scenario: Scenario) -> nn.Module:
    """A module with a scenario's parameters."""
    module.double()
    with torch.no_grad():
        for name, one in module.named_parameters():
            one[...] = torch.tensor(scenario.parameters[name.removeprefix("rnn.")])
    return module


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
def test_an_lstm_over_windows_over_letters_is_torchs(options: str, packed, first) -> None:
    scenario = read_text(letters(options, packed=packed, first=first))
    scenario = complete(scenario)
    stride, padding, dilation = OPTIONS[options]
    size = scenario.by_key["seen"].kernel_size
    module = Windows(nn.Conv1d(3, 4, size, stride=stride, padding=padding, dilation=dilation))
    filled(module, scenario)
    indices = torch.zeros(7, 2, dtype=torch.long)
    for row, text in enumerate(("abcabca", "cabca")):
        indices[: len(text), row] = torch.tensor(["abc".index(letter) for letter in text])
    lengths = [module.seen(torch.zeros(1, 3, length, dtype=torch.double)).shape[-1] for length in (7, 5)]
    logits = module(indices, lengths if packed else None)
    target = torch.tensor(scenario.batches[0].target)
    loss = nn.CrossEntropyLoss()(logits.reshape(-1, 2), target.reshape(-1))
    loss.backward()
    model = Model(scenario)
    np.testing.assert_allclose(model.run_batch(0).logits_by_row, logits.detach().numpy(), rtol=0, atol=1e-12)
    gradients = {name.removeprefix("rnn."): one.grad.numpy() for name, one in module.named_parameters()}
    assert_are_torchs(model, loss.item(), gradients, units=2**12, gradient_units=2**14)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
def test_the_program_and_the_training_agree(options: str, packed, tmp_path: Path) -> None:
    scenario = scenario_in(tmp_path, letters(options, packed=packed))
    run = agrees(scenario)
    assert run is not None
    assert len(run.losses) == 4
    found = rnnstep.train(tmp_path / "scenario.toml")
    assert found.as_dict()["agrees"]


class Pooled(nn.Module):
    """`POOLED`, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.conv1d = nn.Embedding(3, 2), nn.Conv1d(2, 3, 2)
        self.pool, self.rnn = nn.MaxPool1d(2), nn.LSTM(3, 2)

    def forward(self, indices: torch.Tensor, lengths: list[int] | None) -> torch.Tensor:
        x = self.pool(self.conv1d(self.embedding(indices).permute(1, 2, 0))).permute(2, 0, 1)
        if lengths is None:
            return self.rnn(x)[0]
        output, _ = self.rnn(nn.utils.rnn.pack_padded_sequence(x, lengths))
        return nn.utils.rnn.pad_packed_sequence(output, total_length=len(x))[0]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_an_lstm_over_a_pooled_convolution_over_letters_is_torchs(packed, first) -> None:
    text = POOLED.replace("[[layers]]", f"packed = {str(packed).lower()}\n[[layers]]", 1)
    if first:
        target = np.array(tomllib.loads(text)["target"]["values"]).swapaxes(0, 1).tolist()
        text = text.replace('module = "LSTM"', 'module = "LSTM"\nbatch_first = true')
        text = (
            f"{text.partition('values = ')[0]}values = {target}\n[training]{text.partition('[training]')[2]}"
        )
    scenario = complete(read_text(text))
    batch = scenario.batches[0]
    assert batch.sequences["conv1d"].true_lengths == (6, 4)
    assert batch.sequences["pool"].true_lengths == (3, 2)
    module = filled(Pooled(), scenario)
    output = module(torch.tensor(batch.indices), [3, 2] if packed else None)
    loss = nn.MSELoss()(output, torch.tensor(batch.target))
    loss.backward()
    model = Model(scenario)
    np.testing.assert_allclose(model.run_batch(0).features, output.detach().numpy(), rtol=0, atol=1e-12)
    gradients = {name.removeprefix("rnn."): one.grad.numpy() for name, one in module.named_parameters()}
    assert_are_torchs(model, loss.item(), gradients, units=2**12, gradient_units=2**14)


# ── every reader ─────────────────────────────────────────────────────────────────────────────────


def places(run: SessionRun) -> list[Spot]:
    """Every operation of a run's first batch at every step, in all passes."""
    found = []
    for phase in run.tree.phases:
        stage = run.tree.stage(Spot(0, phase=phase))
        for block in stage.blocks:
            for t in stage.steps[block.key]:
                found += [Spot(0, block.key, t, line.name, phase=phase) for line in block.program.lines]
    return found


TAIL = """
[weights]
seed = 1
[target]
values = %s
[training]
lr = 0.1
epochs = 2
[display]
dtype = "float64"
"""


def values(*shape: int) -> str:
    return TAIL % np.random.default_rng(4).uniform(-1, 1, shape).round(2).tolist()


POOLED = f"""
vocabulary = ["a", "b", "c"]
[input]
text = ["abcabca", "cabca"]
[[layers]]
module = "Embedding"
embedding_dim = 2
[[layers]]
module = "Conv1d"
out_channels = 3
kernel_size = 2
[[layers]]
name = "pool"
module = "MaxPool1d"
kernel_size = 2
[[layers]]
module = "LSTM"
hidden_size = 2
{values(3, 2, 2)}"""
OVER_STATES = f"""
[input]
random = {{shape = [6, 2, 2], seed = 1}}
lengths = [6, 3]
[[layers]]
name = "low"
module = "GRU"
hidden_size = 2
bidirectional = true
[[layers]]
name = "pool"
module = "MaxPool1d"
kernel_size = 3
stride = 2
padding = 1
[[layers]]
module = "GRU"
hidden_size = 2
input = ["pool", "low.h_n"]
[[layers]]
module = "Linear"
out_features = 1
{values(3, 2, 1)}"""
AVERAGED = f"""
[input]
random = {{shape = [6, 2, 2], seed = 1}}
lengths = [6, 5]
[[layers]]
module = "AvgPool1d"
kernel_size = 3
stride = 2
padding = 1
ceil_mode = true
count_include_pad = false
[[layers]]
module = "RNN"
hidden_size = 2
[[layers]]
name = "mean"
module = "AvgPool1d"
kernel_size = 2
{values(2, 2, 2)}"""
MIRRORED = f"""
[input]
random = {{shape = [4, 2, 2], seed = 1}}
lengths = [4, 3]
[[layers]]
module = "GRU"
hidden_size = 2
[[layers]]
name = "mirrored"
module = "Conv1d"
out_channels = 2
kernel_size = 3
padding = 2
padding_mode = "reflect"
[[layers]]
name = "held"
module = "Conv1d"
out_channels = 2
kernel_size = 3
padding = 2
stride = 2
padding_mode = "replicate"
[[layers]]
module = "RNN"
hidden_size = 2
[[layers]]
name = "around"
module = "Conv1d"
out_channels = 1
kernel_size = 2
padding = "same"
padding_mode = "circular"
{values(4, 2, 1)}"""
PARALLEL = f"""
[input]
random = {{shape = [6, 2, 2], seed = 1}}
lengths = [6, 4]
[[layers]]
name = "sums"
module = "Conv1d"
out_channels = 2
kernel_size = 3
[[layers]]
name = "largest"
module = "MaxPool1d"
input = "input"
kernel_size = 3
stride = 1
[[layers]]
module = "GRU"
input = ["sums", "largest"]
hidden_size = 2
{values(4, 2, 2)}"""
READERS = {
    "side by side": PARALLEL,
    "other steps outside": MIRRORED,
    "pooled": POOLED,
    "over states": OVER_STATES,
    "averaged": AVERAGED,
}
READERS |= {"unpacked": letters("kernel_size = 3\nstride = 2", packed=False)}
READERS |= {options: letters(options) for options in OPTIONS}
each_reader = pytest.mark.parametrize("name", READERS)


@cache
def run_of(name: str) -> SessionRun:
    run = SessionRun.of(complete(read_text(READERS[name])))
    return run.with_checked(check(run.trace))


@each_reader
def test_every_number_is_the_value_where_it_came_from(name: str) -> None:
    run = run_of(name)
    known_at = cache(run.known)
    for row in range(2):
        for spot in places(run):
            known = known_at(spot, row)
            block = run.tree.block(spot)
            for element in range(size_of(block, spot.operation)) if known is not None else ():
                line, index = run.line(spot), index_of(block, spot.operation, element)
                for factor in (one for term in expand(line, index, known).terms for one in term.factors):
                    origin = source(run, spot, factor.name, factor.index, row)
                    if origin is None:
                        continue
                    there = run.tree.locate(origin.path)
                    values = known_at(replace(there, element=None), origin.row)
                    found = values[there.operation][
                        index_of(run.tree.block(there), there.operation, there.element)
                    ]
                    is_sum = factor.name.endswith("_later") or factor.name == "grad"
                    assert isclose(found, factor.value, rel_tol=1e-12 if is_sum else 0), (spot, factor)


@each_reader
def test_its_program_gives_its_numbers(name: str, tmp_path: Path) -> None:
    assert agrees(scenario_in(tmp_path, READERS[name])) is not None
    assert rnnstep.train(tmp_path / "scenario.toml").as_dict()["agrees"]


def test_enter_on_a_pooled_number_goes_to_the_step_that_was_the_largest() -> None:
    run = run_of("pooled")
    session = Session.open(run)
    done = run.trace.passes[0]
    for t in range(3):
        for feature in range(3):
            there = session.jump(read_place(session.tree, f"pool:{t + 1}/pool/x[{feature}]"))
            found = write_place(session.tree, follow(there).position.path)
            pair = done.whole("conv1d")[2 * t : 2 * t + 2, 0, feature]
            assert found == f"conv1d:{2 * t + 1 + int(np.argmax(pair))}/conv1d/conv1d_out[{feature}]"
    padded = Session.open(run_of("over states"))
    first = padded.jump(read_place(padded.tree, "pool:1/pool/pool_out[0]"))  # one of its steps is none
    largest = 1 + int(np.argmax(padded.run.trace.passes[0].whole("low.join0")[:2, 0, 0]))
    assert write_place(padded.tree, follow(first).position.path) == f"input:{largest}/low.join0/output[0]"


@each_reader
def test_every_place_is_written_and_read_back_and_its_screens_are_whole(name: str) -> None:
    session = Session.open(run_of(name))
    steps: dict[tuple[str, str | None, str | None], list[Spot]] = {}
    for spot in places(session.run):
        path = session.tree.path_to(spot)
        assert read_place(session.tree, write_place(session.tree, path)) == path
        steps.setdefault((spot.phase, spot.key, spot.operation), []).append(spot)
    # Each line is drawn at a step, which go round; of those that networks share, the looks go round, too.
    for number, spots in enumerate(steps.values(), list(READERS).index(name)):
        language, width, height = (("en", 120, 35), ("zh", 80, 24))[number % 2]
        there = session.jump(session.tree.path_to(spots[number % len(spots)]))
        rows = screen(there, Look(language=language, torch="ready"), width, height)
        assert len(rows) == height


@each_reader
def test_right_answers_at_every_step_are_right(name: str, tmp_path: Path) -> None:
    """Values of both rows along each sequence, the loss, and the gradient of every parameter."""
    path, answers = tmp_path / "scenario.toml", tmp_path / "answers.toml"
    path.write_text(READERS[name], "utf-8")
    done = run_of(name).trace.passes[0]
    back = Model(run_of(name).scenario).backward(done)
    assert back is not None
    lines = ["decimals = 5"]
    for block in (
        one for one in done.blocks if one.kind in ("map", "recurrent") and not one.extent.is_single
    ):
        for t, row in ((t, row) for t in done.axis(block.key).order("forward") for row in range(2)):
            known = done.known(block.key, t, row)
            for line in block.program.names if known is not None else ():
                where = f'step = {t + 1}\nbatch = {row}\nsequence = "{block.sequence}"\ndirection = "{block.direction}"'
                module = f'block = "{block.module}"' if block.module else ""
                numbers = [round(float(one), 5) for one in known[line]]
                lines.append(f'[[answer]]\n{where}\n{module}\nname = "{line}"\nvalue = {numbers}')
    lines.append(f'[[answer]]\nname = "loss"\nvalue = {done.loss:.5f}')
    for parameter, gradient in back.parameters.items():
        lines.append(f'[[answer]]\nname = "grad.{parameter}"\nvalue = {gradient.round(5).tolist()}')
    answers.write_text("\n".join(lines), "utf-8")
    marked = rnnstep.check(path, answers).as_dict()
    assert {one["status"] for one in marked["answers"]} == {"correct"}


def test_the_info_page_has_the_steps_of_each_sequence_and_torchs_layout() -> None:
    scenario = run_of("pooled").scenario
    shapes = {one.name: (one.sizes, str(one.remark)) for one in data_shapes(scenario, scenario.batches[0])}
    assert shapes["embedding"][0] == (7, 2, 2)
    assert shapes["conv1d"] == ((6, 2, 3), "from torch as (N, C, L) = (2, 3, 6)")
    assert shapes["pool"] == ((3, 2, 3), "from torch as (N, C, L) = (2, 3, 3)")
    assert shapes["lstm"][0] == (3, 2, 2)


def test_json_names_the_sequence_of_each_step(tmp_path: Path) -> None:
    found = rnnstep.trace(run_of("over states").scenario).as_dict()
    steps = [(one["block"], one["sequence"], one["t"]) for one in found["steps"]]
    assert [one for one in steps if one[0] == "gru"] == [("gru", "pool", t) for t in range(3)]
    assert {one[:2] for one in steps} == {("low", "input"), ("gru", "pool")}
    assert np.shape(found["layers"]["pool"]["output"]) == (3, 2, 4)
    assert list(found["input"]) == ["input"]
    assert found["agrees"]


BEHIND = """
[input]
random = {shape = [5, 2, 2], seed = 1}
lengths = [3, 5]
[[layers]]
module = "Linear"
out_features = 2
[[layers]]
module = "Tanh"
[[layers]]
module = "Conv1d"
out_channels = 2
kernel_size = 3
padding = 1
[[layers]]
module = "RNN"
hidden_size = 2
[[layers]]
name = "top"
module = "Conv1d"
out_channels = 1
kernel_size = 2
padding = 1
[weights]
seed = 0
"""


@pytest.mark.parametrize("decimals", ["1", "3"])
def test_a_sheet_works_out_the_padding_that_a_window_reads(decimals, tmp_path: Path, capsys) -> None:
    """Behind a short row: a line over it is padding as others are steps, and all that a line puts in stands on the sheet."""
    path = tmp_path / "scenario.toml"
    path.write_text(BEHIND, "utf-8")
    assert main(["worksheet", str(path), "--key", "--decimals", decimals]) == 0
    sheet = capsys.readouterr().out
    results = {}
    for label, sides in worked(sheet):
        assert {Calculator(int(decimals)).result(side) for side in sides} == {Decimal(sides[-1])}, label
        results[label] = sides[-1]
    assert sheet.count("## Step 4, padding, which a window reads") == 2
    assert {f"{name}_4[{k}]" for name in ("linear_out", "tanh_out") for k in (0, 1)} < results.keys()
    assert not any(label.startswith(("x_4", "h_4", "linear_out_5")) for label in results)
    assert {f"logits_{t}[0]" for t in (1, 2, 3, 4)} < results.keys()


def test_every_element_of_a_convolutions_weight_has_a_place_in_the_update() -> None:
    run = run_of("pooled")
    session = Session.open(run)
    for index in np.ndindex(3, 2, 2):
        written = f"w[{','.join(map(str, index))}]"
        path = read_place(session.tree, f"update:conv1d.weight/{written}")
        assert write_place(session.tree, path) == f"update:conv1d.weight/{written}"
        spot = session.tree.locate(path)
        assert spot.element == np.ravel_multi_index(index, (3, 2, 2))
        assert run.known(replace(spot, element=None), 0)["w"].shape == (3, 2, 2)
        drawn = plain(screen(session.jump(path), Look(torch="ready"), 120, 35))
        assert "w_prev 3×2×2" in drawn
        assert f"{written} = " in drawn


@each_reader
@pytest.mark.parametrize("is_short", [False, True])
def test_the_solved_sheet_is_all_right(name: str, is_short, tmp_path: Path) -> None:
    """That of the longer row, and that of the shorter one."""
    text = READERS[name]
    if is_short:
        text = text.replace('["abcabca", "cabca"]', '["cabca", "abcabca"]').partition("[target]")[0]
    path, key, saved = (tmp_path / name for name in ("scenario.toml", "key.toml", "sheet.toml"))
    path.write_text(text, "utf-8")
    options = ["--key", "--format", "toml", "--decimals", "3", "--output", str(key), "--save", str(saved)]
    assert main(["worksheet", str(path), *options]) == 0
    for form in ("md", "tex"):
        assert main(["worksheet", str(path), "--key", "--format", form]) == 0
    marked = rnnstep.check(saved, key).as_dict()
    assert {one["status"] for one in marked["answers"]} == {"correct"}


# ── what is told ─────────────────────────────────────────────────────────────────────────────────

PLAIN = """
[input]
random = {shape = [6, 2, 2], seed = 1}
lengths = [6, 3]
[[layers]]
name = "low"
module = "GRU"
hidden_size = 2
[[layers]]
name = "pool"
module = "MaxPool1d"
kernel_size = 3
[[layers]]
name = "top"
module = "GRU"
hidden_size = 2
[weights]
seed = 1
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'name = "top"',
            'name = "top"\ninput = ["pool", "low"]',
            "top reads pool (2 steps) and input (6 steps)",
        ),
        ('name = "top"', 'name = "top"\nadd = "low"', "top reads pool (2 steps) and input (6 steps)"),
        ("lengths = [6, 3]", "lengths = [6, 2]", "pool gives no step of row 1: that has 2 steps"),
        ("kernel_size = 3", "kernel_size = 7", "pool gives no step: it reads 6, too few for one window"),
        ("kernel_size = 3", "kernel_size = 3\npadding = 2", "`padding`: found 2, expected at most 1"),
        ("kernel_size = 3", "kernel_size = 200", "`kernel_size`: found 200, expected at most 100"),
        ('name = "pool"', 'name = "pool"\ninput = "low.h_n"', "what it reads belongs to no step"),
        ("lengths = [6, 3]", 'lengths = [6, 3]\n[display]\norder = "time"', "reads later ones"),
    ],
)
def test_what_cannot_be_is_told(old: str, new: str, told: str) -> None:
    with pytest.raises(ScenarioError) as error:
        read_text(PLAIN.replace(old, new))
    (problem,) = error.value.problems
    assert told in str(problem.message)


def test_a_pool_whose_window_has_no_step_is_told() -> None:
    """torch gives −∞ there, and its backward pass ends the process."""
    text = PLAIN.replace("kernel_size = 3", "kernel_size = 2\npadding = 1\ndilation = 2").replace(
        "6, 3", "1, 1"
    )
    with pytest.raises(ScenarioError, match="reads none of the 1 steps at its step 1"):
        read_text(text.replace("[6, 2, 2]", "[1, 2, 2]"))


def test_a_target_for_other_steps_is_told_by_their_sequence() -> None:
    with pytest.raises(ScenarioError, match="the target is for 6 steps, pool has 2"):
        read_text(f"{PLAIN}[target]\nindices = {[[0, 1]] * 6}\n")
    series = PLAIN.replace("[6, 2, 2]", "[9, 2]").replace(
        "lengths = [6, 3]", "windows = {length = 6, horizon = 1}"
    )
    with pytest.raises(ScenarioError, match="a value is wanted for each of 6 steps, pool has 2"):
        read_text(series)


def test_that_a_pool_reads_padding_is_told_where_it_does() -> None:
    assert remarks(read_text(PLAIN)) == []
    (told,) = remarks(read_text(PLAIN.replace("kernel_size = 3", "kernel_size = 3\npadding = 1")))
    assert "MaxPool1d reads the padding" in str(told)


@each_reader
def test_a_scenario_made_in_memory_is_written_and_reads_back(name: str, tmp_path: Path) -> None:
    scenario = run_of(name).scenario
    write_scenario(replace(scenario, path=None, file_text=None, origins=Origins()), tmp_path / "written.toml")
    back = read_text((tmp_path / "written.toml").read_text("utf-8"), tmp_path / "written.toml")
    assert difference(scenario, back) is None
    assert back.layers == scenario.layers
    assert {key: one.true_lengths for key, one in back.batches[0].sequences.items()} == {
        key: one.true_lengths for key, one in scenario.batches[0].sequences.items()
    }


# ── chains that are drawn ────────────────────────────────────────────────────────────────────────


@st.composite
def over_time(draw: st.DrawFn) -> str:
    """A module over time with arguments that torch takes."""
    kernel = draw(st.integers(1, 3))
    module = draw(st.sampled_from(["Conv1d", "MaxPool1d", "AvgPool1d"]))
    options = {"module": f'"{module}"', "kernel_size": kernel, "stride": draw(st.integers(1, 2))}
    if module == "Conv1d":
        mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
        options |= {"out_channels": 2, "padding": draw(st.integers(0, 2)), "padding_mode": f'"{mode}"'}
        options["dilation"] = draw(st.integers(1, 2))
    else:
        options |= {"padding": draw(st.integers(0, kernel // 2))}
        options["ceil_mode"] = str(draw(st.booleans())).lower()
    return "[[layers]]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_a_chain_of_modules_over_time_is_torchs_program(data: st.DataObject) -> None:
    """Forward, back and its training, packed or walked, judged step by step and by the program that is written."""
    steps, rows, seed = (data.draw(st.integers(*ends)) for ends in ((4, 8), (1, 3), (0, 99)))
    lengths = [steps, *data.draw(st.lists(st.integers(3, steps), min_size=rows - 1, max_size=rows - 1))]
    gru = '[[layers]]\nmodule = "GRU"\nhidden_size = 2\n'
    layers = [*data.draw(st.lists(over_time(), min_size=1, max_size=3))]
    layers.insert(data.draw(st.integers(0, len(layers))), gru)
    text = f"[input]\nrandom = {{shape = [{steps}, {rows}, 2], seed = {seed}}}\n"
    if rows > 1:
        text += f"lengths = {lengths}\npacked = {str(data.draw(st.booleans())).lower()}\n"
    text += f'{"".join(layers)}[weights]\nseed = {seed}\n[display]\ndtype = "float64"\n'
    try:
        scenario = read_text(text)
    except ScenarioError as error:
        if all(any(one in str(told.message) for one in REFUSED) for told in error.problems):
            return
        raise
    scored = scenario.scored(scenario.batches[0])
    wanted = np.random.default_rng(seed).uniform(-1, 1, (scored.num_steps, rows, 2)).round(2).tolist()
    scenario = read_text(f"{text}[target]\nvalues = {wanted}\n[training]\nlr = 0.1\nepochs = 2\n")
    assert agrees(scenario) is not None
    model = Model(complete(scenario))
    done = model.run_batch(0)
    assert check(model.run()).faults == ()
    assert check_gradients(done, model.backward(done)).faults == ()


REFUSED = ("gives no step", "reads none of the", "expected at most")
