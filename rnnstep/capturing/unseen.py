"""What cannot be recorded, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rnnstep.capturing.listening import plain_name
from rnnstep.language import Text
from rnnstep.language.printable import printable

WHOLE = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")


def why(name: str, kind: str, reason: str) -> Text:
    """Say why a call of a module has no numbers to record."""
    match reason:
        case "traced":
            return Text(
                "{name}: {kind} was traced into a script, which is not recorded", name=name, kind=kind
            )
        case "compiled":
            return Text("{name}: {kind} was compiled; its compiled kernel is not seen", name=name, kind=kind)
        case "torch.func":
            return Text(
                "{name}: {kind} was called inside a function of torch.func (vmap, grad), whose tensors have no numbers of their own",
                name=name,
                kind=kind,
            )
        case "meta":
            return Text(
                "{name}: {kind} was called on the device meta, which has no numbers", name=name, kind=kind
            )
    return Text(
        "{name}: {kind} was called on tensors of the class {reason}, which are not recorded",
        name=name,
        kind=kind,
        reason=printable(reason),
    )


def never_heard(model: Any, heard: Collection[int]) -> Iterator[Text]:
    """Tell of each recurrent module under what was listened to of which no call was heard."""
    import torch

    if model is None:
        return
    every = (
        [model]
        if isinstance(model, torch.nn.Module)
        else model.values()
        if isinstance(model, Mapping)
        else model
    )
    for one in every:
        for name, module in one.named_modules():
            text = None if id(module) in heard else _about(printable(plain_name(name)), module)
            if text is not None:
                yield text


def _about(name: str, module: Any) -> Text | None:
    import torch

    kind = type(module).__name__
    if isinstance(module, torch.jit.ScriptModule):
        kind = getattr(module, "original_name", kind)
        if kind in WHOLE:
            return Text(
                "{name}: {kind} is scripted: its kernels run outside of Python", name=name or kind, kind=kind
            )
        return None
    if kind in WHOLE and "quantized" in type(module).__module__:
        return Text(
            "{name}: {kind} is quantized: it has no weights of floating point", name=name or kind, kind=kind
        )
    if isinstance(module, (torch.nn.RNNBase, torch.nn.RNNCellBase)):
        return Text(
            "{name}: no call of this {kind} was heard; it was not called, or where Python does not see it:"
            " compiled, exported, in another process",
            name=name or kind,
            kind=kind,
        )
    return None
