"""[loss] and [training]: what is asked of the module, how it learns, and which slip is made on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rnnstep.language import Text
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.data.input import has_default_target, has_horizon, shifts_values
from rnnstep.scenario.file.document import Document, Table, as_float
from rnnstep.scenario.keys import LOSSES, MISTAKES, OPTIMIZERS, ArgumentValue
from rnnstep.scenario.model import Batch, Loss, Training

OF_ONE_MODULE = ("backward_inside_the_loop", "h_0_of_the_wrong_shape", "hidden_not_reset")
"""Mistakes that are made around the call of one recurrent module."""
_ANY_SIGN = ("dampening",)
_OF_ALL = ("optimizer", "epochs", "clip_grad_value", "clip_grad_norm", "mistake")


def read_loss(
    document: Document, recurrent: Recurrent | None, names: Mapping[str, str] | None = None
) -> Loss | None:
    """Give [loss], or the loss that fits the target where there is a target alone.

    Args:
        document: the file.
        recurrent: the last recurrent module before the loss; None where there is none, or it is not known.
        names: the key of each layer, by the name that the file gives; None where they are not known.
    """
    table = document.table("loss")
    if table is None and not _has_target(document):
        return None
    target = document.root.raw("target")
    has_values = has_horizon(document) or (isinstance(target, dict) and "values" in target)
    if not isinstance(target, dict):
        has_values |= shifts_values(document)
    fitting = "MSELoss" if has_values else "CrossEntropyLoss"
    is_stepped = recurrent is not None and (recurrent.is_cell or recurrent.is_own)
    over_time = "sum" if is_stepped else "together"
    if table is None:
        return Loss(fitting, over_time=over_time)  # type: ignore[arg-type]  # one of two literals
    table.known()
    name = table.choice("name", tuple(LOSSES), fitting) or fitting
    values: dict[str, Any] = {
        "name": name,
        "reduction": _reduction(table),
        "ignore_index": table.integer("ignore_index", -100),
        "at": table.choice("at", ("last",)),
        "of": _of(table, names),
        "over_time": table.choice("over_time", ("together", "sum"), over_time),
        "factor": _factor(table),
        "beta": table.number("beta", 1.0, minimum=0),
    }
    if not _has_target(document):
        document.problem(table.place, Text("[loss] needs a [target] to compare with"))
    elif LOSSES[name].has_classes == has_values and table.raw("name") == name:
        table.problem("name", _unfit(name))
    for key in ("ignore_index", "beta"):
        if key not in LOSSES[name].options and table.has(key):
            table.problem(key, Text("`{key}`: {name} takes no such option", key=key, name=name))
    return Loss(**values)


def _of(table: Table, names: Mapping[str, str] | None) -> str | None:
    """Give the key of the layer whose output is compared."""
    if names is None:
        table.string("of")
        return None
    name = table.choice("of", tuple(names))
    return None if name is None else names[name]


def _has_target(document: Document) -> bool:
    return document.root.has("target") or document.root.has("data") or has_default_target(document)


def _factor(table: Table) -> float | None:
    if table.raw("factor") == 0:
        table.wrong("factor", Text("a number other than 0"))
        return 1.0
    return table.number("factor", 1.0)


def _reduction(table: Table) -> str | None:
    if table.raw("reduction") == "none":
        table.problem(
            "reduction",
            Text(
                '`reduction`: "none" keeps a loss for each entry, and `backward` needs one number;'
                ' expected "mean" or "sum"'
            ),
        )
        return "mean"
    return table.choice("reduction", ("mean", "sum"), "mean")


def _unfit(name: str) -> Text:
    if LOSSES[name].has_classes:
        return Text(
            "`name`: {name} compares classes, found `values`; expected `text` or `indices` in [target]",
            name=name,
        )
    return Text("`name`: {name} compares numbers, found classes; expected `values` in [target]", name=name)


def read_training(document: Document) -> Training | None:
    """Give [training] with every argument of the optimizer, torch's default where the file has none."""
    table = document.table("training")
    if table is None:
        return None
    if not _has_target(document):
        document.problem(table.place, Text("[training] needs a [target] to learn"))
    optimizer = table.choice("optimizer", tuple(OPTIMIZERS), "SGD") or "SGD"
    epochs = table.integer("epochs", 1, minimum=1, maximum=10**9)
    norm, most = (table.number(key, above=0) for key in ("clip_grad_norm", "clip_grad_value"))
    mistake = table.choice("mistake", MISTAKES)
    defaults = OPTIMIZERS[optimizer]
    if table.has("optimizer") and table.raw("optimizer") != optimizer:
        table.known()
        return None
    for key in table.keys():
        takers = [name for name, arguments in OPTIMIZERS.items() if key in arguments]
        if takers and key not in defaults:
            table.problem(
                key,
                Text(
                    "`{key}`: {optimizer} takes no such argument; known are {known}",
                    key=key,
                    optimizer=optimizer,
                    known=", ".join(defaults),
                ),
            )
        elif key not in (*defaults, *_OF_ALL):
            table.unknown(key, (*_OF_ALL, *defaults))
    arguments = {key: _argument(table, key, default) for key, default in defaults.items()}
    if arguments.get("nesterov") and not (arguments["momentum"] > 0 and arguments["dampening"] == 0):
        table.problem(
            "nesterov", Text("`nesterov` needs a `momentum` above 0 and no `dampening`, as in torch")
        )
    return Training(optimizer, MappingProxyType(arguments), epochs or 1, norm, most, mistake)


def _argument(table: Table, key: str, default: ArgumentValue) -> Any:
    if isinstance(default, bool):
        return table.boolean(key, default)
    if isinstance(default, tuple):
        return _betas(table, key, default)
    return table.number(key, default, minimum=None if key in _ANY_SIGN else 0)


def _betas(table: Table, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
    if not table.has(key):
        return default
    raw = table.raw(key)
    numbers = tuple(as_float(number) for number in raw) if isinstance(raw, list) else ()
    inside = tuple(number for number in numbers if number is not None and 0 <= number < 1)
    if len(numbers) == len(inside) == len(default):
        return inside
    table.wrong(key, Text("two numbers ≥ 0 and < 1"))
    return default


# ── the slip that is made on purpose ─────────────────────────────────────────────────────────────


def check_mistake(
    document: Document,
    training: Training | None,
    loss: Loss | None,
    recurrents: Sequence[Recurrent],
    batches: tuple[Batch, ...],
    *,
    reads_final_state: bool,
    is_fed_back: bool = False,
) -> None:
    """Make sure that the mistake, if there is one, can be made in this scenario; notes a problem if not."""
    if training is None or loss is None or training.mistake is None:
        return
    mistake = training.mistake
    needed: Text | None = None
    if mistake == "softmax_before_cross_entropy" and loss.name != "CrossEntropyLoss":
        needed = Text("CrossEntropyLoss, found {name}", name=loss.name)
    elif mistake in OF_ONE_MODULE and len(recurrents) != 1:
        needed = Text("one recurrent module, found {count}", count=len(recurrents))
    elif mistake in OF_ONE_MODULE and is_fed_back:
        needed = Text("a module that no other is called between: here its state is fed back")
    elif mistake == "backward_inside_the_loop":
        needed = _no_loop(loss, recurrents[0], batches, reads_final_state=reads_final_state)
    elif mistake == "h_0_of_the_wrong_shape" and recurrents[0].is_own:
        needed = Text("a module of torch, which looks at the shape of h_0")
    elif mistake == "hidden_not_reset" and len(batches) > 1:
        needed = Text(
            "one batch, whose last state is the next epoch's first; found {count}", count=len(batches)
        )
    if needed is not None:
        document.problem(
            ("training", "mistake"),
            Text('`mistake`: "{mistake}" needs {needed}', mistake=mistake, needed=needed),
        )


def _no_loop(
    loss: Loss, recurrent: Recurrent, batches: tuple[Batch, ...], *, reads_final_state: bool
) -> Text | None:
    """Say what is missing for a loop over a cell with a loss at each step; None if nothing is."""
    if not recurrent.is_cell or recurrent.is_own:
        return Text(
            "a loop over a cell: RNNCell, LSTMCell or GRUCell, found {module}", module=recurrent.module
        )
    if loss.over_time != "sum" or loss.at is not None or reads_final_state:
        return Text('a loss at each step, `over_time = "sum"`')
    if all(batch.longest == 1 for batch in batches):
        return Text("more than one step")
    return None
