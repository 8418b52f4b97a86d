"""What a command line says in place of a scenario file's [training], [weights] and dtype."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.scenario.file.change_toml import Changes, changed_data, changed_text, plain_text
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.file.parse_toml import parse_toml
from rnnstep.scenario.model import Batch, FedSequence, Floats, Scenario
from rnnstep.scenario.read import STANDARD, read_text
from rnnstep.scenario.weights.read_weights import SOURCES


@dataclass(frozen=True, slots=True)
class Overrides:
    """Each None where the file stands.

    Attributes:
        epochs: how many epochs there are.
        lr: the learning rate.
        seed: from which all weights are drawn anew that the file does not give as arrays.
    """

    epochs: int | None = None
    lr: float | None = None
    seed: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether all is left to the file."""
        return self.epochs is None and self.lr is None and self.seed is None


def overridden(
    scenario: Scenario, overrides: Overrides, limits: Limits = STANDARD, *, dtype: str | None = None
) -> Scenario:
    """Read a scenario's file once more with other numbers of its training; what its cure says stands.

    One that was made in memory is given with these numbers.

    Args:
        scenario: as the file says.
        overrides: what stands in its place; epochs and lr only where there is a [training].
        limits: what the file may ask for.
        dtype: in place of the file's, as when it was read.

    Raises:
        UsageError: its weights are arrays, which no seed draws.
        ScenarioError: a number that the table cannot have.
    """
    if overrides.is_empty:
        return scenario
    if scenario.file_text is None or scenario.path is None:
        return _overridden_in_memory(scenario, overrides)
    data = parse_toml(scenario.file_text)
    changes: Changes = {}
    if scenario.training is not None:
        wishes = {"epochs": overrides.epochs, "lr": overrides.lr}
        changes |= {("training", key): repr(value) for key, value in wishes.items() if value is not None}
    if overrides.seed is not None:
        changes |= _seed_changes(data.get("weights", {}), overrides.seed)
    text = changed_text(scenario.file_text, changes) or plain_text(changed_data(data, changes))
    display = scenario.display
    return read_text(
        text, scenario.path, limits, dtype=dtype, decimals=display.decimals, language=display.language
    )


def _overridden_in_memory(scenario: Scenario, overrides: Overrides) -> Scenario:
    if overrides.seed is not None:
        raise UsageError(
            Text("a seed draws no weights of a scenario made in memory: it gives them as arrays")
        )
    cure = scenario.cure
    if cure is not None:
        scenario = replace(scenario, cure=_overridden_in_memory(cure, overrides))
    training = scenario.training
    if training is None:
        return scenario
    epochs, lr = overrides.epochs, overrides.lr
    if (epochs is not None and epochs < 1) or (lr is not None and not 0 <= lr < math.inf):
        raise UsageError(Text("`epochs` is a whole number ≥ 1, `lr` a number ≥ 0"))
    arguments = training.arguments if lr is None else MappingProxyType({**training.arguments, "lr": lr})
    return replace(
        scenario, training=replace(training, epochs=epochs or training.epochs, arguments=arguments)
    )


def _seed_changes(weights: dict[str, Any], seed: int) -> Changes:
    if not {"seed", "file"} & weights.keys() and any(key not in SOURCES for key in weights):
        raise UsageError(
            Text(
                "--seed: the file gives its weights as arrays, and no seed would draw them; leave one of the two out"
            )
        )
    gone: Changes = {("weights", key): None for key in ("file", "prefix") if key in weights}
    return {**gone, ("weights", "seed"): str(seed)}


def in_dtype(first: Scenario, dtype: str, limits: Limits) -> Scenario:
    """Read a scenario's file once more in another dtype, so that 0.1 is that one's own; what was made in memory is converted.

    Raises:
        ScenarioError: It needs more memory so than there may be.
    """
    if first.file_text is None or first.path is None:
        return _converted(first, dtype)
    display = first.display
    again = read_text(
        first.file_text,
        first.path,
        limits,
        dtype=dtype,
        decimals=display.decimals,
        language=display.language,
    )
    return again.cure if again.cure is not None and first.cure is None else again


def _converted(first: Scenario, dtype: Any) -> Scenario:
    first = first.without_records()
    wanted = np.dtype(dtype)
    return replace(
        first,
        display=replace(first.display, dtype=dtype),
        parameters=_in(first.parameters, wanted),
        initial_state=_in(first.initial_state, wanted),
        batches=tuple(_batch_in(batch, wanted) for batch in first.batches),
        test_batches=tuple(_batch_in(batch, wanted) for batch in first.test_batches),
        cure=None if first.cure is None else _converted(first.cure, dtype),
    )


def _batch_in(batch: Batch, dtype: np.dtype[np.floating]) -> Batch:
    target = batch.target
    return replace(
        batch,
        values=None if batch.values is None else batch.values.astype(dtype),
        target=target.astype(dtype) if target is not None and target.dtype.kind == "f" else target,
        initial_state=None if batch.initial_state is None else _in(batch.initial_state, dtype),
        masks=None if batch.masks is None else _in(batch.masks, dtype),
        above=None if batch.above is None else _in(batch.above, dtype),
        beside={name: _fed_in(fed, dtype) for name, fed in batch.beside.items()},
    )


def _fed_in(fed: FedSequence, dtype: np.dtype[np.floating]) -> FedSequence:
    return fed if fed.values is None else replace(fed, values=fed.values.astype(dtype))


def _in(arrays: Mapping[Any, Floats], dtype: np.dtype[np.floating]) -> Mapping[Any, Floats]:
    return MappingProxyType({name: array.astype(dtype) for name, array in arrays.items()})
