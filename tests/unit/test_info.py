"""The info page: its shapes are torch's, its counts are right, and it fits any width."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from rnnstep.engine import Model
from rnnstep.engine.blocks import build
from rnnstep.reference import check
from rnnstep.scenario import bundled
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read, read_text
from rnnstep.scenario.weights.parameters import parameter_shapes
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.alphabet import ASCII
from rnnstep.views.costs import costs
from rnnstep.views.counts import counts
from rnnstep.views.info import info
from rnnstep.views.look import Look
from rnnstep.views.markdown import plain_markdown
from rnnstep.views.rows import ROLES, plain, row_width
from rnnstep.views.shapes import data_shapes, weight_shapes
from rnnstep.views.where_torch_keeps import where_torch_keeps


def complete(scenario: Scenario) -> Scenario:
    if scenario.pending is None:
        return scenario
    shapes = parameter_shapes(scenario.layers)
    zeros = {name: np.zeros(shapes[name], scenario.dtype) for name in scenario.pending.names}
    return scenario.with_parameters(zeros)


def session_of(name: str) -> Session:
    return Session.open(SessionRun.of(complete(read(bundled.find(name)))))


def small(recurrent: str, shape: str = "[4, 3, 2]", more: str = "", of_input: str = "") -> Scenario:
    return read_text(f"""
input = {{random = {{shape = {shape}, seed = 0}}{of_input}}}
recurrent = {{{recurrent}}}
weights = {{seed = 0}}
{more}
""")


# ── shapes ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", bundled.names())
def test_shapes_are_those_of_the_trace(name):
    run = session_of(name).run
    done = run.trace.passes[0]
    shapes = {shape.name: shape.sizes for shape in data_shapes(run.scenario, done.batch)}
    given, output, logits = done.input, "output", "logits"
    if run.scenario.is_network:  # what each module gives stands under its name
        given = done.given_input()["input"]
        output, logits = run.scenario.recurrent.name, run.scenario.layers[-1].name
    assert shapes.get("input", shapes.get("indices")) == given.shape
    assert shapes[output] == done.output.shape
    assert shapes.get(logits) == (None if done.logits is None else done.logits.shape)
    for recurrent in run.scenario.recurrents:
        for number, state in enumerate(recurrent.cell.states):
            before, after = (shapes[f"{recurrent.before_places}{state}_{end}"] for end in ("0", "n"))
            assert before == after == done.final_states(recurrent, number).shape
    for shape in weight_shapes(run.scenario):
        assert shape.sizes == run.scenario.parameters[shape.name].shape
        assert len(shape.words) == len(shape.sizes)


SEVERAL = """
[input]
values = [[[0.5, 1.0]], [[-0.25, 0.75]], [[0.125, -1.0]]]
[input.target]
values = [[[0.5]], [[1.0]], [[0.0]], [[-1.0]]]
[[layers]]
name = "encoder"
module = "GRU"
hidden_size = 3
[[layers]]
name = "final"
module = "Linear"
input = "encoder.h_n"
out_features = 5
[[layers]]
name = "decoder"
module = "GRU"
input = "target"
hidden_size = 3
[[layers]]
name = "look"
module = "Attention"
score = "dot"
query = "decoder"
memory = "encoder"
[[layers]]
name = "top"
module = "Linear"
input = ["look", "final"]
out_features = 2
[weights]
seed = 1
"""


def test_shapes_along_several_sequences_are_each_of_its_own_steps() -> None:
    scenario = complete(read_text(SEVERAL))
    done = Model(scenario).run().passes[0]
    shapes = {shape.name: shape.sizes for shape in data_shapes(scenario, done.batch)}
    assert shapes["input"] == (3, 1, 2)
    assert shapes["target"] == (4, 1, 1)
    for name, key in (("encoder", "encoder.L0"), ("decoder", "decoder.L0"), ("look", "look"), ("top", "top")):
        assert shapes[name] == done.whole(key).shape
    assert shapes["final"] == (1, 5) == done.whole("final")[0].shape
    assert shapes["look.weights"] == (1, 4, 3) == done.everything("look")["weights"].swapaxes(0, 1).shape


def test_short_rows_are_told_of_each_sequence() -> None:
    source, target = np.ones((3, 2, 2)).tolist(), np.ones((4, 2, 1)).tolist()
    given = (
        f"[input]\nvalues = {source}\nlengths = [3, 1]\n[input.target]\nvalues = {target}\nlengths = [2, 4]\n"
    )
    scenario = complete(read_text(given + SEVERAL[SEVERAL.index("[[layers]]") :]))
    told = " ".join(plain(info(Session.open(SessionRun.of(scenario)), Look(), 400)).split())
    before, _, behind = told.partition("Along target:")
    assert "Along input:" in before
    assert "data is (4, 2)" in before
    assert "batch_sizes [2, 1, 1]" in before
    assert "data is (6, 1)" in behind
    assert "batch_sizes [2, 2, 1, 1]" in behind


def words(scenario: Scenario) -> dict[str, str]:
    return {shape.name: ", ".join(shape.words) for shape in data_shapes(scenario, scenario.batches[0])}


def test_the_axes_follow_batch_first_but_those_of_states_do_not():
    found = words(small('module = "LSTM", hidden_size = 2, batch_first = true, bidirectional = true'))
    assert found["input"] == "batch, seq_len, input_size"
    assert found["output"] == "batch, seq_len, 2*hidden_size"
    assert found["h_0"] == found["c_n"] == "2*num_layers, batch, hidden_size"


def test_without_a_batch_no_axis_is_called_batch():
    found = words(
        small('module = "GRU", hidden_size = 2', "[4, 2]", "linear = {out_features = 1, from = 'h_n'}")
    )
    assert found["input"] == "seq_len, input_size"
    assert found["h_n"] == "num_layers, hidden_size"
    assert found["logits"] == "out_features"


def test_a_projection_is_the_size_of_h_and_not_of_c():
    found = words(small('module = "LSTM", hidden_size = 3, proj_size = 2'))
    assert found["h_n"] == "num_layers, batch, proj_size"
    assert found["c_n"] == "num_layers, batch, hidden_size"
    assert found["output"] == "seq_len, batch, proj_size"


# ── where torch keeps a state ────────────────────────────────────────────────────────────


def where(
    scenario: Scenario, layer: int, t: int, row: int = 0, direction: str = "forward", state: str = "h"
) -> str:
    block = next(
        one
        for one in build(scenario)
        if (one.kind, one.layer, one.direction) == ("recurrent", layer, direction)
    )
    return where_torch_keeps(scenario, 0, block, t, row, state).into("en")


@pytest.mark.parametrize(
    ("recurrent", "shape", "asked", "said"),
    [
        ("", "[4, 3, 2]", {"layer": 0, "t": 2, "row": 1}, "output[2,1]"),
        ("", "[4, 3, 2]", {"layer": 0, "t": 3, "row": 1}, "output[3,1] = h_n[0,1]"),
        (", batch_first = true", "[3, 4, 2]", {"layer": 0, "t": 3, "row": 2}, "output[2,3] = h_n[0,2]"),
        ("", "[4, 2]", {"layer": 0, "t": 3}, "output[3] = h_n[0]"),
        (", num_layers = 2", "[4, 3, 2]", {"layer": 1, "t": 3}, "output[3,0] = h_n[1,0]"),
        (
            ", num_layers = 2",
            "[4, 3, 2]",
            {"layer": 0, "t": 2},
            "torch does not return it; h_n[0,0] only after the last step",
        ),
        (", num_layers = 2", "[4, 3, 2]", {"layer": 0, "t": 3}, "h_n[0,0]"),
        (", bidirectional = true", "[4, 3, 2]", {"layer": 0, "t": 3}, "output[3,0,:2] = h_n[0,0]"),
        (
            ", bidirectional = true",
            "[4, 3, 2]",
            {"layer": 0, "t": 3, "direction": "backward"},
            "output[3,0,2:]",
        ),
        (
            ", bidirectional = true",
            "[4, 3, 2]",
            {"layer": 0, "t": 0, "direction": "backward"},
            "output[0,0,2:] = h_n[1,0]",
        ),
        (
            "",
            "[4, 3, 2]",
            {"layer": 0, "t": 1, "state": "c"},
            "torch does not return it; c_n[0,0] only after the last step",
        ),
        ("", "[4, 3, 2]", {"layer": 0, "t": 3, "state": "c"}, "c_n[0,0]"),
    ],
)
def test_where_torch_keeps_a_state(recurrent, shape, asked, said):
    assert where(small(f'module = "LSTM", hidden_size = 2{recurrent}', shape), **asked) == said


def test_a_packed_row_ends_at_its_own_length():
    scenario = small('module = "RNN", hidden_size = 2', of_input=", lengths = [4, 2, 1]")
    assert where(scenario, 0, 1, row=1) == "output[1,1] = h_n[0,1]"
    assert where(scenario, 0, 1, row=0) == "output[1,0]"


def test_padding_that_is_walked_over_ends_no_row():
    scenario = small('module = "RNN", hidden_size = 2', of_input=", lengths = [4, 2, 1], packed = false")
    assert where(scenario, 0, 1, row=1) == "output[1,1]"
    assert where(scenario, 0, 3, row=1) == "output[3,1] = h_n[0,1]"


def test_a_cells_loop_keeps_its_states():
    scenario = small('module = "LSTMCell", hidden_size = 2')
    assert where(scenario, 0, 2, row=1) == "the loop's h_3[1] (hx of step 4)"
    assert where(scenario, 0, 2, state="c") == "the loop's c_3[0] (cx of step 4)"
    assert where(scenario, 0, 3) == "the loop's h_4[0], its last: h_n[0]"
    assert (
        where(small('module = "RNNCell", hidden_size = 2', "[4, 2]"), 0, 2) == "the loop's h_3 (hx of step 4)"
    )


@pytest.mark.parametrize("name", ["rnn", "lstm", "batch_first", "bidirectional", "packed", "multilayer"])
def test_what_is_said_to_keep_a_state_does_keep_it(name):
    run = session_of(name).run
    done = run.trace.passes[0]
    arrays = {"output": done.output, "h_n": done.h_n, "c_n": done.c_n}
    for block_run in done.runs.values():
        block = block_run.block
        for t in range(done.batch.first.num_steps):
            rows = done.live_rows(block.key, t)
            for index, row in enumerate(range(done.batch.num_rows) if rows is None else rows.tolist()):
                for state in block.program.states:
                    said = where_torch_keeps(run.scenario, 0, block, t, row, state)
                    if "{place} only" in said.template:
                        continue
                    for place in said.into("en").split(" = "):
                        value = eval(place, {}, arrays)  # output[2,0,:4], as said
                        np.testing.assert_array_equal(value, done.value(block.key, state, t)[index])


# ── counts ───────────────────────────────────────────────────────────────────────────────


def test_parameters_are_counted_and_set_beside_other_layers():
    found = counts(small('module = "LSTM", hidden_size = 3', "[5, 1, 2]", "linear = {out_features = 4}"), 5)
    assert found.total == 4 * 3 * (2 + 3 + 1 + 1) + 4 * 3 + 4
    assert found.shared == 4 * 3 * (2 + 3)
    assert found.dense == (5 * 2) * (5 * 3)
    assert found.convolution == 2 * 3 * 3


def test_both_directions_leave():
    found = counts(small('module = "RNN", hidden_size = 3, bidirectional = true', "[5, 1, 2]"), 5)
    assert (found.leaving, found.dense, found.shared) == (6, 10 * 30, 2 * (6 + 9))


def test_of_several_sequences_each_has_its_own_weights_and_steps() -> None:
    scenario = complete(read_text(SEVERAL))
    encoder, decoder = counts(scenario, 3), counts(scenario, 4, "target")
    assert (encoder.shared, encoder.dense) == (3 * 3 * (2 + 3), 3 * 2 * 3 * 3)
    assert (decoder.shared, decoder.dense) == (3 * 3 * (1 + 3), 4 * 1 * 4 * 3)
    text = plain(info(Session.open(SessionRun.of(scenario)), Look(), 400))
    assert "every one of the 3 steps" in text
    assert "every one of the 4 steps" in text


COSTLY = """
[input]
random = {shape = [5, 2, 4], seed = 1}
lengths = [5, 3]
[[layers]]
name = "conv"
module = "Conv1d"
out_channels = 6
kernel_size = 3
padding = "same"
groups = 2
[[layers]]
name = "norm"
module = "LayerNorm"
[[layers]]
name = "scaled"
module = "BatchNorm1d"
[[layers]]
name = "gru"
module = "GRU"
hidden_size = 3
num_layers = 2
bidirectional = true
[[layers]]
name = "look"
module = "Attention"
score = "additive"
size = 7
query = "gru"
memory = "scaled"
[[layers]]
name = "top"
module = "Linear"
out_features = 2
[[layers]]
name = "end"
module = "Linear"
input = "gru.h_n"
out_features = 5
[[layers]]
name = "all"
module = "Linear"
input = ["top", "end"]
out_features = 1
[weights]
seed = 1
"""


def test_multiplications_are_those_of_the_formulas() -> None:
    """Of each module at a step of a row, and over all steps that rows take part in."""
    scenario = complete(read_text(COSTLY))
    found = {one.name: one for one in costs(scenario, Model(scenario).run().passes[0])}
    gru = sum(2 * (3 * 3 * (entering + 3) + 3 * 3) for entering in (6, 6))
    look = 7 * 6 * 5 + 7 * 6 + 7 * 5 + 5 + 6 * 5  # U_a of each step, W_a, v_a of each, quotients, the mixture
    each = {"conv": 6 * 2 * 3, "norm": 3 * 6 + 2, "scaled": 2 * 6, "gru": gru, "look": look, "top": 6 * 2}
    for name, number in each.items():
        assert found[name].parts == ((number, 8),), name
    assert found["end"].parts == ((6 * 5, 2),)
    assert (found["scaled"].parameters, found["scaled"].learnt) == (24, 12)
    assert found["look"].parameters == 7 * 6 + 7 * 6 + 7


def test_what_is_computed_once_of_a_batch_is_counted_once() -> None:
    """Mean and variance of BatchNorm1d in training mode: of 5 steps of 2 rows a quotient, 10 squares and a quotient each."""
    scenario = complete(
        read_text(
            "mode = 'train'\n[input]\nrandom = {shape = [5, 2, 3], seed = 1}\n[[layers]]\nname = 'norm'\n"
            "module = 'BatchNorm1d'\n[[layers]]\nmodule = 'RNN'\nhidden_size = 1\n[weights]\nseed = 1\n"
        )
    )
    (norm, _) = costs(scenario, Model(scenario).run().passes[0])
    assert norm.total == 3 + (10 * 3 + 3) + 10 * 2 * 3


def test_an_embedding_multiplies_nothing_and_what_is_tied_is_counted_once() -> None:
    scenario = complete(
        read_text(
            "[input]\nindices = [1, 2, 0]\n[[layers]]\nname = 'embed'\nmodule = 'Embedding'\nembedding_dim = 4\n"
            "[[layers]]\nmodule = 'LSTM'\nhidden_size = 4\n[[layers]]\nname = 'out'\nmodule = 'Linear'\n"
            "out_features = 3\nweight = 'embed.weight'\n[weights]\nseed = 1\n"
        )
    )
    found = {one.name: one for one in costs(scenario, Model(scenario).run().passes[0])}
    assert (found["embed"].parameters, found["embed"].total) == (12, 0)
    assert (found["out"].parameters, found["out"].parts) == (3, ((12, 3),))
    assert found["lstm"].parts == ((4 * 4 * (4 + 4) + 3 * 4, 3),)
    text = plain(info(Session.open(SessionRun.of(scenario)), Look(), 120))
    assert "tied: is embed.weight, counted there" in text


def test_where_modules_without_states_keep_their_values() -> None:
    scenario = complete(read_text(COSTLY))
    text = plain(info(Session.open(SessionRun.of(scenario)), Look(), 160))
    for place in ("conv(…)[0,:,4]", "norm(…)[4,0]", "scaled(…)[0,:,4]", "top(…)[4,0]", "end(…)[0]"):
        assert place in text
    assert "scaled.running_var, a buffer" in text


# ── the page ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", bundled.names())
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_row_is_wider_than_the_page_and_nothing_is_cut(name, language):
    session = session_of(name).right()
    whole = plain(info(session, Look(language=language), 400)).replace("\n", "").replace(" ", "")
    for cells in (20, 33, 50, 60, 80, 120, 160):
        rows = info(session, Look(language=language), cells)
        assert max(map(row_width, rows)) <= cells
        assert plain(rows).replace("\n", "").replace(" ", "") == whole
        assert {role for row in rows for span in row for role in span.style.split()} <= ROLES.keys()


def test_ascii_signs_only_in_english_but_for_the_square():
    text = plain(info(session_of("lstm_by_hand"), Look(alphabet=ASCII), 80))
    assert text.replace("²", "").isascii()


def test_the_page_says_what_confirms_and_how_the_run_stands():
    session = session_of("hello")
    assert "torch is on its way" in plain(info(session, Look(), 80))
    assert "torch is not available" in plain(info(session, Look(torch="failed"), 80))
    checked = check(session.run.trace)
    text = plain(info(session.with_checked(checked, 0), Look(), 120))
    assert "✓ agrees with torch" in text
    assert f"of the {float(f'{checked.tolerance:.2g}'):g}".replace("e-0", "e-") in text
    assert "along the run  output" in text
    assert "验证" in plain(info(session.with_checked(checked, 0), Look(language="zh"), 120))


def test_a_cell_of_ones_own_is_only_self_checked():
    text = plain(info(session_of("mgu"), Look(), 120))
    assert "torch.nn has no such module" in text
    assert "torch's own module confirms" not in text


def test_edits_stand_with_their_old_values_and_whether_they_are_saved():
    session = (
        session_of("rnn").edit_text("W_hh[0,1] = 0.5").edit_text("x[2] = 9").edit_text("W_hh[0,1] = 0.25")
    )
    text = plain(info(session, Look(), 100))
    assert "Edits in force (not saved)" in text
    assert text.count("W_hh[0,1]") == 1
    assert "W_hh[0,1] = 0.25" in text
    assert "weight_hh_l0[0,1]" in text
    assert "x[2] = 9" in text
    assert "step 1, row 0, batch 1" in text
    assert "Edits in force (saved)" in plain(info(session.saved_as("rnn"), Look(), 100))
    assert "Edits" not in plain(info(session.undo().undo().undo(), Look(), 100))


def test_the_batch_and_row_of_the_cursor_are_told():
    text = plain(info(session_of("windows").go("2:1").other_row(1), Look(), 100))
    assert "These are of batch 2 of 5." in text
    assert "of row 1 of the batch" in text


def test_where_a_state_is_kept_leads_to_its_place():
    targets = [
        span.target for row in info(session_of("bidirectional"), Look(), 100) for span in row if span.target
    ]
    assert targets
    session = session_of("bidirectional")
    for target in targets:
        assert session.go(target.removeprefix("go ")).note is None


def test_sources_of_weights_are_told():
    assert "torch.manual_seed(2)" in plain(info(session_of("hello"), Look(), 100))
    text = plain(info(session_of("initial_state"), Look(), 100))
    assert "(decimals: 1)" in text
    assert "Given in the scenario: W_ii" in plain(info(session_of("lstm_by_hand"), Look(), 100))


def test_the_precision_is_told():
    assert "float64" in plain(info(session_of("float64"), Look(), 100))
    assert replace(Look()).language == "en"


# ── Markdown ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("One `RNNCell` reads *hello*.", "One RNNCell reads hello."),
        ("**bold**, __bold__, _it_ and ***both***", "bold, bold, it and both"),
        ("h_prev and c_prev, 3 * 4 * 5, 2*3*4", "h_prev and c_prev, 3 * 4 * 5, 2*3*4"),
        ("`W_hh * h_prev * 2` and `` a`b ``", "W_hh * h_prev * 2 and  a`b "),
        ('[torch](https://pytorch.org "x") and ![a plot](p.png)', "torch and a plot"),
        ("# Title\ntext\ngoes on", "Title\ntext goes on"),
        ("- one\n  still one\n* two\n+ three\n1) four", "• one still one\n• two\n• three\n1. four"),
        ("para\n\n\n\npara", "para\n\npara"),
        ("```python\nh = *x*\n\ny\n```\nend", "h = *x*\n\ny\nend"),
        ("> quoted\n> on", "quoted on"),
        ("中文**重点**，\n接着说", "中文重点，接着说"),
        (r"\*not\* \_so\_", "*not* _so_"),
        ("a <b>tag</b> [@click=x] & &amp;", "a <b>tag</b> [@click=x] & &amp;"),
        ("", ""),
        ("*", "*"),
        ("\ue000`x`", "\ufffdx"),
    ],
)
def test_markdown_as_plain_text(marked, expected):
    assert plain_markdown(marked) == expected


@pytest.mark.parametrize("piece", ["*", "_", "**", "`", "[", "](", "\\", "*a ", "_a ", "`a "])
def test_long_markdown_of_marks_alone_is_read_at_once(piece):
    assert plain_markdown(piece * 5_000) is not None


def test_where_weights_are_a_files_it_is_said_what_the_file_does_not_hold(tmp_path):
    tensors = {"weight_ih_l0": (2, 2), "weight_hh_l0": (2, 2), "bias_ih_l0": (2,), "bias_hh_l0": (2,)}
    save_file(
        {name: np.ones(shape, np.float32) for name, shape in tensors.items()}, tmp_path / "w.safetensors"
    )
    text = 'input = {values = [[1.0, 2.0]]}\nrecurrent = {module = "RNN", hidden_size = 2}\n'
    for weights, is_said in (('file = "w.safetensors"', True), ("seed = 0", False)):
        (tmp_path / "s.toml").write_text(f"{text}[weights]\n{weights}\n")
        session = Session.open(SessionRun.of(read(tmp_path / "s.toml")))
        for language, words in (
            ("en", "first states, dropout and resets are this scenario's"),
            ("zh", "初始状态、dropout"),
        ):
            page = " ".join(plain(info(session, Look(language=language), 300)).split())
            assert (words in page) == is_said
