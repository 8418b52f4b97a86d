"""What torch says of a value: its numbers and the difference, or that they are on their way.

Two kinds of confirmation are shown differently: `torch` is what `torch.nn` itself gave;
`self-check` is the same equation in torch's own operations.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.language import Text
from rnnstep.views import numbers
from rnnstep.views.grids import Grid
from rnnstep.views.rows import Row, Span
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.equations.operations import Array
    from rnnstep.reference import Checked
    from rnnstep.reference.judge.whole_run import Beside

BEFORE = Text("before")
NOT_FINITE = "!"
"""Stands where a number is not finite, torch agreeing or not; the key that leads to the first has the same sign."""

SELF_CHECK = Text("self-check")
RECORDED = Text("recorded")


def grids_of(scene: Scene, name: str) -> list[Grid]:
    """Torch's numbers as a grid beside the engine's; nothing while they are on their way."""
    theirs = values(scene, name)
    if theirs is None:
        return []
    title = "torch" if is_module_confirmed(scene, name) else scene.look.say(SELF_CHECK)
    if is_recorded(scene, name):
        title = scene.look.say(RECORDED)
    return [
        Grid(title, theirs, scene.shape(name), style="torch", is_plain=True, seen=scene.elements_done(name))
    ]


def beside(scene: Scene) -> Beside | None:
    """Torch's word on the batch in the cursor's pass; None where it has none, or not yet."""
    phase = scene.spot.phase
    return None if scene.checked is None or phase is None else scene.checked.beside(scene.batch, phase)


def values(scene: Scene, name: str) -> Array | None:
    """Torch's value of a line of the block at this step and row, (n,), of a parameter's in its shape; or None."""
    comparison = beside(scene)
    if comparison is None:
        return None
    index = scene.run.row_index(scene.spot, scene.row)
    if index is None:
        return None
    found = comparison.value(scene.block.key, name, scene.t)
    if found is None or scene.is_of_all_rows(name):
        return found
    return np.asarray(found[index])


def is_module_confirmed(scene: Scene, name: str) -> bool:
    """Whether torch's value comes from `torch.nn` itself."""
    comparison = beside(scene)
    return comparison is not None and comparison.is_module_confirmed(scene.block.key, name)


def is_recorded(scene: Scene, name: str) -> bool:
    """Whether what stands beside a value was recorded, and is not torch's."""
    comparison = beside(scene)
    return comparison is not None and comparison.is_recorded(scene.block.key, name)


def agrees(scene: Scene, name: str) -> bool | None:
    """Whether torch agrees with a value at this step; None where torch has no word on it."""
    comparison = beside(scene)
    return None if comparison is None else comparison.agrees_at(scene.block.key, name, scene.t)


def difference(scene: Scene, name: str) -> Array | None:
    """The engine's minus torch's, (n,)."""
    theirs = values(scene, name)
    if theirs is None or scene.known is None:
        return None
    ours, theirs = np.asarray(scene.known[name], np.float64), np.asarray(theirs, np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(ours == theirs, 0.0, ours - theirs))  # infinity beside infinity, too


def sign(scene: Scene, values: Array | None, *, agrees: bool) -> Span:
    """✓ or ✗; and `!` where torch agrees that something is not finite, which is no green light."""
    if not agrees:
        return Span(scene.look.alphabet.wrong, "bad")
    if values is not None and not np.isfinite(values).all():
        return Span(NOT_FINITE, "bad")
    return Span(scene.look.alphabet.check, "ok")


def mark(scene: Scene, name: str) -> Row:
    """`torch ✓ ≤ 6e-8`, `self-check ✓`, `torch …` on its way."""
    say = scene.look.say
    if scene.checked is None:
        return (Span(status(scene), "pending"),)
    verdict = agrees(scene, name)
    if verdict is None:
        return ()
    source = _source(scene) if is_module_confirmed(scene, name) else say(SELF_CHECK)
    if is_recorded(scene, name):
        source = say(RECORDED)
    gap = difference(scene, name)
    ours = None if scene.known is None else scene.known[name]
    shown = sign(scene, ours, agrees=verdict)
    if shown.text == NOT_FINITE and ours is not None:
        strange = np.asarray(ours)[~np.isfinite(ours)].reshape(-1)
        both = say(Text("both {value}", value=numbers.number(float(strange[0]), 0)))
        return (Span(f"{source} ", "torch"), Span(scene.look.alphabet.spell(both), "bad"))
    reach = ""
    if gap is not None and np.isfinite(gap).any():
        largest = float(np.nanmax(np.abs(gap)))
        step = _one_step(scene, name)
        if step is not None and step < largest < np.inf:
            return _parted(scene, source, step, largest, agrees=verdict)
        if largest < np.inf:
            reach = f" ≤ {numbers.brief(largest, 1)}" if largest else f" {say(Text('exactly'))}"
    alphabet = scene.look.alphabet
    return (
        Span(f"{source} ", "torch"),
        shown,
        Span(alphabet.spell(reach), "dim"),
    )


def _source(scene: Scene) -> str:
    """What of torch confirms the cursor's pass."""
    match scene.spot.phase:
        case "backward":
            return "autograd"
        case "update":
            return "torch.optim"
    return "torch.nn"


def _parted(scene: Scene, source: str, step: float, largest: float, *, agrees: bool) -> Row:
    """Say that a large difference is none of this step's making."""
    alphabet = scene.look.alphabet
    text = Text(
        "one step ≤ {step}, along the run {gap}: both are right (i)",
        step=numbers.brief(step, 1),
        gap=numbers.brief(largest, 2),
    )
    return (
        Span(f"{source} ", "torch"),
        Span(alphabet.check if agrees else alphabet.wrong, "ok" if agrees else "bad"),
        Span(f" {scene.look.say(text)}", "dim"),
    )


def _one_step(scene: Scene, name: str) -> float | None:
    """The largest difference of a value from torch's own h_prev, where the runs have gone apart; else None."""
    comparison = beside(scene)
    if comparison is None or not has_parted(scene) or scene.block.kind != "recurrent":
        return None
    found = comparison.one_step(scene.block.key, name, scene.t)
    index = scene.run.row_index(scene.spot, scene.row)
    if found is None or index is None or scene.is_of_all_rows(name):
        return None
    return float(np.max(found[0][index], initial=0.0))


def has_parted(scene: Scene) -> bool:
    """Whether the two runs have gone apart though each step of both is right."""
    comparison = beside(scene)
    return getattr(comparison, "parting", None) is not None  # an update has no run along which to part


def status(scene: Scene) -> str:
    """Where torch's numbers are, when they are not here."""
    if scene.spot.phase == "backward" and not _has_word_back(scene):
        return scene.look.say(Text("gradients given: no torch"))
    match scene.look.torch:
        case "loading":
            return scene.look.say(Text("torch is on its way …"))
        case "ready" if scene.checked is not None and scene.spot.phase is not None:
            # The forward pass is compared first.
            return scene.look.say(Text("torch is on its way …"))
        case "failed":
            return scene.look.say(Text("torch is not available"))
    return ""


def _has_word_back(scene: Scene) -> bool:
    """Whether torch goes back, too: from a loss, or from what is given at what its modules return."""
    if scene.scenario.has_loss:
        return True
    back = scene.run.epoch.backward(scene.batch)
    return back is not None and back.has_torchs_word


def verdict(scene: Scene) -> Row:
    """The cursor's pass, of all batches, in the header: `✓ torch ≤ 6e-8`, or a loud `✗` where anything disagrees."""
    checked, here = scene.checked, beside(scene)
    if checked is None or (here is None and checked.agrees):
        return (Span(status(scene), "header pending"),)
    alphabet = scene.look.alphabet
    if not checked.agrees:
        who = Text("torch disagrees")
        if checked.faults[0][1].kind == "recorded":
            who = Text("the record disagrees")
        return (Span(f"{alphabet.wrong} {scene.look.say(who)}", "header bad"),)
    assert here is not None
    module = "torch" if scene.is_forward else _source(scene)
    name = module if checked.is_module else scene.look.say(SELF_CHECK)
    if here.recorded:
        name = scene.look.say(RECORDED)
    largest = _largest(checked) if scene.is_forward else max(here.verdict.max_abs_diff.values(), default=0.0)
    reach = (
        f"{alphabet.spell('≤')} {numbers.brief(largest, 1)}" if largest else scene.look.say(Text("exactly"))
    )
    if has_parted(scene):  # the runs go apart, and each step of both is right
        step = here.verdict.worst.difference if here.verdict.worst else 0.0
        if scene.is_forward:
            step = checked.one_step_diff
        reach = scene.look.say(
            Text("step by step {reach}", reach=f"{alphabet.spell('≤')} {numbers.brief(step, 1)}")
        )
    return (Span(f"{alphabet.check} {name} {reach}", "header ok"),)


@lru_cache(maxsize=4)
def _largest(checked: Checked) -> float:
    """The largest difference of any state, and of what the module returned."""
    gaps = [
        difference
        for comparison in checked.compared
        for key, run in comparison.done.runs.items()
        for name in run.block.program.states
        if (difference := _gap(run.state(name), comparison.reference.states[key][name])) is not None
    ]
    return max([*gaps, *checked.max_abs_diff.values()], default=0.0)


def _gap(ours: Array, theirs: Array) -> float | None:
    with np.errstate(invalid="ignore"):
        gaps = np.abs(ours.astype(np.float64) - theirs)
    finite = gaps[np.isfinite(gaps)]
    return float(finite.max()) if finite.size else None
