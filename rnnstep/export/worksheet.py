"""A worksheet as Markdown, LaTeX, or an answers file to fill in; blank, or with the key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from rnnstep.checking.worksheet import Asked, Worksheet
from rnnstep.engine.blocks import Block
from rnnstep.engine.passes import Pass
from rnnstep.equations.expand import expand
from rnnstep.equations.operations import Array
from rnnstep.equations.pieces import Token
from rnnstep.equations.write import BLACKBOARD, latex_line, latex_name, write_line
from rnnstep.language import Text
from rnnstep.scenario.toml import string_text

BLANK = "______"


class Written:
    """What all forms of a sheet have in common: its words and its numbers."""

    def __init__(self, sheet: Worksheet, language: str, *, with_key: bool) -> None:
        self.sheet = sheet
        self.language = language
        self.with_key = with_key
        self.done: Pass = sheet.done
        self.blocks = [block for block in self.done.blocks if block.parameters]

    def say(self, text: Text) -> str:
        """A text in the sheet's language."""
        return text.into(self.language)

    @property
    def title(self) -> str:
        """Of the sheet."""
        scenario = self.sheet.scenario
        title = " ".join(scenario.title.into(self.language).split()) or scenario.name
        return self.say(Text("{title}: the key", title=title)) if self.with_key else title

    @property
    def instructions(self) -> Iterator[str]:
        """What is to be done."""
        decimals = self.sheet.decimals
        yield self.say(
            Text("Work with {decimals} decimals, and round each result to as many.", decimals=decimals)
        )
        yield self.say(Text("Steps count from 1, elements from 0; the weights are exactly those printed."))

    def number(self, value: float) -> str:
        """A number with the sheet's decimals."""
        text = f"{value:.{self.sheet.decimals}f}"
        return text.removeprefix("-") if float(text) == 0 else text

    def inputs(self) -> Iterator[tuple[str, Array]]:
        """X of each step, and the states before the first one."""
        batch, row = self.done.batch, self.sheet.row
        for t in range(batch.last_step(row) + 1):
            yield f"x_{t + 1}", np.asarray(self.done.x[t][row], np.float64)
        for block in self.done.blocks:
            if block.kind == "recurrent":
                yield from self._first_states(block)

    def _first_states(self, block: Block) -> Iterator[tuple[str, Array]]:
        several = len(self.done.runs) > 1
        run = self.done.runs[block.key]
        first = run.block.direction == "backward"
        t = self.done.batch.last_step(self.sheet.row) if first else 0
        known = self.done.known(block.key, t, self.sheet.row)
        assert known is not None
        for state in block.program.states:
            label = f"{state}_0" if not several else f"{block.key} {state}_0"
            yield label, np.asarray(known[block.program.before(state)], np.float64)

    def value(self, one: Asked) -> Array:
        """The numbers of what is asked for."""
        known = self.done.known(one.key, one.t, self.sheet.row)
        assert known is not None
        return np.asarray(known[one.name], np.float64)

    def worked(self, one: Asked, element: int) -> tuple[Token, ...]:
        """The right side of an element, with numbers put in."""
        known = self.done.known(one.key, one.t, self.sheet.row)
        assert known is not None
        line = self.done.by_key[one.key].program.by_name[one.name]
        return expand(line, element, known, skip_zeros=True).tokens

    def label(self, one: Asked) -> str:
        """`hh_2`, of several blocks `L1 hh_2`."""
        several = len({each.key for each in self.sheet.asked if each.key != "linear"}) > 1
        name = f"{one.name}_{one.t + 1}"
        return f"{one.key} {name}" if several and one.key != "linear" else name

    def tokens(self, tokens: tuple[Token, ...], times: str) -> str:
        """The worked numbers as a line of text."""
        shown = [
            self.number(token.value) if token.kind == "value" else token.text.replace("·", times)
            for token in tokens
        ]
        return "".join(shown)


# ── Markdown ─────────────────────────────────────────────────────────────────────────


def markdown(sheet: Worksheet, language: str, *, with_key: bool) -> Iterator[str]:
    """Give the sheet as Markdown, line by line."""
    page = Written(sheet, language, with_key=with_key)
    yield f"# {page.title}\n\n"
    yield from (f"{line}\n" for line in page.instructions)
    yield f"\n## {page.say(Text('Equations'))}\n\n```\n"
    yield from (f"{line}\n" for line in _equations(page, lambda line: write_line(line, BLACKBOARD)))
    yield f"```\n\n## {page.say(Text('Given'))}\n\n"
    for name, value in page.inputs():
        yield f"- {name} = ({', '.join(map(page.number, value.tolist()))})\n"
    for block in page.blocks:
        for name, value in block.parameters.items():
            yield "\n" + "".join(_matrix_rows(page, _of(page, block, name), np.asarray(value)))
    for t in sheet.steps:
        yield f"\n## {page.say(Text('Step {step}', step=t + 1))}\n"
        for one in sheet.of_step(t):
            yield from _markdown_answer(page, one)


def _of(page: Written, block: Block, name: str) -> str:
    return name if len(page.done.runs) == 1 or block.key == "linear" else f"{block.key} {name}"


def _equations(page: Written, written: Callable[[Any], str]) -> Iterator[str]:
    found: dict[str, None] = {}
    for block in page.blocks:
        if block.kind in ("recurrent", "linear"):
            found.update(dict.fromkeys(written(line) for line in block.program.lines))
    yield from found


def _matrix_rows(page: Written, name: str, value: Array) -> Iterator[str]:
    rows = value.reshape(-1, value.shape[-1]) if value.ndim > 1 else value.reshape(1, -1)
    yield f"| {name} |{' |' * rows.shape[1]}\n|---|{'---|' * rows.shape[1]}\n"
    for row in rows.tolist():
        yield f"| | {' | '.join(map(page.number, row))} |\n"


def _markdown_answer(page: Written, one: Asked) -> Iterator[str]:
    label = page.label(one)
    if not page.with_key:
        head = " | ".join(map(str, range(one.size)))
        yield f"\n| {label} | {head} |\n|---|{'---|' * one.size}\n| |{f' {BLANK} |' * one.size}\n"
        return
    value = page.value(one)
    yield "\n```\n"
    for element in range(one.size):
        worked = page.tokens(page.worked(one, element), "·")
        yield f"{label}[{element}] = {worked} = {page.number(value[element])}\n"
    yield "```\n"


# ── LaTeX ────────────────────────────────────────────────────────────────────────────


def latex(sheet: Worksheet, language: str, *, with_key: bool) -> Iterator[str]:
    """Give the sheet as a whole LaTeX document, line by line; Chinese asks for XeLaTeX or LuaLaTeX, by ctex."""
    page = Written(sheet, language, with_key=with_key)
    kind = "ctexart" if language == "zh" else "article"
    yield f"\\documentclass{{{kind}}}\n\\usepackage{{amsmath}}\n\\usepackage[margin=2cm]{{geometry}}\n"
    yield "\\setcounter{MaxMatrixCols}{64}\n\\allowdisplaybreaks\n\\setlength{\\parindent}{0pt}\n"
    yield f"\\begin{{document}}\n\\section*{{{_escaped(page.title)}}}\n"
    yield from (f"{_escaped(line)}\n" for line in page.instructions)
    yield f"\\subsection*{{{_escaped(page.say(Text('Equations')))}}}\n\\begin{{align*}}\n"
    equations = list(_equations(page, latex_line))
    yield " \\\\\n".join(line.replace(" = ", " &= ", 1) for line in equations) + "\n\\end{align*}\n"
    yield f"\\subsection*{{{_escaped(page.say(Text('Given')))}}}\n"
    for name, value in page.inputs():
        yield f"\\[ {_indexed(name)} = {_latex_vector(page, value)} \\]\n"
    for block in page.blocks:
        for name, value in block.parameters.items():
            yield f"\\[ {_prefixed(page, block, latex_name(name))} = {_latex_matrix(page, np.asarray(value))} \\]\n"
    for t in sheet.steps:
        yield f"\\subsection*{{{_escaped(page.say(Text('Step {step}', step=t + 1)))}}}\n"
        for one in sheet.of_step(t):
            yield from _latex_answer(page, one)
    yield "\\end{document}\n"


_SPECIAL: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "→": r"$\to$",
    "←": r"$\leftarrow$",
    "−": r"$-$",
    "·": r"$\cdot$",
}


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


def _indexed(name: str) -> str:
    """`x_2` as it is written; `L0 h_0` with the block before it."""
    *before, own = name.split(" ")
    base, _, index = own.rpartition("_")
    shown = latex_name(base).removesuffix("_t") if base else own
    shown = f"{shown}_{{{index}}}" if "_" not in shown else f"{{{shown}}}_{{({index})}}"
    return "".join(rf"\text{{{_escaped(one)}}}\; " for one in before) + shown


def _prefixed(page: Written, block: Block, name: str) -> str:
    several = len(page.done.runs) > 1 and block.key != "linear"
    return rf"\text{{{_escaped(block.key)}}}\; {name}" if several else name


def _latex_matrix(page: Written, value: Array) -> str:
    rows = value if value.ndim > 1 else value.reshape(-1, 1)
    body = r" \\ ".join(" & ".join(map(page.number, row)) for row in rows.tolist())
    return rf"\begin{{bmatrix}} {body} \end{{bmatrix}}"


def _latex_vector(page: Written, value: Array) -> str:
    return _latex_matrix(page, value.reshape(-1))


def _latex_answer(page: Written, one: Asked) -> Iterator[str]:
    label = _indexed(page.label(one))
    if not page.with_key:
        blanks = r" \\ ".join([r"\underline{\hspace{1.6cm}}"] * one.size)
        yield rf"\[ {label} = \begin{{bmatrix}} {blanks} \end{{bmatrix}} \]" + "\n"
        return
    value = page.value(one)
    yield "\\begin{align*}\n"
    lines = []
    for element in range(one.size):
        worked = page.tokens(page.worked(one, element), r" \cdot ").replace("−", "-")
        lines.append(rf"{label}[{element}] &= {_functions(worked)} = {page.number(value[element])}")
    yield " \\\\\n".join(lines) + "\n\\end{align*}\n"


def _functions(text: str) -> str:
    for name in ("tanh", "exp", "log", "max", "min"):
        text = text.replace(f"{name}(", rf"\{'ln' if name == 'log' else name}(")
    return (
        text.replace("sigmoid(", r"\sigma(")
        .replace("relu(", r"\operatorname{relu}(")
        .replace("sqrt(", r"\operatorname{sqrt}(")
    )


# ── an answers file ──────────────────────────────────────────────────────────────────


def answers(sheet: Worksheet, language: str, *, with_key: bool) -> Iterator[str]:
    """Give an answers file: `?` for what is to be filled in, or the key's numbers."""
    page = Written(sheet, language, with_key=with_key)
    yield from (f"# {line}\n" for line in (page.title, *page.instructions))
    yield f"\ndecimals = {sheet.decimals}\n"
    for one in sheet.asked:
        numbers = page.value(one).tolist() if with_key else []
        shown = " ".join(map(page.number, numbers)) if with_key else " ".join("?" * one.size)
        yield f"\n[[answer]]\nstep = {one.t + 1}\n"
        if one.layer:
            yield f"layer = {one.layer}\n"
        if one.direction == "backward":
            yield 'direction = "backward"\n'
        if sheet.row:
            yield f"batch = {sheet.row}\n"
        yield f"name = {string_text(one.name)}\nvalue = {string_text(shown)}\n"


FORMS: Mapping[str, Callable[..., Iterator[str]]] = {"md": markdown, "tex": latex, "toml": answers}
