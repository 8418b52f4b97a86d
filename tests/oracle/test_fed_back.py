"""`NAME.h_prev`, a state fed back from the step before: each network beside a module written with torch, a loop over its cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
from rnnstep.errors import ScenarioError
from rnnstep.reference import check, check_gradients
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text

TAIL = """
[weights]
seed = 3
[display]
dtype = "{dtype}"
"""
TARGET = np.random.default_rng(2).uniform(-1, 1, (4, 2, 3)).round(2)
ALONG_INPUT = f"""
[target]
values = {TARGET.tolist()}
[loss]
reduction = "sum"
over_time = "together"
{TAIL}"""

# ── attention in a decoder ───────────────────────────────────────────────────────────────────────

ATTENTION = f"""
vocabulary = ["<s>", "a", "b", "c"]
[input]
text = ["abca", "b", "ca"]
[input.target]
text = ["cb", "acbab", "b"]
shift = "<s>"
[[layers]]
name = "embed"
module = "Embedding"
embedding_dim = 3
[[layers]]
name = "encoder"
module = "GRU"
hidden_size = 4
[[layers]]
name = "embed_y"
module = "Embedding"
input = "target"
weight = "embed.weight"
embedding_dim = 3
[[layers]]
name = "attention"
module = "Attention"
score = "{{score}}"
{{size}}
query = "decoder.h_prev"
memory = "encoder.output"
[[layers]]
name = "decoder"
module = "GRUCell"
input = ["embed_y", "attention"]
h_0 = "encoder.h_n"
hidden_size = 4
[[layers]]
module = "Linear"
[loss]
over_time = "together"
{TAIL}"""
SCORES = {"dot": "", "scaled_dot": "", "general": "", "additive": "size = 5"}


class Attention(nn.Module):
    """Of one step: a query (B, n) over a memory (B, S, n)."""

    def __init__(self, score):
        super().__init__()
        self.score = score
        if score == "general":
            self.W_a = nn.Parameter(torch.empty(4, 4))
        if score == "additive":
            self.W_a, self.U_a = nn.Parameter(torch.empty(5, 4)), nn.Parameter(torch.empty(5, 4))
            self.v_a = nn.Parameter(torch.empty(5))

    def forward(self, query, memory, live):
        match self.score:
            case "dot":
                scores = torch.einsum("bn,bsn->bs", query, memory)
            case "scaled_dot":
                scores = torch.einsum("bn,bsn->bs", query, memory) / 4**0.5
            case "general":
                scores = torch.einsum("bq,qm,bsm->bs", query, self.W_a, memory)
            case _:
                mixed = torch.tanh((query @ self.W_a.T)[:, None] + memory @ self.U_a.T)
                scores = mixed @ self.v_a
        weights = torch.softmax(scores.masked_fill(~live, -torch.inf), -1)
        return torch.einsum("bs,bsn->bn", weights, memory)


class Translator(nn.Module):
    """Encoder, attention that is asked with the decoder's state, decoder."""

    def __init__(self, score):
        super().__init__()
        self.embed, self.encoder = nn.Embedding(4, 3), nn.GRU(3, 4)
        self.attention, self.decoder, self.linear = Attention(score), nn.GRUCell(7, 4), nn.Linear(4, 4)

    def forward(self, source, source_lengths, fed, fed_lengths):
        packed = nn.utils.rnn.pack_padded_sequence(self.embed(source), source_lengths, enforce_sorted=False)
        output, h_n = self.encoder(packed)
        memory = nn.utils.rnn.pad_packed_sequence(output)[0].transpose(0, 1)
        live = torch.arange(len(source)) < source_lengths[:, None]
        h, outputs = h_n[0], []
        for t, letters in enumerate(fed):
            x = torch.cat([self.embed(letters), self.attention(h, memory, live)], -1)
            alive = (t < fed_lengths)[:, None]
            new = self.decoder(x, h)
            h = torch.where(alive, new, h)
            outputs.append(torch.where(alive, new, 0))
        return self.linear(torch.stack(outputs))


def close(found, expected, name=""):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10, err_msg=name)


def filled(module, scenario):
    """The module with the scenario's parameters."""
    module.double().load_state_dict(
        {name: torch.tensor(value, dtype=torch.float64) for name, value in scenario.parameters.items()}
    )
    return module


@pytest.mark.parametrize("score", SCORES)
def test_attention_that_is_asked_with_the_decoders_state(score):
    from rnnstep.reference import complete

    scenario = complete(read_text(ATTENTION.format(score=score, size=SCORES[score], dtype="float64")))
    model = Model(scenario)
    done = model.run_batch()
    back = model.backward(done)
    by_hand = filled(Translator(score), scenario)
    source = torch.tensor([[1, 2, 3], [2, 0, 1], [3, 0, 0], [1, 0, 0]])
    fed = torch.tensor([[0, 0, 0], [3, 1, 0], [0, 3, 0], [0, 2, 0], [0, 1, 0]])
    target = torch.tensor([[3, 1, 2], [2, 3, -100], [-100, 2, -100], [-100, 1, -100], [-100, 2, -100]])
    logits = by_hand(source, torch.tensor([4, 1, 2]), fed, torch.tensor([2, 5, 1]))
    loss = nn.functional.cross_entropy(logits.reshape(-1, 4), target.reshape(-1))
    loss.backward()
    close(done.logits, logits.detach().numpy())
    assert abs(done.loss - loss.item()) < 1e-12
    for name, parameter in by_hand.named_parameters():
        close(back.parameters[name], parameter.grad.numpy(), name)


# ── other circles ────────────────────────────────────────────────────────────────────────────────

FEEDBACK = f"""
[input]
random = {{{{shape = [4, 2, 3], seed = 1}}}}
lengths = [4, 2]
packed = {{packed}}
[[layers]]
name = "told"
module = "Linear"
input = "cell.h_prev"
out_features = 2
[[layers]]
name = "squashed"
module = "Tanh"
[[layers]]
name = "cell"
module = "LSTMCell"
input = ["input", "squashed"]
hidden_size = 3
[[layers]]
module = "Linear"
out_features = 3
{ALONG_INPUT}"""
EACH_OTHER = f"""
[input]
random = {{{{shape = [4, 2, 3], seed = 1}}}}
lengths = [4, 2]
packed = {{packed}}
[[layers]]
name = "one"
module = "GRUCell"
input = ["input", "two.h_prev"]
hidden_size = 3
[[layers]]
name = "two"
module = "RNNCell"
input = ["one.h_prev", "input", "two.h_prev"]
hidden_size = 2
[[layers]]
module = "Linear"
input = ["one", "two", "one.h_prev"]
out_features = 3
[initial_state.one]
h_0 = [[0.5, -0.25, 0.125], [0.1, 0.2, 0.3]]
{ALONG_INPUT}"""
STACK = f"""
[input]
random = {{{{shape = [4, 2, 3], seed = 1}}}}
lengths = [4, 2]
packed = {{packed}}
[[layers]]
name = "outer"
module = "LSTM"
hidden_size = 3
num_layers = 2
[[layers]]
name = "norm"
module = "LayerNorm"
input = "stack.h_prev"
[[layers]]
name = "low"
module = "RNN"
input = ["input", "norm"]
hidden_size = 3
add = "outer"
[[layers]]
name = "stack"
module = "LSTM"
hidden_size = 3
num_layers = 2
h_0 = "outer.h_n"
c_0 = "outer.c_n"
add = ["low", "stack.h_prev"]
[[layers]]
module = "Linear"
input = ["stack", "stack.h_n", "stack.c_n"]
out_features = 3
{ALONG_INPUT}"""


CELL_LAST = f"""
[input]
random = {{{{shape = [4, 2, 3], seed = 1}}}}
lengths = [4, 2]
packed = {{packed}}
[[layers]]
name = "norm"
module = "LayerNorm"
input = "cell.h_prev"
[[layers]]
name = "cell"
module = "GRU"
input = ["input", "norm"]
hidden_size = 3
{ALONG_INPUT}"""
PLAIN_LAST = f"""
[input]
random = {{{{shape = [4, 2, 3], seed = 1}}}}
lengths = [4, 2]
packed = {{packed}}
[[layers]]
name = "cell"
module = "RNNCell"
input = ["input", "told"]
hidden_size = 2
[[layers]]
name = "told"
module = "Linear"
input = ["cell.h_prev", "input"]
out_features = 3
{ALONG_INPUT}"""


class CellLast(nn.Module):
    """What the cell gives is compared with the target itself."""

    def __init__(self):
        super().__init__()
        self.norm, self.cell = nn.LayerNorm(3), nn.GRU(6, 3)

    def forward(self, x, alive):
        state = fed = x.new_zeros(1, 2, 3)
        outputs = []
        for x_t, alive_t in zip(x, alive, strict=True):
            new = self.cell(torch.cat([x_t, self.norm(fed[0])], -1)[None], state)[1]
            state, fed = torch.where(alive_t, new, state), torch.where(alive_t, new, 0)
            outputs.append(fed[0])
        return torch.stack(outputs)


class PlainLast(nn.Module):
    """What is compared stands before the cell in each step."""

    def __init__(self):
        super().__init__()
        self.cell, self.told = nn.RNNCell(6, 2), nn.Linear(5, 3)

    def forward(self, x, alive):
        h, outputs = x.new_zeros(2, 2), []
        for x_t, alive_t in zip(x, alive, strict=True):
            outputs.append(self.told(torch.cat([h, x_t], -1)))
            h = torch.where(alive_t, self.cell(torch.cat([x_t, outputs[-1]], -1), h), 0)
        return torch.stack(outputs)


class Feedback(nn.Module):
    """What a cell said goes back into it."""

    def __init__(self):
        super().__init__()
        self.told, self.cell, self.linear = nn.Linear(3, 2), nn.LSTMCell(5, 3), nn.Linear(3, 3)

    def forward(self, x, alive):
        h = c = x.new_zeros(2, 3)
        outputs = []
        for x_t, alive_t in zip(x, alive, strict=True):
            new = self.cell(torch.cat([x_t, torch.tanh(self.told(h))], -1), (h, c))
            c = torch.where(alive_t, new[1], c)
            h = torch.where(alive_t, new[0], 0)
            outputs.append(h)
        return self.linear(torch.stack(outputs))


class EachOther(nn.Module):
    """Two cells that read each other's states of the step before, the second its own as well."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.linear = nn.GRUCell(5, 3), nn.RNNCell(8, 2), nn.Linear(8, 3)

    def forward(self, x, alive):
        one = torch.tensor([[0.5, -0.25, 0.125], [0.1, 0.2, 0.3]], dtype=x.dtype)
        two, outputs = x.new_zeros(2, 2), []
        for x_t, alive_t in zip(x, alive, strict=True):
            new_one = torch.where(alive_t, self.one(torch.cat([x_t, two], -1), one), 0)
            new_two = torch.where(alive_t, self.two(torch.cat([one, x_t, two], -1), two), 0)
            outputs.append(torch.cat([new_one, new_two, one], -1))
            one, two = new_one, new_two
        return self.linear(torch.stack(outputs))


class Stack(nn.Module):
    """Two layers in a loop, what is added to them, and whole modules that are called step by step."""

    def __init__(self):
        super().__init__()
        self.outer, self.norm, self.low = nn.LSTM(3, 3, 2), nn.LayerNorm(3), nn.RNN(6, 3)
        self.stack, self.linear = nn.LSTM(3, 3, 2), nn.Linear(9, 3)

    def forward(self, x, alive):
        lengths = alive[..., 0].sum(0)
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        outer, state = self.outer(packed)
        outer = nn.utils.rnn.pad_packed_sequence(outer, total_length=4)[0]
        low, fed, outputs = x.new_zeros(1, 2, 3), state[0][1], []
        for t in range(4):
            _, new_low = self.low(torch.cat([x[t], self.norm(fed)], -1)[None], low)
            low = torch.where(alive[t], new_low, low)
            low_out = torch.where(alive[t], new_low, 0)[0] + outer[t]
            new, new_state = self.stack(low_out[None], state)
            state = tuple(torch.where(alive[t], one, old) for one, old in zip(new_state, state, strict=True))
            new = torch.where(alive[t], new[0], 0)
            outputs.append(new + low_out + fed)
            fed = new
        whole = torch.stack(outputs)
        ends = (state[0][1].expand(4, 2, 3), state[1][1].expand(4, 2, 3))
        return self.linear(torch.cat([whole, *ends], -1))


CIRCLES = {
    "feedback": (FEEDBACK, Feedback),
    "each other": (EACH_OTHER, EachOther),
    "stack": (STACK, Stack),
    "cell last": (CELL_LAST, CellLast),
    "plain last": (PLAIN_LAST, PlainLast),
}


def circle(name, *, packed=False, dtype="float64"):
    return read_text(CIRCLES[name][0].format(packed=str(packed).lower(), dtype=dtype))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", CIRCLES)
def test_a_circle_of_modules_is_a_loop_over_torchs(name, packed):
    scenario = circle(name, packed=packed)
    model = Model(scenario)
    done = model.run_batch()
    back = model.backward(done)
    by_hand = filled(CIRCLES[name][1](), scenario)
    alive = torch.arange(4)[:, None, None] < torch.tensor([4, 2 if packed else 4])[:, None]
    scores = by_hand(torch.tensor(scenario.batches[0].values), alive)
    loss = nn.functional.mse_loss(scores, torch.tensor(TARGET), reduction="sum")
    loss.backward()
    close(done.scores, scores.detach().numpy())
    for key, parameter in by_hand.named_parameters():
        close(back.parameters[key], parameter.grad.numpy(), key)


# ── torch's run ──────────────────────────────────────────────────────────────────────────────────


def every_network(dtype="float64"):
    yield from (circle(name, packed=packed, dtype=dtype) for name in CIRCLES for packed in (False, True))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", CIRCLES)
def test_torchs_own_run_is_that_of_the_module_written_by_hand(name, packed):
    from rnnstep.reference.run.forward import run_reference
    from rnnstep.reference.run.gradients import run_gradients

    scenario = circle(name, packed=packed)
    done = Model(scenario).run_batch()
    by_hand = filled(CIRCLES[name][1](), scenario)
    alive = torch.arange(4)[:, None, None] < torch.tensor([4, 2 if packed else 4])[:, None]
    scores = by_hand(torch.tensor(scenario.batches[0].values), alive)
    loss = nn.functional.mse_loss(scores, torch.tensor(TARGET), reduction="sum")
    loss.backward()
    close(run_reference(done).scores, scores.detach().numpy())
    gradients = run_gradients(done)
    assert gradients.loss == pytest.approx(loss.item(), abs=1e-12)
    assert gradients.stepped_loss == pytest.approx(loss.item(), abs=1e-12)
    for key, parameter in by_hand.named_parameters():
        close(gradients.parameters[key], parameter.grad.numpy(), key)
        close(gradients.stepped_parameters[key], parameter.grad.numpy(), key)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", CIRCLES)
def test_torchs_run_agrees(name, packed, dtype):
    trace = Model(circle(name, packed=packed, dtype=dtype)).run()
    (compared,) = check(trace).compared
    assert not compared.faults
    assert compared.parting is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", CIRCLES)
def test_autograd_agrees(name, packed, dtype):
    model = Model(circle(name, packed=packed, dtype=dtype))
    done = model.run_batch()
    compared = check_gradients(done, model.backward(done))
    assert not compared.faults
    assert compared.parting is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("score", SCORES)
def test_torch_agrees_on_attention_forth_and_back(score, dtype):
    from rnnstep.reference import complete

    model = Model(complete(read_text(ATTENTION.format(score=score, size=SCORES[score], dtype=dtype))))
    trace = model.run()
    assert not check(trace).compared[0].faults
    assert not check_gradients(trace.passes[0], model.backward(trace.passes[0])).faults


# ── what cannot be ───────────────────────────────────────────────────────────────────────────────

BOTH = 'module = "LSTMCell"', 'module = "LSTM"\nbidirectional = true'


@pytest.mark.parametrize(
    ("changes", "line", "words"),
    [
        ([('"cell.h_prev"', '"squashed.h_prev"')], "input =", "squashed is no recurrent module"),
        ([('"cell.h_prev"', '"cell"')], "[[layers]]", "reads itself at the same step"),
        ([('"cell.h_prev"', '"cel.h_prev"')], "input =", "did you mean `cell`?"),
        ([BOTH], "input =", "cell goes in both directions"),
        (
            [("hidden_size = 3\n", 'hidden_size = 3\nh_0 = "cell.h_prev"\n')],
            "h_0 =",
            "a first state is there once",
        ),
        (
            [('module = "Tanh"', 'module = "Conv1d"\nkernel_size = 3\npadding = 1\nout_channels = 2')],
            "[[layers]]",
            "squashed reads later steps, and stands in a circle of steps, one after the other: told, squashed, cell",
        ),
    ],
)
def test_what_is_wrong_is_told(changes, line, words):
    text = FEEDBACK.format(packed="false", dtype="float64")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(ScenarioError) as error:
        read_text(text)
    assert error.value.into("zh") != error.value.into("en")
    (problem,) = error.value.problems
    assert words in str(problem.message)
    assert text.split("\n")[problem.line - 1].startswith(line)


def test_what_is_there_at_the_end_cannot_be_read_at_each_step():
    text = EACH_OTHER.format(packed="false", dtype="float64")
    text = text.replace('["input", "two.h_prev"]', '["input", "two.h_n"]')
    with pytest.raises(ScenarioError) as error:
        read_text(text)
    assert str(error.value.problems[0].message) == (
        "`input`: two.h_n is there when all steps are over, and one gives what two reads at each of them"
    )


# ── the scenario and its words ───────────────────────────────────────────────────────────────────


def test_the_training_is_that_of_a_program_written_by_hand():
    scenario = read(bundled.find("attention"))
    torch.manual_seed(0)
    encoder = nn.GRU(4, 6)
    asks, shows, weighs = (
        nn.Linear(6, 4, bias=False),
        nn.Linear(6, 4, bias=False),
        nn.Linear(4, 1, bias=False),
    )
    decoder, linear = nn.GRUCell(10, 6), nn.Linear(6, 4)
    letters = {"<s>": 0, "a": 1, "b": 2, "c": 3}
    words = ["abc", "acb", "bac", "bca", "cab", "cba"]
    source = torch.tensor([[letters[one] for one in word] for word in words]).T
    target = torch.tensor([[letters[one] for one in reversed(word)] for word in words]).T
    fed = torch.cat([torch.zeros(1, 6, dtype=torch.long), target[:-1]])
    modules = nn.ModuleList([encoder, asks, shows, weighs, decoder, linear])
    optimizer = torch.optim.Adam(modules.parameters(), lr=0.1)
    learning = Learning(scenario)
    for epoch in range(15):
        optimizer.zero_grad()
        memory = encoder(nn.functional.one_hot(source, 4).float())[0].transpose(0, 1)
        h, loss = torch.zeros(6, 6), 0
        for letter, wanted in zip(nn.functional.one_hot(fed, 4).float(), target, strict=True):
            scores = weighs(torch.tanh(asks(h)[:, None] + shows(memory)))[..., 0]
            context = torch.softmax(scores, -1)[:, None] @ memory
            h = decoder(torch.cat([letter, context[:, 0]], -1), h)
            loss = loss + nn.functional.cross_entropy(linear(h), wanted)
        assert learning.record(epoch).loss == pytest.approx(loss.item(), abs=1e-4)
        loss.backward()
        optimizer.step()


def test_the_words_of_the_scenario_are_true():
    learning = Learning(read(bundled.find("attention")))
    text = bundled.find("attention").read_text("utf-8")
    shares = [learning.record(epoch).accuracy for epoch in range(40)]
    assert shares.index(1.0) == 28  # what is recorded of an epoch is from before its update
    assert all(share == 1.0 for share in shares[28:])
    assert "28 updates" in text
    assert "更新 28 次" in text
    done = learning.epoch(0).forward(0)
    assert not done.first_state("decoder.L0", "h").any()
    np.testing.assert_allclose(done.everything("attention")["weights"], 1 / 3, atol=0.01)
    after = learning.epoch(39).forward(0).everything("attention")["weights"][:, 0].round(2)
    assert after[0].tolist() == pytest.approx([0, 0, 1])
    assert after[1].argmax() == 1
    assert after[1, 1] == pytest.approx(0.68)
    np.testing.assert_allclose(after[2], 1 / 3, atol=0.04)


@pytest.mark.parametrize(
    "mistake", ["hidden_not_reset", "backward_inside_the_loop", "h_0_of_the_wrong_shape"]
)
def test_a_mistake_of_a_module_alone_is_none_of_a_circle(mistake):
    text = FEEDBACK.format(packed="false", dtype="float64")
    with pytest.raises(ScenarioError) as error:
        read_text(f'{text}[training]\nmistake = "{mistake}"\n')
    assert "its state is fed back" in error.value.into("en")
