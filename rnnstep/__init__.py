"""Step through every number of an RNN, LSTM or GRU, with torch's beside it.

>>> import rnnstep
>>> run = rnnstep.trace("hello")  # a path, or the name of a bundled scenario
>>> run.steps[3]["h"]  # every value of step 4, (B, H)
>>> run.agrees  # whether torch computes the same
>>> rnnstep.grad("hello").parameters["weight_hh"]  # its gradient; `.reference` has autograd's
>>> rnnstep.train("hello").epochs[-1].prediction  # after training
>>> with rnnstep.capture(model) as seen:  # every call of a recurrent module of one's own program
...     model(x)
>>> rnnstep.watch()  # stop this program at the first number of one that is not finite
>>> rnnstep.check("hello", "h_1 = 0.216 0.251 -0.485 -0.094").score  # of a calculation by hand
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnstep.api import (
        Captured,
        Gradients,
        LoadedScenario,
        Marks,
        Run,
        Stopped,
        TrainingRun,
        Watcher,
        capture,
        check,
        debug,
        grad,
        load,
        loads,
        trace,
        train,
        watch,
    )

__version__ = "0.1.0"
__all__ = [
    "Captured",
    "Gradients",
    "LoadedScenario",
    "Marks",
    "Run",
    "Stopped",
    "TrainingRun",
    "Watcher",
    "__version__",
    "capture",
    "check",
    "debug",
    "grad",
    "load",
    "loads",
    "trace",
    "train",
    "watch",
]


def __getattr__(name: str) -> Any:
    # numpy comes with the first name that is asked for: the command line starts without it (PEP 562).
    if name in __all__:
        from rnnstep import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
