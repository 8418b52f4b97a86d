"""The line that comes back to the same place can be typed as it stands."""

from __future__ import annotations

import shlex

import pytest

from rnnstep.tui.app import shell_word


@pytest.mark.parametrize("shell", ["/bin/bash", "", "/usr/bin/fish"])
def test_places_stand_bare_where_the_shell_takes_them(shell, monkeypatch):
    monkeypatch.setenv("SHELL", shell)
    assert shell_word("3/L1←/hh[1]") == "3/L1←/hh[1]"


def test_zsh_needs_quotes(monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/zsh")
    assert shell_word("3/L0/hh[1]") == "'3/L0/hh[1]'"
    assert shell_word("hello") == "hello"


@pytest.mark.parametrize("word", ["a b.toml", "it's.toml", "$(boom).toml", "a;b[1]"])
def test_what_a_shell_would_obey_is_quoted(word, monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/bash")
    assert shlex.split(shell_word(word)) == [word]
    assert shell_word(word) != word
