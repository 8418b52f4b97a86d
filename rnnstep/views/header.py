"""The bar on top: which scenario, where we are, and whether torch agrees."""

from __future__ import annotations

from dataclasses import replace

from rnnstep.language import Text
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.model import Scenario
from rnnstep.session.findings import place_of, spot_of, written
from rnnstep.session.place import write_element, write_prefix, write_row
from rnnstep.views import torch_column
from rnnstep.views.compose import RowBlock, clip, fit, wrap
from rnnstep.views.rows import Row, Span, row_width, width
from rnnstep.views.scene import Scene

_LEAST_NAME = 12
"""The cells that are left to the scenario's name at least, blanks included."""

_MOST_OF_A_MESSAGE = 3

_PASSES = {"forward": Text("forward"), "backward": Text("backward"), "update": Text("update")}
_LEVELS = {
    "start": Text("start"),
    "epoch": Text("epoch"),
    "batch": Text("batch"),
    "pass": Text("pass"),
    "sequence": Text("sequence"),
    "step": Text("step"),
    "block": Text("block"),
    "operation": Text("operation"),
    "element": Text("element"),
    "term": Text("term"),
}


def header(scene: Scene, cells: int) -> Row:
    """One row of `cells`: the name, the place, torch's verdict; the name gives way first."""
    middle = Span(scene.look.alphabet.spell(place_in_words(scene)), "header now")
    key = f" {scene.look.last_key} " if scene.look.last_key else ""
    keys: Row = (Span(key, "header key"),) if key else ()
    left = Span(f" {module_in_words(scene)}", "header")
    right = badge(scene, cells - row_width((middle, *keys)) - _LEAST_NAME) or torch_column.verdict(scene)
    right = (*right, *_sign_beside(scene))
    room = cells - row_width((middle, *keys, *right)) - 3
    first = clip((left,), max(0, room), scene.look.alphabet)
    gap = cells - row_width((*first, middle, *keys, *right)) - 1
    before = max(1, gap // 2)
    after = max(1, gap - before)
    row: Row = (
        *first,
        Span(" " * before, "header"),
        middle,
        Span(" " * after, "header"),
        *keys,
        *right,
        Span(" ", "header"),
    )
    return fit(row, cells, scene.look.alphabet)


def badge(scene: Scene, cells: int) -> Row:
    """The first number that is not finite, in the place of torch's ✓: `NaN from step 12 · L0← hh_g[57]`.

    Nothing where there is none, and where torch disagrees. In few cells the value and its step alone.
    """
    finding = scene.finding
    if finding is None or (scene.checked is not None and not scene.checked.agrees):
        return ()
    tree, spell = scene.run.tree, scene.look.alphabet.spell
    spot = spot_of(finding)
    value = spell(written(finding.value))
    element = f"{finding.name}{write_element(tree, spot)}"
    whole = write_prefix(tree, spot)
    step = str(finding.t + 1)
    if whole:
        place = place_of(tree, finding)
        texts = [
            Text("{value} from {place}", value=value, place=place),
            Text("{value} from {place}", value=value, place=f"{whole}{step}"),
        ]
    else:
        row = write_row(finding.row or 0)
        between = "|" if scene.look.alphabet.is_ascii else "·"
        texts = [
            Text(
                "{value} from step {step} {place}",
                value=value,
                step=step,
                place=f"{between} {finding.key} {element}{row}",
            ),
            Text("{value} from step {step}", value=value, step=step),
        ]
    said = [*map(scene.look.say, texts), value]
    shown = next((text for text in said if width(text) <= cells), value)
    return (Span(spell(shown), "header bad", "press not_finite"),)


def module_in_words(scene: Scene) -> str:
    """`hello  RNNCell(4, 4)`, as torch would construct it."""
    modules = modules_in_words(scene.scenario)
    edited = "*" if scene.session.has_unsaved_edits else ""
    name = f"{scene.scenario.name}{edited}"
    if scene.session.beside is not None:
        return scene.look.alphabet.spell(_both_in_words(scene, name))
    if scene.session.mistaken is not None or scene.run.is_refused:
        name = scene.look.say(Text("{name}: {what}", name=name, what=Text("cure")))
    elif scene.run.cured is not None:
        name = scene.look.say(Text("{name}: {what}", name=name, what=Text("mistake")))
    return scene.look.alphabet.spell(f"{name}  {modules}")


def modules_in_words(scenario: Scenario) -> str:
    """Give a scenario's modules as torch would construct them; the recurrent ones where there are any."""
    recurrents = scenario.recurrents
    every = map(_constructed, recurrents) if recurrents else [one.constructed for one in scenario.layers]
    return " → ".join(every)


def _both_in_words(scene: Scene, name: str) -> str:
    """`hello | hello_lstm`, of one scenario `hello: float32 | float64`."""
    pair = scene.session.beside
    assert pair is not None
    first, second = map(scene.look.say, pair.names(scene.run))
    if pair.value.is_of_the_same_file:
        return scene.look.say(Text("{name}: {what}", name=name, what=f"{first} | {second}"))
    return f"{name} | {second}"


def _sign_beside(scene: Scene) -> Row:
    """Torch's word on the run beside: a sign of its own, for the first one's says nothing of it."""
    if scene.session.beside is None:
        return ()
    alphabet, checked = scene.look.alphabet, scene.session.beside.run.checked
    if checked is None and scene.look.torch_beside == "none":
        return ()
    if checked is None:
        sign = alphabet.ellipsis if scene.look.torch_beside == "loading" else alphabet.minus
        return (Span(f" | {sign}", "header pending"),)
    if checked.agrees:
        return (Span(f" | {alphabet.check}", "header ok"),)
    return (Span(f" | {alphabet.wrong}", "header bad"),)


def _constructed(recurrent: Recurrent) -> str:
    extra = ""
    if recurrent.num_layers > 1:
        extra += f", num_layers={recurrent.num_layers}"
    if recurrent.bidirectional:
        extra += ", bidirectional=True"
    return f"{recurrent.module}({recurrent.input_size}, {recurrent.hidden_size}{extra})"


def place_in_words(scene: Scene) -> str:
    """`step 3/5 · L0 · hh[1]`, with the batch and its row where there are several; the zoom before it."""
    look = scene.look
    if scene.level == "start":
        return look.say(_LEVELS["start"])
    spot = scene.cursor
    assert spot is not None
    parts: list[str] = []
    tree = scene.run.tree
    if tree.num_epochs > 1 and (spot.epoch or spot.phase is None):
        parts.append(look.say(Text("epoch {number}/{count}", number=spot.epoch + 1, count=tree.num_epochs)))
    if tree.num_batches > 1 and spot.batch is not None:
        parts.append(look.say(Text("batch {number}/{count}", number=spot.batch + 1, count=tree.num_batches)))
    if spot.phase not in (None, "forward") or (spot.t is None and spot.key is None and len(tree.phases) > 1):
        parts += [look.say(_PASSES[spot.phase])] if spot.phase is not None else []
    sequence = tree.sequence(spot) if tree.has_several("sequence") and spot.phase != "update" else None
    parts += [] if sequence is None else [sequence]
    if spot.t is not None and spot.phase != "update":
        steps = scene.num_steps
        parts.append(look.say(Text("step {number}/{count}", number=spot.t + 1, count=steps)))
    if spot.key is not None:
        parts.append(spot.key)
    if spot.operation is not None:
        parts.append(spot.operation + write_element(tree, replace(spot, term=None)))
    if spot.term is not None:
        parts.append(look.say(Text("term {number}", number=spot.term)))
    rows = scene.run.num_rows(scene.batch)
    if rows > 1:
        parts.append(look.say(Text("row {number} of {count}", number=scene.row, count=rows)))
    return (" | " if look.alphabet.is_ascii else " · ").join(parts)


def message(scene: Scene, cells: int) -> RowBlock:
    """What the last key could not do, or has to say, in a few rows at most; none when there is nothing."""
    text = scene.session.note or scene.look.message
    if text is None:
        return []
    lines = wrap(scene.look.say(text), cells - 2)
    if len(lines) > _MOST_OF_A_MESSAGE:
        lines = [*lines[: _MOST_OF_A_MESSAGE - 1], " ".join(lines[_MOST_OF_A_MESSAGE - 1 :])]
    return [fit((Span(f" {line}", "warn"),), cells, scene.look.alphabet) for line in lines]
