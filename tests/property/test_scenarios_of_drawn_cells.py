"""Whatever cell is drawn, in layers and both directions, packed or not: it runs, goes back, agrees with torch, is shown, and written as a program."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rnnstep.engine import Model
from rnnstep.equations.program import Program
from rnnstep.equations.write import write_line
from rnnstep.program import torch_program
from rnnstep.reference import check, check_gradients
from rnnstep.scenario.read import read_text
from rnnstep.session.session import Session
from rnnstep.tui.files import session_of
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.screen import screen
from tests.property.random_cells import cell, programs

STACKED = (
    "",
    "num_layers = 2\n",
    "bidirectional = true\n",
    "num_layers = 2\nbidirectional = true\n",
    'num_layers = 2\ndropout = 0.5\nmode = "train"\n',
)
SHAPES = {"packed": (4, 2), "a batch": (4, 2), "one row": (3, 1), "unbatched": (4,)}


def scenario_text(made: Program, hidden: int, entering: int, options: str, kind: str, seed: int) -> str:
    """The file of a scenario with this cell."""
    shape = SHAPES[kind]
    width = hidden * (2 if "bidirectional" in options else 1)
    target = np.random.default_rng(seed).uniform(-1, 1, (*shape, width)).round(2).tolist()
    parameters = "".join(
        f'parameters.{name} = "{", ".join(map(str, sizes))}"\n' for name, sizes in made.parameters.items()
    )
    equations = "\n".join(map(write_line, made.lines))
    lengths = "lengths = [2, 4]\n" if kind == "packed" else ""
    return (
        f"[input]\nrandom = {{shape = {[*shape, entering]}, seed = {seed}}}\n{lengths}"
        f'[recurrent]\nmodule = "drawn"\nhidden_size = {hidden}\n{options}[weights]\nseed = {seed}\n'
        f"[target]\nvalues = {target}\n[cell.drawn]\nstate = {list(made.states)}\n{parameters}"
        f"equations = '''\n{equations}\n'''\n"
    )


PART_READ_AFTER_THE_LOOP = cell(
    "v0 = tanh(cat(d, h_prev)[input_size:])\nh = b + cat(d, h_prev)[input_size:]", ("h",)
)
READS_WHAT_WAS_CARRIED = cell("h = c_prev - k\nc = (1 - A) @ softmax(d)", ("h", "c"))


@example(PART_READ_AFTER_THE_LOOP, 1, 1, "", "packed", 0)
@example(READS_WHAT_WAS_CARRIED, 1, 2, "", "packed", 85)
@given(
    made=programs(),
    hidden=st.integers(1, 3),
    entering=st.integers(1, 3),
    options=st.sampled_from(STACKED),
    kind=st.sampled_from(list(SHAPES)),
    seed=st.integers(0, 99),
)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_it_agrees_with_torch_forward_and_back(
    made: Program, hidden: int, entering: int, options: str, kind: str, seed: int
) -> None:
    scenario = read_text(scenario_text(made, hidden, entering, options, kind, seed))
    model = Model(scenario)
    run = model.run()
    assert check(run).faults == ()
    assert check_gradients(run.passes[0], model.backward(run.passes[0])).faults == ()
    compile(torch_program(scenario), "program", "exec")
    session = session_of(scenario)
    for move in random.Random(seed).choices([Session.right, Session.right, Session.into, Session.out], k=6):
        session = move(session)
        assert len(screen(session, Look(torch="ready"), 120, 35)) == 35


def test_a_matrix_that_is_read_twice_in_a_line_is_drawn_twice() -> None:
    made = cell("h = tanh(A * A @ x)", ("h",))
    session = session_of(read_text(scenario_text(made, 3, 2, "", "a batch", 1)))
    text = plain(screen(session.go("1/L0/h"), Look(torch="ready"), 200, 60))
    assert "A 3×2" in text
    assert text.count("A 3×2") >= 2
