"""Whatever is altered on the way back, in the loss or in an update, on torch's side or on ours, is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnnstep.engine import Model
from rnnstep.engine.backward import BackwardPass
from rnnstep.engine.backward_equations import BackwardEquations
from rnnstep.engine.block_backward import RecurrentBackward
from rnnstep.engine.learning import Learning
from rnnstep.engine.loss import LossRun
from rnnstep.engine.optimizers import Optimizer, _adam_lines
from rnnstep.equations import differentiate, slopes
from rnnstep.equations.syntax import Apply, Line, Number
from rnnstep.language import Text
from rnnstep.reference import (
    TrainingComparison,
    check_gradients,
    check_update,
    compare,
    compare_gradients,
    compare_update,
    run_gradients,
    run_reference,
    run_update,
)
from rnnstep.scenario.read import read_text

SMALL = 1e-4  # some hundred times the rounding errors of these runs in float32
CLASSES = np.random.default_rng(5).integers(0, 3, (5, 3)).tolist()
TABLES = {"linear": {"out_features": 3}, "target": {"indices": CLASSES}}
DEEP = {"num_layers": 2, "bidirectional": True}


def altered(array, index, by=SMALL):
    changed = np.array(array)
    changed[index] += by
    return changed


def ways(make, module="LSTM", **options):
    """Our run, and our way back through it."""
    tables = {**TABLES, **options.pop("tables", {})}
    model = Model(make(module, tables=tables, **options))
    done = model.run_batch(0)
    return done, model.backward(done)


@pytest.fixture(scope="module")
def pair(make):
    """Our way back through a two-layer LSTM both ways, and torch's."""
    done, back = ways(make, **DEEP)
    return back, run_gradients(done)


def faults(comparison):
    return {(fault.kind, fault.key, fault.name) for fault in comparison.faults}


def kinds(comparison):
    return {fault.kind for fault in comparison.faults}


# ── torch's side ─────────────────────────────────────────────────────────────────────────────


def test_unaltered_numbers_agree(pair):
    comparison = compare_gradients(*pair)
    assert comparison.agrees
    assert comparison.worst.share < 0.6
    assert str(comparison.explanation) == "agrees with autograd"


@pytest.mark.parametrize(("key", "t"), [("L0", 0), ("L0", 2), ("L0←", 4), ("L1", 4), ("L1←", 0)])
@pytest.mark.parametrize("name", ["h", "c"])
def test_one_element_of_a_total_derivative(pair, key, name, t):
    back, reference = pair
    states = {block: dict(values) for block, values in reference.gradients.states.items()}
    states[key][name] = altered(states[key][name], (t, 1, 2))
    changed = replace(reference, gradients=replace(reference.gradients, states=states))
    comparison = compare_gradients(back, changed)
    assert ("one step", key, f"∂{name}") in faults(comparison)
    assert comparison.agrees_at(key, f"∂{name}", t) is False
    worst = next(
        fault for fault in comparison.faults if fault.name == f"∂{name}" and fault.kind == "one step"
    )
    assert abs(worst.t - t) <= 1  # or the step before, to which it goes on
    assert worst.row == 1
    assert f"backward:{worst.t + 1}/{key}/∂{name}[{worst.element}]" in str(worst.message)


@pytest.mark.parametrize(
    ("site", "key", "found"),
    [
        ("x", "L1←", ("L1←", "∂x")),
        ("output", "L0", ("L0", "∂h_above")),
        ("entered", "L1", ("join0", "∂output")),
        ("read", "linear", ("linear", "∂output")),
        ("scores", None, ("loss", "∂logits")),
    ],
)
def test_one_element_of_what_goes_from_block_to_block(pair, site, key, found):
    back, reference = pair
    whole = getattr(reference.gradients, site)
    place = (2, 1, 0)
    changed = altered(whole, place) if key is None else {**whole, key: altered(whole[key], place)}
    comparison = compare_gradients(
        back, replace(reference, gradients=replace(reference.gradients, **{site: changed}))
    )
    assert ("one step", *found) in faults(comparison)
    assert comparison.agrees_at(*found, 2) is False
    assert comparison.agrees_at(*found, 1) is True


@pytest.mark.parametrize("name", ["a_f", "i", "tanh_c", "h_prev", "hh_g"])
def test_one_element_of_the_self_check(pair, name):
    back, reference = pair
    inner = {block: dict(values) for block, values in reference.inner.items()}
    inner["L0"][name] = altered(inner["L0"][name], (3, 0, 1))
    comparison = compare_gradients(back, replace(reference, inner=inner))
    assert faults(comparison) == {("one step", "L0", f"∂{name}")}
    assert comparison.agrees_at("L0", f"∂{name}", 3) is False
    lines = {**reference.loss_inner, "nll": altered(reference.loss_inner["nll"], (1, 1, 0))}
    assert ("one step", "loss", "∂nll") in faults(
        compare_gradients(back, replace(reference, loss_inner=lines))
    )


@pytest.mark.parametrize("name", ["weight_hh_l0", "bias_ih_l1_reverse", "linear.weight"])
def test_one_element_of_a_parameters_gradient(pair, name):
    back, reference = pair
    index = (1,) * reference.parameters[name].ndim
    for which, kind in (("stepped_parameters", "one step"), ("parameters", "module")):
        changed = {**getattr(reference, which), name: altered(getattr(reference, which)[name], index)}
        comparison = compare_gradients(back, replace(reference, **{which: changed}))
        assert kinds(comparison) == {kind}
        assert not comparison.agrees_on("parameters", name)
        assert comparison.agrees_on("parameters", "weight_ih_l0")
        assert comparison.agrees_on("loss", "loss")
    assert comparison.max_abs_diff["parameters"] == pytest.approx(SMALL, rel=0.01)
    key = comparison.faults[0].key
    part = comparison.faults[0].name
    assert comparison.agrees_at(key, part, 4 if key.endswith("←") else 0) is False
    assert comparison.agrees_at(key, part, 2) is True


def test_another_loss(pair):
    back, reference = pair
    for which, kind in (("loss", "module"), ("stepped_loss", "one step")):
        comparison = compare_gradients(back, replace(reference, **{which: reference.loss + SMALL}))
        assert faults(comparison) == {(kind, "total", "loss")}
        assert not comparison.agrees_on("loss", "loss")


def test_a_nan_on_one_side_only(pair):
    back, reference = pair
    scores = altered(reference.gradients.scores, (0, 0, 0), np.nan)
    changed = replace(reference, gradients=replace(reference.gradients, scores=scores))
    assert any(fault.difference == np.inf for fault in compare_gradients(back, changed).faults)


def test_a_verdict_of_another_way_back_is_not_believed(pair, make):
    back, reference = pair
    done, other = ways(make, **DEEP, scale=1.01)
    verdict = check_gradients(done, other).verdict
    assert verdict.agrees
    wrong = replace(reference, stepped_loss=reference.loss + 1)
    assert not compare_gradients(back, wrong, verdict).agrees
    assert compare_gradients(back, reference, compare_gradients(back, reference).verdict).agrees


# ── our side ─────────────────────────────────────────────────────────────────────────────────


def mutated(derived, name, change):
    """A way back with one line changed, in all of its programs."""

    def of(program):
        lines = tuple(
            Line(line.name, change(line.expression)) if line.name == name else line for line in program.lines
        )
        assert lines != program.lines
        return replace(program, lines=lines)

    return replace(derived, program=of(derived.program), core=of(derived.core))


def without_the_last_term(expression):
    return expression.args[0]


def not_transposed(expression):
    w, g = expression.args
    return Apply("matmul", (w, g))


def doubled(expression):
    return Apply("mul", (Number(2.0, "2"), expression))


def for_another_gate(expression):
    args = list(expression.args)
    args[0], args[2] = args[2], args[0]
    return Apply(expression.op, tuple(args))


@pytest.mark.parametrize(
    ("module", "name", "change"),
    [
        ("RNN", "∂h", without_the_last_term),  # what comes from the step after
        ("RNN", "∂h_prev", not_transposed),
        ("RNN", "∂a", lambda expression: expression.args[0]),  # no slope of tanh
        ("LSTM", "∂c", without_the_last_term),
        ("LSTM", "∂h_prev", for_another_gate),
        ("GRU", "∂h_prev", without_the_last_term),
        ("GRU", "∂hh_n", doubled),
        ("GRU", "∂x", for_another_gate),
    ],
)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_way_back_that_is_not_that_of_the_equations(make, monkeypatch, module, name, change, rows):
    whole = differentiate.backward

    def wrong(program, output, **how):
        derived = whole(program, output, **how)
        return (
            mutated(derived, name, change) if name in derived.program.by_name and program.states else derived
        )

    monkeypatch.setattr("rnnstep.engine.backward_equations.backward", wrong)
    tables = {"target": {"indices": np.array(CLASSES)[:, :rows].tolist()}}
    done, back = ways(make, module, shape=[5, rows, 4], tables=tables, num_layers=2)
    comparison = check_gradients(done, back)
    assert "own step" in kinds(comparison)
    assert "module" in kinds(comparison)
    assert "one step" not in kinds(comparison)


@pytest.fixture
def with_slopes(monkeypatch):
    """Puts other rules into the table; what is differentiated once is kept, but not beyond the test."""

    def put(**rules):
        monkeypatch.setattr(differentiate, "SLOPES", {**slopes.SLOPES, **rules})
        differentiate._derived.cache_clear()

    yield put
    differentiate._derived.cache_clear()


def test_a_wrong_slope_in_the_table_of_operations(make, with_slopes):
    """Where our equations themselves are wrong each step of ours is as they say, and torch's is not."""
    with_slopes(tanh=lambda g, y, _: (slopes.mul(g, slopes.sub(slopes.ONE, y)),))
    done, back = ways(make, "RNN")
    comparison = check_gradients(done, back)
    assert ("one step", "L0", "∂a") in faults(comparison)
    assert ("one step", "L0", "∂h") in faults(comparison)
    assert "own step" not in kinds(comparison)


@pytest.mark.parametrize("t", [0, 2, 4])
def test_the_share_of_a_step_that_is_missing(make, t):
    done, back = ways(make, "GRU")
    reference = run_gradients(done)
    name = done.by_key["L0"].kept_in["W_hr"].torch
    assert compare_gradients(back, reference).agrees
    share = np.concatenate([reference.shares["L0"][part][t] for part in ("W_hr", "W_hz", "W_hn")])
    if not share.any():  # at first nothing was there before
        return
    back.parameters = {**back.parameters, name: back.parameters[name] - share}
    comparison = compare_gradients(back, reference)
    assert {"own step", "module"} <= kinds(comparison)
    assert not comparison.agrees_on("parameters", name)
    assert comparison.agrees_on("parameters", "weight_ih_l0")


def test_gradients_of_gates_in_another_order(make, monkeypatch):
    whole = BackwardEquations.gradients

    def swapped(self, known, kept=()):
        found = whole(self, known, kept)
        if "weight_hh_l0" in found:
            i, f, g, o = np.split(found["weight_hh_l0"], 4)
            found["weight_hh_l0"] = np.concatenate((f, i, g, o))
        return found

    monkeypatch.setattr(BackwardEquations, "gradients", swapped)
    comparison = check_gradients(*ways(make))
    assert not comparison.agrees_on("parameters", "weight_hh_l0")
    assert comparison.agrees_on("parameters", "weight_ih_l0")
    assert {"own step", "module"} <= kinds(comparison)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_a_fault_of_one_step_alone_even_where_the_runs_part(make, monkeypatch, scale):
    options = {"shape": [60, 1, 8], "hidden_size": 16, "scale": scale}
    options["tables"] = {"target": {"indices": [[1]] * 60}}
    assert check_gradients(*ways(make, "RNN", **options)).agrees
    whole = RecurrentBackward.state

    def faulty(self, name):
        found = np.array(whole(self, name))
        found[40, 0, 3] += SMALL
        return found

    monkeypatch.setattr(RecurrentBackward, "state", faulty)
    comparison = check_gradients(*ways(make, "RNN", **options))
    assert ("own step", "L0", "∂h") in faults(comparison)
    assert "one step" not in kinds(comparison)


def test_a_line_that_is_shown_wrong(make, monkeypatch):
    whole = BackwardPass.values

    def faulty(self, key, t):
        found = dict(whole(self, key, t))
        if key == "L0" and t == 2:
            found["∂a"] = found["∂a"] + SMALL
        return found

    monkeypatch.setattr(BackwardPass, "values", faulty)
    comparison = check_gradients(*ways(make, "RNN"))
    assert faults(comparison) == {
        ("own step", "L0", "∂a"),
        ("own step", "L0", "∂hh"),
        ("own step", "L0", "∂ih"),
    }


def test_a_sum_of_shares_that_is_shown_wrong(make, monkeypatch):
    monkeypatch.setattr(
        RecurrentBackward, "_later", lambda self, _: {k: v + SMALL for k, v in self.gradients.items()}
    )
    comparison = check_gradients(*ways(make, "RNN"))
    assert ("own step", "L0", "∂W_ih") in faults(comparison)


@pytest.mark.parametrize(
    "loss", ["CrossEntropyLoss", "MSELoss", "L1Loss", "SmoothL1Loss", "BCEWithLogitsLoss"]
)
def test_our_own_loss_off(make, monkeypatch, loss):
    tables = {"loss": {"name": loss}}
    if loss != "CrossEntropyLoss":
        tables["target"] = {"values": np.random.default_rng(6).random((5, 3, 3)).round(3).tolist()}
    done, back = ways(make, "RNN", tables=tables)
    assert compare(done, run_reference(done)).agrees
    assert check_gradients(done, back).agrees
    monkeypatch.setattr(LossRun, "loss", property(lambda self: float(self.entries["loss"][0]) + SMALL))
    done, back = ways(make, "RNN", tables=tables)
    assert {("own step", "total", "loss"), ("module", "total", "loss")} <= faults(check_gradients(done, back))


# ── the loss on the way forward ──────────────────────────────────────────────────────────────


def test_the_loss_beside_torchs_on_the_way_forward(pair):
    back, _ = pair
    done = back.done
    reference = run_reference(done)
    comparison = compare(done, reference)
    assert comparison.agrees
    assert comparison.value("total", "loss", 4).item() == pytest.approx(done.loss, rel=1e-6)
    assert comparison.is_module_confirmed("total", "loss")
    assert comparison.value("loss", "nll", 2).shape == (3, 1)
    assert not comparison.is_module_confirmed("loss", "nll")
    assert comparison.value("loss", "target", 2) is None
    assert comparison.value("total", "nll", 4).shape == (1, 15)
    wrong = compare(done, replace(reference, loss=reference.loss + SMALL))
    assert faults(wrong) == {("one step", "total", "loss"), ("module", "total", "loss")}
    assert wrong.agrees_at("total", "loss", 4) is False
    lines = {**reference.loss_lines, "log_p": altered(reference.loss_lines["log_p"], (3, 0, 1))}
    wrong = compare(done, replace(reference, loss_lines=lines))
    assert faults(wrong) == {("one step", "loss", "log_p")}
    assert (wrong.agrees_at("loss", "log_p", 3), wrong.agrees_at("loss", "log_p", 2)) == (False, True)


# ── updates and trainings ────────────────────────────────────────────────────────────────────


def learnt(make, name="Adam", **training):
    tables = {**TABLES, "training": {"optimizer": name, "lr": 0.05, "epochs": 4, **training}}
    return make("GRU", tables=tables)


def updated(scenario, epoch=2):
    return check_update(Learning(scenario).epoch(epoch).update(0), scenario.training)


@pytest.mark.parametrize("clip", [{}, {"clip_grad_norm": 0.05}])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_one_element_of_torchs_update(make, name, clip):
    scenario = learnt(make, name, **clip, **({"momentum": 0.9} if name == "SGD" else {}))
    update = Learning(scenario).epoch(2).update(0)
    reference = run_update(update, scenario.training)
    comparison = compare_update(update, reference)
    assert comparison.agrees
    assert comparison.worst.share < 0.75
    for key, values in reference.values.items():
        for value in values:
            index = (0,) * values[value].ndim
            changed = {**reference.values, key: {**values, value: altered(values[value], index)}}
            wrong = compare_update(update, replace(reference, values=changed))
            assert faults(wrong) == {("one step", key, value)}
            assert wrong.agrees_at(key, value) is False
            assert wrong.is_module_confirmed(key, value)
            place = f"update:{key}/{value}[{','.join(map(str, index))}]"
            assert place in str(wrong.faults[0].message)


def wrong_corrections(self, updates):
    return {f"bias_correction{k + 1}": 1 - beta ** (updates + 2) for k, beta in enumerate(self.betas)}


def eps_inside(arguments, g):
    lines = _adam_lines(arguments, g)
    return [*lines[:-1], f"update = {arguments['lr']!r} * m_hat / sqrt(v_hat + {arguments['eps']!r})"]


def uncorrected(arguments, g):
    return [
        line.replace("m_hat = m / bias_correction1", "m_hat = m * 1") for line in _adam_lines(arguments, g)
    ]


MUTANTS = {
    "wrong bias correction": (Optimizer, "corrections", wrong_corrections),
    "eps in the root": ("rnnstep.engine.optimizers._adam_lines", eps_inside),
    "m not corrected": ("rnnstep.engine.optimizers._adam_lines", uncorrected),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_optimizer_is_found_in_an_update_and_in_a_training(make, monkeypatch, mutant):
    scenario = learnt(make, eps=1e-4)
    assert updated(scenario).agrees
    monkeypatch.setattr(*MUTANTS[mutant])
    comparison = updated(scenario)
    assert {fault.name for fault in comparison.faults} >= {"w"}
    assert kinds(comparison) == {"one step"}
    training = TrainingComparison(scenario)
    first = training.advance()
    assert not first.agrees
    assert first.finding.kind == "epoch"
    assert "e1:update:" in str(first.finding.message)
    assert "disagrees" in str(training.explanation)


def test_a_wrong_gradient_is_found_in_a_training(make, with_slopes):
    with_slopes(sigmoid=lambda g, y, _: (slopes.mul(g, y),))
    training = TrainingComparison(learnt(make))
    assert not training.advance().agrees


def test_a_training_on_another_way_is_found(make, monkeypatch):
    """An engine that forgets a term of its loss: torch's loss from torch's own parameters is another."""
    scenario = learnt(make)
    whole = LossRun.loss.fget
    monkeypatch.setattr(LossRun, "loss", property(lambda self: whole(self) * 0.999))
    first = TrainingComparison(scenario).advance()
    assert ("epoch", "total", "loss") in {(fault.kind, fault.key, fault.name) for fault in first.faults}


def test_faults_have_messages_in_both_languages(pair, make):
    back, reference = pair
    comparison = compare_gradients(
        back, replace(reference, stepped_loss=reference.loss + 1, loss=reference.loss - 1)
    )
    found = [*comparison.faults]
    for kind in ("one step", "own step", "run", "module"):
        found += [replace(found[0], kind=kind, phase=phase) for phase in ("forward", "backward", "update")]
    found.append(replace(found[0], kind="epoch", within="e3:2:"))
    for fault in found:
        assert isinstance(fault.message, Text)
        assert fault.message.into("zh") != fault.message.into("en")


SHUT = """
[input]
values = [[1.0], [1.0]]
[recurrent]
module = "RNN"
nonlinearity = "relu"
hidden_size = 2
[linear]
out_features = 1
[weights]
weight_ih_l0 = [[-1.0], [1.0]]
weight_hh_l0 = [[0.0, 0.0], [0.0, 1.0]]
bias_ih_l0 = [0.1, 0.1]
bias_hh_l0 = [0.0, 0.0]
"linear.weight" = [[1e30, 1e15]]
"linear.bias" = [0.0]
[target]
values = [[0.0], [0.0]]
[loss]
name = "MSELoss"
[training]
optimizer = "SGD"
lr = 0.1
epochs = 4
"""


def shut():
    """An infinite gradient comes to an element that relu shuts, and the loss is finite."""
    scenario = read_text(SHUT)
    done = Model(scenario).run_batch(0)
    with np.errstate(all="ignore"):
        training = TrainingComparison(scenario)
        list(training.epochs())
        return done, check_gradients(done, Model(scenario).backward(done)), training


def test_relu_shuts_an_infinite_gradient_out():
    _, gradients, training = shut()
    assert gradients.agrees
    assert gradients.parting is None
    assert np.isfinite(gradients.parameters["weight_ih_l0"]).all()
    assert training.parting is None
    assert training.max_abs_diff["loss"] == 0
    assert np.isfinite(training.epochs_done[-1].record.loss)


def test_numbers_beside_nan_are_never_both_right(with_slopes):
    """A product with 0 in relu's place gives NaN where torch has 0: a bound that allows it confirms nothing."""
    with_slopes(relu=lambda g, _, a: (slopes.mul(g, Apply("gt", (a, slopes.ZERO))),))
    _, gradients, training = shut()
    for comparison in (gradients, training):
        assert comparison.parting is not None
        assert "both are right" not in str(comparison.explanation)
        assert "neither confirms" in str(comparison.explanation)
