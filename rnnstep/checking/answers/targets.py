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

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from rnnstep.checking.answers.answer import Answer
from rnnstep.checking.own_numbers import Place
from rnnstep.engine.learning import Learning
from rnnstep.engine.passes import Pass
from rnnstep.engine.structure import Phase, Stage
from rnnstep.equations.shares import D
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.blocks import Block, Extent
from rnnstep.scenario.keys import closest

Slices = tuple[slice | int, ...]


@dataclass(frozen=True, slots=True)
class TargetPart:
    """Some of a target's numbers.

    Attributes:
        place: the line whose value they are.
        at: where they lie in the target.
        row: of the batch, from 0; None of the target's own.
        scale: what the line's value is multiplied with, as a step's own loss with the factor of the loss.
        is_added: whether it is added to what lies there: of a parameter that several blocks read.
    """

    place: Place
    at: Slices
    row: int | None = None
    scale: float = 1.0
    is_added: bool = False


@dataclass(frozen=True, eq=False)
class Target:
    """What an answer is about.

    Attributes:
        parts: the lines whose results it is; what none of them is of, as padding, is zeros.
        shape: of all of it.
        row: of the batch, from 0; 0 of what belongs to all rows, or holds them all.
        t: the step, from 0; None of the whole run.
        layer, direction: of a recurrent block's value; None otherwise.
        block: of one of several recurrent modules what it is called.
    """

    parts: tuple[TargetPart, ...]
    shape: tuple[int, ...]
    row: int
    t: int | None = None
    layer: int | None = None
    direction: str | None = None
    block: str | None = None

    def row_of(self, part: TargetPart) -> int:
        """The row of the batch that a part is of."""
        return self.row if part.row is None else part.row


class NoTarget(Exception):
    """An answer that no number of the run belongs to; `message` says why."""

    def __init__(self, message: Text, key: str = "name") -> None:
        super().__init__(message)
        self.message = message
        self.key = key


# ── of one answer ────────────────────────────────────────────────────────────────────────────────

_STEP = re.compile(r"(?P<name>.*?[^\W\d_])_?(?P<step>\d{1,9})")  # h1, h_1


class _Finder:
    """Finds the target of one answer in a batch of an epoch."""

    def __init__(self, learning: Learning, epoch: int, batch: int, row: int, answer: Answer) -> None:
        self._learning = learning
        self._epoch = epoch
        self._batch = batch
        self._row = row
        self._answer = answer
        self._done: Pass = learning.epoch(epoch).forward(batch)
        self._is_of_its_layer = False  # a parameter of the layer and the direction that the answer says

    def find(self) -> Target:
        """Give the target.

        Raises:
            NoTarget: there is none, or the answer says a step, a layer or a direction of what has none.
        """
        answer = self._answer
        known = tuple(self._done.batch.sequences)
        if answer.sequence is not None and answer.sequence not in known:
            text = Text(
                "there is no sequence `{name}`; known are {known}",
                name=printable(answer.sequence[:80]),
                known=", ".join(known),
            )
            raise NoTarget(text, "sequence")
        target = self._found()
        if not self._is_of_its_sequence(target):
            name = printable(answer.name[:80])
            text = Text("`{name}` is no value of {sequence}", name=name, sequence=answer.sequence)
            raise NoTarget(text, "sequence")
        has_layer = target.layer is not None or self._is_of_its_layer
        said = {
            "step": answer.t is not None and target.t is None and not self._is_end(answer.t),
            "layer": bool(answer.layer) and not has_layer,
            "direction": answer.direction != "forward" and not has_layer,
        }
        for key, is_said in said.items():
            if is_said:
                name = printable(answer.name[:80])
                raise NoTarget(Text("`{name}` takes no `{key}`", name=name, key=key), key)
        return target

    def _is_of_its_sequence(self, target: Target) -> bool:
        """Whether what was found is along the sequence that the answer says, if it says one."""
        blocks = (self._done.by_key.get(part.place.key) for part in target.parts)
        return self._answer.sequence is None or all(
            block is not None and block.sequence == self._answer.sequence for block in blocks
        )

    def _is_end(self, t: int) -> bool:
        """Whether a step is where what is of the final states alone is computed."""
        is_there = any(block.extent is Extent.FINAL for block in self._done.blocks)
        axes = [one.axis for one in self._done.batch.sequences.values()]
        ends = [end for axis in axes for end in (axis.last_step(self._row), axis.end, axis.num_steps - 1)]
        return is_there and t in ends

    def _found(self) -> Target:
        name = self._answer.name.strip()
        last = self._done.last_of_recurrent
        head, _, rest = name.partition(".")
        if rest:
            return self._dotted(head, rest)
        match name:
            case "output" if last is not None:
                return self._output(last)
            case "h_n" | "c_n" if self._done.scenario.recurrents:
                return self._finals(name[0])
            case "logits" if self._done.head is None:
                return self._output(self._done.scored)
            case "loss":
                return self._loss()
        key = self._key_of(name)
        if key is None:
            known = self._known()
            with_step = _STEP.fullmatch(name)
            if with_step is not None and with_step["name"] in known and self._answer.t is None:
                base, step = with_step["name"], int(with_step["step"])
                told = {"name": name, "base": base, "step": step, "guess": f"{base}_{step}"}
                raise NoTarget(
                    Text("there is no value `{name}`; did you mean `{base}` with step = {step}?", **told)
                    if self._answer.place or name == told["guess"]
                    else Text("there is no value `{name}`; did you mean `{guess}`?", **told)
                )
            guess = closest(name, known)
            if guess is not None:
                raise NoTarget(
                    Text("there is no value `{name}`; did you mean `{guess}`?", name=name, guess=guess)
                )
            raise NoTarget(
                Text("there is no value `{name}`; known are {known}", name=name, known=", ".join(known))
            )
        return self._line("forward", key, name)

    # ── forward ──────────────────────────────────────────────────────────────────────

    def _known(self) -> tuple[str, ...]:
        every = [run.block for run in self._done.runs.values()]
        others = [block for block in self._done.blocks if block.kind in ("map", "loss")]
        names = [name for block in (*every, *others) for name in block.program.names]
        learnt = ("loss", "grad.NAME") if "loss" in self._done.by_key else ()
        updates = ("update.NAME",) if self._done.scenario.training is not None else ()
        return tuple(dict.fromkeys((*names, "output", "h_n", "logits", *learnt, *updates)))

    def _key_of(self, name: str) -> str | None:
        layer, direction = self._answer.layer or 0, self._answer.direction
        plain = None if self._answer.block is None else self._done.by_key.get(self._answer.block)
        if plain is not None and plain.kind == "map":
            return plain.key if name in plain.program.names else None
        every = self._of_module(name)
        if every:
            of_layer = [block for block in every if block.layer == layer]
            for block in of_layer:
                if block.direction == direction:
                    return block.key
            before = every[0].key.rpartition("L")[0]
            key = before + f"L{layer}{'←' if direction == 'backward' else ''}"
            raise NoTarget(
                Text("there is no {key} in this run", key=key), "direction" if of_layer else "layer"
            )
        others = [
            block
            for block in self._done.blocks
            if block.kind in ("map", "loss") and name in block.program.names
            if self._answer.sequence in (None, block.sequence)
        ]
        if len(others) > 1:
            raise NoTarget(self._of_several(name, [block.key for block in others]))
        return others[0].key if others else None

    @staticmethod
    def _of_several(name: str, modules: Sequence[str]) -> Text:
        return Text(
            "`{name}` is a value of {modules}: say of which, block = {first}",
            name=name,
            modules=", ".join(modules),
            first=f'"{modules[0]}"',
        )

    def _of_module(self, name: str) -> list[Block]:
        """The blocks of the recurrent module that an answer is about; none where no module has the value.

        Raises:
            NoTarget: there is no such module, or several have the value.
        """
        having: dict[str, list[Block]] = {}
        for recurrent in self._done.scenario.recurrents:
            blocks = [run.block for run in self._done.runs.values() if run.block.module == recurrent.key]
            program = blocks[0].program
            is_along = self._answer.sequence in (None, blocks[0].sequence)
            if is_along and name in (*program.names, *program.inputs, *program.befores):
                having[recurrent.name] = blocks
        asked = self._answer.block
        known = [one.name for one in self._done.scenario.layers]
        if asked is not None and asked not in known:
            message = Text(
                "there is no module `{name}`; known are {known}", name=asked, known=", ".join(known)
            )
            raise NoTarget(message, "block")
        if asked is not None:
            return having.get(asked, [])
        if len(having) > 1:
            raise NoTarget(self._of_several(name, list(having)), "name")
        return next(iter(having.values()), [])

    def _line(self, phase: Phase, key: str, name: str) -> Target:
        block = self._done.by_key[key]
        t = self._step(block)
        shape = self._shape(phase, key, name)
        part = TargetPart(Place(self._epoch, self._batch, phase, key, t, name), (slice(None),) * len(shape))
        is_recurrent = block.kind == "recurrent"
        return Target(
            (part,),
            shape,
            self._row,
            t,
            block.layer if is_recurrent else None,
            block.direction if is_recurrent else None,
            block.module if is_recurrent and len(self._done.scenario.recurrents) > 1 else None,
        )

    def _shape(self, phase: Phase, key: str, name: str) -> tuple[int, ...]:
        stage = self._learning.structure.stage(self._batch, phase)
        return tuple(int(size) for size in stage.by_key[key].program.shapes[name])

    def _step(self, block: Block) -> int:
        """The step that is meant; of a linear layer on h_n and of what has only one the last one."""
        t = self._answer.t
        axis = self._done.axis(block.key)
        last = axis.last_step(self._row)
        if block.extent.is_single:
            end = axis.end
            if block.extent is Extent.FINAL and t is not None and not self._is_end(t):
                name, step = printable(self._answer.name[:80]), end + 1
                raise NoTarget(
                    Text(
                        "`{name}` is of the final state alone: say no step, or {step}", name=name, step=step
                    ),
                    "step",
                )
            return end
        if t is None:
            if last == 0:
                return 0
            raise NoTarget(
                Text("`{name}` is of a step: say which, step = 1 or t = 0", name=self._answer.name)
            )
        if t > last:
            raise NoTarget(
                Text("there is no step {step}: there are {last}", step=t + 1, last=last + 1), "step"
            )
        return t

    def _output(self, block: Block) -> Target:
        """What a block with states gives, `output`, of one row at a step; without a step all of it, of one row or of all as torch prints it."""
        batch, axis = self._done.batch, self._done.axis(block.key)
        steps = axis.num_steps
        last_one = self._done.scenario.by_key[block.module].name
        if self._answer.block not in (None, last_one):
            text = Text(
                "`{name}` is what {module} gives, the last one", name=self._answer.name, module=last_one
            )
            raise NoTarget(text, "block")
        computed = self._done.graph.computed_by(block.key)
        width = computed[-1].stop

        def parts(row: int, t: int, *before: int) -> Iterator[TargetPart]:
            for one in computed:
                place = Place(self._epoch, self._batch, "forward", one.wire.block, t, one.wire.value)
                yield TargetPart(place, (*before, slice(one.start, one.stop)), row)

        is_first = self._done.scenario.batch_first
        shape = (batch.num_rows, steps, width) if is_first else (steps, batch.num_rows, width)
        if batch.num_rows > 1 and self._is_laid_out(*shape):
            whole = [
                part
                for row in range(batch.num_rows)
                for t in range(axis.last_step(row) + 1)
                for part in parts(row, t, *((row, t) if is_first else (t, row)))
            ]
            return Target(tuple(whole), shape, self._row)
        if steps > 1 and self._is_laid_out(steps, width):
            last = axis.last_step(self._row)
            of_row = [part for t in range(last + 1) for part in parts(self._row, t, t)]
            return Target(tuple(of_row), (steps, width), self._row)
        t = self._step(self._done.by_key[computed[0].wire.block])
        return Target(tuple(parts(self._row, t)), (width,), self._row, t)

    def _is_laid_out(self, *shape: int) -> bool:
        """Whether an answer without a step or entries lies in a shape, but for axes of one."""
        given = self._answer.numbers.value.shape
        is_whole = self._answer.t is None and self._answer.index is None
        return is_whole and [one for one in given if one != 1] == [one for one in shape if one != 1]

    def _finals(self, letter: str) -> Target:
        """`h_n` or `c_n` of one row, a row of it a layer and direction, a cell's one vector; or of all rows as torch prints it."""
        recurrent = self._finished()
        module = recurrent.name if len(self._done.scenario.recurrents) > 1 else None
        states = tuple(recurrent.cell.states)
        if letter == "c" and len(states) < 2:
            raise NoTarget(Text("there is no `{name}`: this module has one state", name="c_n"))
        state = states[0] if letter == "h" else states[1]
        is_cell, batch = recurrent.is_cell, self._done.batch
        runs = {key: run for key, run in self._done.runs.items() if run.block.module == recurrent.key}
        size = int(next(iter(runs.values())).block.program.shapes[state][0])

        def parts(row: int, *, is_of_all: bool) -> Iterator[TargetPart]:
            for number, (key, run) in enumerate(runs.items()):
                t = self._done.axis(key).final_step(run.block.direction, row)
                place = Place(self._epoch, self._batch, "forward", key, t, state)
                layer = () if is_cell else (number,)
                yield TargetPart(place, (*layer, *((row,) if is_of_all else ()), slice(None)), row)

        layers = () if is_cell else (len(runs),)
        whole = (*layers, batch.num_rows, size)
        if batch.num_rows > 1 and self._is_laid_out(*whole):
            of_all = [part for row in range(batch.num_rows) for part in parts(row, is_of_all=True)]
            return Target(tuple(of_all), whole, self._row, block=module)
        own = tuple(parts(self._row, is_of_all=False))
        return Target(own, (*layers, size), self._row, block=module)

    def _finished(self) -> Recurrent:
        """The recurrent module whose final states an answer is about: the only one, or the one that it says."""
        every = {one.name: one for one in self._done.scenario.recurrents}
        asked = next(iter(every)) if len(every) == 1 else self._answer.block
        if asked not in every:
            name, known = self._answer.name, ", ".join(every)
            message = Text("`{name}` is of one of {known}: say of which, as block", name=name, known=known)
            raise NoTarget(message, "name")
        return every[asked]

    def _loss(self) -> Target:
        if "loss" not in self._done.by_key:
            raise NoTarget(Text("there is no loss: the scenario has no [target]"))
        block, loss = self._done.by_key["loss"], self._done.scenario.loss
        if self._answer.t is not None and not block.extent.is_single:
            target = self._line("forward", "loss", block.output)
            scale = 1.0 if loss is None else loss.factor
            return replace(target, parts=tuple(replace(part, scale=scale) for part in target.parts))
        target = self._line("forward", "total", "loss")
        return Target(target.parts, (1,), 0)

    # ── backward and update ──────────────────────────────────────────────────────────

    def _dotted(self, head: str, rest: str) -> Target:
        """Find a gradient, a line of an update, or a parameter after it."""
        if not self._done.scenario.goes_back:
            raise NoTarget(Text("there is no loss: the scenario has no [target]"))
        if head == "grad":
            torch = self._parameter(rest)
            if torch is not None:
                target = gradient_target(self._learning, self._epoch, self._done, torch)
                if not target.parts:
                    raise NoTarget(Text("nothing goes back to {name}", name=torch))
                return target
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
        return Target((TargetPart(place, (slice(None),) * len(shape)),), tuple(shape), 0)

    def _parameter(self, name: str) -> str | None:
        """Torch's own name of a parameter, from that or the one without its layer, or of a cell with `_l0`."""
        parameters, answer = self._done.scenario.learnt, self._answer
        ending = f"_l{answer.layer or 0}{'_reverse' if answer.direction == 'backward' else ''}"
        before = "" if answer.block is None or "." in name else f"{answer.block}."
        for one in (name, f"{before}{name}", f"{before}{name}{ending}", name.removesuffix("_l0")):
            if one in parameters:
                self._is_of_its_layer = one.endswith(ending)
                return one
        return None

    def _no_parameter(self, name: str) -> Text:
        known = tuple(self._done.scenario.learnt)
        guess = closest(name, known)
        if guess is not None:
            return Text("there is no parameter `{name}`; did you mean `{guess}`?", name=name, guess=guess)
        return Text("there is no parameter `{name}`; known are {known}", name=name, known=", ".join(known))

    def _gradient_of_value(self, name: str) -> Target:
        """∂L/∂ of a value at a step; of h and c the total derivative."""
        equation = name.removeprefix(D)
        stage = self._learning.structure.stage(self._batch, "backward")
        key = "loss" if equation == "logits" and self._done.head is None else self._key_of(equation)
        for one in stage.blocks:  # a parameter by its name in the equations
            is_meant = (one.layer, one.direction) == (self._answer.layer or 0, self._answer.direction)
            is_meant = is_meant and self._answer.block in (None, one.module)
            if one.kind == "recurrent" and equation in one.kept_in and is_meant:
                t = stage.steps[one.key][-1]
                place = Place(self._epoch, self._batch, "backward", one.key, t, f"{D}{equation}")
                shape = self._shape("backward", one.key, f"{D}{equation}")
                self._is_of_its_layer = True
                return Target((TargetPart(place, (slice(None),) * len(shape)),), shape, 0)
        if equation == "logits" and key is not None and not _has_line(stage, key, f"{D}{equation}"):
            key = "loss"
        line = f"{D}{equation}"
        if key == "loss" and equation == "logits" and "loss" in self._done.by_key:
            line = f"{D}{next(iter(self._done.by_key['loss'].program.inputs))}"  # of numbers it is `output`
        if key is None or not _has_line(stage, key, line):
            raise NoTarget(self._no_parameter(name))
        return self._line("backward", key, line)


def _has_line(stage: Stage, key: str, name: str) -> bool:
    """Whether a block of a pass has a line; of a backward pass only the blocks that anything goes back through are there."""
    return key in stage.by_key and name in stage.by_key[key].program.names


def gradient_target(learning: Learning, epoch: int, done: Pass, torch: str) -> Target:
    """∂L/∂ of a parameter: the sums of all shares, where the backward pass comes to the last of them."""
    parts: list[TargetPart] = []
    stage = learning.structure.stage(done.index, "backward")
    shape = tuple(done.scenario.parameters[torch].shape)
    for block in stage.blocks:
        for part, where in block.kept_in.items():
            if where.torch == torch and f"{D}{part}" in block.program.names:
                t = stage.steps[block.key][-1]
                place = Place(epoch, done.index, "backward", block.key, t, f"{D}{part}")
                is_added = any(one.at == where.part for one in parts)
                parts.append(TargetPart(place, where.part, is_added=is_added))
    return Target(tuple(parts), shape, 0)


# ── of all answers ───────────────────────────────────────────────────────────────────────────────


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
