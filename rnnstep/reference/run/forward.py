"""torch's forward pass over what the engine ran: the same parameters, inputs and dropout masks, nothing drawn anew."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from rnnstep.engine import Pass
from rnnstep.engine.shapes import as_torch_shows, from_torch_shape, layer_as_torch_shows, state_as_torch_shows
from rnnstep.equations.operations import Array
from rnnstep.modules.attention import Attention
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.reference.run.attention import attended, attended_lines
from rnnstep.reference.run.circle import SteppedModule, go_round
from rnnstep.reference.run.layout import (
    final_states,
    first_states,
    joined,
    kept_rows,
    keys_of,
    living_rows,
    of_layer,
    states_by_block,
)
from rnnstep.reference.run.loss import loss_of, loss_values, of_loss
from rnnstep.reference.run.modules import (
    Module,
    Tensor,
    added,
    array,
    called,
    layer_module,
    plain_module,
    tensor,
    whole_module,
)
from rnnstep.reference.run.resolver import Resolver
from rnnstep.reference.run.stepping import MANY, cell_stepper, inner_values, module_stepper, walk
from rnnstep.scenario.model import Scenario


@dataclass(frozen=True, eq=False)
class ModuleResult:
    """What one of torch's recurrent modules returned, in torch's shapes (of a cell: in the cell's; `output` stacks its h).

    Attributes:
        output, h_n, c_n: as torch returns them.
        layers, whole: as of `ReferencePass`.
    """

    output: Array
    h_n: Array
    c_n: Array | None
    layers: tuple[Array, ...] = ()
    whole: ModuleResult | None = None


@dataclass(frozen=True, eq=False)
class ReferencePass:
    """torch's run of one batch. Arrays by block key ("L0", "L0←") are (T, B, n), zeros where a packed row is over.

    Attributes:
        is_module: whether torch.nn has this module. If not (a cell of one's own) everything here comes
            from the equations in torch's operations, and is a self-check only.
        output, h_n, c_n, logits: in the shapes that torch returns; of a cell `output` stacks its h. Of several recurrent
            modules the output of the last, and no states; without one none of the three.
        scores: what the module gave that is compared, which the loss reads: (T, B, C), or (B, C).
        x: what entered each block while it was stepped.
        first: each state before the first step, (B, n).
        states: each state after every step, from torch.nn's modules stepped one time step, layer
            and direction at a time.
        inner: every other line of the equations in torch's operations (self-check), from the same
            states; the first steps only where a run is so long that all would take too much memory.
        layers: the output of each layer of the whole module, both directions, (T, B, D·n); of a cell, of the
            whole module of the same name. Nothing of a cell of one's own.
        whole: of a cell, what the whole module (nn.RNN, …) with the same weights returned.
        read, gave: what each of the modules without states took and gave, by its key, (T, B, n); (B, n) of final states.
        read_whole: what attention looked at, by its key and as it calls it, (S, B, n).
        inside: the other values of attention, `scores` and `weights`, by its key, (T, B, S), or (B, S).
        modules: of several recurrent modules what each gave, by its key.
        loss: of torch.nn's own loss on the scores above, (1,); None where there is no target.
        loss_lines: every line of the block `loss` in torch's operations (self-check), from the same scores,
            (T, B, n); (1, B, n) of the final state.
    """

    is_module: bool
    output: Array | None
    h_n: Array | None
    c_n: Array | None
    logits: Array | None
    scores: Array
    x: Mapping[str, Array]
    first: Mapping[str, Mapping[str, Array]]
    states: Mapping[str, Mapping[str, Array]]
    inner: Mapping[str, Mapping[str, Array]]
    layers: tuple[Array, ...] = ()
    whole: ModuleResult | None = None
    read: Mapping[str, Array] = field(default_factory=dict)
    gave: Mapping[str, Array] = field(default_factory=dict)
    read_whole: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    inside: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    modules: Mapping[str, ModuleResult] = field(default_factory=dict)
    loss: Array | None = None
    loss_lines: Mapping[str, Array] = field(default_factory=dict)

    def of_module(self, recurrent: Recurrent) -> ModuleResult:
        """What one of the recurrent modules gave."""
        if self.h_n is None or self.output is None:
            return self.modules[recurrent.key]
        return ModuleResult(self.output, self.h_n, self.c_n, self.layers, self.whole)

    def layer_results(self, scenario: Scenario) -> dict[str, dict[str, Array]]:
        """What each module gave, in torch's shapes: `output`, of a recurrent one `h_n` and `c_n`, too."""
        found: dict[str, dict[str, Array]] = {}
        for module in scenario.layers:
            if isinstance(module, Recurrent):
                result = self.of_module(module)
                ends = {} if result.c_n is None else {"c_n": result.c_n}
                found[module.name] = {"output": result.output, "h_n": result.h_n, **ends}
            else:
                gave = layer_as_torch_shows(scenario, self.gave[module.key])
                found.setdefault(module.name.removesuffix(".add"), {})["output"] = gave
        return found


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
        return _Reference(done, inner_bytes).run()


class _Reference:
    """One batch's run, put together."""

    def __init__(self, done: Pass, inner_bytes: int) -> None:
        self._done = done
        self._scenario: Scenario = done.scenario
        self._batch = done.batch
        self._living = {name: living_rows(fed) for name, fed in done.batch.sequences.items()}
        self._first = {
            one.key: first_states(self._scenario, one, self._batch) for one in self._scenario.recurrents
        }
        self._parameters = {name: tensor(value) for name, value in done.scenario.parameters.items()}
        self._most = inner_bytes // max(1, len(done.runs))
        self._x: dict[str, Array] = {}
        self._states: dict[str, dict[str, Array]] = {}
        self._read: dict[str, Array] = {}
        self._gave: dict[str, Array] = {}
        self._read_whole: dict[str, dict[str, Array]] = {}
        self._inside: dict[str, dict[str, Array]] = {}

    def run(self) -> ReferencePass:
        """Each module on what those that it reads gave."""
        scenario = self._scenario
        resolver = Resolver(scenario, self._batch)
        results: dict[str, ModuleResult] = {}
        for part in resolver.parts():
            entered = self._entered_in_circle(resolver, part) if resolver.is_circle(part) else {}
            for module in part:
                x = entered[module.key] if entered else resolver.entering(module)
                if isinstance(module, Recurrent):
                    if not entered:
                        self._begin(module, resolver)
                    results[module.key], time_major = self._of_recurrent(module, x)
                    ends = self._ends(module, results[module.key])
                    resolver.gave(module, tensor(time_major), ends)
                elif not entered:
                    resolver.gave(module, self._applied(module, x, resolver))
        scores = array(resolver.scores)
        loss, loss_lines = self._loss(scores)
        last = results[scenario.recurrent.key] if results else None
        alone = last if len(results) == 1 else None
        return ReferencePass(
            is_module=not scenario.has_own_cells,
            output=None if last is None else last.output,
            h_n=None if alone is None else alone.h_n,
            c_n=None if alone is None else alone.c_n,
            logits=None if scenario.head is None else self._shown_logits(scores),
            scores=scores,
            x=self._x,
            first={key: self._first_of(key) for key in self._states},
            states=self._states,
            inner={key: self._inner(key, self._x[key], self._states[key]) for key in self._states},
            layers=() if alone is None else alone.layers,
            whole=None if alone is None else alone.whole,
            read=self._read,
            read_whole=self._read_whole,
            inside=self._inside,
            gave=self._gave,
            modules=results if alone is None else {},
            loss=loss,
            loss_lines=loss_lines,
        )

    def _begin(self, module: Recurrent, resolver: Resolver) -> None:
        """Take a module's first states that other modules give."""
        self._first[module.key] |= {name: array(x) for name, x in resolver.first(module).items()}

    def _entered_in_circle(self, resolver: Resolver, part: tuple[NetworkModule, ...]) -> Mapping[str, Tensor]:
        """Step modules that read one another of the step before; give what entered each, (T, B, n).

        Of those without states that is all; the others are then run on it as they are elsewhere.
        """
        import torch

        stepped: dict[str, SteppedModule] = {}
        for module in part:
            if isinstance(module, Recurrent):
                self._begin(module, resolver)
                stepped[module.key] = self._step_by_step(module)

        def called_at(module: NetworkModule, t: int, x: Tensor) -> Tensor:
            if isinstance(module, Recurrent):
                return stepped[module.key].step(t, x)
            masks = {mask.key: self._done.masks[mask.key][t : t + 1] for mask in module.masks}
            return self._gave_of(module, x[None], resolver, masks)[0]

        read, gave = go_round(resolver, part, called_at)
        for module in part:
            if not isinstance(module, Recurrent):
                whole = torch.stack(gave[module.key])
                self._read[module.key] = array(torch.stack(read[module.key]))
                self._gave[module.key] = array(whole)
                if isinstance(module, Attention):
                    self._look(module, torch.stack(read[module.key]), resolver)
                resolver.gave(module, whole)
        return {key: torch.stack(each) for key, each in read.items()}

    def _step_by_step(self, module: Recurrent) -> SteppedModule:
        """A recurrent module, to be stepped."""
        fed = self._scenario.fed(module, self._batch)
        keys = keys_of(self._done.blocks, module)
        of_block = cell_stepper if fed.num_steps > MANY else module_stepper
        return SteppedModule(
            module,
            [of_block(self._scenario, self._done.by_key[key], self._parameters) for key in keys],
            tuple(tensor(state) for state in self._first[module.key].values()),
            living_rows(fed),
            (fed.num_steps, fed.num_rows),
            self._done.masks,
        )

    def _of_recurrent(self, recurrent: Recurrent, x: Tensor) -> tuple[ModuleResult, Array]:
        """What a recurrent module gives, and its output time-major."""
        states = self._stepped(recurrent, x)
        if recurrent.is_own or recurrent.is_cell:
            result, time_major = self._of_steps(recurrent, states)
            if recurrent.is_own or recurrent.has_resets:  # torch has no such module over time
                return result, time_major
            whole = self._whole_of_cell(recurrent, x)
            shown = from_torch_shape(self._scenario, whole.output)
            return replace(result, layers=(shown,), whole=whole), time_major
        result, layers = self._of_module(recurrent, x)
        return replace(result, layers=layers), layers[-1]

    def _ends(self, recurrent: Recurrent, result: ModuleResult) -> tuple[Tensor, ...]:
        """The final states as the module gave them, (L·D, B, n)."""
        every = [end for end in (result.h_n, result.c_n) if end is not None]
        return tuple(tensor(states_by_block(self._scenario, recurrent, end)) for end in every)

    def _applied(self, module: NetworkModule, x: Tensor, resolver: Resolver) -> Tensor:
        """What a module without states gives; of one that drops elements with our mask."""
        if not isinstance(module, Embedding):
            self._read[module.key] = array(x)
        if isinstance(module, Attention):
            self._look(module, x, resolver)
        x = self._gave_of(module, x, resolver, self._done.masks)
        self._gave[module.key] = array(x)
        return x

    def _look(self, module: Attention, query: Tensor, resolver: Resolver) -> None:
        """Keep what attention looks at, and the values in it; behind the last step there are zeros, as in the engine's."""
        import torch

        whole = resolver.looked_at(module)
        self._read_whole[module.key] = {name: array(value) for name, value in whole.items()}
        live, more = resolver.live(module), resolver.most_steps(module) - len(whole["memory"])
        if more:
            rows = whole["memory"].shape[1]
            live = torch.ones(rows, len(whole["memory"]), dtype=torch.bool) if live is None else live
            live = torch.cat([live, live.new_zeros(rows, more)], -1)
            whole = {
                name: torch.cat([value, value.new_zeros(more, *value.shape[1:])])
                for name, value in whole.items()
            }
        lines = attended_lines(module, self._parameters, query, whole, live)
        self._inside[module.key] = {
            name: array(value) for name, value in lines.items() if name != module.gives
        }

    def _gave_of(
        self, module: NetworkModule, x: Tensor, resolver: Resolver, masks: Mapping[str, Array]
    ) -> Tensor:
        """What a module without states gives on (T, B, n), or (B, n)."""
        if isinstance(module, Attention):
            return attended(module, self._parameters, x, resolver.looked_at(module), resolver.live(module))
        if module.masks:
            return tensor(masks[module.key]) * x
        return plain_module(module, self._parameters)(x) if module.torch else added(module, x)

    def _first_of(self, key: str) -> dict[str, Array]:
        """A block's states before its first step, (B, n)."""
        recurrent = self._scenario.recurrent_of(self._done.by_key[key])
        number = keys_of(self._done.blocks, recurrent).index(key)  # as h_0 has them
        return {name: state[number] for name, state in self._first[recurrent.key].items()}

    def _stepped(self, recurrent: Recurrent, x: Tensor) -> dict[str, dict[str, Array]]:
        """Step every block of a module on torch's own chain, and keep what entered each; give each state after every step."""
        blocks = self._done.blocks
        found: dict[str, dict[str, Array]] = {}
        sequence = self._scenario.sequence_of[recurrent.key]
        is_long = self._batch.sequences[sequence].num_steps > MANY
        of_block = cell_stepper if is_long else module_stepper
        output = next(iter(recurrent.cell.states))
        for layer in range(recurrent.num_layers):
            keys = keys_of(blocks, recurrent, layer)
            for key in keys:
                block = self._done.by_key[key]
                first = tuple(tensor(state) for state in self._first_of(key).values())
                step = of_block(self._scenario, block, self._parameters)
                living, is_reversed = self._living[sequence], block.direction == "backward"
                keep = kept_rows(recurrent, self._batch)
                run = walk(step, x, first, living, is_reversed=is_reversed, keep=keep)
                self._x[key] = array(x)
                found[key] = {name: array(run.whole(k)) for k, name in enumerate(block.program.states)}
            x = self._dropped(
                recurrent, layer, tensor(joined(keys, {key: found[key][output] for key in keys}))
            )
        self._states |= found
        return found

    def _dropped(self, recurrent: Recurrent, layer: int, x: Tensor) -> Tensor:
        above = recurrent.above(layer)
        mask = None if above is None else self._done.masks[above.key]
        return x if mask is None else tensor(mask) * x

    def _sequence_of(self, key: str) -> str:
        """The sequence whose steps a block with states runs along."""
        return self._scenario.sequence_of[self._done.by_key[key].module]

    def _inner(self, key: str, x: Array, states: dict[str, Array]) -> dict[str, Array]:
        block = self._done.by_key[key]
        first = self._first_of(key)
        living = self._living[self._sequence_of(key)]
        keep = kept_rows(self._scenario.recurrent_of(block), self._batch)
        return inner_values(self._scenario, block, x, states, first, living, self._most, keep)

    # ── whole modules ────────────────────────────────────────────────────────────────

    def _of_steps(
        self, recurrent: Recurrent, states: dict[str, dict[str, Array]]
    ) -> tuple[ModuleResult, Array]:
        """The results of loops over a cell: the last layer's h stacked, the last states of all."""
        names = list(recurrent.cell.states)
        ends = [
            state_as_torch_shows(
                self._scenario,
                recurrent,
                np.stack([self._final(key, kept[name]) for key, kept in states.items()]),
            )
            for name in names[:2]
        ]
        last = keys_of(self._done.blocks, recurrent, recurrent.num_layers - 1)
        output = joined(last, {key: kept[names[0]] for key, kept in states.items()})
        result = ModuleResult(
            as_torch_shows(self._scenario, output), ends[0], ends[1] if len(ends) > 1 else None
        )
        return result, output

    def _final(self, key: str, states: Array) -> Array:
        is_reversed = self._done.by_key[key].direction == "backward"
        return final_states(states, self._living[self._sequence_of(key)], is_reversed=is_reversed)

    def _of_module(self, recurrent: Recurrent, x: Tensor) -> tuple[ModuleResult, tuple[Array, ...]]:
        """The results of the fused module; with dropout in train mode, of single layers with our masks between.

        The lower layers' outputs, which the fused module does not return, are those of single layers.
        """
        if recurrent.has_masks:
            result, layers = self._chained(recurrent, x, recurrent.num_layers)
        else:
            shown = tensor(as_torch_shows(self._scenario, array(x)))
            module = whole_module(recurrent, self._parameters)
            initials = self._shown_initial(recurrent)
            result = self._fused(recurrent, module, shown, initials)
            layers = [from_torch_shape(self._scenario, result.output)]
            if recurrent.num_layers > 1:
                layers = self._chained(recurrent, x, recurrent.num_layers - 1)[1] + layers
        return result, tuple(layers)

    def _chained(self, recurrent: Recurrent, x: Tensor, num_layers: int) -> tuple[ModuleResult, list[Array]]:
        scenario = self._scenario
        ends: list[tuple[Array, ...]] = []
        layers: list[Array] = []
        for layer in range(num_layers):
            part = of_layer(recurrent, layer)
            initials = tuple(tensor(state[part]) for state in self._first[recurrent.key].values())
            module = layer_module(recurrent, layer, self._parameters)
            output, states = self._call(recurrent, module, x, initials, batch_first=False)
            ends.append(tuple(array(state) for state in states))
            layers.append(array(output))
            x = self._dropped(recurrent, layer, output)
        states_n = [
            state_as_torch_shows(scenario, recurrent, np.concatenate(parts))
            for parts in zip(*ends, strict=True)
        ]
        shown = as_torch_shows(scenario, layers[-1])
        return ModuleResult(shown, states_n[0], states_n[1] if len(states_n) > 1 else None), layers

    def _fused(
        self, recurrent: Recurrent, module: Module, x: Tensor, initials: tuple[Tensor, ...]
    ) -> ModuleResult:
        output, states = self._call(recurrent, module, x, initials, batch_first=recurrent.batch_first)
        shown = [array(state) for state in states]
        return ModuleResult(array(output), shown[0], shown[1] if len(shown) > 1 else None)

    def _call(
        self,
        recurrent: Recurrent,
        module: Module,
        x: Tensor,
        initials: tuple[Tensor, ...],
        *,
        batch_first: bool,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Call a module as a user would: packed if its sequence is; h_0 (and c_0) always given."""
        fed = self._scenario.fed(recurrent, self._batch)
        return called(
            module, x, initials, fed.packed_lengths, batch_first=batch_first, num_steps=fed.num_steps
        )

    def _shown_initial(self, recurrent: Recurrent) -> tuple[Tensor, ...]:
        """h_0 (and c_0) of all blocks, (D·L, B, n), without B when unbatched."""
        is_batched = self._scenario.is_batched
        return tuple(
            tensor(state if is_batched else state[:, 0]) for state in self._first[recurrent.key].values()
        )

    def _whole_of_cell(self, recurrent: Recurrent, x: Tensor) -> ModuleResult:
        """A cell's whole module, always time-major; its final states laid out as the cell's."""
        scenario = self._scenario
        x = x if scenario.is_batched else x[:, 0]
        module = whole_module(recurrent, self._parameters)
        output, states = self._call(recurrent, module, x, self._shown_initial(recurrent), batch_first=False)
        ends = [array(state)[0] for state in states]
        shown = array(output)
        if scenario.is_batched and recurrent.batch_first:
            shown = np.swapaxes(shown, 0, 1)
        return ModuleResult(shown, ends[0], ends[1] if len(ends) > 1 else None)

    # ── scores ───────────────────────────────────────────────────────────────────────

    def _loss(self, scores: Array) -> tuple[Array | None, dict[str, Array]]:
        """torch.nn's own loss on (T, B, C) or (B, C), and its lines; nothing where there is no target."""
        run = self._done.loss_run
        if run is None:
            return None, {}
        loss = array(loss_of(self._scenario, self._batch, tensor(scores))).reshape(1)
        return loss, loss_values(run.blocks, of_loss(self._done, scores))

    def _shown_logits(self, logits: Array) -> Array:
        if self._scenario.reads_final_state:
            return logits if self._scenario.is_batched else logits[0]
        return as_torch_shows(self._scenario, logits)
