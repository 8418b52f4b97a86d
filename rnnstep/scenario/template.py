"""A commented scenario to start from, for each module and for an encoder and a decoder, with attention or without; what may be added stands in it as a comment."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.cells import MODULES
from rnnstep.language import Text

OWN = "cell"  # not a module of torch: a scenario with a [cell.NAME]
SEQ2SEQ = "seq2seq"  # an encoder and a decoder
ATTENTION = "attention"  # the same, with attention
LESSON = "lesson"  # not a scenario: stops in some
TEMPLATES = (*MODULES, OWN, SEQ2SEQ, ATTENTION)

_COLUMN = 40  # where the comments begin

TemplateLine = tuple[str, Text | None]

# What is read here is known without numpy, which a cell's own file imports.
_EXAMPLES = {"RNN": "weight_hh", "LSTM": "W_hf", "GRU": "W_hr"}


def template(module: str, language: str) -> str:
    """Give the text of a scenario file for one of `TEMPLATES`, or of a `LESSON`, its comments in "en" or "zh"."""
    if module in (SEQ2SEQ, ATTENTION):
        lines = _seq2seq(attends=module == ATTENTION)
    else:
        lines = _lesson() if module == LESSON else _lines(module)
    return "\n".join(_written(code, comment, language) for code, comment in lines) + "\n"


def _written(code: str, comment: Text | None, language: str) -> str:
    if comment is None:
        return code
    words = f"# {comment.into(language)}"
    return f"{code + '  ':{_COLUMN}}{words}" if code else words


def _lines(module: str) -> Iterator[TemplateLine]:
    is_cell = module == OWN or module.endswith("Cell")
    name = "mgu" if module == OWN else module
    yield f'title = "hello → ohlol: {name}"', Text('or {{en = "…", zh = "…"}}')
    yield 'summary = ""', Text("a few sentences, in Markdown")
    yield "", None
    yield 'vocabulary = ["e", "h", "l", "o"]', Text("position = index; leave it out if the input is numbers")
    yield "", None
    yield "[input]", None
    yield 'text = "hello"', Text("each letter a one-hot vector; a list of strings is a batch")
    yield (
        "# values = [[[0.5, -1.0]], [[0.2, 0.3]]]",
        Text("instead: numbers, (T, B, input_size), here (2, 1, 2)"),
    )
    yield "# random = {shape = [5, 1, 4], seed = 0}", Text("instead: standard normal numbers")
    yield "", None
    yield from _recurrent(module, name, is_cell=is_cell)
    yield "", None
    yield from _weights(module)
    yield "", None
    yield "# [initial_state]", Text("what was there before the first step; zeros without it")
    yield f"# h_0 = {'[[0.1, 0.2, 0.3, 0.4]]' if is_cell else '[[[0.1, 0.2, 0.3, 0.4]]]'}", None
    yield "", None
    yield "[target]", Text("what each step should answer; may be left out, as all that follows")
    yield 'text = "ohlol"', None
    yield "", None
    yield "[loss]", None
    yield 'name = "CrossEntropyLoss"', Text("or MSELoss, L1Loss, SmoothL1Loss, BCEWithLogitsLoss")
    yield "", None
    yield "[training]", None
    yield 'optimizer = "Adam"', Text("or SGD, AdamW, RMSprop, Adagrad; arguments under torch's names")
    yield "lr = 0.1", None
    yield "epochs = 15", None
    yield "", None
    yield "[display]", None
    yield "decimals = 4", None
    yield 'dtype = "float32"', Text("or float64")
    if module == OWN:
        yield "", None
        yield from _own_cell()


def _recurrent(module: str, name: str, *, is_cell: bool) -> Iterator[TemplateLine]:
    yield "[recurrent]", None
    yield f'module = "{name}"', Text("the [cell.mgu] below") if module == OWN else None
    yield (
        "hidden_size = 4",
        Text("as many as letters, so that h is the logits; input_size follows from the data"),
    )
    if module.startswith("RNN"):
        yield '# nonlinearity = "relu"', Text("tanh without it")
    if module != OWN:
        yield '# bias = "ih"', Text("one bias, as most books have it; false: none")
    if is_cell:
        return
    yield "# num_layers = 2", None
    yield "# bidirectional = true", Text("output then has both directions' sizes: add [linear]")
    yield "# batch_first = true", Text("input and output are (B, T, …)")
    if module == "LSTM":
        yield "# proj_size = 2", Text("h is projected to this size")
    yield "", None
    yield "# [linear]", Text("after it, on every step")
    yield "# out_features = 4", None


def _weights(module: str) -> Iterator[TemplateLine]:
    yield "[weights]", None
    yield "seed = 0", Text("what torch gives after torch.manual_seed(0)") if module != OWN else None
    yield "# round = 1", Text("one decimal, for work by hand")
    yield (
        '# file = "weights.safetensors"',
        Text("instead of the seed: a file, or a state_dict saved by torch"),
    )
    name = _EXAMPLES.get(module.removesuffix("Cell"), "W_f")
    if name.startswith("weight_") and not module.endswith("Cell"):
        name += "_l0"
    yield f"# {name} = [[…], […]]", Text("single parameters under torch's names, or gate by gate")


def _own_cell() -> Iterator[TemplateLine]:
    yield "[cell.mgu]", Text("the minimal gated unit; change it as you like")
    yield 'state = ["h"]', Text("read as h_prev, set by its equation")
    for name in "fn":
        for kind, shape in (("W", "input_size"), ("U", "hidden_size")):
            yield f'parameters.{kind}_{name} = "hidden_size, {shape}"', None
        yield f'parameters.b_{name} = "hidden_size"', None
    yield 'equations = """', None
    yield "f = sigmoid(W_f @ x + U_f @ h_prev + b_f)", None
    yield "n = tanh(W_n @ x + U_n @ (f * h_prev) + b_n)", None
    yield "h = (1 - f) * h_prev + f * n", None
    yield '"""', None


def _seq2seq(*, attends: bool) -> Iterator[TemplateLine]:
    yield f'title = "hello → olleh: {ATTENTION if attends else SEQ2SEQ}"', Text('or {{en = "…", zh = "…"}}')
    yield "", None
    yield 'vocabulary = ["<s>", "e", "h", "l", "o"]', Text("<s> is what the decoder is fed first")
    yield "", None
    yield "[input]", Text("what the encoder reads")
    yield 'text = ["hello", "hole"]', Text("each letter a one-hot vector; rows of unlike length are packed")
    yield "", None
    yield "[input.target]", Text("a second sequence, with steps of its own: what the decoder is to say")
    yield 'text = ["olleh", "eloh"]', Text("a row of it goes with the same row of [input]")
    yield (
        'shift = "<s>"',
        Text("teacher forcing: it is fed what stood before, and is to say what stands here"),
    )
    yield "", None
    yield "[[layers]]", None
    yield 'name = "encoder"', None
    yield 'module = "GRU"', Text("or RNN, LSTM")
    yield "hidden_size = 8", None
    yield "", None
    yield "[[layers]]", None
    if attends:
        yield from _attention()
        yield "[[layers]]", None
    yield 'name = "decoder"', None
    yield f'module = "{"GRUCell" if attends else "GRU"}"', None
    if attends:
        yield (
            'input = ["target", "attention"]',
            Text("the sequence that it walks along and the context, joined"),
        )
    else:
        yield 'input = "target"', Text("the sequence that it walks along")
    yield 'h_0 = "encoder.h_n"', Text("it begins where the encoder ended; of an LSTM c_0 too")
    yield "hidden_size = 8", Text("as the encoder's, whose state it takes")
    yield "", None
    yield "[[layers]]", None
    yield 'module = "Linear"', Text("a score for each letter, at each step of the decoder")
    yield "", None
    yield "[weights]", None
    yield "seed = 0", Text("what torch gives after torch.manual_seed(0)")
    yield "", None
    yield "[training]", None
    yield 'optimizer = "Adam"', Text("or SGD, AdamW, RMSprop, Adagrad; arguments under torch's names")
    yield "lr = 0.1", None
    yield "epochs = 15", None


def _attention() -> Iterator[TemplateLine]:
    yield 'name = "attention"', None
    yield 'module = "Attention"', Text("each step of the encoder is looked at as much as its score says")
    yield 'score = "additive"', Text("or dot, scaled_dot, general, which have no size")
    yield "size = 8", Text("how many numbers are compared")
    yield 'query = "decoder.h_prev"', Text("the decoder's state of the step before")
    yield 'memory = "encoder.output"', Text("what is looked at: every step of the encoder")
    yield "", None


def _lesson() -> Iterator[TemplateLine]:
    yield 'title = "One step by hand"', Text('or {{en = "…", zh = "…"}}')
    yield 'summary = ""', Text("a sentence or two, in Markdown")
    yield "", None
    yield "", Text("rnnstep lesson FILE opens it; --check goes to every stop and tells all mistakes")
    yield "[[stop]]", None
    yield 'scenario = "hello"', Text("a bundled one, or the path of a .toml file beside this one")
    yield 'at = "start"', Text("a place; g goes to one, and the line at the end of a session names it")
    yield 'say = """', None
    yield "One RNNCell reads **hello**. Press `→` once: the first step is computed.", None
    yield "Then `Tab` goes to the next stop.", None
    yield '"""', None
    yield "", None
    yield "[[stop]]", Text("without a scenario: in the one before")
    yield 'at = "1/L0/hh[1]"', Text("step 1, layer 0, operation hh, its number 1")
    yield 'say = "What of the memory comes to this unit? `h_prev` is zero before the first step."', None
    yield 'ask = "value"', Text("the number is hidden until it is typed right, or shown with Tab or .")
    yield "", None
    yield "[[stop]]", None
    yield 'at = "3/L0/h"', None
    yield (
        'say = {en = "Steps 3 and 4 read the same letter.", zh = "第 3 步和第 4 步读到的字母相同。"}',
        Text("one language, or both"),
    )
    yield 'ask = {en = "What makes their h differ?", zh = "它们的 h 为什么不同？"}', None
    yield 'options = ["W_ih @ x", "W_hh @ h_prev", {en = "nothing", zh = "没有不同"}]', Text("2 to 9 of them")
    yield "answer = 2", Text("which one is right, from 1")
    yield "", None
    yield "[[stop]]", None
    yield 'at = "5/L0/h"', None
    yield 'say = "h over the steps: `v` shows all again."', None
    yield 'show = ["plot"]', Text("what gets the room: plot, equations, cell, timeline, beside")
    yield '# beside = "hello_lstm"', Text("a second run under the same cursor")
