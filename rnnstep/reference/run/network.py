"""torch's model of a scenario as a user would write it: modules, a loss, and parameters that autograd follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from rnnstep.engine.blocks import build
from rnnstep.equations.operations import Array
from rnnstep.modules.attention import Attention
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.reference.run.attention import attended
from rnnstep.reference.run.circle import CalledModule, SteppedModule, Steps, go_round
from rnnstep.reference.run.layout import first_states, kept_rows, living_rows, names_of, of_layer
from rnnstep.reference.run.modules import (
    Module,
    Tensor,
    added,
    called,
    layer_module,
    leaves,
    plain_module,
    tensor,
    whole_module,
)
from rnnstep.reference.run.resolver import Resolver
from rnnstep.reference.run.stepping import Stepper, Walk, cell_stepper, walk
from rnnstep.scenario.model import Batch, Scenario

FirstStates = Mapping[str, Any]
"""States by their name, "h", "c", of one of several modules "encoder.h": (L·D, B, n), arrays, or tensors that autograd follows."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """What the model said: logits (T, B, C) or (B, C), and each state at its end, (L·D, B, n), under the names of `FirstStates`.

    What each module gave stands in `gave`, by its key; the steps of loops around cells in `walks`, by the block's.
    """

    logits: Tensor
    ends: Mapping[str, Tensor]
    gave: Mapping[str, Tensor]
    walks: Mapping[str, Walk]


class Network:
    """The scenario's modules, each on what the one before gave: recurrent ones fused (a cell: looped over), the others as they are.

    Attributes:
        scenario: what it is made of; its parameters are copied, never written to.
        parameters: under torch's names, as torch.nn.Parameter.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.parameters: dict[str, Tensor] = leaves(scenario)
        self._recurrent = [block for block in build(scenario) if block.program.states]

    def __call__(self, batch: Batch, masks: Mapping[str, Array], first: FirstStates | None = None) -> Outputs:
        """Run a batch.

        Args:
            batch: what is fed.
            masks: the dropout masks, `dropout0` …, (T, B, n); none where nothing is dropped.
            first: the states before the first step, if they are not the scenario's.
        """
        given = self.first(batch) if first is None else first
        resolver = Resolver(self.scenario, batch, first)
        ends: dict[str, Tensor] = {}
        walks: dict[str, Walk] = {}
        for part in resolver.parts():
            if resolver.is_circle(part):
                ends |= self._circle(resolver, part, batch, masks, given)[1]
                continue
            (module,) = part
            x = resolver.entering(module)
            if isinstance(module, Recurrent):
                begun = self._begun(resolver, module, given)
                output, found = self.ran(module, batch, x, masks, begun, walks)
                ends |= dict(zip(names_of(module), found, strict=True))
                resolver.gave(module, output, found)
            else:
                resolver.gave(module, self.applied(module, x, masks, resolver))
        return Outputs(resolver.scores, ends, resolver.every, walks)

    @staticmethod
    def _begun(resolver: Resolver, module: Recurrent, given: FirstStates) -> FirstStates:
        """A module's states before the first step: those that other modules give, else those that are given."""
        wired = resolver.first(module)
        return {
            name: wired.get(state, given[name])
            for name, state in zip(names_of(module), module.cell.states, strict=True)
        }

    def _circle(
        self,
        resolver: Resolver,
        part: Sequence[NetworkModule],
        batch: Batch,
        masks: Mapping[str, Array],
        given: FirstStates,
    ) -> tuple[Steps, dict[str, Tensor]]:
        """Run modules that read one another of the step before; give what entered each, and the states at their ends."""
        import torch

        stepped = {
            module.key: self._stepped(module, batch, masks, self._begun(resolver, module, given))
            for module in part
            if isinstance(module, Recurrent)
        }

        def called_at(module: NetworkModule, t: int, x: Tensor) -> Tensor:
            if module.key in stepped:
                return stepped[module.key].step(t, x)
            return self.applied_at(t, module, x, masks, resolver)

        read, gave = go_round(resolver, part, called_at)
        ends: dict[str, Tensor] = {}
        for module in part:
            found = stepped[module.key].ends if module.key in stepped else ()
            resolver.gave(module, torch.stack(gave[module.key]), found)
            if isinstance(module, Recurrent):
                ends |= dict(zip(names_of(module), found, strict=True))
        return read, ends

    def _stepped(
        self, module: Recurrent, batch: Batch, masks: Mapping[str, Array], first: FirstStates
    ) -> SteppedModule | CalledModule:
        """A recurrent module that is called step by step: as a whole where nothing is dropped between its layers."""
        states = self._states(module, first)
        fed = self.scenario.fed(module, batch)
        living, shape = living_rows(fed), (fed.num_steps, fed.num_rows)
        if not (module.is_cell or module.is_own or module.has_masks):
            return CalledModule(self._time_major[module.key], states, living, shape)
        steps = [self._steps[block.key] for block in self._recurrent if block.module == module.key]
        return SteppedModule(module, steps, states, living, shape, masks)

    def first(self, batch: Batch) -> FirstStates:
        """Each state before the first step, as the scenario gives it."""
        return {
            name: state
            for module in self.scenario.recurrents
            for name, state in zip(
                names_of(module), first_states(self.scenario, module, batch).values(), strict=True
            )
        }

    def entered(self, batch: Batch, masks: Mapping[str, Array]) -> Tensor:
        """What enters the first recurrent module, (T, B, I)."""
        import torch

        resolver = Resolver(self.scenario, batch)
        for part in resolver.parts():
            if resolver.is_circle(part):
                read, _ = self._circle(resolver, part, batch, masks, self.first(batch))
                return torch.stack(next(read[one.key] for one in part if isinstance(one, Recurrent)))
            (module,) = part
            x = resolver.entering(module)
            if isinstance(module, Recurrent):
                break
            resolver.gave(module, self.applied(module, x, masks, resolver))
        return x

    def applied(
        self,
        module: NetworkModule,
        x: Tensor,
        masks: Mapping[str, Array],
        resolver: Resolver,
        whole: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """What a module without states gives; one that drops elements takes the mask that is given, and draws none.

        Attention looks at `whole`, the memory and the values; without it at what the resolver has.
        """
        if isinstance(module, Attention):
            seen = resolver.looked_at(module) if whole is None else whole
            return attended(module, self.parameters, x, seen, resolver.live(module))
        if module.masks:
            return tensor(masks[module.key]) * x
        return self._plain[module.key](x) if module.torch else added(module, x)

    def applied_at(
        self,
        t: int,
        module: NetworkModule,
        x: Tensor,
        masks: Mapping[str, Array],
        resolver: Resolver,
        whole: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """The same at one step, from what enters it, (B, n)."""
        here = {key: mask[t : t + 1] for key, mask in masks.items()}
        return self.applied(module, x[None], here, resolver, whole)[0]

    def ran(
        self,
        module: Recurrent,
        batch: Batch,
        x: Tensor,
        masks: Mapping[str, Array],
        first: FirstStates,
        walks: dict[str, Walk] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """What a recurrent module gives, (T, B, D·n), and each of its states at its end, (L·D, B, n).

        The steps of a loop around a cell are put into `walks`.
        """
        states = self._states(module, first)
        if module.is_cell or module.is_own:
            return self._loop(module, batch, x, states, masks, {} if walks is None else walks)
        if module.has_masks:
            return self._chain(module, batch, x, states, masks)
        return self._whole(module, batch, x, states)

    @staticmethod
    def _states(module: Recurrent, first: FirstStates) -> tuple[Tensor, ...]:
        """A module's states before the first step as tensors, (L·D, B, n)."""
        return tuple(
            tensor(value) if isinstance(value, np.ndarray) else value
            for value in (first[name] for name in names_of(module))
        )

    # Modules are made once: the optimizer changes the parameters that they hold in place.

    @cached_property
    def _plain(self) -> Mapping[str, Module]:
        return {
            module.key: plain_module(module, self.parameters)
            for module in self.scenario.layers
            if not isinstance(module, Recurrent | Attention) and module.torch
        }

    @cached_property
    def _modules(self) -> Mapping[str, Module]:
        return {one.key: whole_module(one, self.parameters) for one in self._of_torch}

    @cached_property
    def _time_major(self) -> Mapping[str, Module]:
        """Whole modules that take (T, B, n), whatever the scenario's layout: to be called on one step."""
        every = (replace(one, batch_first=False) for one in self._of_torch)
        return {one.key: whole_module(one, self.parameters) for one in every}

    @cached_property
    def _layers(self) -> Mapping[str, list[Module]]:
        return {
            one.key: [layer_module(one, layer, self.parameters) for layer in range(one.num_layers)]
            for one in self._of_torch
            if not one.is_cell
        }

    @property
    def _of_torch(self) -> list[Recurrent]:
        return [one for one in self.scenario.recurrents if not one.is_own]

    @cached_property
    def _steps(self) -> Mapping[str, Stepper]:
        return {block.key: cell_stepper(self.scenario, block, self.parameters) for block in self._recurrent}

    def _whole(
        self, recurrent: Recurrent, batch: Batch, x: Tensor, states: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One call of the fused module, in the layout that the scenario gives it."""
        module = self._modules[recurrent.key]
        fed = self.scenario.fed(recurrent, batch)
        lengths = fed.packed_lengths
        options: dict[str, Any] = {
            "batch_first": recurrent.batch_first,
            "num_steps": fed.num_steps,
        }
        if not self.scenario.is_batched:
            alone = tuple(state[:, 0] for state in states)
            output, ends = called(module, x[:, 0], alone, lengths, **options)
            return output[:, None], tuple(end[:, None] for end in ends)
        if not recurrent.batch_first:
            return called(module, x, states, lengths, **options)
        output, ends = called(module, x.transpose(0, 1), states, lengths, **options)
        return output.transpose(0, 1), ends

    def _chain(
        self,
        recurrent: Recurrent,
        batch: Batch,
        x: Tensor,
        states: tuple[Tensor, ...],
        masks: Mapping[str, Array],
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Single layers with our masks between, since the fused module draws its own."""
        import torch

        fed = self.scenario.fed(recurrent, batch)
        lengths = fed.packed_lengths
        every: list[tuple[Tensor, ...]] = []
        for layer in range(recurrent.num_layers):
            module = self._layers[recurrent.key][layer]
            part = of_layer(recurrent, layer)
            first = tuple(state[part] for state in states)
            output, ends = called(module, x, first, lengths, batch_first=False, num_steps=fed.num_steps)
            every.append(ends)
            above = recurrent.above(layer)
            x = output if above is None else tensor(masks[above.key]) * output
        return output, tuple(torch.cat(ends) for ends in zip(*every, strict=True))

    def _loop(
        self,
        recurrent: Recurrent,
        batch: Batch,
        x: Tensor,
        states: tuple[Tensor, ...],
        masks: Mapping[str, Array],
        walks: dict[str, Walk],
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """A loop over a cell; of a cell of the file one for each layer and direction."""
        import torch

        living = living_rows(self.scenario.fed(recurrent, batch))
        ends: list[tuple[Tensor, ...]] = []
        blocks = [block for block in self._recurrent if block.module == recurrent.key]
        for layer in range(recurrent.num_layers):
            directions = []
            for block in (one for one in blocks if one.layer == layer):
                first = tuple(state[len(ends)] for state in states)
                is_reversed = block.direction == "backward"
                keep = kept_rows(recurrent, batch)
                step = self._steps[block.key]
                done = walks[block.key] = walk(step, x, first, living, is_reversed=is_reversed, keep=keep)
                directions.append(done.whole(0))
                ends.append(done.ends)
            x = directions[0] if len(directions) == 1 else torch.cat(directions, -1)
            above = recurrent.above(layer)
            x = x if above is None else tensor(masks[above.key]) * x
        return x, tuple(torch.stack(each) for each in zip(*ends, strict=True))
