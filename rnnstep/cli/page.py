"""What the text and the Markdown of a run have in common: their layout, and the words around the numbers."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from rnnstep.cli.commands import GivenOptions
from rnnstep.cli.speech import can_spell
from rnnstep.equations.syntax import Line
from rnnstep.language import Text, environment_language
from rnnstep.language.printable import printable
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.blocks import Block
from rnnstep.reports.trace import Run, Selection
from rnnstep.scenario.model import Batch, Scenario
from rnnstep.views.alphabet import Alphabet, alphabet
from rnnstep.views.numbers import brief
from rnnstep.views.rows import width as cells

_WIDE = r"\u2e80-\u9fff\uff00-\uffef"  # Chinese, which may be broken anywhere but before its commas and stops
_PARTS = re.compile(rf"\x1b\[[0-9;]*m| +|[{_WIDE}][，。；：、）？！]*|[^\x1b {_WIDE}]+")

ALONE = Text("Nothing stands beside these numbers (--no-torch): they are not compared with torch's.")
ROOMY = 100  # columns
WIDTH = 100  # of a text that goes to no terminal


@dataclass(frozen=True, slots=True)
class TextPage:
    """How the text is laid out."""

    language: str
    decimals: int
    alphabet: Alphabet
    width: int = 80
    has_colour: bool = False
    is_terminal: bool = False

    def say(self, text: Text) -> str:
        """Give a text in the page's language and signs."""
        return self.alphabet.spell(text.into(self.language))

    @property
    def dot(self) -> str:
        """What stands between the parts of a heading; in ASCII `·` would be a product."""
        return ", " if self.alphabet.is_ascii else " · "

    def mark(self, *, agrees: bool) -> str:
        """Give ✓ or ✗."""
        sign = self.alphabet.check if agrees else self.alphabet.wrong
        return self._coloured(sign, "32" if agrees else "1;31")

    @property
    def is_narrow(self) -> bool:
        """Whether there is room for short marks only: four numbers beside four in 80 columns."""
        return self.width < ROOMY

    def self_check(self, sign: str) -> str:
        """Mark a value that is not torch.nn's own number, but its equation in torch's operations."""
        return f"({sign})" if self.is_narrow else self.say(Text("self-check {sign}", sign=sign))

    def heading(self, text: str) -> str:
        """Give a line that stands out."""
        return self._coloured(self.alphabet.spell(text), "1")

    def _coloured(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.has_colour else text


def folded(pieces: Iterable[str], page: TextPage) -> Iterator[str]:
    """Give lines that fit a terminal: what is longer goes on below, one step in; elsewhere they stay as they are."""
    for piece in pieces:
        if not page.is_terminal:
            yield piece
            continue
        for line in piece.splitlines(keepends=True):
            bare = line.rstrip("\n")
            yield "\n".join(fold(bare, page.width)) + line[len(bare) :]


def fold(line: str, most: int) -> list[str]:
    """Break a line into several of at most `most` cells, at blanks where there are any, those after the first indented.

    Codes of colours take no cells; a character of Chinese may stand at either end.
    """
    indent = " " * min(len(line) - len(line.lstrip(" ")) + 2, most // 2)
    lines, room = [""], most
    for part in _PARTS.findall(line):
        size = 0 if part.startswith("\x1b") else cells(part)
        if size > room and part.isspace():
            lines.append(indent)
            room = most - len(indent)
            continue
        if size > room and lines[-1].strip() and room < most - len(indent):
            lines[-1] = lines[-1].rstrip(" ")
            lines.append(indent)
            room = most - len(indent)
        while size > room:  # a word, or a sentence of Chinese, that is longer than a line
            cut_off = _as_much_as_fits(part, room)
            lines[-1] += part[:cut_off]
            part = part[cut_off:]  # noqa: PLW2901 - the rest of it
            size = cells(part)
            lines.append(indent)
            room = most - len(indent)
        lines[-1] += part
        room -= size
    return [one for number, one in enumerate(lines) if number == 0 or one.strip()]


def _as_much_as_fits(text: str, room: int) -> int:
    count = 0
    for character in text:
        room -= cells(character)
        if room < 0:
            break
        count += 1
    return max(1, count)


def page_of(scenario: Scenario, given: GivenOptions) -> TextPage:
    """Lay out for the terminal, or for a file: without colours, in a width of its own."""
    is_terminal = given.output is None and sys.stdout.isatty()
    is_ascii = given.ascii or (given.output is None and not can_spell("✓−·│"))
    return TextPage(
        language=scenario.display.language or environment_language(),
        decimals=scenario.display.decimals,
        alphabet=alphabet(is_ascii=is_ascii),
        width=shutil.get_terminal_size().columns if is_terminal else WIDTH,
        is_terminal=is_terminal,
        has_colour=is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
    )


def legend(run: Run, page: TextPage) -> Text:
    """Say what stands beside each value, and what the marks say."""
    sign = page.alphabet.check
    if run.checked is None:
        return ALONE
    if run.reference is None:
        return Text(
            "Beside each value: the same equation in torch's own operations, {mark}.\n"
            "That is a self-check: torch.nn has no such module.",
            mark=page.self_check(sign),
        )
    return Text(
        "Beside each value: torch's. {sign} is torch.nn's own number, one step at a time;\n"
        "{mark} is the same equation in torch's own operations: a self-check.",
        sign=sign,
        mark=page.self_check(sign),
    )


def module_words(scenario: Scenario) -> str:
    """Give the module as torch writes it: `LSTM(4, 8, num_layers=2, bidirectional)`; several with → between.

    Without a recurrent one all modules: `Embedding(4, 3) → Tanh() → Linear(3, 4)`.
    """
    if not scenario.recurrents:
        return " → ".join(layer.constructed for layer in scenario.layers)
    return " → ".join(map(_words_of_module, scenario.recurrents))


def _words_of_module(recurrent: Recurrent) -> str:
    words = [str(recurrent.input_size), str(recurrent.hidden_size)]
    words += [f"num_layers={recurrent.num_layers}"] if recurrent.num_layers > 1 else []
    words += [recurrent.nonlinearity] if recurrent.nonlinearity != "tanh" else []
    words += [f"proj_size={recurrent.proj_size}"] if recurrent.proj_size else []
    words += ["bidirectional"] if recurrent.bidirectional else []
    words += ["batch_first"] if recurrent.batch_first else []
    words += {True: [], False: ["bias=False"], "ih": ['bias="ih"']}[recurrent.bias]
    words += [] if recurrent.between is None else [f"dropout={recurrent.between.p:g} ({recurrent.mode})"]
    return f"{recurrent.module}({', '.join(words)})"


def equations(scenario: Scenario, blocks: Iterable[Block], write: Callable[[Line], str]) -> Iterator[str]:
    """Give the equations of the recurrent blocks, once for all that compute alike; of several modules under their names."""
    by_module: dict[str, dict[str, None]] = {}
    for block in blocks:
        if block.kind == "recurrent":
            lines = by_module.setdefault(scenario.recurrent_of(block).key, {})
            lines.update(dict.fromkeys(map(write, block.program.lines)))
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, lines in by_module.items():
        alike.setdefault(tuple(lines), []).append(name)
    for written, names in alike.items():
        if len(by_module) > 1:
            yield f"{', '.join(names)}:"
        yield from written


def letter(scenario: Scenario, batch: Batch, sequence: str, t: int, row: int) -> list[str]:
    """Give `x_3 = 'l'` where a sequence is letters, as a list of one; else nothing."""
    indices = batch.sequences[sequence].indices
    if indices is None or scenario.vocabulary is None:
        return []
    return [f"x_{t + 1} = '{printable(scenario.vocabulary[int(indices[t, row])])}'"]


def verdict_lines(selection: Selection, page: TextPage) -> Iterator[str]:
    """Say whether torch agrees, by what measure, and why runs may part."""
    run, checked = selection.run, selection.run.checked
    if checked is None:
        yield page.say(ALONE)
        return
    yield f"{page.mark(agrees=checked.agrees)} {page.say(checked.explanation)}"
    for batch, fault in checked.faults[1:]:
        where = page.say(Text("batch {batch}: ", batch=batch + 1)) if len(run.scenario.batches) > 1 else ""
        yield f"{page.mark(agrees=False)} {where}{page.say(fault.message)}"
    signs: Mapping[str, object] = {
        "difference": brief(checked.one_step_diff, 2, alphabet=page.alphabet),
        "allowed": brief(checked.tolerance, 2, alphabet=page.alphabet),
    }
    one_step = (
        Text("one step from torch's own states: {difference} apart at most, {allowed} allowed", **signs)
        if run.reference is not None
        else Text("one step from the same states: {difference} apart at most, {allowed} allowed", **signs)
    )
    yield f"  {page.say(one_step)}"
    along = [
        f"{name} {brief(value, 2, alphabet=page.alphabet)}" for name, value in checked.max_abs_diff.items()
    ]
    yield "  " + page.say(
        Text("along the run, each on its own states: {differences}", differences=", ".join(along))
    )
    yield from file_lines(run.scenario, page)


def file_lines(scenario: Scenario, page: TextPage) -> Iterator[str]:
    """Say what a verdict is about where the weights are a file's: not about what the model did in its own program."""
    said = scenario.origins.weights.of_file
    if said is not None:
        yield f"  {page.alphabet.spell(page.say(said))}"
