"""The info page: shapes, where torch keeps each h, how many parameters and why, and what confirms what."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.session.edits import Target, current
from rnnstep.session.place import write_place
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot
from rnnstep.views import numbers
from rnnstep.views.compose import Block, wrap
from rnnstep.views.counts import KERNEL_SIZE, counts
from rnnstep.views.kept import where_torch_keeps
from rnnstep.views.look import Look
from rnnstep.views.markdown import plain_markdown
from rnnstep.views.rows import Row, Span, width
from rnnstep.views.shapes import Shape, data_shapes, weight_shapes

if TYPE_CHECKING:
    from rnnstep.reference import Checked

__all__ = ["info", "where_torch_keeps"]

WIDEST = 110  # a longer line of running text is hard to follow
_INDENT = 2


def info(session: Session, look: Look, width: int) -> list[Row]:
    """Give the page for a width of at least 20 cells: as many rows as it takes."""
    return _Page(session, look, min(width, WIDEST + 2 * _INDENT)).rows()


class _Page:
    """The sections, one after another."""

    def __init__(self, session: Session, look: Look, cells: int) -> None:
        self._session = session
        self._scenario = session.run.scenario
        self._look = look
        self._cells = cells - _INDENT - 1
        spot = session.spot
        self._number = spot.batch if spot is not None else 0
        self._batch = self._scenario.batches[self._number]

    def rows(self) -> list[Row]:
        sections = (
            self._about(),
            self._shapes(),
            self._kept(),
            self._counted(),
            self._confirmed(),
            self._numbers(),
            self._edits(),
        )
        found: list[Row] = []
        for section in sections:
            found += [(), *section] if found and section else section
        return found

    # ── how a section is set ─────────────────────────────────────────────────────────

    def _head(self, title: Text) -> Row:
        return (Span(f" {self._look.say(title)}", "title"),)

    def _said(self, text: Text, style: str = "") -> Block:
        return [_indented(Span(line, style)) for line in wrap(self._look.say(text), self._cells) if line]

    def _table(self, lines: Iterable[Row]) -> Block:
        """Set the spans of each line in columns; what does not fit beside goes below, one step in."""
        lines = list(lines)
        columns = max(map(len, lines), default=0)
        widths = [
            max((width(line[column].text) for line in lines if column < len(line)), default=0)
            for column in range(columns)
        ]
        return [row for line in lines for row in self._in_columns(line, widths)]

    def _in_columns(self, line: Row, widths: list[int]) -> Iterator[Row]:
        row: list[Span] = []
        used = 0
        for span, size in zip(line, widths, strict=False):
            if not span.text:
                continue
            if row and used + width(span.text) > self._cells:
                yield _indented(*row)
                row, used = [Span("  ")], 2
            pieces = wrap(span.text, max(2, self._cells - used))
            for piece in pieces[:-1]:
                row.append(span._replace(text=piece))
                yield _indented(*row)
                row, used = [Span("  ")], 2
            row.append(span._replace(text=pieces[-1]))
            used += width(pieces[-1])
            gap = max(0, size - width(span.text)) + 2
            row.append(Span(" " * gap))
            used += gap
        yield _indented(*row[:-1])

    # ── sections ─────────────────────────────────────────────────────────────────────

    def _about(self) -> Block:
        language = self._look.language
        title = self._scenario.title.into(language) or self._scenario.name
        rows: Block = [(Span(f" {line}", "bold"),) for line in wrap(self._spelt(title), self._cells)]
        summary = self._spelt(plain_markdown(self._scenario.summary.into(language)))
        return rows + [_indented(Span(line)) for line in (wrap(summary, self._cells) if summary else [])]

    def _spelt(self, text: str) -> str:
        return self._look.alphabet.spell(text)

    def _shapes(self) -> Block:
        rows: Block = [self._head(Text("Shapes, as torch has them"))]
        shapes = [*data_shapes(self._scenario, self._batch), *weight_shapes(self._scenario)]
        rows += self._table(self._shape(shape) for shape in shapes)
        if len(self._scenario.batches) > 1:
            count = len(self._scenario.batches)
            rows += self._said(
                Text("These are of batch {number} of {count}.", number=self._number + 1, count=count), "dim"
            )
        lengths = self._batch.lengths
        if lengths is not None and self._batch.packed:
            sizes = [sum(length > t for length in lengths) for t in range(max(lengths))]
            text = Text(
                "Packed: torch is given a PackedSequence whose data is ({total}, {size}), the real x of all rows,"
                " with batch_sizes {sizes}; what comes out is padded with zeros to seq_len again, and h_n is"
                " taken at each row's own last step.",
                total=sum(lengths),
                size=self._scenario.recurrent.input_size,
                sizes=_listed(sizes),
            )
            rows += self._said(text)
        elif lengths is not None:
            rows += self._said(
                Text(
                    "The padding is walked over: the rows have {lengths} real steps.",
                    lengths=_listed(lengths),
                )
            )
        return rows

    def _shape(self, shape: Shape) -> Row:
        remark = "" if shape.remark is None else self._look.say(shape.remark)
        words, sizes = _tuple(shape.words), _tuple(shape.sizes)
        return (Span(shape.name, "label"), Span(words), Span(f"= {sizes}", "bold"), Span(remark, "dim"))

    def _kept(self) -> Block:
        session, tree = self._session, self._session.tree
        row, has_batches = session.position.row, len(self._scenario.batches) > 1
        title = Text("Where torch keeps each state (row {row} of the batch)", row=row)
        lines: list[Row] = []
        for key, run in session.run.trace.passes[self._number].runs.items():
            last = self._batch.last_step(row)
            steps = [0] if last == 0 else [0, last]
            block = run.block
            for t in reversed(steps) if run.is_reversed else steps:
                for state in block.program.states:
                    path = tree.path_to(Spot(self._number, key, t, state))
                    target = "" if path is None else f"go {write_place(tree, path, has_batches=has_batches)}"
                    place = where_torch_keeps(
                        self._scenario, self._number, block.layer, block.direction, t, row, state
                    )
                    name = Span(f"{state}_{t + 1}", "link" if target else "label", target)
                    lines.append(
                        (Span(self._spelt(key), "label"), name, Span(self._look.say(place), "torch"))
                    )
        return [self._head(title), *self._table(lines)]

    def _counted(self) -> Block:
        found = counts(self._scenario, self._batch.num_steps)
        rows: Block = [self._head(Text("Parameters, and why they are shared"))]
        total = Text("in all")
        lines: list[Row] = []
        for shape in weight_shapes(self._scenario):
            product = self._spelt(" · ".join(map(str, shape.sizes)))
            lines.append((Span(shape.name, "label"), Span(f"{product} = {math.prod(shape.sizes):,}")))
        lines.append((Span(self._look.say(total), "bold"), Span(f"= {found.total:,}", "bold")))
        rows += self._table(lines)
        rows += self._said(
            Text(
                "The recurrent weights, {shared} without biases, are the same at every one of the {steps} steps;"
                " a longer sequence needs no more.",
                shared=f"{found.shared:,}",
                steps=found.steps,
            )
        )
        rows += self._said(
            Text(
                "One dense layer from all x at once to all h at once would need ({steps}·{entering}) × ({steps}·{leaving})"
                " = {dense} weights, four times as many for twice the length, and it would have to learn each"
                " pattern anew at each place.",
                steps=found.steps,
                entering=found.entering,
                leaving=found.leaving,
                dense=f"{found.dense:,}",
            )
        )
        rows += self._said(
            Text(
                "A convolution over time shares its weights as well: {entering}·{kernel}·{leaving} = {count} for"
                " {kernel} steps, but it sees no more than these {kernel}; h carries on what came before them.",
                entering=found.entering,
                leaving=found.leaving,
                kernel=KERNEL_SIZE,
                count=f"{found.convolution:,}",
            )
        )
        return rows + self._said(
            Text(
                "It is the same in images: a convolution of 5×5 from 128 to 64 channels has 128·5²·64 = 204,800"
                " weights, shared by all places; a dense layer from 4096 to 1024 has 4096·1024 = 4,194,304."
            )
        )

    def _confirmed(self) -> Block:
        rows: Block = [self._head(Text("What confirms these numbers"))]
        if self._scenario.recurrent.is_own:
            rows += self._said(
                Text(
                    "torch.nn has no such module. Self-check: the same equations, written with torch's own operations,"
                    " confirm every value."
                )
            )
        else:
            rows += self._said(
                Text(
                    "torch.nn: torch's own module confirms {results} and, stepped one time step and layer at a"
                    " time, every {states}.",
                    results=", ".join(["output", *(f"{name}_n" for name in self._scenario.cell.states)]),
                    states=", ".join(f"{name}_t" for name in self._scenario.cell.states),
                )
            )
            rows += self._said(
                Text(
                    "Self-check: torch does not hand out what lies inside (products, gates); the same equations, written"
                    " with torch's own operations, confirm it."
                )
            )
        rows += self._said(
            Text(
                "One step: from the very h that torch had before the step, ours and torch's may differ only by"
                " rounding. Agreement is judged by this."
            )
        )
        rows += self._said(
            Text(
                "Along the run: each goes on from its own h, so that differences add up; with large weights two right"
                " programs can part completely."
            )
        )
        return rows + self._verdict(self._session.run.checked)

    def _verdict(self, checked: Checked | None) -> Block:
        if checked is None:
            text = (
                Text("torch is not available")
                if self._look.torch == "failed"
                else Text("torch is on its way …")
            )
            return self._said(text, "pending")
        alphabet = self._look.alphabet
        sign = alphabet.check if checked.agrees else alphabet.wrong
        said = wrap(f"{sign} {self._look.say(checked.explanation)}", self._cells)
        rows = [_indented(Span(line, "ok" if checked.agrees else "bad")) for line in said]
        worst = checked.worst
        lines: list[Row] = []
        if worst is not None:
            place = f"{worst.key}/{worst.name}[{worst.element}]"
            where = place if worst.t is None else f"{worst.t + 1}/{place}"
            reach = Text(
                "{difference} at {place}, {share} % of the {allowed} that rounding explains",
                difference=self._brief(worst.difference),
                place=where,
                share=self._brief(100 * worst.share),
                allowed=self._brief(worst.allowed),
            )
            lines.append((Span(self._look.say(Text("one step")), "label"), Span(self._look.say(reach))))
        along = ", ".join(f"{name} {self._brief(value)}" for name, value in checked.max_abs_diff.items())
        lines.append((Span(self._look.say(Text("along the run")), "label"), Span(along)))
        return rows + self._table(lines)

    def _brief(self, value: float) -> str:
        return numbers.brief(value, 2, alphabet=self._look.alphabet)

    def _numbers(self) -> Block:
        rows: Block = [self._head(Text("Where the numbers come from"))]
        digits = (
            Text("float64: about 16 decimal digits")
            if self._scenario.dtype.itemsize == 8
            else Text("float32: about 7 decimal digits")
        )
        rows += self._said(Text("Computed in {dtype}, by torch as well.", dtype=digits))
        for text in _weight_sources(self._scenario.source):
            rows += self._said(text)
        return rows

    def _edits(self) -> Block:
        latest: dict[Target, float] = {edit.target: edit.value for edit in self._session.edits}
        unedited = self._session.unedited
        if not latest or unedited is None:
            return []
        saved = Text("saved") if not self._session.has_unsaved_edits else Text("not saved")
        title = Text("Edits in force ({saved})", saved=saved)
        lines: list[Row] = []
        for target, value in latest.items():
            old = numbers.short(current(unedited, target), 6, alphabet=self._look.alphabet)
            new = numbers.short(value, 6, alphabet=self._look.alphabet)
            where = f"x of batch {target.key}" if target.store == "values" else target.key
            lines.append(
                (
                    Span(f"{target.shown} = {new}", "changed"),
                    Span(self._look.say(Text("was {old}", old=old)), "old"),
                    Span(f"{where}[{','.join(map(str, target.index))}]", "dim"),
                )
            )
        return [self._head(title), *self._table(lines)]


def _indented(*spans: Span) -> Row:
    return (Span(" " * _INDENT), *spans)


def _tuple(parts: Iterable[object]) -> str:
    return f"({', '.join(map(str, parts))})"


def _listed(values: Iterable[int], most: int = 16) -> str:
    values = list(values)
    return f"[{', '.join(map(str, values[:most]))}{', …' if len(values) > most else ''}]"


def _weight_sources(source: str) -> Iterator[Text]:
    """Say what the file's [weights] are made of."""
    table = tomllib.loads(source).get("weights", {}) if source else {}
    if "seed" in table:
        yield Text(
            "Weights: what torch.manual_seed({seed}) and then constructing embedding, recurrent module and linear layer"
            " give.",
            seed=table["seed"],
        )
    if "round" in table:
        yield Text("They are rounded to {decimals} decimals, for work by hand.", decimals=table["round"])
    if "file" in table:
        yield Text("Weights: from the file {file}.", file=printable(table["file"]))
    arrays = [key for key in table if key not in ("seed", "file", "round", "prefix")]
    if arrays:
        shown = ", ".join(map(printable, arrays[:12])) + (", …" if len(arrays) > 12 else "")
        yield Text("Given in the scenario: {names}.", names=shown)
