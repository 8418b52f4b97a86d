"""Expressions of watches and breakpoints over the values of any pass.

    max(abs(h)) > 0.95         forward: a recurrent block's step
    norm(∂h) < 1e-4            backward; ∂h may be typed grad.h or d.h. Of a matrix all elements are one vector
    max(abs(update)) > 0.1     update: the update of a parameter

The language of equations knows neither the sign ∂ nor values that are matrices, so a block is read with its values
under other names, and flat.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from rnnstep.engine import Block
from rnnstep.engine.structure import Phase
from rnnstep.engine.watch import Watch, holds
from rnnstep.equations.operations import Array
from rnnstep.equations.shares import D
from rnnstep.errors import EquationError
from rnnstep.language import Text
from rnnstep.session.tree import Spot, Tree, shape_of, size_of

_TYPED = re.compile(r"∂|\b(?:d|grad)\.(?=\w)")
_SPELT = "grad_"  # stands for ∂ where an expression is parsed


@dataclass(frozen=True, slots=True)
class PassWatch:
    """A watch that is read in one kind of pass.

    Attributes:
        watch: its text as it was typed, and the expression with names that one can hold.
        phase: the kind of pass.
    """

    watch: Watch
    phase: Phase

    @property
    def text(self) -> str:
        """The expression as it was typed."""
        return self.watch.text

    def value(self, block: Block, values: Mapping[str, Array], t: int) -> Array | None:
        """Give its value in a block of that pass, (live rows, n), (1, n), (1,) or (); None where it does not fit."""
        if self.phase == "forward":
            return self.watch.value(block, values, t)
        return self.watch.value(_spelt(block), dict(_flat(block, values)), t)

    def holds(self, block: Block, values: Mapping[str, Array], t: int) -> bool:
        """Whether it is true for any element of any row; a number is true unless it is zero."""
        return holds(self.value(block, values, t))


def read_watch(tree: Tree, text: str) -> PassWatch:
    """Read an expression in the first kind of pass whose values it names.

    Raises:
        EquationError: it cannot be read, or fits no block.
    """
    refused: dict[Phase, EquationError] = {}
    for phase in tree.phases:
        try:
            found = Watch.parse(_TYPED.sub(_SPELT, text), _blocks(tree, phase))
        except EquationError as error:
            refused[phase] = error
        else:
            return PassWatch(replace(found, text=text.strip()), phase)
    is_gradient = "backward" in refused and _TYPED.search(text) is not None
    told = refused["backward" if is_gradient else "forward"]
    raise EquationError(_as_typed(told.message), told.line, told.column)


def read_condition(tree: Tree, text: str) -> PassWatch:
    """Read an expression that is to be true or false.

    Raises:
        EquationError: as `read_watch`, or it is a vector of numbers.
    """
    found = read_watch(tree, text)
    return replace(found, watch=found.watch.as_condition(_blocks(tree, found.phase)))


def read_again(tree: Tree, watch: PassWatch) -> PassWatch | None:
    """Give the same watch for another run; None where it fits nothing there."""
    try:
        return read_watch(tree, watch.text)
    except EquationError:
        return None


def is_read_in(phase: Phase, block: Block) -> bool:
    """Whether watches are looked at when a step of a block is complete."""
    return phase == "update" or block.kind == "recurrent"


def _blocks(tree: Tree, phase: Phase) -> list[Block]:
    blocks = [block for block in tree.stage(Spot(0, phase=phase)).blocks if is_read_in(phase, block)]
    return blocks if phase == "forward" else list(map(_spelt, blocks))


def _spelt(block: Block) -> Block:
    """A block with names that an expression can hold, and vectors for matrices."""
    program = block.program
    shapes = {
        _name(name): shape if name in block.parameters or not shape else (size_of(block, name),)
        for name, shape in program.shapes.items()
    }
    return replace(block, program=replace(program, shapes=shapes))


def _flat(block: Block, values: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """Values of a step under those names, each with an axis of rows."""
    for name, value in values.items():
        is_of_rows = np.ndim(value) > len(shape_of(block, name)) if name in block.program.shapes else True
        yield _name(name), value if is_of_rows or not np.ndim(value) else np.reshape(value, (1, -1))


def _name(name: str) -> str:
    return name.replace(D, _SPELT)


def _as_typed(message: Text) -> Text:
    values = {
        name: value.replace(_SPELT, D) if isinstance(value, str) else value
        for name, value in message.values.items()
    }
    return type(message)(message.template, **values)  # the template stands where the message arose
