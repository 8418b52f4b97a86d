"""Worked lines read off the screen as text and added up again, by a reader that shares nothing with the program.

Sums, products and quotients are reckoned in fractions, functions in float64. What a line says with `=` must come
out, rounded half away from zero to the precision of what is printed; what it says with `≈` must not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnnstep.equations.expand import expand
from rnnstep.reference import complete
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot, index_of, size_of
from rnnstep.views import numbers
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.scene import Scene
from rnnstep.views.worked import expansion, worked

# ── reckoning a text ─────────────────────────────────────────────────────────────────────

Number = Fraction | float
"""A float where it is not finite."""

_TOKEN = re.compile(
    r"\s*(?P<token>\d+(?:\.\d+)?(?:e[-−]?\d+)?|NaN|inf|nan|[a-z_]+|<=|>=|==|!=|[−\-+·*/<>(),])"
)
_COMPARISONS: dict[str, Callable[[Number, Number], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def _sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a)) if a >= 0 else math.exp(a) / (1 + math.exp(a))


def _exp(a: float) -> float:
    try:
        return math.exp(a)
    except OverflowError:
        return math.inf


def _log(a: float) -> float:
    return math.log(a) if a > 0 else -math.inf if a == 0 else math.nan


def _softplus(a: float) -> float:
    return max(a, 0.0) + math.log1p(math.exp(-abs(a)))


_IN_FLOAT64: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
    "exp": _exp,
    "log": _log,
    "sqrt": lambda a: math.sqrt(a) if a >= 0 else math.nan,
    "softplus": _softplus,
    "isnan": lambda a: float(math.isnan(a)),
    "isinf": lambda a: float(math.isinf(a)),
    "isfinite": lambda a: float(math.isfinite(a)),
}


def _is_finite(*values: Number) -> bool:
    return all(isinstance(value, Fraction) for value in values)


def _from_float(value: float) -> Number:
    return Fraction(value) if math.isfinite(value) else value


def number(text: str) -> Number:
    """Read a number as it is printed."""
    plain_text = text.replace("−", "-")
    value = float(plain_text)
    return Fraction(plain_text) if math.isfinite(value) else value


class Reckoner:
    """Reckons `tanh(0.31·0.42 − 0.07·(−0.88))`, from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        end = 0
        while text[end:].strip():
            found = _TOKEN.match(text, end)
            assert found, f"{text[end:]!r} of {text!r}"
            self._tokens.append(found["token"])
            end = found.end()
        self._at = 0

    def value(self) -> Number:
        found = self._logic("or")
        assert self._at == len(self._tokens), self._tokens[self._at :]
        return found

    @property
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _logic(self, word: str) -> Number:
        deeper = self._negation if word == "and" else lambda: self._logic("and")
        found = deeper()
        while self._next == word:
            self._take()
            other = deeper()
            both = (found != 0, other != 0)
            found = Fraction(int(all(both) if word == "and" else any(both)))
        return found

    def _negation(self) -> Number:
        if self._next == "not":
            self._take()
            return Fraction(int(self._negation() == 0))
        found = self._sum()
        if self._next in _COMPARISONS:
            return Fraction(int(_COMPARISONS[self._take()](found, self._sum())))
        return found

    def _sum(self) -> Number:
        found = self._product()
        while self._next in ("+", "−", "-"):
            sign = -1 if self._take() != "+" else 1
            other = self._product()
            if _is_finite(found, other):
                found = found + sign * other
            else:
                found = float(found) + sign * float(other)
        return found

    def _product(self) -> Number:
        found = self._signed()
        while self._next in ("·", "*", "/"):
            if self._take() != "/":
                other = self._signed()
                found = found * other if _is_finite(found, other) else float(found) * float(other)
            else:
                found = _quotient(found, self._signed())
        return found

    def _signed(self) -> Number:
        if self._next in ("−", "-"):
            self._take()
            return -self._signed()
        return self._atom()

    def _atom(self) -> Number:
        token = self._take()
        if token == "(":
            found = self._logic("or")
            assert self._take() == ")"
            return found
        if token[0].isdigit() or token in ("NaN", "inf", "nan"):
            return number(token)
        assert self._take() == "(", token
        arguments = [self._logic("or")]
        while self._next == ",":
            self._take()
            arguments.append(self._logic("or"))
        assert self._take() == ")"
        return _applied(token, arguments)


def _floats(values: list[Number]) -> np.ndarray:
    return np.array([float(value) for value in values])


def _quotient(above: Number, below: Number) -> Number:
    if _is_finite(above, below) and below:
        return above / below
    with np.errstate(all="ignore"):
        return _from_float(float(np.float64(above) / np.float64(below)))


def _applied(name: str, arguments: list[Number]) -> Number:
    match name:
        case "relu":
            return max(arguments[0], Fraction(0)) if _is_finite(*arguments) else max(float(arguments[0]), 0.0)
        case "abs":
            return abs(arguments[0])
        case "max" | "maximum":
            return arguments[
                int(np.argmax(_floats(arguments)))
            ]  # NaN counts as the largest, and as the least
        case "min" | "minimum":
            return arguments[int(np.argmin(_floats(arguments)))]
        case "any" | "all":
            function = any if name == "any" else all
            return Fraction(int(function(value != 0 for value in arguments)))
        case "argmax":  # the first of the largest; NaN counts as the largest
            return Fraction(int(np.argmax(_floats(arguments))))
        case "ratio":
            return Fraction(0) if arguments[1] == 0 else _quotient(*arguments)
    value = float(arguments[0])
    return _from_float(
        value if math.isnan(value) and name in ("tanh", "sigmoid") else _IN_FLOAT64[name](value)
    )


def comes_to(expression: str, result: str) -> bool:
    """Whether an expression comes to a printed result, rounded half away from zero to its precision."""
    value, shown = Reckoner(expression).value(), number(result)
    if not _is_finite(value, shown):
        return bool(np.array_equal(_floats([value]), _floats([shown]), equal_nan=True))
    mantissa, _, exponent = result.replace("−", "-").partition("e")
    unit = Fraction(10) ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    units = abs(value) / unit
    whole = math.floor(units + Fraction(1, 2))
    return (whole if value >= 0 else -whole) * unit == shown


# ── lines ────────────────────────────────────────────────────────────────────────────────


class Shown(NamedTuple):
    """A worked line of a screen.

    Attributes:
        scenario: whose.
        place: where.
        text: `hh[0] = 0.31·0.42 − 0.07·0.88 ≈ 0.1886`.
        whole: its right side with all terms, as numbers are shown elsewhere.
    """

    scenario: str
    place: str
    text: str
    whole: str

    @property
    def sign(self) -> str:
        return re.split(r" (=|≈|~=) ", self.text)[-2]

    @property
    def result(self) -> str:
        return re.split(r" (?:=|≈|~=) ", self.text)[-1]

    @property
    def is_cut(self) -> bool:
        return "…" in self.text

    @property
    def is_by_name(self) -> bool:
        """Whether it says where an element is looked up, and works out nothing."""
        return "[" in self.expression

    @property
    def expression(self) -> str:
        """What stands between, with all terms where some are cut off."""
        if self.is_cut:
            return self.whole
        return re.split(r" (?:=|≈|~=) ", self.text, maxsplit=1)[1].rpartition(f" {self.sign} ")[0]

    @property
    def is_true(self) -> bool:
        """Whether its sign is the right one."""
        return self.is_by_name or (self.sign == "=") == comes_to(self.expression, self.result)


@cache
def run_of(source: str | Path) -> SessionRun:
    """Run a bundled scenario by its name, or a file."""
    scenario = read(bundled.find(source) if isinstance(source, str) else source)
    return SessionRun.of(complete(scenario) if scenario.pending else scenario)


def spots(run: SessionRun, most: int, epochs: int = 1) -> Iterator[Spot]:
    """Give elements of all operations of all passes of the first batch: `most` of each, spread, in so many steps."""
    tree = run.tree
    for epoch in range(min(epochs, tree.num_epochs)):
        for phase in tree.phases:
            stage = tree.stage(Spot(0, phase=phase, epoch=epoch))
            for block in stage.blocks:
                steps = list(stage.steps[block.key])
                for t in {steps[k] for k in _spread(len(steps), most)}:
                    for line in block.program.lines:
                        for element in _spread(size_of(block, line.name), most):
                            yield Spot(0, block.key, t, line.name, element, phase=phase, epoch=epoch)


def _spread(count: int, most: int) -> list[int]:
    return sorted(set(np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()))


def lines(
    source: str | Path, look: Look, cells: int, height: int, most: int, epochs: int = 1
) -> Iterator[Shown]:
    """Give the worked lines of a scenario, as the panel of a screen shows them."""
    run = run_of(source)
    session = Session.open(run)
    for spot in spots(run, most, epochs):
        path = run.tree.path_to(spot)
        assert path is not None
        scene = Scene(session.jump(path), look)
        found = expansion(scene)
        if found is None:
            continue
        rows = worked(scene, found, cells, height).rows
        text = " ".join(plain([row]).strip() for row in rows)
        place = f"{spot.phase}:{spot.t + 1}/{spot.key}/{spot.operation}[{spot.element}]"
        yield Shown(str(source), place, text, _whole(spot, scene, look) if "…" in text else "")


def _whole(spot: Spot, scene: Scene, look: Look) -> str:
    run, known = scene.run, scene.known
    assert known is not None
    assert spot.operation is not None
    found = expand(run.line(spot), index_of(run.block(spot), spot.operation, spot.element or 0), known)
    return "".join(
        numbers.short(token.value, look.decimals) if token.kind == "value" else token.text
        for token in found.tokens
    )
