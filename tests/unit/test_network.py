"""Wires both ways, and time: what each step reads, where rows end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from rnnstep.engine.blocks import build
from rnnstep.network.description import Reads, ValueOf, in_order, is_once, sequences_read
from rnnstep.network.graph import Graph
from rnnstep.network.time import TimeAxis
from rnnstep.network.wires import When
from rnnstep.reference.run import layout
from rnnstep.scenario.model import Batch
from rnnstep.scenario.read import read_text
from rnnstep.scenario.weights.parameters import parameter_shapes

DEEP = """
vocabulary = ["a", "b"]
input = {text = ["ba", "aba"]}
recurrent = {module = "GRU", hidden_size = 2, num_layers = 2, bidirectional = true, dropout = 0.5, mode = "train"}
embedding = {num_embeddings = 2, embedding_dim = 3}
linear = {out_features = 2, from = "FROM"}
weights = {seed = 1}
"""


def graph(source: str) -> Graph:
    scenario = read_text(DEEP.replace("FROM", source))
    shapes = parameter_shapes(scenario.layers)
    return Graph(build(scenario.with_parameters({name: np.zeros(shape) for name, shape in shapes.items()})))


def read_by(network: Graph, key: str) -> list[tuple[str, str]]:
    return [(part.reader, part.name) for part in network.readers(key)]


def test_what_a_block_gives_enters_those_that_read_it() -> None:
    network = graph("output")
    assert read_by(network, "") == [("embedding", "index"), ("dropout0", "mask")]
    assert read_by(network, "embedding") == [("L0", "x"), ("L0←", "x")]
    assert read_by(network, "L0←") == [("join0", "backward")]
    assert read_by(network, "join0") == [("dropout0", "h")]
    assert read_by(network, "dropout0") == [("L1", "x"), ("L1←", "x")]
    assert read_by(network, "join1") == [("linear", "output")]
    assert network.ends("L1") == ()


def test_final_states_come_from_their_directions_and_go_back_through_their_join() -> None:
    network = graph("h_n")
    assert read_by(network, "join1") == [("linear", "h_n")]
    assert [(part.wire.block, part.start, part.stop) for part in network.origins("linear", "h_n")] == [
        ("L1", 0, 2),
        ("L1←", 2, 4),
    ]
    (end,) = network.ends("L1←")
    assert (end.reader, end.start, end.wire.when) == ("linear", 2, When.LAST)
    found = network.origin("linear", "h_n", 1)
    assert found is not None
    assert found.wire.block == "L1"


LENGTHS = pytest.mark.parametrize("lengths", [None, (3, 1, 2), (2, 1, 2)])


@LENGTHS
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_each_step_reads_what_the_step_computed_before_left(direction, lengths) -> None:
    axis = TimeAxis(3, 3, lengths)
    states = np.arange(9.0).reshape(3, 3, 1) + 1
    first = -np.arange(3.0).reshape(3, 1) - 1
    before = axis.before(states, first, direction)
    for row in range(3):
        order = list(axis.order(direction, row))
        assert len(order) == (3 if lengths is None else lengths[row])
        assert before[order[0], row] == first[row]
        assert all(before[t, row] == states[s, row] for s, t in pairwise(order))
        assert axis.first_step(direction, row) == order[0]
        assert axis.final(states, direction)[row] == states[order[-1], row]


@LENGTHS
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_what_is_put_onto_final_steps_is_where_the_final_states_are(direction, lengths) -> None:
    axis = TimeAxis(3, 3, lengths)
    values, whole = np.arange(3.0).reshape(3, 1) + 1, np.zeros((3, 3, 1))
    axis.sent_back(values, whole, When.LAST, direction)
    assert (axis.final(whole, direction) == values).all()
    assert whole.sum() == values.sum()
    alive = axis.alive()
    assert alive is None or (whole[~alive] == 0).all()


@LENGTHS
@pytest.mark.parametrize("when", [When.ROW_END, When.END])
def test_what_is_sent_back_goes_where_it_was_brought_from(when, lengths) -> None:
    axis = TimeAxis(3, 3, lengths)
    whole = np.arange(9.0).reshape(3, 3, 1) + 1
    brought = axis.brought(whole, when)
    ends = (3, 3, 3) if lengths is None or when is When.END else lengths
    assert brought.ravel().tolist() == [whole[end - 1, row, 0] for row, end in enumerate(ends)]
    back = np.zeros((3, 3, 1))
    axis.sent_back(brought, back, when, "backward")  # whatever the direction
    assert back.sum() == brought.sum()
    assert ((back == whole) | (back == 0)).all()


@LENGTHS
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_torch_and_the_engine_tell_the_same_time(direction, lengths) -> None:
    """Written twice so that one mistake is not in both; here the two are set side by side."""
    batch = Batch(np.zeros((3, 3, 1)), None, lengths, packed=lengths is not None)
    living, is_reversed = layout.living_rows(batch.first), direction == "backward"
    alive = batch.first.axis.alive()
    assert (living is None) == (alive is None)
    everywhere = np.ones((3, 3), bool) if living is None else living
    assert alive is None or (alive == living).all()
    states, first = np.arange(9.0).reshape(3, 3, 1) + 1, -np.arange(3.0).reshape(3, 1) - 1
    found = layout.states_before(states, first, living, is_reversed=is_reversed)
    assert (found == batch.first.axis.before(states, first, direction))[everywhere].all()
    ends = layout.final_states(states, living, is_reversed=is_reversed)
    assert (ends == batch.first.axis.final(states, direction)).all()


def test_a_deep_network_in_which_each_module_reads_two_is_put_in_order():
    """Residual connections make as many ways down as there are numbers of two: none is gone twice."""
    wiring = {"m0": Reads((ValueOf("input"),)), "m1": Reads((ValueOf("m0"),))}
    for k in range(2, 400):
        wiring[f"m{k}"] = Reads((ValueOf(f"m{k - 1}"), ValueOf(f"m{k - 2}")))
    backwards = dict(reversed(wiring.items()))
    assert in_order(backwards) == list(wiring)
    assert sequences_read("m399", wiring) == ("input",)
    assert not is_once("m399", wiring)
