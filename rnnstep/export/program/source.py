"""What all parts of the program need to know of the scenario."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from rnnstep.scenario.model import Batch, Scenario
from rnnstep.scenario.parse import parse_toml


class Source:
    """A scenario, and the data of its file: whether numbers were written out, drawn, or read from a file."""

    def __init__(self, scenario: Scenario, language: str) -> None:
        self.scenario = scenario
        self.language = language

    @cached_property
    def data(self) -> dict[str, Any]:
        """The data of its file."""
        return parse_toml(self.scenario.source)

    def table(self, name: str) -> dict[str, Any]:
        """Give a table of the file; empty without it."""
        found = self.data.get(name, {})
        return found if isinstance(found, dict) else {}

    def file(self, name: str) -> str:
        """Give how the program opens a file that the scenario names."""
        folder = self.scenario.path.parent if self.scenario.path is not None else None
        return repr(str(folder / name) if folder is not None else name)

    @property
    def batch(self) -> Batch:
        """The first batch, which shows what kind all are of."""
        return self.scenario.batches[0]

    @property
    def is_packed(self) -> bool:
        """Whether any batch is packed: then all go the same way."""
        return any(batch.packed and batch.lengths is not None for batch in self.scenario.batches)

    @property
    def is_one_hot(self) -> bool:
        """Whether indices become one-hot vectors."""
        return self.scenario.embedding is None and self.batch.indices is not None

    @property
    def is_chained(self) -> bool:
        """Whether dropout's masks stand between single layers."""
        recurrent = self.scenario.recurrent
        return recurrent.mode == "train" and recurrent.dropout > 0 and recurrent.num_layers > 1

    @property
    def dtype(self) -> str:
        """`torch.float32` or `torch.float64`."""
        return f"torch.{self.scenario.display.dtype}"

    @property
    def is_double(self) -> bool:
        """Whether torch's default, float32, is not what is asked for."""
        return self.scenario.display.dtype == "float64"

    @property
    def loop_names(self) -> str:
        """What the loop over several batches takes from each."""
        return "x, lengths" if self.is_packed else "x"

    @cached_property
    def loop_lines(self) -> list[str]:
        """What the loop does first; filled by `data.batches_lines`."""
        return []


def results(scenario: Scenario) -> list[str]:
    """Give the names of what the program computes, in torch's words."""
    names = ["output", "h_n"]
    if len(scenario.cell.states) > 1:
        names.append("c_n")
    if scenario.linear is not None:
        names.append("logits")
    return names
