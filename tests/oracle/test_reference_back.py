"""Our way back beside torch's: all agrees, every shown value has torch's beside it, and little of the bound is used."""

from __future__ import annotations

import pkgutil
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import rnnstep.reference
from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
from rnnstep.equations.bounds import Given
from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.syntax import Apply, Name
from rnnstep.reference import (
    TrainingComparison,
    check_gradients,
    check_update,
    compare_gradients,
    run_gradients,
    run_reference,
)
from rnnstep.reference.judge.backward import judge_gradients
from rnnstep.reference.judge.bounds import A_NUMBER, Accumulating, Gathering, Rounding
from rnnstep.reference.judge.findings import NotWanted, Tally
from rnnstep.reference.judge.forward import judge
from tests.oracle.conftest import scenario_of

OWN = {
    "state": {"h": "hidden_size", "c": "hidden_size"},
    "parameters": {"W": "hidden_size, input_size", "U": "hidden_size, hidden_size", "b": "hidden_size"},
    "equations": """
twice = 2 * b
V = U * 0.5 + U * U
a = W @ x + V @ h_prev + twice / 3
s = softmax(a) + b[1] * a[0]
size = norm(a) + sum(abs(a)) - mean(a) + max(a) * min(a)
root = sqrt(exp(-a) + 0.1)
c = c_prev * 0.5 + (a > 0.01) * log(1 + s * s) - root / (1 + size)
h = relu(c) + tanh(c) * (a != 0.5)
""",
}


def classes(*shape, ignored=()):
    found = np.random.default_rng(5).integers(0, 3, shape)
    for place in ignored:
        found[place] = -100
    return {"indices": found.tolist()}


def packed(shape, lengths):
    return {"random": {"shape": shape, "seed": 1}, "lengths": lengths}


LINEAR, FINAL = {"out_features": 3}, {"out_features": 3, "from": "h_n"}
CASES = {
    "RNNCell": ("RNNCell", {}, {"target": classes(5, 3)}),
    "LSTMCell": ("LSTMCell", {}, {"target": classes(5, 3), "linear": LINEAR}),
    "one row": ("GRU", {"shape": [5, 1, 4]}, {"target": classes(5, 1), "linear": LINEAR}),
    "deep, both ways, packed": (
        "LSTM",
        {"num_layers": 2, "bidirectional": True},
        {
            "input": packed([6, 4, 3], [2, 5, 1, 5]),
            "linear": LINEAR,
            "target": classes(6, 4, ignored=[(5, 1), (2, 2)]),
        },
    ),
    "projected, both ways, packed": (
        "LSTM",
        {"num_layers": 2, "bidirectional": True, "proj_size": 2},
        {"input": packed([5, 3, 3], [5, 2, 4]), "linear": FINAL, "target": classes(3)},
    ),
    "dropped, final": (
        "GRU",
        {"num_layers": 3, "dropout": 0.4, "mode": "train"},
        {"linear": FINAL, "target": classes(3, ignored=[1])},
    ),
    "embedding": (
        "GRU",
        {"bidirectional": True},
        {
            "input": {"indices": [[1, 0, 2], [0, 0, 1], [2, 1, 1]]},
            "embedding": {"num_embeddings": 4, "embedding_dim": 3, "padding_idx": 0},
            "linear": LINEAR,
            "target": classes(3, 3),
        },
    ),
    "numbers": (
        "RNN",
        {"nonlinearity": "relu"},
        {"target": {"values": np.ones((5, 3, 4)).tolist()}, "loss": {"name": "MSELoss"}},
    ),
    "large scores": (
        "RNN",
        {"nonlinearity": "relu", "scale": 30.0},
        {"target": {"values": np.full((5, 3, 4), 0.99).tolist()}, "loss": {"name": "BCEWithLogitsLoss"}},
    ),
    "one step": ("LSTM", {"shape": [1, 2, 3]}, {"target": classes(1, 2), "linear": LINEAR}),
    "own": (
        "mine",
        {},
        {"cell": {"mine": OWN}, "input": packed([5, 3, 3], [3, 4, 1]), "target": classes(5, 3)},
    ),
}
every_case = pytest.mark.parametrize("case", CASES)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@cache
def ways(case, dtype="float64"):
    module, options, tables = CASES[case]
    model = Model(scenario_of(module, dtype=dtype, tables=tables, **options))
    done = model.run_batch(0)
    return done, model.backward(done)


@cache
def compared(case, dtype="float64"):
    return check_gradients(*ways(case, dtype))


@both_dtypes
@every_case
def test_all_agrees_and_half_of_what_is_allowed_is_left(case, dtype):
    done, _ = ways(case, dtype)
    comparison = compared(case, dtype)
    assert comparison.faults == ()
    assert comparison.worst.share < 0.6
    assert comparison.tolerance == comparison.worst.allowed
    assert comparison.max_abs_diff.keys() == {"loss", "parameters", "states"}
    assert comparison.is_module == (case != "own")
    assert ("self-check" in str(comparison.explanation)) == (case == "own")
    assert judge(done, run_reference(done)).agrees


def without_torchs(name):
    """What torch has no word on: what is given, and what our way back alone makes lines of."""
    is_numbered = name.strip("∂⋮")[-1] in "₁₂₃₄₅ₓ"
    return is_numbered or name.strip("∂⋮") in ("target", "counts", "share", "mask", "index", "V", "twice")


@every_case
def test_every_value_that_is_shown_has_torchs_beside_it(case):
    done, back = ways(case)
    comparison = compared(case)
    end = done.batch.first.axis.end
    for block in back.blocks:
        is_single = block.extent.is_single
        for t in [end] if is_single else range(end + 1):
            for name, ours in back.values(block.key, t).items():
                theirs = comparison.value(block.key, name, t)
                assert (theirs is None) == without_torchs(name), (block.key, name)
                if theirs is None:
                    assert comparison.agrees_at(block.key, name, t) is None
                    assert comparison.difference(block.key, name, t) is None
                    continue
                assert theirs.shape == ours.shape, (block.key, name, t)
                assert comparison.agrees_at(block.key, name, t) is True
                assert comparison.difference(block.key, name, t).max(initial=0) <= 1e-12 * max(
                    1, np.abs(ours).max(initial=0)
                )
                step = comparison.one_step(block.key, name, t)
                assert step is None or (step[0] <= step[1]).all()
                assert (step is not None) == (block.kind == "recurrent" and is_of_step(back, block, name))


def is_of_step(back, block, name):
    lines = block.program.by_name
    return name in lines and name.startswith("∂") and not back.is_of_all_rows(block.key, name)


def test_what_is_torchs_own_is_told_apart_from_the_self_check():
    comparison = compared("deep, both ways, packed")
    for key, name in [
        *(("L1←", one) for one in ("∂h", "∂c", "∂x", "∂h_above", "h_prev", "c_prev")),
        *(("linear", one) for one in ("∂logits", "∂output", "output")),
        *(("join0", "∂output"), ("loss", "∂logits"), ("loss", "logits"), ("total", "loss")),
    ]:
        assert comparison.is_module_confirmed(key, name), (key, name)
    for key, name in [
        *(("L1←", one) for one in ("∂a_i", "∂h_prev", "∂h_next", "i", "∂W_hi", "∂W_hi_t", "x⋮")),
        *(("linear", "∂weight"), ("loss", "∂nll"), ("loss", "p"), ("total", "∂nll")),
    ]:
        assert not comparison.is_module_confirmed(key, name), (key, name)
    projected = compared("projected, both ways, packed")
    assert projected.is_module_confirmed("L0", "∂h")
    assert not projected.is_module_confirmed("L0", "∂c")
    assert not compared("own").is_module_confirmed("L0", "∂h")


def test_the_results_are_torchs_in_the_shapes_of_ours():
    _, back = ways("deep, both ways, packed")
    comparison = compared("deep, both ways, packed")
    assert comparison.loss == pytest.approx(back.loss)
    assert comparison.parameters.keys() == back.parameters.keys()
    for key, states in comparison.states.items():
        for name, gradient in states.items():
            np.testing.assert_allclose(gradient, back.states(key, name), rtol=1e-10, atol=1e-15)


# ── long, large and chaotic runs ─────────────────────────────────────────────────────────────


@both_dtypes
@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
def test_long_runs_use_little_of_the_bound(make, module, dtype):
    tables = {"linear": LINEAR, "target": classes(120, 3)}
    model = Model(make(module, shape=[120, 3, 8], hidden_size=24, dtype=dtype, tables=tables))
    done = model.run_batch(0)
    comparison = check_gradients(done, model.backward(done))
    assert comparison.agrees
    assert comparison.worst.share < 0.6


def test_runs_that_part_are_told_of_and_are_no_mistake(make):
    tables = {"target": classes(100, 1)}
    model = Model(make("RNN", shape=[100, 1, 8], hidden_size=24, scale=8.0, tables=tables))
    done = model.run_batch(0)
    comparison = check_gradients(done, model.backward(done))
    assert comparison.agrees
    assert comparison.parting is not None
    assert "parted" in str(comparison.explanation)
    t = comparison.parting.t
    difference, allowed = comparison.one_step("L0", "∂h", t)
    assert (difference <= allowed).all()
    # How far chaos has gone at the parting depends on the processor; further on it goes beyond all bounds of a step.
    assert comparison.difference("L0", "∂h", t).max() > allowed.max()
    assert any(
        comparison.difference("L0", "∂h", t).max() > 100 * comparison.one_step("L0", "∂h", t)[1].max()
        for t in range(100)
    )


@pytest.mark.parametrize("scale", [1e3, 1e8, 1e20, 1e30])
@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
def test_overflow_and_nan_are_no_mistake(make, module, scale):
    options = {"nonlinearity": "relu"} if module == "RNN" else {}
    tables = {"linear": LINEAR, "target": classes(12, 2)}
    model = Model(make(module, shape=[12, 2, 5], scale=scale, num_layers=2, tables=tables, **options))
    done = model.run_batch(0)
    assert check_gradients(done, model.backward(done)).faults == ()


@every_case
def test_spans_of_a_long_run_give_what_one_gives(monkeypatch, case):
    _, back = ways(case, "float32")
    reference, whole = compared(case, "float32").reference, compared(case, "float32").verdict
    monkeypatch.setattr("rnnstep.reference.judge.block_bounds.SPAN_BYTES", 1)  # a step each
    monkeypatch.setattr("rnnstep.reference.judge.run_bounds.WINDOW_BYTES", 1)
    spans = judge_gradients(back, reference)
    assert spans.agrees
    assert spans.worst.share == pytest.approx(whole.worst.share, rel=0.5)
    states = {block: dict(values) for block, values in reference.gradients.states.items()}
    changed = np.array(states["L0"]["h"])
    changed[len(changed) // 2, 0, 0] += 1
    states["L0"]["h"] = changed
    wrong = replace(reference, gradients=replace(reference.gradients, states=states))
    assert not judge_gradients(back, wrong).agrees


def test_what_is_wanted_no_more_is_not_judged_to_the_end():
    done, back = ways("LSTMCell")
    with pytest.raises(NotWanted):
        judge_gradients(back, run_gradients(done), is_wanted=lambda: False)
    with pytest.raises(NotWanted):
        judge(done, run_reference(done), is_wanted=lambda: False)


# ── the bounds of what a way back is made of ─────────────────────────────────────────────────

FLOAT32 = np.dtype("float32")


def read(op, *args, reading=None):
    names = [f"v{k}" for k in range(len(args))]
    pairs = [arg if isinstance(arg, tuple) else Given(np.asarray(arg, np.float32)) for arg in args]
    expression = Apply(op, tuple(map(Name, names)))
    return evaluate(expression, dict(zip(names, pairs, strict=True)), reading or Rounding(FLOAT32))


def test_sums_over_rows_that_overflow_are_in_doubt():
    half = 2e38
    ones = np.ones((2, 1))
    assert (read("outer", [[half], [half]], ones)[1] == A_NUMBER).all()  # to one side: never NaN
    assert (read("rows", [[half], [half]])[1] == A_NUMBER).all()
    assert read("pullback", [[1.0], [1.0]], [[half, half]])[1] == A_NUMBER
    both = [[half], [half], [-half], [-half]]  # to either side, or both at once
    assert (read("outer", both, np.ones((4, 1)))[1] == np.inf).all()
    assert (read("rows", both)[1] == np.inf).all()
    assert read("pullback", np.ones((4, 1)), [[half, half, -half, -half]])[1] == np.inf
    assert (
        read("scatter", [[half], [half]], (np.array([1, 1]), np.zeros(2)), np.zeros((2, 1)))[1].max()
        == np.inf
    )
    for op, args in {
        "outer": ([[1.0], [2.0]], ones),
        "rows": ([[1.0], [2.0]],),
        "pullback": ([[1.0], [1.0]], [[1.0, 2.0]]),
    }.items():
        assert 0 < read(op, *args)[1].max() < 1e-5


@pytest.mark.parametrize("op", ["placed", "chosen", "head", "tail", "cat", "spread"])
def test_doubt_moves_where_the_number_moves(op):
    doubtful = np.array([[1.0, 2.0]], np.float32), np.array([[np.inf, 0.0]])
    place = np.array([1]), np.zeros(1)
    one = np.array([[1.0]], np.float32)
    match op:
        case "placed":
            _, error = read(op, (one, np.array([[np.inf]])), place, np.zeros((1, 3)))
            assert error.tolist() == [[0.0, np.inf, 0.0]]
        case "chosen":
            assert read(op, doubtful, place)[1].tolist() == [[0.0]]
        case "head":
            assert read(op, doubtful, one)[1].tolist() == [[np.inf]]
        case "tail":
            assert read(op, doubtful, one)[1].tolist() == [[0.0]]
        case "cat":
            assert read(op, one, doubtful)[1].tolist() == [[0.0, np.inf, 0.0]]
        case "spread":
            assert (read(op, (one, np.array([[np.inf]])), np.zeros((1, 2)))[1] == np.inf).all()


def test_a_root_that_may_be_of_less_than_zero_is_in_doubt():
    names = {"a": Given(np.array([1.0], np.float32)), "b": (np.array([1.0], np.float32), np.array([1e-7]))}
    root = Apply("sqrt", (Apply("sub", (Name("a"), Name("b"))),))
    assert evaluate(root, names, Rounding(FLOAT32))[1] == np.inf
    names["b"] = Given(np.array([0.5], np.float32))
    assert evaluate(root, names, Rounding(FLOAT32))[1] < 1e-6
    nothing = np.zeros(1, np.float32), np.array([1e-45])  # squares of next to nothing are not below it
    assert read("sqrt", nothing)[1] < 1e-20


def test_what_reaches_a_value_may_be_added_up_in_any_order():
    names = {
        name: Given(np.array([value], np.float32)) for name, value in {"a": 1e4, "b": -1e4, "c": 1.0}.items()
    }
    chain = Apply("add", (Apply("add", (Name("c"), Name("a"))), Name("b")))
    _, first = evaluate(chain, names, Accumulating(FLOAT32))
    other = Apply("add", (Name("c"), Apply("add", (Name("a"), Name("b")))))
    _, second = evaluate(other, names, Accumulating(FLOAT32))
    assert second == first
    assert evaluate(other, names, Rounding(FLOAT32))[1] < first / 100


def test_a_part_of_a_longer_sum_is_bounded_as_such():
    g, x = np.ones((3, 2), np.float32), np.ones((3, 4), np.float32)
    _, alone = read("outer", g, x)
    _, part = read("outer", g, x, reading=Gathering(FLOAT32, 300))
    assert (part > 50 * alone).all()


def test_infinity_times_a_slope_of_zero_may_be_left_out():
    _, error = read("mul", [np.inf, 1.0], [0.0, 0.0], reading=Accumulating(FLOAT32))
    assert error[0] == np.inf
    assert error[1] < 1e-30


# ── updates and trainings ────────────────────────────────────────────────────────────────────

OPTIMIZERS = {
    "SGD": {"lr": 0.1},
    "SGD with momentum": {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
    "SGD of Nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True},
    "Adam with all": {"lr": 0.1, "betas": [0.8, 0.9], "eps": 0.01, "weight_decay": 0.1, "amsgrad": True},
    "AdamW": {"lr": 0.05, "weight_decay": 0.1},
    "RMSprop with all": {"lr": 0.02, "alpha": 0.8, "weight_decay": 0.1, "momentum": 0.9, "centered": True},
}


def learnt(make, name, dtype="float32", **training):
    """Three mini-batches, with dropout."""
    tables = {
        "input": {
            "values": np.random.default_rng(0).normal(size=8).round(2).tolist(),
            "windows": {"length": 3, "stride": 1, "batch_size": 3},
        },
        "linear": {"out_features": 2},
        "target": {"indices": np.random.default_rng(1).integers(0, 2, (3, 8)).tolist()},
        "training": {"optimizer": name.split(maxsplit=1)[0], "epochs": 2, **OPTIMIZERS[name], **training},
    }
    return make("GRU", dropout=0.5, mode="train", num_layers=2, dtype=dtype, tables=tables)


@both_dtypes
@pytest.mark.parametrize("clip", [{}, {"clip_grad_norm": 0.05}])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_updates_and_trainings_agree(make, name, clip, dtype):
    scenario = learnt(make, name, dtype, **clip)
    learning = Learning(scenario)
    for index in (0, 1):
        epoch = learning.epoch(index)
        for batch in range(3):
            comparison = check_update(epoch.update(batch), scenario.training)
            assert comparison.faults == ()
            assert comparison.worst.share < 0.75
            for key, block in comparison.update.by_key.items():
                for value in comparison.update.values(key):
                    theirs = comparison.value(key, value)
                    assert (theirs is None) == (value not in (*block.program.names, "norms"))
                    assert comparison.agrees_at(key, value) is (None if theirs is None else True)
    training = TrainingComparison(scenario)
    epochs = list(training.epochs())
    assert training.faults == ()
    assert [epoch.index for epoch in epochs] == [0, 1]
    assert all(epoch.is_judged and epoch.agrees and epoch.finding is None for epoch in epochs)
    assert training.worst.share < 0.75
    assert training.max_abs_diff["loss"] < (1e-4 if dtype == "float32" else 1e-12)
    assert epochs[-1].record.loss == learning.record(1).loss


@pytest.mark.parametrize("mistake", ["no_zero_grad", "hidden_not_reset", "softmax_before_cross_entropy"])
def test_trainings_with_a_mistake_agree(make, mistake):
    tables = {
        "target": classes(5, 3),
        "linear": LINEAR,
        "training": {"optimizer": "Adam", "lr": 0.1, "epochs": 3, "mistake": mistake, "clip_grad_norm": 0.5},
    }
    training = TrainingComparison(make("LSTM", num_layers=2, tables=tables))
    assert all(epoch.agrees for epoch in training.epochs())
    assert training.worst.share < 0.75
    assert str(training.explanation) == "the training agrees with torch's"


SPARE = {
    "state": ["h", "late"],
    "parameters": {"W": "hidden_size, input_size", "spare": "hidden_size", "V": "hidden_size, hidden_size"},
    "equations": "h = tanh(W @ x + late_prev)\nlate = V @ h",
}


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(
    "training",
    [
        {"optimizer": "SGD", "weight_decay": 0.1, "momentum": 0.5, "lr": 0.1},
        {"optimizer": "AdamW", "weight_decay": 0.1, "clip_grad_norm": 0.01},
    ],
)
def test_no_update_changes_what_the_loss_does_not_depend_on(make, training, steps):
    tables = {"cell": {"Odd": SPARE}, "target": classes(steps, 1), "training": {**training, "epochs": 4}}
    scenario = make("Odd", shape=[steps, 1, 4], tables=tables)
    compared = TrainingComparison(scenario)
    assert all(epoch.agrees for epoch in compared.epochs())
    assert compared.worst.share > 0
    alone = {"spare", "V"} if steps == 1 else {"spare"}  # V reaches the loss by way of the next step
    trained = compared.trainer.by_name(compared.state.parameters)
    same = {name for name, value in trained.items() if np.array_equal(value, scenario.parameters[name])}
    assert same == alone
    update = Learning(scenario).epoch(1).update(0)
    assert not alone & update.by_key.keys()
    assert check_update(update, scenario.training).faults == ()


def test_where_the_bound_has_outgrown_the_gradients_every_step_is_judged(make, monkeypatch):
    tables = {"target": classes(60, 2), "training": {"optimizer": "Adam", "lr": 0.01, "epochs": 3}}
    judged = []
    whole = Tally.take
    monkeypatch.setattr(Tally, "take", lambda self, verdict: (judged.append(verdict), whole(self, verdict)))
    training = TrainingComparison(make("RNN", shape=[60, 2, 4], hidden_size=12, scale=6.0, tables=tables))
    assert all(epoch.agrees for epoch in training.epochs())
    assert len(judged) == 9  # forth, back and update, of each of the three updates
    assert training.worst.share > 0


def test_trainings_that_part_are_told_of_and_are_no_mistake(make):
    tables = {"target": classes(40, 1), "training": {"optimizer": "SGD", "lr": 0.5, "epochs": 12}}
    training = TrainingComparison(make("RNN", shape=[40, 1, 8], hidden_size=16, scale=6.0, tables=tables))
    assert all(epoch.agrees for epoch in training.epochs())
    assert training.parting is not None
    assert "part" in str(training.explanation)
    assert training.max_abs_diff["loss"] > 1e-3


def test_a_training_that_explodes_is_no_mistake(make):
    tables = {
        "target": {"values": np.ones((5, 3, 3)).tolist()},
        "loss": {"name": "MSELoss"},
        "linear": LINEAR,
    }
    tables["training"] = {"optimizer": "SGD", "lr": 1e8, "epochs": 8}
    training = TrainingComparison(make("RNN", nonlinearity="relu", tables=tables))
    epochs = list(training.epochs())
    assert training.faults == ()
    assert not np.isfinite(epochs[-1].record.loss)


def test_of_a_long_training_some_updates_are_judged(make):
    tables = {"target": classes(5, 3), "training": {"optimizer": "SGD", "lr": 0.01, "epochs": 200}}
    training = TrainingComparison(make("RNN", tables=tables))
    judged = [epoch.is_judged for epoch in training.epochs()]
    assert all(judged[:48])
    assert 48 < sum(judged) < 100
    assert any(judged[-5:])


def test_another_verdict_is_not_believed_of_an_update():
    done, back = ways("RNNCell")
    reference = run_gradients(done)
    verdict = compare_gradients(back, reference).verdict
    assert compare_gradients(back, reference, verdict).verdict is verdict


def test_all_that_is_exported_is_there_whatever_was_imported_before():
    for name in rnnstep.reference.__all__:
        assert getattr(rnnstep.reference, name).__name__ == name
    modules = {module.name for module in pkgutil.iter_modules(rnnstep.reference.__path__)}
    assert modules.isdisjoint(
        rnnstep.reference.__all__
    )  # a module that is imported would take its name's place
