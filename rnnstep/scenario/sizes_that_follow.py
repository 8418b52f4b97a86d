"""Sizes that [[layers]] leave out and other layers say: of a parameter that is another's, and of a state that is given first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from rnnstep.modules.embedding import Embedding
from rnnstep.modules.linear import Linear
from rnnstep.network.description import ValueOf
from rnnstep.scenario.wiring import LayerReads


class Layer(Protocol):
    """What is asked of one of [[layers]]."""

    @property
    def kind(self) -> str:
        """The table of the short form that it would be."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Its keys that say what it is."""

    @property
    def reads(self) -> LayerReads:
        """What it reads."""

    @property
    def ties(self) -> Mapping[str, str]:
        """Its parameters that are other layers'."""


_Layer = TypeVar("_Layer", bound=Layer)
_HIDDEN = "hidden_size"
_OF_TABLE = ("num_embeddings", "embedding_dim")


def with_sizes_that_follow(layers: Sequence[_Layer], recurrent: str) -> list[_Layer]:
    """Give the layers with the sizes that follow from other layers; what follows from none is left out as it was.

    Args:
        layers: as the file has them.
        recurrent: the kind of those with states.
    """
    found = {layer.name: layer for layer in layers}
    for _ in layers:  # one may follow from another that follows
        missing = {name: _missing(layer, found, recurrent) for name, layer in found.items()}
        if not any(missing.values()):
            break
        found = {
            name: replace(layer, options={**layer.options, **missing[name]})  # type: ignore[type-var]
            for name, layer in found.items()
        }
    return [found[layer.name] for layer in layers]


def _missing(layer: Layer, others: Mapping[str, Layer], recurrent: str) -> dict[str, Any]:
    """The options that a layer leaves out and that follow, now."""
    if layer.kind == Embedding.key and "weight" in layer.ties:
        source = others.get(layer.ties["weight"].rpartition(".")[0])
        if source is not None and source.kind == Embedding.key and source is not layer:
            return {
                name: source.options[name]
                for name in _OF_TABLE
                if name not in layer.options and _whole(source.options.get(name))
            }
    if layer.kind == recurrent and _HIDDEN not in layer.options and "h" in layer.reads.states:
        size = _state_given(layer, layer.reads.states["h"], others)
        return {} if size is None else {_HIDDEN: size}
    return {}


def _state_given(layer: Layer, one: ValueOf, others: Mapping[str, Layer]) -> int | None:
    """How many numbers a first state has that another layer gives; None where that is not said."""
    source = others.get(one.name)
    if source is None:
        return None
    if source.kind == Linear.key:
        return _whole(source.options.get("out_features"))
    if source.kind != layer.kind or one.value not in ("h_n", "c_n"):
        return None
    projected = source.options.get("proj_size") if one.value == "h_n" else None
    size = _whole(projected or source.options.get(_HIDDEN))
    is_joined = source.options.get("bidirectional") is True and layer.options.get("bidirectional") is not True
    return None if size is None else size * (2 if is_joined else 1)


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None
