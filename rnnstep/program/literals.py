"""Arrays and words as Python text that reads back to the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 100


def tensor(array: NDArray[Any], *, indent: int = 0) -> str:
    """Give `torch.tensor(…)` of an array, its dtype named where torch would take another."""
    dtype = ", dtype=torch.float64" if array.dtype == np.float64 else ""
    return f"torch.tensor({nested(array, indent=indent)}{dtype})"


def nested(array: NDArray[Any], *, indent: int = 0) -> str:
    """Give an array as nested lists, broken into lines where it is wide."""
    if array.ndim == 0:
        return number(array[()])
    flat = f"[{', '.join(nested(part) for part in array)}]" if array.size <= WIDTH else ""
    if flat and len(flat) + indent <= WIDTH and "\n" not in flat:
        return flat
    inner = " " * (indent + 4)
    parts = [nested(part, indent=indent + 4) for part in array]
    # Rows of numbers stand below one another as in a matrix; indices have no such look.
    if array.ndim == 1 or (array.dtype.kind in "iu" and not any("\n" in part for part in parts)):
        lines = _filled(parts, WIDTH - indent - 4)
    else:
        lines = [f"{part}," for part in parts]
    return "[\n" + "".join(f"{inner}{line}\n" for line in lines) + " " * indent + "]"


def number(value: Any) -> str:
    """Give one number in as few digits as tell it apart in its own dtype."""
    if isinstance(value, np.floating):
        if not np.isfinite(value):
            return str(float(value))
        return np.format_float_positional(value, unique=True, trim="0") if _is_plain(value) else str(value)
    return str(int(value))


def quoted(text: str) -> str:
    """Give a text in double quotes, all that steers a terminal written as an escape."""
    written = repr(text)
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in written else written


def words(texts: Iterable[str]) -> str:
    """Give a list of texts, broken into lines where it is wide."""
    written = [quoted(text) for text in texts]
    flat = f"[{', '.join(written)}]"
    if len(flat) <= WIDTH:
        return flat
    return "[\n" + "".join(f"    {line}\n" for line in _filled(written, WIDTH - 4)) + "]"


def _is_plain(value: np.floating[Any]) -> bool:
    return bool(value == 0 or 1e-4 <= abs(value) < 1e16)


def _filled(parts: list[str], width: int) -> list[str]:
    """Put words into lines, each with a comma behind it."""
    lines: list[str] = []
    line = ""
    for part in parts:
        longer = f"{line} {part}," if line else f"{part},"
        if line and len(longer) > width:
            lines.append(line)
            longer = f"{part},"
        line = longer
    return [*lines, line] if line else lines
