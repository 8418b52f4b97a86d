"""Arrays in files of their own: safetensors, npy and csv, their sizes checked before memory is taken."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.language import Text
from rnnstep.scenario.file.document import (
    Document,
    KeyPath,
    check_memory,
    gibibytes,
    outside,
    shown,
    shown_shape,
)

READABLE = frozenset(("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8"))
ARRAY_SUFFIXES = (".npy", ".csv", ".safetensors")
_LIKE_A_NUMBER = re.compile(r"[+-]?\.?\d")
LARGEST_HEADER = 32 << 20  # bytes of a safetensors file: 300,000 names, which take some 500 MB in memory
MOST_AXES = 64  # of an array of numpy's
CSV_COST = 40  # bytes in memory for a byte of a csv: a digit and its comma become a list's float


class UnreadableTensor(Exception):
    """A tensor of a kind that numpy has not; carries the message."""

    def __init__(self, message: Text) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Tensors:
    """A safetensors file, or several: the name, shape and kind of each tensor, read from headers alone."""

    shapes: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, str]  # "F32", "BF16", …
    paths: Mapping[str, Path]  # the file that each stands in

    def load(self, name: str) -> NDArray[Any]:
        """Read one tensor; bfloat16 is given as float32, which holds all its values.

        Raises:
            UnreadableTensor: Its kind is not among `READABLE`, or it has more than `MOST_AXES` axes.
        """
        from safetensors import safe_open

        kind = self.kinds[name]
        if kind not in READABLE:
            message = Text(
                "`file`: the tensor {name} is of the kind {kind}, expected one of numbers",
                name=shown(name),
                kind=kind,
            )
            raise UnreadableTensor(message)
        if len(self.shapes[name]) > MOST_AXES:
            message = Text(
                "`file`: the tensor {name} has {count} axes, expected at most {most}",
                name=shown(name),
                count=len(self.shapes[name]),
                most=MOST_AXES,
            )
            raise UnreadableTensor(message)
        if kind == "BF16":
            return _bfloat16(self.paths[name], name, self.shapes[name])
        with safe_open(self.paths[name], framework="numpy") as file:
            return np.asarray(file.get_tensor(name))


def _bfloat16(path: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Read the upper halves of float32 numbers, which numpy has no type for (header checked before)."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        start, end = json.loads(file.read(length))[name]["data_offsets"]
        file.seek(8 + length + start)
        halves = np.frombuffer(file.read(end - start), "<u2")
    return (halves.astype(np.uint32) << 16).view(np.float32).reshape(shape)


def open_safetensors(document: Document, place: KeyPath, path: Path) -> Tensors | None:
    """Read the header of a safetensors file, or note a problem."""
    from safetensors import SafetensorError, safe_open

    try:
        if header_length(path) > LARGEST_HEADER:
            reason = Text("its header is larger than {most} MiB", most=LARGEST_HEADER >> 20)
            document.problem(
                place,
                Text("`file`: {file} is no safetensors file: {reason}", file=shown(path.name), reason=reason),
            )
            return None
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
            slices = {name: file.get_slice(name) for name in names}
            shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
            kinds = {name: str(part.get_dtype()) for name, part in slices.items()}
    except (SafetensorError, OSError) as error:
        document.problem(
            place,
            Text("`file`: {file} is no safetensors file: {reason}", file=shown(path.name), reason=str(error)),
        )
        return None
    return Tensors(shapes, kinds, dict.fromkeys(shapes, path))


def header_length(path: Path) -> int:
    """Give the bytes that a safetensors file's header takes; 0 where the file is none, as reading it will tell."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return length if length + 8 <= os.fstat(file.fileno()).st_size else 0


def read_array_file(document: Document, place: KeyPath, filename: str) -> NDArray[Any] | None:
    """Read the numbers of a file named in a scenario, float64 or int64, in the shape they have there.

    A csv's lines are rows of numbers; a first line of names is passed over.
    """
    path = outside(document, place, filename)
    if path is None:
        return None
    try:
        match path.suffix.lower():
            case ".npy":
                array = _read_npy(document, place, path)
            case ".csv":
                array = _read_csv(document, place, path)
            case ".safetensors":
                array = _read_single_tensor(document, place, path)
            case _:
                document.problem(
                    place,
                    Text(
                        "`file`: found {file}, a file of another kind, expected {suffixes}",
                        file=shown(filename),
                        suffixes=", ".join(ARRAY_SUFFIXES),
                    ),
                )
                return None
    except OSError as error:
        reason = error.strerror or str(error)
        document.problem(
            place, Text("`file`: cannot read {file}: {reason}", file=shown(filename), reason=reason)
        )
        return None
    return None if array is None else _as_numbers(document, place, array)


def _as_numbers(document: Document, place: KeyPath, array: NDArray[Any]) -> NDArray[Any] | None:
    if array.size == 0:
        document.problem(
            place, Text("`file`: the array in it is empty: {shape}", shape=shown_shape(array.shape))
        )
        return None
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    return array.astype(np.float64)


def _read_npy(document: Document, place: KeyPath, path: Path) -> NDArray[Any] | None:
    with path.open("rb") as file:
        header = _npy_header(file)
        if header is None:
            document.problem(
                place,
                Text(
                    "`file`: {file} is no .npy file of numbers (pickled objects are refused)",
                    file=shown(path.name),
                ),
            )
            return None
        shape, is_fortran, dtype = header
        if not check_memory(document, place, shape, max(dtype.itemsize, 8)):
            return None
        count = math.prod(shape)
        if os.fstat(file.fileno()).st_size - file.tell() < count * dtype.itemsize:
            document.problem(place, Text("`file`: {file} ends before its array does", file=shown(path.name)))
            return None
        # Read here rather than by `np.load`, which would read the header once more and take it otherwise.
        array = np.fromfile(file, dtype, count)
    return array.reshape(shape, order="F" if is_fortran else "C")


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]] | None:
    """Read shape, order and type from a .npy file's head, or give None if it is none, or not of plain numbers.

    The head is a Python expression: what its reader raises on a broken one is not foreseen, and it warns of
    files that Python 2 wrote, which are read as others are.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, is_fortran, dtype = read(file)
        except OSError:
            raise
        except Exception:  # noqa: BLE001
            return None
    is_plain = dtype.kind in "iuf" and dtype.names is None and dtype.subdtype is None
    is_shape = len(shape) <= MOST_AXES and all(type(length) is int and length >= 0 for length in shape)
    return (shape, bool(is_fortran), dtype) if is_plain and is_shape else None


def _read_csv(document: Document, place: KeyPath, path: Path) -> NDArray[Any] | None:
    size = path.stat().st_size
    if not check_csv_size(document, place, path, size):
        return None
    rows: list[list[float]] = []
    is_whole = True
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for cells in reader:
                texts = [cell.strip() for cell in cells]
                if not any(texts):
                    continue
                numbers = _numbers(texts)
                if numbers is None and reader.line_num == 1 and not any(map(_LIKE_A_NUMBER.match, texts)):
                    continue  # names
                if numbers is None or (rows and len(numbers) != len(rows[0])):
                    _bad_row(document, place, path, reader.line_num, numbers, rows)
                    return None
                is_whole = is_whole and all(text.lstrip("+-").isdecimal() for text in texts)
                rows.append(numbers)
    except (csv.Error, UnicodeDecodeError) as error:
        document.problem(
            place, Text("`file`: cannot read {file}: {reason}", file=shown(path.name), reason=str(error))
        )
        return None
    array = np.array(rows, np.float64)
    fits = is_whole and array.size and np.abs(array).max() < 2**53
    return array.astype(np.int64) if fits else array


def check_csv_size(document: Document, place: KeyPath, path: Path, size: int) -> bool:
    """Whether what a csv becomes in memory is within the limit."""
    if size * CSV_COST <= document.limits.memory:
        return True
    document.problem(
        place,
        Text(
            "`file`: {file}: a csv of {size} GiB takes more memory than the limit of {limit} GiB (--memory-limit)",
            file=shown(path.name),
            size=gibibytes(size),
            limit=gibibytes(document.limits.memory),
        ),
    )
    return False


def _numbers(texts: list[str]) -> list[float] | None:
    try:
        return [float(text) for text in texts]
    except ValueError:
        return None


def _bad_row(
    document: Document,
    place: KeyPath,
    path: Path,
    line: int,
    numbers: list[float] | None,
    rows: list[list[float]],
) -> None:
    if numbers is None:
        message = Text("`file`: {file}, line {line}: expected numbers", file=shown(path.name), line=line)
    else:
        message = Text(
            "`file`: {file}, line {line}: found {found} numbers, expected {expected} as before",
            file=shown(path.name),
            line=line,
            found=len(numbers),
            expected=len(rows[0]),
        )
    document.problem(place, message)


def _read_single_tensor(document: Document, place: KeyPath, path: Path) -> NDArray[Any] | None:
    tensors = open_safetensors(document, place, path)
    if tensors is None:
        return None
    if len(tensors.shapes) != 1:
        document.problem(
            place,
            Text(
                "`file`: {file} holds {count} tensors, expected one",
                file=shown(path.name),
                count=len(tensors.shapes),
            ),
        )
        return None
    name, shape = next(iter(tensors.shapes.items()))
    if not check_memory(document, place, shape, 8):
        return None
    try:
        return tensors.load(name)
    except UnreadableTensor as error:
        document.problem(place, error.message)
        return None
