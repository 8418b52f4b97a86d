"""A run of a batch by hand, row by row and line by line, and the way back through all of it on a plain tape.

The tape notes every operation of every row and step, and goes back through it with `numeric_slopes`: it knows nothing of derived equations, of compiled functions, of arrays over time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.equations.operations import OPERATIONS
from tests.oracle.numeric_slopes import VJPS


class Var:
    """A value, what it was made of, and how ∂L/∂ of it goes back to that."""

    def __init__(
        self, value: Any, made_of: tuple[Var, ...] = (), back: Callable[..., Any] | None = None
    ) -> None:
        self.value = np.asarray(value)
        self.made_of = made_of
        self.back = back
        self.grad = np.zeros(self.value.shape)


class Tape:
    """The reading of equations that notes what it does."""

    def __init__(self) -> None:
        self.noted: list[Var] = []

    def note(self, *args: Any) -> Var:
        self.noted.append(Var(*args))
        return self.noted[-1]

    def number(self, value: float) -> Var:
        return Var(value)

    def pick(self, base: Var, index: int) -> Var:
        return self.part(base, np.s_[[index]])

    def apply(self, op: str, args: tuple[Var, ...]) -> Var:
        values = [one.value for one in args]
        out = np.asarray(OPERATIONS[op].forward(*values))
        return self.note(out, args, lambda g: VJPS[op](g, out, *values))

    def as_read(self, base: Var) -> Var:
        """The same for one reader of several, who sends back his own part of its gradient."""
        return self.part(base, np.s_[:])

    def part(self, base: Var, place: Any) -> Var:
        def back(g: np.ndarray) -> tuple[np.ndarray]:
            whole = np.zeros(base.value.shape)
            whole[place] = g
            return (whole,)

        return self.note(base.value[place], (base,), back)

    def joined(self, parts: list[Var]) -> Var:
        ends = np.cumsum([len(part.value) for part in parts])[:-1]
        return self.note(
            np.concatenate([part.value for part in parts]), tuple(parts), lambda g: np.split(g, ends)
        )

    def go_back(self, loss: Var) -> None:
        loss.grad = np.ones(loss.value.shape)
        for var in reversed(self.noted):
            if var.back is not None:
                for one, g in zip(var.made_of, var.back(var.grad), strict=True):
                    one.grad = one.grad + g


class ByHand:
    """One run of a batch, row by row and line by line, and the way back through all of it.

    `at` has the value of each (block key, name, t, row); `copies` a block's parameter as one step read it.
    """

    def __init__(self, done: Any) -> None:
        self.done, self.scenario, self.tape = done, done.scenario, Tape()
        self.steps, self.rows = done.x.shape[:2]
        self.whole = {name: Var(value) for name, value in self.scenario.parameters.items()}
        self.at: dict[tuple[str, str, int, int], Var] = {}
        self.copies: dict[tuple[str, str, int], Var] = {}
        outputs = self.model()
        entries = [one for step in self.every("loss", outputs) for one in step]
        self.loss = self.block("total", self.steps - 1, 0, self.tape.joined(entries))
        self.tape.go_back(self.loss)

    def model(self) -> list[list[Var]]:
        """The outputs by step and row; of final states one step."""
        done, recurrent = self.done, self.scenario.recurrent
        x = [[Var(done.x[t, row]) for row in range(self.rows)] for t in range(self.steps)]
        if "embedding" in done.by_key:
            x = [[self.looked_up(t, row) for row in range(self.rows)] for t in range(self.steps)]
        for layer in range(recurrent.num_layers):
            keys = [key for key, run in done.runs.items() if run.block.layer == layer]
            found = [
                [self.walk(key, [step[row] for step in x], row) for row in range(self.rows)] for key in keys
            ]
            outputs = [[[one[t] for one in by_row] for t in range(self.steps)] for by_row in found]
            x = self.every(f"join{layer}", *outputs) if len(keys) > 1 else outputs[0]
            if f"dropout{layer}" in done.by_key:
                x = self.every(f"dropout{layer}", x)
        if done.scenario.reads_final_state:
            x = [[self.final(x, row) for row in range(self.rows)]]
        if "linear" in done.by_key:
            x = self.every("linear", x)
        return x

    def final(self, x: list[list[Var]], row: int) -> Var:
        """The final states of a row: forwards where it ends, backwards where it begins."""
        size = self.scenario.recurrent.output_size
        ends = [self.tape.part(x[self.done.batch.first.axis.last_step(row)][row], np.s_[:size])]
        return self.tape.joined([*ends, self.tape.part(x[0][row], np.s_[size:])])

    def every(self, key: str, *inputs: list[list[Var]]) -> list[list[Var]]:
        first = self.steps - len(inputs[0])  # what is asked of final states stands at the last step
        return [
            [self.block(key, first + k, row, *(each[k][row] for each in inputs)) for row in range(self.rows)]
            for k in range(len(inputs[0]))
        ]

    def looked_up(self, t: int, row: int) -> Var:
        index = self.done.batch.indices[t, row]
        table = self.copy("embedding", "weight", t)
        if index == self.scenario.lookup.padding_idx:  # which does not learn
            table = Var(table.value)
        self.at["embedding", "x", t, row] = self.tape.part(table, index)
        return self.at["embedding", "x", t, row]

    def copy(self, key: str, name: str, t: int) -> Var:
        if (key, name, t) not in self.copies:
            where = self.done.by_key[key].kept_in[name]
            self.copies[key, name, t] = self.tape.part(
                self.whole[where.torch], np.s_[where.start : where.stop]
            )
        return self.copies[key, name, t]

    def block(self, key: str, t: int, row: int, *inputs: Var) -> Var:
        """A block of one step: what it reads beside its inputs is constant."""
        block = self.done.by_key[key]
        read = [name for name in block.program.inputs if name not in {"target", "counts", "mask", "share"}]
        known: dict[str, Var] = dict(zip(read, map(self.tape.as_read, inputs), strict=True))
        if "mask" in block.program.inputs:
            known["mask"] = Var(self.done.masks[key][t, row])
        if key == "loss":
            given = self.done.loss_run.known
            step = 0 if block.extent.is_single else t
            known |= {name: Var(given[name][step, row]) for name in ("target", "counts") if name in given}
        if "share" in block.program.inputs:
            known["share"] = Var(self.done.loss_run.entries["share"])
        return self.lines(key, t, row, known)[block.output]

    def lines(self, key: str, t: int, row: int, known: dict[str, Var]) -> dict[str, Var]:
        block = self.done.by_key[key]
        known = known | {name: self.copy(key, name, t) for name in block.parameters}
        known |= evaluate_lines(block.program.lines, known, self.tape)
        self.at |= {(key, name, t, row): var for name, var in known.items() if name not in block.parameters}
        return known

    def walk(self, key: str, x: list[Var], row: int) -> list[Var]:
        """Step one row; give its output at each step, zeros where it is over."""
        run = self.done.runs[key]
        block, length = run.block, self.done.batch.first.axis.last_step(row) + 1
        position = block.layer * self.scenario.recurrent.num_directions + run.is_reversed
        states = {}
        for name, shape in block.program.states.items():
            given = self.scenario.initial_state.get(f"{name}_0")
            states[f"{name}_prev"] = Var(np.zeros(shape) if given is None else given[position][row])
        output = [Var(np.zeros(block.program.states[block.output])) for _ in range(self.steps)]
        for t in range(length)[:: -1 if run.is_reversed else 1]:
            seen = self.lines(key, t, row, {"x": self.tape.as_read(x[t]), **states})
            states = {f"{name}_prev": self.tape.as_read(seen[name]) for name in block.program.states}
            output[t] = seen[block.output]
        return output
