"""What the model answers in an epoch: letters where few rows are asked, else the share of right ones."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.export.program.literals import words
from rnnstep.export.program.source import Source

FEW_ANSWERS = 4  # rows whose answers are printed; of more the share of right ones tells enough


def vocabulary_lines(source: Source) -> Iterator[str]:
    """Give the line that makes `vocabulary`, what the classes are called, where answers are printed."""
    if not _says(source) or source.class_names is None:
        return
    if source.scenario.is_ascii and source.class_names == source.scenario.vocabulary:
        yield "vocabulary = [chr(code) for code in range(128)]"
    else:
        yield f"vocabulary = {words(source.class_names)}"


def answer_lines(source: Source) -> Iterator[str]:
    """Give the lines that print the one batch's loss and answers."""
    shown = ""
    if _says(source):
        yield from _said(source)
        names = source.class_names
        # Control characters, of which ASCII has many, would steer the terminal.
        is_plain = names is None or all(name.isprintable() for name in names)
        shown = ", says {said}" if is_plain else ", says {said!r}"
    elif source.has_classes:
        yield f"accuracy = ({source.scores}.argmax(dim=-1) == target){_counted(source)}.float().mean().item()"
        shown = ", {accuracy:.1%} right"
    yield f'print(f"epoch {{epoch + 1}}: loss {{loss.item():{_digits(source)}}}{shown}")'


def mean_lines(source: Source) -> Iterator[str]:
    """Give the lines that print the mean of all batches' losses, and the share of right answers."""
    shown = ", {right / count:.1%} right" if source.has_classes else ""
    shown += ", {tested:.1%} of the test rows" if source.is_tested else ""
    yield "mean = sum(losses) / len(losses)"
    yield f'print(f"epoch {{epoch + 1}}: loss {{mean:{_digits(source)}}}{shown}")'


def counting_lines(source: Source) -> Iterator[str]:
    """Give the lines that count the right answers of a batch."""
    if source.has_classes:
        counted = _counted(source)
        yield f"right += ({source.scores}.argmax(dim=-1) == target){counted}.sum().item()"
        yield f"count += target{counted}.numel()"


def _says(source: Source) -> bool:
    return source.has_classes and not source.is_several and source.batch.num_rows <= FEW_ANSWERS


def _counted(source: Source) -> str:
    """Give what picks the answers that count, where some do not."""
    ignored = source.loss.ignore_index
    every = (*source.scenario.batches, *source.scenario.test_batches)
    has_ignored = any((batch.target == ignored).any() for batch in every if batch.target is not None)
    return f"[target != {ignored}]" if has_ignored else ""


def _digits(source: Source) -> str:
    """As many digits as tell two numbers of the scenario's dtype apart."""
    return ".17g" if source.is_double else ".9g"


def _said(source: Source) -> Iterator[str]:
    prediction = f"{source.scores}.argmax(dim=-1)"
    is_single = source.batch.num_rows == 1
    rows = prediction if source.is_final or source.scenario.recurrent.batch_first else f"{prediction}.T"
    lengths = None if source.is_final else source.batch.lengths  # steps that are padding say nothing
    is_cut = lengths is not None and lengths[0] < source.batch.num_steps
    end = f"[:{lengths[0]}]" if is_single and is_cut and lengths is not None else ""
    each_length = "lengths" if source.is_packed else list(lengths or ())
    if source.class_names is None:
        if is_single or lengths is None:
            yield f"said = {f'{prediction}.flatten(){end}' if is_single else rows}.tolist()"
        else:
            yield f"said = [row[:length] for row, length in zip({rows}.tolist(), {each_length})]"
        return
    is_words = any(len(name) != 1 for name in source.class_names)
    if source.is_final:
        each = "vocabulary[index] for index in"
        yield f'said = " ".join({each} {prediction}.flatten())'
        return
    between = '" "' if is_words else '""'
    if is_single:
        yield f"said = {between}.join(vocabulary[index] for index in {prediction}.flatten(){end})"
        return
    if lengths is None:
        yield f"said = [{between}.join(vocabulary[index] for index in row) for row in {rows}]"
        return
    yield "said = ["
    yield f"    {between}.join(vocabulary[index] for index in row[:length])"
    yield f"    for row, length in zip({rows}, {each_length})"
    yield "]"
