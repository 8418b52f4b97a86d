"""[input], [data], [target] and [initial_state]: the batches they give, and the words for what is wrong."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from rnnstep.errors import ScenarioError
from rnnstep.scenario.data.array_files import read_array_file
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.file.source import parse_document
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read_text

LETTERS = 'vocabulary = ["e", "h", "l", "o"]\n'
RNN = '[recurrent]\nmodule = "RNN"\nhidden_size = 3\n'
BATCH_FIRST = RNN + "batch_first = true\n"
CELL = '[recurrent]\nmodule = "RNNCell"\nhidden_size = 3\n'
SEED = "[weights]\nseed = 1\n"
EMBEDDING = "[embedding]\nembedding_dim = 2\n"
LINEAR = "[linear]\nout_features = 2\n"
FINAL = LINEAR + 'from = "h_n"\n'


def read(text: str, folder: Path = Path(), memory: int = 4 << 30) -> Scenario:
    return read_text(text, folder / "scenario.toml", Limits(memory=memory))


def one_batch(asked: str, recurrent: str = RNN, more: str = "", head: str = "", folder: Path = Path()):
    scenario = read(f"{head}[input]\n{asked}\n{recurrent}{SEED}{more}", folder)
    assert len(scenario.batches) == 1
    return scenario.batches[0]


def problem(text: str, folder: Path = Path(), memory: int = 4 << 30) -> str:
    with pytest.raises(ScenarioError) as error:
        read(text, folder, memory)
    assert len(error.value.problems) == 1, error.value.into("en")
    assert "{" not in error.value.into("zh")
    return error.value.into("en")


def input_problem(given: str, recurrent: str = RNN, more: str = "", head: str = "", folder: Path = Path()):
    return problem(f"{head}[input]\n{given}\n{recurrent}{SEED}{more}", folder)


def test_a_text_is_a_one_hot_batch_of_one() -> None:
    batch = one_batch('text = "hello"', head=LETTERS)
    assert batch.values.shape == (5, 1, 4)
    assert batch.values.dtype == np.float32
    assert batch.indices[:, 0].tolist() == [1, 0, 2, 2, 3]
    assert np.array_equal(batch.values[:, 0], np.eye(4)[[1, 0, 2, 2, 3]])
    assert batch.lengths is None
    assert not batch.packed


def test_texts_of_several_lengths_are_a_packed_batch_padded_with_zero_vectors() -> None:
    batch = one_batch('text = ["hello", "he"]\npad_index = 3', head=LETTERS)
    assert batch.lengths == (5, 2)
    assert batch.packed
    assert batch.indices[:, 1].tolist() == [1, 0, 3, 3, 3]
    assert not batch.values[2:, 1].any()
    assert batch.values[:2, 1].tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]


def test_padding_is_walked_over_on_request() -> None:
    batch = one_batch('text = ["hello", "he"]\npacked = false', head=LETTERS)
    assert batch.lengths == (5, 2)
    assert not batch.packed


def test_texts_of_one_length_are_not_packed() -> None:
    batch = one_batch('text = ["he", "lo"]', head=LETTERS)
    assert (batch.lengths, batch.packed) == (None, False)


def test_an_embedding_is_fed_indices_and_its_size_follows_from_the_vocabulary() -> None:
    scenario = read(LETTERS + f'[input]\ntext = "hell"\n{EMBEDDING}{RNN}{SEED}')
    assert scenario.batches[0].values is None
    assert scenario.batches[0].indices[:, 0].tolist() == [1, 0, 2, 2]
    assert scenario.lookup.num_embeddings == 4
    assert scenario.recurrent.input_size == 2


def test_entries_of_several_letters_are_matched_longest_first_and_blanks_divide_words() -> None:
    head = 'vocabulary = ["the", "cat", "c", "at"]\n'
    assert one_batch('text = "the cat c at"', head=head).indices[:, 0].tolist() == [0, 1, 2, 3]
    assert '"dog" is not in the vocabulary' in input_problem('text = "the dog ran"', head=head)


def test_ascii_letters_have_their_codes() -> None:
    batch = one_batch('text = "Az"', head='vocabulary = "ascii"\n')
    assert batch.indices[:, 0].tolist() == [65, 122]
    assert batch.values.shape == (2, 1, 128)
    assert "128 ASCII" in input_problem('text = "é"', head='vocabulary = "ascii"\n')


@pytest.mark.parametrize(("recurrent", "expected"), [(RNN, (2, 3)), (BATCH_FIRST, (3, 2)), (CELL, (2, 3))])
def test_nested_indices_stand_in_the_modules_layout(recurrent: str, expected: tuple[int, int]) -> None:
    batch = one_batch("indices = [[0, 1, 2], [2, 1, 0]]", recurrent)
    assert batch.indices.shape == expected
    assert batch.indices[0].tolist() == ([0, 2] if expected == (3, 2) else [0, 1, 2])
    assert batch.values.shape == (*expected, 3)


def test_flat_indices_are_a_batch_of_one_also_with_batch_first() -> None:
    batch = one_batch("indices = [0, 1, 2]", BATCH_FIRST)
    assert batch.indices.tolist() == [[0], [1], [2]]


def test_indices_without_vocabulary_are_one_hot_of_input_size() -> None:
    assert one_batch("indices = [0, 1]", RNN + "input_size = 5\n").values.shape == (2, 1, 5)


def test_padded_indices_are_zero_vectors_beyond_their_length() -> None:
    batch = one_batch("indices = [[1, 2], [2, 0]]\nlengths = [2, 1]")
    assert batch.values[1].tolist() == [[0, 0, 1], [0, 0, 0]]
    assert batch.packed


def test_values_are_kept_time_major_in_the_scenarios_dtype() -> None:
    given = "values = [[[1, 2]], [[3, 4]], [[5, 6]]]"
    assert one_batch(given).values.shape == (3, 1, 2)
    batch = one_batch(given, BATCH_FIRST, '[display]\ndtype = "float64"\n')
    assert batch.values.shape == (1, 3, 2)
    assert batch.values[0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert batch.values.dtype == np.float64


@pytest.mark.parametrize("recurrent", [RNN, BATCH_FIRST, CELL])
def test_values_of_two_axes_have_no_batch_axis(recurrent: str) -> None:
    scenario = read(f"[input]\nvalues = [[1, 2], [3, 4], [5, 6]]\n{recurrent}{SEED}")
    assert not scenario.is_batched
    assert scenario.batches[0].values.shape == (3, 1, 2)


def test_values_may_be_no_numbers() -> None:
    assert np.isnan(one_batch("values = [[[nan]], [[inf]]]").values[0, 0, 0])


def test_random_values_are_those_of_default_rng() -> None:
    expected = np.random.default_rng(7).standard_normal((4, 2, 3)).astype(np.float32)
    batch = one_batch("random = {shape = [4, 2, 3], seed = 7}")
    assert np.array_equal(batch.values, expected)
    batch = one_batch("random = {shape = [4, 2, 3], seed = 7}", BATCH_FIRST)
    assert np.array_equal(batch.values, expected.swapaxes(0, 1))


def test_lengths_of_a_padded_batch() -> None:
    given = "random = {shape = [4, 2, 3]}\nlengths = "
    assert one_batch(given + "[4, 2]").packed
    assert one_batch(given + "[3, 3]").packed
    whole = one_batch(given + "[4, 4]")
    assert (whole.lengths, whole.packed) == ((4, 4), False)
    walked = one_batch(given + "[4, 2]\npacked = false")
    assert (walked.lengths, walked.packed) == ((4, 2), False)
    assert one_batch("random = {shape = [4, 2, 3]}\npacked = true").lengths == (4, 4)


def test_one_to_ten_in_windows_of_three_in_batches_of_two_are_five_batches() -> None:
    series = ", ".join(map(str, range(1, 11)))
    windows = "windows = {length = 3, stride = 1, pad = 0, batch_size = 2}"
    scenario = read(f"[input]\nvalues = [{series}]\n{windows}\n{RNN}{SEED}")
    assert len(scenario.batches) == 5
    assert all(batch.values.shape == (3, 2, 1) for batch in scenario.batches)
    assert scenario.batches[0].values[:, :, 0].T.tolist() == [[1, 2, 3], [2, 3, 4]]
    assert scenario.batches[4].values[:, :, 0].T.tolist() == [[9, 10, 0], [10, 0, 0]]


def test_windows_of_vectors_with_a_stride_and_a_rest() -> None:
    series = "[[1, 10], [2, 20], [3, 30], [4, 40], [5, 50]]"
    windows = "windows = {length = 2, stride = 2, pad = -1, batch_size = 2}"
    scenario = read(f"[input]\nvalues = {series}\n{windows}\n{RNN}{SEED}")
    assert [batch.values.shape for batch in scenario.batches] == [(2, 2, 2), (2, 1, 2)]
    assert scenario.batches[1].values[:, 0].tolist() == [[5, 50], [-1, -1]]


def test_without_a_pad_the_windows_are_whole() -> None:
    windows = "windows = {length = 3, stride = 2, pad = false, batch_size = 2}"
    scenario = read(f"[input]\nvalues = [1, 2, 3, 4, 5, 6]\n{windows}\n{RNN}{SEED}")
    assert [batch.values[:, :, 0].T.tolist() for batch in scenario.batches] == [[[1, 2, 3], [3, 4, 5]]]


AHEAD = "values = [1, 2, 3, 4, 5, 6]\nwindows = {length = 3, batch_size = 2, horizon = %d}\n"
ONE = "[linear]\nout_features = 1\n"


@pytest.mark.parametrize(
    ("horizon", "rest", "wanted"),
    [
        (1, ONE, [[[2, 3, 4], [3, 4, 5]], [[4, 5, 6]]]),
        (2, ONE, [[[3, 4, 5], [4, 5, 6]]]),
        (1, f'{ONE}from = "h_n"\n', [[4, 5], [6]]),
        (3, f'{ONE}from = "h_n"\n', [[6]]),
    ],
)
def test_what_is_wanted_of_a_window_comes_later_in_the_series(horizon: int, rest: str, wanted: list) -> None:
    scenario = read(f"[input]\n{AHEAD % horizon}{RNN}{rest}{SEED}")
    assert [batch.target[..., 0].T.tolist() for batch in scenario.batches] == wanted
    assert scenario.loss.name == "MSELoss"


def test_a_forecast_is_whole_windows_with_their_targets_written_out() -> None:
    last = f'{RNN}{ONE}from = "h_n"\n{SEED}'
    ahead = read(f"[input]\n{AHEAD % 1}{last}")
    windows = "[input]\nvalues = [1, 2, 3, 4, 5]\nwindows = {length = 3, batch_size = 2, pad = false}\n"
    written = read(f"{windows}{last}[target]\nvalues = [[4], [5], [6]]\n")
    for one, other in zip(ahead.batches, written.batches, strict=True):
        assert np.array_equal(one.values, other.values)
        assert np.array_equal(one.target, other.target)


def test_rows_of_unlike_length_say_how_long_they_are() -> None:
    rows = "[input]\nindices = [[0, 1, 2], [2], [1, 0]]\npad_index = 1\n"
    target = "[target]\nindices = [[0, 1, 0], [1], [1, 0]]\n"
    (batch,) = read(f"{rows}{EMBEDDING}num_embeddings = 3\n{BATCH_FIRST}{LINEAR}{SEED}{target}").batches
    assert (batch.lengths, batch.packed) == ((3, 1, 2), True)
    assert batch.indices.T.tolist() == [[0, 1, 2], [2, 1, 1], [1, 0, 1]]
    assert batch.target.T.tolist() == [[0, 1, 0], [1, -100, -100], [1, 0, -100]]


def test_files_of_numbers(tmp_path: Path) -> None:
    values = np.arange(12.0).reshape(3, 2, 2)
    np.save(tmp_path / "x.npy", values)
    save_file({"x": values.astype(np.float32)}, tmp_path / "x.safetensors")
    (tmp_path / "x.csv").write_text("a,b\n1.5,2\n3,4\n")
    assert np.array_equal(one_batch('file = "x.npy"', folder=tmp_path).values, values)
    assert np.array_equal(one_batch('file = "x.safetensors"', folder=tmp_path).values, values)
    assert one_batch('file = "x.csv"', folder=tmp_path).values[:, 0].tolist() == [[1.5, 2], [3, 4]]


def test_whole_numbers_of_a_file_are_indices_where_they_can_be_looked_up(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1\n0\n2\n")
    batch = one_batch('file = "x.csv"', head=LETTERS, folder=tmp_path)
    assert batch.indices.tolist() == [[1], [0], [2]]
    batch = one_batch('file = "x.csv"', BATCH_FIRST, EMBEDDING, folder=tmp_path)
    assert batch.indices.tolist() == [[1], [0], [2]]
    assert one_batch('file = "x.csv"', folder=tmp_path).values.shape == (3, 1, 1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ('text = "hexlo"', '4:1: `text`: "x" is not in the vocabulary'),
        ('text = "Hello"', 'did you mean "h"?'),
        ('text = ["he", ""]', "`text[1]`: found an empty text"),
        ("text = 5", "expected a string, or a list of strings"),
        ('text = "he"\nindices = [1]', "`indices`: there is `text` already"),
        ("pad_index = 0", "[input]: expected one of"),
        (
            'text = ["he", "h"]\npad_index = 4',
            "`pad_index`: found 4, expected an index of the vocabulary, below 4",
        ),
        ('text = ["he", "h"]\nlengths = [2, 1]', "texts have their own lengths"),
        ("indices = [0, 4]", "`indices[1]`: found 4, expected an index below 4"),
        ("indices = [[0, 1], [-1, 1]]", "`indices[1][0]`: found -1, expected an index ≥ 0"),
        (
            "values = [1, 2, 3]",
            "found (3,), expected (T, B, input_size), or (T, input_size) without a batch axis",
        ),
        ("values = [[[1]], [[2]]]\nlengths = [2, 1]", "`lengths`: found 2, expected 1: one for each row"),
        ("values = [[[1]], [[2]]]\nlengths = [3]", "`lengths[0]`: found 3, expected 1 to 2"),
        ("values = [[[1]], [[2]]]\nlengths = [0]", "`lengths[0]`: found 0, expected 1 to 2"),
        ("values = [[1], [2]]\nlengths = [1]", "this input has no batch axis"),
        ("values = [[1], [2]]\npacked = true", "this input has no batch axis"),
        ("values = [1, 2]\nwindows = {stride = 1}", "length"),
        (
            "values = [1, 2]\nwindows = {length = 2}\nlengths = [1]",
            "`lengths` has no meaning beside `windows`",
        ),
        ("values = [[[1]]]\nwindows = {length = 2}", "found (1, 1, 1), expected one long series"),
        ("indices = [1, 2]\nwindows = {length = 2}", "`windows` are cut from numbers"),
        ("indices = [[0, 1], [1]]", "`indices[1]`: found 1 numbers, expected 2 as in the first row"),
        ("values = [1, 2]\nwindows = {length = 2, horizon = 1}", "fits into the series"),
        (
            "values = [1, 2]\nwindows = {length = 3, pad = false}",
            "expected a window that fits into the series",
        ),
        ("values = [1, 2, 3]\nwindows = {length = 2, horizon = 1, pad = 0}", "`pad` has no meaning beside"),
        ("values = [1, 2, 3]\nwindows = {length = 2, horizon = 0}", "`horizon`: found 0"),
        ("values = [1, 2]\nwindows = {length = 2, pad = true}", "`pad`: found true"),
        ("random = {seed = 1}", "shape"),
        ("random = {shape = [3, 0]}", "two or three lengths ≥ 1"),
        ("random = {shape = [100000, 100000, 1000]}", "more than the limit of 4 GiB"),
        ("values = [1, 2]\nwindows = {length = 2000000000}", "more than the limit of 4 GiB"),
        ('file = "none.npy"', "there is no file"),
    ],
)
def test_a_mistake_in_the_input_is_told_with_its_place(given: str, words: str) -> None:
    message = input_problem(given, head=LETTERS + "\n")
    assert words in message
    assert message.startswith("scenario.toml:")


def test_text_needs_a_vocabulary_and_values_no_embedding() -> None:
    assert "`text` needs a `vocabulary`" in input_problem('text = "a"', RNN + "input_size = 1\n")
    message = input_problem(
        "values = [[[1]]]", RNN + "input_size = 1\n", EMBEDDING.replace("2", "1") + "num_embeddings = 2\n"
    )
    assert "[embedding] looks up whole numbers" in message


def test_a_one_hot_array_beyond_the_memory_limit_is_refused() -> None:
    text = f"[input]\nindices = [0, 1000000]\n{RNN}{SEED}"
    assert "limit of 0.000977 GiB" in problem(text, memory=1 << 20)


def test_bad_files_of_numbers_are_told(tmp_path: Path) -> None:
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "short.npy").write_bytes(
        (b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (9, 9), }").ljust(
            128
        )
    )
    (tmp_path / "huge.npy").write_bytes(
        (
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999, 99999), }"
        ).ljust(128)
    )
    (tmp_path / "no.npy").write_bytes(b"no")
    (tmp_path / "ragged.csv").write_text("1,2\n3\n")
    (tmp_path / "words.csv").write_text("a,b\n1,x\n")
    (tmp_path / "header.csv").write_text("a,b\n")
    (tmp_path / "no.safetensors").write_bytes(b"no")
    save_file({"x": np.ones(2), "y": np.ones(2)}, tmp_path / "two.safetensors")
    (tmp_path / "x.txt").write_text("1")
    for name, words in {
        "object.npy": "pickled objects are refused",
        "short.npy": "ends before its array does",
        "huge.npy": "more than the limit of 4 GiB",
        "no.npy": "no .npy file of numbers",
        "ragged.csv": "line 2: found 1 numbers, expected 2",
        "words.csv": "line 2: expected numbers",
        "header.csv": "empty",
        "no.safetensors": "no safetensors file",
        "two.safetensors": "holds 2 tensors, expected one",
        "x.txt": "expected .npy, .csv, .safetensors",
    }.items():
        assert words in input_problem(f'file = "{name}"', folder=tmp_path), name


def npy(header: bytes, data: bytes = bytes(32)) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def test_broken_heads_of_array_files_are_told(tmp_path: Path) -> None:
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': "
    for shape in (
        b"(4, 2",
        b"(True, True)}",
        b"(4.0, 2)}",
        b"(-4, -2)}",
        b"('4', 2)}",
        b"{}}",
        b"(1,) * 99}",
    ):
        (tmp_path / "x.npy").write_bytes(npy(head + shape + b"\n"))
        assert "no .npy file of numbers" in input_problem('file = "x.npy"', folder=tmp_path), shape
    (tmp_path / "x.npy").write_bytes(npy(head + b"(" + b"1, " * 65 + b")}\n"))
    assert "no .npy file of numbers" in input_problem('file = "x.npy"', folder=tmp_path)
    header = {"x": {"dtype": "F32", "shape": [1] * 65, "data_offsets": [0, 4]}}
    written = json.dumps(header).encode()
    (tmp_path / "x.safetensors").write_bytes(len(written).to_bytes(8, "little") + written + bytes(4))
    message = input_problem('file = "x.safetensors"', folder=tmp_path)
    assert "has 65 axes, expected at most 64" in message


def test_files_that_python_2_wrote_are_read_without_a_warning(tmp_path: Path) -> None:
    values = np.arange(8, dtype="<f4").reshape(4, 2)
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4L, 2L)}\n"
    (tmp_path / "x.npy").write_bytes(npy(header, values.tobytes()))
    assert np.array_equal(one_batch('file = "x.npy"', folder=tmp_path).values[:, 0], values)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0, 159), st.integers(0, 255)), max_size=6), end=st.integers(0, 160)
)
def test_array_files_are_read_as_numpy_does_or_refused(
    edits: list[tuple[int, int]], end: int, tmp_path: Path
) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.asfortranarray(np.arange(4.0).reshape(2, 2)))
    data = bytearray(path.read_bytes())
    for place, byte in edits:
        data[place] = byte
    path.write_bytes(data[: max(end, 160 - end)])
    document = parse_document("s.toml", tmp_path, "", Limits(memory=1 << 20))
    found = read_array_file(document, ("input", "file"), "x.npy")
    if found is None:
        with pytest.raises(ScenarioError):
            document.finish()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(found, np.load(path, allow_pickle=False).astype(found.dtype))


def test_a_csv_may_ask_for_no_more_memory_than_allowed(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,2\n" * 1000)
    message = problem(f'[input]\nfile = "x.csv"\n{RNN}{SEED}', tmp_path, memory=100_000)
    assert "more memory than the limit" in message


def target(given: str, asked: str = 'text = "hello"', recurrent: str = RNN, more: str = LINEAR) -> np.ndarray:
    text = f"{LETTERS}[input]\n{asked}\n{recurrent}{SEED}{more}[target]\n{given}\n"
    found = read(text).batches[0].target
    assert found is not None
    return found


FOUR = "[linear]\nout_features = 4\n"


def test_a_target_text_gives_a_class_for_each_step() -> None:
    assert target('text = "ohlol"', more=FOUR).tolist() == [[3], [1], [2], [3], [2]]
    assert target("indices = [3, 1, 2, 3, 2]", more=FOUR).tolist() == [[3], [1], [2], [3], [2]]


def test_a_target_of_texts_is_ignored_where_a_row_is_over() -> None:
    asked, given = 'text = ["hello", "he"]', 'text = ["ohlol", "oh"]'
    assert target(given, asked, more=FOUR)[:, 1].tolist() == [3, 1, -100, -100, -100]
    more = FOUR + "[loss]\nignore_index = 0\n"
    assert target(given, asked, more=more)[:, 1].tolist() == [3, 1, 0, 0, 0]


@pytest.mark.parametrize("recurrent", [RNN, BATCH_FIRST])
def test_target_indices_stand_in_the_modules_layout(recurrent: str) -> None:
    given = "indices = [[0, 1], [1, 1], [0, 0]]" if recurrent is RNN else "indices = [[0, 1, 0], [1, 1, 0]]"
    asked = "values = [[[1], [1]], [[1], [1]], [[1], [1]]]"
    if recurrent is BATCH_FIRST:
        asked = "values = [[[1], [1], [1]], [[1], [1], [1]]]"
    assert target(given, asked, recurrent).tolist() == [[0, 1], [1, 1], [0, 0]]


def test_target_values() -> None:
    asked = "values = [[[1], [1], [1]]]"
    given = 'values = [[[1, 2], [3, 4], [5, 6]]]\n[loss]\nname = "MSELoss"'
    found = target(given, asked, BATCH_FIRST)
    assert found.shape == (3, 1, 2)
    assert found.dtype == np.float32
    given = 'values = [[1, 2], [3, 4], [5, 6]]\n[loss]\nname = "MSELoss"'
    assert np.array_equal(target(given, "values = [[1], [1], [1]]"), found)


def test_labels_for_the_final_state() -> None:
    asked = "values = [[[1], [1]], [[1], [1]]]"
    assert target("indices = [1, 0]", asked, more=FINAL).tolist() == [1, 0]
    assert target("indices = 1", "values = [[1], [1]]", more=FINAL).tolist() == [1]
    assert target('text = ["h", "e"]', asked, more=FINAL).tolist() == [1, 0]
    assert target('text = "he"', asked, more=FINAL).tolist() == [1, 0]
    loss = '\n[loss]\nname = "MSELoss"'
    assert target("values = [[1, 2], [3, 4]]" + loss, asked, more=FINAL).tolist() == [[1, 2], [3, 4]]


def test_targets_of_windows_are_shared_out_to_the_batches() -> None:
    text = (
        "[input]\nvalues = [1, 2, 3]\nwindows = {length = 2, batch_size = 2}\n"
        f"{RNN}{SEED}{FINAL}[target]\nindices = [0, 1, 1]\n"
    )
    assert [batch.target.tolist() for batch in read(text).batches] == [[0, 1], [1]]


@pytest.mark.parametrize(
    ("given", "more", "words"),
    [
        ('text = "ohlo"', FOUR, "`text`: the target is for 4 steps, the input has 5"),
        ("indices = [3, 1, 2]", FOUR, "`indices`: the target is for 3 steps, the input has 5"),
        ('text = ["ohlol", "ohlol"]', FOUR, "found 2 rows, expected 1"),
        ('text = "ohlol"', LINEAR, "`text`: found the class 3, expected 0 to 1: there are 2 logits"),
        ("indices = [0, 1, 0, 1, 7]", LINEAR, "found the class 7, expected 0 to 1"),
        ('text = "ohxol"', FOUR, '"x" is not in the vocabulary'),
        ('text = "oh"', '[linear]\nout_features = 4\nfrom = "h_n"\n', "found 2 rows, expected 1"),
        (
            "indices = [0, 1]",
            FINAL,
            'found 2 labels, expected 1: one for each row of the batch (`from = "h_n"`)',
        ),
        ("", FOUR, "[target]: expected exactly one of"),
        ('text = "ohlol"\nindices = [1]', FOUR, "[target]: expected exactly one of"),
        ('values = [[1, 2, 3]]\n[loss]\nname = "MSELoss"', LINEAR, "found shape (1, 3), expected (5, 2)"),
    ],
)
def test_a_target_that_does_not_fit_is_told(given: str, more: str, words: str) -> None:
    text = f'{LETTERS}[input]\ntext = "hello"\n{RNN}{SEED}{more}[target]\n{given}\n'
    assert words in problem(text)


def test_a_row_of_a_target_of_another_length_is_named() -> None:
    text = f'{LETTERS}[input]\ntext = ["hello", "he"]\n{RNN}{SEED}{FOUR}[target]\ntext = ["ohlol", "ohl"]\n'
    assert "12:18: `text[1]`: the target is for 3 steps, the input has 2" in problem(text)


NAMES = "name,country\nanna,it\nbo,cn\nhanna,de\nab,it\nba,de\nnb,cn\n"
DATA_MODEL = f'vocabulary = ["a", "b", "n", "h", "o"]\n{RNN}{SEED}[linear]\nfrom = "h_n"\n'
DATA = '[data]\nfile = "names.csv"\ntext = "name"\nlabel = "country"\n'


def read_names(more: str, folder: Path) -> Scenario:
    (folder / "names.csv").write_text(NAMES)
    return read(DATA_MODEL + DATA + more, folder)


def test_labelled_rows_are_batches_with_the_sorted_names_as_classes(tmp_path: Path) -> None:
    scenario = read_names("batch_size = 4\n", tmp_path)
    assert scenario.target_vocabulary == ("cn", "de", "it")
    assert scenario.num_scores == 3
    assert [batch.num_rows for batch in scenario.batches] == [4, 2]
    first, second = scenario.batches
    assert first.lengths == (4, 2, 5, 2)
    assert first.packed
    assert first.target.tolist() == [2, 0, 1, 2]
    assert first.indices[:, 2].tolist() == [3, 0, 2, 2, 0]
    assert (second.lengths, second.packed) == (None, False)


def test_a_share_is_kept_apart_and_every_row_is_in_one_part(tmp_path: Path) -> None:
    scenario = read_names("test = 0.4\nseed = 3\n", tmp_path)
    assert (len(scenario.batches), len(scenario.test_batches)) == (4, 2)
    every = [tuple(batch.indices[:, 0]) for batch in (*scenario.batches, *scenario.test_batches)]
    assert sorted(every) == sorted(
        tuple("abnho".index(letter) for letter in line.split(",")[0]) for line in NAMES.splitlines()[1:]
    )


def test_shuffling_changes_the_order_of_training_rows_only(tmp_path: Path) -> None:
    plain = read_names("test = 0.4\nseed = 3\nbatch_size = 9\n", tmp_path)
    shuffled = read_names("test = 0.4\nseed = 3\nbatch_size = 9\nshuffle = true\n", tmp_path)
    assert np.array_equal(plain.test_batches[0].indices, shuffled.test_batches[0].indices)
    assert plain.batches[0].lengths != shuffled.batches[0].lengths
    assert sorted(plain.batches[0].target) == sorted(shuffled.batches[0].target)


@pytest.mark.parametrize(
    ("content", "table", "words"),
    [
        (NAMES, DATA.replace('"name"', '"nmae"'), 'no column "nmae"; did you mean "name"?'),
        (NAMES, DATA.replace('"country"', '"xyz"'), "it has `name`, `country`"),
        (NAMES + "axe,it\n", DATA, 'line 8: "x" is not in the vocabulary'),
        (NAMES + "ab\n", DATA, "line 8: found 1 columns, expected 2"),
        (NAMES + ",it\n", DATA, "line 8: found an empty text or label"),
        ("name,country\n", DATA, "holds no rows"),
        (NAMES, DATA + "test = 1.0\n", "`test`: found 1.0"),
        (NAMES, '[data]\ntext = "name"\n', "`file`"),
    ],
)
def test_a_mistake_in_labelled_data_is_told(tmp_path: Path, content: str, table: str, words: str) -> None:
    (tmp_path / "names.csv").write_text(content)
    assert words in problem(DATA_MODEL + "out_features = 3\n" + table, tmp_path)


X = "[input]\nrandom = {shape = [3, 2, 5]}\n"
X_ALONE = "[input]\nrandom = {shape = [3, 5]}\n"
X_ONE = "[input]\nrandom = {shape = [3, 1, 5]}\n"
LSTM = '[recurrent]\nmodule = "LSTM"\nhidden_size = 4\nproj_size = 3\nnum_layers = 2\n'


def state(given: str, fed: str, recurrent: str) -> dict[str, np.ndarray]:
    return dict(read(f"{fed}{recurrent}{SEED}[initial_state]\n{given}\n").initial_state)


def test_states_are_taken_in_torchs_shapes() -> None:
    assert state("h_0 = [[[1, 2, 3], [4, 5, 6]]]", X, RNN)["h_0"].tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert state("h_0 = [[1, 2, 3]]", X_ALONE, RNN)["h_0"].shape == (1, 1, 3)
    assert state("h_0 = [[1, 2, 3], [4, 5, 6]]", X, CELL)["h_0"].shape == (1, 2, 3)
    assert state("h_0 = [1, 2, 3]", X_ALONE, CELL)["h_0"].shape == (1, 1, 3)
    states = state("h_0 = [[1, 2, 3], [4, 5, 6]]\nc_0 = [[1, 2, 3, 4], [5, 6, 7, 8]]", X_ALONE, LSTM)
    assert states["h_0"].shape == (2, 1, 3)
    assert states["c_0"].shape == (2, 1, 4)
    assert states["c_0"].dtype == np.float32


def test_a_plain_vector_is_a_state_of_one_layer_direction_and_row() -> None:
    for fed, recurrent in ((X_ONE, RNN), (X_ALONE, RNN), (X_ONE, CELL)):
        assert state("h_0 = [1, 2, 3]", fed, recurrent)["h_0"].tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("given", "fed", "recurrent", "words"),
    [
        ("h_0 = [1, 2, 3, 4, 5]", X_ONE, RNN, "it has the size of the input (5)"),
        (
            "h_0 = [[1, 2, 3], [1, 2, 3]]",
            X,
            RNN,
            "found (2, 3), expected (1, 2, 3): for a batch torch takes three axes",
        ),
        (
            "h_0 = [[[1, 2, 3]], [[1, 2, 3]]]",
            X,
            BATCH_FIRST.replace("batch_first = true", "batch_first = false"),
            "the batch is the second axis",
        ),
        ("h_0 = [[[1, 2, 3]]]", X_ONE, CELL, "a cell has one layer and no axis for it"),
        ("h_0 = [[[1, 2, 3]]]", X_ALONE, RNN, "the input has no batch axis"),
        ("h_0 = [1, 2, 3]", X, RNN, "found (3,), expected (1, 2, 3)"),
        ("c_0 = [1, 2, 3]", X_ONE, RNN, "`c_0`: RNN has no cell state"),
        ("h0 = [1, 2, 3]", X_ONE, RNN, "did you mean `h_0`?"),
        ("h_0 = 5", X_ONE, RNN, "found (), expected (1, 1, 3)"),
    ],
)
def test_a_state_that_does_not_fit_is_told(given: str, fed: str, recurrent: str, words: str) -> None:
    assert words in problem(f"{fed}{recurrent}{SEED}[initial_state]\n{given}\n")
