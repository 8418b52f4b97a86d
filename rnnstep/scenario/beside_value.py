"""What stands after `--beside` and in the prompt of `|`: a second run beside the one that is looked at.

hello_lstm          another scenario: a path, or a bundled name
dtype=float64       the same scenario, computed in the other dtype
weights=FILE        the same with the parameters of a file, which is looked for from the working folder
epoch=15            the same training at that epoch (from 1)
cure                of a scenario with a mistake in it, the same without
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.keys import closest

Kind = Literal["scenario", "dtype", "weights", "epoch", "cure", "before"]

CURE = "cure"
DTYPES = ("float32", "float64")
KEYS = ("dtype", "weights", "epoch")
WORDS = ("dtype=float64", "dtype=float32", "weights=", "epoch=", CURE)
"""What the value may begin with besides a scenario's name, for completion."""

_ASSIGNED = re.compile(r"\s*([^\W\d]\w*)\s*[=＝]\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class BesideValue:
    """What is to stand beside a run.

    Attributes:
        kind: what it is; "before" is the run before an edit, which no command line names.
        value: of a scenario its path or name, of the others what stands after `=`.
    """

    kind: Kind
    value: str = ""

    @property
    def epoch(self) -> int | None:
        """The epoch, from 0, that it stays at; None where it goes along with the cursor."""
        return int(self.value) - 1 if self.kind == "epoch" else None

    @property
    def word(self) -> str | None:
        """What `--beside` takes for it; None for a run before an edit."""
        match self.kind:
            case "scenario":
                return self.value
            case "cure":
                return CURE
            case "before":
                return None
        return f"{self.kind}={self.value}"

    @property
    def is_of_the_same_file(self) -> bool:
        """Whether it is made of the scenario that it stands beside."""
        return self.kind != "scenario"


def read_value(text: str) -> BesideValue:
    """Read a value; whether a scenario is there is found out when it is read.

    Raises:
        UsageError: It is none of those that are taken.
    """
    text = text.strip()
    if not text or "\0" in text:
        raise UsageError(_expected(text))
    if text == CURE:
        return BesideValue("cure")
    match = _ASSIGNED.fullmatch(text)
    if match is None or (match[1] not in KEYS and Path(text).exists()):
        return BesideValue("scenario", text)
    key, value = match[1], match[2].strip()
    if key not in KEYS:
        guess = closest(key, KEYS)
        if guess is not None:
            raise UsageError(
                Text(
                    "--beside: `{found}`: did you mean `{guess}=…`?", found=printable(text[:60]), guess=guess
                )
            )
        raise UsageError(_expected(text))
    if key == "dtype":
        return BesideValue("dtype", _one_of_dtypes(value))
    if key == "epoch":
        return BesideValue("epoch", _whole(value))
    if not value:
        raise UsageError(Text("--beside weights=FILE: a file's name is needed"))
    return BesideValue("weights", value)


def _expected(text: str) -> Text:
    return Text(
        "--beside: found `{found}`, expected a scenario (a path or a bundled name), dtype=float64,"
        " weights=FILE, epoch=N, or cure",
        found=printable(text[:60]),
    )


def _one_of_dtypes(value: str) -> str:
    if value not in DTYPES:
        raise UsageError(
            Text(
                "--beside dtype={found}: expected one of {choices}",
                found=printable(value[:40]),
                choices=", ".join(DTYPES),
            )
        )
    return value


def _whole(value: str) -> str:
    digits = value.translate(str.maketrans("０１２３４５６７８９", "0123456789"))
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9 and int(digits) > 0):
        raise UsageError(
            Text(
                "--beside epoch={found}: expected a whole number from 1, such as 15",
                found=printable(value[:40]),
            )
        )
    return str(int(digits))
