"""One's own cell as a function over torch: its equations, line by line."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import partial

from rnnstep.cells.cell import Cell
from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.program import Program, infer
from rnnstep.equations.syntax import Apply, Expression, Name, Number, Pick, names_in, rebuilt
from rnnstep.modules import above_recurrent
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.recurrent import Recurrent

_CALLS = {
    "relu": "torch.relu({0})",
    "softmax": "torch.softmax({0}, dim=-1)",
    "sum": "torch.sum({0}, dim=-1, keepdim=True)",
    "mean": "torch.mean({0}, dim=-1, keepdim=True)",
    "max": "torch.amax({0}, dim=-1, keepdim=True)",
    "min": "torch.amin({0}, dim=-1, keepdim=True)",
    "norm": "torch.linalg.vector_norm({0}, dim=-1, keepdim=True)",
    "layer_norm": "nn.functional.layer_norm({0}, ({size},), {1}, {2})",
    "normalized": "nn.functional.layer_norm({0}, ({size},))",
    "any": "torch.any({0} != 0, dim=-1, keepdim=True).to({dtype})",
    "all": "torch.all({0} != 0, dim=-1, keepdim=True).to({dtype})",
    "argmax": "torch.argmax({0}, dim=-1, keepdim=True).to({dtype})",
}
_TRUTHS = {"and": "logical_and", "or": "logical_or", "not": "logical_not"}
_TRUTHS |= {name: name for name in ("isnan", "isinf", "isfinite")}
_ATOM = 9

# What the program itself calls so, `x` apart: that is what the equations mean too.
_NAMES = """
    torch nn np csv re inf nan load_file
    embedding rnn layers layer linear model module parameters generator
    x_t t k lengths is_alive mask packed output output_t outputs h_n c_n last states parts
    logits logits_t scores target target_t loss losses criterion optimizer epoch forward accuracy learnt
    values batches test_batches indices vocabulary classes series starts windows
    said right count tested mean text_at label_at rows own direction
    DotAttention ScaledDotAttention GeneralAttention AdditiveAttention
"""
# What begins or ends so is the program's own: `x_target` of a sequence, `encoder_out` and `decoder_h_n` of a module.
_BEFORE = ("x_", "indices_", "values_", "lengths_", "is_alive_", "target_")
_AFTER = ("_out", "_outs", "_t", "_x", "_h", "_c", "_n", "_0", "_first", "_before", "_new", "_u")
# What an nn.ModuleDict has already, which keeps no module of that name.
_OF_MODULES = frozenset(
    [
        "T_destination",
        "add_module",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "clear",
        "compile",
        "cpu",
        "cuda",
        "double",
        "dump_patches",
        "eval",
        "extra_repr",
        "float",
        "forward",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "half",
        "ipu",
        "items",
        "keys",
        "load_state_dict",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "pop",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook",
        "register_module",
        "register_parameter",
        "register_state_dict_post_hook",
        "register_state_dict_pre_hook",
        "requires_grad",
        "set_extra_state",
        "set_submodule",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "train",
        "training",
        "type",
        "update",
        "values",
        "xpu",
        "zero_grad",
    ]
)
_MODULES = frozenset((Embedding.key, *(module.key for module in above_recurrent().values())))
_TAKEN = frozenset(_NAMES.split()) | _MODULES


def cell_lines(recurrent: Recurrent, dtype: str, function: str) -> Iterator[str]:
    """Give `def NAME(x, h_prev, …)`, which returns the states after the step."""
    cell = recurrent.cell
    program = cell.program.sized(recurrent.sizes_of(0))
    read = [*program.inputs, *program.befores, *program.parameters]
    yield f"def {function}({', '.join(map(safe, read))}):"
    for line in program.lines:
        expression = rebuilt(line.expression, partial(_for_torch, program))
        yield f"    {safe(line.name)} = {_source(expression, dtype)[0]}"
    yield f"    return {', '.join(map(safe, program.states))}"


def _for_torch(program: Program, part: Expression) -> Expression | None:
    """What torch wants to be told more of than an equation says.

    Parameters beside values of rows have as many rows (`spread`, as `x` has); a normalization knows its size, and takes
    its weight and bias only where they are parameters.
    """
    if not isinstance(part, Apply) or part.op not in ("cat", "layer_norm"):
        return None
    args = [rebuilt(argument, partial(_for_torch, program)) for argument in part.args]
    are_fixed = [all(name in program.parameters for name in names_in(argument)) for argument in args]
    if part.op == "layer_norm":
        (size,) = infer(part.args[0], program.shapes)
        number = Number(float(size), str(size))
        if all(are_fixed[1:]):
            return Apply("layer_norm", (*args, number))
        normal = Apply("normalized", (args[0], number))
        return Apply("add", (Apply("mul", (normal, args[1])), args[2]))
    if not all(are_fixed):
        args = [
            Apply("spread", (argument, Name("x"))) if is_fixed else argument
            for argument, is_fixed in zip(args, are_fixed, strict=True)
        ]
    return Apply("cat", tuple(args))


def function_name(cell: Cell) -> str:
    """Give the name of the cell's function, which is neither `x` nor a state's, before a step, in it or after it.

    Letters beyond ASCII are not kept: Python reads several of them as one, and some of them not at all.
    """
    letters = re.sub(r"\W", "_", cell.name, flags=re.ASCII)
    name = safe(letters if letters.isidentifier() else f"cell_{letters}")
    states = {f"{variable(state)}{ending}" for state in cell.program.states for ending in ("", "_0", "_t")}
    return f"{name}_cell" if name == "x" or name in states else name


def variable(state: str) -> str:
    """Give the name of a state outside of the cell's function, where `h_0` and `h_t` are made of `h`."""
    return f"{safe(state)}_" if state.endswith(("_0", "_t")) else safe(state)


def module_name(key: str) -> str:
    """Give what the program calls a module: `linear`, `encoder`; `NAME_out` is what a module gave."""
    if key in _MODULES:
        return key
    if identifier(key) != key:
        return identifier(key)
    word = key.rstrip("_")
    is_taken = word in ("entering", "x", *_OF_MODULES) or word.startswith(_BEFORE) or word.endswith(_AFTER)
    return f"{key}_" if is_taken else safe(key)


def identifier(name: str) -> str:
    """Give a name as Python can read it, and reads it as no other: `x²` is `x_b2_u`, and what ends so gets a mark."""
    if name.isidentifier() and unicodedata.normalize("NFKC", name) == name:
        return name
    return re.sub(r"\W", lambda sign: f"_{ord(sign[0]):x}", name, flags=re.ASCII) + "_u"


def safe(name: str) -> str:
    """Give a name that the program may use: Python's words and its own names get a mark, different names stay so."""
    word = name.rstrip("_")
    is_taken = keyword.iskeyword(word) or word in _TAKEN or hasattr(builtins, word) or hasattr(builtins, name)
    return f"{name}_" if not word or is_taken else name


def _source(expression: Expression, dtype: str) -> tuple[str, int]:
    """Give an expression as Python over torch, and how tightly it binds."""
    if not any(names_in(expression)):
        constant = float(evaluate(expression, {}, Values()))
        return repr(constant), _ATOM if constant >= 0 else OPERATIONS["neg"].precedence
    match expression:
        case Name(id=name):
            return safe(name), _ATOM
        case Pick(base=base, index=index):
            stop = "" if index == -1 else str(index + 1)
            return f"{_bracketed(base, dtype, _ATOM)}[..., {index}:{stop}]", _ATOM
        case Apply(op="part", args=(base, Number(value=start), Number(value=stop))):
            ends = f"{int(start) or ''}:{int(stop) or ''}"
            return f"{_bracketed(base, dtype, _ATOM)}[..., {ends}]", _ATOM
        case Apply(op="cat", args=args):
            written = ", ".join(_source(argument, dtype)[0] for argument in args)
            return f"torch.cat(({written}), dim=-1)", _ATOM
        case Apply(op="spread", args=(inner, _)):
            return f"{_bracketed(inner, dtype, _ATOM)}.expand(*x.shape[:-1], -1)", _ATOM
        case Apply(op="matmul", args=(matrix, vector)):
            row = OPERATIONS["matmul"]
            return (
                f"{_bracketed(vector, dtype, _ATOM)} @ {_bracketed(matrix, dtype, _ATOM)}.T",
                row.precedence,
            )
        case Apply(op=op, args=args):
            return _operation(op, args, dtype)
        case Number():
            raise AssertionError(expression)  # has no names


def _operation(op: str, args: Sequence[Expression], dtype: str) -> tuple[str, int]:
    row = OPERATIONS[op]
    if op in _TRUTHS:
        written = ", ".join(f"torch.as_tensor({_source(argument, dtype)[0]})" for argument in args)
        return f"torch.{_TRUTHS[op]}({written}).to({dtype})", _ATOM
    if not row.symbol:
        call = _CALLS.get(op, f"torch.{op}({{0}})")
        if op in ("layer_norm", "normalized"):  # the last is the size
            *args, size = args
            assert isinstance(size, Number)
            return call.format(*(_source(one, dtype)[0] for one in args), size=size.text), _ATOM
        needs = _ATOM if op in ("any", "all") else 0  # a comparison stands behind it there
        return call.format(*(_bracketed(one, dtype, needs) for one in args), dtype=dtype), _ATOM
    if row.arity == 1:
        return f"{row.symbol}{_bracketed(args[0], dtype, row.precedence)}", row.precedence
    is_comparison = row.precedence == OPERATIONS["lt"].precedence
    left = _bracketed(args[0], dtype, row.precedence + is_comparison)
    text = f"{left} {row.symbol} {_bracketed(args[1], dtype, row.precedence + 1)}"
    return (f"({text}).to({dtype})", _ATOM) if is_comparison else (text, row.precedence)


def _bracketed(expression: Expression, dtype: str, needs: int) -> str:
    text, precedence = _source(expression, dtype)
    return text if precedence >= needs else f"({text})"
