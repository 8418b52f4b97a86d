"""Every command of the screen in one table: the footer, the help, the palette and the keys are written from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rnnstep.language import Text

CommandGroup = Literal["move", "jump", "run", "change", "look", "file"]

GROUPS: dict[CommandGroup, Text] = {
    "move": Text("Moving"),
    "jump": Text("Going elsewhere"),
    "run": Text("Running"),
    "change": Text("What if"),
    "look": Text("Looking"),
    "file": Text("Files"),
}


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the user can do.

    Attributes:
        id: its name in the config file and in tests.
        keys: Textual's names of its keys; the first is the one that is shown.
        shown: the key as people read it.
        name: a word or two, for the footer and the palette.
        sentence: what it does, for the help and the palette.
        group: where it stands in the help.
    """

    id: str
    keys: tuple[str, ...]
    shown: str
    name: Text
    sentence: Text
    group: CommandGroup


COMMANDS: tuple[Command, ...] = (
    Command(
        "right", ("right", "n", "pagedown"), "→", Text("next"), Text("to the next place at this zoom"), "move"
    ),
    Command("left", ("left", "pageup"), "←", Text("back"), Text("to the place before"), "move"),
    Command(
        "into",
        ("down", "s"),
        "↓",
        Text("into"),
        Text("into the place: step, block, operation, element, term"),
        "move",
    ),
    Command("out", ("up", "r"), "↑", Text("out"), Text("out of it, to what it is part of"), "move"),
    Command(
        "next_step",
        ("right_square_bracket", "】"),
        "]",
        Text("same, next step"),
        Text("to the same operation and element of the next step"),
        "move",
    ),
    Command(
        "previous_step",
        ("left_square_bracket", "【"),
        "[",
        Text("same, step before"),
        Text("to the same operation and element of the step before"),
        "move",
    ),
    Command(
        "next_row",
        ("right_curly_bracket", "｝"),
        "}",
        Text("next row"),
        Text("to the next row of the batch"),
        "move",
    ),
    Command(
        "previous_row",
        ("left_curly_bracket", "｛"),
        "{",
        Text("row before"),
        Text("to the row of the batch before"),
        "move",
    ),
    Command(
        "home", ("home", "f5"), "Home", Text("start"), Text("to the start: nothing computed yet"), "jump"
    ),
    Command("end", ("end",), "End", Text("end"), Text("to the last place at this zoom"), "jump"),
    Command(
        "go",
        ("g", "slash"),
        "g",
        Text("go to"),
        Text("to any place, written like 3/L0/hh[1]; hh is that of this step, Tab completes"),
        "jump",
    ),
    Command(
        "follow",
        ("enter",),
        "Enter",
        Text("follow"),
        Text("to where the number under the cursor was computed"),
        "jump",
    ),
    Command(
        "not_finite",
        ("exclamation_mark", "！"),
        "!",
        Text("first NaN/∞"),
        Text("to the first number that is not finite (NaN, infinity), and what it is made of"),
        "jump",
    ),
    Command(
        "next_stop",
        ("tab",),
        "Tab",
        Text("next stop"),
        Text("to the next stop of the lesson, or of the scenario; first it shows what is asked"),
        "jump",
    ),
    Command(
        "previous_stop",
        ("shift+tab",),
        "Shift+Tab",
        Text("stop before"),
        Text("to the stop before; a remote's PageDown, PageUp and F5 go from stop to stop, too"),
        "jump",
    ),
    Command("stops", ("S",), "S", Text("stops"), Text("the list of all stops of the lesson"), "jump"),
    Command("back", ("backspace",), "⌫", Text("undo move"), Text("undo the last move, a jump too"), "jump"),
    Command("play", ("space",), "␣", Text("play"), Text("one place a second; any key stops"), "run"),
    Command("faster", ("greater_than_sign", "》"), ">", Text("faster"), Text("play faster"), "run"),
    Command("slower", ("less_than_sign", "《"), "<", Text("slower"), Text("play slower"), "run"),
    Command("resume", ("c",), "c", Text("run"), Text("run on to the next breakpoint, or to the end"), "run"),
    Command(
        "resume_back",
        ("C",),
        "C",
        Text("run back"),
        Text("run back to the last breakpoint before this, or to the start"),
        "run",
    ),
    Command(
        "breakpoint",
        ("b",),
        "b",
        Text("break"),
        Text("set a breakpoint at the operation at the cursor, or take it away"),
        "run",
    ),
    Command(
        "break_when",
        ("B",),
        "B",
        Text("break when"),
        Text("stop where a condition holds: max(abs(h)) > 0.95"),
        "run",
    ),
    Command("watch", ("w",), "w", Text("watch"), Text("show an expression at every step: norm(h)"), "run"),
    Command("unwatch", ("W",), "W", Text("drop watches"), Text("take all watches away"), "run"),
    Command(
        "answers",
        ("A",),
        "A",
        Text("answers"),
        Text("put your own answers beside the run, from a file or typed, and go to the first wrong one"),
        "run",
    ),
    Command(
        "guess",
        ("a",),
        "a",
        Text("answer"),
        Text("say what the hidden value is: it is marked; a digit does so too"),
        "run",
    ),
    Command(
        "predict",
        ("p",),
        "p",
        Text("predict"),
        Text("hide what each move computes, to let the audience guess"),
        "run",
    ),
    Command(
        "reveal", ("full_stop", "。", "equals_sign"), ".", Text("reveal"), Text("show what is hidden"), "run"
    ),
    Command(
        "edit",
        ("e",),
        "e",
        Text("edit"),
        Text("change the weight, bias, x or h_0 under the cursor; all that depends on it is computed anew"),
        "change",
    ),
    Command(
        "increase",
        ("plus", "＋"),
        "+",
        Text("more"),
        Text("add 0.1 to the number under the cursor; config.toml may set another edit_step"),
        "change",
    ),
    Command(
        "decrease",
        ("minus", "－"),
        "-",
        Text("less"),
        Text("take 0.1 from the number under the cursor, or the edit_step of config.toml"),
        "change",
    ),
    Command("zero", ("0",), "0", Text("zero"), Text("set the number under the cursor to zero"), "change"),
    Command("undo", ("u", "ctrl+z"), "u", Text("undo edit"), Text("undo the last edit"), "change"),
    Command("redo", ("U", "ctrl+y"), "U", Text("redo edit"), Text("redo the edit undone last"), "change"),
    Command(
        "cure",
        ("m",),
        "m",
        Text("mistake/cure"),
        Text("from a mistake that the scenario holds to its cure, and back"),
        "change",
    ),
    Command(
        "save", ("ctrl+s",), "^s", Text("save"), Text("save the edited scenario as a new file"), "change"
    ),
    Command(
        "beside",
        ("vertical_line", "｜"),
        "|",
        Text("beside"),
        Text(
            "a second run beside this one: the one before an edit, the cure of a mistake, else you are asked;"
            " again takes it away"
        ),
        "look",
    ),
    Command(
        "blackboard",
        ("z",),
        "z",
        Text("blackboard"),
        Text("fill the screen with the operation, for the back row"),
        "look",
    ),
    Command(
        "view",
        ("v",),
        "v",
        Text("plot/equations"),
        Text("give the whole screen to the plot, then to the equations, then to all again"),
        "look",
    ),
    Command(
        "close",
        ("escape",),
        "Esc",
        Text("close"),
        Text("close what fills the screen: plot, equations, blackboard"),
        "look",
    ),
    Command(
        "joined",
        ("j",),
        "j",
        Text("joined form"),
        Text("show [W_hh W_ih]·[h_prev; x] beside the two products: the same number"),
        "look",
    ),
    Command(
        "info",
        ("i",),
        "i",
        Text("info"),
        Text("shapes, where torch keeps each h, how many parameters and why"),
        "look",
    ),
    Command("copy", ("y",), "y", Text("copy"), Text("copy the line under the cursor as text"), "look"),
    Command(
        "copy_latex", ("Y",), "Y", Text("copy LaTeX"), Text("copy the line under the cursor as LaTeX"), "look"
    ),
    Command("more_decimals", ("D",), "D", Text("more decimals"), Text("show one decimal more"), "look"),
    Command("fewer_decimals", ("d",), "d", Text("fewer decimals"), Text("show one decimal less"), "look"),
    Command("language", ("L",), "L", Text("中文"), Text("switch between English and Chinese"), "look"),
    Command(
        "theme",
        ("t",),
        "t",
        Text("theme"),
        Text("the next theme: dark, light, high contrast, 16 colours"),
        "look",
    ),
    Command(
        "help",
        ("question_mark", "？", "f1"),
        "?",
        Text("help"),
        Text("all keys, and what is on the screen"),
        "look",
    ),
    Command(
        "palette", ("ctrl+p",), "^p", Text("all"), Text("everything the program can do, by name"), "look"
    ),
    Command("picture", (), "", Text("save a picture"), Text("save this screen as an SVG picture"), "file"),
    Command("open", ("o",), "o", Text("open"), Text("another scenario"), "file"),
    Command(
        "next_scenario", ("N",), "N", Text("next scenario"), Text("the next scenario of those given"), "file"
    ),
    Command(
        "previous_scenario",
        ("P",),
        "P",
        Text("scenario before"),
        Text("the scenario before of those given"),
        "file",
    ),
    Command(
        "reload", ("R",), "R", Text("read again"), Text("read the file again, staying at this place"), "file"
    ),
    Command(
        "quit",
        ("q", "ctrl+c", "ctrl+q"),
        "q",
        Text("quit"),
        Text("quit; asks when an edit is not saved"),
        "file",
    ),
)

BY_ID = {command.id: command for command in COMMANDS}
