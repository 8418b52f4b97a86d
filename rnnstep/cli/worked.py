"""A run as a worked solution in text: every value of every step, torch's beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.cli.findings import of_run
from rnnstep.cli.page import TextPage, equations, legend, letter, module_words, verdict_lines
from rnnstep.engine import Pass
from rnnstep.equations.operations import Array
from rnnstep.equations.write import BLACKBOARD, SOURCE, write_line
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.network.blocks import Block
from rnnstep.reference import Finding
from rnnstep.reports.trace import Seen, Selection
from rnnstep.scenario.file.document import shown_shape
from rnnstep.scenario.model import Scenario
from rnnstep.views.compose import wrap
from rnnstep.views.numbers import matrix
from rnnstep.views.rows import width as cells
from rnnstep.views.sentences import carried_in

MOST_SHOWN = 400  # numbers of a parameter; a larger one is named with its shape


def worked_pieces(selection: Selection, page: TextPage) -> Iterator[str]:
    """Give the whole text, line by line."""
    for line in _lines(selection, page):
        yield line.rstrip() + "\n"


def _lines(selection: Selection, page: TextPage) -> Iterator[str]:
    yield from _head(selection, page)
    for seen in selection.steps():
        yield ""
        yield page.heading(_step_title(selection, seen, page))
        yield from _step(selection.run.trace.passes[seen.step.batch], seen, page)
    if selection.until is not None:
        yield ""
        yield page.say(_stopped(selection))
    if selection.stopped is None:
        for done in selection.run.trace.passes:
            yield from _results(selection, done, page)
    yield ""
    yield from verdict_lines(selection, page)
    yield from of_run(selection.run, page)


# ── head ─────────────────────────────────────────────────────────────────────────────


def _head(selection: Selection, page: TextPage) -> Iterator[str]:
    run, scenario = selection.run, selection.run.scenario
    title = " ".join(scenario.title.into(page.language).split())
    yield page.heading(title or scenario.name)
    yield page.alphabet.spell(
        page.dot.join([module_words(scenario), scenario.display.dtype, *_shapes(run.trace.passes[0])])
    )
    done = run.trace.passes[0]
    yield ""
    write = partial(write_line, notation=SOURCE if page.alphabet.is_ascii else BLACKBOARD)
    for line in equations(scenario, done.blocks, write):
        yield page.alphabet.spell(f"  {line}")
    weighty = [block for block in done.blocks if block.parameters]
    for block in weighty:
        for name, value in block.parameters.items():
            yield ""
            yield from parameter_lines(f"{block.key}  {name}" if len(weighty) > 1 else name, value, page)
    yield ""
    yield from page.say(legend(selection.run, page)).split("\n")


def _shapes(done: Pass) -> list[str]:
    given: dict[str, Array] = {"input": done.input}
    if done.scenario.is_network:
        given = done.given_input()
    named = {
        **given,
        "output": done.output,
        "h_n": done.h_n,
        "c_n": done.c_n,
        "logits": done.logits,
    }
    return [f"{name} {shown_shape(np.shape(value))}" for name, value in named.items() if value is not None]


def parameter_lines(name: str, value: Array, page: TextPage) -> Iterator[str]:
    """Write a parameter row by row, or say that it is too large."""
    shape = "×".join(map(str, value.shape))
    if value.size > MOST_SHOWN:
        yield page.say(Text("  {name} {shape}, too large to be shown here", name=name, shape=shape))
        return
    yield page.alphabet.spell(f"  {name} {shape}")
    for row in matrix(np.atleast_2d(value), page.decimals, page.decimals + 3, alphabet=page.alphabet):
        per_line = max(1, (page.width - 4) // (len(row[0]) + 2))
        for start in range(0, len(row), per_line):
            yield "    " + "  ".join(row[start : start + per_line])


# ── steps ────────────────────────────────────────────────────────────────────────────


def _step_title(selection: Selection, seen: Seen, page: TextPage) -> str:
    step, scenario = seen.step, selection.run.scenario
    parts = []
    if len(scenario.batches) > 1:
        parts.append(
            page.say(Text("batch {batch}/{batches}", batch=step.batch + 1, batches=len(scenario.batches)))
        )
    batch = scenario.batches[step.batch]
    parts.append(
        page.say(Text("step {step}/{steps}", step=step.t + 1, steps=batch.axis(step.sequence).num_steps))
    )
    if len(selection.run.trace.passes[0].runs) > 1:
        parts.append(seen.key)
    if batch.num_rows == 1 and step.is_lowest:
        parts += letter(scenario, batch, step.sequence, step.t, 0)
    return page.dot.join(parts)


def _step(done: Pass, seen: Seen, page: TextPage) -> Iterator[str]:
    """Write all values of a step, row by row of the batch."""
    step, scenario = seen.step, done.scenario
    block = done.by_key[seen.key]
    if done.goes_on(seen.key) and step.t == done.axis(seen.key).order(block.direction)[0]:
        said = carried_in(block, done.index)
        yield from (f"  {line}" for line in wrap(page.alphabet.spell(page.say(said)), page.width - 2))
    values: dict[str, tuple[Array, Array | None]] = {}
    recurrent = scenario.recurrent_of(done.by_key[seen.key])
    mask = recurrent.above(step.layer - 1) if step.layer else None
    if mask is not None:
        values["mask"] = (done.value(mask.key, "mask", step.t), None)
    theirs: Mapping[str, Array] = seen.torch or {}
    values.update({name: (value, theirs.get(name)) for name, value in step.items()})
    label = max(cells(name) for name in [*values, *seen.watched])
    num_rows = len(next(iter(step.values())))
    rows = range(num_rows) if step.rows is None else step.rows.tolist()
    for position, row in enumerate(rows):
        if done.batch.num_rows > 1:
            words = [page.say(Text("row {row}/{rows}", row=row + 1, rows=done.batch.num_rows))]
            words += letter(scenario, done.batch, step.sequence, step.t, row) if step.is_lowest else []
            yield page.alphabet.spell(f"  {page.dot.join(words)}")
        for name, (ours, torch) in values.items():
            beside = None if torch is None else torch[position]
            tag = _tag(seen, name, page) if beside is not None else ""
            yield from value_lines(name, ours[position], beside, label, tag, page)
        for name, value in seen.watched.items():
            yield from value_lines(name, value[position], None, label, "", page)


def _tag(seen: Seen, name: str, page: TextPage) -> str:
    """Say how a value of torch's stands to the engine's, and where it is from."""
    assert seen.torch is not None
    sign = page.mark(agrees=seen.torch.agrees(name))
    return page.self_check(sign) if seen.torch.is_self_check(name) else sign


def value_lines(
    name: str,
    ours: Array,
    torch: Array | None,
    label: int,
    tag: str,
    page: TextPage,
    *,
    tag_room: int | None = None,
    least: int = 0,
) -> Iterator[str]:
    """Write one vector, torch's beside it, over as many lines as it takes.

    Args:
        name: What stands before it, padded to `label` cells.
        ours: The vector.
        torch: What stands beside it, if anything does.
        label: The cells of the longest name of the table.
        tag: What stands behind torch's.
        page: The layout.
        tag_room: The cells of the longest tag of the table; those of a self-check's where it is not given.
        least: The cells of the table's longest number, so that its lines stand under one another.
    """
    both = np.stack([ours] if torch is None else [ours, torch])
    grid = matrix(both, page.decimals, max(least, page.decimals + 3), alphabet=page.alphabet)
    indent = "  " if page.is_narrow else "    "
    each = len(grid[0][0]) + 1
    behind = cells(page.self_check("x")) if tag_room is None else tag_room
    room = page.width - len(indent) - label - len("  │ ") - behind
    per_line = max(1, room // (each * 2))
    size = len(grid[0])
    for start in range(0, size, per_line):
        stop = min(start + per_line, size)
        shown = name if start == 0 else f"[{start}]"
        numbers = " ".join(grid[0][start:stop]).ljust(min(per_line, size) * each - 1)
        line = f"{indent}{shown}{' ' * (label - cells(shown))} {numbers}"
        if torch is not None:
            beside = " ".join(grid[1][start:stop]).ljust(min(per_line, size) * each - 1)
            line += f" {page.alphabet.vertical} {beside} {tag if stop == size else ''}"
        yield line


def number_room(tables: Iterable[Array], page: TextPage) -> int:
    """Give the cells of the longest number of some arrays, of any shapes."""
    flat = [np.reshape(one, (1, -1)) for one in tables]
    return max(
        (cells(text) for one in flat for text in matrix(one, page.decimals, alphabet=page.alphabet)[0][:1]),
        default=0,
    )


# ── results ──────────────────────────────────────────────────────────────────────────


def _results(selection: Selection, done: Pass, page: TextPage) -> Iterator[str]:
    """Write output, h_n, c_n and logits of a batch, torch's beside them."""
    checked = selection.run.checked
    comparison = None if checked is None else checked.comparisons[done.index]
    is_alone = len(selection.run.trace.passes) == 1
    for name in ("output", "h_n", "c_n", "logits"):
        ours = getattr(done, name)
        if ours is None:
            continue
        torch, tag = None, ""
        if comparison is not None:
            torch = getattr(comparison.reference, name)
            sign = page.mark(agrees=not any(_is_in(fault, name) for fault in comparison.faults))
            tag = page.self_check(sign) if selection.run.reference is None else sign
        where = "" if is_alone else page.say(Text("batch {batch}: ", batch=done.index + 1))
        yield ""
        yield page.heading(f"{where}{name} {shown_shape(ours.shape)}")
        index = [
            np.unravel_index(position, ours.shape[:-1]) for position in range(ours.size // ours.shape[-1])
        ]
        labels = ["[" + ", ".join(str(int(part)) for part in place) + "]" if place else "" for place in index]
        label = max(map(len, labels), default=0)
        least = number_room((ours,) if torch is None else (ours, torch), page)
        for place, shown in zip(index, labels, strict=True):
            beside = None if torch is None else torch[place]
            yield from value_lines(shown, ours[place], beside, label, tag, page, least=least)
    yield from _answers(done, page)


def _is_in(fault: Finding, name: str) -> bool:
    """Whether a disagreement is one of a result of the run."""
    return fault.kind == "module" and (fault.name == name or (name == "output" and "_" not in fault.name))


def _answers(done: Pass, page: TextPage) -> Iterator[str]:
    """Write what the network says beside what is wanted, in letters."""
    said = predicted(done)
    if said is None:
        return
    yield ""
    wanted = done.batch.target
    for row in range(said.shape[1]):
        title = "" if said.shape[1] == 1 else page.say(Text("row {row}: ", row=row + 1))
        words = spelt(done.scenario, said[:, row])
        line = page.say(Text("{row}says {letters}", row=title, letters=words))
        if wanted is not None:
            target = np.atleast_2d(wanted) if wanted.ndim < 2 else wanted
            line += page.say(Text(", wants {letters}", letters=spelt(done.scenario, target[:, row])))
        yield f"  {line}"


def predicted(done: Pass) -> NDArray[Any] | None:
    """Give the class with the largest logit, (T, B), or (1, B) of the final state; None without classes."""
    scenario = done.scenario
    if scenario.target_vocabulary is None:
        return None
    head = done.head
    if done.drawn is not None:
        alive = done.axis(done.scored.key).alive()
        return done.drawn if alive is None else np.where(alive, done.drawn, -1)
    if head is None:
        return np.asarray(np.argmax(done.whole(done.scored.key), axis=-1))
    steps = range(1 if head.extent.is_single else done.axis(head.key).num_steps)
    return np.stack(
        [_scattered(done, head, np.argmax(done.value(head.key, head.output, t), axis=-1), t) for t in steps]
    )


def _scattered(done: Pass, head: Block, classes: NDArray[Any], t: int) -> NDArray[Any]:
    """Put the classes of the live rows into all rows, −1 where a row is over."""
    rows = done.live_rows(head.key, t) if len(classes) < done.batch.num_rows else None
    if rows is None:
        return classes
    whole = np.full(done.batch.num_rows, -1)
    whole[rows] = classes
    return whole


def spelt(scenario: Scenario, classes: NDArray[Any]) -> str:
    """Write classes as letters, or as words in quotes where they are longer."""
    names = scenario.target_vocabulary or ()
    found = [names[int(index)] for index in classes if 0 <= int(index) < len(names)]
    is_letters = all(len(name) == 1 for name in names)
    return printable("".join(found) if is_letters else " ".join(repr(name) for name in found))


def _stopped(selection: Selection) -> Text:
    assert selection.until is not None
    step = selection.stopped
    if step is None:
        return Text("`{watch}` never holds", watch=selection.until.text)
    return Text("stopped at step {step}: `{watch}` holds", step=step.t + 1, watch=selection.until.text)
