"""A run as Markdown: a table a step, torch's values in a column of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rnnstep.cli.findings import of_run
from rnnstep.cli.page import TextPage, equations, legend, letter, module_words, verdict_lines
from rnnstep.engine import Pass
from rnnstep.equations.operations import Array
from rnnstep.equations.write import write_line
from rnnstep.language import Text
from rnnstep.reports.trace import Seen, Selection
from rnnstep.scenario.file.document import shown_shape
from rnnstep.views.numbers import number


def markdown_pieces(selection: Selection, page: TextPage) -> Iterator[str]:
    """Give the whole document, line by line."""
    for line in _lines(selection, page):
        yield line + "\n"


def _lines(selection: Selection, page: TextPage) -> Iterator[str]:
    scenario = selection.run.scenario
    title = " ".join(scenario.title.into(page.language).split())
    yield f"# {escaped(title or scenario.name)}"
    yield ""
    yield f"`{module_words(scenario)}`, `{scenario.display.dtype}`"
    yield ""
    yield "```"
    yield from equations(scenario, selection.run.trace.passes[0].blocks, write_line)
    yield "```"
    yield ""
    yield page.say(legend(selection.run, page))
    for seen in selection.steps():
        done = selection.run.trace.passes[seen.step.batch]
        yield ""
        yield f"## {_title(selection, seen, page)}"
        yield ""
        yield from _table(page, _step_rows(seen, page), has_rows=done.batch.num_rows > 1)
    if selection.stopped is None:
        for done in selection.run.trace.passes:
            yield from _results(selection, done, page)
    yield ""
    yield from ("- " + line.strip() for line in verdict_lines(selection, page))
    yield from items(of_run(selection.run, page))


def items(lines: Iterator[str]) -> Iterator[str]:
    """One item of a list, of however many lines."""
    told = " ".join(line.strip() for line in lines)
    yield from (f"- {told}",) if told else ()


def _title(selection: Selection, seen: Seen, page: TextPage) -> str:
    scenario, step = selection.run.scenario, seen.step
    batch = scenario.batches[step.batch]
    parts = []
    if len(scenario.batches) > 1:
        parts.append(
            page.say(Text("batch {batch}/{batches}", batch=step.batch + 1, batches=len(scenario.batches)))
        )
    parts.append(
        page.say(Text("step {step}/{steps}", step=step.t + 1, steps=batch.axis(step.sequence).num_steps))
    )
    parts += [seen.key] if len(selection.run.trace.passes[0].runs) > 1 else []
    parts += (
        letter(scenario, batch, step.sequence, step.t, 0) if batch.num_rows == 1 and step.is_lowest else []
    )
    return escaped(", ".join(parts))


TableCells = tuple[str, str, str, str, str]  # row, name, ours, torch's, mark


def _table(page: TextPage, rows: Iterator[TableCells], *, has_rows: bool) -> Iterator[str]:
    heads = [page.say(Text("row")), page.say(Text("value")), page.say(Text("ours")), "torch", ""]
    yield table_row(heads if has_rows else heads[1:])
    yield table_row(["---"] * (5 if has_rows else 4))
    for cells in rows:
        yield table_row(cells if has_rows else cells[1:])


def table_row(cells: Sequence[str]) -> str:
    """Give a row of a table."""
    return f"| {' | '.join(cells)} |"


def _step_rows(seen: Seen, page: TextPage) -> Iterator[TableCells]:
    step = seen.step
    count = len(next(iter(step.values())))
    rows = range(count) if step.rows is None else step.rows.tolist()
    for position, row in enumerate(rows):
        for name, value in step.items():
            beside = told = ""
            if seen.torch is not None and name in seen.torch:
                beside = vector(seen.torch[name][position], page)
                sign = page.mark(agrees=seen.torch.agrees(name))
                told = page.self_check(sign) if seen.torch.is_self_check(name) else sign
            yield str(row + 1), f"`{name}`", vector(value[position], page), beside, told
        for text, value in seen.watched.items():
            yield str(row + 1), f"`{text.replace('|', '')}`", vector(value[position], page), "", ""


def _results(selection: Selection, done: Pass, page: TextPage) -> Iterator[str]:
    checked = selection.run.checked
    comparison = None if checked is None else checked.comparisons[done.index]
    is_alone = len(selection.run.trace.passes) == 1
    for name in ("output", "h_n", "c_n", "logits"):
        ours = getattr(done, name)
        torch = None if comparison is None else getattr(comparison.reference, name)
        if ours is None:
            continue
        where = "" if is_alone else page.say(Text("batch {batch}: ", batch=done.index + 1))
        yield ""
        yield f"## {where}{name} {shown_shape(ours.shape)}"
        yield ""
        yield table_row(["", page.say(Text("ours")), "torch"])
        yield table_row(["---"] * 3)
        for place in np.ndindex(ours.shape[:-1]):
            index = f"`[{', '.join(map(str, place))}]`" if place else ""
            yield table_row(
                [index, vector(ours[place], page), "" if torch is None else vector(torch[place], page)]
            )


def vector(values: Array, page: TextPage) -> str:
    """Give the numbers of a vector beside each other."""
    return " ".join(number(float(value), page.decimals, alphabet=page.alphabet) for value in values)


def escaped(text: str) -> str:
    """Keep a title from being read as Markdown's signs."""
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>#|" else character for character in text)
