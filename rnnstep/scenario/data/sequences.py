"""[input.NAME]: sequences beside the first, each with steps of its own; a row of one goes with the same row of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from rnnstep.language import Text
from rnnstep.scenario.data.input import InputData, read_input, sequence_tables
from rnnstep.scenario.file.document import Document, Table
from rnnstep.scenario.keys import MOST_LETTERS, NAME, RESERVED
from rnnstep.scenario.model import Batch

_MAY_BE_CALLED = "target"
"""The one reserved name that a sequence may have: as decoders' are called."""


def sequence_names(document: Document, layers: Sequence[str]) -> tuple[str, ...]:
    """Give the names of the sequences beside the first; notes those that cannot be, as `layers` may be called so, too."""
    names = []
    for name in sequence_tables(document):
        place = ("input", name)
        if name in layers:
            text = Text("[input.{name}]: a layer is called {name}, too", name=name)
            document.problem(place, text)
            continue
        if not NAME.fullmatch(name):
            text = Text(
                "[input.{name}]: expected a name of a letter, then letters, digits and _, {most} at most",
                name=name[:MOST_LETTERS],
                most=MOST_LETTERS,
            )
            document.problem(place, text)
        elif RESERVED.fullmatch(name) and name != _MAY_BE_CALLED:
            document.problem(
                place,
                Text("[input.{name}]: places and tables use {name} themselves; choose another", name=name),
            )
        else:
            names.append(name)
    return tuple(names)


def read_beside(
    document: Document,
    names: Sequence[str],
    first: InputData,
    *,
    vocabulary: tuple[str, ...] | None,
    is_looked_up: Callable[[str], bool],
    layout: Callable[[str], Table],
    dtype: np.dtype[np.floating],
) -> Mapping[str, InputData]:
    """Give the sequences beside the first, by their names; those with a mistake are missing.

    Args:
        document: the file.
        names: what they are called.
        first: what [input] holds.
        vocabulary: its letters or words, if any.
        is_looked_up: whether a sequence's indices are looked up rather than made one-hot.
        layout: what the recurrent module that reads a sequence says of its layout and size.
        dtype: of the values.
    """
    found = {}
    for name in names:
        given = read_input(
            document,
            vocabulary=vocabulary,
            has_embedding=is_looked_up(name),
            recurrent_table=layout(name),
            dtype=dtype,
            sequence=name,
            num_rows=first.batches[0].num_rows,
        )
        if given is not None and given.feed is not None:  # it has the first's layout
            given = replace(given, is_batched=first.is_batched)
        if given is not None and _go_together(document, name, first, given):
            found[name] = given
    return found


def _go_together(document: Document, name: str, first: InputData, other: InputData) -> bool:
    """Whether a sequence has as many batches and rows as the first one."""
    place = ("input", name)
    rows, others = ([batch.num_rows for batch in given.batches] for given in (first, other))
    if rows != others:
        text = Text(
            "[input.{name}] has {found} rows, [input] has {rows}: a row of one goes with the same row of the other",
            name=name,
            found=", ".join(map(str, others[:8])),
            rows=", ".join(map(str, rows[:8])),
        )
        document.problem(place, text)
        return False
    if first.is_batched != other.is_batched:
        text = Text("[input.{name}]: both sequences have a batch axis, or neither", name=name)
        document.problem(place, text)
        return False
    return True


def side_by_side(first: InputData, beside: Mapping[str, InputData]) -> tuple[Batch, ...]:
    """Give the batches of the first sequence with the others in them."""
    return tuple(
        replace(batch, beside={name: given.batches[number].first for name, given in beside.items()})
        if beside
        else batch
        for number, batch in enumerate(first.batches)
    )


def check_used(document: Document, used: set[str]) -> None:
    """Note sequences that no layer reads; without [[layers]] there is none that could."""
    for name in sequence_tables(document):
        if name not in used:
            document.problem(("input", name), Text("no layer reads [input.{name}]", name=name))


# ── what was shifted as the target ───────────────────────────────────────────────────────────────


def with_shifted_target(
    document: Document, batches: tuple[Batch, ...], name: str, given: InputData, ignored: int, outputs: int
) -> tuple[Batch, ...]:
    """Give batches whose target is a sequence as it was before it was shifted, its padding left out of the loss."""
    whole = given.before_shift
    assert whole is not None
    place = ("input", name, "shift")
    (batch,) = batches
    fed = batch.sequences[name]
    if whole.ndim == 2:
        target = np.array(whole)
        for row, length in enumerate(fed.true_lengths):
            target[length:, row] = ignored
        most = int(whole.max())
        if most >= outputs:
            text = Text(
                "`shift`: the class {found} is wanted, expected 0 to {last}: there are {count} logits",
                found=most,
                last=outputs - 1,
                count=outputs,
            )
            document.problem(place, text)
    else:
        target = np.ascontiguousarray(whole)
        if min(fed.true_lengths) < fed.num_steps:
            text = Text(
                "`shift`: the padding of numbers cannot be left out of a loss that knows no `ignore_index`; give [target]"
            )
            document.problem(place, text)
        elif whole.shape[-1] != outputs:
            text = Text(
                "`shift`: the values that are wanted have size {size}, what is compared with them has {outputs}",
                size=whole.shape[-1],
                outputs=outputs,
            )
            document.problem(place, text)
    return (replace(batch, target=target),)
