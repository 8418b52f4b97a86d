"""Modules that read one another of the step before, as a program: a loop over the steps, in which each is called on one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from rnnstep.modules.attention import Attention
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import ValueOf, is_once
from rnnstep.program.fed import FedLines
from rnnstep.program.forward import called, ends, first_state_of, passed
from rnnstep.program.literals import tensor
from rnnstep.program.own_cell import module_name, variable
from rnnstep.program.source import ProgramSource, along, indented


class Naming(Protocol):
    """What a program calls that which a module reads outside of a circle."""

    def value(self, one: ValueOf) -> str:
        """A value of another module, or a sequence."""

    def firsts(self) -> dict[str, str]:
        """First states that other modules give, "h" → the expression."""

    def name(self, module: NetworkModule) -> str:
        """What a module gives."""

    def attended(self, module: Attention, query: str, *, is_single: bool) -> str:
        """The call of attention."""


Namings = Callable[[ProgramSource, NetworkModule], Naming]


def circle_of(source: ProgramSource, key: str) -> set[str]:
    """The keys of the modules that read one of the step before, by whichever way, and that it reads; none of most."""
    below = _stands_on(source, key)
    return {one for one in below if key in _stands_on(source, one)}


def _stands_on(source: ProgramSource, key: str) -> set[str]:
    wiring, feeds = source.scenario.wiring, source.scenario.feeds
    found, waiting = set[str](), [key]
    while waiting:
        read = {one.name for one in wiring[waiting.pop()].sources}
        fed = {feeds[name].layer for name in read if name in feeds}
        new = {name for name in read if name in wiring} | fed
        waiting += new - found
        found |= new
    return found


def first_line(source: ProgramSource) -> str | None:
    """Give the line that keeps a module's first h for those that read it of the step before; None where none does so outside of its circle."""
    if not is_read_before(source):
        return None
    before = first_state_of(source, next(iter(source.cell.states)))
    return f"{_first_name(source)} = {before if source.recurrent.is_cell else f'{before}[-1]'}"


def is_read_before(source: ProgramSource) -> bool:
    """Whether a module outside of a recurrent module's circle reads its h of the step before."""
    key = source.recurrent.key
    around = circle_of(source, key)
    wiring = source.scenario.wiring
    return any(
        one.name == key and one.value == "h_prev"
        for reader, reads in wiring.items()
        if reader not in around
        for one in reads.sources
    )


def before_line(source: ProgramSource) -> str:
    """Give the line that makes of what a module gave what it gave at the step before."""
    first, output, scenario = _first_name(source), source.output, source.scenario
    if scenario.is_batched and scenario.batch_first:
        return f"{before_name(source)} = torch.cat([{first}[:, None], {output}[:, :-1]], dim=1)"
    return f"{before_name(source)} = torch.cat([{first}[None], {output}[:-1]])"


def before_name(source: ProgramSource) -> str:
    """What the program calls what a module gave at the step before, of all steps."""
    return f"{source.module}_before"


def _first_name(source: ProgramSource) -> str:
    return f"{source.module}_first"


def circle_lines(source: ProgramSource, modules: Sequence[NetworkModule], naming: Namings) -> Iterator[str]:
    """Give the loop over the steps of a circle.

    Args:
        source: the scenario.
        modules: of the circle, in the order of computation within a step.
        naming: what a module's readers call what is outside.
    """
    yield from _Circle(source, modules, naming).lines()


class _Circle:
    def __init__(self, source: ProgramSource, modules: Sequence[NetworkModule], naming: Namings) -> None:
        self._source, self._scenario = source, source.scenario
        self._modules = list(modules)
        self._keys = [one.key for one in modules]
        self._naming = {one.key: naming(source, one) for one in modules}
        self._own = {
            one.key: ProgramSource(
                self._scenario, source.language, one, firsts=self._naming[one.key].firsts()
            )
            for one in modules
            if isinstance(one, Recurrent)
        }
        self._is_packed = any(own.is_packed for own in self._own.values())
        self._fed = {
            name: FedLines(source, name)
            for name, feed in source.scenario.feeds.items()
            if feed.layer in self._keys
        }

    def lines(self) -> Iterator[str]:
        for own in self._own.values():
            for name in own.cell.states:
                yield f"{_state(own, name)} = {first_state_of(own, name)}"
            if self._has_output(own):
                yield f"{_output_t(own)} = {self._h(own)}"
        for fed in self._fed.values():
            yield from fed.begin()
        yield from (self._mask_line(one) for one in self._modules if one.masks)
        kept = [one for one in self._modules if self._is_kept(one)]
        for module in kept:
            yield f"{self._list(module)} = []"
        yield f"for t in range({self._num_steps()}):"
        yield from indented(self._step())
        for module in kept:
            axis = ", dim=1" if self._scenario.is_batched and self._scenario.batch_first else ""
            yield f"{self._naming[module.key].name(module)} = torch.stack({self._list(module)}{axis})"
        for fed in self._fed.values():
            yield from fed.end()
        for own in self._own.values():
            for end, name in zip(ends(own), own.cell.states, strict=False):
                yield f"{end} = {_state(own, name)}"

    def _mask_line(self, module: NetworkModule) -> str:
        """The line that draws a module's mask of all steps, as the engine does, or writes out the one that is given."""
        (mask,) = module.masks
        given, name = self._source.batch.masks, f"{self._list(module).removesuffix('_outs')}_masks"
        if given is not None:
            return f"{name} = {tensor(given[mask.key])}"
        rows = self._source.rows if self._scenario.is_batched else "1"
        shape = f"({self._num_steps()}, {rows}, {mask.features})"
        if mask.p >= 1:
            return f"{name} = torch.zeros({shape}, dtype={self._source.dtype})"
        drawn = f"(generator.random({shape}) >= {mask.p!r}) / (1 - {mask.p!r})"
        return f"{name} = torch.from_numpy({drawn}).to({self._source.dtype})"

    def _num_steps(self) -> str:
        """How many steps there are: as many as what is read from outside has."""
        is_first = self._scenario.is_batched and self._scenario.batch_first
        for module in self._modules:
            for one in self._scenario.wiring[module.key].inputs:
                if self._has_steps(one) and one.name not in (*self._keys, *self._fed):
                    whole = self._naming[module.key].value(one)
                    return f"{whole}.shape[1]" if is_first else f"len({whole})"
        sequence = self._scenario.sequence_of[self._keys[0]]
        if not self._source.is_several:
            return str(self._source.batch.sequences[sequence].num_steps)
        return f"{along('x', sequence)}.shape[{int(is_first)}]"

    def _has_steps(self, one: ValueOf) -> bool:
        return one.value in ("output", "h_prev") and not is_once(one.name, self._scenario.wiring)

    # ── within a step ────────────────────────────────────────────────────────────────

    def _step(self) -> Iterator[str]:
        for fed in self._fed.values():
            yield from (*fed.alive(), *fed.taught())
        if self._is_packed and not any(fed.ends for fed in self._fed.values()):
            own = next(iter(self._own.values()))
            yield f"is_alive = (t < {own.lengths})[:, None]"
        for own in self._own.values():
            if self._is_asked_late(own):
                yield f"{_before(own)} = {_output_t(own) if self._is_packed else self._h(own)}"
        for module in self._modules:
            parts = [self._read(module, one) for one in self._scenario.wiring[module.key].inputs]
            if isinstance(module, Recurrent):
                yield from self._called(self._own[module.key], _joined(parts))
            elif isinstance(module, Attention):
                attended = self._naming[module.key].attended(module, _joined(parts), is_single=True)
                yield f"{self._t(module)} = {attended}"
            elif not module.joins:
                yield f"{self._t(module)} = {' + '.join(parts)}"
            elif module.masks:
                masks = f"{self._list(module).removesuffix('_outs')}_masks"
                masked = f"{masks}[t]" if self._scenario.is_batched else f"{masks}[t, 0]"
                yield f"{self._t(module)} = {masked} * {_joined(parts)}"
            else:
                yield f"{self._t(module)} = {called(self._source, module, _joined(parts), has_steps=False)}"
            if self._is_kept(module):
                yield f"{self._list(module)}.append({self._t(module)})"
        for name, fed in self._fed.items():
            yield from fed.said(self._t(self._scenario.by_key[self._scenario.feeds[name].layer]))

    def _called(self, own: ProgramSource, x: str) -> Iterator[str]:
        """The call of a recurrent module on one step."""
        names = [_state(own, name) for name in own.cell.states]
        given = [f"{name}_new" for name in names] if self._is_packed else names
        if own.recurrent.is_own:
            call = f"{own.function}({x}, {', '.join(names)}, **{own.own('parameters')})"
            yield f"{', '.join(given)} = {call}"
        elif own.recurrent.is_cell:
            yield f"{', '.join(given)} = {own.module}({x}, {passed(names)})"
        else:
            axis = (
                "[:, None]" if self._scenario.is_batched and self._scenario.batch_first else "[None]"
            )  # a sequence of one step
            yield f"_, {passed(given)} = {own.module}({x}{axis}, {passed(names)})"
        if not self._is_packed:
            return
        for name, new in zip(names, given, strict=True):
            yield f"{name} = torch.where(is_alive, {new}, {name})"
        yield f"{_output_t(own)} = torch.where(is_alive, {self._h(own)}, 0)"

    def _read(self, module: NetworkModule, one: ValueOf) -> str:
        """What a module reads at a step."""
        if one.name in self._fed:
            fed = self._fed[one.name]
            return fed.name if isinstance(module, Embedding) else fed.vector
        if one.name not in self._keys:
            whole = self._naming[module.key].value(one)
            if not self._has_steps(one):
                return whole
            is_first = self._scenario.is_batched and self._scenario.batch_first
            return f"{whole}[:, t]" if is_first else f"{whole}[t]"
        source = self._scenario.by_key[one.name]
        if one.value != "h_prev":
            return self._t(source)
        own = self._own[one.name]
        if self._is_asked_late(own):
            return _before(own)
        return _output_t(own) if self._is_packed else self._h(own)

    def _t(self, module: NetworkModule) -> str:
        """What the program calls what a module gives at a step."""
        if isinstance(module, Recurrent):
            own = self._own[module.key]
            return _output_t(own) if self._is_packed else self._h(own)
        return f"{module_name(module.key.replace('.', '_'))}_t"

    @staticmethod
    def _h(own: ProgramSource) -> str:
        """The last layer's h."""
        name = _state(own, next(iter(own.cell.states)))
        return name if own.recurrent.is_cell else f"{name}[-1]"

    def _has_output(self, own: ProgramSource) -> bool:
        """Whether what a module gives is another thing than its state, and is read of the step before: zeros where a row is over."""
        return self._is_packed and any(
            one == ValueOf(own.recurrent.key, "h_prev")
            for key in self._keys
            for one in self._scenario.wiring[key].inputs
        )

    def _is_asked_late(self, own: ProgramSource) -> bool:
        """Whether a module's h of the step before is read when its own step is done."""
        key = own.recurrent.key
        late = self._keys[self._keys.index(key) + 1 :]
        return any(
            one == ValueOf(key, "h_prev") for reader in late for one in self._scenario.wiring[reader].inputs
        )

    # ── what goes on from there ──────────────────────────────────────────────────────

    def _is_kept(self, module: NetworkModule) -> bool:
        """Whether what a module gives at each step is read outside, or printed."""
        is_last = module in (self._scenario.scored_module, *self._scenario.recurrents[-1:])
        readers = (reads for key, reads in self._scenario.wiring.items() if key not in self._keys)
        return is_last or any(
            one.name == module.key and one.value in ("output", "last", "h_prev")
            for reads in readers
            for one in reads.sources
        )

    def _list(self, module: NetworkModule) -> str:
        return f"{module_name(module.key.replace('.', '_')) if module.key else 'rnn'}_outs"


def _state(own: ProgramSource, name: str) -> str:
    return f"{own.module}_{variable(name)}"


def _output_t(own: ProgramSource) -> str:
    return f"{own.module}_t"


def _before(own: ProgramSource) -> str:
    return f"{own.module}_prev"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"torch.cat([{', '.join(parts)}], dim=-1)"
