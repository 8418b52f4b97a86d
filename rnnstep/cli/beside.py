"""`--beside`: a second run beside the first, of `trace`, `grad` and `train`; their numbers under one another as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rnnstep.cli.commands import GivenOptions, Option
from rnnstep.cli.options import ScenarioName, filled, limits
from rnnstep.errors import UsageError
from rnnstep.language import Text

if TYPE_CHECKING:
    from rnnstep.cli.page import TextPage
    from rnnstep.reports.beside import Differences, GradientPair, TracePair, TrainingPair, ValuePair
    from rnnstep.reports.training import EpochResult
    from rnnstep.scenario.beside_value import BesideValue
    from rnnstep.scenario.model import Scenario

FORMATS = ("text", "json")
_WORDS = ("dtype=float64", "dtype=float32", "weights=", "epoch=", "cure")
"""What is completed besides scenarios."""


def beside_option() -> Option:
    """`--beside`."""
    return Option(
        "--beside",
        metavar="VALUE",
        type=ScenarioName(or_words=_WORDS),
        about=Text("a second run beside it: a scenario, dtype=float64, weights=FILE, epoch=15, or cure"),
    )


@dataclass(frozen=True, eq=False, slots=True)
class SecondScenario:
    """The second run of a command.

    Attributes:
        value: what was asked for.
        scenario: what is run, all of its parameters there.
        names: how the first and the second are called.
    """

    value: BesideValue
    scenario: Scenario
    names: tuple[Text, Text]


def read_second(given: GivenOptions, first: Scenario) -> SecondScenario:
    """Read what stands after `--beside`, beside a scenario that lacks nothing.

    Raises:
        UsageError: It cannot be meant, or what is asked for is written as text and JSON alone.
        ScenarioError: Its file holds mistakes.
    """
    from rnnstep.scenario.beside import called, second_scenario
    from rnnstep.scenario.beside_value import read_value

    if given.format not in FORMATS:
        raise UsageError(
            Text(
                "--beside: two runs are written as {formats}, not as {found}",
                formats=", ".join(FORMATS),
                found=given.format,
            )
        )
    value = read_value(given.beside)
    found = second_scenario(value, first, limits(given), dtype=given.dtype)
    return SecondScenario(value, filled(found, given), called(value, first, found))


# ── trace ────────────────────────────────────────────────────────────────────────────────────────


def trace_pieces(pair: TracePair, second: SecondScenario, given: GivenOptions) -> Iterator[str]:
    """Give the text or JSON of two runs."""
    if given.format == "json":
        from rnnstep.reports.beside import trace_pair_json

        return trace_pair_json(pair)
    return _folded(_trace_lines(pair, _Under(second, _page(pair.first.run.scenario, given))))


def _trace_lines(pair: TracePair, under: _Under) -> Iterator[str]:
    from rnnstep.cli.page import letter, verdict_lines

    page = under.page
    scenario = pair.first.run.scenario
    yield from under.head((scenario, pair.second.run.scenario))
    for step in pair.steps():
        first = step.first
        batch = scenario.batches[first.batch]
        words = (
            [page.say(Text("batch {batch}/{batches}", batch=first.batch + 1, batches=len(scenario.batches)))]
            if len(scenario.batches) > 1
            else []
        )
        count = batch.axis(first.sequence).num_steps
        words.append(page.say(Text("step {step}/{steps}", step=first.t + 1, steps=count)))
        words += [first.key] if len(pair.first.run.trace.passes[0].runs) > 1 else []
        words += letter(scenario, batch, first.sequence, first.t, 0) if batch.num_rows == 1 else []
        yield ""
        yield page.heading(page.dot.join(words))
        if step.second is None:
            yield "  " + under.say(
                Text("{name} has no such step; what {other} has:", name=under.names[1], other=under.names[0])
            )
        yield from under.values(step.pairs, has_rows=batch.num_rows > 1)
    if pair.first.stopped is None:
        yield ""
        yield page.heading(page.say(Text("results")))
        for value in pair.results():
            pair.differences.take(value)
            yield from under.values([value], has_rows=False)
    yield ""
    yield from under.ending(pair.differences)
    if pair.missed:
        yield under.say(
            Text("{name} has {count} steps more, which are not shown", name=under.names[1], count=pair.missed)
        )
    for selection, name in zip((pair.first, pair.second), under.names, strict=True):
        yield ""
        yield f"{under.say(name)}:"
        yield from verdict_lines(selection, page)


# ── grad ─────────────────────────────────────────────────────────────────────────────────────────


def gradient_pieces(pair: GradientPair, second: SecondScenario, given: GivenOptions) -> Iterator[str]:
    """Give the text or JSON of the gradients of two runs."""
    if given.format == "json":
        from rnnstep.reports.beside import gradient_pair_json

        return gradient_pair_json(pair)
    return _folded(_gradient_lines(pair, _Under(second, _page(pair.first.scenario, given))))


def _gradient_lines(pair: GradientPair, under: _Under) -> Iterator[str]:
    from rnnstep.reports.beside import Differences

    page = under.page
    found = Differences()
    yield from under.head((pair.first.scenario, pair.second.scenario))
    for value in pair.whole():
        found.take(value)
        yield ""
        shapes = {"×".join(map(str, one.shape)) for one in (value.first, value.second) if one is not None}
        sign = "" if value.name == "loss" else "∂"
        yield page.heading(f"{sign}{value.place} {', '.join(sorted(shapes))}".rstrip())
        yield from under.values([value], has_rows=False)
    yield ""
    yield page.heading(page.say(Text("what reaches the states")))
    for value in pair.states():
        found.take(value)
        yield from under.values([value], has_rows=pair.first.scenario.batches[0].num_rows > 1, is_placed=True)
    yield ""
    yield from under.ending(found)
    for gradients, name in zip((pair.first, pair.second), under.names, strict=True):
        if gradients.agrees is None:
            continue
        text = Text("autograd agrees") if gradients.agrees else Text("autograd disagrees")
        yield f"{under.say(name)}: {page.mark(agrees=gradients.agrees)} {page.say(text)}"


# ── train ────────────────────────────────────────────────────────────────────────────────────────


def training_pieces(
    pair: TrainingPair, results: Iterable[EpochResult], second: SecondScenario, given: GivenOptions
) -> Iterator[str]:
    """Give the text or JSON of two trainings, the text line by line as the epochs are done."""
    if given.format == "json":
        from rnnstep.reports.beside import training_pair_json

        return training_pair_json(pair, results)
    return _folded(_training_lines(pair, results, _Under(second, _page(pair.first.scenario, given))))


def _training_lines(pair: TrainingPair, results: Iterable[EpochResult], under: _Under) -> Iterator[str]:
    from rnnstep.views.rows import width

    page = under.page
    yield from under.head((pair.first.scenario, pair.second.scenario))
    yield ""
    names = [under.say(name) for name in under.names]
    heads = [page.say(Text("epoch")), *names, page.say(Text("difference"))]
    rooms = [max(width(head), page.decimals + 5) for head in heads]
    yield "  ".join(" " * (room - width(head)) + head for head, room in zip(heads, rooms, strict=True))
    for result, other in pair.epochs(results):
        shown = [str(result.epoch), under.number(result.loss)]
        if pair.skipped and other is not None:
            shown[0] += f"|{other.epoch}"
        said = [one.prediction for one in (result, other) if one is not None]
        if other is not None:
            shown += [under.number(other.loss), under.gap(result.loss - other.loss)]
        line = "  ".join(text.rjust(room) for text, room in zip(shown, rooms, strict=False))
        if all(isinstance(one, str) for one in said):
            line += "  " + f" {page.alphabet.vertical} ".join(page.alphabet.spell(str(one)) for one in said)
        yield line
    more = pair.second.num_epochs - len(pair.second.epochs)
    yield ""
    if more > 0 and pair.first.is_done:
        yield under.say(
            Text("{name} has {count} epochs more, which are not shown", name=under.names[1], count=more)
        )
    fewer = len(pair.first.epochs) - (len(pair.second.epochs) - pair.skipped)
    if fewer > 0:
        yield under.say(Text("{name} has {count} epochs fewer", name=under.names[1], count=fewer))
    reach = pair.difference()["loss"]
    if reach is not None:
        yield page.say(Text("the losses are {reach} apart at most", reach=under.gap(reach).lstrip("+")))
    for training, name in zip((pair.first, pair.second), under.names, strict=True):
        if training.agrees is None:
            continue
        text = Text("torch agrees") if training.agrees else Text("torch disagrees")
        yield f"{under.say(name)}: {page.mark(agrees=training.agrees)} {page.say(text)}"


# ── numbers under one another ────────────────────────────────────────────────────────────────────


def _page(scenario: Scenario, given: GivenOptions) -> TextPage:
    from rnnstep.cli.page import page_of

    return page_of(scenario, given)


def _folded(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line.rstrip() + "\n"


class _Under:
    """Writes the numbers of two runs under one another, and the difference below them."""

    def __init__(self, second: SecondScenario, page: TextPage) -> None:
        from rnnstep.views.rows import width

        self.page = page
        self.names = second.names
        self._width = width
        self._difference = page.say(Text("difference"))
        labels = [*map(self.say, self.names), self._difference]
        self._label = max(map(width, labels))

    def say(self, text: Text) -> str:
        return self.page.say(text)

    def head(self, scenarios: Sequence[Scenario]) -> Iterator[str]:
        """Name both, and what each of them is."""
        from rnnstep.cli.page import module_words

        page = self.page
        yield page.heading(f" {page.alphabet.vertical} ".join(map(self.say, self.names)))
        for name, scenario in zip(self.names, scenarios, strict=True):
            words = [scenario.name, module_words(scenario), scenario.display.dtype]
            yield "  " + self._labelled(self.say(name), page.alphabet.spell(page.dot.join(words)))
        yield "  " + self.say(
            Text("difference: {first} minus {second}", first=self.names[0], second=self.names[1])
        )

    def number(self, value: float) -> str:
        from rnnstep.views.numbers import number

        return number(value, self.page.decimals, alphabet=self.page.alphabet)

    def gap(self, value: float) -> str:
        """Write a difference with its sign, small ones in one digit; a blank of it is 0."""
        from rnnstep.views.numbers import gap

        return gap(value, self.page.decimals, alphabet=self.page.alphabet)

    def values(self, pairs: Iterable[ValuePair], *, has_rows: bool, is_placed: bool = False) -> Iterator[str]:
        """Write values: each a vector or matrix of both runs, under one another row by row."""
        split = [list(pair.by_row()) for pair in pairs]
        order = sorted(
            (one.rows[0] if one.rows else 0, number) for number, rows in enumerate(split) for one in rows
        )
        by_row = {(one.rows[0] if one.rows else 0, n): one for n, rows in enumerate(split) for one in rows}
        for place in order:
            pair = by_row[place]
            title = pair.place if is_placed else pair.name
            if has_rows and pair.rows is not None:
                title = self.page.say(Text("{name} of row {row}", name=title, row=pair.rows[0]))
            told = ""
            if pair.first is None or pair.second is None:
                told = "   " + self.say(Text("{name} alone has it", name=self.names[pair.first is None]))
            yield self.page.alphabet.spell(f"  {title}") + told
            yield from self._value(pair)

    def _value(self, pair: ValuePair) -> Iterator[str]:
        import numpy as np

        both = [one for one in (pair.first, pair.second) if one is not None]
        gap = pair.difference
        if len(both) == 1:
            present = self.names[1 if pair.first is None else 0]
            for line in _lines_of(both[0]):
                yield from self._row([(self.say(present), line)], None)
        elif gap is None:
            for name, one in zip(self.names, both, strict=True):
                for line in _lines_of(one):
                    yield from self._row([(self.say(name), line)], None)
            shapes = ["×".join(map(str, one.shape)) or "1" for one in both]
            text = Text("none: {first} beside {second} numbers", first=shapes[0], second=shapes[1])
            yield "    " + self._labelled(self._difference, self.page.say(text))
        else:
            rows = zip(*(_lines_of(one) for one in (*both, np.asarray(gap))), strict=True)
            for ours, theirs, apart in rows:
                named = [(self.say(self.names[0]), ours), (self.say(self.names[1]), theirs)]
                yield from self._row(named, apart)

    def _row(self, named: Sequence[tuple[str, Any]], apart: Any) -> Iterator[str]:
        """Write vectors of one length under one another, over as many lines as they take."""
        import numpy as np

        from rnnstep.views.numbers import matrix

        page = self.page
        texts = matrix(np.stack([one for _, one in named]), page.decimals, alphabet=page.alphabet)
        labels = [name for name, _ in named]
        if apart is not None:
            texts.append([self.gap(float(value)) for value in apart])
            labels.append(self._difference)
        room = max((self._width(text) for line in texts for text in line), default=0)
        per_line = max(1, (page.width - self._label - 6) // (room + 2))
        for start in range(0, max(1, len(texts[0])), per_line):
            for label, line in zip(labels, texts, strict=True):
                shown = "  ".join(text.rjust(room) for text in line[start : start + per_line])
                yield "    " + self._labelled(label, shown)

    def _labelled(self, label: str, text: str) -> str:
        return f"{label}{' ' * (self._label - self._width(label))}  {text}"

    def ending(self, found: Differences) -> Iterator[str]:
        """Say where the runs first differ, by how much at most, and what one of them has not."""
        page = self.page
        if found.first is None:
            text = Text("no number differs") if found.largest else Text("they have nothing in common")
            yield page.say(text)
        else:
            first = found.first
            names = {"one": self.names[0], "other": self.names[1], "place": page.alphabet.spell(first.place)}
            numbers = {"first": f"{first.first:.9g}", "second": f"{first.second:.9g}"}
            numbers = {key: text.replace("-", page.alphabet.minus) for key, text in numbers.items()}
            yield self.say(
                Text("they first differ at {place}: {one} {first}, {other} {second}", **names, **numbers)
            )
        largest = [
            f"{page.alphabet.spell(name)} {self.gap(reach).lstrip('+')}"
            for name, reach in found.largest.items()
            if reach is not None
        ]
        if found.first is not None:
            yield page.say(Text("largest differences: {list}", list=", ".join(largest)))
        shapeless = [page.alphabet.spell(name) for name, reach in found.largest.items() if reach is None]
        if shapeless:
            yield page.say(Text("other shapes, so no difference: {list}", list=", ".join(shapeless)))
        for name, alone in zip(self.names, found.alone, strict=True):
            if alone:
                shown = ", ".join(map(page.alphabet.spell, alone))
                yield self.say(Text("{name} alone has {list}", name=name, list=shown))


def _lines_of(value: Any) -> Any:
    """A vector or number as one line, what has more axes as a line for each of its last."""
    import numpy as np

    value = np.atleast_1d(value)
    return value.reshape(-1, value.shape[-1])
