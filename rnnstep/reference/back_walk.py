"""The whole way back, block after block, from one side's numbers: from its loss down to its embedding.

    loss ─ linear ─ … L1 ─ dropout ─ L0 ─ embedding

What is walked is always our equations, read as values and what they may be off by. A side says which numbers it has,
and at each block takes what the equations gave there: sets it beside its own number, and goes on from that one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np

from rnnstep.engine import Block, Pass
from rnnstep.equations.bounds import Pair
from rnnstep.equations.operations import Array
from rnnstep.reference.bounds import Rounding, exact
from rnnstep.reference.derived import D
from rnnstep.reference.gradient_steps import Along
from rnnstep.reference.layout import alive, keys_of, last_step
from rnnstep.reference.loss_bounds import LossBounds
from rnnstep.reference.way_back import Pairs, RecurrentBack, Steps, plain_back

Site = Callable[[Along], Array]  # what stands between two blocks, in the terms of torch's stepped run


class WayBack(ABC):
    """A side's way back.

    Attributes:
        done: our run of the batch, for its scenario, blocks and masks.
        is_remade, completed: as of `Steps`.
        has_sums: whether ∂L/∂ of the recurrent parameters is wanted.
    """

    is_remade = False
    completed: tuple[str, ...] = ()
    has_sums = True

    def __init__(self, done: Pass) -> None:
        self.done = done
        self.living = alive(done.batch)
        self.end = last_step(done.batch)
        self._reading = Rounding(done.scenario.dtype)

    # ── what a side has, and what it takes ───────────────────────────────────────────

    @abstractmethod
    def loss(self) -> LossBounds:
        """The loss from the side's scores."""

    @abstractmethod
    def features(self) -> Pair:
        """What the linear layer read, (T, B, n), or (B, n)."""

    @abstractmethod
    def read(self, key: str) -> tuple[Mapping[str, Pair], Mapping[str, Pair]]:
        """What each step of a block read, `x` and `h_prev` …, and the states after it, (T, B, n)."""

    @abstractmethod
    def recurrent(self, key: str, back: RecurrentBack) -> Pair:
        """Go back through a recurrent block; give ∂L/∂ of what entered it, (T, B, I)."""

    @abstractmethod
    def parameters(self, key: str, found: Pairs) -> None:
        """Take ∂L/∂ of a block's parameters."""

    @abstractmethod
    def met(self, site: Site, key: str, name: str, found: Pair) -> Pair:
        """Take ∂L/∂ of what stands between two blocks, under its name in one of them; give what to go on from."""

    @abstractmethod
    def took(self, loss: LossBounds) -> None:
        """Take the loss, forth and back."""

    # ── the way ──────────────────────────────────────────────────────────────────────

    def go(self) -> None:
        """Go all the way."""
        loss = self.loss()
        self.took(loss)
        score = f"{D}{next(iter(loss.blocks.loss.program.inputs))}"
        g = self.met(lambda along: along.logits, "loss", score, loss.back[score])
        linear = self.done.by_key.get("linear")
        if linear is not None:
            g = self._through_linear(linear, g)
        if self.done.is_final:
            g = self._onto_last_steps(g)
        for layer in reversed(range(self.done.scenario.recurrent.num_layers)):
            mask = self.done.masks.get(f"dropout{layer}")
            if mask is not None:
                g = self._reading.apply("mul", (exact(mask), g))
            g = self._through_layer(layer, g)
        if self.done.by_key.get("embedding") is not None:
            self._through_embedding(g)

    def _through_linear(self, linear: Block, g: Pair) -> Pair:
        name = next(iter(linear.program.inputs))
        value, error = self.features()
        shape = (*g[0].shape[:2], value.shape[-1])
        known = value.reshape(shape), np.broadcast_to(error, value.shape).reshape(shape)
        lines, sums = plain_back(linear, {name: known}, g)
        self.parameters("linear", sums)
        return self.met(lambda along: along.features, "linear", f"{D}{name}", lines[f"{D}{name}"])

    def _onto_last_steps(self, g: Pair) -> Pair:
        """Put ∂L/∂ of final states, (1, B, D·n), where those states were computed, (T, B, D·n)."""
        size = self.done.scenario.recurrent.output_size
        found = []
        for part in g:
            whole = np.zeros((self.done.batch.num_steps, *part.shape[1:]), part.dtype)
            for row in range(part.shape[1]):
                whole[self.done.batch.last_step(row), row, :size] = part[0, row, :size]
            whole[0, :, size:] = part[0, :, size:]
            found.append(whole)
        return found[0], found[1]

    def _through_layer(self, layer: int, g: Pair) -> Pair:
        """Go through the blocks of a layer from ∂L/∂ of their outputs, side by side; give that of what entered."""
        keys = keys_of(self.done.blocks, layer)
        parts = [np.split(part, len(keys), axis=-1) for part in g]
        below: Pair | None = None
        for key, value, error in zip(keys, *parts, strict=True):
            block = self.done.by_key[key]
            pair = self.met(_of("output", key), key, f"{D}{block.output}_above", (value, error))
            steps = Steps(*self.read(key), pair, self.is_remade, self.completed)
            dtype = self.done.scenario.dtype
            back = RecurrentBack(block, steps, self.living, dtype, has_sums=self.has_sums)
            found = self.recurrent(key, back)
            found = self.met(_of("x", key), key, f"{D}{next(iter(block.program.inputs))}", found)
            self.parameters(key, back.parameters)
            below = found if below is None else self._reading.apply("add", (below, found))
        assert below is not None
        return self.met(_of("entered", layer), *self._above(layer), below)

    def _above(self, layer: int) -> tuple[str, str]:
        """The block that gave what enters a layer, and the name of its gradient there."""
        if layer == 0:
            return ("embedding", f"{D}x") if "embedding" in self.done.by_key else ("L0", f"{D}x")
        for key in (f"dropout{layer - 1}", f"join{layer - 1}"):
            if key in self.done.by_key:
                return key, f"{D}output"
        return f"L{layer - 1}", f"{D}{self.done.by_key[f'L{layer - 1}'].output}_above"

    def _through_embedding(self, g: Pair) -> None:
        _, sums = plain_back(self.done.by_key["embedding"], {"index": exact(self._places())}, g)
        self.parameters("embedding", sums)

    def _places(self) -> Array:
        """The rows that were looked up, (T, B); −1 for those of `padding_idx`, which do not learn."""
        indices, embedding = self.done.batch.indices, self.done.scenario.embedding
        assert indices is not None
        skipped = None if embedding is None else embedding.padding_idx
        return np.asarray(indices if skipped is None else np.where(indices == skipped, -1, indices))

    def start(self, whole: Array) -> int:
        """The step of the first of an array's steps: what is there once stands at the last one."""
        return self.end if len(whole) == 1 and self.done.is_final else 0


def _of(name: str, key: str | int) -> Site:
    """One block's, or one layer's."""
    return lambda along: np.asarray(getattr(along, name)[key])
