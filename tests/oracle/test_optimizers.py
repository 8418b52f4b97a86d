"""The optimizers and the clipping beside torch.optim: every argument, five updates, both dtypes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
from rnnstep.engine.optimizers import TORCH_BUFFERS, Optimizer
from rnnstep.engine.trainer import Trainer
from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.expand import expand, number_of_terms
from rnnstep.equations.pieces import reckon
from rnnstep.equations.syntax import names_in
from rnnstep.equations.write import BLACKBOARD, write_line
from rnnstep.reference.judge.bounds import Rounding
from rnnstep.reference.judge.update import moving_lines
from rnnstep.scenario.keys import OPTIMIZERS
from rnnstep.scenario.model import Training

Arrays = dict[str, np.ndarray]
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
UPDATES = 5


def training(name: str, clip: float | None = None, **arguments: Any) -> Training:
    """[training] with all of an optimizer's arguments, as a file that gives some of them is read."""
    assert arguments.keys() <= OPTIMIZERS[name].keys()
    return Training(name, MappingProxyType({**OPTIMIZERS[name], **arguments}), clip_grad_norm=clip)


def side_by_side(
    how: Training, dtype: str, seed: int = 0, gradients: list[np.ndarray] | None = None
) -> Iterator[tuple[dict[str, Any], Arrays]]:
    """Give all values of ours after each of five updates, and torch's parameters and what it remembers of them."""
    rng = np.random.default_rng(seed)
    start = rng.normal(size=(2, 3)).astype(dtype)
    if gradients is None:
        gradients = [rng.normal(size=(2, 3)) * 10.0 ** rng.integers(-3, 3) for _ in range(UPDATES)]
    leaf = torch.tensor(start, requires_grad=True)
    theirs = getattr(torch.optim, how.optimizer)([leaf], **how.arguments)
    ours = Optimizer.of(how)
    names = TORCH_BUFFERS[how.optimizer]
    w, buffers = start, {name: np.full_like(start, ours.beginning) for name in ours.buffers}
    for updates, drawn in enumerate(gradients):
        gradient = drawn.astype(dtype)
        leaf.grad = torch.tensor(gradient)
        theirs.step()
        with np.errstate(all="ignore"):
            values = ours.step(w, gradient, buffers, updates)
        w, buffers = values["w"], {name: values[name] for name in ours.buffers}
        kept = {name: theirs.state[leaf].get(other) for name, other in names.items()}
        assert {name for name, value in kept.items() if value is not None} == buffers.keys()
        assert {value.dtype for value in (w, *buffers.values())} == {np.dtype(dtype)}
        yield values, {"w": leaf.detach().numpy(), **{name: kept[name].numpy() for name in buffers}}


def agrees(how: Training, dtype: str, seed: int = 0, *, gradients: list[np.ndarray] | None = None) -> None:
    """Five updates give what torch's give, to a few of the last digits."""
    unit = float(np.finfo(dtype).eps)
    for ours, theirs in side_by_side(how, dtype, seed, gradients):
        for name, expected in theirs.items():
            if np.isfinite(expected).all() or name == "w":
                close(ours[name], expected, (64 if name == "w" else 16) * unit)
            else:  # torch moves a mean towards a gradient, m + (1 − β)·(g − m): ∞ − ∞ where ours stays ∞
                np.testing.assert_array_equal(np.isfinite(ours[name]), np.isfinite(expected))


def agrees_within_its_bound(how: Training, dtype: str, seed: int) -> None:
    """The same as far as rounding lets it, with arguments that make little differences large."""
    optimizer = Optimizer.of(how)
    errors: Arrays = {}
    for updates, (ours, theirs) in enumerate(side_by_side(how, dtype, seed)):
        lines = optimizer.lines if updates else optimizer.first
        set_here = {line.name for line in lines}
        read = {name: value for name, value in ours.items() if name not in set_here}
        pairs = {
            name: (value, errors.get(name.removesuffix("_prev"), np.zeros(np.shape(value))))
            for name, value in read.items()
        }
        bounds = moving_lines(lines, pairs, Rounding(np.dtype(dtype)), np.dtype(dtype))
        errors = {name: bounds[name][1] for name in theirs}
        for name, expected in theirs.items():
            off = np.abs(ours[name].astype(np.float64) - expected)
            assert np.all(off <= 2 * errors[name]), name
            assert np.all(errors[name] <= 1e-2 * np.abs(expected).max()) or dtype == "float32"


def close(found: np.ndarray, expected: np.ndarray, share: float) -> None:
    size = float(np.nan_to_num(np.abs(expected), posinf=0).max(initial=1e-30))
    np.testing.assert_allclose(found, expected, rtol=share, atol=share * size)


# ── every argument ───────────────────────────────────────────────────────────────────────────

SGD = [
    {"momentum": momentum, "dampening": dampening, "weight_decay": decay, "nesterov": nesterov, "maximize": up}
    for momentum, dampening, decay, nesterov, up in product((0.0, 0.9), (0.0, 0.3), (0.0, 0.1), (False, True), (False, True))
    if not nesterov or (momentum and not dampening)  # torch refuses the others
]  # fmt: skip
ADAM = [
    {"betas": betas, "eps": eps, "weight_decay": decay, "amsgrad": amsgrad, "maximize": up}
    for betas, eps, decay, amsgrad, up in product(
        ((0.9, 0.999), (0.5, 0.6), (0.0, 0.9)), (1e-8, 0.1), (0.0, 0.1), (False, True), (False, True)
    )
]
RMSPROP = [
    {"alpha": alpha, "eps": eps, "weight_decay": decay, "momentum": momentum, "centered": centered, "maximize": up}
    for alpha, eps, decay, momentum, centered, up in product(
        (0.99, 0.5), (1e-8, 0.1), (0.0, 0.1), (0.0, 0.9), (False, True), (False, True)
    )
]  # fmt: skip
ADAGRAD = [
    {
        "lr_decay": slower,
        "weight_decay": decay,
        "initial_accumulator_value": first,
        "eps": eps,
        "maximize": up,
    }
    for slower, decay, first, eps, up in product(
        (0.0, 0.3), (0.0, 0.1), (0.0, 0.5), (1e-10, 0.1), (False, True)
    )
]
GRID = (
    [("SGD", one) for one in SGD]
    + [("RMSprop", one) for one in RMSPROP]
    + [("Adagrad", one) for one in ADAGRAD]
)
GRID += [(name, one) for name in ("Adam", "AdamW") for one in ADAM]


@DTYPES
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_updates_with_every_argument_are_torchs(name: str, dtype: str) -> None:
    for number, (_, arguments) in enumerate(one for one in GRID if one[0] == name):
        for lr in (0.1, 1e-3):
            agrees(training(name, lr=lr, **arguments), dtype, number)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_argument_is_in_the_grid_and_matters(name: str) -> None:
    given_ = [arguments for one, arguments in GRID if one == name]
    assert {*given_[0], "lr"} == OPTIMIZERS[name].keys()
    made = [Optimizer.of(training(name, **arguments)) for arguments in given_]
    written = {(optimizer.lines, optimizer.beginning) for optimizer in made}
    without_dampening = [one for one in given_ if one.get("momentum") or not one.get("dampening")]
    assert len(written) == len(without_dampening)  # which is of momentum


SHARES = st.floats(0.05, 0.95)
POSITIVE = st.floats(1e-3, 1.0)
DRAWN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "SGD": {"momentum": SHARES, "dampening": SHARES, "weight_decay": POSITIVE},
    "Adam": {"betas": st.tuples(SHARES, SHARES), "eps": POSITIVE, "weight_decay": POSITIVE, "amsgrad": st.booleans()},
    "AdamW": {"betas": st.tuples(SHARES, SHARES), "eps": POSITIVE, "weight_decay": POSITIVE, "amsgrad": st.booleans()},
    "RMSprop": {"alpha": SHARES, "eps": POSITIVE, "weight_decay": POSITIVE, "momentum": SHARES, "centered": st.booleans()},
    "Adagrad": {"lr_decay": POSITIVE, "weight_decay": POSITIVE, "initial_accumulator_value": POSITIVE, "eps": POSITIVE},
}  # fmt: skip


@DTYPES
@pytest.mark.parametrize("name", OPTIMIZERS)
@given(data=st.data(), lr=POSITIVE, seed=st.integers(0, 2**32 - 1), up=st.booleans())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_updates_with_any_arguments_are_torchs(
    name: str,
    dtype: str,
    data: st.DataObject,
    lr: float,
    seed: int,
    up: bool,  # noqa: FBT001 - drawn
) -> None:
    arguments = data.draw(st.fixed_dictionaries({}, optional=DRAWN[name]))
    agrees_within_its_bound(training(name, lr=lr, maximize=up, **arguments), dtype, seed)


@pytest.mark.parametrize(
    ("dtype", "seed", "lr", "arguments"),
    [
        ("float64", 1418403741, 0.3876135508225932, {"betas": (0.05, 0.13936073668034107), "eps": 1.0, "weight_decay": 1.0}),
        ("float32", 2862703466, 0.001, {"betas": (0.05559083251133401, 0.07559332798152399), "weight_decay": 0.5336547755585995}),
        ("float32", 2588654454, 1.0, {"betas": (0.060483068839644084, 0.05), "eps": 1.0, "weight_decay": 0.5108382904608338}),
    ],
)  # fmt: skip
def test_a_mean_far_from_its_gradient_loses_more_where_it_is_moved(
    dtype: str, seed: int, lr: float, arguments: dict[str, Any]
) -> None:
    """torch takes m + (1 − β)·(g − m), and g − β·(g − m) for a small β: draws beyond the bound of β·m + (1 − β)·g."""
    agrees_within_its_bound(training("AdamW", lr=lr, **arguments), dtype, seed)


SPECIAL = {
    "zeros": [0.0] * UPDATES,
    "zeros, then some": [0.0, 0.0, 1.0, -1.0, 0.0],
    "tiny": [1e-30, 1e-38, -1e-44, 1e-25, 1e-30],
    "large": [1e15, -1e18, 1e10, 1.0, -1e5],
    "infinite": [1.0, math.inf, 1.0, 1.0, 1.0],
    "no numbers": [1.0, math.nan, 1.0, 1.0, 1.0],
}


@DTYPES
@pytest.mark.parametrize("gradients", SPECIAL)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_updates_by_special_gradients_are_torchs(name: str, gradients: str, dtype: str) -> None:
    for eps in (1e-8, 0.0) if "eps" in OPTIMIZERS[name] else (None,):
        how = training(name, lr=0.1, **({} if eps is None else {"eps": eps}))
        if gradients == "tiny" and eps == 0.0 and dtype == "float32":
            continue  # the square of such a gradient has one digit, and everything hangs on it
        agrees(how, dtype, gradients=[np.full((2, 3), one) for one in SPECIAL[gradients]])


# ── as they stand on the blackboard ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "arguments", "lines"),
    [
        ("SGD", {"lr": 0.1}, ["update = 0.1 · grad", "w = w_prev − update"]),
        (
            "SGD",
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01},
            [
                "g = grad + 0.01 · w_prev",
                "buf = 0.9 · buf_prev + (1 − 0.5) · g",
                "update = 0.1 · buf",
                "w = w_prev − update",
            ],
        ),
        (
            "SGD",
            {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True},
            [
                "g = −grad",
                "buf = 0.9 · buf_prev + g",
                "ahead = g + 0.9 · buf",
                "update = 0.1 · ahead",
                "w = w_prev − update",
            ],
        ),
        (
            "Adam",
            {"lr": 0.1},
            [
                "m = 0.9 · m_prev + (1 − 0.9) · grad",
                "v = 0.999 · v_prev + (1 − 0.999) · grad ⊙ grad",
                "m_hat = m / bias_correction1",
                "v_hat = v / bias_correction2",
                "update = 0.1 · m_hat / (sqrt(v_hat) + 1e-08)",
                "w = w_prev − update",
            ],
        ),
        (
            "AdamW",
            {"lr": 0.1, "amsgrad": True},
            [
                "m = 0.9 · m_prev + (1 − 0.9) · grad",
                "v = 0.999 · v_prev + (1 − 0.999) · grad ⊙ grad",
                "v_max = maximum(v_max_prev, v)",
                "m_hat = m / bias_correction1",
                "v_hat = v_max / bias_correction2",
                "update = 0.1 · m_hat / (sqrt(v_hat) + 1e-08)",
                "shrunk = (1 − 0.1 · 0.01) · w_prev",
                "w = shrunk − update",
            ],
        ),
        (
            "RMSprop",
            {"centered": True, "momentum": 0.5},
            [
                "v = 0.99 · v_prev + (1 − 0.99) · grad ⊙ grad",
                "a = 0.99 · a_prev + (1 − 0.99) · grad",
                "buf = 0.5 · buf_prev + grad / (sqrt(v − a ⊙ a) + 1e-08)",
                "update = 0.01 · buf",
                "w = w_prev − update",
            ],
        ),
    ],
)
def test_updates_are_written(name: str, arguments: dict[str, Any], lines: list[str]) -> None:
    optimizer = Optimizer.of(training(name, **arguments))
    assert [write_line(line, BLACKBOARD) for line in optimizer.lines] == lines


def test_first_buffer_of_sgd_is_the_gradient_itself() -> None:
    optimizer = Optimizer.of(training("SGD", momentum=0.9, dampening=0.5))
    assert write_line(optimizer.first[0], BLACKBOARD) == "buf = grad"
    assert write_line(optimizer.block("w", (2,), 0).program.lines[0]) == "buf = grad"
    assert (
        write_line(optimizer.block("w", (2,), 1).program.lines[0])
        == "buf = 0.9 * buf_prev + (1 - 0.5) * grad"
    )


def test_adagrad_is_written_with_the_rate_that_decays() -> None:
    optimizer = Optimizer.of(training("Adagrad", lr=0.1, lr_decay=0.5))
    assert [write_line(line, BLACKBOARD) for line in optimizer.lines] == [
        "state_sum = state_sum_prev + grad ⊙ grad",
        "update = clr ⊙ grad / (sqrt(state_sum) + 1e-10)",
        "w = w_prev − update",
    ]
    assert [optimizer.numbers(updates, 1.0)["clr"] for updates in range(3)] == [0.1, 0.1 / 1.5, 0.05]
    still = Optimizer.of(training("Adagrad", lr=0.1))
    assert write_line(still.lines[1], BLACKBOARD) == "update = 0.1 · grad / (sqrt(state_sum) + 1e-10)"
    assert still.numbers(3, 1.0) == {}


def test_both_clippings_are_shown_the_value_first() -> None:
    both = replace(training("SGD", clip=2.0, lr=0.1), clip_grad_value=0.5)
    assert [write_line(line, BLACKBOARD) for line in Optimizer.of(both).lines] == [
        "clamped = maximum(minimum(grad, 0.5), −0.5)",
        "clipped = clip_coef ⊙ clamped",
        "update = 0.1 · clipped",
        "w = w_prev − update",
    ]


def test_clipping_stands_before_all() -> None:
    optimizer = Optimizer.of(training("SGD", clip=2.0, lr=0.1, weight_decay=0.5))
    assert [write_line(line, BLACKBOARD) for line in optimizer.lines] == [
        "clipped = clip_coef ⊙ grad",
        "g = clipped + 0.5 · w_prev",
        "update = 0.1 · g",
        "w = w_prev − update",
    ]
    assert [write_line(line, BLACKBOARD) for line in optimizer.clip_block(3).program.lines] == [
        "total_norm = norm(norms)",
        "clip_coef = minimum(2 / (total_norm + 1e-06), 1)",
    ]


# ── clipping ─────────────────────────────────────────────────────────────────────────────────


def clipped_scenario(make: Any, dtype: str, most: float) -> Any:
    """A scenario that is trained by SGD of lr 1 on clipped gradients: w_prev − w is what was clipped."""
    tables = {
        "linear": {"out_features": 3},
        "target": {"indices": np.zeros((5, 3), int).tolist()},
        "training": {"optimizer": "SGD", "lr": 1.0, "clip_grad_norm": most},
    }
    return make("GRU", dtype=dtype, tables=tables)


@DTYPES
@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-4, 0.3, 1.0, 7.0, 1e8, 1e30, math.inf, math.nan])
@pytest.mark.parametrize("most", [1e-3, 1.0, 100.0])
def test_gradients_are_clipped_as_torch_clips_them(make, most: float, size: float, dtype: str) -> None:
    trainer = Trainer(Model(clipped_scenario(make, dtype, most)))
    state, done = trainer.start(), trainer.model.run_batch()
    rng = np.random.default_rng(0)
    gradient = rng.normal(size=len(state.parameters)).astype(dtype)
    if math.isfinite(size):
        gradient = (gradient / np.linalg.norm(gradient) * size).astype(dtype)
    else:
        gradient[5] = size
    leaves = [torch.tensor(value) for value in trainer.by_name(state.parameters).values()]
    for leaf, part in zip(leaves, trainer.by_name(gradient).values(), strict=True):
        leaf.grad = torch.tensor(part)
    norm = torch.nn.utils.clip_grad_norm_(leaves, most).item()
    unit = float(np.finfo(dtype).eps)
    with np.errstate(all="ignore"):
        values = trainer.optimizer.clipping(trainer.norms(gradient))
        coefficient = trainer.clip_coef(gradient)
        after = trainer.updated(replace(state, parameters=np.zeros_like(gradient)), done, gradient)
    assert float(values["total_norm"][0]) == pytest.approx(norm, rel=32 * unit, nan_ok=True)
    assert coefficient == float(values["clip_coef"][0]) or math.isnan(coefficient)
    expected = np.concatenate([leaf.grad.numpy().reshape(-1) for leaf in leaves])
    close(-after.parameters, expected, 32 * unit)
    if math.isfinite(norm) and norm <= most * (1 - 1e-3):
        np.testing.assert_array_equal(-after.parameters, gradient)


@DTYPES
@pytest.mark.parametrize("norm", [None, 0.5, 1e3])
@pytest.mark.parametrize("most", [1e-3, 0.3, 1e3])
@pytest.mark.parametrize("special", [None, math.inf, -math.inf, math.nan])
def test_values_are_clipped_before_the_norm_as_torch_does(
    make, most: float, norm: float | None, special: float | None, dtype: str
) -> None:
    scenario = clipped_scenario(make, dtype, 1.0)
    how = replace(scenario.training, clip_grad_norm=norm, clip_grad_value=most)
    trainer = Trainer(Model(replace(scenario, training=how)))
    state, done = trainer.start(), trainer.model.run_batch()
    gradient = np.random.default_rng(1).normal(size=len(state.parameters)).astype(dtype)
    if special is not None:
        gradient[3] = special
    leaves = [torch.tensor(value) for value in trainer.by_name(state.parameters).values()]
    for leaf, part in zip(leaves, trainer.by_name(gradient).values(), strict=True):
        leaf.grad = torch.tensor(part)
    torch.nn.utils.clip_grad_value_(leaves, most)
    if norm is not None:
        torch.nn.utils.clip_grad_norm_(leaves, norm)
    with np.errstate(all="ignore"):
        after = trainer.updated(replace(state, parameters=np.zeros_like(gradient)), done, gradient)
    expected = np.concatenate([leaf.grad.numpy().reshape(-1) for leaf in leaves])
    close(-after.parameters, expected, 32 * float(np.finfo(dtype).eps))


def test_norm_is_that_of_all_parameters_together(make) -> None:
    scenario = clipped_scenario(make, "float64", 0.01)
    update = Learning(scenario).epoch(0).update(0)
    assert update is not None
    back = Learning(scenario).epoch(0).backward(0)
    values = update.values("clip")
    assert len(values["norms"]) == len(back.parameters)
    for norm, gradient in zip(values["norms"], back.parameters.values(), strict=True):
        assert norm == pytest.approx(np.linalg.norm(gradient), rel=1e-14)
    total = math.sqrt(sum(float((gradient**2).sum()) for gradient in back.parameters.values()))
    assert values["total_norm"].item() == pytest.approx(total, rel=1e-14)
    assert values["clip_coef"].item() == pytest.approx(0.01 / (total + 1e-6), rel=1e-14)


# ── as blocks to step through ────────────────────────────────────────────────────────────────


@DTYPES
@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
        ("Adam", {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True}),
        ("AdamW", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
        ("RMSprop", {"lr": 0.1, "momentum": 0.9, "centered": True, "weight_decay": 0.1}),
        ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.1, "weight_decay": 0.1}),
    ],
)
def test_every_line_of_an_update_is_worked_out(
    make, name: str, arguments: dict, clip: float | None, dtype: str
) -> None:
    how = replace(training(name, clip, **arguments), epochs=3, clip_grad_value=clip)
    learning = Learning(replace(clipped_scenario(make, dtype, 1.0), training=how))
    for epoch in (0, 2):
        update, back = learning.epoch(epoch).update(0), learning.epoch(epoch).backward(0)
        assert update.phase == "update"
        assert [block.key for block in update.blocks] == [*(["clip"] if clip else []), *back.parameters]
        for block in update.blocks:
            known = update.known(block.key, 0, 0)
            if block.key != "clip":
                np.testing.assert_array_equal(known["grad"], back.parameters[block.key])
                np.testing.assert_array_equal(
                    known["w_prev"], learning.epoch(epoch).trace.scenario.parameters[block.key]
                )
                after = learning.trainer.by_name(learning.state(epoch + 1).parameters)[block.key]
                np.testing.assert_array_equal(known["w"], after)
                assert {np.shape(known[line.name]) for line in block.program.lines} == {after.shape}
            for line in block.program.lines:
                works_out(line, known, block.program.shapes, np.dtype(dtype))


@pytest.mark.parametrize("clip", [None, 0.1])
def test_gradients_that_add_up_are_worked_out_too(make, clip: float | None) -> None:
    how = replace(training("Adam", clip, lr=0.1), epochs=3, mistake="no_zero_grad")
    learning = Learning(replace(clipped_scenario(make, "float64", 1.0), training=how))
    left: Arrays = {}
    for index in range(3):
        update, back = learning.epoch(index).update(0), learning.epoch(index).backward(0)
        for block in update.blocks:
            known = update.known(block.key, 0, 0)
            for line in block.program.lines:
                works_out(line, known, block.program.shapes, np.dtype("float64"))
            if block.key != "clip":
                np.testing.assert_array_equal(known["grad_now"], back.parameters[block.key])
                before = left.get(block.key, np.zeros_like(known["grad"]))
                np.testing.assert_allclose(known["grad_before"], before, rtol=1e-14, atol=1e-17)
                left[block.key] = known["clipped" if clip else "grad"]  # clipping changes what stays


def works_out(line: Any, known: Arrays, shapes: Any, dtype: np.dtype[np.floating]) -> None:
    value = np.asarray(known[line.name])
    read = {
        name: known[name] if np.ndim(known[name]) else float(known[name])
        for name in names_in(line.expression)
    }
    again = evaluate(line.expression, read, Values())
    np.testing.assert_array_equal(np.broadcast_to(again, value.shape), value)
    exact = {name: (one, np.zeros(np.shape(one))) for name, one in read.items()}
    _, bound = evaluate(line.expression, exact, Rounding(dtype))
    for element in list(np.ndindex(value.shape))[:4]:
        expansion = expand(line, element, known)
        assert len(expansion.terms) == number_of_terms(line, shapes)
        allowed = 4 * float(np.broadcast_to(bound, value.shape)[element])
        assert abs(reckon(expansion.piece) - expansion.value) <= allowed, line.name
