"""The two kinds of confirmation and the two kinds of difference, explained with a run's own numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnstep.language import Text
from rnnstep.scenario.model import Scenario
from rnnstep.views import numbers
from rnnstep.views.compose import RowBlock, wrap
from rnnstep.views.look import Look
from rnnstep.views.prose import columns, said
from rnnstep.views.rows import Row, Span
from rnnstep.views.torch_column import NOT_FINITE

if TYPE_CHECKING:
    from rnnstep.reference import Checked

_SELF_CHECK_ALONE = Text(
    "torch.nn has no such module. Self-check: the same equations, written with torch's own operations,"
    " confirm every value."
)
_SELF_CHECK = Text(
    "Self-check: torch does not hand out what lies inside (products, gates); the same equations, written"
    " with torch's own operations, confirm it."
)
_ONE_STEP = Text(
    "One step: from the very h that torch had before the step, ours and torch's may differ only by"
    " rounding. Agreement is judged by this."
)
_ALONG_THE_RUN = Text(
    "Along the run: each goes on from its own h, so that differences add up; with large weights two right"
    " programs can part completely."
)


def confirmation(
    scenario: Scenario, checked: Checked | None, look: Look, cells: int, finding: Text | None = None
) -> RowBlock:
    """Say what confirms what, how it is judged, and how this run stands; `finding` is what is not finite in it."""
    if scenario.has_own_cells:
        confirms = [_SELF_CHECK_ALONE]
    else:
        states = dict.fromkeys(name for one in scenario.recurrents for name in one.cell.states)
        module = Text(
            "torch.nn: torch's own module confirms {results} and, stepped one time step and layer at a"
            " time, every {states}.",
            results=", ".join(["output", *(f"{name}_n" for name in states)]),
            states=", ".join(f"{name}_t" for name in states),
        )
        confirms = [module, _SELF_CHECK]
    if checked is not None and checked.recorded:
        recorded = Text(
            "Recorded: {results} were not computed here but given with the scenario, as another run gave them; they stand in"
            " the place of torch's, and are judged along the run.",
            results=", ".join(checked.recorded),
        )
        confirms.insert(0, recorded)
    rows = [row for text in (*confirms, _ONE_STEP, _ALONG_THE_RUN) for row in said(text, look, cells)]
    if finding is not None:
        rows += [(Span(line, "bad"),) for line in wrap(f"{NOT_FINITE} {look.say(finding)}", cells)]
    if checked is not None:
        return rows + _verdict(checked, look, cells)
    away = Text("torch is on its way …")
    if look.torch == "failed":
        away = look.torch_reason or Text("torch is not available")
    return rows + said(away, look, cells, "pending")


def _verdict(checked: Checked, look: Look, cells: int) -> RowBlock:
    sign = look.alphabet.check if checked.agrees else look.alphabet.wrong
    style = "ok" if checked.agrees else "bad"
    rows: RowBlock = [(Span(line, style),) for line in wrap(f"{sign} {look.say(checked.explanation)}", cells)]
    along = ", ".join(f"{name} {_brief(value, look)}" for name, value in checked.max_abs_diff.items())
    lines: list[Row] = [(Span(look.say(Text("along the run")), "label"), Span(along))]
    worst = checked.worst
    if worst is not None:
        place = f"{worst.key}/{worst.name}[{worst.element}]"
        reach = Text(
            "{difference} at {place}, {share} % of the {allowed} that rounding explains",
            difference=_brief(worst.difference, look),
            place=place if worst.t is None else f"{worst.t + 1}/{place}",
            share=_brief(100 * worst.share, look),
            allowed=_brief(worst.allowed, look),
        )
        lines.insert(0, (Span(look.say(Text("one step")), "label"), Span(look.say(reach))))
    return rows + columns(lines, cells)


def _brief(value: float, look: Look) -> str:
    return numbers.brief(value, 2, alphabet=look.alphabet)
