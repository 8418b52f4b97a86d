"""The call of modules that read others by name, each when all that it reads is there."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.modules.attention import Attention
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import ValueOf, Wiring, is_once
from rnnstep.program.attention import live
from rnnstep.program.circle import (
    before_line,
    before_name,
    circle_lines,
    circle_of,
    first_line,
    is_read_before,
)
from rnnstep.program.forward import applied, chain_lines, ends, generator_line, ran
from rnnstep.program.own_cell import module_name
from rnnstep.program.source import ProgramSource, along


def forward_lines(source: ProgramSource, *, first: bool = False, has_loss: bool = False) -> Iterator[str]:
    """Give the lines from what is given to `output`, `h_n`, `c_n` and `logits`; arguments as of `chain_lines`."""
    if not source.is_wired:
        yield from chain_lines(source, first=first, has_loss=has_loss)
        return
    if source.has_mask_modules:
        yield from generator_line(source)
    for part, is_circle in called_together(source):
        recurrent = [one for one in part if isinstance(one, Recurrent)]
        own = [
            ProgramSource(source.scenario, source.language, one, firsts=_Module(source, one).firsts())
            for one in recurrent
        ]
        yield from (line for one in own if (line := first_line(one)) is not None)
        if is_circle:
            yield from circle_lines(source, part, _Module)
        else:
            yield from _Module(source, part[0]).lines(first=first)
        yield from (before_line(one) for one in own if is_read_before(one))


def called_together(source: ProgramSource) -> Iterator[tuple[list[NetworkModule], bool]]:
    """Give the modules in the order in which they are called: each alone, or those of a circle together, and whether it is one."""
    wiring, waiting = source.scenario.wiring, list(source.scenario.layers)
    circles = {module.key: circle_of(source, module.key) for module in waiting}
    known: set[str] = set()
    while waiting:
        ready = next(one for one in waiting if _is_ready(source, {one.key, *circles[one.key]}, known))
        part = [one for one in waiting if one.key in (ready.key, *circles[ready.key])]
        waiting = [one for one in waiting if one not in part]
        known |= {one.key for one in part}
        yield list(_within_a_step(wiring, part)), bool(circles[ready.key])


def _is_ready(source: ProgramSource, keys: set[str], known: set[str]) -> bool:
    """Whether all is there that modules read of others."""
    wiring = source.scenario.wiring
    read = {one.name for key in keys for one in wiring[key].sources} - keys
    return all(name in known or name not in wiring for name in read)


def _within_a_step(wiring: Wiring, part: list[NetworkModule]) -> Iterator[NetworkModule]:
    """The modules of a circle, each behind those that it reads of the same step."""
    waiting = {one.key: one for one in part}
    while waiting:
        ready = next(
            key
            for key in waiting
            if not any(one.name in waiting and one.value != "h_prev" for one in wiring[key].sources)
        )
        yield waiting.pop(ready)


class _Module:
    """One module, and what the program calls that which it reads."""

    def __init__(self, source: ProgramSource, module: NetworkModule) -> None:
        self._source = source
        self._scenario = source.scenario
        self._module = module
        self._reads = source.scenario.wiring[module.key]

    def lines(self, *, first: bool = False) -> Iterator[str]:
        """What calls it; with `first` on states that the loop of a training has."""
        if isinstance(self._module, Embedding):
            sequence = self._reads.inputs[0].name
            given = along("x" if self._source.is_several else "indices", sequence)
            yield f"{self.name(self._module)} = {module_name(self._module.key)}({given})"
            return
        parts = self._parts()
        if not self._module.joins:
            yield f"{self.name(self._module)} = {' + '.join(parts)}"
            return
        entering = parts[0] if len(parts) == 1 else f"torch.cat([{', '.join(parts)}], dim=-1)"
        if isinstance(self._module, Recurrent):
            name = parts[0] if entering.isidentifier() else f"{module_name(self._module.key)}_x"
            if name != entering:
                yield f"{name} = {entering}"
            own = ProgramSource(self._scenario, self._source.language, self._module, name, self.firsts())
            yield from ran(own, first=first)
            return
        if isinstance(self._module, Attention):
            is_single = is_once(self._module.key, self._scenario.wiring)
            attended = self.attended(self._module, entering, is_single=is_single)
            yield f"{self.name(self._module)} = {attended}"
            return
        has_steps = not is_once(self._module.key, self._scenario.wiring)
        name = self.name(self._module)
        yield from applied(self._source, self._module, entering, name, has_steps=has_steps)

    def firsts(self) -> dict[str, str]:
        """First states that other modules give, "h" → the expression."""
        return {state: self._first(one) for state, one in self._reads.states.items()}

    def attended(self, module: Attention, query: str, *, is_single: bool) -> str:
        """The call of attention, which takes rows first; a query that belongs to no step is one step of it."""
        is_batched = self._scenario.is_batched
        turned = ".transpose(0, 1)" if is_batched and not self._source.scenario.batch_first else ""
        banks = [self.value(one) for one in self._reads.banks]
        into, out = ("[:, None]", "[:, 0]") if is_batched else ("[None]", "[0]")
        asked = f"{query}{into if is_single else turned}"
        alive = live(self._source, module, banks[0])
        given = [asked, *(f"{one}{turned}" for one in banks), *([f"live={alive}"] if alive else [])]
        return f"{module_name(module.key)}({', '.join(given)}){out if is_single else turned}"

    def _parts(self) -> list[str]:
        """What it reads, one by one; what belongs to no step is repeated where the others have steps."""
        wiring = self._scenario.wiring
        stepped = [one for one in self._reads.inputs if not self._is_once(one)]
        if not stepped or is_once(self._module.key, wiring):
            return [self.value(one) for one in self._reads.inputs]
        like = self.value(stepped[0])
        return [
            self._repeated(self.value(one), like) if self._is_once(one) else self.value(one)
            for one in self._reads.inputs
        ]

    def _is_once(self, one: ValueOf) -> bool:
        return one.value not in ("output", "h_prev") or is_once(one.name, self._scenario.wiring)

    def _repeated(self, value: str, like: str) -> str:
        if not self._scenario.is_batched:
            return f"{value}.expand(len({like}), -1)"
        if self._source.scenario.batch_first:
            return f"{value}[:, None].expand(-1, {like}.shape[1], -1)"
        return f"{value}.expand(len({like}), -1, -1)"

    def value(self, one: ValueOf) -> str:
        """What the program calls a value of another module, or a sequence."""
        module = self._scenario.by_key.get(one.name)
        if module is None:
            return along("x", one.name)
        name = self.name(module)
        if one.value == "output":
            return name
        if one.value == "last":
            if is_once(one.name, self._scenario.wiring):
                return name
            has_rows_first = self._scenario.is_batched and self._source.scenario.batch_first
            return f"{name}[:, -1]" if has_rows_first else f"{name}[-1]"
        assert isinstance(module, Recurrent)
        if one.value == "h_prev":
            return before_name(ProgramSource(self._scenario, self._source.language, module))
        end = self._end(module, one)
        if module.is_cell:
            return end
        return f"torch.cat([{end}[-2], {end}[-1]], dim=-1)" if module.bidirectional else f"{end}[-1]"

    def _end(self, module: Recurrent, one: ValueOf) -> str:
        own = ProgramSource(self._scenario, self._source.language, module)
        return ends(own)[one.value == "c_n"]

    def _first(self, one: ValueOf) -> str:
        """A first state in the shape that the module takes: whole, or what is there once a row as that of its only layer."""
        own, module = self._module, self._scenario.by_key[one.name]
        assert isinstance(own, Recurrent)
        is_whole = isinstance(module, Recurrent) and one.value in ("h_n", "c_n")
        if is_whole and isinstance(module, Recurrent) and module.num_states == own.num_states:
            end = self._end(module, one)
            if module.is_cell == own.is_cell:
                return end
            return f"{end}[None]" if module.is_cell else f"{end}[0]"
        value = self.value(one)
        return value if own.is_cell else f"{value}[None]"

    def name(self, module: NetworkModule) -> str:
        """What the program calls what a module gives."""
        if isinstance(module, Recurrent):
            return ProgramSource(self._scenario, self._source.language, module).output
        if module is self._scenario.scored_module:
            return "logits"
        return f"{module_name(module.key.replace('.', '_'))}_out"
