"""Where settings and what is remembered stand."""

from __future__ import annotations

import platformdirs
import pytest

from rnnstep.folders import CONFIG, config_file, state_folder


@pytest.fixture
def home(monkeypatch, tmp_path):
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_settings_stand_in_the_platforms_folder(home, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *_, **__: home / "platform")
    assert config_file(CONFIG) == home / "platform" / CONFIG


def test_settings_that_lie_where_the_first_versions_looked_are_found(home, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *_, **__: home / "platform")
    older = home / ".config" / "rnnstep" / CONFIG
    older.parent.mkdir(parents=True)
    older.write_text("")
    assert config_file(CONFIG) == older
    (home / "platform").mkdir()
    (home / "platform" / CONFIG).write_text("")
    assert config_file(CONFIG) == home / "platform" / CONFIG


def test_the_variables_of_the_environment_are_obeyed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    assert config_file(CONFIG) == tmp_path / "c" / "rnnstep" / CONFIG
    assert state_folder() == tmp_path / "s" / "rnnstep"


def test_a_user_without_a_home_has_neither(home, monkeypatch):
    def nowhere(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(platformdirs, "user_config_path", nowhere)
    monkeypatch.setattr(platformdirs, "user_state_path", nowhere)
    assert config_file(CONFIG) is None
    assert state_folder() is None


def test_nothing_is_made_by_asking(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    config_file(CONFIG)
    state_folder()
    assert not list(tmp_path.iterdir())
