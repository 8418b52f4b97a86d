"""A step at which a row of a recorded loop begins anew from zeros, as it is read; torch's columns are left out."""

from __future__ import annotations

import numpy as np
import pytest

from rnnstep.scenario.in_memory import BatchInput, made
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.alphabet import ASCII
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.screen import screen

pytestmark = pytest.mark.usefixtures("unhurried")


def _session(module, place):
    states = 1 + (module == "LSTMCell")
    rows = {"RNNCell": 3, "GRUCell": 9, "LSTMCell": 12}[module]
    random = np.random.default_rng(0)
    parameters = {
        "weight_ih": random.uniform(-0.5, 0.5, (rows, 2)),
        "weight_hh": random.uniform(-0.5, 0.5, (rows, 3)),
        "bias_ih": random.uniform(-0.5, 0.5, rows),
        "bias_hh": random.uniform(-0.5, 0.5, rows),
    }
    reset = np.zeros((4, 2), np.uint8)
    reset[2, 0] = 1
    given = dict(zip(("h_0", "c_0"), random.uniform(-1, 1, (states, 2, 3)), strict=False))
    above = {("L0", "h"): np.ones((4, 2, 3))}
    entering = BatchInput(random.uniform(-1, 1, (4, 2, 2)), **given, reset=reset, above=above)
    return Session.open(SessionRun.of(made(module, entering, parameters, name="loop"))).go(place)


def _text(session, width, height, **look):
    return "\n" + plain(screen(session, Look(torch="none", **look), width, height))


@pytest.mark.parametrize("place", ["3/L0/h_kept[1]", "3/L0/h_kept[1]@row1", "3", "backward:3/L0/∂h_prev[1]"])
@pytest.mark.parametrize("module", ["LSTMCell", "RNNCell"])
def test_a_reset_at_80_by_24(module, place, snapshot):
    assert _text(_session(module, place), 80, 24) == snapshot


def test_a_reset_at_other_sizes_and_in_chinese(snapshot):
    assert _text(_session("GRUCell", "3/L0/h_kept[1]"), 120, 35, language="zh") == snapshot
    assert _text(_session("LSTMCell", "3"), 200, 60) == snapshot


def test_the_joined_form_reads_what_is_kept(snapshot):
    assert _text(_session("RNNCell", "3"), 120, 35, is_joined=True) == snapshot


def test_a_reset_is_marked_in_its_row_alone_and_in_ascii():
    session = _session("GRUCell", "3/L0/a_n[0]")
    assert "W_hn·h_kept + b_hn" in _text(session, 120, 35)
    assert "3↺" in _text(session, 80, 24)
    assert "↺" not in _text(_session("GRUCell", "3/L0/a_n[0]@row1"), 80, 24)
    lines = _text(session, 80, 24, alphabet=ASCII).splitlines()
    assert any(line.split()[:4] == ["step", "1", "2", "3r"] for line in lines)
