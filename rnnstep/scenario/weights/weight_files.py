"""The key `file` of [weights]: safetensors, read here; torch's own files, looked into and left to torch."""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO

import numpy as np

from rnnstep.language import Text
from rnnstep.modules.module import Parameter
from rnnstep.scenario.data.array_files import UnreadableTensor, open_safetensors
from rnnstep.scenario.file.document import Table, gibibytes, outside, shown
from rnnstep.scenario.model import Floats, Pending
from rnnstep.scenario.weights.state_dicts import RECURRENT, take

# What a state_dict's pickle names. torch's weights_only is the guard; this is the early, clear message.
TENSOR_MODULES = frozenset(
    (
        "torch",
        "torch._utils",
        "torch._tensor",
        "torch.storage",
        "torch.serialization",
        "collections",
        "_codecs",
    )
)
LEGACY_PICKLES = 4  # of torch before 1.6: magic number, version, system, state_dict
PICKLE_MARK = b"\x80"
MOST_OPCODES = 1_000_000  # of a file's pickles: a tensor takes some 40, and each opcode may build an object

FileWeights = tuple[Mapping[str, Floats], Pending | None]


def read_weight_file(
    table: Table,
    parameters: Mapping[str, Parameter],
    modules: tuple[str, ...],
    but: frozenset[str],
    dtype: np.dtype[np.floating],
) -> FileWeights | None:
    """Read what `file` names, but for the parameters `but` that stand in the scenario.

    Returns:
        Values under torch's names, and what torch must load; None if there was a problem.
    """
    filename = table.string("file")
    prefixes = _read_prefixes(table, (RECURRENT, *modules))
    path = outside(table.document, (*table.place, "file"), filename) if filename is not None else None
    if path is None or prefixes is None:
        return None
    if path.suffix.lower() == ".safetensors":
        return _read_safetensors(table, path, parameters, prefixes, but, dtype)
    try:
        is_sound = _is_sound_torch_file(table, path)
    except OSError as error:
        reason = error.strerror or str(error)
        table.problem(
            "file", Text("`file`: cannot read {file}: {reason}", file=shown(filename), reason=reason)
        )
        return None
    if not is_sound:
        return None
    line, column = table.document.position((*table.place, "file"))
    names = tuple(name for name in parameters if name not in but)
    pending = Pending(names, file=path, prefixes=prefixes, line=line, column=column) if names else None
    return MappingProxyType({}), pending


def _read_prefixes(table: Table, known: tuple[str, ...]) -> Mapping[str, str] | None:
    prefix = table.table("prefix")
    if prefix is None:
        return None if table.has("prefix") else MappingProxyType({})
    prefix.known(*known)
    given = {key: prefix.string(key) for key in known if prefix.has(key)}
    return MappingProxyType({key: value for key, value in given.items() if value is not None})


def _read_safetensors(
    table: Table,
    path: Path,
    parameters: Mapping[str, Parameter],
    prefixes: Mapping[str, str],
    but: frozenset[str],
    dtype: np.dtype[np.floating],
) -> FileWeights | None:
    opened = open_safetensors(table.document, (*table.place, "file"), path)
    if opened is None:
        return None
    wanted = {name: parameter.shape for name, parameter in parameters.items()}
    try:
        taken = take(opened.shapes, opened.load, wanted, prefixes, dtype, but)
    except UnreadableTensor as error:
        table.problem("file", error.message)
        return None
    for message in taken.problems:
        table.problem("file", message)
    return None if taken.problems else (taken.values, None)


def _is_sound_torch_file(table: Table, path: Path) -> bool:
    """Whether a file may be handed to torch: its size is within the limit and it holds tensors only."""
    with path.open("rb") as file:
        mark = file.read(4)
        file.seek(0)
        if mark.startswith(b"PK"):
            return _is_sound_archive(table, path)
        if mark.startswith(PICKLE_MARK):
            return _fits(table, path.stat().st_size) and _holds_tensors(table, path, file, LEGACY_PICKLES)
    table.problem(
        "file",
        Text(
            "`file`: {file} is neither a .safetensors file nor one that torch.save wrote",
            file=shown(path.name),
        ),
    )
    return False


def _is_sound_archive(table: Table, path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if not _fits(table, sum(member.file_size for member in members)):
                return False
            pickles = [member for member in members if member.filename.rpartition("/")[2] == "data.pkl"]
            if len(pickles) == 1:
                with archive.open(pickles[0]) as file:
                    return _holds_tensors(table, path, file, 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        reason = str(error)
        table.problem(
            "file", Text("`file`: cannot read {file}: {reason}", file=shown(path.name), reason=reason)
        )
        return False
    table.problem("file", Text("`file`: {file} is no state_dict saved by torch.save", file=shown(path.name)))
    return False


def _fits(table: Table, size: int) -> bool:
    limit = table.document.limits.memory
    if size <= limit:
        return True
    table.problem(
        "file",
        Text(
            "`file`: the tensors take {size} GiB, more than the limit of {limit} GiB (--memory-limit)",
            size=gibibytes(size),
            limit=gibibytes(limit),
        ),
    )
    return False


def _holds_tensors(table: Table, path: Path, file: IO[bytes], pickles: int) -> bool:
    """Whether the pickles name nothing but what tensors are made of; they are read, not run."""
    try:
        strange = next(_strange_names(file, pickles), None)
    except _TooMany:
        table.problem(
            "file",
            Text(
                "`file`: {file} is refused: it builds more than {most} objects, far more than a state_dict does",
                file=shown(path.name),
                most=f"{MOST_OPCODES:,}",
            ),
        )
        return False
    except Exception as error:  # noqa: BLE001 -- pickletools raises whatever a broken opcode leads to
        table.problem(
            "file", Text("`file`: cannot read {file}: {reason}", file=shown(path.name), reason=str(error))
        )
        return False
    if strange is None:
        return True
    if strange.startswith(("torch.nn.modules.", "__main__.")):
        message = Text(
            "`file`: {file} holds a whole model ({name}); save its state_dict: torch.save(model.state_dict(), …)",
            file=shown(path.name),
            name=strange,
        )
    else:
        message = Text(
            "`file`: {file} is refused: it does more than hold tensors ({name})",
            file=shown(path.name),
            name=strange,
        )
    table.problem("file", message)
    return False


class _TooMany(Exception):
    """A pickle has more opcodes than a state_dict can need."""


def _strange_names(file: IO[bytes], pickles: int) -> Iterator[str]:
    """Give each function or class, dotted, that the pickles ask for and a state_dict does not.

    Raises:
        _TooMany: They have more than `MOST_OPCODES`: a few bytes of an archive may hold millions.
    """
    count = 0
    for _ in range(pickles):
        for opcode, argument, _ in pickletools.genops(file):
            count += 1
            if count > MOST_OPCODES:
                raise _TooMany
            if opcode.name == "GLOBAL":
                module, _, name = str(argument).partition(" ")
                if module not in TENSOR_MODULES and not (
                    module == "torch.nn.parameter" and name == "Parameter"
                ):
                    yield f"{module}.{name}"
            elif opcode.name in {"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"}:
                yield opcode.name
