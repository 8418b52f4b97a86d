"""Names on a worksheet with the time that they are of: `h_t`, `h_{t-1}`, `W_ih`; as plain text and for LaTeX."""

from __future__ import annotations

from dataclasses import dataclass

from rnnstep.equations.syntax import Line, Name, rebuilt
from rnnstep.network.blocks import Block


@dataclass(frozen=True, slots=True)
class Named:
    """A name at a time: `h` at "t-1", `W_ih` at none."""

    base: str
    index: str = ""


Label = tuple[str, Named]  # the block, "" where there is one, and the name


def named(block: Block, name: str, *, is_final: bool = False) -> Named:
    """A name of a block's equations with its time: what parameters are does not change."""
    program = block.program
    if name in program.befores:
        state = tuple(program.states)[program.befores.index(name)]
        return Named(state, "t+1" if block.direction == "backward" else "t-1")
    if name in program.parameters or is_final:
        return Named(name)
    return Named(name, "t")


def plain(one: Named) -> str:
    """`h_t`, `h_{t-1}`, `W_ih`."""
    if not one.index:
        return one.base
    return f"{one.base}_{one.index}" if one.index.isalnum() else f"{one.base}_{{{one.index}}}"


def prefixed(label: Label) -> str:
    """`L1 h_2`."""
    return " ".join(part for part in (label[0], plain(label[1])) if part)


def renamed(line: Line, block: Block, write: str, *, is_final: bool) -> Line:
    """A line whose names are spelt with their time, as `plain` or `symbol` writes them."""
    spell = plain if write == "plain" else symbol

    def spelt(name: str) -> str:
        return spell(named(block, name, is_final=is_final))

    expression = rebuilt(
        line.expression, lambda part: Name(spelt(part.id)) if isinstance(part, Name) else None
    )
    return Line(spelt(line.name), expression)


def symbol(one: Named) -> str:
    """A name as `latex_name` reads it: all behind the first `_` is below the line."""
    if one.index:
        return f"{one.base}{',' if '_' in one.base else '_'}{one.index}"
    if "_" in one.base:
        return one.base
    return (
        f"{one.base}_{{}}" if len(one.base) == 1 else f"{one.base}_{{\\,}}"
    )  # a word keeps off what follows
