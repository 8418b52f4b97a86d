"""The training loop: over epochs, and over batches where there are several; and what the model answers in an epoch."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.language import Text
from rnnstep.program.data import entering_lines
from rnnstep.program.forward import (
    carried_lines,
    ends,
    first_lines,
    first_names,
    first_shape,
    gone_on_line,
    gone_on_lines,
)
from rnnstep.program.literals import words
from rnnstep.program.loss import criterion_line, learnt, loss_lines, model_lines, update_lines
from rnnstep.program.source import ProgramSource, indented, results
from rnnstep.program.wired import forward_lines
from rnnstep.scenario.keys import OPTIMIZERS, REFUSED
from rnnstep.scenario.model import Training

FEW_ANSWERS = 4  # rows whose answers are printed; of more the share of right ones tells enough


def vocabulary_lines(source: ProgramSource) -> Iterator[str]:
    """Give the line that makes `vocabulary`, what the classes are called, where answers are printed."""
    if not _says(source) or source.class_names is None:
        return
    if source.scenario.is_ascii and source.class_names == source.scenario.vocabulary:
        yield "vocabulary = [chr(code) for code in range(128)]"
    else:
        yield f"vocabulary = {words(source.class_names)}"


def answer_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that print the one batch's loss and answers."""
    shown = ""
    if _says(source):
        yield from _said(source)
        names = source.class_names
        # Control characters, of which ASCII has many, would steer the terminal.
        is_plain = names is None or all(name.isprintable() for name in names)
        shown = ", says {said}" if is_plain else ", says {said!r}"
    elif source.has_classes:
        yield f"accuracy = ({source.prediction} == target){_counted(source)}.float().mean().item()"
        shown = ", {accuracy:.1%} right"
    yield f'print(f"epoch {{epoch + 1}}: loss {{loss.item():{_digits(source)}}}{shown}")'


def mean_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that print the mean of all batches' losses, and the share of right answers."""
    shown = ", {right / count:.1%} right" if source.has_classes else ""
    shown += ", {tested:.1%} of the test rows" if source.is_tested else ""
    yield "mean = sum(losses) / len(losses)"
    yield f'print(f"epoch {{epoch + 1}}: loss {{mean:{_digits(source)}}}{shown}")'


def counting_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that count the right answers of a batch."""
    if source.has_classes:
        counted = _counted(source)
        yield f"right += ({source.prediction} == target){counted}.sum().item()"
        yield f"count += target{counted}.numel()"


def _says(source: ProgramSource) -> bool:
    return source.has_classes and not source.is_several and source.batch.num_rows <= FEW_ANSWERS


def _counted(source: ProgramSource) -> str:
    """Give what picks the answers that count, where some do not."""
    ignored = source.loss.ignore_index
    every = (*source.scenario.batches, *source.scenario.test_batches)
    has_ignored = any((batch.target == ignored).any() for batch in every if batch.target is not None)
    return f"[target != {ignored}]" if has_ignored else ""


def _digits(source: ProgramSource) -> str:
    """As many digits as tell two numbers of the scenario's dtype apart."""
    return ".17g" if source.is_double else ".9g"


def _said(source: ProgramSource) -> Iterator[str]:
    prediction = source.prediction
    is_single = source.batch.num_rows == 1
    rows = prediction if source.has_one_a_row or source.scenario.batch_first else f"{prediction}.T"
    scored = source.scenario.scored(source.batch)
    lengths = None if source.has_one_a_row else scored.lengths  # steps that are padding say nothing
    is_cut = lengths is not None and lengths[0] < scored.num_steps
    end = f"[:{lengths[0]}]" if is_single and is_cut and lengths is not None else ""
    each_length = (
        source.lengths_along(source.scenario.scored_sequence) if source.is_packed else list(lengths or ())
    )
    if source.class_names is None:
        if is_single or lengths is None:
            yield f"said = {f'{prediction}.flatten(){end}' if is_single else rows}.tolist()"
        else:
            yield f"said = [row[:length] for row, length in zip({rows}.tolist(), {each_length})]"
        return
    is_words = any(len(name) != 1 for name in source.class_names)
    if source.has_one_a_row:
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


# ── the loop ─────────────────────────────────────────────────────────────────────────────────────

_WRONG_SHAPE = "h_0_of_the_wrong_shape"
_NOT_RESET = "hidden_not_reset"


def training_lines(source: ProgramSource, training: Training) -> Iterator[str]:
    """Give the lines after the data: what comes out before training, the optimizer, and the loop."""
    if source.is_several:
        yield from _functions(source)
        yield from carried_lines(source)
        yield f"for {source.loop_names} in batches:  {source.comment(Text('before training'))}"
        yield from indented((*_asked(source), *printed_lines(source), *gone_on_lines(source)))
        yield ""
    elif training.is_refused:
        yield from (*entering_lines(source), *forward_lines(source), *printed_lines(source))
        yield ""
    yield criterion_line(source)
    yield from model_lines(source)
    yield _optimizer(source, training)
    yield ""
    if source.mistake == _NOT_RESET:
        yield from first_lines(source, str(source.batch.num_rows))
    yield f"for epoch in range({training.epochs}):"
    yield from indented(_epoch_of_batches(source) if source.is_several else _epoch(source))


def printed_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that print what came out of the modules."""
    numbers = ".detach()" if source.has_loss else ""
    for name in results(source.scenario):
        yield f'print("{name}", {name}{numbers}, sep="\\n")'


def _optimizer(source: ProgramSource, training: Training) -> str:
    """Give the optimizer with the arguments that are not torch's own."""
    defaults = OPTIMIZERS[training.optimizer]
    given = [f"{key}={value!r}" for key, value in training.arguments.items() if value != defaults[key]]
    return f"optimizer = torch.optim.{training.optimizer}({', '.join([learnt(source), *given])})"


# ── one batch: an epoch is one update ────────────────────────────────────────────────


def _epoch(source: ProgramSource) -> Iterator[str]:
    yield from _cleared(source)
    yield from entering_lines(source)
    yield from _wrong_first(source)
    yield from forward_lines(source, first=_takes_first(source), has_loss=source.has_loss_in_loop)
    yield from loss_lines(source)
    if source.mistake not in REFUSED:  # there the loop ends before it could print what came out
        yield f"if epoch == 0:  {source.comment(Text('before training'))}"
        yield from indented(printed_lines(source))
    yield from _updated(source)
    yield from answer_lines(source)


# ── several batches: an update each ──────────────────────────────────────────────────


def _functions(source: ProgramSource) -> Iterator[str]:
    """Give `forward`, and `accuracy` where there are rows to be tested on."""
    arguments = ", ".join(_arguments(source))
    yield ""
    yield f"def forward({arguments}):"
    yield from indented(entering_lines(source))
    yield from indented(forward_lines(source, first=_takes_first(source)))
    yield f"    return {', '.join(_returned(source))}"
    yield ""
    yield ""
    if source.is_tested:
        yield "@torch.no_grad()"
        yield "def accuracy(batches):"
        yield "    right, count = 0, 0"
        yield f"    for {source.loop_names} in batches:"
        yield from indented(indented((*_asked(source), *counting_lines(source))))
        yield "    return right / count"
        yield ""
        yield ""


def _arguments(source: ProgramSource) -> list[str]:
    first = [name for one in _taking_first(source) for name in first_names(one)]
    return ["x", *(["lengths"] if source.is_packed else []), *first]


def _returned(source: ProgramSource) -> list[str]:
    """What `forward` returns: what torch does, and all states that the next epoch or batch is to begin with."""
    return list(
        dict.fromkeys(
            [*results(source.scenario), *(name for one in _taking_first(source) for name in ends(one))]
        )
    )


def _call(source: ProgramSource) -> str:
    return f"{', '.join(_returned(source))} = forward({', '.join(_arguments(source))})"


def _asked(source: ProgramSource) -> Iterator[str]:
    """Ask the model from its right first states."""
    if _takes_first(source):
        yield from first_lines(source, source.rows)
    yield _call(source)


def _epoch_of_batches(source: ProgramSource) -> Iterator[str]:
    if source.is_tested:
        before = source.comment(Text("of the weights before the updates of this epoch"))
        yield f"tested = accuracy(test_batches)  {before}"
    yield "losses, right, count = [], 0, 0" if source.has_classes else "losses = []"
    yield from carried_lines(source)
    yield f"for {source.loop_names} in batches:"
    yield from indented(_batch(source))
    yield from mean_lines(source)


def _batch(source: ProgramSource) -> Iterator[str]:
    yield from _cleared(source)
    yield from _wrong_first(source)
    yield _call(source)
    yield from loss_lines(source)
    yield from _updated(source)
    if any(one.goes_on for one in source.each_recurrent):
        yield source.comment(Text("the state goes on to the next batch, the gradient does not go back"))
    yield from gone_on_lines(source)
    yield "losses.append(loss.item())"
    yield from counting_lines(source)


# ── an update, and the mistakes around it ────────────────────────────────────────────


def _takes_first(source: ProgramSource) -> bool:
    """Whether the states before the first step are the loop's own business."""
    return source.mistake in (_NOT_RESET, _WRONG_SHAPE)


def _taking_first(source: ProgramSource) -> list[ProgramSource]:
    """The modules whose states before the first step are the loop's own business, or go on from batch to batch."""
    return [one for one in source.each_recurrent if one.goes_on or _takes_first(source)]


def _cleared(source: ProgramSource) -> Iterator[str]:
    if source.mistake != "no_zero_grad":
        yield "optimizer.zero_grad()"
        return
    yield source.comment(
        Text("Mistake on purpose: the gradients are never cleared, so each is added to all before it.")
    )
    yield source.comment(Text("Cure: {code}", code="optimizer.zero_grad()"))


def _updated(source: ProgramSource) -> Iterator[str]:
    if source.mistake != "backward_inside_the_loop":
        yield from update_lines(source)
    if source.mistake != _NOT_RESET:
        return
    yield source.comment(
        Text("Mistake on purpose: the next epoch begins with the state at which this one ended.")
    )
    yield source.comment(Text("Cure: without this line every epoch begins afresh."))
    yield gone_on_line(source)


def _wrong_first(source: ProgramSource) -> Iterator[str]:
    """Give states whose first one has a shape that torch refuses."""
    if source.mistake != _WRONG_SHAPE:
        return
    (state, *others), (name, *_) = source.scenario.cell.states, first_names(source)
    right = first_shape(source, state, source.rows)
    if source.scenario.recurrent.is_cell:
        wrong = (1, *right)
    elif source.scenario.is_batched:
        wrong = right[1:]
    else:
        wrong = (right[0], 1, *right[1:])
    yield source.comment(
        Text("Mistake on purpose: {name} of the shape {wrong}; torch raises.", name=name, wrong=_shape(wrong))
    )
    yield source.comment(Text("Cure: the shape {right}.", right=_shape(right)))
    yield f"{name} = {source.zeros(*wrong)}"
    if others:
        yield from list(first_lines(source, source.rows))[1:]


def _shape(sizes: tuple[object, ...]) -> str:
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"
