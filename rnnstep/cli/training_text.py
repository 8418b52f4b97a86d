"""A training as text: one line an epoch, as it is done; torch's loss beside the engine's, and the cure's beside a mistake's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rnnstep.cli.findings import of_training
from rnnstep.cli.gradient_words import floor_words, loss_words, spelt
from rnnstep.cli.page import ALONE, TextPage, module_words
from rnnstep.cli.training_words import cure_words, mistake_lines, optimizer_words, refusal_lines
from rnnstep.engine.trainer import Record
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.reports.training import EpochResult, Prediction, TrainingRun, joined_classes, single, wanted
from rnnstep.scenario.model import Scenario
from rnnstep.views.compose import wrap
from rnnstep.views.numbers import brief, number
from rnnstep.views.rows import width

MOST_ROWS = 4  # of all batches whose answers are shown; of more the share of right ones tells enough
MOST_SAID = 24  # cells


def training_pieces(run: TrainingRun, results: Iterable[EpochResult], page: TextPage) -> Iterator[str]:
    """Give the text line by line, as `results` come."""
    for line in _lines(run, results, page):
        yield line.rstrip() + "\n"


def _lines(run: TrainingRun, results: Iterable[EpochResult], page: TextPage) -> Iterator[str]:
    yield from _head(run, page)
    table = _Table(run, page)
    yield ""
    yield table.heads()
    for result in results:
        yield table.row(result)
    yield ""
    yield from _ending(run, page)


# ── head ─────────────────────────────────────────────────────────────────────────────


def _head(run: TrainingRun, page: TextPage) -> Iterator[str]:
    scenario, training = run.scenario, run.scenario.training
    assert training is not None
    title = " ".join(scenario.title.into(page.language).split())
    yield page.heading(title or scenario.name)
    words = [module_words(scenario), scenario.display.dtype, loss_words(scenario), optimizer_words(training)]
    yield spelt(page.dot.join(words), page)
    if _num_rows(scenario) <= MOST_ROWS and (answer := wanted(scenario)) is not None:
        yield page.say(Text("wanted: {wanted}", wanted=_said(answer, page)))
        meant = None if scenario.cure is None else wanted(scenario.cure)
        if meant is not None and meant != answer:
            yield page.say(Text("with the cure: {what}", what=_said(meant, page)))
    yield from _paragraph(floor_words(scenario, scenario.batches[0], page))
    for said in list(mistake_lines(training))[: 1 if run.torch_words else None]:
        yield from _paragraph([f"  {line}" for line in wrap(page.say(said), page.width - 2)])
    if run.torch_words:
        yield ""
        yield page.say(Text("torch refuses that:"))
        yield from (
            line for said in refusal_lines(run, page.language) for line in _broken(spelt(said, page), page)
        )
        yield ""
        yield page.say(Text("What follows is the training with the cure."))


def _paragraph(lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield from lines


def _broken(line: str, page: TextPage) -> Iterator[str]:
    """Break a line to the page, under its own indent."""
    indent = " " * (len(line) - len(line.lstrip()))
    text = line.strip()
    yield from (f"{indent}{part}" for part in wrap(text, page.width - len(indent))) if text else ("",)


def _num_rows(scenario: Scenario) -> int:
    return sum(batch.num_rows for batch in scenario.batches)


def _said(said: Prediction | None, page: TextPage) -> str:
    """Write an answer so that it fits its column."""
    text = printable(joined_classes(said))
    return spelt(text if len(text) <= MOST_SAID else f"{text[: MOST_SAID - 1]}…", page)


# ── rows ─────────────────────────────────────────────────────────────────────────────


class _Table:
    """One line an epoch, each cell under the head of its column.

    On a narrow page the heads are broken over several lines, then the gaps are halved, then the column is left out
    that says how far torch's loss is apart: it stands beside.
    """

    def __init__(self, run: TrainingRun, page: TextPage) -> None:
        self._run = run
        self._page = page
        self._loss = page.decimals + 5
        answer = wanted(run.scenario)
        self._says = answer is not None and _num_rows(run.scenario) <= MOST_ROWS
        self._room_of_says = max(width(page.say(Text("says"))), width(_said(answer, page)))
        self._shares = (answer is not None) + bool(run.scenario.test_batches)
        beside = [self._loss, 6] if run.comparison is not None else []
        least = [len(str(run.num_epochs)), self._loss, *beside] + [5] * self._shares
        whole = [max(room, width(name)) for room, name in zip(least, self._names, strict=True)]
        words = [max(map(width, name.split())) for name in self._names]
        broken = [max(pair) for pair in zip(least, words, strict=True)]
        self._shown, self._rooms, self._gap = list(range(len(whole))), whole, "  "
        if self._width > page.width:
            self._rooms = broken
        if self._width > page.width:
            self._gap = " "
        if self._width > page.width and beside:
            self._shown.remove(3)

    @property
    def _width(self) -> int:
        """The cells of a row."""
        cells = sum(self._rooms[index] + len(self._gap) for index in self._shown) - len(self._gap)
        cells += len(self._gap) + self._room_of_says if self._says else 0
        if self._run.cure is not None:
            cells += 3 + self._loss + (2 + self._room_of_says if self._says else 0)
        return cells

    @property
    def _names(self) -> list[str]:
        say = self._page.say
        torch = "torch" if self._run.is_module else self._page.self_check("torch")
        names = [say(Text("epoch")), say(Text("loss"))]
        names += [torch, say(Text("apart"))] if self._run.comparison is not None else []
        return names + [say(Text("accuracy")), say(Text("on the test rows"))][: self._shares]

    def heads(self) -> str:
        """The names of the columns."""
        say, page = self._page.say, self._page
        names = [wrap(name, room) for name, room in zip(self._names, self._rooms, strict=True)]
        height = max(len(names[index]) for index in self._shown)
        lines = [
            self._line([([""] * (height - len(name)) + name)[k] for name in names], "")
            for k in range(height - 1)
        ]
        last = self._line([name[-1] for name in names], say(Text("says")))
        if self._run.cure is not None:
            last += self._beside(say(Text("the cure")), say(Text("says")))
        return "\n".join(page.heading(line.rstrip()) for line in [*lines, last])

    def row(self, result: EpochResult) -> str:
        """The line of an epoch."""
        page = self._page
        beside = []
        if result.reference_loss is not None and result.difference is not None:
            theirs = number(result.reference_loss, page.decimals, alphabet=page.alphabet)
            beside = [theirs, brief(result.difference, 1, alphabet=page.alphabet)]
        cells = [
            str(result.epoch),
            number(result.loss, page.decimals, alphabet=page.alphabet),
            *beside,
            *[_percent(result.accuracy), _percent(result.test_accuracy)][: self._shares],
        ]
        line = self._line(cells, _said(result.prediction, page))
        line += f" {page.mark(agrees=False)}" if result.agrees is False else ""
        cure = self._run.cure
        if cure is None or result.epoch > len(cure):
            return line
        cured = cure[result.epoch - 1]
        loss = number(cured.loss, page.decimals, alphabet=page.alphabet)
        return line + self._beside(loss, _said(cured.prediction, page))

    def _line(self, cells: Sequence[str], said: str) -> str:
        line = self._gap.join(_right(cells[index], self._rooms[index]) for index in self._shown)
        return line + (f"{self._gap}{said}{' ' * (self._room_of_says - width(said))}" if self._says else "")

    def _beside(self, loss: str, said: str) -> str:
        return f" {self._page.alphabet.vertical} {_right(loss, self._loss)}" + (
            f"  {said}" if self._says else ""
        )


def _right(text: str, room: int) -> str:
    return " " * (room - width(text)) + text


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


# ── ending ───────────────────────────────────────────────────────────────────────────


def _ending(run: TrainingRun, page: TextPage) -> Iterator[str]:
    """Say what the model comes to as it is now, what the cure is, and whether torch agrees."""
    says = _num_rows(run.scenario) <= MOST_ROWS
    after = Text(
        "after {count} updates, from the scenario's own first state: {result}",
        count=run.updates,
        result=_result(run.after, run.scenario, page, says=says),
    )
    yield page.say(after)
    cured, cure = run.cure_after, run.scenario.cure
    if cured is not None and cure is not None:
        yield page.say(Text("with the cure: {what}", what=_result(cured, cure, page, says=says)))
    for words in cure_words(run.scenario):
        yield from wrap(page.say(words), page.width)
    yield from _verdict(run, page)
    yield from of_training(run, page)


def _result(record: Record, scenario: Scenario, page: TextPage, *, says: bool) -> Text:
    loss = number(record.loss, page.decimals, alphabet=page.alphabet)
    if says and record.prediction is not None:
        return Text(
            "loss {loss}, says {said}", loss=loss, said=_said(single(scenario, record.prediction), page)
        )
    if record.accuracy is None:
        return Text("loss {loss}", loss=loss)
    if record.test_accuracy is None:
        return Text("loss {loss}, {accuracy} right", loss=loss, accuracy=_percent(record.accuracy))
    return Text(
        "loss {loss}, {accuracy} right, {test} of the test rows",
        loss=loss,
        accuracy=_percent(record.accuracy),
        test=_percent(record.test_accuracy),
    )


def _verdict(run: TrainingRun, page: TextPage) -> Iterator[str]:
    """Say whether torch's training is the same, and by what measure."""
    comparison = run.comparison
    if comparison is None:
        yield from wrap(page.say(ALONE), page.width)
        return
    if not run.agrees or comparison.parting is not None:
        said = comparison.explanation
    elif run.is_module:
        said = Text("torch's modules and torch.optim give the same training")
    else:
        said = Text(
            "the same equations in torch's operations and torch.optim give the same training (self-check)"
        )
    sign = page.mark(agrees=comparison.agrees)
    yield from _hanging(f"{sign} {spelt(page.say(said), page)}", page)
    for fault in comparison.faults[1:]:
        yield from _hanging(f"{sign} {spelt(page.say(fault.message), page)}", page)
    if comparison.worst is not None:
        values = {
            "place": comparison.worst.place,
            "difference": brief(comparison.worst.difference, 2, alphabet=page.alphabet),
            "allowed": brief(comparison.worst.allowed, 2, alphabet=page.alphabet),
        }
        words = Text(
            "an update from torch's own numbers: at {place} {difference} apart, {allowed} allowed", **values
        )
        yield f"  {spelt(page.say(words), page)}"
    apart = brief(comparison.max_abs_diff["loss"], 2, alphabet=page.alphabet)
    yield f"  {page.say(Text('along the training, each on its own way: losses {apart} apart at most', apart=apart))}"


def _hanging(line: str, page: TextPage) -> Iterator[str]:
    """Break a line that begins with a mark; what follows stands under its words."""
    first, *rest = wrap(line, page.width - 2)
    yield first
    yield from (f"  {part}" for part in rest)
