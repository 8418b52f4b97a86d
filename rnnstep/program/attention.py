"""Attention in torch's own functions: torch has no module of it, so the program brings a small one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rnnstep.language import Text
from rnnstep.modules.attention import Attention, ScoreName
from rnnstep.program.source import ProgramSource, indented
from rnnstep.scenario.model import Scenario

CLASSES: Mapping[ScoreName, str] = {
    "dot": "DotAttention",
    "scaled_dot": "ScaledDotAttention",
    "general": "GeneralAttention",
    "additive": "AdditiveAttention",
}
_SCORES: Mapping[ScoreName, str] = {  # of queries (…, T, D_q) and a memory (…, S, D_m), (…, T, S)
    "dot": "query @ memory.mT",
    "scaled_dot": "query @ memory.mT / query.shape[-1] ** 0.5",
    "general": "query @ self.W_a @ memory.mT",
    "additive": "torch.tanh(asked[..., :, None, :] + seen[..., None, :, :]) @ self.v_a",
}
_PARAMETERS: Mapping[ScoreName, Mapping[str, tuple[str, ...]]] = {
    "dot": {},
    "scaled_dot": {},
    "general": {"W_a": ("query_size", "memory_size")},
    "additive": {"W_a": ("size", "query_size"), "U_a": ("size", "memory_size"), "v_a": ("size",)},
}


def all_attention(scenario: Scenario) -> list[Attention]:
    """Give the modules that are attention."""
    return [layer for layer in scenario.layers if isinstance(layer, Attention)]


def class_lines(source: ProgramSource) -> Iterator[str]:
    """Give a class of torch for each way in which the scenario's attention scores."""
    for score in dict.fromkeys(layer.score for layer in all_attention(source.scenario)):
        yield from ("", f"class {CLASSES[score]}(nn.Module):")
        yield from indented(_inner(source, score))
        yield from ("", "")


def constructed(layer: Attention) -> str:
    """Give the call that makes one of a class."""
    sizes = {"query_size": layer.query_size, "memory_size": layer.memory_size, "size": layer.hidden}
    return f"{CLASSES[layer.score]}({', '.join(str(sizes[name]) for name in _arguments(layer.score))})"


def live(source: ProgramSource, layer: Attention, memory: str) -> str | None:
    """Give which steps of a memory a row has, (B, 1, S), without a batch (S,); None where all rows have all.

    Args:
        source: the scenario.
        layer: the attention.
        memory: what the program calls what it looks at.
    """
    scenario, sequence = source.scenario, memory_sequence(source, layer)
    if not any(batch.sequences[sequence].lengths for batch in scenario.batches):
        return None
    fed = source.batch.sequences[sequence]
    if not scenario.is_batched:
        return f"torch.arange(len({memory})) < {fed.true_lengths[0]}"
    is_named = source.is_several or fed.packed_lengths is not None
    lengths = source.lengths_along(sequence) if is_named else f"torch.tensor({list(fed.true_lengths)})"
    lengths = lengths if lengths.isidentifier() or not is_named else f"({lengths})"
    steps = f"{memory}.shape[1]" if source.scenario.batch_first else f"len({memory})"
    return f"torch.arange({steps}) < {lengths}[:, None, None]"


def memory_sequence(source: ProgramSource, layer: Attention) -> str:
    """Give the sequence whose steps attention looks at."""
    return source.scenario.sequence_of[source.scenario.wiring[layer.key].banks[0].name]


def _arguments(score: ScoreName) -> list[str]:
    used = {name for shape in _PARAMETERS[score].values() for name in shape}
    return [name for name in ("query_size", "memory_size", "size") if name in used]


def _inner(source: ProgramSource, score: ScoreName) -> Iterator[str]:
    parameters = _PARAMETERS[score]
    if parameters:
        yield f"def __init__(self, {', '.join(_arguments(score))}):"
        yield "    super().__init__()"
        yield f"    {source.comment(Text('drawn as those of nn.Linear are'))}"
        for name, shape in parameters.items():
            bound = f"{shape[-1]}**-0.5"
            yield f"    {name} = torch.empty({', '.join(shape)}).uniform_(-{bound}, {bound})"
            yield f"    self.{name} = nn.Parameter({name})"
        yield ""
    yield "def forward(self, query, memory, values=None, live=None):  # (B, T, query_size), (B, S, memory_size)"
    if score == "additive":
        yield "    asked, seen = query @ self.W_a.T, memory @ self.U_a.T"
    yield f"    scores = {_SCORES[score]}  # (B, T, S)"
    yield "    if live is not None:"
    yield "        scores = scores.masked_fill(~live, -torch.inf)"
    yield "    return torch.softmax(scores, dim=-1) @ (memory if values is None else values)"
