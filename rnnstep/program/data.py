"""What goes into the modules, `x`, and what should come out, `target`, as the scenario gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.shapes import as_torch_shows, state_as_torch_shows
from rnnstep.language import Text
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import INPUT, readers
from rnnstep.program.literals import WIDTH, nested, quoted, tensor, words
from rnnstep.program.own_cell import module_name
from rnnstep.program.source import ProgramSource, along, indented
from rnnstep.scenario.model import Batch, FedSequence
from rnnstep.scenario.origins import Draw, RowsOrigin, Windows


def rows_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that read the file of [data], and make `batches` and `test_batches` of it."""
    rows = source.origins.rows
    assert rows is not None
    yield f'with open({source.file(rows.file)}, encoding="utf-8-sig", newline="") as file:'
    yield "    header, *lines = ([cell.strip() for cell in line] for line in csv.reader(file))"
    columns = (f"header.index({quoted(name)})" for name in (rows.text, rows.label))
    yield f"text_at, label_at = {', '.join(columns)}"
    yield "rows = [(line[text_at], line[label_at]) for line in lines if any(line)]"
    yield "classes = sorted({label for _, label in rows})"
    if not source.scenario.is_ascii:
        yield f"vocabulary = {words(source.scenario.vocabulary or ())}"
    yield ""
    yield ""
    yield from _gathering(source, rows.batch_size)
    yield ""
    yield ""
    yield from _row_parts(source, rows)


def _gathering(source: ProgramSource, size: int) -> Iterator[str]:
    first = "batch_first=True" if source.scenario.batch_first else ""
    padded = f"nn.utils.rnn.pad_sequence({', '.join(['texts', *([first] if first else [])])})"
    yield "def batches_of(part):"
    yield "    batches = []"
    yield f"    for start in range(0, len(part), {size}):"
    yield f"        chosen = [rows[index] for index in part[start : start + {size}]]"
    yield f"        texts = [torch.tensor({_spelt(source)}) for text, _ in chosen]"
    yield f"        x = {padded}  {source.comment(Text('filled up with 0'))}"
    if source.is_packed:
        yield "        lengths = torch.tensor([len(text) for text in texts])"
    yield "        target = torch.tensor([classes.index(label) for _, label in chosen])"
    yield f"        batches.append(({source.loop_names}))"
    yield "    return batches"


def _spelt(source: ProgramSource) -> str:
    if source.scenario.is_ascii:
        return "[ord(letter) for letter in text]"
    vocabulary = source.scenario.vocabulary or ()
    if all(len(entry) == 1 for entry in vocabulary):
        return "[vocabulary.index(letter) for letter in text]"
    longest = "sorted(vocabulary, key=len, reverse=True)"
    found = f're.findall("|".join(map(re.escape, {longest})), text)'
    return f"[vocabulary.index(word) for word in {found}]"


def _row_parts(source: ProgramSource, rows: RowsOrigin) -> Iterator[str]:
    """Share out the rows: those kept apart, and those to train on."""
    share = rows.test
    if not share and not rows.shuffle:
        yield "batches = batches_of(range(len(rows)))"
        return
    yield f"order = np.random.default_rng({rows.seed}).permutation(len(rows))"
    if not share:
        yield "batches = batches_of(order)"
        return
    apart = source.comment(Text("the rows that are kept apart come first in it"))
    yield f"num_test = int(len(rows) * {share!r})  {apart}"
    train = "order[num_test:]"
    yield f"batches = batches_of({train if rows.shuffle else f'sorted({train})'})"
    if source.is_tested:
        yield "test_batches = batches_of(sorted(order[:num_test]))"


# ── what goes in ─────────────────────────────────────────────────────────────────────────────────


def input_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that make `x` (`indices` where an embedding looks them up), `lengths` and `target`."""
    batch = source.batch
    for sequence, fed in batch.beside.items():
        if sequence not in source.scenario.feeds:
            yield from _beside(source, sequence, fed)
    if INPUT in source.scenario.feeds:
        yield from _target(source, batch)
        return
    if batch.indices is not None:
        indices = f"torch.tensor({nested(_shown_indices(source, batch), indent=0)})"
        yield f"indices = {indices}  # {_axes(source)}"
        yield from _one_hot(source, "indices")
        if (
            batch.lengths is not None
            and source.is_one_hot
            and _reads_padding(source, INPUT, packed=batch.packed)
        ):
            yield from _cleared(source, f"{list(batch.lengths)}")
    else:
        yield f"x = {_values(source, batch)}  # {_axes(source, 'input_size')}"
    if batch.first.packed_lengths is not None:
        yield f"lengths = torch.tensor({list(batch.first.packed_lengths)})"
    yield from _target(source, batch)


def _target(source: ProgramSource, batch: Batch) -> Iterator[str]:
    if source.has_loss:
        yield f"target = {tensor(shown_target(source, batch))}  # {_target_axes(source)}"


def _reads_padding(source: ProgramSource, sequence: str, *, packed: bool) -> bool:
    """Whether a module reads the padding of short rows of a sequence: all do that are not packed."""
    scenario = source.scenario
    every = (scenario.by_key[key] for key in readers(sequence, scenario.wiring))
    return not packed or any(not isinstance(one, Recurrent) for one in every)


def _beside(source: ProgramSource, sequence: str, fed: FedSequence) -> Iterator[str]:
    """Give the lines that make `x` or `indices`, and `lengths`, of a sequence beside the first."""
    x, indices, lengths = (along(name, sequence) for name in ("x", "indices", "lengths"))
    if fed.indices is not None:
        yield f"{indices} = torch.tensor({nested(_laid_out(source, fed.indices), indent=0)})  # {_axes(source)}"
        if fed.values is not None:
            one_hot = f"nn.functional.one_hot({indices}, {fed.values.shape[2]}).to({source.dtype})"
            yield f"{x} = {one_hot}  # {_axes(source, 'input_size')}"
            if fed.lengths is not None and _reads_padding(source, sequence, packed=fed.packed):
                yield f"for row, length in enumerate({list(fed.lengths)}):"
                row = "row, length:" if source.scenario.batch_first else "length:, row"
                yield f"    {x}[{row}] = 0"
    else:
        assert fed.values is not None
        yield f"{x} = {tensor(_laid_out(source, fed.values))}  # {_axes(source, 'input_size')}"
    if fed.packed_lengths is not None:
        yield f"{lengths} = torch.tensor({list(fed.packed_lengths)})"


def entering_lines(source: ProgramSource) -> Iterator[str]:
    """Give what makes `x` anew in every pass: rows of an embedding, which are learnt too, or of one batch."""
    indices = "x" if source.is_several else "indices"
    table = source.scenario.lookup
    if source.is_wired and table is not None:
        return  # each of those that look up is called by name
    if table is not None:
        yield f"x = {module_name(table.key)}({indices})  # {_axes(source, 'input_size')}"
    elif source.is_several and source.batch.indices is not None:
        yield from _one_hot(source, indices)


def batches_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that make `batches`, and `test_batches` of rows kept apart."""
    if source.reads_rows:
        yield from rows_lines(source)
        return
    windows = source.origins.input.windows
    if windows is not None and (series := _series(source)) is not None:
        yield from _windows(source, windows, series)
        return
    yield from _listed("batches", source, source.scenario.batches)
    if source.is_tested:
        yield from _listed("test_batches", source, source.scenario.test_batches)


def shown_target(source: ProgramSource, batch: Batch) -> NDArray[Any]:
    """Give a batch's target in the shape that torch's loss is given it."""
    assert batch.target is not None
    if source.has_one_a_row:
        return batch.target if source.scenario.is_batched else batch.target[0]
    return _laid_out(source, batch.target)


def _listed(name: str, source: ProgramSource, batches: tuple[Batch, ...]) -> Iterator[str]:
    """Give a list of the batches, each what the loop over them takes."""
    yield f"{name} = ["
    for batch in batches:
        parts = _parts(source, batch, indent=4)
        line = f"({', '.join(parts)})" if len(parts) > 1 else parts[0]
        if len(parts) == 1 or ("\n" not in line and len(line) <= WIDTH):
            yield f"    {line},"
        else:
            yield "    ("
            yield from (f"        {part}," for part in _parts(source, batch, indent=8))
            yield "    ),"
    yield "]"


def _parts(source: ProgramSource, batch: Batch, *, indent: int) -> list[str]:
    if batch.indices is not None:
        parts = [f"torch.tensor({nested(_shown_indices(source, batch), indent=indent)})"]
    else:
        parts = [tensor(_shown_values(source, batch), indent=indent)]
    if source.is_packed:
        parts.append(f"torch.tensor({list(batch.first.true_lengths)})")
    if source.has_loss:
        parts.append(tensor(shown_target(source, batch), indent=indent))
    if source.has_own_states:
        states, sizes = source.scenario.initial_of(batch), source.scenario.recurrent.state_sizes
        for name, size in sizes.items():
            zeros = np.zeros(
                (source.scenario.recurrent.num_states, batch.num_rows, size), source.scenario.dtype
            )
            shown = state_as_torch_shows(
                source.scenario, source.scenario.recurrent, states.get(f"{name}_0", zeros)
            )
            parts.append(tensor(shown, indent=indent))
    return parts


def _one_hot(source: ProgramSource, name: str) -> Iterator[str]:
    if source.scenario.lookup is None:
        size = source.data_size
        one_hot = f"nn.functional.one_hot({name}, {size}).to({source.dtype})"
        yield f"x = {one_hot}  # {_axes(source, 'input_size')}"


def _cleared(source: ProgramSource, lengths: str) -> Iterator[str]:
    """Padding is zero vectors, not the one-hot vector of an index."""
    yield f"for row, length in enumerate({lengths}):"
    yield f"    x[{'row, length:' if source.scenario.batch_first else 'length:, row'}] = 0"


def _values(source: ProgramSource, batch: Batch) -> str:
    given = source.origins.input
    if given.windows is not None:  # all in one batch: what is drawn, or in a file, is the series
        return tensor(_shown_values(source, batch))
    if given.draw is not None:
        return f"torch.from_numpy({_drawn(given.draw)}).to({source.dtype})"
    name = given.file
    if name is not None and name.lower().endswith(".npy"):
        return f"torch.from_numpy(np.load({source.file(name)}).astype(float)).to({source.dtype})"
    return tensor(_shown_values(source, batch))


def _drawn(draw: Draw) -> str:
    return f"np.random.default_rng({draw.seed}).standard_normal({draw.shape})"


def _shown_values(source: ProgramSource, batch: Batch) -> NDArray[Any]:
    assert batch.values is not None
    return _laid_out(source, batch.values)


def _shown_indices(source: ProgramSource, batch: Batch) -> NDArray[Any]:
    assert batch.indices is not None
    return _laid_out(source, batch.indices)


def _laid_out(source: ProgramSource, whole: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(as_torch_shows(source.scenario, whole))


def _axes(source: ProgramSource, *rest: str) -> str:
    if not source.scenario.is_batched:
        axes = ["T"]
    else:
        axes = ["B", "T"] if source.scenario.batch_first else ["T", "B"]
    return f"({', '.join([*axes, *rest])})"


def _target_axes(source: ProgramSource) -> str:
    rest = [] if source.has_classes else ["features"]
    if not source.has_one_a_row:
        return _axes(source, *rest)
    return f"({', '.join([*(['B'] if source.scenario.is_batched else []), *rest])})"


# ── windows of a long series ─────────────────────────────────────────────────────────


def _series(source: ProgramSource) -> str | None:
    """Give the long series that windows are cut from; None where a file holds it."""
    given = source.origins.input
    if given.draw is not None:
        return f"torch.from_numpy({_drawn(given.draw)}).to({source.dtype})"
    if given.series is None:
        return None
    return tensor(given.series.astype(source.scenario.dtype))


def _windows(source: ProgramSource, windows: Windows, series: str) -> Iterator[str]:
    size = source.data_size
    length, horizon = windows.length, windows.horizon
    yield f"series = {series}.reshape(-1, {size})"
    is_in_parts = windows.carry and windows.batch_size > 1
    if is_in_parts:
        yield from _starts_in_parts(source, windows)
    elif windows.pad is None:
        yield f"starts = range(0, len(series) - {length + (horizon or 0) - 1}, {windows.stride})"
    else:
        yield f"starts = range(0, len(series), {windows.stride})"
    if windows.pad is None:
        yield f"windows = {_cut(source, f'start : start + {length}')}  # {_axes(source, 'input_size')}"
    else:
        pad = float(windows.pad)
        end = f"min(start + {length}, (start // share + 1) * share)" if is_in_parts else f"start + {length}"
        yield f"windows = torch.full(({length}, len(starts), {size}), {pad!r}, dtype={source.dtype})"
        yield "for number, start in enumerate(starts):"
        yield from indented((f"part = series[start : {end}]", "windows[: len(part), number] = part"))
        if source.scenario.batch_first:
            yield f"windows = windows.transpose(0, 1)  # {_axes(source, 'input_size')}"
    rows = int(not source.scenario.batch_first)
    count = windows.batch_size
    split = f"windows.split({count}, dim={rows})"
    if not source.has_loss:
        yield f"batches = {split}  {source.comment(Text('each {axes}', axes=_axes(source, 'input_size')))}"
        return
    axis = 0 if source.has_one_a_row else rows
    if horizon is not None and source.has_one_a_row:
        target = f"series[[start + {length - 1 + horizon} for start in starts]]"
    elif horizon is not None:
        target = _cut(source, f"start + {horizon} : start + {horizon + length}")
    else:
        every = [shown_target(source, batch) for batch in source.scenario.batches]
        target = tensor(np.concatenate(every, axis))
    yield f"target = {target}  # {_target_axes(source)}"
    yield f"batches = list(zip({split}, target.split({count}, dim={axis})))"


def _starts_in_parts(source: ProgramSource, windows: Windows) -> Iterator[str]:
    """Give where windows begin in equal parts, the next one of each for each batch."""
    rows, length, horizon = windows.batch_size, windows.length, windows.horizon
    said = source.comment(Text("of each row, which the next batch goes on with"))
    yield f"share = len(series) // {rows}  {said}"
    end = "share" if horizon is None else f"min(share, len(series) - {rows - 1} * share - {horizon})"
    stop = f"{end} - {length - 1}" if windows.pad is None else end
    yield f"starts = [row * share + start for start in range(0, {stop}, {length}) for row in range({rows})]"


def _cut(source: ProgramSource, part: str) -> str:
    """Parts of the series beside each other, one from each start."""
    dim = int(not source.scenario.batch_first)
    return f"torch.stack([series[{part}] for start in starts], dim={dim})"
