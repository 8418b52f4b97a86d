"""The parameters of a model: names and shapes as torch constructs them, and the names that a scenario may use.

A scenario gives a parameter under torch's name, or under its equations' names, gate by gate.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rnnstep.cells.cell import Cell
from rnnstep.network.description import Embedding, Linear, Recurrent


def parameter_shapes(
    recurrent: Recurrent, cell: Cell, embedding: Embedding | None, linear: Linear | None
) -> dict[str, tuple[int, ...]]:
    """Give each parameter's shape under torch's name, in the order of construction.

    That is `embedding.weight`; the recurrent module's as `named_parameters()` of
    torch.nn.RNN, LSTM, GRU gives them (layer by layer, forward then `_reverse`), a
    cell's without `_l0`, an own cell's under their own names; `linear.weight`,
    `linear.bias`.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    if embedding is not None:
        shapes["embedding.weight"] = (embedding.num_embeddings, embedding.embedding_dim)
    for layer in range(recurrent.num_layers):
        of_layer = layer_shapes(recurrent, cell, layer)
        for suffix in suffixes(recurrent, layer):
            shapes.update((name + suffix, shape) for name, shape in of_layer.items())
    if linear is not None:
        shapes["linear.weight"] = (linear.out_features, linear_in_features(recurrent))
        if linear.bias:
            shapes["linear.bias"] = (linear.out_features,)
    return shapes


def suffixes(recurrent: Recurrent, layer: int) -> Iterator[str]:
    """Give what torch appends to the names of a layer's directions: `_l0`, `_l0_reverse`; "" for a cell."""
    if recurrent.is_cell:
        yield ""
        return
    yield f"_l{layer}"
    if recurrent.bidirectional:
        yield f"_l{layer}_reverse"


def layer_shapes(recurrent: Recurrent, cell: Cell, layer: int) -> Mapping[str, tuple[int, ...]]:
    """Give the shapes of one direction of a layer under torch's names without suffix."""
    parts = cell.parameter_shapes(
        layer_input_size(recurrent, layer), recurrent.hidden_size, recurrent.proj_size
    )
    return {stack.torch: _stacked([parts[part] for part in stack.parts]) for stack in cell.stacks}


def _stacked(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    if len(shapes) == 1:
        return shapes[0]
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def layer_input_size(recurrent: Recurrent, layer: int) -> int:
    """Give the size of what a layer reads: x, or the joined h of the directions below."""
    return recurrent.input_size if layer == 0 else recurrent.output_size * recurrent.num_directions


def linear_in_features(recurrent: Recurrent) -> int:
    """Give the size of the linear layer's input: the last layer's h of all directions."""
    return recurrent.output_size * recurrent.num_directions


# ── names ────────────────────────────────────────────────────────────────────────────────────────

_SUFFIX = re.compile(r"(?P<stack>.*?)(?P<suffix>(?:_l(?P<layer>\d+))?(?:_reverse)?)")
_WORDS = {
    "embedding.weight": "(num_embeddings, embedding_dim)",
    "linear.weight": "(out_features, in_features)",
    "linear.bias": "(out_features,)",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of torch's parameters, and the parts that its rows fall into."""

    name: str  # "weight_ih_l0"
    shape: tuple[int, ...]
    words: str  # "(4*hidden_size, input_size)"
    parts: tuple[str, ...]  # ("W_ii_l0", "W_if_l0", …); one part: the whole
    rows: tuple[slice, ...]  # where each part stands
    partner: str | None = None  # the other bias: "bias_hh_l0"

    def part_shape(self, part: int | None) -> tuple[int, ...]:
        """Give the shape of a part, or of the whole for None."""
        if part is None:
            return self.shape
        rows = self.rows[part]
        return (rows.stop - rows.start, *self.shape[1:])

    def part_words(self, part: int | None) -> str:
        """Give the shape of a part, or of the whole for None, in words."""
        return self.words if part is None else re.sub(r"\d+\*", "", self.words, count=1)


def named_parameters(
    shapes: Mapping[str, tuple[int, ...]], recurrent: Recurrent, cell: Cell
) -> dict[str, Parameter]:
    """Give every parameter of `shapes` (torch's names and order) with its parts."""
    stacks = {stack.torch: stack for stack in cell.stacks}
    part_rows = {
        part: shape[0] if shape else 1
        for part, shape in cell.parameter_shapes(
            recurrent.input_size, recurrent.hidden_size, recurrent.proj_size
        ).items()
    }
    parameters: dict[str, Parameter] = {}
    for name, shape in shapes.items():
        stack, suffix, layer = _split(name, is_cell=recurrent.is_cell)
        if stack not in stacks:
            parameters[name] = Parameter(name, shape, _WORDS[name], (name,), (_whole(shape),))
            continue
        parts = stacks[stack].parts
        ends = list(itertools.accumulate(part_rows[part] for part in parts))
        rows = tuple(slice(end - part_rows[part], end) for part, end in zip(parts, ends, strict=True))
        words = _words(cell, parts, recurrent, layer)
        parameters[name] = Parameter(
            name, shape, words, tuple(part + suffix for part in parts), rows, partner_of(name, shapes)
        )
    return parameters


def accepted_names(
    parameters: Mapping[str, Parameter], recurrent: Recurrent
) -> dict[str, tuple[Parameter, int | None]]:
    """Give what a scenario may write: each name with its parameter, and the part or None for the whole.

    A cell's names stand with and without `_l0`; a gate's without it where there
    is one layer and direction, and with layer and direction always.
    """
    accepted: dict[str, tuple[Parameter, int | None]] = {}
    is_single = recurrent.num_layers == 1 and not recurrent.bidirectional
    for parameter in parameters.values():
        accepted[parameter.name] = (parameter, None)
        if "." in parameter.name:
            continue
        if recurrent.is_cell:
            accepted[f"{parameter.name}_l0"] = (parameter, None)
        for index, part in enumerate(parameter.parts):
            accepted.setdefault(part, (parameter, index))
            if recurrent.is_cell:
                accepted.setdefault(f"{part}_l0", (parameter, index))
            elif is_single:
                accepted.setdefault(part.removesuffix("_l0"), (parameter, index))
    return accepted


def _split(name: str, *, is_cell: bool) -> tuple[str, str, int]:
    """Split torch's name into stack, suffix and layer: ("weight_ih", "_l1_reverse", 1)."""
    match = _SUFFIX.fullmatch(name)
    if is_cell or match is None:
        return name, "", 0
    return match["stack"], match["suffix"], int(match["layer"] or 0)


def _whole(shape: tuple[int, ...]) -> slice:
    return slice(0, shape[0] if shape else 1)


def partner_of(name: str, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """Give the other of the two biases that are added, bias_hh_l0 for bias_ih_l0, if `shapes` has it."""
    for one, other in (("bias_ih", "bias_hh"), ("bias_hh", "bias_ih")):
        if name.startswith(one) and other + name.removeprefix(one) in shapes:
            return other + name.removeprefix(one)
    return None


def _words(cell: Cell, parts: tuple[str, ...], recurrent: Recurrent, layer: int) -> str:
    words = [str(size) for size in cell.program.parameters[parts[0]]]
    if layer > 0:
        below = next(iter(cell.states.values()))
        inner = f"num_directions*{below}" if recurrent.bidirectional else below
        words = [inner if word == "input_size" else word for word in words]
    if len(parts) > 1:
        words[0] = f"{len(parts)}*{words[0]}"
    return f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"
