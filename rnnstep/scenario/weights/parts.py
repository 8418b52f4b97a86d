"""Weights in several safetensors files: the index that says which tensor stands in which of them.

`model.safetensors.index.json` stands beside its parts, `model-00001-of-00002.safetensors` and so on, as the `transformers`
library saves them. An index is a stranger's text: its size, its kind and where its names lead are looked at before a
part is opened.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from rnnstep.language import Text
from rnnstep.scenario.data.array_files import LARGEST_HEADER, Tensors, header_length, open_safetensors
from rnnstep.scenario.file.document import Document, KeyPath, listed, outside, shown

SAFETENSORS = ".safetensors"
INDEX = ".index.json"
LARGEST_INDEX = 16 << 20  # bytes; that of a model of 90,000 tensors has 9 MB
MOST_PARTS = 1000

_PART = re.compile(r"(?P<model>.+)-\d{5,6}-of-\d{5,6}\.safetensors", re.IGNORECASE)


class _Unreadable(Exception):
    """What keeps a text from being an index; carries the message."""

    def __init__(self, message: Text) -> None:
        super().__init__(message)
        self.message = message


def is_safetensors(filename: str) -> bool:
    """Whether a file is a safetensors file or an index of several, by its name."""
    return filename.lower().endswith((SAFETENSORS, INDEX))


def open_parts(document: Document, place: KeyPath, filename: str) -> Tensors | None:
    """Read the headers of what a scenario names: a safetensors file, an index, or a part of which an index tells.

    Problems are noted at `place`, where the name stands.
    """
    path = outside(document, place, filename)
    if path is None:
        return None
    index = filename if filename.lower().endswith(INDEX) else _index_beside(document, filename)
    try:
        if index is None:
            return open_safetensors(document, place, path)
        path = outside(document, place, index)
        held = None if path is None else _held(path)
        return None if held is None else _open_all(document, place, index, held)
    except _Unreadable as error:
        document.problem(place, error.message)
    except OSError as error:
        reason = error.strerror or str(error)
        document.problem(
            place, Text("`file`: cannot read {file}: {reason}", file=shown(filename), reason=reason)
        )
    return None


def _index_beside(document: Document, filename: str) -> str | None:
    """Give the index that tells of a part, if the file's name is one of a part and there is one beside it."""
    part = _PART.fullmatch(PurePosixPath(filename).name)
    if part is None:
        return None
    index = os.path.join(os.path.dirname(filename), f"{part['model']}{SAFETENSORS}{INDEX}")  # noqa: PTH118, PTH120
    return index if (document.folder / index).is_file() else None


def _held(path: Path) -> dict[str, str]:
    """Read an index: the part that each tensor stands in."""
    with path.open("rb") as file:
        data = file.read(LARGEST_INDEX + 1)
    if len(data) > LARGEST_INDEX:
        raise _Unreadable(
            Text(
                "`file`: the index {file} is larger than {most} MiB, far more than the names of a model take",
                file=shown(path.name),
                most=LARGEST_INDEX >> 20,
            )
        )
    try:
        read = json.loads(data, object_pairs_hook=_once, parse_constant=_no_number, parse_int=float)
    except _Unreadable as error:
        raise _no_index(path, error.message) from None
    except json.JSONDecodeError as error:
        at = {"line": error.lineno, "column": error.colno, "reason": error.msg}
        raise _no_index(path, Text("line {line}, column {column}: {reason}", **at)) from None
    except RecursionError:
        raise _no_index(path, Text("too many brackets inside one another")) from None
    except UnicodeDecodeError as error:
        raise _no_index(path, Text("not UTF-8, at byte {byte}", byte=error.start)) from None
    return _checked(path, read)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary in which no name stands twice: which of the two would count is not settled."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise _Unreadable(Text("{name} stands in it twice", name=shown(twice)))
    return made


def _no_number(constant: str) -> None:
    raise _Unreadable(Text("{found} is no JSON", found=constant))


def _no_index(path: Path, reason: Text) -> _Unreadable:
    message = Text("`file`: {file} is no index of weights: {reason}", file=shown(path.name), reason=reason)
    return _Unreadable(message)


def _checked(path: Path, read: object) -> dict[str, str]:
    """Give an index's table of names, all of which are files below its folder, if they are that."""
    table = read.get("weight_map") if isinstance(read, dict) else None
    if not isinstance(table, dict):
        found = listed(read) if isinstance(read, dict) and read else shown(read)
        raise _no_index(
            path, Text("found {found}, expected the table `weight_map`: tensor → file", found=found)
        )
    parts = dict.fromkeys(table.values()) if all(isinstance(part, str) for part in table.values()) else None
    if parts is None:
        name, part = next((name, part) for name, part in table.items() if not isinstance(part, str))
        told = {"name": shown(name), "found": shown(part)}
        raise _no_index(path, Text("{name}: found {found}, expected the name of a file", **told))
    if not parts:
        raise _no_index(path, Text("it names no tensor"))
    if len(parts) > MOST_PARTS:
        told = {"count": f"{len(parts):,}", "most": f"{MOST_PARTS:,}"}
        raise _no_index(path, Text("it names {count} files, expected at most {most}", **told))
    for part in parts:
        if not _is_below(part):
            raise _no_index(path, Text("it names {part}, which leads out of its folder", part=shown(part)))
        if not part.lower().endswith(SAFETENSORS):
            raise _no_index(path, Text("it names {part}, expected .safetensors files", part=shown(part)))
    return table


def _is_below(part: str) -> bool:
    r"""Whether a name leads nowhere but below its folder, on any system: without `..`, a root, a drive or `\`."""
    pieces = part.split("/")
    return all(piece not in {"", ".", ".."} for piece in pieces) and not set(part) & set("\\:\0")


def _open_all(document: Document, place: KeyPath, index: str, held: Mapping[str, str]) -> Tensors | None:
    """Read the header of each part, or note the first problem; the index must be right about what stands in it."""
    opened: dict[str, Tensors] = {}
    whole = 0
    for part in dict.fromkeys(held.values()):
        path = outside(document, place, os.path.join(os.path.dirname(index), part))  # noqa: PTH118, PTH120
        if path is None:
            return None
        whole += header_length(path)
        if whole > LARGEST_HEADER:
            raise _Unreadable(
                Text(
                    "`file`: the headers of the files that {file} names are larger than {most} MiB, far more than the"
                    " names of a model take",
                    file=shown(PurePosixPath(index).name),
                    most=LARGEST_HEADER >> 20,
                )
            )
        tensors = open_safetensors(document, place, path)
        if tensors is None:
            return None
        opened[part] = tensors
    for name, part in held.items():
        if name not in opened[part].shapes:
            raise _Unreadable(
                Text(
                    "`file`: {file} says that {name} stands in {part}, which does not hold it",
                    file=shown(PurePosixPath(index).name),
                    name=shown(name),
                    part=shown(part),
                )
            )
    return Tensors(
        {name: opened[part].shapes[name] for name, part in held.items()},
        {name: opened[part].kinds[name] for name, part in held.items()},
        {name: opened[part].paths[name] for name, part in held.items()},
    )
