"""Sequences that a layer feeds: each beside a loop of torch's cells written by hand, which feeds itself step by step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rnnstep
from rnnstep.engine import Model, feeding
from rnnstep.errors import ScenarioError
from rnnstep.reference import check, check_gradients, complete
from rnnstep.scenario.bundled import find
from rnnstep.scenario.data.feeding import as_given
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read, read_text
from tests.oracle.programs import agrees, scenario_in

LETTERS = 'vocabulary = ["h", "e", "l", "o", "."]\n'
ALONE = (
    LETTERS
    + """
[input]
feed = "linear"
first = "h"
steps = {steps}
{more}
{target}
[recurrent]
module = "GRU"
hidden_size = 5
[linear]
[weights]
seed = {seed}
[display]
dtype = "float64"
"""
)
DECODER = (
    LETTERS
    + """
[input]
text = ["hello", "ole"]
[input.said]
feed = "head"
first = ["h", "o"]
steps = {steps}
{more}
{target}
[[layers]]
module = "Embedding"
name = "embed"
embedding_dim = 3
[[layers]]
name = "encoder"
module = "GRU"
hidden_size = 4
[[layers]]
name = "embed_said"
module = "Embedding"
input = "said"
embedding_dim = 3
weight = "embed.weight"
[[layers]]
name = "decoder"
module = "LSTM"
hidden_size = 4
h_0 = "encoder.h_n"
[[layers]]
name = "head"
module = "Linear"
[weights]
seed = {seed}
[display]
dtype = "float64"
"""
)
TARGETS = {
    "alone": "[target]\nindices = {}\n",
    "decoder": "[target]\nindices = {}\n",
}
RULES = {
    "the largest": "",
    "mixed": "teacher = {ratio = 0.5, seed = 1}",
    "drawn": "sample = {temperature = 1.5, seed = 3}",
    "drawn and ended": 'sample = {temperature = 3.0, seed = 5}\nuntil = "."',
    "mixed and drawn": "teacher = {ratio = 0.4, seed = 2}\nsample = {seed = 3}",
}


def wanted(name, steps):
    rng = np.random.default_rng(8)
    return rng.integers(0, 5, (steps, 1 if name == "alone" else 2))


def text_of(name, rule="the largest", *, steps=6, seed=4, has_target=True):
    target = TARGETS[name].format(wanted(name, steps).tolist()) if has_target else ""
    return {"alone": ALONE, "decoder": DECODER}[name].format(
        steps=steps, more=RULES[rule], target=target, seed=seed
    )


def scenario_of(*args, **options):
    scenario = read_text(text_of(*args, **options))
    return complete(scenario) if scenario.pending else scenario


class ByHand:
    """The loop as a user of torch writes it: classes said, scores, and the loss."""

    def __init__(self, name, rule, scenario, parameters=None):
        self.name, self.rule = name, rule
        given = scenario.parameters if parameters is None else parameters
        self.parameters = {key: torch.tensor(value, requires_grad=True) for key, value in given.items()}
        self.steps = scenario.batches[0].sequences["input" if name == "alone" else "said"].num_steps
        self.wanted = torch.tensor(wanted(name, self.steps))

    def cell(self, module, before):
        own = {
            key.removeprefix(before).removesuffix("_l0"): value
            for key, value in self.parameters.items()
            if key.startswith(before) and "_l0" in key
        }
        return lambda *args: torch.func.functional_call(module.double(), own, args)

    def linear(self, key, x):
        return nn.functional.linear(x, self.parameters[f"{key}.weight"], self.parameters[f"{key}.bias"])

    def run(self):
        if self.name == "alone":
            cell, h = self.cell(nn.GRUCell(5, 5), ""), torch.zeros(1, 5, dtype=torch.float64)
            said = torch.tensor([0])

            def step(classes, h):
                h = cell(nn.functional.one_hot(classes, 5).double(), h)
                return self.linear("linear", h), h

            state = h
        else:
            table = self.parameters["embed.weight"]
            encoder, end = self.cell(nn.GRUCell(3, 4), "encoder."), []
            for word in ("hello", "ole"):
                h = torch.zeros(1, 4, dtype=torch.float64)
                for letter in word:
                    h = encoder(table["helo.".index(letter)][None], h)
                end.append(h)
            cell = self.cell(nn.LSTMCell(3, 4), "decoder.")

            def step(classes, state):
                h, c = cell(table[classes], state)
                return self.linear("head", h), (h, c)

            state = torch.cat(end), torch.zeros(2, 4, dtype=torch.float64)
            said = torch.tensor([0, 3])
        teacher = {"mixed": (0.5, 1), "mixed and drawn": (0.4, 2)}.get(self.rule)
        is_told = (
            None if teacher is None else np.random.default_rng(teacher[1]).random(self.steps) < teacher[0]
        )
        drawn = {"drawn": (1.5, 3), "drawn and ended": (3.0, 5), "mixed and drawn": (1.0, 3)}.get(self.rule)
        rng = None if drawn is None else np.random.default_rng(drawn[1])
        fed, scores, answers = [], [], []
        for t in range(self.steps):
            if t:
                said = self.wanted[t - 1] if is_told is not None and is_told[t] else answers[-1]
            fed.append(said)
            logits, state = step(said, state)
            scores.append(logits)
            if drawn is None:
                answers.append(logits.argmax(-1))
            else:
                cumulated = torch.softmax(logits / drawn[0], -1).cumsum(-1).detach().numpy()
                draws = rng.random(len(cumulated))
                answers.append(
                    torch.tensor([int(np.argmax(row > u)) for row, u in zip(cumulated, draws, strict=True)])
                )
        self.fed, self.answers = torch.stack(fed).numpy(), torch.stack(answers).numpy()
        self.scores = torch.stack(scores)
        target = self.wanted.clone()
        self.lengths = [self.steps] * target.shape[1]
        if self.rule == "drawn and ended":
            for row in range(target.shape[1]):
                ends = np.flatnonzero(self.answers[:, row] == 4)
                if len(ends):
                    self.lengths[row] = int(ends[0]) + 1
                    target[self.lengths[row] :, row] = -100
        return nn.CrossEntropyLoss()(self.scores.reshape(-1, 5), target.reshape(-1))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", TARGETS)
def test_what_is_fed_scores_and_gradients_are_those_of_the_loop_by_hand(name, rule):
    scenario = scenario_of(name, rule)
    hand = ByHand(name, rule, scenario)
    loss = hand.run()
    loss.backward()
    model = Model(scenario)
    done = model.run_batch(0)
    fed = done.batch.sequences["input" if name == "alone" else "said"]
    assert list(fed.true_lengths) == hand.lengths
    for row, length in enumerate(hand.lengths):
        assert fed.indices[:length, row].tolist() == hand.fed[:length, row].tolist()
        expected = hand.scores.detach().numpy()[:length, row]
        np.testing.assert_allclose(done.scores[:length, row], expected, rtol=0, atol=1e-13)
    assert done.loss == pytest.approx(loss.item(), rel=1e-12)
    back = model.backward(done)
    for key, parameter in hand.parameters.items():
        np.testing.assert_allclose(
            back.parameters[key], parameter.grad.numpy(), rtol=0, atol=1e-13, err_msg=key
        )
    assert check(model.run()).faults == ()
    assert check_gradients(done, back).faults == ()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 30), name=st.sampled_from(list(TARGETS)))
def test_any_network_goes_the_way_that_the_loop_goes(seed, steps, name):
    scenario = scenario_of(name, "drawn", seed=seed, steps=steps)
    hand = ByHand(name, "drawn", scenario)
    with torch.no_grad():
        hand.run()
    done = Model(scenario).run_batch(0)
    fed = done.batch.sequences["input" if name == "alone" else "said"]
    assert fed.indices.tolist() == hand.fed.tolist()
    assert done.prediction.tolist() == hand.answers.tolist()


@pytest.mark.parametrize("rule", [rule for rule in RULES if "ended" not in rule])
@pytest.mark.parametrize("name", TARGETS)
def test_each_epoch_feeds_what_the_network_says_by_then(name, rule, tmp_path):
    path = tmp_path / "network.toml"
    path.write_text(text_of(name, rule) + "[training]\nlr = 1.0\nepochs = 6\n")
    trained = rnnstep.train(path).as_dict()
    assert trained["agrees"]
    parameters = dict(scenario_of(name, rule).parameters)
    for epoch in trained["epochs"]:
        hand = ByHand(name, rule, scenario_of(name, rule), parameters)
        loss = hand.run()
        loss.backward()
        assert epoch["loss"] == pytest.approx(loss.item(), rel=1e-9)
        parameters = {key: (value - value.grad).detach().numpy() for key, value in hand.parameters.items()}


def test_a_class_that_torch_would_not_have_been_fed_is_told():
    scenario = scenario_of("alone")
    model = Model(scenario)
    batch = model.scenario.batches[0]
    indices = batch.indices.copy()
    indices[3] = (indices[3] + 1) % 5
    values = np.eye(5)[indices]
    wrong = Model(replace(scenario, batches=(replace(batch, values=values, indices=indices),)))
    wrong.__dict__["scenario"] = wrong._given_scenario  # as if it had been found so
    ((_, fault),) = check(wrong.run()).faults
    assert fault.kind == "fed"
    assert fault.place.startswith("3/linear/logits")


@pytest.mark.parametrize("training", ["", '[training]\noptimizer = "Adam"\nlr = 0.1\nepochs = 4\n'])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", TARGETS)
def test_the_program_feeds_itself_and_gives_the_same_numbers(name, rule, training, tmp_path):
    if not (training and "ended" in rule):
        agrees(scenario_in(tmp_path, text_of(name, rule) + training))


def test_the_program_of_rows_first_feeds_itself_too(tmp_path):
    text = text_of("decoder", "mixed and drawn").replace('"GRU"', '"GRU"\nbatch_first = true')
    text = text.replace('"LSTM"', '"LSTM"\nbatch_first = true')
    old = f"indices = {wanted('decoder', 6).tolist()}"
    agrees(scenario_in(tmp_path, text.replace(old, f"indices = {wanted('decoder', 6).T.tolist()}")))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", TARGETS)
def test_it_is_written_and_reads_back(name, rule, tmp_path):
    live = replace(scenario_of(name, rule), path=None, file_text=None, origins=Origins())
    write_scenario(live, tmp_path / "written.toml")
    assert difference(as_given(live), read(tmp_path / "written.toml")) is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('feed = "linear"', 'feed = "linaer"', "did you mean `linear`?"),
        ('first = "h"', "", "`first` is missing"),
        ('first = "h"', 'first = "x"', "`first`"),
        ("steps = 6", "", "`steps` is missing"),
        ("steps = 6", "steps = 6\ntext = 'hell'", "there is `feed` already"),
        ('feed = "linear"', 'text = "hellos"', "`first` needs `feed`"),
        ('module = "GRU"', 'module = "GRU"\nbidirectional = true', "reads later steps"),
        ("[linear]", '[linear]\nfrom = "h_n"', "has no step for each"),
        ("[linear]", "[linear]\nout_features = 6", "says 6 classes"),
        ("steps = 6", "steps = 6\nteacher = [true]", "6 of true or false"),
        ("steps = 6", "steps = 6\nsample = {temperature = 0}", "`temperature`"),
        ("steps = 6", "steps = 6\nuntil = 9", "`until`"),
        ("steps = 6", "steps = 6\nlengths = [3]", "`lengths`"),
    ],
)
def test_what_cannot_be_fed_is_told(old, new, words):
    with pytest.raises(ScenarioError) as told:
        read_text(text_of("alone", has_target=False).replace(old, new))
    assert words in str(told.value)


def test_statistics_of_a_batch_cannot_be_fed_back():
    text = text_of("decoder", has_target=False).replace(
        '[[layers]]\nname = "head"', '[[layers]]\nmodule = "BatchNorm1d"\n[[layers]]\nname = "head"'
    )
    with pytest.raises(ScenarioError, match="batchnorm1d reads later steps"):
        read_text(f'mode = "train"\n{text}')


def test_a_teacher_needs_a_target():
    with pytest.raises(ScenarioError, match="`teacher` needs"):
        read_text(text_of("alone", "mixed", has_target=False))


def said_by(text):
    """What the bundled model is fed, and what it says, up to its end."""
    done = Model(read_text(text)).run_batch(0)
    (length,) = done.batch.first.true_lengths
    return [
        "".join("helo."[index] for index in classes[:length, 0].tolist())
        for classes in (done.batch.first.indices, done.prediction)
    ]


def test_the_words_of_the_model_that_goes_on_by_itself_are_true():
    text = find("generate").read_text("utf-8")
    assert said_by(text) == ["hello", "ello."]
    forgetful = text
    for row in ("[0.2, 0.2, -1.0]", "[0.1, -0.1, -1.0]", "[0.5, 0.6, 0.1]"):
        assert row in forgetful
        forgetful = forgetful.replace(row, "[0.0, 0.0, 0.0]")
    assert said_by(forgetful) == ["hellllll", "elllllll"]
    drawn = text.replace('until = "."', 'until = "."\nsample = {temperature = 2.0, seed = 2}')
    assert said_by(drawn)[1] == "elllo."


def test_the_model_that_goes_on_by_itself_is_a_loop_over_torchs_cell():
    scenario = read(find("generate"))
    rnn, linear = nn.RNNCell(5, 3), nn.Linear(3, 5)
    given = {name: torch.tensor(value) for name, value in scenario.parameters.items()}
    own = {name.removesuffix("_l0"): one for name, one in given.items() if "linear" not in name}
    rnn.load_state_dict({"bias_hh": torch.zeros(3), **own})
    linear.load_state_dict(
        {name.removeprefix("linear."): one for name, one in given.items() if "linear" in name}
    )
    said, h, scores = torch.tensor([0]), torch.zeros(1, 3), []
    with torch.no_grad():
        while int(said) != 4:
            h = rnn(nn.functional.one_hot(said, 5).float(), h)
            scores.append(linear(h))
            said = scores[-1].argmax(-1)
    done = Model(scenario).run_batch(0)
    np.testing.assert_allclose(done.scores[:5], torch.stack(scores).numpy(), rtol=0, atol=1e-6)
    assert len(scores) == 5


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", TARGETS)
def test_what_is_found_step_by_step_needs_no_second_guess(name, rule, monkeypatch):
    scenario = scenario_of(name, rule, steps=30)
    drawn = {
        key: 25 * value for key, value in scenario.parameters.items()
    }  # each letter decides all that follow
    scenario = scenario.with_parameters(drawn)
    hand = ByHand(name, rule, scenario)
    with torch.no_grad():
        hand.run()
    monkeypatch.setattr(feeding, "MOST_GUESSES", 0)
    model, runs = Model(scenario), []
    guessed = model._guessed
    monkeypatch.setattr(model, "_guessed", lambda *given: runs.append(given) or guessed(*given))
    fed = model.run_batch(0).batch.sequences["input" if name == "alone" else "said"]
    assert len(runs) == 1
    for row, length in enumerate(hand.lengths):
        assert fed.indices[:length, row].tolist() == hand.fed[:length, row].tolist()
