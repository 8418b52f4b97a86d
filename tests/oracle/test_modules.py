"""Every module of a chain beside torch's own, forward and back, in both dtypes, with arguments that are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import rnnstep
from rnnstep.engine import Model
from rnnstep.errors import ScenarioError
from rnnstep.modules import above_recurrent
from rnnstep.reference import compare, complete, run_reference
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.modules import remarks
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read_text
from rnnstep.session.edits import target_at
from rnnstep.session.provenance import above, from_below
from rnnstep.session.run import SessionRun
from rnnstep.session.tree import Spot
from tests.oracle.loss_checks import assert_are_torchs

CHAIN = """
%s
[input]
random = {shape = %s, seed = %d}
[[layers]]
module = "GRU"
hidden_size = %d
batch_first = %s
[[layers]]
module = "%s"
%s
[weights]
seed = 0
[target]
values = %s
[loss]
reduction = "sum"
[display]
dtype = "%s"
"""


@dataclass(frozen=True)
class Drawn:
    """A module with its arguments.

    Attributes:
        name: torch's.
        options: as torch's constructor takes them by name.
        first: what that takes by position, which the file leaves out.
        call: how torch's module is called on (T, B, n).
    """

    name: str
    options: dict[str, Any]
    first: tuple[Any, ...] = ()
    call: Callable[[nn.Module, torch.Tensor], torch.Tensor] = lambda module, x: module(x)
    mode: str = "eval"
    gives: int | None = None  # how many numbers, where not as many as it reads

    def steps(self, steps: int, size: int) -> int:
        """How many torch's module gives of so many."""
        module = getattr(nn, self.name)(*self.first, **self.options).eval()
        try:
            gave = self.call(module, torch.zeros(steps, 1, size))
        except RuntimeError:  # too few
            return 0
        # The largest of a window that has no step is −∞, and torch's backward pass through it ends the process.
        return len(gave) if gave.isfinite().all() else 0


def plain(name: str) -> Callable[[st.DrawFn, int], Drawn]:
    return lambda _draw, _size: Drawn(name, {})


def over_features(name: str) -> Callable[[st.DrawFn, int], Drawn]:
    return lambda draw, _size: Drawn(name, {"dim": draw(st.sampled_from([-1, 2]))})


def layer_norm(draw: st.DrawFn, size: int) -> Drawn:
    options = {
        "eps": draw(st.sampled_from([1e-5, 1e-3, 0.5])),
        "elementwise_affine": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }
    return Drawn("LayerNorm", {name: options[name] for name in options if draw(st.booleans())}, (size,))


def over_time(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return module(x.permute(1, 2, 0)).permute(2, 0, 1)


def batch_norm(draw: st.DrawFn, size: int) -> Drawn:
    options = {
        "eps": draw(st.sampled_from([1e-5, 0.5])),
        "momentum": draw(st.sampled_from([0.1, 0.0, 1.0])),
        "affine": draw(st.booleans()),
    }
    options = {name: options[name] for name in options if draw(st.booleans())}
    return Drawn("BatchNorm1d", options, (size,), over_time)


def conv(draw: st.DrawFn, size: int) -> Drawn:
    groups = draw(st.sampled_from([one for one in range(1, size + 1) if size % one == 0]))
    gives = groups * draw(st.integers(1, 2))
    kernel_size, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    padding = draw(st.sampled_from(["same", "valid", 0, 1, 2, 5]))
    options = {"dilation": dilation, "groups": groups, "bias": draw(st.booleans())}
    options |= {"out_channels": gives, "kernel_size": kernel_size, "padding": padding}
    options |= {} if padding == "same" else {"stride": draw(st.integers(1, 3))}
    options["padding_mode"] = draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]))
    return Drawn("Conv1d", options, (size,), over_time, gives=gives)


def max_pool(draw: st.DrawFn, size: int) -> Drawn:
    kernel_size = draw(st.integers(1, 4))
    options = {"kernel_size": kernel_size, "stride": draw(st.sampled_from([None, 1, 2, 3]))}
    options |= {"padding": draw(st.integers(0, kernel_size // 2)), "ceil_mode": draw(st.booleans())}
    if draw(st.booleans()):
        options["dilation"] = draw(st.integers(1, 2))
    return Drawn("MaxPool1d", {name: one for name, one in options.items() if one is not None}, (), over_time)


def avg_pool(draw: st.DrawFn, size: int) -> Drawn:
    options = dict(max_pool(draw, size).options)
    options.pop("dilation", None)
    options["count_include_pad"] = draw(st.booleans())
    return Drawn("AvgPool1d", options, (), over_time)


MODULES: dict[str, Callable[[st.DrawFn, int], Drawn]] = {
    **{name: plain(name) for name in ("Identity", "Tanh", "ReLU", "Sigmoid")},
    **{name: over_features(name) for name in ("Softmax", "LogSoftmax")},
    "LayerNorm": layer_norm,
    "BatchNorm1d": batch_norm,
    "Conv1d": conv,
    "MaxPool1d": max_pool,
    "AvgPool1d": avg_pool,
}


def toml(value: Any) -> str:
    return repr(value).lower() if type(value) is bool else repr(value)


def test_every_module_is_drawn() -> None:
    elsewhere = {"Linear", "Dropout", "Attention"}  # in `test_chains`, and of several inputs
    assert MODULES.keys() | elsewhere == above_recurrent().keys()


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MODULES)
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_a_module_is_torchs_forward_and_back(name: str, dtype: str, data: st.DataObject) -> None:
    size, seed = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 99))
    drawn: Drawn = data.draw(st.composite(lambda draw: MODULES[name](draw, size))())
    steps, rows = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    rng = np.random.default_rng(seed)
    given_steps = drawn.steps(steps, size)
    assume(given_steps)
    target = rng.normal(size=(given_steps, rows, drawn.gives or size))
    is_batch_first = data.draw(st.booleans())
    laid_out = target.swapaxes(0, 1) if is_batch_first else target
    shape = [rows, steps, 2] if is_batch_first else [steps, rows, 2]
    lines = "\n".join(f"{key} = {toml(value)}" for key, value in drawn.options.items())
    scenario = read_text(
        CHAIN
        % (
            f'mode = "{drawn.mode}"',
            shape,
            seed,
            size,
            toml(is_batch_first),
            drawn.name,
            lines,
            laid_out.tolist(),
            dtype,
        )
    )
    scenario = scenario.with_parameters(
        {
            name: (
                rng.uniform(0.1, 2, one.shape) if "running_var" in name else rng.normal(size=one.shape)
            ).astype(dtype)
            for name, one in scenario.parameters.items()
        }
    )
    model = Model(scenario)
    key = scenario.layers[-1].key
    rnn = nn.GRU(2, size)
    module = getattr(nn, drawn.name)(*drawn.first, **drawn.options)
    for one, start in ((rnn, ""), (module, f"{key}.")):
        one.to(getattr(torch, dtype)).train(drawn.mode == "train")
        with torch.no_grad():
            for part, values in one.state_dict().items():
                if part != "num_batches_tracked":
                    values[...] = torch.tensor(scenario.parameters[f"{start}{part}"])
    logits = drawn.call(module, rnn(torch.tensor(scenario.batches[0].values))[0])
    loss = nn.MSELoss(reduction="sum")(logits, logits.new_tensor(target))
    loss.backward()
    gradients = {part: one.grad.numpy() for part, one in rnn.named_parameters()}
    gradients |= {f"{key}.{part}": one.grad.numpy() for part, one in module.named_parameters()}
    unit = float(np.finfo(dtype).eps)
    done = model.run_batch(0)
    np.testing.assert_allclose(done.logits_by_row, logits.detach().numpy(), rtol=0, atol=2**14 * unit)
    scale = max(1.0, loss.item(), *(float(np.abs(one).max()) for one in gradients.values()))
    assert_are_torchs(model, loss.item(), gradients, units=2**12, gradient_units=int(2**14 * scale))


# ── what else is said of them ────────────────────────────────────────────────────────────────────

LETTERS = """
vocabulary = ["a", "b", "c"]
[input]
text = ["abca", "bb"]
[[layers]]
module = "GRU"
hidden_size = 4
[[layers]]
module = "Linear"
[[layers]]
module = "LogSoftmax"
dim = -1
[weights]
seed = 1
[target]
text = ["bcab", "ca"]
[loss]
name = "NLLLoss"
[display]
dtype = "float64"
"""
PLAIN = LETTERS.replace('[[layers]]\nmodule = "LogSoftmax"\ndim = -1\n', "").replace(
    "NLLLoss", "CrossEntropyLoss"
)


@pytest.mark.parametrize(
    "options", ["", "ignore_index = 2", 'reduction = "sum"', 'over_time = "sum"', "factor = 0.5"]
)
def test_nll_of_a_log_softmax_is_the_cross_entropy(options: str) -> None:
    found = []
    for text, name in ((LETTERS, "NLLLoss"), (PLAIN, "CrossEntropyLoss")):
        model = Model(read_text(text.replace(f'name = "{name}"', f'name = "{name}"\n{options}')))
        found.append(model.backward(model.run_batch(0)))
    assert found[0].loss == pytest.approx(found[1].loss, rel=1e-14)
    for name, gradient in found[1].parameters.items():
        np.testing.assert_allclose(found[0].parameters[name], gradient, rtol=0, atol=1e-14, err_msg=name)
    assert_are_torchs(
        Model(read_text(LETTERS.replace('"NLLLoss"', f'"NLLLoss"\n{options}'))),
        found[1].loss,
        found[1].parameters,
        units=64,
        gradient_units=256,
    )


def test_nll_of_what_is_no_logarithm_is_told() -> None:
    assert remarks(read_text(LETTERS)) == []
    (told,) = remarks(read_text(LETTERS.replace("LogSoftmax", "Softmax")))
    assert "Softmax gives" in str(told)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("dim = 0", "`dim`: 0 is the axis of steps; expected -1 or 2, the features"),
        ("dim = 1", "`dim`: 1 is the axis of rows; expected -1 or 2, the features"),
        ("dim = -3", "`dim`: -3 is the axis of steps; expected -1 or 2, the features"),
        ("dim = 3", "`dim`: found 3, expected -1 or 2, the features"),
        ("", "`dim` is missing: expected -1 or 2, the features"),
    ],
)
def test_another_axis_than_that_of_the_features_is_told_by_name(written: str, told: str) -> None:
    with pytest.raises(ScenarioError) as error:
        read_text(LETTERS.replace("dim = -1", written))
    (problem,) = error.value.problems
    assert str(problem.message) == told


OPTIONS = {
    "layer norm": 'module = "LayerNorm"\neps = 0.1\nbias = false',
    "layer norm without parameters": 'module = "LayerNorm"\nelementwise_affine = false',
    "identity": 'module = "Identity"',
    "softmax": 'module = "Softmax"\ndim = 2',
    "conv": 'module = "Conv1d"\nout_channels = 3\nkernel_size = 3\npadding = "same"',
    "max pool": 'module = "MaxPool1d"\nkernel_size = 3\nstride = 1\npadding = 1',
    "average pool": 'module = "AvgPool1d"\nkernel_size = 3\nstride = 1\npadding = 1\ncount_include_pad = false',
    "batch norm": 'module = "BatchNorm1d"\nmomentum = 0.5',
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_module_made_in_memory_is_written_and_reads_back(name: str, tmp_path: Any) -> None:
    text = LETTERS.replace('module = "LogSoftmax"\ndim = -1', OPTIONS[name])
    scenario = complete(read_text(text))
    write_scenario(replace(scenario, path=None, file_text=None, origins=Origins()), tmp_path / "written.toml")
    back = read_text((tmp_path / "written.toml").read_text("utf-8"), tmp_path / "written.toml")
    assert difference(scenario, back) is None
    assert back.layers == scenario.layers


# ── running statistics ───────────────────────────────────────────────────────────────────────────

NORMED = LETTERS.replace('module = "LogSoftmax"\ndim = -1', 'module = "BatchNorm1d"').replace(
    "NLLLoss", "CrossEntropyLoss"
)
NORMED += """
[training]
epochs = 3
optimizer = "SGD"
lr = 0.5
weight_decay = 0.1
"""


def test_running_statistics_are_given_and_not_learnt(tmp_path: Any) -> None:
    path = tmp_path / "normed.toml"
    given = (
        "seed = 1\nbatchnorm1d.running_mean = [0.5, -0.5, 0.25]\nbatchnorm1d.running_var = [0.5, 2.0, 3.0]"
    )
    path.write_text(NORMED.replace("seed = 1", given))
    back = rnnstep.grad(path).as_dict()
    assert back["agrees"]
    learnt = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "linear.weight", "linear.bias"}
    assert back["parameters"].keys() == learnt | {"batchnorm1d.weight", "batchnorm1d.bias"}
    trained = rnnstep.train(path)
    assert trained.as_dict()["agrees"]
    np.testing.assert_array_equal(trained.parameters["batchnorm1d.running_var"], [0.5, 2.0, 3.0])
    assert not np.array_equal(trained.parameters["batchnorm1d.weight"], [1.0, 1.0, 1.0])


def test_running_statistics_come_out_of_a_state_dict(tmp_path: Any) -> None:
    class Written(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.linear, self.norm = nn.GRU(3, 4), nn.Linear(4, 3), nn.BatchNorm1d(3)

    module = Written()
    module.norm(torch.randn(7, 3))
    torch.save(module.state_dict(), tmp_path / "written.pt")
    text = NORMED.replace("seed = 1", 'file = "written.pt"')
    scenario = complete(read_text(text, tmp_path / "normed.toml"))
    for name in ("weight", "bias", "running_mean", "running_var"):
        expected = getattr(module.norm, name).detach().numpy()
        np.testing.assert_array_equal(scenario.parameters[f"batchnorm1d.{name}"], expected)


# ── windows over time ────────────────────────────────────────────────────────────────────────────

WINDOWED = """
[input]
random = {shape = [4, 1, 2], seed = 1}
[[layers]]
module = "GRU"
hidden_size = 4
[[layers]]
module = "Conv1d"
out_channels = 2
kernel_size = 3
padding = 1
groups = 2
[weights]
seed = 1
[display]
order = "layer"
dtype = "float64"
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("groups = 2", "groups = 3", "`groups`: found 3, expected a divisor of `in_channels`, 4"),
        ("groups = 2", "groups = 4", "`groups`: found 4, expected a divisor of `out_channels`, 2"),
        ("padding = 1", 'padding = "same"\nstride = 2', "torch has none of it where `stride` is above 1"),
        ("padding = 1", 'padding = "reflect"', 'expected one of "same", "valid"'),
        (
            "groups = 2",
            'padding_mode = "mirror"',
            'expected one of "zeros", "reflect", "replicate", "circular"',
        ),
        ("padding = 1", 'padding = 4\npadding_mode = "reflect"', "`padding`: expected at most 3"),
        ("padding = 1", 'padding = 5\npadding_mode = "circular"', "`padding`: expected at most 4"),
        ("groups = 2", "in_channels = 3", "`in_channels`: found 3, expected 4, the size of what enters"),
        ("kernel_size = 3", "", "`kernel_size` is missing"),
        (
            "padding = 1",
            "padding = 0\ndilation = 2",
            "conv1d gives no step: it reads 4, too few for one window",
        ),
        ('order = "layer"', 'order = "time"', "reads later ones"),
    ],
)
def test_a_window_that_cannot_be_is_told(old: str, new: str, told: str) -> None:
    with pytest.raises(ScenarioError) as error:
        read_text(WINDOWED.replace(old, new))
    (problem,) = error.value.problems
    assert told in str(problem.message)


def test_a_window_is_followed_both_ways() -> None:
    """What a number of the window was computed as is the step that torch's convolution reads; outside there is nothing."""
    run = SessionRun.of(complete(read_text(WINDOWED)))
    assert run.scenario.display.order == "layer"
    block = next(block for block in run.tree.stage(Spot(0)).blocks if block.key == "conv1d")
    for t in range(4):
        for tap, name in enumerate(block.windows):
            at = Spot(0, "conv1d", t)
            found = from_below(run, at, name, (1,), 0)
            read = t + tap - 1
            if not 0 <= read < 4:
                assert found is None
                continue
            assert (found.spot.key, found.spot.t, found.index) == ("L0", read, (1,))
            readers = {(one.spot.t, one.name) for one in above(run, found.spot, "h", (1,), 0)}
            assert (t, name) in readers
            assert len(readers) == sum(0 <= read + 1 - k < 4 for k in range(3))


def test_an_edit_of_a_weight_of_a_window_is_torchs_weight() -> None:
    run = SessionRun.of(complete(read_text(WINDOWED)))
    spot = Spot(0, "conv1d", 1)
    target = target_at(run, spot, 0, "W_1_2", (0, 1))
    assert (target.key, target.index) == ("conv1d.weight", (1, 1, 2))
    value = run.scenario.parameters["conv1d.weight"][1, 1, 2]
    assert run.known(spot, 0)["W_1_2"][0, 1] == value


def test_that_a_window_reads_padding_is_told() -> None:
    assert remarks(read_text(WINDOWED)) == []
    padded = WINDOWED.replace(
        "shape = [4, 1, 2], seed = 1}", "shape = [4, 2, 2], seed = 1}\nlengths = [4, 2]"
    )
    scenario = read_text(padded)
    (told,) = remarks(scenario)
    assert "padding" in str(told)
    done = Model(scenario).run_batch(0)
    assert compare(done, run_reference(done)).agrees
