"""Keys of the user's own."""

from __future__ import annotations

import os

import pytest

from rnnstep.folders import CONFIG, KEYS, config_file
from rnnstep.settings import lines_of, problems, read_settings
from rnnstep.tui.keymap import is_key, read_keymap, shown


def write(text):
    config_file(KEYS).parent.mkdir(parents=True)
    config_file(KEYS).write_text(text, "utf-8")


def test_no_file_changes_nothing():
    assert read_keymap().keys == {}
    assert read_keymap().problems == ()


def test_entries_are_taken_and_bad_ones_told():
    write('right = "l, ctrl+l"\nrihgt = "x"\nleft = 3\ninto = "wobble"\n')
    found = read_keymap()
    assert found.keys == {"right": "l,ctrl+l"}
    told = [problem.into("en") for problem in found.problems]
    assert "did you mean `right`" in told[0]
    assert "expected keys" in told[1]
    assert "`wobble` is no key" in told[2]
    assert all(str(config_file(KEYS)) in text for text in told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('right = "q"', ":1: `right`: `q` is taken from `quit`"),
        ('left = "h"\nright = "l,?"', ":2: `right`: `?` is taken from `help`"),
        ('right = "l"\nleft = "l"', ":2: `left`: `l` is taken from `right`"),
        ('right = "q"\nquit = "Q"', None),
        ('right = "right,l"', None),
    ],
)
def test_a_key_that_is_taken_from_another_command_is_told_and_used(text, told):
    write(text)
    found = read_keymap()
    assert "right" in found.keys
    assert [problem.into("en").removeprefix(str(config_file(KEYS))) for problem in found.problems] == (
        [] if told is None else [told]
    )


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_told_and_not_waited_for(kind):
    config_file(KEYS).parent.mkdir(parents=True)
    for name in (KEYS, CONFIG):
        if kind == "folder":
            config_file(name).mkdir()
        else:
            os.mkfifo(config_file(name))
    assert read_keymap().keys == {}
    assert "no regular file" in read_keymap().problems[0].into("en")
    assert not read_settings().is_whole
    assert "no regular file" in problems().into("en")
    assert lines_of(config_file(CONFIG)) == {}


@pytest.mark.parametrize("text", ["right =", "\x00", "[right]\n[right]"])
def test_a_file_that_is_no_toml_is_told(text):
    write(text)
    found = read_keymap()
    assert found.keys == {}
    assert len(found.problems) == 1


@pytest.mark.parametrize("key", ["x", "?", "】", "ctrl+x", "f5", "pagedown", "question_mark", "shift+tab"])
def test_what_terminals_send_is_a_key(key):
    assert is_key(key)


@pytest.mark.parametrize("key", ["", "xx", "ctrl+", "hyper+x", "ctrl+banana", "snowman"])
def test_what_they_do_not_send_is_none(key):
    assert not is_key(key)


async def test_own_keys_are_obeyed_and_problems_shown(opened):
    write('right = "l,?"\nrihgt = "x"\n')
    async with opened("hello", size=(120, 35)) as screen:
        await screen.until(lambda: "`rihgt` is no command" in screen.words.replace("▌ ", ""))
        await screen.press("l", "question_mark")
        assert screen.session.place == "2"
        await screen.press("right")
        assert screen.session.place == "2"


@pytest.mark.parametrize(
    ("keys", "read"),
    [
        ("l,right", "l"),
        ("f2", "F2"),
        ("ctrl+g", "^g"),
        ("left", "←"),
        ("full_stop", "."),
        ("shift+tab", "⇧Tab"),
    ],
)
def test_a_key_is_named_as_people_read_it(keys, read):
    assert shown(keys) == read


async def test_own_keys_stand_in_the_footer(opened):
    write('blackboard = "f2"\n')
    async with opened("hello", size=(160, 40)) as screen:
        await screen.until(lambda: "F2 blackboard" in screen.words)
        assert " z blackboard" not in screen.words
