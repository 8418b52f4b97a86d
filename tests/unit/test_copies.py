"""Copies of tensors in blocks: each its own numbers, and the memory of those that are gone used again."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstep.capturing import copies
from rnnstep.capturing.copies import BLOCK, SPARE, Copies

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)


def addresses(some: list[torch.Tensor]) -> list[tuple[int, int]]:
    return sorted((one.data_ptr(), one.data_ptr() + one.nbytes) for one in some if one.nbytes)


@given(st.lists(st.tuples(SHAPES, st.sampled_from(DTYPES), st.booleans()), max_size=8))
@settings(max_examples=60, deadline=None)
def test_each_copy_has_its_own_numbers(drawn: list[tuple[tuple[int, ...], torch.dtype, bool]]) -> None:
    make = Copies()
    originals = [torch.randn(shape).to(dtype) for shape, dtype, _ in drawn]
    originals = [
        one.mT if turned and one.ndim > 1 else one
        for one, (_, _, turned) in zip(originals, drawn, strict=True)
    ]
    expected = [one.tolist() for one in originals]
    made = [make.of(one) for one in originals]
    for one, copy in zip(originals, made, strict=True):
        assert copy.shape == one.shape
        assert copy.dtype == one.dtype
        one.zero_()
    assert [copy.tolist() for copy in made] == expected
    places = addresses(made)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(places))


def test_a_copy_is_cut_off_from_autograd() -> None:
    weight = torch.randn(3, 2, requires_grad=True)
    copy = Copies().of(weight * 2)
    assert not copy.requires_grad
    assert copy.grad_fn is None


def test_of_rows_are_copied_alone() -> None:
    value = torch.arange(12.0).reshape(2, 3, 2)
    assert torch.equal(Copies().of(value, torch.tensor([2, 0]), 1), value[:, [2, 0]])


@pytest.mark.parametrize("first", [True, False])
def test_inference_mode_leaves_blocks_that_can_be_written_into(*, first: bool) -> None:
    make = Copies()
    value = torch.randn(4)
    made = []
    for inside in (first, not first, first):
        with torch.inference_mode(inside):
            made.append(make.of(value))
    made[0].add_(1)
    assert torch.equal(made[0], value + 1)
    assert torch.equal(made[1], value)
    assert torch.equal(made[2], value)


def test_what_is_larger_than_half_a_block_stands_alone() -> None:
    large = torch.ones(BLOCK // 8 + 1)
    copy = Copies().of(large)
    assert copy.untyped_storage().nbytes() == large.nbytes
    assert torch.equal(copy, large)


def test_more_than_a_block_holds_goes_on_in_another() -> None:
    make = Copies()
    value = torch.empty(BLOCK // 16)  # a quarter of a block
    made = [make.of(value.fill_(k)) for k in range(9)]
    assert [float(one[0]) for one in made] == [float(one[-1]) for one in made] == [*map(float, range(9))]
    assert len({one.untyped_storage().data_ptr() for one in made}) == 3


def test_shapes_that_come_in_turn_share_blocks() -> None:
    make = Copies()
    shapes = [(BLOCK // 128,), (2, BLOCK // 256), (3,)]  # of half a MiB each, but for the last
    made = [make.of(torch.empty(shapes[k % 3])) for k in range(180)]
    assert len({one.untyped_storage().data_ptr() for one in made}) <= 5  # 60 MiB


def test_blocks_in_which_nothing_lies_are_used_again_and_few_are_kept() -> None:
    gc.collect()
    value = torch.empty(BLOCK // 16)
    makers = [Copies() for _ in range(SPARE + 2)]
    made = [make.of(value) for make in makers]
    where = {one.untyped_storage().data_ptr() for one in made}
    del makers, made
    assert len(copies._spare) == SPARE
    again = Copies()
    assert again.of(value).untyped_storage().data_ptr() in where
    assert len(copies._spare) == SPARE - 1


def test_a_block_is_kept_as_long_as_a_copy_lies_in_it() -> None:
    make = Copies()
    kept = make.of(torch.full((8,), 3.0))
    del make
    others = [Copies().of(torch.zeros(8)) for _ in range(SPARE + 2)]
    assert kept.tolist() == [3.0] * 8
    assert len(others) == SPARE + 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_forked_process_writes_into_blocks_of_its_own() -> None:
    make = Copies()
    kept = make.of(torch.zeros(64))
    process = multiprocessing.get_context("fork").Process(target=kept.fill_, args=(1.0,))
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert not kept.any()


def test_threads_do_not_write_into_each_others_copies() -> None:
    make, found = Copies(), {}

    def work(number: int) -> None:
        value = torch.full((257,), float(number))
        found[number] = [make.of(value) for _ in range(300)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for number, some in found.items():
        assert all(bool((one == number).all()) for one in some)
