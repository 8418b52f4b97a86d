"""JSON, CSV and npz, whatever is written in them: strict, in pieces, and one array after another."""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations.operations import Array


def members(values: Mapping[str, Any]) -> Iterator[str]:
    """Give the members of an object; an iterator becomes a list, one element a line."""
    for number, (name, value) in enumerate(values.items()):
        yield f"{',' if number else ''}\n{json.dumps(name)}: "
        if not isinstance(value, Iterator):
            yield strict(value)
            continue
        yield "["
        for position, element in enumerate(value):
            yield ",\n" if position else "\n"
            yield strict(element)
        yield "\n]"


def strict(value: Any) -> str:
    """Give strict JSON: numbers that are not finite, which JSON has not, as the strings "NaN", "Infinity", "-Infinity"."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_in_words(value), ensure_ascii=False, allow_nan=False)


def _in_words(value: Any) -> Any:
    match value:
        case float() if math.isnan(value):
            return "NaN"
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case dict():
            return {name: _in_words(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_in_words(inner) for inner in value]
    return value


def plain(value: Array | list[Array] | None) -> Any:
    """Give an array, or one a batch, as nested lists of Python floats, which hold a float32 exactly."""
    if isinstance(value, list):
        return [plain(array) for array in value]
    return None if value is None else np.asarray(value).tolist()


_PARTING = re.compile(r"[,;\t\r\n\"]")


def csv_line(cells: Sequence[Any]) -> str:
    """Give one line of cells that hold words of somebody else's: names of files, letters, messages.

    Besides what CSV itself asks for, a cell stands in quotes that holds what parts cells where commas stand in
    decimal numbers.
    """
    return ",".join(_quoted(str(cell)) for cell in cells) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _PARTING.search(cell) else cell


BEGINNING = (1980, 1, 1, 0, 0, 0)  # of a zip's calendar: the same run gives the same file


def write_arrays(arrays: Iterable[tuple[str, NDArray[Any]]], file: IO[bytes]) -> None:
    """Write arrays one after another, as they come."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays:
            entry = zipfile.ZipInfo(f"{name}.npy", BEGINNING)
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)
