"""A cell of the file in layers and both directions: with the LSTM's equations it is `torch.nn.LSTM`, to the last digit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import rnnstep
from rnnstep.cells import cell_for
from rnnstep.cells.lstm import EQUATIONS, OUTPUT, PROJECTED_OUTPUT
from rnnstep.engine import Model
from rnnstep.errors import ScenarioError
from rnnstep.reference import check, check_gradients, compare, run_reference
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read, read_text

STACKED = "num_layers = 3\n"
BOTH_WAYS = "bidirectional = true\n"
OPTIONS = {
    "layers": STACKED,
    "both ways": BOTH_WAYS,
    "layers, both ways": STACKED + BOTH_WAYS,
    "projected": STACKED + BOTH_WAYS + "proj_size = 2\n",
    "dropped": STACKED + 'dropout = 0.4\nmode = "train"\ndropout_seed = 5\n',
    "alone": "",
}
INPUTS = {
    "a batch": "random = {shape = [5, 3, 2], seed = 1}\n",
    "packed": "random = {shape = [5, 3, 2], seed = 1}\nlengths = [2, 5, 3]\n",
    "unbatched": "random = {shape = [5, 2], seed = 1}\n",
}
CASES = [(options, given) for options in OPTIONS for given in INPUTS]


def scenario_of(module: str, options: str, given: str) -> Scenario:
    """A scenario of `module`; "mine" has the LSTM's equations."""
    proj_size = 2 if "proj_size" in options else 0
    cell = cell_for("LSTM", proj_size=proj_size)
    states = "{h = 'proj_size', c = 'hidden_size'}" if proj_size else "['h', 'c']"
    shapes = "".join(
        f'parameters.{name} = "{", ".join(map(str, shape))}"\n'
        for name, shape in cell.program.parameters.items()
    )
    steps = () if "unbatched" in given else (3,)
    shape = (5, *([] if given == INPUTS["unbatched"] else steps), 3)
    target = np.random.default_rng(2).uniform(-1, 1, shape).round(2).tolist()
    return read_text(
        f'[input]\n{given}[recurrent]\nmodule = "{module}"\nhidden_size = 4\n{options}'
        '[linear]\nout_features = 3\n[weights]\nseed = 3\n[display]\ndtype = "float64"\n'
        f'[target]\nvalues = {target}\n[loss]\nover_time = "together"\n'
        f"[cell.mine]\nstate = {states}\n{shapes}"
        f"equations = '''{EQUATIONS}{PROJECTED_OUTPUT if proj_size else OUTPUT}'''\n"
    )


def as_mine(lstm: Scenario, mine: Scenario) -> Scenario:
    """The own cell with the LSTM's numbers: each gate's rows under the gate's own name."""
    numbers = {}
    for block in Model(lstm).blocks:
        layer = f"_l{block.layer}{'_reverse' if block.direction == 'backward' else ''}"
        suffix = layer if block.kind == "recurrent" and not mine.recurrent.is_cell else ""
        for name, where in block.kept_in.items():
            own = f"{name}{suffix}" if block.kind == "recurrent" else where.torch
            numbers[own] = lstm.parameters[where.torch][where.start : where.stop]
    assert numbers.keys() == mine.parameters.keys()
    return mine.with_parameters(numbers)


@pytest.mark.parametrize(("options", "given"), CASES)
def test_it_computes_and_goes_back_as_torchs_module_does(options, given):
    lstm = scenario_of("LSTM", OPTIONS[options], INPUTS[given])
    mine = as_mine(lstm, scenario_of("mine", OPTIONS[options], INPUTS[given]))
    theirs, ours = Model(lstm), Model(mine)
    passed, done = theirs.run_batch(0), ours.run_batch(0)
    for name in ("output", "h_n", "c_n", "logits"):
        shown = getattr(done, name)
        np.testing.assert_array_equal(shown, np.reshape(getattr(passed, name), shown.shape), err_msg=name)
    expected, found = theirs.backward(passed), ours.backward(done)
    assert found.loss == expected.loss
    for block in ours.blocks:
        for name, where in block.kept_in.items():
            there = next(one for one in theirs.blocks if one.key == block.key).kept_in[name]
            np.testing.assert_array_equal(
                found.parameters[where.torch][where.start : where.stop],
                expected.parameters[there.torch][there.start : there.stop],
                err_msg=name,
            )


@pytest.mark.parametrize(("options", "given"), CASES)
def test_the_self_check_agrees_forward_and_back(options, given):
    model = Model(scenario_of("mine", OPTIONS[options], INPUTS[given]))
    done = model.run_batch(0)
    assert check(model.run()).faults == ()
    assert check_gradients(done, model.backward(done)).faults == ()


def test_an_altered_layer_is_caught():
    done = Model(scenario_of("mine", OPTIONS["layers, both ways"], INPUTS["a batch"])).run_batch(0)
    reference = run_reference(done)
    states = {
        key: {name: value.copy() for name, value in one.items()} for key, one in reference.states.items()
    }
    assert compare(done, replace(reference, states=states)).agrees
    states["L2←"]["h"][1, 0, 0] += 1e-6
    assert not compare(done, replace(reference, states=states)).agrees


def test_shapes_names_and_seed_are_laid_out_as_torchs():
    mine = scenario_of("mine", OPTIONS["layers, both ways"], INPUTS["a batch"])
    names = list(mine.parameters)
    assert names[0] == "W_ii_l0"
    assert names.index("W_ii_l0_reverse") < names.index("W_ii_l1") < names.index("W_ii_l1_reverse")
    assert mine.parameters["W_ii_l1"].shape == (4, 8)
    trace = Model(mine).run()
    assert (trace.output.shape, trace.h_n.shape, trace.c_n.shape) == ((5, 3, 8), (6, 3, 4), (6, 3, 4))
    torch.manual_seed(3)
    drawn = torch.empty(4, 2).uniform_(-(4**-0.5), 4**-0.5)
    np.testing.assert_array_equal(mine.parameters["W_ii_l0"], drawn.numpy())


ADDER = """
[input]
values = [[1, 0], [0.5, 0.25]]
[recurrent]
module = "adder"
hidden_size = 2
%s
[weights]
seed = 0
[cell.adder]
state = {p = %s, h = "hidden_size"}
parameters.W = "hidden_size, input_size"
parameters.U = "hidden_size, hidden_size"
parameters.V = "1, hidden_size"
equations = '''
h = sigmoid(W @ x + U @ h_prev)
p = sigmoid(V @ h)
'''
"""


@pytest.mark.parametrize("size", ["1", '"1"'])
@pytest.mark.parametrize("options", ["", "num_layers = 2\nbidirectional = true"])
def test_the_first_state_has_any_size(size, options, tmp_path):
    path = tmp_path / "adder.toml"
    path.write_text(ADDER % (options, size))
    run = rnnstep.trace(path)
    assert run.agrees
    assert run.output.shape == ((2, 2) if options else (2, 1))
    scenario = read(path)
    assert scenario.recurrent.output_size == 1
    write_scenario(scenario, tmp_path / "again.toml")
    assert difference(scenario, read(tmp_path / "again.toml")) is None


def test_a_size_that_is_none_and_a_layer_that_does_not_fit_are_told(tmp_path):
    path = Path(tmp_path / "adder.toml")
    path.write_text(ADDER % ("", '"two"'))
    with pytest.raises(ScenarioError, match=r":11:10: `p`: found \"two\", expected .* or a whole number"):
        read(path)
    both = ADDER % ("num_layers = 2\nbidirectional = true", "2")
    path.write_text(both.replace('V = "1', 'V = "2').replace("W @ x + U", "W @ x + x + U"))
    with pytest.raises(ScenarioError, match="2 and 4 do not fit, in layer 1, where `input_size` is 4"):
        read(path)


SUMS = """
input = {random = {shape = [4, 2, 3], seed = 1}}
recurrent = {module = "sums", hidden_size = 2, num_layers = NUMBER}
weights = {seed = 1}

[cell.sums]
state = {h = "hidden_size", c = "input_size"}
parameters.W = "hidden_size, input_size"
equations = "c = c_prev + x\\nh = tanh(W @ c)"
"""


def test_a_state_of_another_size_in_each_layer_is_told():
    with pytest.raises(ScenarioError, match=r":7:1: `c` has 3 elements in layer 0 and 2 in layer 1"):
        read_text(SUMS.replace("NUMBER", "2"))
    assert rnnstep.trace(rnnstep.loads(SUMS.replace("NUMBER", "1"))).agrees
