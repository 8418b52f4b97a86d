"""What stands above the tables, and how things are shown: vocabulary, [display]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from rnnstep.language import LANGUAGES, Text
from rnnstep.scenario.file.document import Document, Table, shown
from rnnstep.scenario.keys import MOST_DECIMALS, READS_STEPS
from rnnstep.scenario.model import Display

ASCII = tuple(map(chr, range(128)))


def read_vocabulary(document: Document) -> tuple[str, ...] | None:
    """Give the letters or words whose position is their index; None if absent or wrong."""
    root = document.root
    raw = root.raw("vocabulary")
    if raw is None:
        return None
    if raw == "ascii":
        return ASCII
    expected = Text('a list of different strings, or "ascii"')
    if not isinstance(raw, list) or not raw:
        root.wrong("vocabulary", expected)
        return None
    first_at: dict[str, int] = {}
    for index, entry in enumerate(raw):
        name = f"vocabulary[{index}]"
        if not isinstance(entry, str) or not entry:
            root.problem(
                ("vocabulary", index),
                Text(
                    "`{key}`: found {found}, expected {expected}",
                    key=name,
                    found=shown(entry),
                    expected=Text("a string that is not empty"),
                ),
            )
            return None
        if entry in first_at:
            root.problem(
                ("vocabulary", index),
                Text(
                    "`{key}`: {found} stands twice, already at index {first}",
                    key=name,
                    found=shown(entry),
                    first=first_at[entry],
                ),
            )
            return None
        first_at[entry] = index
    return tuple(raw)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says in place of [display]; None where it says nothing."""

    dtype: str | None = None
    decimals: int | None = None
    language: str | None = None
    usual_decimals: int | None = None  # where the file says nothing either


def read_display(document: Document, wishes: Wishes) -> Display:
    """Give [display]; the wishes go before what the file says."""
    recurrent = document.root.raw("recurrent")
    is_bidirectional = isinstance(recurrent, dict) and recurrent.get("bidirectional") is True
    reads_steps = isinstance(recurrent, dict) and recurrent.get(READS_STEPS) is True
    order = "layer" if is_bidirectional or reads_steps else "time"
    table = document.table("display") or Table(document, ("display",), {})
    table.known()
    usual = 4 if wishes.usual_decimals is None else wishes.usual_decimals
    decimals = table.integer("decimals", usual, minimum=0, maximum=MOST_DECIMALS)
    dtype = table.choice("dtype", ("float32", "float64"), "float32")
    language = table.choice("language", LANGUAGES)
    chosen = table.choice("order", ("time", "layer"), order)
    if is_bidirectional and chosen == "time":
        table.problem(
            "order",
            Text(
                '`order`: found "time", but a bidirectional module goes layer by layer: its backward'
                ' direction needs the last step first; expected "layer"'
            ),
        )
    elif reads_steps and chosen == "time":
        table.problem(
            "order",
            Text(
                '`order`: found "time", but a module over a window of steps reads later ones: it goes layer by'
                ' layer; expected "layer"'
            ),
        )
    return Display(
        cast(int, decimals if wishes.decimals is None else wishes.decimals),
        cast(Any, wishes.dtype or dtype),
        cast(Any, wishes.language or language),
        cast(Any, chosen),
    )
