"""Every worked line that a screen shows says `=` where its numbers add up, `≈` where they do not, and the latter is rare."""

from __future__ import annotations

import re
import textwrap
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnstep.equations.adding_up import adds_up
from rnnstep.equations.expand import expand
from rnnstep.equations.syntax import Line, parse_expression
from rnnstep.scenario import bundled
from rnnstep.session.session import Session
from rnnstep.views import numbers
from rnnstep.views.alphabet import ASCII
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.screen import screen
from tests.property.worked_lines import Reckoner, Shown, comes_to, lines, run_of, spots

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "tests" / "oracle" / "published"
NARROW, WIDE = (76, 2), (196, 4)


def _wrong(name, look, cells, height, most, epochs=1):
    shown = list(lines(name, look, cells, height, most, epochs))
    assert shown
    return [line for line in shown if not line.is_true]


@pytest.mark.parametrize("name", bundled.names())
def test_equals_stands_where_the_shown_numbers_add_up_and_nowhere_else(name):
    epochs = 2 if name in ("hello", "hello_lstm") or name.startswith("pitfalls") else 1
    assert not _wrong(name, Look(), *NARROW, 2, epochs)


@pytest.mark.parametrize("decimals", [0, 2, 3, 6, 12])
@pytest.mark.parametrize("name", ["hello", "lstm_by_hand", "mgu", "weather"])
def test_it_does_with_any_decimals(name, decimals):
    assert not _wrong(name, Look(decimals=decimals), *WIDE, 2)


@pytest.mark.parametrize("name", ["hello", "hello_lstm", "hello_gru", "lstm_by_hand", "weather", "embedding"])
def test_almost_every_line_adds_up(name):
    shown = list(lines(name, Look(), *WIDE, 2))
    assert sum(line.sign == "≈" for line in shown) <= 0.005 * len(shown)


def test_a_sum_that_fails_in_its_last_digit_gets_one_more():
    shown = {line.place: line.text for line in lines("hello", Look(), *WIDE, 4)}
    assert shown["forward:1/L0/ih[3]"].endswith("− 0.22919 = 0.1797")
    assert shown["forward:1/L0/ih[0]"].endswith("+ 0.1177 = −0.0013")


def test_ascii_has_a_spelling_of_its_own():
    shown = [line.text for line in lines("embedding", Look(alphabet=ASCII), *NARROW, 2)]
    assert all(text.isascii() for text in shown if "∂" not in text)
    assert any(" ~= " in text for text in shown)


# ── cells of one's own: every function, division, comparison ──────────────────────────────

OWN = """
[input]
random = {shape = [3, 1, 2], seed = 1}

[recurrent]
module = "own"
hidden_size = 2

[weights]
seed = 1

[cell.own]
state = ["h"]
parameters = {W = "hidden_size, input_size", U = "hidden_size, hidden_size", b = "hidden_size"}
equations = '''
%s
'''
"""


@pytest.mark.parametrize(
    "equations",
    [
        "h = 1 / (1 + exp(-(W @ x + U @ h_prev + b)))",
        "s = sqrt(abs(W @ x)) + norm(b) * log(2 + h_prev * h_prev)\nh = tanh(s / (3.5 + max(b)))",
        "p = softmax(W @ x + U @ h_prev + b)\nh = p - mean(p) * (p > 0.5) + min(p)",
        "z = sigmoid(W @ x)\nh = (1 - z) * h_prev + z * relu(U @ (z * h_prev) + b)",
        "h = 1e30 * (W @ x) * 1e-28 + 1e-7 * h_prev",
        "h = log(W @ x) - exp(1000 * b)",
        "h = W @ (U @ (x * x)) - -b[0] * 0.125",
        "n = layer_norm(W @ x + U @ h_prev, b, b)\nh = tanh(n) - layer_norm(n, h_prev, 2 * b) / 4",
        "s = W @ x\nh = argmax(s) * b + any(s > 0.5) - all(s < h_prev) * h_prev",
    ],
)
def test_lines_of_own_cells(tmp_path, equations):
    path = tmp_path / "own.toml"
    path.write_text(OWN % textwrap.dedent(equations))
    for decimals in (1, 3, 4, 8):
        shown = list(lines(path, Look(decimals=decimals), *WIDE, 3))
        assert shown
        assert not [line for line in shown if not line.is_true]
    run_of.cache_clear()


# ── every optimizer and loss, and what others have published ─────────────────────────────

LEARNING = """
[input]
random = {shape = [3, 2, 2], seed = 1}
[recurrent]
module = "GRU"
hidden_size = 2
[linear]
out_features = 2
[weights]
seed = 2
[target]
values = [[[0.1, 0.2], [1, 0]], [[0.3, -0.4], [0.5, 0]], [[0.5, 2.0], [0, 1]]]
[loss]
name = "%s"
factor = 0.5
[training]
epochs = 2
%s
"""


@pytest.mark.parametrize(
    ("loss", "training"),
    [
        ("MSELoss", 'optimizer = "AdamW"\nlr = 0.1\nweight_decay = 0.01\namsgrad = true'),
        ("L1Loss", 'optimizer = "RMSprop"\nlr = 0.01\ncentered = true\nmomentum = 0.9'),
        (
            "SmoothL1Loss",
            'optimizer = "SGD"\nlr = 0.1\nmomentum = 0.9\nnesterov = true\nclip_grad_norm = 0.5',
        ),
        ("BCEWithLogitsLoss", 'optimizer = "Adagrad"\nlr = 0.1\nlr_decay = 0.1\nclip_grad_value = 0.01'),
    ],
)
def test_lines_of_losses_and_updates(tmp_path, loss, training):
    path = tmp_path / "learning.toml"
    path.write_text(LEARNING % (loss, training))
    assert not _wrong(path, Look(), *WIDE, 2, epochs=2)
    run_of.cache_clear()


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(PUBLISHED.glob("*.toml")) if path.name != "expected.toml"],
    ids=lambda path: path.stem,
)
def test_lines_of_published_walk_throughs(path):
    assert not _wrong(path, Look(decimals=3), *WIDE, 3)


floats = st.one_of(
    st.floats(-5, 5, width=32),
    st.floats(allow_nan=True, allow_infinity=True, width=32),
    st.integers(-40, 40).map(lambda n: n / 16),
)


@given(
    a=st.lists(floats, min_size=3, max_size=3),
    b=st.lists(floats, min_size=3, max_size=3),
    text=st.sampled_from(
        [
            "sum(a * b)",
            "a[0] * b[0] - a[1] / b[1]",
            "tanh(a[0] - b[0]) * (1 - a[1] * a[1])",
            "max(a) - min(b) + abs(a[2])",
            "mean(a) / (sqrt(abs(b[0])) + 1e-8)",
            "(a[0] < b[0]) * a[1]",
            "max(a[0]) + min(b[0])",
            "-(a[0] - b[0]) * -b[1]",
            "argmax(a) * b[0] + any(a > b)",
            "all(a) - any(b) / 3",
        ]
    ),
    decimals=st.integers(0, 9),
    guard=st.integers(0, 2),
)
def test_the_judge_and_the_reader_of_texts_agree(a, b, text, decimals, guard):
    row = {"a": np.float32(a), "b": np.float32(b)}
    with np.errstate(all="ignore"):
        found = expand(Line("watch", parse_expression(text)), 0, row)
    result = numbers.number(found.value, decimals)

    def written(value):
        return numbers.short(value, decimals, guard=guard)

    shown = "".join(written(token.value) if token.kind == "value" else token.text for token in found.tokens)
    assert adds_up(found.piece, written, result) == comes_to(shown, result)


@pytest.mark.parametrize(
    ("text", "result", "is_so"),
    [
        ("0.4088 − 0.2292", "0.1797", False),
        ("0.40884 − 0.22917", "0.1797", True),
        ("0.5·0.25", "0.13", True),
        ("0.5·0.25", "0.12", False),
        ("−0.5·0.25", "−0.13", True),
        ("−(0.5 − 1)·(−2)/4", "−0.25", True),
        ("1/0", "inf", True),
        ("inf − inf", "NaN", True),
        ("3.1e-5·2", "6.2e-5", True),
        ("3.1e-5·2", "6.3e-5", False),
        ("12.5·10000", "1.3e5", True),
        ("0.00004", "0.0000", True),
        ("max(0, −inf, 1.8) + abs(1.8)", "4", True),
        ("min(inf, 0.3) − 0.1", "0.2", True),
        ("tanh(0.5)", "0.4621", True),
        ("sqrt(2)/(1 + 1e-08)", "1.4142", True),
        ("0.1 < 0.2 and not 1 < 0", "1.0000", True),
    ],
)
def test_what_the_reader_of_texts_says(text, result, is_so):
    assert comes_to(text, result) == is_so
    assert Reckoner("0.1 + 0.2").value() == Reckoner("0.3").value()


# ── the documents ────────────────────────────────────────────────────────────────────────

_NUMBER = r"−?\d+(?:\.\d+)?(?:e-?\d+)?"
_FACTOR = rf"[−(]*(?:(?:tanh|sigmoid|exp|sqrt|ln)[( ])?{_NUMBER}\)*"
_LINE = re.compile(
    rf"(?<![\w.])(?P<expression>(?=\S*[(·+/−n]|{_NUMBER} ){_FACTOR}(?: ?[·+−/] ?{_FACTOR})*) (?P<sign>[=≈]) (?P<result>{_NUMBER})"
)


def sums_of(path):
    """The worked lines of a document, those that go on in the next line of it included."""
    for found in _LINE.finditer(re.sub(r"\n(?=\S)", " ", path.read_text("utf-8"))):
        expression = re.sub(r"ln ?\(?([\d.]+)\)?", r"log(\1)", found["expression"])
        if not re.fullmatch(_NUMBER, expression):
            yield expression, found["sign"], found["result"]


DOCUMENTS = sorted(path for folder in (ROOT, ROOT / "docs") for path in folder.glob("*.md"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_sums_in_the_documents_add_up(path):
    for expression, sign, result in sums_of(path):
        assert comes_to(expression, result) == (sign == "="), (expression, sign, result)


@pytest.mark.parametrize("name", ["lessons.md", "lessons.zh.md"])
def test_the_lessons_have_sums_and_they_are_found(name):
    found = list(sums_of(ROOT / "docs" / name))
    assert len(found) >= 7
    assert ("0.03136 + 0.09177", "=", "0.1231") in found
    assert ("−log(0.2712)", "=", "1.3049") in found


# ── the screen as a whole ────────────────────────────────────────────────────────────────


def _read_off(rows):
    """The worked line of a screen's rows, its continuations joined, as an eye reads it."""
    inside = [row[2:-2].rstrip() if row.startswith("│ ") else "" for row in plain(rows).splitlines()]
    for number, text in enumerate(inside):
        if re.match(r"[∂\w]+\[[\d,]+\] = ", text):
            more = takewhile(lambda row: re.match(r" {4}\S", row), inside[number + 1 :])
            return " ".join([text, *map(str.strip, more)])
    return None


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 35), (200, 60)])
@pytest.mark.parametrize("name", ["hello", "hello_lstm", "mgu"])
def test_lines_read_off_whole_screens(name, width, height):
    run = run_of(name)
    session = Session.open(run)
    read = 0
    for spot in list(spots(run, 2))[::5]:
        text = _read_off(screen(session.jump(run.tree.path_to(spot)), Look(), width, height))
        assert text is not None
        if "…" not in text:
            read += 1
            assert Shown(name, "", text, "").is_true, text
    assert read
