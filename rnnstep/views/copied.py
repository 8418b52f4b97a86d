"""The line under the cursor for the clipboard: as text, or as LaTeX."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from rnnstep.equations.write import BLACKBOARD, latex_line, write_line
from rnnstep.language import Text
from rnnstep.session.session import Session
from rnnstep.views import numbers
from rnnstep.views.alphabet import UNICODE
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.scene import Scene
from rnnstep.views.worked import expansion, worked

_WIDE_ENOUGH = 1 << 16  # cells: a line is copied in one piece
_MOST = 64  # numbers of a value; a larger one is named by its equation alone
_SIGNS = {
    "−": "-",
    "·": r" \cdot ",
    "⊙": r" \odot ",
    "≈": r"\approx",
    "∂": r"\partial ",
    "…": r"\dots",
    "²": "^2",
    "√": r"\sqrt",
}
_FUNCTIONS = {
    "tanh": r"\tanh",
    "sigmoid": r"\sigma",
    "σ": r"\sigma",
    "exp": r"\exp",
    "log": r"\log",
    "max": r"\max",
}
_FUNCTION = re.compile(r"([^\W\d_]+)\(")


def copied(session: Session, look: Look, *, is_latex: bool) -> str | Text:
    """Give the line: an operation with its values, an element with its numbers; or why there is none."""
    if session.level == "term":  # the whole line, of which a term is a part
        session = session.jump(session.position.path[: session.tree.level("element")])
    scene = Scene(session, replace(look, alphabet=UNICODE))
    if session.position.is_start or scene.spot.operation is None:
        return Text("go to an operation or an element first (↓): its line is copied")
    if session.level == "element":
        return _element(scene, is_latex=is_latex)
    return _operation(scene, is_latex=is_latex)


def _element(scene: Scene, *, is_latex: bool) -> str | Text:
    found = expansion(scene)
    if found is None:
        return Text("this row of the batch is over")
    rows = worked(scene, found, _WIDE_ENOUGH, 1).rows
    line = plain([tuple(span for span in row if span.style != "old") for row in rows]).strip()
    if not is_latex:
        return line
    left, equals, right = line.partition(" = ")
    name = latex_line(scene.run.line(scene.spot)).partition(" = ")[0]
    index = left[len(found.name) :]
    return f"{name}{index}{equals}{_as_latex(right)}"


def _operation(scene: Scene, *, is_latex: bool) -> str | Text:
    line = scene.run.line(scene.spot)
    written = latex_line(line) if is_latex else write_line(line, BLACKBOARD)
    known = scene.known
    if known is None:
        return Text("this row of the batch is over")
    value = np.asarray(known[line.name])
    if scene.is_hidden(line.name) or value.size > _MOST:
        return written
    rows = [
        [numbers.number(float(one), scene.look.decimals) for one in row]
        for row in np.atleast_2d(value).tolist()
    ]
    if is_latex:
        if value.ndim < 2:  # a vector stands upright
            rows = [[one] for one in rows[0]]
        body = r" \\ ".join(" & ".join(map(_as_latex, row)) for row in rows)
        return rf"{written} = \begin{{pmatrix}} {body} \end{{pmatrix}}"
    shown = ", ".join(f"[{', '.join(row)}]" for row in rows)
    return f"{written} = {shown if value.ndim < 2 else f'[{shown}]'}"


def _as_latex(text: str) -> str:
    named = _FUNCTION.sub(lambda found: _FUNCTIONS.get(found[1], rf"\operatorname{{{found[1]}}}") + "(", text)
    return "".join(_SIGNS.get(character, character) for character in named)
