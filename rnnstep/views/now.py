"""The panel on top: the operation just computed, in words, as a formula and with its numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rnnstep.engine import Block as Blocks
from rnnstep.equations.syntax import Apply, Expression, Name
from rnnstep.language import Text
from rnnstep.session.place import write_place
from rnnstep.session.provenance import source
from rnnstep.views import now_back, numbers, own_column, timeline, torch_column
from rnnstep.views.compose import RowBlock, clip, flow, wrap
from rnnstep.views.info import where_torch_keeps
from rnnstep.views.listing import formula
from rnnstep.views.look import Look
from rnnstep.views.markdown import plain_markdown
from rnnstep.views.numbers import number
from rnnstep.views.rows import Row, Span, row_width, width
from rnnstep.views.scene import Scene
from rnnstep.views.sentences import carried_in, seam, sentence, update_sentence
from rnnstep.views.sentences_back import Back
from rnnstep.views.worked import rounding_in_words, term_in_words, worked

if TYPE_CHECKING:
    from rnnstep.equations.expand import Expansion

_ROOM_FOR_BOTH = 4
_SHORT = 4
"""A block of so few lines is one formula on a blackboard too."""
_FEW = 3
"""How many elements of a running statistic are shown."""


def now(scene: Scene, found: Expansion | None, cells: int, height: int) -> RowBlock:
    """Fill `height` rows of `cells` with what the cursor's place is about."""
    if scene.level == "start":
        return _start(scene, cells, height)
    if scene.spot.operation is not None:
        return _operation(scene, found, cells, height)
    return _wider(scene, cells, height)[:height]


def _wider(scene: Scene, cells: int, height: int) -> RowBlock:
    """What is wider than an operation."""
    if scene.level in ("epoch", "batch", "pass") and (scene.scenario.has_loss or scene.level == "pass"):
        return now_back.whole(scene, cells)
    match scene.spot.phase:
        case "backward":
            return now_back.back(scene, cells)
        case "update":
            return now_back.update(scene, cells)
    if scene.block.kind in ("loss", "total"):
        return now_back.loss(scene, cells)
    if scene.level == "block" and len(scene.block.program.lines) > 1:
        return _block(scene, cells, height)
    return _step(scene, cells, height)


def _block(scene: Scene, cells: int, height: int) -> RowBlock:
    """A block: its equations, which ↓ leads into, one after the other, and torch's word on what it gives."""
    spell, block = scene.look.alphabet.spell, scene.block
    head = [Span(spell(f"{block.key}: "), "label")]
    formulas = [
        Span(formula(scene.look, line) + "   ", "now", f"go {scene.place(line.name)}")
        for line in block.program.lines
    ]
    rows = flow([*head, *formulas], cells, indent=width(spell(block.key)) + 2)
    carried = _carried(scene, cells)
    last = [row for row in (_confirmation(scene, block.output, cells), *carried, _own(scene)) if row]
    room = max(1, height - len(last))
    if len(rows) > room:
        more = Span(scene.look.alphabet.ellipsis, "dim")
        rows = [
            *rows[: room - 1],
            (*clip(rows[room - 1], cells - width(more.text), scene.look.alphabet), more),
        ]
    return [*rows, *last][:height]


def _own(scene: Scene) -> Row:
    """What is to be said of a writer's own numbers of what the block gives."""
    return own_column.words(scene, scene.block.output) if scene.is_shown(scene.block.output) else ()


def _start(scene: Scene, cells: int, height: int) -> RowBlock:
    look = scene.look
    title = scene.scenario.title.into(look.language) or scene.scenario.name
    rows: RowBlock = [(Span(look.alphabet.spell(title), "bold"),)]
    summary = look.alphabet.spell(plain_markdown(scene.scenario.summary.into(look.language)))
    rows += [(Span(line),) for line in wrap(summary, cells) if line]
    return (
        rows[:height]
        if len(rows) <= height
        else [*rows[: height - 1], (Span(look.say(Text("… more with i")), "dim"),)]
    )


def _operation(scene: Scene, found: Expansion | None, cells: int, height: int) -> RowBlock:
    line = scene.run.line(scene.spot)
    equation = (Span(formula(scene.look, line), "now"),)
    text = sentence_at(scene, line.name)
    words: Row = () if text is None else (Span(scene.look.say(text), "dim"),)
    done = None if found is None else worked(scene, found, cells, height - 1 - (height > 3))
    at_term = "" if found is None or done is None else term_in_words(scene, found, done.guard)
    rows: RowBlock = [equation]
    rounding: Row = ()
    if done is not None and found is not None:
        rows += done.rows
        rounding = rounding_in_words(scene, found, done)
    elif scene.known is None:
        rows.append((Span(scene.look.say(Text("this row of the batch is over")), "dim"),))
    else:
        rows += _given(scene)
    own = own_column.words(scene, line.name) if scene.is_shown(line.name) else ()
    # Where one row is left, what the writer did wrong is worth more there than torch's word, which the columns say, too.
    is_confirmed = len(rows) + own_column.is_told_wrong(own) < height
    if at_term:
        words = (Span(at_term, "changed"),)
    elif not is_confirmed and scene.is_shown(line.name):
        words = torch_column.mark(scene, line.name) or words
    head = rows[0] = _two_ends(equation, words, cells)
    if is_confirmed:
        confirmed = _confirmation(scene, line.name, cells, rounding)
        rows.append(confirmed)
        rounding = () if rounding and rounding[0] in confirmed else rounding
    if own and len(rows) < height:
        rows.append(own)
    if words and words[0] not in head:
        rows.append(words)
    if rounding:
        rows.append(rounding)
    return rows[:height]


def sentence_at(scene: Scene, name: str) -> Text | None:
    """What a line does, in words."""
    match scene.spot.phase:
        case "backward":
            steps = scene.run.tree.stage(scene.spot).steps[scene.block.key]
            before = {
                f"∂{scene.forward_block.program.before(one)}" for one in scene.forward_block.program.states
            }
            if name in before and scene.t == steps[-1] and scene.done.goes_on(scene.forward_block.key):
                return seam()
            wanted = timeline.wanted(scene, scene.t).strip()
            return Back(scene.block, scene.forward_block, steps, scene.t, wanted).sentence(name)
        case "update":
            training = scene.scenario.training
            assert training is not None
            is_maximized = bool(training.arguments.get("maximize"))
            return update_sentence(name, training.optimizer, is_maximized=is_maximized)
    return sentence(scene.block, name)


def _given(scene: Scene) -> RowBlock:
    """What a lookup or a join does, which has no arithmetic."""
    assert scene.known is not None
    if scene.block.kind == "lookup" and scene.is_forward:
        index = int(scene.known["index"])
        text = Text(
            "x = embedding.weight[{index}]{letter}", index=index, letter=timeline.quoted(scene, index)
        )
        return [(Span(scene.look.say(text)),)]
    return []


def _confirmation(scene: Scene, name: str, cells: int, rounding: Row = ()) -> Row:
    """Torch's word, and where torch keeps a state; of what it does not keep what there is to say of rounding."""
    if scene.known is None:
        return ()
    left = torch_column.mark(scene, name) if scene.is_begun(name) and not scene.is_hidden(name) else ()
    keeps = _kept(scene, name) if scene.is_forward and name in scene.block.program.states else ""
    return _two_ends(left, (Span(keeps, "torch"),) if keeps else rounding, cells)


def _kept(scene: Scene, state: str) -> str:
    block = scene.block
    return scene.look.say(where_torch_keeps(scene.scenario, scene.batch, block, scene.t, scene.row, state))


def _step(scene: Scene, cells: int, height: int) -> RowBlock:
    """A step or block: what went in, the state that came out, and torch's word on it."""
    look = scene.look
    step = scene.t + 1
    letter = timeline.letter_of_input(scene, scene.t)
    goes_in = f"x_{step}" + (f" = {letter}" if letter else "")
    block = scene.block
    head: Row = (
        Span(look.alphabet.spell(f"{goes_in} → "), ""),
        Span(f"{block.output}_{step}" if block.kind == "recurrent" else block.output, "now"),
    )
    written = _formula(look, block, cells - row_width(head) - 2)
    rows: RowBlock = [_two_ends(head, (Span(written, "dim"),), cells)]
    rows.append(_confirmation(scene, block.output, cells))
    rows += [*_carried(scene, cells), *_running(scene, cells)]
    rows += _spoken(scene)
    own = _own(scene)
    return [*rows, own][:height] if own else rows[:height]


def _carried(scene: Scene, cells: int) -> RowBlock:
    """Where the states of a batch's first step come from, where they are carried; a click goes there."""
    if not scene.is_forward or scene.block.kind in ("loss", "total"):
        return []
    runs = scene.done.runs
    rows: RowBlock = []
    for key in [scene.block.key] if scene.block.key in runs else list(runs):
        block = runs[key].block
        first = scene.done.axis(key).first_step(block.direction, scene.row)
        if not scene.done.goes_on(key) or block.sequence != scene.block.sequence or scene.t != first:
            continue
        spot = replace(scene.spot, key=key, operation=None, element=None, term=None)
        found = source(scene.run, spot, block.program.before(block.output), (0,), scene.row)
        target = "" if found is None else f"go {write_place(scene.run.tree, found.path)}"
        place = f"{key} " if len(runs) > 1 else ""
        words = scene.look.alphabet.spell(place + scene.look.say(carried_in(block, scene.batch)))
        rows += [(Span(line, "link" if target else "dim", target),) for line in wrap(words, cells)]
    return rows


def _running(scene: Scene, cells: int) -> RowBlock:
    """What a batch makes of the running statistic that belongs to its own."""
    block = scene.block
    if not (scene.is_forward and block.reads_all_rows) or scene.is_hidden(block.output):
        return []
    moves = scene.scenario.by_key[block.module].moves
    key = next((name for name, value in moves.items() if value == block.output), None)
    if key is None:
        return []
    before, after = scene.run.epoch.running(scene.batch)
    shown = [
        "  ".join(
            numbers.number(float(one), scene.look.decimals, alphabet=scene.look.alphabet)
            for one in vector[:_FEW]
        )
        for vector in (before[key], after[key])
    ]
    more = "  …" if len(after[key]) > _FEW else ""
    text = Text("{name}: {before} → {after}", name=key, before=shown[0] + more, after=shown[1] + more)
    return [(Span(line, "dim"),) for line in wrap(scene.look.alphabet.spell(scene.look.say(text)), cells)]


def _formula(look: Look, block: Blocks, cells: int) -> str:
    """The block in one formula where that is short, else the lines that set its states."""
    last = block.program.by_name[block.output]
    one = formula(look, replace(last, expression=_inlined(last.expression, block)))
    if len(one) <= cells and len(block.program.lines) <= _SHORT:
        return one
    lines = [line for line in block.program.lines if line.name in (*block.program.states, block.output)]
    return "   ".join(formula(look, line) for line in lines)


def _inlined(expression: Expression, block: Blocks) -> Expression:
    """Put the lines that an expression reads in their names' place, states excepted."""
    match expression:
        case Name(id=name) if name in block.program.by_name and name not in block.program.states:
            return _inlined(block.program.by_name[name].expression, block)
        case Apply(op=op, args=args):
            return Apply(op, tuple(_inlined(argument, block) for argument in args))
    return expression


def _spoken(scene: Scene) -> RowBlock:
    """What the network says at this step, and what was wanted."""
    says, wants = timeline.predicted(scene, scene.t), timeline.wanted(scene, scene.t)
    if says in ("", " ", scene.look.alphabet.ahead) or scene.is_hidden(scene.block.output):
        return []
    text = Text("the network says {says}", says=says)
    spans = [Span(scene.look.say(text), "says")]
    if wants.strip():
        spans.append(Span("  " + scene.look.say(Text("wanted: {wants}", wants=wants)), "wants"))
    drawn = _drawn(scene, says)
    return [tuple(spans), *([] if drawn is None else [(Span(scene.look.say(drawn), "dim"),)])]


def _drawn(scene: Scene, says: str) -> Text | None:
    """How the class was drawn that is said; None where it is the largest."""
    feeding, drawn = scene.scenario.sampled, scene.done.drawn
    if feeding is None or drawn is None or feeding.sampling is None:
        return None
    scores = scene.done.scores
    index = int(drawn[scene.t, scene.row])
    cumulated = feeding.cumulated(scores)[scene.t, scene.row]
    draw = float(feeding.sampling.draws(*scores.shape[:2])[scene.t, scene.row])
    ends = float(cumulated[index - 1]) if index else 0.0, float(cumulated[index])
    shown, low, high = (number(value, scene.look.decimals).strip() for value in (draw, *ends))
    temperature = f"{feeding.sampling.temperature:g}"
    return Text(
        "drawn: {draw} falls to {says}, whose part of softmax(logits / {temperature}) is {low} to {high}",
        draw=shown,
        says=says,
        temperature=temperature,
        low=low,
        high=high,
    )


def _two_ends(left: Row, right: Row, cells: int) -> Row:
    """One row with something at each end; the right gives way where both do not fit."""
    room = cells - row_width(left) - row_width(right)
    if room < 2:
        return left
    return (*left, Span(" " * room), *right)
