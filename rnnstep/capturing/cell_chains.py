"""Calls of a cell as one sequence: a step belongs to it while its states are, bit for bit, those that the step before gave.

A user loops over a cell, in whatever way; what is to be stepped is the loop. Rows may begin anew from zeros in it, as a policy's do
where an episode is over. What a step sends back to the states before it and what reaches them from elsewhere arrive as one sum. The sum
is recorded; what the step itself sends is taken from torch's own cell, called once more on the same numbers, and the rest is what
came from outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rnnstep.capturing.calls import Wanted, as_computed, in_order, numeric_type
from rnnstep.capturing.chain_gradients import ChainGradients
from rnnstep.capturing.layout import Array, array, copied
from rnnstep.capturing.listening import Heard
from rnnstep.capturing.weights import WeightsAtCall, are_same_bits
from rnnstep.scenario.call.recorded_call import RecordedCall

Tensor = Any  # torch.Tensor: torch is imported inside functions only
NEAR = 64  # nodes of autograd's graph between two steps of a loop that are looked through, where all rows are zeros
EVERY = 32  # steps after which weights are looked at bit for bit: what is written through `.data` torch does not count
DIGITS_OF_C = 32  # times its last digit: a step that is computed again, elsewhere in memory, may round so
KERNEL_OF = {"LSTMCell": "lstm_cell", "GRUCell": "gru_cell"}


class CellChain:
    """One sequence of calls of a cell, as it was.

    Attributes:
        num_steps: T so far.
        weights: The cell's weights as they were at the first.
        gradients: What reached each step's states, and what all steps sent to the weights.
    """

    def __init__(self, call: Heard, weights: WeightsAtCall, wanted: Wanted) -> None:
        import torch

        self.kind, self.nonlinearity = call.kind, call.nonlinearity
        self.is_batched = call.is_batched
        self.weights = weights
        self.device = str(call.x.device)
        self.dtype = str(call.x.dtype).removeprefix("torch.")
        self._wanted = wanted
        self._rows = None if wanted.rows is None else torch.tensor(wanted.rows)
        self.gradients = ChainGradients(weights.names, self._rows, wanted)
        self._first = tuple([copied(one, self._rows) for one in call.states])
        self._x: list[Tensor] = []
        self._gave: list[tuple[Tensor, ...]] = []
        self._last: tuple[Tensor, ...] = ()  # all rows of the newest step
        self._followed = False  # whether autograd follows the newest step
        self._resets: dict[int, list[int]] = {}  # by step the rows that began anew, of all rows
        self._signs: tuple[tuple[int, int, int], ...] = ()  # of what was handed on, where autograd follows it
        self.num_steps = 0
        self._bytes_a_step = 0
        self._equal, self._is_grad_enabled = torch.equal, torch.is_grad_enabled
        self._is_cast, self._kind_of_device = torch.is_autocast_enabled, call.x.device.type
        self.nbytes = sum(one.nbytes for one in self._first)

    @property
    def is_complete(self) -> bool:
        """Whether there is a step."""
        return self.num_steps > 0

    @property
    def newest(self) -> tuple[Tensor, ...]:
        """The states that the newest step gave."""
        return self._last

    # ── while the program runs ───────────────────────────────────────────────────────

    def goes_on_with(self, call: Heard) -> bool:
        """Whether a call is the next step: the same weights, as far as is seen at once, and the states of the step before.

        States that autograd follows are known by what torch counts itself, so that it can go back; others bit for bit.
        Where autograd was cut off between them, as by `detach`, it is not: nothing goes back through there.
        """
        last, states = self._last, call.states
        if call.is_fresh or not last or self._is_cut_off(call):
            return False
        is_next = (
            (self._followed and tuple(map(_sign_of, states)) == self._signs)
            or all(map(are_same_bits, last, states))
            or all(map(self._equal, last, states))
        )
        return is_next and self._has_weights_of(call)

    def goes_on_after_reset(self, call: Heard, rows: list[int]) -> bool:
        """Whether a call in which these rows begin anew is the next step.

        Where such a row ended in a number that is not finite it is not: 0 times that is no zero.
        """
        if not rows or self._is_cut_off(call) or not self._has_weights_of(call):
            return False
        return all(bool(one[rows].isfinite().all()) for one in self._last)

    def _is_cut_off(self, call: Heard) -> bool:
        """Whether nothing can go back from a call to the newest step, as after `detach` or a burn-in under `no_grad`."""
        if call.is_batched != self.is_batched:
            return True
        if self._followed:
            return not call.states[0].requires_grad
        return self._is_grad_enabled() and any(one.requires_grad for one in (call.x, *call.weights))

    def _has_weights_of(self, call: Heard) -> bool:
        if self.num_steps % EVERY and self.weights.look_like(call.weights):
            return True
        return self.weights.are(call.weights)  # as those that a parametrization makes anew at each step

    def rows_reset(self, call: Heard, begins: Tensor) -> list[int]:
        """The rows that begin anew with zeros in a call that goes on where this chain ended in all others; none otherwise.

        All rows do where autograd leads from the zeros back to the newest step; else they are the beginning of another loop.

        Args:
            call: What the kernel was called with.
            begins: Its rows that are zeros, (B,).
        """
        states, last = call.states, self._last
        if not last or states[0].shape != last[0].shape:
            return []
        goes_on = _same_rows(states, last)
        if not (goes_on | begins).all():
            return []
        if not (goes_on & ~begins).any() and not (self._followed and _leads_to(states[0], self._signs[0][0])):
            return []
        return [int(row) for row in (begins & ~goes_on).nonzero()]

    def was_changed_to(self, call: Heard) -> bool:
        """Whether the states of a call were made from those of the newest step and are others, as zoneout makes them.

        So it is where autograd leads from them back to that step, or where some rows are as that step gave them.
        """
        states, last = call.states, self._last
        if call.is_fresh or not last or states[0].shape != last[0].shape or self._is_cut_off(call):
            return False
        # What costs little first: a program that changes its states asks at each step, and of all loops that are open.
        if self._followed:
            return _leads_to(states[0], self._signs[0][0]) and not _same_rows(states, last).all()
        if not _same(states[0][..., 0], last[0][..., 0]).any():
            return False
        rows = _same_rows(states, last)
        return not rows.all() and bool((rows & (last[0] != 0).any(-1)).any())

    def took(self, call: Heard, reset: Sequence[int], results: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Keep what a step read and gave, and give what is to be handed on: its h, and a copy of a c that autograd follows.

        The c of an LSTM is used inside its own h, so what reaches it from elsewhere is seen at a copy alone.

        Args:
            call: What the kernel was called with.
            reset: The rows that began anew before the step.
            results: What it gave.
        """
        t, rows, wanted = self.num_steps, self._rows, self._wanted
        x = copied(call.x, rows)
        h, *cs = results
        handed: tuple[Tensor, ...] = results
        gave: tuple[Tensor, ...] = (copied(h),)
        self._followed = h.requires_grad
        if self._followed:
            if cs:
                handed, gave = (h, cs[0].clone()), (*gave, cs[0].detach())
            self._signs = tuple(map(_sign_of, handed))
            if wanted.gradients:
                self.gradients.listen_to_states(t, handed)
                if wanted.shares and rows is None and not self._is_cast(self._kind_of_device):
                    self.gradients.listen_to_weights([one.grad_fn for one in results], call)
        elif cs:
            gave = (*gave, copied(cs[0]))
        self._last = gave
        if rows is not None:
            gave = tuple([copied(one, rows) for one in gave])
        self._x.append(x)
        self._gave.append(gave)
        self.num_steps = t + 1
        if reset:
            self._resets[t] = list(reset)
        if t == 0:
            self.dtype = numeric_type(call, results)
            self._bytes_a_step = sum([one.nbytes for one in (x, *gave)])
        self.nbytes += self._bytes_a_step
        wanted.grew(self._bytes_a_step)
        return handed

    def close(self) -> None:
        """Take every hook away."""
        self.gradients.close()

    # ── afterwards ───────────────────────────────────────────────────────────────────

    def tensors(self) -> dict[str, Tensor]:
        """All numbers but the gradients, to be kept elsewhere."""
        import torch

        over_time = [torch.stack(each) for each in zip(*self._gave, strict=True)]
        each = {"first": self._first, "gave": over_time, "weight": self.weights.copies}
        found = {f"{name}.{k}": one for name, every in each.items() for k, one in enumerate(every)}
        return {"x": torch.stack(self._x), **found}

    def take(self, kept: Mapping[str, Tensor]) -> None:
        """Take them back; none of them, where nothing is given."""
        self._x = [one.clone() for one in kept["x"]] if kept else []
        self._first = in_order(kept, "first")
        over_time = [[one.clone() for one in each] for each in in_order(kept, "gave")]
        self._gave = list(zip(*over_time, strict=True))
        self._last = ()
        self.weights = replace(self.weights, copies=in_order(kept, "weight"))
        every = [*self._x, *self._first, *(one for each in self._gave for one in each)]
        self.nbytes = sum(one.nbytes for one in every)

    def recorded(self) -> RecordedCall:
        """Give all of it as arrays."""
        import torch

        gave = str(self._gave[0][0].dtype).removeprefix("torch.")
        states = [self._shown(as_computed(array(one), gave)) for one in self._first]
        over_time = [torch.stack(each) for each in zip(*self._gave, strict=True)]
        output = array(over_time[0])
        is_lstm = len(states) > 1
        return RecordedCall(
            module=self.kind,
            x=as_computed(self._shown(array(torch.stack(self._x))), self.dtype),
            parameters={
                name: as_computed(array(one), self.dtype)
                for name, one in zip(self.weights.names, self.weights.copies, strict=True)
            },
            output=self._shown(output),
            h_0=states[0],
            c_0=states[1] if is_lstm else None,
            h_n=self._shown(output[-1]),
            c_n=self._shown(array(over_time[1][-1])) if is_lstm else None,
            nonlinearity=self.nonlinearity,
            reset=self._reset(len(self._first[0])),
            gradients={**self._from_outside(over_time), **self.gradients.shares()},
            dtype=self.dtype,
        )

    def _reset(self, num_rows: int) -> Array | None:
        """1 where a row began anew before a step, else 0, (T, B); None where none did."""
        found = np.zeros((self.num_steps, num_rows), np.uint8)
        for t in self._resets:
            found[t] = self._are_reset(t, num_rows)
        return found if found.any() else None

    def _are_reset(self, t: int, num_rows: int) -> Array:
        """Which of the rows that are wanted began anew before a step, (B,)."""
        rows = range(num_rows) if self._wanted.rows is None else self._wanted.rows
        return np.isin(np.asarray(rows), self._resets[t])

    def _shown(self, value: Array) -> Array:
        """What has rows in the user's layout."""
        return value if self.is_batched else value.squeeze(-2)

    def _from_outside(self, over_time: list[Tensor]) -> dict[str, Array]:
        """What reached the states from outside of the chain, in all the sum less what the next step sent back."""
        import torch

        totals = self.gradients.totals
        if not totals:
            return {}
        states = len(over_time)
        outside = [torch.zeros_like(one) for one in over_time]
        largest = 0.0  # that reached any c
        sent: tuple[Tensor, ...] = tuple(torch.zeros_like(one[0]) for one in over_time)
        for t in reversed(range(len(self._gave))):
            total = []
            for k in range(states):
                reached = totals.get((t, k))
                if k and reached is not None:
                    largest = max(largest, float(reached.abs().max()))
                total.append(torch.zeros_like(sent[k]) if reached is None else reached)
                outside[k][t] = total[k] - sent[k]
            sent = tuple([self._before_reset(t, one) for one in self._one_step_back(t, total)])
        found = {"output": self._shown(array(outside[0]))}
        if states > 1 and outside[1].any():
            found["c_n"] = self._shown(array(outside[1][-1]))
            rounding = DIGITS_OF_C * torch.finfo(outside[1].dtype).eps * largest
            if (outside[1][:-1].abs() > rounding).any():
                found["c"] = self._shown(array(outside[1]))
        return found

    def _before_reset(self, t: int, g: Tensor) -> Tensor:
        """What of a gradient goes on from a step to the one before, (B, n): of a row that began anew nothing."""
        import torch

        if t not in self._resets:
            return g
        is_reset = torch.from_numpy(self._are_reset(t, len(g))).to(g.device)
        return g.masked_fill(is_reset[:, None], 0)

    def _one_step_back(self, t: int, total: list[Tensor]) -> tuple[Tensor, ...]:
        """What torch's cell sends back to the states before a step from what reached those after it."""
        import torch

        kernel = getattr(torch, KERNEL_OF.get(self.kind, f"rnn_{self.nonlinearity}_cell"))
        before = self._first if t == 0 else self._gave[t - 1]
        with torch.enable_grad():
            states = [one.clone().to(self._gave[t][0].dtype).requires_grad_() for one in before]
            weights = [one.to(states[0].dtype) for one in self.weights.copies]
            x = self._x[t].to(states[0].dtype)
            hx = states[0] if len(states) == 1 else tuple(states)
            gave = kernel(x, hx, *weights)
            results = gave if isinstance(gave, tuple) else (gave,)
            given = [one.to(result.dtype) for one, result in zip(total, results, strict=True)]
            return torch.autograd.grad(results, states, given)


def rows_of_zeros(call: Heard) -> Tensor | None:
    """The rows of a call that begin with zeros in all states, (B,); None where there is none, or no state was given."""
    if call.is_fresh:
        return None
    empty = [(one == 0).all(-1) for one in call.states]
    found = empty[0] if len(empty) == 1 else empty[0] & empty[1]
    return found if found.any() else None


def _same_rows(states: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> Tensor:
    """The rows in which states are the same, (B,)."""
    same = [_same(one, other).all(-1) for one, other in zip(states, others, strict=True)]
    return same[0] if len(same) == 1 else same[0] & same[1]


def _same(one: Tensor, other: Tensor) -> Tensor:
    """Where two tensors have the same number, NaN included."""
    return (one == other) | ((one != one) & (other != other))  # noqa: PLR0124 - NaN is not itself


def _sign_of(state: Tensor) -> tuple[int, int, int]:
    """What tells a state that autograd follows from others: its node's number, where it lies, how often it was changed."""
    node = state.grad_fn
    return -1 if node is None else _number_of(node), state.data_ptr(), state._version  # noqa: SLF001 - torch's own count


def _number_of(node: Any) -> int:
    """What autograd counts a node of its graph by."""
    number: int = node._sequence_nr()  # noqa: SLF001 - a node that is held would hold the graph behind it
    return number


def _leads_to(state: Tensor, number: int) -> bool:
    """Whether autograd's graph leads from a state back to a node, by what is near."""
    waiting, seen = [state.grad_fn], 0
    while waiting and seen < NEAR:
        node = waiting.pop(0)
        seen += 1
        if node is None:
            continue
        if _number_of(node) == number:
            return True
        waiting += [one for one, _ in node.next_functions]
    return False
