"""Gradients as Markdown: a table for every state and parameter, autograd's numbers in a column of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rnnstep.cli.findings import of_gradients
from rnnstep.cli.gradient_words import (
    GIVEN,
    bias_words,
    by_part,
    legend,
    loss_lines,
    loss_words,
    norm_of,
    row_labels,
    state_label,
    state_tag,
    tag,
    verdict_lines,
)
from rnnstep.cli.markdown import escaped, items, table_row, vector
from rnnstep.cli.page import TextPage, equations, module_words
from rnnstep.cli.worked import MOST_SHOWN
from rnnstep.engine.least_loss import floor
from rnnstep.equations.write import write_line
from rnnstep.language import Text
from rnnstep.reports.gradients import MOST_STEPS, Gradients, parts_of, shares, steps_back
from rnnstep.views.numbers import number


def markdown_pieces(found: Gradients, page: TextPage) -> Iterator[str]:
    """Give the whole document, line by line."""
    for line in _lines(found, page):
        yield line + "\n"


def _lines(found: Gradients, page: TextPage) -> Iterator[str]:
    scenario = found.scenario
    title = " ".join(scenario.title.into(page.language).split())
    yield f"# {escaped(title or scenario.name)}"
    yield ""
    yield f"`{module_words(scenario)}`, `{scenario.display.dtype}`, `{loss_words(scenario)}`"
    yield ""
    yield "```"
    yield from equations(scenario, found.passes[0].blocks, write_line)
    yield "```"
    yield ""
    yield page.say(legend(found, page))
    for index in range(len(found.passes)):
        yield from _batch(found, index, page)
    yield ""
    yield from ("- " + line.strip() for line in verdict_lines(found, page))
    yield from items(of_gradients(found, page))


def _batch(found: Gradients, index: int, page: TextPage) -> Iterator[str]:
    back = found.passes[index]
    if len(found.passes) > 1:
        where = Text("batch {batch}/{batches}", batch=index + 1, batches=len(found.passes))
        yield from ("", f"# {page.say(where)}")
    yield from _loss(found, index, page)
    for key in dict.fromkeys(key for _, key in back.recurrent_steps()):
        for name in back.done.by_key[key].program.states:
            yield from _states(found, index, key, name, page)
    for block in back.done.blocks:
        for torch, parts in parts_of(block).items():
            yield from _parameter(found, index, torch, parts, page)
        said = bias_words(back, block.key)
        yield from ("", page.say(said)) if said is not None else ()
        yield from _shares(found, index, block.key, page)


def _loss(found: Gradients, index: int, page: TextPage) -> Iterator[str]:
    back, torch = found.passes[index], found.compared(index)
    yield from ("", f"## {page.say(Text('the loss'))}", "", "```")
    yield from map(write_line, loss_lines(back))
    yield from [page.say(GIVEN)] if back.given is not None else []
    yield from ("```", "")
    yield from _heads("", page.say(Text("ours")), "torch", "")
    ours = vector(np.asarray([back.loss]), page)
    theirs = "" if torch is None else vector(np.asarray([torch.loss]), page)
    yield table_row(["`loss`", ours, theirs, tag(found, index, "loss", "loss", page)])
    least = floor(found.scenario, back.batch)
    yield from ("", page.say(least.why)) if least is not None else ()


def _states(found: Gradients, index: int, key: str, name: str, page: TextPage) -> Iterator[str]:
    back = found.passes[index]
    where = "" if len(back.done.runs) == 1 else f"{key}: "
    yield from ("", f"## {where}∂L/∂{name}_t", "")
    yield from _heads("", page.say(Text("norm")), page.say(Text("ours")), "torch", "")
    whole, compared = back.states(key, name), found.compared(index)
    torch = None if compared is None else compared.states[key][name]
    sign = state_tag(found, index, key, name, page)
    for t in steps_back(back, key):
        rows = back.live_rows(key, t)
        for row in range(whole.shape[1]) if rows is None else rows.tolist():
            label = f"`{state_label(name, t, row, whole.shape[1], page)}`"
            norm = number(norm_of(whole[t, row]), page.decimals, alphabet=page.alphabet)
            theirs = "" if torch is None else vector(torch[t, row], page)
            yield table_row([label, norm, vector(whole[t, row], page), theirs, sign])


def _parameter(
    found: Gradients, index: int, torch: str, parts: Sequence[str], page: TextPage
) -> Iterator[str]:
    back = found.passes[index]
    ours, compared = back.parameters[torch], found.compared(index)
    theirs = None if compared is None else compared.parameters[torch]
    sign = tag(found, index, "parameters", torch, page)
    yield from ("", f"## ∂L/∂`{torch}` {'×'.join(map(str, ours.shape))}", "")
    norms = [
        "" if value is None else number(norm_of(value), page.decimals, alphabet=page.alphabet)
        for value in (ours, theirs)
    ]
    yield from _heads("", page.say(Text("ours")), "torch", "")
    yield table_row([page.say(Text("norm")), *norms, sign])
    if ours.size > MOST_SHOWN:
        return
    beside = None if theirs is None else by_part(theirs, parts)
    for row, (label, left) in enumerate(zip(row_labels(ours, parts), by_part(ours, parts), strict=True)):
        right = "" if beside is None else vector(beside[row], page)
        yield table_row([f"`{label}`" if label else "", vector(left, page), right, sign])


def _shares(found: Gradients, index: int, key: str, page: TextPage) -> Iterator[str]:
    """Write how large each step's share in a block's weights is, and their sum so far."""
    back = found.passes[index]
    count = sum(1 for _ in steps_back(back, key))
    if not back.done.by_key[key].kept_in or not 1 < count <= MOST_STEPS:
        return
    for torch, steps in shares(back, key).items():
        said = Text("the share of each step in ∂L/∂{name}, and their sum so far", name=torch)
        yield from ("", page.say(said), "")
        yield from _heads(*(page.say(head) for head in (Text("step"), Text("norm"), Text("norm of the sum"))))
        for step in steps:
            norms = [norm_of(step.share), norm_of(step.total)]
            written = [number(norm, page.decimals, alphabet=page.alphabet) for norm in norms]
            yield table_row([str(step.t + 1), *written])


def _heads(*names: str) -> Iterator[str]:
    yield table_row(names)
    yield table_row(["---"] * len(names))
