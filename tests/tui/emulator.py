"""A terminal as small as can be, to see what stands on it: positions, styles, wide characters, the alternate screen."""

from __future__ import annotations

import re
from typing import NamedTuple

from rich.cells import get_character_cell_size

TOKEN = re.compile(
    r"\x1b\[([?<>=]?)([0-9;]*)(\$?[A-Za-z])|\x1b\]([^\x07\x1b]*)(?:\x07|\x1b\\)|([\x00-\x1f])|(.)", re.DOTALL
)
OFF = {"22": {"1", "2"}, "23": {"3"}, "24": {"4"}, "25": {"5", "6"}, "27": {"7"}, "28": {"8"}, "29": {"9"}}


class Cell(NamedTuple):
    text: str = " "
    attributes: frozenset[str] = frozenset()
    ink: str = ""
    ground: str = ""


BLANK = Cell()


class Emulator:
    """What stands on a terminal after what was written to it.

    Attributes:
        modes: The private modes that are on: 1049 is the alternate screen, 1000 the mouse's reports, 7 wrapping, 25 the cursor.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.rows = [[BLANK] * width for _ in range(height)]
        self.modes = {"7", "25"}
        self._y = self._x = 0
        self._style = BLANK

    @property
    def text(self) -> str:
        return "\n".join("".join(cell.text for cell in row) for row in self.rows)

    def feed(self, written: str) -> None:
        for mark, parameters, end, _, control, character in TOKEN.findall(written):
            if character:
                self._put(character)
            elif end == "H":
                y, _, x = parameters.partition(";")
                self._y, self._x = int(y or 1) - 1, int(x or 1) - 1
            elif end == "G":
                self._x = int(parameters or 1) - 1
            elif end == "m" and not mark:
                self._set_style(parameters)
            elif mark == "?" and end in "hl":
                self._set_modes(parameters.split(";"), is_on=end == "h")
            elif control == "\n":
                self._y, self._x = self._y + 1, 0

    def _set_modes(self, modes: list[str], *, is_on: bool) -> None:
        (self.modes.update if is_on else self.modes.difference_update)(modes)
        if "1049" in modes:
            self.rows = [[BLANK] * self.width for _ in range(self.height)]

    def _set_style(self, parameters: str) -> None:
        codes = iter(parameters.split(";") if parameters else ["0"])
        for code in codes:
            style = self._style
            if code == "0":
                self._style = BLANK
            elif code in {"38", "48"}:
                kind = next(codes)
                colour = ":".join([kind, *(next(codes) for _ in range(3 if kind == "2" else 1))])
                self._style = style._replace(**{"ink" if code == "38" else "ground": colour})
            elif code in OFF:
                self._style = style._replace(attributes=style.attributes - OFF[code])
            elif len(code) == 1:
                self._style = style._replace(attributes=style.attributes | {code})
            elif code in {"39", "49"}:
                self._style = style._replace(**{"ink" if code == "39" else "ground": ""})
            else:
                is_ink = code[0] in "39"
                self._style = style._replace(**{"ink" if is_ink else "ground": code})

    def _put(self, character: str) -> None:
        row, size = self.rows[self._y], get_character_cell_size(character)
        if size == 0:
            before = max((x for x in range(min(self._x, self.width)) if row[x].text), default=None)
            if before is not None:
                row[before] = row[before]._replace(text=row[before].text + character)
            return
        if self._x + size > self.width:
            self._x = self.width - size
        for x in range(self._x, self._x + size):
            self._break_up(row, x)
        row[self._x] = self._style._replace(text=character)
        if size == 2:
            row[self._x + 1] = self._style._replace(text="")
        self._x += size

    def _break_up(self, row: list[Cell], x: int) -> None:
        """A wide character one of whose halves is written over leaves blanks."""
        if row[x].text == "" and x:
            row[x - 1] = row[x - 1]._replace(text=" ")
        if x + 1 < self.width and row[x + 1].text == "":
            row[x + 1] = row[x + 1]._replace(text=" ")
