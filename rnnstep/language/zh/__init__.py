"""The Chinese of every message: one table a room, keyed by the English template."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping


@functools.cache
def table() -> Mapping[str, str]:
    """Give the tables of all rooms as one."""
    merged: dict[str, str] = {}
    for module in pkgutil.iter_modules(__path__):
        merged.update(importlib.import_module(f"{__name__}.{module.name}").ZH)
    return merged
