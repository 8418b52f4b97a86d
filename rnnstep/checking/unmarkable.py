"""Answers to what the run has no number for: NaN and infinity confirm nothing, and it is told since when and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnstep.engine.finite import Finding
from rnnstep.engine.learning import Learning
from rnnstep.equations.syntax import names_in
from rnnstep.language import Text

PATIENCE = 5.0  # seconds that a training is looked through for its first number that is not finite


@dataclass(frozen=True, slots=True)
class Since:
    """Where a run stops being finite.

    Attributes:
        place: `2/L0/ih_i[0]`, as places are written everywhere.
        value: "NaN", "∞" or "−∞".
        why: how it comes.
    """

    place: str
    value: str
    why: Text


def since(learning: Learning) -> Since | None:
    """Give the first number of a run that is not finite, and why it is none; None where it was not found in time."""
    learning.look_on(PATIENCE)
    finding = learning.finding
    if finding is None:
        return None
    return Since(_place(learning, finding), written(finding.value), _why(learning, finding))


def written(value: float) -> str:
    """NaN or an infinity, as people write it."""
    return "NaN" if np.isnan(value) else "∞" if value > 0 else "−∞"


def _place(learning: Learning, at: Finding) -> str:
    block = learning.structure.stage(at.batch, at.phase).by_key[at.key]
    shape = tuple(int(one) for one in block.program.shapes[at.name]) or (1,)
    index = ",".join(str(part) for part in np.unravel_index(at.element, shape))
    step = "" if at.phase == "update" else f"{at.t + 1}/"
    parts = [
        f"e{at.epoch + 1}:" if at.epoch else "",
        f"{at.batch + 1}:" if learning.structure.num_batches > 1 else "",
        f"{at.phase}:" if at.phase != "forward" else "",
        f"{step}{at.key}/{at.name}[{index}]",
        f"@row{at.row}" if at.row else "",
    ]
    return "".join(parts)


def _why(learning: Learning, at: Finding) -> Text:
    """What the line of a number reads that is not finite itself, or that none is."""
    block = learning.structure.stage(at.batch, at.phase).by_key[at.key]
    line = block.program.by_name[at.name]
    passed = learning.epoch(at.epoch).passed(at.phase, at.batch)
    known = None if passed is None else passed.known(at.key, at.t, at.row or 0)
    read = list(dict.fromkeys(names_in(line.expression)))
    if "empty" in read:
        loss = learning.scenario.loss
        if loss is not None and loss.over_time == "sum":
            return Text(
                'a mean over nothing has no value: at some step no target counts (over_time = "together" takes one mean)'
            )
        return Text("a mean over nothing has no value: no target counts")
    for name in read if known is not None else ():
        value = np.asarray(known[name], np.float64) if known is not None and name in known else np.zeros(1)
        if not np.isfinite(value).all():
            found = written(float(value[~np.isfinite(value)].flat[0]))
            return Text("{name} has {value}, as it was given", name=name, value=found)
    return Text("its own operands are finite: it overflows, or has no value there")
