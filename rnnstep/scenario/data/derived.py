"""Sequences that modules begin: those that give another number of steps than they read, named after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule
from rnnstep.network.description import Wiring, in_order, is_once, sequence_read, sequences_read
from rnnstep.scenario.chain import Chain
from rnnstep.scenario.file.document import Document, KeyPath
from rnnstep.scenario.model import Batch, FedSequence


def with_derived(
    document: Document,
    chain: Chain,
    batches: Sequence[Batch],
    layers: Sequence[NetworkModule],
    wiring: Wiring,
) -> tuple[Batch, ...] | None:
    """Give batches with the sequences that modules begin; None, and problems noted, where one has no step.

    Args:
        document: the file.
        chain: its layers.
        batches: with all that is fed.
        layers: all modules.
        wiring: what each reads.
    """
    by_key = {layer.key: layer for layer in layers}
    places = {layer.name: layer.place for layer in chain.layers}
    places |= {layer.key: places[layer.name] for layer in layers if layer.name in places}
    before = len(document.problems)
    begun = [by_key[key] for key in in_order(wiring) if wiring[key].begins]
    for module in layers:
        if module.reads_steps and is_once(module.key, wiring):
            text = Text(
                "{name} reads a window of steps, and what it reads belongs to no step", name=module.name
            )
            document.problem(places[module.key], text)
    if len(document.problems) > before:
        return None
    found = []
    for batch in batches:
        sequences = dict(batch.fed)
        for module in (by_key[key] for key in in_order(wiring) if by_key[key].reads_steps):
            read = sequences.get(sequence_read(module.key, wiring))
            if read is None:  # it reads itself, which is told elsewhere
                return None
            fed = _begun(read, module)
            if module.changes_steps:
                sequences[module.key] = fed
            misfit = module.misfit(read.num_steps)
            if misfit is not None:
                text = Text("`{key}`: expected {expected}", key=misfit.option, expected=misfit.expected)
                document.problem((*places[module.key], misfit.option), text)
                return None
            short = _too_short(module, read, fed)
            if short is not None:
                document.problem(places[module.key], short)
                return None
        derived = {module.key: sequences[module.key] for module in begun}
        found.append(replace(batch, derived=MappingProxyType(derived)))
    for module in layers:
        place = places.get(module.key.removesuffix(".add"), ("layers",))
        _check_together(document, place, module, wiring, found)
    return tuple(found) if len(document.problems) == before else None


def _begun(read: FedSequence, module: NetworkModule) -> FedSequence:
    """The sequence that a module begins on what runs along another."""
    lengths = None if read.lengths is None else tuple(map(module.steps_given, read.lengths))
    shape = (module.steps_given(read.num_steps), read.num_rows)
    return FedSequence(None, None, lengths, read.packed, shape)


def _too_short(module: NetworkModule, read: FedSequence, fed: FedSequence) -> Text | None:
    """Say that no step is left of a row, or of all, or that a window has none; None where all is well."""
    without = module.step_without(read.num_steps)
    if without is not None:
        return Text(
            "{name} reads none of the {steps} steps at its step {step}: the largest of nothing is −∞, and torch cannot go back"
            " through it",
            name=module.name,
            steps=read.num_steps,
            step=without + 1,
        )
    if fed.num_steps < 1:
        return Text(
            "{name} gives no step: it reads {steps}, too few for one window",
            name=module.name,
            steps=read.num_steps,
        )
    row = next((row for row, length in enumerate(fed.true_lengths) if length < 1), None)
    if row is None:
        return None
    return Text(
        "{name} gives no step of row {row}: that has {steps} steps, too few for one window",
        name=module.name,
        row=row,
        steps=read.true_lengths[row],
    )


def _check_together(
    document: Document, place: KeyPath, module: NetworkModule, wiring: Wiring, batches: Sequence[Batch]
) -> None:
    """Note what reads values at the same step of sequences that have other steps, one of which a module begins."""
    read = sequences_read(module.key, wiring)
    for batch in batches:
        several = [batch.sequences[name] for name in read]
        if len({(one.num_steps, one.true_lengths) for one in several}) < 2:
            continue
        one, other = read[0], next(name for name in read if _differ(batch, read[0], name))
        text = Text(
            "{name} reads {one} ({steps} steps) and {other} ({others} steps) at the same step",
            name=module.name.removesuffix(".add"),
            one=one,
            steps=batch.sequences[one].num_steps,
            other=other,
            others=batch.sequences[other].num_steps,
        )
        document.problem(place, text)
        return


def _differ(batch: Batch, one: str, other: str) -> bool:
    """Whether sequences have other numbers of steps, or their rows have."""
    first, second = batch.sequences[one], batch.sequences[other]
    return (first.num_steps, first.true_lengths) != (second.num_steps, second.true_lengths)
