"""What is said at a stop of a lesson: a box above the picture, at every size; and the list of all stops."""

from __future__ import annotations

from rnnstep.language import Text
from rnnstep.session.lesson import Following
from rnnstep.session.session import Session
from rnnstep.views.commands import BY_ID
from rnnstep.views.compose import RowBlock, beside, box, clip, fit, flow, pad, text_row, wrap
from rnnstep.views.look import Look
from rnnstep.views.markdown import plain_markdown, styled_markdown
from rnnstep.views.rows import Row, Span, width

_WIDEST = 100
"""Longer lines are hard to read."""
_LEAST_BESIDE = 116
"""The cells from which a question stands beside what is said, and not below it."""
_SHARE = 0.45
"""How much of the screen's rows the box takes at most."""
_LEAST = 4


def stop_box(following: Following, session: Session, look: Look, cells: int, room: int) -> RowBlock:
    """Give the box of a stop in `cells`, as high as its words need and at most some of `room` rows.

    A line alone, where another scenario than the stop's was opened meanwhile.
    """
    title = look.say(stop_name(following))
    if not following.is_in(session):
        key = look.key(BY_ID["next_stop"])
        text = look.say(Text("{stop}: {key} goes on", stop=title, key=key))
        return [clip(text_row(f" {text}", "dim", "press next_stop"), cells, look.alphabet)]
    name = look.alphabet.spell(following.lesson.title.into(look.language))
    away = (
        ""
        if following.is_at(session)
        else look.say(Text("at {place}; now elsewhere", place=following.stop.at))
    )
    inner = cells - 4
    most = _most(room)
    rows = _rows(following, look, inner, most)
    height = min(len(rows), most) + 2
    right = away if width(away) + width(title) < cells - 12 else ""
    verdict, style = _of_choice(following, look) if following.stop.options else ("", "title")
    if verdict:
        title = f"{title} · {verdict}"
    elif width(title) + width(name) + width(right) <= cells - 14:
        title = f"{title} · {name}"
    return box(
        rows,
        look.alphabet.spell(title),
        cells,
        height,
        "focus",
        right_title=right,
        title_style=style,
        alphabet=look.alphabet,
    )


def rows_unseen(following: Following, look: Look, cells: int = 80, height: int = 24) -> int:
    """Give how many rows of what is said and asked at a stop a screen has no room for."""
    said = styled_markdown(look.alphabet.spell(following.stop.say.into(look.language)), cells - 4)
    asked = _question(following, look, cells - 4) if following.stop.asks else []
    return max(0, len(said) + len(asked) - _most(height - 2))


def _most(room: int) -> int:
    return max(_LEAST, int(room * _SHARE))


def stop_name(following: Following) -> Text:
    """`stop 4/11`."""
    return Text("stop {number}/{count}", number=following.number + 1, count=len(following.lesson.stops))


def _rows(following: Following, look: Look, cells: int, most: int) -> RowBlock:
    """What is said and asked; of long words below one another the end gives way, so that the question is seen."""
    said = look.alphabet.spell(following.stop.say.into(look.language))
    if not following.stop.asks:
        return styled_markdown(said, min(cells, _WIDEST))
    if cells < _LEAST_BESIDE - 4:
        cells = min(cells, _WIDEST)
        words, asked = list(styled_markdown(said, cells)), _question(following, look, cells)
        left = max(2, most - len(asked))
        if len(words) > left:
            words = [*words[: left - 1], text_row(look.alphabet.ellipsis, "dim")]
        return [*words, *asked]
    left = min(_WIDEST, cells * 3 // 5)
    words = styled_markdown(said, left)
    asked = _question(following, look, min(_WIDEST, cells - left - 3))
    filled = [(*row, Span(" " * max(0, left - sum(width(span.text) for span in row)))) for row in words]
    return beside([filled, asked], gap=3)


def _question(following: Following, look: Look, cells: int) -> RowBlock:
    """What is asked, what can be answered, and what was."""
    stop, end = following.stop, following.end
    keys = look.key(BY_ID["next_stop"])
    if stop.asks_value:
        match end:
            case None:
                text = Text("What is it? Type the number, Enter; {key} shows it", key=keys)
                return [text_row(line, "now") for line in wrap(look.say(text), cells)]
            case "right":
                return [_verdict(look, Text("answered right"), "ok")]
            case "shown":
                return [_verdict(look, Text("shown"), "dim")]
    rows: RowBlock = list(
        styled_markdown(look.alphabet.spell(stop.ask.into(look.language)), cells, strong="now")
    )
    rows = [tuple(span._replace(style=span.style or "now") for span in row) for row in rows]
    return rows + flow(_options(following, look, cells), cells)


def _of_choice(following: Following, look: Look) -> tuple[str, str]:
    """What is to be said of the option that was chosen, and in which style: in the title, so that no row of the box moves."""
    keys = look.key(BY_ID["next_stop"])
    match following.end:
        case "right":
            return f"{look.alphabet.check} {look.say(Text('answered right'))}", "ok"
        case "shown":
            return look.say(Text("shown")), "title"
    if following.tried:
        return look.say(Text("not this one; another, or {key} shows it", key=keys)), "warn"
    return "", "title"


def _options(following: Following, look: Look, cells: int) -> Row:
    """Each option with its digit, a long one line by line; once the question has ended, ✓ at the right one."""
    stop, spans = following.stop, []
    for number, option in enumerate(stop.options, 1):
        text = " ".join(plain_markdown(look.alphabet.spell(option.into(look.language))).split())
        sign, style = f"{number})", "" if following.has_choice else "dim"
        if number == stop.answer and following.end is not None:
            sign, style = look.alphabet.check, "ok"
        elif number in following.tried:
            sign, style = look.alphabet.cross, "dim"
        target = f"choose {number}" if following.has_choice else ""
        lines = wrap(text, cells - 2)
        for at, line in enumerate(lines):
            gap = "   " if at == len(lines) - 1 else ""
            begin = "" if at else f"{sign} "
            spans.append(Span(f"{begin}{line}{gap}", style, target))
    return tuple(spans)


def _verdict(look: Look, text: Text, style: str) -> Row:
    sign = look.alphabet.check if style == "ok" else look.alphabet.current
    return (Span(f"{sign} {look.say(text)}", style),)


# ── the list ─────────────────────────────────────────────────────────────────────────────────────


def stop_list(following: Following, chosen: int, look: Look, cells: int, height: int) -> RowBlock:
    """Give the list of stops at exactly `cells` × `height`: where each is and how it begins, and all of the chosen one.

    Args:
        following: whose stop is marked.
        chosen: the number of the one that is chosen, from 0.
        look: how it is looked at.
        cells: the width.
        height: the rows.
    """
    say, stops = look.say, following.lesson.stops
    title = look.alphabet.spell(following.lesson.title.into(look.language))
    rows: RowBlock = [
        fit((Span(f" {title} ", "header bold"), Span(" " * cells, "header")), cells, look.alphabet)
    ]
    words = styled_markdown(
        look.alphabet.spell(stops[chosen].say.into(look.language)), min(cells - 2, _WIDEST)
    )
    below: RowBlock = [
        text_row(look.alphabet.horizontal * cells, "border"),
        *((Span(" "), *row) for row in words),
    ]
    below = below[: max(0, min(len(below), height // 2 - 1))]
    room = max(1, height - 2 - len(below))
    first = max(0, min(chosen - room // 2, len(stops) - room))
    for number in range(first, min(first + room, len(stops))):
        rows.append(_line(following, number, look, cells, is_chosen=number == chosen))
    keys = (
        ("↑ ↓", Text("choose")),
        ("Enter", Text("go there")),
        ("x", Text("close the lesson")),
        ("Esc", Text("close")),
    )
    foot: Row = tuple(
        span
        for key, text in keys
        for span in (Span(f" {look.alphabet.spell(key)}", "key"), Span(f" {say(text)} ", "dim"))
    )
    upper = pad(rows, cells, height - 1 - len(below), look.alphabet)
    return pad([*upper, *below, foot], cells, height, look.alphabet)


def _line(following: Following, number: int, look: Look, cells: int, *, is_chosen: bool) -> Row:
    stop = following.lesson.stops[number]
    where = following.lesson.name if stop.scenario is None else stop.scenario.stem
    sign = look.alphabet.current if number == following.number else " "
    begins = " ".join(plain_markdown(look.alphabet.spell(stop.say.into(look.language))).split())
    asked = f"{look.say(Text('[question]'))} " if stop.asks else ""
    style = "selected" if is_chosen else ""
    row: Row = (
        Span(f" {sign} {number + 1:>3}  ", style),
        Span(look.alphabet.spell(f"{where} {stop.at}  "), style or "label", f"stop {number}"),
        Span(asked, style or "now"),
        Span(begins, style, f"stop {number}"),
    )
    return fit(row, cells, look.alphabet)
