"""What another run gave, recorded: it stands beside ours in the place of torch's results, and one wrong number in it is found."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import rnnstep
from rnnstep.engine import Model
from rnnstep.errors import UsageError
from rnnstep.reference import check, check_gradients
from rnnstep.reports.trace import Run
from rnnstep.scenario.file.write import write_scenario
from rnnstep.scenario.in_memory import BatchInput, made
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.recorded import Recorded
from rnnstep.session.edits import apply, read_edit
from rnnstep.session.run import SessionRun
from rnnstep.session.tree import Spot

DRAW = np.random.default_rng(11)


def numbers(*shape: int) -> np.ndarray:
    return DRAW.standard_normal(shape).astype(np.float32)


def arrays_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: values.numpy() for name, values in module.state_dict().items()}


def run_of(module: torch.nn.Module, x: np.ndarray, lengths: tuple[int, ...] | None = None) -> Recorded:
    """What a module of torch's gives, as a program that was watched would have recorded it."""
    with torch.no_grad():
        given = torch.from_numpy(x)
        if lengths is not None:
            given = torch.nn.utils.rnn.pack_padded_sequence(
                given, torch.tensor(lengths), enforce_sorted=False
            )
        output, ends = module(given)
        if lengths is not None:
            output, _ = torch.nn.utils.rnn.pad_packed_sequence(output)
    h_n, c_n = ends if isinstance(ends, tuple) else (ends, None)
    return Recorded(output.numpy(), h_n.numpy(), None if c_n is None else c_n.numpy())


CASES = {
    "lstm": (torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True), (5, 2, 3), None),
    "packed": (torch.nn.GRU(3, 4, bidirectional=True), (5, 3, 3), (2, 5, 4)),
    "unbatched": (torch.nn.RNN(3, 4, num_layers=2), (5, 3), None),
    "batch_first": (torch.nn.LSTM(3, 4, batch_first=True), (2, 5, 3), None),
}


def recorded_of(case: str, change: Recorded | None = None) -> tuple[Scenario, Recorded]:
    module, shape, lengths = CASES[case]
    x = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    recorded = run_of(module, x, lengths) if change is None else change
    entering = BatchInput(x, lengths=lengths, recorded=recorded)
    first = getattr(module, "batch_first", False)
    return made(type(module).__name__, entering, arrays_of(module), batch_first=first), recorded


@pytest.mark.parametrize("case", CASES)
def test_what_a_module_gave_agrees_and_stands_as_the_reference(case) -> None:
    scenario, recorded = recorded_of(case)
    run = rnnstep.trace(scenario)
    assert run.agrees
    np.testing.assert_array_equal(run.reference.output, recorded.output)
    assert run.checked.recorded == recorded.names
    assert str(run.checked.explanation) == "agrees with what was recorded, and with torch"
    told = json.loads(json.dumps(run.as_dict()))["reference"]
    assert told["recorded"] == list(recorded.names)
    np.testing.assert_array_equal(np.float32(told["h_n"]), recorded.h_n)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["output", "h_n", "c_n"])
def test_one_number_that_is_not_ours_is_found(case, name) -> None:
    _, recorded = recorded_of(case)
    if getattr(recorded, name) is None:
        return
    wrong = getattr(recorded, name).copy()
    wrong.reshape(-1)[0] += 1e-3
    scenario, _ = recorded_of(case, replace(recorded, **{name: wrong}))
    checked = check(Model(scenario).run())
    assert not checked.agrees
    assert {fault.kind for _, fault in checked.faults} == {"recorded"}
    assert checked.max_abs_diff[name] == pytest.approx(1e-3, rel=1e-3)
    assert str(checked.explanation).startswith("what was recorded disagrees: ")


def test_a_value_beside_which_an_output_was_recorded_shows_it() -> None:
    scenario, recorded = recorded_of("lstm")
    checked = check(Model(scenario).run())
    (comparison,) = checked.comparisons
    np.testing.assert_array_equal(comparison.value("L1←", "h", 2), recorded.output[2, :, 4:])
    assert comparison.is_recorded("L1←", "h")
    assert not comparison.is_recorded("L0", "h")
    assert not comparison.is_recorded("L1", "c")
    assert comparison.one_step("L1", "h", 2) is None


def test_gradients_and_a_loss() -> None:
    scenario = rnnstep.load("hello").scenario
    model = Model(scenario)
    plain = check_gradients(model.run_batch(), model.backward(model.run_batch()))
    some = {"weight_hh": plain.parameters["weight_hh"], "bias_ih": plain.parameters["bias_ih"]}

    def compared(recorded: Recorded):
        batches = (replace(scenario.batches[0], recorded=recorded),)
        model = Model(replace(scenario, batches=batches))
        done = model.run_batch()
        return check_gradients(done, model.backward(done))

    right = compared(Recorded(loss=plain.loss, gradients=some))
    assert right.agrees
    assert right.recorded == ("loss", "grad.weight_hh", "grad.bias_ih")
    assert str(right.explanation) == "agrees with what was recorded, and with autograd"
    wrong = dict(some, weight_hh=some["weight_hh"] + np.float32(1e-3))
    found = compared(Recorded(gradients=wrong))
    assert {(fault.kind, fault.name) for fault in found.faults} == {("recorded", "∂W_hh")}
    assert not found.agrees_on("parameters", "weight_hh")
    assert found.verdict.max_abs_diff["parameters"] == pytest.approx(1e-3, rel=1e-2)
    off = compared(Recorded(loss=plain.loss + 0.01))
    assert {(fault.kind, fault.name) for fault in off.faults} == {("recorded", "loss")}


def test_lists_and_tensors_may_be_recorded() -> None:
    module, x = torch.nn.RNN(3, 4), numbers(5, 2, 3)
    with torch.no_grad():
        output, h_n = module(torch.from_numpy(x))
    recorded = Recorded(output.tolist(), h_n)  # type: ignore[arg-type]
    assert rnnstep.trace(made("RNN", BatchInput(x, recorded=recorded), arrays_of(module))).agrees


def test_other_numbers_have_no_record() -> None:
    scenario, _ = recorded_of("lstm")
    run = SessionRun.of(scenario)
    edited = apply(scenario, [read_edit("W_hi[0,0] = 0.5", run, Spot(0, "L0", 0, "hh_i"), 0)])
    assert edited.batches[0].recorded is None
    other = Model(scenario).with_parameters({"weight_hh_l0": scenario.parameters["weight_hh_l0"] * 2})
    assert other.scenario.batches[0].recorded is None
    assert check(other.run()).agrees


def test_what_does_not_fit_is_refused(tmp_path) -> None:
    _, recorded = recorded_of("lstm")
    with pytest.raises(UsageError, match=r"recorded h_n: found \(2, 2, 4\), expected \(4, 2, 4\)"):
        recorded_of("lstm", replace(recorded, h_n=recorded.h_n[:2]))
    with pytest.raises(UsageError, match="recorded c_n"):
        recorded_of("packed", Recorded(c_n=recorded.c_n))
    with pytest.raises(UsageError, match="recorded loss"):
        recorded_of("lstm", Recorded(loss=1.0))
    with pytest.raises(UsageError, match=r"recorded grad\.weight_hh_l0"):
        recorded_of("lstm", Recorded(gradients={"weight_hh_l0": numbers(16, 4)}))
    scenario, _ = recorded_of("lstm")
    with pytest.raises(UsageError, match="what was recorded"):
        write_scenario(scenario, tmp_path / "recorded.toml")
    done = Model(scenario).run()
    assert Run(done, None).as_dict()["reference"] is None


@pytest.mark.parametrize("case", CASES)
def test_without_torch_the_record_alone_is_judged(case) -> None:
    scenario, recorded = recorded_of(case)
    assert rnnstep.trace(scenario, torch=False).agrees is True
    wrong = recorded.h_n.copy()
    wrong.reshape(-1)[-1] += 1e-3
    scenario, _ = recorded_of(case, replace(recorded, h_n=wrong))
    run = rnnstep.trace(scenario, torch=False)
    assert run.agrees is False
    assert run.reference is None
    assert (
        rnnstep.trace(replace(scenario, batches=scenario.without_records().batches), torch=False).agrees
        is None
    )
