"""The table of torch's shapes for a scenario: each array's axes in words and in numbers."""

from __future__ import annotations

from typing import NamedTuple

from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import INPUT, is_once
from rnnstep.scenario.model import Batch, Scenario
from rnnstep.scenario.weights.parameters import parameters_of


class ValueShape(NamedTuple):
    """A row of the table: `input  (seq_len, batch, input_size) = (5, 1, 4)`, and what there is to say."""

    name: str
    words: tuple[str, ...]
    sizes: tuple[int, ...]
    remark: Text | None = None


def data_shapes(scenario: Scenario, batch: Batch) -> list[ValueShape]:
    """Give the shapes of what goes in and comes out, in the order of a call."""
    if scenario.is_network:
        return _of_network(scenario, batch)
    recurrent = scenario.recurrent
    found: list[ValueShape] = []
    if scenario.lookup is not None:
        found.append(_sequence(scenario, batch, "indices", remark=Text("what the embedding looks up")))
    found.append(_sequence(scenario, batch, "input", "input_size", recurrent.input_size, _of_input(scenario)))
    if recurrent.is_cell:
        size = ("input_size", recurrent.input_size)
        found.append(_row_of_batch(scenario, batch, "x_t", *size, Text("what one call takes")))
    found += _of_recurrent(scenario, batch, recurrent, "output")
    if scenario.head is not None:
        out = (scenario.head.most_to_blame, scenario.head.size)
        if scenario.reads_final_state:
            found.append(_row_of_batch(scenario, batch, "logits", *out, _once(scenario)))
        else:
            found.append(_sequence(scenario, batch, "logits", *out))
    return found


def _once(scenario: Scenario) -> Text:
    """From what scores are made of which there is one set a row."""
    if scenario.wiring[scenario.scored_module.key].inputs[0].value == "last":
        return Text("from output[-1]")
    return Text("from the last layer's final state")


def _of_network(scenario: Scenario, batch: Batch) -> list[ValueShape]:
    """What goes in, and what each module gives, under its name."""
    found = []
    for name, fed in batch.fed.items():
        steps = fed.num_steps
        if fed.values is None:
            called = "indices" if name == INPUT else name
            remark = Text("what the embedding looks up")
            found.append(_sequence(scenario, batch, called, remark=remark, steps=steps))
        else:
            found.append(_sequence(scenario, batch, name, "size", fed.values.shape[2], steps=steps))
    for module in scenario.layers:
        memory = scenario.wiring[module.key].banks[:1]
        found += (_weights(scenario, batch, module, scenario.sequence_of[one.name]) for one in memory)
        size = (module.size_in_words, module.size)
        if isinstance(module, Recurrent):
            found += _of_recurrent(scenario, batch, module, module.name)
        elif is_once(module.key, scenario.wiring):
            found.append(_row_of_batch(scenario, batch, module.name, *size))
        else:
            steps = batch.sequences[scenario.sequence_of[module.key]].num_steps
            layout = _with_channels(batch, module, steps) if module.has_channels else None
            found.append(_sequence(scenario, batch, module.name, *size, remark=layout, steps=steps))
    return found


def _with_channels(batch: Batch, module: NetworkModule, steps: int) -> Text:
    """In which shape torch's module gives it, which takes features as channels."""
    return Text("from torch as (N, C, L) = {shape}", shape=f"({batch.num_rows}, {module.size}, {steps})")


def _weights(scenario: Scenario, batch: Batch, module: NetworkModule, memory: str) -> ValueShape:
    """What a module looks at another one with: the weights of each of its steps over the steps of the memory."""
    sequences = scenario.sequence_of
    axes = [("seq_len", batch.sequences[sequences[module.key]].num_steps)]
    axes += [("memory_len", batch.sequences[memory].num_steps)]
    if scenario.is_batched:
        axes.insert(0, ("batch", batch.num_rows))
    words, sizes = zip(*axes, strict=True)
    return ValueShape(f"{module.name}.weights", words, sizes, Text("of each step over those of the memory"))


def _of_recurrent(scenario: Scenario, batch: Batch, recurrent: Recurrent, output: str) -> list[ValueShape]:
    """The states that a recurrent module begins with, what it gives, and the states it ends with."""
    before = recurrent.before_places
    size = next(iter(recurrent.cell.states.values()))
    if recurrent.bidirectional:
        size = f"2*{size}"
    remark = Text("the loop's h, stacked") if recurrent.is_cell else None
    steps = batch.sequences[scenario.sequence_of[recurrent.key]].num_steps
    return [
        *(_state(scenario, batch, recurrent, f"{before}{name}_0", name) for name in recurrent.cell.states),
        _sequence(scenario, batch, output, str(size), recurrent.size, remark, steps),
        *(_state(scenario, batch, recurrent, f"{before}{name}_n", name) for name in recurrent.cell.states),
    ]


def weight_shapes(scenario: Scenario) -> list[ValueShape]:
    """Give the shape of every parameter, in torch's order."""
    found = []
    for parameter in parameters_of(scenario.layers).values():
        words = tuple(part.strip() for part in parameter.words.strip("()").split(",") if part.strip())
        found.append(ValueShape(parameter.name, words, parameter.shape))
    return found


def _of_input(scenario: Scenario) -> Text | None:
    if scenario.recurrent.is_cell:
        return Text("what the loop walks over")
    return Text("what the embedding gives") if scenario.lookup is not None else None


def _sequence(
    scenario: Scenario,
    batch: Batch,
    name: str,
    word: str = "",
    size: int = 0,
    remark: Text | None = None,
    steps: int | None = None,
) -> ValueShape:
    """Give a shape over time, of the first sequence where no number of steps is said: (T, B, n), (B, T, n) with `batch_first`, (T, n) when unbatched."""
    axes = [("seq_len", batch.first.num_steps if steps is None else steps), ("batch", batch.num_rows)]
    if not scenario.is_batched:
        axes.pop()
    elif scenario.batch_first:
        axes.reverse()
    if word:
        axes.append((word, size))
    return ValueShape(name, tuple(axis for axis, _ in axes), tuple(length for _, length in axes), remark)


def _row_of_batch(
    scenario: Scenario, batch: Batch, name: str, word: str, size: int, remark: Text | None = None
) -> ValueShape:
    """Give a shape without time: (B, n), (n) when unbatched."""
    if scenario.is_batched:
        return ValueShape(name, ("batch", word), (batch.num_rows, size), remark)
    return ValueShape(name, (word,), (size,), remark)


def _state(scenario: Scenario, batch: Batch, recurrent: Recurrent, name: str, state: str) -> ValueShape:
    """Give a state's shape: (D·num_layers, B, n), of a cell (B, n); the batch is never first of a module's."""
    word = recurrent.cell.states[state]
    shape = _row_of_batch(scenario, batch, name, word, recurrent.state_sizes[state])
    if recurrent.is_cell:
        return shape
    layers = "2*num_layers" if recurrent.bidirectional else "num_layers"
    remark = None
    if recurrent.batch_first and scenario.is_batched:
        remark = Text("the batch stays second, also with batch_first")
    return ValueShape(name, (layers, *shape.words), (recurrent.num_states, *shape.sizes), remark)
