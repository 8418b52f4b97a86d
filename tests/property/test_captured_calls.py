"""Live modules of any options, recorded: the program's bits are its own, and what it gave lies within the bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import rnnstep
from rnnstep.capturing.captured import bytes_of_limit
from rnnstep.capturing.layout import PackedRows, chosen_rows
from rnnstep.errors import UsageError
from rnnstep.scenario.call.call_files import call_of, options_of, tensors_of


@st.composite
def calls(draw: st.DrawFn) -> tuple[nn.Module, torch.Tensor, list[int] | None, int]:
    """A module over time, its input, the lengths of packed rows or None, and a seed."""
    kind, seed = draw(st.sampled_from(["RNN", "LSTM", "GRU"])), draw(st.integers(0, 2**20))
    steps, rows, hidden = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(2, 4))
    options: dict[str, Any] = {
        "num_layers": draw(st.integers(1, 2)),
        "bidirectional": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }
    if options["num_layers"] > 1:
        options["dropout"] = draw(st.sampled_from([0.0, 0.5]))
    torch.manual_seed(seed)
    module = getattr(nn, kind)(2, hidden, **options)
    shape = (rows, steps, 2) if options["batch_first"] else (steps, rows, 2)
    lengths = draw(st.none() | st.lists(st.integers(1, steps), min_size=rows, max_size=rows))
    if lengths is not None:
        lengths[0] = steps
    return module, torch.randn(shape) * draw(st.sampled_from([0.1, 1.0, 30.0])), lengths, seed


@settings(max_examples=40)
@given(calls())
def test_what_a_module_gave_agrees_and_nothing_is_changed(
    made: tuple[nn.Module, torch.Tensor, list[int] | None, int],
) -> None:
    module, x, lengths, seed = made

    def run() -> list[torch.Tensor]:
        module.zero_grad()
        torch.manual_seed(seed)
        entering: Any = x
        if lengths is not None:
            first = bool(module.batch_first)
            entering = pack_padded_sequence(x, torch.tensor(lengths), first, enforce_sorted=False)
        output, ends = module(entering)
        output = output.data if lengths is not None else output
        every = [output, *(ends if isinstance(ends, tuple) else (ends,))]
        sum(one.square().sum() for one in every).backward()  # type: ignore[union-attr]
        return [one.detach().clone() for one in every] + [one.grad.clone() for one in module.parameters()]

    plain = run()
    with rnnstep.capture(module) as seen:
        recorded = run()
    assert all(torch.equal(one, other) for one, other in zip(plain, recorded, strict=True))
    (call,) = seen.calls
    assert call.trace().agrees
    assert call.grad().agrees
    back = call_of(tensors_of(call.recorded), options_of(call.recorded))
    for name, value in tensors_of(call.recorded).items():
        np.testing.assert_array_equal(tensors_of(back)[name], value)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_packed_rows_lie_where_torch_pads_them(lengths: list[int]) -> None:
    steps, rows = max(lengths), len(lengths)
    x = torch.randn(steps, rows, 2)
    packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    found = PackedRows.of(packed.batch_sizes, packed.sorted_indices)
    padded = torch.nn.utils.rnn.pad_packed_sequence(packed)[0]
    np.testing.assert_array_equal(found.padded(packed.data.numpy()), padded.numpy())
    assert found.lengths.tolist() == lengths
    states = torch.randn(2, rows, 3)
    assert packed.sorted_indices is not None
    np.testing.assert_array_equal(
        found.in_batch_order(states[:, packed.sorted_indices].numpy()), states.numpy()
    )


@given(st.integers(0, 6), st.integers(0, 6) | st.slices(6) | st.lists(st.integers(0, 5), max_size=4))
def test_rows_that_are_chosen_are_there(count: int, rows: Any) -> None:
    found = chosen_rows(rows, count)
    assert found is None or all(0 <= one < count for one in found)
    if isinstance(rows, slice):
        assert (list(range(count)) if found is None else found) == list(range(count))[rows]


@given(st.integers(0, 2**50), st.sampled_from(["B", "kB", "KiB", "MB", "MiB", "GiB", ""]))
def test_a_limit_is_read(size: int, unit: str) -> None:
    base = 1024 if "i" in unit else 1000
    power = {"": 0, "B": 0, "k": 1, "K": 1, "M": 2, "G": 3}[unit[:1]]
    assert bytes_of_limit(f"{size} {unit}") == int(float(size) * base**power)
    assert bytes_of_limit(size) == size


@given(st.text(max_size=12))
def test_a_limit_is_read_or_refused(text: str) -> None:
    try:
        assert bytes_of_limit(text) >= 0
    except UsageError:
        return


def test_a_limit_below_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        bytes_of_limit("-1 GiB")
