"""What each module reads in torch's run, found by the names that the description gives.

The engine makes wires of the same names. This reads neither them nor its order, so that one mistake cannot be in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from rnnstep.modules.embedding import Embedding
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import ValueOf, with_feeds
from rnnstep.reference.run.layout import first_states, joined_ends, names_of
from rnnstep.reference.run.modules import Tensor, tensor
from rnnstep.scenario.model import Batch, Scenario


class Resolver:
    """One run of a network: what was given, and what each module gave so far.

    Tensors have an axis of steps, (T, B, n), or none where they belong to no step, (B, n).
    """

    def __init__(
        self, scenario: Scenario, batch: Batch, first_given: Mapping[str, Any] | None = None
    ) -> None:
        """Begin a run; `first_given` are the states before the first step where they are not the scenario's."""
        self._scenario = scenario
        self._wiring = with_feeds(scenario.wiring, scenario.wired_feeds)
        self._batch = batch
        self._first_given = first_given
        self._gave: dict[str, Tensor] = {}
        self._ends: dict[str, Mapping[str, Tensor]] = {}
        self._whole: dict[str, tuple[Tensor, ...]] = {}

    def parts(self) -> Iterator[tuple[NetworkModule, ...]]:
        """Each module when all that it reads is there, or those of a circle, which read one another of the step before.

        Those of a circle are in the order of computation within a step. What they give must be said before the next is
        asked for.
        """
        waiting = list(self._scenario.layers)
        circles = {module.key: self._circle(module.key) for module in waiting}
        while waiting:
            ready = next(module for module in waiting if self._is_ready(module, circles[module.key]))
            part = [module for module in waiting if module.key in (ready.key, *circles[ready.key])]
            waiting = [module for module in waiting if module not in part]
            yield tuple(self._within_a_step(part))

    def is_circle(self, part: Sequence[NetworkModule]) -> bool:
        """Whether modules read one another of the step before, or one of them itself."""
        return bool(self._circle(part[0].key))

    def _circle(self, key: str) -> set[str]:
        """The modules that one reads, by way of whichever others, and that read it."""
        return {one for one in self._below[key] if key in self._below[one]}

    @cached_property
    def _below(self) -> Mapping[str, set[str]]:
        """All modules that each one stands on, of whatever step."""
        return {key: self._stands_on(key) for key in self._scenario.by_key}

    def _stands_on(self, key: str) -> set[str]:
        found: set[str] = set()
        waiting = [key]
        while waiting:
            read = {one.name for one in self._wiring[waiting.pop()].sources}
            new = {name for name in read - found if name in self._scenario.by_key}
            found |= new
            waiting += new
        return found

    def _is_ready(self, module: NetworkModule, circle: set[str]) -> bool:
        keys = {module.key, *circle}
        read = {one.name for key in keys for one in self._wiring[key].sources} - circle
        return all(name in self._gave for name in read if name in self._scenario.by_key)

    def _within_a_step(self, part: Sequence[NetworkModule]) -> Iterator[NetworkModule]:
        """Modules of a circle, each behind those that it reads of the same step."""
        waiting = {module.key: module for module in part}
        while waiting:
            ready = next(
                key
                for key in waiting
                if not any(one.name in waiting and one.value != "h_prev" for one in self._wiring[key].sources)
            )
            yield waiting.pop(ready)

    def num_steps(self, module: NetworkModule) -> int:
        """How many steps a module goes along."""
        return self._scenario.fed(module, self._batch).num_steps

    def entering_step_by_step(
        self, module: NetworkModule, gave: Mapping[str, Sequence[Tensor]]
    ) -> Callable[[int], Tensor]:
        """Give what says what enters a module of a circle at a step, (B, n), from what the circle gave so far, step by step."""
        import torch

        def reader(one: ValueOf) -> Callable[[int], Tensor]:
            if one.name not in gave:
                whole = self._value(one)
                return lambda t: whole[t] if whole.dim() == 3 else whole
            so_far = gave[one.name]
            if one.value != "h_prev":
                return lambda t: so_far[t]
            before_first, told = self._before_first(one.name), self._told(one.name)
            return lambda t: told[t] if t in told else so_far[t - 1] if t else before_first

        readers = [reader(one) for one in self._wiring[module.key].inputs]
        if len(readers) == 1:
            return readers[0]
        return lambda t: torch.cat([read(t) for read in readers], -1)

    def _told(self, key: str) -> dict[int, Tensor]:
        """What is fed in the place of what a module gave, by the step: what was wanted at the step before it."""
        target = self._batch.target
        for sequence, layer in self._scenario.wired_feeds.items():
            teacher = self._scenario.feeds[sequence].teacher
            if layer == key and teacher is not None and target is not None:
                return {t: tensor(target[t - 1]) for t in range(1, len(teacher)) if teacher[t]}
        return {}

    def _before_first(self, key: str) -> Tensor:
        """A recurrent module's h before the first step, of its last layer, (B, n); of what feeds a sequence what it is fed first."""
        module = self._scenario.by_key[key]
        for sequence, layer in self._scenario.wired_feeds.items():
            if layer == key:
                return tensor(self._scenario.feeds[sequence].first)
        assert isinstance(module, Recurrent)
        state = next(iter(module.cell.states))
        wired = self.first(module).get(state)
        if wired is not None:
            return wired[-1]
        name = names_of(module)[0]
        given = (
            first_states(self._scenario, module, self._batch)[state]
            if self._first_given is None
            else self._first_given[name]
        )
        return (given if hasattr(given, "requires_grad") else tensor(given))[-1]

    def gave(self, module: NetworkModule, value: Tensor, ends: tuple[Tensor, ...] = ()) -> None:
        """Say what a module gave, and of a recurrent one each of its states at its end, (L·D, B, n)."""
        self._gave[module.key] = value
        self._whole[module.key] = ends
        self._ends[module.key] = joined_ends(module, ends) if isinstance(module, Recurrent) else {}

    def first(self, module: Recurrent) -> dict[str, Tensor]:
        """The states before the first step that other modules give, (L·D, B, n), by their names: "h"."""
        found = {}
        for state, one in self._wiring[module.key].states.items():
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
        parts = [self._value(one) for one in self._wiring[module.key].inputs]
        steps = next((len(part) for part in parts if part.dim() == 3), None)
        if steps is not None:  # what belongs to no step is the same at every one
            parts = [part if part.dim() == 3 else part.expand(steps, *part.shape) for part in parts]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def looked_at(self, module: NetworkModule) -> dict[str, Tensor]:
        """What attention reads whole: the memory, and the values where they are others, (S, B, n)."""
        banks = self._wiring[module.key].banks
        return dict(zip(("memory", "values"), (self._value(one) for one in banks), strict=False))

    def most_steps(self, module: NetworkModule) -> int:
        """How many steps what attention looks at has in any batch."""
        memory = self._scenario.wiring[module.key].banks[0]
        return self._scenario.most_steps(self._scenario.sequence_of[memory.name])

    def live(self, module: NetworkModule) -> Tensor | None:
        """Which steps of what attention looks at a row has, (B, S); None where all have all."""
        import torch

        memory = self._wiring[module.key].banks[0]
        fed = self._batch.sequences[self._scenario.sequence_of[memory.name]]
        if fed.lengths is None:
            return None
        return torch.arange(fed.num_steps) < torch.tensor(fed.lengths)[:, None]

    def _value(self, one: ValueOf) -> Tensor:
        import torch

        if one.name not in self._scenario.by_key:
            values = self._batch.sequences[one.name].values
            assert values is not None
            return tensor(values)
        gave = self._gave[one.name]
        if one.value == "output":
            return gave
        if one.value == "h_prev":
            told = self._told(one.name)
            steps = [
                told.get(t, gave[t - 1] if t else self._before_first(one.name)) for t in range(len(gave))
            ]
            return torch.stack(steps)
        if one.value == "last":  # output[-1], whatever a row's length
            return gave[-1] if gave.dim() == 3 else gave
        return self._ends[one.name][one.value]

    @property
    def every(self) -> Mapping[str, Tensor]:
        """What each module gave, by its key."""
        return self._gave

    @property
    def scores(self) -> Tensor:
        """What the last module gave: (T, B, C), or (B, C)."""
        return self._gave[self._scenario.scored_module.key]
