"""A scenario's model as blocks, in order of computation, and the wires between them.

    embedding ─ L0 (L0→ and L0←, then join) ─ dropout ─ L1 … ─ linear ─ loss ─ total

The recurrent blocks carry states from step to step; the others act on each step alone.
All of them are equations, so whatever reads equations reads every block. Each module makes its own. The last two are
of a batch with a target alone, and made in `loss`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rnnstep.equations.operations import Array
from rnnstep.modules.module import Banks, NetworkModule, Standing
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.blocks import Block, Extent, output_of
from rnnstep.network.description import ValueOf, in_order, is_once, readers, sequence_read, with_feeds
from rnnstep.network.wires import When, Wire, Wires, data
from rnnstep.scenario.model import Scenario


def build(scenario: Scenario) -> tuple[Block, ...]:
    """Make the blocks of a scenario whose parameters are all there, each with the wires of what it reads."""
    return _Builder(scenario).blocks()


def scored_block(scenario: Scenario, blocks: Sequence[Block]) -> Block:
    """Give the block whose output is compared with what is wanted, or would be: the last one of the module."""
    return last_block_of(blocks, scenario.scored_module.key)


def last_block_of(blocks: Sequence[Block], module: str) -> Block:
    """Give the block of a module, by the module's key, whose output is what the module gives."""
    of_modules = [block for block in blocks if block.kind not in ("loss", "total")]
    return next(block for block in reversed(of_modules) if block.module == module)


class _Builder:
    """The blocks of a scenario, module after module."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._wiring = scenario.wiring
        self._made: dict[str, list[Block]] = {}  # of each module

    def blocks(self) -> tuple[Block, ...]:
        """All blocks, each behind those that it reads."""
        for name in in_order(with_feeds(self._wiring, self._scenario.wired_feeds)):
            self._made[name] = self._of(name)
        return tuple(block for made in self._made.values() for block in made)

    def _of(self, name: str) -> list[Block]:
        module, sources = self._scenario.by_key[name], self._wiring[name].inputs
        extent = Extent.FINAL if is_once(name, self._wiring) else Extent.LIVE
        entering = tuple(wire for one in sources for wire in self._brought(one, extent))
        layers = [self._made[one.name][-1].layer for one in sources if one.name in self._made]
        standing = Standing(
            entering,
            max(layers, default=0),
            self._scenario.has_loss,
            self._read_as(sources),
            self._given_as(name, module),
            self._everything(name, entering) if module.reads_batch else self._banks(name),
        )
        made = [_with_ties(one, module) for one in module.blocks(self._given_to(module), standing)]
        read, sequence = sequence_read(name, self._wiring), self._scenario.sequence_of[name]
        made = [
            replace(
                one, module=module.key, extent=one.extent if one.extent.is_single else extent, sequence=read
            )
            for one in made
        ]
        if read != sequence:
            made[-1] = replace(made[-1], sequence=sequence, reads_along=read)
        return self._with_first_states(name, made)

    def _given_to(self, module: NetworkModule) -> Mapping[str, Array]:
        """All parameters, those that are other modules' under the module's own names, too."""
        parameters = self._scenario.parameters
        return (
            {**parameters, **{own: parameters[other] for own, other in module.tied}}
            if module.tied
            else parameters
        )

    def _with_first_states(self, name: str, made: list[Block]) -> list[Block]:
        """A module's blocks with the wires that bring their states before the first step."""
        states = self._wiring[name].states
        if not states:
            return made
        own = [block for block in made if block.program.states]
        found = {
            block.key: replace(
                block,
                wires={
                    **block.wires,
                    **{f"{state}_0": self._first(one, position, len(own)) for state, one in states.items()},
                },
            )
            for position, block in enumerate(own)
        }
        return [found.get(block.key, block) for block in made]

    def _first(self, source: ValueOf, position: int, count: int) -> Wires:
        """The wires of one block's first state: of the block at the same place in a module of as many, else of its end."""
        whole = [block for block in self._made[source.name] if block.program.states]
        if source.value not in ("h_n", "c_n") or len(whole) != count:
            return self._brought(source, Extent.FINAL)
        block = whole[position]
        return (Wire(block.key, list(block.program.states)[source.value == "c_n"], When.LAST),)

    def _brought(self, source: ValueOf, extent: Extent) -> Wires:
        """The wires of what a module reads; what belongs to no step is the same at every step that reads it."""
        if source.name in self._scenario.wired_feeds:
            wire = self._fed_back(self._scenario.wired_feeds[source.name])
            return (replace(wire, taught=self._scenario.feeds[source.name].taught),)
        if source.value == "h_prev":
            return (self._fed_back(source.name),)
        if source.name not in self._made:
            return data("x")
        made = self._made[source.name]
        match source.value:
            case "c_n":
                return self._second_states(made)
            case "h_n":
                return (Wire(made[-1].key, made[-1].output, When.LAST),)
            case "last" if made[-1].extent is not Extent.FINAL:
                return (Wire(made[-1].key, made[-1].output, When.END),)
        if made[-1].extent is Extent.FINAL and extent is not Extent.FINAL:
            return (Wire(made[-1].key, made[-1].output, When.LAST),)
        return output_of(made[-1])

    def _fed_back(self, name: str) -> Wire:
        """The wire of what a module gave at the step before; in a loop it is not made yet."""
        module = self._scenario.by_key[name]
        if isinstance(module, Recurrent):
            key = f"{module.before_places}L{module.num_layers - 1}"
            return Wire(key, next(iter(module.cell.states)), When.BEFORE)
        return Wire(module.key, self._given_as(name, module), When.BEFORE)

    def _everything(self, name: str, entering: Wires) -> Banks:
        """All that a module reads, of all steps and rows of a batch."""
        scenario, sequence = self._scenario, sequence_read(name, self._wiring)
        is_single = is_once(name, self._wiring)
        batches = (*scenario.batches, *scenario.test_batches)
        counts = {
            (1 if is_single else batch.sequences[sequence].num_steps) * batch.num_rows for batch in batches
        }
        wires = tuple(replace(wire, when=When.ALL) if wire.when is When.SAME else wire for wire in entering)
        return Banks((wires,), max(counts), is_padded=len(counts) > 1)

    def _banks(self, name: str) -> Banks | None:
        """What a module reads whole; None of most."""
        read = self._wiring[name].banks
        if not read:
            return None
        made = [self._made[one.name][-1] for one in read]
        scenario, sequence = self._scenario, made[0].sequence
        return Banks(
            tuple((Wire(block.key, block.output, When.ALL),) for block in made),
            scenario.most_steps(sequence),
            is_padded=scenario.is_padded(sequence),
        )

    @staticmethod
    def _second_states(made: list[Block]) -> Wires:
        """The wires of c_n: of the last layer in each of its directions."""
        last = [block for block in made if block.program.states and block.layer == made[-1].layer]
        return tuple(Wire(block.key, list(block.program.states)[1], When.LAST) for block in last)

    def _read_as(self, sources: tuple[ValueOf, ...]) -> str:
        """What is called what a module reads: as it is called where it is made."""
        if len(sources) > 1:
            return "x"
        (source,) = sources
        if source.value != "output":
            return source.value
        module = self._scenario.by_key.get(source.name)
        return "input" if module is None else self._given_as(source.name, module)

    def _given_as(self, name: str, module: NetworkModule) -> str:
        """What is called what a module gives: "x" where a recurrent one reads nothing else, as it is called there.

        What reads several side by side reads an "x" itself.
        """
        if isinstance(module, Recurrent):
            return "output"
        if name == self._scenario.scored_module.key:
            return "logits"
        if module.gives:
            return module.gives
        found = readers(name, self._wiring)
        is_x = len(found) == 1 and isinstance(self._scenario.by_key[found[0]], Recurrent)
        is_alone = is_x and len(self._wiring[found[0]].inputs) == 1
        return "x" if is_alone and len(self._wiring[name].inputs) == 1 else f"{module.key}_out"


def _with_ties(block: Block, module: NetworkModule) -> Block:
    """A block that knows those of its parameters that are other modules' under their names."""
    if not module.tied:
        return block
    kept_in = {
        name: replace(where, torch=module.kept_as(where.torch)) for name, where in block.kept_in.items()
    }
    return replace(block, kept_in=kept_in)
