"""What a command line says in place of a scenario file's [training] and [weights]."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.scenario.file.change_toml import Changes, changed_data, changed_text, plain_text
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.file.parse_toml import parse_toml
from rnnstep.scenario.model import Scenario
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
