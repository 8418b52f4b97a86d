"""The cells against torch's own modules: one step at a time, along a run, and the layout of their weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rnnstep.cells import BUILT_IN, cell_for
from rnnstep.cells.cell import Cell
from rnnstep.equations.compile import ONE_ROW, ROWS, Compiled
from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.reference.judge.bounds import Rounding

CASES = [
    ("RNN", {}),
    ("RNN", {"bias": False}),
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {}),
    ("LSTM", {"bias": False}),
    ("LSTM", {"proj_size": 2}),
    ("LSTM", {"proj_size": 2, "bias": False}),
    ("GRU", {}),
    ("GRU", {"bias": False}),
]
SIZES = [(1, 3), (4, 16)]  # input_size, hidden_size
STEPS = 4
DTYPES = {"float32": torch.float32, "float64": torch.float64}

Arrays = dict[str, np.ndarray]


def parameters(cell: Cell, module: torch.nn.RNNBase) -> Arrays:
    """The equations' parameters, cut from torch's by the cell's layout."""
    kept = {name.removesuffix("_l0"): value.detach().numpy() for name, value in module.named_parameters()}
    found: Arrays = {}
    for stack in cell.stacks:
        parts = np.split(kept[stack.torch], len(stack.parts))
        found |= dict(zip(stack.parts, parts, strict=True))
    return found


def torch_run(module: torch.nn.RNNBase, x: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
    """Each state after each step, (T, B, n), the module stepped one time step at a time."""
    before = tuple(torch.tensor(state)[None] for state in states)
    steps = []
    with torch.no_grad():
        for x_t in torch.tensor(x):
            _, after = module(x_t[None], before if len(before) > 1 else before[0])
            before = after if isinstance(after, tuple) else (after,)
            steps.append([state[0].numpy() for state in before])
    return [np.stack(states_of_name) for states_of_name in zip(*steps, strict=True)]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("scale", [1.0, 10.0])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("input_size", "hidden_size"), SIZES)
@pytest.mark.parametrize(("module", "options"), CASES)
def test_states_are_torchs_within_the_bound(
    module: str, options: dict, input_size: int, hidden_size: int, rows: int, dtype: str, scale: float
) -> None:
    torch.manual_seed(3)
    theirs = getattr(torch.nn, module)(input_size, hidden_size, dtype=DTYPES[dtype], **options)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.mul_(scale)
    cell = cell_for(module, **options)
    sized = cell.program.sized(cell.sizes(input_size, hidden_size, options.get("proj_size", 0)))
    weights = parameters(cell, theirs)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(STEPS, rows, input_size)).astype(dtype)
    initial = [rng.normal(size=(rows, int(n))).astype(dtype) for (n,) in sized.states.values()]

    compiled = Compiled(sized)
    mode = ONE_ROW if rows == 1 else ROWS
    prepared = compiled.prepare(weights, np.dtype(dtype), mode)
    fed = [x, *initial] if rows > 1 else [x[:, 0], *(state[0] for state in initial)]
    with np.errstate(over="ignore"):
        kept = compiled.function(mode)(*fed, *prepared)
    ours = {
        name: kept[index][..., a:b].reshape(STEPS, rows, -1)
        for name, (index, a, b) in compiled.columns.items()
        if name in sized.states
    }

    exact = {name: (value, np.zeros(value.shape)) for name, value in weights.items()}
    reading = Rounding(np.dtype(dtype))
    carried = [(state, np.zeros(state.shape)) for state in initial]
    expected = dict(zip(sized.states, torch_run(theirs, x, initial), strict=True))
    for t in range(STEPS):
        known = {**exact, "x": (x[t], np.zeros(x[t].shape))}
        along = evaluate_lines(
            sized.lines,
            {**known, **{f"{n}_prev": pair for n, pair in zip(sized.states, carried, strict=True)}},
            reading,
        )
        carried = [along[name] for name in sized.states]
        before = [
            expected[name][t - 1] if t else state for name, state in zip(sized.states, initial, strict=True)
        ]
        step = evaluate_lines(
            sized.lines,
            {
                **known,
                **{f"{n}_prev": (s, np.zeros(s.shape)) for n, s in zip(sized.states, before, strict=True)},
            },
            reading,
        )
        for name in sized.states:
            value, bound = step[name]
            assert np.all(np.abs(value - expected[name][t]) <= 2 * bound)
            assert np.all(np.abs(ours[name][t] - expected[name][t]) <= 2 * along[name][1])


@pytest.mark.parametrize(("module", "options"), CASES)
def test_layout_is_torchs(module: str, options: dict) -> None:
    theirs = getattr(torch.nn, module)(3, 5, **options)
    cell = cell_for(module, **options)
    shapes = cell.parameter_shapes(3, 5, options.get("proj_size", 0))
    ours = []
    for stack in cell.stacks:
        parts = [shapes[part] for part in stack.parts]
        assert len(set(parts)) == 1
        ours.append((f"{stack.torch}_l0", (len(parts) * parts[0][0], *parts[0][1:])))
    assert ours == [(name, tuple(value.shape)) for name, value in theirs.named_parameters()]


@pytest.mark.parametrize("module", BUILT_IN)
def test_layout_of_a_single_cell_is_torchs(module: str) -> None:
    theirs = getattr(torch.nn, f"{module}Cell")(3, 5)
    assert [stack.torch for stack in cell_for(f"{module}Cell").stacks] == [
        name for name, _ in theirs.named_parameters()
    ]


@pytest.mark.parametrize("module", BUILT_IN)
def test_single_cell_of_torch_gives_the_same_step(module: str) -> None:
    torch.manual_seed(1)
    theirs = getattr(torch.nn, f"{module}Cell")(3, 5, dtype=torch.float64)
    cell = cell_for(f"{module}Cell")
    weights = parameters(cell, theirs)
    x, h, c = (np.random.default_rng(k).normal(size=(2, n)) for k, n in enumerate((3, 5, 5)))
    given = {**weights, "x": x, "h_prev": h, "c_prev": c}
    ours = evaluate_lines(
        cell.program.lines,
        {name: (value, np.zeros(value.shape)) for name, value in given.items()},
        Rounding(np.dtype("f8")),
    )
    states = (torch.tensor(h), torch.tensor(c)) if module == "LSTM" else torch.tensor(h)
    after = theirs(torch.tensor(x), states)
    after = after if isinstance(after, tuple) else (after,)
    for name, expected in zip(cell.states, after, strict=True):
        value, bound = ours[name]
        assert np.all(np.abs(value - expected.detach().numpy()) <= 2 * bound)
