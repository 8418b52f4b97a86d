"""Attention beside torch's own functions, written out by hand: values, gradients, every score, with and without padding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rnnstep.engine import Model
from rnnstep.errors import ScenarioError
from rnnstep.modules.attention import SCORES, Attention, ScoreName
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import Reads, ValueOf
from rnnstep.reference import complete
from rnnstep.reference.judge.backward import check_gradients
from rnnstep.reference.judge.forward import compare
from rnnstep.reference.run.forward import run_reference
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read_text
from rnnstep.session.place import read_place, write_place
from rnnstep.session.provenance import source
from rnnstep.session.readers import readers
from rnnstep.session.run import SessionRun
from tests.oracle.programs import agrees, scenario_in

STEPS, ROWS = 5, 3
TARGET = np.random.default_rng(2).uniform(-1, 1, (STEPS, ROWS, 3)).round(2).tolist()
TEXT = """
[input]
random = {shape = [%d, %d, 2], seed = 1}
%s
[[layers]]
name = "below"
module = "GRU"
hidden_size = %d
[[layers]]
name = "above"
module = "RNN"
hidden_size = 3
[[layers]]
module = "Linear"
out_features = 3
[weights]
seed = 3
[target]
values = %s
[loss]
reduction = "sum"
[display]
dtype = "float64"
"""


def scenario_with(score: ScoreName, lengths: str, *, has_values: bool = False, rows: int = ROWS) -> Scenario:
    """A GRU, an RNN over it, attention of the RNN over the GRU (values: the RNN's), and a linear layer."""
    target = [[one[:3] for one in step[:rows]] for step in TARGET]
    width = 3 if "dot" in score else 4  # of the memory; a product needs it to be that of the query
    plain = read_text(TEXT % (STEPS, rows, lengths, width, target))
    below, above, linear = plain.layers
    values = 3 if has_values else width
    attention = Attention(score, 3, width, values, 5 if score == "additive" else 0, has_values)
    linear = type(linear)(values, 3, key="linear")
    rng = np.random.default_rng(0)
    own = {
        one.name: rng.uniform(-1, 1, one.shape) for layer in (attention, linear) for one in layer.parameters
    }
    banks = (ValueOf("below"), *((ValueOf("above"),) if has_values else ()))
    wires = {
        "below": Reads((ValueOf("input"),)),
        "above": Reads((ValueOf("below"),)),
        "attention": Reads((ValueOf("above"),), banks=banks),
        "linear": Reads((ValueOf("attention"),)),
    }
    parameters = {**plain.parameters, **own}
    return replace(plain, layers=(below, above, attention, linear), wires=wires, parameters=parameters)


def by_hand(scenario: Scenario) -> tuple[dict[str, torch.Tensor], dict[str, np.ndarray]]:
    """The same with torch: what it gives by its name, and the gradients of parameters."""
    leaves = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for name, value in scenario.parameters.items()
    }
    batch = scenario.batches[0]
    lengths = batch.lengths or (STEPS,) * batch.num_rows

    def run(module: nn.Module, prefix: str, x: torch.Tensor) -> torch.Tensor:
        own = {name.removeprefix(prefix): value for name, value in leaves.items() if name.startswith(prefix)}
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
        output, _ = torch.func.functional_call(module, own, (packed,))
        return nn.utils.rnn.pad_packed_sequence(output, total_length=STEPS)[0]

    attention = scenario.by_key["attention"]
    assert isinstance(attention, Attention)
    m = run(nn.GRU(2, attention.memory_size), "below.", torch.tensor(batch.values))
    q = run(nn.RNN(attention.memory_size, 3), "above.", m)
    w = {name.removeprefix("attention."): value for name, value in leaves.items()}
    match attention.score:
        case "dot":
            scores = torch.einsum("sbm,tbm->tbs", m, q)
        case "scaled_dot":
            scores = torch.einsum("sbm,tbm->tbs", m, q) / 3**0.5
        case "general":
            scores = torch.einsum("sbm,qm,tbq->tbs", m, w["W_a"], q)
        case "additive":
            energy = torch.tanh((q @ w["W_a"].T)[:, None] + (m @ w["U_a"].T)[None])
            scores = (energy @ w["v_a"]).transpose(1, 2)
    live = torch.arange(STEPS) < torch.tensor(lengths)[:, None]
    weights = torch.softmax(scores.masked_fill(~live, -torch.inf), -1)
    context = torch.einsum("tbs,sbv->tbv", weights, q if attention.has_values else m)
    logits = context @ w["linear.weight"].T + w["linear.bias"]
    loss = ((logits - torch.tensor(batch.target)) ** 2).sum()  # of values padding counts, as in torch
    loss.backward()
    gradients = {name: value.grad.numpy() for name, value in leaves.items() if value.grad is not None}
    return {"scores": scores, "weights": weights, "context": context, "loss": loss}, gradients


@pytest.mark.parametrize("lengths", ["", "lengths = [4, 5, 2]"])
@pytest.mark.parametrize("has_values", [False, True])
@pytest.mark.parametrize("score", SCORES)
def test_values_and_gradients_are_those_of_torchs_functions(
    score: ScoreName, lengths: str, *, has_values: bool
) -> None:
    scenario = scenario_with(score, lengths, has_values=has_values)
    expected, gradients = by_hand(scenario)
    model = Model(scenario)
    done = model.run().passes[0]
    live = [range(length) for length in scenario.batches[0].lengths or (STEPS,) * ROWS]
    for name in ("scores", "weights", "context"):
        found = done.everything("attention")[name]
        for row, steps in enumerate(live):
            wanted = expected[name].detach().numpy()[steps, row]
            if name == "scores":
                np.testing.assert_allclose(found[steps, row][:, steps], wanted[:, steps], rtol=1e-12)
            else:
                np.testing.assert_allclose(found[steps, row], wanted, rtol=1e-11, atol=1e-13)
    assert done.loss == pytest.approx(expected["loss"].item(), rel=1e-12)
    back = model.backward(done)
    for name, wanted in gradients.items():
        np.testing.assert_allclose(back.parameters[name], wanted, rtol=1e-9, atol=1e-12, err_msg=name)


# ── a loop over several blocks ───────────────────────────────────────────────────────────────────

LOOP = """
[input]
random = {shape = [%d, %d, 2], seed = 1}
%s
[[layers]]
name = "below"
module = "GRU"
hidden_size = %d
[[layers]]
name = "decoder"
module = "%s"
hidden_size = 3
[[layers]]
module = "Linear"
out_features = 3
[weights]
seed = 3
[target]
values = %s
[loss]
reduction = "sum"
over_time = "together"
[display]
dtype = "float64"
"""


def decoder_with(score: ScoreName, lengths: str, module: str = "LSTMCell", rows: int = ROWS) -> Scenario:
    """A GRU, and a decoder whose attention over it is asked by the decoder's own h of the step before."""
    width = 3 if "dot" in score else 4
    target = [[one[:3] for one in step[:rows]] for step in TARGET]
    plain = read_text(LOOP % (STEPS, rows, lengths, width, module, target))
    below, decoder, linear = plain.layers
    assert isinstance(decoder, Recurrent)
    attention = Attention(score, 3, width, width, 5 if score == "additive" else 0)
    decoder = replace(decoder, input_size=width + width)
    rng = np.random.default_rng(0)
    own = {
        one.name: rng.uniform(-1, 1, one.shape) for layer in (attention, decoder) for one in layer.parameters
    }
    first = {"decoder.h_0": rng.uniform(-1, 1, (1, rows, 3))}
    wires = {
        "below": Reads((ValueOf("input"),)),
        "attention": Reads((ValueOf("decoder", "h_prev"),), banks=(ValueOf("below"),)),
        "decoder": Reads((ValueOf("below"), ValueOf("attention"))),
        "linear": Reads((ValueOf("decoder"),)),
    }
    return replace(
        plain,
        layers=(below, attention, decoder, linear),
        wires=wires,
        parameters={**plain.parameters, **own},
        initial_state=first,
    )


def loop_by_hand(scenario: Scenario) -> tuple[dict[str, torch.Tensor], dict[str, np.ndarray]]:
    """The same as a loop over torch's cell, as one writes it."""
    leaves = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for name, value in {**scenario.parameters, **scenario.initial_state}.items()
    }
    batch = scenario.batches[0]
    lengths = torch.tensor(batch.lengths or (STEPS,) * batch.num_rows)
    attention, decoder = scenario.by_key["attention"], scenario.by_key["decoder"]
    assert isinstance(attention, Attention)
    assert isinstance(decoder, Recurrent)
    w = {name.removeprefix("attention."): value for name, value in leaves.items()}
    below = {name.removeprefix("below."): v for name, v in leaves.items() if name.startswith("below.")}
    packed = nn.utils.rnn.pack_padded_sequence(torch.tensor(batch.values), lengths, enforce_sorted=False)
    output, _ = torch.func.functional_call(nn.GRU(2, attention.memory_size), below, (packed,))
    m = nn.utils.rnn.pad_packed_sequence(output, total_length=STEPS)[0]
    memory = m.transpose(0, 1)  # (B, S, n)
    live = torch.arange(STEPS) < lengths[:, None]
    cell = getattr(nn, decoder.module)(decoder.input_size, 3)
    own = {name.removeprefix("decoder."): v for name, v in leaves.items() if name.startswith("decoder.")}
    h = leaves["decoder.h_0"][0]
    c = torch.zeros_like(h)
    found: dict[str, list[torch.Tensor]] = {"weights": [], "context": [], "h": []}
    for t in range(STEPS):
        match attention.score:
            case "dot" | "scaled_dot":
                scores = torch.bmm(memory, h[..., None])[..., 0]
                scores = scores / 3**0.5 if attention.score == "scaled_dot" else scores
            case "general":
                scores = torch.bmm(memory @ w["W_a"].T, h[..., None])[..., 0]
            case "additive":
                scores = torch.tanh((h @ w["W_a"].T)[:, None] + memory @ w["U_a"].T) @ w["v_a"]
        weights = torch.softmax(scores.masked_fill(~live, -torch.inf), -1)
        context = torch.bmm(weights[:, None], memory)[:, 0]
        x = torch.cat((m[t], context), -1)
        is_alive = (t < lengths)[:, None]
        if decoder.module == "LSTMCell":
            new_h, new_c = torch.func.functional_call(cell, own, (x, (h, c)))
            c = torch.where(is_alive, new_c, c)
        else:
            new_h = torch.func.functional_call(cell, own, (x, h))
        h = torch.where(is_alive, new_h, torch.zeros_like(h))
        for name, value in (("weights", weights), ("context", context), ("h", h)):
            found[name].append(value)
    states = torch.stack(found["h"])
    logits = states @ w["linear.weight"].T + w["linear.bias"]
    loss = ((logits - torch.tensor(batch.target)) ** 2).sum()
    loss.backward()
    gradients = {name: value.grad.numpy() for name, value in leaves.items() if value.grad is not None}
    return {**{name: torch.stack(each) for name, each in found.items()}, "loss": loss}, gradients


@pytest.mark.parametrize("rows", [1, ROWS])
@pytest.mark.parametrize("lengths", ["", "lengths = [4, 5, 2]"])
@pytest.mark.parametrize("module", ["RNNCell", "GRUCell", "LSTMCell"])
@pytest.mark.parametrize("score", SCORES)
def test_a_decoder_that_asks_attention_is_a_loop_over_torchs_cell(
    score: ScoreName, module: str, lengths: str, rows: int
) -> None:
    if rows == 1 and lengths:
        lengths = "lengths = [4]"
    scenario = decoder_with(score, lengths, module, rows)
    expected, gradients = loop_by_hand(scenario)
    model = Model(scenario)
    done = model.run().passes[0]
    for row, length in enumerate(scenario.batches[0].lengths or (STEPS,) * rows):
        for key, name in (("attention", "weights"), ("attention", "context"), ("decoder.L0", "h")):
            wanted = expected[name].detach().numpy()[:length, row]
            found = done.whole(key) if name in ("h", "context") else done.everything(key)[name]
            np.testing.assert_allclose(found[:length, row], wanted, rtol=1e-10, atol=1e-13, err_msg=name)
    assert done.loss == pytest.approx(expected["loss"].item(), rel=1e-12)
    back = model.backward(done)
    assert back is not None
    for name, wanted in gradients.items():
        if name == "decoder.h_0":
            found = back.first_state("decoder.L0", "h")[None]
        else:
            found = back.parameters[name]
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12, err_msg=name)


# ── from a file, beside torch ────────────────────────────────────────────────────────────────────

FILE = """
[input]
random = {shape = [4, 2, 2], seed = 1}
%s
[[layers]]
name = "below"
module = "LSTM"
hidden_size = 3
[[layers]]
name = "above"
module = "RNN"
hidden_size = 3
[[layers]]
name = "look"
module = "Attention"
score = "%s"
query = "above"
memory = "below"
%s
[[layers]]
module = "Linear"
input = ["above", "look"]
out_features = 2
[weights]
seed = 3
[target]
indices = [[0, 1], [1, 0], [0, 0], [1, 1]]
[display]
dtype = "%s"
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lengths", ["", "lengths = [3, 4]"])
@pytest.mark.parametrize("score", SCORES)
def test_attention_of_a_file_agrees_with_torch_forward_and_back(
    score: ScoreName, lengths: str, dtype: str
) -> None:
    more = 'size = 2\nvalues = "above"' if score == "additive" else ""
    scenario = read_text(FILE % (lengths, score, more, dtype))
    model = Model(scenario)
    done = model.run().passes[0]
    verdict = compare(done, run_reference(done)).verdict
    assert not verdict.faults
    assert verdict.max_abs_diff["logits"] <= 1e-5
    back = model.backward(done)
    assert back is not None
    assert not check_gradients(done, back).verdict.faults


def test_a_wrong_weight_of_attention_is_found() -> None:
    done = Model(read_text(FILE % ("", "general", "", "float64"))).run().passes[0]
    reference = run_reference(done)
    wrong = {"look": reference.gave["look"] + 1e-9}
    found = compare(done, replace(reference, gave={**reference.gave, **wrong})).verdict.faults
    assert {fault.key for fault in found} == {"look"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('score = "dots"', "did you mean"),
        ('memory = "bellow"', "below"),
        ("size = 3", "only of score"),
        ('input = "above"', "attention reads"),
        ('memory = "input"', "the name of a layer"),
        ('memory = "below.h_n"', "the name of a layer"),
        ('values = "input"', "the name of a layer"),
        ("heads = 2", "heads"),
    ],
)
def test_a_mistake_in_attention_is_told(change: str, told: str) -> None:
    key = change.partition(" ")[0]
    lines = [
        line for line in (FILE % ("", "dot", "", "float64")).splitlines() if not line.startswith(f"{key} =")
    ]
    if key == "input":
        lines = (FILE % ("", "dot", "", "float64")).splitlines()
    lines.insert(lines.index('module = "Attention"') + 1, change)
    with pytest.raises(ScenarioError, match=told):
        read_text("\n".join(lines))


def test_what_cannot_be_multiplied_is_told_with_both_sizes() -> None:
    text = (FILE % ("", "dot", "", "float64")).replace("hidden_size = 3", "hidden_size = 5", 1)
    with pytest.raises(ScenarioError, match=r"gives 3 numbers.*5"):
        read_text(text)


def test_a_number_of_the_memory_leads_to_its_step_and_back() -> None:
    run = SessionRun.of(read_text(FILE % ("", "general", "", "float64")))
    tree = run.tree
    spot = replace(tree.locate(read_place(tree, "3/look/context[1]")), element=None)
    origin = source(run, spot, "memory", (1, 2))
    assert origin is not None
    assert write_place(tree, origin.path) == "2/below.L0/h[2]"
    readers_of = {(one.key, one.t, one.operation) for one in readers(run, tree.locate(origin.path))}
    assert {("look", t, line) for t in range(4) for line in ("scores", "context")} <= readers_of
    back = replace(spot, phase="backward", operation="∂memory", t=0)
    below = replace(back, key="below.L0", operation="∂h", t=1)
    assert (
        source(run, below, "∂h_above", (2,)) is None
    )  # several send something back, which no operation adds up


DECODER = """
vocabulary = ["<s>", "a", "b", "c"]
[input]
text = ["abc", "ba"]
[input.target]
text = ["cbaa", "ab"]
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
embedding_dim = 3
input = "target"
[[layers]]
name = "decoder"
module = "GRU"
hidden_size = 4
input = "embed_y"
h_0 = "encoder.h_n"
[[layers]]
name = "look"
module = "Attention"
score = "%s"
%s
query = "decoder"
memory = "encoder"
[[layers]]
module = "Linear"
input = ["decoder", "look"]
out_features = 4
[weights]
seed = 1
[display]
dtype = "float64"
"""


@pytest.mark.parametrize("score", SCORES)
def test_a_decoder_looks_at_the_steps_of_another_sequence(score: ScoreName) -> None:
    """Sequences of unlike steps, rows of unlike length: padded steps of the encoder have no weight, and torch agrees."""
    plain = read_text(DECODER % (score, "size = 3" if score == "additive" else ""))
    scenario = complete(plain) if plain.pending else plain
    model = Model(scenario)
    done = model.run().passes[0]
    weights = done.everything("look")["weights"]
    assert weights.shape == (4, 2, 3)
    assert not weights[:, 1, 2].any()
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-12)
    assert not compare(done, run_reference(done)).verdict.faults
    back = model.backward(done)
    assert back is not None
    assert not check_gradients(done, back).verdict.faults


# ── as a program in PyTorch alone ────────────────────────────────────────────────────────────────

ROWS_FIRST = """
[input]
random = {shape = [2, 4, 2], seed = 1}
%s
[[layers]]
name = "below"
module = "GRU"
hidden_size = 4
batch_first = true
[[layers]]
name = "look"
module = "Attention"
score = "additive"
size = 3
query = "%s"
memory = "below"
[[layers]]
module = "Linear"
out_features = 2
[weights]
seed = 3
[target]
indices = %s
[display]
dtype = "float64"
"""
EACH, ONCE = "[[0, 1, 1, 0], [1, 0, 0, 1]]", "[1, 0]"
TRAINING = '[training]\noptimizer = "Adam"\nlr = 0.1\nepochs = 3\n'


@pytest.mark.parametrize("training", ["", TRAINING])
@pytest.mark.parametrize("lengths", ["", "lengths = [3, 4]", "lengths = [3, 4]\npacked = false"])
@pytest.mark.parametrize("score", SCORES)
def test_the_program_of_attention_gives_the_same_numbers(
    score: ScoreName, lengths: str, training: str, tmp_path: Path
) -> None:
    more = 'size = 2\nvalues = "above"' if score == "additive" else ""
    agrees(scenario_in(tmp_path, FILE % (lengths, score, more, "float64") + training))


@pytest.mark.parametrize("lengths", ["", "lengths = [3, 4]"])
@pytest.mark.parametrize(("query", "target"), [("below", EACH), ("below.h_n", ONCE)])
def test_its_program_with_rows_first_and_with_one_query_a_row(
    query: str, target: str, lengths: str, tmp_path: Path
) -> None:
    agrees(scenario_in(tmp_path, ROWS_FIRST % (lengths, query, target) + TRAINING))


@pytest.mark.parametrize(("query", "target"), [("below", "[0, 1, 1, 0]"), ("below.h_n", "1")])
def test_its_program_without_a_batch(query: str, target: str, tmp_path: Path) -> None:
    text = (
        (ROWS_FIRST % ("", query, target)).replace("[2, 4, 2]", "[4, 2]").replace("batch_first = true\n", "")
    )
    agrees(scenario_in(tmp_path, text))


@pytest.mark.parametrize("training", ["", TRAINING])
@pytest.mark.parametrize("score", SCORES)
def test_its_program_over_another_sequence(score: ScoreName, training: str, tmp_path: Path) -> None:
    text = DECODER % (score, "size = 3" if score == "additive" else "")
    agrees(scenario_in(tmp_path, text + training))


def test_its_program_where_nothing_stands_above_it(tmp_path: Path) -> None:
    text = DECODER % ("dot", "")
    last = text.index('[[layers]]\nmodule = "Linear"')
    agrees(scenario_in(tmp_path, text[:last] + text[text.index("[weights]") :]))


CONVOLVED = """
[input]
random = {shape = [4, 2, 2], seed = 1}
[[layers]]
module = "GRU"
hidden_size = 4
[[layers]]
module = "Conv1d"
out_channels = 3
kernel_size = 3
padding = 1
[[layers]]
module = "Tanh"
[weights]
seed = 3
[target]
indices = [[0, 1], [1, 0], [0, 2], [1, 1]]
"""


def test_the_program_of_what_is_turned_back_and_not_made_anew(tmp_path: Path) -> None:
    agrees(scenario_in(tmp_path, CONVOLVED))
