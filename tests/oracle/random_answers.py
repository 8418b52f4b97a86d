"""Answers of random numbers: of every module, step and name, to some decimals, with one entry given or all.

Each is uniform over the value's own range, ±1 of tanh and of the states it bounds, 0 to 1 of gates and probabilities,
else ± twice the run's largest, and rounded. Written from that sentence, without what the program makes of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from rnnstep.checking import Marks
from rnnstep.checking.answers.answer import Answer, Answers
from rnnstep.checking.answers.layout import lay_out
from rnnstep.checking.answers.numbers import Numbers
from rnnstep.checking.answers.targets import NoTarget, Targets
from rnnstep.checking.marking import Sheet
from rnnstep.checking.mistakes.catalogue import Catalogue
from rnnstep.engine.learning import Learning
from rnnstep.scenario.file.document import Document, Limits
from rnnstep.scenario.read import read_text

PLUS_MINUS_ONE = {"h", "h_prev", "g", "n", "tanh_c", "output", "h_n"}
NOUGHT_TO_ONE = {"i", "f", "o", "r", "z", "p"}
SCENARIOS = {
    "RNNCell": 'module = "RNNCell"\nhidden_size = 3',
    "LSTMCell": 'module = "LSTMCell"\nhidden_size = 2',
    "GRUCell": 'module = "GRUCell"\nhidden_size = 3',
    "RNN of two layers": 'module = "RNN"\nhidden_size = 3\nnum_layers = 2',
    "LSTM of both directions": 'module = "LSTM"\nhidden_size = 2\nbidirectional = true',
    "GRU": 'module = "GRU"\nhidden_size = 4',
    "RNN of one unit": 'module = "RNN"\nhidden_size = 1',
}
FORWARD = {
    "RNN": ("ih", "hh", "a", "h"),
    "LSTM": ("ih_i", "a_f", "i", "f", "g", "o", "c", "tanh_c", "h"),
    "GRU": ("ih_r", "hh_n", "r", "z", "a_n", "n", "h"),
}
WHOLE = ("h_n", "loss", "grad.weight_hh", "grad.bias_ih", "grad.linear.bias", "update.weight_ih", "w.bias_hh")


@cache
def learning_of(name: str, loss: str, optimizer: str) -> tuple[Learning, Catalogue]:
    """A scenario of three steps."""
    of_numbers = loss == "MSELoss"
    target = (
        "values = [[[0.5, -0.2]], [[-0.4, 0.1]], [[0.3, 0.6]]]" if of_numbers else "indices = [[0], [1], [1]]"
    )
    found = Learning(
        read_text(
            f"[input]\nrandom = {{shape = [3, 1, 3], seed = 4}}\n[recurrent]\n{SCENARIOS[name]}\n[weights]\nseed = 4\n"
            f'round = 2\n[linear]\nout_features = 2\n[target]\n{target}\n[loss]\nname = "{loss}"\n'
            f'[training]\noptimizer = "{optimizer}"\nlr = 0.1\nepochs = 2\n'
        )
    )
    return found, Catalogue(found)


def names_of(learning: Learning) -> Iterator[tuple[str, int | None]]:
    """Every name with a step that it may have."""
    kind = learning.scenario.recurrent.module.removesuffix("Cell")
    for t in range(3):
        yield from ((name, t) for name in FORWARD[kind])
        yield from ((name, t) for name in ("logits", "grad.h"))
    yield from ((name, None) for name in WHOLE)


def drawn(rng: random.Random, decimals: int, *, is_one: bool) -> tuple[Marks, str]:
    """One random answer, marked; and what it is of."""
    name = rng.choice(list(SCENARIOS))
    learning, catalogue = learning_of(
        name, rng.choice(["CrossEntropyLoss", "MSELoss"]), rng.choice(["SGD", "Adam"])
    )
    value, t = rng.choice(list(names_of(learning)))
    epoch = rng.choice([None, 1, 2]) if value in WHOLE and value != "h_n" else None
    blank = Answer(value, Numbers(np.array(np.nan), np.array(0)), t, epoch=epoch, line=1)
    try:
        target = Targets(learning).of(blank)
    except NoTarget:
        return drawn(rng, decimals, is_one=is_one)
    expected = Sheet(learning, []).expected(target)
    size = 2 * float(np.abs(expected).max())
    low, high = (
        (-1.0, 1.0) if value in PLUS_MINUS_ONE else (0.0, 1.0) if value in NOUGHT_TO_ONE else (-size, size)
    )
    numbers = np.array([round(rng.uniform(low, high), decimals) for _ in range(expected.size)])
    if is_one:
        kept = rng.randrange(expected.size)
        numbers[np.arange(expected.size) != kept] = np.nan
    places = np.where(np.isnan(numbers), 0, decimals)
    given = Numbers(numbers.reshape(expected.shape), places.reshape(expected.shape))
    answer = Answer(value, given, t, epoch=epoch, decimals=decimals, line=1)
    document = Document("answers", Path(), "", {}, Limits())
    sheet = Sheet(learning, lay_out(learning, Answers((answer,), document)), catalogue)
    return Marks(sheet), f"{name} {value}"
