"""The key `file` of [weights]: safetensors, one or several, read here; torch's own files, looked into and left to torch."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO

import numpy as np

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.modules.module import Parameter
from rnnstep.scenario.data.array_files import UnreadableTensor
from rnnstep.scenario.file.document import Table, gibibytes, outside, shown
from rnnstep.scenario.model import Floats, Pending
from rnnstep.scenario.weights.parts import is_safetensors, open_parts
from rnnstep.scenario.weights.pickles import MOST_BYTES, MOST_OPCODES, Contents, Strange, TooMuch, contents
from rnnstep.scenario.weights.state_dicts import RECURRENT, take

PICKLE = "data.pkl"  # the archive's member that says how the numbers of the others are put together
LEGACY_PICKLES = 4  # of torch before 1.6: magic number, version, system, state_dict
PICKLE_MARK = b"\x80"
SCRIPTED = "__torch__."  # what stands before the classes of torch.jit's

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
    if filename is None or prefixes is None:
        return None
    if is_safetensors(filename):
        return _read_safetensors(table, filename, parameters, prefixes, but, dtype)
    path = outside(table.document, (*table.place, "file"), filename)
    if path is None:
        return None
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
    filename: str,
    parameters: Mapping[str, Parameter],
    prefixes: Mapping[str, str],
    but: frozenset[str],
    dtype: np.dtype[np.floating],
) -> FileWeights | None:
    opened = open_parts(table.document, (*table.place, "file"), filename)
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


def saved_tensors(path: Path) -> dict[tuple[str | int, ...], tuple[int, ...]]:
    """Give the shape of each plain tensor in a file that torch saved, under the keys that lead to it, without torch.

    The file was looked at when the scenario was read.

    Raises:
        UsageError: It has changed since, and is another kind of file.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next(one for one in archive.namelist() if one.rpartition("/")[2] == PICKLE)
                with archive.open(name) as file:
                    held = contents(file, 1)
        else:
            with path.open("rb") as file:
                held = contents(file, LEGACY_PICKLES)
    except Exception as error:  # noqa: BLE001 -- a broken instruction raises whatever it leads to
        reason = printable(str(error)) or type(error).__name__
        raise UsageError(
            Text("cannot read {path}: {reason}", path=printable(str(path)), reason=reason)
        ) from None
    return {keys: shape for keys, shape in held.tensors.items() if shape is not None}


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
            pickles = [member for member in members if member.filename.rpartition("/")[2] == PICKLE]
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
        held = contents(file, pickles)
    except TooMuch:
        table.problem(
            "file",
            Text(
                "`file`: {file} is refused: it builds more than {most} objects or takes more than {size} MiB without its"
                " numbers, far more than a state_dict does",
                file=shown(path.name),
                most=f"{MOST_OPCODES:,}",
                size=MOST_BYTES >> 20,
            ),
        )
        return False
    except Exception as error:  # noqa: BLE001 -- a broken instruction raises whatever it leads to
        table.problem(
            "file", Text("`file`: cannot read {file}: {reason}", file=shown(path.name), reason=str(error))
        )
        return False
    if held.strange:
        table.problem("file", _refusal(str(table.raw("file")), held))
    return not held.strange


def _refusal(filename: str, held: Contents) -> Text:
    """Say what a file holds beside tensors, and the line of torch's that saves what is needed of it."""
    saved = f"{filename.removesuffix(PurePosixPath(filename).suffix)}-weights.pt"
    file, loaded = shown(filename), f"torch.load({filename!r}, weights_only=False)"
    if held.is_alone:
        loaded = f"pickle.load(open({filename!r}, 'rb'))"
    first = held.strange[0].name
    if first.startswith(SCRIPTED):
        return Text(
            "`file`: {file} holds a scripted model ({name}); save its state_dict: {line}",
            file=file,
            name=first,
            line=_saving(f"torch.jit.load({filename!r}).state_dict()", saved),
        )
    if held.tensors_under is None and held.model is not None:
        name, keys = held.model
        return Text(
            "`file`: {file} holds a whole model ({name}); save its state_dict, where you trust the file, since loading"
            " such a pickle may run anything: {line}",
            file=file,
            name=name,
            line=_saving(f"{loaded}{_indexed(keys)}.state_dict()", saved),
        )
    found = _listed(held.strange)
    if held.tensors_under is None:
        return Text(
            "`file`: {file} is refused: it does more than hold tensors ({found})", file=file, found=found
        )
    wanted = loaded + _indexed(held.tensors_under)
    is_mixed = not held.tensors_under or any(one.key == held.tensors_under[0] for one in held.strange)
    if is_mixed:
        wanted = f"{{k: v for k, v in {wanted}.items() if torch.is_tensor(v)}}"
    return Text(
        "`file`: {file} is refused: beside tensors it holds {found}; save the tensors alone, where you trust the file,"
        " since loading such a pickle may run anything: {line}",
        file=file,
        found=found,
        line=_saving(wanted, saved),
    )


def _saving(what: str, filename: str) -> str:
    return f"torch.save({what}, {filename!r})"


def _indexed(keys: tuple[str | int, ...]) -> str:
    return "".join(f"[{key!r}]" for key in keys)


def _listed(strange: tuple[Strange, ...]) -> str:
    """Name what is strange: `"hyper_parameters": argparse.Namespace`."""
    by_key: dict[str | None, list[str]] = {}
    for one in strange:
        by_key.setdefault(one.key, []).append(one.name)
    return "; ".join(
        ", ".join(names) if key is None else f"{shown(key)}: {', '.join(names)}"
        for key, names in by_key.items()
    )
