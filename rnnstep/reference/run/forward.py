"""torch's forward pass over what the engine ran: the same parameters, inputs and dropout masks, nothing drawn anew."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rnnstep.engine import Pass
from rnnstep.engine.shapes import as_torch_shows, from_torch_shape, state_as_torch_shows
from rnnstep.equations.operations import Array
from rnnstep.reference.run.layout import (
    final_states,
    first_states,
    joined,
    keys_of,
    last_layer,
    living_rows,
    of_layer,
    states_by_block,
)
from rnnstep.reference.run.loss import loss_of, loss_values
from rnnstep.reference.run.modules import (
    Module,
    Tensor,
    array,
    called,
    layer_module,
    plain_module,
    tensor,
    whole_module,
)
from rnnstep.reference.run.stepping import MANY, cell_stepper, inner_values, module_stepper, walk
from rnnstep.scenario.model import Scenario


@dataclass(frozen=True, eq=False)
class ModuleResult:
    """What torch's whole module returned, in torch's shapes (of a cell: in the cell's)."""

    output: Array
    h_n: Array
    c_n: Array | None


@dataclass(frozen=True, eq=False)
class ReferencePass:
    """torch's run of one batch. Arrays by block key ("L0", "L0←") are (T, B, n), zeros where a packed row is over.

    Attributes:
        is_module: whether torch.nn has this module. If not (a cell of one's own) everything here comes
            from the equations in torch's operations, and is a self-check only.
        output, h_n, c_n, logits: in the shapes that torch returns; of a cell `output` stacks its h.
        features: what the linear layer took: (T, B, D·n), or (B, D·n) of the final states.
        logits_by_row: the linear layer's result beside `features`: (T, B, C) or (B, C).
        x: what entered each block while it was stepped.
        states: each state after every step, from torch.nn's modules stepped one time step, layer
            and direction at a time.
        inner: every other line of the equations in torch's operations (self-check), from the same
            states; the first steps only where a run is so long that all would take too much memory.
        layers: the output of each layer of the whole module, both directions, (T, B, D·n); of a cell, of the
            whole module of the same name. Nothing of a cell of one's own.
        whole: of a cell, what the whole module (nn.RNN, …) with the same weights returned.
        loss: of torch.nn's own loss on the scores above, (1,); None where there is no target.
        loss_lines: every line of the block `loss` in torch's operations (self-check), from the same scores,
            (T, B, n); (1, B, n) of the final state.
    """

    is_module: bool
    output: Array
    h_n: Array
    c_n: Array | None
    logits: Array | None
    features: Array
    logits_by_row: Array | None
    x: Mapping[str, Array]
    states: Mapping[str, Mapping[str, Array]]
    inner: Mapping[str, Mapping[str, Array]]
    layers: tuple[Array, ...] = ()
    whole: ModuleResult | None = None
    loss: Array | None = None
    loss_lines: Mapping[str, Array] = field(default_factory=dict)


# ── running torch ────────────────────────────────────────────────────────────────────────────────

INNER_BYTES = 128 << 20  # inner values kept of one batch at most


def run_reference(done: Pass, *, inner_bytes: int = INNER_BYTES) -> ReferencePass:
    """Run torch on what `done` was given.

    Args:
        done: our run of the batch; its parameters, input and masks are used, its results are not.
        inner_bytes: how much memory the inner values may take.
    """
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that projections are slower, that a mask of p = 1 is all zeros
        return _Reference(done).run(inner_bytes)


class _Reference:
    """One batch's run, put together."""

    def __init__(self, done: Pass) -> None:
        self._done = done
        self._scenario: Scenario = done.scenario
        self._batch = done.batch
        self._living = living_rows(done.batch)
        self._input: Tensor = self._embedded()
        self._first = first_states(self._scenario, self._batch)
        layers = range(self._scenario.recurrent.num_layers)
        self._keys = [key for layer in layers for key in keys_of(done.blocks, layer)]  # as h_0 has them

    def run(self, inner_bytes: int) -> ReferencePass:
        scenario = self._scenario
        x, states = self._stepped()
        whole: ModuleResult | None = None
        layers: tuple[Array, ...] = ()
        if scenario.recurrent.is_cell or scenario.recurrent.is_own:
            result, time_major = self._of_steps(states)
            if not scenario.recurrent.is_own:
                whole = self._whole_of_cell()
                layers = (from_torch_shape(scenario, whole.output),)
        else:
            result, layers = self._of_module()
            time_major = layers[-1]
        features = self._features(result, time_major)
        logits = self._scores(features)
        loss, loss_lines = self._loss(features if logits is None else logits)
        most = inner_bytes // len(states)
        return ReferencePass(
            is_module=not scenario.recurrent.is_own,
            output=result.output,
            h_n=result.h_n,
            c_n=result.c_n,
            logits=self._shown_logits(logits),
            features=features,
            logits_by_row=logits,
            x=x,
            states=states,
            inner={key: self._inner(key, x[key], states[key], most) for key in states},
            layers=layers,
            whole=whole,
            loss=loss,
            loss_lines=loss_lines,
        )

    def _embedded(self) -> Tensor:
        """What enters the recurrent module, (T, B, I): values as given, or torch's own look-up."""
        if self._batch.values is not None:
            return tensor(self._batch.values)
        table = self._scenario.lookup
        assert table is not None
        assert self._batch.indices is not None
        return plain_module(table, self._scenario.parameters)(tensor(self._batch.indices))

    def _first_of(self, key: str) -> dict[str, Array]:
        """A block's states before its first step, (B, n)."""
        number = self._keys.index(key)
        return {name: state[number] for name, state in self._first.items()}

    def _stepped(self) -> tuple[dict[str, Array], dict[str, dict[str, Array]]]:
        """Step every block on torch's own chain; give what entered each and each state after every step."""
        blocks = self._done.blocks
        entered: dict[str, Array] = {}
        states: dict[str, dict[str, Array]] = {}
        x = self._input
        parameters = {name: tensor(value) for name, value in self._scenario.parameters.items()}
        of_block = cell_stepper if self._batch.num_steps > MANY else module_stepper
        for layer in range(self._scenario.recurrent.num_layers):
            for key in keys_of(blocks, layer):
                block = self._done.by_key[key]
                first = tuple(tensor(state) for state in self._first_of(key).values())
                step = of_block(self._scenario, block, parameters)
                run = walk(step, x, first, self._living, is_reversed=block.direction == "backward")
                entered[key] = array(x)
                states[key] = {name: array(run.whole(k)) for k, name in enumerate(block.program.states)}
            output = next(iter(self._scenario.cell.states))
            x = self._dropped(
                layer, tensor(joined(blocks, layer, {key: kept[output] for key, kept in states.items()}))
            )
        return entered, states

    def _dropped(self, layer: int, x: Tensor) -> Tensor:
        above = self._scenario.recurrent.above(layer)
        mask = None if above is None else self._done.masks[above.key]
        return x if mask is None else tensor(mask) * x

    def _inner(self, key: str, x: Array, states: dict[str, Array], most: int) -> dict[str, Array]:
        block = self._done.by_key[key]
        return inner_values(self._scenario, block, x, states, self._first_of(key), self._living, most)

    # ── whole modules ────────────────────────────────────────────────────────────────

    def _of_steps(self, states: dict[str, dict[str, Array]]) -> tuple[ModuleResult, Array]:
        """The results of loops over a cell: the last layer's h stacked, the last states of all."""
        names = list(self._scenario.cell.states)
        ends = [
            state_as_torch_shows(
                self._scenario, np.stack([self._final(key, kept[name]) for key, kept in states.items()])
            )
            for name in names[:2]
        ]
        last = {key: kept[names[0]] for key, kept in states.items()}
        output = joined(self._done.blocks, self._scenario.recurrent.num_layers - 1, last)
        result = ModuleResult(
            as_torch_shows(self._scenario, output), ends[0], ends[1] if len(ends) > 1 else None
        )
        return result, output

    def _final(self, key: str, states: Array) -> Array:
        is_reversed = self._done.by_key[key].direction == "backward"
        return final_states(states, self._living, is_reversed=is_reversed)

    def _of_module(self) -> tuple[ModuleResult, tuple[Array, ...]]:
        """The results of the fused module; with dropout in train mode, of single layers with our masks between.

        The lower layers' outputs, which the fused module does not return, are those of single layers.
        """
        if self._done.masks:
            result, layers = self._chained(self._scenario.recurrent.num_layers)
        else:
            shown = tensor(as_torch_shows(self._scenario, array(self._input)))
            result = self._fused(whole_module(self._scenario), shown, self._shown_initial())
            layers = [from_torch_shape(self._scenario, result.output)]
            if self._scenario.recurrent.num_layers > 1:
                layers = self._chained(self._scenario.recurrent.num_layers - 1)[1] + layers
        return result, tuple(layers)

    def _chained(self, num_layers: int) -> tuple[ModuleResult, list[Array]]:
        scenario = self._scenario
        x = self._input
        ends: list[tuple[Array, ...]] = []
        layers: list[Array] = []
        for layer in range(num_layers):
            part = of_layer(scenario.recurrent, layer)
            initials = tuple(tensor(state[part]) for state in self._first.values())
            output, states = self._call(layer_module(scenario, layer), x, initials, batch_first=False)
            ends.append(tuple(array(state) for state in states))
            layers.append(array(output))
            x = self._dropped(layer, output)
        states_n = [
            state_as_torch_shows(scenario, np.concatenate(parts)) for parts in zip(*ends, strict=True)
        ]
        shown = as_torch_shows(scenario, layers[-1])
        return ModuleResult(shown, states_n[0], states_n[1] if len(states_n) > 1 else None), layers

    def _fused(self, module: Module, x: Tensor, initials: tuple[Tensor, ...]) -> ModuleResult:
        batch_first = self._scenario.recurrent.batch_first
        output, states = self._call(module, x, initials, batch_first=batch_first)
        shown = [array(state) for state in states]
        return ModuleResult(array(output), shown[0], shown[1] if len(shown) > 1 else None)

    def _call(
        self, module: Module, x: Tensor, initials: tuple[Tensor, ...], *, batch_first: bool
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Call a module as a user would: packed if the batch is; h_0 (and c_0) always given."""
        return called(
            module,
            x,
            initials,
            self._batch.packed_lengths,
            batch_first=batch_first,
            num_steps=self._batch.num_steps,
        )

    def _shown_initial(self) -> tuple[Tensor, ...]:
        """h_0 (and c_0) of all blocks, (D·L, B, n), without B when unbatched."""
        is_batched = self._scenario.is_batched
        return tuple(tensor(state if is_batched else state[:, 0]) for state in self._first.values())

    def _whole_of_cell(self) -> ModuleResult:
        """A cell's whole module, always time-major; its final states laid out as the cell's."""
        scenario = self._scenario
        x = self._input if scenario.is_batched else self._input[:, 0]
        output, states = self._call(whole_module(scenario), x, self._shown_initial(), batch_first=False)
        ends = [array(state)[0] for state in states]
        shown = array(output)
        if scenario.is_batched and scenario.recurrent.batch_first:
            shown = np.swapaxes(shown, 0, 1)
        return ModuleResult(shown, ends[0], ends[1] if len(ends) > 1 else None)

    # ── scores ───────────────────────────────────────────────────────────────────────

    def _features(self, result: ModuleResult, time_major: Array) -> Array:
        if not self._scenario.reads_final_state:
            return time_major
        return last_layer(self._scenario.recurrent, states_by_block(self._scenario, result.h_n))

    def _scores(self, features: Array) -> Array | None:
        head = self._scenario.head
        if head is None:
            return None
        return array(plain_module(head, self._scenario.parameters)(tensor(features)))

    def _loss(self, scores: Array) -> tuple[Array | None, dict[str, Array]]:
        """torch.nn's own loss on (T, B, C) or (B, C), and its lines; nothing where there is no target."""
        run = self._done.loss_run
        if run is None:
            return None, {}
        loss = array(loss_of(self._scenario, self._batch, tensor(scores))).reshape(1)
        return loss, loss_values(run.blocks, scores.reshape(run.outputs.shape))

    def _shown_logits(self, logits: Array | None) -> Array | None:
        if logits is None:
            return None
        if self._scenario.reads_final_state:
            return logits if self._scenario.is_batched else logits[0]
        return as_torch_shows(self._scenario, logits)
