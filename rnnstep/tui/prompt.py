"""One line of input at the foot of the screen, with what it is for above and what is wrong below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from rnnstep.language import Text
from rnnstep.views.look import Look

_MOST_WAYS = 20


@dataclass(frozen=True, slots=True)
class Question:
    """What a prompt asks.

    Attributes:
        label: What is to be typed.
        answer: Takes what was typed; gives what is wrong with it, or None when it is done.
        value: What stands there to be typed over.
        complete: Gives what the text may be the beginning of; None where nothing is completed.
        is_typed_anew: Whether what is typed after a wrong answer takes its place.
        leave: What Tab does where nothing is completed, after the prompt is closed; None for nothing.
    """

    label: Text
    answer: Callable[[str], Text | None]
    value: str = ""
    complete: Callable[[str], Sequence[str]] | None = None
    is_typed_anew: bool = False
    leave: Callable[[], None] | None = None


class PromptLine(Input):
    """A line that takes several lines of a paste as one, ` | ` between them: answers from an editor."""

    def _on_paste(self, event: events.Paste) -> None:
        lines = [line.strip() for line in event.text.splitlines() if line.strip()]
        self.insert_text_at_cursor(" | ".join(lines))
        event.stop()
        event.prevent_default()  # the line's own way takes the first one alone


class Prompt(Widget):
    """Asks one question; Enter answers, Esc closes, a bad answer is told and stays to be mended."""

    DEFAULT_CSS = """
    Prompt {
        layer: above;
        dock: bottom;
        height: auto;
        layout: vertical;
        background: $panel;
        padding: 0 1;
    }
    Prompt Static { height: auto; color: $text-muted; }
    Prompt .wrong { color: $error; text-style: bold; display: none; }
    Prompt Input { background: $panel; color: $foreground; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", show=False),
        Binding("tab", "complete", show=False),
    ]

    class Closed(Message):
        """The prompt is done with."""

    def __init__(self, question: Question, look: Look) -> None:
        super().__init__()
        self.question = question
        self.look = look
        self._early: list[events.Key] = []

    def take(self, event: events.Key) -> None:
        """Take a key that comes before the line has the keys: a number is typed faster than a prompt is drawn."""
        line = next(iter(self.query(PromptLine)), None)
        if line is None:
            self._early.append(event)
        elif event.is_printable and event.character is not None:  # those that the line has seen end there
            line.insert_text_at_cursor(event.character)
        elif line.has_focus:
            return
        elif event.key == "backspace":
            line.action_delete_left()
        elif event.key == "enter":
            self.call_later(line.action_submit)

    def compose(self) -> ComposeResult:
        """Label, line, and a place for what is wrong."""
        yield Static(Content(self.look.say(self.question.label)))
        yield PromptLine(self.question.value, compact=True, select_on_focus=False)
        yield Static(classes="wrong", markup=False)

    def on_mount(self) -> None:
        """Give the line the keys; the number that is there is selected, ready to be typed over."""
        line = self.query_one(Input)
        before, equals, _ = self.question.value.rpartition("= ")
        if equals:
            line.selection = type(line.selection)(len(before) + len(equals), len(self.question.value))
        for event in self._early:
            self.take(event)
        line.focus()

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        event.stop()
        wrong = self.question.answer(event.value)
        if wrong is None:
            self.action_close()
            return
        place = self.query_one(".wrong", Static)
        place.update(Content(self.look.say(wrong)))
        place.display = True
        if self.question.is_typed_anew:
            event.input.selection = type(event.input.selection)(0, len(event.input.value))

    def action_complete(self) -> None:
        """Go on as far as there is one way to, and name the ways from there."""
        if self.question.complete is None:
            if self.question.leave is not None:
                self.action_close()
                self.call_later(self.question.leave)
            return
        line = self.query_one(Input)
        ways = self.question.complete(line.value)
        line.value = _shared(ways) or line.value
        line.cursor_position = len(line.value)
        place = self.query_one(".wrong", Static)
        place.display = len(ways) > 1
        shown = "  ".join(
            way.removeprefix(line.value[: line.value.rfind("/") + 1]) for way in ways[:_MOST_WAYS]
        )
        place.update(Content(f"{shown} …" if len(ways) > _MOST_WAYS else shown))

    def action_close(self) -> None:
        """Close without an answer."""
        self.post_message(self.Closed())


def _shared(ways: Sequence[str]) -> str:
    """Give what all texts begin with."""
    first, last = min(ways, default=""), max(ways, default="")
    count = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:count]
