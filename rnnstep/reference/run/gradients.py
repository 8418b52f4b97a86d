"""autograd's gradients of what the engine ran: of every parameter, of every h_t and c_t, of every line.

The gradients of states are those along torch's cells, stepped one time step, layer and direction at a time. Every tensor on
the way keeps its gradient (`retain_grad`). h_t and c_t are the very tensors that all that comes after is made of, so
that what they keep is the total derivative; of nn.LSTMCell c_t is what its h_t is made from.

The gradients of lines are autograd's on the equations in torch's operations: a self-check. Each step is taken from what
torch's stepped cells had before it, and goes back from the total derivatives of their states, so that no step depends
on how another one was computed and all of them are done at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rnnstep.engine import Block, Pass
from rnnstep.engine.backward import GivenOutside
from rnnstep.equations.operations import Array
from rnnstep.modules.attention import Attention
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.reference.run.circle import SteppedModule, go_round
from rnnstep.reference.run.layout import kept_rows, keys_of, living_rows, names_of
from rnnstep.reference.run.line_gradients import block_gradients, within_step
from rnnstep.reference.run.loss import loss_gradients, loss_of, loss_values, of_loss
from rnnstep.reference.run.modules import Tensor, array, tensor
from rnnstep.reference.run.network import Network
from rnnstep.reference.run.resolver import Resolver
from rnnstep.reference.run.shares import plain_shares
from rnnstep.reference.run.stepping import (
    Along,
    Stepper,
    Walk,
    cell_stepper,
    equations_stepper,
    walk,
)


@dataclass(frozen=True, eq=False)
class Stepped:
    """What a stepped run gave: its loss, the gradients of torch's parameters, values and derivatives along it."""

    loss: float
    parameters: Mapping[str, Array]
    values: Along
    gradients: Along


def step_through(done: Pass, *, given: GivenOutside | None = None, by_equations: bool = False) -> Stepped:
    """Step torch's cells over what `done` was given, and go back from the loss.

    Args:
        done: our run of the batch; its parameters, input and masks are used, its results are not.
        given: as of `run_gradients`.
        by_equations: step by the equations in torch's operations instead.
    """
    run = _Stepping(done, given, by_equations=by_equations)
    loss = _loss(done, run.scores, run.ended, run.read_through, given)
    go_back(loss)
    return Stepped(
        float(loss.detach()), gradients_of(run.network.parameters), run.along(array), run.along(_gradient)
    )


def _loss(
    done: Pass,
    scores: Tensor,
    ends: Mapping[str, Tensor],
    through: Mapping[tuple[str, str], Tensor],
    given: GivenOutside | None,
) -> Tensor:
    """What is gone back from: the loss, or a sum of what torch's modules return whose gradient is what is given.

    Args:
        done: our run of the batch.
        scores: what the last module gave.
        ends: each state where its rows ended, (L·D, B, n), under the names of `names_of`.
        through: those of a cell that gradients are given at after every step, (T, B, n), by block and name.
        given: what is given; None where there is a loss.
    """
    if given is None:
        return loss_of(done.scenario, done.batch, scores)
    total = (tensor(given.scores).reshape(scores.shape) * scores).sum()
    for (key, name), g in given.ends.items():
        recurrent = done.scenario.recurrent_of(done.by_key[key])
        position = keys_of(done.blocks, recurrent).index(key)
        state = names_of(recurrent)[list(recurrent.cell.states).index(name)]
        total = total + (tensor(g) * ends[state][position]).sum()
    for at, g in given.through.items():
        total = total + (tensor(g) * through[at]).sum()
    return total


def _through(
    done: Pass, walks: Mapping[str, Walk], given: GivenOutside | None
) -> dict[tuple[str, str], Tensor]:
    """The states of a cell after every step at which gradients are given, (T, B, n), by block and name."""
    return {
        (key, name): walks[key].whole(list(done.by_key[key].program.states).index(name))
        for key, name in (() if given is None else given.through)
    }


def go_back(loss: Tensor) -> None:
    """`loss.backward()`; a loss that no parameter reaches has no gradients, and torch raises."""
    if loss.requires_grad:
        loss.backward()


def gradients_of(parameters: Mapping[str, Tensor]) -> dict[str, Array]:
    """The gradient of each parameter; zeros where the loss does not depend on it, and torch has None."""
    return {name: _gradient(one) for name, one in parameters.items() if one.requires_grad}


def _gradient(value: Tensor) -> Array:
    return np.zeros_like(array(value)) if value.grad is None else array(value.grad)


KeptTensors = Any
"""A tensor of all steps, (T, B, n), or where modules read one another of the step before a list with one of each step, (B, n)."""


class _Stepping:
    """The forward pass, with every tensor of it kept."""

    def __init__(self, done: Pass, given: GivenOutside | None = None, *, by_equations: bool) -> None:
        self._done = done
        self._given_ends = () if given is None else tuple(given.ends)
        self.ended: dict[str, Tensor] = {}
        self._stepper = equations_stepper if by_equations else cell_stepper
        self.network = Network(done.scenario)
        self._first = self.network.first(done.batch)
        self._entered: dict[str, KeptTensors] = {}
        self._x: dict[str, KeptTensors] = {}
        self._walks: dict[str, Walk] = {}
        self._began: dict[str, tuple[Tensor, ...]] = {}
        self._wired: Mapping[
            str, Tensor
        ] = {}  # the first states that other modules give the one that is stepped
        self._output: dict[str, KeptTensors] = {}
        self._read: dict[str, KeptTensors] = {}
        self._gave: dict[str, KeptTensors] = {}
        self._read_whole: dict[str, dict[str, Tensor]] = {}
        self._read_at_ends: dict[str, dict[str, Tensor]] = {}
        self.scores = self._gone_through()
        self.read_through = {at: _entering(x) for at, x in _through(done, self._walks, given).items()}

    def along(self, of: Callable[[Tensor], Array]) -> Along:
        """Give arrays of all tensors: of their values, or of their gradients."""
        return Along(
            entered={key: _of_kept(x, of) for key, x in self._entered.items()},
            x={key: _of_kept(x, of) for key, x in self._x.items()},
            states={
                key: {
                    name: _over_time(done, state, of)
                    for state, name in enumerate(self._done.by_key[key].program.states)
                }
                for key, done in self._walks.items()
            },
            first={
                key: {
                    name: of(x) for name, x in zip(self._done.by_key[key].program.states, each, strict=True)
                }
                for key, each in self._began.items()
            },
            output={key: _of_kept(output, of) for key, output in self._output.items()},
            scores=of(self.scores),
            read={key: _of_kept(x, of) for key, x in self._read.items()},
            gave={key: _of_kept(x, of) for key, x in self._gave.items()},
            ends={key: {name: of(x) for name, x in each.items()} for key, each in self._read_at_ends.items()},
            through={key: {name: of(x)} for (key, name), x in self.read_through.items()},
            read_whole={
                key: {name: of(x) for name, x in each.items()} for key, each in self._read_whole.items()
            },
        )

    def _gone_through(self) -> Tensor:
        """Each module on what those that it reads gave; give what the last one gave, (T, B, n) or (B, n)."""
        resolver = Resolver(self._done.scenario, self._done.batch)
        for part in resolver.parts():
            if resolver.is_circle(part):
                self._go_round(resolver, part)
                continue
            (module,) = part
            x = resolver.entering(module)
            if isinstance(module, Recurrent):
                self._wired = resolver.first(module)
                resolver.gave(module, _keeping(self._stacked(module, x)), self._ends(module))
                continue
            if not isinstance(module, Embedding):
                x = self._read[module.key] = _entering(x)
            whole = self._looked_at(module, resolver)
            applied = self.network.applied(module, x, self._done.masks, resolver, whole)
            gave = self._gave[module.key] = _keeping(applied)
            resolver.gave(module, gave)
        return resolver.scores

    def _looked_at(self, module: NetworkModule, resolver: Resolver) -> dict[str, Tensor] | None:
        """What attention looks at, as tensors of its own; None of any other module."""
        if not isinstance(module, Attention):
            return None
        whole = {name: _entering(value) for name, value in resolver.looked_at(module).items()}
        self._read_whole[module.key] = whole
        return whole

    def _go_round(self, resolver: Resolver, part: Sequence[NetworkModule]) -> None:
        """Step modules that read one another of the step before, on tensors of their own at each step."""
        import torch

        stepped = {one.key: self._step_by_step(one, resolver) for one in part if isinstance(one, Recurrent)}
        whole = {one.key: self._looked_at(one, resolver) for one in part}
        read: dict[str, list[Tensor]] = {one.key: [] for one in part}

        def called_at(module: NetworkModule, t: int, x: Tensor) -> Tensor:
            if module.key in stepped:
                return stepped[module.key].step(t, x)
            x = _entering(x)
            read[module.key].append(x)
            masks = self._done.masks
            return _keeping(self.network.applied_at(t, module, x, masks, resolver, whole[module.key]))

        _, gave = go_round(resolver, part, called_at)
        for module in part:
            if isinstance(module, Recurrent):
                layers = stepped[module.key].layers
                for key, walking in zip(keys_of(self._done.blocks, module), layers, strict=True):
                    self._walks[key] = walking.done
            else:
                self._read[module.key], self._gave[module.key] = read[module.key], gave[module.key]
            ends = self._ends(module) if isinstance(module, Recurrent) else ()
            resolver.gave(module, _keeping(torch.stack(gave[module.key])), ends)

    def _step_by_step(self, recurrent: Recurrent, resolver: Resolver) -> SteppedModule:
        """A recurrent module to be stepped, whose tensors keep their gradients."""
        self._wired = resolver.first(recurrent)
        done, keys = self._done, keys_of(self._done.blocks, recurrent)
        for key in keys:
            self._began[key] = self._first_of(done.by_key[key])
        entered, x, outputs = _lists(keys), _lists(keys), _lists(keys)
        for key, *lists in zip(keys, entered, x, outputs, strict=True):
            self._entered[key], self._x[key], self._output[key] = lists

        def entering(layer: int, given: Tensor) -> Tensor:
            given = _entering(given)
            entered[layer].append(given)
            x[layer].append(_keeping(given.view_as(given)))
            return x[layer][-1]

        def leaving(layer: int, h: Tensor) -> Tensor:
            outputs[layer].append(
                _keeping(h.view_as(h))
            )  # what stands above reads this, the next step h itself
            return outputs[layer][-1]

        fed = done.scenario.fed(recurrent, done.batch)
        first = zip(*(self._began[key] for key in keys), strict=True)
        return SteppedModule(
            recurrent,
            [self._keeping_step(done.by_key[key]) for key in keys],
            tuple(first),
            living_rows(fed),
            (fed.num_steps, fed.num_rows),
            done.masks,
            entering,
            leaving,
        )

    def _stacked(self, recurrent: Recurrent, x: Tensor) -> Tensor:
        """Step a module layer after layer; give the last one's output, (T, B, D·n)."""
        import torch

        done = self._done
        for layer in range(recurrent.num_layers):
            keys = keys_of(done.blocks, recurrent, layer)
            x = self._entered[keys[0]] = _entering(x)
            for key in keys:
                self._walk(done.by_key[key], x)
            outputs = [self._output[key] for key in keys]
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
            above = recurrent.above(layer)
            x = x if above is None else tensor(done.masks[above.key]) * x
        return x

    def _walk(self, block: Block, x: Tensor) -> None:
        """Step one block on a tensor of its own, which keeps what this block alone sends back."""
        x = self._x[block.key] = _keeping(x.view_as(x))
        is_reversed = block.direction == "backward"
        recurrent = self._done.scenario.recurrent_of(block)
        living = living_rows(self._done.scenario.fed(recurrent, self._done.batch))
        first = self._began[block.key] = self._first_of(block)
        keep = kept_rows(recurrent, self._done.batch)
        done = walk(self._keeping_step(block), x, first, living, is_reversed=is_reversed, keep=keep)
        self._walks[block.key] = done
        self._output[block.key] = _keeping(done.whole(0))

    def _first_of(self, block: Block) -> tuple[Tensor, ...]:
        """A block's states before the first step, as tensors of its own."""
        recurrent = self._done.scenario.recurrent_of(block)
        position = keys_of(self._done.blocks, recurrent).index(block.key)  # as h_0 has them
        return tuple(
            _entering(
                self._wired[state][position] if state in self._wired else tensor(self._first[name][position])
            )
            for name, state in zip(names_of(recurrent), recurrent.cell.states, strict=True)
        )

    def _keeping_step(self, block: Block) -> Stepper:
        """What takes a step of a block; the states that it gives keep their gradients."""
        step = self._stepper(self._done.scenario, block, self.network.parameters)
        return lambda x, before: tuple(_keeping(state) for state in step(x, before))

    def _ends(self, recurrent: Recurrent) -> tuple[Tensor, ...]:
        """Each state at its end, (L·D, B, n): the first as it stands in the blocks' outputs.

        Taken from there and not from the last step, so that an output's gradient holds all that comes from above.
        """
        import torch

        batch = self._done.batch
        rows = torch.arange(batch.num_rows)
        fed = self._done.scenario.fed(recurrent, batch)
        last = torch.tensor(fed.packed_lengths or (fed.num_steps,) * fed.num_rows) - 1
        ends = []
        keys = keys_of(self._done.blocks, recurrent)
        for key in keys:
            output, is_reversed = _whole(self._output[key]), self._done.by_key[key].direction == "backward"
            ends.append(output[0] if is_reversed else output[last, rows])
        every: tuple[Tensor, ...] = (torch.stack(ends),)
        if self._is_second_read(recurrent):
            name = list(recurrent.cell.states)[1]
            for key in keys:
                self._read_at_ends[key] = {name: _entering(self._walks[key].ends[1])}
            every = (*every, torch.stack([self._read_at_ends[key][name] for key in keys]))
        self.ended |= dict(zip(names_of(recurrent), every, strict=False))
        return every

    def _is_second_read(self, recurrent: Recurrent) -> bool:
        """Whether a module reads the second state where it ended, or a gradient is given there."""
        states = list(recurrent.cell.states)
        if len(states) > 1 and any(
            name == states[1] and self._done.by_key[key].module == recurrent.key
            for key, name in self._given_ends
        ):
            return True
        every = [one for reads in self._done.scenario.wiring.values() for one in reads.sources]
        return any(one.name == recurrent.key and one.value == "c_n" for one in every)


def _lists(keys: Sequence[str]) -> list[list[Tensor]]:
    """A list for each block, to take a tensor of each step."""
    return [[] for _ in keys]


def _of_kept(value: KeptTensors, of: Callable[[Tensor], Array]) -> Array:
    """The array of a tensor, or of one of each step, (T, …)."""
    return np.stack([of(one) for one in value]) if isinstance(value, list) else of(value)


def _whole(value: KeptTensors) -> Tensor:
    """All steps as one tensor, (T, …)."""
    import torch

    return torch.stack(value) if isinstance(value, list) else value


def _entering(value: Tensor) -> Tensor:
    """What enters as a tensor of its own, which keeps what this reader alone sends back; data is to have a gradient, too."""
    return _keeping(value.view_as(value) if value.requires_grad else value.clone().requires_grad_())


def _keeping(value: Tensor) -> Tensor:
    """Let a tensor keep its gradient; one that depends on nothing that has a gradient has none to keep."""
    if value.requires_grad:
        value.retain_grad()
    return value


def _over_time(done: Walk, state: int, of: Callable[[Tensor], Array]) -> Array:
    """A state's array of every step, (T, B, n), zeros where a packed row is over."""
    end = done.ends[state]
    whole = np.zeros((done.shape[0], *end.shape), array(end).dtype)
    for t, states in done.after.items():
        live = done.live[t]
        whole[t, slice(None) if live is None else array(live)] = of(states[state])
    return whole


# ── all of a batch ───────────────────────────────────────────────────────────────────────────────

INNER_BYTES = 64 << 20  # gradients of lines of one batch at most; the lines take as much again
SHARE_BYTES = 16 << 20  # shares of steps in the gradients of one batch's parameters at most


@dataclass(frozen=True, eq=False)
class ReferenceGradients:
    """torch's loss and gradients of one batch, as arrays of numpy. A block's key is "L0", "L0←".

    Attributes:
        is_module: whether torch.nn has this module. If not (a cell of one's own) everything here comes
            from the equations in torch's operations, and is a self-check only.
        loss: of the whole module, called as a user would; of a cell, looped over.
        parameters: ∂L/∂W of every parameter under torch's name and in its shape, by `loss.backward()`
            on that; zeros where the loss does not depend on one (and torch has None).
        stepped_loss: of torch's cells stepped one time step, layer and direction at a time.
        stepped_parameters: the gradients on that way. Along a chaotic run torch parts from itself.
        values: torch's numbers along the stepped run.
        gradients: the derivatives of the stepped loss by them, kept by `retain_grad`.
        inner: self-check, by block: ∂L/∂v of every other line, and of `x`, `h_prev` as far as this step reads it,
            (T, B, n), by autograd on the equations in torch's operations, from `values` and `gradients`
            of the same step. A block whose gradients would take too much memory is missing.
        lines: self-check, by block: every line but the states, (T, B, n), from `values` of the same step: what
            the way back reads. Missing where `inner` is.
        shares: self-check, by block, "linear" and "embedding" too: the share of each step in ∂L/∂W of each of the
            equations' parameters, `W_hh`, `b_ih` …, (T, m, n) or (T, m); of a linear layer on the final state
            (1, …). A block whose shares would take too much is missing.
        loss_lines: self-check: every line of the block `loss`, from `values`, (T, B, n); (1, B, n) of the final state.
        loss_inner: self-check: ∂L/∂ of every line of the block `loss`, likewise.
        self_checked: by block the states whose gradient torch's modules do not give away whole, c of an LSTM with a
            projection: its way through the h_t of the same step is that of the equations.
    """

    is_module: bool
    loss: float
    parameters: Mapping[str, Array]
    stepped_loss: float
    stepped_parameters: Mapping[str, Array]
    values: Along
    gradients: Along
    inner: Mapping[str, Mapping[str, Array]]
    lines: Mapping[str, Mapping[str, Array]]
    shares: Mapping[str, Mapping[str, Array]]
    loss_lines: Mapping[str, Array] = field(default_factory=dict)
    loss_inner: Mapping[str, Array] = field(default_factory=dict)
    self_checked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def states(self) -> Mapping[str, Mapping[str, Array]]:
        """∂L/∂h_t and ∂L/∂c_t, the total derivatives, by block: (T, B, n), zeros where a packed row is over."""
        return self.gradients.states

    def is_module_confirmed(self, key: str, name: str) -> bool:
        """Whether the gradient of a block's value is torch.nn's own number, and no self-check."""
        is_state = name in self.states[key] and name not in self.self_checked.get(key, ())
        return self.is_module and (is_state or name == "x")


def run_gradients(
    done: Pass,
    *,
    given: GivenOutside | None = None,
    inner_bytes: int = INNER_BYTES,
    share_bytes: int = SHARE_BYTES,
) -> ReferenceGradients:
    """Take the loss and go back with torch, on what `done` was given.

    Args:
        done: our run of a batch that has a target; its parameters, input and masks are used, its results are not.
        given: the gradients of what torch's modules return, in the place of a loss.
        inner_bytes: how much memory the gradients of lines may take.
        share_bytes: how much memory the shares of steps may take.
    """
    import torch

    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that projections are slower, that a mask of p = 1 is all zeros
        return _run(done, given, inner_bytes, share_bytes)


def _run(done: Pass, given: GivenOutside | None, inner_bytes: int, share_bytes: int) -> ReferenceGradients:
    scenario = done.scenario
    network = Network(scenario)
    whole = network(done.batch, done.masks)
    loss = _loss(done, whole.logits, whole.ends, _through(done, whole.walks, given), given)
    go_back(loss)
    stepped = step_through(done, given=given)
    self_checked = _self_checked(done)
    gradients = _completed(done, self_checked, stepped.values, stepped.gradients)
    lines = block_gradients(done, stepped.values, gradients, inner_bytes=inner_bytes, share_bytes=share_bytes)
    shares = {key: found.shares for key, found in lines.items() if found.shares}
    lines_of_loss, inner_of_loss = _of_loss(done, stepped.values.scores) if given is None else ({}, {})
    return ReferenceGradients(
        is_module=not scenario.has_own_cells,
        loss=float(loss.detach()),
        parameters=gradients_of(network.parameters),
        stepped_loss=stepped.loss,
        stepped_parameters=stepped.parameters,
        values=stepped.values,
        gradients=gradients,
        inner={key: found.inner for key, found in lines.items()},
        lines={key: found.values for key, found in lines.items()},
        shares=shares | plain_shares(done, stepped.values, gradients, share_bytes=share_bytes),
        loss_lines=lines_of_loss,
        loss_inner=inner_of_loss,
        self_checked=self_checked,
    )


def _of_loss(done: Pass, logits: Array) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
    """Every line of the block `loss` in torch's operations, and its gradient."""
    assert done.loss_run is not None
    losses, scores = done.loss_run.blocks, of_loss(done, logits)
    return loss_values(losses, scores), loss_gradients(losses, scores)


def _self_checked(done: Pass) -> dict[str, tuple[str, ...]]:
    """Torch's module with a projection returns c_t beside the h_t made of it: its gradient lacks the way through h_t."""
    modules = {key: done.scenario.recurrent_of(run.block) for key, run in done.runs.items()}
    return {key: ("c",) for key, one in modules.items() if one.proj_size and not one.is_own}


def _completed(done: Pass, names: Mapping[str, tuple[str, ...]], values: Along, gradients: Along) -> Along:
    """Add to some states' gradients what reaches them within the step, by autograd on the equations."""
    if not names:
        return gradients
    states = {
        key: {
            name: value + within_step(done, key, name, values, gradients)
            if name in names.get(key, ())
            else value
            for name, value in by_name.items()
        }
        for key, by_name in gradients.states.items()
    }
    return replace(gradients, states=states)
