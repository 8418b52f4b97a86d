"""The mistakes of gated cells: which gate does what, and where the reset of a GRU stands."""

from __future__ import annotations

from rnnstep.checking.mistakes.patterns import Lines, Pattern, Rewriting, one, renamed, replaced, terms, total
from rnnstep.equations.syntax import Apply, Expression, Name, Number

ONE = Number(1.0, "1")


def is_lstm(pattern: Pattern) -> bool:
    """Whether the lines are an LSTM's."""
    return {"i", "f", "g", "o", "c", "tanh_c", "h"} <= pattern.by_name.keys()


def is_gru(pattern: Pattern) -> bool:
    """Whether the lines are a GRU's."""
    return {"r", "z", "n", "hh_n", "ih_n", "a_n", "h"} <= pattern.by_name.keys()


# ── LSTM ─────────────────────────────────────────────────────────────────────────────


def _in_lstm(rewriting: Rewriting) -> Rewriting:
    return lambda pattern: rewriting(pattern) if is_lstm(pattern) else None


def _in_gru(rewriting: Rewriting) -> Rewriting:
    return lambda pattern: rewriting(pattern) if is_gru(pattern) else None


def _other_rows(swapped: dict[str, str]) -> Rewriting:
    """The rows of the stacked weights read in another order: what is taken for each gate's."""

    def rewriting(pattern: Pattern) -> Lines | None:
        gates = is_lstm(pattern) if set(swapped) <= set("ifgo") else is_gru(pattern)
        if not gates:
            return None
        names = {}
        for gate, taken in swapped.items():
            for kind in ("W_i", "W_h", "b_i", "b_h"):
                names[kind + gate] = kind + taken
        return renamed(pattern.lines, {old: new for old, new in names.items() if new in pattern.parameters})

    return rewriting


def _names_swapped(line: str, names: dict[str, str]) -> Rewriting:
    def other(part: Expression) -> Expression | None:
        return Name(names[part.id]) if isinstance(part, Name) and part.id in names else None

    return lambda pattern: one(pattern.lines, line, other)


def _c_without_forget(pattern: Pattern) -> Lines:
    return replaced(pattern.lines, "c", total([Name("c_prev"), Apply("mul", (Name("i"), Name("g")))]))


def _forget_from_input(pattern: Pattern) -> Lines | None:
    """F = 1 − i, which needs i before it."""
    lines = [line for line in pattern.lines if line.name != "i"]
    i = pattern.by_name["i"]
    needed = [line for line in pattern.lines if line.name in ("ih_i", "hh_i", "a_i")]
    rest = [line for line in lines if line not in needed]
    return replaced((*needed, i, *rest), "f", Apply("sub", (ONE, Name("i"))))


def _peephole(reads: str) -> Rewriting:
    """O reads the cell's memory in the place of h'."""

    def rewriting(pattern: Pattern) -> Lines | None:
        if pattern.size(Name("c_prev")) != pattern.size(Name("h_prev")):
            return None
        last = [line for line in pattern.lines if line.name in ("hh_o", "a_o", "o")]
        first = [line for line in pattern.lines if line not in last and line.name not in ("tanh_c", "h")]
        rest = [line for line in pattern.lines if line.name in ("tanh_c", "h")]
        return _names_swapped("hh_o", {"h_prev": reads})(_Reordered(pattern, (*first, *last, *rest)))

    return rewriting


class _Reordered(Pattern):
    """A pattern with its lines in another order."""

    def __init__(self, pattern: Pattern, lines: Lines) -> None:
        self.__dict__.update(pattern.__dict__)
        self.lines = lines


# ── GRU ──────────────────────────────────────────────────────────────────────────────


def _reset_before(pattern: Pattern) -> Lines:
    """The reset gate on h' before the product."""
    gated = Apply("mul", (Name("r"), Name("h_prev")))
    lines = one(pattern.lines, "hh_n", lambda part: gated if part == Name("h_prev") else None)
    return replaced(lines, "a_n", total([Name("ih_n"), Name("hh_n")]))


def _bias_outside(pattern: Pattern) -> Lines | None:
    """b_hn added after the reset gate."""
    parts = list(terms(pattern.by_name["hh_n"].expression))
    biases = [part for part in parts if pattern.is_bias(part)]
    if not biases:
        return None
    lines = replaced(pattern.lines, "hh_n", total([part for part in parts if part not in biases]))
    gated = Apply("mul", (Name("r"), Name("hh_n")))
    return replaced(lines, "a_n", total([Name("ih_n"), gated, *biases]))


def _z_swapped(pattern: Pattern) -> Lines:
    rest = Apply("sub", (ONE, Name("z")))
    kept = Apply("mul", (rest, Name("h_prev")))
    return replaced(pattern.lines, "h", total([Apply("mul", (Name("z"), Name("n"))), kept]))


def _no_carry(pattern: Pattern) -> Lines:
    rest = Apply("sub", (ONE, Name("z")))
    return replaced(pattern.lines, "h", Apply("mul", (rest, Name("n"))))


def _no_reset(pattern: Pattern) -> Lines:
    return replaced(pattern.lines, "a_n", total([Name("ih_n"), Name("hh_n")]))


def _reset_over_both(pattern: Pattern) -> Lines:
    both = total([Name("ih_n"), Name("hh_n")])
    return replaced(pattern.lines, "a_n", Apply("mul", (Name("r"), both)))


GATED: tuple[tuple[str, Rewriting], ...] = (
    ("gates_i_f_swapped", _in_lstm(_names_swapped("c", {"i": "f", "f": "i"}))),
    ("h_without_tanh", _in_lstm(_names_swapped("h", {"tanh_c": "c"}))),
    ("c_without_forget", _in_lstm(_c_without_forget)),
    ("forget_is_one_minus_input", _in_lstm(_forget_from_input)),
    ("c_for_h", _in_lstm(lambda pattern: replaced(pattern.lines, "h", Name("c")))),
    ("o_reads_c", _in_lstm(_peephole("c_prev"))),
    ("o_reads_c", _in_lstm(_peephole("c"))),
    ("gru_reset_before", _in_gru(_reset_before)),
    ("gru_b_hn_outside", _in_gru(_bias_outside)),
    ("gru_z_swapped", _in_gru(_z_swapped)),
    ("gru_no_carry", _in_gru(_no_carry)),
    ("gru_no_reset", _in_gru(_no_reset)),
    ("gru_reset_over_both", _in_gru(_reset_over_both)),
    ("gates_ifog", _other_rows({"g": "o", "o": "g"})),
    ("gates_iofg", _other_rows({"o": "f", "f": "g", "g": "o"})),
    ("gates_icfo", _other_rows({"g": "f", "f": "g"})),
    ("gru_gates_zrn", _other_rows({"r": "z", "z": "r"})),
)
