"""The mistakes inside a step: the equations of any cell, and of gated cells which gate does what, rewritten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

from rnnstep.checking.mistakes.patterns import (
    Lines,
    Pattern,
    Rewriting,
    each,
    one,
    renamed,
    replaced,
    terms,
    total,
)
from rnnstep.checking.slip import Slip
from rnnstep.engine.structure import Phase
from rnnstep.equations.syntax import Apply, Expression, Name, Number, names_in
from rnnstep.network.blocks import Block

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
    return replaced(pattern.lines, "c", total([pattern.read_for["c"], Apply("mul", (Name("i"), Name("g")))]))


def _forget_from_input(pattern: Pattern) -> Lines | None:
    """F = 1 − i, which needs i before it."""
    lines = [line for line in pattern.lines if line.name != "i"]
    i = pattern.by_name["i"]
    needed = [line for line in pattern.lines if line.name in ("ih_i", "hh_i", "a_i")]
    rest = [line for line in lines if line not in needed]
    return replaced((*needed, i, *rest), "f", Apply("sub", (ONE, Name("i"))))


def _peephole(*, is_newest: bool) -> Rewriting:
    """O reads the cell's memory, as it was or as it is, in the place of h'."""

    def rewriting(pattern: Pattern) -> Lines | None:
        h, c = pattern.read_for["h"], pattern.read_for["c"]
        if pattern.size(c) != pattern.size(h):
            return None
        last = [line for line in pattern.lines if line.name in ("hh_o", "a_o", "o")]
        first = [line for line in pattern.lines if line not in last and line.name not in ("tanh_c", "h")]
        rest = [line for line in pattern.lines if line.name in ("tanh_c", "h")]
        reads = {h.id: "c" if is_newest else c.id}
        return _names_swapped("hh_o", reads)(pattern.reordered((*first, *last, *rest)))

    return rewriting


# ── GRU ──────────────────────────────────────────────────────────────────────────────


def _reset_before(pattern: Pattern) -> Lines:
    """The reset gate on h' before the product."""
    h = pattern.read_for["h"]
    gated = Apply("mul", (Name("r"), h))
    lines = one(pattern.lines, "hh_n", lambda part: gated if part == h else None)
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
    kept = Apply("mul", (rest, pattern.read_for["h"]))
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
    ("o_reads_c", _in_lstm(_peephole(is_newest=False))),
    ("o_reads_c", _in_lstm(_peephole(is_newest=True))),
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


# ── any cell ─────────────────────────────────────────────────────────────────────────────────────


def slip(id_: str, rewriting: Rewriting) -> Slip:
    """A slip in the recurrent blocks; None or the same lines where its pattern is not there."""

    def rewrite(phase: Phase, block: Block, lines: Lines) -> Lines:
        if phase != "forward" or block.kind != "recurrent":
            return lines
        return rewriting(Pattern(block, lines)) or lines

    return Slip(id_, rewrite)


def variants(pattern: Pattern) -> Iterator[Slip]:
    """Every slip of a cell whose pattern may stand in its lines; some in several ways."""
    for id_, rewriting in _ALWAYS:
        yield slip(id_, rewriting)
    for id_, function, others in _ACTIVATIONS:
        names = pattern.activations(function)
        ways = [(name,) for name in names] + ([tuple(names)] if len(names) > 1 else [])
        for way in ways:
            yield slip(_named(id_, way, pattern), _activated(way, others))
    kinds = [pattern.activations(op) for op in ("tanh", "sigmoid", "relu")]
    every = [name for names in kinds for name in names]
    ways = [(name,) for name in every]
    ways += [tuple(names) for names in (*kinds, every) if len(names) > 1]
    for way in dict.fromkeys(ways):
        for id_, make in _AT_ACTIVATIONS:
            # The tanh of an LSTM's c is of no sum: `h_without_tanh` is its name.
            of_sums = tuple(name for name in way if not _is_of_state(pattern, name))
            if of_sums:
                yield slip(id_, _at_each(of_sums, make))
    for id_, rewriting in GATED:
        yield slip(id_, rewriting)


def _is_of_state(pattern: Pattern, name: str) -> bool:
    argument = pattern.argument(name)
    return isinstance(argument, Name) and argument.id in pattern.states


def _at_each(names: tuple[str, ...], make: Callable[[str], Rewriting]) -> Rewriting:
    """The same in several lines at once."""

    def rewriting(pattern: Pattern) -> Lines:
        lines = pattern.lines
        for name in names:
            for line in make(name)(pattern) or ():
                if line.name == name:
                    lines = replaced(lines, name, line.expression)
        return lines

    return rewriting


def _named(id_: str, way: tuple[str, ...], pattern: Pattern) -> str:
    """A sigmoid in the place of the tanh of an LSTM's g is a mistake with a name of its own."""
    return "g_with_sigmoid" if id_ == "sigmoid_for_tanh" and way == ("g",) and is_lstm(pattern) else id_


# ── biases ───────────────────────────────────────────────────────────────────────────


def _without_bias(*, of_x: bool, of_h: bool) -> Rewriting:
    def rewriting(pattern: Pattern) -> Lines:
        lines = pattern.lines
        if not any(_partner(name) in pattern.biases for name in pattern.biases):
            return lines  # the only one: that is `no_bias`
        for name, parts in pattern.sums(of_x=of_x, of_h=of_h):
            kept = [part for part in parts if not pattern.is_bias(part)]
            lines = replaced(lines, name, total(kept))
        return lines

    return rewriting


def _no_bias(pattern: Pattern) -> Lines:
    lines = pattern.lines
    for line in pattern.lines:
        parts = list(terms(line.expression))
        kept = [part for part in parts if not pattern.is_bias(part)]
        if kept and len(kept) < len(parts):
            lines = replaced(lines, line.name, total(kept))
        match line.expression:
            case Apply(op=op, args=(inner,)) if len(list(terms(inner))) > 1:
                kept = [part for part in terms(inner) if not pattern.is_bias(part)]
                lines = replaced(lines, line.name, Apply(op, (total(kept),))) if kept else lines
    return lines


def _bias_twice(*, is_first: bool) -> Rewriting:
    def rewriting(pattern: Pattern) -> Lines:
        names = {}
        for name in pattern.biases:
            partner = _partner(name)
            if partner in pattern.biases and name.startswith("b_i") != is_first:
                names[name] = partner
        return renamed(pattern.lines, names)

    return rewriting


def _partner(name: str) -> str:
    """`b_ih` of `b_hh`, `b_hf` of `b_if`, `W_hh` of `W_ih`, and the other way round."""
    kind, rest = name[:2], name[2:]
    if rest in ("ih", "hh"):
        return kind + ("hh" if rest == "ih" else "ih")
    return kind + {"i": "h", "h": "i"}.get(rest[:1], "?") + rest[1:]


def _bias_after(name: str, of_products: Literal["kept", "bare", "scaled"] = "kept") -> Rewriting:
    """`tanh(W x + U h') + b` in the place of `tanh(W x + U h' + b)`.

    A bias inside a product, as b_hn in a GRU's `r * (W_hn h' + b_hn)`, is kept there or put outside, with its factor or bare.
    """

    def rewriting(pattern: Pattern) -> Lines | None:
        biases: list[Expression] = []
        scaled: list[Expression] = []

        def without(expression: Expression, depth: int, factor: Expression | None = None) -> Expression:
            kept: list[Expression] = []
            for part in terms(expression):
                written = pattern.written_out(part)
                if pattern.is_bias(part):
                    (biases if factor is None else scaled).append(
                        part if factor is None or of_products == "bare" else Apply("mul", (factor, part))
                    )
                elif isinstance(part, Apply) and part.op == "mul" and of_products != "kept":
                    kept.append(Apply("mul", (part.args[0], without(part.args[1], depth, part.args[0]))))
                else:
                    kept.append(without(written, depth - 1, factor) if depth and written != part else part)
            return total(kept) if kept else expression

        expression = pattern.by_name[name].expression
        if not isinstance(expression, Apply) or len(expression.args) != 1:
            return None
        inner = without(expression.args[0], 2)
        if not biases:
            return None
        return replaced(pattern.lines, name, total([Apply(expression.op, (inner,)), *biases, *scaled]))

    return rewriting


# ── activations ──────────────────────────────────────────────────────────────────────


def _activated(names: tuple[str, ...], other: str) -> Rewriting:
    def rewriting(pattern: Pattern) -> Lines:
        lines = pattern.lines
        for name in names:
            argument = pattern.argument(name)
            if argument is not None:
                lines = replaced(lines, name, Apply(other, (argument,)))
        return lines

    return rewriting


def _without_activation(name: str) -> Rewriting:
    def rewriting(pattern: Pattern) -> Lines | None:
        argument = pattern.argument(name)
        return None if argument is None else replaced(pattern.lines, name, argument)

    return rewriting


def _per_term(name: str) -> Rewriting:
    """`tanh(W x) + tanh(U h')` in the place of `tanh(W x + U h')`."""

    def rewriting(pattern: Pattern) -> Lines | None:
        expression = pattern.by_name[name].expression
        if not isinstance(expression, Apply) or len(expression.args) != 1:
            return None
        parts = list(terms(pattern.written_out(expression.args[0])))
        if len(parts) != 2:
            return None
        return replaced(pattern.lines, name, total([Apply(expression.op, (part,)) for part in parts]))

    return rewriting


# ── products ─────────────────────────────────────────────────────────────────────────


def _product(op: str, *, of_x: bool = False, of_h: bool = False) -> Rewriting:
    """Another product of W, square, with x, with h', or with both."""

    def rewriting(pattern: Pattern) -> Lines:
        names = (pattern.entering if of_x else frozenset()) | (pattern.before if of_h else frozenset())

        def other(part: Expression) -> Expression | None:
            match part:
                case Apply(op="matmul", args=(w, x)) if pattern.is_square(w) and set(names_in(x)) & names:
                    return Apply(op, (w, x))
            return None

        return each(pattern.lines, other)

    return rewriting


def _swapped_vectors(pattern: Pattern) -> Lines | None:
    """W_ih h' + W_hh x."""
    h = next(iter(name for name in pattern.before if name.startswith(f"{pattern.states[0]}")), None)
    x = next(iter(pattern.entering), None)
    if h is None or x is None or pattern.size(Name(h)) != pattern.size(Name(x)):
        return None
    names = {h: Name(x), x: Name(h)}

    def other(part: Expression) -> Expression | None:
        match part:
            case Apply(op="matmul", args=(w, Name(id=name))) if name in names:
                return Apply("matmul", (w, names[name]))
        return None

    return each(pattern.lines, other)


def _swapped_matrices(pattern: Pattern) -> Lines:
    """W_hh x + W_ih h': the same sum, but for what stands where on the way."""
    names = {}
    for name in pattern.parameters - pattern.biases:
        partner = _partner(name)
        if partner in pattern.parameters and pattern.size(Name(name)) == pattern.size(Name(partner)):
            names[name] = partner
    return renamed(pattern.lines, names)


_ALWAYS: tuple[tuple[str, Rewriting], ...] = (
    ("no_b_ih", _without_bias(of_x=True, of_h=False)),
    ("no_b_hh", _without_bias(of_x=False, of_h=True)),
    ("no_bias", _no_bias),
    ("bias_twice", _bias_twice(is_first=True)),
    ("bias_twice", _bias_twice(is_first=False)),
    ("transposed_ih", _product("pullback", of_x=True)),
    ("transposed_hh", _product("pullback", of_h=True)),
    ("weights_swapped", _swapped_vectors),
    ("weights_swapped", _swapped_matrices),
    ("elementwise_for_matmul", _product("times_columns", of_x=True, of_h=True)),
    ("elementwise_for_matmul", _product("times_rows", of_x=True, of_h=True)),
    ("elementwise_for_matmul", _product("times_columns", of_x=True)),
    ("elementwise_for_matmul", _product("times_columns", of_h=True)),
    ("elementwise_for_matmul", _product("times_rows", of_x=True)),
    ("elementwise_for_matmul", _product("times_rows", of_h=True)),
)

_AT_ACTIVATIONS: tuple[tuple[str, Callable[[str], Rewriting]], ...] = (
    ("no_activation", _without_activation),
    ("activation_per_term", _per_term),
    ("bias_after_activation", _bias_after),
    ("bias_after_activation", partial(_bias_after, of_products="bare")),
    ("bias_after_activation", partial(_bias_after, of_products="scaled")),
)

_ACTIVATIONS = (
    ("sigmoid_for_tanh", "tanh", "sigmoid"),
    ("tanh_for_sigmoid", "sigmoid", "tanh"),
    ("relu_for_tanh", "tanh", "relu"),
    ("tan_for_tanh", "tanh", "tan"),
    ("degrees", "tanh", "tan_of_degrees"),
)
