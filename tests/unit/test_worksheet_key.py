"""The key: putting the printed numbers in, and rounding each result as the sheet says, gives what is printed."""

from __future__ import annotations

import ast
import math
import re
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from rnnstep.worksheet.pocket_calculator import Pocket
from tests.property.worked_lines import Reckoner
from tests.unit.command_line import run, written
from tests.unit.test_worksheet import BOTH_WAYS, NAMES, NESTED

FUNCTIONS = {
    "tanh": math.tanh,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "exp": math.exp,
    "sqrt": math.sqrt,
    "relu": lambda a: max(a, 0.0),
    "abs": abs,
}


class Calculator:
    """A pocket calculator whose owner rounds every result, on a line of the key read as Python."""

    def __init__(self, decimals):
        self.unit = Decimal(1).scaleb(-decimals)

    def rounded(self, value):
        return Decimal(value).quantize(self.unit, ROUND_HALF_UP)

    def result(self, text):
        source = text.replace("·", "*").replace("−", "-")
        return self._of(ast.parse(source, mode="eval").body, source)

    def _of(self, node, source):
        match node:
            case ast.Constant():
                return Decimal(ast.get_source_segment(source, node))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._of(operand, source)
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self._of(left, source), self._of(right, source)
                match op:
                    case ast.Add():
                        return self.rounded(a + b)
                    case ast.Sub():
                        return self.rounded(a - b)
                    case ast.Mult():
                        return self.rounded(a * b)
                    case ast.Div():
                        return self.rounded(a / b)
            case ast.Call(func=ast.Name(id="max"), args=args):
                return max(self._of(one, source) for one in args)
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return self.rounded(repr(FUNCTIONS[name](float(self._of(argument, source)))))
            case ast.Compare(left=left, ops=[ast.Gt()], comparators=[right]):
                return Decimal(int(self._of(left, source) > self._of(right, source)))
        raise AssertionError(ast.dump(node))


def worked(sheet):
    """The lines of working: label and sides."""
    for label, sides in signed(sheet):
        yield label, [side for _, side in sides]


def signed(sheet):
    """The lines of working, those that go on below joined again: label, and sides with the signs before them."""
    for block in re.findall(r"^```\n(.*?)^```", sheet.partition("## ")[2], flags=re.MULTILINE | re.DOTALL):
        for line in re.sub(r"\n +", " ", block).splitlines():
            label, *sides = re.split(r" (?==|≈)", line)
            if label.endswith("]") and label[-2].isdigit():
                yield label, [(side[0], side[2:]) for side in sides]


@pytest.mark.parametrize("decimals", [0, 1, 2, 6, 9])
@pytest.mark.parametrize("name", [*NAMES, NESTED, BOTH_WAYS])
def test_numbers_put_in_come_exactly_to_the_result(name, decimals, capsys, tmp_path):
    name = written(tmp_path, name) if "\n" in name else name
    options = ("--key", "--decimals", str(decimals), "--steps", "1-2", "--dtype", "float64")
    status, sheet, err = run(capsys, "worksheet", name, *options)
    assert status == 0, err
    calculator = Calculator(decimals)
    lines = list(worked(sheet))
    assert lines
    for label, sides in lines:
        for side in sides:
            assert calculator.result(side) == Decimal(sides[-1]), (label, sides)
    assert not re.search(r"-0(\.0+)?(?![\d.])", sheet)


@pytest.mark.parametrize("decimals", [1, 2, 4])
@pytest.mark.parametrize("name", ["hello", "hello_lstm", NESTED])
def test_equals_stands_between_sides_that_are_the_same_when_the_end_alone_is_rounded(
    name, decimals, capsys, tmp_path
):
    name = written(tmp_path, name) if "\n" in name else name
    _, sheet, _ = run(capsys, "worksheet", name, "--key", "--decimals", str(decimals), "--steps", "1-2")
    seen = set()
    for label, sides in signed(sheet):
        for (_, before), (sign, after) in pairwise(sides):
            values = [units(Reckoner(side).value(), decimals) for side in (before, after)]
            assert (sign == "=") == (values[0] == values[1]), (label, before, after)
            seen.add(sign)
    assert "=" in seen
    assert decimals > 2 or "≈" in seen


def units(value, decimals):
    size = math.floor(abs(value) * 10**decimals + Fraction(1, 2))
    return size if value >= 0 else -size


def test_latex_has_a_sign_of_its_own_for_about_equal(capsys):
    options = ("--key", "--decimals", "2", "--steps", "2")
    _, sheet, _ = run(capsys, "worksheet", "hello", *options)
    _, latex, _ = run(capsys, "worksheet", "hello", *options, "--format", "tex")
    body = latex.partition(r"\begin{document}")[2]
    assert body.count(r" \approx ") == sum(sign == "≈" for _, sides in signed(sheet) for sign, _ in sides) > 0
    assert "≈" not in body


def test_what_a_line_reads_is_what_another_came_to(capsys):
    """The results that are printed go on into the next lines and steps."""
    _, sheet, _ = run(capsys, "worksheet", "hello", "--key", "--decimals", "1")
    results = {label: sides[-1] for label, sides in worked(sheet)}
    for label, sides in worked(sheet):
        found = re.fullmatch(r"a_(\d)(\[\d\])", label)
        if found is not None:
            ih, hh = (results[f"{name}_{found[1]}{found[2]}"] for name in ("ih", "hh"))
            sign = "−" if hh.startswith("-") else "+"
            assert sides[0] == f"{ih} {sign} {hh.removeprefix('-')}"
        found = re.fullmatch(r"h_(\d)(\[\d\])", label)
        if found is not None:
            assert sides[0] == f"tanh({results[f'a_{found[1]}{found[2]}']})"


def test_key_shows_the_way_to_what_is_asked_for(capsys):
    _, sheet, _ = run(capsys, "worksheet", "hello", "--key", "--values", "h", "--steps", "2")
    assert {label.partition("[")[0] for label, _ in worked(sheet)} == {"ih_2", "hh_2", "a_2", "h_2"}
    assert "| `ih_2`" not in sheet


@pytest.mark.parametrize("decimals", [0, 1, 2, 3, 6, 8, 12])
def test_products_are_rounded_as_at_school(decimals):
    rng = np.random.default_rng(decimals)
    pocket = Pocket(decimals)
    a, b = (np.round(rng.normal(size=2000) * 3, decimals) for _ in range(2))
    products = pocket.apply("mul", ((a, a), (b, b)))[0]
    for one, other, product in zip(a, b, products, strict=True):
        exact = Decimal(f"{one:.{decimals}f}") * Decimal(f"{other:.{decimals}f}")
        assert float(exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)) == product


def test_halves_are_rounded_away_from_zero():
    pocket = Pocket(1)
    np.testing.assert_array_equal(pocket.down(np.array([0.25, -0.25, 0.35, 1.005])), [0.3, -0.3, 0.4, 1.0])
    assert not np.signbit(pocket.down(np.array([-0.04]))).any()
    product = pocket.apply("mul", ((np.array([-0.1]),) * 2, (np.array([0.4]),) * 2))[0]
    assert not np.signbit(product).any()
    np.testing.assert_array_equal(pocket.down(np.array([np.inf, -np.inf])), [np.inf, -np.inf])
