"""A scenario as a short PyTorch program that gives its numbers, ready to run.

literals   arrays as Python text
own_cell   the equations of one's own cell as a function over torch
data       what goes in: indices, values, random numbers, windows
weights    the modules and where their parameters come from
forward    the call, or the loop over a cell; packed batches; dropout's masks
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rnnstep.export.program.data import batches_lines, input_lines
from rnnstep.export.program.forward import forward_lines
from rnnstep.export.program.source import Source, results
from rnnstep.export.program.weights import module_lines
from rnnstep.scenario.model import Scenario


def torch_program(scenario: Scenario, language: str = "en") -> str:
    """Give the program of a scenario as it was read: pending parameters are left to the program itself."""
    source = Source(scenario, language)
    body = list(_body(source))
    return "\n".join([*_head(source, "\n".join(body)), *body]) + "\n"


def _head(source: Source, body: str) -> Iterator[str]:
    """Give the title and the imports that the body needs."""
    scenario = source.scenario
    title = " ".join(scenario.title.into(source.language).split()) or scenario.name
    yield f"# {title}"
    yield f"# The numbers of `rnnstep trace {scenario.name}`, from PyTorch alone."
    for module, name in (("math", "inf"), ("math", "nan")):
        if re.search(rf"(?<![\w.]){name}(?!\w)", body):
            yield f"from {module} import {name}"
    if "np." in body:
        yield "import numpy as np"
    yield "import torch"
    if "load_file(" in body:
        yield "from safetensors.torch import load_file"
    if "nn." in body:
        yield "from torch import nn"
    yield ""
    yield f"torch.set_printoptions(precision={max(1, scenario.display.decimals)}, sci_mode=False)"
    yield "torch.set_grad_enabled(False)"
    yield ""


def _body(source: Source) -> Iterator[str]:
    yield from module_lines(source)
    yield ""
    if len(source.scenario.batches) == 1:
        yield from input_lines(source)
        yield ""
        yield from forward_lines(source)
        yield ""
        for name in results(source.scenario):
            yield f'print("{name}", {name}, sep="\\n")'
        return
    yield from batches_lines(source)
    names = results(source.scenario)
    yield f"results = {{{', '.join(f'{name!r}: []' for name in names)}}}"
    yield f"for {source.loop_names} in batches:"
    for line in (*source.loop_lines, *forward_lines(source)):
        yield f"    {line}" if line else ""
    for name in names:
        yield f'    print("{name}", {name}, sep="\\n")'
        yield f'    results["{name}"].append({name})'
