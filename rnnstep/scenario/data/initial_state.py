"""The table [initial_state]: h_0 and c_0, the memory that a run begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np

from rnnstep.language import Text
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.file.document import Document, Table, listed, shown_shape
from rnnstep.scenario.keys import closest
from rnnstep.scenario.model import Floats
from rnnstep.scenario.weights.state_dicts import as_dtype


def read_initial_states(
    document: Document,
    *,
    recurrents: Sequence[Recurrent],
    num_rows: int,
    is_batched: bool,
    dtype: np.dtype[np.floating],
) -> Mapping[str, Floats]:
    """Give each state that the file sets, under `h_0`, of one of several modules under `encoder.h_0`.

    Those of a module that has a name may stand in a table of that name, `[initial_state.encoder]`, and do so where there are
    several.
    """
    table = document.table("initial_state")
    if table is None:
        return MappingProxyType({})
    read = partial(_read_states, num_rows=num_rows, is_batched=is_batched, dtype=dtype)
    names = {one.key: one for one in recurrents if one.key and isinstance(table.raw(one.key), dict)}
    alone = table.only([key for key in table.keys() if key not in names])
    found: dict[str, Floats] = {}
    if len(recurrents) == 1:
        found |= read(alone, recurrents[0])
    else:
        known = [one.key for one in recurrents]
        for key in alone.keys():
            text = Text("`{key}`: expected a table of one of {known}", key=key, known=listed(known))
            table.problem(key, text)
    for name, recurrent in names.items():
        inner = table.table(name)
        assert inner is not None
        for key in inner.keys():
            if len(recurrents) == 1 and key in alone.keys():
                table.problem(
                    key, Text("`{key}` is given twice: in [initial_state.{name}] too", key=key, name=name)
                )
        own = read(inner, recurrent)
        found |= {f"{recurrent.before_places}{key}": state for key, state in own.items()}
    return MappingProxyType(found)


def _read_states(
    table: Table,
    recurrent: Recurrent,
    *,
    num_rows: int,
    is_batched: bool,
    dtype: np.dtype[np.floating],
) -> Mapping[str, Floats]:
    """Give each state of a module that a table sets, as (num_layers·num_directions, B, n).

    Accepted are torch's shapes: (L·D, B, n), unbatched (L·D, n), for a cell (B, n)
    and (n); and a plain vector where there is one layer, direction and row.
    Without a key that state is zeros.
    """
    widths = {f"{name}_0": size for name, size in recurrent.state_sizes.items()}
    states: dict[str, Floats] = {}
    keys = table.keys()
    for key in keys:
        if key not in widths:
            table.problem(key, _no_state(key, recurrent, widths))
            continue
        array = table.array(key)
        if array is None:
            continue
        whole = (recurrent.num_states, num_rows, widths[key])
        expected = _expected(recurrent, whole, is_batched=is_batched)
        is_plain = whole[0] == whole[1] == 1 and array.shape == whole[2:]
        if array.shape == expected or is_plain:
            states[key] = as_dtype(array.reshape(whole), dtype)
        else:
            table.problem(key, _misfit(key, array.shape, expected, whole, recurrent))
    return MappingProxyType(states)


def _expected(recurrent: Recurrent, whole: tuple[int, int, int], *, is_batched: bool) -> tuple[int, ...]:
    """Give the shape that torch asks for."""
    stacked, rows, width = whole
    if recurrent.is_cell:
        return (rows, width) if is_batched else (width,)
    return (stacked, rows, width) if is_batched else (stacked, width)


def _no_state(key: str, recurrent: Recurrent, widths: Mapping[str, int]) -> Text:
    if key == "c_0":
        return Text("`c_0`: {module} has no cell state, only an LSTM has", module=recurrent.module)
    guess = closest(key, widths)
    if guess is not None:
        return Text("`{key}`: unknown key; did you mean `{guess}`?", key=key, guess=guess)
    return Text("`{key}`: unknown key; known are {known}", key=key, known=listed(widths))


def _misfit(
    key: str,
    found: tuple[int, ...],
    expected: tuple[int, ...],
    whole: tuple[int, int, int],
    recurrent: Recurrent,
) -> Text:
    """Say what is wrong with a shape, in own words for the frequent mistakes."""
    width = whole[2]
    values = {"key": key, "found": shown_shape(found), "expected": shown_shape(expected)}
    if found and found[-1] == recurrent.input_size != width:
        return Text(
            "`{key}`: found {found}, expected {expected}: it has the size of the input ({input_size}),"
            " but a state has that of the memory ({width})",
            **values,
            input_size=recurrent.input_size,
            width=width,
        )
    if len(expected) == 3 and len(found) == 2:
        return Text(
            "`{key}`: found {found}, expected {expected}: for a batch torch takes three axes,"
            " (num_layers * num_directions, batch, size)",
            **values,
        )
    if len(expected) == 3 and found == (whole[1], whole[0], width):
        return Text(
            "`{key}`: found {found}, expected {expected}: the batch is the second axis of a state,"
            " also with `batch_first`",
            **values,
        )
    if recurrent.is_cell and len(found) == 3:
        return Text(
            "`{key}`: found {found}, expected {expected}: a cell has one layer and no axis for it", **values
        )
    if len(expected) == 2 and len(found) == 3 and not recurrent.is_cell:
        return Text(
            "`{key}`: found {found}, expected {expected}: the input has no batch axis, so its state has none",
            **values,
        )
    return Text("`{key}`: found {found}, expected {expected}", **values)
