"""What each module reads in torch's run, found by the names that the description gives.

The engine makes wires of the same names. This reads neither them nor its order, so that one mistake cannot be in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rnnstep.modules.embedding import Embedding
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import ValueOf
from rnnstep.reference.run.layout import joined_ends
from rnnstep.reference.run.modules import Tensor, tensor
from rnnstep.scenario.model import Batch, Scenario


class Resolver:
    """One run of a network: what was given, and what each module gave so far.

    Tensors have an axis of steps, (T, B, n), or none where they belong to no step, (B, n).
    """

    def __init__(self, scenario: Scenario, batch: Batch) -> None:
        self._scenario = scenario
        self._batch = batch
        self._gave: dict[str, Tensor] = {}
        self._ends: dict[str, Mapping[str, Tensor]] = {}
        self._whole: dict[str, tuple[Tensor, ...]] = {}

    def modules(self) -> Iterator[NetworkModule]:
        """Each module when all that it reads is there; what it gives must be said before the next is asked for."""
        waiting = list(self._scenario.layers)
        while waiting:
            ready = next(module for module in waiting if self._is_ready(module))
            waiting.remove(ready)
            yield ready

    def _is_ready(self, module: NetworkModule) -> bool:
        reads = self._scenario.wiring[module.key]
        return all(one.name in self._gave for one in reads.sources if one.name in self._scenario.by_key)

    def gave(self, module: NetworkModule, value: Tensor, ends: tuple[Tensor, ...] = ()) -> None:
        """Say what a module gave, and of a recurrent one each of its states at its end, (L·D, B, n)."""
        self._gave[module.key] = value
        self._whole[module.key] = ends
        self._ends[module.key] = joined_ends(module, ends) if isinstance(module, Recurrent) else {}

    def first(self, module: Recurrent) -> dict[str, Tensor]:
        """The states before the first step that other modules give, (L·D, B, n), by their names: "h"."""
        found = {}
        for state, one in self._scenario.wiring[module.key].states.items():
            whole = dict(zip(("h_n", "c_n"), self._whole[one.name], strict=False)).get(one.value)
            if whole is None or len(whole) != module.num_states:
                whole = self._value(one)[None]
            found[state] = whole
        return found

    def entering(self, module: NetworkModule) -> Tensor:
        """What a module reads, all its inputs side by side; an Embedding the indices, (T, B)."""
        import torch

        if isinstance(module, Embedding):
            indices = self._scenario.fed(module, self._batch).indices
            assert indices is not None
            return tensor(indices)
        parts = [self._value(one) for one in self._scenario.wiring[module.key].inputs]
        steps = next((len(part) for part in parts if part.dim() == 3), None)
        if steps is not None:  # what belongs to no step is the same at every one
            parts = [part if part.dim() == 3 else part.expand(steps, *part.shape) for part in parts]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def looked_at(self, module: NetworkModule) -> dict[str, Tensor]:
        """What attention reads whole: the memory, and the values where they are others, (S, B, n)."""
        banks = self._scenario.wiring[module.key].banks
        return dict(zip(("memory", "values"), (self._value(one) for one in banks), strict=False))

    def live(self, module: NetworkModule) -> Tensor | None:
        """Which steps of what attention looks at a row has, (B, S); None where all have all."""
        import torch

        memory = self._scenario.wiring[module.key].banks[0]
        fed = self._batch.sequences[self._scenario.sequence_of[memory.name]]
        if fed.lengths is None:
            return None
        return torch.arange(fed.num_steps) < torch.tensor(fed.lengths)[:, None]

    def _value(self, one: ValueOf) -> Tensor:
        if one.name not in self._scenario.by_key:
            values = self._batch.sequences[one.name].values
            assert values is not None
            return tensor(values)
        gave = self._gave[one.name]
        if one.value == "output":
            return gave
        if one.value == "last":  # output[-1], whatever a row's length
            return gave[-1] if gave.dim() == 3 else gave
        return self._ends[one.name][one.value]

    @property
    def scores(self) -> Tensor:
        """What the last module gave: (T, B, C), or (B, C)."""
        return self._gave[self._scenario.scored_module.key]
