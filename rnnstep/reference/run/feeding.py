"""What torch's network feeds itself: each step the class that it said itself at the step before.

The engine's rule is written in `scenario/feeding.py`; this is the same rule once more, in torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from rnnstep.network.description import INPUT
from rnnstep.reference.run.modules import Tensor, array, tensor
from rnnstep.scenario.feeding import Feed
from rnnstep.scenario.model import Batch, FedSequence, Scenario

Gave = Callable[[Batch], Mapping[str, Tensor]]
"""A run on a batch: what each module gave, by its key."""


def fed_itself(scenario: Scenario, batch: Batch, run: Gave) -> Batch:
    """Give a batch whose fed sequences are what the network says in torch's own run.

    Args:
        scenario: with the layers that feed.
        batch: what is given, and a guess of the rest.
        run: torch's network.
    """
    import torch

    feeds = {name: one for name, one in scenario.feeds.items() if one.is_of_classes}
    if not feeds:
        return batch
    with torch.no_grad():
        for _ in range(1 + sum(batch.sequences[name].num_steps for name in feeds)):
            gave = run(batch)
            following = {name: _following(one, gave[one.layer], batch.target) for name, one in feeds.items()}
            if all(torch.equal(found, _indices(batch, name)) for name, found in following.items()):
                return batch
            for name, found in following.items():
                batch = _with(batch, name, found)
    return batch


def said(feeding: Feed, scores: Tensor) -> Tensor:
    """The classes that scores (T, B, C) say, (T, B)."""
    import torch

    if feeding.sampling is None:
        return scores.argmax(-1)
    probabilities = torch.softmax(scores.double() / feeding.sampling.temperature, -1)
    generator = np.random.default_rng(feeding.sampling.seed)
    drawn = torch.tensor(np.stack([generator.random(scores.shape[1]) for _ in range(len(scores))]))
    return torch.searchsorted(probabilities.cumsum(-1), drawn[..., None], right=True)[..., 0].clamp(
        max=scores.shape[-1] - 1
    )


def _following(feeding: Feed, scores: Tensor, target: object) -> Tensor:
    """What is fed at every step where the scores were these."""
    import torch

    classes = said(feeding, scores)
    steps = [torch.tensor(feeding.first)]
    wanted = None if target is None else torch.tensor(target)
    for t in range(1, len(classes)):
        is_told = feeding.teacher is not None and feeding.teacher[t] and wanted is not None
        steps.append(wanted[t - 1] if is_told else classes[t - 1])  # type: ignore[index]
    return torch.stack(steps)


def _indices(batch: Batch, name: str) -> Tensor:
    indices = batch.sequences[name].indices
    assert indices is not None
    return tensor(indices)


def _with(batch: Batch, name: str, classes: Tensor) -> Batch:
    """The batch with one of its sequences fed with these classes."""
    import torch

    old = batch.sequences[name]
    values = old.values
    if values is not None:
        values = array(torch.nn.functional.one_hot(classes, values.shape[-1])).astype(values.dtype)
    new = FedSequence(values, array(classes), old.lengths, old.packed)
    if name == INPUT:
        return replace(batch, values=new.values, indices=new.indices)
    return replace(batch, beside={**batch.beside, name: new})
