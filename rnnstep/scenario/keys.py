"""The keys of every table of a scenario file: one list for reading, hints and tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType

MOST_DECIMALS = 17
"""How many decimals are shown at most, wherever they are asked for: a float64 has no more digits."""

ArgumentValue = float | bool | tuple[float, ...]

# Each optimizer's arguments with torch 2.13's defaults, in torch's order.
OPTIMIZERS: Mapping[str, Mapping[str, ArgumentValue]] = MappingProxyType(
    {
        "SGD": {
            "lr": 1e-3,
            "momentum": 0.0,
            "dampening": 0.0,
            "weight_decay": 0.0,
            "nesterov": False,
            "maximize": False,
        },
        "Adam": {
            "lr": 1e-3,
            "betas": (0.9, 0.999),
            "eps": 1e-8,
            "weight_decay": 0.0,
            "amsgrad": False,
            "maximize": False,
        },
        "AdamW": {
            "lr": 1e-3,
            "betas": (0.9, 0.999),
            "eps": 1e-8,
            "weight_decay": 1e-2,
            "amsgrad": False,
            "maximize": False,
        },
        "RMSprop": {
            "lr": 1e-2,
            "alpha": 0.99,
            "eps": 1e-8,
            "weight_decay": 0.0,
            "momentum": 0.0,
            "centered": False,
            "maximize": False,
        },
        "Adagrad": {
            "lr": 1e-2,
            "lr_decay": 0.0,
            "weight_decay": 0.0,
            "initial_accumulator_value": 0.0,
            "eps": 1e-10,
            "maximize": False,
        },
    }
)


@dataclass(frozen=True, slots=True)
class LossKind:
    """One of torch's losses.

    Attributes:
        formula: What it is at one step.
        has_classes: Whether its target is the number of a class; else it is numbers.
        options: What its constructor takes beside `reduction`, with torch's defaults.
    """

    formula: str
    has_classes: bool = False
    options: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


LOSSES: Mapping[str, LossKind] = MappingProxyType(
    {
        "CrossEntropyLoss": LossKind(
            "loss_t = −ln softmax(logits_t)[target_t]",
            has_classes=True,
            options=MappingProxyType({"ignore_index": -100}),
        ),
        "NLLLoss": LossKind(
            "loss_t = −logits_t[target_t], logits the logarithms of probabilities",
            has_classes=True,
            options=MappingProxyType({"ignore_index": -100}),
        ),
        "MSELoss": LossKind("loss_t = (output_t − target_t)²"),
        "L1Loss": LossKind("loss_t = |output_t − target_t|"),
        "SmoothL1Loss": LossKind(
            "d = output_t − target_t;  loss_t = d²/(2·beta) where |d| < beta, else |d| − beta/2",
            options=MappingProxyType({"beta": 1.0}),
        ),
        "BCEWithLogitsLoss": LossKind(
            "loss_t = −target_t · ln σ(logits_t) − (1 − target_t) · ln(1 − σ(logits_t))"
        ),
    }
)

# What [training] may be told to do wrong, so that a common mistake is seen beside its cure.
MISTAKES = (
    "no_zero_grad",
    "backward_inside_the_loop",
    "h_0_of_the_wrong_shape",
    "softmax_before_cross_entropy",
    "hidden_not_reset",
)
# Those at which torch raises: what is computed then is the cure.
REFUSED = ("backward_inside_the_loop", "h_0_of_the_wrong_shape")

BESIDE = ("embedding", "linear")
"""The tables of modules before and after [recurrent], as places and parameters call them, too."""

READS_STEPS = "reads_steps"
"""What a network is said to do, beside the words of [recurrent], where one of its steps reads later ones."""

MOST_LETTERS = 40
NAME = re.compile(rf"[^\W\d_]\w{{0,{MOST_LETTERS - 1}}}")
"""What a layer may be called."""
RESERVED = re.compile(
    r"forward|backward|back|update|start|grad|d|loss|total|clip|w"  # passes, blocks, and what answers begin with
    r"|[eE]\d+|row\d+|L\d+|join\d*|dropout\d+"  # parts of a place
    r"|output|h_n|c_n|h_0|c_0|logits|steps|agrees|torch|batch\d*|l\d+(_reverse)?"  # results, and folders of .npz
    r"|input|target|text|indices|values|file|random|lengths|packed|pad_index|windows"  # sequences, and their keys
    r"|shift|feed|first|until|teacher|sample"
    r"|seed|round|prefix"  # keys of [weights]
)
"""What places and tables use themselves: no layer is called so, and but for `target` no sequence."""

STOP = ("scenario", "at", "say", "ask", "options", "answer", "show", "beside")
"""Keys of a [[stop]]."""
MOST_STOPS = 500

FEEDING = ("feed", "first", "steps", "until", "teacher", "sample")
"""Keys of a sequence that a layer feeds, the first of them the layer's name."""
KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": (
            "title",
            "summary",
            "vocabulary",
            "input",
            "data",
            "recurrent",
            "layers",
            "embedding",
            "linear",
            "initial_state",
            "weights",
            "target",
            "loss",
            "training",
            "cure",
            "cell",
            "stop",
            "call",
            "display",
        ),
        "input": (
            "text",
            "indices",
            "values",
            "file",
            "random",
            "lengths",
            "packed",
            "pad_index",
            "windows",
            *FEEDING,
        ),
        "input.sequence": (
            "text",
            "indices",
            "values",
            "file",
            "random",
            "lengths",
            "packed",
            "pad_index",
            "windows",
            "shift",
            *FEEDING,
        ),
        "input.sample": ("temperature", "seed"),
        "input.teacher": ("ratio", "seed"),
        "input.random": ("shape", "seed"),
        "input.windows": ("length", "stride", "pad", "batch_size", "horizon"),
        "data": ("file", "text", "label", "test", "seed", "batch_size", "shuffle"),
        "recurrent": (
            "module",
            "input_size",
            "hidden_size",
            "num_layers",
            "nonlinearity",
            "bias",
            "batch_first",
            "dropout",
            "bidirectional",
            "proj_size",
            "mode",
            "dropout_seed",
            "carry",
        ),
        "embedding": ("num_embeddings", "embedding_dim", "padding_idx"),
        "linear": ("out_features", "bias", "from"),
        "initial_state": ("h_0", "c_0"),
        "target": ("text", "indices", "values"),
        "loss": ("name", "reduction", "factor", "beta", "ignore_index", "at", "of", "over_time"),
        "training": (
            "optimizer",
            "epochs",
            "clip_grad_value",
            "clip_grad_norm",
            "mistake",
            *dict.fromkeys(key for arguments in OPTIMIZERS.values() for key in arguments),
        ),
        "cell": ("state", "parameters", "equations"),
        "stop": STOP,
        "call": ("file", "module", "number", "batch_first", "nonlinearity", "dropout", "dtype"),
        "display": ("decimals", "dtype", "language", "order"),
    }
)


def closest(word: str, known: Iterable[str]) -> str | None:
    """Give the known word that `word` was likely meant to be, or None; case counts little."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = get_close_matches(word[:80].lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def table_of(key: str, but: str) -> str | None:
    """Give the one table, other than `but`, in which `key` has a meaning, or None."""
    tables = [name for name, keys in KEYS.items() if key in keys and name not in {"", but, "input.sequence"}]
    return tables[0] if len(tables) == 1 else None
