"""Live recurrent modules of PyTorch: heard while they are called, recorded, and opened as scenarios.

listening        where they are heard, and how every trace of that goes away again
calls            one call: what a module was given and gave, as copies; the gradients that reached it
cell_chains      calls of a cell as one sequence, with resets
recorded_call    the same as arrays in torch's shapes: what a scenario is made of, and what is saved
scenario_of_call a call as a scenario, with what the model gave as its reference
captured         all of them: what `rnnstep.capture` gives
saved, table     on disk, as text and as HTML
"""

from __future__ import annotations

from typing import Any

from rnnstep.capturing.captured import Captured, Chosen
from rnnstep.capturing.layout import Rows
from rnnstep.errors import UsageError
from rnnstep.language import Text

__all__ = ["Captured", "capture", "debug"]


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
) -> Captured:
    """Capture one pass of a model, and open the debugger on it; `.grad` of its parameters is left as it is.

    Args:
        model: A module.
        *inputs: What it is called with.
        loss: A function of its output: the way back from it can be stepped, too.
        at: A place, such as "encoder[2]:5/L0/h[3]".
        rows: As of `capture`.
        **options: What else the model is called with.

    Raises:
        UsageError: There is no model, or it calls no recurrent module.
    """
    import torch

    if model is None:
        raise UsageError(Text("rnnstep.debug needs a model and its inputs: rnnstep.debug(model, x)"))
    with Captured(model, rows=rows) as seen:
        output = model(*inputs, **options)
        if loss is not None:
            learnt = [one for one in model.parameters() if one.requires_grad]
            torch.autograd.grad(loss(output), learnt, allow_unused=True)
    seen.open(at)
    return seen
