"""What the reference gave for one batch, as arrays of numpy: nothing here needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rnnstep.equations.operations import Array


@dataclass(frozen=True, eq=False)
class ModuleResult:
    """What torch's whole module returned, in torch's shapes (of a cell: in the cell's)."""

    output: Array
    h_n: Array
    c_n: Array | None


@dataclass(frozen=True, eq=False)
class ReferencePass:
    """torch's run of one batch. Arrays by block key ("L0", "L0←") are (T, B, n), zeros where a packed row is over.

    Attributes:
        is_module: whether torch.nn has this module. If not (a cell of one's own) everything here comes
            from the equations in torch's operations, and is a self-check only.
        output, h_n, c_n, logits: in the shapes that torch returns; of a cell `output` stacks its h.
        features: what the linear layer took: (T, B, D·n), or (B, D·n) of the final states.
        logits_by_row: the linear layer's result beside `features`: (T, B, C) or (B, C).
        x: what entered each block while it was stepped.
        states: each state after every step, from torch.nn's modules stepped one time step, layer
            and direction at a time.
        inner: every other line of the equations in torch's operations (self-check), from the same
            states; the first steps only where a run is so long that all would take too much memory.
        layers: the output of each layer of the whole module, both directions, (T, B, D·n); of a cell, of the
            whole module of the same name. Nothing of a cell of one's own.
        whole: of a cell, what the whole module (nn.RNN, …) with the same weights returned.
        loss: of torch.nn's own loss on the scores above, (1,); None where there is no target.
        loss_lines: every line of the block `loss` in torch's operations (self-check), from the same scores,
            (T, B, n); (1, B, n) of the final state.
    """

    is_module: bool
    output: Array
    h_n: Array
    c_n: Array | None
    logits: Array | None
    features: Array
    logits_by_row: Array | None
    x: Mapping[str, Array]
    states: Mapping[str, Mapping[str, Array]]
    inner: Mapping[str, Mapping[str, Array]]
    layers: tuple[Array, ...] = ()
    whole: ModuleResult | None = None
    loss: Array | None = None
    loss_lines: Mapping[str, Array] = field(default_factory=dict)
