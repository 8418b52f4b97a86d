"""The panel on top where the cursor looks at more than an operation: at the backward pass, an update, an epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.engine.backward import BackwardPass
from rnnstep.engine.epoch import UpdatePass
from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule
from rnnstep.views import learning, numbers, timeline
from rnnstep.views.compose import RowBlock, clip, wrap
from rnnstep.views.listing import formula
from rnnstep.views.rows import Row, Span, width
from rnnstep.views.scene import Scene
from rnnstep.views.sentences import seam

if TYPE_CHECKING:
    from rnnstep.equations.operations import Array

_MOST_ANSWERS = 6


def back(scene: Scene, cells: int) -> RowBlock:
    """A step or block of the backward pass: what reaches it, what it sends on."""
    if scene.known is None:
        return _said(scene, [(Text("this row of the batch is over"), "dim")], cells)
    if scene.block.kind in ("loss", "total"):
        return _of_loss(scene, cells)
    return _of_block(scene, cells)


def _of_loss(scene: Scene, cells: int) -> RowBlock:
    block = scene.block
    line = block.program.by_name[block.output]
    text = Text("how the loss of this step moves with each score")
    if block.kind == "total":
        text = Text("the way back begins at the loss: ∂L/∂L is 1")
    return [
        (Span(formula(scene.look, line), "now"),),
        *_said(scene, [(text, "")], cells),
    ]


def loss(scene: Scene, cells: int) -> RowBlock:
    """The loss of a step, or of all of them, in the forward pass."""
    block = scene.block
    rows: RowBlock = [(Span(formula(scene.look, block.program.lines[-1]), "now"),)]
    if scene.known is None or scene.is_hidden(block.output):
        return rows
    value = _number(scene, float(scene.known[block.output][0]))
    if block.kind == "total":
        return [*rows, *_said(scene, [(Text("the loss of the whole batch: {loss}", loss=value), "")], cells)]
    if "log_p" not in block.program.by_name:
        return [
            *rows,
            *_said(
                scene, [(Text("the loss of step {step}: {loss}", step=scene.t + 1, loss=value), "")], cells
            ),
        ]
    target = int(scene.known["target"])
    wanted = timeline.wanted(scene, scene.t).strip()
    text = Text(
        "the right answer{letter} was given {share}; the loss of step {step} is −ln of it, {loss}",
        letter=f" ('{wanted}')" if wanted else "",
        share=_number(scene, float(scene.known["p"][target])),
        step=scene.t + 1,
        loss=value,
    )
    return [*rows, *_said(scene, [(text, "")], cells)]


def _of_block(scene: Scene, cells: int) -> RowBlock:
    """What reaches the block's output, in numbers of length, and where it goes on to."""
    names = scene.block.program.by_name
    forward = scene.forward_block
    parts: list[tuple[Text, str]] = []
    if scene.block.kind == "recurrent":
        state = next(iter(forward.program.states))
        before = forward.program.before(state)
        text = Text(
            "what reaches {state}_{step}: ‖∂L/∂{state}_{step}‖ = {norm}",
            state=state,
            step=scene.t + 1,
            norm=_norm(scene, f"∂{state}"),
        )
        parts = [(text, "now"), (_on(scene, before), "")]
    elif scene.block.kind == "lookup":
        parts = [(Text("the rows that were looked up get what came back to them"), "now")]
    else:
        for name in forward.program.inputs:
            if f"∂{name}" in names:
                sent = Text("it sends on ‖∂{name}‖ = {norm}", name=name, norm=_norm(scene, f"∂{name}"))
                parts.append((sent, "now"))
    kept = [name for name in scene.block.program.states if name.removeprefix("∂") in forward.parameters]
    if kept:
        return [*_said(scene, parts, cells), _sums(scene, kept, cells)]
    return _said(scene, parts, cells)


def _sums(scene: Scene, names: list[str], cells: int) -> Row:
    """The norms of the sums so far, as many as there is room for: no number is cut in its digits."""
    norms = [f"‖{name}‖ = {_norm(scene, name)}" for name in names]
    for count in range(len(norms), 0, -1):
        more = f", {scene.look.alphabet.ellipsis}" if count < len(norms) else ""
        shown = ", ".join(norms[:count]) + more
        told = _spelt(scene, scene.look.say(Text("the sums so far: {shown}", shown=shown)))
        if width(told) <= cells:
            break
    return clip((Span(told, "dim"),), cells, scene.look.alphabet)


def _on(scene: Scene, before: str) -> Text:
    """What goes on to the step that is computed next in the backward pass."""
    norm = _norm(scene, f"∂{before}")
    following = scene.run.tree.step_after(scene.spot)
    if following is None and scene.done.goes_on(scene.forward_block.key):
        return Text("{seam}: ‖∂{name}‖ = {norm}", seam=seam(), name=before, norm=norm)
    if following is None:
        return Text("on to {name}, where it ends: ‖∂{name}‖ = {norm}", name=before, norm=norm)
    return Text("on to step {step}: ‖∂{name}‖ = {norm}", step=following + 1, name=before, norm=norm)


def _norm(scene: Scene, name: str) -> str:
    value = None if scene.known is None else scene.known.get(name)
    if value is None or scene.is_hidden(name):
        return "?" if scene.session.is_hidden else scene.look.alphabet.ahead
    return _short(scene, float(np.linalg.norm(np.asarray(value, np.float64))))


# ── update ───────────────────────────────────────────────────────────────────────────────


def update(scene: Scene, cells: int) -> RowBlock:
    """A parameter's update: how far it moved, and by what gradient."""
    training = scene.scenario.training
    assert training is not None
    known = scene.known or {}
    if scene.block.kind == "clip":
        values = {
            name: _short(scene, float(known[name][0]))
            for name in ("total_norm", "clip_coef")
            if name in known
        }
        text = Text(
            "all gradients together have norm {total_norm}: they are multiplied with {clip_coef}", **values
        )
        return _said(scene, [(text, "now")], cells)
    moved = np.asarray(known["w"], np.float64) - np.asarray(known["w_prev"], np.float64)
    head = Text("{optimizer} moves {name}", optimizer=training.optimizer, name=scene.block.key)
    text = Text(
        "‖gradient‖ = {gradient}, moved by {moved} in all, by at most {most}",
        gradient=_short(scene, float(np.linalg.norm(np.asarray(known["grad"], np.float64)))),
        moved=_short(scene, float(np.linalg.norm(moved))),
        most=_short(scene, float(np.abs(moved).max(initial=0.0))),
    )
    said = [(head, "now"), (text, "")]
    sharing = [module.name for module in scene.scenario.layers if _has(module, scene.block.key)]
    if len(sharing) > 1:
        names = ", ".join(sharing)
        said.append(
            (Text("its gradient is the sum of what goes back to each of {names}", names=names), "dim")
        )
    return _said(scene, said, cells)


def _has(module: NetworkModule, name: str) -> bool:
    """Whether one of a module's parameters is the one of a name, its own or another's."""
    return any(module.kept_as(one.name) == name for one in module.parameters)


# ── whole passes, batches and epochs ─────────────────────────────────────────────────────


def whole(scene: Scene, cells: int) -> RowBlock:
    """A pass, batch or epoch as a whole."""
    match scene.level:
        case "pass":
            return _pass(scene, cells)
        case "batch":
            loss = scene.done.loss
            if loss is None:
                return []
            return _said(scene, [(Text("the batch's loss: {loss}", loss=_number(scene, loss)), "now")], cells)
    return _epoch(scene, cells)


def _pass(scene: Scene, cells: int) -> RowBlock:
    done = scene.run.pass_of(scene.spot)
    match done:
        case BackwardPass():
            text = Text("backward: from the loss back to every parameter, last step first")
            if done.given is not None:
                text = Text(
                    "backward: from the gradients that were given back to every parameter, last step first"
                )
            return _said(scene, [(text, "now"), _total_norm(scene, done.parameters.values())], cells)
        case UpdatePass():
            text = Text("update: every parameter goes one step against its gradient")
            return _said(scene, [(text, "now"), _total_norm(scene, [done.gradient])], cells)
    if not scene.scenario.has_loss:
        return _said(scene, [(Text("forward: from the input to the last output"), "now")], cells)
    parts = [(Text("forward: from the input to the loss"), "now")]
    if done.loss is not None:
        parts.append((Text("loss {loss}", loss=_number(scene, done.loss)), ""))
    return [*_said(scene, parts, cells), *_answers(scene)]


def _total_norm(scene: Scene, gradients: Iterable[Array]) -> tuple[Text, str]:
    """The norm of all gradients as one vector, as `clip_grad_norm_` takes it."""
    total = math.sqrt(sum(float(np.sum(np.square(one, dtype=np.float64))) for one in gradients))
    return Text("norm of all gradients together: {norm}", norm=_short(scene, total)), ""


def _epoch(scene: Scene, cells: int) -> RowBlock:
    """Loss, torch's loss, what the network says, what was wanted."""
    index = scene.run.epoch.index
    record = scene.run.learning.record(index)
    if scene.session.is_hidden:
        return _said(scene, [(Text("loss {loss}", loss="?"), "hidden")], cells)
    parts = [(Text("loss {loss}", loss=_number(scene, record.loss)), "now")]
    if index < len(scene.torch_losses):
        theirs = _number(scene, scene.torch_losses[index])
        parts.append((Text("torch: {loss}", loss=theirs), "torch"))
    rows: RowBlock = [
        tuple(span for text, style in parts for span in (Span(scene.look.say(text), style), Span("  ")))
    ]
    said = learning.answers(scene, record)
    if said:
        rows.append((Span(scene.look.say(Text("the network says ")), "dim"), *said))
        wanted = learning.wanted(scene.scenario)
        if wanted is not None:
            text = Text("wanted: {wants}", wants="  ".join(wanted[:_MOST_ANSWERS]))
            rows.append((Span(scene.look.say(text), "wants"),))
    return rows


def _answers(scene: Scene) -> RowBlock:
    """What the network says over the whole pass."""
    steps = scene.num_steps
    said = "".join(timeline.predicted(scene, t) for t in range(min(steps, 60)))
    if not said.strip():
        return []
    return [(Span(scene.look.say(Text("the network says {says}", says=said)), "says"),)]


# ── how it is set ────────────────────────────────────────────────────────────────────────


def _said(scene: Scene, parts: list[tuple[Text, str]], cells: int) -> RowBlock:
    return [
        (Span(line, style),)
        for text, style in parts
        for line in wrap(_spelt(scene, scene.look.say(text)), cells)
    ]


def _spelt(scene: Scene, text: str) -> str:
    return scene.look.alphabet.spell(text)


def _short(scene: Scene, value: float) -> str:
    return numbers.brief(value, 3, alphabet=scene.look.alphabet)


def _number(scene: Scene, value: float) -> str:
    return numbers.number(value, scene.look.decimals, alphabet=scene.look.alphabet)
