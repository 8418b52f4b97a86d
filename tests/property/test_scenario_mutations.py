"""Whatever a scenario file holds: it is read, or refused with places; nothing else escapes."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnstep.errors import ScenarioError
from rnnstep.language.printable import printable
from rnnstep.scenario import bundled
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.keys import KEYS, OPTIMIZERS
from rnnstep.scenario.read import read, read_text

SMALL = Limits(memory=1 << 22)

OWN = '''\
input.values = [[[1, 2]], [[3, 4]]]
recurrent = {module = "mine", hidden_size = 2, proj_size = 0}
initial_state.h_0 = [0.5, -0.5]
weights = {W = [[1, 2], [3, 4]], U = [[0, 1], [1, 0]]}
[cell.mine]
state = ["h"]
parameters = {W = "hidden_size, input_size", U = "hidden_size, hidden_size"}
equations = """
a = W @ x + U @ h_prev
h = tanh(a) * 0.5 + softmax(a)[0]
"""
[target]
values = [[[1, 2]], [[3, 4]]]
[loss]
name = "MSELoss"
reduction = "sum"
[training]
optimizer = "RMSprop"
alpha = 0.9
'''
WINDOWS = """\
input = {values = [1, 2, 3, 4, 5], windows = {length = 2, stride = 1, pad = 0.0, batch_size = 2}}
recurrent = {module = "GRU", hidden_size = 2, batch_first = true, dropout = 0.5, num_layers = 2, mode = "train"}
weights.seed = 1
"""
SUMMARY = re.compile(r'summary\... = """.*?"""\n', re.DOTALL)
BUNDLED = ("hello", "embedding", "lstm_by_hand", "bidirectional", "packed", "weather")
TEXTS = [*(SUMMARY.sub("", bundled.find(name).read_text("utf-8")) for name in BUNDLED), OWN, WINDOWS]
TOKEN = re.compile(r'-?[0-9][0-9.]*|"[^"]*"|true|false')

KEY = st.sampled_from(
    sorted({key for keys in KEYS.values() for key in keys} | set(KEYS) | {"seed", "weight_ih_l0", "b_io"})
)
NUMBER = st.sampled_from(
    [
        "0",
        "1",
        "-1",
        "2",
        "3",
        "5",
        "100",
        "99999999999",
        str(10**30),
        "0x" + "f" * 5000,
        "1e999",
        "nan",
        "-inf",
        "0.5",
        "2.0",
    ]
)
WORD = st.sampled_from(
    [
        '""',
        '"h"',
        '"hello"',
        '"ohlol"',
        '"ascii"',
        '"LSTM"',
        '"GRUCell"',
        '"relu"',
        '"train"',
        '"h_n"',
        '"time"',
        '"sum"',
    ]
    + [f'"{name}"' for name in OPTIMIZERS]
    + [
        "true",
        "false",
        "1979-05-27",
        "07:32:00",
        '"\\u001b[2J"',
        '"..\\\\x"',
        '"/dev/zero"',
        '"."',
        "'MSELoss'",
    ]
)
VALUE = st.recursive(
    NUMBER | WORD,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: "[" + ", ".join(values) + "]")
        | st.dictionaries(KEY.map(lambda key: f'"{key}"'), inner, max_size=3).map(
            lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        )
    ),
    max_leaves=6,
)
ASSIGNMENT = st.tuples(KEY, VALUE).map(lambda pair: f"{pair[0]} = {pair[1]}")
HEADER = st.sampled_from([name for name in KEYS if name]).map(lambda name: f"[{name}]")


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good file with lines changed, put in, moved or taken out, or with characters changed."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        lines = text.split("\n")
        at = draw(st.integers(0, len(lines) - 1))
        tokens = [match.span() for match in TOKEN.finditer(lines[at])]
        match draw(st.sampled_from(["token"] * 5 + ["value", "value", "line", "out", "characters"])):
            case "token" if tokens:
                start, end = draw(st.sampled_from(tokens))
                lines[at] = lines[at][:start] + draw(NUMBER | WORD) + lines[at][end:]
            case "value" if "=" in lines[at]:
                lines[at] = lines[at].split("=", 1)[0] + "= " + draw(VALUE)
            case "line":
                lines.insert(at, draw(ASSIGNMENT | HEADER))
            case "out":
                del lines[at]
            case "characters":
                line, column = lines[at], draw(st.integers(0, len(lines[at])))
                put = draw(st.text(alphabet="ab01.-=[]{}\"'#,\n\\ é\x1b\u202e", max_size=3))
                lines[at] = line[:column] + put + line[column + draw(st.integers(0, 3)) :]
        text = "\n".join(lines)
    return text


def assert_read_or_refused(text: str) -> None:
    try:
        scenario = read_text(text, "mutated.toml", SMALL)
    except ScenarioError as error:
        lines = text.split("\n")
        for problem in error.problems:
            assert 1 <= problem.line <= len(lines)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
            for language in ("en", "zh"):
                message = problem.into(language)
                assert message == printable(message)
                assert message.startswith(f"mutated.toml:{problem.line}:{problem.column}: ")
    else:
        shapes = {name: array.shape for name, array in scenario.parameters.items()}
        assert shapes or scenario.pending is not None
        assert all(batch.first.num_steps >= 1 and batch.num_rows >= 1 for batch in scenario.batches)


@settings(max_examples=400, deadline=timedelta(seconds=5), suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_a_mutated_scenario_is_read_or_refused(text: str) -> None:
    assert_read_or_refused(text)


@settings(deadline=timedelta(seconds=5))
@given(st.lists(ASSIGNMENT | HEADER, max_size=12).map("\n".join))
def test_a_random_document_is_read_or_refused(text: str) -> None:
    assert_read_or_refused(text)


@settings(deadline=timedelta(seconds=5))
@given(data=st.binary(max_size=200) | mutated().map(lambda text: text.encode("utf-16")))
def test_random_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = Path(tmp_path_factory.getbasetemp()) / "random.toml"
    path.write_bytes(data)
    with pytest.raises(ScenarioError):
        read(path, SMALL)
