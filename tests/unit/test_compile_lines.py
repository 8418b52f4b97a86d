"""Lines as one function: what walking their trees gives, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from rnnstep.cells import cell_for
from rnnstep.engine.blocks import build
from rnnstep.engine.loss import loss_blocks
from rnnstep.engine.optimizers import Optimizer
from rnnstep.equations.compile_lines import straight
from rnnstep.equations.differentiate import backward
from rnnstep.equations.evaluate import Values, evaluate_lines
from rnnstep.equations.factored import factored
from rnnstep.equations.syntax import Apply, Line, Name, parse_lines
from rnnstep.modules.attention import SCORES, Attention
from rnnstep.scenario.keys import OPTIMIZERS
from rnnstep.scenario.model import Training
from rnnstep.scenario.read import read_text

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def gives_the_same(lines: tuple[Line, ...], known: dict[str, np.ndarray]) -> None:
    with np.errstate(all="ignore"):
        expected = evaluate_lines(lines, known, Values(is_silenced=True))
        found = straight(lines)(known)
    assert list(found) == [line.name for line in lines]
    for name, value in expected.items():
        assert type(found[name]) is type(value), name
        np.testing.assert_array_equal(found[name], value, strict=isinstance(value, np.ndarray))


def some(dtype: type[np.floating], **shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


@DTYPES
@pytest.mark.parametrize(
    "text",
    [
        "c = a + b\nd = c * c\ne = tanh(d) - c",
        "c = (1 - 0.9) * a + 2 * b",
        "c = -(2) * a\nd = -a\ne = - - b",
        "c = 1 / 3\nd = c * a\ne = c",
        "c = a[0] * b[-1] + a[-3] * b[2] - a[1]",
        "c = (a + b)[-1]\nd = (-a)[0]",
        "c = sum(a) + mean(b) * max(a) - min(b) / norm(a)",
        "c = softmax(a)\nd = sigmoid(b) * relu(a) + exp(-abs(a)) + sqrt(abs(a)) + log(abs(b))",
        "c = (a > 0) * b + (not a > b) * (a <= 1 or b >= 2 and a != b)",
        "c = isnan(a / 0 * 0)",
        "c = W @ a\nd = W @ (a * b)",
        "c = a\nd = c\ne = d * d",
        "状态 = a * b\nv0 = 状态 + a\nk = v0\nrun = k * v0",
        "op_add = a * b\nnp = op_add + b",
        "c = 0.1 * a + 1e-30 * b - 123456789 * a",
    ],
)
def test_lines_of_the_language(text: str, dtype: type[np.floating]) -> None:
    for rows in ((), (4,), (2, 3)):
        gives_the_same(parse_lines(text), some(dtype, a=(*rows, 3), b=(*rows, 3), W=(5, 3)))


def test_a_line_may_be_read_under_the_name_of_what_was_given() -> None:
    lines = parse_lines("c = a + 1\nd = c * a")
    known = {"a": np.ones(2), "c": np.full(2, 7.0)}
    gives_the_same(lines, known)
    assert known["c"].tolist() == [7, 7]


@pytest.mark.parametrize(
    "text", ["c = a * (1 / 0)", "c = a * (0 / 0)", "c = a - exp(1000)", "c = a + log(0)"]
)
def test_numbers_that_are_not_finite(text: str) -> None:
    gives_the_same(parse_lines(text), {"a": np.ones(2)})


def test_nothing_at_all() -> None:
    assert straight(())({"a": np.ones(2)}) == {}


@DTYPES
@pytest.mark.parametrize(("module", "proj_size"), [("RNN", 0), ("LSTM", 0), ("LSTM", 2), ("GRU", 0)])
def test_ways_back_of_cells(module: str, proj_size: int, dtype: type[np.floating]) -> None:
    cell = cell_for(module, proj_size=proj_size)
    for rows in (1, 3):
        forward = cell.program.sized(cell.sizes(3, 4, proj_size))
        derived = backward(forward, "h", rows=rows)
        every = {**forward.shapes, **derived.program.shapes}
        shapes = {name: tuple(map(int, shape)) for name, shape in every.items()}
        gives_the_same(derived.program.lines, some(dtype, **shapes))
        lines = tuple(
            Line(f"{name}_{k}", use)
            for name, uses in derived.contributions.items()
            for k, use in enumerate(uses)
        )
        rows_of = {name: (6, *shape) if len(shape) == 1 else shape for name, shape in shapes.items()}
        gives_the_same(lines, some(dtype, **rows_of))


@DTYPES
@pytest.mark.parametrize(
    "name", ["CrossEntropyLoss", "MSELoss", "L1Loss", "SmoothL1Loss", "BCEWithLogitsLoss"]
)
@pytest.mark.parametrize("over_time", ["together", "sum"])
def test_losses_and_their_ways_back(name: str, over_time: str, dtype: type[np.floating]) -> None:
    is_of_classes = name == "CrossEntropyLoss"
    target = (
        "indices = [[0, 2], [-100, 1]]" if is_of_classes else f"values = {np.full((2, 2, 3), 0.25).tolist()}"
    )
    scenario = read_text(
        "input.random = {shape = [2, 2, 3], seed = 1}\n"
        'recurrent = {module = "RNN", hidden_size = 3}\nweights.seed = 0\n'
        f'target.{target}\nloss = {{name = "{name}", over_time = "{over_time}"}}\ndisplay.dtype = "{dtype.__name__}"'
    )
    blocks = loss_blocks(scenario, scenario.batches[0], build(scenario)[-1])
    assert blocks is not None
    given = {key: value[..., None] if key == "counts" else value for key, value in blocks.given.items()}
    read = some(dtype, logits=(2, 2, 3), output=(2, 2, 3))
    gives_the_same(blocks.loss.program.lines, {**read, **given})
    each = next(iter(blocks.total.program.inputs))
    gives_the_same(blocks.total.program.lines, some(dtype, **{each: (4,), "share": (4,)}))
    for block in (blocks.loss, blocks.total):
        derived = backward(
            block.program, block.output, is_summed=False, constant=("target", "counts", "share")
        )
        known = some(
            dtype,
            **{
                key: (2, 2, *shape) if key != "target" else (2, 2)
                for key, shape in derived.program.shapes.items()
            },
        )
        gives_the_same(derived.core.lines, {**known, **given} if block is blocks.loss else known)


@DTYPES
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_updates(name: str, dtype: type[np.floating]) -> None:
    optimizer = Optimizer.of(Training(name, OPTIMIZERS[name], clip_grad_norm=1.0))
    read = some(dtype, **dict.fromkeys(("grad", "w_prev", "m_prev", "v_prev", "state_sum_prev"), (2, 3)))
    read["v_prev"] = np.abs(read["v_prev"])
    for lines in (optimizer.first, optimizer.lines):
        gives_the_same(lines, {**read, **optimizer.numbers(3, 0.5)})


def test_what_the_language_has_no_name_for() -> None:
    lines = (
        Line("c", Apply("maximum", (Name("a"), Name("b")))),
        Line("d", Apply("cat", (Name("c"), Apply("spread", (Apply("sum", (Name("a"),)), Name("b")))))),
        Line("e", Apply("head", (Name("d"), Name("a")))),
    )
    gives_the_same(lines, some(np.float32, a=(3,), b=(3,)))


@pytest.mark.parametrize("score", SCORES)
def test_what_is_the_same_each_time_is_computed_once_and_all_bits_stay(score):
    numbers = np.random.default_rng(1)
    module = Attention(score, 3, 3, 3, 4)
    program = module.program(5, is_padded=False)
    core = backward(program, "context", is_summed=False).core
    known = {name: numbers.normal(size=shape) for name, shape in program.parameters.items()}
    known["memory"] = numbers.normal(size=(2, 5, 3))
    read = {"query": numbers.normal(size=(2, 3))}
    whole = program.at_once({**known, **read})
    back = {**read, **whole, "∂context": numbers.normal(size=(2, 3))}
    for lines, given in ((program.lines, read), (core.lines, back)):
        parts = factored(lines, frozenset(known))
        found = parts.each({**known, **parts.same(known), **given})
        expected = straight(lines)({**known, **given})
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, name)
    assert parts.same(known).keys() == ({"same 0"} if score in ("general", "additive") else set())
