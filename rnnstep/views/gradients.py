"""How far the gradient reaches back: its norms over time on a logarithmic plot, and what they have to do with W_hh."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.engine.gradient_norms import Flow, Norms, flow, largest_singular_values
from rnnstep.language import Text
from rnnstep.session.tree import Spot
from rnnstep.views import numbers
from rnnstep.views.by_run import by_run
from rnnstep.views.compose import RowBlock, pad, wrap
from rnnstep.views.plot import LOG_SCALE, Axes, Series, plot
from rnnstep.views.rows import Row, Span
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.session.run import SessionRun
    from rnnstep.views.alphabet import Alphabet

_MOST_LINKS = 2000
_LEAST_HEIGHT = 5
_GOOD_HEIGHT = 9
"""What the plot keeps before it is said in whole sentences what one sees."""

_NAMES = (
    Text("‖∂L/∂h_t‖"),
    Text("‖∂h_T/∂h_t‖"),
    Text("‖∂c_T/∂c_t‖ through c"),
    Text("‖∂h_T/∂h_t‖ through h"),
)
_LOWEST = 1e-30
"""What is smaller stands at the foot of the plot."""


def title(scene: Scene) -> str:
    """What the plot is called."""
    what = Text("the gradient over time")
    return scene.look.say(Text("{name}: {what}", name=scene.recurrent_key, what=what))


def gradients(scene: Scene, cells: int, height: int) -> RowBlock:
    """Plot ‖∂L/∂h_t‖ and ‖∂h_T/∂h_t‖ as far back as the cursor has come, the path through c beside; say why in words."""
    if "backward" not in scene.run.tree.phases or height < 2 or not scene.scenario.recurrents:
        return []
    key = scene.recurrent_key
    words = sentences(scene, cells)
    if height - len(words) < _GOOD_HEIGHT:
        words = (
            _in_short(scene, key, cells)[: 2 if height >= _GOOD_HEIGHT else 1]
            if height > _LEAST_HEIGHT
            else []
        )
    begins = _reached(scene, key)
    now = scene.t if scene.spot.phase == "backward" and scene.level != "start" else None
    what = (scene.batch, key, scene.row)
    names = tuple(map(scene.look.say, _NAMES))
    note = tuple(map(scene.look.say, LOG_SCALE))
    drawn = _drawn(scene.run, what, begins, now, names, note, cells, height - len(words), scene.look.alphabet)
    return pad([*drawn, *words], cells, height, scene.look.alphabet)


def _reached(scene: Scene, key: str) -> int:
    """How many steps of a block the backward pass has done."""
    steps = scene.run.tree.stage(Spot(scene.batch, phase="backward")).steps[key]
    place = scene.forward_at(key, 0)
    count = 0
    for t in steps:
        if not scene.is_done(place_of(place, t)):
            break
        count += 1
    return count


def place_of(spot: Spot, t: int) -> Spot:
    """A step's ∂ of the states in the backward pass."""
    return Spot(spot.batch, spot.key, t, phase="backward", epoch=spot.epoch)


@by_run(16)
def _drawn(
    run: SessionRun,
    what: tuple[int, str, int],
    count: int,
    now: int | None,
    names: tuple[str, ...],
    note: tuple[str, ...],
    cells: int,
    height: int,
    alphabet: Alphabet,
) -> tuple[Row, ...]:
    batch, key, row = what
    found = norms(run, batch, key, row)
    back = run.epoch.backward(batch)
    assert back is not None
    steps = run.tree.stage(Spot(batch, phase="backward")).steps[key]
    is_seen = np.zeros(len(found.gradient), np.bool_)
    is_seen[list(steps[:count])] = True
    is_row = np.zeros_like(is_seen)
    is_row[list(run.epoch.forward(batch).axis(key).order(back.done.runs[key].block.direction, row))] = True
    lines = [(alphabet.spell(name), values) for name, values in _lines(found, names)]
    finite = np.concatenate([values[np.isfinite(values) & (values > 0)] for _, values in lines])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.1, 1.0)
    foot = max(low, _LOWEST, high * 1e-20)
    axes = Axes(
        steps=len(is_seen),
        current=now,
        is_log=True,
        bounds=(foot, high),
        is_known=is_seen & is_row,
        targets=_targets(run, batch, key, len(is_seen)),
        note=note,
    )
    shown = [(name, np.where(values > 0, np.maximum(values, foot), values)) for name, values in lines]
    series = [Series(name, np.where(is_seen, values, np.nan)) for name, values in shown]
    return tuple(plot(series, cells, height, axes, alphabet=alphabet))


def _targets(run: SessionRun, batch: int, key: str, steps: int) -> list[str]:
    if steps > _MOST_LINKS:
        return []
    epoch = f"e{run.epoch.index + 1}:" if run.epoch.index else ""
    prefix = epoch + (f"{batch + 1}:" if run.tree.num_batches > 1 else "")
    return [f"go {prefix}backward:{t + 1}/{key}" for t in range(steps)]


def _lines(found: Flow, names: tuple[str, ...]) -> list[tuple[str, Norms]]:
    """The norms with their names; of an LSTM the two paths in place of both together."""
    gradient, jacobian, through_c, through_h = names
    if found.through_c is not None and found.through_h is not None:
        return [(gradient, found.gradient), (through_c, found.through_c), (through_h, found.through_h)]
    return [(gradient, found.gradient), *([] if found.jacobian is None else [(jacobian, found.jacobian)])]


@by_run(32)
def norms(run: SessionRun, batch: int, key: str, row: int) -> Flow:
    """The norms of one block for one row."""
    back = run.epoch.backward(batch)
    assert back is not None
    return flow(back, key, row)


@by_run(32)
def _singular(run: SessionRun, batch: int, key: str) -> dict[str, float]:
    return largest_singular_values(run.epoch.forward(batch), key)


# ── in words ─────────────────────────────────────────────────────────────────────────────


def sentences(scene: Scene, cells: int) -> RowBlock:
    """What the largest singular value says, and how the gradient at the first step compares with the last."""
    key = scene.recurrent_key
    texts = [_of_matrix(scene, key)]
    steps = scene.run.tree.stage(Spot(scene.batch, phase="backward")).steps[key]
    if len(steps) > 1 and scene.is_done(place_of(scene.forward_at(key, 0), steps[-1])):
        texts.append(_of_reach(scene, key, steps))
    spell, say = scene.look.alphabet.spell, scene.look.say
    return [
        (Span(line, "dim"),) for text in texts if text is not None for line in wrap(spell(say(text)), cells)
    ]


def _in_short(scene: Scene, key: str, cells: int) -> RowBlock:
    """The largest singular values, their names and nothing else."""
    found = _singular(scene.run, scene.batch, key)
    text = Text(
        "largest singular value: {shown}", shown=", ".join(f"{n} {_short(v)}" for n, v in found.items())
    )
    return [(Span(line, "dim"),) for line in wrap(scene.look.alphabet.spell(scene.look.say(text)), cells)]


def _of_matrix(scene: Scene, key: str) -> Text | None:
    found = _singular(scene.run, scene.batch, key)
    if not found:
        return None
    if len(found) > 1:
        shown = ", ".join(f"{name} {_short(value)}" for name, value in found.items())
        return Text("largest singular values: {shown}", shown=shown)
    ((name, value),) = found.items()
    values = {"name": name, "value": _short(value)}
    is_relu = scene.scenario.recurrent_of(scene.done.by_key[key]).nonlinearity == "relu"
    if not math.isfinite(value):
        return None
    if value < 1:
        digits = next((digits for digits in range(2, 8) if float(f"{value:.{digits}g}") < 1), 8)
        values["value"] = numbers.brief(value, digits)  # no "1 < 1"
        return Text(
            "largest singular value of {name} {value} < 1: each step back shrinks what comes from later by at least"
            " that factor, as the slope of {function} is at most 1",
            function="relu" if is_relu else "tanh",
            **values,
        )
    if is_relu:
        return Text(
            "largest singular value of {name} {value} ≥ 1: where relu's slope is 1 the gradient can grow by that"
            " factor each step",
            **values,
        )
    return Text(
        "largest singular value of {name} {value} ≥ 1: the gradient can grow, and the slope of tanh, below 1, works"
        " against it",
        **values,
    )


def _of_reach(scene: Scene, key: str, steps: range) -> Text | None:
    found = norms(scene.run, scene.batch, key, scene.row).gradient
    live = [t for t in steps if np.isfinite(found[t])]
    if len(live) < 2 or not found[live[0]] > 0 or not found[live[-1]] > 0:
        return None
    last, first = live[0], live[-1]
    return Text(
        "‖∂L/∂h‖ is {first} at step {low}, {last} at step {high}: {times} times",
        first=_short(float(found[first])),
        low=first + 1,
        last=_short(float(found[last])),
        high=last + 1,
        times=_short(float(found[first] / found[last])),
    )


def _short(value: float) -> str:
    return numbers.brief(value, 2)
