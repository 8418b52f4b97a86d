"""Scenarios as they come: whatever is drawn, torch agrees, and the bound is never used up."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnstep.engine import Model
from rnnstep.reference import check, check_gradients


@st.composite
def scenarios(draw):
    module = draw(st.sampled_from(["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"]))
    steps, rows = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    inputs, hidden = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    options = {"bias": draw(st.booleans())}
    tables = {"weights": {"seed": draw(st.integers(0, 2**32))}}
    directions = 1
    if not module.endswith("Cell"):
        options["num_layers"] = draw(st.integers(1, 3))
        options["bidirectional"] = draw(st.booleans())
        options["batch_first"] = draw(st.booleans())
        directions = 2 if options["bidirectional"] else 1
        if options["num_layers"] > 1:
            options["dropout"] = draw(st.sampled_from([0.0, 0.3]))
            options["mode"] = draw(st.sampled_from(["eval", "train"]))
        if module == "LSTM" and hidden > 1:
            options["proj_size"] = draw(st.integers(0, hidden - 1))
    if module.startswith("RNN"):
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    shape = [rows, steps, inputs] if options.get("batch_first") else [steps, rows, inputs]
    tables["input"] = {"random": {"shape": shape, "seed": draw(st.integers(0, 99))}}
    if draw(st.booleans()):
        lengths = draw(st.lists(st.integers(1, steps), min_size=rows, max_size=rows))
        tables["input"] |= {"lengths": lengths, "packed": draw(st.booleans())}
    if draw(st.booleans()):
        tables["linear"] = {"out_features": 3, "from": draw(st.sampled_from(["output", "h_n"]))}
    if draw(st.booleans()):
        size = options.get("proj_size") or hidden
        state = [[draw(st.floats(-2, 2, width=32)) for _ in range(size)] for _ in range(rows)]
        blocks = options.get("num_layers", 1) * directions
        tables["initial_state"] = {"h_0": state if module.endswith("Cell") else [state] * blocks}
    dtype = draw(st.sampled_from(["float32", "float64"]))
    scale = draw(st.sampled_from([0.1, 1.0, 1.0, 3.0, 10.0, 100.0, 1e20]))
    return module, {"hidden_size": hidden, "dtype": dtype, "scale": scale, "tables": tables, **options}


@st.composite
def learnt(draw):
    """The same with a target and a loss."""
    module, options = draw(scenarios())
    tables, recurrent = options["tables"], options
    shape = tables["input"]["random"]["shape"]
    rows = shape[0 if recurrent.get("batch_first") else 1]
    linear = tables.get("linear")
    size = (recurrent.get("proj_size") or recurrent["hidden_size"]) * (
        2 if recurrent.get("bidirectional") else 1
    )
    size = 3 if linear else size
    places = (rows,) if linear and linear["from"] == "h_n" else shape[:2]
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    name = draw(
        st.sampled_from(["CrossEntropyLoss"] * 3 + ["MSELoss", "L1Loss", "SmoothL1Loss", "BCEWithLogitsLoss"])
    )
    if name == "CrossEntropyLoss":
        target = generator.integers(0, size, places)
        target[generator.random(places) < draw(st.sampled_from([0.0, 0.3]))] = -100
        tables["target"] = {"indices": target.tolist()}
    else:
        tables["target"] = {"values": generator.random((*places, size)).round(3).tolist()}
    reduction, over_time = draw(st.sampled_from(["mean", "sum"])), draw(st.sampled_from(["together", "sum"]))
    factor = draw(st.sampled_from([1, 1, 0.5, -3, 0.1]))
    tables["loss"] = {"name": name, "reduction": reduction, "over_time": over_time, "factor": factor}
    if name == "SmoothL1Loss":
        tables["loss"]["beta"] = draw(st.sampled_from([1, 0.25, 0]))
    return module, options


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenario=learnt())
def test_autograd_agrees_with_whatever_is_drawn(make, scenario):
    module, options = scenario
    model = Model(make(module, **options))
    done = model.run_batch(0)
    comparison = check_gradients(done, model.backward(done))
    assert comparison.faults == ()
    assert comparison.worst.share <= 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenario=scenarios())
def test_torch_agrees_with_whatever_is_drawn(make, scenario):
    module, options = scenario
    checked = check(Model(make(module, **options)).run())
    assert checked.faults == ()
    assert checked.used <= 1


def test_states_use_little_of_the_bound(make):
    for module in ("RNN", "LSTM", "GRU"):
        for dtype in ("float32", "float64"):
            done = Model(make(module, shape=[50, 4, 16], hidden_size=32, dtype=dtype)).run()
            worst = check(done).worst
            assert worst.share < 0.5
