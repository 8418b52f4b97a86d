"""The losses and their gradients beside torch's functions: every name, reduction and way over time, in both dtypes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tomlkit
import torch
from torch.nn import functional

from rnnstep.engine import Model
from rnnstep.engine.passes import Pass
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read_text

STEPS, CLASSES = 4, 3
# A cell that gives what it is given, so that ∂L/∂h is ∂L/∂outputs.
PASSED_ON = {"state": ["h"], "parameters": {"b": "hidden_size"}, "equations": "h = x"}
TORCHS = {
    "CrossEntropyLoss": functional.cross_entropy,
    "MSELoss": functional.mse_loss,
    "L1Loss": functional.l1_loss,
    "SmoothL1Loss": functional.smooth_l1_loss,
    "BCEWithLogitsLoss": functional.binary_cross_entropy_with_logits,
}
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum"])
OVER_TIME = pytest.mark.parametrize("over_time", ["together", "sum"])
ROWS = pytest.mark.parametrize("rows", [1, 3])


def scenario_of(
    outputs: np.ndarray,
    target: np.ndarray,
    dtype: str,
    *,
    mistake: str = "",
    is_final: bool = False,
    **loss: Any,
) -> Scenario:
    """A scenario whose outputs, (T, B, n), are compared with a target."""
    key = "indices" if target.dtype.kind in "iu" else "values"
    tables: dict[str, Any] = {
        "input": {"values": np.zeros_like(outputs).tolist()},
        "recurrent": {"module": "passed_on", "hidden_size": outputs.shape[-1]},
        "cell": {"passed_on": PASSED_ON},
        "weights": {"seed": 0},
        "target": {key: target.tolist()},
        "loss": loss,
        "display": {"dtype": dtype},
    }
    if is_final:
        size = outputs.shape[-1]
        tables["linear"] = {"out_features": size, "bias": False, "from": "h_n"}
        tables["weights"] = {"b": [0.0] * size, "linear.weight": np.eye(size).tolist()}
    if mistake:
        tables["training"] = {"optimizer": "SGD", "mistake": mistake}
    scenario = read_text(tomlkit.dumps(tables))
    batch = replace(scenario.batches[0], values=outputs.astype(dtype))
    return replace(scenario, batches=(batch,))


def loss_and_gradient(scenario: Scenario) -> tuple[float, np.ndarray, Pass]:
    """The loss, ∂L/∂outputs (T, B, n), and the run."""
    model = Model(scenario)
    done = model.run_batch()
    back = model.backward(done)
    assert back is not None
    np.testing.assert_equal(back.loss, done.loss)
    return back.loss, back.states("L0", "h"), done


def by_torch(scenario: Scenario, outputs: np.ndarray, *, is_twice: bool = False) -> tuple[float, np.ndarray]:
    """The same by torch's functions, step by step or all at once."""
    loss, batch = scenario.loss, scenario.batches[0]
    assert loss is not None
    assert batch.target is not None
    logits = torch.tensor(outputs.astype(scenario.dtype), requires_grad=True)
    target = torch.tensor(batch.target)
    more: dict[str, Any] = {"ignore_index": loss.ignore_index} if loss.name == "CrossEntropyLoss" else {}
    more |= {"beta": loss.beta} if loss.name == "SmoothL1Loss" else {}
    scores = logits.softmax(-1) if is_twice else logits
    if target.shape[0] != scores.shape[0] or target.ndim == 1:
        said, wanted = [scores[-1]], [target]
    elif loss.over_time == "sum":
        said, wanted = list(scores), list(target)
    else:
        said, wanted = [scores.reshape(-1, scores.shape[-1])], [target.reshape(-1, *target.shape[2:])]
    total = sum(
        loss.factor * TORCHS[loss.name](a, b, reduction=loss.reduction, **more)
        for a, b in zip(said, wanted, strict=True)
    )
    assert isinstance(total, torch.Tensor)
    total.backward()
    assert logits.grad is not None
    return total.item(), logits.grad.numpy()


def agrees(scenario: Scenario, outputs: np.ndarray, *, is_twice: bool = False) -> Pass:
    loss, gradient, done = loss_and_gradient(scenario)
    expected, slope = by_torch(scenario, outputs, is_twice=is_twice)
    unit = float(np.finfo(scenario.dtype).eps)
    assert loss == pytest.approx(expected, rel=16 * unit, abs=16 * unit, nan_ok=True)
    assert gradient.dtype == scenario.dtype
    largest = float(np.nan_to_num(np.abs(slope)).max())
    np.testing.assert_allclose(gradient, slope, rtol=32 * unit, atol=16 * unit * max(largest, 1e-30))
    return done


def drawn(rows: int, name: str, *, is_final: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Outputs, and a target that fits them."""
    rng = np.random.default_rng(rows)
    outputs = rng.normal(size=(STEPS, rows, CLASSES)) * 3
    shape = (rows,) if is_final else (STEPS, rows)
    if name == "CrossEntropyLoss":
        return outputs, rng.integers(0, CLASSES, shape)
    return outputs, rng.uniform(0, 1, (*shape, CLASSES)).round(3)


# ── every loss, every way ────────────────────────────────────────────────────────────────────


@DTYPES
@OVER_TIME
@REDUCTIONS
@ROWS
@pytest.mark.parametrize("name", TORCHS)
def test_loss_and_gradient_are_torchs(
    name: str, rows: int, reduction: str, over_time: str, dtype: str
) -> None:
    outputs, target = drawn(rows, name)
    agrees(scenario_of(outputs, target, dtype, name=name, reduction=reduction, over_time=over_time), outputs)


@DTYPES
@REDUCTIONS
@ROWS
@pytest.mark.parametrize("name", TORCHS)
def test_loss_of_final_states_is_torchs(name: str, rows: int, reduction: str, dtype: str) -> None:
    outputs, target = drawn(rows, name, is_final=True)
    scenario = scenario_of(outputs, target, dtype, is_final=True, name=name, reduction=reduction)
    done = agrees(scenario, outputs)
    assert [key for key in done.by_key if key in {"loss", "total"}] == ["loss", "total"]


@DTYPES
@OVER_TIME
@REDUCTIONS
@pytest.mark.parametrize("factor", [0.5, -2, 0.1, 1e-3])
@pytest.mark.parametrize("name", TORCHS)
def test_factor_is_what_torchs_loss_is_multiplied_with(
    name: str, factor: float, reduction: str, over_time: str, dtype: str
) -> None:
    outputs, target = drawn(3, name)
    if name == "CrossEntropyLoss":
        target[1, 0] = -100
    loss = {"reduction": reduction, "over_time": over_time}
    done = agrees(scenario_of(outputs, target, dtype, name=name, factor=factor, **loss), outputs)
    plain = loss_and_gradient(scenario_of(outputs, target, dtype, name=name, **loss))[0]
    assert done.loss == pytest.approx(factor * plain, rel=1e-6)


@DTYPES
@OVER_TIME
@REDUCTIONS
@pytest.mark.parametrize("beta", [0, 0.25, 1, 3.7, 1e-30])
def test_smooth_l1_loss_is_torchs_at_every_beta(
    beta: float, reduction: str, over_time: str, dtype: str
) -> None:
    outputs, target = drawn(3, "SmoothL1Loss")
    loss = {"name": "SmoothL1Loss", "beta": beta, "reduction": reduction, "over_time": over_time}
    agrees(scenario_of(outputs, target, dtype, **loss), outputs)


@DTYPES
@pytest.mark.parametrize(
    "loss", [{"name": "L1Loss"}, *({"name": "SmoothL1Loss", "beta": b} for b in (0, 0.5, 1))]
)
def test_slopes_at_kinks_are_exactly_torchs(loss: dict[str, Any], dtype: str) -> None:
    kinks = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-30, -1e-30, 1e30]
    outputs = np.array(kinks)[:, None, None]
    scenario = scenario_of(outputs, np.zeros_like(outputs), dtype, reduction="sum", over_time="sum", **loss)
    _, gradient, _ = loss_and_gradient(scenario)
    np.testing.assert_array_equal(gradient, by_torch(scenario, outputs)[1])


IGNORED = {
    "one": [(1, 0)],
    "the first step": [(0, 0), (0, 1), (0, 2)],
    "the last step": [(3, 0), (3, 1), (3, 2)],
    "some rows of two steps": [(1, 0), (1, 2), (2, 1)],
    "a whole row": [(0, 1), (1, 1), (2, 1), (3, 1)],
    "all": [(t, row) for t in range(STEPS) for row in range(3)],
}


@DTYPES
@OVER_TIME
@REDUCTIONS
@pytest.mark.parametrize("ignored", IGNORED)
@pytest.mark.parametrize("index", [-100, 0, 7])
def test_what_is_ignored_counts_for_nothing(
    index: int, ignored: str, reduction: str, over_time: str, dtype: str
) -> None:
    outputs, target = drawn(3, "CrossEntropyLoss")
    for place in IGNORED[ignored]:
        target[place] = index
    loss = {"reduction": reduction, "over_time": over_time, "ignore_index": index}
    done = agrees(scenario_of(outputs, target, dtype, name="CrossEntropyLoss", **loss), outputs)
    assert done.loss_run is not None
    each = done.loss_run.known["nll"][..., 0]
    assert np.array_equal(each == 0, target == index)


def test_one_class_may_be_ignored_too() -> None:
    target = np.array([[0], [-100], [0]])
    done = agrees(
        scenario_of(np.ones((3, 1, 1)), target, "float64", over_time="together"), np.ones((3, 1, 1))
    )
    assert done.loss == 0


@DTYPES
def test_mean_of_nothing_is_no_number(dtype: str) -> None:
    outputs = np.zeros((2, 1, 3))
    scenario = scenario_of(outputs, np.full((2, 1), -100), dtype, over_time="together")
    done = Model(scenario).run_batch()
    assert done.loss is not None
    assert math.isnan(done.loss)


@DTYPES
@OVER_TIME
def test_softmax_taken_twice_is_torchs_too(over_time: str, dtype: str) -> None:
    outputs, target = drawn(3, "CrossEntropyLoss")
    scenario = scenario_of(
        outputs, target, dtype, mistake="softmax_before_cross_entropy", over_time=over_time
    )
    agrees(scenario, outputs, is_twice=True)


# ── extreme outputs ──────────────────────────────────────────────────────────────────────────

EXTREME = {
    "far apart": [[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, 0.0, -1e4]],
    "all alike": [[1e4, 1e4, 1e4], [-1e4, -1e4, -1e4], [0.0, 0.0, 0.0]],
    "near the largest": [[3e38, 0.0, -3e38], [1e30, 1e30, 0.0], [-3e38, -3e38, -3e38]],
    "tiny": [[1e-30, -1e-30, 0.0], [1e-45, 0.0, 0.0], [-1e-40, 1e-40, 1e-40]],
    "a class that cannot be": [[-math.inf, 0.0, 1.0], [2.0, -math.inf, 1.0], [0.0, 1.0, -math.inf]],
    "an infinite one": [[math.inf, 0.0, 1.0], [1.0, 2.0, 3.0], [0.0, 1.0, 2.0]],
    "no number": [[math.nan, 0.0, 1.0], [1.0, 2.0, 3.0], [0.0, 1.0, 2.0]],
}


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("values", EXTREME)
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "BCEWithLogitsLoss"])
def test_extreme_outputs_are_what_torch_makes_of_them(
    name: str, values: str, reduction: str, dtype: str
) -> None:
    outputs = np.array(EXTREME[values])[:, None]
    for target in (np.array([[0], [1], [1]]), np.array([[1], [2], [0]])):
        wanted = target if name == "CrossEntropyLoss" else np.eye(3)[target]
        scenario = scenario_of(outputs, wanted, dtype, name=name, reduction=reduction, over_time="sum")
        if name == "BCEWithLogitsLoss" and np.isposinf(outputs).any():
            assert not math.isfinite(
                loss_and_gradient(scenario)[0]
            )  # torch's is ∞ or NaN, by its way of writing it
        else:
            agrees(scenario, outputs)


@DTYPES
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "BCEWithLogitsLoss"])
def test_large_outputs_have_a_finite_loss_and_gradient(name: str, dtype: str) -> None:
    outputs = np.array(EXTREME["far apart"])[:, None]
    target = np.array([[1], [0], [2]])
    wanted = target if name == "CrossEntropyLoss" else np.eye(3)[target]
    loss, gradient, done = loss_and_gradient(scenario_of(outputs, wanted, dtype, name=name, over_time="sum"))
    assert math.isfinite(loss)
    assert loss > 1e4 / 3
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() <= 1
    assert done.loss_run is not None
    assert all(np.isfinite(value).all() for value in done.loss_run.known.values())


@DTYPES
def test_squares_that_overflow_are_torchs(dtype: str) -> None:
    outputs = np.array([[[1e30, -1e20, 0.0]], [[1e19, 0.5, 1.0]]])
    agrees(scenario_of(outputs, np.zeros((2, 1, 3)), dtype, name="MSELoss", over_time="together"), outputs)


# ── the values between ───────────────────────────────────────────────────────────────────────


def test_values_of_a_cross_entropy_are_probabilities_their_logarithms_and_the_targets_one() -> None:
    outputs, target = drawn(3, "CrossEntropyLoss")
    _, _, done = loss_and_gradient(scenario_of(outputs, target, "float64", over_time="together"))
    for t in range(STEPS):
        for row in range(3):
            known = done.known("loss", t, row)
            assert known is not None
            p = np.exp(outputs[t, row]) / np.exp(outputs[t, row]).sum()
            np.testing.assert_allclose(known["p"], p, rtol=1e-14)
            np.testing.assert_allclose(known["log_p"], np.log(p), rtol=1e-13, atol=1e-15)
            assert known["nll"].tolist() == [-known["log_p"][target[t, row]]]
    whole = done.known("total", STEPS - 1, 0)
    assert whole is not None
    each = [done.known("loss", t, row) for t in range(STEPS) for row in range(3)]
    assert whole["nll"].tolist() == [one["nll"].item() for one in each if one is not None]
    assert whole["loss"].item() == done.loss == pytest.approx(whole["nll"].mean())


@REDUCTIONS
def test_values_of_the_losses_of_numbers(reduction: str) -> None:
    outputs, target = drawn(1, "MSELoss")
    short = reduction == "mean"
    for name, last in (
        ("MSELoss", "mse" if short else "sse"),
        ("L1Loss", "mae" if short else "sae"),
        ("SmoothL1Loss", "smooth"),
        ("BCEWithLogitsLoss", "bce"),
    ):
        _, _, done = loss_and_gradient(
            scenario_of(outputs, target, "float64", name=name, reduction=reduction)
        )
        known = done.known("loss", 2, 0)
        assert known is not None
        said, wanted = outputs[2, 0], target[2, 0]
        if name == "L1Loss":
            each = np.abs(said - wanted)
            np.testing.assert_allclose(known["distance"], each, rtol=1e-15)
        elif name == "SmoothL1Loss":
            far = np.abs(said - wanted)
            each = np.where(far < 1, far**2 / 2, far - 0.5)
            np.testing.assert_allclose(known["smooth_each"], each, rtol=1e-14)
        elif name == "MSELoss":
            each = (said - wanted) ** 2
            np.testing.assert_allclose(known["difference"], said - wanted, rtol=1e-15)
            np.testing.assert_allclose(known["square"], each, rtol=1e-14)
        else:
            p = 1 / (1 + np.exp(-said))
            each = -wanted * np.log(p) - (1 - wanted) * np.log(1 - p)
            np.testing.assert_allclose(known["p"], p, rtol=1e-14)
            np.testing.assert_allclose(known["bce_each"], each, rtol=1e-12)
        expected = each.mean() if reduction == "mean" else each.sum()
        assert known[last].item() == pytest.approx(expected, rel=1e-12)


def test_rows_that_are_over_take_part_in_the_loss() -> None:
    scenario = read_text(
        'input = {random = {shape = [4, 2, 3], seed = 1}, lengths = [4, 2]}\nrecurrent = {module = "RNN", hidden_size = 3}\n'
        "weights.seed = 0\ntarget.indices = [[0, 1], [1, 2], [2, 0], [0, 1]]\ndisplay.dtype = 'float64'"
    )
    model = Model(scenario)
    done = model.run_batch()
    assert done.loss_run is not None
    np.testing.assert_allclose(done.loss_run.known["nll"][2:, 1], math.log(3))  # of zeros, as torch pads them
    logits, target = torch.tensor(done.output).reshape(-1, 3), torch.tensor(scenario.batches[0].target)
    assert done.loss == pytest.approx(functional.cross_entropy(logits, target.reshape(-1)).item(), rel=1e-14)


def test_without_a_target_there_is_no_loss_and_no_way_back() -> None:
    scenario = read_text(
        "input.random = {shape = [2, 1, 3], seed = 1}\nrecurrent = {module = 'RNN', hidden_size = 3}\nweights.seed = 0"
    )
    model = Model(scenario)
    done = model.run_batch()
    assert done.loss is None
    assert model.backward(done) is None
    assert not {"loss", "total"} & done.by_key.keys()
