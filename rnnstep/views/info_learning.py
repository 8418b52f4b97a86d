"""The info page on learning: the loss and what it can never reach, gradients, the loop in torch's words, a mistake and its cure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rnnstep.engine.least_loss import floor
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.model import Training
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot
from rnnstep.views.compose import RowBlock
from rnnstep.views.listing import formula
from rnnstep.views.look import Look
from rnnstep.views.page import Page
from rnnstep.views.rows import Row, Span
from rnnstep.views.shapes import weight_shapes

_TWICE = "loss_t = −ln softmax(softmax(logits_t))[target_t]"
_MISTAKES: Mapping[str, tuple[Text, Text]] = {
    "no_zero_grad": (
        Text(
            "optimizer.zero_grad() is left out: the gradients of all updates so far stay in W.grad and add up."
        ),
        Text("call optimizer.zero_grad() before each loss.backward()."),
    ),
    "backward_inside_the_loop": (
        Text(
            "loss.backward() stands inside the loop over the steps: at the second step it goes back through the"
            " first as well, whose graph the first call has freed."
        ),
        Text("add up the losses of the steps, and call loss.backward() once, after the loop."),
    ),
    "h_0_of_the_wrong_shape": (
        Text("h_0 has another shape than torch asks for. The numbers here are those of the right shape."),
        Text(
            "torch.zeros(num_layers * num_directions, B, hidden_size), or no h_0 at all: torch takes zeros."
        ),
    ),
    "softmax_before_cross_entropy": (
        Text(
            "the loss is given softmax(logits), and takes the softmax of that once more: its slopes are small."
        ),
        Text("give CrossEntropyLoss the logits themselves."),
    ),
    "hidden_not_reset": (
        Text(
            "the state at the end of an epoch is the first state of the next one: the same word is read otherwise."
        ),
        Text("begin each sequence with zeros."),
    ),
}


class LearningSections(Page):
    """The sections, for a scenario that has a loss."""

    def __init__(self, session: Session, look: Look, cells: int) -> None:
        super().__init__(look, cells)
        self._session = session
        self._scenario = session.run.scenario
        self._batch = self._scenario.batches[session.batch]

    def sections(self) -> Iterator[RowBlock]:
        """Loss, gradients and training, as far as there are such."""
        if self._scenario.has_loss:
            yield self._loss()
            yield self._gradients()
            if self._scenario.training is not None:
                yield self._training()

    # ── the loss ─────────────────────────────────────────────────────────────────────

    def _loss(self) -> RowBlock:
        loss = self._scenario.loss
        assert loss is not None
        total = self._session.tree.block(Spot(self._session.batch, "total")).program.lines[-1]
        training = self._scenario.training
        is_twice = training is not None and training.mistake == "softmax_before_cross_entropy"
        formulas = [_TWICE if is_twice else loss.kind.formula, formula(self._look, total)]
        rows = self._head(Text("The loss: {name}", name=loss.name))
        rows += [row for formula in formulas for row in self._written(formula, "now")]
        if self._scenario.reads_final_state:
            text = Text("One loss for each row of the batch, on the scores of its final state.")
            if any(
                one.value == "last" for one in self._scenario.wiring[self._scenario.scored_module.key].inputs
            ):
                text = Text("One loss for each row of the batch, on the scores of output[-1].")
        elif loss.at == "last":
            text = Text(
                'at = "last": one loss for each row of the batch, on the scores of its last step alone.'
            )
        elif loss.over_time == "sum":
            text = Text(
                'over_time = "sum": as in a loop over a cell, loss += criterion(h, y), the losses of the steps are'
                " added up."
            )
        else:
            text = Text('over_time = "together": the criterion is given all steps at once.')
        rows += self._said(text)
        if loss.of is not None:
            text = Text(
                'of = "{name}": it is of what that layer gives; what stands behind it has no gradient.',
                name=self._scenario.scored_module.name.removesuffix(".add"),
            )
            rows += self._said(text)
        if loss.reduction == "sum":
            rows += self._said(Text('reduction = "sum": what is compared at once is added up, not averaged.'))
        if "beta" in loss.options:
            rows += self._said(
                Text("beta = {beta}: near 0 a square, far off two straight lines.", beta=f"{loss.beta:g}")
            )
        if loss.factor != 1:
            rows += self._said(
                Text(
                    "factor = {factor}: torch's loss times it, and every gradient with it.",
                    factor=f"{loss.factor:g}",
                )
            )
        target = self._batch.target
        if target is not None and target.dtype.kind in "iu" and (target == loss.ignore_index).any():
            rows += self._said(
                Text("A target of {index} (ignore_index) counts for nothing.", index=loss.ignore_index)
            )
        found = floor(self._scenario, self._batch)
        return rows if found is None else rows + self._said(found.why)

    # ── gradients ────────────────────────────────────────────────────────────────────

    def _gradients(self) -> RowBlock:
        rows = self._head(Text("Gradients"))
        rows += self._said(
            Text("The gradient of a parameter has the parameter's shape: one number for each of its numbers.")
        )
        lines: list[Row] = [
            (
                Span(f"{shape.name}.grad", "label"),
                Span(f"({', '.join(map(str, shape.sizes))}{',' if len(shape.sizes) == 1 else ''})"),
            )
            for shape in weight_shapes(self._scenario)
        ]
        rows += self._table(lines)
        with_bias = [one for one in self._scenario.recurrents if one.bias is True and not one.is_own]
        for words in _each_once(one.cell.words.biases for one in with_bias):
            rows += self._said(
                words
                or Text(
                    "bias_ih and bias_hh have the same gradient: both are added to the same sum. One would do; torch"
                    " keeps two, as cuDNN does."
                )
            )
        if any(one.has_one_bias for one in self._scenario.recurrents):
            rows += self._said(
                Text(
                    'One bias, as most books have it (`bias = "ih"`): torch\'s bias_hh is zeros with requires_grad = False.'
                    " Of two an update would change the sum twice as much."
                )
            )
        return rows

    # ── training ─────────────────────────────────────────────────────────────────────

    def _training(self) -> RowBlock:
        training = self._scenario.training
        assert training is not None
        rows = self._head(Text("Training, in torch's words"))
        rows += self._table(
            (Span(call, "label"), Span(self._spelt(self._look.say(does)))) for call, does in _calls(training)
        )
        learning = self._session.run.learning
        block = learning.trainer.update_blocks(1)[-1]
        for line in block.program.lines:
            rows += self._written(formula(self._look, line), "now", step_in=2)
        if "bias_correction1" in block.program.inputs:
            rows += self._said(
                Text("bias_correction1 = 1 − β₁ᵏ and bias_correction2 = 1 − β₂ᵏ in the k-th update.")
            )
        if "clr" in block.program.inputs:
            rows += self._said(Text("clr = lr / (1 + (k − 1) · lr_decay) in the k-th update."))
        count = len(self._scenario.batches)
        text = Text("{epochs} epochs, {count} updates in each.", epochs=learning.num_epochs, count=count)
        if count == 1:
            text = Text("{epochs} epochs, one update in each.", epochs=learning.num_epochs)
        rows += self._said(text)
        if learning.trainer.unreached:
            text = Text(
                "No update changes {names}: the loss does not depend on it, and torch leaves its .grad None.",
                names=", ".join(sorted(learning.trainer.unreached)),
            )
            rows += self._said(text)
        return rows

    # ── the mistake ──────────────────────────────────────────────────────────────────

    def mistaken(self) -> Iterator[RowBlock]:
        """What is wrong on purpose, and its cure."""
        training = self._scenario.training
        mistake = None if training is None else training.mistake
        changed = [_assignment(key, value) for key, value in self._scenario.origins.cured()]
        if mistake is None and not changed:
            return
        rows = self._head(Text("The mistake, and its cure"))
        if mistake is not None:
            what, cure = _MISTAKES[mistake]
            rows += self._said(Text("The mistake: {what}", what=what), "bad")
            rows += self._said(Text("The cure: {cure}", cure=cure), "ok")
            rows += self._refused()
        if changed:
            rows += self._said(Text("Put right, the file would say:"))
            rows += [row for line in changed for row in self._written(line, "ok", step_in=2)]
        yield rows

    def _refused(self) -> RowBlock:
        """What torch said to the program with the mistake, in its own words."""
        rows: RowBlock = []
        for words in self._session.run.refusals:
            rows += self._said(Text("torch's answer to this: {what}", what=words.what))
            for line in words.code.split("\n"):
                rows += self._written(line, "now", step_in=2)
            rows += self._written(f"{words.error}: {words.message}", "bad", step_in=2)
        return rows


def _assignment(key: str, value: Any) -> str:
    """Write a key and what it is set to, as the file would."""
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return printable(f"{key} = {shown.lower() if isinstance(value, bool) else shown}")


def _calls(training: Training) -> Iterator[tuple[str, Text]]:
    """The calls of an update in torch's words, each with what it does."""
    yield (
        "optimizer.zero_grad()",
        Text("sets every gradient to zero: backward adds to what is there"),
    )
    yield "loss.backward()", Text("adds ∂loss/∂W to W.grad, for every parameter W")
    if training.clip_grad_value is not None:
        limit = f"{training.clip_grad_value:g}"
        yield (
            f"clip_grad_value_(…, {limit})",
            Text("holds each number of every gradient between −{limit} and {limit}", limit=limit),
        )
    if training.clip_grad_norm is not None:
        yield (
            f"clip_grad_norm_(…, {training.clip_grad_norm:g})",
            Text(
                "makes all gradients shorter together, if their norm is above {limit}",
                limit=training.clip_grad_norm,
            ),
        )
    yield (
        "optimizer.step()",
        Text("{optimizer}: of each number w and its gradient", optimizer=training.optimizer),
    )


def _each_once(texts: Iterable[Text | None]) -> list[Text | None]:
    found: list[Text | None] = []
    for text in texts:
        if text not in found:
            found.append(text)
    return found
