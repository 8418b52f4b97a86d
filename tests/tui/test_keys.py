"""What comes in from a terminal: keys, whatever the bytes are and however they are portioned."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual import events

from rnnstep.tui.keys import Keys

RIGHT = b"\x1b[C"

at_leisure = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def keys(*portions: bytes) -> list[str]:
    """Name the keys that portions of bytes give."""
    reader = Keys()
    messages = [message for portion in portions for message in reader.feed(portion)]
    return [message.key for message in messages if isinstance(message, events.Key)]


def mouse(*portions: bytes) -> list[tuple[type, float, float]]:
    reader = Keys()
    messages = [message for portion in portions for message in reader.feed(portion)]
    return [
        (type(message), message.x, message.y)
        for message in messages
        if isinstance(message, events.MouseEvent)
    ]


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff",
        b"\xe9",  # é of Latin-1
        b"\xc3\x28",
        b"\xf4\x90\x80\x80",
        b"\x1b[1114112u",  # no code point
        b"\x1b[99999999999999999999;5u",
        b"\x1b[97;1;1114112u",
        b"\x1b[M\xff\xff\xff",
        b"\x1b[Ma\xe9\x80",
        b"\x1b[<0;99999999;1M",
        b"\x1b[48;0;0;0;0t",
        b"\x1b[?2048;9$y",
        b"\x1b[;;;;u",
        b"\x1b[" + b"9" * 5000 + b"u",
    ],
)
def test_keys_after_what_is_none_come_in(bad: bytes) -> None:
    assert keys(RIGHT, bad, b"q" + RIGHT)[-2:] == ["q", "right"]
    assert keys(RIGHT + bad + b"q" + RIGHT)[-2:] == ["q", "right"]


def test_what_is_no_text_is_seen_to_have_come() -> None:
    assert keys(b"caf\xe9!") == ["c", "a", "f", "replacement_character", "exclamation_mark"]


def test_an_old_mouse_report_is_a_click() -> None:
    click = [(events.MouseDown, 199.0, 20.0), (events.MouseUp, 199.0, 20.0)]
    report = b"\x1b[M\x20\xe8\x35" + b"\x1b[M\x23\xe8\x35"
    assert mouse(report) == click
    assert mouse(*(bytes([byte]) for byte in report)) == click
    assert mouse(b"\x1b[M\x60\x21\x21", b"\x1b[M\x61\x21\x21") == [
        (events.MouseScrollUp, 0.0, 0.0),
        (events.MouseScrollDown, 0.0, 0.0),
    ]


portions = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [b"\x1b[", b"\x1b[<", b"\x1b[M", b"\x1b[200~", b"\x1b[201~", b";", b"u", b"M", b"48;", b"\x1bO"]
        ),
    ),
    max_size=20,
)


@at_leisure
@given(portions)
def test_any_bytes_are_read(parts: list[bytes]) -> None:
    reader = Keys()
    for part in parts:
        list(reader.feed(part))
        list(reader.tick())
    ended = [*reader.feed(b"   \x1b[201~"), *reader.feed(b"q" * 64)]
    assert any(isinstance(message, events.Key) and message.key == "q" for message in ended)


@at_leisure
@given(portions, st.integers(1, 7))
def test_how_bytes_are_portioned_changes_nothing(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    assert keys(*[data[k : k + size] for k in range(0, len(data), size)]) == keys(data)
