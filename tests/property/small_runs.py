"""Small runs and trainings of every kind, and sessions drawn in them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

from rnnstep.equations.expand import expand
from rnnstep.scenario import bundled
from rnnstep.scenario.in_memory import BatchInput, made
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read, read_text
from rnnstep.scenario.weights.parameters import parameter_shapes
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot, index_of, size_of

OWN = {
    "normed": """
input = {random = {shape = [3, 2, 2], seed = 1}}
layers = [{module = "GRU", hidden_size = 2}, {module = "LayerNorm"}]
weights = {seed = 1}
target = {indices = [[0, 1], [1, 0], [0, 0]]}
training = {optimizer = "SGD", lr = 0.1}
""",
    "what comes next in a series": """
input = {random = {shape = [5, 1], seed = 1}, windows = {length = 2, batch_size = 2, horizon = 1}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
training = {optimizer = "SGD", lr = 0.1}
""",
    "a ReLU above": """
input = {random = {shape = [3, 2, 2], seed = 1}, lengths = [3, 2]}
layers = [{module = "RNN", hidden_size = 2, bidirectional = true}, {module = "ReLU"}]
weights = {seed = 1}
target = {indices = [[0, 1], [1, 0], [0, 0]]}
training = {optimizer = "SGD", lr = 0.1}
""",
    "a chain above": """
mode = "train"
input = {random = {shape = [3, 2, 2], seed = 1}, lengths = [3, 2]}
layers = [{module = "LSTM", hidden_size = 1}, {module = "Tanh"}, {module = "Linear", out_features = 2}, {module = "Dropout", name = "drop"}, {module = "Linear"}]
weights = {seed = 1}
target = {values = [[[0.1], [0.2]], [[0.3], [0.4]], [[0.5], [0.6]]]}
training = {optimizer = "SGD", lr = 0.1}
""",
    "a chain below": """
vocabulary = ["a", "b"]
input = {text = ["ba", "a"]}
layers = [{module = "Embedding", embedding_dim = 2}, {module = "LayerNorm"}, {module = "ReLU"}, {module = "RNN", hidden_size = 1}, {module = "Linear", out_features = 2}, {module = "Dropout"}]
weights = {seed = 1}
target = {text = ["ab", "b"]}
training = {optimizer = "SGD", lr = 0.1}
""",
    "numbers through a chain, final layer by layer": """
input = {random = {shape = [2, 1, 2], seed = 1}}
layers = [{module = "Linear", out_features = 1}, {module = "GRU", hidden_size = 1, bidirectional = true}, {module = "Sigmoid"}, {module = "LayerNorm", name = "norm"}]
weights = {seed = 1}
target = {indices = [[0], [1]]}
""",
    "recurrent over recurrent": """
input = {random = {shape = [3, 2, 1], seed = 1}, lengths = [3, 2]}
layers = [{module = "RNN", hidden_size = 1}, {module = "LayerNorm"}, {module = "GRU", hidden_size = 2, name = "high"}, {module = "Tanh"}]
weights = {seed = 1}
target = {indices = [[0, 1], [1, 0], [0, 0]]}
training = {optimizer = "SGD", lr = 0.1}
""",
    "LSTM over both directions": """
vocabulary = ["a", "b"]
mode = "train"
input = {text = ["ba", "a"]}
layers = [{module = "GRU", hidden_size = 1, bidirectional = true}, {module = "Dropout"}, {module = "LSTM", hidden_size = 2, num_layers = 2, dropout = 0.5}]
weights = {seed = 1}
target = {text = ["ab", "b"]}
initial_state = {lstm = {h_0 = [[[0.1, 0.2], [0.3, 0.4]], [[0.5, 0.6], [0.7, 0.8]]]}}
""",
    "by layer": """
input = {random = {shape = [3, 2, 2], seed = 1}}
recurrent = {module = "RNN", hidden_size = 2, num_layers = 2}
weights = {seed = 1}
display = {order = "layer"}
""",
    "packed, both directions, final states": """
vocabulary = ["a", "b"]
input = {text = ["ba", "abba", "b"]}
recurrent = {module = "GRU", hidden_size = 2, num_layers = 2, bidirectional = true, batch_first = true}
linear = {out_features = 2, from = "h_n"}
weights = {seed = 1}
""",
    "packed by time, longest row shorter than T": """
input = {random = {shape = [4, 2, 1], seed = 1}, lengths = [1, 3]}
recurrent = {module = "RNN", hidden_size = 2, num_layers = 2}
linear = {out_features = 1, from = "h_n"}
weights = {seed = 1}
""",
    "dropout": """
input = {random = {shape = [2, 1, 2], seed = 1}}
recurrent = {module = "LSTM", hidden_size = 2, num_layers = 2, dropout = 0.5, mode = "train", dropout_seed = 3}
linear = {out_features = 1}
weights = {seed = 1}
""",
    "dropout, both directions": """
input = {random = {shape = [2, 1, 1], seed = 1}}
weights = {seed = 1}
[recurrent]
module = "RNN"
hidden_size = 2
num_layers = 2
bidirectional = true
dropout = 0.5
mode = "train"
""",
    "projection": """
input = {random = {shape = [2, 1, 1], seed = 1}}
recurrent = {module = "LSTM", hidden_size = 3, proj_size = 2, num_layers = 2}
linear = {out_features = 2, from = "h_n"}
weights = {seed = 1}
""",
    "windows, last batch smaller": """
input = {random = {shape = [5, 1], seed = 1}, windows = {length = 2, stride = 2, batch_size = 2}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
""",
    "embedding, packed": """
vocabulary = "ascii"
input = {text = ["hi", "a"]}
recurrent = {module = "RNN", hidden_size = 2, bidirectional = true}
embedding = {num_embeddings = 128, embedding_dim = 2}
weights = {seed = 1}
""",
    "one of all": """
input = {values = [[1.0]]}
recurrent = {module = "RNN", hidden_size = 1, bias = false}
weights = {seed = 1}
""",
    "trained by time": """
vocabulary = ["a", "b"]
input = {text = "ab"}
recurrent = {module = "RNNCell", hidden_size = 2}
weights = {seed = 1}
target = {text = "ba"}
training = {optimizer = "Adam", lr = 0.1, epochs = 3}
""",
    "trained, rows of different lengths": """
vocabulary = ["a", "b"]
input = {text = ["ba", "b"]}
recurrent = {module = "GRU", hidden_size = 1, num_layers = 2}
linear = {out_features = 2}
weights = {seed = 1}
target = {text = ["ab", "a"]}
[training]
optimizer = "SGD"
lr = 0.1
momentum = 0.9
dampening = 0.5
weight_decay = 0.01
clip_grad_norm = 0.1
epochs = 2
""",
    "trained, several batches": """
input = {random = {shape = [5, 1], seed = 1}, windows = {length = 2, stride = 2, batch_size = 2}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
target = {values = [[[0.1], [0.2], [0.3]], [[0.4], [0.5], [0.6]]]}
training = {optimizer = "AdamW", lr = 0.1, epochs = 2, weight_decay = 0.1}
""",
    "loss of packed final states, both directions": """
vocabulary = ["a", "b"]
input = {text = ["ba", "aba"]}
recurrent = {module = "RNN", hidden_size = 1, num_layers = 2, bidirectional = true}
linear = {out_features = 2, from = "h_n"}
weights = {seed = 1}
target = {indices = [1, 0]}
""",
    "trained embedding, both directions": """
vocabulary = ["a", "b"]
input = {text = ["ba", "a"]}
recurrent = {module = "RNN", hidden_size = 1, bidirectional = true}
embedding = {num_embeddings = 2, embedding_dim = 1}
linear = {out_features = 2}
weights = {seed = 1}
target = {text = ["ab", "b"]}
training = {optimizer = "RMSprop", lr = 0.1}
""",
    "loss of a projection": """
input = {random = {shape = [2, 2, 1], seed = 1}}
recurrent = {module = "LSTM", hidden_size = 2, proj_size = 1, num_layers = 2, dropout = 0.5, mode = "train"}
weights = {seed = 1}
target = {values = [[[1.0], [0.0]], [[0.0], [1.0]]]}
loss = {name = "BCEWithLogitsLoss", reduction = "sum"}
""",
    "output[-1] of both directions": """
vocabulary = ["a", "b"]
input = {text = ["ba", "aba"]}
recurrent = {module = "RNN", hidden_size = 1, bidirectional = true}
linear = {out_features = 2, from = "last"}
weights = {seed = 1}
target = {indices = [1, 0]}
training = {optimizer = "SGD", lr = 0.1}
""",
    "loss of the last step": """
input = {random = {shape = [3, 2, 2], seed = 1}, lengths = [2, 3]}
recurrent = {module = "GRU", hidden_size = 1}
linear = {out_features = 2}
weights = {seed = 1}
target = {indices = [1, 0]}
loss = {at = "last"}
training = {optimizer = "SGD", lr = 0.1}
""",
    "loss of the last step, both directions": """
input = {random = {shape = [3, 2, 2], seed = 1}, lengths = [2, 3]}
recurrent = {module = "RNN", hidden_size = 1, bidirectional = true}
weights = {seed = 1}
target = {values = [[0.5, -0.5], [0.1, 0.2]]}
loss = {at = "last"}
""",
    "one bias, trained": """
input = {random = {shape = [2, 1, 2], seed = 1}}
recurrent = {module = "GRU", hidden_size = 1, bias = "ih"}
weights = {seed = 1}
target = {values = [[[1.0]], [[0.0]]]}
training = {optimizer = "SGD", lr = 0.1}
""",
    "states that are not reset": """
input = {random = {shape = [2, 1, 1], seed = 1}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
target = {values = [[[1.0]], [[0.0]]]}
training = {optimizer = "SGD", lr = 0.1, epochs = 2, mistake = "hidden_not_reset"}
""",
    "states carried": """
input = {values = [0.1, -0.7, 0.4, 0.9, -0.3, 0.2, 0.6, -0.5, 0.8], windows = {length = 2, batch_size = 2, horizon = 1}}
recurrent = {module = "LSTM", hidden_size = 1, carry = true}
weights = {seed = 1}
training = {optimizer = "SGD", lr = 0.1, epochs = 2}
""",
    "batch statistics": """
mode = "train"
input = {random = {shape = [2, 2, 2], seed = 1}}
layers = [{module = "GRU", hidden_size = 2}, {module = "BatchNorm1d"}, {module = "Linear", out_features = 1}]
weights = {seed = 1}
target = {values = [[[0.5], [-0.5]], [[0.1], [0.2]]]}
training = {optimizer = "SGD", lr = 0.1, epochs = 2}
""",
    "batch statistics of what is given": """
mode = "train"
input = {random = {shape = [7], seed = 1}, windows = {length = 2, stride = 2, batch_size = 2, horizon = 1}}
layers = [{module = "BatchNorm1d", affine = false, momentum = "none"}, {module = "RNN", hidden_size = 1}]
weights = {seed = 1}
training = {optimizer = "SGD", lr = 0.1}
""",
    "states carried, no updates": """
input = {values = [0.1, -0.7, 0.4, 0.9, -0.3, 0.2], windows = {length = 2}}
recurrent = {module = "GRU", hidden_size = 2, num_layers = 2, carry = true}
weights = {seed = 1}
""",
}
WIRED = {  # networks that are no chain, for the laws that ask the wires alone
    "a sum and what is joined": """
input = {random = {shape = [3, 2, 2], seed = 1}}
layers = [{module = "GRU", hidden_size = 2, name = "low"}, {module = "RNN", hidden_size = 2, name = "high", add = "low"}, {module = "Linear", out_features = 2, input = ["high", "input"]}]
weights = {seed = 1}
target = {indices = [[0, 1], [1, 0], [0, 0]]}
training = {optimizer = "SGD", lr = 0.1}
""",
    "an encoder, a decoder": """
vocabulary = ["s", "a", "b"]
input = {text = ["ba", "a"], target = {text = ["ab", "b"], shift = "s"}}
layers = [{module = "GRU", hidden_size = 1, name = "encoder"}, {module = "GRU", hidden_size = 1, name = "decoder", input = "target", h_0 = "encoder.h_n"}, {module = "Linear"}]
weights = {seed = 1}
training = {optimizer = "SGD", lr = 0.1}
""",
    "attention of a decoder": """
input = {random = {shape = [3, 2, 1], seed = 1}, lengths = [3, 2], target = {random = {shape = [2, 2, 1], seed = 2}}}
layers = [{module = "RNN", hidden_size = 2, name = "encoder"}, {module = "RNN", hidden_size = 2, name = "decoder", input = "target", h_0 = "encoder.h_n"}, {module = "Attention", score = "additive", size = 2, name = "look", query = "decoder", memory = "encoder"}, {module = "Linear", out_features = 1}]
weights = {seed = 1}
target = {values = [[[0.1], [0.2]], [[0.3], [0.4]]]}
training = {optimizer = "SGD", lr = 0.1}
""",
    "a decoder that looks back": """
input = {random = {shape = [2, 1, 1], seed = 1}, target = {random = {shape = [2, 1, 1], seed = 2}}}
layers = [{module = "RNN", hidden_size = 2, name = "encoder"}, {module = "Attention", score = "general", name = "look", query = "decoder.h_prev", memory = "encoder"}, {module = "GRUCell", hidden_size = 2, name = "decoder", input = ["target", "look"], h_0 = "encoder.h_n"}]
weights = {seed = 1}
target = {indices = [[1], [0]]}
""",
    "what is tied": """
input = {indices = [1, 0, 2]}
layers = [{module = "Embedding", embedding_dim = 2, name = "embed"}, {module = "GRU", hidden_size = 2}, {module = "Linear", out_features = 3, weight = "embed.weight"}]
weights = {seed = 1}
target = {indices = [0, 2, 1]}
training = {optimizer = "SGD", lr = 0.1}
""",
    "a window between": """
input = {random = {shape = [3, 1, 1], seed = 1}}
layers = [{module = "Conv1d", out_channels = 2, kernel_size = 2, name = "conv"}, {module = "RNN", hidden_size = 2}]
weights = {seed = 1}
target = {indices = [[1], [0]]}
training = {optimizer = "SGD", lr = 0.1}
""",
    "final states alone": """
input = {random = {shape = [3, 2, 1], seed = 1}, lengths = [3, 2]}
layers = [{module = "LSTM", hidden_size = 1, name = "one", bidirectional = true}, {module = "Linear", out_features = 2, name = "from_h", input = "one.h_n"}, {module = "Linear", out_features = 1, input = ["from_h", "one.c_n"]}]
weights = {seed = 1}
target = {values = [[0.1], [0.2]]}
loss = {name = "MSELoss"}
""",
}
BUNDLED = (
    "hello",
    "rnn",
    "multilayer",
    "windows",
    "packed",
    "bidirectional",
    "gru",
    "lstm_by_hand",
    "initial_state",
    "mgu",
)
NUMBERS = np.random.default_rng(6)


def numbers(*shape: int) -> np.ndarray:
    return NUMBERS.standard_normal(shape).astype(np.float32)


def parameters(module: str, num_layers: int, suffixes: tuple[str, ...] = ("",)) -> dict[str, np.ndarray]:
    """Parameters of a module of two elements a state that reads two, with a linear layer above."""
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[module]
    found = {"linear.weight": numbers(2, 2 * len(suffixes)), "linear.bias": numbers(2)}
    for layer in range(num_layers):
        for suffix in suffixes:
            size = 2 if layer == 0 else 2 * len(suffixes)
            found[f"weight_ih_l{layer}{suffix}"] = numbers(2 * gates, size)
            found[f"weight_hh_l{layer}{suffix}"] = numbers(2 * gates, 2)
            found |= {f"bias_{one}_l{layer}{suffix}": numbers(2 * gates) for one in ("ih", "hh")}
    return found


LIVE = {  # made in memory: what enters is more than a file can say
    "gradients given": made(
        "LSTM",
        BatchInput(
            numbers(3, 2, 2),
            lengths=(3, 2),
            above={at: numbers(3, 2, 2) for at in (("L1", "h"), ("L1", "c"), ("L0", "f"), ("L0", "h"))},
        ),
        parameters("LSTM", 2),
    ),
    "gradients given, both directions": made(
        "GRU",
        BatchInput(
            numbers(2, 2, 2), above={("linear", "logits"): numbers(2, 2, 2), ("L0←", "n"): numbers(2, 2, 2)}
        ),
        parameters("GRU", 1, ("", "_reverse")),
    ),
    "states and masks given": made(
        "RNN",
        [
            BatchInput(numbers(2, 1, 2), numbers(2, 1, 2), masks=[numbers(2, 1, 2)]),
            BatchInput(numbers(3, 2, 2), numbers(2, 2, 2), lengths=(1, 3)),
        ],
        parameters("RNN", 2),
        dropout=0.5,
    ),
}
NAMES = (*OWN, *LIVE, *BUNDLED)
each_run = pytest.mark.parametrize("name", NAMES)
each_network = pytest.mark.parametrize("name", [*NAMES, *WIRED])


def complete(scenario: Scenario) -> Scenario:
    if scenario.pending is None:
        return scenario
    shapes = parameter_shapes(scenario.layers)
    generator = np.random.default_rng(0)
    return scenario.with_parameters(
        {
            name: generator.standard_normal(shapes[name]).astype(scenario.dtype)
            for name in scenario.pending.names
        }
    )


@functools.cache
def run_of(name: str) -> SessionRun:
    if name in LIVE:
        return SessionRun.of(LIVE[name])
    texts = {**OWN, **WIRED}
    scenario = read_text(texts[name]) if name in texts else read(bundled.find(name))
    if name not in texts and scenario.training is not None:
        scenario = replace(scenario, training=replace(scenario.training, epochs=2))
    return SessionRun.of(complete(scenario))


@functools.cache
def run_at(name: str, epoch: int) -> SessionRun:
    run = run_of(name)
    return run.at_epoch(epoch, epoch) if epoch else run


def name_of(run: SessionRun) -> str:
    return next(name for name in (*NAMES, *WIRED) if run_of(name).learning is run.learning)


def live_steps(run: SessionRun, batch: int) -> int:
    given = run.scenario.batches[batch]
    return max(given.lengths) if given.packed and given.lengths else given.first.num_steps


def is_final(run: SessionRun, key: str) -> bool:
    scenario = run.scenario
    is_of_last = key == "loss" and scenario.loss is not None and scenario.loss.at is not None
    is_of_batch = key.endswith((".mu", ".var"))
    return is_of_last or is_of_batch or (key in ("linear", "loss") and scenario.reads_final_state)


def blocks_and_steps(run: SessionRun, spot: Spot) -> Iterator[tuple[str, int]]:
    """Every block at every step of a pass, in the order of computation, from the scenario alone."""
    blocks = run.pass_of(spot).blocks
    if spot.phase == "update":
        yield from ((block.key, 0) for block in blocks)
        return
    last = live_steps(run, spot.batch) - 1
    order = 1 if spot.phase == "forward" else -1
    steps = {
        block.key: [last] if block.kind == "total" or is_final(run, block.key) else list(range(last + 1))
        for block in blocks
    }
    if run.scenario.display.order == "time":
        for t in range(last + 1)[::order]:
            yield from ((block.key, t) for block in blocks if t in steps[block.key])
        return
    for block in blocks:
        yield from (
            (block.key, t) for t in steps[block.key][:: -order if block.direction == "backward" else order]
        )


def passes(name: str) -> Iterator[tuple[SessionRun, Spot]]:
    """Every pass of a training in the order of computation."""
    scenario = run_of(name).scenario
    has_loss = scenario.loss is not None and scenario.batches[0].target is not None
    is_trained = has_loss and scenario.training is not None
    goes_back = has_loss or all(batch.above is not None for batch in scenario.batches)
    for epoch in range(scenario.training.epochs if is_trained else 1):
        for batch in range(len(scenario.batches)):
            for phase in ("forward", *["backward"] * goes_back, *["update"] * is_trained):
                yield run_at(name, epoch), Spot(batch, phase=phase, epoch=epoch)


@functools.cache
def terms(name: str) -> tuple[Spot, ...]:
    """Every term of a training in the order of computation: what all zooms are cut out of."""
    found = []
    for run, spot in passes(name):
        done = run.pass_of(spot)
        stage = run.learning.structure.stage(spot.batch, spot.phase)
        steps = ((block.key, t) for block in stage.blocks for t in stage.steps[block.key])
        for key, t in steps if name in WIRED else blocks_and_steps(run, spot):
            block = done.by_key[key]
            rows = range(run.scenario.batches[spot.batch].num_rows)
            known = next(known for row in rows if (known := done.known(key, t, row)) is not None)
            for line in block.program.lines:
                for element in range(size_of(block, line.name)):
                    index = index_of(block, line.name, element)
                    place = replace(spot, key=key, t=t, operation=line.name, element=element)
                    count = len(expand(line, index, known).terms)
                    found += [replace(place, term=term) for term in range(count)]
    return tuple(found)


def at_zoom(run: SessionRun, spot: Spot, level: str) -> Spot:
    """A term's place as far as a zoom sees it."""
    order = run.tree.levels
    kept = {
        "epoch": {},
        "batch": {"batch": spot.batch},
        "pass": {"phase": spot.phase},
        "sequence": {"sequence": spot.sequence},
        "step": {"t": spot.t},
        "block": {"key": spot.key},
        "operation": {"operation": spot.operation},
        "element": {"element": spot.element},
        "term": {"term": spot.term},
    }
    values: dict = {"batch": None, "phase": None}
    for one in order[: order.index(level) + 1]:
        values |= kept[one]
    return Spot(**values, epoch=spot.epoch)


def in_order(name: str, level: str) -> list[Spot]:
    run = run_of(name)
    return list(dict.fromkeys(at_zoom(run, spot, level) for spot in terms(name)))


def seen(session: Session) -> tuple:
    return session.position.path, session.position.zoom, session.position.row


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """A session somewhere in a run: after a jump, some moves and rows."""
    name = draw(st.sampled_from(NAMES))
    session = Session.open(run_of(name))
    if draw(st.booleans()):
        spot = draw(st.sampled_from(terms(name)))
        level = draw(st.sampled_from(session.tree.levels))
        path = session.tree.path_to(at_zoom(session.run, spot, level))
        assert path is not None
        session = session.jump(path)
    for move in draw(st.lists(st.sampled_from(MOVES), max_size=6)):
        session = move(session)
    return session


MOVES = (
    Session.right,
    Session.left,
    Session.into,
    Session.out,
    lambda session: session.same_place(1),
    lambda session: session.same_place(-1),
    lambda session: session.other_row(1),
    lambda session: session.other_row(-1),
    Session.home,
    Session.end,
    lambda session: session.go("2"),
    lambda session: session.go("L0/h[0]"),
    lambda session: session.go("backward:1"),
    lambda session: session.go("e2:"),
    lambda session: session.go("update:"),
    Session.resume,
)
