"""Several sequences in one file: [input.NAME], its messages, and the places of its steps."""

from __future__ import annotations

import numpy as np
import pytest

from rnnstep.errors import ScenarioError, UsageError
from rnnstep.scenario.read import read_text
from rnnstep.session.place import read_place, write_place
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session

# What the last layer gives follows from both: the target is read beside the final state of what is read first.
TEXT = """
vocabulary = ["<s>", "a", "b", "c"]
[input]
text = {source}
[input.target]
text = {target}
shift = "<s>"
{more}
[[layers]]
name = "encoder"
module = "GRU"
hidden_size = 3
[[layers]]
name = "decoder"
module = "GRU"
input = ["target", "encoder.h_n"]
hidden_size = 3
[[layers]]
module = "Linear"
[weights]
seed = 1
{end}
"""


def two(source='"abc"', target='"ca"', more="", end=""):
    return read_text(TEXT.format(source=source, target=target, more=more, end=end))


def refusal(*args, **options) -> str:
    with pytest.raises(ScenarioError) as caught:
        two(*args, **options)
    return str(caught.value)


# ── what is read ─────────────────────────────────────────────────────────────────────────────────


def test_a_shifted_sequence_is_fed_what_stood_before_and_is_wanted_as_it_was():
    scenario = two('["ab", "abc"]', '["cab", "b"]')
    (batch,) = scenario.batches
    fed = batch.sequences["target"]
    assert fed.indices.T.tolist() == [
        [0, 3, 1],
        [0, 0, 0],
    ]  # the second row has one step; behind it is padding
    assert fed.lengths == (3, 1)
    assert fed.values[1:, 1].tolist() == [[0] * 4] * 2
    assert batch.target.T.tolist() == [[3, 1, 2], [2, -100, -100]]
    assert scenario.target_vocabulary == ("<s>", "a", "b", "c")
    assert (batch.axis("input").num_steps, batch.axis("target").num_steps) == (3, 3)


def test_each_sequence_has_steps_of_its_own():
    done = SessionRun.of(two()).trace.passes[0]
    assert done.axis("encoder.L0").num_steps == 3
    assert done.axis("decoder.L0").num_steps == 2
    assert done.whole("decoder.L0").shape == (2, 1, 3)
    assert [(step.sequence, step.t) for step in SessionRun.of(two()).trace.steps] == [
        *(("input", t) for t in range(3)),
        *(("target", t) for t in range(2)),
    ]


def test_vectors_may_be_shifted():
    scenario = read_text("""
[input]
values = [[1.0], [2.0]]
[input.later]
values = [[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]]
shift = [9.0, 8.0]
[[layers]]
name = "encoder"
module = "RNN"
hidden_size = 2
[[layers]]
name = "decoder"
module = "RNN"
input = ["later", "encoder.h_n"]
hidden_size = 2
[weights]
seed = 0
""")
    (batch,) = scenario.batches
    assert batch.sequences["later"].values[:, 0].tolist() == [[9, 8], [0.5, 1.5], [2.5, 3.5]]
    np.testing.assert_array_equal(batch.target[:, 0], [[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]])
    assert scenario.loss is not None
    assert scenario.loss.name == "MSELoss"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": '["a", "b"]'}, "[input.target] has 1 rows, [input] has 2"),
        (
            {"more": "[input.backward]\ntext = 'a'"},
            "[input.backward]: places and tables use backward themselves",
        ),
        ({"more": "[input.spare]\ntext = 'a'"}, "no layer reads [input.spare]"),
        ({"more": "[input.windws]\nlength = 2"}, "`windws`: unknown key; did you mean `windows`?"),
        ({"more": "shfit = 1"}, "`shfit`: unknown key; did you mean `shift`?"),
        ({"more": "[input.encoder]\ntext = 'a'"}, "[input.encoder]: a layer is called encoder, too"),
    ],
)
def test_what_is_wrong_with_a_sequence_is_said(options, said):
    assert said in refusal(**options)


def test_what_has_other_steps_cannot_be_read_at_a_step():
    text = TEXT.format(source='"abc"', target='"ca"', more="", end="").replace("encoder.h_n", "encoder")
    with pytest.raises(ScenarioError, match="decoder reads `target`, `input` at the same step"):
        read_text(text)


@pytest.mark.parametrize("shift", ['"x"', "4", "-1", "[1.0]"])
def test_what_cannot_be_fed_first_is_said(shift):
    with pytest.raises(ScenarioError, match="`shift`"):
        read_text(
            TEXT.format(source='"a"', target='"b"', more="", end="").replace('"<s>"\n', f"{shift}\n", 1)
        )


def test_the_short_form_has_one_sequence():
    with pytest.raises(ScenarioError, match="no layer reads"):
        read_text(
            '[input]\nvalues = [[1.0]]\n[input.b]\nvalues = [[1.0]]\n[recurrent]\nmodule = "RNN"\nhidden_size = 1'
        )


# ── places ───────────────────────────────────────────────────────────────────────────────────────

ORDERS = {"time": "", "layer": '[display]\norder = "layer"'}


@pytest.mark.parametrize("order", ORDERS)
def test_all_steps_of_a_sequence_come_before_those_of_the_next(order):
    session = Session.open(SessionRun.of(two(end=ORDERS[order])))
    seen = []
    while (after := session.right()).note is None:
        session = after
        seen.append(session.place.partition("/")[0])
    forward = list(dict.fromkeys(place for place in seen if not place.startswith("backward")))
    back = list(dict.fromkeys(place for place in seen if place.startswith("backward")))
    assert forward == ["input:1", "input:2", "input:3", "target:1", "target:2"]
    assert back == ["backward:target:2", "backward:target:1", *(f"backward:input:{t}" for t in (3, 2, 1))]


@pytest.mark.parametrize("order", ORDERS)
def test_every_place_is_read_as_it_is_written(order):
    run = SessionRun.of(two(end=ORDERS[order]))
    tree, waiting, count = run.tree, [()], 0
    while waiting:
        path = waiting.pop()
        count += 1
        spot = tree.locate(path) if path else None
        if len(path) < tree.level("operation"):
            waiting += [(*path, number) for number in range(tree.count(path))]
        if spot is None or len(path) < tree.level("sequence"):
            continue
        assert read_place(tree, write_place(tree, path)) == path
        assert tree.path_to(spot) == path
    assert count > 100


def test_places_may_be_typed_short():
    session = Session.open(SessionRun.of(two()))
    assert session.go("target:2/decoder.L0/h[1]").place == "target:2/decoder.L0/h[1]"
    assert session.go("2/decoder.L0/h[1]").place == "target:2/decoder.L0/h[1]"  # the block says the sequence
    assert session.go("target:2/h").place == "target:2/decoder.L0/h"
    assert session.go("target:h_2").place == "target:2/decoder.L0/h"
    assert session.go("2").place == "input:2"
    assert session.go("target").place == "target:"
    assert session.go("target:2/decoder/hh_n[1]").place == "target:2/decoder.L0/hh_n[1]"
    with pytest.raises(UsageError, match="steps go from 1 to 2"):
        read_place(session.tree, "target:3")
    with pytest.raises(UsageError, match="did you mean `target`"):
        read_place(session.tree, "targt:2")
    with pytest.raises(UsageError, match="no sequence `source`"):
        read_place(session.tree, "backward:source:2")


def test_a_breakpoint_at_a_step_is_one_of_its_sequence():
    session = Session.open(SessionRun.of(two())).go("target:2").toggle_breakpoint()
    session = session.go("start")
    assert session.resume().place.startswith("target:2")


# ── what is handed out, and marked ───────────────────────────────────────────────────────────────


def test_json_and_npz_name_the_sequence(tmp_path):
    import rnnstep

    path = tmp_path / "two.toml"
    path.write_text(TEXT.format(source='["abc", "ab"]', target='["ca", "b"]', more="", end=""), "utf-8")
    found = rnnstep.trace(path).as_dict()
    assert set(found["input"]) == {"input", "target"}
    assert np.shape(found["input"]["target"]) == (2, 2, 4)
    assert [(one["block"], one["sequence"], one["t"]) for one in found["steps"]] == [
        *(("encoder", "input", t) for t in range(3)),
        *(("decoder", "target", t) for t in range(2)),
    ]
    assert found["agrees"] is True
    grad = rnnstep.grad(path).as_dict()
    assert {one["sequence"] for one in grad["states"]} == {"input", "target"}
    assert grad["agrees"] is True


ANSWER = """
decimals = 3
[[answer]]
{sequence}
step = 2
name = "h"
value = {value}
"""


@pytest.mark.parametrize(("sequence", "key"), [("target", "decoder.L0"), ("input", "encoder.L0")])
def test_an_answer_says_its_sequence(sequence, key, tmp_path):
    import rnnstep

    path, answers = tmp_path / "two.toml", tmp_path / "answers.toml"
    path.write_text(TEXT.format(source='"abc"', target='"ca"', more="", end=""), "utf-8")
    right = np.round(SessionRun.of(two()).trace.passes[0].value(key, "h", 1)[0], 3).tolist()
    answers.write_text(ANSWER.format(sequence=f'sequence = "{sequence}"', value=right), "utf-8")
    (marked,) = rnnstep.check(path, answers).as_dict()["answers"]
    assert marked["status"] == "correct"
    answers.write_text(ANSWER.format(sequence='sequence = "source"', value=right), "utf-8")
    with pytest.raises(ScenarioError, match="there is no sequence `source`; known are input, target"):
        rnnstep.check(path, answers)


def test_a_sheet_says_where_a_decoder_begins(capsys):
    from rnnstep.cli import main

    assert main(["worksheet", "seq2seq", "--key"]) == 0
    sheet = capsys.readouterr().out
    assert "decoder.L0 h_0 = encoder.L0 h_3" in sheet
    assert "`target x_1` = (1.00, 0.00, 0.00, 0.00)" in sheet
    assert "`decoder.L0 h_0` =" not in sheet  # it is worked out, and not given


def test_a_sequence_beside_the_first_is_drawn() -> None:
    """Its table of random numbers has the same keys as that of the first one."""
    text = "[input]\nvalues = [[[0.5]]]\n[input.target]\nrandom = {shape = [4, 1, 2], seed = 3}\n"
    text += '[[layers]]\nname = "encoder"\nmodule = "GRU"\nhidden_size = 2\n'
    text += '[[layers]]\nmodule = "GRU"\ninput = "target"\nh_0 = "encoder.h_n"\nhidden_size = 2\n[weights]\nseed = 1\n'
    drawn = np.random.default_rng(3).standard_normal((4, 1, 2))
    np.testing.assert_allclose(read_text(text).batches[0].sequences["target"].values, drawn, rtol=1e-6)


def test_x_of_each_sequence_can_be_edited_at_its_place():
    """Where x is given and not joined with what is computed; the run goes on from it."""
    text = TEXT.replace('input = ["target", "encoder.h_n"]', 'input = "target"\nh_0 = "encoder.h_n"')
    scenario = read_text(text.format(source='"abc"', target='"ca"', more="", end=""))
    session = Session.open(SessionRun.of(scenario)).go("target:2/decoder.L0/ih_r[0]")
    edited = session.edit_text("x[1] = 0.5")
    assert edited.run.scenario.batches[0].beside["target"].values[1, 0].tolist() == [0.0, 0.5, 0.0, 1.0]
    before, after = (one.run.trace.passes[0] for one in (session, edited))
    assert (before.values("decoder.L0", 1)["h"] != after.values("decoder.L0", 1)["h"]).any()
    np.testing.assert_array_equal(before.values("encoder.L0", 1)["h"], after.values("encoder.L0", 1)["h"])
    assert (
        session.edit_text("x[1] = 0.5").undo().run.scenario.batches[0].beside["target"].values[1, 0, 1] == 0
    )


def test_a_key_below_a_sequence_is_told_like_one_below_the_input():
    """[input.NAME.windows] has the keys of [input.windows]."""
    text = """
    [input]
    values = [[1.0], [2.0]]
    [input.other]
    values = [[1.0], [2.0], [3.0], [4.0]]
    windows = {lenght = 2}
    [[layers]]
    name = "below"
    module = "GRU"
    hidden_size = 2
    [[layers]]
    module = "GRU"
    input = "other"
    h_0 = "below.h_n"
    hidden_size = 2
    [weights]
    seed = 1
    """
    with pytest.raises(ScenarioError, match="`lenght`: unknown key; did you mean `length`"):
        read_text(text)
