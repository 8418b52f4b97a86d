"""How a place is written: `3/L0/hh[1]`, the same in the header, `--at`, `g` and messages.

start                 before the first step
3                     step 3 (from 1)
3/L1←                 its backward layer 1; L0→ and L0 are the same
3/L0/hh               its operation hh; with one block its name may be left out: 3/hh
3/L0/hh[1]            its element 1 (from 0);  3/L0/hh[1].2  is that element's term 2
L1                    a whole block, where the order is by layer
2:3/L0/hh             in batch 2 (from 1), where there are several;  2:  is that batch as a whole
3                     where the order is by layer: step 3 of the first block
3/L0/hh[1]@row5       any of these, seen in row 5 of the batch (from 0); without it the row stays as it is
"""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.session.tree import Path, Spot, Tree

_PLACE = re.compile(
    r"(?:(?P<batch>\d{1,9}):)?"
    r"(?:(?P<step>\d{1,9})(?:/(?P<rest>.+))?|(?P<block>[^/\d:][^/]*)|(?<=:))"
)
_ROW = re.compile(r"(?P<place>[^@]*?)\s*@\s*row\s*(?P<row>\d{1,9})")
_OPERATION = re.compile(r"(?P<name>\w+)(?:\[(?P<element>\d{1,9})\](?:\.(?P<term>\d{1,9}))?)?")


def write_place(tree: Tree, path: Path, *, has_batches: bool = False) -> str:
    """Give a path as it is written; `start` for the empty one."""
    if not path:
        return "start"
    spot = tree.locate(path)
    prefix = f"{spot.batch + 1}:" if has_batches else ""
    parts = []
    if spot.t is not None:
        parts.append(str(spot.t + 1))
    if spot.key is not None:
        parts.append(spot.key)
    if spot.operation is not None:
        element = "" if spot.element is None else f"[{spot.element}]"
        term = "" if spot.term is None else f".{spot.term}"
        parts.append(f"{spot.operation}{element}{term}")
    return prefix + "/".join(parts) if parts else f"{spot.batch + 1}:"


def write_row(row: int) -> str:
    """Give what stands after a place for a row of the batch; the first goes without saying."""
    return f"@row{row}" if row else ""


def read_row(text: str, rows: int) -> int | None:
    """Give the row of the batch that a place names; None where it names none.

    Raises:
        UsageError: There are only `rows` of them.
    """
    match = _ROW.fullmatch(text.strip())
    if match is None:
        return None
    row = int(match["row"])
    if row >= rows:
        raise UsageError(
            Text("no row {row} in `{text}`: rows go from 0 to {most}", row=row, text=text[:40], most=rows - 1)
        )
    return row


def read_place(tree: Tree, text: str) -> Path:
    """Give the path that a text means; a row that it names is left to `read_row`.

    Raises:
        UsageError: a text that is not a place, or a place that this run does not have.
    """
    text = text.strip()
    seen_in_row = _ROW.fullmatch(text)
    if seen_in_row is not None:
        text = seen_in_row["place"].strip()
    if text in ("", "start", "0"):
        return ()
    match = _PLACE.fullmatch(text)
    if match is None:
        raise UsageError(Text("`{text}` is not a place; one is written 3/L0/hh[1]", text=text[:40]))
    batch = int(match["batch"] or 1) - 1
    t = int(match["step"]) - 1 if match["step"] else None
    spot = _spot(tree, batch, t, match["rest"] or match["block"] or "", text)
    path = tree.path_to(spot)
    if path is None and spot.key is None and tree.keys(batch):
        path = tree.path_to(replace(spot, key=tree.keys(batch)[0]))
    if path is None:
        raise UsageError(_missing(tree, spot, text))
    return path


def _spot(tree: Tree, batch: int, t: int | None, rest: str, text: str) -> Spot:
    """Read `L0/hh[1].2`, `L0` or `hh[1]`."""
    if not rest:
        return Spot(batch, None, t)
    first, slash, last = rest.partition("/")
    keys = tree.keys(batch)
    key: str | None = first.replace("→", "").replace("<-", "←").replace("->", "")
    operation = last
    if key not in keys and not slash:
        key, operation = _block_with(tree, batch, first), first
    if not operation:
        return Spot(batch, key, t)
    match = _OPERATION.fullmatch(operation)
    if match is None:
        raise UsageError(Text("`{text}` is not a place; one is written 3/L0/hh[1]", text=text[:40]))
    element, term = match["element"], match["term"]
    return Spot(
        batch,
        key,
        t,
        match["name"],
        None if element is None else int(element),
        None if term is None else int(term),
    )


def _block_with(tree: Tree, batch: int, operation: str) -> str | None:
    """The first block that has an operation, so that `3/hh` need not name it."""
    name = operation.partition("[")[0]
    for key in tree.keys(batch):
        if name in tree.block(Spot(batch, key)).program.names:
            return key
    return None


def _missing(tree: Tree, spot: Spot, text: str) -> Text:
    """Say why a well-written place is not there."""
    if not 0 <= spot.batch < tree.count(()):
        return Text(
            "no batch {batch} in `{text}`: there are {most}",
            batch=spot.batch + 1,
            text=text[:40],
            most=tree.count(()),
        )
    steps = tree.num_steps(spot.batch)
    if spot.t is not None and not 0 <= spot.t < steps:
        return Text(
            "no step {step} in `{text}`: steps go from 1 to {most}",
            step=spot.t + 1,
            text=text[:40],
            most=steps,
        )
    near = _near(tree, spot)
    if near is not None:
        return Text("no place `{text}`: did you mean `{near}`?", text=text[:40], near=near)
    return Text("no place `{text}` in this run", text=text[:40])


def _near(tree: Tree, spot: Spot) -> str | None:
    """The block or operation that a name was likely meant to be."""
    keys = tree.keys(spot.batch)
    wanted = spot.key or spot.operation or ""
    names = [*keys]
    if spot.key in keys:
        wanted, names = spot.operation or "", list(tree.block(spot).program.names)
    elif spot.key is None:
        names += [name for key in keys for name in tree.block(Spot(spot.batch, key)).program.names]
    near = get_close_matches(wanted[:40], names, 1, 0.5)
    return near[0] if near and near[0] != wanted else None
