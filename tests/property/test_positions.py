"""Every path that tomli yields has its place, on whatever text it accepts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import tomli
from hypothesis import example, given
from hypothesis import strategies as st

from rnnstep.scenario.file.positions import (
    MOST_KEY_PARTS,
    KeyPath,
    TooDeep,
    check_depth,
    positions,
    statement_start,
    unfinished_start,
)

KEYS = st.sampled_from(["a", "b", "c-d", "1", '"x y"', "'é.='", '"q\\"\\u0041"', '"\\e\\x41\\t"', '""', "''"])
BLANKS = st.sampled_from(["", " ", "\t", "  "])
GAPS = st.sampled_from(["", " ", "\n", "  \n\t", " # ] } , = \" ''' \n", "\r\n", "#\n\n"])
SCALARS = st.sampled_from(
    [
        "1",
        "0x1F",
        "1e5",
        "nan",
        "true",
        "1979-05-27 07:32:00",
        "07:32:00",
        '""',
        '"]} # \\" \\\\"',
        "'\\'",
        '"""a\n"b" [c]\n\\"""""""',
        "'''\n'' ] \\'''''",
        '""""""',
        "''''''",
        '"""\\\n   x"""',
        '"\\e[\\x7d"',
        "07:32",
    ]
)


@st.composite
def dotted_keys(draw: st.DrawFn) -> str:
    parts = draw(st.lists(KEYS, min_size=1, max_size=3))
    return f"{draw(BLANKS)}.{draw(BLANKS)}".join(parts)


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    elements = [draw(GAPS) + draw(inner) + draw(GAPS) for _ in range(draw(st.integers(0, 4)))]
    comma = "," if elements and draw(st.booleans()) else ""
    return "[" + ",".join(elements) + comma + draw(GAPS) + "]"


@st.composite
def inline_tables(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    pairs = [
        f"{draw(GAPS)}{draw(dotted_keys())}{draw(BLANKS)}={draw(BLANKS)}{draw(inner)}{draw(GAPS)}"
        for _ in range(draw(st.integers(0, 3)))
    ]
    comma = "," if pairs and draw(st.booleans()) else ""
    return "{" + ",".join(pairs) + comma + draw(GAPS) + "}"


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=8)


@st.composite
def documents(draw: st.DrawFn) -> str:
    lines = []
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["pair", "pair", "pair", "table", "array of tables", "blank"]))
        key, blank = draw(dotted_keys()), draw(BLANKS)
        line = {
            "pair": f"{blank}{key}{blank}={blank}{draw(VALUES)}",
            "table": f"{blank}[{blank}{key}{blank}]",
            "array of tables": f"{blank}[[{key}{blank}]]",
            "blank": blank,
        }[kind]
        lines.append(line + draw(st.sampled_from(["", " # x = [", "\t"])))
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


def paths(value: Any, place: KeyPath = ()) -> Iterator[KeyPath]:
    if place:
        yield place
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*place, index))


def parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomli.loads(text)
    except (ValueError, RecursionError):
        return None


def assert_all_placed(text: str) -> None:
    found = positions(text)
    data = parsed(text)
    if data is None:
        return
    lines = text.split("\n")
    for place in paths(data):
        line, column = found[place]
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1])
        assert lines[line - 1][column - 1] not in " \t\r#,]}="
    assert set(found) == set(paths(data))
    check_depth(text)


@given(documents())
@example("a = {b = 1,\n# }\nc = {\n}, # x\n}\nd = 2\n")
@example("a.b = 1\na.c = 2\n")
@example("[[a]]\nb = 1\n[[a]]\n[a.c]\n[[a.d]]\nx=1\n")
@example("[a.b.c]\n[a]\nx = 1\n")
def test_every_path_of_a_written_document_has_its_place(text: str) -> None:
    assert_all_placed(text)


@given(documents(), st.data())
def test_every_path_has_its_place_after_any_edit_that_tomli_still_accepts(
    text: str, data: st.DataObject
) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 3))
        put = data.draw(st.text(alphabet="ab1.=[]{}\"'#,\n\\ \t\ré", max_size=3))
        text = text[:at] + put + text[at + cut :]
    assert_all_placed(text)


@given(st.text(alphabet="ab=.[]{}\"'#,\n\\ \té\x1b"))
def test_no_text_makes_the_walk_fail(text: str) -> None:
    assert_all_placed(text)


@pytest.mark.parametrize(
    ("text", "place", "position"),
    [
        ("a = 1", ("a",), (1, 1)),
        ("\n  [x.y]\nkey = 1", ("x", "y", "key"), (3, 1)),
        ("\n  [x.y]\nkey = 1", ("x", "y"), (2, 3)),
        ("a = [1, [2,\n 3]]", ("a", 1, 1), (2, 2)),
        ('a = "é" # 中文\nb = {c = [7]}', ("b", "c", 0), (2, 11)),
        ('[[p]]\n[[p]]\nq."r s" = 1', ("p", 1, "q", "r s"), (3, 3)),
        ('a = ["中文", 1]', ("a", 1), (1, 12)),
        ("a = {  # x}\n  b = 1, # ,\n  c.d = [2],\n}", ("a", "c", "d", 0), (3, 10)),
        ('"\\x41\\e" = 1', ("A\x1b",), (1, 1)),
    ],
)
def test_places_are_those_an_editor_shows(text: str, place: KeyPath, position: tuple[int, int]) -> None:
    assert positions(text)[place] == position


@pytest.mark.parametrize(
    "text",
    [
        ".".join("a" * (MOST_KEY_PARTS + 1)) + " = 1",
        "[" + ".".join("a" * 40) + "]",
        "x = 1\ny = " + "[" * 40 + "]" * 40,
        "x = " + '{"a" = ' * 40,
        "x = [1, " + "[" * 40,
        'k = "]"\n' + '"a\\".b".' * 40 + "a = 1",
    ],
)
def test_what_would_take_tomli_too_long_is_found_before_it_runs(text: str) -> None:
    with pytest.raises(TooDeep):
        check_depth(text)


def test_a_long_text_is_walked_in_time_proportional_to_its_length() -> None:
    for text in [
        "[" * 10**6,
        "a." * 10**6,
        '"' * 10**6,
        "a = '''" + "'" * 10**6,
        "{" * 10**6,
        "a = [#" * 10**5,
    ]:
        positions(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = 1\nb = 2\na = 3", "a = 3"),
        ("[a]\nx = 1\n[b]\n[a]", "[a]"),
        ("a = {b = 1, c = {d = 1}, b = 2}", "b = 2}"),
        ("a = {\n  b = 1,\n  # b\n  b = 2,\n}", "b = 2,\n}"),
        ("a = {b = 1, b = 2", "b = 2"),
    ],
)
def test_what_tomli_refuses_at_its_end_is_found_at_its_beginning(text: str, found: str) -> None:
    with pytest.raises(tomli.TOMLDecodeError) as refused:
        tomli.loads(text)
    assert text[statement_start(text, refused.value.pos) :] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1\na = {b = 'c", "b = 'c"),
        ("x = 1\na = {b = 'c', d = [1, {e = 2}]", "a = {b = 'c', d = [1, {e = 2}]"),
        ("x = [\n1,", "x = [\n1,"),
        ("x = 1\n[y", "[y"),
        ('x = 1\ny = """a\n', 'y = """a\n'),
    ],
)
def test_what_the_text_ends_in_is_found_at_its_beginning(text: str, found: str) -> None:
    with pytest.raises(tomli.TOMLDecodeError, match="end of document"):
        tomli.loads(text)
    assert text[unfinished_start(text) :] == found
