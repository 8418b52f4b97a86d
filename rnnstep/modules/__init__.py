"""torch's modules, a file each, which says all that is its module's.

A file whose last line is `ABOVE = (…)` has modules that may stand above the recurrent one in `[[layers]]`: a new one needs
no other file here.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnstep.modules.module import NetworkModule

__all__ = ["above_recurrent"]


@cache
def above_recurrent() -> dict[str, type[NetworkModule]]:
    """Give the modules that act on each step of a recurrent module's output alone, under torch's names."""
    files = (import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__))
    return {module.torch: module for file in files for module in getattr(file, "ABOVE", ())}
