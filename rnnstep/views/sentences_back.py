"""One sentence for each equation of the backward pass, told from what the equation looks like rather than from its cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rnnstep.engine import Block
from rnnstep.equations.differentiate import ABOVE
from rnnstep.equations.program import Program
from rnnstep.equations.shares import ROWS, D
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number
from rnnstep.equations.write import BLACKBOARD, write
from rnnstep.language import Text


@dataclass(frozen=True)
class Back:
    """Where a line of the backward pass stands.

    Attributes:
        block: the block of the backward pass.
        forward: the forward block that it goes back through.
        steps: the block's steps in the order of the backward pass, from 0.
        t: the step.
        target: what the target is called, where it is one class; else "".
    """

    block: Block
    forward: Block
    steps: Sequence[int]
    t: int
    target: str = ""

    @property
    def program(self) -> Program:
        """The equations."""
        return self.block.program

    def sentence(self, name: str) -> Text | None:
        """Give the sentence of a line; None where there is nothing plain to say."""
        line = self.program.by_name[name]
        match self.block.kind:
            case "total":
                return self._of_total(line)
            case "loss":
                return self._of_loss(line)
            case "mask":
                return Text("what was dropped gets nothing back, the rest is scaled as it was")
            case "join":
                return Text("the half that belongs to this direction")
        return (
            self._of_sum(line)
            or self._of_share(line)
            or self._reaching(line)
            or self.forward.words.back.get(name.removeprefix(D))
            or self._of_slope(line)
        )

    # ── the loss ─────────────────────────────────────────────────────────────────────

    def _of_total(self, line: Line) -> Text:
        match _plain(line.expression):
            case Name():
                return Text("a sum passes its gradient, 1, on to each of its terms")
            case Apply(op="mul", args=(Name(), factor)):
                return Text("each entry gets the loss's factor, {factor}", factor=write(factor, BLACKBOARD))
            case Apply(op="div", args=(_, Number(text=count))):
                return Text("a mean gives each of its {count} entries 1/{count}", count=count)
        return Text("each entry gets its weight in the loss")

    def _of_loss(self, line: Line) -> Text | None:
        name = line.name.removeprefix(D)
        target = Text(" ({letter})", letter=self.target) if self.target else ""
        match name, line.expression:
            case "nll", _:
                return Text("entries that count for nothing get nothing")
            case "log_p", _:
                return Text("only the target{target} was picked: all others get 0", target=target)
            case (("logits" | "s"), Apply(op="sub")) if "log_p" in self.forward.program.by_name:
                return Text(
                    "p − y, times ∂nll: the probabilities, less 1 at the target{target}", target=target
                )
            case "logits", Apply(op="mul"):
                return Text("through the softmax that should not be there: its slopes are small")
            case "logits", _:
                return Text("p − y, times ∂ of the loss: the probabilities, less what was wanted")
            case "output", _ if "distance" in self.forward.program.by_name:
                return Text(
                    "only the sign of the difference counts, times ∂ of the loss: 0 where there is none"
                )
            case "output", _ if "smooth_each" in self.forward.program.by_name:
                return Text("the difference over beta, but no more than 1 either way, times ∂ of the loss")
            case "output", _:
                return Text("twice the difference, times ∂ of the loss: it pulls towards the target")
            case "difference", _ if "distance" in self.forward.program.by_name:
                return Text("the slope of a distance is its sign: 1, −1, or 0 at 0")
            case "difference", _ if "smooth_each" in self.forward.program.by_name:
                return Text("the slope is difference/beta, held between −1 and 1")
            case "difference", _:
                return Text("the slope of a square is twice what is squared")
            case (("square" | "bce_each" | "distance" | "smooth_each"), _):
                return Text("each output has its part in the step's loss")
        return None

    # ── shares of parameters, and their sums ─────────────────────────────────────────

    def _of_sum(self, line: Line) -> Text | None:
        if line.name not in self.program.states or self.program.before(line.name) not in self._names(line):
            return None
        parameter = line.name.removeprefix(D)
        if parameter not in self.forward.program.parameters:
            return None
        told = self._of_bias(parameter)
        first, now = self.steps[0] + 1, self.t + 1
        if told is not None and self.t in (self.steps[0], self.steps[-1]):
            return told
        if self.t == self.steps[0]:
            return Text("the first share of the sum, that of step {first}", first=first)
        if self.t == self.steps[-1]:
            return Text("all shares are in: this is ∂L/∂{parameter}", parameter=parameter)
        low, high = min(first, now), max(first, now)
        return Text("the sum of the shares of steps {low}…{high}", low=low, high=high)

    def _of_bias(self, parameter: str) -> Text | None:
        """What the gradients of b_ih and b_hh have to do with each other."""
        if not parameter.startswith(("b_i", "b_h")) or not self.forward.words.lines:
            return None
        other = ("b_h" if parameter.startswith("b_i") else "b_i") + parameter[3:]
        if f"{D}{other}" not in self.program.by_name:
            return None
        if self._added(parameter) == self._added(other):
            return Text(
                "{both} get the same gradient: both were added to the same sum", both=_both(parameter, other)
            )
        return self.forward.words.back.get(parameter)

    def _added(self, parameter: str) -> Expression:
        """What a step adds to a parameter's gradient, under the first name it had."""
        match self.program.by_name[f"{D}{parameter}"].expression:
            case Apply(op="add", args=(_, share)):
                return self._first(share)
            case share:
                return self._first(share)

    def _first(self, expression: Expression) -> Expression:
        match expression:
            case Apply(op="rows", args=(inner,)):
                return self._first(inner)
            case Name(id=name) if name.removesuffix(ROWS) in self.program.by_name:
                line = self.program.by_name[name.removesuffix(ROWS)]
                found = line.expression
                return self._first(found) if isinstance(found, Name) else Name(line.name)
        return expression

    def _of_share(self, line: Line) -> Text | None:
        parameter = next(
            (one for one in self.forward.program.parameters if line.name in (f"{D}{one}_t", f"{D}{one}")),
            None,
        )
        if parameter is None:
            return None
        match line.expression:
            case Apply(op="outer", args=(_, Name(id=read))):
                read = read.removesuffix(ROWS)
                if line.name == f"{D}{parameter}":
                    return Text("what came back times the {read} that was read", read=read)
                return Text("this step's share: what came back times the {read} that was read", read=read)
            case Apply(op="scatter"):
                return Text("only the row that was looked up has a share")
            case Apply(op="rows"):
                return Text("the gradients of the batch's rows added up")
        return Text("this step's share of ∂L/∂{parameter}", parameter=parameter)

    # ── what reaches a value ─────────────────────────────────────────────────────────

    def _reaching(self, line: Line) -> Text | None:
        value = line.name.removeprefix(D)
        states = self.forward.program.states
        if value in states and line.name in self.program.names:
            return self._of_state(line, value)
        before = {self.forward.program.before(state): state for state in states}
        if value in before:
            return self._one_step_back(line, before[value])
        if value in self.forward.program.inputs:
            return self._below(line)
        if isinstance(line.expression, Name) and self._is_added(value):
            return Text("a sum passes its gradient on to both as it is")
        return None

    def _of_state(self, line: Line, state: str) -> Text | None:
        names = self._names(line)
        is_first = self.t == self.steps[0]
        has_above = f"{D}{state}{ABOVE}" in names
        if has_above and is_first:
            return Text(
                "what reaches {state} from above; after the last step there is no next one", state=state
            )
        if has_above:
            return Text("what reaches {state} from above and from the next step", state=state)
        if len(names) > 1:
            return Text("what reaches {state} from the next step and through h", state=state)
        return None

    def _one_step_back(self, line: Line, state: str) -> Text | None:
        told = self.forward.words.back.get(self.forward.program.before(state))
        if told is not None:
            return told
        pullbacks = [
            one for one in _parts(line.expression) if isinstance(one, Apply) and one.op == "pullback"
        ]
        if not pullbacks:
            return Text("it goes one step back in time, to {state} there", state=state)
        matrices = [str(one.id) for one in pullbacks[0].args[::2] if isinstance(one, Name)]
        if len(matrices) == 1:
            return Text("{matrix}ᵀ takes it one step back in time", matrix=matrices[0])
        return Text("one step back in time, through the matrix of each gate")

    def _below(self, line: Line) -> Text | None:
        match line.expression:
            case Apply(op="pullback", args=(Name(id=matrix), _)):
                return Text("{matrix}ᵀ takes it down to what came in", matrix=matrix)
            case Apply(op="pullback"):
                return Text("down to what came in, through the matrix of each gate")
        return None

    def _is_added(self, value: str) -> bool:
        """Whether a value of the forward block is a term of a sum."""
        for line in self.forward.program.lines:
            for one in _parts(line.expression) if line.name != value else ():
                if one == Name(value) and len(_parts(line.expression)) > 1:
                    return True
        return False

    # ── products and functions ───────────────────────────────────────────────────────

    def _of_slope(self, line: Line) -> Text | None:
        match line.expression:
            case Apply(
                op="mul", args=(_, Apply(op="sub", args=(Number(), Apply(op="mul", args=(Name(id=y), _)))))
            ):
                return Text("the slope of tanh is 1 − {value}²", value=y)
            case Apply(op="mul", args=(_, Apply(op="mul", args=(Name(id=y), Apply(op="sub"))))):
                return Text("the slope of the sigmoid is {value}·(1 − {value})", value=y)
            case Apply(op="passed", args=(_, Name(id=a))):
                return Text("relu lets it through where {value} > 0, and nothing elsewhere", value=a)
            case Apply(op="where_largest"):
                return Text(
                    "it goes to the largest of the window, the first of equal ones, and nothing to the others"
                )
            case Apply(op="mul", args=(_, Name(id=factor))):
                return Text("it was multiplied with {factor}: so is its gradient", factor=factor)
            case Apply(op="mul", args=(_, Apply(op="sub", args=(Number(text="1"), Name(id=factor))))):
                return Text("it was multiplied with 1 − {factor}: so is its gradient", factor=factor)
            case Name():
                return Text("the gradient goes on as it is")
        return None

    @staticmethod
    def _names(line: Line) -> set[str]:
        return {one.id for one in _parts(line.expression) if isinstance(one, Name)} | (
            {""} if any(not isinstance(one, Name) for one in _parts(line.expression)) else set()
        )


def _parts(expression: Expression) -> list[Expression]:
    """The terms of a sum; of anything else itself."""
    match expression:
        case Apply(op="add" | "sub", args=(left, right)):
            return [*_parts(left), *_parts(right)]
    return [expression]


def _plain(expression: Expression) -> Expression:
    """An expression without what only makes it as long as another."""
    match expression:
        case Apply(op="spread", args=(inner, _)):
            return _plain(inner)
    return expression


def _both(first: str, second: str) -> str:
    return f"{min(first, second, key=lambda name: name[2] != 'i')}, {max(first, second, key=lambda name: name[2] != 'i')}"
