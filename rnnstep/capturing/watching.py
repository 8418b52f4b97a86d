"""A program that is watched: it is stopped at the first number of a recurrent module that is not finite, or where a condition holds.

While it runs little is looked at: sums of what each module gives, of the gradients that reach it, of its parameters and
their gradients at each update. Only once one of them is not finite are the equations run on what was recorded, to find the
first number in the order of computation that is not.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rnnstep.capturing.call import Call
from rnnstep.capturing.calls import NO_PASS, current_pass
from rnnstep.capturing.captured import Captured
from rnnstep.capturing.cell_chains import CellChain
from rnnstep.capturing.finding import Cause, Stopped
from rnnstep.capturing.listening import Module
from rnnstep.capturing.scaling import leaves_out, may_be_of_scale
from rnnstep.equations.syntax import parse_expression
from rnnstep.errors import RnnstepError
from rnnstep.language import Text, environment_language
from rnnstep.language.printable import printable

if TYPE_CHECKING:
    from rnnstep.session.session import Session

Tensor = Any  # torch.Tensor: torch is imported inside functions only

LAST = 4  # calls of each module that are kept
MOST_HOOKS = 1024
"""How many hooks may be held before those are let go whose results are gone."""


def _say(text: Text) -> None:
    sys.stderr.write(f"{text.into(environment_language())}\n")


class Watcher:
    """Looks at what a program's recurrent modules give, keeps their last calls, and stops it at a finding.

    Attributes:
        every: Of a loop around a cell the first of so many steps is looked at: what is not finite stays in its states.
        seen: The last calls of each module.
        finding: What was found; None so far.
        refusal: Why the condition could be asked of no call so far: it names what their modules do not compute.
    """

    every = 16

    def __init__(self, model: Any = None, when: str | None = None, *, last: int = LAST) -> None:
        """Take what is watched, and a condition.

        Raises:
            EquationError: The condition is no expression.
        """
        if when is not None:
            parse_expression(when)  # now, and not in the middle of the program
        # What goes back to weights is added up at every step, which costs the most.
        self.seen = Captured(model, last=last, shares=False, onlooker=self)
        self.finding: Cause | None = None
        self.refusal: Text | None = None
        self._when = when
        self._was_asked = False
        self._handles: list[Any] = []  # of hooks on optimizers and on results
        self._most_handles = MOST_HOOKS
        self._pid = os.getpid()
        self._current_pass = current_pass()
        self._looked_in = NO_PASS  # the backward pass in which all was looked at last
        self._looked: dict[int, int] = {}  # by its index, how many steps a loop had when it was looked at
        self.is_open = False
        self._excepthook: Any = None  # `sys.excepthook`, as it was

    # ── beginning and end ────────────────────────────────────────────────────────────

    def start(self) -> Self:
        """Watch from here on."""
        from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

        if not self.is_open:
            self.seen.__enter__()
            self._handles = [
                register_optimizer_step_pre_hook(self._before_update),
                register_optimizer_step_post_hook(self._after_update),
            ]
            self.is_open = True
        return self

    def to_the_end(self) -> Self:
        """Watch from here on, and at a finding that ends the program open the debugger on it, or save the last calls."""
        if self._excepthook is None:
            self._excepthook, sys.excepthook = sys.excepthook, self._uncaught
        return self.start()

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Tell an exception that ends the program as it would be told, and what is known of it."""
        from rnnstep.capturing.after_finding import after_finding

        hook, self._excepthook = self._excepthook, None
        sys.excepthook = hook
        finding = error.finding if isinstance(error, Stopped) else self.after_exception(error)
        hook(kind, error, trace)
        self.close()
        if finding is not None:
            if not isinstance(error, Stopped):
                _say(finding.text)
            after_finding(self.seen, finding, Path(sys.argv[0] or "python").stem, None, _say)

    def close(self) -> None:
        """Watch no more; what was recorded stays."""
        if self.is_open:
            self.is_open = False
            self.seen.close()
            for handle in self._handles:
                handle.remove()
            self._handles.clear()
        if self.finding is None and self._excepthook is not None and sys.excepthook == self._uncaught:
            sys.excepthook, self._excepthook = self._excepthook, None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.look_at_the_rest()
        finally:
            self.close()

    @property
    def _is_elsewhere(self) -> bool:
        """Whether this is a process that was forked from the one that is watched, as a loader of data is."""
        return os.getpid() != self._pid

    # ── looking ──────────────────────────────────────────────────────────────────────

    def look(self, call: Call, results: tuple[Tensor, ...]) -> None:
        """Look at what a call, or a step of a loop, gave, and later at the gradients that reach it; as `Onlooker`."""
        if self._is_elsewhere:
            return
        if not all(map(_is_finite, results)):
            self._stop(call)
        if not isinstance(call.live, CellChain):
            self._ask(call)
        elif self._when is None:
            self._looked[call.index] = call.live.num_steps
        for one in results:
            if one.requires_grad:
                self._handles.append(one.register_hook(partial(self._reached, call)))
        if len(self._handles) > self._most_handles:
            self._handles = [one for one in self._handles if one.hooks_dict_ref() is not None]
            self._most_handles = max(MOST_HOOKS, 2 * len(self._handles))

    def _reached(self, call: Call, g: Tensor) -> None:
        number = self._current_pass()
        if number != self._looked_in:
            self._looked_in = number
            self.look_at_the_rest()
        if self.is_open and not self._is_elsewhere and not _is_finite(g) and not may_be_of_scale():
            self._stop(call)

    def look_at_the_rest(self) -> None:
        """Look at the loops around cells that have gone on since they were looked at."""
        if self._is_elsewhere:
            return
        loops, looked = self.seen.loops, self._looked
        gone_on = [(call, chain) for call, chain in loops if looked.get(call.index) != chain.num_steps]
        self._looked = {call.index: chain.num_steps for call, chain in loops}
        for call, chain in gone_on:
            if not all(map(_is_finite, chain.newest)):
                self._stop(call)
        for call, _ in gone_on:
            self._ask(call)

    # ── updates ──────────────────────────────────────────────────────────────────────

    def _before_update(self, optimizer: Any, *given: Any) -> None:
        """Look at the gradients of what was heard: finite ones may have reached it, and others come out of it."""
        del given
        if self._is_elsewhere or leaves_out(optimizer):
            return
        self.look_at_the_rest()
        for module, _, parameter in self._parameters():
            if parameter.grad is not None and not _is_finite(parameter.grad):
                self._stop(self.seen.newest_of(module))

    def _after_update(self, optimizer: Any, *given: Any) -> None:
        del given
        if self._is_elsewhere:
            return
        for module, name, parameter in self._parameters():
            if not _is_finite(parameter):
                self._stop_at_update(optimizer, module, name, parameter)

    def _parameters(self) -> Iterator[tuple[Module, str, Tensor]]:
        for module in self.seen.modules:
            for name, parameter in module.named_parameters():
                yield module, name, parameter

    # ── what is found ────────────────────────────────────────────────────────────────

    def _ask(self, call: Call | None) -> None:
        """Stop where the condition holds in a call; one that has not what it names is passed over."""
        if call is None or self._when is None:
            return
        from rnnstep.session.breakpoints import next_stop

        try:
            session = session_of(call).break_when(self._when)
        except RnnstepError as error:
            self.refusal = None if self._was_asked else error.message
            return
        self._was_asked, self.refusal = True, None
        path, _ = next_stop(session.run, session.position, session.breakpoints)
        if path is not None:
            place = session.jump(path).place
            text = Text(
                "{place}: {condition}", place=f"{call.place}:{place}", condition=printable(self._when)
            )
            self._found(Cause(text, call, place))

    def _stop(self, call: Call | None) -> None:
        """Stop at the first number that is not finite in the calls of the module that a call is of."""
        for one in [each for each in self.seen.calls if call is not None and each.name == call.name]:
            found = first_not_finite(one)
            if found is not None:
                self._found(found)
        name = "?" if call is None else call.place
        self._found(
            Cause(
                Text("{place}: a number is not finite that the equations give a finite one for", place=name),
                call,
            )
        )

    def _stop_at_update(self, optimizer: Any, module: Module, name: str, parameter: Tensor) -> None:
        """Stop after the update that made a weight that is not finite."""
        import torch

        index = tuple(torch.nonzero(~torch.isfinite(parameter.detach()))[0].tolist())
        call = self.seen.newest_of(module)
        before = None if call is None else weight_of(call, name)
        lr = next((group["lr"] for group in optimizer.param_groups if "lr" in group), None)
        gradient = None if parameter.grad is None else float(parameter.grad[index])
        at = ",".join(map(str, index))
        text = Text(
            "{name}[{index}] is {value} after this update ({optimizer}, lr = {lr}); before it was {before}, its gradient {gradient}",
            name=f"{self.seen.name_of(module)}.{name}",
            index=at,
            value=spelt(float(parameter.detach()[index])),
            optimizer=type(optimizer).__name__,
            lr="?" if lr is None else f"{float(lr):g}",
            before="?" if before is None else f"{float(before[index]):.4g}",
            gradient="?" if gradient is None else f"{gradient:.4g}",
        )
        self._found(Cause(text, call, None if call is None else place_of_gradient(call, name, index)))

    # ── after an exception ───────────────────────────────────────────────────────────

    def after_exception(self, error: BaseException) -> Cause | None:
        """What is to be said of an exception that comes from the call of a recurrent module; None of any other.

        A state of a wrong shape is refused before the kernel is called, so what the call was given is read where it stood.
        """
        found = _call_in(error)
        if found is None:
            return None
        module, given = found
        shapes = [
            f"{name} {tuple(one.shape)}" for name, one in given if getattr(one, "shape", None) is not None
        ]
        text = Text(
            "{name}, {module}: this call raised {error}; it was given {shapes}",
            name=self.seen.name_of(module),
            module=printable(repr(module)),
            error=type(error).__name__,
            shapes=", ".join(shapes) or "?",
        )
        return Cause(text, self.seen.newest_of(module))

    def _found(self, finding: Cause) -> None:
        self.finding = finding
        self.close()
        raise Stopped(finding)


def _is_finite(tensor: Tensor) -> bool:
    """Whether all numbers are: their sum is looked at first, which passes over them once and makes nothing."""
    import torch

    detached = tensor.detach()
    return math.isfinite(detached.sum().item()) or bool(torch.isfinite(detached).all())


def spelt(value: float) -> str:
    """Give a number that is not finite as a program prints it: NaN, inf, -inf."""
    return "NaN" if math.isnan(value) else f"{value:g}"


def weight_of(call: Call, name: str) -> Tensor | None:
    """Give a weight as it was at a call; None where it is not known under that name."""
    weights = call.live.weights
    return dict(zip(weights.names, weights.copies, strict=False)).get(name)


def session_of(call: Call) -> Session:
    """Give a session on a call, at its start."""
    from rnnstep.session.run import SessionRun
    from rnnstep.session.session import Session

    return Session.open(SessionRun.of(call.scenario))


def first_not_finite(call: Call) -> Cause | None:
    """Give the first number of a call that is not finite, in the order of computation; None where the equations have none."""
    from rnnstep.session.findings import operands, place_of

    try:
        session = session_of(call)
    except RnnstepError:  # it cannot be run, as one whose masks are not known
        return None
    session.run.learning.look_on(math.inf)
    found = session.run.learning.finding
    if found is None:
        return None
    place = place_of(session.tree, found)
    made_of = operands(session.run, found)
    about = {
        "place": f"{call.place}:{place}",
        "value": spelt(found.value),
        "operands": ", ".join(map(str, made_of)),
    }
    if made_of and not math.isfinite(made_of[0].value):
        text = Text("{place}: {value}; {operands} is given so", **about)
    else:
        text = Text("{place}: {value}, made of finite {operands}", **about)
    return Cause(text, call, place)


def place_of_gradient(call: Call, name: str, index: tuple[int, ...]) -> str | None:
    """Give the place of a parameter's whole gradient in a call; None where no gradient reached it."""
    from rnnstep.equations.shares import D
    from rnnstep.session.place import write_place
    from rnnstep.session.tree import Spot, number_of

    session = session_of(call)
    if "backward" not in session.tree.phases:
        return None
    stage = session.run.learning.structure.stage(0, "backward")
    for block in stage.blocks:
        for part, where in block.kept_in.items():
            line = f"{D}{part}"
            own = where.own_index(index) if where.torch == name and line in block.program.names else None
            if own is None:
                continue
            t = stage.steps[block.key][-1]
            spot = Spot(0, block.key, t, line, number_of(block, line, own), phase="backward")
            path = session.tree.path_to(spot)
            return None if path is None else write_place(session.tree, path)
    return None


def _call_in(error: BaseException) -> tuple[Module, list[tuple[str, Any]]] | None:
    """The recurrent module from whose call an exception comes, with what it was given; None where it comes from elsewhere."""
    import torch

    found = None
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        module = frame.f_locals.get("self")
        is_call = frame.f_code.co_name == "forward" and isinstance(module, torch.nn.Module)
        if is_call and frame.f_globals.get("__name__") == "torch.nn.modules.rnn":
            found = module, _given(frame.f_locals)
        trace = trace.tb_next
    return found


def _given(variables: dict[str, Any]) -> list[tuple[str, Any]]:
    """The input and the states of a call, as its frame has them."""
    states = variables.get("hx")
    each = tuple(states) if isinstance(states, (tuple, list)) else (states,)
    x = variables.get("input")
    return [("x", getattr(x, "data", x)), *zip(("h_0", "c_0"), each, strict=False)]
