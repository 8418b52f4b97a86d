"""A marked sheet with what went wrong: what `check` prints, `grade` counts and the screen shows.

One row of a large batch has a sheet of its own, so that what was done wrong there shows in a fraction of the time. NaN
and infinity confirm nothing: of what the run has no number for it is told since when and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from rnnstep.checking.advice import Advice, advice, why_alike
from rnnstep.checking.answers.answer import Answers
from rnnstep.checking.answers.layout import Laid
from rnnstep.checking.chance import NAMED, at_least, once_in
from rnnstep.checking.marking import Mark, Sheet
from rnnstep.checking.mistakes.catalogue import Catalogue
from rnnstep.checking.mistakes.words import MISTAKES
from rnnstep.checking.naming import QUICK, THOROUGH, NamedMistake, Tried, told, tried
from rnnstep.checking.own_numbers import Place
from rnnstep.engine.learning import Learning
from rnnstep.engine.not_finite import NotFinite
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import names_in
from rnnstep.language import Text
from rnnstep.scenario.model import Batch, Scenario

FEW = 4  # rows: so many are kept together, as a mistake may mix them up
_ROWS_OF_THEIR_OWN = ("lookup", "recurrent", "join", "map")


class OneRow:
    """The sheets of single rows, each made once."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._found: dict[tuple[int, int], tuple[Sheet, tuple[int, ...]]] = {}

    def of(self, number: int) -> tuple[Sheet, int]:
        """Give the sheet on which an answer stands with its row alone, and its number there; else as it was."""
        sheet, target = self._sheet, self._sheet.targets[number]
        batch = target.parts[0].place.batch
        rows = {target.row_of(part) for part in target.parts}
        if rows != {target.row} or not all(self._is_of_one_row(part.place) for part in target.parts):
            return sheet, number
        if (batch, target.row) not in self._found:
            self._found[batch, target.row] = self._made(batch, target.row)
        made, numbers = self._found[batch, target.row]
        return made, numbers.index(number)

    def _is_of_one_row(self, place: Place) -> bool:
        """Whether the rows of a value do not know of each other, nor of the batches before, and are many."""
        learning = self._sheet.learning
        done = learning.epoch(0).forward(place.batch)
        knows_others = "update" in learning.structure.phases or done.scenario.carries
        return (
            not (place.batch and knows_others)
            and place.phase == "forward"
            and place.epoch == 0
            and done.batch.num_rows > FEW
            and not done.masks
            and done.by_key[place.key].kind in _ROWS_OF_THEIR_OWN
        )

    def _made(self, batch: int, row: int) -> tuple[Sheet, tuple[int, ...]]:
        numbers, laid = [], []
        for number, one in enumerate(self._sheet.laid):
            places = [part.place for part in one.target.parts]
            if {one.target.row_of(part) for part in one.target.parts} == {row} and all(
                place.batch == batch and self._is_of_one_row(place) for place in places
            ):
                numbers.append(number)
                laid.append(_moved(one, self._sheet.decimals(number)))
        scenario = _of_row(self._sheet.learning.scenario, batch, row)
        return Sheet(Learning(scenario), laid), tuple(numbers)


def _moved(one: Laid, decimals: int) -> Laid:
    parts = tuple(replace(part, place=part.place._replace(batch=0), row=None) for part in one.target.parts)
    answer = replace(one.answer, decimals=decimals)
    return replace(one, answer=answer, target=replace(one.target, parts=parts, row=0))


def _of_row(scenario: Scenario, number: int, row: int) -> Scenario:
    """The scenario with one row of one batch, and no loss."""
    batch = scenario.batches[number]
    here = slice(row, row + 1)
    alone = Batch(
        None if batch.values is None else batch.values[:, here],
        None if batch.indices is None else batch.indices[:, here],
        None if batch.lengths is None else batch.lengths[here],
        batch.packed,
        beside={name: fed.of_rows(here) for name, fed in batch.beside.items()},
        derived={name: fed.of_rows(here) for name, fed in batch.derived.items()},
    )
    states = {name: value[:, here] for name, value in scenario.initial_of(batch).items()}
    return replace(
        scenario,
        batches=(alone,),
        initial_state=states,
        loss=None,
        training=None,
        test_batches=(),
        cure=None,
        feeds={},
    )


# ── what cannot be marked ────────────────────────────────────────────────────────────────────────

PATIENCE = 5.0  # seconds that a training is looked through for its first number that is not finite


@dataclass(frozen=True, slots=True)
class Since:
    """Where a run stops being finite.

    Attributes:
        place: `2/L0/ih_i[0]`, as places are written everywhere.
        value: "NaN", "∞" or "−∞".
        why: how it comes.
    """

    place: str
    value: str
    why: Text


def since(learning: Learning) -> Since | None:
    """Give the first number of a run that is not finite, and why it is none; None where it was not found in time."""
    learning.look_on(PATIENCE)
    finding = learning.finding
    if finding is None:
        return None
    return Since(_place(learning, finding), written(finding.value), _why(learning, finding))


def written(value: float) -> str:
    """NaN or an infinity, as people write it."""
    return "NaN" if np.isnan(value) else "∞" if value > 0 else "−∞"


def _place(learning: Learning, at: NotFinite) -> str:
    block = learning.structure.stage(at.batch, at.phase).by_key[at.key]
    shape = tuple(int(one) for one in block.program.shapes[at.name]) or (1,)
    index = ",".join(str(part) for part in np.unravel_index(at.element, shape))
    step = "" if at.phase == "update" else f"{at.t + 1}/"
    parts = [
        f"e{at.epoch + 1}:" if at.epoch else "",
        f"{at.batch + 1}:" if learning.structure.num_batches > 1 else "",
        f"{at.phase}:" if at.phase != "forward" else "",
        f"{step}{at.key}/{at.name}[{index}]",
        f"@row{at.row}" if at.row else "",
    ]
    return "".join(parts)


def _why(learning: Learning, at: NotFinite) -> Text:
    """What the line of a number reads that is not finite itself, or that none is."""
    block = learning.structure.stage(at.batch, at.phase).by_key[at.key]
    line = block.program.by_name[at.name]
    passed = learning.epoch(at.epoch).passed(at.phase, at.batch)
    known = None if passed is None else passed.known(at.key, at.t, at.row or 0)
    read = list(dict.fromkeys(names_in(line.expression)))
    if "empty" in read:
        loss = learning.scenario.loss
        if loss is not None and loss.over_time == "sum":
            return Text(
                'a mean over nothing has no value: at some step no target counts (over_time = "together" takes one mean)'
            )
        return Text("a mean over nothing has no value: no target counts")
    for name in read if known is not None else ():
        value = np.asarray(known[name], np.float64) if known is not None and name in known else np.zeros(1)
        if not np.isfinite(value).all():
            found = written(float(value[~np.isfinite(value)].flat[0]))
            return Text("{name} has {value}, as it was given", name=name, value=found)
    return Text("its own operands are finite: it overflows, or has no value there")


# ── the whole sheet ──────────────────────────────────────────────────────────────────────────────

MOST_THOROUGH = 20  # wrong answers for which two mistakes at once are tried
MOST_REMARKED = 300  # wrong answers for which any are
TOO_COARSE = Text("these numbers are too few or too coarse to tell what was done")
MOST_TOGETHER = 8  # wrong answers that are looked at together, where one alone says too little


@dataclass(frozen=True, eq=False)
class Remarks:
    """What is to be said of a wrong answer.

    Attributes:
        mistakes: those that explain it, the likeliest first.
        why_alike: where several do, what hides their difference.
        advice: which value to work out next, where several do or the numbers are too few to tell.
        was_searched: False where so many answers are wrong that this one was not looked into.
        is_too_coarse: whether mistakes fit, but so many random numbers would that it says nothing.
    """

    mistakes: tuple[NamedMistake, ...] = ()
    why_alike: Text | None = None
    advice: Advice | None = None
    was_searched: bool = True
    is_too_coarse: bool = False


class Marks:
    """All answers of one writer, marked.

    Attributes:
        sheet: the answers, and the calculation they are held against.
        marks: of each answer, in their order.
    """

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.marks: Sequence[Mark] = sheet.marks
        self._one_row = OneRow(sheet)
        self._remarks: dict[tuple[int, int], Remarks] = {}
        self._tries: dict[tuple[int, int], Tried] = {}

    @classmethod
    def of(cls, learning: Learning, answers: Answers, catalogue: Catalogue | None = None) -> Self:
        """Mark answers, as `Sheet.of`.

        Raises:
            ScenarioError: answers to what the run does not have, or in another shape; all of them.
        """
        return cls(Sheet.of(learning, answers, catalogue))

    def remarks(self, number: int, *, is_quick: bool = False) -> Remarks:
        """What is to be said of an answer; worked out when it is first asked for.

        Args:
            number: of the answer.
            is_quick: for who cannot wait: fewer steps are gone back, and no two mistakes at once are tried.
        """
        rank = self._ranks.get(number, MOST_REMARKED)
        is_quick = (
            is_quick or rank >= MOST_THOROUGH or number in self.sheet.stock
        )  # which took no work to write
        work = 0 if rank >= MOST_REMARKED else QUICK if is_quick else THOROUGH
        if (number, work) not in self._remarks:
            self._remarks[number, work] = (
                self._remarked(number, work) if work else Remarks(was_searched=False)
            )
        return self._remarks[number, work]

    def _remarked(self, number: int, work: int) -> Remarks:
        sheet, at = self._one_row.of(number)
        fitting = [
            replace(one, chance=self._chance(number, one, work))
            for one in self._tried_of(number, work).fitting
        ]
        found = told(fitting, ~np.isnan(self.marks[number].given))
        if not found:
            return Remarks(advice=advice(sheet, at, fitting), is_too_coarse=bool(fitting))
        if len({one.ids for one in found}) < 2:
            return Remarks(found)
        return Remarks(found, why_alike(sheet, at, found), advice(sheet, at, found))

    def _tried_of(self, number: int, work: int) -> Tried:
        """What was tried on a wrong answer."""
        if (number, work) not in self._tries:
            sheet, at = self._one_row.of(number)
            self._tries[number, work] = tried(sheet, at, work=work)
        return self._tries[number, work]

    def _chance(self, number: int, one: NamedMistake, work: int) -> float:
        """How likely a sheet of random answers would be explained as well as this one is.

        That is one of as many as are wrong here, by any mistake that was tried up to this one; or, where the same
        mistake explains several, as many of those that are looked at together, by the same one.
        """
        alone = once_in(len(self._ranks), one.chance)
        if alone < NAMED or len(self._ranks) == 1:
            return alone
        others = [other for other in self._ranks if other != number][: MOST_TOGETHER - 1]
        tries = [self._tried_of(other, min(work, QUICK)) for other in others]
        count = sum(any(fits.ids == one.ids for fits in other.fitting) for other in tries)
        if not count:
            return alone
        shares = [dict(other.shares) for other in tries]
        of_each = self._tried_of(number, work).up_to(one.ids).items()
        together = sum(
            at_least(count + 1, [share, *(other.get(ids, 0.0) for other in shares)]) for ids, share in of_each
        )
        return min(alone, together)

    @cached_property
    def _ranks(self) -> dict[int, int]:
        """Of each wrong answer how many stand before it."""
        wrong = [number for number, mark in enumerate(self.marks) if mark.status == "wrong"]
        return {number: rank for rank, number in enumerate(wrong)}

    @cached_property
    def since(self) -> Since | None:
        """Since where the run is not finite; None where it is, or where that was not found in time."""
        is_asked = any(mark.status == "unmarkable" for mark in self.marks)
        return since(self.sheet.learning) if is_asked else None

    def scores(self, number: int) -> bool:
        """Whether an answer counts."""
        return self.sheet.scores(number)

    @property
    def stock(self) -> tuple[str, ...]:
        """What the stock answers are of: what follows from them does not count."""
        return tuple(dict.fromkeys(self.marks[number].label for number in sorted(self.sheet.stock)))

    @property
    def score(self) -> tuple[int, int]:
        """How many answers score, and how many could."""
        return self.sheet.score

    @cached_property
    def first_wrong(self) -> int | None:
        """The first wrong answer in the order of the calculation, or None."""
        wrong = [number for number, mark in enumerate(self.marks) if mark.status == "wrong"]
        return min(wrong, key=self.sheet.order, default=None)

    def as_dict(self, language: str = "en") -> dict[str, Any]:
        """Give the marks as a dictionary of plain lists and numbers, words in a language."""
        answers = [_as_dict(self, number, language) for number in range(len(self.marks))]
        return {"answers": answers, "score": list(self.score)}


def followed(marked: Marks, number: int) -> Text:
    """What is to be said of an answer that follows from wrong ones: whether it scores."""
    if marked.scores(number):
        return Text("right, from your own earlier numbers")
    return Text(
        "right, from your own earlier numbers; no score: {names} is one number throughout, or a copy of another value",
        names=", ".join(marked.stock),
    )


def not_marked(marked: Marks, mark: Mark) -> Text:
    """Why an answer is not marked."""
    is_given = ~np.isnan(mark.given)
    at = np.argwhere(is_given & ~np.isfinite(mark.expected))[0].tolist()
    value = written(float(mark.expected[tuple(at)]))
    is_elsewhere = np.isfinite(mark.expected[is_given]).any()
    where = Text("at [{index}]", index=", ".join(map(str, at))) if is_elsewhere else Text("here")
    if marked.since is None:
        return Text(
            "not marked: the run has {value} {where}, which confirms nothing", value=value, where=where
        )
    return Text(
        "not marked: the run has {value} {where}, and is not finite from {place} on: {why}",
        value=value,
        where=where,
        place=marked.since.place,
        why=marked.since.why,
    )


# ── as plain lists and numbers ───────────────────────────────────────────────────────────────────


def _as_dict(marked: Marks, number: int, language: str) -> dict[str, Any]:
    mark = marked.marks[number]
    target, answer = mark.target, mark.answer
    found: dict[str, Any] = {
        "t": target.t,
        "layer": target.layer,
        "direction": target.direction,
        **({} if target.block is None else {"block": target.block}),
        "name": answer.name,
        "given": _given(mark.given),
        "expected": mark.expected.tolist(),
        "status": mark.status,
        "scores": marked.scores(number),
        "mistakes": [],
        "low": mark.low.tolist(),
        "high": mark.high.tolist(),
    }
    if answer.row:
        found["batch"] = answer.row
    if answer.epoch is not None:
        found["epoch"] = answer.epoch
    if mark.status == "unmarkable" and marked.since is not None:
        found["since"] = marked.since.place
        found["why"] = marked.since.why.into(language)
    remarks = marked.remarks(number)
    for one in remarks.mistakes:
        for id_ in one.ids:
            mistake = {
                "id": id_,
                "name": MISTAKES[id_].name.into(language),
                "explains": one.explains,
                "chance": one.chance,
                "explanation": MISTAKES[id_].explanation.into(language),
                "hint": MISTAKES[id_].hint.into(language),
            }
            others = [other for other in one.ids if other != id_]
            found["mistakes"].append(mistake | ({"with": others[0]} if others else {}))
    if remarks.is_too_coarse:
        found["too_coarse"] = True
    if remarks.advice is not None:
        found["next"] = {
            "name": remarks.advice.name,
            "t": remarks.advice.t,
            "layer": remarks.advice.layer,
            "direction": remarks.advice.direction,
            **({} if remarks.advice.block is None else {"block": remarks.advice.block}),
        }
    return found


def _given(values: Array) -> Any:
    """Nested lists; null for a blank."""
    if values.ndim:
        return [_given(one) for one in values]
    return None if np.isnan(values) else float(values)
