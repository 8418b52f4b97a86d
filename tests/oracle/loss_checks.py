"""A model's loss and gradients beside an autograd that was written out by hand, and beside finite differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pytest

from rnnstep.engine import Model
from rnnstep.equations.operations import Array
from rnnstep.reference import check, check_gradients


def assert_are_torchs(
    model: Model, loss: float, gradients: Mapping[str, Array], *, units: int, gradient_units: int
) -> None:
    """The loss and its gradients are those given, to so many units of the dtype's eps; and the judge agrees."""
    done = model.run_batch(0)
    back = model.backward(done)
    unit = float(np.finfo(model.scenario.dtype).eps)
    assert back.loss == pytest.approx(loss, rel=units * unit)
    assert back.parameters.keys() == gradients.keys()
    for name, expected in gradients.items():
        np.testing.assert_allclose(
            back.parameters[name], expected, rtol=0, atol=gradient_units * unit, err_msg=name
        )
    assert check(model.run()).faults == ()
    assert check_gradients(done, back).faults == ()


def assert_are_slopes(
    model: Model, names: Iterable[str] | None = None, *, rel: float, abs_: float = 1e-12
) -> None:
    """The gradients of these parameters, or of all, are the slopes of the loss along a drawn direction."""
    back = model.backward(model.run_batch(0))
    rng = np.random.default_rng(0)
    for name in model.scenario.parameters if names is None else names:
        value = model.scenario.parameters[name]
        along, step = rng.normal(size=value.shape), 1e-6
        losses = [
            model.with_parameters({name: value + side * along}).run_batch(0).loss for side in (step, -step)
        ]
        slope = (losses[0] - losses[1]) / (2 * step)
        assert float((back.parameters[name] * along).sum()) == pytest.approx(slope, rel=rel, abs=abs_), name
