"""The cells: one file each, of equations, of torch's layout of their weights, and of what is said of them.

Their names are known without numpy.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from rnnstep.cells.cell import Bias, Cell, TorchCell

__all__ = ["BUILT_IN", "MODULES", "cell_for", "torch_cell"]

BUILT_IN = ("RNN", "LSTM", "GRU")
"""The cells that torch.nn has; each has its file here, which ends with its `CELL`."""

MODULES = tuple(f"{name}{suffix}" for name in BUILT_IN for suffix in ("Cell", ""))


def torch_cell(module: str) -> TorchCell:
    """Give what torch.nn calls "LSTM" over time and "LSTMCell" alone.

    Raises:
        KeyError: a module that torch does not have.
    """
    name = module.removesuffix("Cell")
    if name not in BUILT_IN:
        raise KeyError(module)
    return cast("TorchCell", import_module(f"{__name__}.{name.lower()}").CELL)


@lru_cache(maxsize=64)
def cell_for(
    module: str,
    *,
    nonlinearity: str = "tanh",
    bias: Bias = True,
    proj_size: int = 0,
    has_resets: bool = False,
) -> Cell:
    """Give the cell inside one of torch's modules: "LSTM" and "LSTMCell" have the same.

    With `has_resets` its rows may begin anew at any step.

    Raises:
        KeyError: a module that torch does not have.
    """
    from rnnstep.cells.cell import with_biases, with_resets

    cell = torch_cell(module)
    given = {"nonlinearity": nonlinearity, "proj_size": proj_size}
    made = cell.make(**{name: given[name] for name in cell.options + cell.module_options})
    return with_resets(with_biases(made, bias)) if has_resets else with_biases(made, bias)
