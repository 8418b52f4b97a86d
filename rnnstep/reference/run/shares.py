"""The share of each step in the gradients of the parameters of modules without states, by torch."""

from __future__ import annotations

from collections.abc import Mapping

from rnnstep.engine import Block, Pass
from rnnstep.equations.operations import Array
from rnnstep.modules.attention import Attention
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.linear import Linear
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.reference.run.attention import attended
from rnnstep.reference.run.modules import Tensor, array, leaves, plain_module, tensor
from rnnstep.reference.run.resolver import Resolver
from rnnstep.reference.run.stepping import Along

Arrays = dict[str, Array]


def plain_shares(done: Pass, values: Along, gradients: Along, *, share_bytes: int) -> dict[str, Arrays]:
    """The share of each step in ∂L/∂ of the parameters of modules without states, and of the embedding's, (T, …).

    Of a linear layer on the final state it is all of it. Those that would take too much are left out.
    """
    found: dict[str, Arrays] = {}
    for module in done.scenario.layers:
        if isinstance(module, Recurrent):
            continue
        block, steps = done.by_key[module.key], done.scenario.fed(module, done.batch).num_steps
        if isinstance(module, Embedding):
            if _fits(block, steps, share_bytes):
                found[block.key] = _rows_looked_up(done, module, gradients.gave[block.key])
            continue
        is_single = block.extent.is_single
        if _fits(block, 1 if is_single else steps, share_bytes):
            g, x = (tensor(whole) for whole in (gradients.gave[block.key], values.read[block.key]))
            g, x = (whole[None] if is_single else whole for whole in (g, x))
            if isinstance(module, Attention):
                whole = {name: tensor(value) for name, value in values.read_whole[module.key].items()}
                found[block.key] = _shares_of_attention(done, module, g, x, whole)
            else:
                found[block.key] = _module_shares(done, module, g, x)
    return found


def _rows_looked_up(done: Pass, module: Embedding, gradient: Array) -> Arrays:
    """The share of each step in ∂L/∂ of a table, from ∂L/∂ of the rows that were looked up."""
    import torch

    g, places = tensor(gradient), tensor(done.scenario.fed(module, done.batch).given)
    whole = g.new_zeros((len(g), module.num_embeddings, module.embedding_dim))
    whole.index_put_((torch.arange(len(g))[:, None], places), g, accumulate=True)
    if module.padding_idx is not None:
        whole[:, module.padding_idx] = 0
    return {"weight": array(whole)}


def _module_shares(done: Pass, module: NetworkModule, g: Tensor, x: Tensor) -> Arrays:
    """The share of each step in ∂L/∂ of a module's parameters, from ∂L/∂ of what it gave and what it read."""
    import torch

    if isinstance(module, Linear):  # all steps in one product; autograd is asked step by step
        shares = {"weight": array(torch.matmul(g.mT, x))}
        return shares | {"bias": array(g.sum(dim=1))} if module.bias else shares
    if not any(one.is_learnt for one in module.parameters):
        return {}
    made = plain_module(module, leaves(done.scenario))
    names, parameters = zip(*made.named_parameters(), strict=True)
    with torch.enable_grad():
        if module.has_channels:  # a step reads others: all are computed, and each is gone back from alone
            gave, steps = made(x), torch.eye(len(g), dtype=torch.bool)[:, :, None, None]
            alone = [torch.where(here, g, torch.zeros((), dtype=g.dtype)) for here in steps]
            each = [torch.autograd.grad(gave, parameters, one, retain_graph=True) for one in alone]
        else:
            each = [torch.autograd.grad(made(x_t), parameters, g_t) for x_t, g_t in zip(x, g, strict=True)]
    return {
        name: array(torch.stack(parts)) for name, parts in zip(names, zip(*each, strict=True), strict=True)
    }


def _shares_of_attention(
    done: Pass, module: Attention, g: Tensor, x: Tensor, whole: Mapping[str, Tensor]
) -> Arrays:
    """The same of attention, which looks at `whole` at every step."""
    import torch

    parameters = leaves(done.scenario)
    own = {one.name.removeprefix(f"{module.key}."): parameters[one.name] for one in module.parameters}
    if not own:
        return {}
    live = Resolver(done.scenario, done.batch).live(module)
    with torch.enable_grad():
        each = [
            torch.autograd.grad(attended(module, parameters, x_t, whole, live), list(own.values()), g_t)
            for x_t, g_t in zip(x, g, strict=True)
        ]
    stacked = (array(torch.stack(parts)) for parts in zip(*each, strict=True))
    return dict(zip(own, stacked, strict=True))


def _fits(block: Block, steps: int, share_bytes: int) -> bool:
    return steps * sum(value.nbytes for value in block.parameters.values()) <= share_bytes
