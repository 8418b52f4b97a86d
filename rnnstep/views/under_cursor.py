"""What the help begins with: the thing under the cursor, in two or three lines, with torch's word for it."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.language import Text
from rnnstep.session.session import Session
from rnnstep.views.compose import RowBlock, text_row, wrap
from rnnstep.views.listing import formula
from rnnstep.views.look import Look
from rnnstep.views.now import sentence_at
from rnnstep.views.scene import Scene
from rnnstep.views.where_torch_keeps import where_torch_keeps

_WIDEST = 100

LEVELS = {
    "start": Text(
        "The start: x_t, the weights and h_0 are there, nothing is computed yet. → computes the first place."
    ),
    "epoch": Text(
        "An epoch: every batch once, forward, backward and update; one turn of torch's training loop."
    ),
    "batch": Text(
        "A batch: the sequences that go through the network at once, as one row of torch's DataLoader."
    ),
    "pass": Text(
        "A pass over a batch: forward computes the values, backward the gradients (loss.backward()), update the new"
        " weights (optimizer.step())."
    ),
    "sequence": Text(
        "A sequence: steps of its own, walked to their end before the next sequence begins; an encoder walks the source,"
        " a decoder the target."
    ),
    "step": Text(
        "A step: one x_t goes up through all blocks, and with h_(t−1) gives h_t; torch's nn.RNN walks the steps by"
        " itself, an nn.RNNCell one a call."
    ),
    "block": Text(
        "A block: a part of the network at one step. Its equations stand in the listing; ↓ goes into them."
    ),
    "operation": Text(
        "An operation: one equation of its block, and all the numbers that it gives. ↓ goes to the first of them."
    ),
    "element": Text(
        "An element: one number of an operation, written out with the numbers that it is made of."
    ),
    "term": Text(
        "A term: one product of the sum; Enter goes to where its factor was computed, e changes its weight."
    ),
}


def here(session: Session, look: Look, cells: int) -> RowBlock:
    """Give the section for a page of a width."""
    scene = Scene(session, look)
    cells = min(cells, _WIDEST) - 2
    title = Text("Under the cursor: {place}", place=session.place)
    rows: RowBlock = [(), text_row(f" {look.say(title)}", "title")]
    for text, style in _said(scene):
        rows += [text_row(f" {line}", style) for line in wrap(look.say(text), cells)]
    return rows


def _said(scene: Scene) -> Iterator[tuple[Text, str]]:
    """What the operation is, what the block is to torch, what the level is."""
    at = scene.cursor
    if scene.spot.operation is not None:
        line = scene.run.line(scene.spot)
        told = sentence_at(scene, line.name)
        written = formula(scene.look, line)
        if told is None:
            yield Text("{formula}", formula=written), "now"
        else:
            yield Text("{formula}   {what}", formula=written, what=told), "now"
        kept = _kept(scene, line.name)
        if kept is not None:
            yield kept, ""
    if at is not None and at.key is not None:
        yield _block(scene), ""
    yield LEVELS[scene.level], "dim"


def _kept(scene: Scene, name: str) -> Text | None:
    """Where torch keeps an operation's value, or that it keeps none."""
    if not scene.is_forward or scene.block.kind != "recurrent":
        return None
    if name not in scene.block.program.states:
        return Text("torch computes {name} inside the module and does not give it out.", name=name)
    block = scene.block
    place = where_torch_keeps(scene.scenario, scene.batch, block, scene.t, scene.row, name)
    return Text("torch keeps {name} here: {place}.", name=name, place=place)


def _block(scene: Scene) -> Text:
    """What a block is, in torch's words."""
    block, scenario = scene.block, scene.scenario
    key = block.key
    if block.about is not None:
        return block.about
    match block.kind:
        case "recurrent":
            kept = ", ".join(dict.fromkeys(where.torch for where in scene.forward_block.kept_in.values()))
            recurrent = scenario.recurrent_of(scene.forward_block)
            if recurrent.is_own:
                return Text(
                    "{key} is the cell {name} of the scenario; its parameters are {kept}.",
                    key=key,
                    name=recurrent.cell.name,
                    kept=kept,
                )
            if recurrent.is_cell:
                return Text(
                    "{key} is torch.nn.{module}, called once a step; torch calls its parameters {kept}.",
                    key=key,
                    module=recurrent.module,
                    kept=kept,
                )
            return Text(
                "{key} is layer {layer} of torch.nn.{module}, {way}; torch calls its parameters {kept}.",
                key=key,
                layer=block.layer,
                module=recurrent.module,
                way=Text("from the last step to the first")
                if block.direction == "backward"
                else Text("from the first step to the last"),
                kept=kept,
            )
        case "loss" | "total":
            name = "" if scenario.loss is None else scenario.loss.name
            if block.kind == "loss":
                return Text("{key} is torch.nn.{name} of this step.", key=key, name=name)
            return Text(
                "{key} brings the losses of all steps together: the number that is made small.", key=key
            )
        case "clip":
            return Text("{key} is torch.nn.utils.clip_grad_norm_.", key=key)
        case _:
            training = scenario.training
            name = "" if training is None else training.optimizer
            return Text("Here torch.optim.{name} gives {key} its new value.", key=key, name=name)
