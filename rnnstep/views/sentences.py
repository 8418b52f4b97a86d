"""One sentence for each equation: what it does, in the words a teacher says at the board."""

from __future__ import annotations

from rnnstep.engine import Block
from rnnstep.equations.syntax import Apply
from rnnstep.language import Text

_LOSS = {
    "s": Text("the mistake: a softmax of scores that the loss takes the softmax of once more"),
    "p": Text("the scores as probabilities: positive, their sum 1"),
    "log_p": Text("the probabilities' logarithms"),
    "nll": Text("the loss of this step: −ln of what the right answer was given"),
    "difference": Text("how far the output is off"),
    "square": Text("squared: far off counts more, whichever way"),
    "mse": Text("the loss of this step: the mean of the squares"),
    "sse": Text("the loss of this step: the sum of the squares"),
    "distance": Text("how far off, whichever way"),
    "mae": Text("the loss of this step: the mean of the distances"),
    "sae": Text("the loss of this step: the sum of the distances"),
    "smooth_each": Text("a square where the difference is small, a straight line where it is large"),
    "smooth": Text("the loss of this step, over all its outputs"),
    "bce_each": Text("−ln of what the right answer, yes or no, was given"),
    "bce": Text("the loss of this step, over all its outputs"),
}
_UPDATE = {
    "grad": Text("the mistake: no gradient was set to zero, so this one is added to all those before"),
    "clamped": Text("the gradient, each element held within the limit"),
    "clipped": Text("the gradient, made smaller where the norm of all was too large"),
    "m": Text("running mean of the gradients: which way it has gone of late"),
    "v": Text("running mean of the squared gradients: how large they have been of late"),
    "a": Text("running mean of the gradients, by which v is centered"),
    "state_sum": Text("the sum of all squared gradients so far: it only grows, so the steps get smaller"),
    "v_max": Text("the largest v so far (amsgrad)"),
    "m_hat": Text("m began at 0: this takes the zeros out of the mean"),
    "v_hat": Text("v began at 0: this takes the zeros out of the mean"),
    "buf": Text("momentum: the old direction goes on, the new gradient is added"),
    "ahead": Text("Nesterov: a look ahead along the momentum"),
    "shrunk": Text("weight decay, apart from the gradient: the weight shrinks a little"),
    "w": Text("the new value: one step against the gradient"),
    "total_norm": Text("the norm of all gradients as one vector"),
    "clip_coef": Text("what all gradients are multiplied with, so that their norm is at most the limit"),
}
_STEPS = {
    "SGD": Text("the step: lr times the direction"),
    "Adam": Text("the step: lr times the mean gradient over its usual size"),
    "AdamW": Text("the step: lr times the mean gradient over its usual size"),
    "Adagrad": Text("the step: lr times the gradient over the root of the sum"),
    "RMSprop": Text("the step: lr times the gradient over its usual size"),
}


def carried_in(block: Block, batch: int) -> Text:
    """Say where the states of a recurrent block come from at the first step of a batch, from 0, where they are carried."""
    names = ", ".join(map(block.program.before, block.program.states))
    return Text("{names}: where batch {batch} ended, carried on without a gradient", names=names, batch=batch)


def seam() -> Text:
    """Say that nothing goes back from the first step of a batch whose states are carried."""
    return Text("the gradient ends here: the state was carried, detach()")


def sentence(block: Block, name: str) -> Text | None:
    """Give the sentence of a line of a block in the forward pass; None for a line of a user's own cell."""
    if block.kind == "loss":
        return _LOSS.get(name)
    if block.kind == "total":
        return _total(block)
    return block.words.sentence(name)


def _total(block: Block) -> Text:
    """What the losses of steps and rows come to."""
    match block.program.lines[-1].expression:
        case Apply(op="mean"):
            return Text("the loss: the mean of all steps' and rows' losses")
        case Apply(op="sum", args=(Apply(),)):
            return Text("the loss: the mean of each step's rows, summed over the steps")
        case Apply(op="div"):
            return Text("the loss: the mean of those that count")
    return Text("the loss: all of them added up")


def update_sentence(name: str, optimizer: str, *, is_maximized: bool = False) -> Text | None:
    """Give the sentence of a line of an update."""
    if name == "update":
        return _STEPS.get(optimizer)
    if name == "g":
        if is_maximized:
            return Text("the gradient turned round: what is to become larger goes up")
        return Text("weight decay: a pull towards 0 is added to the gradient")
    return _UPDATE.get(name)
