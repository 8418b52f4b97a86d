"""The keys `lengths` and `packed` of [input]: which steps of a padded batch are real."""

from __future__ import annotations

from rnnstep.language import Text
from rnnstep.scenario.table import Table


def read_lengths(
    table: Table, num_steps: int, num_rows: int, *, is_batched: bool
) -> tuple[tuple[int, ...] | None, bool]:
    """Read `lengths` and `packed`; padding is left out unless the file says otherwise."""
    packed = table.boolean("packed")
    for key in ("lengths", "packed"):
        if not is_batched and table.raw(key):
            table.problem(key, Text("`{key}`: only a batch is padded; this input has no batch axis", key=key))
            return None, False
    array = table.array("lengths", ndim=(1,), integer=True)
    if array is None:
        return ((num_steps,) * num_rows, True) if packed else (None, False)
    if len(array) != num_rows:
        message = Text(
            "`lengths`: found {found}, expected {rows}: one for each row of the batch",
            found=len(array),
            rows=num_rows,
        )
        table.problem("lengths", message)
        return None, False
    for index, length in enumerate(array.tolist()):
        if not 1 <= length <= num_steps:
            message = Text(
                "`lengths[{index}]`: found {found}, expected 1 to {steps}, the number of steps",
                index=index,
                found=length,
                steps=num_steps,
            )
            table.problem(("lengths", index), message)
            return None, False
    lengths = tuple(array.tolist())
    is_padded = min(lengths) < num_steps
    return lengths, is_padded if packed is None else packed
