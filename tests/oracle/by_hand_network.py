"""An encoder, a decoder and attention between them by hand, right and wrong: plain Python, one number after the other.

Written from the pages of torch.nn and the papers of attention, without anything of the program's; x and the parameters
alone are the scenario's.
"""

from __future__ import annotations

import math

from rnnstep.scenario.model import Scenario
from tests.oracle.by_hand import Matrix, Pen, Values, Vector, of, plus, rnn, times

STEPS = 3
LENGTHS = (4, 2)
SCORES = ("dot", "scaled_dot", "general", "additive")
ATTENTION = (
    "attention_no_softmax",
    "attention_wrong_axis",
    "attention_padding",
    "attention_keys_for_values",
)
TEXT = """
[input]
random = {{shape = [4, {rows}, 2], seed = {seed}}}
lengths = {lengths}
[input.target]
random = {{shape = [3, {rows}, 2], seed = {other}}}
[[layers]]
name = "encoder"
module = "RNN"
hidden_size = 3
[[layers]]
name = "notes"
module = "Linear"
out_features = 3
[[layers]]
name = "decoder"
module = "RNN"
input = "target"
hidden_size = 3
h_0 = "encoder.h_n"
[[layers]]
name = "attention"
module = "Attention"
score = "{score}"
{size}
query = "decoder"
memory = "encoder"
values = "notes"
[[layers]]
name = "reader"
module = "RNN"
input = ["decoder", "attention"]
hidden_size = 2
[weights]
seed = {seed}
round = 2
[target]
values = {target}
[loss]
name = "MSELoss"
"""


def text_of(score: str, seed: int, lengths: tuple[int, ...] = LENGTHS) -> str:
    target = [[[0.1 * (t + row), 0.2 - 0.3 * t] for row in range(len(lengths))] for t in range(STEPS)]
    size = "size = 4" if score == "additive" else ""
    return TEXT.format(
        rows=len(lengths),
        seed=seed,
        other=seed + 100,
        lengths=list(lengths),
        score=score,
        size=size,
        target=target,
    )


def numbers(values) -> list:
    """Numbers as people read them: 0.1, which float32 does not have."""
    return [numbers(one) if one.ndim else float(str(one)) for one in values]


class Network:
    """The network on paper.

    Args:
        scenario: of `text_of`.
        score: of its attention.
        lengths: how many steps of the memory each row has.
        pen: rounds what is written down.
        mistake: that is made in attention, at every step.
        way: of several ways to make it.
    """

    def __init__(
        self,
        scenario: Scenario,
        score: str,
        lengths: tuple[int, ...],
        pen: Pen,
        mistake: str | None = None,
        way: int = 0,
    ) -> None:
        self.parameters = {name: numbers(value) for name, value in scenario.parameters.items()}
        self._score, self._lengths, self.parametersen = score, lengths, pen
        self._mistake, self._way = mistake, way
        batch = scenario.batches[0]
        self._x = {name: numbers(one.values) for name, one in batch.sequences.items()}
        self._target = numbers(batch.target)
        self.rows = range(len(lengths))

    def _of(self, module: str) -> dict[str, list]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return {name: self.parameters[f"{module}.{name}_l0"] for name in names}

    def _states(self, module: str, inputs: Matrix, h: Vector) -> list[Values]:
        found = []
        for x in inputs:
            found.append(rnn(self._of(module), x, h, self.parametersen, None))
            h = found[-1]["h"]
        return found

    def run(self) -> list[list[dict[str, Vector]]]:
        """What each row has at each step of the target: scores, weights, context and the reader's h."""
        pen, zeros = self.parametersen, [0.0] * 3
        memory, notes, queries = [], [], []
        for row in self.rows:
            x = [step[row] for step in self._x["input"]][: self._lengths[row]]
            states = [values["h"] for values in self._states("encoder", x, zeros)]
            padded = states + [zeros] * (4 - len(states))  # as torch gives a packed batch
            memory.append(padded)
            w, b = self.parameters["notes.weight"], self.parameters["notes.bias"]
            notes.append([plus(times(w, h, pen), b, pen) for h in padded])
            y = [step[row] for step in self._x["target"]]
            queries.append([values["h"] for values in self._states("decoder", y, states[-1])])
        keys, values = memory, notes
        if self._mistake == "attention_keys_for_values":
            keys, values = (memory, memory) if self._way == 0 else (notes, notes)
        scores = [[self._scores(q, keys[row]) for q in queries[row]] for row in self.rows]
        found = []
        for row in self.rows:
            of_row, h = [], [0.0, 0.0]
            for t, q in enumerate(queries[row]):
                weights = self._weights(scores, row, t)
                context = times([list(one) for one in zip(*values[row], strict=True)], weights, pen)
                h = rnn(self._of("reader"), q + context, h, pen, None)["h"]
                of_row.append(
                    {"query": q, "scores": scores[row][t], "weights": weights, "context": context, "h": h}
                )
            found.append(of_row)
        return found

    def _scores(self, q: Vector, keys: Matrix) -> Vector:
        pen, p = self.parametersen, self.parameters
        match self._score:
            case "dot":
                return times(keys, q, pen)
            case "scaled_dot":
                return [pen(value / pen(math.sqrt(len(q)))) for value in times(keys, q, pen)]
            case "general":
                return [times([times(p["attention.W_a"], k, pen)], q, pen)[0] for k in keys]
        asked = times(p["attention.W_a"], q, pen)
        sums = [plus(times(p["attention.U_a"], k, pen), asked, pen) for k in keys]
        return [times([p["attention.v_a"]], of(math.tanh, one, pen), pen)[0] for one in sums]

    def _weights(self, scores: list[list[Vector]], row: int, t: int) -> Vector:
        mine, live = scores[row][t], self._lengths[row]
        nothing = [0.0] * (len(mine) - live)
        match self._mistake:
            case "attention_no_softmax":
                return mine if self._way == 0 else mine[:live] + nothing
            case "attention_padding":
                every = self._softmax(mine)
                return every if self._way == 0 else every[:live] + nothing
            case "attention_wrong_axis":
                match self._way:
                    case 0:  # over the batch
                        columns = [
                            self._softmax([scores[one][t][s] for one in self.rows]) for s in range(live)
                        ]
                        return [column[row] for column in columns] + nothing
                    case 1:  # over an axis of one
                        return [1.0] * live + nothing
                columns = [self._softmax([one[s] for one in scores[row]]) for s in range(live)]
                return [column[t] for column in columns] + nothing
        return self._softmax(mine[:live]) + nothing

    def _softmax(self, a: Vector) -> Vector:
        powers = [self.parametersen(math.exp(value)) for value in a]
        total = self.parametersen(math.fsum(powers))
        return [self.parametersen(power / total) for power in powers]

    def loss(self, h: list[list[Vector]]) -> float:
        """The mean of the squares."""
        squares = [
            self.parametersen((value - wanted) ** 2)
            for row in self.rows
            for t in range(STEPS)
            for value, wanted in zip(h[row][t], self._target[t][row], strict=True)
        ]
        return self.parametersen(self.parametersen(math.fsum(squares)) / len(squares))


# ── letters: an encoder, and a decoder that is told what stood before ─────────────────────────────

LETTERS = ["<s>", "a", "b", "c"]
READ, SAID = ["abc", "ca"], ["cba", "ac"]
LETTERS_TEXT = """
vocabulary = {letters}
[input]
text = {read}
[input.target]
text = {said}
shift = "<s>"
[[layers]]
name = "encoder"
module = "RNN"
input = "input"
hidden_size = 3
bidirectional = {both}
{embedding}
[[layers]]
name = "decoder"
module = "RNNCell"
input = "{fed}"
hidden_size = {size}
h_0 = "encoder.h_n"
[[layers]]
module = "Linear"
[weights]
seed = {seed}
round = 2
"""
EMBEDDING = '[[layers]]\nname = "embed"\nmodule = "Embedding"\ninput = "target"\nembedding_dim = 2'


def letters_text(seed: int, *, both: bool, has_embedding: bool) -> str:
    return LETTERS_TEXT.format(
        letters=LETTERS,
        read=READ,
        said=SAID,
        both=str(both).lower(),
        embedding=EMBEDDING if has_embedding else "",
        fed="embed" if has_embedding else "target",
        size=6 if both else 3,
        seed=seed,
    )


class Letters:
    """The decoder's states of each row, on paper.

    Args:
        scenario: of `letters_text`.
        pen: rounds what is written down.
        mistake: "wanted" or "further back", what the decoder is fed; "letter", another one at its second step; "last",
            "own last": the encoder's output at the last step of all, or of the row, for its final state.
    """

    def __init__(self, scenario: Scenario, pen: Pen, mistake: str | None = None) -> None:
        self._p = {name: numbers(value) for name, value in scenario.parameters.items()}
        self._pen, self._mistake = pen, mistake

    def run(self) -> list[list[Vector]]:
        return [self._decoded(read, said) for read, said in zip(READ, SAID, strict=True)]

    def _of(self, module: str, end: str = "") -> dict[str, list]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return {name: self._p[f"{module}.{name}{end}"] for name in names}

    def _walked(self, letters: str, end: str) -> list[Vector]:
        found, h = [], [0.0] * 3
        for letter in letters:
            x = [float(letter == one) for one in LETTERS]
            h = rnn(self._of("encoder", end), x, h, self._pen, None)["h"]
            found.append(h)
        return found

    def _begun(self, read: str) -> Vector:
        forward = self._walked(read, "_l0")
        halves = [forward[-1]]
        if "encoder.weight_ih_l0_reverse" in self._p:
            halves.append(self._walked(read[::-1], "_l0_reverse")[-1])
            if self._mistake in ("last", "own last"):
                halves[1] = self._walked(read[::-1], "_l0_reverse")[0]
        if self._mistake == "last" and len(read) < max(map(len, READ)):
            halves = [[0.0] * 3 for _ in halves]
        return [value for half in halves for value in half]

    def _decoded(self, read: str, said: str) -> list[Vector]:
        fed = [0, *map(LETTERS.index, said)]
        h, found = self._begun(read), []
        for t in range(len(said)):
            index = fed[t + 1] if self._mistake == "wanted" else fed[t]
            if self._mistake == "further back":
                index = fed[max(t - 1, 0)]
            if self._mistake == "letter" and t == 1:
                index = fed[t] % 3 + 1
            hot = [float(index == one) for one in range(len(LETTERS))]
            x = self._p["embed.weight"][index] if "embed.weight" in self._p else hot
            h = rnn(self._of("decoder"), x, h, self._pen, None)["h"]
            found.append(h)
        return found


# ── a decoder that looks back at every step ───────────────────────────────────────────────────────

LOOP_TEXT = """
[input]
random = {{shape = [4, 2, 2], seed = {seed}}}
lengths = [4, 2]
[input.target]
random = {{shape = [3, 2, 2], seed = {other}}}
[[layers]]
name = "encoder"
module = "RNN"
hidden_size = 3
[[layers]]
name = "attention"
module = "Attention"
score = "dot"
query = "decoder{query}"
memory = "encoder"
[[layers]]
name = "decoder"
module = "RNNCell"
input = {fed}
hidden_size = 3
h_0 = "encoder.h_n"
[[layers]]
module = "Linear"
input = ["decoder", "attention"]
out_features = 2
[weights]
seed = {seed}
round = 2
"""


def loop_text(seed: int, *, is_fed: bool, is_before: bool) -> str:
    """A decoder whose attention asks with the state before, or with its own; which may be fed what was looked at."""
    fed = '["target", "attention"]' if is_fed else '"target"'
    return LOOP_TEXT.format(seed=seed, other=seed + 100, fed=fed, query=".h_prev" if is_before else "")


def looking_decoder(
    scenario: Scenario, pen: Pen, row: int, *, is_fed: bool, is_before: bool, is_wrong: bool
) -> list[dict[str, Vector]]:
    """A row of it on paper; where `is_wrong`, scores, weights and context are of the other step's query."""
    p = {name: numbers(value) for name, value in scenario.parameters.items()}
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    x = {name: numbers(one.values[:, row]) for name, one in scenario.batches[0].sequences.items()}
    memory, h = [], [0.0] * 3
    for step in x["input"][: LENGTHS[row]]:
        h = rnn({name: p[f"encoder.{name}_l0"] for name in names}, step, h, pen, None)["h"]
        memory.append(h)

    def looked(q: Vector) -> dict[str, Vector]:
        nothing = [0.0] * (4 - len(memory))
        scores = times(memory, q, pen)
        powers = [pen(math.exp(value)) for value in scores]
        total = pen(math.fsum(powers))
        weights = [pen(power / total) for power in powers]
        context = times([list(one) for one in zip(*memory, strict=True)], weights, pen)
        return {"scores": scores + nothing, "weights": weights + nothing, "context": context}

    found = []
    for y in x["target"]:
        before = h
        fed = y + looked(before)["context"] if is_fed else y
        h = rnn({name: p[f"decoder.{name}"] for name in names}, fed, h, pen, None)["h"]
        found.append({"h": h, **looked(before if is_before != is_wrong else h)})
    return found
