"""Gradients as text: the loss, ∂L/∂ of every state and parameter with autograd's beside, and each step's share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from rnnstep.cli.findings import of_gradients
from rnnstep.cli.gradient_words import (
    GIVEN,
    bias_words,
    by_part,
    floor_words,
    legend,
    loss_lines,
    loss_words,
    norm_of,
    row_labels,
    spelt,
    state_label,
    state_tag,
    tag,
    tag_room,
    verdict_lines,
)
from rnnstep.cli.page import TextPage, equations, module_words
from rnnstep.cli.training_words import mistake_lines
from rnnstep.cli.worked import MOST_SHOWN, number_room, value_lines
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.operations import Array
from rnnstep.equations.write import BLACKBOARD, SOURCE, write_line
from rnnstep.language import Text
from rnnstep.reports.gradients import MOST_STEPS, Gradients, Share, parts_of, shares, steps_back
from rnnstep.views.compose import wrap
from rnnstep.views.numbers import brief, column, number
from rnnstep.views.rows import width
from rnnstep.views.sentences import seam

MOST_NUMBERS = 64  # of a weight whose shares are shown in numbers
MOST_NUMBERED = 12  # steps


def gradient_pieces(found: Gradients, page: TextPage) -> Iterator[str]:
    """Give the whole text, line by line."""
    for line in _lines(found, page):
        yield line.rstrip() + "\n"


def _lines(found: Gradients, page: TextPage) -> Iterator[str]:
    yield from _head(found, page)
    for index in range(len(found.passes)):
        yield from _batch(found, index, page)
    yield ""
    yield from verdict_lines(found, page)
    yield from of_gradients(found, page)


def _head(found: Gradients, page: TextPage) -> Iterator[str]:
    scenario = found.scenario
    title = " ".join(scenario.title.into(page.language).split())
    yield page.heading(title or scenario.name)
    words = [module_words(scenario), scenario.display.dtype, loss_words(scenario)]
    yield spelt(page.dot.join(words), page)
    yield ""
    told = [
        line for text in mistake_lines(scenario.training) for line in wrap(page.say(text), page.width - 2)
    ]
    yield from (f"  {line}" for line in told)
    yield from [""] if told else []
    write = partial(write_line, notation=SOURCE if page.alphabet.is_ascii else BLACKBOARD)
    for line in equations(scenario, found.passes[0].blocks, write):
        yield spelt(f"  {line}", page)
    yield ""
    yield from page.say(legend(found, page)).split("\n")


def _batch(found: Gradients, index: int, page: TextPage) -> Iterator[str]:
    back = found.passes[index]
    if len(found.passes) > 1:
        yield ""
        where = Text("batch {batch}/{batches}", batch=index + 1, batches=len(found.passes))
        yield page.heading(page.say(where))
    yield from _loss(found, index, page)
    for key in (key for key in back.done.runs if back.done.goes_on(key)):
        place = [f"{key}: "] if len(back.done.runs) > 1 else []
        yield ""
        yield from (
            f"  {line}" for line in wrap(spelt("".join([*place, page.say(seam())]), page), page.width - 2)
        )
    for key in dict.fromkeys(key for _, key in back.recurrent_steps()):
        for name in back.done.by_key[key].program.states:
            yield from _states(found, index, key, name, page)
    for block in back.done.blocks:
        for torch, parts in parts_of(block).items():
            yield from _parameter(found, index, torch, parts, page)
        yield from _biases(back, block.key, page)
        yield from _shares(back, block.key, page)


# ── the loss ─────────────────────────────────────────────────────────────────────────


def _loss(found: Gradients, index: int, page: TextPage) -> Iterator[str]:
    back, torch = found.passes[index], found.compared(index)
    yield ""
    yield page.heading(page.say(Text("the loss")))
    for line in loss_lines(back):
        yield spelt(f"  {write_line(line, SOURCE if page.alphabet.is_ascii else BLACKBOARD)}", page)
    label = len("loss")
    if back.given is not None:
        yield from (f"  {line}" for line in wrap(page.say(GIVEN), page.width - 2))
    else:
        loss = back.done.by_key["loss"]
        each, steps = loss.output, range(len(back.done.axis("loss").all_steps(loss.extent)))
        label = max(len(each), label)
        if back.batch.num_rows == 1 and 1 < len(steps) <= MOST_SHOWN:
            values = [float(back.done.value("loss", each, t)[0, 0]) for t in steps]
            yield from _listed(each, values, label, page)
    ours, theirs = np.asarray([back.loss]), None if torch is None else np.asarray([torch.loss])
    yield from value_lines("loss", ours, theirs, label, tag(found, index, "loss", "loss", page), page)
    least = [] if back.given is not None else floor_words(found.scenario, back.batch, page)
    if least:
        yield ""
        yield from least


def _listed(name: str, values: Sequence[float], label: int, page: TextPage) -> Iterator[str]:
    """Write a number of each step, over as many lines as it takes."""
    written = column(values, page.decimals, width=page.decimals + 3, alphabet=page.alphabet)
    per_line = max(1, (page.width - label - 4) // (len(written[0]) + 1))
    for start in range(0, len(written), per_line):
        yield f"    {name if start == 0 else '':{label}} {' '.join(written[start : start + per_line])}"


# ── states ───────────────────────────────────────────────────────────────────────────


def _states(found: Gradients, index: int, key: str, name: str, page: TextPage) -> Iterator[str]:
    """Write ∂L/∂ of a state, from the step computed last to the first: its norm, and its numbers."""
    back = found.passes[index]
    yield ""
    where = "" if len(back.done.runs) == 1 else f"{key}  "
    yield page.heading(
        spelt(page.say(Text("{where}∂L/∂{name}_t, the last step first", where=where, name=name)), page)
    )
    whole, compared = back.states(key, name), found.compared(index)
    torch = None if compared is None else compared.states[key][name]
    places: list[tuple[int, int]] = []
    for t in steps_back(back, key):
        rows = back.live_rows(key, t)
        places += [(t, row) for row in (range(whole.shape[1]) if rows is None else rows.tolist())]
    names = [state_label(name, t, row, whole.shape[1], page) for t, row in places]
    norms = column([norm_of(whole[place]) for place in places], page.decimals, alphabet=page.alphabet)
    most = max(map(width, names))
    sign = state_tag(found, index, key, name, page)
    least = number_room((one[place] for place in places for one in (whole, torch) if one is not None), page)
    for place, shown, norm in zip(places, names, norms, strict=True):
        label = f"{shown}{' ' * (most - width(shown))}  {norm}"
        beside = None if torch is None else torch[place]
        yield from value_lines(
            label, whole[place], beside, width(label), sign, page, tag_room=tag_room(sign), least=least
        )


# ── parameters ───────────────────────────────────────────────────────────────────────


def _parameter(
    found: Gradients, index: int, torch: str, parts: Sequence[str], page: TextPage
) -> Iterator[str]:
    """Write ∂L/∂ of a parameter, autograd's beside it."""
    back = found.passes[index]
    ours, compared = back.parameters[torch], found.compared(index)
    theirs = None if compared is None else compared.parameters[torch]
    sign = tag(found, index, "parameters", torch, page)
    shape = "×".join(map(str, ours.shape))
    yield ""
    norm = number(norm_of(ours), page.decimals, alphabet=page.alphabet)
    title = Text("∂L/∂{name} {shape}, norm {norm}", name=torch, shape=shape, norm=norm)
    yield page.heading(spelt(page.say(title), page))
    if ours.size > MOST_SHOWN and theirs is None:
        yield f"  {page.say(Text('{count} numbers', count=ours.size))}"
        return
    if ours.size > MOST_SHOWN and theirs is not None:
        with np.errstate(invalid="ignore"):
            apart = float(np.abs(ours - theirs).max())
        shown = brief(apart, 2, alphabet=page.alphabet)
        yield f"  {page.say(Text('{count} numbers, {difference} apart at most', count=ours.size, difference=shown))} {sign}"
        return
    rows, labels = by_part(ours, parts), row_labels(ours, parts)
    yield from _matrix(rows, None if theirs is None else by_part(theirs, parts), labels, sign, page)


def _matrix(
    ours: Array, theirs: Array | None, labels: Sequence[str], sign: str, page: TextPage
) -> Iterator[str]:
    most = max(map(len, labels))
    least = number_room((ours,) if theirs is None else (ours, theirs), page)
    for row, (label, left) in enumerate(zip(labels, ours, strict=True)):
        right = None if theirs is None else theirs[row]
        yield from value_lines(label, left, right, most, sign, page, tag_room=tag_room(sign), least=least)


def _biases(back: BackwardPass, key: str, page: TextPage) -> Iterator[str]:
    said = bias_words(back, key)
    if said is not None:
        yield ""
        yield from (f"  {line}" for line in wrap(page.say(said), page.width - 2))


# ── shares ───────────────────────────────────────────────────────────────────────────


def _shares(back: BackwardPass, key: str, page: TextPage) -> Iterator[str]:
    """Write what each step gives to a block's weights, and their sum so far."""
    block = back.done.by_key[key]
    count = sum(1 for _ in steps_back(back, key))
    if not block.kept_in or count < 2:
        return
    if count > MOST_STEPS:
        yield ""
        yield "  " + page.say(Text("{count} steps: too many to tell the share of each here", count=count))
        return
    for torch, steps in shares(back, key).items():
        yield ""
        said = Text("the share of each step in ∂L/∂{name}, and their sum so far", name=torch)
        yield page.heading(spelt(page.say(said), page))
        if back.parameters[torch].size <= MOST_NUMBERS and count <= MOST_NUMBERED:
            labels = row_labels(back.parameters[torch], parts_of(block)[torch])
            yield from _in_numbers(steps, labels, page)
        else:
            yield from _norms(steps, page)


def _norms(steps: Sequence[Share], page: TextPage) -> Iterator[str]:
    decimals, alphabet = page.decimals, page.alphabet
    heads = [page.say(Text("step")), page.say(Text("norm")), page.say(Text("norm of the sum"))]
    columns = [
        [str(step.t + 1) for step in steps],
        column([norm_of(step.share) for step in steps], decimals, alphabet=alphabet),
        column([norm_of(step.total) for step in steps], decimals, alphabet=alphabet),
    ]
    yield from _table(heads, columns)


def _table(heads: Sequence[str], columns: Sequence[Sequence[str]]) -> Iterator[str]:
    most = [max(width(cell) for cell in (head, *cells)) for head, cells in zip(heads, columns, strict=True)]
    for row in (heads, *zip(*columns, strict=True)):
        yield "    " + "  ".join(
            " " * (room - width(cell)) + cell for room, cell in zip(most, row, strict=True)
        )


def _in_numbers(steps: Sequence[Share], labels: Sequence[str], page: TextPage) -> Iterator[str]:
    for step in steps:
        norms = [
            number(norm_of(value), page.decimals, alphabet=page.alphabet)
            for value in (step.share, step.total)
        ]
        said = Text(
            "step {step}: its share, norm {share} {rule} the sum so far, norm {total}",
            step=step.t + 1,
            share=norms[0],
            rule=page.alphabet.vertical,
            total=norms[1],
        )
        yield f"  {page.say(said)}"
        yield from _matrix(by_part(step.share, labels), by_part(step.total, labels), labels, "", page)
