"""A worksheet as a LaTeX document that compiles without changes.

All that may be long (vectors, equations, the key's working) is written as a paragraph in inline mathematics, which TeX
itself breaks at the margin; matrices and tables, which it does not break, are cut into columns that fit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from rnnstep.equations.operations import Array
from rnnstep.equations.pieces import Token
from rnnstep.equations.write import latex as latex_of
from rnnstep.equations.write import latex_name
from rnnstep.language import Text
from rnnstep.worksheet.page import BlockGroup, Label, NameAtTime, SheetPage, by_size, renamed, symbol
from rnnstep.worksheet.pocket_calculator import Pocket
from rnnstep.worksheet.stages import stages
from rnnstep.worksheet.worksheet import Asked

_ESCAPED: Mapping[str, str] = {
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
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    '"': "''",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "↔": r"$\leftrightarrow$",
    "⇒": r"$\Rightarrow$",
    "−": r"$-$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "⊙": r"$\odot$",
    "≠": r"$\ne$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "≈": r"$\approx$",
    "∞": r"$\infty$",
    "∂": r"$\partial$",
    "…": r"\dots{}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "\u00a0": "~",
}
_GREEK = "αβγδεζηθικλμνξπρστυφχψω"
_LATIN = range(0xC0, 0x180)  # accented letters, which all of them know


def is_plain(text: str) -> bool:
    """Whether pdflatex has all letters of a text."""
    return all(map(_is_plain, text))


def texted(text: str, *, only_plain: bool = False) -> str:
    """Give a text as LaTeX writes it; `only_plain` leaves out what pdflatex has not."""
    shown = (character for character in text if not only_plain or _is_plain(character))
    return "".join(_ESCAPED.get(character) or _greek(character) or character for character in shown)


def in_mathematics(text: str) -> str:
    """Give mathematics with names of any letters: Greek ones as LaTeX calls them, others as text."""
    return re.sub(r"[^\x00-\x7f]+", lambda found: "".join(map(_letter, found[0])), text)


def _is_plain(character: str) -> bool:
    return character.isascii() or character in _ESCAPED or ord(character) in _LATIN or bool(_greek(character))


def _letter(character: str) -> str:
    if character == "…":
        return r"\ldots{}"
    greek = _greek(character)
    return greek[1:-1] if greek else rf"\text{{{character}}}"


def _greek(character: str) -> str:
    r"""`$\alpha{}$` of α; nothing of what is no small Greek letter."""
    if character not in _GREEK:
        return ""
    name = unicodedata.name(character).removeprefix("GREEK SMALL LETTER ").lower()
    return rf"$\{name.replace('lamda', 'lambda')}{{}}$"


# ── the document ─────────────────────────────────────────────────────────────────────────────────

_TEXT_WIDTH = 483  # pt: A4 without its margins
_DIGIT, _BETWEEN = 5.5, 10.0  # pt: of a character, and between the columns of a matrix
_NAME_WIDTH = 75  # pt: of what stands before a matrix or a table's row
_MARK = 0xE000  # the first of the letters that nobody writes
_MOST_ROWS = 30  # of a matrix or a table on one page

_PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
\usepackage{iftex}
%s\usepackage{amsmath}
\usepackage{array}
\usepackage[margin=2cm]{geometry}
\setcounter{MaxMatrixCols}{64}
\setlength{\parindent}{0pt}
\setlength{\parskip}{3pt}
\setlength{\lineskip}{5pt}
\setlength{\lineskiplimit}{3pt}
\medmuskip=4mu plus 2mu minus 1mu
\relpenalty=0
\raggedright
\newcommand{\formula}[1]{{\hangindent=3em\hangafter=1\noindent$#1$\par}}
\newcommand{\blank}{\rule[-2.6mm]{0pt}{8mm}}
\newcommand{\filled}{\rule[-1mm]{0pt}{4.6mm}}
"""
_CHINESE = r"""\ifPDFTeX
  \errmessage{Compile this sheet with xelatex: pdflatex has no Chinese letters}
  \csname @@end\endcsname
\fi
\usepackage[UTF8,scheme=plain]{ctex}
"""
_SOME_CHINESE = r"""\ifPDFTeX\else
  \IfFileExists{ctex.sty}{\usepackage[UTF8,scheme=plain]{ctex}}{}
\fi
"""


def latex(page: SheetPage) -> Iterator[str]:
    """Give the whole document, piece by piece."""
    title = _title(page)
    if page.language == "zh":
        yield "% !TeX program = xelatex\n% Compile with xelatex: pdflatex has no Chinese letters.\n"
        yield _PREAMBLE % _CHINESE
    else:
        yield "% Compile with pdflatex or xelatex.\n"
        yield _PREAMBLE % ("" if is_plain(page.title) else _SOME_CHINESE)
    yield f"\\begin{{document}}\n\\section*{{{title}}}\n"
    if not page.with_key:
        name, date = map(texted, page.for_the_writer)
        yield f"{name} \\underline{{\\hspace{{7cm}}}}\\quad {date} \\underline{{\\hspace{{4cm}}}}\\par\n"
    yield f"{{\\small {_guarded(page.origin_line, '')}}}\\par\n"
    yield "\\medskip\n" + "".join(f"{texted(line)}\\par\n" for line in page.told)
    yield f"\\subsection*{{{texted(page.say(Text('Equations')))}}}\n"
    yield from _equations(page)
    yield f"\\subsection*{{{texted(page.say(Text('Given')))}}}\n"
    yield from _given(page)
    for section in page.sections():
        yield f"\\subsection*{{{texted(section.heading)}}}\n"
        for size, rows in by_size(section.asked):
            yield from _grids(page, size, rows)
        if page.with_key:
            yield "\\smallskip\n"
            yield from _working(page, section.worked)
    yield "\\end{document}\n"


def _title(page: SheetPage) -> str:
    return _guarded(page.title, page.scenario.name)


def _guarded(text: str, other: str) -> str:
    """A text, and another in its place where pdflatex has no such letters."""
    if is_plain(text):
        return texted(text)
    return rf"\ifPDFTeX {texted(other, only_plain=True)}\else {texted(text)}\fi"


# ── equations ────────────────────────────────────────────────────────────────────────


def _equations(page: SheetPage) -> Iterator[str]:
    for group in page.groups:
        block = group.blocks[0]
        told = _told(page, group)
        yield "\\smallskip\n" + (f"{told}\\par\n" if told else "")
        for line in group.lines:
            shown = renamed(line, block, "latex")
            yield _formula(f"{latex_name(shown.name)} = {latex_of(shown.expression)}")
    for wire in page.wires:
        parts = r";\; ".join(map(_label, wire.parts))
        joined = rf"\left[{parts}\right]" if len(wire.parts) > 1 else parts or "0"
        mask = rf"{_block(wire.label[0])}\mathrm{{mask}}_{{t}} \odot " if wire.has_mask else ""
        note = rf"\quad ({wire.note})" if wire.note else ""
        yield _formula(f"{_label(wire.label)} = {mask}{joined}{note}")


def _told(page: SheetPage, group: BlockGroup) -> str:
    """What is said before equations, names in it as mathematics."""
    names: list[str] = []

    def mark(name: NameAtTime) -> str:
        names.append(f"${in_mathematics(latex_name(symbol(name)))}$")
        return chr(_MARK + len(names) - 1)

    text = texted(page.of_group(group, mark))
    for number, name in enumerate(names):
        text = text.replace(chr(_MARK + number), name)
    return text


def _formula(text: str) -> str:
    return f"\\formula{{{in_mathematics(text)}}}\n"


def _label(label: Label) -> str:
    r"""`\mathrm{L1}\; h_{2}`."""
    return _block(label[0]) + latex_name(symbol(label[1]))


def _block(name: str) -> str:
    if not name:
        return ""
    arrow = {"→": r"{\rightarrow}", "←": r"{\leftarrow}"}.get(name[-1], "")
    return rf"\mathrm{{{name.rstrip('→←')}}}{arrow}\; "


# ── what is given ────────────────────────────────────────────────────────────────────


def _given(page: SheetPage) -> Iterator[str]:
    for one in page.sheet.given:
        written = page.mask if one.kind == "mask" else page.number
        source = page.source(one)
        shown = rf"\quad\text{{{texted(source)}}}" if source and is_plain(source) else ""
        yield _formula(
            f"{_label(page.given_label(one))} = {_vector(map(written, page.sheet.number(one).tolist()))}{shown}"
        )
    matrices = []
    for prefix, block, name in page.parameters():
        value = np.asarray(block.parameters[name])
        label = _block(prefix) + latex_name(name if "_" in name else f"{name}_{{}}")
        if value.ndim > 1:
            matrices.append((label, value))
        else:
            yield _formula(f"{label} = {_vector(map(page.number, value.reshape(-1).tolist()))}")
    if matrices:
        yield "\\medskip\n"
    for label, value in matrices:
        yield from (f"{matrix}\n" for matrix in _matrices(page, label, value))
    yield "\\par\n" if matrices else ""


def _vector(numbers: Iterator[str]) -> str:
    """Numbers in brackets, between which a line may end."""
    return "(" + r",\; \allowbreak ".join(numbers) + ")"


def _matrices(page: SheetPage, label: str, value: Array) -> Iterator[str]:
    """A matrix, in as many pieces as fit beside or below each other."""
    texts = [list(map(page.number, row)) for row in value.tolist()]
    widest = max(len(text) for row in texts for text in row)
    rows, columns = value.shape
    most = max(1, int((_TEXT_WIDTH - _NAME_WIDTH) / (_DIGIT * widest + _BETWEEN)))
    for top in range(0, rows, _MOST_ROWS):
        for left in range(0, columns, most):
            bottom, right = min(top + _MOST_ROWS, rows), min(left + most, columns)
            body = r" \\ ".join(" & ".join(row[left:right]) for row in texts[top:bottom])
            part = (
                ""
                if (rows, columns) == (bottom - top, right - left)
                else f"[{_range(top, bottom)},\\,{_range(left, right)}]"
            )
            yield rf"\mbox{{$\displaystyle {in_mathematics(label)}{part} = \begin{{bmatrix}} {body} \end{{bmatrix}}$}}\quad"


def _range(start: int, stop: int) -> str:
    return str(start) if stop - start == 1 else rf"{start}\text{{--}}{stop - 1}"


# ── what is asked for, and the key ───────────────────────────────────────────────────


def _grids(page: SheetPage, size: int, asked: Sequence[Asked]) -> Iterator[str]:
    """Tables to fill in, or filled in: a row a value, cut where they are too wide or too long."""
    width = max(42.0, _DIGIT * (page.sheet.decimals + 5))
    most = max(1, int((_TEXT_WIDTH - _NAME_WIDTH) / (width + 13)))
    for first in range(0, len(asked), _MOST_ROWS):
        for left in range(0, size, most):
            columns = range(left, min(left + most, size))
            yield from _grid(page, asked[first : first + _MOST_ROWS], columns, width)


def _grid(page: SheetPage, asked: Sequence[Asked], columns: range, width: float) -> Iterator[str]:
    yield f"\\begin{{tabular}}{{|l|*{{{len(columns)}}}{{>{{\\raggedleft\\arraybackslash}}p{{{width:g}pt}}|}}}}\n\\hline\n"
    yield f" & {' & '.join(map(str, columns))} \\\\ \\hline\n"
    for one in asked:
        strut = "\\filled" if page.with_key else "\\blank"
        value = page.sheet.value(one).tolist() if page.with_key else []
        cells = [f"${page.number(value[k])}$" if page.with_key else "" for k in columns]
        yield f"{strut} ${in_mathematics(_label(page.label(one)))}$ & {' & '.join(cells)} \\\\ \\hline\n"
    yield "\\end{tabular}\\par\\smallskip\n"


def _working(page: SheetPage, worked: Sequence[Asked]) -> Iterator[str]:
    pocket = Pocket(page.sheet.decimals)
    for one in worked:
        line = page.by_key[one.key].program.by_name[one.name]
        known = page.sheet.known(one.key, one.t)
        for element in range(one.size):
            sides = [
                f"{_SIGNS[stage.sign]} {_side(page, stage.tokens)}"
                for stage in stages(line, element, known, pocket)
            ]
            yield _formula(" ".join([f"{_label(page.label(one))}[{element}]", *sides]))


_SIGNS = {"=": "=", "≈": r"\approx"}
_OPERATORS = {
    "·": r"\cdot\nobreak",
    "−": "-",
    "<=": r"\le",
    ">=": r"\ge",
    "!=": r"\ne",
    "==": "=",
    "and": r"\land",
    "or": r"\lor",
    "not": r"\lnot",
}
_FUNCTIONS = {
    "tanh": r"\tanh",
    "exp": r"\exp",
    "log": r"\ln",
    "max": r"\max",
    "min": r"\min",
    "sigmoid": r"\sigma",
}


def _side(page: SheetPage, tokens: Sequence[Token]) -> str:
    return "".join(_token(page, token) for token in tokens)


def _token(page: SheetPage, token: Token) -> str:
    match token.kind:
        case "value":
            return page.number(token.value)
        case "operator":
            return f" {_OPERATORS.get(token.text.strip(), token.text.strip())} "
        case "function":
            return _FUNCTIONS.get(token.text, rf"\operatorname{{{token.text}}}")
        case "comma":
            return r",\, \allowbreak "
    return token.text
