"""Recorded calls as a table: what was called, in which shapes, whether all of it is finite, and how large it is."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnnstep.language import Text, environment_language
from rnnstep.scenario.call.recorded_call import Array

if TYPE_CHECKING:
    from rnnstep.capturing.call import Call

MOST_ROWS = 60  # of a table on a screen: of more calls the first and the last
MOST_NOTES = 12  # below it
_WIDTH, _HEIGHT = 160, 28  # of a plot, in pixels


def _language() -> str:
    from rnnstep.settings import read_settings

    return read_settings().language or environment_language()


def _heads() -> tuple[Text, ...]:
    return (
        Text("call"),
        Text("module"),
        Text("input"),
        Text("output"),
        Text("finite"),
        Text("norm of h, first … last"),
        Text("gradient"),
    )


def _cells(call: Call, language: str) -> tuple[str, ...]:
    recorded = call.recorded
    shape = _shape(recorded.x.shape)
    if recorded.lengths is not None:
        packed = Text("packed {lengths}", lengths=_listed(recorded.lengths))
        shape = f"{shape} {packed.into(language)}"
    dtype = "" if recorded.dtype == "float32" else f" {recorded.dtype}"
    norms = recorded.norms
    shown = (
        ""
        if not norms.size
        else _number(norms[0])
        if norms.size == 1
        else f"{_number(norms[0])} … {_number(norms[-1])}"
    )
    return (
        call.place,
        f"{call.module}{dtype}",
        shape,
        "" if recorded.output is None else _shape(recorded.output.shape),
        _finite(call, language),
        shown,
        _gradient(recorded.gradients.values(), language) if recorded.has_gradients else "–",
    )


def _finite(call: Call, language: str) -> str:
    recorded = call.recorded
    if recorded.is_finite:
        return Text("yes").into(language)
    bad = np.flatnonzero(~np.isfinite(recorded.norms))
    if not bad.size:
        return Text("no").into(language)
    return Text("no, from step {step}", step=int(bad[0]) + 1).into(language)


def _gradient(every: Iterable[Array], language: str) -> str:
    finite = all(bool(np.isfinite(one).all()) for one in every)
    return (Text("recorded") if finite else Text("not finite")).into(language)


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _listed(each: Sequence[int] | Sequence[str]) -> str:
    shown = ", ".join(map(str, each[:6]))
    return f"{shown} …" if len(each) > 6 else shown


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else str(value)


def _shown(calls: list[Call]) -> tuple[list[Call], int]:
    """The calls that a table shows, and how many in its middle it does not."""
    if len(calls) <= MOST_ROWS:
        return calls, 0
    half = MOST_ROWS // 2
    return [*calls[:half], *calls[-half:]], len(calls) - 2 * half


def _foot(calls: Sequence[Call], said: Sequence[Text], language: str) -> list[str]:
    """What is to be known of calls; what is the same of many, as where each step is a call of its own, is said once."""
    of_kind: dict[str, list[tuple[Call, Text]]] = {}
    for call in calls:
        for note in call.notes:
            of_kind.setdefault(note.template, []).append((call, note))
    notes = list(said)
    for (_, first), *others in of_kind.values():
        notes.append(first)
        if len(others) > 1:
            places = _listed([call.place for call, _ in others])
            others_too = Text("the same of {count} more: {places}", count=len(others), places=places)
            notes.append(others_too)
        else:
            notes += [note for _, note in others]
    found = list(dict.fromkeys(note.into(language) for note in notes))
    if len(found) > MOST_NOTES:
        left_out = Text("… {count} more …", count=len(found) - MOST_NOTES)
        found[MOST_NOTES:] = [left_out.into(language)]
    return found


def table(calls: list[Call], notes: Sequence[Text]) -> str:
    """Give the table as text, as many calls as a screen has room for."""
    return _as_text(*_shown(calls), _foot(calls, notes, _language()))


def plain_table(calls: list[Call], notes: Sequence[Text]) -> str:
    """Give the table of all calls as text."""
    return _as_text(calls, 0, _foot(calls, notes, _language())) + "\n"


def _as_text(calls: list[Call], left_out: int, foot: Sequence[str]) -> str:
    from rnnstep.views.rows import width

    language = _language()
    if not calls:
        return "\n".join([Text("no recurrent module was called").into(language), *foot])
    rows = [tuple(head.into(language) for head in _heads()), *(_cells(call, language) for call in calls)]
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell + " " * (size - width(cell)) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    if left_out:
        middle = 1 + MOST_ROWS // 2
        lines.insert(middle, Text("… {count} more …", count=left_out).into(language))
    return "\n".join([*lines, *foot])


def html_table(every: list[Call], notes: Sequence[Text]) -> str:
    """Give the table as HTML for a notebook, with a plot of each call's norms in which steps that are not finite are marked."""
    language = _language()
    calls, left_out = _shown(every)
    heads = [*(head.into(language) for head in _heads()), Text("norm at each step").into(language)]
    lines = ["<table>", f"<tr>{''.join(f'<th>{html.escape(head)}</th>' for head in heads)}</tr>"]
    for call in calls:
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(call, language))
        lines.append(f"<tr>{cells}<td>{_plot(call.recorded.norms)}</td></tr>")
    lines.append("</table>")
    foot = _foot(every, notes, language)
    if left_out:
        foot.insert(0, Text("… {count} more …", count=left_out).into(language))
    line = Text('seen.save("calls"), then in a terminal: rnnstep calls').into(language)
    return "\n".join([*lines, *(f"<p>{html.escape(text)}</p>" for text in (*foot, line))])


def _plot(norms: NDArray[np.float64]) -> str:
    """A line of norms, step by step, as SVG; a red mark where one is not finite."""
    if not norms.size:
        return ""
    finite = np.isfinite(norms)
    highest = float(norms[finite].max(initial=0.0)) or 1.0
    xs = np.linspace(2, _WIDTH - 2, max(2, norms.size))[: norms.size]
    ys = _HEIGHT - 2 - (_HEIGHT - 4) * np.where(finite, norms, 0.0) / highest
    keep = np.unique(np.linspace(0, norms.size - 1, min(norms.size, 400)).astype(int))
    points = " ".join(f"{xs[k]:.1f},{ys[k]:.1f}" for k in keep if finite[k])
    marks = "".join(
        f'<rect x="{xs[k] - 1:.1f}" y="0" width="2" height="{_HEIGHT}" fill="#c00"/>'
        for k in np.flatnonzero(~finite)[:400]
    )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}">{marks}'
        f'<polyline points="{points}" fill="none" stroke="currentColor"/></svg>'
    )
