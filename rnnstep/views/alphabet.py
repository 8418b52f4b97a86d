"""The signs that views draw with: one set for Unicode terminals, one for `--ascii`.

Every sign stands here once, so that a view asks for `alphabet.minus` and never
has to know which set is in use.
"""

from __future__ import annotations

from dataclasses import dataclass


# There are two of them: told apart by identity, they are cheap keys for caches.
@dataclass(frozen=True, slots=True, eq=False)
class Alphabet:
    """A set of signs. Those of one cell keep one cell in both sets, unless said."""

    minus: str
    dot: str
    """Times, between two factors."""
    cross: str
    """A gap in a plot: NaN."""
    ellipsis: str
    """What was cut off; three cells in ASCII."""
    check: str
    """Agrees; two cells in ASCII, so that it is not taken for a letter."""
    wrong: str
    """Disagrees; two cells in ASCII."""
    bullet: str
    breakpoint: str
    current: str
    """The line or step being computed."""
    done: str
    """A step that is computed."""
    ahead: str
    """A step that is not computed yet."""
    anew: str
    """A step before which a row begins anew from zeros."""
    left: str
    right: str
    up: str
    down: str
    high: str
    """Beyond the top of a plot: +inf."""
    low: str
    """Beyond the bottom of a plot: −inf."""
    rounded: str
    """The frame of a panel: ╭ ─ ╮ │ ╰ ╯."""
    bracket: str
    """The brackets of a matrix of two rows and more: ┌ ┐ │ └ ┘."""
    vertical: str
    """A rule between columns."""
    horizontal: str
    """A rule between rows."""
    corner: str
    """Where a plot's two axes meet."""
    tick: str
    """A labelled place on a plot's vertical axis."""
    guide: str
    """The column of a plot's current step."""
    markers: str
    """The signs of the lines of a plot, one for each of `rows.SERIES`."""
    levels: str
    """Eight heights for a sparkline, lowest first."""
    half: str
    """Upper half of a cell, for two values a character; "" where there is no such sign."""
    is_ascii: bool = False

    def spell(self, text: str) -> str:
        """Give a running text in these signs: in ASCII `≤` is `<=` and `→` is `->`; else as it is."""
        return text.translate(_SPELLINGS) if self.is_ascii and not text.isascii() else text


UNICODE = Alphabet(
    minus="−",
    dot="·",
    cross="×",
    ellipsis="…",
    check="✓",
    wrong="✗",
    bullet="•",
    breakpoint="●",
    current="▶",
    done="■",
    ahead="·",
    anew="↺",
    left="←",
    right="→",
    up="↑",
    down="↓",
    high="▲",
    low="▼",
    rounded="╭─╮│╰╯",
    bracket="┌┐│└┘",
    vertical="│",
    horizontal="─",
    corner="└",
    tick="┤",
    guide="┊",
    markers="●■▲◆○□",
    levels="▁▂▃▄▅▆▇█",
    half="▀",
)

ASCII = Alphabet(
    minus="-",
    dot="*",
    cross="x",
    ellipsis="...",
    check="ok",
    wrong="NO",
    bullet="*",
    breakpoint="B",
    current=">",
    done="#",
    ahead=".",
    anew="r",
    left="<",
    right=">",
    up="^",
    down="v",
    high="^",
    low="v",
    rounded="+-+|++",
    bracket="[]|[]",
    vertical="|",
    horizontal="-",
    corner="+",
    tick="+",
    guide=":",
    markers="o#A*+%",
    levels="_.,-=+*#",
    half="",
    is_ascii=True,
)

_SPELLINGS = str.maketrans(
    {
        "−": "-",
        "·": "*",
        "×": "x",
        "…": "...",
        "✓": "ok",
        "✗": "NO",
        "●": "B",
        "▶": ">",
        "■": "#",
        "←": "<-",
        "→": "->",
        "↑": "up",
        "↓": "down",
        "␣": "space",
        "⌫": "Bksp",
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "≈": "~=",
        "Δ": "diff",
        "∂": "d",
        "Σ": "sum",
        "√": "sqrt",
        "σ": "sigmoid",
        "│": "|",
        "─": "-",
        "▸": ">",
        "•": "*",
        "⊙": "*",
        "‖": "||",
        "⋮": ":",
        "′": "'",
        "²": "^2",
        "ₓ": "_x",
        **{sign: f"_{digit}" for digit, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")},  # shares of a gradient are numbered
        "∞": "inf",
        "ᵀ": "^T",
        "—": "--",
        "–": "-",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
    }
)


def alphabet(*, is_ascii: bool) -> Alphabet:
    """Give the set of signs for `--ascii` or without it."""
    return ASCII if is_ascii else UNICODE
