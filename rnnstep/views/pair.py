"""Two runs under one cursor: the values of the place above each other, and their difference below.

  hello ✓       hh     0.2197  −0.1919  −0.1108  −0.2741
  hello_lstm ✓  hh_g  −0.4221  −0.0044  −0.1676  −0.4271
  Δ                  ▅+0.6418 ▂−0.1875 ▁+0.0568 ▂+0.1530

The bar before a difference says how large it is beside the largest number of both runs, its sign which way; a blank is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.language import Text
from rnnstep.session.counterpart import same_part
from rnnstep.session.tree import index_of
from rnnstep.views import grids, heat, numbers, torch_column
from rnnstep.views.compose import RowBlock, beside, box, clip, fit, pad, wrap
from rnnstep.views.picture import picture, picture_title
from rnnstep.views.rows import Row, Span, row_width, width
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_NUMBERS = 12
"""Cells below which names are cut, so that numbers have room."""
_MOST_OF_NAMES = 24
_USUAL = 4
"""The rows of one value, which are kept where there is less to say, so that nothing moves from place to place."""
_TINY = 1e-300


@dataclass(frozen=True, eq=False, slots=True)
class _Line:
    """A vector of one run: its name, what is seen of it (None: nothing), and how many numbers of it."""

    scene: Scene
    name: str
    shown: str
    values: NDArray[np.float64] | None
    size: int
    seen: int

    @property
    def is_whole(self) -> bool:
        """Whether all of its numbers are seen."""
        return self.values is not None and self.seen >= self.size


def is_paired(scene: Scene) -> bool:
    """Whether something stands beside the run."""
    return scene.across is not None


def names(scene: Scene) -> tuple[str, str]:
    """How the two runs are called."""
    pair = scene.session.beside
    assert pair is not None
    first, second = pair.names(scene.run)
    return scene.look.say(first), scene.look.say(second)


def pair(scene: Scene, cells: int, height: int) -> RowBlock:
    """Draw what both runs have at the cursor, and the difference, in at most `height` rows."""
    rows = [fit(row, cells, scene.look.alphabet) for row in _rows(scene, cells, height)][:height]
    return pad(rows, cells, max(len(rows), min(height, _USUAL)), scene.look.alphabet)


def _rows(scene: Scene, cells: int, height: int) -> RowBlock:
    across = scene.across
    assert across is not None
    second = scene.second
    if scene.level == "start":
        return _at_start(scene)
    if scene.level in ("epoch", "batch", "pass"):
        return _losses(scene, second)
    found: RowBlock = []
    for name, other in _compared(scene, second):
        rows = _compare(scene, second, name, other, cells)
        if found and len(found) + len(rows) > height:
            break
        found += rows
    if second is None:
        assert across.reason is not None
        found[1:1] = [(Span(line, "warn"),) for line in wrap(scene.look.say(across.reason), cells)]
    return found


# ── what is compared ─────────────────────────────────────────────────────────────────────────────


def _compared(scene: Scene, second: Scene | None) -> Iterator[tuple[str, str | None]]:
    """The names of what stands under each other: the operation; of a block or step what it gives, and its states."""
    if scene.spot.operation is not None:
        yield scene.spot.operation, None if second is None else second.spot.operation
        return
    block = scene.block
    for name in dict.fromkeys((block.output, *block.program.states)):
        there = None if second is None else _like_block(scene, second).block
        other = None
        if there is not None and name == block.output and there.kind == block.kind:
            other = there.output
        elif there is not None:
            other = same_part(name, there.program.names)
        if second is None or other is not None or name == block.output:
            yield name, other


def _like_block(scene: Scene, second: Scene) -> Scene:
    """The second run at the block of a step that is of the same kind as the first's, else where it is."""
    if second.block.kind == scene.block.kind or scene.level != "step":
        return second
    stage = second.run.tree.stage(second.spot)
    alike = [
        second.at(block.key, second.t)
        for block in stage.blocks
        if block.kind == scene.block.kind and second.t in stage.steps[block.key]
    ]
    return second.seen_from(alike[-1]) if alike else second


def _line(scene: Scene, name: str, shown: str) -> _Line:
    """A value of the block at the cursor; of a matrix the row that the cursor is in, else the first."""
    shape = scene.shape(name)
    known = scene.known
    is_seen = known is not None and scene.is_shown(name)
    seen = scene.elements_done(name)
    values = None if known is None or not is_seen else np.asarray(known[name], np.float64)
    if len(shape) == 1:
        size = shape[0]
        flat = None if values is None else values.reshape(-1)
        return _Line(scene, name, shown, flat, size, size if seen is None else seen)
    size = int(np.prod(shape[1:]))
    row = _row_of(scene, name, shape)
    flat = None if values is None else values.reshape(shape[0], size)[row]
    count = size if seen is None else min(size, max(0, seen - row * size))
    return _Line(scene, name, f"{shown}[{row}]", flat, size, count)


def _row_of(scene: Scene, name: str, shape: tuple[int, ...]) -> int:
    spot = scene.cursor
    if spot is None or spot.element is None or spot.operation != name:
        return 0
    return min(index_of(scene.block, name, spot.element)[0], shape[0] - 1)


# ── above each other ─────────────────────────────────────────────────────────────────────────────


def _compare(scene: Scene, second: Scene | None, name: str, other: str | None, cells: int) -> RowBlock:
    """Both runs' numbers of a value, and the difference."""
    look = scene.look
    first_name, second_name = names(scene)
    lines = [_line(scene, name, name)]
    beside_it = None if second is None else _like_block(scene, second)
    if beside_it is not None and other is not None:
        lines.append(_line(beside_it, other, other))
    gap, reason = _gap(lines, look.say(Text("{name} has no {value}", name=second_name, value=name)))
    heads = _heads(lines, (first_name, second_name))
    difference = look.alphabet.spell("Δ")
    label = max(width(difference), *map(row_width, heads))
    label = min(label, max(_MOST_OF_NAMES, cells - _LEAST_NUMBERS * 4)) + 2
    columns = _columns(lines, gap, cells - label)
    rows = [
        (*_padded(head, label, scene), *_numbers(one, columns))
        for head, one in zip(heads, lines, strict=True)
    ]
    if gap is not None:
        rows.append((*_padded((Span(difference, "label"),), label, scene), *_gaps(scene, gap, columns)))
        rows += _largest(scene, gap, columns)
    elif reason and second is not None:
        rows += [(Span(text, "warn"),) for text in wrap(look.alphabet.spell(reason), cells)]
    return rows


def _gap(lines: list[_Line], no_value: str) -> tuple[NDArray[np.float64] | None, str]:
    """The difference as far as both are seen; without one the reason."""
    if len(lines) == 1:
        return None, no_value
    first, second = lines
    if first.size != second.size:
        text = Text(
            "{first} numbers beside {second}: nothing to subtract", first=first.size, second=second.size
        )
        return None, first.scene.look.say(text)
    if first.values is None or second.values is None:
        return None, ""
    with np.errstate(invalid="ignore"):
        gap = first.values - second.values
    same = (first.values == second.values) | (np.isnan(first.values) & np.isnan(second.values))
    return np.where(same, 0.0, gap)[: min(first.seen, second.seen)], ""


def _heads(lines: list[_Line], called: tuple[str, str]) -> list[Row]:
    """Each run's name, torch's word on it, and the value's name, in columns."""
    spell = lines[0].scene.look.alphabet.spell
    names = [spell(name) for name in called[: len(lines)]]
    signs = [_sign(line.scene, line.name) for line in lines]
    room = max(map(width, names)), max(map(row_width, signs))
    return [
        (
            Span(name + " " * (room[0] - width(name) + 1), "bold"),
            *sign,
            Span(" " * (room[1] - row_width(sign) + 1) + spell(line.shown), "label"),
        )
        for line, name, sign in zip(lines, names, signs, strict=True)
    ]


def _sign(scene: Scene, name: str) -> Row:
    """✓, ✗ or ! of torch; … while it is on its way."""
    if scene.checked is None:
        return (Span(scene.look.alphabet.ellipsis, "pending"),) if scene.look.torch == "loading" else ()
    agrees = torch_column.agrees(scene, name)
    if agrees is None or not scene.is_shown(name):
        return ()
    known = None if scene.known is None else scene.known[name]
    return (torch_column.sign(scene, known, agrees=agrees),)


def _padded(head: Row, cells: int, scene: Scene) -> Row:
    row = clip(head, cells - 2, scene.look.alphabet)
    return (*row, Span(" " * (cells - row_width(row))))


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which numbers are seen, how wide each is, and the one that the cursor is at."""

    seen: grids.Window
    size: int
    focus: int | None
    scale: float


def _columns(lines: list[_Line], gap: NDArray[np.float64] | None, cells: int) -> _Columns:
    """A window about the cursor's number, else about the largest difference."""
    scene = lines[0].scene
    decimals, alphabet = scene.look.decimals, scene.look.alphabet
    texts = [text for line in lines for text in _texts(line)]
    texts += (
        [] if gap is None else [f"#{numbers.gap(float(one), decimals, alphabet=alphabet)}" for one in gap]
    )
    size = max([decimals + 4, *map(len, texts)])
    spot = scene.cursor
    focus: int | None = None
    if spot is not None and spot.element is not None and spot.operation == lines[0].name:
        focus = index_of(scene.block, lines[0].name, spot.element)[-1] if scene.shape(lines[0].name) else 0
    middle = focus
    if middle is None and gap is not None and gap.size:
        middle = int(np.argmax(np.nan_to_num(np.abs(gap), nan=np.inf)))
    count = max(line.size for line in lines)
    scale = max(line.scene.scale_of(line.name) for line in lines)
    return _Columns(grids.window(count, max(1, cells // (size + 1)), middle), size, focus, scale)


def _texts(line: _Line) -> list[str]:
    if line.values is None or not line.values.size:
        return []
    look = line.scene.look
    return numbers.matrix(line.values[None], look.decimals, alphabet=look.alphabet)[0]


def _numbers(line: _Line, columns: _Columns) -> Row:
    scene = line.scene
    alphabet = scene.look.alphabet
    texts = _texts(line)
    cover = "?" if scene.is_hidden(line.name) else alphabet.ahead
    spans = []
    for number in range(columns.seen.start, min(columns.seen.stop, line.size)):
        if number >= len(texts) or number >= line.seen or line.values is None:
            spans.append(Span(f" {cover.rjust(columns.size)}", "hidden" if cover == "?" else "dim"))
            continue
        level = int(heat.levels([line.values[number]], scene.kind(line.name), columns.scale)[0])
        style = heat.style(scene.kind(line.name), level) + (" cursor" if number == columns.focus else "")
        spans.append(Span(f" {texts[number].rjust(columns.size)}", style))
    if columns.seen.stop < line.size or columns.seen.start:
        spans.append(Span(f" {alphabet.ellipsis}", "dim"))
    return tuple(spans)


def _gaps(scene: Scene, gap: NDArray[np.float64], columns: _Columns) -> Row:
    """Each difference with the bar of its size and its sign."""
    look = scene.look
    spans = []
    for number in range(columns.seen.start, min(columns.seen.stop, len(gap))):
        value = float(gap[number])
        text = numbers.gap(value, look.decimals, alphabet=look.alphabet)
        level = int(heat.levels([value], "state", columns.scale)[0])
        shown = f"{_bar(scene, value, columns.scale)}{text}".rjust(columns.size)
        spans.append(Span(f" {shown}", heat.style("state", level) if value else "dim"))
    return tuple(spans)


def _bar(scene: Scene, value: float, scale: float) -> str:
    """How large a difference is beside the largest number of both runs: one of eight heights, a blank of none."""
    levels = scene.look.alphabet.levels
    if value == 0:
        return ""
    if not np.isfinite(value):
        return levels[-1]
    share = min(1.0, abs(value) / max(scale, _TINY))
    return levels[min(len(levels) - 1, int(share * len(levels)))]


def _largest(scene: Scene, gap: NDArray[np.float64], columns: _Columns) -> RowBlock:
    """Where the largest difference is, of several; and which numbers are seen."""
    look = scene.look
    parts = []
    if gap.size > 1 and gap.any():
        at = int(np.argmax(np.nan_to_num(np.abs(gap), nan=np.inf)))
        shown = numbers.gap(float(gap[at]), look.decimals, alphabet=look.alphabet)
        parts.append(look.say(Text("largest difference {gap} at [{element}]", gap=shown, element=at)))
    elif gap.size and not gap.any():
        parts.append(look.say(Text("no difference")))
    if not columns.seen.is_whole:
        parts.append(look.alphabet.spell(str(columns.seen)))
    return [(Span("   ".join(parts), "dim"),)] if parts else []


# ── what is wider ────────────────────────────────────────────────────────────────────────────────


def _at_start(scene: Scene) -> RowBlock:
    """What the two runs are."""
    from rnnstep.views.header import modules_in_words

    assert scene.session.beside is not None
    scenarios = (scene.scenario, scene.session.beside.run.scenario)
    called = names(scene)
    label = max(map(width, called)) + 2
    spell = scene.look.alphabet.spell
    rows: RowBlock = []
    for name, scenario in zip(called, scenarios, strict=True):
        dtype = scenario.display.dtype
        rows.append(
            (
                Span(spell(name + " " * (label - width(name))), "bold"),
                Span(spell(f"{modules_in_words(scenario)}, {dtype}")),
            )
        )
    return [*rows, (Span(scene.look.say(Text("every move moves both")), "dim"),)]


def _losses(scene: Scene, second: Scene | None) -> RowBlock:
    """Of a pass, batch or epoch: the loss of the batch in both runs."""
    look = scene.look
    decimals, alphabet = look.decimals, look.alphabet
    called = [alphabet.spell(name) for name in names(scene)]
    heads = [*called, alphabet.spell("Δ")]
    label = max(map(width, heads)) + 2
    shown: list[str] = []
    losses: list[float] = []
    for one in (scene, second):
        loss = None if one is None else one.done.loss
        if one is None or loss is None or one.session.is_hidden:
            shown.append("?" if one is not None and one.session.is_hidden else look.say(Text("no loss")))
            continue
        losses.append(float(loss))
        shown.append(f"{look.say(Text('loss'))} {numbers.number(float(loss), decimals, alphabet=alphabet)}")
    if len(losses) == 2:
        gap = 0.0 if losses[0] == losses[1] else losses[0] - losses[1]
        bar = _bar(scene, gap, max(map(abs, losses)))
        shown.append(f"{bar}{numbers.gap(gap, decimals, alphabet=alphabet)}")
    rows: RowBlock = [
        (Span(head + " " * (label - width(head)), "bold"), Span(text))
        for head, text in zip(heads, shown, strict=False)
    ]
    if second is None:
        assert scene.across is not None
        assert scene.across.reason is not None
        rows[1:] = [(Span(look.say(scene.across.reason), "warn"),)]
    return rows


# ── side by side ─────────────────────────────────────────────────────────────────────────────────


def side_by_side(scene: Scene, cells: int, height: int) -> RowBlock:
    """Draw the picture of the place in both runs, next to each other."""
    alphabet = scene.look.alphabet
    half = (cells - 1) // 2
    second = scene.second
    drawn = [picture(one, half - 4, height - 2) if one is not None else [] for one in (scene, second)]
    if second is None:
        assert scene.across is not None
        assert scene.across.reason is not None
        drawn[1] = [(Span(line, "warn"),) for line in wrap(scene.look.say(scene.across.reason), half - 4)]
    tall = min(height, max(map(len, drawn)) + 2)
    titles = [
        f"{name}  {'' if one is None else picture_title(one)}".rstrip()
        for name, one in zip(names(scene), (scene, second), strict=True)
    ]
    boxes = [
        box(pad(rows[: tall - 2], size - 4, tall - 2, alphabet), title, size, tall, alphabet=alphabet)
        for rows, title, size in zip(drawn, titles, (half, cells - half - 1), strict=True)
    ]
    return beside(boxes, gap=1)
