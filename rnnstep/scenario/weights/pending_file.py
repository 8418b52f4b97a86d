"""The parameters that stand in a file of torch's own, once the names and shapes in it are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from rnnstep.errors import Problem, RnnstepError, ScenarioError, UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.data.array_files import UnreadableTensor
from rnnstep.scenario.file.document import listed
from rnnstep.scenario.model import Pending, Scenario
from rnnstep.scenario.weights.parameters import parameter_shapes, parameters_of
from rnnstep.scenario.weights.state_dicts import Taken, take
from rnnstep.scenario.weights.stored_tensors import Load, Shape


def take_pending(scenario: Scenario, pending: Pending, available: Mapping[str, Shape], load: Load) -> Taken:
    """Take a scenario's pending parameters out of a file: all of them, a bias whose partner alone is given as zeros.

    Args:
        scenario: What lacks them.
        pending: Which they are, and where the file is named.
        available: Name and shape of each tensor in the file.
        load: Gives one of them, as for `take`.

    Raises:
        ScenarioError: at the place that names the file, if it does not hold what is needed.
        UsageError: the same, where `--beside` names it.
    """
    shapes = parameter_shapes(scenario.layers)
    but = frozenset(shapes) - frozenset(pending.names)
    try:
        taken = take(available, load, shapes, pending.prefixes, scenario.dtype, but)
    except UnreadableTensor as error:
        raise pending_error(scenario, pending, error.message) from None
    if taken.problems:
        raise pending_error(scenario, pending, *taken.problems)
    found = dict(taken.values)
    given = {*found, *scenario.parameters}
    for name, parameter in parameters_of(scenario.layers).items():
        if name not in given and parameter.partner in given:
            found[name] = np.zeros(shapes[name], scenario.dtype)
    missing = [name for name in pending.names if name not in found]
    if missing:
        text = Text("the file holds no {names}; give them as arrays", names=listed(missing))
        raise pending_error(scenario, pending, text)
    return Taken(found, taken.keys, (), ())


def pending_error(scenario: Scenario, pending: Pending, *messages: Text) -> RnnstepError:
    """Give an error at the place in the scenario that names the file, or with what named it beside."""
    if pending.beside is not None:
        return refused_beside(pending.beside, messages)
    path = printable(str(scenario.path if scenario.path is not None else scenario.name))
    return ScenarioError(tuple(Problem(path, pending.line, pending.column, message) for message in messages))


def refused_beside(filename: str, reasons: Iterable[Text]) -> UsageError:
    """Give an error of a file that `--beside weights=` names, with all that is wrong in it."""
    whole, *others = reasons
    for reason in others:
        whole = Text("{reason}; {other}", reason=whole, other=reason)
    return UsageError(Text("--beside weights={file}: {reason}", file=printable(filename), reason=whole))
