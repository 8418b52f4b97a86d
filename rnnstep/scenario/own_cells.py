"""[cell.NAME]: cells of the user's own, from their equations."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rnnstep.cells import MODULES
from rnnstep.cells.cell import Cell
from rnnstep.cells.own import own_cell
from rnnstep.errors import EquationError
from rnnstep.language import Text
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.file.document import Document, Table
from rnnstep.scenario.file.positions import line_and_column
from rnnstep.scenario.keys import KEYS

SIZES = ("input_size", "hidden_size", "proj_size")
MOST_AXES = 2  # of a parameter: a vector or a matrix
MOST_NAMES = 200  # of states, and of parameters

_STRING_START = re.compile(r"[^\n=]*=[ \t]*(\"\"\"\r?\n|'''\r?\n|\"\"\"|'''|\"|')")


def read_own_cells(document: Document) -> Mapping[str, Cell | None]:
    """Give every cell that the file defines, under its name; None for one with a mistake."""
    tables = document.table("cell")
    if tables is None:
        return {}
    cells: dict[str, Cell | None] = {}
    for name in tables.keys():
        table = tables.table(name)
        cells[name] = None
        if name in MODULES:
            tables.problem(
                name, Text("[cell.{name}]: torch has a module of this name, choose another", name=name)
            )
        elif table is not None:
            cells[name] = _read_cell(document, name, table)
    return cells


def _read_cell(document: Document, name: str, table: Table) -> Cell | None:
    table.known(*KEYS["cell"])
    states = _states(table)
    parameters = _parameters(table)
    equations = table.string("equations")
    if not table.has("equations"):
        table.missing("equations", Text("the cell's equations, one a line"))
    if states is None or parameters is None or equations is None:
        return None
    try:
        return own_cell(name, state=states, parameters=parameters, equations=equations)
    except EquationError as error:
        document.problem((*table.place, "equations"), error.message, position=_within(document, table, error))
        return None


def check_sizes(document: Document, recurrent: Recurrent) -> bool:
    """Whether the equations fit in each layer when the words of their shapes are numbers."""
    for layer in range(min(recurrent.num_layers, 2)):  # all but the lowest read the same size
        try:
            recurrent.cell.program.sized(recurrent.sizes_of(layer))
        except EquationError as error:
            tables = document.table("cell")
            table = tables.table(recurrent.module) if tables is not None else None
            assert table is not None
            message = error.message
            if layer:
                message = Text(
                    "{message}, in layer 1, where `input_size` is {size}, the output of layer 0",
                    message=message,
                    size=recurrent.size,
                )
            position = _within(document, table, error)
            document.problem((*table.place, "equations"), message, position=position)
            return False
    return _check_states(document, recurrent)


def _check_states(document: Document, recurrent: Recurrent) -> bool:
    """Whether each state has one size in all layers: torch keeps h_0 and h_n of all layers in one array."""
    lowest, above = (
        recurrent.cell.state_sizes(recurrent.input_size_of(layer), recurrent.hidden_size, recurrent.proj_size)
        for layer in (0, 1)
    )
    name = next((name for name, size in lowest.items() if above[name] != size), None)
    if recurrent.num_layers == 1 or name is None:
        return True
    tables = document.table("cell")
    table = tables.table(recurrent.module) if tables is not None else None
    assert table is not None
    message = Text(
        "`{name}` has {lowest} elements in layer 0 and {above} in layer 1, where `input_size` is {size}, the output of layer 0:"
        " the states of all layers are one array",
        name=name,
        lowest=lowest[name],
        above=above[name],
        size=recurrent.size,
    )
    document.problem((*table.place, "state"), message)
    return False


def _states(table: Table) -> dict[str, str | int] | None:
    """Give each state and its size, in words or a whole number, from a list of names or a table."""
    raw = table.raw("state")
    if raw is None:
        table.missing("state", Text('a list of names: state = ["h"]'))
        return None
    if isinstance(raw, list) and raw and all(_is_name(name) for name in raw):
        if len(set(raw)) == len(raw) <= MOST_NAMES:
            return dict.fromkeys(raw, "hidden_size")
        table.wrong("state", Text("different names"))
        return None
    if isinstance(raw, dict) and raw and len(raw) <= MOST_NAMES and all(_is_name(name) for name in raw):
        below = Table(table.document, (*table.place, "state"), raw)
        sizes: dict[str, str | int] = {}
        for name in raw:
            shape = _shape(raw[name])
            if shape is None or len(shape) != 1:
                below.wrong(name, Text("`input_size`, `hidden_size`, `proj_size` or a whole number"))
            else:
                sizes[name] = shape[0]
        return sizes if len(sizes) == len(raw) else None
    table.wrong("state", Text('a list of names: ["h"], or names with their sizes: {{h = "hidden_size"}}'))
    return None


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and name.isascii() and not name.endswith("_prev")


def _parameters(table: Table) -> dict[str, tuple[str | int, ...]] | None:
    """Give each parameter and its shape in words and whole numbers."""
    if not table.has("parameters"):
        return {}
    below = table.table("parameters")
    if below is None:
        return None
    if len(below.keys()) > MOST_NAMES:
        table.problem("parameters", Text("a cell has at most {most} parameters", most=MOST_NAMES))
        return None
    shapes: dict[str, tuple[str | int, ...]] = {}
    for name in below.keys():
        shape = _shape(below.raw(name))
        if not _is_name(name):
            below.problem(
                name, Text("`{key}` is no name: letters, digits and _, and not ending in _prev", key=name)
            )
        elif shape is None:
            below.wrong(
                name, Text("a shape of `input_size`, `hidden_size`, `proj_size` or whole numbers, one or two")
            )
        else:
            shapes[name] = shape
    return shapes if len(shapes) == len(below.keys()) else None


def _shape(raw: object) -> tuple[str | int, ...] | None:
    if isinstance(raw, str):
        words = raw.strip().removeprefix("(").removesuffix(")").rstrip().removesuffix(",").split(",")
        sizes: list[object] = [_size(word.strip()) for word in words]
    elif isinstance(raw, list):
        sizes = [_size(size) if isinstance(size, str) else size for size in raw]
    else:
        sizes = [raw]
    if not 1 <= len(sizes) <= MOST_AXES:
        return None
    shape = tuple(size for size in sizes if size in SIZES or (type(size) is int and 0 < size < 2**31))
    return shape if len(shape) == len(sizes) else None


def _size(word: str) -> str | int:
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else word


def _within(document: Document, table: Table, error: EquationError) -> tuple[int, int]:
    """Give the place in the file of a place in the equations' text, as near as can be told."""
    start = document.offset((*table.place, "equations"))
    line, column = line_and_column(document.text, start)
    opening = _STRING_START.match(document.text, start)
    if opening is None:
        return line, column
    if len(opening[1]) == 1:  # a string on one line: its newlines are escapes
        return line, opening.end() - start + column
    begins_below = opening[1].endswith("\n")
    row = line + error.line + (1 if begins_below else 0)
    if error.line == 0 and not begins_below:
        return row, column + opening.end() - start + error.column
    return min(row, line + document.text.count("\n", start)), error.column + 1
