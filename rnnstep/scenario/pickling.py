"""Scenarios as pickles, on their way to processes of our own; nothing of a file's is ever unpickled."""

from __future__ import annotations

import copyreg
import io
import pickle
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnstep.scenario.model import Scenario


def pickled(scenario: Scenario) -> bytes:
    """Give a scenario as a pickle."""
    packed = io.BytesIO()
    pickle_into(packed, scenario)
    return packed.getvalue()


def pickle_into(file: io.BytesIO, thing: object) -> None:
    """Pickle what may hold mappings that are read-only, which pickle itself does not know."""
    pickler = pickle.Pickler(file, protocol=5)
    pickler.dispatch_table = copyreg.dispatch_table.copy()
    pickler.dispatch_table[MappingProxyType] = _reduce_mapping
    pickler.dump(thing)


def _read_only(mapping: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(mapping)


def _reduce_mapping(mapping: MappingProxyType[Any, Any]) -> tuple[Any, ...]:
    return _read_only, (dict(mapping),)
