"""The modules, and their parameters: from the seed, from a file, or written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rnnstep.language import Text
from rnnstep.modules.attention import Attention
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.program.attention import class_lines, constructed
from rnnstep.program.literals import tensor
from rnnstep.program.own_cell import cell_lines, module_name, safe
from rnnstep.program.source import ProgramSource, indented
from rnnstep.scenario.data.array_files import UnreadableTensor
from rnnstep.scenario.file.document import Document, Limits
from rnnstep.scenario.model import Floats
from rnnstep.scenario.modules import idle_dropout
from rnnstep.scenario.weights.parameters import parameter_shapes
from rnnstep.scenario.weights.parts import is_safetensors, open_parts
from rnnstep.scenario.weights.pending_file import take_pending
from rnnstep.scenario.weights.pickles import flat_name
from rnnstep.scenario.weights.seeds import rounded, seeded_weights
from rnnstep.scenario.weights.state_dicts import as_dtype, take
from rnnstep.scenario.weights.stored_tensors import load_stored, norm_axis
from rnnstep.scenario.weights.weight_files import saved_tensors


def module_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that make the modules with their parameters."""
    yield from class_lines(source)
    seed = source.origins.weights.seed
    if seed is not None:
        yield f"torch.manual_seed({seed})"
    yield from _constructed(source)
    for layer in source.scenario.layers:
        for own, other in layer.tied:
            yield f"{_target(source, own)} = {_target(source, other)}"
    if source.is_double:
        yield from _each_module(source, "{module}.double()")
    writing = list(_written(source))
    if writing and source.has_loss:
        yield "with torch.no_grad():"
        yield from indented(writing)
    else:
        yield from writing
    for each in source.each_recurrent:
        if source.has_loss and each.recurrent.is_own:
            yield f"for values in {each.own('parameters')}.values():"
            yield "    values.requires_grad_()"
    for each in source.each_recurrent:
        if each.is_chained:
            yield from _layers(each)


def learning_modules(source: ProgramSource) -> list[str]:
    """Give the modules whose parameters are learnt; those of a cell of one's own stand in a dictionary beside."""
    layered = {each.module: each.own("layers") for each in source.each_recurrent if each.is_chained}
    return [layered.get(module, module) for module in _modules(source)]


def _written(source: ProgramSource) -> Iterator[str]:
    """Give the lines that write into the parameters what the constructors did not draw."""
    decimals = source.origins.weights.round
    if decimals is not None:
        yield from _rounded(source, decimals)
    loaded = _from_file(source)
    if loaded is not None:
        yield from loaded.lines
    for each in source.each_recurrent:
        if each.recurrent.has_one_bias:
            yield source.comment(
                Text("one bias, as most books have it: the other one is zeros, and is not learnt")
            )
            yield f"for name, values in {each.module}.named_parameters():"
            yield '    if name.startswith("bias_hh"):'
            yield "        values.requires_grad_(False).zero_()"
    known = {**_from_seed(source), **(loaded.values if loaded is not None else {})}
    for name, values in source.scenario.parameters.items():
        if name not in known or not np.array_equal(known[name], values, equal_nan=True):
            yield f"{_target(source, name)}[...] = {tensor(values)}"


def module_call(source: ProgramSource, *, input_size: str | None = None) -> str:
    """Give the constructor's call of the recurrent module; with `input_size`, of one of its layers."""
    recurrent = source.recurrent
    places, names = recurrent.arguments
    if input_size is not None:
        places = (_Written(input_size), *places[1:])
        names.pop("num_layers", None)
    return _call(recurrent.module, places, names)


def _call(name: str, places: tuple[Any, ...], names: Mapping[str, Any]) -> str:
    options = [
        f'{key}="{value}"' if isinstance(value, str) else f"{key}={value!r}" for key, value in names.items()
    ]
    return f"nn.{name}({', '.join([*map(repr, places), *options])})"


class _Written(str):
    """An argument that stands in the program as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _constructed(source: ProgramSource) -> Iterator[str]:
    """Construct the modules in the order in which the seed is used."""
    for layer in source.scenario.layers:
        if isinstance(layer, Recurrent):
            yield from _constructed_recurrent(ProgramSource(source.scenario, source.language, layer))
        elif isinstance(layer, Attention):
            yield f"{module_name(layer.key)} = {constructed(layer)}"
        elif layer.torch:
            eval_mode = ".eval()" if layer.is_put_in_eval else ""
            yield f"{module_name(layer.key)} = {_call(layer.torch, *layer.arguments)}{eval_mode}"


def _constructed_recurrent(source: ProgramSource) -> Iterator[str]:
    recurrent = source.recurrent
    if recurrent.is_own:
        yield from _own_parameters(source)
        return
    idle = idle_dropout(recurrent)
    if idle is not None:
        yield source.comment(idle)
    eval_mode = ".eval()" if recurrent.between is not None and not source.is_chained else ""
    yield f"{source.module} = {module_call(source)}{eval_mode}"


def _own_parameters(source: ProgramSource) -> Iterator[str]:
    recurrent, parameters = source.recurrent, source.own("parameters")
    shapes = parameter_shapes([recurrent])
    is_drawn = source.origins.weights.seed is not None
    drawn = f".uniform_(-{recurrent.hidden_size}**-0.5, {recurrent.hidden_size}**-0.5)" if is_drawn else ""
    yield f"{parameters} = {{"
    for name, shape in shapes.items():
        own = safe(name.removeprefix(recurrent.before_names))
        yield f'    "{own}": torch.{"empty" if is_drawn else "zeros"}({shape}){drawn},'
    yield "}"
    if source.is_double:
        yield f"{parameters} = {{name: values.double() for name, values in {parameters}.items()}}"
    yield ""
    yield ""
    yield from cell_lines(source.recurrent, source.dtype, source.function)
    yield ""
    yield ""


def _each_module(source: ProgramSource, line: str) -> Iterator[str]:
    for module in _modules(source):
        yield line.format(module=module)


def _modules(source: ProgramSource) -> list[str]:
    return [
        _name(layer)
        for layer in source.scenario.layers
        if (not layer.is_own if isinstance(layer, Recurrent) else layer.torch)
    ]


def _name(module: NetworkModule) -> str:
    """What the program calls a module."""
    return module_name(module.key) if module.key else "rnn"


def _rounded(source: ProgramSource, decimals: int) -> Iterator[str]:
    for each in source.each_recurrent:
        if each.recurrent.is_own:
            yield f"for values in {each.own('parameters')}.values():"
            yield f"    values.copy_(values.double().round(decimals={decimals}))"
    modules = _modules(source)
    if modules:
        every = f"{modules[0]}," if len(modules) == 1 else ", ".join(modules)
        yield f"for module in ({every}):"
        yield "    for values in module.parameters():"
        yield f"        values.copy_(values.double().round(decimals={decimals}))"


def _target(source: ProgramSource, name: str) -> str:
    module, _, own = name.rpartition(".")
    for each in source.each_recurrent:
        if each.recurrent.key == module:
            is_own = each.recurrent.is_own
            return f'{each.own("parameters")}["{safe(own)}"]' if is_own else f"{each.module}.{own}"
    return f"{module_name(module)}.{own}"


def _from_seed(source: ProgramSource) -> Mapping[str, Floats]:
    """Give what the seed draws; what torch alone can draw counts as given where it is pending."""
    weights, scenario = source.origins.weights, source.scenario
    if weights.seed is None:
        return {}
    drawn = seeded_weights(weights.seed, scenario.layers)
    return {name: rounded(values, weights.round, scenario.dtype) for name, values in drawn.items()}


class _Loaded:
    """What a file gives: the lines that load it, and the values as far as they are known here."""

    def __init__(self, lines: list[str], values: Mapping[str, Floats]) -> None:
        self.lines = lines
        self.values = dict(values)


def _from_file(source: ProgramSource) -> _Loaded | None:
    name = source.origins.weights.file
    if name is None:
        return None
    if is_safetensors(name):
        return _safetensors(source, name)
    pending = source.scenario.pending
    if pending is None or pending.file is None:
        return None
    saved = {flat_name(keys): (keys, shape) for keys, shape in saved_tensors(pending.file).items()}
    shapes = {flat: shape for flat, (_, shape) in saved.items()}
    held = take_pending(source.scenario, pending, shapes, lambda flat: np.zeros(shapes[flat], np.bool_)).keys
    lines = [f"weights = torch.load({source.file(name)}, weights_only=True)"]
    for parameter in pending.names:
        keys = held.get(parameter, ())
        read = [f"weights{''.join(f'[{key!r}]' for key in saved[flat][0])}" for flat in keys]
        filled = f"copy_({_computed(source, read, [shapes[flat] for flat in keys])})" if keys else "zero_()"
        lines.append(f"{_target(source, parameter)}.{filled}")
    return _Loaded(lines, {})


def _safetensors(source: ProgramSource, name: str) -> _Loaded:
    """Give the lines that load safetensors files, and of each parameter that is still what they hold its values."""
    scenario = source.scenario
    assert scenario.path is not None
    document = Document(str(scenario.path), scenario.path.parent, "", {}, Limits(allow_outside=True))
    opened = open_parts(document, ("file",), name)
    if opened is None:  # it has changed since the scenario was read: its numbers are written out
        return _Loaded([], {})
    values: dict[str, Floats] = {}
    lines: list[str] = []
    keys = _keys_in(source, opened.shapes)
    for parameter, held in keys.items():
        try:
            loaded = as_dtype(load_stored(held, opened.load, scenario.dtype), scenario.dtype)
        except UnreadableTensor:  # one that stands in the scenario itself
            continue
        if np.array_equal(loaded, scenario.parameters[parameter], equal_nan=True):
            values[parameter] = scenario.parameters[parameter]
            shapes = [opened.shapes[key] for key in held]
            read = [f"weights[{key!r}]" for key in held]
            lines.append(f"{_target(source, parameter)}.copy_({_computed(source, read, shapes)})")
    files = {name: None}
    if {*opened.paths.values()} != {(scenario.path.parent / name).resolve()}:  # an index, or one of its parts
        own = scenario.path.parent.resolve()
        parts = dict.fromkeys(opened.paths[key] for held in keys.values() for key in held)
        files = {str(part.relative_to(own) if part.is_relative_to(own) else part): None for part in parts}
    loads = " | ".join(f"load_file({source.file(file)})" for file in files)
    return _Loaded([f"weights = {loads}", *lines], values)


def _computed(source: ProgramSource, read: list[str], shapes: list[tuple[int, ...]]) -> str:
    """Give the expression of a tensor from those of what it is stored as (`Stored.keys`), computed in the scenario's dtype."""
    if len(read) == 1:
        return read[0]
    (g, v), dim = read, norm_axis(*shapes)
    wide = "double()" if source.is_double else "float()"
    return f"torch._weight_norm({v}.{wide}, {g}.{wide}, {dim})"


def _keys_in(source: ProgramSource, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, tuple[str, ...]]:
    """Give the file's keys of each parameter, as reading the scenario found them."""
    scenario = source.scenario
    prefixes = source.origins.weights.prefixes
    wanted = parameter_shapes(scenario.layers)
    return take(shapes, lambda _: np.zeros(()), wanted, prefixes, scenario.dtype).keys


def _layers(source: ProgramSource) -> Iterator[str]:
    """Give one module a layer, so that our masks can stand between them."""
    recurrent, layers = source.recurrent, source.own("layers")
    above = recurrent.size
    size = f"{recurrent.input_size} if k == 0 else {above}" if recurrent.input_size != above else str(above)
    yield source.comment(Text("one module a layer, so that dropout's masks can stand between them"))
    yield f"{layers} = nn.ModuleList()"
    yield f"for k in range({recurrent.num_layers}):"
    yield f"    layer = {module_call(source, input_size=size)}.to({source.dtype})"
    yield '    names = {name: name.replace("_l0", f"_l{k}") for name in layer.state_dict()}'
    given = f"{source.module}.state_dict()"
    yield f"    layer.load_state_dict({{name: {given}[whole] for name, whole in names.items()}})"
    if recurrent.has_one_bias:
        yield "    for name, values in layer.named_parameters():"
        yield '        values.requires_grad_(not name.startswith("bias_hh"))'
    yield f"    {layers}.append(layer)"
