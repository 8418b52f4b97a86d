"""Runs of a cell by its lines alone: forwards, back by the derived lines, and with a step into the complex numbers.

A function f that is smooth at x has f(x + ih) = f(x) + ih·f'(x) − …, so that Im f(x + ih) / h is f'(x) with no
difference of nearly equal numbers; h may be 1e-30 (Squire and Trapp 1998).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from rnnstep.equations.differentiate import Backward, backward
from rnnstep.equations.evaluate import Values, evaluate_lines
from rnnstep.equations.program import Program, Shape

Arrays = dict[str, np.ndarray]
EVERY_ROW = "⋮"
OF_VECTORS = {"cat", "part", "layer_norm"}


class Complex:
    """The reading as complex numbers, each operation from its definition; at kinks the slopes of torch."""

    def __init__(self) -> None:
        self.least = np.inf  # how close a value came to a kink
        self.most = 0.0

    def number(self, value: float) -> Any:
        return np.asarray(value, np.complex128)

    def pick(self, base: Any, index: int) -> Any:
        return base[[index]]

    def apply(self, op: str, args: tuple[Any, ...]) -> Any:
        a, b = args[0], args[-1]
        if op in {"relu", "abs"}:
            self.kink(a.real)
        if op in {"lt", "gt"}:
            self.kink(np.asarray(a.real - b.real))
        if op in {"max", "min"}:
            self.kink((a.real[:, None] - a.real).reshape(-1))
        found = np.asarray(self.of_vectors(op, args) if op in OF_VECTORS else self.value(op, a, b))
        self.most = max(self.most, float(np.abs(found).max()))
        return found

    def kink(self, distance: np.ndarray) -> None:
        apart = np.abs(distance[distance != 0])
        self.least = min(self.least, float(apart.min(initial=np.inf)))

    @staticmethod
    def of_vectors(op: str, args: tuple[Any, ...]) -> Any:
        a = args[0]
        match op:
            case "cat":
                return np.concatenate(args)
            case "part":
                start, stop = (int(one.real) for one in args[1:])
                return a[start : stop or None]
        spread = a - a.mean()
        return spread / np.sqrt((spread * spread).mean() + 1e-5) * args[1] + args[2]

    def value(self, op: str, a: Any, b: Any) -> Any:
        match op:
            case "add" | "sub" | "mul" | "div":
                return {"add": a + b, "sub": a - b, "mul": a * b}[op] if op != "div" else a / b
            case "matmul":
                return a @ b
            case "neg":
                return -a
            case "tanh" | "exp" | "sqrt" | "log":
                return getattr(np, op)(a)
            case "sigmoid":
                return 1 / (1 + np.exp(-a))
            case "relu":
                return a * (a.real > 0)
            case "abs":
                return a * np.sign(a.real)
            case "lt" | "gt" | "not":
                return {"lt": a.real < b.real, "gt": a.real > b.real, "not": a == 0}[op] + 0j
            case "softmax":
                return np.exp(a - a.real.max()) / np.exp(a - a.real.max()).sum()
            case "sum" | "mean":
                return getattr(a, op)(keepdims=True)
            case "max" | "min":
                return a[a.real == getattr(a.real, op)()].mean(keepdims=True)
            case "norm":
                return np.sqrt((a * a).sum(keepdims=True)) if np.any(a.real) else np.zeros(1, complex)
        raise AssertionError(op)


@dataclass
class Run:
    """Some steps of some rows of a cell, and the sum of its first state at every step with weights of their own."""

    program: Program
    seed: int
    steps: int
    rows: int
    dtype: type[np.floating] = np.float64
    parameters: Arrays = field(init=False)
    given: Arrays = field(init=False)  # x (T, B, n), and the states before the first step (B, n)
    above: np.ndarray = field(init=False)  # (T, B, n)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)

        def drawn(*shape: Any) -> np.ndarray:
            return rng.normal(size=tuple(map(int, shape))).astype(self.dtype)

        self.parameters = {name: drawn(*shape) for name, shape in self.program.parameters.items()}
        self.given = {"x": drawn(self.steps, self.rows, *self.program.inputs["x"])}
        for name, shape in self.program.states.items():
            self.given[f"{name}_prev"] = drawn(self.rows, *shape)
        self.output = next(iter(self.program.states))
        self.above = drawn(self.steps, self.rows, *self.program.states[self.output])

    def loss(self, reading: Complex, along: str, direction: np.ndarray) -> complex:
        """The sum where one name has taken a step into the complex numbers."""
        known = {**self.parameters, **self.given}
        known = {name: value.astype(np.complex128) for name, value in known.items()}
        known[along] = known[along] + 1e-30j * direction
        total = 0j
        for row in range(self.rows):
            parameters = {name: known[name] for name in self.parameters}
            states = {f"{name}_prev": known[f"{name}_prev"][row] for name in self.program.states}
            for t in range(self.steps):
                seen = {**parameters, **states, "x": known["x"][t, row]}
                found = evaluate_lines(self.program.lines, seen, reading)
                states = {f"{name}_prev": found[name] for name in self.program.states}
                total += (self.above[t, row] * found[self.output]).sum()
        return total

    @cached_property
    def forward(self) -> list[list[Arrays]]:
        """All that the lines read and give, of each step and row."""
        by_row = []
        for row in range(self.rows):
            states = {f"{name}_prev": self.given[f"{name}_prev"][row] for name in self.program.states}
            steps = []
            for t in range(self.steps):
                seen = {**self.parameters, **states, "x": self.given["x"][t, row]}
                seen |= evaluate_lines(self.program.lines, seen, Values())
                states = {f"{name}_prev": seen[name] for name in self.program.states}
                steps.append(seen)
            by_row.append(steps)
        return [list(rows) for rows in zip(*by_row, strict=True)]

    def back(self, derived: Backward) -> list[tuple[list[Arrays], Arrays]]:
        """The lines of the way back worked out, from the last step on: of each row, and what belongs to all rows."""
        whole, core = derived.program, derived.core
        zeros = {
            whole.before(name): np.zeros(sizes(shape), self.dtype) for name, shape in whole.states.items()
        }
        carried = [{core.before(name): zeros[core.before(name)] for name in core.states}] * self.rows
        sums = {name: value for name, value in zeros.items() if name not in core.befores}
        of_rows = tuple(line for line in whole.lines if line.name in core.by_name)
        of_all = tuple(line for line in whole.lines if line.name not in core.by_name)
        found = []
        for t in reversed(range(self.steps)):
            rows = [
                {**self.forward[t][row], derived.above: self.above[t, row], **carried[row]}
                for row in range(self.rows)
            ]
            rows = [{**known, **evaluate_lines(of_rows, known, Values())} for known in rows]
            shared = {
                name: np.stack([known[name.removesuffix(EVERY_ROW)] for known in rows])
                for name in whole.inputs
                if name.endswith(EVERY_ROW)
            }
            shared |= {**sums, **(rows[0] if self.rows == 1 else only_fixed(rows[0], derived))}
            shared |= evaluate_lines(of_all, {**self.parameters, **shared}, Values())
            found.append((rows, shared))
            carried = [{core.before(name): known[name] for name in core.states} for known in rows]
            sums = {whole.before(name): shared[name] for name in whole.states if name not in core.states}
        return found


def sizes(shape: Shape) -> tuple[int, ...]:
    return tuple(map(int, shape))


def only_fixed(known: Arrays, derived: Backward) -> Arrays:
    """What is made of parameters alone, and so the same in every row."""
    return {line.name: known[line.name] for line in derived.fixed}


def with_way_back(
    made: Program, of: dict[str, int], seed: int, steps: int, rows: int, **more: Any
) -> tuple[Run, Backward]:
    run = Run(made.sized(of), seed, steps, rows, **more)
    return run, backward(run.program, run.output, rows=rows, is_summed=steps > 1)
