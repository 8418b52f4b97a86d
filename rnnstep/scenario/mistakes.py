"""The key `mistake` of [training]: which slip of training loops is made on purpose, and where it can be made."""

from __future__ import annotations

from rnnstep.language import Text
from rnnstep.scenario.document import Document
from rnnstep.scenario.model import Batch, Linear, Loss, Recurrent, Training


def check_mistake(
    document: Document,
    training: Training | None,
    loss: Loss | None,
    recurrent: Recurrent,
    linear: Linear | None,
    batches: tuple[Batch, ...],
) -> None:
    """Make sure that the mistake, if there is one, can be made in this scenario; notes a problem if not."""
    if training is None or loss is None or training.mistake is None:
        return
    mistake = training.mistake
    needed: Text | None = None
    if mistake == "softmax_before_cross_entropy" and loss.name != "CrossEntropyLoss":
        needed = Text("CrossEntropyLoss, found {name}", name=loss.name)
    elif mistake == "backward_inside_the_loop":
        needed = _no_loop(loss, recurrent, linear, batches)
    elif mistake == "h_0_of_the_wrong_shape" and recurrent.is_own:
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
    loss: Loss, recurrent: Recurrent, linear: Linear | None, batches: tuple[Batch, ...]
) -> Text | None:
    """Say what is missing for a loop over a cell with a loss at each step; None if nothing is."""
    if not recurrent.is_cell or recurrent.is_own:
        return Text(
            "a loop over a cell: RNNCell, LSTMCell or GRUCell, found {module}", module=recurrent.module
        )
    if loss.over_time != "sum" or (linear is not None and linear.source == "h_n"):
        return Text('a loss at each step, `over_time = "sum"`')
    if all(batch.num_steps == 1 for batch in batches):
        return Text("more than one step")
    return None
