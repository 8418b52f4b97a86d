"""Where torch keeps each value: in `output`, in `h_n`, in the loop around a cell, in what a module returns, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.language import Text
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.blocks import Block, Direction
from rnnstep.scenario.model import Scenario


def where_torch_keeps(
    scenario: Scenario, batch_index: int, block: Block, t: int, row: int, state: str = "h"
) -> Text:
    """Say where torch keeps a state of a recurrent block after a step (from 0), of a row.

    `output[2,0] = h_n[1,0]`, `output[2,0,:4]` of the forward half, or that torch does not return it. Of one of several
    modules its name stands before: `encoder: output[2,0]`.
    """
    recurrent = scenario.recurrent_of(block)
    said = _of_module(scenario, recurrent, batch_index, block, t, row, state)
    return said if recurrent.is_alone else Text("{module}: {place}", module=recurrent.key, place=said)


def where_modules_keep(scenario: Scenario, block: Block, t: int, row: int) -> Iterator[tuple[str, Text]]:
    """Say where torch keeps what a module without states gives at a step, `linear(…)[2,0]`, and what stays inside it."""
    module = scenario.by_key[block.module]
    if block.reads_all_rows:
        yield block.output, Text("inside the module: torch keeps the running statistics alone")
        return
    if block.program.banks:
        for name in block.program.names[:-1]:
            yield name, Text("inside the forward of the program's own class: torch has no such module")
    if not module.torch:
        yield block.output, Text("the sum itself: no module keeps it")
        return
    batch = [str(row)] if scenario.is_batched else []
    if block.extent.is_single:
        parts = batch
    elif module.has_channels:
        parts = [*batch, ":", str(t)]
    else:
        parts = [*batch, str(t)] if scenario.batch_first else [str(t), *batch]
    at = f"[{','.join(parts)}]" if parts else ""
    yield block.output, Text("{place}", place=f"{module.name}(…){at}")


def _of_module(
    scenario: Scenario, recurrent: Recurrent, batch_index: int, block: Block, t: int, row: int, state: str
) -> Text:
    layer, direction = block.layer, block.direction
    is_last = t == scenario.batches[batch_index].axis(block.sequence).final_step(direction, row)
    if recurrent.is_cell:
        return _of_loop(scenario, t, row, state, is_last=is_last)
    final = _final(scenario, recurrent, layer, direction, row, state)
    is_output = layer == recurrent.num_layers - 1 and state == block.output
    if not is_output:
        if is_last:
            return Text("{place}", place=final)
        return Text("torch does not return it; {place} only after the last step", place=final)
    output = _in_output(scenario, recurrent, direction, t, row)
    return Text("{place}", place=f"{output} = {final}" if is_last else output)


def _of_loop(scenario: Scenario, t: int, row: int, state: str, *, is_last: bool) -> Text:
    """A cell keeps nothing: the loop around it does."""
    entry = f"[{row}]" if scenario.is_batched else ""
    shown = f"{state}_{t + 1}{entry}"
    if is_last:
        return Text("the loop's {state}, its last: {place}", state=shown, place=f"{state}_n{entry}")
    return Text(
        "the loop's {state} ({argument} of step {step})", state=shown, argument=f"{state}x", step=t + 2
    )


def _in_output(scenario: Scenario, recurrent: Recurrent, direction: Direction, t: int, row: int) -> str:
    parts = [str(t)]
    if scenario.is_batched:
        parts = [str(row), str(t)] if recurrent.batch_first else [str(t), str(row)]
    if recurrent.bidirectional:
        size = recurrent.output_size
        parts.append(f"{size}:" if direction == "backward" else f":{size}")
    return f"output[{','.join(parts)}]"


def _final(
    scenario: Scenario, recurrent: Recurrent, layer: int, direction: Direction, row: int, state: str
) -> str:
    position = recurrent.position(layer, direction)
    return f"{state}_n[{position},{row}]" if scenario.is_batched else f"{state}_n[{position}]"
