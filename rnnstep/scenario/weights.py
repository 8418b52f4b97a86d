"""The table [weights]: one source for each parameter, from a seed, a file, or arrays in the scenario.

Arrays stand under torch's names or gate by gate, and go before what a seed or
file gives. All that is given is kept part by part (a part is a gate's rows)
until every part of a parameter has its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from rnnstep.cells import Cell
from rnnstep.language import Text
from rnnstep.scenario.document import Document, check_memory, gibibytes, shown_shape
from rnnstep.scenario.keys import closest
from rnnstep.scenario.model import Embedding, Floats, Linear, Pending, Recurrent
from rnnstep.scenario.parameter_names import Parameter, accepted_names, named_parameters
from rnnstep.scenario.parameters import parameter_shapes
from rnnstep.scenario.seeds import LARGEST_SEED, SMALLEST_SEED, seeded_weights
from rnnstep.scenario.table import Table, listed
from rnnstep.scenario.weight_files import read_weight_file

SOURCES = ("seed", "file", "round", "prefix")
MODULES = ("embedding", "linear")  # `embedding.weight = …` is a table in TOML
PARAMETER_COST = 1024  # bytes that a parameter takes besides its numbers
MOST_DECIMALS = 15

Shapes = Mapping[str, tuple[int, ...]]
Parts = dict[str, dict[int, Floats]]  # torch's name → part → values
Weights = tuple[Mapping[str, Floats], Pending | None]
NOTHING: Weights = (MappingProxyType({}), None)


def read_weights(
    document: Document,
    *,
    recurrent: Recurrent,
    cell: Cell,
    embedding: Embedding | None,
    linear: Linear | None,
    dtype: np.dtype[np.floating],
) -> Weights:
    """Give all parameters under torch's names in torch's order, and what only torch can give.

    Problems are noted in `document`; the result is then of no use.
    """
    table = document.table("weights")
    if table is None:
        if not document.root.has("weights"):
            document.problem(
                (), Text("no [weights]: give `seed = 0`, a `file`, or arrays under torch's names")
            )
        return NOTHING
    if not _check_size(document, recurrent, cell, embedding, linear, dtype):
        return NOTHING
    shapes = parameter_shapes(recurrent, cell, embedding, linear)
    parameters = named_parameters(shapes, recurrent, cell)
    given, is_sound = _read_arrays(table, parameters, recurrent, dtype)
    seed, is_sound = _read_seed(table, is_sound=is_sound)
    complete = {name for name, parts in given.items() if len(parts) == len(parameters[name].parts)}
    pending = None
    if seed is not None:
        decimals = table.integer("round", minimum=0, maximum=MOST_DECIMALS)
        drawn = {
            name: rounded(values, decimals, dtype)
            for name, values in seeded_weights(seed, shapes, recurrent.hidden_size).items()
        }
        _fill(given, drawn, parameters)
        if "embedding.weight" in shapes and "embedding.weight" not in complete:
            line, column = document.position((*table.place, "seed"))
            pending = Pending(("embedding.weight",), seed=seed, round=decimals, line=line, column=column)
    elif table.has("file"):
        found = read_weight_file(table, parameters, frozenset(complete), dtype)
        if found is None:
            return NOTHING
        from_file, pending = found
        _fill(given, from_file, parameters)
    if is_sound:
        return _joined(table, parameters, given, pending, dtype)
    return NOTHING
