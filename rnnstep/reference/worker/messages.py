"""What the screen and its worker say to each other: pickles, each behind its length, through a pair of pipes.

Both ends are our own processes of one program, so that pickles are safe here; nothing of a file's is unpickled.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rnnstep.scenario.pickling import pickle_into

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rnnstep.engine.trainer import State
    from rnnstep.errors import Problem
    from rnnstep.language import Text
    from rnnstep.reference.judge.whole_run import TorchAnswer
    from rnnstep.reference.run.pitfalls import TorchWords
    from rnnstep.scenario.model import Floats, Scenario

_LENGTH = struct.Struct("<Q")
_MOST_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class PlaceInTraining:
    """What is looked at in a scenario's training.

    Attributes:
        training: the revision of the request that this scenario came with first; its training goes on from there.
        epoch: from 0.
        state: what the epoch begins with; None for the scenario's own parameters.
        batch: which batch is to be answered first.
    """

    training: int
    epoch: int = 0
    state: State | None = None
    batch: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """Complete a scenario if it is pending; run an epoch of it, run torch on that, compare; then train it with torch.

    Without a place it is the first epoch.
    """

    revision: int
    scenario: Scenario
    place: PlaceInTraining | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """The parameters that were pending."""

    revision: int
    parameters: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Referenced:
    """torch's numbers of one batch and what comparing gave: of all phases, or of some that others follow."""

    revision: int
    batch: int
    answer: TorchAnswer


@dataclass(frozen=True, slots=True)
class Trained:
    """Epochs of torch's own training, one after another.

    Attributes:
        revision: of the request that the scenario came with first.
        index: the first of these epochs, from 0.
        losses: before each epoch's update; of several batches their mean.
        predictions: of each epoch the most likely classes of each batch, (T, B) or (B,); None where there are none.
        refused: with the first epochs, what torch said to the program with the scenario's mistake.
    """

    revision: int
    index: int
    losses: tuple[float, ...]
    predictions: tuple[tuple[NDArray[np.int64], ...] | None, ...]
    refused: tuple[TorchWords, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there are no numbers of torch's; `problems` where the scenario is at fault."""

    revision: int
    message: Text
    problems: tuple[Problem, ...] = ()


Reply = Completed | Referenced | Trained | Failed


def send(pipe: int, message: Request | Reply) -> None:
    """Write one message whole.

    Raises:
        OSError: the other end is gone.
    """
    packed = io.BytesIO()
    packed.write(_LENGTH.pack(0))
    pickle_into(packed, message)
    view = packed.getbuffer()
    _LENGTH.pack_into(view, 0, len(view) - _LENGTH.size)
    while view:
        view = view[os.write(pipe, view[:_MOST_AT_ONCE]) :]


def receive(pipe: int) -> Any:
    """Read one message whole.

    Raises:
        EOFError: the other end is gone.
    """
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    return pickle.loads(_exactly(pipe, length))  # noqa: S301 - from our own process


def _exactly(pipe: int, count: int) -> bytearray:
    found = bytearray()
    while len(found) < count:
        part = os.read(pipe, min(count - len(found), _MOST_AT_ONCE))
        if not part:
            raise EOFError
        found += part
    return found
