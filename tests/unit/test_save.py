"""Saving an edited scenario: the new file reads as exactly the edited numbers, and keeps what was not edited."""

from __future__ import annotations

import dataclasses
import os
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from rnnstep.errors import UsageError
from rnnstep.scenario import bundled
from rnnstep.scenario.file.atomic_write import whole_file
from rnnstep.scenario.file.change_toml import array_text
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.file.save import save
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read, read_text
from rnnstep.scenario.weights.parameters import parameter_shapes
from rnnstep.session.edits import Edit, EditTarget, apply, has_one_batch_size

RNN = """\
# where it comes from
title = "Small"

[input]
values = [[[1.0, 2.0]], [[3.0, 4.0]]]    # two steps

[recurrent]
module = "RNN"
hidden_size = 2

[weights]
seed = 1    # from torch

# what is wanted
[target]
indices = [0, 1]
"""


def write_whole(path, data, *, replace=False):
    with whole_file(path, replace=replace) as file:
        file.write(data)


def complete(scenario: Scenario) -> Scenario:
    """Give what is pending made-up numbers, as torch would give its own."""
    if scenario.pending is None:
        return scenario
    shapes = parameter_shapes(scenario.layers)
    generator = np.random.default_rng(0)
    return scenario.with_parameters(
        {
            name: generator.standard_normal(shapes[name]).astype(scenario.dtype)
            for name in scenario.pending.names
        }
    )


def weight(key: str, *index: int, value: float = 0.123) -> Edit:
    return Edit(EditTarget("parameters", key, index, key), value)


def state(key: str, *index: int, value: float = -0.7) -> Edit:
    return Edit(EditTarget("initial_state", key, index, key), value)


def x(batch: int, *index: int, value: float = 7.25) -> Edit:
    return Edit(EditTarget("values", str(batch), index, "x"), value)


def saved(text: str, folder: Path, *edits: Edit) -> tuple[Scenario, str, Scenario]:
    """Give the edited scenario, the text of its file, and what that reads as."""
    (folder / "old.toml").write_text(text, encoding="utf-8", newline="")
    edited = apply(complete(read(folder / "old.toml")), edits)
    save(edited, edits, folder / "new.toml")
    return edited, (folder / "new.toml").read_bytes().decode(), read(folder / "new.toml")


def assert_same(left: Scenario, right: Scenario, edits: tuple[Edit, ...] = ()) -> None:
    """All numbers are the same, but those that only torch can give and that were not edited."""
    pending = set(right.pending.names) if right.pending else set()
    assert not pending & {edit.target.key for edit in edits}
    for name, array in left.parameters.items():
        if name not in pending:
            assert right.parameters[name].dtype == array.dtype
            np.testing.assert_array_equal(right.parameters[name], array, err_msg=name)
    assert set(left.initial_state) == set(right.initial_state)
    for name, array in left.initial_state.items():
        np.testing.assert_array_equal(right.initial_state[name], array)
    assert len(left.batches) == len(right.batches)
    for ours, theirs in zip(left.batches, right.batches, strict=True):
        if ours.values is None:
            np.testing.assert_array_equal(theirs.indices, ours.indices)
        else:
            np.testing.assert_array_equal(theirs.values, ours.values)
        assert (theirs.lengths, theirs.packed) == (ours.lengths, ours.packed)
        if ours.target is not None:
            np.testing.assert_array_equal(theirs.target, ours.target)
    assert (left.layers, left.loss, left.training, left.display) == (
        right.layers,
        right.loss,
        right.training,
        right.display,
    )
    assert (left.vocabulary, left.target_vocabulary, left.is_batched) == (
        right.vocabulary,
        right.target_vocabulary,
        right.is_batched,
    )


def edits_of_all_kinds(scenario: Scenario) -> tuple[Edit, ...]:
    edits = [weight(name, *(size - 1 for size in array.shape)) for name, array in scenario.parameters.items()]
    if len({batch.num_rows for batch in scenario.batches}) == 1:
        for recurrent in scenario.recurrents:
            module = f"{recurrent.key}." if recurrent.key else ""
            edits += [state(f"{module}{name}_0", 0, 0, 0) for name in recurrent.cell.states]
    is_given = "input" not in scenario.feeds  # else what is fed is what the network says
    every = enumerate(scenario.batches) if is_given else ()
    edits += [x(index, 0, 0, 0) for index, batch in every if batch.values is not None]
    return tuple(edits)


def copied(name: str, folder: Path) -> Path:
    """A bundled scenario in a folder of its own, with the data that it reads beside it."""
    path = bundled.find(name)
    for beside in path.parent.glob("*.csv"):
        shutil.copy(beside, folder)
    return Path(shutil.copy(path, folder))


@pytest.mark.parametrize("name", bundled.names())
def test_a_bundled_scenario_with_everything_edited_reads_back_the_same(name, tmp_path):
    scenario = complete(read(copied(name, tmp_path)))
    edits = edits_of_all_kinds(scenario)
    if not has_one_batch_size(scenario):  # there no h_0 can be given, and none is edited
        edits = tuple(edit for edit in edits if edit.target.store != "initial_state")
    edited = apply(scenario, edits)
    save(edited, edits, tmp_path / "new.toml")
    again = read(tmp_path / "new.toml")
    assert_same(edited, again, edits)
    assert again.title.into("zh").endswith("（已修改）")
    assert again.summary == scenario.summary


@pytest.mark.parametrize("name", bundled.names())
def test_one_edited_weight_leaves_all_other_lines_of_a_bundled_file(name, tmp_path):
    scenario = complete(read(copied(name, tmp_path)))
    edit = weight(next(iter(scenario.parameters)), 0, 0)
    save(apply(scenario, [edit]), [edit], tmp_path / "new.toml")
    text = (tmp_path / "new.toml").read_text(encoding="utf-8")
    of_title = sum(line.startswith("title") for line in scenario.file_text.splitlines())
    missing = [line for line in scenario.file_text.splitlines() if line not in text.splitlines()]
    replaced = [line for line in missing if not line.startswith("title")]
    assert len(missing) - len(replaced) == of_title
    # A parameter that the file has already is replaced where it stands; else nothing more is gone.
    assert replaced == [] or len(scenario.file_text.splitlines()) <= len(text.splitlines()) + 2


def test_comments_and_order_stay_and_the_new_array_follows_the_last_key(tmp_path):
    _, text, _ = saved(RNN, tmp_path, weight("weight_hh_l0", 0, 1))
    assert text.startswith('# where it comes from\ntitle = "Small (edited)"\n')
    assert "seed = 1    # from torch\nweight_hh_l0 = [\n  [" in text
    assert "]\n\n# what is wanted\n[target]" in text


def test_float32_numbers_are_written_short(tmp_path):
    _, text, again = saved(RNN, tmp_path, weight("bias_ih_l0", 0, value=0.31))
    assert "bias_ih_l0 = [0.31, " in text
    assert again.parameters["bias_ih_l0"][0] == np.float32(0.31)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30, 1e-30, -0.0, 12345678.0])
def test_any_float_reads_back(value, tmp_path):
    edit = weight("weight_ih_l0", 1, 1, value=value)
    edited, _, again = saved(RNN, tmp_path, edit)
    assert_same(edited, again, (edit,))


@settings(max_examples=200, deadline=None)
@given(npst.arrays(np.float32, npst.array_shapes(max_dims=3, max_side=4)))
def test_arrays_of_float32_read_back_through_float64(values):
    back = np.array(tomllib.loads(f"v = {array_text(values)}")["v"], np.float64).astype(np.float32)
    np.testing.assert_array_equal(back, values)


@settings(max_examples=100, deadline=None)
@given(npst.arrays(np.float64, npst.array_shapes(max_dims=3, max_side=4)))
def test_arrays_of_float64_read_back(values):
    np.testing.assert_array_equal(np.array(tomllib.loads(f"v = {array_text(values)}")["v"]), values)


def test_a_gate_that_stands_by_itself_is_replaced_and_the_others_stay(tmp_path):
    source = bundled.find("lstm_by_hand").read_text(encoding="utf-8")
    edited, text, again = saved(source, tmp_path, weight("weight_ih_l0", 2, 1, value=-3.0))  # W_if[0,1]
    assert_same(edited, again)
    assert "W_ii = [[ 2,  0,  3], [ 0, 1,  0]]\nW_if = [\n  [0.0, -3.0, 0.0]," in text
    assert "weight_ih_l0" not in text


def test_a_bias_that_was_zero_because_its_partner_alone_stands_gate_by_gate_is_given_gate_by_gate(tmp_path):
    source = bundled.find("lstm_by_hand").read_text(encoding="utf-8")
    edited, text, again = saved(source, tmp_path, weight("bias_hh_l0", 3, value=0.5))  # b_hf[1]
    assert_same(edited, again)
    assert "\nb_hf = [0.0, 0.5]\n" in text


@pytest.mark.parametrize("given_as", ["weight_hh", "weight_hh_l0", "W_hh", "W_hh_l0"])
def test_a_cells_parameter_is_replaced_under_whatever_name_it_stands(given_as, tmp_path):
    source = f"""
[input]
values = [[1.0]]
[recurrent]
module = "RNNCell"
hidden_size = 1
[weights]
seed = 0
{given_as} = [[0.5]]   # mine
"""
    edited, text, again = saved(source, tmp_path, weight("weight_hh", 0, 0, value=2.0))
    assert_same(edited, again)
    assert f"{given_as} = [[2.0]]   # mine" in text


@pytest.mark.parametrize(
    "weights",
    [
        "[weights]\nseed = 0\nlinear.bias = [1.0]\n",
        "[weights]\nseed = 0\n[weights.linear]\nbias = [1.0] # b\n",
        '[weights]\nseed = 0\n"linear.weight" = [[1.0, 2.0]]\n',
        "[weights]\nseed = 0\nlinear = {bias = [1.0]}\n",
    ],
)
def test_parameters_with_a_dot_are_written_into_the_table_that_is_there(weights, tmp_path):
    source = f"""
{weights}
[input]
values = [[[1.0]]]
[recurrent]
module = "RNN"
hidden_size = 2
[linear]
out_features = 1
"""
    edits = (weight("linear.weight", 0, 1), weight("linear.bias", 0, value=5.0))
    edited, _, again = saved(source, tmp_path, *edits)
    assert_same(edited, again)


@pytest.mark.parametrize(
    "source",
    [
        'input = {values = [[1.0]]}\nweights = {seed = 0}\nrecurrent = {module = "RNN", hidden_size = 1}\n',
        'input.values = [[1.0]]\nweights.seed = 0\nrecurrent.module = "RNN"\nrecurrent.hidden_size = 1\n',
        '[input]\nvalues = [[1.0]]\n[recurrent]\nmodule = "RNN"\nhidden_size = 1\n[weights]\nseed = 0',
        # tables in pieces far apart, which tomlkit cannot change: the comment goes, the numbers stay
        """\
[weights.embedding]
[input]
values = [[1.0]] # x
[recurrent]
module = "RNN"
hidden_size = 1
[weights.linear]
[display]
[weights]
seed = 0
""",
    ],
)
def test_every_way_of_writing_tables_can_be_saved(source, tmp_path):
    edits = (weight("weight_ih_l0", 0, 0), state("h_0", 0, 0, 0), x(0, 0, 0, 0))
    edited, _, again = saved(source, tmp_path, *edits)
    assert_same(edited, again, edits)


def test_lines_end_as_in_the_file(tmp_path):
    _, text, _ = saved(RNN.replace("\n", "\r\n"), tmp_path, weight("weight_hh_l0", 0, 1))
    assert text.count("\n") == text.count("\r\n")


@pytest.mark.parametrize("batch_first", ["true", "false"])
def test_an_edited_x_of_a_text_becomes_values_with_lengths_and_target(batch_first, tmp_path):
    source = f"""
vocabulary = ["a", "b", "c"]
[input]
text = ["abc", "b"]
pad_index = 1
[recurrent]
module = "RNN"
hidden_size = 3
batch_first = {batch_first}
[weights]
seed = 3
[target]
text = ["bca", "c"]
"""
    edited, text, again = saved(source, tmp_path, x(0, 1, 0, 2, value=0.5))
    assert_same(edited, again)
    assert again.batches[0].lengths == (3, 1)
    assert again.vocabulary == ("a", "b", "c")
    assert '"abc"' not in text


@pytest.mark.parametrize("batch_first", ["true", "false"])
def test_an_x_of_a_sequence_beside_the_first_is_edited_and_saved(tmp_path, batch_first):
    """What was wanted stays what it was, though what is fed is no longer that, shifted."""
    source = f"""
vocabulary = ["<s>", "a", "b"]
[input]
text = ["ab", "b"]
[input.target]
text = ["ba", "a"]
shift = "<s>"
[[layers]]
name = "encoder"
module = "GRU"
hidden_size = 2
batch_first = {batch_first}
[[layers]]
name = "decoder"
module = "GRU"
input = "target"
h_0 = "encoder.h_n"
hidden_size = 2
batch_first = {batch_first}
[[layers]]
module = "Linear"
[weights]
seed = 1
"""
    edit = Edit(EditTarget("values", "0 target", (1, 0, 2), "x[2]"), 0.5)
    edited, text, again = saved(source, tmp_path, edit)
    assert_same(edited, again)
    fed, was = again.batches[0].beside["target"], edited.batches[0].beside["target"]
    np.testing.assert_array_equal(fed.values, was.values)
    assert fed.values[1, 0, 2] == 0.5
    assert (fed.lengths, fed.packed) == (was.lengths, was.packed)
    assert "shift" not in text
    assert 'text = ["ab", "b"]' in text  # what was not edited


def test_padding_walked_over_stays_walked_over(tmp_path):
    source = """
vocabulary = "ascii"
[input]
text = ["ab", "c"]
packed = false
[recurrent]
module = "GRU"
hidden_size = 1
[weights]
seed = 3
"""
    edited, _, again = saved(source, tmp_path, x(0, 1, 1, 5, value=0.5))
    assert_same(edited, again)
    assert not again.batches[0].packed


def test_one_number_of_one_window_is_edited_and_not_in_the_windows_that_overlap_it(tmp_path):
    source = bundled.find("windows").read_text(encoding="utf-8")
    edited, _, again = saved(source, tmp_path, x(1, 0, 1, 0, value=99.0))
    assert_same(edited, again)
    assert sum(int((batch.values == 99).sum()) for batch in again.batches) == 1


def test_windows_of_several_features_with_a_last_batch_of_one_read_back(tmp_path):
    source = """
[input]
random = {shape = [7, 2], seed = 0}
windows = {length = 3, stride = 3, pad = -1, batch_size = 2}
[recurrent]
module = "RNN"
hidden_size = 1
[weights]
seed = 3
[target]
values = [[[0.0], [0.0], [0.0]], [[0.0], [0.0], [0.0]], [[0.0], [0.0], [0.0]]]
"""
    edited, _, again = saved(source, tmp_path, x(1, 2, 0, 1, value=4.0))
    assert_same(edited, again)


@pytest.mark.parametrize("more", ["", 'from = "h_n"\n'])
@pytest.mark.parametrize("layout", ["", "batch_first = true\n"])
def test_what_is_wanted_of_an_edited_window_is_what_it_was(tmp_path, layout, more):
    source = f"""
[input]
values = [1, 2, 3, 4, 5, 6, 7]
windows = {{length = 3, batch_size = 2, horizon = 2}}
[recurrent]
module = "RNN"
hidden_size = 2
{layout}[linear]
out_features = 1
{more}[weights]
seed = 3
"""
    edited, text, again = saved(source, tmp_path, x(1, 0, 0, 0, value=9.5))
    assert_same(edited, again)
    assert "horizon" not in text
    for one, other in zip(edited.batches, again.batches, strict=True):
        assert np.array_equal(one.target, other.target)


def test_states_are_written_in_torchs_shape(tmp_path):
    source = """
[input]
random = {shape = [3, 2, 2], seed = 0}
[recurrent]
module = "LSTM"
hidden_size = 3
num_layers = 2
bidirectional = true
[weights]
seed = 3
"""
    edits = (state("h_0", 3, 1, 2), state("c_0", 0, 0, 0))
    edited, _, again = saved(source, tmp_path, *edits)
    assert_same(edited, again)


def test_an_edited_x_of_labelled_rows_is_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("word,kind\nab,x\nba,y\n")
    (tmp_path / "old.toml").write_text("""
vocabulary = "ascii"
data = {file = "rows.csv", text = "word", label = "kind"}
recurrent = {module = "RNN", hidden_size = 2}
linear = {from = "h_n"}
weights = {seed = 1}
""")
    edits = (x(0, 0, 0, 0),)
    edited = apply(read(tmp_path / "old.toml"), edits)
    with pytest.raises(UsageError, match=r"\[data\]"):
        save(edited, edits, tmp_path / "new.toml")
    assert not (tmp_path / "new.toml").exists()


# ── titles ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("title", "english", "chinese"),
    [
        ('title = "A"', "A (edited)", "A (edited)"),
        ('title = "向量"', "向量（已修改）", "向量（已修改）"),
        ('title = {en = "A", zh = "向量"}', "A (edited)", "向量（已修改）"),
        ('title.zh = "向量"', "向量（已修改）", "向量（已修改）"),
        ('title = "A (edited)"', "A (edited)", "A (edited)"),
        ('title = """say "A" \\\\ B"""', 'say "A" \\ B (edited)', 'say "A" \\ B (edited)'),
        ("", "old (edited)", "old (edited)"),
    ],
)
def test_the_title_says_that_it_was_edited_once(title, english, chinese, tmp_path):
    _, _, again = saved(RNN.replace('title = "Small"', title), tmp_path, weight("weight_hh_l0", 0, 0))
    assert (again.title.into("en"), again.title.into("zh")) == (english, chinese)


# ── files that the scenario names ────────────────────────────────────────────────────────

WITH_FILE = """
[input]
file = "data/x.npy"
[recurrent]
module = "RNN"
hidden_size = 1
[weights]
seed = 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    np.save(home / "data" / "x.npy", np.arange(4.0).reshape(4, 1))
    (home / "old.toml").write_text(WITH_FILE)
    return home


def test_a_file_beside_the_scenario_is_named_anew_in_a_folder_around_it(folder):
    edit = weight("weight_hh_l0", 0, 0)
    edited = apply(read(folder / "old.toml"), [edit])
    save(edited, [edit], folder.parent / "new.toml")
    assert 'file = "home/data/x.npy"' in (folder.parent / "new.toml").read_text()
    assert_same(edited, read(folder.parent / "new.toml"))


def test_a_copy_that_could_not_read_its_file_is_refused(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    edit = weight("weight_hh_l0", 0, 0)
    edited = apply(read(folder / "old.toml"), [edit])
    with pytest.raises(UsageError, match="save it in") as refused:
        save(edited, [edit], tmp_path / "elsewhere" / "new.toml")
    assert str(folder) in refused.value.into("zh")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_file_from_outside_that_was_allowed_is_named_from_the_new_folder(folder, tmp_path):
    (folder / "data" / "old.toml").write_text(WITH_FILE.replace("data/x.npy", "../data/x.npy"))
    (tmp_path / "elsewhere").mkdir()
    limits = Limits(allow_outside=True)
    (folder / "sub").mkdir()
    (folder / "sub" / "old.toml").write_text(WITH_FILE.replace("data/x.npy", "../data/x.npy"))
    edit = weight("weight_hh_l0", 0, 0)
    edited = apply(read(folder / "sub" / "old.toml", limits), [edit])
    save(edited, [edit], tmp_path / "elsewhere" / "new.toml")
    assert 'file = "../home/data/x.npy"' in (tmp_path / "elsewhere" / "new.toml").read_text()
    assert_same(edited, read(tmp_path / "elsewhere" / "new.toml", limits))


def test_a_file_whose_numbers_were_edited_is_no_longer_needed(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    edit = x(0, 0, 0, 0)
    edited = apply(read(folder / "old.toml"), [edit])
    save(edited, [edit], tmp_path / "elsewhere" / "new.toml")
    assert_same(edited, read(tmp_path / "elsewhere" / "new.toml"))


# ── writing ──────────────────────────────────────────────────────────────────────────────


def test_an_existing_file_is_not_replaced_unless_asked(tmp_path):
    saved(RNN, tmp_path)
    before = (tmp_path / "new.toml").read_bytes()
    edit = weight("weight_hh_l0", 0, 0)
    edited = apply(read(tmp_path / "old.toml"), [edit])
    with pytest.raises(UsageError, match="is there already"):
        save(edited, [edit], tmp_path / "new.toml")
    assert (tmp_path / "new.toml").read_bytes() == before
    save(edited, [edit], tmp_path / "new.toml", replace=True)
    assert (tmp_path / "new.toml").read_bytes() != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.toml", "old.toml"]


def test_a_dangling_link_counts_as_being_there(tmp_path):
    (tmp_path / "new.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is there already"):
        write_whole(tmp_path / "new.toml", b"x")
    assert not (tmp_path / "nowhere").exists()


def test_replacing_keeps_the_mode_and_the_link(tmp_path):
    (tmp_path / "real.toml").write_text("old")
    (tmp_path / "real.toml").chmod(0o640)
    (tmp_path / "link.toml").symlink_to("real.toml")
    write_whole(tmp_path / "link.toml", b"new", replace=True)
    assert (tmp_path / "link.toml").is_symlink()
    assert (tmp_path / "real.toml").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "real.toml").stat().st_mode) == 0o640


def test_a_new_file_has_the_usual_mode(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "new.toml", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.toml").stat().st_mode) == 0o640


def test_what_cannot_be_written_is_told_and_leaves_nothing_behind(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="there is no folder"):
        write_whole(tmp_path / "nowhere" / "new.toml", b"x")
    with pytest.raises(UsageError, match="cannot write"):
        write_whole(tmp_path / ("n" * 300), b"x")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        write_whole(tmp_path / "new.toml", b"x")
    assert not list(tmp_path.iterdir())


def test_a_file_too_large_to_be_read_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnstep.scenario.file.save.LARGEST_FILE", 100)
    with pytest.raises(UsageError, match="too large"):
        saved(RNN, tmp_path, weight("weight_hh_l0", 0, 0))
    assert not (tmp_path / "new.toml").exists()


def test_a_scenario_without_a_file_is_saved_whole_and_says_that_it_was_edited(tmp_path):
    scenario = dataclasses.replace(read_text(RNN), path=None, file_text=None)
    edits = [weight("weight_hh_l0", 0, 0)]
    edited = apply(scenario, edits)
    save(edited, edits, tmp_path / "new.toml")
    back = read(tmp_path / "new.toml")
    assert back.title.en == f"{scenario.title.en} (edited)"
    assert difference(edited, dataclasses.replace(back, title=scenario.title)) is None


# ── any edits of any kind of scenario ────────────────────────────────────────────────────


@st.composite
def scenarios(draw: st.DrawFn) -> str:
    module = draw(st.sampled_from(["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"]))
    is_cell = module.endswith("Cell")
    steps, rows, size, hidden = (draw(st.integers(1, 3)) for _ in range(4))
    layers = 1 if is_cell else draw(st.integers(1, 2))
    bidirectional = not is_cell and draw(st.booleans())
    batch_first = not is_cell and draw(st.booleans())
    is_batched = draw(st.booleans())
    shape = [rows, steps, size] if batch_first else [steps, rows, size]
    shape = shape if is_batched else [steps, size]
    lines = ["[input]", f"random = {{shape = {shape}, seed = {draw(st.integers(0, 99))}}}", "[recurrent]"]
    lines += [f'module = "{module}"', f"hidden_size = {hidden}"]
    if not is_cell:
        lines += [f"num_layers = {layers}", f"bidirectional = {str(bidirectional).lower()}"]
        lines += [f"batch_first = {str(batch_first).lower()}"]
    lines += ["[weights]", "seed = 5"]
    if draw(st.booleans()):
        lines += ["[linear]", "out_features = 2", f'from = "{draw(st.sampled_from(["output", "h_n"]))}"']
    lines += ["[display]", f'dtype = "{draw(st.sampled_from(["float32", "float64"]))}"']
    return "\n".join(lines) + "\n"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=scenarios(), data=st.data())
def test_any_edits_read_back(source, data, tmp_path):
    scenario = read_text(source, tmp_path / "old.toml")
    numbers = st.floats(width=32)
    edits = []
    for _ in range(data.draw(st.integers(1, 4))):
        name = data.draw(st.sampled_from([*scenario.parameters, "h_0", "x"]))
        shape = scenario.batches[0].values.shape
        if name == "h_0":
            layers = scenario.recurrent.num_layers * scenario.recurrent.num_directions
            shape = (layers, scenario.batches[0].num_rows, scenario.recurrent.hidden_size)
        elif name != "x":
            shape = scenario.parameters[name].shape
        index = [data.draw(st.integers(0, size - 1)) for size in shape]
        make = state if name == "h_0" else weight
        value = data.draw(numbers)
        edits.append(x(0, *index, value=value) if name == "x" else make(name, *index, value=value))
    edited = apply(scenario, edits)
    save(edited, edits, tmp_path / "new.toml", replace=True)
    assert_same(edited, read(tmp_path / "new.toml"), tuple(edits))
    in_memory = dataclasses.replace(edited, path=None, file_text=None)
    write_scenario(in_memory, tmp_path / "complete.toml", replace=True)
    assert difference(in_memory, read(tmp_path / "complete.toml")) is None


# ── what a killed process leaves ─────────────────────────────────────────────────────────────

KILLED = """
import os, signal, sys
from pathlib import Path
from rnnstep.scenario.file.atomic_write import whole_file
with whole_file(Path("a.txt")) as file:
    file.write(b"half")
    print("writing", flush=True)
    if sys.argv[1] == "wait":
        sys.stdin.read()
    else:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_the_next_write_takes_away_what_a_killed_one_left(tmp_path):
    (tmp_path / ".rnnstep-notes.txt").write_text("somebody's own")
    (tmp_path / ".rnnstep-linkedto").symlink_to(".rnnstep-notes.txt")
    subprocess.run([sys.executable, "-c", KILLED, "kill"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    assert len(list(tmp_path.iterdir())) == 3
    write_whole(tmp_path / "b.txt", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".rnnstep-linkedto",
        ".rnnstep-notes.txt",
        "b.txt",
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_a_write_beside_another_leaves_it_alone(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, "wait"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"writing\n"
        write_whole(tmp_path / "b.txt", b"whole")
        other.communicate(b"")
    assert (tmp_path / "a.txt").read_bytes() == b"half"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]
