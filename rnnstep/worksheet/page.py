"""What all forms of a worksheet have in common: its words, its names with the time they are of, its numbers, its order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rnnstep.equations.syntax import Line, Name, names_in, rebuilt
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.linear import Linear
from rnnstep.network.blocks import Block
from rnnstep.network.description import INPUT
from rnnstep.network.wires import When, Wire
from rnnstep.worksheet.worksheet import Asked, GivenOnSheet, Worksheet, given_name


@dataclass(frozen=True, slots=True)
class NameAtTime:
    """A name at a time: `h` at "t-1", `W_ih` at none."""

    base: str
    index: str = ""


Label = tuple[str, NameAtTime]  # the block, "" where there is one, and the name


def named(block: Block, name: str) -> NameAtTime:
    """A name of a block's equations with its time: what parameters are does not change."""
    program = block.program
    if name in program.befores:
        state = tuple(program.states)[program.befores.index(name)]
        return NameAtTime(state, "t+1" if block.direction == "backward" else "t-1")
    if name in program.parameters or name in program.banks or block.extent.is_single:
        return NameAtTime(name)
    return NameAtTime(name, "t")


def plain(one: NameAtTime) -> str:
    """`h_t`, `h_{t-1}`, `W_ih`."""
    if not one.index:
        return one.base
    return f"{one.base}_{one.index}" if one.index.isalnum() else f"{one.base}_{{{one.index}}}"


def prefixed(label: Label) -> str:
    """`L1 h_2`."""
    return " ".join(part for part in (label[0], plain(label[1])) if part)


def renamed(line: Line, block: Block, write: str) -> Line:
    """A line whose names are spelt with their time, as `plain` or `symbol` writes them."""
    spell = plain if write == "plain" else symbol

    def spelt(name: str) -> str:
        return spell(named(block, name))

    expression = rebuilt(
        line.expression, lambda part: Name(spelt(part.id)) if isinstance(part, Name) else None
    )
    return Line(spelt(line.name), expression)


def symbol(one: NameAtTime) -> str:
    """A name as `latex_name` reads it: all behind the first `_` is below the line."""
    if one.index:
        return f"{one.base}{',' if '_' in one.base else '_'}{one.index}"
    if "_" in one.base:
        return one.base
    return (
        f"{one.base}_{{}}" if len(one.base) == 1 else f"{one.base}_{{\\,}}"
    )  # a word keeps off what follows


# ── the page ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class SheetOrigin:
    """Where a sheet comes from, so that its key can be made again.

    Attributes:
        scenario: as it is called on the command line.
        seed: of its weights; None for the scenario's own.
        is_friendly: whether the weights were searched.
    """

    scenario: str
    seed: int | None = None
    is_friendly: bool = False


@dataclass(frozen=True, slots=True)
class BlockGroup:
    """Blocks with the same equations.

    Attributes:
        blocks: one of them at least.
        lines: that the sheet needs, in order.
    """

    blocks: tuple[Block, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class SheetSection:
    """What is worked out together: a block at a step.

    Attributes:
        heading: in the sheet's language.
        worked: every value of it, in order.
        asked: those that are asked for.
    """

    heading: str
    worked: tuple[Asked, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class WireEquation:
    """What enters a block: an equation between blocks.

    Attributes:
        label: of what enters.
        parts: what it is, joined one behind the other; nothing where it is zeros: of a row that is over.
        has_mask: whether dropout's mask stands before them.
        note: what it is where it is none of that: of a window outside of the steps.
    """

    label: Label
    parts: tuple[Label, ...]
    has_mask: bool
    note: str = ""


class SheetPage:
    """A sheet, as it is written in one language."""

    def __init__(self, sheet: Worksheet, origin: SheetOrigin, language: str, *, with_key: bool) -> None:
        self.sheet = sheet
        self.origin = origin
        self.language = language
        self.with_key = with_key
        self.scenario = sheet.scenario
        self.by_key = sheet.done.by_key
        self.recurrent = [run.block for run in sheet.done.runs.values()]
        self.last = max(one.axis.last_step(sheet.row) for one in sheet.done.batch.sequences.values())

    def say(self, text: Text) -> str:
        """A text in the sheet's language."""
        return text.into(self.language)

    # ── words ────────────────────────────────────────────────────────────────────────

    @property
    def title(self) -> str:
        """Of the sheet."""
        title = printable(" ".join(self.scenario.title.into(self.language).split())) or self.scenario.name
        return self.say(Text("{title}: the key", title=title)) if self.with_key else title

    @property
    def for_the_writer(self) -> tuple[str, str]:
        """What the writer fills in."""
        return self.say(Text("Name:")), self.say(Text("Date:"))

    @property
    def origin_line(self) -> str:
        """What the key is made from."""
        seed = self.origin.seed
        if self.origin.is_friendly:
            weights = Text("friendly weights, seed {seed}", seed=seed)
        elif seed is not None:
            weights = Text("seed {seed}", seed=seed)
        else:
            weights = Text("the scenario's own weights")
        parts = [
            Text("scenario {name}", name=printable(self.origin.scenario)),
            Text("decimals {decimals}", decimals=self.sheet.decimals),
            weights,
        ]
        if len(self.sheet.steps) <= self.last:
            parts.append(Text("steps {steps}", steps=_ranges(self.sheet.steps)))
        return " · ".join(map(self.say, parts))

    @property
    def instructions(self) -> Iterator[str]:
        """What is to be done."""
        decimals = self.sheet.decimals
        if decimals:
            rounding = Text(
                "Round the result of every operation to {decimals} decimals (in a sum of products each product, too) and"
                " go on with the rounded number; a half is rounded away from zero.",
                decimals=decimals,
            )
        else:
            rounding = Text(
                "Round the result of every operation to a whole number (in a sum of products each product, too) and go"
                " on with the rounded number; a half is rounded away from zero."
            )
        yield self.say(rounding)
        yield self.say(Text("Steps count from 1, elements from 0; the weights are exactly those printed."))
        rows = self.sheet.done.batch.num_rows
        if rows > 1:
            yield self.say(
                Text("The sheet is about sequence {row} of a batch of {rows}.", row=self.sheet.row, rows=rows)
            )

    @property
    def told(self) -> list[str]:
        """How it is to be worked out, and what the key shows."""
        return [*self.instructions, *([self.of_the_key] if self.with_key else [])]

    @property
    def of_the_key(self) -> str:
        """What is said before the working."""
        return self.say(
            Text(
                "Products with a factor 0 may be left out; ≈ stands where rounding on the way has changed the last digit."
            )
        )

    def of_group(self, group: BlockGroup, spell: Callable[[NameAtTime], str] = plain) -> str:
        """What is said before equations: whose they are, and in which order; nothing where there is one block."""
        names = ", ".join(map(self.block_name, group.blocks))
        block = group.blocks[0]
        if block.direction == "backward":
            now = [named(block, name) for name in block.program.befores]
            return self.say(
                Text(
                    "{blocks} begins at step {last} and goes back to step 1: its {before} comes from the step after in"
                    " time, and at step {last} it is {first}.",
                    blocks=names,
                    last=self._last_of(block) + 1,
                    before=", ".join(map(spell, now)),
                    first=", ".join(spell(NameAtTime(state, "0")) for state in block.program.states),
                )
            )
        if self._is_of_two(block):
            return self.say(
                Text("{blocks} goes from step 1 to step {last}.", blocks=names, last=self._last_of(block) + 1)
            )
        return f"{names}:" if self.prefix(block) or self._owner(block) else ""

    def _last_of(self, block: Block) -> int:
        """The last step, from 0, that the sheet's row takes part in along a block's sequence."""
        return self.sheet.done.axis(block.key).last_step(self.sheet.row)

    # ── numbers and names ────────────────────────────────────────────────────────────

    def number(self, value: float) -> str:
        """A number with the sheet's decimals."""
        text = f"{value:.{self.sheet.decimals}f}"
        return text.removeprefix("-") if not text.strip("-0.") else text

    def mask(self, value: float) -> str:
        """An element of a dropout's mask, which is not rounded."""
        return f"{value:.10g}"

    def block_name(self, block: Block) -> str:
        """`L0`, of two directions `L0→` and `L0←`."""
        return f"{block.key}→" if self._is_of_two(block) and block.direction == "forward" else block.key

    def _is_of_two(self, block: Block) -> bool:
        """Whether a block is one of two directions."""
        return bool(block.program.states) and self.scenario.recurrent_of(block).bidirectional

    def prefix(self, block: Block) -> str:
        """What stands before a name that several blocks have."""
        is_told = len(self.recurrent) > 1 if block.kind == "recurrent" else self._is_one_of_alike(block)
        return self.block_name(block) if is_told else ""

    def _is_one_of_alike(self, block: Block) -> bool:
        """Whether what a block without states gives has the name of what another gives: two sums are both `added`."""
        alike = [one.key for one in self.by_key.values() if one.kind == "map" and one.output == block.output]
        return len(alike) > 1 and block.key in alike

    def _owner(self, block: Block) -> str:
        """What stands before a parameter's or a mask's name where several modules without states have some."""
        own = [
            one for one in self.by_key.values() if one.kind == "map" and (one.parameters or one.known_by_step)
        ]
        return block.key if len(own) > 1 and block in own else ""

    def label(self, one: Asked) -> Label:
        """The block, where there are several, and the name of what is worked out."""
        block = self.by_key[one.key]
        return self.prefix(block), NameAtTime(one.name, "" if block.extent.is_single else str(one.t + 1))

    def given_label(self, one: GivenOnSheet) -> Label:
        """The same of what is given."""
        if one.kind == "x":
            return one.key, NameAtTime(one.name, str(one.t + 1))
        if one.kind == "mask":
            block = self.by_key[one.key]
            whose = f"L{block.layer + 1}" if block.kind == "mask" else block.key
            return whose, NameAtTime(one.name, str(one.t + 1))
        index = "0" if one.kind == "first" else str(one.t + 1)
        return self.prefix(self.by_key[one.key]), NameAtTime(one.name, index)

    def source(self, one: GivenOnSheet) -> str:
        """What an input is: a letter, or a row of the embedding's table; "" of numbers."""
        if one.kind != "x":
            return ""
        sequence = one.key or INPUT
        indices = self.sheet.done.batch.sequences[sequence].indices
        if indices is None:
            return ""
        index = int(indices[one.t, self.sheet.row])
        letter = "" if self.scenario.vocabulary is None else f"“{printable(self.scenario.vocabulary[index])}”"
        tables = (layer for layer in self.scenario.layers if isinstance(layer, Embedding))
        table = next((one for one in tables if self.scenario.sequence_of[one.key] == sequence), None)
        return letter if table is None else f"{letter}, {table.table}[{index}]".removeprefix(", ")

    # ── equations ────────────────────────────────────────────────────────────────────

    @property
    def groups(self) -> list[BlockGroup]:
        """The equations that are needed, those that several blocks have in common once."""
        needed = {(one.key, one.name) for one in self.sheet.worked}
        found: dict[tuple[object, ...], BlockGroup] = {}
        for block in self.by_key.values():
            lines = tuple(line for line in block.program.lines if (block.key, line.name) in needed)
            if not lines:
                continue
            alike = (block.kind, block.direction, *(line.expression for line in lines))
            before = found.get(alike, BlockGroup((), lines)).blocks
            found[alike] = BlockGroup((*before, block), lines)
        return list(found.values())

    @property
    def wires(self) -> Iterator[WireEquation]:
        """What enters the blocks, where it is called otherwise than what gives it; both directions of a layer read the same."""
        found: dict[Label, WireEquation] = {}
        for group in self.groups:
            reads = {name for line in group.lines for name in names_in(line.expression)}
            for block in group.blocks:
                entering = (self._wire(block, name) for name in block.program.inputs if name in reads)
                every = (
                    *(one for one in entering if one),
                    *self._read_whole(block),
                    *self._first_states(block),
                )
                found |= {wire.label: wire for wire in every}
        yield from found.values()

    def _parts(self, block: Block, name: str, read: Wire | None = None) -> Iterator[Label]:
        """What enters a block under a name, by way of joins and masks, which read it of the same step."""
        for wire in block.wires[name]:
            below = self.by_key.get(wire.block)
            outer = wire if read is None else read
            if below is not None and below.kind in ("join", "mask"):
                for inner in below.program.inputs:
                    yield from self._parts(below, inner, outer)
            elif below is None or below.kind == "lookup":
                if name not in block.known_by_step:
                    sequence, given = given_name(self.sheet.done, below or block, name)
                    yield sequence, NameAtTime(given, self._index(outer))
            elif below.extent.is_single:
                yield "", NameAtTime(wire.value)
            elif not outer.when.is_once:
                yield self.prefix(below), NameAtTime(wire.value, self._index(outer))
            elif (step := self._step_brought(outer.when, below)) is not None:
                yield self.prefix(below), NameAtTime(wire.value, str(step))

    @staticmethod
    def _index(wire: Wire) -> str:
        """The step that a wire reads at step t: `t`, of a window `t-1`."""
        if wire.when is When.BEFORE:
            return "t-1"
        if wire.when is not When.OFFSET:
            return "t"
        later = wire.step_read(0) - wire.stride + 1  # steps count from 1
        return f"{wire.stride if wire.stride > 1 else ''}t{f'{later:+d}' if later else ''}"

    def _outside(self, block: Block, name: str) -> str:
        """The steps of a block at which a window reads where there is no step, or none of the row any more."""
        wire = block.wires[name][0]
        if wire.when is not When.OFFSET:
            return ""
        axis, below = self.sheet.done.axis_read(block.key, wire), self.by_key.get(wire.block)
        has_states = below is not None and (below.program.states or below.kind == "join")
        end = (
            axis.length(self.sheet.row) if has_states else axis.num_steps
        )  # padding of others is read as it is
        steps = range(self.sheet.done.axis(block.key).length(self.sheet.row))
        return _ranges([t for t in steps if not 0 <= wire.step_read(t, axis.num_steps) < end])

    def _beyond(self, block: Block, wire: Wire) -> str:
        """The steps at which a window reads another step in the place of one that there is not: `t = 1 → 2`."""
        num_steps = self.sheet.done.axis_read(block.key, wire).num_steps
        pairs = ((t, wire.step_read(t, num_steps)) for t in range(self._last_of(block) + 1))
        return ", ".join(f"t = {t + 1} → {at + 1}" for t, at in pairs if at != wire.step_read(t))

    def _computed(self, block: Block, name: str) -> Iterator[Block]:
        """The recurrent blocks whose states enter a block, by way of joins and masks."""
        for wire in block.wires[name]:
            below = self.by_key.get(wire.block)
            if below is not None and below.program.states:
                yield below
            elif below is not None and below.kind in ("join", "mask"):
                for inner in below.program.inputs:
                    yield from self._computed(below, inner)

    def _read_whole(self, block: Block) -> Iterator[WireEquation]:
        """What a block reads at every step: `memory = h_1, …, h_5`."""
        for name, shape in block.program.banks.items():
            for below in self._computed(block, name) if len(shape) == 2 else ():
                last = self.sheet.done.axis(below.key).length(self.sheet.row)
                steps = (NameAtTime(below.output, index) for index in ("1", "…", str(last)))
                yield WireEquation(
                    ("", NameAtTime(name)), tuple((self.prefix(below), one) for one in steps), has_mask=False
                )

    def _first_states(self, block: Block) -> Iterator[WireEquation]:
        """Where a block's states come from before the first step: `decoder.L0 h_0 = encoder.L0 h_3`."""
        for state in block.program.states:
            parts = []
            for wire in block.wires.get(f"{state}_0", ()):
                below = self.by_key[wire.block]
                step = "" if below.extent.is_single else str(self._step_brought(wire.when, below))
                parts.append((self.prefix(below), NameAtTime(wire.value, step)))
            if parts:
                yield WireEquation((self.prefix(block), NameAtTime(state, "0")), tuple(parts), has_mask=False)

    def _is_masked(self, block: Block, name: str) -> bool:
        """Whether a mask stands between a block and the layer below."""
        return any(wire.block in self.sheet.done.masks for wire in block.wires[name])

    def _step_brought(self, when: When, block: Block) -> int | None:
        """The step, from 1, of a block that a wire brings which brings one of each row; None where the sheet's row is over."""
        axis, row = self.sheet.done.axis(block.key), self.sheet.row
        step = axis.step_brought(when, block.direction, row)
        return step + 1 if axis.is_live(step, row) else None

    def _wire(self, block: Block, name: str) -> WireEquation | None:
        """What enters a block under a name; None where that is what it is called where it comes from."""
        parts = tuple(self._parts(block, name))
        time = "" if block.extent.is_single else "t"
        is_zeros = not parts and any(wire.when.is_once for wire in block.wires[name])
        if parts == (("", NameAtTime(name, time)),) or not (parts or is_zeros):
            return None
        is_told = block.kind != "map" or self._is_one_of_windows(block) or self._is_one_of_alike(block)
        whose = block.key.replace("←", "") if is_told else ""
        label = whose, NameAtTime(name, time)
        wire = block.wires[name][0]
        outside = self._outside(block, name)
        note = f"t = {outside}: {wire.outside:g}" if outside else self._beyond(block, wire)
        return WireEquation(label, parts, self._is_masked(block, name), note)

    def _is_one_of_windows(self, block: Block) -> bool:
        """Whether several blocks read windows, this among them."""
        windows = [
            one.key
            for one in self.by_key.values()
            if any(wire.when is When.OFFSET for wires in one.wires.values() for wire in wires)
        ]
        return len(windows) > 1 and block.key in windows

    def parameters(self) -> Iterator[tuple[str, Block, str]]:
        """Block by block the parameters that are needed."""
        for block in self.by_key.values():
            for name in block.parameters:
                if (block.key, name) in self.sheet.parameters:
                    yield self.prefix(block) or self._owner(block), block, name

    # ── order ────────────────────────────────────────────────────────────────────────

    def sections(self) -> Iterator[SheetSection]:
        """What is worked out, a block at a step after the other."""
        asked = set(self.sheet.asked)
        for heading, group in groupby(self.sheet.worked, self._heading):
            worked = tuple(group)
            section = SheetSection(heading, worked, tuple(one for one in worked if one in asked))
            if section.asked or self.with_key:
                yield section

    def _heading(self, one: Asked) -> str:
        block = self.by_key[one.key]
        if block.extent.is_single:
            return self.say(Text("Linear layer"))
        if one.t > self._last_of(block):
            return self.say(Text("Step {step}, padding, which a window reads", step=one.t + 1))
        if len(self.recurrent) == 1:
            return self.say(Text("Step {step}", step=one.t + 1))
        if block.key == Linear.key:
            return self.say(Text("Step {step}, linear layer", step=one.t + 1))
        return self.say(Text("Step {step}, {block}", step=one.t + 1, block=self.block_name(block)))


def by_size(asked: Sequence[Asked]) -> Iterator[tuple[int, list[Asked]]]:
    """Values that fit one table: those of the same size beside each other."""
    for size, group in groupby(asked, lambda one: one.size):
        yield size, list(group)


def _ranges(steps: Sequence[int]) -> str:
    """`1-3,5`, as `--steps` takes them."""
    found: list[list[int]] = []
    for t in steps:
        if found and found[-1][-1] == t - 1:
            found[-1].append(t)
        else:
            found.append([t])
    return ",".join(str(part[0] + 1) if len(part) == 1 else f"{part[0] + 1}-{part[-1] + 1}" for part in found)
