"""Mistakes of networks, held against an encoder, a decoder and attention in plain Python: right ones and wrong ones."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache

import numpy as np
import pytest

from rnnstep.checking import Marks
from rnnstep.checking.answers.answer import Answer, Answers
from rnnstep.checking.answers.numbers import Numbers
from rnnstep.checking.mistakes.catalogue import Catalogue
from rnnstep.engine.learning import Learning
from rnnstep.reference import complete
from rnnstep.scenario.file.document import Document, Limits
from rnnstep.scenario.read import read_text
from tests.oracle.by_hand import Pen, Vector
from tests.oracle.by_hand_network import LENGTHS, SCORES, STEPS, Network, text_of

WAYS = [
    ("attention_no_softmax", 0),
    ("attention_no_softmax", 1),
    ("attention_wrong_axis", 0),
    ("attention_wrong_axis", 1),
    ("attention_wrong_axis", 2),
    ("attention_padding", 0),
    ("attention_padding", 1),
    ("attention_keys_for_values", 0),
    ("attention_keys_for_values", 1),
]


@cache
def known_of(score: str, seed: int) -> tuple[Learning, Catalogue]:
    learning = Learning(complete(read_text(text_of(score, seed))))
    return learning, Catalogue(learning)


def answer(name: str, values: Vector, pen: Pen, t: int | None, row: int, block: str | None) -> Answer:
    given = np.array([round(value, pen.decimals) for value in values])
    numbers = Numbers(given, np.full(given.shape, pen.decimals))
    return Answer(name, numbers, t, row=row, decimals=pen.decimals, line=1, block=block)


def marked(known: tuple[Learning, Catalogue], answers: list[Answer]) -> Marks:
    learning, catalogue = known
    return Marks.of(learning, Answers(tuple(answers), Document("a", None, "", {}, Limits())), catalogue)


PLACES = {"query": ("h", "decoder"), "h": ("h", "reader")}


def sheet(found: list[list[dict[str, Vector]]], pen: Pen, names: tuple[str, ...], row: int) -> list[Answer]:
    """Some values of a row at every step."""
    return [
        answer(
            *(PLACES.get(name, (name, "attention"))[:1]),
            found[row][t][name],
            pen,
            t,
            row,
            PLACES.get(name, ("", "attention"))[1],
        )
        for t in range(STEPS)
        for name in names
    ]


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_no_honest_rounding_of_attention_is_wrong(score: str, share: float) -> None:
    names = [
        ("query", "scores", "weights", "context", "h"),
        ("h",),
        ("context",),
        ("weights", "h"),
        ("scores",),
    ]
    for seed in range(5):
        known = known_of(score, seed)
        pen = Pen(2 + seed % 3, share, seed)
        network = Network(known[0].scenario, score, LENGTHS, pen)
        found = network.run()
        answers = [one for row in network.rows for one in sheet(found, pen, names[seed % len(names)], row)]
        states = [[step["h"] for step in row] for row in found]
        answers.append(answer("loss", [network.loss(states)], pen, None, 0, None))
        assert {mark.status for mark in marked(known, answers).marks} == {"correct"}, (score, seed)


@pytest.mark.parametrize(
    ("score", "decimals"), [("dot", 3), ("scaled_dot", 4), ("general", 4), ("additive", 3)]
)
@pytest.mark.parametrize(("mistake", "way"), WAYS)
def test_a_mistake_in_attention_is_named_where_it_shows(
    mistake: str, way: int, score: str, decimals: int
) -> None:
    """In the weights or the context that are wrong first, in what the module above makes of them, and in the loss."""
    counts: Counter[str] = Counter()
    for seed in range(2):
        known = known_of(score, seed)
        pen = Pen(decimals)
        network = Network(known[0].scenario, score, LENGTHS, pen, mistake, way)
        found = network.run()
        row = 1 if "padding" in mistake or mistake == "attention_no_softmax" else seed % 2
        for names in (("query", "scores", "weights", "context", "h"), ("query", "h")):
            got = marked(known, sheet(found, pen, names, row))
            wrong = [number for number, mark in enumerate(got.marks) if mark.status == "wrong"]
            counts["wrong"] += bool(wrong)
            counts["named"] += any(
                mistake in one.ids for number in wrong[:1] for one in got.remarks(number).mistakes
            )
    assert counts["wrong"] >= 3
    assert counts["named"] >= counts["wrong"] - 1


@pytest.mark.parametrize(("mistake", "way"), [("attention_no_softmax", 1), ("attention_padding", 0)])
def test_what_follows_from_it_is_named_too(mistake: str, way: int) -> None:
    """The loss alone, to six decimals, and a gradient: the states before attention are right."""
    known = known_of("dot", 1)
    learning = known[0]
    pen = Pen(6)
    network = Network(learning.scenario, "dot", LENGTHS, pen, mistake, way)
    found = network.run()
    loss = network.loss([[step["h"] for step in row] for row in found])
    got = marked(known, [answer("loss", [loss], pen, None, 0, None)])
    assert got.marks[0].status == "wrong"
    assert mistake in {id_ for one in got.remarks(0).mistakes for id_ in one.ids}


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("decimals", [4, 5])
def test_right_gradients_are_right(score: str, decimals: int) -> None:
    """Of every parameter, attention's among them, on one sheet; off by a little each is wrong."""
    known = known_of(score, 3)
    back = known[0].epoch(0).backward(0)
    for off in (0.0, 0.02):
        answers = []
        for name, gradient in back.parameters.items():
            value = np.asarray(gradient, float) + off
            given = Numbers(value.round(decimals), np.full(value.shape, decimals))
            answers.append(Answer(f"grad.{name}", given, decimals=decimals, line=1))
        marks = marked(known, answers).marks
        assert len(marks) == len(back.parameters)
        for mark in marks:
            assert (mark.status == "correct") == (not off), mark.answer.name


@pytest.mark.parametrize("way", [0, 1])
def test_of_what_has_no_softmax_the_gradient_has_none_either(way: int) -> None:
    """∂loss/∂W_a of the calculation by hand, by differences."""
    known = known_of("general", 2)
    network = Network(known[0].scenario, "general", LENGTHS, Pen(4, 0.0), "attention_no_softmax", way)
    w = network.parameters["attention.W_a"]
    gradient = np.zeros((3, 3))
    for i, j in np.ndindex(3, 3):
        sides = []
        for off in (1e-4, -2e-4, 1e-4):
            w[i][j] += off
            sides.append(network.loss([[step["h"] for step in row] for row in network.run()]))
        gradient[i, j] = (sides[0] - sides[1]) / 2e-4
    given = Numbers(gradient.round(5), np.full((3, 3), 5))
    got = marked(known, [Answer("grad.attention.W_a", given, decimals=5, line=1)])
    assert got.marks[0].status == "wrong"
    assert "attention_no_softmax" in {id_ for one in got.remarks(0).mistakes for id_ in one.ids}


@pytest.mark.parametrize("decimals", [1, 2, 3, 4])
@pytest.mark.parametrize("entries", ["one", "all"])
def test_random_numbers_of_attention_are_hardly_ever_named(entries: str, decimals: int) -> None:
    rng = random.Random(f"{entries} {decimals}")
    named = 0
    for _ in range(6):
        known = known_of(rng.choice(SCORES), rng.randrange(5))
        name, block, size = rng.choice(
            [
                ("scores", "attention", 4),
                ("weights", "attention", 4),
                ("context", "attention", 3),
                ("h", "reader", 2),
            ]
        )
        low = 0.0 if name == "weights" else -1.0
        values = [rng.uniform(low, 1.0) for _ in range(size)]
        if entries == "one":
            kept = rng.randrange(size)
            values = [value if k == kept else float("nan") for k, value in enumerate(values)]
        given = answer(name, values, Pen(decimals), rng.randrange(STEPS), rng.randrange(2), block)
        got = marked(known, [given])
        named += any(one.is_named for one in got.remarks(0, is_quick=True).mistakes)
    assert named <= 1
