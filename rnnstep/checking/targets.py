"""Which numbers of a run an answer's name stands for: the lines they are the results of, piece by piece.

| name                    | of                                                                               |
|-------------------------|----------------------------------------------------------------------------------|
| `h`, `ih`, `a_i` …      | a line of a recurrent block, at a step                                           |
| `x`                     | what enters a recurrent block, at a step                                         |
| `output`                | the last layer's states at a step, both directions joined                        |
| `h_n`, `c_n`            | the final states, in torch's shape for one row                                   |
| `logits`                | the linear layer, at a step or of h_n; without one what `output` is              |
| `p`, `log_p`, `nll` …   | a line of the loss, at a step                                                    |
| `loss`                  | the one number; with a step that step's own loss                                 |
| `grad.NAME`             | ∂L/∂ of a parameter under torch's name; with a step ∂L/∂ of a value              |
| `update.NAME`           | what the optimizer takes off a parameter; `w.NAME` the parameter after that      |
| `adam.m.NAME`           | a line of the optimizer, `m`, `v`, `m_hat` …: in the place of `adam` any optimizer |
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from rnnstep.checking.answers import Answer
from rnnstep.checking.own import Place
from rnnstep.checking.target import NoTarget, Part, Target
from rnnstep.checking.target_forward import ForwardFinder
from rnnstep.engine.learning import Learning
from rnnstep.engine.passes import Pass
from rnnstep.equations.shares import D
from rnnstep.language import Text
from rnnstep.scenario.keys import closest

__all__ = ["NoTarget", "Part", "Target", "Targets", "gradient_target"]


class Targets:
    """Finds what answers are about in one scenario's training."""

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._scenario = learning.scenario

    def of(self, answer: Answer) -> Target:
        """Give what an answer is about.

        Raises:
            NoTarget: nothing of the run; what is wrong, and which key says it.
        """
        epoch = 0 if answer.epoch is None else answer.epoch - 1
        if epoch >= self._learning.num_epochs:
            most = self._learning.num_epochs
            raise NoTarget(
                Text("there is no epoch {epoch}: there are {most}", epoch=epoch + 1, most=most), "epoch"
            )
        batch, row = self._row(answer)
        return _Finder(self._learning, epoch, batch, row, answer).find()

    def meant(self, answer: Answer) -> Answer:
        """An answer with the name that is meant: `a_1` of a line may be a name of its own, and not `a` at step 1."""
        if answer.line is not None and answer.t is not None:
            whole = replace(answer, name=f"{answer.name}_{answer.t + 1}", t=None)
            try:
                self.of(answer)
            except NoTarget:
                with suppress(NoTarget):
                    self.of(whole)
                    return whole
        return answer

    def _row(self, answer: Answer) -> tuple[int, int]:
        row = answer.row
        for number, batch in enumerate(self._scenario.batches):
            if row < batch.num_rows:
                return number, row
            row -= batch.num_rows
        count = sum(batch.num_rows for batch in self._scenario.batches)
        raise NoTarget(
            Text("there is no sequence {row}: they are 0 to {last}", row=answer.row, last=count - 1), "batch"
        )


class _Finder(ForwardFinder):
    """The same of gradients and updates, too."""

    def dotted(self, head: str, rest: str) -> Target:
        """Find a gradient, a line of an update, or a parameter after it."""
        if "loss" not in self._done.by_key:
            raise NoTarget(Text("there is no loss: the scenario has no [target]"))
        if head == "grad":
            torch = self._parameter(rest)
            if torch is not None:
                return gradient_target(self._learning, self._epoch, self._done, torch)
            return self._gradient_of_value(rest)
        return self._update(head, rest)

    def _update(self, head: str, rest: str) -> Target:
        training = self._done.scenario.training
        if training is None:
            raise NoTarget(Text("there are no updates: the scenario has no [training]"))
        optimizer = training.optimizer.lower()
        if head in ("update", "w"):
            line, name = head, rest
        elif head.lower() == optimizer and "." in rest:
            line, name = rest.split(".", 1)
        else:
            raise NoTarget(
                Text(
                    "there is no value `{name}`; known are grad.NAME, update.NAME, w.NAME and {optimizer}.LINE.NAME",
                    name=self._answer.name,
                    optimizer=optimizer,
                )
            )
        torch = self._parameter(name)
        if torch is None:
            raise NoTarget(self._no_parameter(name))
        stage = self._learning.structure.stage(self._batch, "update")
        if torch not in stage.by_key:
            raise NoTarget(Text("no update changes {name}: the loss does not depend on it", name=torch))
        known = stage.by_key[torch].program.names
        if line not in known:
            lines = ", ".join(known)
            raise NoTarget(
                Text("there is no line `{line}` in this optimizer; known are {known}", line=line, known=lines)
            )
        shape = self._done.scenario.parameters[torch].shape
        place = Place(self._epoch, self._batch, "update", torch, 0, line)
        return Target((Part(place, (slice(None),) * len(shape)),), tuple(shape), 0)

    def _parameter(self, name: str) -> str | None:
        """Torch's own name of a parameter, from that or the one without its layer, or of a cell with `_l0`."""
        parameters, answer = self._done.scenario.parameters, self._answer
        ending = f"_l{answer.layer or 0}{'_reverse' if answer.direction == 'backward' else ''}"
        for one in (name, f"{name}{ending}", name.removesuffix("_l0")):
            if one in parameters:
                self._is_of_its_layer = one.endswith(ending)
                return one
        return None

    def _no_parameter(self, name: str) -> Text:
        known = tuple(self._done.scenario.parameters)
        guess = closest(name, known)
        if guess is not None:
            return Text("there is no parameter `{name}`; did you mean `{guess}`?", name=name, guess=guess)
        return Text("there is no parameter `{name}`; known are {known}", name=name, known=", ".join(known))

    def _gradient_of_value(self, name: str) -> Target:
        """∂L/∂ of a value at a step; of h and c the total derivative."""
        equation = name.removeprefix(D)
        stage = self._learning.structure.stage(self._batch, "backward")
        key = "loss" if equation == "logits" and "linear" not in stage.by_key else self._key_of(equation)
        for one in stage.blocks:  # a parameter by its name in the equations
            is_meant = (one.layer, one.direction) == (self._answer.layer or 0, self._answer.direction)
            if one.kind == "recurrent" and equation in one.kept_in and is_meant:
                t = stage.steps[one.key][-1]
                place = Place(self._epoch, self._batch, "backward", one.key, t, f"{D}{equation}")
                shape = self._shape("backward", one.key, f"{D}{equation}")
                self._is_of_its_layer = True
                return Target((Part(place, (slice(None),) * len(shape)),), shape, 0)
        if (
            key is not None
            and f"{D}{equation}" not in stage.by_key[key].program.names
            and equation == "logits"
        ):
            key = "loss"
        line = f"{D}{equation}"
        if key == "loss" and equation == "logits":  # a loss of numbers calls what it is given `output`
            line = f"{D}{next(iter(self._done.by_key['loss'].program.inputs))}"
        if key is None or line not in stage.by_key[key].program.names:
            raise NoTarget(self._no_parameter(name))
        return self._line("backward", key, line)


def gradient_target(learning: Learning, epoch: int, done: Pass, torch: str) -> Target:
    """∂L/∂ of a parameter: the sums of all shares, where the way back comes to the last of them."""
    parts = []
    stage = learning.structure.stage(done.index, "backward")
    shape = tuple(done.scenario.parameters[torch].shape)
    for block in stage.blocks:
        for part, where in block.kept_in.items():
            if where.torch == torch and f"{D}{part}" in block.program.names:
                t = stage.steps[block.key][-1]
                place = Place(epoch, done.index, "backward", block.key, t, f"{D}{part}")
                parts.append(Part(place, (slice(where.start, where.stop), *[slice(None)] * (len(shape) - 1))))
    return Target(tuple(parts), shape, 0)
