"""Modules that read one another of the step before, in torch's run: a loop over the steps, as a user writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rnnstep.equations.operations import Array
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.reference.run.layout import Mask
from rnnstep.reference.run.modules import Module, Tensor, tensor
from rnnstep.reference.run.resolver import Resolver
from rnnstep.reference.run.stepping import States, Stepper, Walking

Called = Callable[[NetworkModule, int, Tensor], Tensor]
"""What calls a module at a step: on what enters it, (B, n), it gives what the module gives, (B, n)."""
Steps = dict[str, list[Tensor]]
"""By module a tensor of each step, (B, n)."""


def go_round(resolver: Resolver, modules: Sequence[NetworkModule], called: Called) -> tuple[Steps, Steps]:
    """Call each module of a circle at each step, one step after the other; give what entered each, and what it gave.

    Args:
        resolver: knows all that the circle reads of other modules.
        modules: of the circle, in the order of computation within a step.
        called: what calls one.
    """
    read: Steps = {module.key: [] for module in modules}
    gave: Steps = {module.key: [] for module in modules}
    entering = {module.key: resolver.entering_step_by_step(module, gave) for module in modules}
    for t in range(resolver.num_steps(modules[0])):
        for module in modules:
            x = entering[module.key](t)
            read[module.key].append(x)
            gave[module.key].append(called(module, t, x))
    return read, gave


class SteppedModule:
    """A recurrent module of one direction, a step of all its layers at a time.

    Args:
        module: which.
        steps: what takes a step of each layer.
        first: each state before the first step, (L, B, n).
        living: which rows take part in which step, (T, B); None when all do.
        shape: T and B.
        masks: those of the run, (T, B, n).
        entering, leaving: what may put a tensor of its own in the place of what enters a layer, and of what it gives.
    """

    def __init__(
        self,
        module: Recurrent,
        steps: Sequence[Stepper],
        first: States,
        living: Mask | None,
        shape: tuple[int, int],
        masks: Mapping[str, Array],
        entering: Callable[[int, Tensor], Tensor] = lambda _, x: x,
        leaving: Callable[[int, Tensor], Tensor] = lambda _, h: h,
    ) -> None:
        self._entering, self._leaving = entering, leaving
        self._above = [module.above(layer) for layer in range(module.num_layers)]
        self._masks = {one.key: masks[one.key] for one in self._above if one is not None}
        self.layers = [
            Walking(step, tuple(state[layer] for state in first), living, shape)
            for layer, step in enumerate(steps)
        ]

    def step(self, t: int, x: Tensor) -> Tensor:
        """Give the last layer's h of a step, (B, n), zeros where a row is over."""
        for layer, walking in enumerate(self.layers):
            x = self._leaving(layer, walking.advance(t, self._entering(layer, x)))
            above = self._above[layer]
            x = x if above is None else tensor(self._masks[above.key][t]) * x
        return x

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """Each state at its end, (L, B, n)."""
        import torch

        every = [walking.done.ends for walking in self.layers]
        return tuple(torch.stack(states) for states in zip(*every, strict=True))


def whole_stepper(module: Module) -> Stepper:
    """What takes one step of a whole module by calling it on that step; states have their layers as the second axis, (b, L, n)."""

    def step(x: Tensor, states: States) -> States:
        before = tuple(state.transpose(0, 1).contiguous() for state in states)
        _, after = module(x[None], before[0] if len(before) == 1 else before)
        every = after if isinstance(after, tuple) else (after,)
        return tuple(state.transpose(0, 1) for state in every)

    return step


class CalledModule:
    """A whole module that is called on one step after the other.

    Args:
        module: torch's.
        first: each state before the first step, (L, B, n).
        living: which rows take part in which step, (T, B); None when all do.
        shape: T and B.
    """

    def __init__(self, module: Module, first: States, living: Mask | None, shape: tuple[int, int]) -> None:
        states = tuple(state.transpose(0, 1) for state in first)
        self._walking = Walking(whole_stepper(module), states, living, shape)

    def step(self, t: int, x: Tensor) -> Tensor:
        """Give the last layer's h of a step, (B, n), zeros where a row is over."""
        return self._walking.advance(t, x)[:, -1]

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """Each state at its end, (L, B, n)."""
        return tuple(state.transpose(0, 1) for state in self._walking.done.ends)
