"""The info page as text, in both languages: a change of it is to be looked at."""

from __future__ import annotations

import pytest

from rnnstep.scenario import bundled
from rnnstep.scenario.read import read
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.info import info
from rnnstep.views.look import Look
from rnnstep.views.rows import plain

pytestmark = pytest.mark.usefixtures("unhurried")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("hello", 80),
        ("packed", 60),
        ("batch_first", 120),
        ("lstm_by_hand", 80),
        ("mgu", 80),
        ("windows", 100),
        ("hello_gru", 80),
        ("pitfalls/softmax_before_cross_entropy", 80),
    ],
)
def test_info_page(name, cells, language, snapshot):
    session = Session.open(SessionRun.of(read(bundled.find(name))))
    assert plain(info(session, Look(language=language), cells)) == snapshot


def test_info_page_with_edits(snapshot):
    session = (
        Session.open(SessionRun.of(read(bundled.find("rnn"))))
        .edit_text("W_hh[0,1] = 0.5")
        .edit_text("h_0[1] = -1")
    )
    assert plain(info(session, Look(), 80)) == snapshot
