"""`config.toml`: what the user has set, and what is told of what cannot be used."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rnnstep.cli import main
from rnnstep.folders import CONFIG, KEYS, config_file
from rnnstep.settings import NAMES, Settings, problems, read_settings


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def writing(text, name=CONFIG):
        config_file(name).parent.mkdir(exist_ok=True)
        config_file(name).write_bytes(text.encode("utf-8", "surrogateescape"))

    return writing


def test_no_file_sets_nothing(write):
    assert read_settings() == Settings()
    assert problems() is None


def test_all_that_can_be_set_is_read(write):
    write('language = "zh"\ntheme = "16"\ndecimals = 2\nedit_step = 1\n')
    assert read_settings() == Settings("zh", "16", 2, 1)
    assert problems() is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('decimals = 2\ntheme = "lihgt"', ':2:1: `theme`: found "lihgt", expected one of'),
        ("decimals = 99", ":1:1: `decimals`: found 99, expected a whole number from 0 to 17"),
        ("decimals = true", ":1:1: `decimals`: found true, expected"),
        ("edit_step = 0", ":1:1: `edit_step`: found 0, expected a number > 0"),
        ("langage = 'zh'", ":1:1: `langage`: unknown key; did you mean `language`?"),
        ("language = ", ":1:"),
        ("\x00", ":1:"),
        ("\udcff", ":1:1: not UTF-8"),
        ("[theme]", ":1:1: `theme`: found"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line_and_left_out(write, text, told):
    write(text)
    found = read_settings()
    assert not found.is_whole
    assert found.theme is None
    assert found.edit_step is None
    assert f"{CONFIG}{told}" in problems().into("en")


VALUES = st.one_of(
    st.sampled_from(['"zh"', '"en"', '"dark"', '"16"', "true", "[1]", "{}", "1979-05-27"]),
    st.integers(-3, 30).map(str),
    st.floats(allow_nan=True).map(lambda value: repr(value) if "n" not in repr(value) else "nan"),
)


@given(st.dictionaries(st.sampled_from((*NAMES, "other")), VALUES, max_size=4))
@example({"edit_step": "1000000.0"})
@example({"decimals": "3.0"})
@hypothesis_settings(max_examples=150, deadline=None)
def test_what_is_left_out_before_the_first_frame_is_what_is_told_after_it(tmp_path_factory, table):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp()))
        path = config_file(CONFIG)
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{name} = {value}\n" for name, value in table.items()), "utf-8")
        assert read_settings().is_whole == (problems() is None)


def test_settings_are_read_without_numpy(write):
    write('theme = "light"\n')
    program = (
        "import sys; from rnnstep.settings import read_settings; assert read_settings().theme == 'light';"
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_config_says_what_is_in_force_and_where_it_is_from(write, capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    write('theme = "light"\n# two\ndecimals = 3\n')
    assert main(["config", "--theme", "16"]) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line}
    assert rows["theme"] == ["16", "option"]
    assert rows["decimals"] == ["3", f"{config_file(CONFIG)}:3"]
    assert rows["language"] == ["en", "locale:", "LC_ALL=en_US.UTF-8"]
    assert rows["edit_step"] == ["0.1", "by", "default"]
    assert rows[KEYS][-2:] == ["(not", "there)"]


def test_config_tells_what_is_wrong_on_standard_error(write, capsys):
    write("decimals = -1\n")
    write('rihgt = "x"\n', KEYS)
    assert main(["config"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"{config_file(CONFIG)}:1:1: `decimals`")
    assert told[1].startswith(f"{config_file(KEYS)}:1: `rihgt`")
