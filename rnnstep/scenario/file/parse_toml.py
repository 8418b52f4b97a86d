"""TOML read: the one place that knows which parser, and so which TOML (1.1), all files are read with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tomli import TOMLDecodeError, loads

from rnnstep.scenario.file.positions import check_depth

__all__ = ["TOMLDecodeError", "parse_toml"]


def parse_toml(text: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Give the data of a TOML text, with or without a byte order mark; `parse_float` makes its decimal numbers.

    Raises:
        TOMLDecodeError: It is no TOML.
        TooDeep: It has too many brackets or parts of a key inside one another.
        ValueError: All of these, and a number of more digits than `int` takes.
    """
    text = text.removeprefix("\ufeff")
    check_depth(text)
    return loads(text, parse_float=parse_float)
