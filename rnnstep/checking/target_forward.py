"""Which numbers of the way forward an answer's name stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from rnnstep.checking.answers import Answer
from rnnstep.checking.own import Place
from rnnstep.checking.target import NoTarget, Part, Target
from rnnstep.engine.learning import Learning
from rnnstep.engine.passes import Pass
from rnnstep.engine.structure import Phase
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.network.blocks import Block
from rnnstep.scenario.keys import closest

_STEP = re.compile(r"(?P<name>.*?[^\W\d_])_?(?P<step>\d{1,9})")  # h1, h_1


class ForwardFinder:
    """Finds the target of one answer in a batch of an epoch: of the way forward."""

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
        target = self._found()
        answer = self._answer
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

    def _is_end(self, t: int) -> bool:
        """Whether a step is where what is of the final states alone is computed."""
        steps = (self._done.batch.last_step(self._row), self._done.batch.num_steps - 1)
        return self._done.is_final and t in steps

    def _found(self) -> Target:
        name = self._answer.name.strip()
        head, _, rest = name.partition(".")
        if rest:
            return self.dotted(head, rest)
        match name:
            case "output":
                return self._output()
            case "h_n" | "c_n":
                return self._finals(name[0])
            case "logits" if "linear" not in self._done.by_key:
                return self._output()
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

    def dotted(self, head: str, rest: str) -> Target:
        """Find what a name with a dot stands for."""
        raise NoTarget(Text("there is no value `{name}`", name=f"{head}.{rest}"))

    # ── forward ──────────────────────────────────────────────────────────────────────

    def _known(self) -> tuple[str, ...]:
        recurrent = next(iter(self._done.runs.values())).block
        others = [block for block in self._done.blocks if block.kind in ("linear", "loss")]
        names = [name for block in (recurrent, *others) for name in block.program.names]
        learnt = ("loss", "grad.NAME") if "loss" in self._done.by_key else ()
        updates = ("update.NAME",) if self._done.scenario.training is not None else ()
        return tuple(dict.fromkeys((*names, "output", "h_n", "logits", *learnt, *updates)))

    def _key_of(self, name: str) -> str | None:
        layer = self._answer.layer or 0
        key = f"L{layer}{'←' if self._answer.direction == 'backward' else ''}"
        some = next(iter(self._done.runs.values())).block
        if name in (*some.program.names, *some.program.inputs, *some.program.befores):
            if key not in self._done.runs:
                wrong = "direction" if f"L{layer}" in self._done.runs else "layer"
                raise NoTarget(Text("there is no {key} in this run", key=key), wrong)
            return key
        for block in self._done.blocks:
            if block.kind in ("linear", "loss") and name in block.program.names:
                return block.key
        return None

    def _line(self, phase: Phase, key: str, name: str) -> Target:
        block = self._done.by_key[key]
        t = self._step(block)
        shape = self._shape(phase, key, name)
        part = Part(Place(self._epoch, self._batch, phase, key, t, name), (slice(None),) * len(shape))
        is_recurrent = block.kind == "recurrent"
        return Target(
            (part,),
            shape,
            self._row,
            t,
            block.layer if is_recurrent else None,
            block.direction if is_recurrent else None,
        )

    def _shape(self, phase: Phase, key: str, name: str) -> tuple[int, ...]:
        stage = self._learning.structure.stage(self._batch, phase)
        return tuple(int(size) for size in stage.by_key[key].program.shapes[name])

    def _step(self, block: Block) -> int:
        """The step that is meant; of a linear layer on h_n and of what has only one the last one."""
        t = self._answer.t
        last = self._done.batch.last_step(self._row)
        is_final = self._done.is_final and block.kind in ("linear", "loss")
        if is_final or block.kind == "total":
            end = self._done.batch.num_steps - 1
            if is_final and t is not None and not self._is_end(t):
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

    def _output(self) -> Target:
        """`output` of one row at a step; without a step all of it, of one row or of all as torch prints it."""
        batch, recurrent = self._done.batch, self._done.scenario.recurrent
        layer = recurrent.num_layers - 1
        keys = [key for key, run in self._done.runs.items() if run.block.layer == layer]
        size, steps = recurrent.output_size, batch.num_steps
        width = size * len(keys)

        def parts(row: int, t: int, *before: int) -> Iterator[Part]:
            for number, key in enumerate(keys):
                name = self._done.runs[key].block.output
                place = Place(self._epoch, self._batch, "forward", key, t, name)
                yield Part(place, (*before, slice(number * size, (number + 1) * size)), row)

        is_first = recurrent.batch_first
        shape = (batch.num_rows, steps, width) if is_first else (steps, batch.num_rows, width)
        if batch.num_rows > 1 and self._is_laid_out(*shape):
            whole = [
                part
                for row in range(batch.num_rows)
                for t in range(batch.last_step(row) + 1)
                for part in parts(row, t, *((row, t) if is_first else (t, row)))
            ]
            return Target(tuple(whole), shape, self._row)
        if steps > 1 and self._is_laid_out(steps, width):
            last = batch.last_step(self._row)
            of_row = [part for t in range(last + 1) for part in parts(self._row, t, t)]
            return Target(tuple(of_row), (steps, width), self._row)
        t = self._step(self._done.runs[keys[0]].block)
        return Target(tuple(parts(self._row, t)), (width,), self._row, t)

    def _is_laid_out(self, *shape: int) -> bool:
        """Whether an answer without a step or entries lies in a shape, but for axes of one."""
        given = self._answer.numbers.value.shape
        is_whole = self._answer.t is None and self._answer.index is None
        return is_whole and [one for one in given if one != 1] == [one for one in shape if one != 1]

    def _finals(self, letter: str) -> Target:
        """`h_n` or `c_n` of one row, a row of it a layer and direction, a cell's one vector; or of all rows as torch prints it."""
        states = tuple(self._done.scenario.cell.states)
        if letter == "c" and len(states) < 2:
            raise NoTarget(Text("there is no `{name}`: this module has one state", name="c_n"))
        state = states[0] if letter == "h" else states[1]
        is_cell, runs, batch = self._done.scenario.recurrent.is_cell, self._done.runs, self._done.batch
        size = int(next(iter(runs.values())).block.program.shapes[state][0])

        def parts(row: int, *, is_of_all: bool) -> Iterator[Part]:
            for number, (key, run) in enumerate(runs.items()):
                t = 0 if run.is_reversed else batch.last_step(row)
                place = Place(self._epoch, self._batch, "forward", key, t, state)
                layer = () if is_cell else (number,)
                yield Part(place, (*layer, *((row,) if is_of_all else ()), slice(None)), row)

        layers = () if is_cell else (len(runs),)
        whole = (*layers, batch.num_rows, size)
        if batch.num_rows > 1 and self._is_laid_out(*whole):
            of_all = [part for row in range(batch.num_rows) for part in parts(row, is_of_all=True)]
            return Target(tuple(of_all), whole, self._row)
        return Target(tuple(parts(self._row, is_of_all=False)), (*layers, size), self._row)

    def _loss(self) -> Target:
        if "loss" not in self._done.by_key:
            raise NoTarget(Text("there is no loss: the scenario has no [target]"))
        if self._answer.t is not None and not self._done.is_final:
            block, loss = self._done.by_key["loss"], self._done.scenario.loss
            target = self._line("forward", "loss", block.output)
            scale = 1.0 if loss is None else loss.factor
            return replace(target, parts=tuple(replace(part, scale=scale) for part in target.parts))
        target = self._line("forward", "total", "loss")
        return Target(target.parts, (1,), 0)
