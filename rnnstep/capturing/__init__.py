"""Live recurrent modules of PyTorch: heard while they are called, recorded, and opened as scenarios.

listening        where they are heard, and how every trace of that goes away again
calls            one call over time: what a module was given and gave, as copies; the gradients that reached it
cell_chains      calls of a cell as one sequence, with resets
chain_gradients  what goes back through such a sequence
edges            what autograd sends out of a call: to its weights and inputs
weights          as they were at a call, copied once as long as they stay the same
captured         all calls: what `rnnstep.capture` gives
call             one of them, as a user has it: a scenario, with what the model gave as its reference
watching         a program that is stopped at the first number that is not finite
after_finding    the debugger on what stopped it, or its last calls saved
saved, table     on disk, as text and as HTML
"""

from __future__ import annotations

import sys
from typing import Any

from rnnstep.capturing.captured import Captured, Chosen, newest_open
from rnnstep.capturing.finding import Stopped
from rnnstep.capturing.layout import Rows
from rnnstep.capturing.watching import Watcher
from rnnstep.language import Text, environment_language

__all__ = ["Captured", "Stopped", "Watcher", "capture", "debug", "watch"]


def capture(
    model: Any = None,
    *,
    only: Chosen = None,
    rows: Rows | None = None,
    last: int | None = None,
    limit: str | int = "2 GiB",
    gradients: bool = True,
) -> Captured:
    """Record every call of a recurrent module inside a `with`; the program's numbers are bit for bit those without it.

    >>> with rnnstep.capture(model) as seen:
    ...     criterion(model(x), y).backward()
    >>> seen  # a table
    >>> seen["encoder"][0].trace().agrees

    Args:
        model: A module, several (a list, or a mapping of names), or nothing: every recurrent module that is called.
        only: Names or classes of modules: "encoder", torch.nn.LSTM.
        rows: Which rows of the batch: how many of the first, a slice, or their numbers.
        last: How many calls of each module are kept, the newest.
        limit: How much memory calls may take; older ones go to a temporary folder.
        gradients: Whether gradients that reach their results are recorded.

    Raises:
        UsageError: `limit` is no size.
    """
    return Captured(model, only=only, rows=rows, last=last, limit=limit, gradients=gradients)


def debug(
    model: Any = None,
    *inputs: Any,
    loss: Any = None,
    at: str | None = None,
    rows: Rows | None = None,
    **options: Any,
) -> Captured | None:
    """Capture one pass of a model, and open the debugger on it; `.grad` of its parameters is left as it is.

    Without a model, within a `watch` or a `capture`: the debugger on what has run so far, and then the program goes on. So
    `PYTHONBREAKPOINT=rnnstep.debug` makes `breakpoint()` open it. Where there is no terminal, or nothing has run, a message
    says so.

    Args:
        model: A module.
        *inputs: What it is called with.
        loss: A function of its output: the way back from it can be stepped, too.
        at: A place, such as "encoder[2]:5/L0/h[3]".
        rows: As of `capture`.
        **options: What else the model is called with.

    Raises:
        UsageError: The model calls no recurrent module.
    """
    if model is None:
        return _debug_here(at)
    import torch

    with Captured(model, rows=rows) as seen:
        output = model(*inputs, **options)
        if loss is not None:
            learnt = [one for one in model.parameters() if one.requires_grad]
            torch.autograd.grad(loss(output), learnt, allow_unused=True)
    seen.open(at)
    return seen


def watch(model: Any = None, when: str | None = None) -> Watcher:
    """Watcher recurrent modules from here on, as `rnnstep run` does: the first number that is not finite stops the program.

    Also a context manager, which watches to its end.

    >>> rnnstep.watch(when="norm(h) > 100")

    Args:
        model: A module, several, or nothing: every recurrent module that is called.
        when: A condition of watches that stops it, too.
    """
    return Watcher(model, when).to_the_end()


def _debug_here(at: str | None) -> Captured | None:
    """The debugger on what has run so far in the innermost capture or watch; a message where that cannot be."""
    from rnnstep.capturing.showing import has_terminal

    seen = newest_open()
    if seen is None:
        _tell(
            Text(
                "nothing is recorded here: call rnnstep.watch() before, or use `with rnnstep.capture(model)`"
            )
        )
    elif not seen.calls:
        _tell(Text("no recurrent module has been called yet"))
    elif not has_terminal():
        _tell(Text("the debugger needs a terminal; {count} calls are recorded so far", count=len(seen.calls)))
    else:
        seen.open(at or f"{seen.calls[-1].place}:start")
    return seen


def _tell(text: Text) -> None:
    sys.stderr.write(f"rnnstep: {text.into(environment_language())}\n")
