"""A loop over several blocks as one block computes what the blocks compute one after the other, and goes back as they do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rnnstep.engine import Model
from rnnstep.engine.backward_equations import BackwardEquations
from rnnstep.engine.block_backward import RecurrentBackward
from rnnstep.engine.recurrence import BlockRun
from rnnstep.equations.compile import ONE_ROW, ROWS
from rnnstep.equations.program import program
from rnnstep.network.blocks import Block, Where
from rnnstep.network.graph import Graph
from rnnstep.network.loop import Loop, composed
from rnnstep.network.time import TimeAxis
from rnnstep.network.wires import When, Wire
from rnnstep.scenario.read import read_text

STACK = """
[input]
random = {shape = [6, %d, 3], seed = 1}
[recurrent]
module = "%s"
hidden_size = 4
num_layers = 3
[weights]
seed = 2
[display]
dtype = "float64"
"""


def run_of(block: Block, x: np.ndarray) -> BlockRun:
    """A run from zeros."""
    rows = x.shape[1]
    mode = ONE_ROW if rows == 1 else ROWS
    first = tuple(np.zeros((rows, int(shape[0]))) for shape in block.program.states.values())
    return BlockRun(
        block, block.compiled.prepare(block.parameters, x.dtype, mode), x, first, TimeAxis(*x.shape[:2])
    )


def way_of(run: BlockRun, above: np.ndarray) -> RecurrentBackward:
    equations = BackwardEquations(run.block, above.shape[1], is_summed=True, is_read_below=True)
    return RecurrentBackward(run, equations, [above])


def close(found: np.ndarray, expected: np.ndarray, name: str = "") -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
def test_layers_as_one_loop(module, rows):
    model = Model(read_text(STACK % (rows, module)))
    done = model.run_batch(0)
    keys = ["L0", "L1", "L2"]
    loop = composed(done.graph, keys, "loop")
    run = run_of(loop.block, done.x)
    assert loop.block.output == "L2.h"
    for name, (key, inner) in loop.origins.items():
        for t in range(6):
            close(run.value(name, t), done.runs[key].value(inner, t), name)
    above = np.random.default_rng(3).normal(size=(6, rows, 4))
    way = way_of(run, above)
    expected: dict[str, np.ndarray] = {}
    for key in reversed(keys):
        layer = way_of(done.runs[key], above)
        expected |= layer.gradients
        above = layer.gradient("x")
    assert way.gradients.keys() == expected.keys()
    for name, value in expected.items():
        close(way.gradients[name], value, name)
    close(way.gradient("x"), above)


# ── feedback, several things from outside, tied parameters ───────────────────────────────────────

RNG = np.random.default_rng(4)


def block(key, equations, wires, sizes, parameters, states=(), **kept_in) -> Block:
    """A block of these equations; `sizes` are those of its inputs and states, `parameters` the shapes of its own."""
    checked = program(
        equations,
        inputs={name: (sizes[name],) for name in wires},
        states={name: (sizes[name],) for name in states},
        parameters=parameters,
    )
    numbers = {name: RNG.uniform(-0.5, 0.5, shape) for name, shape in parameters.items()}
    where = {
        name: Where(kept_in.get(name, f"{key}.{name}"), 0, len(value)) for name, value in numbers.items()
    }
    return Block(key, "recurrent", 0, "forward", checked, numbers, where, wires=wires)


CELL = "h = tanh(W @ x + U @ h_prev)"
SHAPES = {"W": (4, 5), "U": (4, 4)}
X = (Wire("", "x", When.DATA),)
SAID_BEFORE = Wire("head", "said", When.BEFORE)


def outside(key: str, size: int) -> Block:
    """A block that is not in the loop: it gives what enters."""
    return block(key, "given = 1 * x", {"x": X}, {"x": size}, {})


def feedback(**kept_in: str) -> tuple[Loop, dict[str, Block]]:
    """A cell that reads two things from outside and what a head said the step before; the head reads one of them, too."""
    blocks = [
        outside("embed", 2),
        outside("image", 1),
        block(
            "cell",
            CELL,
            {"x": (Wire("embed", "given"), SAID_BEFORE, Wire("image", "given"))},
            {"x": 5, "h": 4},
            SHAPES,
            ("h",),
        ),
        block(
            "head",
            "said = V @ cat(h, seen)",
            {"h": (Wire("cell", "h"),), "seen": (Wire("image", "given"),)},
            {"h": 4, "seen": 1},
            {"V": (2, 5)},
            **kept_in,
        ),
    ]
    return composed(Graph(blocks), ["cell", "head"], "loop"), {one.key: one for one in blocks}


@pytest.mark.parametrize("rows", [1, 3])
def test_a_value_that_is_fed_back_is_a_state(rows):
    loop, blocks = feedback()
    assert list(loop.block.program.states) == ["head.said", "cell.h"]
    assert loop.block.wires == {"x": (Wire("embed", "given"), Wire("image", "given"))}
    x, above = RNG.normal(size=(5, rows, 3)), RNG.normal(size=(5, rows, 2))
    run = run_of(loop.block, x)
    w, u, v = (
        torch.tensor(blocks[key].parameters[name], requires_grad=True)
        for key, name in (("cell", "W"), ("cell", "U"), ("head", "V"))
    )
    entered = torch.tensor(x, requires_grad=True)
    h, said, every = entered.new_zeros(rows, 4), entered.new_zeros(rows, 2), []
    for x_t in entered:
        embed, image = x_t[:, :2], x_t[:, 2:]
        h = torch.tanh(torch.cat([embed, said, image], -1) @ w.T + h @ u.T)
        said = torch.cat([h, image], -1) @ v.T
        every.append(said)
    close(run.state("head.said"), torch.stack(every).detach().numpy())
    close(run.state("cell.h")[-1], h.detach().numpy())
    (torch.stack(every) * torch.tensor(above)).sum().backward()
    way = way_of(run, above)
    close(way.gradient("x"), entered.grad.numpy())
    assert way.gradients.keys() == {"cell.W", "cell.U", "head.V"}
    for name, value in (("cell.W", w), ("cell.U", u), ("head.V", v)):
        close(way.gradients[name], value.grad.numpy(), name)


def test_a_parameter_that_two_blocks_read_is_one():
    cell = block(
        "cell", "h = tanh(W @ x + W @ h_prev)", {"x": X}, {"x": 4, "h": 4}, {"W": (4, 4)}, ("h",), W="tied"
    )
    head = block("head", "said = W @ h", {"h": (Wire("cell", "h"),)}, {"h": 4}, {"W": (4, 4)}, W="tied")
    head = replace(head, parameters=cell.parameters)
    loop = composed(Graph([cell, head]), ["cell", "head"], "loop")
    x, above = RNG.normal(size=(4, 2, 4)), RNG.normal(size=(4, 2, 4))
    way = way_of(run_of(loop.block, x), above)
    w, h, total = torch.tensor(cell.parameters["W"], requires_grad=True), torch.zeros(2, 4).double(), 0
    for x_t, g in zip(torch.tensor(x), torch.tensor(above), strict=True):
        h = torch.tanh(x_t @ w.T + h @ w.T)
        total = total + (h @ w.T * g).sum()
    total.backward()
    close(way.gradients["tied"], w.grad.numpy())


def test_a_circle_within_a_step_and_a_direction_backward_are_refused():
    one = block("one", "h = tanh(x)", {"x": (Wire("two", "h"),)}, {"x": 2}, {})
    two = block("two", "h = tanh(x)", {"x": (Wire("one", "h"),)}, {"x": 2}, {})
    with pytest.raises(ValueError, match="one reads two of the same step"):
        composed(Graph([one, two]), ["one", "two"], "loop")
    with pytest.raises(ValueError, match="forward in time"):
        composed(Graph([replace(one, direction="backward"), two]), ["one", "two"], "loop")
