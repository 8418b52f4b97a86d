"""A run as a worked solution in text: every value of every step, torch's beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rnnstep.engine import Pass
from rnnstep.equations.operations import Array
from rnnstep.equations.write import BLACKBOARD, write_line
from rnnstep.export.run import Run
from rnnstep.export.selection import Seen, Selection
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.reference import Finding
from rnnstep.scenario.document import shown_shape
from rnnstep.scenario.model import Batch, Scenario
from rnnstep.views.alphabet import Alphabet
from rnnstep.views.numbers import brief, matrix
from rnnstep.views.rows import width as cells

MOST_SHOWN = 400  # numbers of a parameter; a larger one is named with its shape


@dataclass(frozen=True, slots=True)
class Page:
    """How the text is laid out."""

    language: str
    decimals: int
    alphabet: Alphabet
    width: int = 80
    has_colour: bool = False

    def say(self, text: Text) -> str:
        """Give a text in the page's language and signs."""
        return self.alphabet.spell(text.into(self.language))

    def mark(self, *, agrees: bool) -> str:
        """Give ✓ or ✗."""
        sign = self.alphabet.check if agrees else self.alphabet.wrong
        return self._coloured(sign, "32" if agrees else "1;31")

    def heading(self, text: str) -> str:
        """Give a line that stands out."""
        return self._coloured(self.alphabet.spell(text), "1")

    def _coloured(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.has_colour else text


def worked_pieces(selection: Selection, page: Page) -> Iterator[str]:
    """Give the whole text, line by line."""
    for line in _lines(selection, page):
        yield line.rstrip() + "\n"


def _lines(selection: Selection, page: Page) -> Iterator[str]:
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


# ── head ─────────────────────────────────────────────────────────────────────────────


def _head(selection: Selection, page: Page) -> Iterator[str]:
    run, scenario = selection.run, selection.run.scenario
    title = " ".join(scenario.title.into(page.language).split())
    yield page.heading(title or scenario.name)
    yield page.alphabet.spell(" · ".join([module_words(scenario), scenario.display.dtype, *_shapes(run.trace.passes[0])]))
    done = run.trace.passes[0]
    yield ""
    shown: set[str] = set()
    for block in done.blocks:
        for line in block.program.lines:
            written = write_line(line, BLACKBOARD)
            if block.kind == "recurrent" and written not in shown:
                shown.add(written)
                yield page.alphabet.spell(f"  {written}")
    for block in done.blocks:
        for name, value in block.parameters.items():
            yield ""
            yield from _parameter(f"{block.key}  {name}" if len(done.blocks) > 1 else name, value, page)
    yield ""
    yield from page.say(legend(selection.run, page)).split("\n")


def legend(run: Run, page: Page) -> Text:
    """Say what stands beside each value, and what the marks say."""
    sign = page.alphabet.check
    if run.reference is None:
        return Text(
            "Beside each value: the same equation in torch's own operations, from torch's own h_prev"
            " (self-check {sign}).\ntorch.nn has no such module.",
            sign=sign,
        )
    return Text(
        "Beside each value: torch's. {sign} is torch.nn's own number, one step at a time;\n"
        "self-check {sign} is the same equation in torch's own operations.",
        sign=sign,
    )


def module_words(scenario: Scenario) -> str:
    """Give the module as torch writes it: `LSTM(4, 8, num_layers=2, bidirectional)`."""
    recurrent = scenario.recurrent
    words = [str(recurrent.input_size), str(recurrent.hidden_size)]
    words += [f"num_layers={recurrent.num_layers}"] if recurrent.num_layers > 1 else []
    words += [recurrent.nonlinearity] if recurrent.nonlinearity != "tanh" else []
    words += [f"proj_size={recurrent.proj_size}"] if recurrent.proj_size else []
    words += ["bidirectional"] if recurrent.bidirectional else []
    words += ["batch_first"] if recurrent.batch_first else []
    words += [] if recurrent.bias else ["bias=False"]
    words += [f"dropout={recurrent.dropout:g} ({recurrent.mode})"] if recurrent.dropout else []
    return f"{recurrent.module}({', '.join(words)})"


def _shapes(done: Pass) -> list[str]:
    named = {"input": done.input, "output": done.output, "h_n": done.h_n, "c_n": done.c_n, "logits": done.logits}
    return [f"{name} {shown_shape(np.shape(value))}" for name, value in named.items() if value is not None]


def _parameter(name: str, value: Array, page: Page) -> Iterator[str]:
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


def _step_title(selection: Selection, seen: Seen, page: Page) -> str:
    step, scenario = seen.step, selection.run.scenario
    parts = []
    if len(scenario.batches) > 1:
        parts.append(
            page.say(Text("batch {batch}/{batches}", batch=step.batch + 1, batches=len(scenario.batches)))
        )
    batch = scenario.batches[step.batch]
    parts.append(page.say(Text("step {step}/{steps}", step=step.t + 1, steps=batch.num_steps)))
    if len(selection.run.trace.passes[0].runs) > 1:
        parts.append(seen.key)
    if batch.num_rows == 1 and step.layer == 0:
        parts += letter(scenario, batch, step.t, 0)
    return " · ".join(parts)


def letter(scenario: Scenario, batch: Batch, t: int, row: int) -> list[str]:
    """Give `x_3 = 'l'` where the input is letters, as a list of one; else nothing."""
    if batch.indices is None or scenario.vocabulary is None:
        return []
    return [f"x_{t + 1} = '{printable(scenario.vocabulary[int(batch.indices[t, row])])}'"]


def _step(done: Pass, seen: Seen, page: Page) -> Iterator[str]:
    """Write all values of a step, row by row of the batch."""
    step, scenario = seen.step, done.scenario
    values: dict[str, tuple[Array, Array | None]] = {}
    mask = f"dropout{step.layer - 1}"
    if mask in done.masks:
        values["mask"] = (done.value(mask, "mask", step.t), None)
    values.update({name: (value, seen.torch.get(name)) for name, value in step.items()})
    label = max(cells(name) for name in [*values, *seen.watched])
    num_rows = len(next(iter(step.values())))
    rows = range(num_rows) if step.rows is None else step.rows.tolist()
    for position, row in enumerate(rows):
        if done.batch.num_rows > 1:
            words = [page.say(Text("row {row}/{rows}", row=row + 1, rows=done.batch.num_rows))]
            words += letter(scenario, done.batch, step.t, row) if step.layer == 0 else []
            yield page.alphabet.spell(f"  {' · '.join(words)}")
        for name, (ours, torch) in values.items():
            beside = None if torch is None else torch[position]
            tag = _tag(seen, name, page) if beside is not None else ""
            yield from _value(name, ours[position], beside, label, tag, page)
        for name, value in seen.watched.items():
            yield from _value(name, value[position], None, label, "", page)


def _tag(seen: Seen, name: str, page: Page) -> str:
    """Say how a value of torch's stands to ours, and where it is from."""
    sign = page.mark(agrees=seen.torch.agrees(name))
    return page.say(Text("self-check {sign}", sign=sign)) if seen.torch.is_self_check(name) else sign


def _value(name: str, ours: Array, torch: Array | None, label: int, tag: str, page: Page) -> Iterator[str]:
    """Write one vector, torch's beside it, over as many lines as it takes."""
    both = np.stack([ours] if torch is None else [ours, torch])
    grid = matrix(both, page.decimals, page.decimals + 3, alphabet=page.alphabet)
    each = len(grid[0][0]) + 2
    room = page.width - label - 8 - len("self-check x")
    per_line = max(1, room // (each * 2))
    size = len(grid[0])
    for start in range(0, size, per_line):
        stop = min(start + per_line, size)
        shown = name if start == 0 else f"[{start}]"
        numbers = "  ".join(grid[0][start:stop]).ljust(min(per_line, size) * each - 2)
        line = f"    {shown}{' ' * (label - cells(shown))}  {numbers}"
        if torch is not None:
            beside = "  ".join(grid[1][start:stop]).ljust(min(per_line, size) * each - 2)
            line += f" {page.alphabet.vertical} {beside}  {tag if stop == size else ''}"
        yield line


# ── results ──────────────────────────────────────────────────────────────────────────


def _results(selection: Selection, done: Pass, page: Page) -> Iterator[str]:
    """Write output, h_n, c_n and logits of a batch, torch's beside them."""
    comparison = selection.run.checked.comparisons[done.index]
    is_alone = len(selection.run.trace.passes) == 1
    for name in ("output", "h_n", "c_n", "logits"):
        ours, torch = getattr(done, name), getattr(comparison.reference, name)
        if ours is None:
            continue
        sign = page.mark(agrees=not any(_is_in(fault, name) for fault in comparison.faults))
        tag = page.say(Text("self-check {sign}", sign=sign)) if selection.run.reference is None else sign
        where = "" if is_alone else page.say(Text("batch {batch}: ", batch=done.index + 1))
        yield ""
        yield page.heading(f"{where}{name} {shown_shape(ours.shape)}")
        index = [np.unravel_index(position, ours.shape[:-1]) for position in range(ours.size // ours.shape[-1])]
        labels = ["[" + ", ".join(str(int(part)) for part in place) + "]" if place else "" for place in index]
        label = max(map(len, labels), default=0)
        for place, shown in zip(index, labels, strict=True):
            yield from _value(shown, ours[place], torch[place], label, tag, page)
    yield from _answers(done, page)


def _is_in(fault: Finding, name: str) -> bool:
    """Whether a disagreement is one of a result of the run."""
    return fault.kind == "module" and (fault.name == name or (name == "output" and "_" not in fault.name))


def _answers(done: Pass, page: Page) -> Iterator[str]:
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


def predicted(done: Pass) -> Array | None:
    """Give the class with the largest logit, (T, B), or (1, B) of the final state; None without classes."""
    scenario = done.scenario
    if scenario.target_vocabulary is None:
        return None
    if scenario.linear is None:
        return np.argmax(done.features, axis=-1)
    last = range(done.batch.num_steps) if scenario.linear.source == "output" else range(1)
    return np.stack([_scattered(done, np.argmax(done.value("linear", "logits", t), axis=-1), t) for t in last])


def _scattered(done: Pass, classes: Array, t: int) -> Array:
    """Put the classes of the live rows into all rows, −1 where a row is over."""
    rows = done.live_rows(t) if len(classes) < done.batch.num_rows else None
    if rows is None:
        return classes
    whole = np.full(done.batch.num_rows, -1)
    whole[rows] = classes
    return whole


def spelt(scenario: Scenario, classes: Array) -> str:
    """Write classes as letters, or as words in quotes where they are longer."""
    names = scenario.target_vocabulary or ()
    found = [names[int(index)] for index in classes if 0 <= int(index) < len(names)]
    is_letters = all(len(name) == 1 for name in names)
    return printable("".join(found) if is_letters else " ".join(repr(name) for name in found))


# ── verdict ──────────────────────────────────────────────────────────────────────────


def _stopped(selection: Selection) -> Text:
    assert selection.until is not None
    step = selection.stopped
    if step is None:
        return Text("`{watch}` never holds", watch=selection.until.text)
    return Text("stopped at step {step}: `{watch}` holds", step=step.t + 1, watch=selection.until.text)


def verdict_lines(selection: Selection, page: Page) -> Iterator[str]:
    """Say whether torch agrees, by what measure, and why runs may part."""
    run, checked = selection.run, selection.run.checked
    yield f"{page.mark(agrees=run.agrees)} {page.say(checked.explanation)}"
    for batch, fault in checked.faults[1:]:
        where = page.say(Text("batch {batch}: ", batch=batch + 1)) if len(run.scenario.batches) > 1 else ""
        yield f"{page.mark(agrees=False)} {where}{page.say(fault.message)}"
    signs: Mapping[str, object] = {
        "difference": brief(run.one_step_diff, 2, alphabet=page.alphabet),
        "allowed": brief(run.tolerance, 2, alphabet=page.alphabet),
    }
    one_step = (
        Text("one step from torch's own states: {difference} apart at most, {allowed} allowed", **signs)
        if run.reference is not None
        else Text("one step from the same states: {difference} apart at most, {allowed} allowed", **signs)
    )
    yield f"  {page.say(one_step)}"
    along = [f"{name} {brief(value, 2, alphabet=page.alphabet)}" for name, value in run.max_abs_diff.items()]
    yield "  " + page.say(Text("along the run, each on its own states: {differences}", differences=", ".join(along)))
