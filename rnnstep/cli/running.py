"""A script or a module run as `python` runs it, with its recurrent modules watched once it has imported torch."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable

if TYPE_CHECKING:
    from rnnstep.capturing.finding import Cause
    from rnnstep.capturing.watching import Watcher

FOUND = 1  # the exit status of a finding, and of an exception that nobody catches
Say = Callable[[Text], None]


@dataclass(frozen=True, slots=True)
class UserProgram:
    """What is run.

    Attributes:
        name: A script's path, or a module's name.
        arguments: What stands behind it on the command line.
        is_module: Whether it is `-m NAME`.
    """

    name: str
    arguments: tuple[str, ...] = ()
    is_module: bool = False

    @property
    def stem(self) -> str:
        """How a folder of its calls is called: "train" of train.py, "package.train"."""
        return self.name if self.is_module else Path(self.name).stem

    def run(self) -> None:
        """Run it as `python` does: as `__main__`, with its own `sys.argv` and its folder first on `sys.path`.

        Raises:
            UsageError: It cannot be read.
        """
        if self.is_module:
            self._run_module()
        else:
            self._run_script()

    def _run_script(self) -> None:
        path = Path(self.name)
        try:
            source = path.read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(
                Text("cannot read {path}: {reason}", path=printable(self.name), reason=reason)
            ) from None
        sys.argv = [self.name, *self.arguments]
        _put_first_on_the_path(str(path.resolve().parent))
        main = ModuleType("__main__")
        main.__file__ = str(path.absolute())
        main.__dict__["__builtins__"] = __builtins__
        main.__dict__["__cached__"] = None
        sys.modules["__main__"] = main  # for good: pickles and started processes look there
        exec(compile(source, self.name, "exec", dont_inherit=True), main.__dict__)  # noqa: S102 - what is asked for

    def _run_module(self) -> None:
        import runpy

        sys.argv = [self.name, *self.arguments]
        _put_first_on_the_path(os.getcwd())  # noqa: PTH109 - as python does
        runpy.run_module(self.name, run_name="__main__", alter_sys=True)


def _put_first_on_the_path(folder: str) -> None:
    """Let modules be found in a folder first, as python does unless it was told not to (`-P`, PYTHONSAFEPATH)."""
    if not sys.flags.safe_path:
        sys.path.insert(0, folder)


def run(program: UserProgram, when: str | None, save: str | None, say: Say) -> int:
    """Run a program that is watched, and give its exit status; after a finding open the debugger, or save what is known.

    torch is left to the program: watching begins when it has imported it.

    Args:
        program: What is run.
        when: A condition of watches that stops it, too.
        save: The folder to save the last calls in, in the place of opening the debugger.
        say: Writes a message to standard error.

    Raises:
        UsageError: The program cannot be read.
    """
    watched = _Watched(when)
    try:
        with after_import("torch", watched.begin):
            program.run()
        watched.look_at_the_rest(say)
        status = 0
    except SystemExit as error:
        status = _status(error.code)
    except UsageError:
        raise
    except KeyboardInterrupt as error:
        _tell(error)
        raise
    except BaseException as error:  # noqa: BLE001 - python tells every other one, too
        return watched.after(error, program.stem, save, say)
    finally:
        watched.close()
    return watched.after_end(status, program.stem, save, say)


class _Watched:
    """The watch over a program, which is there once it has imported torch."""

    def __init__(self, when: str | None) -> None:
        self._when = when
        self._folder = ""
        with contextlib.suppress(OSError):
            self._folder = os.getcwd()  # noqa: PTH109 - as the program may change it
        self._watch: Watcher | None = None

    def begin(self) -> None:
        """Watch from here on."""
        from rnnstep.capturing.watching import Watcher

        self._watch = Watcher(when=self._when).start()

    def look_at_the_rest(self, say: Say) -> None:
        """Look at what the program ended with, and say where the condition could be asked nowhere."""
        if self._watch is not None:
            self._watch.look_at_the_rest()
            if self._watch.refusal is not None:
                say(Text("{option}: {reason}", option="--when", reason=self._watch.refusal))

    def close(self) -> None:
        """Watch no more."""
        if self._watch is not None:
            self._watch.close()

    def after_end(self, status: int, stem: str, save: str | None, say: Say) -> int:
        """Tell a finding that the program caught, as `except:` does, or a thread; give the exit status."""
        finding = None if self._watch is None else self._watch.finding
        if self._watch is None or finding is None:
            return status
        from rnnstep.capturing.after_finding import after_finding

        self._go_back()
        say(finding.text)
        say(Text("the program caught what stops it there, and went on to its end"))
        after_finding(self._watch.seen, finding, stem, save, say)
        return FOUND

    def _go_back(self) -> None:
        """Go to the folder where this began, in which the calls are saved and the command that opens one is right."""
        with contextlib.suppress(OSError):
            os.chdir(self._folder)

    def after(self, error: BaseException, stem: str, save: str | None, say: Say) -> int:
        """Tell what ended the program, and what is known of it; give the exit status."""
        watch = self._watch
        if watch is None:
            _tell(error)
            return FOUND
        from rnnstep.capturing.after_finding import after_finding
        from rnnstep.capturing.finding import Stopped

        watch.close()
        self._go_back()
        if isinstance(error, Stopped):
            finding: Cause | None = error.finding
        else:
            _tell(error)
            finding = watch.after_exception(error)
        if finding is not None:
            say(finding.text)
            if isinstance(error, Stopped):
                _say_where(error.__traceback__, say)
            after_finding(watch.seen, finding, stem, save, say)
        return FOUND


@contextlib.contextmanager
def after_import(name: str, then: Callable[[], object]) -> Iterator[None]:
    """Do something as soon as a module is imported, which may be now; never where it is not."""
    if name in sys.modules:
        then()
        yield
        return
    finder = _Finder(name, then)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds one module as all others do, and says when it was imported."""

    def __init__(self, name: str, then: Callable[[], object]) -> None:
        self._name = name
        self._then = then

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give the module's own spec, with a loader that hands on to its own."""
        if fullname != self._name or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader, self._then)
                return spec
        return None


class _Loader(Loader):
    """A module's own loader, and what is done when it is done."""

    def __init__(self, own: Loader, then: Callable[[], object]) -> None:
        self._own = own
        self._then = then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the module's own."""
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the module's own, which it has from then on."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._own
        module.__loader__ = self._own
        self._own.exec_module(module)
        self._then()


def _status(code: Any) -> int:
    """The exit status of a `sys.exit`, as python's: a text is printed, and 1."""
    if code is None:
        return 0
    if isinstance(code, int):
        if not -(2**63) <= code < 2**63:
            return 255
        return code & 0xFF if code >= 0 else code
    sys.stderr.write(f"{code}\n")
    return 1


def _tell(error: BaseException) -> None:
    """Tell an exception as python does, by the program's own hook, without the frames that are not the program's."""
    own = _own_frames(error.__traceback__)
    error.__traceback__ = own
    with contextlib.suppress(Exception):
        sys.excepthook(type(error), error, own)


def _own_frames(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from the program's first frame on."""
    here = {__file__, "<frozen runpy>"}
    while trace is not None and trace.tb_frame.f_code.co_filename in here:
        trace = trace.tb_next
    return trace


def _say_where(trace: TracebackType | None, say: Say) -> None:
    """Say which line of the program was being run: the last that is neither torch's nor of this package."""
    ours = str(Path(__file__).resolve().parents[1])
    frames: Sequence[traceback.FrameSummary] = traceback.extract_tb(_own_frames(trace))
    mine = [
        one
        for one in frames
        if not one.filename.startswith((ours, "<")) and f"{os.sep}torch{os.sep}" not in one.filename
    ]
    if mine:
        last = mine[-1]
        say(
            Text(
                "in {file}, line {line}: {code}",
                file=printable(last.filename),
                line=last.lineno or 0,
                code=printable((last.line or "").strip()[:100]),
            )
        )
