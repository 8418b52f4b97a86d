"""One call, as a user has it: run, stepped, gone back through, saved."""

from __future__ import annotations

import os
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnstep.language import Text
from rnnstep.scenario.call.recorded_call import RecordedCall
from rnnstep.scenario.call.scenario_of_call import scenario_of_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rnnstep.capturing.calls import WholeCall
    from rnnstep.capturing.cell_chains import CellChain
    from rnnstep.reports.gradients import Gradients
    from rnnstep.reports.trace import Run
    from rnnstep.scenario.model import Scenario


class Call:
    """One call of a recurrent module, or one chain of calls of a cell, as it was.

    Attributes:
        name: What the module is called: "encoder", "decoder.rnn".
        number: Which of its calls it is, from 0.
        index: Which of all calls it is, from 0.
        live: What was recorded; its tensors are on the disk where it was put away.
        goes_on_from: Of a loop around a cell the call whose states it goes on from but for some rows, which begin anew from
            zeros, and these rows; else None.
        begins_with_states_of: Of a loop around a cell the call from whose last states its first ones were made, and are others;
            else None.
    """

    def __init__(self, name: str, number: int, index: int, live: WholeCall | CellChain) -> None:
        self.name, self.number, self.index = name, number, index
        self.live = live
        self.goes_on_from: tuple[str, tuple[int, ...]] | None = None
        self.begins_with_states_of: str | None = None
        self.kind, self.device = live.kind, live.device
        self._files: list[Path] = []  # its tensors, and gradients that came after they were put there
        self._made: tuple[int, RecordedCall] | None = None

    @property
    def place(self) -> str:
        """What it is called in places: "encoder[2]"."""
        return f"{self.name}[{self.number}]"

    @property
    def module(self) -> str:
        """Torch's class: "LSTM", "LSTMCell"."""
        return self.kind

    @property
    def is_complete(self) -> bool:
        """Whether the module gave what it computes."""
        return self.live.is_complete

    @property
    def nbytes(self) -> int:
        """How much memory it takes, its weights aside."""
        return self.live.nbytes + self.live.gradients.nbytes

    def close(self) -> None:
        """Take its hooks out of torch."""
        self.live.close()

    @property
    def is_put_away(self) -> bool:
        """Whether its tensors are on the disk."""
        return bool(self._files)

    def put_into(self, path: Path) -> None:
        """Put what of it is in memory into a file.

        Raises:
            OSError: It cannot be written.
        """
        from safetensors.torch import save_file

        tensors = self.live.gradients.tensors()
        if not self._files:
            tensors |= self.live.tensors()
        save_file({name: one.clone().contiguous() for name, one in tensors.items()}, path)
        self.live.take({})
        self.live.gradients.take({})
        self._files.append(path)
        self._made = None

    # ── what was recorded ────────────────────────────────────────────────────────────

    @property
    def recorded(self) -> RecordedCall:
        """All that was recorded, as arrays in torch's shapes."""
        count = self.live.gradients.arrived
        if self._made is not None and self._made[0] == count:
            return self._made[1]
        if not self._files:
            self._made = count, self.live.recorded()
            return self._made[1]
        here = self.live.gradients.tensors()
        every = self._kept(here)
        self.live.take(every)
        self.live.gradients.take(every)
        try:
            return self.live.recorded()
        finally:
            self.live.take({})
            self.live.gradients.take(here)

    def _kept(self, here: Mapping[str, Any]) -> dict[str, Any]:
        """All tensors of its files and of memory; gradients of the same name are added up.

        They are copied out of the files: how products round may depend on where in memory numbers begin.
        """
        from safetensors.torch import load_file

        found: dict[str, Any] = {}
        for some in (*map(load_file, self._files), here):
            found |= {name: found[name] + one if name in found else one.clone() for name, one in some.items()}
        return found

    @property
    def x(self) -> Any:
        """What the module was given."""
        return self.recorded.x

    @property
    def output(self) -> Any:
        """What it gave; of a cell the stack of its h."""
        return self.recorded.output

    @property
    def h_n(self) -> Any:
        """The states at the end."""
        return self.recorded.h_n

    @property
    def c_n(self) -> Any:
        """The second states at the end; None where there are none."""
        return self.recorded.c_n

    @property
    def scenario(self) -> Scenario:
        """It as a scenario: what the model gave is what was recorded in it.

        Raises:
            UsageError: It has no step, or masks that could not be drawn again.
        """
        return scenario_of_call(self.recorded, self.place)

    @property
    def source(self) -> tuple[str, Callable[[], Scenario]]:
        """Its name, and what makes its scenario: one that is not looked at need not be made."""
        return self.place, lambda: self.scenario

    @property
    def notes(self) -> tuple[Text, ...]:
        """What is to be known of it: where it was computed, in which dtype."""
        found = []
        if self.goes_on_from is not None:
            before, rows = self.goes_on_from
            found.append(
                Text(
                    "{place} goes on where {before} ended; reset to zeros: rows {rows}",
                    place=self.place,
                    before=before,
                    rows=", ".join(map(str, rows[:12])),
                )
            )
        if self.begins_with_states_of is not None:
            found.append(
                Text(
                    "{place} begins with states made from those that {before} ended with: what a program changes other than"
                    " to zeros begins a call of its own",
                    place=self.place,
                    before=self.begins_with_states_of,
                )
            )
        if self.recorded.reset is not None:
            steps = [str(t + 1) for t in np.flatnonzero(self.recorded.reset.any(axis=1))]
            found.append(
                Text(
                    "{place}: rows begin anew from zeros before steps {steps}",
                    place=self.place,
                    steps=", ".join(steps[:12]) + (", …" if len(steps) > 12 else ""),
                )
            )
        if self.recorded.is_half:
            found.append(
                Text(
                    "{place}: the model computed in {dtype}; here it is float32, and the bounds are those of {dtype}",
                    place=self.place,
                    dtype=self.recorded.dtype,
                )
            )
        if not self.device.startswith("cpu"):
            found.append(
                Text(
                    "{place}: the model computed on {device}; here and in the reference it is the CPU",
                    place=self.place,
                    device=self.device,
                )
            )
        return tuple(found)

    # ── what can be done with it ─────────────────────────────────────────────────────

    def trace(self, *, torch: bool = True) -> Run:
        """Run the engine on it, what the model gave beside; `torch=False`: without torch's own steps.

        `.reference` is what the model really gave, `.agrees` whether its module did what its equations say.
        """
        from rnnstep.engine import Model
        from rnnstep.reference import check
        from rnnstep.reports.trace import Run

        done = Model(self.scenario).run()
        return Run(done, check(done) if torch else None)

    def grad(self, *, torch: bool = True) -> Gradients:
        """Go back from the gradients that reached its results, what autograd made of them beside.

        Raises:
            UsageError: No gradient reached it.
        """
        from rnnstep.errors import UsageError
        from rnnstep.reports.gradients import gradients

        scenario = self.scenario
        if not scenario.goes_back:
            raise UsageError(
                Text(
                    "{place}: no gradient reached it; call backward() inside the `with`, and capture with gradients=True",
                    place=self.place,
                )
            )
        return gradients(scenario, is_beside=torch)

    def open(self, at: str | None = None) -> None:
        """Open the debugger on it, in this terminal; in a notebook show the place as a picture instead.

        Args:
            at: A place in it, such as "5/L0/h[3]".
        """
        from rnnstep.capturing.showing import show

        show([self.source], at)

    def view(self, at: str | None = None, *, width: int = 100, height: int = 32) -> Any:
        """Give the debugger's screen at a place as a picture, which a notebook shows.

        Args:
            at: A place in it, such as "5/L0/h[3]".
            width: In characters.
            height: In lines.
        """
        from rnnstep.capturing.showing import view

        return view(self.scenario, at, width, height)

    def save(self, path: str | PathLike[str], *, replace: bool = False) -> None:
        """Write it as a scenario file, its tensors beside it.

        Args:
            path: Of the scenario file, "encoder.toml"; the tensors stand in "encoder.safetensors".
            replace: Whether files that are there may be replaced.
        """
        from rnnstep.capturing.saved import save_call

        save_call(self.recorded, self.place, self.number, os.fspath(path), replace=replace)

    def __repr__(self) -> str:
        return f"Call({self.place!r}, {self.kind})"
