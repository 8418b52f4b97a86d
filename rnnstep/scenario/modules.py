"""[recurrent], [embedding] and [linear], in the words and with the defaults of torch's constructors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rnnstep.cells import MODULES, torch_cell
from rnnstep.cells.cell import Bias, Cell
from rnnstep.language import Text
from rnnstep.modules.activations import LogSoftmax
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import ValueOf
from rnnstep.scenario.feeding import Feed
from rnnstep.scenario.file.document import LARGEST, Document, Table
from rnnstep.scenario.keys import KEYS, closest
from rnnstep.scenario.model import Scenario

_ALWAYS = ("module", "input_size", "hidden_size", "mode", "carry")
_OF_CELLS = (*_ALWAYS, "bias")
_OF_MODULES = (
    *_OF_CELLS,
    "num_layers",
    "batch_first",
    "dropout",
    "dropout_seed",
    "bidirectional",
)
_OPTIONS = {
    module: (
        *(_OF_CELLS if module.endswith("Cell") else _OF_MODULES),
        *torch_cell(module).options_of(module),
    )
    for cells in (True, False)
    for module in MODULES
    if module.endswith("Cell") is cells
}
_OF_OWN = (*_ALWAYS, "num_layers", "dropout", "dropout_seed", "bidirectional", "proj_size")
_SHAPING = ("hidden_size", "num_layers", "bias", "bidirectional", "batch_first", "proj_size")


def idle_dropout(recurrent: Recurrent) -> Text | None:
    """Say that a dropout never acts, as torch warns; None where there is none, or it does."""
    if not recurrent.dropout or recurrent.num_layers > 1:
        return None
    return Text(
        "dropout = {p} never acts: torch has dropout after all layers but the last, and num_layers = 1",
        p=f"{recurrent.dropout:g}",
    )


def remarks(scenario: Scenario) -> list[Text]:
    """Say what torch does with a scenario's modules that may not be what was meant."""
    found = [idle_dropout(one) for one in scenario.recurrents]
    if scenario.loss is not None and scenario.loss.name == "NLLLoss":
        found.append(_unnormalized(scenario.scored_module))
    found.append(_left_over(scenario))
    found += [_reads_padding(scenario, layer) for layer in scenario.layers if layer.reads_padding]
    found += [
        text for reads in scenario.wiring.values() for one in reads.inputs for text in _last(scenario, one)
    ]
    return [text for text in found if text is not None]


def _left_over(scenario: Scenario) -> Text | None:
    """Say how much of a series is left over where states are carried; None where nothing is."""
    if not scenario.left_over:
        return None
    rows = scenario.batches[0].num_rows
    if rows == 1:
        return Text(
            "the last {count} values of the series are left over: they do not fill a window of {length}",
            count=scenario.left_over,
            length=scenario.batches[0].first.num_steps,
        )
    return Text(
        "{count} values of the series are left over: it is cut into {rows} equal parts, each into whole windows of {length}",
        count=scenario.left_over,
        rows=rows,
        length=scenario.batches[0].first.num_steps,
    )


def fed_words(scenario: Scenario, sequence: str, feeding: Feed) -> Text:
    """Say where what a sequence is fed comes from."""
    layer = scenario.by_key[feeding.layer].name.removesuffix(".add")
    if not feeding.is_of_classes:
        return Text(
            "Each step of {sequence} but the first is fed what {layer} gave at the step before; the gradient goes back that way, too.",
            sequence=sequence,
            layer=layer,
        )
    if feeding.sampling is not None:
        return Text(
            "Each step of {sequence} but the first is fed a class that is drawn from the softmax of what {layer} gave at the step"
            " before; no gradient goes back through a draw.",
            sequence=sequence,
            layer=layer,
        )
    return Text(
        "Each step of {sequence} but the first is fed the class that {layer} said at the step before, the largest score's; no"
        " gradient goes back through that choice.",
        sequence=sequence,
        layer=layer,
    )


def _last(scenario: Scenario, read: ValueOf) -> Iterator[Text]:
    """Say what `output[-1]` is not, where it is read."""
    if read.value != "last":
        return
    module = scenario.by_key[read.name]
    if isinstance(module, Recurrent) and module.bidirectional:
        yield Text(
            "output[-1] is the last step of both directions. The backward direction begins there: its half has read that"
            " step alone; it ends at output[0], and h_n has it from there."
        )
    sequences = [batch.sequences[name] for batch in scenario.batches for name in batch.sequences]
    unlike = [one for one in sequences if set(one.true_lengths) != {one.num_steps}]
    if any(one.packed for one in unlike):
        yield Text(
            "output[-1] of a row that is over by then is zeros, whatever the row was; h_n has each row where it ended."
        )
    elif unlike:
        yield Text("output[-1] of a row that is over by then stands behind its padding.")


def _reads_padding(scenario: Scenario, layer: NetworkModule) -> Text | None:
    """Say that a window reads the padding of packed rows; None where there is none."""
    if all(scenario.fed(layer, batch).packed_lengths is None for batch in scenario.batches):
        return None
    return Text(
        "{module} reads the padding of short rows as it reads other steps, as in torch", module=layer.torch
    )


def _unnormalized(scored: NetworkModule) -> Text | None:
    """Say that NLLLoss is given what is not the logarithm of a probability; None where it is."""
    if isinstance(scored, LogSoftmax):
        return None
    return Text(
        "NLLLoss takes logarithms of probabilities, which LogSoftmax gives; here it takes what {module} gives",
        module=scored.module if isinstance(scored, Recurrent) else scored.torch,
    )


def read_module(document: Document, own: Iterable[str]) -> str | None:
    """Give the name of the recurrent module: one of torch's, or of the file's own cells."""
    table = document.table("recurrent")
    if table is None:
        if not document.root.has("recurrent"):
            document.problem(
                (), Text("`[recurrent]` is missing: expected at least `module` and `hidden_size`")
            )
        return None
    own = tuple(own)
    if not table.has("module"):
        table.missing("module", Text("one of {choices}", choices=", ".join((*MODULES, *own))))
        return None
    return table.choice("module", (*MODULES, *own))


def read_recurrent(
    document: Document,
    module: str | None,
    own: Mapping[str, Cell | None],
    *,
    data_size: int | None,
    below: NetworkModule | None = None,
) -> Recurrent | None:
    """Give [recurrent], or None if sizes are missing or wrong.

    Args:
        document: The file.
        module: What `read_module` gave; with None every option's own mistakes are still told.
        own: The cells of the file's own; None is one with a mistake in it.
        data_size: The size of each x_t, as the data or the module below has it; None if unknown.
        below: The module of a chain that it reads, if it reads one.
    """
    table = document.table("recurrent")
    if table is None:
        return None
    options = KEYS["recurrent"] if module is None else _OF_OWN if module in own else _OPTIONS[module]
    _refuse_options(table, module or "", options)
    hidden_size = table.integer("hidden_size", minimum=1)
    if not table.has("hidden_size"):
        table.missing("hidden_size", Text("a whole number ≥ {minimum}", minimum=1))
    table = table.only(options)
    values: dict[str, Any] = {
        "num_layers": table.integer("num_layers", 1, minimum=1),
        "nonlinearity": table.choice("nonlinearity", ("tanh", "relu"), "tanh"),
        "bias": _bias(table),
        "batch_first": table.boolean("batch_first", default=False),
        "dropout": table.number("dropout", 0.0, minimum=0, maximum=1),
        "bidirectional": table.boolean("bidirectional", default=False),
        "proj_size": _proj_size(table, hidden_size),
        "mode": table.choice("mode", ("eval", "train"), "eval"),
        "dropout_seed": table.integer("dropout_seed", 0, minimum=0),
        "carry": table.boolean("carry", default=False),
    }
    _check_carry(document, table)
    input_size = _input_size(document, table, data_size, below)
    if module is None or hidden_size is None or input_size is None or _is_doubtful(document):
        return None
    if module in own and own[module] is None:
        return None
    return Recurrent(module, input_size, hidden_size, **values, own=own.get(module))


def _check_carry(document: Document, table: Table) -> None:
    """Note a `carry` where there is no batch after another, or a direction whose states cannot go on."""
    if table.raw("carry") is not True:
        return
    if table.raw("bidirectional") is True:
        text = Text(
            "`carry`: the backward direction begins at the end of a window, where no state of the window before"
            " belongs; expected a module of one direction"
        )
        table.problem("carry", text)
    given = document.root.raw("input")
    if document.root.has("data"):
        text = Text("`carry`: each row of [data] is whole, and none goes on where another ended")
        table.problem("carry", text)
    elif isinstance(given, dict) and "windows" not in given:
        text = Text(
            "`carry`: the state goes on from one window of a series to the next; expected `windows` in [input]"
        )
        table.problem("carry", text)


def _is_doubtful(document: Document) -> bool:
    """Whether a mistake leaves the shapes unknown, so that others would only follow from it."""
    if not document.problems:
        return False
    keys = document.root.raw("recurrent")
    return any(closest(key, _SHAPING) and document.has_problem("recurrent", key) for key in keys)


def _refuse_options(table: Table, module: str, allowed: tuple[str, ...]) -> None:
    """Report what torch's constructor of this module does not take."""
    for key in table.keys():
        if key in allowed:
            continue
        takers = [name for name, options in _OPTIONS.items() if key in options]
        if takers:
            message = Text(
                "`{key}`: {module} takes no such option, but {takers}",
                key=key,
                module=module,
                takers=", ".join(takers),
            )
            table.problem(key, message)
        else:
            table.unknown(key, allowed)


def _bias(table: Table) -> Bias:
    """Give `bias`: torch's true or false, or "ih" for one bias."""
    given = table.raw("bias") if table.has("bias") else True
    if given is True or given is False or given == "ih":
        return given
    table.wrong("bias", Text('true or false, or "ih" for one bias, as most books have it'))
    return True


def _proj_size(table: Table, hidden_size: int | None) -> int:
    proj_size = table.integer("proj_size", 0, minimum=0) or 0
    if hidden_size is not None and proj_size >= hidden_size:
        table.wrong(
            "proj_size", Text("a number smaller than `hidden_size`, {hidden_size}", hidden_size=hidden_size)
        )
        return 0
    return proj_size


def _input_size(
    document: Document, table: Table, data_size: int | None, below: NetworkModule | None
) -> int | None:
    given = table.integer("input_size", minimum=1)
    if given is None or data_size is None or given == data_size:
        return data_size if data_size is not None else given
    if document.root.has("embedding"):
        reason = Text("[embedding] gives vectors of `embedding_dim` {size}", size=data_size)
    elif below is not None:
        reason = Text("{module}, which it reads, gives {size} numbers", module=below.torch, size=data_size)
    elif _has_indices(document):
        reason = Text(
            "indices up to {last} make one-hot vectors of {size} elements", last=data_size - 1, size=data_size
        )
    elif document.root.has("vocabulary"):
        reason = Text("one-hot vectors of the vocabulary have {size} elements", size=data_size)
    else:
        reason = Text("each x_t of the input has {size} elements", size=data_size)
    table.problem("input_size", Text("`input_size`: found {given}, but {reason}", given=given, reason=reason))
    return data_size


def _has_indices(document: Document) -> bool:
    given = document.root.raw("input")
    return isinstance(given, dict) and "indices" in given and not document.root.has("vocabulary")


def read_embedding(document: Document, *, num_indices: int | None) -> Embedding | None:
    """Give [embedding], or None if absent or wrong; `num_indices` is what the data needs."""
    table = document.table("embedding")
    if table is None:
        return None
    before = len(document.problems)
    table.known()
    num_embeddings = table.integer("num_embeddings", num_indices, minimum=1)
    if num_embeddings is not None and num_indices is not None and num_embeddings < num_indices:
        table.wrong(
            "num_embeddings",
            Text(
                "at least {count}, for the indices 0 to {last} of the input",
                count=num_indices,
                last=num_indices - 1,
            ),
        )
    embedding_dim = table.integer("embedding_dim", _recurrent_input_size(document), minimum=1)
    if embedding_dim is None and not table.has("embedding_dim"):
        table.missing("embedding_dim", Text("a whole number ≥ {minimum}", minimum=1))
    padding_idx = _padding_idx(table, num_embeddings)
    if num_embeddings is None or embedding_dim is None or len(document.problems) > before:
        return None
    return Embedding(num_embeddings, embedding_dim, padding_idx)


def _recurrent_input_size(document: Document) -> int | None:
    recurrent = document.root.raw("recurrent")
    size = recurrent.get("input_size") if isinstance(recurrent, dict) else None
    return size if type(size) is int and 0 < size <= LARGEST else None


def _padding_idx(table: Table, num_embeddings: int | None) -> int | None:
    """Give `padding_idx`, counted from 0; torch takes −1 for the last."""
    padding_idx = table.integer("padding_idx")
    if padding_idx is None or num_embeddings is None:
        return padding_idx
    if not -num_embeddings <= padding_idx < num_embeddings:
        table.wrong("padding_idx", Text("an index below `num_embeddings`, {count}", count=num_embeddings))
        return None
    return padding_idx % num_embeddings


def read_linear(document: Document, *, num_outputs: int | None) -> dict[str, Any] | None:
    """Give the options of [linear], or None if absent or wrong; `num_outputs` is what the target needs, if known."""
    table = document.table("linear")
    if table is None:
        return None
    before = len(document.problems)
    table.known()
    out_features = table.integer("out_features", num_outputs, minimum=1)
    if out_features is None and not table.has("out_features"):
        table.missing("out_features", Text("a whole number ≥ {minimum}", minimum=1))
    bias = table.boolean("bias", default=True)
    source = table.choice("from", ("output", "h_n", "last"), "output")
    if out_features is None or len(document.problems) > before:
        return None
    return {"out_features": out_features, "bias": bool(bias), "source": source}
