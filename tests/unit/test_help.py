"""The help: it begins with what is under the cursor, and explains every sign and word of the screen."""

from __future__ import annotations

import functools
import re

import pytest

from rnnstep.scenario import bundled
from rnnstep.scenario.read import read
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.card import with_card
from rnnstep.views.glossary import GLOSSARY
from rnnstep.views.help import help_rows
from rnnstep.views.look import Look
from rnnstep.views.rows import plain, row_width
from rnnstep.views.screen import screen
from rnnstep.views.under_cursor import LEVELS, here

FRAMES = "─│┌┐└┘╭╮╰╯├┤┬┴┼"  # of boxes, brackets and axes
KEYS = "→←↑↓"  # of the keyboard: the help is full of them
PUNCTUATION = "，。：；、（）？！“”《》…—–"
PLACES = (
    "start",
    "1",
    "2/L0",
    "2/L0/h[0]",
    "2/L0/hh",
    "2/L0/hh[0].1",
    "1/loss",
    "backward:",
    "backward:2/L0",
    "backward:1/L0/∂h",
    "update:",
    "update:weight_hh",
    "e2:",
    "L0←",
    "1/join0",
    "2/linear",
)
SCENARIOS = ("hello", "hello_lstm", "packed", "bidirectional", "vanishing", "windows", "exploding", "mgu")


@functools.cache
def run_of(name: str) -> SessionRun:
    return SessionRun.of(read(bundled.find(name)))


def sessions(name: str) -> list[Session]:
    found = [Session.open(run_of(name)).go(place) for place in PLACES]
    return [session for session in found if session.note is None]


def explained() -> str:
    return " ".join(entry.into("en") for entry in GLOSSARY)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("size", [(80, 24), (120, 35), (200, 60)])
def test_every_sign_on_every_screen_is_explained(name, size):
    known = set(explained()) | set(FRAMES + KEYS + PUNCTUATION)
    unexplained: dict[str, str] = {}
    for session in sessions(name):
        for look in (
            Look(torch="none"),
            Look(torch="none", is_joined=True),
            Look(torch="none", is_blackboard=True),
        ):
            for sign in set(plain(screen(session, look, *size))):
                is_braille = 0x2800 <= ord(sign) < 0x2900
                if not sign.isascii() and not is_braille and sign not in known:
                    unexplained[sign] = session.place
    assert unexplained == {}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_block_and_value_of_torchs_cells_is_explained(name):
    words = set(re.findall(r"[\w]+", explained()))
    run = run_of(name)
    for block in run.tree.stage(Session.open(run).go("1").spot).blocks:
        key = re.sub(r"\d+", "0", block.key).strip("←→")
        assert key in words
        if block.kind != "recurrent" or run.scenario.cell.name not in ("RNN", "LSTM", "GRU"):
            continue
        for value in block.program.names:
            bare = re.sub(r"_[ifgorzn]$", "", value)
            assert {value, bare, bare.removeprefix("tanh_")} & words, value


@pytest.mark.parametrize(
    "sign",
    [
        "L0",
        "join0",
        "⊙",
        "Δ",
        "0–2/5",
        "hx",
        "≤ 6e-8",
        "≈",
        "∂",
        "▶",
        "·",
        "Σ",
        "σ",
        "ᵀ",
        "‖",
        "┊",
        "■",
        "✓",
        "✗",
        "@row5",
    ],
)
def test_what_newcomers_asked_about_is_explained(sign):
    assert sign in explained()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("cells", [40, 60, 80, 120, 200])
def test_the_glossary_stands_whole_in_the_help_and_fits(language, cells):
    look = Look(language=language)
    rows = help_rows(look, cells, Session.open(run_of("hello")).go("2/hh"))
    assert max(map(row_width, rows)) <= cells
    text = re.sub(r"\s", "", plain(rows))
    for entry in GLOSSARY:
        assert re.sub(r"\s", "", entry.into(language)) in text
        if cells >= 120:
            assert re.sub(r"\s", "", look.say(entry.meaning))[:20] in text


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_help_begins_with_what_is_under_the_cursor(name):
    for session in sessions(name):
        text = plain(help_rows(Look(), 100, session))
        assert text.lstrip().startswith(f"Under the cursor: {session.place}\n")


def test_all_levels_are_told():
    told = set()
    for session in [*sessions("hello"), *sessions("windows"), *sessions("hello_lstm"), *sessions("seq2seq")]:
        text = " ".join(plain(here(session, Look(), 200)).split())
        told |= {level for level, words in LEVELS.items() if " ".join(words.into("en").split())[:60] in text}
    session = Session.open(run_of("windows")).go("2:")
    assert LEVELS["batch"].into("en")[:60] in plain(here(session, Look(), 200))
    session = Session.open(run_of("seq2seq")).go("target:")
    assert LEVELS["sequence"].into("en")[:60] in plain(here(session, Look(), 200))
    assert told | {"batch", "sequence"} == set(LEVELS)


@pytest.mark.parametrize(
    ("name", "place", "words"),
    [
        (
            "hello",
            "2/L0/hh",
            ["carry the memory one step on", "torch.nn.RNNCell", "weight_hh", "does not give it out"],
        ),
        ("hello_lstm", "5/L0/h", ["output[4,0] = h_n[0,0]", "torch.nn.LSTM", "weight_ih_l0"]),
        ("hello_lstm", "2/linear", ["torch.nn.Linear"]),
        ("hello", "1/loss", ["torch.nn.CrossEntropyLoss"]),
        ("hello", "update:weight_hh", ["torch.optim.Adam", "weight_hh"]),
        ("bidirectional", "3/L0←/a", ["from the last step to the first", "weight_ih_l0_reverse"]),
        ("bidirectional", "3/join0", ["both directions side by side"]),
        ("mgu", "2/L0/f", ["the cell mgu"]),
    ],
)
def test_what_is_under_the_cursor_is_told_in_torchs_words(name, place, words):
    text = " ".join(plain(here(Session.open(run_of(name)).at(place), Look(), 100)).split())
    for word in words:
        assert word in text


@pytest.mark.parametrize("size", [(40, 10), (60, 17), (80, 24), (120, 35), (200, 60)])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_card_lies_over_the_screen_and_moves_nothing_else(size, language):
    look = Look(language=language, torch="none")
    for session in sessions("hello")[:4]:
        rows = screen(session, look, *size)
        laid = with_card(rows, look, *size)
        assert len(laid) == size[1]
        assert {row_width(row) for row in laid} == {size[0]}
        assert laid[0] == rows[0]
        assert laid[-1] == rows[-1]
        for before, after in zip(plain(rows).split("\n"), plain(laid).split("\n"), strict=True):
            if "│" in after and before != after:
                assert before[:2] == after[:2] or size[0] < 80
