"""The bar below: the keys that can do something here, each a button for the mouse."""

from __future__ import annotations

from rnnstep.language import Text
from rnnstep.views.commands import BY_ID
from rnnstep.views.compose import fit
from rnnstep.views.rows import Row, Span, row_width
from rnnstep.views.scene import Scene

_ALWAYS = ("right", "left", "into", "out")
_THEN = (
    "predict",
    "cure",
    "beside",
    "edit",
    "follow",
    "play",
    "resume",
    "breakpoint",
    "go",
    "view",
    "blackboard",
    "info",
    "open",
)
_VIEWS = {"": Text("plot"), "plot": Text("equations"), "listing": Text("all")}
"""What `v` leads to."""
_STOPS = ("next_stop", "stops")
_LAST = ("help", "palette")


def footer(scene: Scene, cells: int, *, has_stops: bool = False, options: int = 0) -> Row:
    """One row of `cells`: as many keys as fit, help and palette always; those of stops first, where there are any.

    `options` is how many answers a digit can choose now.
    """
    last = [span for name in _LAST for span in _key(scene, name)]
    room = cells - row_width(tuple(last)) - 1
    spans: list[Span] = []
    if options:
        spans = [Span(f" 1–{options} ", "key"), Span(f"{scene.look.say(Text('answer'))} ", "dim")]
    for name in [*(_STOPS if has_stops else ()), *_wanted(scene)]:
        key = _key(scene, name)
        if row_width((*spans, *key)) > room:
            break
        spans += key
    gap = cells - row_width((*spans, *last))
    return fit((*spans, Span(" " * max(0, gap)), *last), cells, scene.look.alphabet)


def _wanted(scene: Scene) -> list[str]:
    session = scene.session
    names = list(_ALWAYS)
    if session.is_predicting:
        names.insert(0, "predict")
    if session.is_hidden:
        names.insert(0, "reveal")
    rows = scene.run.num_rows(scene.batch)
    names += ["next_row"] if rows > 1 else []
    for name in _THEN:
        if name in names:
            continue
        if name in ("edit", "follow") and scene.level not in ("operation", "element", "term"):
            continue
        if name == "cure" and scene.scenario.cure is None and session.mistaken is None:
            continue
        if name == "resume" and not session.breakpoints:
            continue
        if name == "beside" and not has_beside(scene):
            continue
        names.append(name)
    if scene.look.fills or scene.look.is_blackboard:
        names[:0] = ["view", "close"] if scene.look.fills else ["close"]
        names = list(dict.fromkeys(names))
    if scene.finding is not None:
        names.insert(0, "not_finite")
    if session.edits:
        names[4:4] = ["undo", "save"]
    return [name for name in names if scene.look.key(BY_ID[name])]


def has_beside(scene: Scene) -> bool:
    """Whether a second run stands beside, or `|` would put one there without asking."""
    session = scene.session
    return session.beside is not None or bool(session.edits) or scene.run.cured is not None


def _key(scene: Scene, name: str) -> list[Span]:
    command = BY_ID[name]
    target = f"press {name}"
    shown = scene.look.key(command)
    text = scene.look.say(_VIEWS[scene.look.fills] if name == "view" else command.name)
    if (name == "predict" and scene.session.is_predicting) or (name == "beside" and scene.session.beside):
        text += f" {scene.look.alphabet.check}"
    return [Span(f" {shown} ", "key", target), Span(f"{text} ", "dim", target)]
