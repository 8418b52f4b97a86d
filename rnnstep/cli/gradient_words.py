"""The words around gradients, in text and in Markdown: what stands beside them, and what follows from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from rnnstep.cli.page import ALONE, TextPage, file_lines
from rnnstep.engine.backward import BackwardPass
from rnnstep.engine.least_loss import floor
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import Line
from rnnstep.language import Text
from rnnstep.reports.gradients import Gradients
from rnnstep.scenario.model import Batch, Scenario
from rnnstep.views.compose import wrap
from rnnstep.views.numbers import brief
from rnnstep.views.rows import width


def spelt(text: str, page: TextPage) -> str:
    """Give a text in the page's signs."""
    return page.alphabet.spell(text)


def loss_words(scenario: Scenario) -> str:
    """Give the loss as torch writes it: `0.5 * MSELoss(reduction="sum")`; where gradients are given, what they are those of."""
    loss = scenario.loss
    if loss is None or not scenario.has_loss:
        return "Σ output ⊙ G"
    options = [
        f'{key}="{value}"'
        if isinstance(value, str)
        else f"{key}={value:g}"
        if key == "beta"
        else f"{key}={value}"
        for key, value in loss.unusual_options.items()
    ]
    factor = "" if loss.factor == 1 else f"{loss.factor:g} * "
    return f"{factor}{loss.name}({', '.join(options)})"


def loss_lines(back: BackwardPass) -> list[Line]:
    """Give the lines of the loss; none where gradients are given in its place."""
    if back.given is not None:
        return []
    return [line for key in ("loss", "total") for line in back.done.by_key[key].program.lines]


GIVEN = Text("gradients G were given: the backward pass is that of the sum of each value times its G")


def legend(found: Gradients, page: TextPage) -> Text:
    """Say what stands beside each gradient, and what the marks say."""
    sign = page.alphabet.check
    if not found.comparisons:
        return ALONE
    if found.reference is None:
        return Text(
            "Beside each gradient: autograd's, {mark}, on the same equations in torch's own operations.\n"
            "That is a self-check: torch.nn has no such module.",
            mark=page.self_check(sign),
        )
    if any(one.reference.self_checked for one in found.comparisons):
        return Text(
            "Beside each gradient: autograd's. {sign} is torch.nn's own number, of h_t kept while its cells are\n"
            "stepped; {mark} comes from the same equations in torch's own operations: a self-check.",
            sign=sign,
            mark=page.self_check(sign),
        )
    return Text(
        "Beside each gradient: autograd's, {sign} where they agree. Those of states are kept while torch.nn's\n"
        "own cells are stepped one time step at a time; the number before each is its norm.",
        sign=sign,
    )


def tag(found: Gradients, index: int, kind: str, name: str, page: TextPage) -> str:
    """Mark the loss, or a parameter's gradient, of a batch."""
    if not found.comparisons:
        return ""
    sign = page.mark(agrees=found.comparisons[index].agrees_on(kind, name))
    return page.self_check(sign) if found.reference is None else sign


def state_tag(found: Gradients, index: int, key: str, name: str, page: TextPage) -> str:
    """Mark the gradient of a state."""
    if not found.comparisons:
        return ""
    sign = page.mark(agrees=found.comparisons[index].agrees_on("states", name, key))
    is_own = found.comparisons[index].reference.is_module_confirmed(key, name)
    return sign if is_own else page.self_check(sign)


def norm_of(value: Array) -> float:
    """Give the norm of all numbers of an array."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.sum(np.square(value, dtype=np.float64))))


def by_part(value: Array, parts: Sequence[str]) -> Array:
    """Lay out a parameter for reading, (rows, columns): the rows of a bias are those of the gates, those of a window its steps."""
    return value.reshape(-1, value.shape[-1]) if value.ndim > 1 else value.reshape(len(parts), -1)


def row_labels(value: Array, parts: Sequence[str]) -> list[str]:
    """Say which row is which: `[2]`, `W_if[0]` where a weight is of several gates; of their biases `b_if`."""
    if value.ndim == 1:
        return list(parts) if len(parts) > 1 else [""]
    if value.ndim > 2:
        return [f"[{','.join(map(str, row))}]" for row in np.ndindex(value.shape[:-1])]
    if len(parts) == 1:
        return [f"[{row}]" for row in range(len(value))]
    size = len(value) // len(parts)
    return [f"{part}[{row}]" for part in parts for row in range(size)]


def tag_room(sign: str) -> int:
    """Count the cells that a tag takes, its colour aside."""
    return width(re.sub(r"\x1b\[[\d;]*m", "", sign))


def state_label(name: str, t: int, row: int, rows: int, page: TextPage) -> str:
    """Name a state after a step: `h_3`, with its row where there are several."""
    return f"{name}_{t + 1}" + (f" {page.say(Text('row {row}', row=row + 1))}" if rows > 1 else "")


def floor_words(scenario: Scenario, batch: Batch, page: TextPage) -> list[str]:
    """Say what the loss can never reach, in lines; none where there is no such bound."""
    least = floor(scenario, batch)
    return [] if least is None else [f"  {line}" for line in wrap(page.say(least.why), page.width - 2)]


def bias_words(back: BackwardPass, key: str) -> Text | None:
    """Say where both biases of a block have the same gradient, and where not and why."""
    block = back.done.by_key[key]
    if block.kind != "recurrent":
        return None
    recurrent = back.scenario.recurrent_of(block)
    if recurrent.is_own or recurrent.bias is not True:
        return None
    ih, hh = (
        next(where.torch for where in block.kept_in.values() if kind in where.torch)
        for kind in ("bias_ih", "bias_hh")
    )
    told = recurrent.cell.words.biases_of
    if told is not None:
        return told(ih, hh)
    if not np.array_equal(back.parameters[ih], back.parameters[hh], equal_nan=True):
        return None
    return Text(
        "{ih} and {hh} have the same gradient: both are added to the same sum, and nothing tells them apart.",
        ih=ih,
        hh=hh,
    )


def verdict_lines(found: Gradients, page: TextPage) -> Iterator[str]:
    """Say whether autograd agrees, and by what measure."""
    if not found.comparisons:
        yield page.say(ALONE)
        return
    sign = page.mark(agrees=found.agrees is True)
    first = next((one for one in found.comparisons if not one.agrees), found.comparisons[0])
    yield f"{sign} {spelt(page.say(first.explanation), page)}"
    for number, one in enumerate(found.comparisons):
        for fault in one.faults[1:] if one is first else one.faults:
            where = page.say(Text("batch {batch}: ", batch=number + 1)) if len(found.comparisons) > 1 else ""
            yield f"{sign} {where}{spelt(page.say(fault.message), page)}"
    if found.worst is not None:
        values = {
            "place": found.worst.place,
            "difference": brief(found.worst.difference, 2, alphabet=page.alphabet),
            "allowed": brief(found.worst.allowed, 2, alphabet=page.alphabet),
        }
        said = Text(
            "one step back from torch's own numbers: at {place} {difference} apart, {allowed} allowed",
            **values,
        )
        yield f"  {spelt(page.say(said), page)}"
    apart = [
        f"{name} {brief(value, 2, alphabet=page.alphabet)}"
        for name, value in (found.max_abs_diff or {}).items()
    ]
    said = Text(
        "along the way back, each on its own run: {differences} apart at most", differences=", ".join(apart)
    )
    yield f"  {page.say(said)}"
    yield from file_lines(found.scenario, page)
