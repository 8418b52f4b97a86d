"""A worksheet as Markdown that reads as plain text too: lists, tables, and code blocks for what has signs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rnnstep.equations.pieces import Token
from rnnstep.equations.write import BLACKBOARD, write_line
from rnnstep.language import Text
from rnnstep.worksheet.page import SheetPage, by_size, prefixed, renamed
from rnnstep.worksheet.pocket_calculator import Pocket
from rnnstep.worksheet.stages import stages
from rnnstep.worksheet.worksheet import Asked

WIDTH = 96  # characters of a line of working
_BLANK = "________"


def markdown(page: SheetPage) -> Iterator[str]:
    """Give the sheet, piece by piece."""
    yield f"# {_escaped(page.title)}\n\n"
    if not page.with_key:
        name, date = page.for_the_writer
        yield f"{name} {_BLANK * 3}  {date} {_BLANK * 2}\n\n"
    yield f"{_escaped(page.origin_line)}\n\n"
    yield from (f"- {_escaped(line)}\n" for line in page.told)
    yield f"\n## {page.say(Text('Equations'))}\n"
    yield from _equations(page)
    yield f"\n## {page.say(Text('Given'))}\n\n"
    yield from _given(page)
    for section in page.sections():
        yield f"\n## {section.heading}\n"
        for size, rows in by_size(section.asked):
            yield "\n"
            yield from _grid(page, size, rows)
        if page.with_key:
            yield from _working(page, section.worked)


def _equations(page: SheetPage) -> Iterator[str]:
    for group in page.groups:
        block = group.blocks[0]
        told = page.of_group(group)
        yield f"\n{told}\n" if told else ""
        yield "\n```\n"
        for line in group.lines:
            yield write_line(renamed(line, block, "plain"), BLACKBOARD) + "\n"
        yield "```\n"
    wires = list(page.wires)
    if wires:
        yield "\n```\n"
        for wire in wires:
            parts = "; ".join(map(prefixed, wire.parts))
            joined = f"[{parts}]" if len(wire.parts) > 1 else parts or "0"
            mask = f"{wire.label[0]} mask_t ⊙ " if wire.has_mask else ""
            note = f"  ({wire.note})" if wire.note else ""
            yield f"{prefixed(wire.label)} = {mask}{joined}{note}\n"
        yield "```\n"


def _given(page: SheetPage) -> Iterator[str]:
    for one in page.sheet.given:
        written = page.mask if one.kind == "mask" else page.number
        numbers = ", ".join(map(written, page.sheet.number(one).tolist()))
        source = page.source(one)
        yield f"- `{prefixed(page.given_label(one))}` = ({numbers}){f'  {_escaped(source)}' if source else ''}\n"
    matrices = []
    for prefix, block, name in page.parameters():
        value = np.asarray(block.parameters[name])
        label = f"{prefix} {name}".strip()
        if value.ndim > 1:
            matrices.append((label, value))
        else:
            yield f"- `{label}` = ({', '.join(map(page.number, value.reshape(-1).tolist()))})\n"
    for label, value in matrices:
        rows = [[str(k), *map(page.number, row)] for k, row in enumerate(value.tolist())]
        yield "\n"
        yield from _table([f"`{label}`", *map(str, range(value.shape[1]))], rows)


def _grid(page: SheetPage, size: int, asked: Sequence[Asked]) -> Iterator[str]:
    """Values to fill in, or filled in: a row each."""
    rows = []
    for one in asked:
        numbers = map(page.number, page.sheet.value(one).tolist()) if page.with_key else [_BLANK] * size
        rows.append([f"`{prefixed(page.label(one))}`", *numbers])
    yield from _table(["", *map(str, range(size))], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table whose columns stand below each other as plain text, too."""
    widths = [max(3, *map(len, column)) for column in zip(head, *rows, strict=True)]
    for number, row in enumerate((head, *rows)):
        first, *others = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        aligned = [
            first,
            *(cell.strip().rjust(width) for cell, width in zip(others, widths[1:], strict=True)),
        ]
        yield f"| {' | '.join(aligned)} |\n"
        if not number:
            rules = ["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]
            yield f"|{'|'.join(rules)}|\n"


# ── the key ──────────────────────────────────────────────────────────────────────────


def _working(page: SheetPage, worked: Sequence[Asked]) -> Iterator[str]:
    pocket = Pocket(page.sheet.decimals)
    for one in worked:
        line = page.by_key[one.key].program.by_name[one.name]
        known = page.sheet.known(one.key, one.t)
        yield "\n```\n"
        for element in range(one.size):
            label = f"{prefixed(page.label(one))}[{element}]"
            sides = [
                f"{stage.sign} {_text(page, stage.tokens)}" for stage in stages(line, element, known, pocket)
            ]
            yield from (f"{row}\n" for row in _lines(label, sides))
        yield "```\n"


def _text(page: SheetPage, tokens: Sequence[Token]) -> str:
    return "".join(page.number(token.value) if token.kind == "value" else token.text for token in tokens)


def _lines(label: str, sides: Sequence[str]) -> Iterator[str]:
    """An element's stages, their signs before them, on one line, or each on its own, cut where it is too long."""
    whole = " ".join((label, *sides))
    if len(whole) <= WIDTH:
        yield whole
        return
    lead = label
    for signed in sides:
        sign, _, side = signed.partition(" ")
        row = f"{lead} {sign}"
        for word in _words(side):
            if len(row) + 1 + len(word) > WIDTH and len(row) > len(label) + 2:
                yield row
                row = " " * (len(label) + 4) + word
            else:
                row += f" {word}"
        yield row
        lead = " " * len(label)


def _words(side: str) -> Iterator[str]:
    """Terms with the sign before them."""
    sign = ""
    for word in side.split(" "):
        if word in ("+", "−"):
            sign = f"{word} "
        else:
            yield sign + word
            sign = ""


def _escaped(text: str) -> str:
    """Keep a title from being read as Markdown's signs; `_` inside a word is none."""
    return "".join(f"\\{character}" if character in "\\`*{}[]<>#|$~" else character for character in text)
