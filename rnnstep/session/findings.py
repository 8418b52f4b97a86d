"""The first number of a run that is not finite: where it is, what it is made of, and going there.

As all that is computed before it is finite, one of two things is true of it: something that it reads was given so, or
its operation overflows or has no value there (0·∞, ∞ − ∞, the logarithm of 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rnnstep.engine.not_finite import NotFinite
from rnnstep.equations.expand import expand
from rnnstep.equations.shares import ROWS
from rnnstep.language import Text
from rnnstep.session.breakpoints import PATIENCE
from rnnstep.session.place import write_place, write_row
from rnnstep.session.provenance import living_row
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.session.tree import Index, Spot, Tree, index_of

_MOST_OPERANDS = 3
"""How many operands a message names."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A number that an element is computed from."""

    name: str
    index: Index
    value: float

    def __str__(self) -> str:
        inside = f"[{','.join(map(str, self.index))}]" if self.index else ""
        return f"{self.name}{inside} = {written(self.value)}"


def written(value: float) -> str:
    """Give a number as messages have it: `NaN`, `∞`, `−∞`, `0.31`, `3e+38`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.4g}".replace("-", "−").replace("e−", "e-").replace("e+", "e")


def spot_of(finding: NotFinite) -> Spot:
    """The place of a number that is not finite, its element included."""
    return Spot(
        finding.batch,
        finding.key,
        finding.t,
        finding.name,
        finding.element,
        phase=finding.phase,
        epoch=finding.epoch,
    )


def place_of(tree: Tree, finding: NotFinite) -> str:
    """Its place as it is written, with its row of the batch: `12/L0←/hh_g[57]@row2`."""
    path = tree.path_to(spot_of(finding))
    return ("" if path is None else write_place(tree, path)) + write_row(finding.row or 0)


def operands(run: SessionRun, finding: NotFinite) -> tuple[Operand, ...]:
    """What tells most of how a number came to be not finite; `run` is at its epoch.

    That is what is not finite itself, else what its largest terms are made of.
    """
    spot = spot_of(finding)
    row = living_row(run, spot, 0) if finding.row is None else finding.row
    known = run.known(spot, row)
    if known is None:
        return ()
    index = index_of(run.block(spot), finding.name, finding.element)
    terms = expand(run.line(spot), index, known).terms
    factors = [factor for term in sorted(terms, key=_size, reverse=True) for factor in term.factors]
    found = dict.fromkeys(
        Operand(one.name.removesuffix(ROWS), one.index if known[one.name].ndim else (), one.value)
        for one in factors
    )
    strange = [one for one in found if not math.isfinite(one.value)]
    return tuple((strange or list(found))[:_MOST_OPERANDS])


def _size(term: object) -> float:
    value = abs(float(getattr(term, "value", 0.0)))
    return math.inf if math.isnan(value) else value


def in_words(run: SessionRun, finding: NotFinite) -> Text:
    """Say what the first number is that is not finite, and what it is made of; `run` is at its epoch."""
    place = {"place": place_of(run.tree, finding), "value": written(finding.value)}
    loss = run.scenario.loss
    found = operands(run, finding)
    if any(one.name == "empty" for one in found):
        if loss is not None and loss.over_time == "sum":
            return Text(
                "{place} is {value}: at a step nothing counts, and the mean of nothing has no value;"
                ' over_time = "together" takes one mean over all steps',
                **place,
            )
        return Text("{place} is {value}: nothing counts, and the mean of nothing has no value", **place)
    listed = ", ".join(map(str, found))
    if found and not math.isfinite(found[0].value):
        return Text(
            "{place} is the first {value}: {operands} is given so",
            operands=listed,
            **place,
        )
    return Text(
        "{place} is the first {value}, made of finite {operands}",
        operands=listed,
        **place,
    )


def go_to_finding(session: Session) -> Session:
    """`!`: go to the first number that is not finite, training on for a moment where none is known yet."""
    learning = session.run.learning
    is_known = learning.look_on(PATIENCE)
    finding = learning.finding
    if finding is None:
        if is_known:
            return session.say(Text("every number of this run is finite"))
        return session.say(
            Text(
                "every number is finite up to epoch {epoch} of {count}; ! looks further",
                epoch=learning.num_looked_through,
                count=learning.num_epochs,
            )
            if learning.num_epochs > 1
            else Text("every number is finite as far as was looked; ! looks further")
        )
    spot = spot_of(finding)
    path = session.tree.path_to(spot)
    if path is None:
        return session
    moved = session if path == session.position.path else session.jump(path, finding.row)
    if moved.run.epoch.index != finding.epoch:  # the epoch is not reached yet, and the note says so
        return moved
    return replace(moved, is_revealed=True).say(in_words(moved.run, finding))
