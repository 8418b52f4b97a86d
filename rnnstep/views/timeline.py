"""The steps in a row: what goes in, where a row begins anew, how far each block is, what the network says and what was wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.engine.blocks import last_block_of
from rnnstep.engine.structure import Phase
from rnnstep.equations.shares import D
from rnnstep.language import Text
from rnnstep.session.place import write_prefix
from rnnstep.session.tree import Spot, size_of
from rnnstep.views import heat, numbers
from rnnstep.views.by_run import by_run
from rnnstep.views.compose import RowBlock, cut, fit
from rnnstep.views.grids import window
from rnnstep.views.rows import Row, Span, row_width, width
from rnnstep.views.scene import Scene, layer_name
from rnnstep.views.torch_column import NOT_FINITE

if TYPE_CHECKING:
    from rnnstep.engine import Pass
    from rnnstep.engine.not_finite import NotFinite
    from rnnstep.equations.operations import Array
    from rnnstep.session.run import SessionRun
    from rnnstep.views.alphabet import Alphabet

CellText = Callable[[int], tuple[str, str]]
"""What stands at a step: a text and its style."""

_LABEL = 8
_MEASURED = 100
"""How many of a long run's inputs are looked at to find their width."""

_NARROWEST = 4
_WIDEST_OF_ALL = 24
_OF_A_LOSS = 7
_WIDEST = 8
"""The cells of a step's letter or numbers at most."""

_OF_A_VALUE = 4
"""The cells of a value without its decimals: a sign, a digit, the point, and a blank behind."""
_LEAST_OF_A_VALUE = _OF_A_VALUE + 2
_LONGEST_LABEL = 16
_AIRY = 12
"""The cells of a step where there are few of them."""
_MOST_ELEMENTS = 8
_LEAST_TABLE = 4
_WITHOUT_VALUES = ("loss", "total", "clip")
"""Blocks whose number a row of the timeline tells already."""


@dataclass(frozen=True)
class _Columns:
    """The steps that are seen, the cells of each, those of the names before them, and those of a whole row."""

    ts: range
    size: int
    label: int
    cells: int
    places: int  # decimals of values


def timeline(scene: Scene, cells: int, height: int) -> RowBlock:
    """Draw at most `height` rows; the step at the cursor stays in sight.

    Where there is room below, the elements of the value at the cursor follow, a row each.
    """
    is_told = _has_values(scene) and (_is_over_memory(scene) or height > base_height(scene, cells))
    columns = _columns(scene, cells, [_value_at(scene)] if is_told else [])
    ts, steps = columns.ts, scene.num_steps
    most = columns.size - 1 if columns.size > _WIDEST else _WIDEST
    rows: RowBlock = [
        _row(scene, _steps_name(scene), columns, _numbers(scene), "dim"),
        _row(scene, _input_name(scene), columns, lambda t: (shown_input(scene, t, most), "bold"), "label"),
    ]
    if len(ts) < steps:  # people count steps from 1
        seen = scene.look.alphabet.spell(f" {ts.start + 1}–{ts.stop}/{steps}")
        rows[0] = (*rows[0], Span(seen, "dim"))
    states: RowBlock = [_blocks_row(scene, key, columns) for key in _stepped(scene)]
    spoken: RowBlock = [
        _row(scene, scene.look.say(title), columns, cell, "label") for title, cell in _seen_rows(scene, ts)
    ]
    if is_told and _is_over_memory(scene):  # what is looked at goes before what is said
        kept = height - len(rows) - len(states) - min(_MOST_ELEMENTS, size_of(scene.block, _value_at(scene)))
        spoken = spoken[: max(0, kept)]
    room = height - len(rows) - len(spoken)
    if room < 1:
        spoken, room = spoken[: max(0, len(spoken) + room - 1)], 1
    if len(states) > room:
        states = _around(scene, states, max(1, room))
    found = [*rows, *states, *spoken]
    if is_told:
        found += values_over_steps(scene, _value_at(scene), columns, height - len(found))
    return [fit(row, cells, scene.look.alphabet) for row in found][:height]


def base_height(scene: Scene, cells: int) -> int:
    """The rows of the timeline without values: steps, input, each layer, what is said, wanted and lost as far as it is seen."""
    ts = _columns(scene, cells, [_value_at(scene)] if _has_values(scene) else []).ts
    return 2 + len(_stepped(scene)) + len(_seen_rows(scene, ts))


def _stepped(scene: Scene) -> list[str]:
    """The blocks with states whose steps these are."""
    return [key for key, run in scene.done.runs.items() if run.block.sequence == scene.sequence]


def _steps_name(scene: Scene) -> str:
    """What the steps are called: of several sequences by the one whose they are."""
    has_several = scene.run.tree.has_several("sequence")
    return scene.sequence if has_several else scene.look.say(Text("step"))


def _seen_rows(scene: Scene, ts: range) -> list[tuple[Text, CellText]]:
    """Those of the plain rows that say something at any of the steps that are seen."""
    return [(title, cell) for title, cell in _plain_rows(scene) if any(cell(t)[0].strip() for t in ts)]


def full_height(scene: Scene, cells: int) -> int:
    """The rows of the timeline with the elements of the value at the cursor."""
    if not _has_values(scene):
        return base_height(scene, cells)
    return base_height(scene, cells) + min(_MOST_ELEMENTS, size_of(scene.block, _value_at(scene)))


def _plain_rows(scene: Scene) -> list[tuple[Text, CellText]]:
    """What the network says, what was wanted, and the losses, as far as there are any."""
    last = scene.num_steps - 1
    found: list[tuple[Text, CellText]] = []
    if scene.scenario.scored_sequence != scene.sequence:
        return found
    if predicted(scene, last, is_seen=True):
        found.append((Text("says"), lambda t: (predicted(scene, t), "says")))
    if wanted(scene, 0):
        found.append((Text("wants"), lambda t: (wanted(scene, t), "wants")))
    if scene.level != "start" and _has_losses(scene, range(last + 1)):
        loss = (Text("loss"), lambda t: (_loss(scene, t, _OF_A_LOSS), ""))
        found.insert(0 if _is_about_loss(scene) else len(found), loss)
    return found


def _columns(scene: Scene, cells: int, told: Sequence[str]) -> _Columns:
    """The steps that find room about the cursor's, with room for the names and numbers of values that are told."""
    steps = scene.num_steps
    longest = [f" {name}[{size_of(scene.block, name) - 1}] " for name in told]
    if len(scene.scenario.recurrents) > 1:
        back = D if scene.spot.phase == "backward" else ""
        longest += [f" {back}{_block_name(scene, key)} " for key in _stepped(scene)]
    widths = [min(_LONGEST_LABEL, width(scene.look.alphabet.spell(text))) for text in longest]
    label = max([_LABEL, *widths])
    room = cells - label - 2
    share = room // max(1, steps)
    most = min(_WIDEST_OF_ALL, max(_WIDEST, share - 1))
    size = _step_width(scene.run, scene.batch, scene.sequence, scene.row, scene.look.alphabet, most)
    if scene.scenario.has_loss:  # a loss is to have its decimals
        size = max(size, min(_OF_A_LOSS, share))
    if told:
        size = max(size, min(_OF_A_VALUE + scene.look.decimals, max(_LEAST_OF_A_VALUE, share)))
    size = max(size, min(_AIRY, share))
    places = min(scene.look.decimals, size - _OF_A_VALUE)
    ts = _seen_steps(steps, room, size, scene.t)
    widest = max((_widest(scene, name, ts, places) for name in told), default=0)
    if widest >= size:  # a number such as −6e-15 has no decimals to lose
        size = widest + 1
        ts = _seen_steps(steps, room, size, scene.t)
    return _Columns(ts, size, label, cells, places)


def _seen_steps(steps: int, room: int, size: int, t: int) -> range:
    """The steps about `t` that find room, beside which of how many they are where they are not all."""
    shown = window(steps, max(1, room // size), t)
    if not shown.is_whole:
        shown = window(steps, max(1, (room - 3 * len(str(steps)) - 3) // size), t)
    return range(shown.start, shown.stop)


def _widest(scene: Scene, name: str, ts: range, places: int) -> int:
    """The cells of the widest number of a value at some steps, of the elements about the cursor's."""
    here = scene.spot.operation == name and scene.cursor is not None
    element = scene.cursor.element if here and scene.cursor else None
    seen = window(size_of(scene.block, name), _MOST_ELEMENTS, element)
    look = (places, scene.kind(name), scene.scale_of(name), scene.look.alphabet)
    steps = scene.run.tree.stage(scene.spot).steps[scene.block.key]
    texts = [
        text
        for t in ts
        if t in steps and scene.is_done(scene.at(scene.block.key, t, name))
        for text, _ in _numbers_at(
            scene.run, scene.at(scene.block.key, t, name), scene.row, range(seen.start, seen.stop), look
        )
    ]
    return max(map(width, texts), default=0)


# ── values over the steps ────────────────────────────────────────────────────────────────


def _value_at(scene: Scene) -> str:
    """The value that is told over the steps: the cursor's, or what its block gives; in the backward pass what reaches it."""
    reaches = f"{D}{scene.forward_block.output}" if scene.spot.phase == "backward" else ""
    given = reaches if reaches in scene.block.program.by_name else scene.block.output
    return scene.spot.operation or given


def _has_values(scene: Scene) -> bool:
    """Whether the value at the cursor is a vector that other steps have, too."""
    if (
        scene.spot.phase == "update"
        or scene.level in ("epoch", "batch")
        or scene.block.kind in _WITHOUT_VALUES
    ):
        return False
    return len(scene.shape(_value_at(scene))) < 2


def _is_over_memory(scene: Scene) -> bool:
    """Whether the value at the cursor has an element for each step of what attention looks at: its weights, its scores."""
    banks, name = scene.block.program.banks, _value_at(scene)
    return (
        scene.is_forward
        and scene.block.attends
        and any(shape[:1] == scene.shape(name) for shape in banks.values())
    )


def values_over_steps(scene: Scene, name: str, columns: _Columns, height: int) -> RowBlock:
    """Elements of a value of the block, a row each, about the cursor's where there are too many."""
    here = scene.spot.operation == name and scene.cursor is not None
    element = scene.cursor.element if here and scene.cursor else None
    seen = window(size_of(scene.block, name), height, element)
    shown = range(seen.start, seen.stop if height > 0 else seen.start)
    told = {t: _told_at(scene, name, t, shown, columns) for t in columns.ts}
    rows: RowBlock = []
    for number, index in enumerate(shown):
        style = "label cursor" if index == element else "label"
        cells = {t: cell[number] for t, cell in told.items()}
        rows.append(_row(scene, _element(scene, name, index, columns), columns, cells.__getitem__, style))
    if rows and not seen.is_whole:
        rows[-1] = _named(scene, rows[-1], f" {shown.start}–{shown.stop - 1}/{seen.size}", columns)
    return rows


def _element(scene: Scene, name: str, index: int, columns: _Columns) -> str:
    """`hh[1]`; of a long name a beginning, so that the number of the element is seen."""
    alphabet, number = scene.look.alphabet, f"[{index}]"
    name, room = alphabet.spell(name), columns.label - 2 - len(number)
    return f"{name if width(name) <= room else cut(name, room - 1) + cut(alphabet.ellipsis, 1)}{number}"


def _named(scene: Scene, row: Row, seen: str, columns: _Columns) -> Row:
    """The last row of some elements with which they are, `0–2/5`; in a narrow window with `…` behind its label."""
    alphabet = scene.look.alphabet
    seen = alphabet.spell(seen)
    if row_width(row) + width(seen) <= columns.cells:
        return (*row, Span(seen, "dim"))
    lead, label, gap, *rest = row
    sign = cut(alphabet.ellipsis, width(gap.text))
    return (lead, label, Span(sign, "dim"), gap._replace(text=" " * (width(gap.text) - len(sign))), *rest)


def _told_at(scene: Scene, name: str, t: int, shown: range, columns: _Columns) -> Sequence[tuple[str, str]]:
    """What stands at a step for each of the elements of a value: its number on its colour, once it is computed."""
    key = scene.block.key
    if t not in scene.run.tree.stage(scene.spot).steps[key]:
        return [("", "")] * len(shown)
    spot, done = scene.at(key, t, name), scene.elements_done(name) if t == scene.t else None
    ahead = (scene.look.alphabet.ahead, "dim")
    if done is None and not scene.is_done(spot):
        return [ahead] * len(shown)
    if done is None and scene.is_hidden(name, spot):
        return [("?", "hidden")] * len(shown)
    look = (columns.places, scene.kind(name), scene.scale_of(name), scene.look.alphabet)
    found = _numbers_at(scene.run, spot, scene.row, shown, look)
    if done is None:
        return found
    return [cell if index < done else ahead for index, cell in zip(shown, found, strict=True)]


@by_run(1024)
def _numbers_at(
    run: SessionRun, spot: Spot, row: int, shown: range, look: tuple[int, heat.Kind, float, Alphabet]
) -> Sequence[tuple[str, str]]:
    """The numbers of a step, which are the same in each frame, on their colours; nothing where the row is over."""
    places, kind, scale, alphabet = look
    known = run.known(replace(spot, operation=None), row)
    if known is None:
        return [("", "")] * len(shown)
    assert spot.operation is not None
    values = np.asarray(known[spot.operation], np.float64).reshape(-1)[shown.start : shown.stop]
    texts = (numbers.number(value, places, alphabet=alphabet) for value in values.tolist())
    return [
        (text if text.startswith(alphabet.minus) else f" {text}", heat.style(kind, level))
        for text, level in zip(texts, heat.levels(values, kind, scale).tolist(), strict=True)
    ]


def table(scene: Scene, cells: int, height: int) -> RowBlock:
    """The other values of the block over the steps, from the last that is computed back: what a sheet of paper holds."""
    if not _has_values(scene) or height < _LEAST_TABLE:
        return []
    names = _told_in_table(scene)
    columns = _columns(scene, cells, names)
    rows = [_row(scene, _steps_name(scene), columns, _numbers(scene), "dim")]
    for name in names:
        room = height - len(rows)
        if room < min(size_of(scene.block, name), _MOST_ELEMENTS):
            break
        rows += values_over_steps(scene, name, columns, min(room, _MOST_ELEMENTS))
    return [fit(row, cells, scene.look.alphabet) for row in rows] if len(rows) > 1 else []


def _told_in_table(scene: Scene) -> list[str]:
    """The lines of the block, those nearest to its result first, without the one that the timeline tells."""
    program = scene.block.program
    found = [name for name in reversed(program.names) if len(scene.shape(name)) < 2]
    found.sort(key=lambda name: name not in (*program.states, *scene.gates))
    return [name for name in found if name != _value_at(scene)]


def _around(scene: Scene, states: RowBlock, room: int) -> RowBlock:
    """The rows of the blocks around the cursor's."""
    keys = _stepped(scene)
    here = keys.index(scene.block.key) if scene.block.key in keys else 0
    seen = window(len(states), room, here)
    return states[seen.start : seen.stop]


@by_run(16)
def _step_width(run: SessionRun, batch: int, sequence: str, row: int, alphabet: Alphabet, most: int) -> int:
    """The cells of one step: as wide as the widest of the first inputs, within bounds."""
    steps = min(run.tree.num_steps(batch, sequence), _MEASURED)
    shown = (_shown_input(run, batch, sequence, row, t, alphabet, most) for t in range(steps))
    widest = max(map(width, shown), default=0)
    return max(_NARROWEST, min(most, widest)) + 1


def _numbers(scene: Scene) -> CellText:
    wider = ("start", "epoch", "batch", "pass", "sequence")
    is_inside = scene.level not in wider and scene.spot.phase != "update"
    strange = scene.finding
    is_here = strange is not None and (strange.epoch, strange.batch) == (scene.run.epoch.index, scene.batch)
    marked = strange.t if strange is not None and is_here and strange.phase != "update" else None

    def number(t: int) -> tuple[str, str]:
        style = "now" if t == scene.t and is_inside else "bad" if t == marked else "dim"
        anew = scene.look.alphabet.anew if scene.begins_anew(t) else ""
        return f"{t + 1}{anew}{NOT_FINITE if t == marked else ''}", style

    return number


def _row(scene: Scene, label: str, columns: _Columns, cell: CellText, style: str) -> Row:
    size = columns.size
    label = cut(scene.look.alphabet.spell(label), columns.label - 2)
    spans = [Span(" "), Span(label, style), Span(" " * max(1, columns.label - 1 - width(label)))]
    for t in columns.ts:
        text, own = cell(t)
        text = text if t == columns.ts[-1] else cut(text, size - 1)  # there is nothing behind the last one
        spans.append(Span(text, own, f"go {scene.step_prefix}{t + 1}"))
        spans.append(Span(" " * (size - width(text))))
    return tuple(span for span in spans if span.text)


def _has_losses(scene: Scene, ts: range) -> bool:
    """Whether any of the steps that are seen has a loss."""
    steps = scene.run.tree.stage(scene.forward_at(scene.block.key, 0)).steps.get("loss", range(0))
    return any(t in steps for t in ts)


def _is_about_loss(scene: Scene) -> bool:
    """Whether the cursor is where the losses are what counts."""
    return not scene.is_forward or scene.block.kind in ("loss", "total")


def _loss(scene: Scene, t: int, size: int) -> str:
    """The loss of a step, once it is computed, with as many decimals as there is room for."""
    stage = scene.run.tree.stage(scene.forward_at("loss", t))
    if t not in stage.steps["loss"]:
        return ""
    spot = scene.forward_at("loss", t, stage.by_key["loss"].output)
    if not scene.is_done(spot):
        return scene.look.alphabet.ahead
    if scene.is_hidden(stage.by_key["loss"].output, spot):
        return "?"
    known = scene.known_at(spot)
    if known is None:
        return ""
    value = float(known[stage.by_key["loss"].output][0])
    places = min(scene.look.decimals, max(0, size - 4))
    return numbers.number(value, places, alphabet=scene.look.alphabet)


def _block_name(scene: Scene, key: str) -> str:
    """`L0`, of two directions `L0→`, of one of several modules `encoder.L0`."""
    block = scene.done.runs[key].block
    recurrent = scene.scenario.recurrent_of(block)
    own = layer_name(block.layer, block.direction, is_bidirectional=recurrent.bidirectional)
    if recurrent.is_alone:
        return own
    return f"{cut(recurrent.key, _LONGEST_LABEL - 3 - len(own))}.{own}"


def _blocks_row(scene: Scene, key: str, columns: _Columns) -> Row:
    """How far a layer is: ■ done, ▶ at it, · ahead; ● where a breakpoint stands. In the backward pass ■ come from the end."""
    name = _block_name(scene, key)
    alphabet = scene.look.alphabet
    is_back = scene.spot.phase == "backward"
    phase: Phase = "backward" if is_back else "forward"
    name = f"{D}{name}" if is_back else name
    spans = [Span(f" {alphabet.spell(name):<{columns.label - 1}}", "label")]
    stops = {
        one.step
        for one in scene.session.breakpoints
        if one.step is not None and one.phase == phase and one.sequence in (None, scene.sequence)
    }
    is_inside = (
        scene.level not in ("start", "epoch", "batch", "pass", "sequence") and scene.spot.phase == phase
    )
    prefix = write_prefix(scene.run.tree, replace(scene.spot, phase=phase))
    for t in columns.ts:
        spot = replace(scene.forward_at(key, t), phase=phase)
        is_here = is_inside and (t, key) == (scene.t, scene.spot.key)
        if is_here:
            sign, style = alphabet.current, "now"
        elif scene.run.row_index(spot, scene.row) is None:
            sign, style = " ", ""
        elif scene.is_done(spot):
            sign, style = alphabet.done, "ok"
        else:
            sign, style = alphabet.ahead, "dim"
        mark = alphabet.breakpoint if t in stops else ""
        strange = NOT_FINITE if scene.finding is not None and is_at(scene.finding, spot) else ""
        spans.append(Span(sign, style, f"go {prefix}{t + 1}/{key}"))
        spans.append(Span(strange, "bad", "press not_finite"))
        spans.append(Span(mark, "breakpoint"))
        spans.append(Span(" " * (columns.size - width(sign) - width(mark) - len(strange))))
    return tuple(span for span in spans if span.text)


def is_at(finding: NotFinite, spot: Spot) -> bool:
    """Whether a number is computed by a block at a step."""
    at = (finding.epoch, finding.batch, finding.phase, finding.key, finding.t)
    return at == (spot.epoch, spot.batch, spot.phase, spot.key, spot.t)


# ── letters ──────────────────────────────────────────────────────────────────────────


def shown_input(scene: Scene, t: int, most: int) -> str:
    """What goes in at a step: a letter, an index, or the numbers (as many as there is room for)."""
    if t >= scene.fed.true_lengths[scene.row]:
        return scene.look.say(Text("pad"))
    if not _is_known(scene, t):
        return scene.look.alphabet.ahead
    return _shown_input(scene.run, scene.batch, scene.sequence, scene.row, t, scene.look.alphabet, most)


def _is_known(scene: Scene, t: int) -> bool:
    """Whether what goes in at a step is known by now: of a sequence that a layer feeds once the step before has said it."""
    feeding = scene.scenario.feeds.get(scene.sequence)
    if feeding is None or not t or (feeding.teacher is not None and feeding.teacher[t]):
        return True
    block = last_block_of(scene.done.blocks, feeding.layer)
    return scene.is_done(scene.forward_at(block.key, t - 1))


@by_run(4096)
def _shown_input(
    run: SessionRun, number: int, sequence: str, row: int, t: int, alphabet: Alphabet, most: int
) -> str:
    fed = run.batch_of(number).sequences[sequence]
    if fed.shape is not None:
        return alphabet.spell(_steps_read(run, number, sequence, t))
    if fed.indices is not None:
        return _letter(run.scenario.vocabulary, int(fed.indices[t, row]), is_quoted=False)
    assert fed.values is not None
    x = fed.values[t, row, :most].tolist()
    text = " ".join(numbers.short(value, 2, alphabet=alphabet) for value in x)
    if len(x) < 2:
        return text
    # Brackets, as around a vector in Python: what stands side by side would run together.
    return f"[{text}]" if width(text) + 2 <= most else _cut_vector(text, most, alphabet)


def _input_name(scene: Scene) -> str:
    """What the row of what goes in is called: x_t, or of a sequence that a module begins that it reads steps."""
    return "x_t" if scene.fed.shape is None else scene.look.say(Text("reads"))


def _steps_read(run: SessionRun, number: int, sequence: str, t: int) -> str:
    """The steps that a window reads which begins a step of its sequence, from 1: `3–5`."""
    blocks = run.tree.stage(Spot(number)).blocks
    block = next(one for one in blocks if one.sequence == sequence and one.reads_along)
    steps = run.scenario.batches[number].sequences[block.reads_along].num_steps
    read = [wire.step_read(t, steps) for wire in block.windows.values()]
    first, end = max(0, min(read)), min(steps - 1, max(read))
    return f"{first + 1}" if first == end else f"{first + 1}–{end + 1}"


def _cut_vector(text: str, most: int, alphabet: Alphabet) -> str:
    """As many whole numbers as find room, and that there are more: `[0.5 −1 …]`."""
    room = most - 3 - width(alphabet.ellipsis)
    kept = cut(text, room + 1).rpartition(" ")[0] or cut(text, room)
    return f"[{kept} {alphabet.ellipsis}]"


def letter_of_input(scene: Scene, t: int) -> str:
    """The letter that goes in at a step, in quotes; "" where there is none."""
    indices = scene.fed.indices
    if indices is None or scene.scenario.vocabulary is None:
        return ""
    return _letter(scene.scenario.vocabulary, int(indices[t, scene.row]))


def quoted(scene: Scene, index: int) -> str:
    """` ('h')` for an index of the vocabulary; "" without one."""
    return "" if scene.scenario.vocabulary is None else f" ({_letter(scene.scenario.vocabulary, index)})"


def _letter(vocabulary: tuple[str, ...] | None, index: int, *, is_quoted: bool = True) -> str:
    if vocabulary is None or not 0 <= index < len(vocabulary):
        return str(index)
    letter = vocabulary[index]
    plain = letter if letter.isprintable() and letter.strip() else repr(letter)[1:-1] or "''"
    return f"'{plain}'" if is_quoted or not letter.strip() else plain


def predicted(scene: Scene, t: int, *, is_seen: bool = False) -> str:
    """The letter of the largest logit at a step, once it is computed; "" where there is nothing to say.

    `is_seen` asks only whether there is something to say at all.
    """
    scores = _scores(scene.done)
    if scores is None or not _has_classes(scene) or not _is_along_scored(scene):
        return ""
    if scores.ndim == 2 and t != scene.num_steps - 1:
        return ""
    if t >= scene.scenario.scored(scene.done.batch).true_lengths[scene.row]:  # the row is over
        return ""
    if not is_seen and not _is_scored(scene, t):
        return scene.look.alphabet.ahead
    if scene.is_hidden(scene.block.output) and t == scene.t:
        return "?"
    row = scores[t, scene.row] if scores.ndim == 3 else scores[scene.row]
    if np.isnan(row).any():
        return "NaN"
    drawn = scene.done.drawn
    said = np.argmax(row) if drawn is None else drawn[t, scene.row]
    return _letter(scene.scenario.class_names, int(said), is_quoted=False)


def _is_along_scored(scene: Scene) -> bool:
    """Whether the steps are those that have a target each; others have their own, of the same numbers."""
    return scene.sequence == scene.scenario.scored_sequence


def _is_scored(scene: Scene, t: int) -> bool:
    last = next(
        block for block in reversed(scene.done.blocks) if block.kind not in ("lookup", "loss", "total")
    )
    return scene.is_done(scene.forward_at(last.key, t))


def _has_classes(scene: Scene) -> bool:
    """Whether the output is a score for each class."""
    target = scene.done.batch.target
    if target is not None:
        return target.dtype.kind in "iu"
    vocabulary = scene.scenario.vocabulary
    scores = _scores(scene.done)
    return vocabulary is not None and scores is not None and scores.shape[-1] == len(vocabulary)


def _scores(done: Pass) -> Array | None:
    """The logits, (T, B, C) or (B, C) of the final state; without a linear layer the output is the logits."""
    return done.features if done.head is None else done.logits_by_row


def wanted(scene: Scene, t: int) -> str:
    """The target's letter at a step; of labels at the last step alone; nothing along a sequence that has no target."""
    target = scene.done.batch.target
    if target is None or target.dtype.kind not in "iu" or not _is_along_scored(scene):
        return ""
    if target.ndim == 1:
        last = scene.num_steps - 1
        if scene.scenario.loss is not None and scene.scenario.loss.at == "last":
            last = scene.done.axis("loss").last_step(scene.row)
        index = int(target[scene.row])
        return (
            _letter(scene.scenario.class_names, index, is_quoted=False) if t == last and index >= 0 else " "
        )
    index = int(target[t, scene.row])
    return _letter(scene.scenario.class_names, index, is_quoted=False) if index >= 0 else " "
