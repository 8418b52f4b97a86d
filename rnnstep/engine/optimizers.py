"""The optimizers of torch.optim as equations: element by element, so that one set of lines serves all parameters.

| optimizer | lines (those that an argument of zero leaves out are not written)                                  |
|-----------|----------------------------------------------------------------------------------------------------|
| SGD       | `g = grad + weight_decay * w_prev`, `buf = momentum * buf_prev + (1 - dampening) * g`, `update = lr * buf` |
| Adam      | `m = β₁ * m_prev + (1 - β₁) * g`, `v = β₂ * v_prev + (1 - β₂) * g * g`, `m_hat = m / bias_correction1`,   |
|           | `v_hat = v / bias_correction2`, `update = lr * m_hat / (sqrt(v_hat) + eps)`                          |
| AdamW     | the same, and `shrunk = (1 - lr * weight_decay) * w_prev` in place of a decay in g                    |
| RMSprop   | `v = alpha * v_prev + (1 - alpha) * g * g`, `update = lr * g / (sqrt(v) + eps)`                       |
| Adagrad   | `state_sum = state_sum_prev + g * g`, `update = clr * g / (sqrt(state_sum) + eps)`                    |

and `w = w_prev - update` at the end. `bias_correction1` is 1 − β₁ᵗ after t updates, `clr` lr / (1 + (t − 1) * lr_decay).
Before all of them stands `clamped`, each element held within `clip_grad_value`, and then `clipped`, made smaller so that
the norm of all is within `clip_grad_norm`. The formulas are those of the pages of torch.optim (Kingma and Ba 2015;
Loshchilov and Hutter 2019; Reddi et al. 2018 for amsgrad; Duchi et al. 2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rnnstep.equations.compile_lines import straight
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program, Shape
from rnnstep.equations.syntax import (
    Apply,
    Expression,
    Line,
    Name,
    Number,
    number,
    parse_expression,
    parse_lines,
)
from rnnstep.network.blocks import Block
from rnnstep.scenario.model import Training

CLIP_EPSILON = 1e-6  # torch.nn.utils.clip_grad_norm_ adds it to the norm

# The buffers' names here and in torch's optimizers' states.
TORCH_BUFFERS: Mapping[str, Mapping[str, str]] = {
    "SGD": {"buf": "momentum_buffer"},
    "Adam": {"m": "exp_avg", "v": "exp_avg_sq", "v_max": "max_exp_avg_sq"},
    "AdamW": {"m": "exp_avg", "v": "exp_avg_sq", "v_max": "max_exp_avg_sq"},
    "RMSprop": {"v": "square_avg", "a": "grad_avg", "buf": "momentum_buffer"},
    "Adagrad": {"state_sum": "sum"},
}


@dataclass(frozen=True)
class Optimizer:
    """An optimizer with its arguments.

    Attributes:
        name: as torch calls it.
        lines: what it does to every element, after the first update.
        first: the same for the first one, where that differs.
        buffers: what it keeps from update to update.
        betas: of Adam and AdamW, whose powers correct m and v; else None.
        clip: the largest norm of all gradients together; None for any.
        clip_value: the most of each element; None for any.
        rates: lr and lr_decay of Adagrad, where the rate decays; else None.
        beginning: what each buffer begins with.
        adds_up: whether gradients are not set to zero before each batch, which is a mistake.
    """

    name: str
    lines: tuple[Line, ...]
    first: tuple[Line, ...]
    buffers: tuple[str, ...]
    betas: tuple[float, float] | None = None
    clip: float | None = None
    clip_value: float | None = None
    rates: tuple[float, float] | None = None
    beginning: float = 0.0
    adds_up: bool = False

    @classmethod
    def of(cls, training: Training) -> Optimizer:
        """Write the lines for a scenario's [training]."""
        arguments = training.arguments
        head = list(_clipping(training))
        body = list(_WRITERS[training.optimizer](arguments, head[-1].name if head else "grad"))
        adding = [Line("grad", _expression("grad_before + grad_now"))] if _adds_up(training) else []
        lines = (*adding, *head, *body)
        first = tuple(_first(line, arguments) for line in lines) if training.optimizer == "SGD" else lines
        names = {line.name for line in lines}
        betas = arguments.get("betas")
        return cls(
            training.optimizer,
            lines,
            first,
            tuple(name for name in TORCH_BUFFERS[training.optimizer] if name in names),
            (float(betas[0]), float(betas[1])) if isinstance(betas, tuple) else None,
            training.clip_grad_norm,
            training.clip_grad_value,
            _rates(arguments),
            _as_number(arguments.get("initial_accumulator_value", 0.0)),
            _adds_up(training),
        )

    @cached_property
    def _run(self) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        return straight(self.lines)

    @cached_property
    def _run_first(self) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        return straight(self.first)

    def corrections(self, updates: int) -> dict[str, float]:
        """The bias corrections of the update after `updates` others, or the rate that has decayed."""
        if self.rates is not None:
            lr, decay = self.rates
            return {"clr": lr / (1 + updates * decay)}
        if self.betas is None:
            return {}
        return {f"bias_correction{k + 1}": 1 - beta ** (updates + 1) for k, beta in enumerate(self.betas)}

    def step(
        self,
        w: Array,
        grad: Array,
        buffers: Mapping[str, Array],
        updates: int,
        clip_coef: float = 1.0,
        before: Array | None = None,
    ) -> dict[str, Array]:
        """Give every line's value for elements of any shape.

        Args:
            w: the parameters.
            grad: their gradients in this batch.
            buffers: what was kept; zeros before the first update.
            updates: how many there were before.
            clip_coef: what the gradients are multiplied with, where they are clipped.
            before: what stood in their `.grad` before, where gradients add up; None for zeros.
        """
        known: dict[str, Array] = {"w_prev": w, **self.numbers(updates, clip_coef)}
        if self.adds_up:
            known |= {"grad_now": grad, "grad_before": np.zeros_like(grad) if before is None else before}
        else:
            known["grad"] = grad
        known |= {f"{name}_prev": buffers[name] for name in self.buffers}
        return {**known, **(self._run(known) if updates else self._run_first(known))}

    def numbers(self, updates: int, clip_coef: float) -> dict[str, Array]:
        """What the lines read that is one number for all elements; Python floats, which keep their digits."""
        clip = {"clip_coef": clip_coef} if self.clip else {}
        return {**self.corrections(updates), **clip}  # type: ignore[dict-item]

    def block(self, key: str, shape: tuple[int, ...], updates: int) -> Block:
        """The update of one parameter as a block, under torch's name of it."""
        lines = self.lines if updates else self.first
        states: dict[str, Shape] = dict.fromkeys(("w", *self.buffers), shape)
        given = ("grad_before", "grad_now") if self.adds_up else ("grad",)
        inputs: dict[str, Shape] = dict.fromkeys(given, shape)
        inputs |= dict.fromkeys(self.numbers(updates, 1.0), ())
        shapes: dict[str, Shape] = {line.name: shape for line in lines}
        shapes |= inputs | {f"{name}_prev": shape for name in states}
        return Block(key, "update", 0, "forward", Program(lines, inputs, states, {}, shapes), {}, {})

    def clamped(self, gradient: Array) -> Array:
        """A gradient with its elements held within `clip_grad_value`."""
        if self.clip_value is None:
            return gradient
        return np.maximum(np.minimum(gradient, self.clip_value), -self.clip_value)

    def clip_block(self, count: int) -> Block:
        """`clip_grad_norm_` of so many parameters as a block."""
        assert self.clip is not None
        most = Number(self.clip, f"{self.clip:g}")
        ratio = Apply("div", (most, _expression(f"total_norm + {CLIP_EPSILON!r}")))
        lines = (
            Line("total_norm", _expression("norm(norms)")),
            Line("clip_coef", Apply("minimum", (ratio, Number(1.0, "1")))),
        )
        inputs: dict[str, Shape] = {"norms": (count,)}
        shapes: dict[str, Shape] = {**inputs, "total_norm": (1,), "clip_coef": (1,)}
        return Block("clip", "clip", 0, "forward", Program(lines, inputs, {}, {}, shapes), {}, {})

    def clipping(self, norms: Array) -> dict[str, Array]:
        """The values of the clip block for the norms of all gradients."""
        lines = self.clip_block(len(norms)).program.lines
        return {"norms": norms, **straight(lines)({"norms": norms})}


def largest_update(training: Training) -> float | None:
    """The most that an update may take off a parameter; None where the gradient alone decides.

    Adam divides a mean of gradients by the root of a mean of their squares: lr · (1 − β₁) / √(1 − β₂) where that is more than
    lr, else lr (Kingma and Ba 2015, section 2.1); RMSprop in the same way lr / √(1 − alpha), momentum adding up. Adagrad divides
    by the root of a sum that the gradient's own square is in.
    """
    given = {name: value for name, value in training.arguments.items() if isinstance(value, float | int)}
    betas = training.arguments.get("betas")
    if isinstance(betas, tuple) and betas[1] < 1:
        return given["lr"] * max(1.0, (1 - betas[0]) / math.sqrt(1 - betas[1]))
    if training.optimizer == "Adagrad":
        return given["lr"]
    if (
        training.optimizer == "RMSprop"
        and not given["centered"]
        and max(given["alpha"], given["momentum"]) < 1
    ):
        return given["lr"] / math.sqrt(1 - given["alpha"]) / (1 - given["momentum"])
    return None


def _clipping(training: Training) -> Iterator[Line]:
    """The lines of what is clipped: first each element, then all together."""
    grad: Expression = Name("grad")
    if training.clip_grad_value is not None:
        most = number(training.clip_grad_value)
        held = Apply("maximum", (Apply("minimum", (grad, most)), Apply("neg", (most,))))
        yield Line("clamped", held)
        grad = Name("clamped")
    if training.clip_grad_norm is not None:
        yield Line("clipped", Apply("mul", (Name("clip_coef"), grad)))


def _rates(arguments: Mapping[str, object]) -> tuple[float, float] | None:
    decay = _as_number(arguments.get("lr_decay", 0.0))
    return (_as_number(arguments["lr"]), decay) if decay else None


def _as_number(value: object) -> float:
    assert isinstance(value, float | int)
    return float(value)


def _adds_up(training: Training) -> bool:
    return training.mistake == "no_zero_grad"


def _expression(text: str) -> Expression:
    return parse_expression(text)


def _first(line: Line, arguments: Mapping[str, object]) -> Line:
    """The first buffer of SGD is the gradient itself, whatever the dampening (torch)."""
    if line.name != "buf" or not arguments["dampening"]:
        return line
    match line.expression:
        case Apply(args=(_, Apply(args=(_, Name() as gradient)))):
            return Line("buf", gradient)
    return line


_LARGER = (
    "v_max = v_max_prev - v"  # stands for the larger of the two, which users' equations have no name for
)


def _lines(*texts: str) -> Iterator[Line]:
    for line in parse_lines("\n".join(texts)):
        larger = Apply("maximum", (Name("v_max_prev"), Name("v")))
        yield Line(line.name, larger) if line.name == "v_max" else line


def _decayed(arguments: Mapping[str, object], grad: str) -> tuple[list[str], str]:
    """The line of g, where it is not the gradient itself, and what it is called."""
    sign = "-" if arguments["maximize"] else ""
    decay = arguments["weight_decay"]
    if decay:
        return [f"g = {sign}{grad} + {decay!r} * w_prev"], "g"
    return ([f"g = -{grad}"], "g") if sign else ([], grad)


def _sgd(arguments: Mapping[str, object], grad: str) -> Iterator[Line]:
    lines, g = _decayed(arguments, grad)
    if arguments["momentum"]:
        momentum, dampening = arguments["momentum"], arguments["dampening"]
        added = f"(1 - {dampening!r}) * {g}" if dampening else g
        lines.append(f"buf = {momentum!r} * buf_prev + {added}")
        if arguments["nesterov"]:
            lines.append(f"ahead = {g} + {momentum!r} * buf")
        g = "ahead" if arguments["nesterov"] else "buf"
    yield from _lines(*lines, f"update = {arguments['lr']!r} * {g}", "w = w_prev - update")


def _adam(arguments: Mapping[str, object], grad: str) -> Iterator[Line]:
    lines, g = _decayed(arguments, grad)
    yield from _lines(*lines, *_adam_lines(arguments, g), "w = w_prev - update")


def _adamw(arguments: Mapping[str, object], grad: str) -> Iterator[Line]:
    lines, g = _decayed({**arguments, "weight_decay": 0.0}, grad)
    lines += _adam_lines(arguments, g)
    if not arguments["weight_decay"]:
        yield from _lines(*lines, "w = w_prev - update")
        return
    shrunk = f"shrunk = (1 - {arguments['lr']!r} * {arguments['weight_decay']!r}) * w_prev"
    yield from _lines(*lines, shrunk, "w = shrunk - update")


def _adam_lines(arguments: Mapping[str, object], g: str) -> list[str]:
    betas = arguments["betas"]
    assert isinstance(betas, tuple)
    first, second = betas
    lines = [
        f"m = {first!r} * m_prev + (1 - {first!r}) * {g}",
        f"v = {second!r} * v_prev + (1 - {second!r}) * {g} * {g}",
    ]
    largest = "v"
    if arguments["amsgrad"]:
        lines.append(_LARGER)
        largest = "v_max"
    return [
        *lines,
        "m_hat = m / bias_correction1",
        f"v_hat = {largest} / bias_correction2",
        f"update = {arguments['lr']!r} * m_hat / (sqrt(v_hat) + {arguments['eps']!r})",
    ]


def _rmsprop(arguments: Mapping[str, object], grad: str) -> Iterator[Line]:
    lines, g = _decayed(arguments, grad)
    alpha = arguments["alpha"]
    lines.append(f"v = {alpha!r} * v_prev + (1 - {alpha!r}) * {g} * {g}")
    spread = "v"
    if arguments["centered"]:
        lines.append(f"a = {alpha!r} * a_prev + (1 - {alpha!r}) * {g}")
        spread = "v - a * a"
    step = f"{g} / (sqrt({spread}) + {arguments['eps']!r})"
    if arguments["momentum"]:
        lines.append(f"buf = {arguments['momentum']!r} * buf_prev + {step}")
        step = "buf"
    yield from _lines(*lines, f"update = {arguments['lr']!r} * {step}", "w = w_prev - update")


def _adagrad(arguments: Mapping[str, object], grad: str) -> Iterator[Line]:
    lines, g = _decayed(arguments, grad)
    rate = "clr" if arguments["lr_decay"] else repr(arguments["lr"])
    yield from _lines(
        *lines,
        f"state_sum = state_sum_prev + {g} * {g}",
        f"update = {rate} * {g} / (sqrt(state_sum) + {arguments['eps']!r})",
        "w = w_prev - update",
    )


_WRITERS = {"SGD": _sgd, "Adam": _adam, "AdamW": _adamw, "RMSprop": _rmsprop, "Adagrad": _adagrad}
