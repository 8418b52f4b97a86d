"""What a row of the table of operations says; the rows are in `operations` and, for what users do not write, `inner`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations import intervals

Array = NDArray[np.floating]
Interval = intervals.Interval


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table; see the docstring of `operations` for its columns."""

    name: str
    arity: int  # −1: any number
    forward: Callable[..., Array]
    interval: Callable[..., Interval]
    error: Callable[..., Array]
    latex: str
    symbol: str = ""  # of an infix or prefix operator; a function has none
    precedence: int = 9
    kind: str = (
        "elementwise"  # "elementwise", "product" (matrix), "reduction", or "inner" (of a shape of its own)
    )
    is_public: bool = True  # whether users may write it in equations
