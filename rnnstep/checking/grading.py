"""A class's answers: every file marked, several at a time, each a row; whatever is wrong with one is told in its row.

Files of answers stand in the folder, or one folder deeper, as learning platforms export them: `Ada_123/answers.toml`.
Nobody is lost: a file of another kind, a folder without answers, a link that leads outside are rows with an error.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import stat
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path

from rnnstep.checking.answers.reading import ENDINGS, KINDS, read_answers
from rnnstep.checking.marked_sheet import Marks
from rnnstep.checking.mistakes.catalogue import Catalogue
from rnnstep.engine.learning import Learning
from rnnstep.errors import RnnstepError, ScenarioError, UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.pickling import pickled

NO_ANSWERS = ("__macosx", "thumbs.db", "desktop.ini")  # what systems leave in folders; hidden files, too


@dataclass(frozen=True, slots=True)
class Submission:
    """What one row is of.

    Attributes:
        name: as it stands in the folder, "ada.toml" or "Ada_123/answers.toml", safe to print.
        path: of the file.
        error: why it is not to be opened; None where it is.
    """

    name: str
    path: Path
    error: Text | None = None


@dataclass(frozen=True, slots=True)
class Submissions:
    """A folder's.

    Attributes:
        rows: by name.
        left_out: how many files of other kinds stand beside answers in somebody's own folder.
    """

    rows: tuple[Submission, ...]
    left_out: int = 0


def submissions(folder: Path, limits: Limits, but: Collection[Path] = ()) -> Submissions:
    """Find what was handed in.

    Args:
        folder: of a class.
        limits: whether links may lead outside of it.
        but: files that are none of it wherever they stand: the scenario, the rows that were written the last time.

    Raises:
        UsageError: there is no such folder, or no file of answers in it.
    """
    finder = _Finder(folder, limits, but)
    try:
        rows = tuple(finder.all())
    except OSError as error:
        reason = printable(error.strerror or str(error))
        raise UsageError(
            Text("cannot read {path}: {reason}", path=printable(str(folder)), reason=reason)
        ) from None
    if not any(row.path.suffix.lower() in ENDINGS for row in rows):
        raise UsageError(
            Text("there are no files of answers (.toml, .csv, .txt) in {path}", path=printable(str(folder)))
        )
    return Submissions(rows, finder.left_out)


class _Finder:
    """Goes through one folder, and counts what it leaves out."""

    def __init__(self, folder: Path, limits: Limits, but: Collection[Path]) -> None:
        self.left_out = 0
        self._folder = folder
        self._whole = folder.resolve()
        self._limits = limits
        self._but = {path.resolve() for path in but}

    def all(self) -> Iterator[Submission]:
        for path in self._inside(self._folder):
            error = self._link_error(path)
            if error is None and path.is_dir():
                yield from self._of_one(path)
                continue
            if error is None and path.suffix.lower() not in ENDINGS:
                error = KINDS
            yield Submission(printable(path.name), path, error)

    def _inside(self, folder: Path) -> list[Path]:
        """What stands in a folder, without what nobody put there to be marked."""
        return sorted(
            path
            for path in folder.iterdir()
            if not path.name.startswith((".", "~$"))
            and path.name.lower() not in NO_ANSWERS
            and not (self._but and path.is_file() and path.resolve() in self._but)
        )

    def _of_one(self, folder: Path) -> Iterator[Submission]:
        """What stands in somebody's own folder."""
        name = printable(folder.name)
        try:
            inside = self._inside(folder)
        except OSError as error:
            reason = printable(error.strerror or str(error))
            yield Submission(f"{name}/", folder, Text("cannot be read: {reason}", reason=reason))
            return
        answers = [path for path in inside if path.suffix.lower() in ENDINGS and not _is_folder(path)]
        for path in answers:
            yield Submission(f"{name}/{printable(path.name)}", path, self._link_error(path))
        if answers:
            self.left_out += sum(not _is_folder(path) for path in inside) - len(answers)
        else:
            none = Text("there is no file of answers (.toml, .csv, .txt) in it")
            yield Submission(f"{name}/", folder, none)

    def _link_error(self, path: Path) -> Text | None:
        """Why a link is not followed; None for one that may be, and for what is none."""
        if self._limits.allow_outside or not path.is_symlink():
            return None
        try:
            end = path.resolve(strict=True)
        except (OSError, RuntimeError):  # nothing there; or round and round
            return Text("a link that leads nowhere")
        if not end.is_relative_to(self._whole):
            return Text("a link that leads outside of the folder: --allow-outside follows it")
        return Text("a link to a folder: it is not followed") if end.is_dir() else None


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def unreadable(path: Path) -> Text | None:
    """Why a path is not to be opened as a file, so that no pipe is waited for; None where it may be."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Text("no plain file: a folder, a pipe or a device")
        path.open("rb").close()
    except OSError as error:
        return Text("cannot be read: {reason}", reason=printable(error.strerror or str(error)))
    return None


# ── marking all of them ──────────────────────────────────────────────────────────────────────────

FEWEST_FOR_HELP = 24  # files from which several processes are faster than one
AT_ONCE = 8  # files that a process takes at a time
LONGEST_ERROR = 300  # characters


@dataclass(frozen=True, slots=True)
class GradedRow:
    """One file.

    Attributes:
        name: of the file.
        right, count: how many answers are right, and how many there are.
        first_wrong: what the first wrong answer is of, in the order of the calculation; "" where none is.
        step: its step, from 1; None of the whole run.
        mistakes: the ids that explain it, the likeliest first; of two at once joined by "+".
        is_proven: whether the numbers prove one of them; else they are guesses.
        error: why the file was not marked; None where it was.
    """

    name: str
    right: int = 0
    count: int = 0
    first_wrong: str = ""
    step: int | None = None
    mistakes: tuple[str, ...] = ()
    is_proven: bool = False
    error: Text | None = None


class Grader:
    """Marks one file after the other; what a scenario comes to is computed once."""

    def __init__(self, scenario: Scenario, limits: Limits, decimals: int | None = None) -> None:
        self._learning = Learning(scenario)
        self._catalogue = Catalogue(self._learning)
        self._limits = limits
        self._decimals = decimals

    def row(self, one: Submission) -> GradedRow:
        """Mark one file; no exception leaves this but what stops the program."""
        error = one.error
        try:
            error = error or unreadable(one.path)
            return self._marked(one) if error is None else GradedRow(one.name, error=error)
        except RnnstepError as found:
            return GradedRow(one.name, error=_told(found))
        except Exception as found:  # noqa: BLE001 - one file, or a fault of ours that it shows, stops nobody else's
            what = printable(f"{type(found).__name__}: {found}")[:LONGEST_ERROR]
            return GradedRow(one.name, error=Text("it could not be marked: {error}", error=what))

    def _marked(self, one: Submission) -> GradedRow:
        answers = read_answers(one.path, self._limits).rounded_to(self._decimals)
        marked = Marks.of(self._learning, answers, self._catalogue)
        right, count = marked.score
        number = marked.first_wrong
        if number is None:
            return GradedRow(one.name, right, count)
        mark = marked.marks[number]
        found = marked.remarks(number, is_quick=True).mistakes
        mistakes = dict.fromkeys("+".join(named.ids) for named in found)
        is_proven = any(named.is_named for named in found)
        step = None if mark.target.t is None else mark.target.t + 1
        return GradedRow(one.name, right, count, mark.label, step, tuple(mistakes), is_proven)


def _told(error: RnnstepError) -> Text:
    """What is wrong with a file in one line: of several mistakes the first, and how many more."""
    if not isinstance(error, ScenarioError):
        return error.message.shortened()
    first, *more = error.problems
    told = {"line": first.line, "column": first.column, "message": first.message.shortened()}
    if more:
        return Text("{line}:{column}: {message} (and {count} more)", **told, count=len(more))
    return Text("{line}:{column}: {message}", **told)


def grade(
    scenario: Scenario,
    rows: Sequence[Submission],
    limits: Limits,
    decimals: int | None = None,
    grader: type[Grader] = Grader,
) -> Iterator[GradedRow]:
    """Mark the files, and give their rows in order as they are done.

    Args:
        scenario: complete.
        rows: what was handed in.
        limits: what a file may ask for.
        decimals: how many the writers round to, where they do not say.
        grader: what marks, in every process one.
    """
    processes = min(os.cpu_count() or 1, len(rows) // AT_ONCE)
    if len(rows) < FEWEST_FOR_HELP or processes < 2:
        one = grader(scenario, limits, decimals)
        yield from map(one.row, rows)
    else:
        yield from _by_several(rows, processes, (pickled(scenario), limits, decimals, grader))


# ── several processes ────────────────────────────────────────────────────────────────

Start = tuple[bytes, Limits, int | None, type[Grader]]  # what a process begins with


class _Helper:
    """A process that marks.

    Attributes:
        pipe: to it and from it: lots of files there, a row at a time back.
        left: the numbers of the files that it was given and has not answered.
    """

    def __init__(self, start: Start) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would take a half-held lock of numpy's along
        self.pipe, end = context.Pipe()
        self.left: deque[int] = deque()
        self._process = context.Process(target=_help, args=(end, *start), daemon=True)
        self._process.start()
        end.close()

    def give(self, waiting: deque[int], rows: Sequence[Submission]) -> None:
        """Give it a lot, if there is one."""
        self.left.extend(waiting.popleft() for _ in range(min(AT_ONCE, len(waiting))))
        if self.left:
            with suppress(OSError):  # it has ended: so its answer will say
                self.pipe.send([rows[number] for number in self.left])

    def end(self) -> None:
        self._process.kill()  # it holds nothing
        self.pipe.close()


def _by_several(rows: Sequence[Submission], processes: int, start: Start) -> Iterator[GradedRow]:
    """The rows in order. A file that ends its process is a row with an error, and another process goes on."""
    waiting = deque(range(len(rows)))
    done: dict[int, GradedRow] = {}
    told = 0
    helpers: list[_Helper] = []
    try:
        for _ in range(processes):
            with _uninterrupted():
                helpers.append(_Helper(start))
            helpers[-1].give(waiting, rows)
        while told < len(rows):
            ready = wait([helper.pipe for helper in helpers if helper.left])
            for place, helper in enumerate(helpers):
                if helper.pipe not in ready:
                    continue
                number = helper.left.popleft()
                try:
                    done[number] = helper.pipe.recv()
                except (EOFError, OSError):
                    error = Text("marking it ended the process: too little memory?")
                    done[number] = GradedRow(rows[number].name, error=error)
                    waiting.extendleft(reversed(helper.left))
                    helper.end()
                    with _uninterrupted():
                        helpers[place] = _Helper(start)
                if not helpers[place].left:
                    helpers[place].give(waiting, rows)
            while told in done:
                yield done.pop(told)
                told += 1
    finally:
        for helper in helpers:
            helper.end()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait while a process starts, which inherits that: it never hears of it, half started or later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # or the first start of a process would, and let Ctrl-C through after it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _help(
    pipe: Connection, scenario: bytes, limits: Limits, decimals: int | None, grader: type[Grader]
) -> None:
    """What a process does: mark what comes, until nothing does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be let wait
    one = grader(pickle.loads(scenario), limits, decimals)  # noqa: S301 - from our own process
    with suppress(EOFError, OSError):
        while True:
            for submission in pipe.recv():
                pipe.send(one.row(submission))


def most_common(rows: Iterable[GradedRow]) -> list[tuple[str, int]]:
    """The proven mistakes of a class with how many files made them first, the most common first."""
    counts = Counter(row.mistakes[0] for row in rows if row.is_proven)
    return counts.most_common()
