"""Training at a glance: the loss over the epochs, and the epochs around the cursor's as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.engine.trainer import Record
from rnnstep.language import Text
from rnnstep.scenario.model import Scenario
from rnnstep.session.tree import Spot
from rnnstep.views import numbers
from rnnstep.views.compose import RowBlock, fit
from rnnstep.views.grids import window
from rnnstep.views.plot import LOG_SCALE, Axes, Series, plot
from rnnstep.views.rows import Row, Span, width
from rnnstep.views.scene import Scene
from rnnstep.views.torch_column import NOT_FINITE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rnnstep.views.alphabet import Alphabet

_DECADES = 2
"""A loss that spans more of them is seen on a logarithmic axis alone."""

_MOST_LINKS = 2000
_MOST_ANSWERS = 8
"""How many rows' answers a line of the table names."""

_CURE_SECONDS = 0.03
"""How long one frame goes on with the cure's training."""


def is_trained(scene: Scene) -> bool:
    """Whether there is more than one epoch to look at."""
    return scene.run.tree.num_epochs > 1


def told(scene: Scene) -> Sequence[Record]:
    """What is known of the epochs: those before the cursor's, its own once its loss is computed, and any trained ahead."""
    learning, now = scene.run.learning, scene.run.epoch.index
    if scene.session.is_hidden:
        return learning.records[:now]
    if len(learning.records) == now and is_epoch_told(scene):
        learning.record(now)
    records = learning.records
    is_ahead = len(records) > now + 1 or is_epoch_told(scene)
    return records if is_ahead else records[:now]


def is_epoch_told(scene: Scene) -> bool:
    """Whether the loss of the cursor's epoch is computed."""
    tree = scene.run.tree
    last = Spot(tree.num_batches - 1, epoch=scene.run.epoch.index)
    stage = tree.stage(last)
    if "total" not in stage.steps:
        return False
    return scene.is_done(Spot(last.batch, "total", stage.steps["total"][-1], epoch=last.epoch))


# ── the curve ────────────────────────────────────────────────────────────────────────────


def curve(scene: Scene, cells: int, height: int) -> RowBlock:
    """Plot the loss over the epochs, torch's beside it, and with a mistake that of the cure."""
    ours = [record.loss for record in told(scene)]
    lines = [(scene.look.say(Text("loss")), tuple(ours))]
    if scene.torch_losses:
        lines.append(("torch", tuple(scene.torch_losses[: len(ours)])))
    cured = scene.run.cured
    if cured is not None:
        cured.reach(len(ours), _CURE_SECONDS)
        losses = tuple(record.loss for record in cured.records[: len(ours)])
        lines.append((scene.look.say(Text("loss with the cure")), losses))
    now = None if scene.level == "start" else scene.run.epoch.index
    note = tuple(map(scene.look.say, LOG_SCALE))
    return list(
        _drawn(tuple(lines), scene.run.tree.num_epochs, now, cells, height, note, scene.look.alphabet)
    )


@lru_cache(maxsize=8)
def _drawn(
    lines: tuple[tuple[str, tuple[float, ...]], ...],
    epochs: int,
    now: int | None,
    cells: int,
    height: int,
    note: tuple[str, ...],
    alphabet: Alphabet,
) -> tuple[Row, ...]:
    finite = [value for _, line in lines for value in line if np.isfinite(value) and value > 0]
    is_log = bool(finite) and max(finite) / min(finite) > 10**_DECADES
    axes = Axes(
        steps=epochs,
        current=now,
        is_log=is_log,
        bounds=None if is_log or not finite else (0.0, max(finite)),
        targets=[f"go e{epoch + 1}:" for epoch in range(epochs)] if epochs <= _MOST_LINKS else (),
        note=note if is_log else (),
    )
    return tuple(plot([Series(*line) for line in lines], cells, height, axes, alphabet=alphabet))


# ── the table ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Column:
    """A column of the table: its title, each epoch's text, and the epochs whose number is not finite."""

    title: str
    style: str
    texts: Mapping[int, str]
    strange: frozenset[int] = frozenset()

    def width(self, epochs: Sequence[int]) -> int:
        """The cells that it takes."""
        return max([width(self.title), *(width(self.texts.get(epoch, "")) for epoch in epochs)])


def table(scene: Scene, cells: int, height: int) -> RowBlock:
    """The epochs around the cursor's: loss, torch's loss, what the network says, and how much of it is right."""
    epochs, now = scene.run.tree.num_epochs, scene.run.epoch.index
    if height < 2:
        return []
    seen = window(epochs, height - 1, now)
    if not seen.is_whole:
        seen = window(epochs, max(1, height - 2), now)
    shown = range(seen.start, seen.stop)
    records = told(scene)
    columns = list(_columns(scene, records[seen.start : seen.stop]))
    has_answers = any(record.prediction is not None for record in records)
    head: Row = (
        Span("  "),
        *(
            Span(" " * (column.width(shown) - width(column.title)) + column.title + "  ", "label")
            for column in columns
        ),
        *((Span(scene.look.say(Text("says (wrong)")), "label"),) if has_answers else ()),
    )
    rows: RowBlock = [head]
    for epoch in shown:
        said = answers(scene, records[epoch]) if epoch < len(records) else ()
        rows.append((*_line(scene, epoch, columns, shown, is_known=epoch < len(records)), *said))
    if not seen.is_whole:
        text = Text("epochs {first}–{last} of {count}", first=seen.start + 1, last=seen.stop, count=epochs)
        rows.append((Span(f"  {scene.look.alphabet.spell(scene.look.say(text))}", "dim"),))
    return [fit(row, cells, scene.look.alphabet) for row in rows]


def _line(scene: Scene, epoch: int, columns: Sequence[_Column], shown: range, *, is_known: bool) -> Row:
    """One epoch's numbers, each a link to it."""
    now = scene.run.epoch.index
    is_here = epoch == now and scene.level != "start"
    style = "now" if is_here else "" if is_known and epoch < now else "dim"
    is_first = scene.finding is not None and scene.finding.epoch == epoch
    spans = [
        Span(scene.look.alphabet.current if is_here else " ", "now"),
        Span(NOT_FINITE if is_first else " ", "bad", "press not_finite" if is_first else ""),
    ]
    for column in columns:
        text = column.texts.get(epoch, "")
        blanks = " " * (column.width(shown) - width(text))
        own = "bad" if epoch in column.strange and not is_here else style or column.style
        spans.append(Span(f"{blanks}{text}  ", own, f"go e{epoch + 1}:"))
    return tuple(spans)


def _columns(scene: Scene, records: Sequence[Record]) -> Iterator[_Column]:
    say, alphabet = scene.look.say, scene.look.alphabet
    epochs = range(scene.run.tree.num_epochs)
    yield _Column(say(Text("epoch")), "", {epoch: str(epoch + 1) for epoch in epochs})

    def loss(value: float) -> str:
        return numbers.number(value, scene.look.decimals, alphabet=alphabet)

    waiting = dict.fromkeys(epochs, alphabet.ahead)
    yield _Column(
        say(Text("loss")),
        "",
        waiting | {one.index: loss(one.loss) for one in records},
        frozenset(one.index for one in records if not np.isfinite(one.loss)),
    )
    theirs = scene.torch_losses
    if theirs or scene.look.torch == "loading":
        away = {one.index: alphabet.ellipsis for one in records}
        here = {one.index: loss(theirs[one.index]) for one in records if one.index < len(theirs)}
        strange = frozenset(epoch for epoch in here if not np.isfinite(theirs[epoch]))
        yield _Column("torch", "torch", away | here, strange)
    for title, of in ((Text("right"), "accuracy"), (Text("test"), "test_accuracy")):
        shares = {one.index: getattr(one, of) for one in records}
        if any(share is not None for share in shares.values()):
            yield _Column(
                say(title), "", {k: f"{share:.0%}" for k, share in shares.items() if share is not None}
            )


def answers(scene: Scene, record: Record) -> Row:
    """What the rows say, ✓ or ✗ after each, the wrong letters of a word in brackets."""
    if record.prediction is None:
        return ()
    alphabet = scene.look.alphabet
    right = wanted(scene.scenario)
    spans: list[Span] = []
    for number, said in enumerate(record.prediction[:_MOST_ANSWERS]):
        if right is None:
            spans.append(Span(f"{said}  ", "says"))
            continue
        is_right = right[number] == said
        spans += _compared(said, right[number]) if _is_spelt(scene.scenario) else [Span(said, "says")]
        spans.append(
            Span(f" {alphabet.check if is_right else alphabet.wrong}  ", "ok" if is_right else "bad")
        )
    more = len(record.prediction) - _MOST_ANSWERS
    if more > 0:
        spans.append(Span(scene.look.say(Text("… {count} more", count=more)), "dim"))
    return tuple(spans)


def _compared(said: str, wanted: str) -> Row:
    """A word, its wrong letters in brackets: `oh(e)ol`."""
    if len(said) != len(wanted):
        return (Span(said, "says"),)
    spans: list[Span] = []
    for is_wrong, group in groupby(zip(said, wanted, strict=True), key=lambda pair: pair[0] != pair[1]):
        text = "".join(letter for letter, _ in group)
        spans.append(Span(f"({text})" if is_wrong else text, "bad" if is_wrong else "says"))
    return tuple(spans)


@lru_cache(maxsize=2)
def wanted(scenario: Scenario) -> tuple[str, ...] | None:
    """What every row should say, all batches one after the other; None where not every entry counts."""
    names = scenario.class_names
    found: list[str] = []
    for batch in scenario.batches:
        target = batch.target
        if target is None or target.dtype.kind not in "iu" or np.any(np.less(target, 0)):
            return None
        by_row = [
            target[:, None][row] if target.ndim == 1 else target[:, row] for row in range(batch.num_rows)
        ]
        for row, indices in enumerate(by_row):
            said = [
                str(int(index)) if names is None or not 0 <= index < len(names) else names[int(index)]
                for index in indices[: scenario.scored(batch).true_lengths[row]]
            ]
            found.append(("" if _is_spelt(scenario) else " ").join(said))
    return tuple(found)


def _is_spelt(scenario: Scenario) -> bool:
    """Whether an answer is a word of letters."""
    names = scenario.class_names
    return names is not None and all(len(name) == 1 for name in names)
