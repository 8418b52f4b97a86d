"""Answers on the spot: on a command line, or pasted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rnnstep.checking.answers import LARGEST, MOST_ANSWERS, Answer, Answers
from rnnstep.checking.numbers import NotNumbers, from_text
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.document import Document, Limits

_INLINE = re.compile(
    r"\s*(?:(?P<step>\d{1,9})/(?:L(?P<layer>\d{1,9})(?P<back>←|<-)?/)?)?(?P<name>[A-Za-z∂][\w.∂]*?)(?P<at>\[[\d,\s]+\])?"
    r"\s*[=＝:：]\s*(?P<numbers>[^=＝]*)"
)
_STEP = re.compile(r"(?P<name>.+)_(?P<step>\d{1,9})")


def inline_answers(texts: Sequence[str], limits: Limits) -> Answers:
    """Read answers such as `h_1 = 0.54 ? 0.00 0.84`, one a text or a line; `3/L0/hh[1] = 0.18` names a place.

    Raises:
        UsageError: one of them cannot be read.
    """
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_ANSWERS:
        raise UsageError(Text("too many answers"))
    answers = [_inline(line, number) for number, line in enumerate(lines)]
    if not answers:
        raise UsageError(Text("there are no answers"))
    return Answers(tuple(answers), Document("answers", Path(), "\n".join(lines), {}, limits))


def _inline(line: str, number: int) -> Answer:
    found = _INLINE.fullmatch(line)
    if found is None:
        raise UsageError(
            Text(
                "`{line}`: expected NAME = NUMBERS, such as h_1 = 0.54 ? 0.00 0.84", line=printable(line[:80])
            )
        )
    try:
        numbers = from_text(found["numbers"])
    except NotNumbers as error:
        raise UsageError(
            Text(
                "`{line}`: `{found}` is no number",
                line=printable(line[:80]),
                found=printable(error.found[:40]),
            )
        ) from None
    name, step = found["name"], found["step"]
    with_step = _STEP.fullmatch(name)
    if step is None and with_step is not None:
        name, step = with_step["name"], with_step["step"]
    index = None
    if found["at"] is not None:
        index = (tuple(min(int(part[:10]), LARGEST) for part in re.findall(r"\d+", found["at"])),)
    if step is not None and not 1 <= int(step) <= LARGEST:
        raise UsageError(Text("`{line}`: steps count from 1", line=printable(line[:80])))
    return Answer(
        name,
        numbers,
        None if step is None else int(step) - 1,
        None if found["layer"] is None else int(found["layer"]),
        "backward" if found["back"] else "forward",
        index=index,
        line=number + 1,
    )
