"""The info page: shapes, where torch keeps each h, how many parameters and why, and what confirms what."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import INPUT
from rnnstep.scenario.model import FedSequence
from rnnstep.scenario.modules import fed_words, remarks
from rnnstep.scenario.origins import WeightsOrigin
from rnnstep.session.edits import EditTarget, batch_and_sequence, current
from rnnstep.session.findings import in_words
from rnnstep.session.place import write_place
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot
from rnnstep.views import numbers
from rnnstep.views.compose import RowBlock, wrap
from rnnstep.views.confirmation import confirmation
from rnnstep.views.costs import costs
from rnnstep.views.counts import KERNEL_SIZE, Counts, counts
from rnnstep.views.info_learning import LearningSections
from rnnstep.views.look import Look
from rnnstep.views.markdown import plain_markdown
from rnnstep.views.page import INDENT, Page, indented
from rnnstep.views.rows import Row, Span
from rnnstep.views.shapes import ValueShape, data_shapes, weight_shapes
from rnnstep.views.where_torch_keeps import where_modules_keep, where_torch_keeps

__all__ = ["info", "where_torch_keeps"]

WIDEST = 110  # a longer line of running text is hard to follow


def info(session: Session, look: Look, width: int) -> list[Row]:
    """Give the page for a width of at least 20 cells: as many rows as it takes."""
    return _Page(session, look, min(width, WIDEST + 2 * INDENT)).rows()


class _Page(Page):
    """The sections, one after another."""

    def __init__(self, session: Session, look: Look, cells: int) -> None:
        super().__init__(look, cells)
        self._session = session
        self._scenario = session.run.scenario
        self._number = session.batch
        self._batch = self._scenario.batches[self._number]

    def rows(self) -> list[Row]:
        sections = (
            self._about(),
            *LearningSections(self._session, self._look, self._cells + INDENT + 1).mistaken(),
            self._shapes(),
            self._kept(),
            self._counted(),
            self._costs(),
            *LearningSections(self._session, self._look, self._cells + INDENT + 1).sections(),
            self._confirmed(),
            self._numbers(),
            self._edits(),
        )
        found: list[Row] = []
        for section in sections:
            found += [(), *section] if found and section else section
        return found

    # ── sections ─────────────────────────────────────────────────────────────────────

    def _about(self) -> RowBlock:
        language = self._look.language
        title = self._scenario.title.into(language) or self._scenario.name
        rows: RowBlock = [(Span(f" {line}", "bold"),) for line in wrap(self._spelt(title), self._cells)]
        summary = self._spelt(plain_markdown(self._scenario.summary.into(language)))
        return rows + [indented(Span(line)) for line in (wrap(summary, self._cells) if summary else [])]

    def _shapes(self) -> RowBlock:
        rows = self._head(Text("Shapes, as torch has them"))
        shapes = [*data_shapes(self._scenario, self._batch), *weight_shapes(self._scenario)]
        rows += self._table(self._shape(shape) for shape in shapes)
        if len(self._scenario.batches) > 1:
            count = len(self._scenario.batches)
            rows += self._said(
                Text("These are of batch {number} of {count}.", number=self._number + 1, count=count), "dim"
            )
        for name, fed in self._batch.sequences.items():
            padding = self._padding(name, fed)
            if padding is not None and len(self._batch.sequences) > 1:
                rows += self._said(Text("Along {sequence}:", sequence=name))
            rows += self._said(padding) if padding is not None else []
        for recurrent in (one for one in self._scenario.recurrents if one.carry):
            states = ", ".join(f"{recurrent.before_places}{name}_0" for name in recurrent.cell.states)
            rows += self._said(
                Text(
                    "{states}: from batch to batch the states go on, as with h = h.detach() between them; each epoch begins anew.",
                    states=states,
                )
            )
        for name, feed in self._scenario.feeds.items():
            rows += self._said(fed_words(self._scenario, name, feed))
        for remark in remarks(self._scenario):
            rows += self._said(remark)
        return rows

    def _padding(self, name: str, fed: FedSequence) -> Text | None:
        """What becomes of rows of unlike length along a sequence; None where there are none, or nothing walks along it."""
        sequence_of = self._scenario.sequence_of
        along = next((one for one in self._scenario.recurrents if sequence_of[one.key] == name), None)
        if fed.lengths is None or along is None:
            return None
        if not fed.packed:
            return Text(
                "The padding is walked over: the rows have {lengths} real steps.",
                lengths=_listed(fed.lengths),
            )
        axis = fed.axis
        sizes = [sum(axis.is_live(t, row) for row in range(axis.num_rows)) for t in axis.order("forward")]
        return Text(
            "Packed: torch is given a PackedSequence whose data is ({total}, {size}), the real x of all rows,"
            " with batch_sizes {sizes}; what comes out is padded with zeros to seq_len again, and h_n is"
            " taken at each row's own last step.",
            total=sum(fed.lengths),
            size=along.input_size,
            sizes=_listed(sizes),
        )

    def _shape(self, shape: ValueShape) -> Row:
        remark = "" if shape.remark is None else self._look.say(shape.remark)
        words, sizes = _tuple(shape.words), _tuple(shape.sizes)
        return (Span(shape.name, "label"), Span(words), Span(f"= {sizes}", "bold"), Span(remark, "dim"))

    def _kept(self) -> RowBlock:
        session, tree = self._session, self._session.tree
        row = session.position.row
        title = Text("Where torch keeps each value")
        if self._batch.num_rows > 1:
            title = Text("Where torch keeps each value of row {row} of the batch", row=row)
        lines: list[Row] = []
        for key, run in session.run.trace.passes[self._number].runs.items():
            block, axis = run.block, self._batch.axis(run.block.sequence)
            first, last = axis.first_step(block.direction, row), axis.final_step(block.direction, row)
            for t in dict.fromkeys((first, last)):
                for state in block.program.states:
                    path = tree.path_to(Spot(self._number, key, t, state, epoch=session.run.epoch.index))
                    target = "" if path is None else f"go {write_place(tree, path)}"
                    place = where_torch_keeps(self._scenario, self._number, block, t, row, state)
                    name = Span(f"{state}_{t + 1}", "link" if target else "label", target)
                    lines.append(
                        (Span(self._spelt(key), "label"), name, Span(self._look.say(place), "torch"))
                    )
        lines += (
            (Span(one, "label"), Span(name, "label"), Span(self._look.say(place), "torch"))
            for one, name, place in self._kept_by_modules(row)
        )
        return [*self._head(title), *self._table(lines)]

    def _kept_by_modules(self, row: int) -> Iterator[tuple[str, str, Text]]:
        """Of each module without states where torch keeps its last value, and its buffers: block, name, place."""
        done = self._session.run.trace.passes[self._number]
        for module in self._scenario.layers:
            blocks = [block for block in done.blocks if block.module == module.key]
            if blocks and not isinstance(module, Recurrent):
                block, axis = blocks[-1], done.axis(blocks[-1].key)
                t = axis.end if block.extent.is_single else axis.last_step(row)
                for value, place in where_modules_keep(self._scenario, block, t, row):
                    yield block.key, value if block.extent.is_single else f"{value}_{t + 1}", place
            for name in (one.name for one in module.own_parameters if not one.is_learnt):
                yield module.name, name.removeprefix(f"{module.name}."), Text("{place}, a buffer", place=name)

    def _counted(self) -> RowBlock:
        rows = self._head(Text("Parameters, and why they are shared"))
        total = Text("in all")
        lines: list[Row] = []
        for shape in weight_shapes(self._scenario):
            product = self._spelt(" · ".join(map(str, shape.sizes)))
            lines.append((Span(shape.name, "label"), Span(f"{product} = {math.prod(shape.sizes):,}")))
        for module in self._scenario.layers:
            for own, other in module.tied:
                tied = self._look.say(Text("tied: is {name}, counted there", name=other))
                lines.append((Span(own, "label"), Span(tied, "dim")))
        count = counts(self._scenario, self._batch.first.num_steps).total
        lines.append((Span(self._look.say(total), "bold"), Span(f"= {count:,}", "bold")))
        rows += self._table(lines)
        sequences = self._scenario.sequence_of
        walked = dict.fromkeys(sequences[one.key] for one in self._scenario.recurrents)
        for sequence in walked:
            if len(walked) > 1:
                rows += self._said(Text("Along {sequence}:", sequence=sequence))
            rows += self._shared(counts(self._scenario, self._batch.sequences[sequence].num_steps, sequence))
        if not walked:
            return rows
        return rows + self._said(
            Text(
                "It is the same in images: a convolution of 5×5 from 128 to 64 channels has 128·5²·64 = 204,800"
                " weights, shared by all places; a dense layer from 4096 to 1024 has 4096·1024 = 4,194,304."
            )
        )

    def _shared(self, found: Counts) -> RowBlock:
        """Why the weights along a sequence are shared: what other layers would need for the same."""
        rows = self._said(
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
        return rows + self._said(
            Text(
                "A convolution over time shares its weights as well: {entering}·{kernel}·{leaving} = {count} for"
                " {kernel} steps, but it sees no more than these {kernel}; h carries on what came before them.",
                entering=found.entering,
                leaving=found.leaving,
                kernel=KERNEL_SIZE,
                count=f"{found.convolution:,}",
            )
        )

    def _costs(self) -> RowBlock:
        """What each module multiplies in one pass forward, with its parameters beside."""
        done = self._session.run.trace.passes[self._number]
        every = costs(self._scenario, done)
        say = self._look.say
        heads = (
            Text("module"),
            Text("parameters"),
            Text("multiplications"),
            Text("at a step of a row × steps of rows"),
        )
        lines: list[Row] = [tuple(Span(self._spelt(say(head)), "dim") for head in heads)]
        for one in every:
            product = self._spelt(" + ".join(f"{each:,} × {times:,}" for each, times in one.parts))
            cells = (f"{one.parameters:,}", f"{one.total:,}", product)
            lines.append((Span(one.name, "label"), *map(Span, cells)))
        if len(every) > 1:
            both = (sum(one.parameters for one in every), sum(one.total for one in every))
            cells_in_all = (say(Text("in all")), *(f"{one:,}" for one in both))
            lines.append(tuple(Span(cell, "bold") for cell in cells_in_all))
        rows = [*self._head(Text("What each module costs in one pass forward")), *self._table(lines)]
        rows += self._said(
            Text(
                "Counted from the equations: W @ x of W (m, n) is m·n. A division counts as one, a function such as tanh"
                " as none; the loss is left out."
            )
        )
        for key in (block.key for block in done.blocks if block.attends):
            memory = done.axis(done.graph.bank_source(key)).num_steps
            rows += self._said(
                Text(
                    "{name} compares each of {steps} queries with each of {memory} steps of the memory, {count} pairs a row:"
                    " of twice the length on both sides four times as many.",
                    name=key,
                    steps=done.axis(key).num_steps,
                    memory=memory,
                    count=f"{done.axis(key).num_steps * memory:,}",
                )
            )
        return rows

    def _confirmed(self) -> RowBlock:
        run = self._session.run
        finding = run.learning.finding
        is_here = finding is not None and finding.epoch == run.epoch.index
        told = in_words(run, finding) if finding is not None and is_here else None
        rows = confirmation(self._scenario, run.checked, self._look, self._cells, told)
        return [*self._head(Text("What confirms these numbers")), *(indented(*row) for row in rows)]

    def _numbers(self) -> RowBlock:
        rows = self._head(Text("Where the numbers come from"))
        digits = (
            Text("float64: about 16 decimal digits")
            if self._scenario.dtype.itemsize == 8
            else Text("float32: about 7 decimal digits")
        )
        rows += self._said(Text("Computed in {dtype}, by torch as well.", dtype=digits))
        for text in _weight_sources(self._scenario.origins.weights):
            rows += self._said(text)
        return rows

    def _edits(self) -> RowBlock:
        latest: dict[EditTarget, float] = {edit.target: edit.value for edit in self._session.edits}
        unedited = self._session.unedited
        if not latest or unedited is None:
            return []
        saved = Text("saved") if not self._session.has_unsaved_edits else Text("not saved")
        title = Text("Edits in force ({saved})", saved=saved)
        lines: list[Row] = []
        for target, value in latest.items():
            old = numbers.short(current(unedited, target), 6, alphabet=self._look.alphabet)
            new = numbers.short(value, 6, alphabet=self._look.alphabet)
            lines.append(
                (
                    Span(f"{target.shown} = {new}", "changed"),
                    Span(self._look.say(Text("was {old}", old=old)), "old"),
                    Span(self._look.say(_where(target)), "dim"),
                )
            )
        return [*self._head(title), *self._table(lines)]


def _where(target: EditTarget) -> Text:
    """Say where in the scenario a target stands."""
    if target.store == "values":
        t, row, _ = target.index
        of_batch, sequence = batch_and_sequence(target)
        where = Text("step {step}, row {row}, batch {batch}", step=t + 1, row=row, batch=of_batch + 1)
        return where if sequence == INPUT else Text("{sequence}: {where}", sequence=sequence, where=where)
    number, _, name = target.key.rpartition(" ")
    place = f"{name}[{','.join(map(str, target.index))}]"
    return (
        Text("{place} of batch {batch}", place=place, batch=int(number) + 1)
        if number
        else Text("{place}", place=place)
    )


def _tuple(parts: Iterable[object]) -> str:
    shown = list(map(str, parts))
    return f"({', '.join(shown)}{',' if len(shown) == 1 else ''})"


def _listed(values: Iterable[int], most: int = 16) -> str:
    values = list(values)
    return f"[{', '.join(map(str, values[:most]))}{', …' if len(values) > most else ''}]"


def _weight_sources(given: WeightsOrigin) -> Iterator[Text]:
    """Say what the parameters are made of."""
    if given.seed is not None:
        yield Text(
            "Weights: what torch.manual_seed({seed}) and then constructing embedding, recurrent module and linear layer"
            " give.",
            seed=given.seed,
        )
    if given.round is not None:
        yield Text("They are rounded for work by hand (decimals: {decimals}).", decimals=given.round)
    if given.of_file is not None:
        yield given.of_file
    if given.arrays:
        shown = ", ".join(map(printable, given.arrays[:12])) + (", …" if len(given.arrays) > 12 else "")
        yield Text("Given in the scenario: {names}.", names=shown)
