"""The Chinese of what is said about scenario files."""

from __future__ import annotations

from collections.abc import Mapping

_VALUES = {
    "a list of length {length}, like its first neighbour": "长度为 {length} 的列表（与第一个相邻列表一致）",
    "a list that is not empty": "非空列表",
    "at most {most} axes": "最多 {most} 个维度",
    "a list": "列表",
    "a list of length {length}": "长度为 {length} 的列表",
    "a list of numbers": "数的列表",
    "nested lists of shape ({shape})": "形状为 ({shape}) 的嵌套列表",
    "an array of {ndim} axes": "{ndim} 维数组",
    "a number": "数",
    "a number {range}": "满足 {range} 的数",
    "a number that a float can hold": "浮点数能表示的数",
    "a number of {bits} bits": "一个 {bits} 位（二进制）的数",
    "a whole number": "整数",
    "a whole number below 2^62": "小于 2^62 的整数",
    "a whole number ≥ {minimum}": "不小于 {minimum} 的整数",
    "a whole number from {minimum} to {maximum}": "{minimum} 到 {maximum} 之间的整数",
    "{expected}: write {value}": "{expected}：请写成 {value}",
    "true or false": "true 或 false",
    'true or false, or "ih" for one bias, as most books have it': (
        'true 或 false，或 "ih"（只有一个偏置，和多数教材一样）'
    ),
    "a string": "字符串",
    "a string that is not empty": "非空字符串",
    "a table": "表",
    "the date or time {value}": "日期或时间 {value}",
    "one of {choices}": "以下之一：{choices}",
    '{expected}; did you mean "{guess}"?': "{expected}；是不是想写 “{guess}”？",
}

_KEYS = {
    "`{key}`: found {found}, expected {expected}": "`{key}`：写的是 {found}，应为 {expected}",
    "`{key}` is missing: expected {expected}": "缺少 `{key}`：应为 {expected}",
    "`{key}`: unknown key; did you mean `{guess}`?": "`{key}`：没有这个键；是不是想写 `{guess}`？",
    "`{key}`: unknown key here; it belongs in [{table}]": "`{key}`：这里没有这个键；它属于 [{table}]",
    "`{key}`: unknown key; known are {known}": "`{key}`：没有这个键；可用的键有 {known}",
    "more than {count} problems; the others are not told": "问题超过 {count} 处，其余从略",
}

_FILES = {
    "`{key}`: there is no file {filename}": "`{key}`：没有文件 {filename}",
    "`{key}`: there is no file {filename}; did you mean {guess}?": (
        "`{key}`：没有文件 {filename}；是不是想写 {guess}？"
    ),
    "`{key}`: {filename} is no file name": "`{key}`：{filename} 不是文件名",
    "`{key}`: {filename} lies outside the scenario's own folder; pass --allow-outside to read it": (
        "`{key}`：{filename} 在场景文件所在文件夹之外；要读取它，请加上 --allow-outside"
    ),
    "`{key}`: an array of shape {shape} takes {size} GiB, more than the limit of {limit} GiB"
    " (--memory-limit)": (
        "`{key}`：形状为 {shape} 的数组要占 {size} GiB，超过上限 {limit} GiB（--memory-limit）"
    ),
    "`{key}`: this scenario takes {size} GiB, more than the limit of {limit} GiB (--memory-limit)": (
        "`{key}`：这个场景要占 {size} GiB，超过上限 {limit} GiB（--memory-limit）"
    ),
    "`num_layers`: found {found}, expected at most {most}": "`num_layers`：写的是 {found}，最多为 {most}",
    "a file has at most {limit} MiB; put arrays in a file of their own": (
        "文件最大 {limit} MiB；请把数组放到单独的文件里"
    ),
    "cannot read {path}: {reason}": "无法读取 {path}：{reason}",
    "not UTF-8: save the file in the encoding UTF-8": "不是 UTF-8：请用 UTF-8 编码保存文件",
    "{path}: there is no such file": "{path}：没有这个文件",
    "{path}: there is no such file; did you mean {likely}?": "{path}：没有这个文件；是不是想写 {likely}？",
    "{name}: no file and no bundled scenario of this name; `rnnstep list` names them": (
        "{name}：没有这个文件，也没有这个名字的自带场景；用 `rnnstep list` 可以列出它们"
    ),
    "{name}: no file and no bundled scenario of this name; did you mean {guess}?": (
        "{name}：没有这个文件，也没有这个名字的自带场景；是不是想写 {guess}？"
    ),
}

_SYNTAX = {
    "not valid TOML: {reason}": "不是有效的 TOML：{reason}",
    "too many dots or brackets inside one another": "点号或括号嵌套过深",
    "`{key}` stands here for the second time": "`{key}` 在这里第二次出现",
    'found {quote}: a string stands between straight quotes, "…"': '写的是 {quote}：字符串写在直引号 "…" 之间',
    "found {word}, expected a value; did you mean {meant}?": "写的是 {word}，应为一个值；是不是想写 {meant}？",
    "this table is closed: it was written in braces or dotted keys": (
        "这个表已经写完（用花括号或带点的键写的），不能再添加"
    ),
    "this table has a header of its own: write its keys there": "这个表另有自己的表头：请把它的键写在那里",
    "expected \\x and two hexadecimal digits, \\u and four, or \\U and eight": (
        "应为 \\x 加两位、\\u 加四位或 \\U 加八位十六进制数字"
    ),
    "Unicode has no character of this number": "Unicode 里没有这个编号的字符",
    "expected `=` after the key": "键后面应有 `=`",
    "expected the end of the line": "这一行应到此结束",
    "expected `]` at the end of the table's name": "表名后面应有 `]`",
    "expected `]]` at the end of the table's name": "表名后面应有 `]]`",
    "expected `,` or `]`: the list is not closed": "应有 `,` 或 `]`：列表没有结束",
    "expected `,` or `}}`: the table in braces is not closed": "应有 `,` 或 `}}`：花括号里的表没有结束",
    "the file ends before what begins here is complete": "从这里开始的内容没有写完，文件就结束了",
    "the string is not closed": "字符串没有结束",
    "a character that may not stand here": "这里不能有这个字符",
    "expected a value: a string in quotes, a number, true, false, a list or a table": (
        "应为一个值：带引号的字符串、数、true、false、列表或表"
    ),
    "expected `key = value` or `[table]`": "应为 `键 = 值` 或 `[表]`",
    "a key is letters, digits, - and _, or stands in quotes": "键由字母、数字、- 和 _ 组成，否则要加引号",
    "no date of the calendar": "日历上没有这个日期",
    "a number of too many digits": "数的位数太多",
    "a backslash in a string must be written twice, or the string in single quotes": (
        "字符串里的反斜杠要写两个，或者改用单引号"
    ),
}

_TABLES = {
    'a string, or {{en = "…", zh = "…"}}': '字符串，或 {{en = "…", zh = "…"}}',
    'a list of different strings, or "ascii"': '互不相同的字符串的列表，或 "ascii"',
    "`{key}`: {found} stands twice, already at index {first}": "`{key}`：{found} 重复了，索引 {first} 处已有",
    '`order`: found "time", but a module over a window of steps reads later ones: it goes layer by'
    ' layer; expected "layer"': (
        '`order`：写的是 "time"，但作用于一段时间步的模块要读后面的时间步，只能逐层计算；应为 "layer"'
    ),
    '`order`: found "time", but a bidirectional module goes layer by layer: its backward'
    ' direction needs the last step first; expected "layer"': (
        '`order`：写的是 "time"，但双向模块只能逐层计算：反向要从最后一个时间步开始；应为 "layer"'
    ),
    "`[recurrent]` is missing: expected at least `module` and `hidden_size`": (
        "缺少 `[recurrent]`：至少要有 `module` 和 `hidden_size`"
    ),
    "`[input]` is missing: expected one of {keys} in it": "缺少 `[input]`：其中应有 {keys} 之一",
    "[{table}] and [data] exclude each other": "[{table}] 和 [data] 只能有一个",
    "[{table}] and [[layers]] exclude each other": "[{table}] 和 [[layers]] 只能有一个",
    "`layers`: a [cure] with other layers cannot be read yet": "`layers`：[cure] 中另给各层，目前还不能读",
    "`{key}` cannot be read yet": "`{key}` 目前还不能读",
    "`{key}`: {said}: {name} is no recurrent module, which alone has a state of the step before": "`{key}`：{said}：{name} 不是循环模块；只有循环模块才有上一步的状态",
    "`{key}`: {said}: {name} goes in both directions, and is not called step by step": "`{key}`：{said}：{name} 是双向的，不能一步一步地调用",
    "`{key}`: {said} is another at each step, and a first state is there once": "`{key}`：{said} 每一步都不同，而初始状态只有一个",
    "`{key}`: {said} is there when all steps are over, and {name} gives what {other} reads at each of them": "`{key}`：{said} 要到所有时间步结束才有，而 {other} 每一步都要读取 {name} 的输出",
    "{name} reads later steps, and stands in a circle of steps, one after the other: {names}": "{name} 要读后面的时间步，却处在一步接一步的循环里：{names}",
    '`from`: in [[layers]] it is `input`, such as `input = "{name}.h_n"`': (
        '`from`：在 [[layers]] 中写作 `input`，例如 `input = "{name}.h_n"`'
    ),
    "a name, or a list of names": "一个名称，或由名称组成的列表",
    "a name; arrays stand in [initial_state]": "一个名称；数组写在 [initial_state] 中",
    "`{key}`: no layer is called {name}; there are {known}": "`{key}`：没有名为 {name} 的层；有 {known}",
    "`{key}`: no layer is called {name}; did you mean `{guess}`?": (
        "`{key}`：没有名为 {name} 的层；是否想写 `{guess}`？"
    ),
    "`{key}`: found {said}, expected {values}": "`{key}`：找到 {said}，应为 {values}",
    "`{key}`: {said}: {module} has no {value}": "`{key}`：{said}：{module} 没有 {value}",
    "{name} reads itself at the same step: {path}; a value of the step before is NAME.h_prev": (
        "{name} 在同一时间步读取自身：{path}；上一步的值写作 NAME.h_prev"
    ),
    "no layer reads {name}, and it is not the last one": "没有层读取 {name}，它也不是最后一层",
    "`{key}`: {module} has no such state": "`{key}`：{module} 没有这个状态",
    "`{key}`: {said} is {found}, expected {expected}: (layers · directions, B, size)": (
        "`{key}`：{said} 的形状是 {found}，应为 {expected}：（层数 · 方向数, B, 大小）"
    ),
    "`{key}`: {name} has no such parameter": "`{key}`：{name} 没有这个参数",
    "`{key}`: no other layer has a parameter {said}; there are {known}": "`{key}`：其他层没有参数 {said}；有 {known}",
    "`{key}`: {said} is another's itself; name that": "`{key}`：{said} 本身就是别的层的参数；请写那个名字",
    "`{key}`: {said} has the shape {found}, expected {expected}": "`{key}`：{said} 的形状是 {found}，应为 {expected}",
    "no layer reads `input`": "没有层读取 `input`",
    "`input`: attention reads `query` and `memory`, and `values` if others": (
        "`input`：注意力读取 `query` 和 `memory`，值不同时再加 `values`"
    ),
    "the name of a layer": "一个层的名称",
    "the name of a layer, every step of which is looked at": "一个层的名称，它的每一步都会被看到",
    "a name": "一个名称",
    '`size`: only of score = "additive"': '`size`：仅用于 score = "additive"',
    "`score`: {score} multiplies query and memory: `query` = {query} gives {query_size} numbers, `memory` = {memory} {size}": (
        "`score`：{score} 把查询与记忆相乘：`query` = {query} 给出 {query_size} 个数，`memory` = {memory} 给出 {size} 个"
    ),
    "no layer reads [input.{name}]": "没有层读取 [input.{name}]",
    "{name} reads {sequences} at the same step, whose steps are their own; NAME.h_n belongs to no step": (
        "{name} 在同一步读取 {sequences}，而它们各有自己的时间步；NAME.h_n 不属于任何一步"
    ),
    "[input.{name}]: a layer is called {name}, too": "[input.{name}]：有一层也叫 {name}",
    "[input.{name}]: expected a name of a letter, then letters, digits and _, {most} at most": (
        "[input.{name}]：名称应以字母开头，后面是字母、数字和 _，最多 {most} 个字符"
    ),
    "[input.{name}]: places and tables use {name} themselves; choose another": (
        "[input.{name}]：位置和表自己要用 {name} 这个名称，请另取一个"
    ),
    "[input.{name}] has {found} rows, [input] has {rows}: a row of one goes with the same row of the other": (
        "[input.{name}] 有 {found} 行，[input] 有 {rows} 行：一个序列的每一行与另一个的同一行对应"
    ),
    "[input.{name}]: both sequences have a batch axis, or neither": "[input.{name}]：两个序列要么都有批的维度，要么都没有",
    "`shift`: {reason}": "`shift`：{reason}",
    "a letter of the vocabulary, or an index: what is fed at the first step": "词表中的一个字母，或一个索引：第一步的输入",
    "{size} numbers: what is fed at the first step": "{size} 个数：第一步的输入",
    "`shift`: the class {found} is wanted, expected 0 to {last}: there are {count} logits": (
        "`shift`：目标中有类别 {found}，应为 0 到 {last}：共有 {count} 个 logits"
    ),
    "`shift`: the padding of numbers cannot be left out of a loss that knows no `ignore_index`; give [target]": (
        "`shift`：损失没有 `ignore_index`，无法略过数值序列的填充部分；请给出 [target]"
    ),
    "`shift`: the values that are wanted have size {size}, what is compared with them has {outputs}": (
        "`shift`：目标的每个值有 {size} 个数，与之比较的有 {outputs} 个"
    ),
    "`shift`: [input.{name}] is not the sequence that the last layer gives something for at each step; give [target]": (
        "`shift`：最后一层并不是在 [input.{name}] 的每一步给出结果；请给出 [target]"
    ),
    "`add`: {other} gives {found} numbers, {name} gives {size}": (
        "`add`：{other} 给出 {found} 个数，{name} 给出 {size} 个"
    ),
    "`batch_first`: {own} here and {first} of number {number}: all recurrent modules take one layout": (
        "`batch_first`：这里是 {own}，第 {number} 个是 {first}：所有循环模块的布局必须相同"
    ),
    "`{key}`: expected a table of one of {known}": "`{key}`：应为以下之一的表：{known}",
    "`{key}` is given twice: in [initial_state.{name}] too": "`{key}` 写了两次：[initial_state.{name}] 中也有",
    "one recurrent module, found {count}": "只有一个循环模块，现有 {count} 个",
    "a module that no other is called between: here its state is fed back": "一个各步之间不调用其他模块的模块；这里它的状态是反馈回来的",
    '`module`: {module} as number {number}: it looks up what is given, and stands first or has `input = "input"`': (
        '`module`：{module} 放在第 {number} 个：它按索引查表，要放在第一个，或写 `input = "input"`'
    ),
    "`name`: number {number} is called {name}, too": "`name`：第 {number} 层也叫 {name}",
    "`name`: places and tables use {name} themselves; choose another": (
        "`name`：{name} 在位置和表中另有用处，请换一个名字"
    ),
    "a letter, then letters, digits and _, {most} at most": "先是一个字母，后面是字母、数字和 _，最多 {most} 个",
    "{module}, which it reads, gives {size} numbers": "它读取的 {module} 给出 {size} 个数",
    "{value}, as the file says before: it is of all layers": "{value}，与文件前面的相同：所有层共用",
    "tables: [[layers]] with a `module` each": "若干个表：每个 [[layers]] 都有 `module`",
    "{size}, the size of what enters": "{size}，即输入的大小",
    "`{key}`: {module} takes no such option, but {takers}": "`{key}`：{module} 没有这个选项，有它的是 {takers}",
    "a number smaller than `hidden_size`, {hidden_size}": "小于 `hidden_size`（{hidden_size}）的数",
    "`input_size`: found {given}, but {reason}": "`input_size`：写的是 {given}，但{reason}",
    "[embedding] gives vectors of `embedding_dim` {size}": " [embedding] 给出的向量的 `embedding_dim` 是 {size}",
    "indices up to {last} make one-hot vectors of {size} elements": "索引最大为 {last}，one-hot 向量有 {size} 个元素",
    "one-hot vectors of the vocabulary have {size} elements": "按词表得到的 one-hot 向量有 {size} 个元素",
    "each x_t of the input has {size} elements": "输入的每个 x_t 有 {size} 个元素",
    "at least {count}, for the indices 0 to {last} of the input": "至少 {count}（输入的索引是 0 到 {last}）",
    "an index below `num_embeddings`, {count}": "小于 `num_embeddings`（{count}）的索引",
    "[initial_state] fits batches of one size only, found {rows} rows": (
        "[initial_state] 只适用于行数相同的批，这里的行数有 {rows}"
    ),
    "`at`: the scores are of one step of each row already": "`at`：每一行的得分本来就只取自一步",
    '[data] has one label a row: expected [linear] with `from = "h_n"` or `"last"`': (
        '[data] 的每一行只有一个标签：应有 [linear]，且 `from = "h_n"` 或 `"last"`'
    ),
    "`out_features`: found {found}, expected at least {count}, the classes of [data]": (
        "`out_features`：写的是 {found}，至少应为 {count}，即 [data] 的类别数"
    ),
}

_CELLS = {
    "[cell.{name}]: torch has a module of this name, choose another": "[cell.{name}]：torch 里已有这个名字的模块，请换一个",
    "the cell's equations, one a line": "单元的公式，每行一个",
    'a list of names: state = ["h"]': '名字的列表：state = ["h"]',
    'a list of names: ["h"], or names with their sizes: {{h = "hidden_size"}}': (
        '名字的列表：["h"]，或名字及其大小：{{h = "hidden_size"}}'
    ),
    "different names": "互不相同的名字",
    "a cell has at most {most} parameters": "一个单元最多有 {most} 个参数",
    "`{key}` is no name: letters, digits and _, and not ending in _prev": (
        "`{key}` 不能作名字：只用字母、数字和 _，且不以 _prev 结尾"
    ),
    "a shape of `input_size`, `hidden_size`, `proj_size` or whole numbers, one or two": (
        "由一个或两个 `input_size`、`hidden_size`、`proj_size` 或整数组成的形状"
    ),
    "`input_size`, `hidden_size`, `proj_size` or a whole number": (
        "`input_size`、`hidden_size`、`proj_size` 或一个整数"
    ),
    "`{name}` has {lowest} elements in layer 0 and {above} in layer 1, where `input_size` is {size}, the output of layer 0:"
    " the states of all layers are one array": (
        "`{name}` 在第 0 层有 {lowest} 个元素，在第 1 层有 {above} 个（那里的 `input_size` 是 {size}，即第 0 层的输出）："
        "各层的状态放在同一个数组里"
    ),
    "{message}, in layer 1, where `input_size` is {size}, the output of layer 0": (
        "{message}；这是在第 1 层，那里的 `input_size` 是第 0 层输出的大小 {size}"
    ),
}

_TASK = {
    "[loss] needs a [target] to compare with": "[loss] 需要有 [target] 来比较",
    "[training] needs a [target] to learn": "[training] 需要有 [target] 来学习",
    "`name`: {name} compares classes, found `values`; expected `text` or `indices` in [target]": (
        "`name`：{name} 比较的是类别，[target] 里写的是 `values`；应为 `text` 或 `indices`"
    ),
    "`name`: {name} compares numbers, found classes; expected `values` in [target]": (
        "`name`：{name} 比较的是数值，[target] 里写的是类别；应为 `values`"
    ),
    "`{key}`: {name} takes no such option": "`{key}`：{name} 没有这个选项",
    "{module} reads the padding of short rows as it reads other steps, as in torch": (
        "{module} 把较短各行的填充也当作时间步来读，与 torch 一致"
    ),
    "NLLLoss takes logarithms of probabilities, which LogSoftmax gives; here it takes what {module} gives": (
        "NLLLoss 要的是概率的对数，也就是 LogSoftmax 给出的；这里它得到的是 {module} 的输出"
    ),
    "a divisor of `{name}`, {count}": "能整除 `{name}`（{count}）的数",
    "a number: torch has none of it where `stride` is above 1": "一个数：`stride` 大于 1 时 torch 不接受它",
    'at most {most}: padding_mode = "{mode}" over {steps} steps': (
        '最多 {most}：padding_mode = "{mode}"，共 {steps} 步'
    ),
    "`{key}`: expected {expected}": "`{key}`：应为{expected}",
    "at most {most}: each step is a term of one equation": "最多 {most}：每一步都是同一个公式里的一项",
    "at most {most}, half of `kernel_size`": "最多 {most}，即 `kernel_size` 的一半",
    "steps": "步",
    "rows": "行",
    "features": "特征",
    "-1 or {last}, the features": "-1 或 {last}，即特征那一维",
    "`{key}`: {axis} is the axis of {name}; expected {features}": "`{key}`：{axis} 是“{name}”那一维；应为 {features}",
    "dropout = {p} never acts: torch has dropout after all layers but the last, and num_layers = 1": (
        "dropout = {p} 从不起作用：torch 只在最后一层以外的各层之后做 dropout，而 num_layers = 1"
    ),
    "{message}: `windows` begins one at every stride as long as there is a value left, the last ones filled"
    " with `pad`, and each of these {rows} wants a target; `pad = false` leaves those out that are not whole, and"
    " `horizon = 1` in place of [target] wants the value that comes next": (
        "{message}：`windows` 每隔一个步幅开始一个窗口，直到没有值为止，最后几个用 `pad` 补齐，这 {rows} 个窗口每个都要有目标；"
        "`pad = false` 去掉不完整的窗口，用 `horizon = 1` 代替 [target] 则以接下来的值为目标"
    ),
    "a number other than 0": "不为 0 的数",
    '`reduction`: "none" keeps a loss for each entry, and `backward` needs one number;'
    ' expected "mean" or "sum"': (
        '`reduction`："none" 为每一项各留一个损失，而 `backward` 需要一个数；应为 "mean" 或 "sum"'
    ),
    "`carry`: the backward direction begins at the end of a window, where no state of the window before"
    " belongs; expected a module of one direction": (
        "`carry`：反向从窗口的末尾开始，前一个窗口的状态接不到那里；应为单向的模块"
    ),
    "`carry`: each row of [data] is whole, and none goes on where another ended": (
        "`carry`：[data] 的每一行都是完整的，没有一行接着另一行"
    ),
    "`carry`: the state goes on from one window of a series to the next; expected `windows` in [input]": (
        "`carry`：状态从一个窗口接到下一个窗口；[input] 里应有 `windows`"
    ),
    "`{key}`: with `carry` the state comes from the window before; leave one of the two out": (
        "`{key}`：有 `carry` 时，状态来自前一个窗口；两者只写一个"
    ),
    "the last {count} values of the series are left over: they do not fill a window of {length}": (
        "序列最后 {count} 个值没有用到：它们不够一个长度为 {length} 的窗口"
    ),
    "{count} values of the series are left over: it is cut into {rows} equal parts, each into whole windows of {length}": (
        "序列中有 {count} 个值没有用到：序列等分成 {rows} 段，每段切成长度为 {length} 的完整窗口"
    ),
    "{name} takes mean and variance of all steps, and stands in a circle of steps, one after the other": (
        "{name} 要对所有时间步求均值和方差，而它在一步接一步的循环里"
    ),
    "`module`: {module} takes mean and variance of a batch of one step and one row, at which torch raises;"
    " expected more of either": (
        "`module`：{module} 要对一批求均值和方差，而这一批只有一步一行，torch 会报错；步数或行数应更多"
    ),
    "two numbers ≥ 0 and < 1": "两个数，都不小于 0 且小于 1",
    "`nesterov` needs a `momentum` above 0 and no `dampening`, as in torch": (
        "`nesterov` 要求 `momentum` 大于 0 且没有 `dampening`，与 torch 一致"
    ),
    "`{key}`: {optimizer} takes no such argument; known are {known}": (
        "`{key}`：{optimizer} 没有这个参数；可用的有 {known}"
    ),
    '`mistake`: "{mistake}" needs {needed}': '`mistake`："{mistake}" 需要{needed}',
    "CrossEntropyLoss, found {name}": " CrossEntropyLoss，这里是 {name}",
    "a module of torch, which looks at the shape of h_0": " torch 自带的模块，它才会检查 h_0 的形状",
    "one batch, whose last state is the next epoch's first; found {count}": (
        "只有一批数据，它的最后状态就是下一轮的初始状态；这里有 {count} 批"
    ),
    "a loop over a cell: RNNCell, LSTMCell or GRUCell, found {module}": (
        "对单元写的循环：RNNCell、LSTMCell 或 GRUCell，这里是 {module}"
    ),
    'a loss at each step, `over_time = "sum"`': '每个时间步各有一个损失，即 `over_time = "sum"`',
    "more than one step": "不止一个时间步",
    "`{key}`: a cure has none; leave it out here": "`{key}`：[cure] 里不能有它，请删去",
    "[cure] changes nothing: expected keys of this file with what they should have been": (
        "[cure] 没有改变任何内容：应写出这个文件里要改正的键"
    ),
    "[cure]: line {line} does not fit it: {reason}": "[cure]：第 {line} 行与它不符：{reason}",
    "Each step of {sequence} but the first is fed the class that {layer} said at the step before, the largest score's; no gradient goes back through that choice.": "{sequence} 除第一步外，每一步输入的都是 {layer} 在上一步说出的类别，即得分最大的那个；梯度不会穿过这个选择往回走。",
    "Each step of {sequence} but the first is fed what {layer} gave at the step before; the gradient goes back that way, too.": "{sequence} 除第一步外，每一步输入的都是 {layer} 在上一步给出的值；梯度也沿这条路往回走。",
    "Each step of {sequence} but the first is fed a class that is drawn from the softmax of what {layer} gave at the step before; no gradient goes back through a draw.": "{sequence} 除第一步外，每一步输入的类别都是从 {layer} 上一步输出的 softmax 中抽取的；梯度不会穿过抽取往回走。",
}

TABLE: Mapping[str, str] = {**_VALUES, **_KEYS, **_FILES, **_SYNTAX, **_TABLES, **_CELLS, **_TASK}
