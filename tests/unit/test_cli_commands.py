"""The command line: which command runs, what it prints where, and its exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnstep import __version__
from rnnstep.cli import main
from rnnstep.cli.page import fold
from rnnstep.cli.root import COMMANDS
from rnnstep.errors import ScenarioError
from rnnstep.scenario.bundled import course, find, names
from rnnstep.scenario.read import read_text
from rnnstep.scenario.template import ATTENTION, SEQ2SEQ, TEMPLATES, template
from rnnstep.views.rows import width

HELLO = find("hello").read_text("utf-8")


@pytest.fixture(autouse=True)
def english(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("_RNNSTEP_COMPLETE", raising=False)


def run(capsys, *arguments):
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def process(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "rnnstep", *arguments], capture_output=True, **options)


# ── help, version, list ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["hello", "--help"], []])
def test_help_names_every_command(arguments, capsys):
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "")
    assert out.startswith("Usage: rnnstep [OPTIONS] [SCENARIO...]\n")
    assert all(f"\n  {name} " in out or f"\n  {name}\n" in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_names_its_options(name, capsys):
    status, out, _ = run(capsys, name, "--help")
    assert status == 0
    assert all(option in out for param in COMMANDS[name].params for option in param.opts if option[0] == "-")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_eighty_columns(name, capsys):
    _, out, _ = run(capsys, name, "--help")
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments", [["--help", "--language", "zh"], ["--language=zh", "--help"], ["trace", "--help"]]
)
def test_help_speaks_chinese(arguments, capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    _, out, _ = run(capsys, *arguments)
    assert out.startswith("用法：rnnstep")
    assert "选项：" in out
    assert "show this text" not in out


def test_option_wins_over_the_locale(capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert run(capsys, "--help", "--language", "en")[1].startswith("Usage:")


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"rnnstep {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["trace", "--help"],
        ["grad", "--help"],
        ["train", "--help"],
        ["list"],
        ["--version"],
        ["new", "GRU"],
    ],
)
def test_start_imports_none_of_the_heavy_rooms(arguments):
    code = (
        "import sys; from rnnstep.cli import main; main(sys.argv[1:]);"
        "print([name for name in ('numpy', 'torch', 'textual') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.stderr == "[]\n"


def test_list_gives_name_and_title(capsys):
    status, out, _ = run(capsys, "list")
    lines = out.splitlines()
    assert status == 0
    assert [line.split()[0] for line in lines] == [name for _, section in course() for name in section]
    assert sorted(line.split()[0] for line in lines) == list(names())
    assert "  hello → ohlol: one RNNCell" in out
    assert "一个 RNNCell" in run(capsys, "list", "--language", "zh")[1]


# ── which command ────────────────────────────────────────────────────────────────────


def test_without_a_terminal_the_trace_is_printed(capsys):
    assert run(capsys, "hello")[1] == run(capsys, "trace", "hello")[1]


def test_options_may_stand_before_the_command(capsys):
    assert run(capsys, "--language", "zh", "list")[1] == run(capsys, "list", "--language", "zh")[1]


def test_file_named_like_a_command_opens_with_a_prefix(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list").write_text(HELLO, "utf-8")
    assert run(capsys, "./list")[1].startswith("hello → ohlol")
    assert run(capsys, "list")[1].startswith("hello  ")


def test_folder_is_walked_in_order(capsys, tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.toml").write_text(HELLO.replace("one RNNCell", name), "utf-8")
    (tmp_path / "notes.md").write_text("")
    _, out, _ = run(capsys, str(tmp_path))
    assert 0 <= out.index("hello → ohlol: a\n") < out.index("hello → ohlol: b\n")


def test_bad_file_among_several_is_told_and_the_others_printed(capsys, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("nothing = 1\n")
    status, out, err = run(capsys, str(bad), "hello")
    assert status == 2
    assert "hello → ohlol" in out
    assert f"{bad}:1:1: " in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["helo"], "helo: no file and no bundled scenario of this name; did you mean hello?"),
        (["traec", "hello"], "traec: no command, file or bundled scenario of this name; did you mean `rnnstep trace`?"),
        (["trace"], "SCENARIO is missing\n`rnnstep trace --help` shows what there is"),
        (["trace", "hello", "more"], "more: one argument too many"),
        (["trace", "--fromat", "json", "hello"], "--fromat: there is no such option; did you mean --format?"),
        (["--xyzzy"], "--xyzzy: there is no such option"),
        (["trace", "hello", "--format", "yaml"], "--format: found yaml, expected one of text, json, csv, npz, md"),
        (["trace", "hello", "--dtype", "float23"], "--dtype: found float23, expected one of float32, float64; did you mean float32?"),
        (["trace", "hello", "--decimals", "-1"], "--decimals: found -1, expected a whole number from 0 to 17"),
        (["trace", "hello", "--decimals", "１"], "--decimals: found １, expected a whole number from 0 to 17"),
        (["trace", "hello", "--memory-limit", "lots"], "--memory-limit: found lots, expected a size such as 500MiB"),
        (["trace", "hello", "--memory-limit", "0"], "--memory-limit: found 0, expected a size such as 500MiB"),
        (["trace", "hello", "--output"], "--output: expected one value after it"),
        (["trace", "hello", "--watch", "hh_"], "--watch, column 1: unknown name `hh_`: did you mean `hh`?"),
        (["trace", "hello", "--watch", "1 +"], "--watch, column 4: not an expression"),
        (["trace", "hello", "--until", "h[4] > 0"], "--until, column 1: `[4]` is outside a vector of 4"),
        (["trace", "hello", "--until", "__import__('os')"], "--until, column 1: unknown function `__import__`"),
        (["hello", "--theme", "lihgt"], "--theme: found lihgt, expected one of dark, light, high-contrast, 16; did you mean light?"),
        (["new", "RNNCel"], "MODULE: found RNNCel, expected one of RNNCell"),
        (["completion", "csh"], "SHELL: found csh, expected one of bash, zsh, fish"),
        (["grad"], "SCENARIO is missing\n`rnnstep grad --help` shows what there is"),
        (["train", "hello", "--epoch", "3"], "--epoch: there is no such option; did you mean --epochs?"),
        (["list", "all"], "all: one argument too many"),
        (["code", "nothing.toml"], "nothing.toml: there is no such file"),
        (["\x1b[31m"], "\\x1b[31m: no file"),
    ],
)  # fmt: skip
def test_bad_usage_is_told(arguments, message, capsys):
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(message)


def test_messages_speak_chinese(capsys):
    assert run(capsys, "helo", "--language", "zh")[2].startswith("helo：")
    assert "没有这个选项" in run(capsys, "--language", "zh", "--xyzzy")[2]


def test_memory_limit_is_obeyed(capsys):
    status, _, err = run(capsys, "trace", "names", "--memory-limit", "100KiB")
    assert status == 2
    assert "--memory-limit" in err


@pytest.mark.parametrize("made", ["folder", "empty", "binary", "link to nowhere"])
def test_what_cannot_be_read_is_told(made, capsys, tmp_path):
    path = tmp_path / "s.toml"
    if made == "folder":
        path.mkdir()
    elif made == "link to nowhere":
        path.symlink_to("nowhere.toml")
    else:
        path.write_bytes(b"" if made == "empty" else b"\xff\xfe\x00\x1b[2J")
    status, out, err = run(capsys, "trace", str(path))
    assert (status, out) == (2, "")
    assert str(path) in err
    assert "\x1b" not in err


def test_folder_without_scenarios_is_told(capsys, tmp_path):
    assert run(capsys, str(tmp_path)) == (2, "", f"{tmp_path}: no scenario (*.toml) in this folder\n")


# ── new, completion ──────────────────────────────────────────────────────────────────


NETWORKS = (SEQ2SEQ, ATTENTION)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("module", TEMPLATES)
def test_new_scenario_is_read_and_agrees(module, language, capsys, tmp_path):
    path = tmp_path / "new.toml"
    assert main(["new", module, "--language", language, "--output", str(path)]) == 0
    assert main(["trace", str(path)]) == 0
    assert ("olleh" if module in NETWORKS else "ohlol") in capsys.readouterr().out


ALONE = tuple(one for one in TEMPLATES if one not in NETWORKS)


@pytest.mark.parametrize("module", ALONE)
def test_commented_options_of_a_template_may_be_switched_on(module):
    keys = (
        "nonlinearity",
        "bias",
        "num_layers",
        "bidirectional",
        "batch_first",
        "proj_size",
        "out_features",
        "round",
    )
    starts = ("# [linear]", *(f"# {key} =" for key in keys))
    lines = template(module, "en").splitlines()
    on = [line.removeprefix("# ") if line.startswith(starts) else line for line in lines]
    scenario = read_text("\n".join(on))
    assert scenario.recurrent.bidirectional == (not scenario.recurrent.is_cell)
    assert scenario.recurrent.proj_size == (2 if module == "LSTM" else 0)


@pytest.mark.parametrize("module", ALONE)
def test_a_templates_single_parameter_is_one_of_its_module(module):
    lines = template(module, "en").splitlines()
    name = next(line for line in lines if "[[…], […]]" in line).removeprefix("# ").partition(" = ")[0]
    with pytest.raises(ScenarioError, match=f"`{name}`: found shape"):
        read_text("\n".join(f"{name} = [0.5]" if line.startswith(f"# {name} =") else line for line in lines))


def test_templates_comments_are_translated():
    comments = [line.partition("#")[2] for line in template("LSTM", "zh").splitlines() if "#" in line]
    assert sum(any("一" <= letter <= "鿿" for letter in comment) for comment in comments) > 10


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_calls_back(shell, capsys):
    status, out, _ = run(capsys, "completion", shell)
    assert status == 0
    assert "_RNNSTEP_COMPLETE" in out


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("rnnstep tr", {"plain,trace", "plain,train"}),
        (
            "rnnstep he",
            {"plain,help", "plain,hello", "plain,hello_gru", "plain,hello_lstm", "plain,hello_rnn"},
        ),
        ("rnnstep trace hello_", {"plain,hello_gru", "plain,hello_lstm", "plain,hello_rnn"}),
        ("rnnstep trace --form", {"plain,--format"}),
        ("rnnstep trace --format j", {"plain,json"}),
        ("rnnstep --theme hi", {"plain,high-contrast"}),
        ("rnnstep help g", {"plain,generate", "plain,grad", "plain,grade", "plain,gru"}),
        ("rnnstep help hello_l", {"plain,hello_lstm"}),
        ("rnnstep new LSTM", {"plain,LSTM", "plain,LSTMCell"}),
        ("rnnstep trace ./", {"file,./"}),
    ],
)
def test_completion_offers(words, offered, capsys, monkeypatch):
    monkeypatch.setenv("_RNNSTEP_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    main([])
    assert set(capsys.readouterr().out.split()) == offered


# ── streams and signals ──────────────────────────────────────────────────────────────


def test_reader_that_goes_away_is_no_error():
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"{sys.executable} -m rnnstep trace vanishing_lstm --no-torch | head -1; echo ${{PIPESTATUS[0]}}",
        ],
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["Against vanishing: an LSTM remembers the first letter", "141"]
    assert done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
def test_full_disk_is_told():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "rnnstep", "list"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.startswith("cannot write to standard output: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        "list",
        "--version",
        "--help",
        "code hello",
        "trace hello --no-torch",
        "check hello 'loss = 1'",
        "completion bash",
    ],
)
def test_closed_standard_output_is_told(command):
    done = subprocess.run(
        f"{sys.executable} -m rnnstep {command} >&-", shell=True, stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("cannot write to standard output: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_files_are_whole_whatever_stream_is_closed(closed, tmp_path):
    target = tmp_path / "program.py"
    done = subprocess.run(
        f"{sys.executable} -m rnnstep code hello --output {target} {closed}", shell=True, cwd=tmp_path
    )
    assert done.returncode == 0
    compile(target.read_bytes(), "program", "exec")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "gbk", "ascii"])
@pytest.mark.parametrize("command", [["code", "hello"], ["new", "LSTM"], ["worksheet", "hello"]])
def test_redirected_files_are_utf_8_in_every_locale(command, encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = (
        process(*command, "--language", "zh", env=environment)
        if command[0] != "new"
        else process(*command, env={**environment, "LANG": "zh_CN.UTF-8", "LC_ALL": "zh_CN.UTF-8"})
    )
    assert done.returncode == 0
    assert "\\u" not in done.stdout.decode("utf-8")
    assert any("\u4e00" < character < "\u9fff" for character in done.stdout.decode("utf-8"))


def test_interrupt_is_status_130(tmp_path):
    pipe = tmp_path / "s.toml"
    os.mkfifo(pipe)
    started = subprocess.Popen(
        [sys.executable, "-m", "rnnstep", "trace", "--no-torch", str(pipe)], stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 60
    with open(pipe, "w"):  # opens when the program has begun to read, which then waits for us
        while started.poll() is None and time.monotonic() < end:
            time.sleep(0.1)  # a signal between its opening and its reading is heard when the reading is over
            started.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(2)
        started.kill()
    assert (started.wait(), started.communicate()[1]) == (130, "")


def test_narrow_encoding_is_spelt_somehow():
    done = process(
        "trace", "hello", "--no-torch", "--until", "t == 0", env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0
    assert b"Nothing stands beside these numbers" in done.stdout
    assert (
        process("list", "--language", "zh", env={**os.environ, "PYTHONIOENCODING": "ascii"}).returncode == 0
    )
    assert (
        process("helo", "--language", "zh", env={**os.environ, "PYTHONIOENCODING": "ascii"}).returncode == 2
    )


# ── help for a word, other spellings ─────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_of_a_command_is_its_own_help(capsys, name):
    assert run(capsys, "help", name) == run(capsys, name, "--help")


def test_help_alone_is_that_of_the_program(capsys):
    assert run(capsys, "help") == run(capsys, "--help")


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_of_a_scenario_says_what_it_is_about(capsys, name, language):
    status, out, _ = run(capsys, "help", name, "--language", language)
    scenario = read_text(find(name).read_text("utf-8"), find(name))
    assert status == 0
    assert out.startswith(scenario.title.into(language))
    assert f"rnnstep {name}" in out
    assert max(map(width, out.splitlines())) <= 80


def test_help_of_what_is_not_there_guesses(capsys):
    status, _, told = run(capsys, "help", "traec")
    assert status == 2
    assert "trace" in told


def test_short_version(capsys):
    assert run(capsys, "-V") == run(capsys, "--version")


@pytest.mark.parametrize("module", TEMPLATES)
def test_a_module_may_be_written_in_small_letters(capsys, module):
    assert run(capsys, "new", module.lower()) == run(capsys, "new", module)


# ── what goes to a terminal fits it ──────────────────────────────────────────────────

TEXTS = st.text(st.sampled_from("ab c  …✓，。中文−"), max_size=60)


@given(TEXTS, st.integers(10, 40), st.integers(0, 6))
def test_a_folded_line_fits_and_loses_nothing_but_blanks(text, most, indent):
    line = " " * indent + text
    lines = fold(line, most)
    assert all(width(one) <= most for one in lines)
    assert "".join("".join(lines).split()) == "".join(line.split())
    if width(line) <= most:
        assert [one.rstrip() for one in lines] == [line.rstrip()]


def test_codes_of_colours_take_no_room():
    assert fold("\x1b[1mabc def\x1b[0m", 7) == ["\x1b[1mabc def\x1b[0m"]


@pytest.mark.parametrize(
    "arguments", [("trace", "lstm"), ("grad", "hello"), ("train", "hello", "--epochs", "2")]
)
@pytest.mark.parametrize("columns", [80, 72])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_text_on_a_terminal_fits_it_and_says_the_same_as_in_a_pipe(
    capsys, monkeypatch, arguments, columns, language
):
    piped = run(capsys, *arguments, "--language", language)[1]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    shown = run(capsys, *arguments, "--language", language)[1]
    assert max(map(width, shown.splitlines())) <= columns
    assert len(shown.split()) >= 0.9 * len(piped.split())


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_list_on_a_terminal_has_headings_and_fits(capsys, monkeypatch, columns, language):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    out = run(capsys, "list", "--language", language)[1]
    assert max(map(width, out.splitlines())) <= columns
    lines = out.splitlines()
    for heading, section in course():
        assert heading.into(language) in lines
        assert all(any(line.split()[:1] == [name] for line in lines) for name in section)
