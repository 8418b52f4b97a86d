"""How a place is written: `3/L0/hh[1]`, the same in the header, `--at`, `g` and messages.

start                       before the first step
3                           step 3 (from 1)
3/L1←                       its backward layer 1; L0→ and L0 are the same
3/L0/hh                     its operation hh; with one block its name may be left out: 3/hh
3/L0/hh[1]                  its element 1 (from 0);  3/L0/hh[1].2  is that element's term 2
L1                          a whole block, where the order is by layer
backward:3/L0/∂W_hh[1,0]    in the backward pass; ∂a may be typed d.a or grad.a, and back: is the same
update:weight_hh/m[1,0]     in the update, which has one step
2:3/L0/hh                   in batch 2 (from 1), where there are several;  2:  is that batch as a whole
e7:2:backward:3/L0          in epoch 7 (from 1); the first goes without saying.  e7:  and  e7:backward:  are wholes
target:3/decoder.L0/hh      of the sequence "target", where there are several;  target:  is its pass as a whole
target:3/decoder/hh         decoder.L0, as one calls a cell
3                           where the order is by layer: step 3 of the first block
hh, L1/hh[1]                typed at a place: the same pass and step as that one's
h_3, L1/h_3[1]              3/h and 3/L1/h[1], as books and the header write a value of step 3
3/L0/hh[1]@row5             any of these, seen in row 5 of the batch (from 0); without it the row stays as it is
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from rnnstep.engine.structure import Phase
from rnnstep.equations.shares import D
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.session.tree import Index, Path, Spot, Tree, index_of, number_of, shape_of

_WIDE = str.maketrans("：／，．［］＠", ":/,.[]@")
_PREFIX = re.compile(
    r"(?:[eE](?P<epoch>\d{1,9}):)?(?:(?P<batch>\d{1,9}):)?(?:(?P<phase>[^\W\d]\w*):)?"
    r"(?:(?P<sequence>[^\W\d]\w*):)?(?P<rest>.*)"
)
_STEP = re.compile(r"(?P<step>\d{1,9})(?:/(?P<rest>.+))?")
_ROW = re.compile(r"(?P<place>[^@]*?)\s*@\s*row\s*(?P<row>\d{1,9})")
_OPERATION = re.compile(
    r"(?P<name>[\w∂′]+)(?:\[(?P<element>\d{1,9}(?:\s*,\s*\d{1,9}){0,2})\](?:\.(?P<term>\d{1,9}))?)?"
)
_GRADIENT = re.compile(r"(?<![^/])(?:d|grad)\.")
_WITH_STEP = re.compile(
    r"(?P<prefix>(?:.*:)?)(?:(?P<key>[^/:]+)/)?(?P<name>[^/:]+)_(?P<step>\d{1,9})(?P<element>\[.*)?"
)

PHASES: Mapping[str, Phase] = {
    "forward": "forward",
    "正向": "forward",
    "前向": "forward",
    "backward": "backward",
    "back": "backward",
    "反向": "backward",
    "update": "update",
    "更新": "update",
}
_MOST_NAMED = 16
"""How many blocks or operations a message names."""
_OF_A_PASS = re.compile(rf"(?:.*:)?(?:[eE]\d{{1,9}}|{'|'.join(PHASES)})")
"""An epoch or a pass, whose colon may be left out."""
"""What may be typed for a pass."""


# ── writing ──────────────────────────────────────────────────────────────────────────────


def write_place(tree: Tree, path: Path) -> str:
    """Give a path as it is written; `start` for the empty one."""
    if not path:
        return "start"
    spot = tree.locate(path)
    parts = []
    if spot.t is not None and spot.phase != "update":
        parts.append(str(spot.t + 1))
    if spot.key is not None:
        parts.append(spot.key)
    if spot.operation is not None:
        parts.append(spot.operation + write_element(tree, spot))
    if parts:
        return write_prefix(tree, spot) + "/".join(parts)
    return _write_whole(tree, spot)


def write_prefix(tree: Tree, spot: Spot) -> str:
    """Give what stands before a step: `e7:2:backward:target:`."""
    epoch = f"e{spot.epoch + 1}:" if spot.epoch else ""
    batch = f"{spot.batch + 1}:" if spot.batch is not None and tree.num_batches > 1 else ""
    phase = f"{spot.phase}:" if spot.phase not in (None, "forward") else ""
    sequence = tree.sequence(spot) if tree.has_several("sequence") and spot.phase != "update" else None
    return epoch + batch + phase + (f"{sequence}:" if sequence is not None else "")


def _write_whole(tree: Tree, spot: Spot) -> str:
    """A pass, a batch or an epoch as a whole."""
    if spot.batch is None:
        return f"e{spot.epoch + 1}:"
    prefix = write_prefix(tree, spot)
    if spot.phase == "forward" and len(tree.phases) > 1 and spot.sequence is None:
        return f"{prefix}forward:"
    return prefix or f"{spot.batch + 1}:"


def write_element(tree: Tree, spot: Spot) -> str:
    """Give `[1]`, of a matrix `[1,0]`, and the term `[1].2`; nothing for an operation as a whole."""
    if spot.element is None or spot.operation is None:
        return ""
    index = index_of(tree.block(spot), spot.operation, spot.element) or (spot.element,)
    return _bracketed(index) + ("" if spot.term is None else f".{spot.term}")


def _bracketed(index: Iterable[int]) -> str:
    return f"[{','.join(map(str, index))}]"


def write_row(row: int) -> str:
    """Give what stands after a place for a row of the batch; the first goes without saying."""
    return f"@row{row}" if row else ""


# ── reading ──────────────────────────────────────────────────────────────────────────────


def read_row(text: str, rows: int) -> int | None:
    """Give the row of the batch that a place names; None where it names none.

    Raises:
        UsageError: There are only `rows` of them.
    """
    match = _ROW.fullmatch(text.translate(_WIDE).strip())
    if match is None:
        return None
    row = int(match["row"])
    if row >= rows:
        raise UsageError(
            Text("no row {row} in `{text}`: rows go from 0 to {most}", row=row, text=text[:40], most=rows - 1)
        )
    return row


def read_place(tree: Tree, text: str, here: Spot | None = None) -> Path:
    """Give the path that a text means; a row that it names is left to `read_row`.

    Where a text names no step, an operation or block is meant at the step of `here`.

    Raises:
        UsageError: a text that is not a place, or a place that this run does not have.
    """
    text = text.translate(_WIDE).strip()
    seen_in_row = _ROW.fullmatch(text)
    if seen_in_row is not None:
        text = seen_in_row["place"].strip()
    if text in ("", "start", "0"):
        return ()
    if _OF_A_PASS.fullmatch(text) or text.rpartition(":")[2] in tree.sequences:
        text += ":"
    path = _at_the_step(tree, text, here)
    if path is not None:
        return path
    typed = _Typed.read(tree, _with_step(tree, text, here))
    spot = typed.spot(tree)
    path = tree.path_to(spot)
    if path is None and spot.key is None and spot.batch is not None and spot.phase is not None:
        keys = tree.keys(spot.batch, spot.phase, spot.sequence)
        path = tree.path_to(replace(spot, key=keys[0])) if keys else None
    if path is None:
        raise UsageError(_missing(tree, typed, spot))
    return path


def _at_the_step(tree: Tree, text: str, here: Spot | None) -> Path | None:
    """Read `hh`, `L1/hh[1]` or `L1` at the step of a place, in its pass or in the first that has it; None otherwise."""
    if here is None or text[:1].isdigit() or ":" in text:
        return None
    batch = here.batch or 0  # of a whole epoch: the first
    here = replace(here, batch=batch)
    own = here.phase or "forward"
    for phase in (own, *(other for other in tree.phases if other != own)):
        try:
            key, operation, index, term = _block_and_operation(tree, batch, phase, None, text, text)
        except UsageError:
            return None
        if operation is None and not tree.is_by_time(replace(here, phase=phase, key=key)):
            return None  # a whole layer, where the order is by layer
        if "/" not in text and here.key is not None and phase == own and operation is not None:
            key = here.key if operation in tree.block(here).program.names else key
        steps = tree.stage(replace(here, phase=phase)).steps.get(key or "", range(0))
        if not steps:
            continue
        t = min(steps, key=lambda t: abs(t - (here.t or 0)))
        spot = _Typed(text, here.epoch, here.batch, phase, None, t, key, operation, index, term).spot(tree)
        path = tree.path_to(spot)
        if path is not None:
            return path
    return None


def _with_step(tree: Tree, text: str, here: Spot | None) -> str:
    """Give `h_3[1]` as `3/h[1]`, in the block of `here` where that has an h; every other text as it is."""
    match = _WITH_STEP.fullmatch(text)
    if match is None:
        return text
    prefix = _PREFIX.fullmatch(match["prefix"])
    if prefix is None:
        return text
    batch = int(prefix["batch"]) - 1 if prefix["batch"] else 0
    try:
        phase, sequence = _phase_and_sequence(tree, prefix["phase"], prefix["sequence"], text)
    except UsageError:
        return text
    phase = phase or "forward"
    if phase not in tree.phases or not 0 <= batch < tree.num_batches:
        return text
    name = _GRADIENT.sub(D, match["name"])
    whole = f"{name}_{match['step']}"
    known = [_block_with(tree, batch, phase, sequence, one) for one in (whole, name)]
    if known[0] or not known[1]:
        return text
    key = match["key"]
    is_here = here is not None and here.phase == phase and here.key in tree.keys(batch, phase, sequence)
    if key is None and here is not None and is_here:
        key = here.key if name in tree.block(replace(here, batch=batch)).program.names else None
    parts = (match["step"], *([] if key is None else [key]), name + (match["element"] or ""))
    return match["prefix"] + "/".join(parts)


def _is_no_place(text: str) -> UsageError:
    return UsageError(Text("`{text}` is not a place; one is written 3/L0/hh[1]", text=text[:40]))


@dataclass(frozen=True, slots=True)
class _Typed:
    """A place's parts as they were typed; epoch, batch and step from 0."""

    text: str
    epoch: int | None
    batch: int | None
    phase: Phase | None
    sequence: str | None
    step: int | None
    key: str | None
    operation: str | None
    index: Index | None
    term: int | None

    @classmethod
    def read(cls, tree: Tree, text: str) -> _Typed:
        prefix = _PREFIX.fullmatch(text)
        if prefix is None:
            raise _is_no_place(text)
        epoch = int(prefix["epoch"]) - 1 if prefix["epoch"] else None
        batch = int(prefix["batch"]) - 1 if prefix["batch"] else None
        phase, sequence = _phase_and_sequence(tree, prefix["phase"], prefix["sequence"], text)
        rest = prefix["rest"].strip()
        step = None
        match = _STEP.fullmatch(rest)
        if match is not None:
            step, rest = int(match["step"]) - 1, match["rest"] or ""
        elif (not rest and (epoch, batch, phase, sequence) == (None,) * 4) or (
            rest and (rest[0] in "/:0123456789" or ("/" in rest and phase != "update"))
        ):
            raise _is_no_place(text)
        where = batch or 0, phase or "forward", sequence
        key, operation, index, term = _block_and_operation(tree, *where, rest, text)
        return cls(text, epoch, batch, phase, sequence, step, key, operation, index, term)

    def spot(self, tree: Tree) -> Spot:
        """What is meant: a whole epoch or batch where no more was typed."""
        epoch, batch, step = self.epoch or 0, self.batch or 0, self.step
        said = (self.step, self.key, self.operation, self.phase, self.sequence)
        if all(one is None for one in said):
            return Spot(None if self.batch is None else batch, phase=None, epoch=epoch)
        phase = self.phase or "forward"
        if phase == "update" and (
            self.operation is not None or (self.key is not None and tree.level("step") < tree.level("block"))
        ):
            step = 0
        sequence = self.sequence if self.key is None else None
        spot = Spot(batch, self.key, step, self.operation, None, self.term, phase, epoch, sequence)
        if self.index is None or tree.path_to(replace(spot, term=None)) is None:
            return spot
        number = number_of(tree.block(spot), self.operation or "", self.index)
        return replace(spot, element=-1 if number is None else number)


def _phase_and_sequence(
    tree: Tree, first: str | None, second: str | None, text: str
) -> tuple[Phase | None, str | None]:
    """The pass and the sequence of the names before a place; the pass may be left out. Raises UsageError where there is none."""
    if second is None and first in tree.sequences:
        return None, first
    phase = None if first is None else _phase(tree, first, text)
    if second is not None and second not in tree.sequences:
        known = ", ".join(tree.sequences)
        raise UsageError(
            Text(
                "no sequence `{typed}` in `{text}`: there is {known}",
                typed=second[:20],
                text=text[:40],
                known=known,
            )
        )
    return phase, second


def _phase(tree: Tree, typed: str, text: str) -> Phase:
    """The pass of a name. Raises UsageError where there is no such pass."""
    phase = PHASES.get(typed.lower())
    if phase in tree.phases:
        return phase
    sequences = tree.sequences if tree.has_several("sequence") else ()
    near = [] if phase else get_close_matches(typed.lower(), (*tree.phases, *sequences), 1, 0.5)
    if near:
        raise UsageError(
            Text(
                "no pass `{typed}` in `{text}`: did you mean `{near}`?",
                typed=typed[:20],
                text=text[:40],
                near=near[0],
            )
        )
    known = ", ".join((*tree.phases, *sequences))
    raise UsageError(
        Text("no pass `{typed}` in `{text}`: there is {known}", typed=typed[:20], text=text[:40], known=known)
    )


def _block_and_operation(
    tree: Tree, batch: int, phase: Phase, sequence: str | None, rest: str, text: str
) -> tuple[str | None, str | None, Index | None, int | None]:
    """Read `L0/hh[1].2`, `L0` or `hh[1]`."""
    if not rest:
        return None, None, None, None
    rest = _GRADIENT.sub(D, rest)
    first, slash, last = rest.partition("/")
    keys = tree.keys(batch, phase)
    key: str | None = first.replace("→", "").replace("<-", "←").replace("->", "")
    key = (
        f"{key}.L0" if key not in keys and f"{key}.L0" in keys else key
    )  # of a module by its name, as of a cell
    operation = last
    if key not in keys and not slash:
        key, operation = _block_with(tree, batch, phase, sequence, first), first
    if not operation:
        return key, None, None, None
    match = _OPERATION.fullmatch(operation)
    if match is None:
        raise _is_no_place(text)
    index = None if match["element"] is None else tuple(map(int, match["element"].split(",")))
    return key, match["name"], index, None if match["term"] is None else int(match["term"])


def _block_with(tree: Tree, batch: int, phase: Phase, sequence: str | None, operation: str) -> str | None:
    """The first block that has an operation, of those along a sequence where one is said, so that `3/hh` need not name it."""
    name = operation.partition("[")[0]
    for key in tree.keys(batch, phase, sequence):
        if name in tree.block(Spot(batch, key, phase=phase)).program.names:
            return key
    return None


# ── what is not there ────────────────────────────────────────────────────────────────────


def _missing(tree: Tree, typed: _Typed, spot: Spot) -> Text:
    """Say why a well-written place is not there."""
    text = typed.text[:40]
    if spot.epoch >= tree.num_epochs or spot.epoch < 0:
        return Text(
            "no epoch {epoch} in `{text}`: there are {most}",
            epoch=spot.epoch + 1,
            text=text,
            most=tree.num_epochs,
        )
    if spot.batch is not None and not 0 <= spot.batch < tree.num_batches:
        return Text(
            "no batch {batch} in `{text}`: there are {most}",
            batch=spot.batch + 1,
            text=text,
            most=tree.num_batches,
        )
    sequence = spot.sequence
    if spot.key in tree.keys(spot.batch or 0, spot.phase or "forward"):
        sequence = tree.sequence(spot)
    steps = tree.num_steps(spot.batch or 0, sequence)
    if typed.step is not None and not 0 <= typed.step < steps:
        return Text(
            "no step {step} in `{text}`: steps go from 1 to {most}",
            step=typed.step + 1,
            text=text,
            most=steps,
        )
    near = _near(tree, spot) or _in_another_pass(tree, spot) or _inside_a_block(tree, typed, spot)
    if near is not None:
        return Text("no place `{text}`: did you mean `{near}`?", text=text, near=near)
    return _out_of_range(tree, typed, spot) or Text(
        "no place `{text}`: there is {known}", text=text, known=_known(tree, spot)
    )


def _out_of_range(tree: Tree, typed: _Typed, spot: Spot) -> Text | None:
    """Say between which a step of a block, an element or a term is to lie, where that is what is wrong."""
    text, keys = typed.text[:40], tree.keys(spot.batch or 0, spot.phase or "forward")
    if spot.key is None or spot.key not in keys:
        return None
    steps = tree.stage(spot).steps[spot.key]
    if spot.t is not None and spot.t not in steps:
        return Text(
            "no step {step} in `{text}`: steps of `{key}`: {known}",
            step=spot.t + 1,
            text=text,
            key=spot.key,
            known="–".join(dict.fromkeys(str(t + 1) for t in (min(steps), max(steps)))),
        )
    whole = replace(spot, element=None, term=None)
    if spot.operation is None or tree.path_to(whole) is None:
        return None
    if spot.element == -1:
        sizes = shape_of(tree.block(spot), spot.operation) or (1,)
        return Text(
            "no element {element} in `{text}`: elements go from {first} to {last}",
            element=_bracketed(typed.index or ()),
            text=text,
            first=_bracketed(0 for _ in sizes),
            last=_bracketed(size - 1 for size in sizes),
        )
    path = tree.path_to(replace(spot, term=None))
    if spot.term is None or path is None:
        return None
    return Text(
        "no term {term} in `{text}`: terms go from 0 to {most}",
        term=spot.term,
        text=text,
        most=tree.count(path) - 1,
    )


def _inside_a_block(tree: Tree, typed: _Typed, spot: Spot) -> str | None:
    """What a block gives, where its name was typed as an operation's: `update:weight_hh/w[1,0]` for `update:weight_hh[1,0]`."""
    key = spot.operation
    if spot.key is not None or key is None or key not in tree.keys(spot.batch or 0, spot.phase or "forward"):
        return None
    inside = replace(spot, key=key, operation=None, element=None, term=None)
    inside = replace(inside, operation=tree.block(inside).program.names[-1])
    if tree.path_to(inside) is None:
        return None
    if typed.index is not None:
        number = number_of(tree.block(inside), inside.operation or "", typed.index)
        inside = replace(inside, element=number)
    path = tree.path_to(inside)
    return None if path is None else write_place(tree, path)


def _known(tree: Tree, spot: Spot) -> str:
    """The operations of the block that was named, else the blocks."""
    keys = tree.keys(spot.batch or 0, spot.phase or "forward")
    names = tree.block(spot).program.names if spot.key in keys else keys
    more = ", …" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _near(tree: Tree, spot: Spot) -> str | None:
    """The block or operation that a name was likely meant to be."""
    if spot.batch is None or spot.phase is None:
        return None
    keys = tree.keys(spot.batch, spot.phase)
    wanted = spot.key or spot.operation or ""
    names = [*keys]
    if spot.key in keys:
        wanted, names = spot.operation or "", list(tree.block(spot).program.names)
    elif spot.key is None:
        blocks = [tree.block(Spot(spot.batch, key, phase=spot.phase)) for key in keys]
        names += [name for block in blocks for name in block.program.names]
    if wanted in names or _in_another_pass(tree, spot) is not None:
        return None
    near = get_close_matches(wanted[:40], names, 1, 0.5)
    return near[0] if near else None


def _in_another_pass(tree: Tree, spot: Spot) -> str | None:
    """The same place in another pass, where that has it: `backward:3/L0/∂a` for `3/L0/∂a`."""
    if spot.batch is None or spot.operation is None:
        return None
    for phase in tree.phases:
        if phase == spot.phase:
            continue
        step = 0 if phase == "update" else spot.t
        there = replace(spot, phase=phase, t=step, element=None, term=None)
        if spot.key is None:
            there = replace(there, key=_block_with(tree, spot.batch, phase, spot.sequence, spot.operation))
        path = tree.path_to(there) if there.key is not None else None
        if path is not None:
            return write_place(tree, path)
    return None
