"""Laws of looking into pickles: the names that are found are torch's own, and no bytes make it do more than say so."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import hypothesis.strategies as st
import torch
from hypothesis import given

from rnnstep.scenario.weights.pickles import contents, flat_name, tensors_in
from rnnstep.scenario.weights.stored_tensors import stored_tensors, unwrapped

NAMES = st.sampled_from(["rnn", "module", "_orig_mod", "weight_ih_l0", "w", "state_dict", "a.b", "é", ""])
SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)
TENSORS = st.builds(
    lambda shape, dtype, is_parameter: (
        torch.nn.Parameter(torch.zeros(shape, dtype=dtype))
        if is_parameter
        else torch.zeros(shape, dtype=dtype)
    ),
    SHAPES,
    st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.float64]),
    st.booleans(),
)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.binary(min_size=1, max_size=4)
)
HELD = st.recursive(
    TENSORS | PLAIN,
    lambda inner: (
        st.dictionaries(NAMES | st.integers(0, 3), inner, max_size=4)
        | st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=12,
)
CHECKPOINTS = st.dictionaries(NAMES, HELD, max_size=5)


def saved(held: object, *, is_zip: bool = True) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(held, file, _use_new_zipfile_serialization=is_zip)
    file.seek(0)
    return file


def looked_into(file: io.BytesIO, *, is_zip: bool) -> Any:
    if not is_zip:
        return contents(file, 4)
    with zipfile.ZipFile(file) as archive:
        name = next(one for one in archive.namelist() if one.endswith("/data.pkl"))
        with archive.open(name) as pickled:
            return contents(pickled, 1)


@given(CHECKPOINTS, st.booleans())
def test_what_is_found_without_torch_is_what_torch_loads(held: dict[str, Any], is_zip: bool) -> None:  # noqa: FBT001
    found = looked_into(saved(held, is_zip=is_zip), is_zip=is_zip)
    loaded = torch.load(saved(held, is_zip=is_zip), weights_only=True)
    expected = {keys: tuple(value.shape) for keys, value in tensors_in(loaded, torch.is_tensor)}
    assert found.strange == ()
    assert found.tensors == expected
    assert {flat_name(keys) for keys in found.tensors} == {flat_name(keys) for keys in expected}


@given(CHECKPOINTS, st.data())
def test_a_damaged_pickle_is_read_or_raises_what_is_told(held: dict[str, Any], data: st.DataObject) -> None:
    """Nothing but exceptions comes of it, and nothing is imported or called."""
    with zipfile.ZipFile(saved(held)) as archive:
        name = next(one for one in archive.namelist() if one.endswith("/data.pkl"))
        pickled = bytearray(archive.read(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(pickled) - 1))
        pickled[at] = data.draw(st.integers(0, 255))
    try:
        found = contents(io.BytesIO(bytes(pickled)), 1)
    except Exception:  # noqa: BLE001 -- the caller tells whatever it is
        return
    assert all(isinstance(one.name, str) for one in found.strange)


KEYS = st.lists(NAMES, min_size=1, max_size=5).map(".".join)


@given(st.dictionaries(KEYS, SHAPES, max_size=8))
def test_no_tensor_of_a_file_is_lost_or_taken_for_another(available: dict[str, tuple[int, ...]]) -> None:
    found = stored_tensors(available)
    single = {
        one.keys[0]: (name, one) for name, one in found.items() if len(one.keys) == 1 and one.problem is None
    }
    assert single.keys() == available.keys()
    for key, (name, one) in single.items():
        assert one.shape == available[key]
        assert name in {key, unwrapped(key)}


@given(KEYS)
def test_taking_wrappers_out_twice_is_taking_them_out_once(key: str) -> None:
    assert unwrapped(unwrapped(key)) == unwrapped(key)
    assert unwrapped(key).rpartition(".")[2] == key.rpartition(".")[2]
