"""Memory of runs that are gone is used again, and never while anybody can still look at what was written to it."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnstep.engine import Model, array_pool
from rnnstep.engine.array_pool import LEAST_BYTES, ArrayPool
from rnnstep.scenario.read import read_text

FLOAT = np.dtype(np.float32)
LARGE = (LEAST_BYTES // 4 // 8, 8)
LONG = """
input = {random = {shape = [900, 8, 4], seed = 0}}
recurrent = {module = "RNN", hidden_size = 64}
weights = {seed = 0}
"""


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_comes_back_once_neither_an_array_nor_a_part_of_it_is_held():
    pool = ArrayPool()
    first = pool.empty(LARGE, FLOAT)
    where = address(first)
    part = first[3:5, 1:]
    del first
    second = pool.empty(LARGE, FLOAT)
    assert not np.shares_memory(second, part)
    del part
    assert address(pool.empty(LARGE, np.dtype(np.int32))) == where  # as many bytes, whatever they are


def test_a_buffer_that_another_library_holds_is_held():
    torch = pytest.importorskip("torch")
    pool = ArrayPool()
    array = pool.empty(LARGE, FLOAT)
    tensor = torch.from_numpy(array)
    tensor.fill_(3)
    del array
    pool.empty(LARGE, FLOAT).fill(0)
    assert bool((tensor == 3).all())


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 5)),
        max_size=40,
    )
)
def test_arrays_that_are_held_never_share_memory(steps):
    pool, held = ArrayPool(), {}
    for size, slot in steps:
        held.pop(slot, None)
        array = pool.empty((size, *LARGE), FLOAT)
        array.fill(slot)
        held[slot] = array[:, 1:, 2:]
    for slot, part in held.items():
        assert bool((part == slot).all())


def test_arrays_of_one_size_begin_at_other_places_of_a_page():
    pool = ArrayPool()
    held = [pool.empty((4 * LEAST_BYTES // 8,), np.dtype(np.float64)) for _ in range(3)]
    places = [address(array) % array_pool.PAGE_BYTES for array in held]
    assert min(abs(one - other) for one, other in itertools.combinations(places, 2)) >= 512
    assert all(array.flags.aligned for array in held)


def test_no_more_is_kept_for_later_than_is_allowed(monkeypatch):
    monkeypatch.setattr(array_pool, "MOST_FREE_BYTES", 2 * LEAST_BYTES)
    pool = ArrayPool()
    held = [pool.empty(LARGE, FLOAT) for _ in range(5)]
    del held
    assert sum(one.nbytes for one in pool._free) == 2 * LEAST_BYTES


def test_threads_that_ask_at_once_get_memory_of_their_own():
    pool, faults = ArrayPool(), []

    def work(number):
        for _ in range(50):
            array = pool.empty(LARGE, FLOAT)
            array.fill(number)
            if not bool((array == number).all()):
                faults.append(number)

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not faults


def test_a_run_that_is_held_is_as_it_was_after_others():
    model = Model(read_text(LONG))
    output = model.run().passes[0].output  # of a run that nobody holds
    kept = output.copy()
    again = Model(read_text(LONG.replace("weights = {seed = 0}", "weights = {seed = 1}")), model._made)
    for _ in range(3):
        again.run()
        assert np.array_equal(model.run().passes[0].output, kept)
    assert np.array_equal(output, kept)


def test_the_next_run_uses_the_memory_of_the_last():
    model = Model(read_text(LONG))

    def places():
        (run,) = model.run().passes[0].runs.values()
        return sorted(address(array) for array in run.segments[0].kept)

    assert places() == places()
