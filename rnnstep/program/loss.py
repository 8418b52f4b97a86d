"""The loss, its gradients, and one update; with the slip that a training makes on purpose."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.language import Text
from rnnstep.modules.attention import Attention
from rnnstep.program.source import ProgramSource, indented
from rnnstep.program.weights import learning_modules

# ── the loss ─────────────────────────────────────────────────────────────────────────


def criterion_line(source: ProgramSource) -> str:
    """Give the line that makes torch's loss; torch's defaults are left out."""
    loss = source.loss
    options = [
        f'{key}="{value}"' if isinstance(value, str) else f"{key}={value!r}"
        for key, value in loss.unusual_options.items()
    ]
    return f"criterion = nn.{loss.name}({', '.join(options)})"


def loss_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines from the scores to `loss`: one call over all steps, or one a step, added up."""
    if source.has_loss_in_loop:
        return
    scores, target = source.scores, "target"
    if source.has_one_a_row:
        yield from _called(source, "loss = {call}", source.compared, target)
        return
    if source.loss.over_time == "sum":
        of_steps = ".unbind(1)" if source.scenario.batch_first and source.scenario.is_batched else ""
        yield "loss = 0"
        yield f"for {scores}_t, target_t in zip({scores}{of_steps}, target{of_steps}):"
        yield from indented(added_lines(source, f"{scores}_t"))
        return
    if source.has_classes and source.scenario.is_batched:
        # The output of a module with batch_first is no contiguous block, of which alone there is a view; nor what is turned back.
        is_turned = any(
            layer.has_channels or isinstance(layer, Attention) for layer in source.scenario.layers
        )
        flat = "reshape" if source.scenario.batch_first or is_turned else "view"
        size = source.num_scores
        yield from _called(source, "loss = {call}", f"{scores}.{flat}(-1, {size})", f"target.{flat}(-1)")
        return
    yield from _called(source, "loss = {call}", scores, target)


def added_lines(source: ProgramSource, scores_t: str) -> Iterator[str]:
    """Give the lines that add the loss of one step."""
    yield from _called(source, "loss = loss + {call}", scores_t, "target_t")
    if source.mistake == "backward_inside_the_loop":
        yield source.comment(
            Text("Mistake on purpose: this stands inside the loop over the steps; torch raises at step 2.")
        )
        yield source.comment(Text("Cure: once, after the loop over the steps."))
        yield from update_lines(source)


def _called(source: ProgramSource, line: str, scores: str, target: str) -> Iterator[str]:
    """Put the call of the loss in its line."""
    factor = "" if source.loss.factor == 1 else f"{source.loss.factor!r} * "
    right = line.format(call=f"{factor}criterion({scores}, {target})")
    if source.mistake != "softmax_before_cross_entropy":
        yield right
        return
    yield source.comment(
        Text("Mistake on purpose: CrossEntropyLoss takes the softmax itself, so it is taken twice.")
    )
    yield source.comment(Text("Cure: {code}", code=right))
    yield line.format(call=f"{factor}criterion(torch.softmax({scores}, dim=-1), {target})")


# ── gradients and updates ────────────────────────────────────────────────────────────


def model_lines(source: ProgramSource) -> Iterator[str]:
    """Give the line that gathers all parameters, where they stand in several places."""
    modules = learning_modules(source)
    if source.scenario.has_own_cells:
        if is_listed(source) and source.training is not None:
            every = [f"*{parameters}.values()" for parameters, _ in own_parameters(source)]
            every += [f"*{module}.parameters()" for module in modules]
            yield f"learnt = [{', '.join(every)}]"
    elif len(modules) > 1:
        named = ", ".join(f'"{module}": {module}' for module in modules)
        yield f"model = nn.ModuleDict({{{named}}})"


def own_parameters(source: ProgramSource) -> list[tuple[str, str]]:
    """Give the dictionaries that hold parameters of user-defined cells, and what stands before each name in them."""
    return [
        (each.own("parameters"), each.recurrent.before_names)
        for each in source.each_recurrent
        if each.recurrent.is_own
    ]


def is_listed(source: ProgramSource) -> bool:
    """Whether parameters stand in several places, one of them a dictionary."""
    return len(own_parameters(source)) + len(learning_modules(source)) > 1


def learnt(source: ProgramSource) -> str:
    """Give all parameters, as an optimizer takes them."""
    modules = learning_modules(source)
    if source.scenario.has_own_cells:
        return "learnt" if is_listed(source) else f"{own_parameters(source)[0][0]}.values()"
    return "model.parameters()" if len(modules) > 1 else f"{modules[0]}.parameters()"


def update_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that go back, clip and update."""
    assert source.training is not None
    yield "loss.backward()"
    if source.training.clip_grad_value is not None:
        yield f"nn.utils.clip_grad_value_({learnt(source)}, {source.training.clip_grad_value!r})"
    if source.training.clip_grad_norm is not None:
        yield f"nn.utils.clip_grad_norm_({learnt(source)}, {source.training.clip_grad_norm!r})"
    yield "optimizer.step()"


def gradient_lines(source: ProgramSource) -> Iterator[str]:
    """Give the lines that go back, and print the loss and the gradient of every parameter."""
    modules = learning_modules(source)
    if source.is_several:
        yield from _cleared(source, modules)
    yield "loss.backward()"
    yield 'print("loss", loss.item())'
    for parameters, before in own_parameters(source):
        yield f"for name, values in {parameters}.items():"
        yield f'    print(f"{before}{{name}}.grad", values.grad, sep="\\n")'
    if len(modules) > 1 and not source.scenario.has_own_cells:
        yield from _printed(source, "model", "{name}")
        return
    for module in modules:
        yield from _printed(source, module, f"{module}.{{name}}")


def _printed(source: ProgramSource, module: str, name: str) -> Iterator[str]:
    yield f"for name, parameter in {module}.named_parameters():"
    line = f'print(f"{name}.grad", parameter.grad, sep="\\n")'
    if any(each.recurrent.has_one_bias for each in source.each_recurrent):
        yield "    if parameter.requires_grad:"
        line = f"    {line}"
    yield f"    {line}"


def _cleared(source: ProgramSource, modules: list[str]) -> Iterator[str]:
    """The gradients of each batch alone."""
    for parameters, _ in own_parameters(source):
        yield f"for values in {parameters}.values():"
        yield "    values.grad = None"
    if len(modules) > 1 and not source.scenario.has_own_cells:
        modules = ["model"]
    for module in modules:
        yield f"{module}.zero_grad()"
