"""The call of the modules: whole, layer by layer with dropout's masks between, or a loop over a cell."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.engine.shapes import state_as_torch_shows
from rnnstep.export.program.literals import tensor
from rnnstep.export.program.own_cell import safe
from rnnstep.export.program.source import Source


def forward_lines(source: Source) -> Iterator[str]:
    """Give the lines from `x` to `output`, `h_n`, `c_n` and `logits`."""
    if source.scenario.recurrent.is_cell:
        yield from _loop(source)
    elif source.is_chained:
        yield from _chain(source)
    else:
        yield from _call(source)
    yield from _linear(source)


# ── a loop over a cell ───────────────────────────────────────────────────────────────


def _loop(source: Source) -> Iterator[str]:
    scenario = source.scenario
    names = [safe(name) for name in scenario.cell.states]
    sizes = scenario.cell.sizes(
        scenario.recurrent.input_size, scenario.recurrent.hidden_size, scenario.recurrent.proj_size
    )
    for name, size in zip(scenario.cell.states, scenario.cell.states.values(), strict=True):
        yield f"{safe(name)} = {_first_state(source, name, sizes.get(size) or int(size))}"
    yield "outputs = []"
    yield f"for {'t, ' if source.is_packed else ''}x_t in {'enumerate(x)' if source.is_packed else 'x'}:"
    call = _step(source, names)
    if source.is_packed:
        after = [f"{name}_t" for name in names]
        yield "    is_alive = (t < lengths)[:, None]  # a row that is over keeps its state"
        yield f"    {', '.join(after)} = {call}"
        for name in names:
            yield f"    {name} = torch.where(is_alive, {name}_t, {name})"
        yield f"    outputs.append(torch.where(is_alive, {names[0]}, 0))"
    else:
        yield f"    {', '.join(names)} = {call}"
        yield f"    outputs.append({names[0]})"
    yield "output = torch.stack(outputs)"
    for result, name in zip(("h_n", "c_n"), names, strict=False):
        yield f"{result} = {name}"


def _step(source: Source, names: list[str]) -> str:
    recurrent = source.scenario.recurrent
    if recurrent.is_own:
        return f"{safe(recurrent.module)}(x_t, {', '.join(names)}, **parameters)"
    return f"rnn(x_t, {_passed(names)})"


def _first_state(source: Source, name: str, size: int) -> str:
    scenario = source.scenario
    given = scenario.initial_state.get(f"{name}_0")
    if given is not None:
        return tensor(state_as_torch_shows(scenario, given))
    shape = f"x.shape[1], {size}" if scenario.is_batched else str(size)
    return f"torch.zeros({shape}, dtype={source.dtype})"


# ── whole modules ────────────────────────────────────────────────────────────────────


def _initial(source: Source) -> tuple[list[str], list[str]]:
    """Give the lines that make h_0 and c_0, and their names; nothing where all are zeros."""
    scenario = source.scenario
    if not scenario.initial_state:
        return [], []
    lines = []
    names = list(scenario.cell.states)
    for name in names:
        given = scenario.initial_state.get(f"{name}_0")
        if given is not None:
            lines.append(f"{name}_0 = {tensor(state_as_torch_shows(scenario, given))}")
            continue
        other = next(iter(scenario.initial_state.values()))
        width = scenario.recurrent.hidden_size if name == "c" else scenario.recurrent.output_size
        shape = (*state_as_torch_shows(scenario, other).shape[:-1], width)
        lines.append(f"{name}_0 = torch.zeros({shape}, dtype={source.dtype})")
    return lines, [f"{name}_0" for name in names]


def _passed(names: list[str]) -> str:
    """Give one name, or several in brackets, as torch takes them."""
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _states(source: Source) -> str:
    return "(h_n, c_n)" if len(source.scenario.cell.states) > 1 else "h_n"


def _call(source: Source) -> Iterator[str]:
    lines, names = _initial(source)
    yield from lines
    behind = f", {_passed(names)}" if names else ""
    if not source.is_packed:
        yield f"output, {_states(source)} = rnn(x{behind})"
        return
    yield _packed(source, "x")
    yield f"output, {_states(source)} = rnn(packed{behind})"
    yield _padded(source)


def _batch_first(source: Source) -> str:
    return "batch_first=True, " if source.scenario.recurrent.batch_first else ""


def _packed(source: Source, name: str) -> str:
    return f"packed = nn.utils.rnn.pack_padded_sequence({name}, lengths, {_batch_first(source)}enforce_sorted=False)"


def _padded(source: Source) -> str:
    axis = 1 if source.scenario.recurrent.batch_first else 0
    return f"output, _ = nn.utils.rnn.pad_packed_sequence(output, {_batch_first(source)}total_length=x.shape[{axis}])"


def _chain(source: Source) -> Iterator[str]:
    """Give torch's single layers one after another, our masks between."""
    recurrent = source.scenario.recurrent
    lines, names = _initial(source)
    yield from lines
    directions = recurrent.num_directions
    part = f"[{directions} * k : {directions} * k + {directions}]"
    passed = f", {_passed([f'{name}{part}' for name in names])}" if names else ""
    is_lstm = len(source.scenario.cell.states) > 1
    yield f"generator = np.random.default_rng({recurrent.dropout_seed})"
    yield "output, last = x, []"
    yield "for k, layer in enumerate(layers):"
    yield "    if k > 0:"
    yield f"        {_mask(source)}"
    yield "        output = mask * output"
    if source.is_packed:
        yield f"    {_packed(source, 'output')}"
        yield f"    output, states = layer(packed{passed})"
        yield f"    {_padded(source)}"
    else:
        yield f"    output, states = layer(output{passed})"
    yield "    last.append(states)"
    if is_lstm:
        yield "h_n, c_n = (torch.cat(parts) for parts in zip(*last))"
    else:
        yield "h_n = torch.cat(last)"


def _mask(source: Source) -> str:
    recurrent = source.scenario.recurrent
    p = recurrent.dropout
    if p >= 1:
        return "mask = torch.zeros_like(output)"
    # The masks are drawn time-major, (T, B, n), whatever the layout.
    if not source.scenario.is_batched:
        shape, back = "(len(output), 1, output.shape[1])", "[:, 0]"
    elif recurrent.batch_first:
        shape, back = "output.transpose(0, 1).shape", ".transpose(0, 1)"
    else:
        shape, back = "output.shape", ""
    kept = f"(generator.random({shape}) >= {p!r}) / (1 - {p!r})"
    return f"mask = torch.from_numpy({kept}).to({source.dtype}){back}"


# ── linear ───────────────────────────────────────────────────────────────────────────


def _linear(source: Source) -> Iterator[str]:
    scenario = source.scenario
    if scenario.linear is None:
        return
    if scenario.linear.source == "output":
        yield "logits = linear(output)"
    elif scenario.recurrent.is_cell:
        yield "logits = linear(h_n)"
    elif scenario.recurrent.bidirectional:
        yield "logits = linear(torch.cat([h_n[-2], h_n[-1]], dim=-1))"
    else:
        yield "logits = linear(h_n[-1])"
