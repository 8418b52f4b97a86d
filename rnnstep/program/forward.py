"""The call of the modules: whole, layer by layer with dropout's masks between, or a loop over a cell."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.engine.shapes import as_torch_shows, state_as_torch_shows
from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule
from rnnstep.program.literals import tensor
from rnnstep.program.loss import added_lines
from rnnstep.program.own_cell import identifier, module_name, safe, variable
from rnnstep.program.source import ProgramSource, indented


def chain_lines(source: ProgramSource, *, first: bool = False, has_loss: bool = False) -> Iterator[str]:
    """Give the lines from `x`, by way of the modules below, to `output`, `h_n`, `c_n` and `logits`.

    Args:
        source: the scenario.
        first: whether `h_0` (and `c_0`) stand already, made by `first_lines` or by the mistake of a training.
        has_loss: whether a loop over a cell adds up the loss of each step.
    """
    if source.has_mask_modules:
        yield from generator_line(source)
    for each in source.each_recurrent:
        read = each.given
        for module in each.below:
            yield from applied(source, module, read, each.x, has_steps=True)
            read = each.x
        yield from ran(each, first=first, has_loss=has_loss)
    if not has_loss:
        yield from _scores(source)


def ran(source: ProgramSource, *, first: bool = False, has_loss: bool = False) -> Iterator[str]:
    """Give the lines of a recurrent module."""
    first = first or source.goes_on
    if source.recurrent.is_cell:
        yield from _loop(source, first=first, has_loss=has_loss)
    elif source.recurrent.is_own:
        yield from _loops(source, first=first)
    elif source.is_chained:
        yield from _chain(source, first=first)
    else:
        yield from _call(source, first=first)


def first_lines(source: ProgramSource, rows: str) -> Iterator[str]:
    """Give the lines that make `h_0` (and `c_0`) for so many rows, as the scenario gives them, or zeros."""
    if source.has_own_states:  # they come with the batch
        return
    for name in source.cell.states:
        yield f"{source.own(f'{variable(name)}_0')} = {_first_state(source, name, rows)}"


def first_names(source: ProgramSource) -> list[str]:
    """Give the names of the states before the first step."""
    return [source.own(f"{variable(name)}_0") for name in source.cell.states]


def ends(source: ProgramSource) -> list[str]:
    """Give the names of the states after the last step: `h_n`, `c_n`, and of a user-defined cell all others."""
    names = [variable(name) for name in source.cell.states]
    return [source.own(name) for name in ["h_n", "c_n", *names[2:]][: len(names)]]


def gone_on_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that let states go on: those at which a batch ended are the next one's first."""
    for each in (one for one in source.each_recurrent if one.goes_on):
        yield gone_on_line(each)


def gone_on_line(source: ProgramSource) -> str:
    """Give the line that makes the last states of a module its first, without a gradient."""
    detached = ".detach()" if source.has_loss else ""
    return f"{', '.join(first_names(source))} = {', '.join(f'{end}{detached}' for end in ends(source))}"


def carried_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that make the first states of an epoch, where they go on from batch to batch."""
    for each in (one for one in source.each_recurrent if one.goes_on):
        yield from first_lines(each, str(source.batch.num_rows))


def first_state_of(source: ProgramSource, name: str) -> str:
    """Give a state before the first step: where it goes on from the batch before the name that it has."""
    if source.goes_on:
        return source.own(f"{variable(name)}_0")
    return _first_state(source, name, source.rows)


def _first_state(source: ProgramSource, name: str, rows: str) -> str:
    scenario = source.scenario
    if name in source.firsts:
        return source.firsts[name]
    if source.has_own_states:
        return f"{variable(name)}_0"
    given = scenario.initial_of(source.batch).get(f"{source.recurrent.before_places}{name}_0")
    if given is not None:
        return tensor(state_as_torch_shows(scenario, source.recurrent, given))
    return source.zeros(*first_shape(source, name, rows))


def first_shape(source: ProgramSource, name: str, rows: str) -> tuple[object, ...]:
    """Give the shape of a state before the first step, as torch takes it for so many rows."""
    recurrent = source.recurrent
    layers = () if recurrent.is_cell else (recurrent.num_states,)
    return (*layers, *((rows,) if source.scenario.is_batched else ()), source.width(name))


# ── a loop over a cell ───────────────────────────────────────────────────────────────


def _loop(source: ProgramSource, *, first: bool, has_loss: bool) -> Iterator[str]:
    names = [variable(name) for name in source.cell.states]
    if first:
        yield f"{', '.join(names)} = {', '.join(first_names(source))}"
    else:
        for name in source.cell.states:
            yield f"{variable(name)} = {_first_state(source, name, source.rows)}"
    keeps_logits = has_loss and source.scenario.head is not None
    yield "outputs, scores = [], []" if keeps_logits else "outputs = []"
    if source.batch.keep is not None:
        said = source.comment(Text("0 in a row that begins anew from zeros at a step"))
        keep = source.batch.keep if source.scenario.is_batched else source.batch.keep[:, 0]
        yield f"keep = {tensor(keep)}  {said}"
    if has_loss:
        yield "loss = 0"
    walked, step = (f"zip({source.x}, target)", "x_t, target_t") if has_loss else (source.x, "x_t")
    if source.is_packed or source.recurrent.has_resets:
        walked, step = f"enumerate({walked})", f"t, ({step})" if has_loss else f"t, {step}"
    yield f"for {step} in {walked}:"
    yield from indented(_step(source, names))
    output_t = "output_t" if source.is_packed else names[0]
    if has_loss:
        yield from indented(_scored(source, output_t, keeps_logits=keeps_logits))
    yield f"{source.output} = torch.stack(outputs)"
    if keeps_logits:
        yield "logits = torch.stack(scores)"
    for result, name in zip(ends(source)[:2], names, strict=False):
        yield f"{result} = {name}"


def _step(source: ProgramSource, names: list[str]) -> Iterator[str]:
    if source.recurrent.is_own:
        call = f"{source.function}(x_t, {', '.join(names)}, **{source.own('parameters')})"
    else:
        call = f"{source.module}(x_t, {passed(names)})"
    if source.recurrent.has_resets:
        yield f"{', '.join(names)} = {', '.join(f'keep[t] * {name}' for name in names)}"
    yield from _called(source, names, call)
    if not source.is_packed:
        yield f"outputs.append({names[0]})"
        return
    yield f"output_t = torch.where(is_alive, {names[0]}, 0)"
    yield "outputs.append(output_t)"


def _called(source: ProgramSource, names: list[str], call: str) -> Iterator[str]:
    """Give the call of a cell; in a packed batch no row goes on that is over."""
    if not source.is_packed:
        yield f"{', '.join(names)} = {call}"
        return
    over = source.comment(Text("a row that is over keeps its state"))
    yield f"is_alive = (t < {source.lengths})[:, None]  {over}"
    yield f"{', '.join(f'{name}_t' for name in names)} = {call}"
    for name in names:
        yield f"{name} = torch.where(is_alive, {name}_t, {name})"


def _scored(source: ProgramSource, output_t: str, *, keeps_logits: bool) -> Iterator[str]:
    """Give the loss of one step, and the logits it is taken of."""
    if keeps_logits:
        for module in source.above:
            output_t = called(source, module, output_t, has_steps=False)
        yield f"logits_t = {output_t}"
        yield "scores.append(logits_t)"
    yield from added_lines(source, "logits_t" if keeps_logits else output_t)


# ── a loop for each layer and direction of a cell of the file ────────────────────────


def _loops(source: ProgramSource, *, first: bool) -> Iterator[str]:
    """Give the loops over the cell: layers, their directions, and the steps in the direction's order."""
    recurrent, cell = source.recurrent, source.cell
    names = [variable(name) for name in cell.states]
    if not first:
        yield from first_lines(source, source.rows)
    yield from _masks(source)
    yield f"output, last = {source.x}, []"
    yield f"for k in range({recurrent.num_layers}):"
    if source.has_masks:
        yield "    if k > 0:"
        yield f"        {_mask(source)}"
        yield "        output = mask * output"
    yield "    parts = []"
    suffixes = '("", "_reverse")' if recurrent.bidirectional else '("",)'
    yield f"    for direction in {suffixes}:"
    yield from indented(indented(_one_direction(source, names)))
    yield "    output = torch.cat(parts, dim=-1)"
    gives = ends(source)
    if len(names) == 1:
        yield f"{gives[0]} = torch.stack(last)"
    else:
        yield f"{', '.join(gives)} = (torch.stack(parts) for parts in zip(*last))"
    yield from _renamed(source)


def _one_direction(source: ProgramSource, names: list[str]) -> Iterator[str]:
    cell = source.cell
    yield "own = {"
    for name in cell.program.parameters:
        yield f'    "{safe(name)}": {source.own("parameters")}[f"{name}_l{{k}}{{direction}}"],'
    yield "}"
    yield f"{', '.join(names)} = {', '.join(f'{name}[len(last)]' for name in first_names(source))}"
    yield "outputs = [None] * len(output)"
    yield "for t in reversed(range(len(output))) if direction else range(len(output)):"
    call = f"{source.function}(output[t], {', '.join(names)}, **own)"
    yield from indented(_called(source, names, call))
    yield f"    outputs[t] = {f'torch.where(is_alive, {names[0]}, 0)' if source.is_packed else names[0]}"
    yield "parts.append(torch.stack(outputs))"
    yield f"last.append({passed(names)})"


# ── whole modules ────────────────────────────────────────────────────────────────────


def _initial(source: ProgramSource, *, first: bool) -> tuple[list[str], list[str]]:
    """Give the lines that make h_0 and c_0, and their names; nothing where all are zeros."""
    if first:
        return [], first_names(source)
    given = source.scenario.initial_of(source.batch)
    own = [name for name in source.cell.states if f"{source.recurrent.before_places}{name}_0" in given]
    if not (source.has_own_states or own or source.firsts):
        return [], []
    return list(first_lines(source, source.rows)), first_names(source)


def passed(names: list[str]) -> str:
    """Give one name, or several in brackets, as torch takes them."""
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _states(source: ProgramSource) -> str:
    return passed(ends(source)[:2])


def _call(source: ProgramSource, *, first: bool) -> Iterator[str]:
    lines, names = _initial(source, first=first)
    yield from lines
    behind = f", {passed(names)}" if names else ""
    if not source.is_packed:
        yield f"{source.output}, {_states(source)} = {source.module}({source.x}{behind})"
        return
    yield _packed(source, source.x)
    yield f"{source.output}, {_states(source)} = {source.module}(packed{behind})"
    yield _padded(source, source.output)


def _batch_first(source: ProgramSource) -> str:
    return "batch_first=True, " if source.scenario.batch_first else ""


def _packed(source: ProgramSource, name: str) -> str:
    return f"packed = nn.utils.rnn.pack_padded_sequence({name}, {source.lengths}, {_batch_first(source)}enforce_sorted=False)"


def _padded(source: ProgramSource, name: str = "output") -> str:
    read = source.x if source.is_wired or source.sequence in source.batch.derived else "x"
    length = f"{read}.shape[{1 if source.scenario.batch_first else 0}]"
    return (
        f"{name}, _ = nn.utils.rnn.pad_packed_sequence({name}, {_batch_first(source)}total_length={length})"
    )


def _chain(source: ProgramSource, *, first: bool) -> Iterator[str]:
    """Give torch's single layers one after another, our masks between."""
    recurrent = source.recurrent
    lines, names = _initial(source, first=first)
    yield from lines
    directions = recurrent.num_directions
    part = f"[{directions} * k : {directions} * k + {directions}]"
    behind = f", {passed([f'{name}{part}' for name in names])}" if names else ""
    is_lstm = len(source.cell.states) > 1
    yield from _masks(source)
    yield f"output, last = {source.x}, []"
    yield f"for k, layer in enumerate({source.own('layers')}):"
    yield "    if k > 0:"
    yield f"        {_mask(source)}"
    yield "        output = mask * output"
    if source.is_packed:
        yield f"    {_packed(source, 'output')}"
        yield f"    output, states = layer(packed{behind})"
        yield f"    {_padded(source)}"
    else:
        yield f"    output, states = layer(output{behind})"
    yield "    last.append(states)"
    if is_lstm:
        yield f"{', '.join(ends(source))} = (torch.cat(parts) for parts in zip(*last))"
    else:
        yield f"{ends(source)[0]} = torch.cat(last)"
    yield from _renamed(source)


def _renamed(source: ProgramSource) -> Iterator[str]:
    """Give what a loop called `output` the name of the module's."""
    if source.output != "output":
        yield f"{source.output} = output"


def _masks(source: ProgramSource) -> Iterator[str]:
    """Give what the masks between layers come from: they themselves, where they are given, or a generator."""
    if not source.has_masks:
        return
    if source.batch.masks is None:
        if not source.has_mask_modules:  # else it stands already
            yield from generator_line(source)
        return
    yield "masks = ["
    for mask in source.recurrent.masks:
        shown = as_torch_shows(source.scenario, source.batch.masks[mask.key])
        yield f"    {tensor(shown, indent=4)},"
    yield "]"


def generator_line(source: ProgramSource) -> Iterator[str]:
    """Give what draws the masks, where they are not given."""
    if source.batch.masks is None:
        yield f"generator = np.random.default_rng({source.scenario.dropout_seed})"


def _mask(source: ProgramSource) -> str:
    """Give the line that makes a mask between layers."""
    if source.batch.masks is not None:
        return "mask = masks[k - 1]"
    recurrent = source.recurrent
    assert recurrent.between is not None
    return _drawn(source, "output", recurrent.between.p)


def _drawn(source: ProgramSource, read: str, p: float) -> str:
    """Give the line that draws a mask for what is read."""
    if p >= 1:
        return f"mask = torch.zeros_like({read})"
    # The masks are drawn time-major, (T, B, n), whatever the layout.
    if not source.scenario.is_batched:
        shape, back = f"(len({read}), 1, {read}.shape[1])", "[:, 0]"
    elif source.scenario.batch_first:
        shape, back = f"{read}.transpose(0, 1).shape", ".transpose(0, 1)"
    else:
        shape, back = f"{read}.shape", ""
    kept = f"(generator.random({shape}) >= {p!r}) / (1 - {p!r})"
    return f"mask = torch.from_numpy({kept}).to({source.dtype}){back}"


# ── scores ───────────────────────────────────────────────────────────────────────────


def _scores(source: ProgramSource) -> Iterator[str]:
    recurrent, read = source.scenario.recurrent, "output"
    match source.scenario.wiring[source.above[0].key].inputs[0].value if source.above else "output":
        case "h_n":
            read = "h_n" if recurrent.is_cell else "h_n[-1]"
            if recurrent.bidirectional:
                read = "torch.cat([h_n[-2], h_n[-1]], dim=-1)"
        case "last":
            read = "output[:, -1]" if recurrent.batch_first and source.scenario.is_batched else "output[-1]"
    for module in source.above:
        gives = "logits" if module is source.scenario.head else f"{identifier(module.key)}_out"
        yield from applied(source, module, read, gives, has_steps=not source.has_one_a_row)
        read = gives


def called(source: ProgramSource, module: NetworkModule, read: str, *, has_steps: bool) -> str:
    """Give the call of a module; one that takes channels is given them, and what it gives is turned back.

    Args:
        source: the scenario.
        module: one without states.
        read: what it is called on.
        has_steps: whether that has an axis of steps.
    """
    call = module_name(module.key)
    if not module.has_channels:
        return f"{call}({read})"
    if not source.scenario.is_batched:
        return f"{call}({read}.T[None])[0].T" if has_steps else f"{call}({read}[None])[0]"
    if not has_steps:
        return f"{call}({read})"
    if source.scenario.batch_first:
        return f"{call}({read}.transpose(1, 2)).transpose(1, 2)"
    return f"{call}({read}.permute(1, 2, 0)).permute(2, 0, 1)"


def applied(
    source: ProgramSource, module: NetworkModule, read: str, gives: str, *, has_steps: bool
) -> Iterator[str]:
    """Give the lines that apply a module without states: its call, or a mask of the generator's."""
    if not module.masks:
        yield f"{gives} = {called(source, module, read, has_steps=has_steps)}"
        return
    (mask,) = module.masks
    given = source.batch.masks
    if given is None:
        yield _drawn(source, read, mask.p)
    else:
        yield f"mask = {tensor(as_torch_shows(source.scenario, given[mask.key]))}"
    yield f"{gives} = mask * {read}"
