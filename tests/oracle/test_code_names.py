"""A title, a file, a cell, a state and a parameter may be called as anything: the program of `rnnstep code` stays as it is."""

from __future__ import annotations

import encodings.aliases
import io
import json
import tokenize
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from rnnstep.errors import ScenarioError
from rnnstep.language import Text
from rnnstep.modules import above_recurrent
from rnnstep.program import torch_program
from rnnstep.reference import complete
from tests.oracle.programs import (
    ADAM,
    NUMBERS,
    SEED,
    SGD,
    WORD,
    Numbers,
    Run,
    agrees,
    classes,
    module,
    scenario_in,
    values,
)


def _encodings() -> list[str]:
    """All names of encodings that Python knows, in the ways in which a first line may name one."""
    names = {*encodings.aliases.aliases, *encodings.aliases.aliases.values(), "rot13", "utf-7", "no-such"}
    return [
        f"{sign} {name}" for name in sorted(names) for sign in ("coding:", "Letter coding:", "-*- coding=")
    ]


def test_title_and_file_name_never_choose_the_encoding_of_the_program(tmp_path):
    text = f"{WORD}{module('RNN', size=4)}{SEED}"
    scenario = scenario_in(tmp_path, f'title = "PLACE"\n{text}')
    for title in _encodings():
        named = replace(scenario, title=Text("{title}", title=title), path=tmp_path / f"{title}.toml")
        for language in ("en", "zh"):
            program = torch_program(named, language).encode()
            assert tokenize.detect_encoding(io.BytesIO(program).readline)[0] == "utf-8", title
            assert compile(program, "program", "exec")


def test_a_file_name_that_is_code_in_another_encoding_is_no_code(tmp_path):
    folder = tmp_path / "a+ACIAIABhAG4AZAAgAF8AXwBpAG0AcABvAHIAdABfAF8AKAAiAG8AcwAiACkA-"
    folder.mkdir()
    np.save(folder / "x.npy", np.ones((2, 1, 3)))
    text = f'title = "coding: utf-7"\n[input]\nfile = "x.npy"\n{module("RNN")}{SEED}'
    program = torch_program(scenario_in(folder, text))
    assert Run(program.encode()).printed["output"]


def _names_in_programs(folder: Path) -> set[str]:
    """All names that programs of own cells use by themselves, at any of their ends."""
    found: set[str] = set()
    rests = ("", classes(4, 3), classes(4, 3) + ADAM, f'{classes(4, 3)}{SGD}mistake = "hidden_not_reset"\n')
    for rest in rests:
        for given in (NUMBERS, PADDED_NUMBERS):
            program = torch_program(scenario_in(folder, f"{given}{module('mine')}{SEED}{rest}{MINE}"))
            tokens = tokenize.generate_tokens(io.StringIO(program).readline)
            found |= {token.string for token in tokens if token.type == tokenize.NAME}
    return found - {"mine"}


PADDED_NUMBERS = f"{NUMBERS}lengths = [4, 2, 3]\n"
MINE = """
[cell.mine]
state = ["h", "s"]
parameters = {W = "hidden_size, input_size"}
equations = "s = s_prev + 1\\nh = tanh(W @ x + h_prev)"
"""
STRANGE = [
    "x",
    "x²",
    "é",
    "ﬁ",
    "2x",
    "²",
    "_",
    "__",
    "",
    "a b",
    'a"b',
    "h_0",
    "h_t",
    "名",
    "𝐱",
    "def f():",
    "torch.nn",
]


def test_a_cell_may_be_called_as_anything_that_the_program_itself_names(tmp_path):
    """The numbers, too, which no name changes."""
    rests = ("", values(4, 3, 3), values(4, 3, 3) + SGD)
    plain = [scenario_in(tmp_path, f"{PADDED_NUMBERS}{module('mine')}{SEED}{rest}{MINE}") for rest in rests]
    numbers = [Numbers(complete(scenario)) for scenario in plain]
    for name in sorted(_names_in_programs(tmp_path)) + STRANGE:
        written = json.dumps(name, ensure_ascii=False)
        cell = MINE.replace("[cell.mine]", f"[cell.{written}]")
        recurrent = module("mine").replace('"mine"', written)
        for rest, known in zip(rests, numbers, strict=True):
            agrees(scenario_in(tmp_path, f"{PADDED_NUMBERS}{recurrent}{SEED}{rest}{cell}"), known)


def test_states_and_parameters_may_be_called_as_anything_that_the_program_itself_names(tmp_path):
    taken = sorted(_names_in_programs(tmp_path) - {"x", "h_prev", "s_prev", "tanh"})
    for name in [*taken, "h_0", "h_t", "loss_", "loss__", "t_0"]:
        cell = MINE.replace("s = s_prev", f"{name} = {name}_prev").replace('"s"', f'"{name}"')
        if name.endswith("_prev") or name in ("W", "h", "and", "or", "not", "True", "False", "None"):
            continue
        recurrent = module("mine")
        for rest in ("", f'{values(4, 3, 3)}{SGD}mistake = "hidden_not_reset"\n'):
            try:
                scenario = scenario_in(tmp_path, f"{PADDED_NUMBERS}{recurrent}{SEED}{rest}{cell}")
            except ScenarioError:  # a word of the equations' own
                continue
            agrees(scenario)


WHAT_HAS_TO_BE_SAID = {
    "Conv1d": "out_channels = 3\nkernel_size = 3\npadding = 1",
    "Linear": "out_features = 3",
    "Softmax": "dim = -1",
    "LogSoftmax": "dim = -1",
    "MaxPool1d": "kernel_size = 3\nstride = 1\npadding = 1",
    "AvgPool1d": "kernel_size = 3\nstride = 1\npadding = 1",
}


def test_a_cell_may_be_called_as_a_module_above_it(tmp_path):
    for above in above_recurrent().values():
        if above.torch == "Attention":  # which reads two inputs
            continue
        cell = MINE.replace("[cell.mine]", f"[cell.{above.key}]")
        layers = (
            f'[[layers]]\nmodule = "{above.key}"\nhidden_size = 3\n[[layers]]\nmodule = "{above.torch}"\n'
            f"{WHAT_HAS_TO_BE_SAID.get(above.torch, '')}\n"
        )
        for rest in ("", values(4, 3, 3), values(4, 3, 3) + SGD):
            agrees(scenario_in(tmp_path, f"{NUMBERS}{layers}{SEED}{rest}{cell}"))


TWO = """
[[layers]]
name = "{first}"
module = "GRU"
hidden_size = 3
[[layers]]
name = "{second}"
module = "LSTM"
hidden_size = 3
"""


def test_a_layer_may_be_called_as_anything_that_the_program_or_torch_names(tmp_path):
    """Also what Python cannot read, `x²`, or reads as another name, `ﬁ` and `fi`."""
    rest = f"{SEED}{values(4, 3, 3)}{SGD}"
    numbers = Numbers(
        complete(scenario_in(tmp_path, f"{NUMBERS}{TWO.format(first='one', second='two')}{rest}"))
    )
    program = torch_program(scenario_in(tmp_path, f"{NUMBERS}{TWO.format(first='one', second='two')}{rest}"))
    tokens = tokenize.generate_tokens(io.StringIO(program).readline)
    taken = {token.string for token in tokens if token.type == tokenize.NAME} - {"one", "two"}
    of_modules = {name for name in dir(nn.ModuleDict()) if not name.startswith("_")}
    for name in [
        *sorted(taken | of_modules),
        "x²",
        "é",
        "ﬁ",
        "名",
        "𝐱",
        "two_h",
        "x_b2_u",
        "one_t",
        "two_out",
        "to_",
    ]:
        text = TWO.format(first=name, second={"ﬁ": "fi", "x²": "x_b2_u", "to_": "to"}.get(name, "two"))
        try:
            scenario = scenario_in(tmp_path, f"{NUMBERS}{text}{rest}")
        except ScenarioError:  # a word of places
            continue
        agrees(scenario, numbers)
