"""What the prompts ask, and what is done with the answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rnnstep.errors import RnnstepError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario import bundled
from rnnstep.tui.prompt import Question
from rnnstep.tui.stops import next_stop

if TYPE_CHECKING:
    from rnnstep.session.session import Session
    from rnnstep.tui.host import Host


def _moving(debugger: Host, typed: Callable[[Session], Session]) -> Text | None:
    """Go somewhere or edit; give the session's note where nothing came of it."""
    session = debugger.session
    assert session is not None
    changed = typed(session)
    is_same = changed.position == session.position and changed.run is session.run
    if is_same and changed.note is not None:
        return changed.note
    debugger.change(dataclasses.replace(debugger.state, session=changed))
    return None


def _setting(debugger: Host, typed: Callable[[Session], Session]) -> Text | None:
    """Set a watch or a breakpoint; give what is wrong with the expression."""
    session = debugger.session
    assert session is not None
    try:
        changed = typed(session)
    except RnnstepError as error:
        return error.message
    debugger.change(dataclasses.replace(debugger.state, session=changed))
    return None


def _go(debugger: Host) -> Question:
    from rnnstep.session.completing import completions

    session = debugger.session
    assert session is not None
    key, name = _example(session)
    return Question(
        Text(
            "go to a place: 3 is step 3, 3/{key}/{name}[1] element 1 of {name} there, {name} that of this step;"
            " Tab completes",
            key=key,
            name=name,
        ),
        lambda text: _moving(debugger, lambda session: session.go(text)),
        complete=lambda text: completions(session, text),
    )


def _example(session: Session) -> tuple[str, str]:
    """A block of the scenario, a recurrent one if there is any, and a line of it: `hh` where that is one."""
    blocks = session.run.learning.structure.stage(0, "forward").blocks
    block = next((block for block in blocks if block.kind == "recurrent"), blocks[0])
    names = block.program.names
    return block.key, next((name for name in names if name.startswith("hh")), names[-1])


def _edit(debugger: Host) -> Question:
    from rnnstep.session.cursor import edit_prompt, edit_typed

    assert debugger.session is not None
    return Question(
        Text("change a weight, a bias, x or h_0, for example W_hh[0,2] = 0.5"),
        lambda text: _moving(debugger, lambda session: edit_typed(session, text)),
        edit_prompt(debugger.session),
    )


def _watch(debugger: Host) -> Question:
    return Question(
        Text("watch an expression at every step: norm(h), max(abs(h)), h[0] - h_prev[0]"),
        lambda text: _setting(debugger, lambda session: session.watch(text)) if text.strip() else None,
    )


def _break_when(debugger: Host) -> Question:
    return Question(
        Text("stop where this holds: max(abs(h)) > 0.95, t == 3 and h[0] < 0.1; an empty line removes all"),
        lambda text: _setting(debugger, lambda session: session.break_when(text)),
    )


def _beside(debugger: Host) -> Question:
    def put(text: str) -> Text | None:
        if not text.strip():
            return None
        try:
            debugger.second.put(text)
        except RnnstepError as error:
            return error.message
        return None

    return Question(
        Text(
            "beside this run: a scenario (hello_lstm), dtype=float64, weights=FILE, epoch=15; Tab completes"
        ),
        put,
        complete=_words_beside,
    )


def _words_beside(text: str) -> list[str]:
    from rnnstep.scenario.beside_value import WORDS

    return [word for word in (*WORDS, *bundled.names()) if word.startswith(text) and word != text]


def _answers(debugger: Host) -> Question:
    return Question(
        Text("your answers: a file, or h_1 = 0.54 ? 0.00 0.84 | h_2 = …; an empty line takes them away"),
        lambda text: _setting(debugger, lambda session: session.with_answers(text)),
    )


def _guess(debugger: Host) -> Question:
    return Question(
        Text("what is it? One number at an element, else all of them; ? for what is left blank"),
        _Guessing(debugger),
        is_typed_anew=True,
        leave=None if debugger.state.following is None else lambda: next_stop(debugger),
    )


class _Guessing:
    """Takes a number for a hidden value; a wrong one given again is told a hint, and once more what was done."""

    def __init__(self, debugger: Host) -> None:
        self._debugger = debugger
        self._before = ""
        self._times = 0

    def __call__(self, text: str) -> Text | None:
        from rnnstep.session.guess import guess

        session = self._debugger.session
        assert session is not None
        self._times = self._times + 1 if text.strip() == self._before else 1
        self._before = text.strip()
        try:
            found = guess(session, text, self._debugger.state.look.decimals, explains=self._times > 1)
        except RnnstepError as error:
            return error.message
        if found.is_right:
            state = self._debugger.state
            shown = session.reveal().say(Text("{given} is right", given=printable(self._before[:60])))
            following = state.following
            if following is not None and session.is_at_asked:
                following = following.ending("right")
            self._debugger.change(dataclasses.replace(state, session=shown, following=following))
            return None
        if found.needs_decimals:
            return Text("too coarse to tell: say it with two decimals at least")
        if self._times == 1 and found.wrong:
            return Text("not right at {where}; Enter again says a hint, Esc and . show it", where=found.wrong)
        if self._times == 1:
            return Text("not right; Enter again says a hint, Esc and . show it")
        if found.is_too_coarse:
            return Text(
                "not right, and too few or too coarse to tell why: say more decimals, or all of its numbers"
            )
        if found.hint is None:
            return Text("not right, and no common mistake gives it: look for a slip in the arithmetic")
        if self._times == 2:
            return Text("hint: {hint}", hint=found.hint)
        return Text("perhaps: {mistake}", mistake=found.mistakes[(self._times - 3) % len(found.mistakes)])


def _save(debugger: Host) -> Question:
    source = debugger.files.source
    path = None if source is None else source.path
    if path is None:
        path = Path("scenario.toml" if source is None else f"{_plain_name(source.name)}.toml")
        if not path.exists() and debugger.session is not None and not debugger.session.edits:
            return Question(Text("save the scenario as a file"), _Saving(debugger), str(path))
    if bundled.name_of(path) is not None:  # what comes with the program stays as it came
        path = Path(path.name)
    return Question(Text("save the edited scenario as a new file"), _Saving(debugger), str(free_name(path)))


def _plain_name(name: str) -> str:
    """Give a name without what divides folders."""
    return name.replace("/", "_").replace("\\", "_").strip(". ") or "scenario"


class _Saving:
    """Takes a file's name; one that is there already is replaced only when it is given twice."""

    def __init__(self, debugger: Host) -> None:
        self._debugger = debugger
        self._asked: Path | None = None

    def __call__(self, text: str) -> Text | None:
        session = self._debugger.session
        assert session is not None
        if not text.strip() or "\0" in text:
            return Text("a file's name is needed")
        path = Path(text.strip()).expanduser()
        if path.exists() and path != self._asked:
            self._asked = path
            return Text("{path} is there already; Enter again replaces it", path=printable(str(path)))
        from rnnstep.scenario.file.save import save

        try:
            left_out = save(session.run.scenario, session.edits, path, replace=path == self._asked)
        except RnnstepError as error:
            return error.message
        self._debugger.files.saved_as(path)
        name = printable(path.stem)
        said = Text("saved as {path}", path=printable(str(path)))
        if left_out is not None:
            said = Text("{saved}; {left_out}", saved=said, left_out=left_out)
        saved = session.saved_as(name).say(said)
        self._debugger.change(dataclasses.replace(self._debugger.state, session=saved, name=name))
        return None


def free_name(path: Path) -> Path:
    """Give `hello-edited.toml` beside `hello.toml`, numbered where that is taken."""
    number = 1
    while True:
        suffix = "" if number == 1 else f"-{number}"
        name = path.with_name(f"{path.stem}-edited{suffix}{path.suffix}")
        if not name.exists():
            return name
        number += 1


QUESTIONS: Mapping[str, Callable[[Host], Question]] = {
    "go": _go,
    "edit": _edit,
    "watch": _watch,
    "answers": _answers,
    "beside": _beside,
    "guess": _guess,
    "break_when": _break_when,
    "save": _save,
}
"""The commands that ask, and what they ask; each needs a session."""
