"""Operations that the program writes and users do not: between layers, in losses, in optimizers, and in backward passes.

| operation                     | what it is                                                             |
|-------------------------------|------------------------------------------------------------------------|
| `lookup(W, i)`                | row i of a table                                                         |
| `head`, `tail`                | the first, and the last elements of a vector                             |
| `part(a, i, j)`, `within(g, i, a)` | the elements from i up to j, written a[i:j]; a vector as long as a with g from i on |
| `normalized(a, eps)`, `normalized_back(g, a, eps)` | layer normalization without weight and bias; what goes back through it |
| `standardized(a, m, v, eps)` | (a − m) / √(v + eps), written so                                       |
| `log_softmax(a)`, `softplus(a)` | ln softmax(a) and ln(1 + exp(a)), without overflow on the way           |
| `smooth_l1(a, b)`             | a²/(2·b) where abs(a) < b, abs(a) − b/2 elsewhere                       |
| `chosen(a, i)`, `placed(g, i, a)` | element i of a; a vector as long as a with g at i, else zeros         |
| `maximum(a, b)`, `minimum(a, b)` | element by element                                                    |
| `largest(a, b, …)`            | element by element, of as many as there are                            |
| `where_largest(g, k, a, b, …)` | g where the k-th of them is the largest, the first of equal ones, and 0 elsewhere; written g ⊙ (argmax(a, b, …) = k) |
| `pullback(W, g, …)`           | Wᵀ g + …, all of it one sum: what matrix products send back               |
| `outer(g, x)`                 | g xᵀ; of arrays (B, m) and (B, n) the sum of their rows' products         |
| `rows(g)`                     | the sum of the rows of (B, n)                                            |
| `spread(g, a)`                | g, as long as a                                                          |
| `scatter(g, i, W)`            | a table like W with g added to row i; so for each row of (B, n)           |
| `ratio(a, b)`                 | a / b, and 0 where b is 0                                                |
| `passed(g, a)`                | g, and 0 where a ≤ 0, even of an infinite g: the slope of relu; written g ⊙ (a > 0) |

Those of a bank, what attention reads, are told in `banks`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rnnstep.equations import banks, bounds, intervals, normalizing
from rnnstep.equations import inner_rules as rules
from rnnstep.equations.inner_values import (
    chosen,
    head,
    largest,
    log_softmax,
    outer,
    part,
    passed,
    placed,
    pullback,
    ratio,
    rows,
    scatter,
    smooth_l1,
    softplus,
    spread,
    tail,
    where_largest,
    within,
)
from rnnstep.equations.operation import Array, Interval, Operation


def _row(
    name: str,
    arity: int,
    forward: Callable[..., Array],
    interval: Callable[..., Interval],
    error: Callable[..., Array],
    latex: str,
    kind: str = "inner",
) -> Operation:
    return Operation(name, arity, forward, interval, error, latex, kind=kind, is_public=False)


INNER = (
    _row("lookup", 2, lambda w, i: w[i], intervals.lookup, bounds.lookup, "{0}[{1}]"),
    _row(
        "part",
        3,
        part,
        rules.of_each(part),
        rules.part_error,
        "{{{0}}}_{{[{1}:{2}]}}",
    ),
    _row("within", 3, within, rules.of_each(within), rules.within_error, r"{0}_{{\text{{from }}[{1}]}}"),
    _row(
        "normalized",
        2,
        normalizing.normalized,
        normalizing.normalized_interval,
        normalizing.normalized_error,
        r"\operatorname{{normalized}}({0})",
        "reduction",
    ),
    _row(
        "normalized_back",
        3,
        normalizing.normalized_back,
        normalizing.normalized_back_interval,
        normalizing.normalized_back_error,
        r"\operatorname{{normalized}}^{{\top}}_{{{1}}}({0})",
    ),
    _row(
        "standardized",
        4,
        normalizing.standardized,
        normalizing.standardized_interval,
        normalizing.standardized_error,
        r"({0} - {1}) / \sqrt{{{2} + {3}}}",
        "elementwise",
    ),
    _row("head", 2, head, rules.of_each(head), rules.moved_error(head), r"{{{0}}}_{{\text{{first}}}}"),
    _row("tail", 2, tail, rules.of_each(tail), rules.moved_error(tail), r"{{{0}}}_{{\text{{last}}}}"),
    _row(
        "log_softmax",
        1,
        log_softmax,
        rules.log_softmax_interval,
        rules.log_softmax_error,
        r"\ln\operatorname{{softmax}}({0})",
        "reduction",
    ),
    _row(
        "softplus",
        1,
        softplus,
        rules.softplus_interval,
        rules.softplus_error,
        r"\ln(1 + e^{{{0}}})",
        "elementwise",
    ),
    _row(
        "smooth_l1",
        2,
        smooth_l1,
        rules.smooth_l1_interval,
        rules.smooth_l1_error,
        r"\operatorname{{smooth}}_{{{1}}}({0})",
        "elementwise",
    ),
    _row("chosen", 2, chosen, rules.of_each(chosen), rules.chosen_error, "{{{0}}}_{{[{1}]}}"),
    _row("placed", 3, placed, rules.of_each(placed), rules.placed_error, r"{0}\,\mathbf{{e}}_{{{1}}}"),
    _row(
        "maximum",
        2,
        np.maximum,
        rules.of_each(np.maximum),
        rules.larger_error,
        r"\max({0}, {1})",
        kind="elementwise",
    ),
    _row(
        "minimum",
        2,
        np.minimum,
        rules.of_each(np.minimum),
        rules.larger_error,
        r"\min({0}, {1})",
        kind="elementwise",
    ),
    _row(
        "largest",
        -1,
        largest,
        rules.of_each(largest),
        rules.largest_error,
        r"\max({0})",
        kind="elementwise",
    ),
    _row(
        "where_largest",
        -1,
        where_largest,
        rules.where_largest_interval,
        rules.where_largest_error,
        r"{0} \odot (\operatorname{{argmax}}({2}) = {1})",
        kind="elementwise",
    ),
    _row("pullback", -1, pullback, rules.pullback_interval, rules.pullback_error, r"{0}^\top {1}"),
    _row("outer", 2, outer, rules.outer_interval, rules.outer_error, r"{0}\, {{{1}}}^\top"),
    _row("rows", 1, rows, rules.over_rows, rules.rows_error, r"\sum_{{\text{{rows}}}} {0}"),
    _row("spread", 2, spread, rules.of_each(spread), rules.moved_error(spread), "{0}"),
    _row(
        "scatter",
        3,
        scatter,
        rules.scatter_interval,
        rules.scatter_error,
        r"\mathbf{{e}}_{{{1}}} {{{0}}}^\top",
    ),
    _row(
        "passed",
        2,
        passed,
        rules.passed_interval,
        rules.passed_error,
        r"{0} \odot ({1} > 0)",
        kind="elementwise",
    ),
    _row("scored", 2, banks.scored, banks.scored_interval, banks.scored_error, "{0} {1}"),
    _row("mixed", 2, banks.mixed, banks.mixed_interval, banks.mixed_error, r"{{{1}}}^\top {0}"),
    _row("on_each", 2, banks.on_each, intervals.matmul, bounds.matmul, "{0} {1}"),
    _row("to_each", 2, banks.to_each, rules.of_each(banks.to_each), banks.to_each_error, "{0}"),
    _row(
        "over_each",
        1,
        banks.over_each,
        banks.over_each_interval,
        banks.over_each_error,
        r"\sum_{{s}} {0}",
    ),
    _row(
        "products",
        2,
        banks.products,
        banks.products_interval,
        banks.products_error,
        r"{0}\, {{{1}}}^\top",
    ),
    _row(
        "live_softmax",
        2,
        banks.live_softmax,
        banks.live_softmax_interval,
        banks.live_softmax_error,
        r"\operatorname{{softmax}}({0} \mid {1})",
    ),
    _row("ratio", 2, ratio, rules.ratio_interval, rules.ratio_error, "{0} / {1}", kind="elementwise"),
)
