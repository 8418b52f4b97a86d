"""The first frame: a scenario's name and what is on its way, before numpy is there to say more."""

from __future__ import annotations

from rnnstep.language import Text
from rnnstep.views.compose import RowBlock, box, fit, pad, text_row, wrap
from rnnstep.views.look import Look
from rnnstep.views.rows import Row, Span

_WIDEST = 76


def opening(name: str, look: Look, width: int, height: int, waiting: Text | None = None) -> list[Row]:
    """Give the frame that stands until a scenario is read, or for as long as it cannot be shown.

    Args:
        name: The scenario's name.
        look: How the user wants to see things.
        width: In cells.
        height: In rows.
        waiting: Why there is nothing more yet; None while the file is being read.
    """
    if width < 4 or height < 4:
        return pad([text_row(name, "header")], width, height, look.alphabet)
    header = fit((Span(f" {name} ", "header bold"), Span(" " * width, "header")), width, look.alphabet)
    texts = [waiting or Text("reading {name} …", name=name)]
    if waiting is None and look.torch == "loading":
        texts.append(Text("torch is on its way"))
    if look.message is not None:
        texts.append(look.message)
    cells = min(width, _WIDEST)
    lines = [line for text in texts for line in wrap(look.say(text), cells - 4)]
    frame = box(
        [text_row(line) for line in lines],
        name,
        cells,
        min(len(lines) + 2, height - 2),
        alphabet=look.alphabet,
    )
    body: RowBlock = pad([header, *frame], width, height - 1, look.alphabet)
    return [*body, fit(_footer(look), width, look.alphabet)]


def _footer(look: Look) -> Row:
    keys = (("o", Text("open")), ("?", Text("help")), ("q", Text("quit")))
    targets = {"o": "press open", "?": "press help", "q": "press quit"}
    return tuple(
        span
        for key, name in keys
        for span in (Span(f" {key}", "key", targets[key]), Span(f" {look.say(name)} ", "dim", targets[key]))
    )
