"""Bad scenario files: each mistake is told once, at its place, with what was found and expected."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from rnnstep.errors import ScenarioError, UsageError
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.read import STANDARD, read, read_text

HELLO = """\
title = "hello"
vocabulary = ["e", "h", "l", "o"]
[input]
text = "hello"
[recurrent]
module = "RNNCell"
hidden_size = 4
[weights]
seed = 2
[target]
text = "ohlol"
[loss]
name = "CrossEntropyLoss"
[training]
optimizer = "SGD"
lr = 0.1
[display]
decimals = 4
"""

STACK = """\
[input]
values = [[[1, 2]], [[3, 4]], [[5, 6]]]
[recurrent]
module = "LSTM"
hidden_size = 3
num_layers = 2
[initial_state]
h_0 = [[[0, 0, 0]], [[0, 0, 0]]]
[linear]
out_features = 2
[weights]
seed = 0
[target]
values = [[[1, 2]], [[3, 4]], [[5, 6]]]
"""

LOOKUP = """\
[input]
indices = [[0, 1], [2, 0]]
[embedding]
num_embeddings = 3
embedding_dim = 2
padding_idx = 0
[recurrent]
module = "GRU"
hidden_size = 3
[linear]
out_features = 4
from = "h_n"
[weights]
seed = 0
[target]
indices = [3, 1]
"""

OWN = '''\
[input]
values = [[[1, 2]], [[3, 4]]]
[recurrent]
module = "mine"
hidden_size = 2
[weights]
seed = 0
[cell.mine]
state = ["h"]
parameters = {W = "hidden_size, input_size", U = "hidden_size, hidden_size"}
equations = """
a = W @ x + U @ h_prev
h = tanh(a)
"""
'''


class Case(NamedTuple):
    """One edit of a good file, and where and what the single message says."""

    base: str
    old: str
    new: str
    position: tuple[int, int]
    says: tuple[str, ...]


CASES = [
    # spelling, and what belongs elsewhere
    Case(HELLO, "hidden_size", "hiden_size", (7, 1), ("`hiden_size`", "did you mean `hidden_size`?")),
    Case(HELLO, "[display]", "[dispaly]", (17, 1), ("`dispaly`", "did you mean `display`?")),
    Case(HELLO, "title =", "titel =", (1, 1), ("`titel`", "did you mean `title`?")),
    Case(HELLO, "title =", "quux =", (1, 1), ("`quux`", "known are", "`vocabulary`")),
    Case(HELLO, "title =", "hidden_size = 4\ntitle =", (1, 1), ("`hidden_size`", "belongs in [recurrent]")),
    Case(HELLO, "decimals", "decimal", (18, 1), ("`decimal`", "`decimals`")),
    Case(HELLO, "lr =", "learning_rate =", (16, 1), ("`learning_rate`", "known are", "`lr`")),
    Case(HELLO, "name =", "nmae =", (13, 1), ("`nmae`", "`name`")),
    Case(STACK, "out_features", "out_feature", (10, 1), ("`out_feature`", "`out_features`")),
    Case(LOOKUP, "embedding_dim", "embeding_dim", (5, 1), ("`embeding_dim`", "`embedding_dim`")),
    Case(HELLO, 'text = "hello"', 'txet = "hello"', (4, 1), ("`txet`", "did you mean `text`?")),
    Case(HELLO, 'text = "ohlol"', 'txet = "ohlol"', (11, 1), ("`txet`", "did you mean `text`?")),
    # above the tables
    Case(HELLO, '"hello"\nvoc', "7\nvoc", (1, 1), ("`title`", "found 7", "a string")),
    Case(HELLO, 'title = "hello"', 'title = {en = "a", fr = "b"}', (1, 20), ("`fr`", "`en`")),
    Case(HELLO, 'title = "hello"', "title = {en = 1}", (1, 10), ("`en`", "found 1", "a string")),
    Case(HELLO, '"l", "o"]', '"l", "o", "e"]', (2, 35), ("`vocabulary[4]`", '"e"', "index 0")),
    Case(HELLO, '"l", "o"]', '"l", "o", 3]', (2, 35), ("`vocabulary[4]`", "found 3", "a string")),
    Case(HELLO, '"l", "o"]', '"l", "o", ""]', (2, 35), ("`vocabulary[4]`", "not empty")),
    Case(HELLO, '["e", "h", "l", "o"]', '"helo"', (2, 1), ("`vocabulary`", '"helo"', '"ascii"')),
    Case(HELLO, '["e", "h", "l", "o"]', "[]", (2, 1), ("`vocabulary`", "list")),
    # [input]
    Case(HELLO, 'text = "hello"', 'text = "hallo"', (4, 1), ("a", "`e`", "`h`")),
    Case(HELLO, 'text = "hello"', "text = 5", (4, 1), ("`text`", "found 5", "a string")),
    Case(HELLO, 'text = "hello"', 'text = ""', (4, 1), ("empty",)),
    Case(HELLO, 'text = "hello"\n', "", (3, 1), ("[input]", "text", "indices", "values", "file", "random")),
    Case(HELLO, 'text = "hello"', 'text = "hello"\nvalues = [[1]]', (5, 1), ("`values`", "`text`")),
    Case(HELLO, '[input]\ntext = "hello"\n', "", (1, 1), ("[input]", "missing")),
    Case(HELLO, '[input]\ntext = "hello"', "input = 3", (3, 1), ("`input`", "found 3", "a table")),
    Case(STACK, "[[5, 6]]]\n[rec", "[[5]]]\n[rec", (2, 32), ("`values[2][0]`", "length 1", "length 2")),
    Case(STACK, "[[5, 6]]]\n[rec", '[[5, "6"]]]\n[rec', (2, 36), ("`values[2][0][1]`", '"6"', "a number")),
    Case(
        STACK,
        "[[[1, 2]], [[3, 4]], [[5, 6]]]\n[rec",
        "[1, 2]\n[rec",
        (2, 1),
        ("`values`", "(2,)", "(T, B, input_size)"),
    ),
    Case(STACK, "[[[1, 2]], [[3, 4]], [[5, 6]]]\n[rec", "[]\n[rec", (2, 1), ("`values`", "not empty")),
    Case(LOOKUP, "[2, 0]]", "[-2, 0]]", (2, 21), ("-2",)),
    Case(LOOKUP, "[2, 0]]", "[2.5, 0]]", (2, 21), ("`indices[1][0]`", "2.5", "a whole number")),
    Case(LOOKUP, "[2, 0]]", "[2, 0]]\nlengths = [3, 1]", (3, 12), ("`lengths[0]`", "found 3", "1 to 2")),
    Case(LOOKUP, "[2, 0]]", "[2, 0]]\nlengths = [2]", (3, 1), ("`lengths`", "found 1", "expected 2")),
    Case(
        STACK,
        "values = [[[1, 2]], [[3, 4]], [[5, 6]]]\n[rec",
        "file = 'no.npy'\n[rec",
        (2, 1),
        ("`file`", '"no.npy"', "no file"),
    ),
    Case(
        STACK,
        "values = [[[1, 2]], [[3, 4]], [[5, 6]]]\n[rec",
        "file = '/etc/passwd'\n[rec",
        (2, 1),
        ("`file`", "outside", "--allow-outside"),
    ),
    Case(
        STACK,
        "values = [[[1, 2]], [[3, 4]], [[5, 6]]]\n[rec",
        "file = '../x.npy'\n[rec",
        (2, 1),
        ("`file`", "outside", "--allow-outside"),
    ),
    Case(
        STACK,
        "values = [[[1, 2]], [[3, 4]], [[5, 6]]]\n[rec",
        "random = {shape = [100000, 100000, 1000], seed = 0}\n[rec",
        (2, 11),
        ("`shape`", "GiB", "limit of 4 GiB"),
    ),
    Case(
        STACK,
        "values = [[[1, 2]], [[3, 4]], [[5, 6]]]\n[rec",
        "random = {seed = 0}\n[rec",
        (2, 1),
        ("`shape`", "missing"),
    ),
    # [recurrent]
    Case(
        HELLO,
        'module = "RNNCell"',
        'module = "RNNcell"',
        (6, 1),
        ("`module`", '"RNNcell"', 'did you mean "RNNCell"?'),
    ),
    Case(HELLO, 'module = "RNNCell"\n', "", (5, 1), ("`module`", "missing", "LSTM")),
    Case(HELLO, 'module = "RNNCell"', "module = 3", (6, 1), ("`module`", "found 3", '"GRU"')),
    Case(HELLO, "hidden_size = 4\n", "", (5, 1), ("`hidden_size`", "missing")),
    Case(HELLO, "hidden_size = 4", "hidden_size = 0", (7, 1), ("`hidden_size`", "found 0", "≥ 1")),
    Case(HELLO, "hidden_size = 4", "hidden_size = 4.0", (7, 1), ("`hidden_size`", "found 4.0", "write 4")),
    Case(
        HELLO, "hidden_size = 4", 'hidden_size = "4"', (7, 1), ("`hidden_size`", 'found "4"', "whole number")
    ),
    Case(
        HELLO,
        "hidden_size = 4",
        "hidden_size = true",
        (7, 1),
        ("`hidden_size`", "found true", "whole number"),
    ),
    Case(
        HELLO,
        "hidden_size = 4",
        "hidden_size = 10000000000",
        (7, 1),
        ("`hidden_size`", "GiB", "limit of 4 GiB"),
    ),
    Case(
        HELLO,
        "hidden_size = 4",
        f"hidden_size = {10**30}",
        (7, 1),
        ("`hidden_size`", "found a number of 100 bits"),
    ),
    Case(
        HELLO,
        "hidden_size = 4",
        "hidden_size = 4\ninput_size = 5",
        (8, 1),
        ("`input_size`", "found 5", "vocabulary", "4"),
    ),
    Case(
        STACK,
        "num_layers",
        "input_size = 3\nnum_layers",
        (6, 1),
        ("`input_size`", "found 3", "x_t", "2 elements"),
    ),
    Case(
        LOOKUP,
        "hidden_size",
        "input_size = 3\nhidden_size",
        (9, 1),
        ("`input_size`", "found 3", "`embedding_dim` 2"),
    ),
    Case(
        HELLO,
        "hidden_size = 4",
        "hidden_size = 4\nnum_layers = 2",
        (8, 1),
        ("`num_layers`", "RNNCell", "LSTM"),
    ),
    Case(
        HELLO, "hidden_size = 4", "hidden_size = 4\nbatch_first = true", (8, 1), ("`batch_first`", "RNNCell")
    ),
    Case(
        HELLO, "hidden_size = 4", "hidden_size = 4\nbias = 1", (8, 1), ("`bias`", "found 1", "true or false")
    ),
    Case(
        HELLO,
        "hidden_size = 4",
        'hidden_size = 4\nnonlinearity = "sigmoid"',
        (8, 1),
        ("`nonlinearity`", '"sigmoid"', '"relu"'),
    ),
    Case(
        STACK,
        "num_layers",
        'nonlinearity = "relu"\nnum_layers',
        (6, 1),
        ("`nonlinearity`", "LSTM", "RNNCell, RNN"),
    ),
    Case(STACK, "num_layers = 2", "num_layers = -1", (6, 1), ("`num_layers`", "found -1", "≥ 1")),
    Case(STACK, "num_layers = 2", "num_layers = 100000000000", (6, 1), ("`num_layers`", "GiB", "4 GiB")),
    Case(STACK, "num_layers = 2", "num_layers = 5000", (6, 1), ("`num_layers`", "found 5000", "1000")),
    Case(
        STACK,
        "num_layers",
        "proj_size = 3\nnum_layers",
        (6, 1),
        ("`proj_size`", "found 3", "smaller than `hidden_size`"),
    ),
    Case(STACK, "num_layers", "dropout = 1.5\nnum_layers", (6, 1), ("`dropout`", "found 1.5", "≤ 1")),
    Case(STACK, "num_layers", "dropout = nan\nnum_layers", (6, 1), ("`dropout`", "found nan", "≥ 0")),
    Case(STACK, "num_layers", 'mode = "test"\nnum_layers', (6, 1), ("`mode`", '"test"', '"eval"')),
    Case(
        LOOKUP, "hidden_size = 3", "hidden_size = 3\nproj_size = 2", (10, 1), ("`proj_size`", "GRU", "LSTM")
    ),
    Case(
        HELLO,
        '[recurrent]\nmodule = "RNNCell"\nhidden_size = 4\n',
        "",
        (1, 1),
        ("[recurrent]", "missing", "`module`"),
    ),
    # [embedding], [linear]
    Case(
        LOOKUP,
        "num_embeddings = 3",
        "num_embeddings = 2",
        (4, 1),
        ("`num_embeddings`", "found 2", "at least 3"),
    ),
    Case(
        LOOKUP, "padding_idx = 0", "padding_idx = 3", (6, 1), ("`padding_idx`", "found 3", "`num_embeddings`")
    ),
    Case(LOOKUP, "embedding_dim = 2\n", "", (3, 1), ("`embedding_dim`", "missing")),
    Case(
        LOOKUP,
        "num_embeddings = 3",
        "num_embeddings = 9000000000",
        (4, 1),
        ("`num_embeddings`", "GiB", "4 GiB"),
    ),
    Case(
        LOOKUP,
        "indices = [[0, 1], [2, 0]]",
        "values = [[[0.0, 1.0]]]",
        (2, 1),
        ("`values`", "[embedding]", "`indices`"),
    ),
    Case(LOOKUP, 'from = "h_n"', 'from = "h_t"', (12, 1), ("`from`", '"h_t"', 'did you mean "h_n"?')),
    Case(LOOKUP, "out_features = 4\n", "", (10, 1), ("`out_features`", "missing")),
    Case(
        LOOKUP, "out_features = 4", "out_features = 4000000000", (11, 1), ("`out_features`", "GiB", "4 GiB")
    ),
    # [initial_state]
    Case(
        STACK,
        "h_0 = [[[0, 0, 0]], [[0, 0, 0]]]",
        "h_0 = [[[0, 0]], [[0, 0]]]",
        (8, 1),
        ("`h_0`", "(2, 1, 2)", "(2, 1, 3)", "size of the input (2)"),
    ),
    Case(
        STACK,
        "h_0 = [[[0, 0, 0]], [[0, 0, 0]]]",
        "h_0 = [[0, 0, 0], [0, 0, 0]]",
        (8, 1),
        ("`h_0`", "(2, 3)", "(2, 1, 3)", "num_layers"),
    ),
    Case(STACK, "h_0 = [[[0, 0, 0]]", "h_1 = [[[0, 0, 0]]", (8, 1), ("h_1", "h_0")),
    Case(HELLO, "[weights]", "[initial_state]\nc_0 = [0, 0, 0, 0]\n[weights]", (9, 1), ("c_0", "RNNCell")),
    Case(
        STACK.replace("[initial_state]\nh_0 = [[[0, 0, 0]], [[0, 0, 0]]]\n", "").split(
            "[target]", maxsplit=1
        )[0],
        "values = [[[1, 2]], [[3, 4]], [[5, 6]]]",
        "values = [1, 2, 3, 4, 5]\nwindows = {length = 2, batch_size = 2, stride = 1}\n[initial_state]",
        (4, 1),
        ("[initial_state]", "1, 2 rows"),
    ),
    # [weights]
    Case(HELLO, "seed = 2", "seed = 2.5", (9, 1), ("`seed`", "2.5", "whole number")),
    Case(HELLO, "seed = 2", "weight_ih = [[1, 2], [3, 4]]", (9, 1), ("weight_ih", "(2, 2)", "(4, 4)")),
    Case(HELLO, "seed = 2", "seed = 2\nweight_ih_l1 = [[1]]", (10, 1), ("weight_ih_l1",)),
    Case(HELLO, "[weights]\nseed = 2\n", "", (1, 1), ("[weights]", "seed")),
    # [target], [loss], [training]
    Case(HELLO, 'text = "ohlol"', 'text = "ohlo"', (11, 1), ("text", "4", "5")),
    Case(HELLO, 'text = "ohlol"', "indices = [3, 1, 2, 3, 4]", (11, 24), ("4",)),
    Case(LOOKUP, "indices = [3, 1]", "indices = [3, 4]", (16, 15), ("4",)),
    Case(LOOKUP, "indices = [3, 1]", "indices = [3, 1, 0]", (16, 1), ("3", "2")),
    Case(
        HELLO, '"CrossEntropyLoss"', '"CrossEntropy"', (13, 1), ("`name`", 'did you mean "CrossEntropyLoss"?')
    ),
    Case(HELLO, '"CrossEntropyLoss"', '"MSELoss"', (13, 1), ("`name`", "MSELoss", "`values`")),
    Case(
        STACK,
        "[target]",
        '[loss]\nname = "CrossEntropyLoss"\n[target]',
        (14, 1),
        ("`name`", "CrossEntropyLoss", "`indices`"),
    ),
    Case(STACK, "[target]", "[loss]\nignore_index = 0\n[target]", (14, 1), ("`ignore_index`", "MSELoss")),
    Case(STACK, "[target]", "[loss]\nfactor = 0\n[target]", (14, 1), ("`factor`", "0", "other than 0")),
    Case(STACK, "[target]", '[loss]\nfactor = "half"\n[target]', (14, 1), ("`factor`", '"half"', "a number")),
    Case(STACK, "[target]", "[loss]\nfactor = inf\n[target]", (14, 1), ("`factor`", "inf", "a number")),
    Case(STACK, "[target]", "[loss]\nfactr = 0.5\n[target]", (14, 1), ("`factr`", "did you mean `factor`?")),
    Case(STACK, "[target]", "[loss]\nbeta = 0.5\n[target]", (14, 1), ("`beta`", "MSELoss", "no such option")),
    Case(
        STACK,
        "[target]",
        '[loss]\nname = "SmoothL1Loss"\nbeta = -1\n[target]',
        (15, 1),
        ("`beta`", "-1", "≥ 0"),
    ),
    Case(HELLO, '"CrossEntropyLoss"', '"L1Loss"', (13, 1), ("`name`", "L1Loss", "`values`")),
    Case(HELLO, "[training]", 'reduction = "max"\n[training]', (14, 1), ("`reduction`", '"max"', '"mean"')),
    Case(
        HELLO,
        "[training]",
        'over_time = "steps"\n[training]',
        (14, 1),
        ("`over_time`", '"steps"', '"together"'),
    ),
    Case(OWN, "[cell.mine]", "[loss]\n[cell.mine]", (8, 1), ("[loss]", "[target]")),
    Case(OWN, "[cell.mine]", "[training]\n[cell.mine]", (8, 1), ("[training]", "[target]")),
    Case(HELLO, '"SGD"', '"sgd"', (15, 1), ("`optimizer`", '"sgd"', 'did you mean "SGD"?')),
    Case(HELLO, "lr = 0.1", "lr = -0.1", (16, 1), ("`lr`", "found -0.1", "≥ 0")),
    Case(HELLO, "lr = 0.1", "betas = [0.9, 0.999]", (16, 1), ("`betas`", "SGD", "momentum")),
    Case(HELLO, "lr = 0.1", "nesterov = true", (16, 1), ("`nesterov`", "`momentum`")),
    Case(HELLO, '"SGD"\nlr = 0.1', '"Adam"\nbetas = [0.9, 1.0]', (16, 1), ("`betas`", "< 1")),
    Case(HELLO, "lr = 0.1", "epochs = 0", (16, 1), ("`epochs`", "found 0")),
    Case(HELLO, "lr = 0.1", "clip_grad_norm = 0", (16, 1), ("`clip_grad_norm`", "found 0", "> 0")),
    Case(
        HELLO,
        "lr = 0.1",
        'mistake = "no_zero_gard"',
        (16, 1),
        ("`mistake`", '"no_zero_gard"', 'did you mean "no_zero_grad"?'),
    ),
    Case(HELLO, "lr = 0.1", 'mistakes = "no_zero_grad"', (16, 1), ("`mistakes`", "did you mean `mistake`?")),
    Case(HELLO, "[display]", "[cuer]\n[display]", (17, 1), ("`cuer`", "did you mean `cure`?")),
    Case(HELLO, "[training]", 'reduction = "none"\n[training]', (14, 1), ("`reduction`", '"none"', '"sum"')),
    # [display]
    Case(HELLO, "decimals = 4", "decimals = 40", (18, 1), ("`decimals`", "found 40", "from 0 to 17")),
    Case(HELLO, "decimals = 4", 'dtype = "float16"', (18, 1), ("`dtype`", '"float16"', '"float32"')),
    Case(HELLO, "decimals = 4", 'language = "de"', (18, 1), ("`language`", '"de"', '"zh"')),
    Case(
        STACK,
        "num_layers = 2\n[initial_state]\nh_0 = [[[0, 0, 0]], [[0, 0, 0]]]",
        'bidirectional = true\n[display]\norder = "time"',
        (8, 1),
        ("`order`", '"time"', "bidirectional", '"layer"'),
    ),
    # [cell.NAME]
    Case(OWN, '"mine"', '"mina"', (4, 1), ("`module`", '"mina"', 'did you mean "mine"?')),
    Case(OWN, "h = tanh(a)", "h = tanh(b)", (13, 1), ("b",)),
    Case(OWN, "U @ h_prev", "U @ h", (12, 1), ("h_prev",)),
    Case(OWN, "[cell.mine]", "[cell.GRU]\n[cell.mine]", (8, 1), ("GRU", "torch")),
    Case(OWN, 'state = ["h"]', 'state = {h = "hidden"}', (9, 10), ("`h`", '"hidden"', "hidden_size")),
    Case(OWN, 'state = ["h"]', 'state = "h"', (9, 1), ("`state`", '"h"', '["h"]')),
    Case(
        OWN,
        'W = "hidden_size, input_size"',
        'W = "hidden_size, inputs"',
        (10, 15),
        ("`W`", "inputs", "`input_size`"),
    ),
    Case(OWN, 'state = ["h"]\n', "", (8, 1), ("`state`", "missing")),
    Case(
        OWN,
        "hidden_size = 2",
        "hidden_size = 2\nbatch_first = true",
        (6, 1),
        ("`batch_first`", "mine", "LSTM"),
    ),
    # TOML itself
    Case(HELLO, 'module = "RNNCell"', "module = RNNCell", (6, 10), ("RNNCell", 'did you mean "RNNCell"?')),
    Case(
        HELLO, "hidden_size = 4", "hidden_size = 4\nhidden_size = 5", (8, 1), ("`hidden_size`", "second time")
    ),
    Case(
        HELLO,
        "hidden_size = 4",
        "hidden_size = 4\nhidden_size.a = 5",
        (8, 1),
        ("`hidden_size.a`", "second time"),
    ),
    Case(HELLO, "decimals = 4\n", "decimals = 4\ndecimals = 4", (19, 1), ("`decimals`", "second time")),
    Case(HELLO, "[display]", "[loss]", (17, 1), ("`loss`", "second time")),
    Case(HELLO, "decimals = 4", "decimals = [4,\n\n", (18, 1), ("the file ends before",)),
    Case(OWN, 'U = "', 'W = "', (10, 46), ("`W`", "second time")),
    Case(OWN, '", U = "', '",\n  # U\n  W = "', (12, 3), ("`W`", "second time")),
    Case(OWN, '", U = "', '"\n  U = "', (11, 3), ("`,` or `}`", "not closed")),
    Case(STACK, "[weights]", "[weights.prefix]\n[weights]\nprefix.b = 1", (13, 1), ("header of its own",)),
    Case(HELLO, 'title = "hello"', 'title = "h\\x6"', (1, 13), ("two hexadecimal digits",)),
    Case(HELLO, 'title = "hello"', 'title = "\\ud800"', (1, 16), ("Unicode",)),
    Case(HELLO, "[recurrent]", "[recurrent", (5, 11), ("`]`",)),
    Case(HELLO, 'text = "hello"', 'text = "hello', (4, 14), ("not closed",)),
    Case(HELLO, 'text = "hello"', "text = 'hello", (4, 1), ("the file ends before",)),
    Case(HELLO, 'text = "hello"', 'text = "he\x1b[2Jllo"', (4, 11), ("character",)),
    Case(HELLO, "hidden_size = 4", "hidden_size: 4", (7, 12), ("`=`",)),
    Case(HELLO, "hidden_size = 4", "hidden_size = " + "[" * 200 + "]" * 200, (7, 47), ("too many",)),
    Case(HELLO, "hidden_size = 4", "hidden_size = " + "9" * 5000, (7, 15), ("too many digits",)),
]


def problems(text: str, limits: Limits = STANDARD) -> list[tuple[tuple[int, int], str, str]]:
    with pytest.raises(ScenarioError) as caught:
        read_text(text, "bad.toml", limits)
    return [
        ((problem.line, problem.column), problem.message.into("en"), problem.message.into("zh"))
        for problem in caught.value.problems
    ]


@pytest.mark.parametrize("base", [HELLO, STACK, LOOKUP, OWN])
def test_the_file_before_the_edit_is_good(base: str) -> None:
    read_text(base)


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(f"{case.old} → {case.new}".split())[:70])
def test_one_mistake_is_told_once_at_its_place(case: Case) -> None:
    assert case.old in case.base
    found = problems(case.base.replace(case.old, case.new, 1))
    assert len(found) == 1, found
    position, english, chinese = found[0]
    assert position == case.position, found
    for fragment in case.says:
        assert fragment in english
    assert chinese != english
    assert english.isprintable()
    assert chinese.isprintable()


def test_all_mistakes_of_a_file_are_told_in_its_order() -> None:
    text = (
        HELLO.replace("title", "titel")
        .replace("lr = 0.1", "lr = -1")
        .replace("= 4\n[weights]", "= 0\n[weights]")
    )
    assert [position for position, _, _ in problems(text)] == [(1, 1), (7, 1), (16, 1)]


def test_of_very_many_mistakes_the_first_are_told_and_that_there_are_more() -> None:
    text = HELLO + "".join(f"key{number} = 1\n" for number in range(300))
    found = problems(text)
    assert len(found) == 101
    assert "more than 100 problems" in found[-1][1]


def test_the_memory_limit_is_the_callers() -> None:
    text = OWN.replace("hidden_size = 2", "hidden_size = 600")
    assert read_text(text, limits=Limits(memory=2 << 20)).parameters["U"].shape == (600, 600)
    [(position, english, _)] = problems(text, Limits(memory=1 << 20))
    assert position == (5, 1)
    assert "limit of 0.000977 GiB" in english


def test_control_characters_of_a_file_come_out_escaped() -> None:
    osc = "\\u001b]0;owned\\u0007\\u202e\\u009b31m"
    text = HELLO.replace("title =", f'"{osc}" = "{osc}"\ntitle =').replace('"SGD"', f'"{osc}"')
    for _, english, chinese in problems(text):
        assert english.isprintable()
        assert chinese.isprintable()
    assert "\\x1b]0;owned" in problems(text)[0][1]


def test_the_title_comes_out_escaped() -> None:
    scenario = read_text(HELLO.replace('"hello"\nvoc', '"\\u001b[2Jhello"\nvoc'))
    assert scenario.title.en == "\\x1b[2Jhello"


def test_a_file_that_is_no_utf_8_is_told_with_the_place_of_the_first_wrong_byte(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes("# ok\ntitle = 'é'".encode("latin-1"))
    with pytest.raises(ScenarioError, match=r"latin.toml:2:10: not UTF-8"):
        read(path)


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "notepad.toml"
    path.write_bytes(b"\xef\xbb\xbf" + HELLO.replace("\n", "\r\n").encode())
    assert read(path).recurrent.hidden_size == 4


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * ((8 << 20) + 1))
    with pytest.raises(ScenarioError, match="at most 8 MiB"):
        read(path)


@pytest.mark.parametrize("name", ["none.toml", ".", "nul\0.toml"])
def test_what_cannot_be_read_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read(tmp_path / name)


def test_a_link_out_of_the_folder_is_followed_only_when_allowed(tmp_path: Path) -> None:
    secret = tmp_path / "outside.csv"
    secret.write_text("1,2\n3,4\n5,6\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "inside.csv").symlink_to(secret)
    path = folder / "scenario.toml"
    path.write_text(OWN.replace("values = [[[1, 2]], [[3, 4]]]", 'file = "inside.csv"'))
    with pytest.raises(ScenarioError, match=r"scenario.toml:2:1: `file`: \"inside.csv\" lies outside"):
        read(path)
    assert read(path, Limits(allow_outside=True)).recurrent.input_size == 2


@pytest.mark.parametrize("name", ["target", "title", "texts", "decoder"])
def test_an_input_of_which_only_a_sequence_beside_it_is_given_has_nothing_itself(name: str) -> None:
    """Also where the sequence's name is nearly a key's."""
    text = f'vocabulary = ["a", "b"]\n[input.{name}]\nshift = "a"\n[recurrent]\nmodule = "RNN"\nhidden_size = 2\n'
    assert any("[input]: expected one of" in english for _, english, _ in problems(text))
