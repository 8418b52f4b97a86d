"""The engine: runs a scenario in numpy and keeps, or can give again, every value on the way."""

from __future__ import annotations

from rnnstep.engine.model import Model
from rnnstep.engine.passes import Pass
from rnnstep.engine.trace import Trace, TraceStep
from rnnstep.network.blocks import Block

__all__ = ["Block", "Model", "Pass", "Trace", "TraceStep"]
