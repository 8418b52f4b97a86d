"""Losses that courses publish: computed here from the same numbers, and their gradients from nearby losses."""

from __future__ import annotations

import numpy as np
import pytest
import tomlkit

from rnnstep.engine import Model
from rnnstep.reference import run_gradients
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read_text
from tests.oracle.loss_checks import assert_are_slopes

# Stanford CS231n, assignment 3, RNN captioning: "loss" of a small CaptioningRNN on evenly spaced numbers.
# There the masked cross-entropies of all steps are added up and divided by the number of captions.
CAPTIONING_LOSS = 9.83235591003
CAPTIONS, FEATURES, EMBEDDED, HIDDEN, WORDS, STEPS = 10, 20, 30, 40, 3, 13
NULL = 0


def spaced(*shape: int, low: float = -1.4, high: float = 1.3) -> np.ndarray:
    return np.linspace(low, high, num=int(np.prod(shape))).reshape(shape)


def captioning() -> Scenario:
    """h_0 from the picture's features, an embedding, an RNN, a linear layer, and a cross-entropy without <NULL>."""
    captions = (np.arange(CAPTIONS * STEPS) % WORDS).reshape(CAPTIONS, STEPS)
    features = spaced(CAPTIONS, FEATURES, low=-1.5, high=0.3)
    h_0 = features @ spaced(FEATURES, HIDDEN) + spaced(HIDDEN)
    return read_text(
        tomlkit.dumps(
            {
                "input": {"indices": captions[:, :-1].tolist()},
                "embedding": {"num_embeddings": WORDS, "embedding_dim": EMBEDDED},
                "recurrent": {"module": "RNN", "hidden_size": HIDDEN, "batch_first": True},
                "linear": {"out_features": WORDS},
                "initial_state": {"h_0": [h_0.tolist()]},
                "weights": {
                    "embedding.weight": spaced(WORDS, EMBEDDED).tolist(),
                    "weight_ih_l0": spaced(EMBEDDED, HIDDEN).T.tolist(),
                    "weight_hh_l0": spaced(HIDDEN, HIDDEN).T.tolist(),
                    "bias_ih_l0": spaced(HIDDEN).tolist(),
                    "linear.weight": spaced(HIDDEN, WORDS).T.tolist(),
                    "linear.bias": spaced(WORDS).tolist(),
                },
                "target": {"indices": captions[:, 1:].tolist()},
                "loss": {"reduction": "sum", "ignore_index": NULL},
                "display": {"dtype": "float64"},
            }
        )
    )


def test_captioning_model_has_the_published_loss() -> None:
    loss = Model(captioning()).run_batch().loss
    assert loss is not None
    assert loss / CAPTIONS == pytest.approx(CAPTIONING_LOSS, rel=1e-11)


def test_captioning_model_has_autograds_gradients() -> None:
    model = Model(captioning())
    done = model.run_batch()
    back = model.backward(done)
    assert back is not None
    reference = run_gradients(done)
    assert reference.parameters.keys() == back.parameters.keys()
    for name, gradient in reference.parameters.items():
        np.testing.assert_allclose(back.parameters[name], gradient, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ["embedding.weight", "weight_hh_l0", "bias_ih_l0", "linear.weight"])
def test_captioning_models_gradient_is_the_slope_of_its_loss(name: str) -> None:
    assert_are_slopes(Model(captioning()), [name], rel=1e-6)
