"""What else reads a network with a state fed back: JSON, marks, places, sheets, screens, files that are written."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

import rnnstep
from rnnstep.engine import Model
from rnnstep.engine.gradient_norms import flow
from rnnstep.engine.learning import Learning
from rnnstep.errors import UsageError
from rnnstep.program import torch_program
from rnnstep.reference import check, check_gradients
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read, read_text
from rnnstep.session.moves import first_below
from rnnstep.session.place import read_place, write_place
from rnnstep.session.provenance import source
from rnnstep.session.readers import readers
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot, index_of
from rnnstep.views.look import Look
from rnnstep.views.rows import row_width
from rnnstep.views.screen import screen
from tests.oracle.programs import agrees, scenario_in
from tests.oracle.test_fed_back import CIRCLES
from tests.unit.command_line import run as command
from tests.unit.command_line import written

ATTENTION = """
vocabulary = ["<s>", "a", "b"]
[input]
text = ["aba", "b"]
[input.target]
text = ["b", "ab"]
shift = "<s>"
[[layers]]
name = "encoder"
module = "GRU"
hidden_size = 2
[[layers]]
name = "attention"
module = "Attention"
score = "additive"
size = 2
query = "decoder.h_prev"
memory = "encoder.output"
[[layers]]
name = "decoder"
module = "LSTMCell"
input = ["target", "attention"]
h_0 = "encoder.h_n"
hidden_size = 2
[[layers]]
module = "Linear"
[weights]
seed = 4
[display]
dtype = "float64"
"""
TRAINING = '[training]\noptimizer = "Adam"\nlr = 0.1\nepochs = 2\n'
BOTH = (
    ATTENTION.replace("hidden_size = 2\n", "hidden_size = 2\nbidirectional = true\n", 1)
    .replace('"additive"\nsize = 2', '"general"')
    .replace('h_0 = "encoder.h_n"', 'h_0 = "bridge"')
    .replace(
        '[[layers]]\nname = "attention"',
        '[[layers]]\nname = "bridge"\nmodule = "Linear"\ninput = "encoder.h_n"\nout_features = 2\n[[layers]]\nname = "attention"',
    )
)
"""As Bahdanau has it: what is looked at is joined of both directions."""
NAMES = ("attention", "both", *CIRCLES)


def text_of(name: str) -> str:
    if name in ("attention", "both"):
        return ATTENTION if name == "attention" else BOTH
    return CIRCLES[name][0].format(packed="true", dtype="float64")


@pytest.fixture(params=NAMES)
def path(request, tmp_path):
    path = tmp_path / "network.toml"
    path.write_text(text_of(request.param))
    return path


def test_json_has_every_layer_and_agrees(path):
    trace, grad = rnnstep.trace(path).as_dict(), rnnstep.grad(path).as_dict()
    assert trace["agrees"]
    assert grad["agrees"]
    for key, layer in trace["layers"].items():
        np.testing.assert_allclose(layer["output"], trace["reference"]["layers"][key]["output"], atol=1e-12)


def test_a_training_agrees_with_torchs(path):
    path.write_text(path.read_text() + TRAINING)
    assert rnnstep.train(path).as_dict()["agrees"]


def test_what_is_made_in_memory_is_written_and_reads_back(path, tmp_path):
    live = replace(read(path), path=None, file_text=None, origins=Origins())
    write_scenario(live, tmp_path / "written.toml")
    assert difference(live, read(tmp_path / "written.toml")) is None


def test_gradients_by_hand_are_marked_right(path):
    """Each sum of shares is worked out from the file again: what came back from step to step is in it."""
    model = Model(read(path))
    lines = []
    for key, value in model.backward(model.run_batch(0)).parameters.items():
        rows = [" ".join(f"{x:.6f}" for x in row) for row in np.atleast_2d(value)]
        lines.append(f"grad.{key} = {'; '.join(rows)}")
    marked = rnnstep.check(path, "\n".join(lines)).as_dict()
    assert [one["status"] for one in marked["answers"]] == ["correct"] * len(lines)


@pytest.mark.parametrize("steps", ["", "2"])
def test_the_key_of_a_sheet_is_marked_right(path, steps, tmp_path, capsys):
    more = ["--steps", steps] if steps else []
    status, key, messages = command(capsys, "worksheet", str(path), *more, "--format", "toml", "--key")
    assert status == 0, messages
    status, out, messages = command(capsys, "check", str(path), written(tmp_path, key, "key.toml"))
    assert status == 0, out + messages


# ── places ───────────────────────────────────────────────────────────────────────────────────────


def spots(run: SessionRun):
    """Every line at every step of the forward pass."""
    for block in run.pass_of(Spot(0)).blocks:
        stage = run.tree.stage(Spot(0))
        for t in stage.steps[block.key]:
            yield from (Spot(0, block.key, t, line.name) for line in block.program.lines)


def known(run: SessionRun, spot: Spot, row: int):
    return run.known(replace(spot, element=None, term=None), row)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_was_computed_where_its_source_says_and_is_read_there(name):
    run = SessionRun.of(read_text(text_of(name)))
    fed_back, known_at = 0, cache(partial(known, run))
    readers_of = cache(lambda *at: {(one.key, one.t) for one in readers(run, *at)})
    for spot in spots(run):
        block = run.tree.block(spot)
        for row in range(2):
            values = known_at(spot, row)
            if values is None:
                continue
            for name_read in (*block.program.inputs, *block.program.befores):
                for number in range(int((block.program.shapes[name_read] or (1,))[0])):
                    origin = source(run, spot, name_read, (number,), row)
                    if origin is None:
                        continue
                    there = run.tree.locate(origin.path)
                    found = known_at(replace(there, element=None), origin.row)[there.operation]
                    index = index_of(run.tree.block(there), there.operation, there.element)
                    assert found[index] == values[name_read][number], (spot, name_read, number)
                    fed_back += there.t < spot.t and name_read in block.program.inputs
                    assert (spot.key, spot.t) in readers_of(there, origin.row), (spot, name_read, there)
    assert fed_back


@pytest.mark.parametrize("name", NAMES)
def test_operations_of_a_circle_are_drawn(name):
    run = SessionRun.of(read_text(text_of(name).replace("[display]", TRAINING + "[display]")))
    at = Session.open(run.with_checked(check(run.trace))).right()
    at = at.jump(first_below(at.position.path, run.tree.level("operation")))
    assert at.level == "operation"
    before, kinds = None, {}
    while at.position.path != before and at.spot.epoch == 0:
        before, spot = at.position.path, at.spot
        module = run.tree.block(spot).module
        kinds.setdefault((spot.phase, module or spot.key, spot.operation), []).append(before)
        at = at.right()
    for number, paths in enumerate(kinds.values()):  # each kind once, at layers and steps that go round
        language, size = (("en", (80, 24)), ("zh", (200, 60)))[number % 2]
        there = at.jump(paths[number % len(paths)])
        rows = screen(there, Look(language=language, torch="ready"), *size)
        assert len(rows) == size[1]
        assert {row_width(row) for row in rows} == {size[0]}


@pytest.mark.parametrize("text", [ATTENTION, BOTH])
def test_a_step_goes_round_the_circle_before_the_next_one_begins(text):
    """Where the encoder goes both ways, layer by layer, too."""
    run = SessionRun.of(read_text(text))
    walked = [(spot.t, spot.key) for spot in spots_by_step(run) if spot.key in ("attention", "decoder.L0")]
    walked = list(dict.fromkeys(walked))
    assert walked == [(0, "attention"), (0, "decoder.L0"), (1, "attention"), (1, "decoder.L0")]
    recurrent = [key for _, key in run.pass_of(Spot(0)).recurrent_steps()]
    assert recurrent[-2:] == ["decoder.L0", "decoder.L0"]


def test_one_sequence_goes_by_time_beside_one_that_goes_layer_by_layer():
    tree = SessionRun.of(read_text(BOTH)).tree
    inside = {
        name: tree.path_to(Spot(0, key, 1, sequence=None))
        for name, key in (("input", "encoder.L0"), ("target", "decoder.L0"))
    }
    assert tree.levels_at(inside["input"])[3:6] == ("sequence", "block", "step")
    assert tree.levels_at(inside["target"])[3:6] == ("sequence", "step", "block")
    for place in (
        "target:2/attention/weights[1]",
        "input:3/encoder.L0←/hh_r[0]",
        "backward:target:1/decoder.L0/∂h_prev",
    ):
        path = read_place(tree, place)
        assert write_place(tree, path) == place
        assert tree.path_to(tree.locate(path)) == path
    step = read_place(tree, "target:2")
    assert tree.locate(step).t == 1
    assert tree.levels_at(step)[len(step) - 1] == "step"


def spots_by_step(run: SessionRun):
    """The blocks of the forward pass as the cursor comes by them."""
    session = Session.open(run).right()
    session = session.jump(first_below(session.position.path, run.tree.level("operation")))
    assert session.level == "operation"
    before = None
    while session.position.path != before:
        before = session.position.path
        spot = run.tree.locate(session.position.path)
        if spot.phase == "forward":
            yield spot
        session = session.right()


# ── the program ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("training", ["", TRAINING])
@pytest.mark.parametrize("packed", ["true", "false"])
@pytest.mark.parametrize("name", NAMES)
def test_the_program_gives_the_same_numbers(name, packed, training, tmp_path):
    text = text_of(name).replace("packed = true", f"packed = {packed}")
    agrees(scenario_in(tmp_path, text + training))


LAYOUTS = {
    "rows first": "random = {shape = [2, 4, 3], seed = 1}\nlengths = [4, 2]\npacked = true",
    "rows first, all alive": "random = {shape = [2, 4, 3], seed = 1}",
    "no rows": "random = {shape = [4, 3], seed = 1}",
    "several batches": "values = [1, 2, 3, 4, 5, 6]\nwindows = {length = 3, stride = 1, pad = 0, batch_size = 2}",
}
WHOLE = """
[input]
{given}
[[layers]]
name = "low"
module = "GRU"
hidden_size = 2
{first}
[[layers]]
name = "look"
module = "Attention"
score = "general"
query = "high.h_prev"
memory = "low"
[[layers]]
name = "high"
module = "LSTM"
input = ["low", "look", "mine.h_prev"]
hidden_size = 3
num_layers = 2
{first}
[[layers]]
name = "mine"
module = "{mine}"
input = ["high", "low.h_prev"]
hidden_size = 2
{first}
[[layers]]
module = "Linear"
input = ["mine", "look"]
out_features = 2
[cell.lean]
state = {{h = "hidden_size"}}
parameters = {{W = "hidden_size, input_size", U = "hidden_size, hidden_size"}}
equations = "h = tanh(W @ x + U @ h_prev)"
[weights]
seed = 3
[display]
dtype = "float64"
"""


@pytest.mark.parametrize("name", LAYOUTS)
def test_whole_modules_and_a_cell_of_the_file_are_called_step_by_step(name, tmp_path):
    is_first = "first" in name
    first = "batch_first = true" if is_first else ""
    text = WHOLE.format(given=LAYOUTS[name], first=first, mine="RNN" if is_first else "lean")
    if is_first:  # a cell of the file takes steps first
        text = text[: text.index("[cell.lean]")] + text[text.index("[weights]") :]
    shape = {"no rows": (4, 2), "several batches": (6, 2)}.get(name, (2, 4, 2))
    target = np.random.default_rng(7).uniform(-1, 1, shape).round(2)
    if name != "several batches":
        text += f"[target]\nvalues = {target.tolist()}\n"
    scenario = scenario_in(tmp_path, text)
    agrees(scenario)
    model = Model(scenario)
    assert check(model.run()).agrees
    for done in model.run().passes if scenario.has_loss else ():
        assert check_gradients(done, model.backward(done)).agrees


def test_what_comes_back_by_way_of_others_is_in_no_product_of_the_cells_own_jacobians():
    model = Model(read_text(ATTENTION))
    back = model.backward(model.run_batch())
    assert flow(back, "decoder.L0").jacobian is None
    assert flow(back, "encoder.L0").jacobian is not None


def first_finding(text):
    learning = Learning(read_text(text))
    assert learning.look_on(60)
    return learning.finding


def test_the_first_number_that_is_not_finite_is_where_the_sequence_computed_first_has_it():
    """In a circle at the step, not at the block, that is computed first."""
    text = BOTH.replace(
        'text = ["b", "ab"]\nshift = "<s>"', "values = [[[1, 1, 1], [1, 1, 1]], [[inf, 1, 1], [1, 1, 1]]]"
    )
    text = text.replace("[weights]", "[target]\nindices = [[0, 1], [1, 0]]\n[weights]")
    found = first_finding(text)
    assert (found.key, found.t, found.name) == ("decoder.L0", 1, "ih_i")
    early = ATTENTION.replace(
        'text = ["aba", "b"]', "values = [[[1, 1], [1, 1]], [[1, 1], [1, 1]], [[inf, 1], [1, 1]]]"
    )
    found = first_finding(early)
    assert (found.key, found.t) == ("encoder.L0", 2)


DROPPED = """
mode = "train"
dropout_seed = 3
[input]
random = {shape = [4, 2, 3], seed = 1}
[target]
values = TARGET
[[layers]]
module = "Dropout"
name = "before"
p = 0.2
[[layers]]
name = "inner"
module = "Dropout"
input = ["before", "cell.h_prev"]
p = 0.4
[[layers]]
name = "cell"
module = "GRUCell"
hidden_size = 3
[[layers]]
module = "Dropout"
name = "after"
p = 0.3
[[layers]]
module = "Linear"
out_features = 2
[weights]
seed = 2
[display]
dtype = "float64"
"""


@pytest.mark.parametrize("training", ["", "[training]\nlr = 0.1\nepochs = 3\n"])
def test_the_program_drops_within_a_loop_what_the_engine_drops(training, tmp_path):
    target = np.random.default_rng(3).uniform(-1, 1, (4, 2, 2)).round(2).tolist()
    agrees(scenario_in(tmp_path, DROPPED.replace("TARGET", str(target)) + training))


def test_masks_that_are_drawn_in_another_order_than_layers_are_called_are_told(tmp_path):
    """The engine draws in the order of the file; a program that draws where it calls would give other numbers."""
    layers = '[[layers]]\nname = "late"\nmodule = "Dropout"\ninput = "early"\np = 0.3\n'
    layers += '[[layers]]\nname = "early"\nmodule = "Dropout"\ninput = "input"\np = 0.4\n'
    layers += '[[layers]]\nmodule = "Linear"\ninput = "late"\nout_features = 2\n'
    head = 'mode = "train"\n[input]\nrandom = {shape = [4, 2, 3], seed = 1}\n'
    scenario = scenario_in(tmp_path, f"{head}{layers}[weights]\nseed = 2\n")
    assert check(Model(scenario).run()).faults == ()
    with pytest.raises(UsageError, match="late, early, and these layers are called as early, late"):
        torch_program(scenario)
