"""Lines as one Python function, for what has no steps: losses, optimizers, backward passes through layers without states.

It does what `evaluate_lines` does with the reading `Values`, operation by operation, without walking the trees
anew each time. The text is made of our own names only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number, Pick, names_in

_OPERATIONS: dict[str, Any] = {f"op_{name}": row.forward for name, row in OPERATIONS.items()}


def straight(
    lines: tuple[Line, ...], wanted: tuple[str, ...] | None = None
) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
    """Give a function from what lines read to what they give, under their names: all of them, or those that are wanted.

    It lets numpy warn as the caller has set it (`np.errstate`).
    """
    writer = _Writer()
    body = [f"    {writer.set(line.name)} = {writer.write(line.expression)}" for line in lines]
    head = [f"    {short} = k[{name!r}]" for name, short in writer.read.items()]
    names = [line.name for line in lines] if wanted is None else wanted
    ending = ", ".join(f"{name!r}: {writer.known[name]}" for name in names)
    source = "\n".join(["def run(k):", *head, *body, f"    return {{{ending}}}"])
    return run_of(source, _OPERATIONS)


def run_of(source: str, names: Mapping[str, Any]) -> FunctionType:
    """Give the function `run` that a text of our own names defines, where it sees `names`."""
    scope = dict(names)
    exec(_code(source), scope)  # noqa: S102 - made of our own names only
    return scope["run"]  # type: ignore[no-any-return]


@lru_cache(maxsize=512)
def _code(source: str) -> CodeType:
    return compile(source, "<equations>", "exec")


class _Writer:
    """Writes expressions; gives every name a short one of its own."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.read: dict[str, str] = {}

    def set(self, name: str) -> str:
        # The right side is written first in the text's meaning, but a line never reads its own name.
        return self.known.setdefault(name, f"v{len(self.known)}")

    def write(self, expression: Expression) -> str:
        match expression:
            case Number(value=value):
                return _written(value)
            case Name(id=name):
                if name not in self.known:
                    self.known[name] = self.read[name] = f"v{len(self.known)}"
                return self.known[name]
            case Pick(base=base, index=index):
                end = "" if index == -1 else index + 1
                return f"{self.write(base)}[..., {index}:{end}]"
            case Apply(op=op, args=args):
                if not any(True for _ in names_in(expression)):  # numbers alone stay a Python float
                    return _written(float(evaluate(expression, {}, Values(is_silenced=True))))
                return f"op_{op}({', '.join(map(self.write, args))})"


def _written(value: float) -> str:
    return repr(value) if math.isfinite(value) else f"float({str(value)!r})"
