"""`rnnstep grade`: whatever lies in a folder, every file is a row, and the run ends with the last one."""

from __future__ import annotations

import csv
import io
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rnnstep.checking.grading import Grader, grade, submissions
from rnnstep.scenario.bundled import find
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.read import read
from rnnstep.views.rows import width
from tests.unit.command_line import run, written

RIGHT = "h_1 = 0.215 0.251 -0.484 -0.094"
UNBIASED = "h_2 = 0.248 0.392 0.197 -0.207"  # after RIGHT, without b_hh
BOTH = f"{RIGHT}\n{UNBIASED}\n"


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "class"
    found.mkdir()
    return found


def rows_of(capsys, folder, *more):
    """The rows of the CSV by the file's name."""
    status, out, _ = run(capsys, "grade", "hello", str(folder), "--format", "csv", *more)
    assert status == 0
    return {row["file"]: row for row in csv.DictReader(io.StringIO(out))}


def table_of(capsys, folder, *more):
    status, out, _ = run(capsys, "grade", "hello", str(folder), *more)
    assert status == 0
    return out.splitlines()


def test_a_class_is_marked_a_row_a_file(capsys, folder):
    for name, lines in {"ada": [RIGHT], "ben": [RIGHT, UNBIASED], "cat": [RIGHT, UNBIASED]}.items():
        answers = [line.split(" = ") for line in lines]
        tables = [
            f'[[answer]]\nstep = {at[-1]}\nname = "h"\nvalue = "{numbers}"\n' for at, numbers in answers
        ]
        written(folder, "decimals = 3\n" + "".join(tables), f"{name}.toml")
    written(folder, "decimals = [", "dan.toml")
    lines = table_of(capsys, folder)
    assert [line.split()[0] for line in lines[:4]] == ["ada.toml", "ben.toml", "cat.toml", "dan.toml"]
    assert "h_2  b_hh left out (no_b_hh)" in lines[1]
    assert "3 of 4 files marked: 3 of 5 answers right" in lines
    assert "  2 × b_hh left out (no_b_hh)" in lines
    rows = list(rows_of(capsys, folder).values())
    assert [row["mistakes"] for row in rows] == ["", "no_b_hh", "no_b_hh", ""]
    assert [row["step"] for row in rows] == ["", "2", "2", ""]
    assert rows[3]["error"].startswith("1:1: not valid TOML")


def test_files_of_all_kinds_of_answers_say_the_same(capsys, folder):
    written(folder, BOTH, "lines.txt")
    written(
        folder, "step,name,value\n1,h,0.215 0.251 -0.484 -0.094\n2,h,0.248 0.392 0.197 -0.207\n", "table.CSV"
    )
    written(
        folder,
        '[[answer]]\nstep=1\nname="h"\nvalue=[0.215, 0.251, -0.484, -0.094]\n[[answer]]\nstep=2\nname="h"\n'
        "value=[0.248, 0.392, 0.197, -0.207]\n",
        "toml.txt",
    )
    rows = rows_of(capsys, folder).values()
    assert {(row["right"], row["answers"], row["first_wrong"], row["mistakes"]) for row in rows} == {
        ("1", "2", "h_2", "no_b_hh")
    }


@pytest.mark.parametrize("name", ["none", "empty", "of_others"])
def test_a_folder_without_answers_is_refused(capsys, tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "of_others").mkdir()
    written(tmp_path / "of_others", "", "a.pdf")
    status, out, err = run(capsys, "grade", "hello", str(tmp_path / name))
    assert (status, out) == (2, "")
    assert "cannot read" in err or "there are no files of answers (.toml, .csv, .txt) in" in err


# ── what else lies in folders ────────────────────────────────────────────────────────


def test_nothing_that_is_no_plain_file_is_waited_for(capsys, folder, monkeypatch):
    written(folder, BOTH, "zoe.txt")
    os.mkfifo(folder / "pipe.toml")
    monkeypatch.chdir(folder)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket.csv")
        rows = rows_of(capsys, folder)
    assert {name: row["error"] for name, row in rows.items()} == {
        "pipe.toml": "no plain file: a folder, a pipe or a device",
        "socket.csv": "no plain file: a folder, a pipe or a device",
        "zoe.txt": "",
    }


def test_links_are_followed_inside_of_the_folder_only(capsys, folder, tmp_path):
    written(folder, BOTH, "ada.txt")
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = Path(written(outside, RIGHT, "secret.txt"))
    for name, target in {
        "alias.txt": folder / "ada.txt",
        "out.txt": secret,
        "out": outside,
        "loop.csv": folder / "loop.csv",
        "again": folder,
        "null.txt": Path("/dev/null"),
    }.items():
        (folder / name).symlink_to(target)
    (folder / "Ben_1").mkdir()
    (folder / "Ben_1" / "answers.txt").symlink_to(secret)
    rows = rows_of(capsys, folder)
    leads_out = "a link that leads outside of the folder: --allow-outside follows it"
    assert {name: row["error"] for name, row in rows.items()} == {
        "ada.txt": "",
        "again": "a link to a folder: it is not followed",
        "alias.txt": "",
        "Ben_1/answers.txt": leads_out,
        "loop.csv": "a link that leads nowhere",
        "null.txt": leads_out,
        "out": leads_out,
        "out.txt": leads_out,
    }
    rows = rows_of(capsys, folder, "--allow-outside")
    assert rows["out.txt"]["right"] == rows["out/secret.txt"]["right"] == "1"
    assert "no plain file" in rows["null.txt"]["error"]
    assert rows["loop.csv"]["error"].startswith("cannot be read: ")


def test_everybody_has_a_folder_of_ones_own(capsys, folder):
    for name, files in {
        "Ada_1": ["answers.txt", "scan.pdf", "notes.docx"],
        "Ben_2": ["scan.pdf"],
        "Cat_3": [],
        "Dan_4": ["a.txt", "b.csv"],
        "__MACOSX": ["answers.txt"],
        ".git": ["answers.txt"],
    }.items():
        (folder / name).mkdir()
        for file in files:
            written(folder / name, BOTH, file)
    (folder / "Ada_1" / "old").mkdir()
    written(folder, "", ".hidden.txt")
    written(folder, "", "Thumbs.db")
    written(folder, "", "~$eve.txt")
    written(folder, "", "eve.pdf")
    status, out, err = run(capsys, "grade", "hello", str(folder), "--format", "csv")
    rows = {row["file"]: row for row in csv.DictReader(io.StringIO(out))}
    assert status == 0
    assert list(rows) == ["Ada_1/answers.txt", "Ben_2/", "Cat_3/", "Dan_4/a.txt", "Dan_4/b.csv", "eve.pdf"]
    assert rows["Ada_1/answers.txt"]["mistakes"] == "no_b_hh"
    assert (
        rows["Ben_2/"]["error"]
        == rows["Cat_3/"]["error"]
        == "there is no file of answers (.toml, .csv, .txt) in it"
    )
    assert rows["eve.pdf"]["error"].startswith("answers are TOML (.toml), CSV (.csv) or lines")
    assert "files of other kinds that stand beside answers, left out: 2" in err


def test_neither_the_scenario_nor_the_last_rows_are_somebodys_answers(capsys, folder):
    scenario = written(folder, Path(find("hello")).read_text("utf-8"), "scenario.toml")
    written(folder, BOTH, "ada.txt")
    for _ in range(2):
        output = str(folder / "marks.csv")
        run(capsys, "grade", scenario, str(folder), "--format", "csv", "--output", output, "--force")
        rows = list(csv.DictReader(io.StringIO(Path(output).read_text("utf-8"))))
        assert [row["file"] for row in rows] == ["ada.txt"]


@pytest.mark.parametrize(
    "error", [RecursionError("deep"), MemoryError(), KeyError("x\x1b[31m\ny"), AssertionError()]
)
def test_a_fault_that_one_file_shows_is_its_row(capsys, folder, monkeypatch, error):
    written(folder, BOTH, "ada.txt")
    written(folder, RIGHT, "ben.txt")
    right = Grader._marked

    def broken(grader, one):
        if one.name == "ada.txt":
            raise error
        return right(grader, one)

    monkeypatch.setattr(Grader, "_marked", broken)
    rows = rows_of(capsys, folder)
    assert rows["ben.txt"]["right"] == "1"
    told = rows["ada.txt"]["error"]
    assert told.startswith(f"it could not be marked: {type(error).__name__}")
    assert told.isprintable()


def test_all_mistakes_of_a_file_are_one_line(capsys, folder):
    written(folder, f"{RIGHT}\nh_9 = 1\nq_1 = 2\n", "ada.txt")
    written(folder, RIGHT, "ben.txt")
    assert rows_of(capsys, folder)["ada.txt"]["error"] == "2:1: there is no step 9: there are 5 (and 1 more)"
    assert len(table_of(capsys, folder)) == 4


def test_decimals_are_the_writers_where_they_do_not_say(capsys, folder):
    written(folder, "h_1 = 0.22 ? ? ?", "ada.txt")
    written(folder, "decimals = 2\nh_1 = 0.22 ? ? ?", "ben.txt")
    for decimals, right in (("2", ["1", "1"]), ("3", ["0", "1"])):
        rows = rows_of(capsys, folder, "--decimals", decimals)
        assert [row["right"] for row in rows.values()] == right


# ── several processes ────────────────────────────────────────────────────────────────


class DiesOfSome(Grader):
    """Marks as `Grader`, but for files that end its process."""

    def row(self, one):
        if one.name in ("03.toml", "17.toml"):
            os._exit(1)
        return super().row(one)


@pytest.fixture
def many(tmp_path, monkeypatch):
    # Where the package is installed, other processes find this folder's modules only if it is on the path.
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[2])])
    for number in range(30):
        text = f'[[answer]]\nstep = 1\nname = "h"\nvalue = "0.{number:03} ? ? ?"\n'
        written(tmp_path, text, f"{number:02}.toml")
    return submissions(tmp_path, Limits()).rows


def test_several_processes_give_the_rows_of_one(many):
    scenario = read(find("hello"))
    grader = Grader(scenario, Limits(), 2)
    assert list(grade(scenario, many, Limits(), 2)) == [grader.row(one) for one in many]


def test_a_file_that_ends_its_process_is_a_row(many):
    scenario = read(find("hello"))
    grader = Grader(scenario, Limits())
    found = list(grade(scenario, many, Limits(), grader=DiesOfSome))
    assert [row.name for row in found] == [one.name for one in many]
    dead = {row.name for row in found if row.error is not None}
    assert dead == {"03.toml", "17.toml"}
    assert all(row == grader.row(one) for row, one in zip(found, many, strict=True) if row.name not in dead)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="tells when the helpers are there")
def test_a_class_stops_at_ctrl_c_and_leaves_nothing_behind(folder):
    for number in range(800):
        written(folder, BOTH, f"{number:03}.txt")
    command = [sys.executable, "-m", "rnnstep", "grade", "hello", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        helpers = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while len(helpers.read_text("ascii").split()) < 2:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        # The pipes end with the last process that holds them: with the helpers, too.
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"")


# ── the table ────────────────────────────────────────────────────────────────────────


def test_a_name_stays_one_cell_where_semicolons_part_cells(capsys, folder):
    written(folder, RIGHT, 'a;=1+1;"b",c.txt')
    _, out, _ = run(capsys, "grade", "hello", str(folder), "--format", "csv")
    assert out.splitlines()[1].startswith('"a;=1+1;""b"",c.txt",')
    assert list(rows_of(capsys, folder)) == ['a;=1+1;"b",c.txt']


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "＝"])
def test_no_name_is_a_formula_of_the_spreadsheet(capsys, folder, first):
    written(folder, RIGHT, f"{first}1+cmd.txt")
    assert list(rows_of(capsys, folder)) == [f"'{first}1+cmd.txt"]


def test_names_that_print_alike_are_two_rows(capsys, folder):
    for name in ("\x1b" + "a" * 40 + ".txt", "\\x1b" + "a" * 40 + ".txt"):
        written(folder, RIGHT, name)
    assert len(table_of(capsys, folder)) == 4


def test_nothing_of_a_name_steers_the_terminal(capsys, folder):
    written(folder, RIGHT, "a\x1b[31m\t\r\n\u202e.txt")
    for form in ("text", "csv"):
        _, out, _ = run(capsys, "grade", "hello", str(folder), "--format", form)
        assert out.splitlines()[form == "csv"].startswith("a\\x1b[31m\\t\\r\\n\\u202e.txt")


LONG = [
    "answers_of_exercise_three_by_ada_lovelace.txt",
    "answers_of_exercise_three_by_bob_lovelace.txt",
    "李小明的作业第三次提交_张老师班级_2024年春季_001.txt",
    "李小明的作业第三次提交_张老师班级_2024年春季_002.txt",
    "e\u0301" * 20 + ".txt",
]


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("more", [(), ("--ascii",)])
def test_a_terminal_shows_names_apart_and_columns_below_each_other(
    capsys, folder, monkeypatch, columns, more
):
    for name in LONG:
        written(folder, BOTH, name)
    written(folder, "x", "broken.toml")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = table_of(capsys, folder, *more)[: len(LONG) + 1]
    assert all(width(line) <= columns for line in lines)
    starts = [line.partition(" 1/2 ")[0] for line in lines if " 1/2 " in line]
    assert len(set(starts)) == len(LONG)
    assert len({width(start) for start in starts}) == 1
    sign = "..." if more else "…"
    assert sum(sign in start for start in starts) == len(LONG) - 1
    assert all("no_b_hh" in line or line.endswith(sign) for line in lines if " 1/2 " in line)


def test_names_are_cut_less_where_they_differ_in_what_would_be_cut_out(capsys, folder):
    names = ["a" * 30 + letter + "b" * 30 + ".txt" for letter in "xyz"]
    for name in names:
        written(folder, BOTH, name)
    lines = table_of(capsys, folder)[:3]
    assert len({line.partition(" ")[0] for line in lines}) == 3
