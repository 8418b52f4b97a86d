"""Chinese for what can be wrong with a scenario's numbers: input, data, targets, states, weights."""

TABLE = {
    # [input]
    "[input]: expected one of {keys}": "[input]：需要 {keys} 之一",
    "`{key}`: there is `{first}` already; give one of the two": "`{key}`：已经有 `{first}`，两者只能给一个",
    "`text` needs a `vocabulary` that gives each letter its index": (
        "`text` 需要 `vocabulary`（词表），由它给出每个字母的索引"
    ),
    "a string, or a list of strings": "一个字符串，或字符串列表",
    "`{key}`: {reason}": "`{key}`：{reason}",
    "`{key}`: found an empty text, expected at least one letter": "`{key}`：文本是空的，至少需要一个字母",
    "{letter} is not in the vocabulary: {known}": "{letter} 不在词表中：{known}",
    "{letter} is not in the vocabulary; did you mean {guess}?": "{letter} 不在词表中，是否想写 {guess}？",
    "{letter} is not among the 128 ASCII characters": "{letter} 不是 128 个 ASCII 字符之一",
    "an index of the vocabulary, below {count}": "词表中的一个索引，小于 {count}",
    "`{key}`: found {found}, expected an index ≥ 0": "`{key}`：给的是 {found}，应为 ≥ 0 的索引",
    "`{key}`: found {found}, expected an index below {count}": (
        "`{key}`：给的是 {found}，应为小于 {count} 的索引"
    ),
    "`{key}`: [embedding] looks up whole numbers; expected `indices` or `text`": (
        "`{key}`：[embedding]（嵌入）按整数查表，应给 `indices` 或 `text`"
    ),
    "`{key}`: found {found}, expected {batched}, or (T, input_size) without a batch axis": (
        "`{key}`：形状是 {found}，应为 {batched}，没有批维时为 (T, input_size)"
    ),
    "`{key}`: found {found}, expected {batched}, or (T, input_size) without a batch axis;"
    " a series of single numbers is written [[1.0], [2.0], …]": (
        "`{key}`：形状是 {found}，应为 {batched}，没有批维时为 (T, input_size)；"
        "每步一个数的序列写作 [[1.0], [2.0], …]"
    ),
    "a list such as [5, 1, 4]: steps, rows, size of x_t": (
        "一个列表，例如 [5, 1, 4]：时间步数、批大小、x_t 的大小"
    ),
    "two or three lengths ≥ 1": "两个或三个 ≥ 1 的长度",
    "`lengths`: texts have their own lengths": "`lengths`：文本自带长度，不必再给",
    "`lengths`: found {found}, expected {rows}: one for each row of the batch": (
        "`lengths`：给了 {found} 个，应为 {rows} 个：批中每行一个"
    ),
    "`lengths[{index}]`: found {found}, expected 1 to {steps}, the number of steps": (
        "`lengths[{index}]`：给的是 {found}，应在 1 到 {steps}（时间步数）之间"
    ),
    "`{key}`: only a batch is padded; this input has no batch axis": (
        "`{key}`：只有成批的输入才有填充，这个输入没有批维"
    ),
    "{length}, the `length`: with `carry` a window begins where the one before ended": (
        "{length}，即 `length`：有 `carry` 时，每个窗口从前一个结束的地方开始"
    ),
    "`length`: found {length}, expected a window that fits into each of the `batch_size` {parts} equal parts of the"
    " series with what is wanted of it: {count} values": (
        "`length`：写的是 {length}；序列等分成 `batch_size` 即 {parts} 段，每段连同目标都要放得下一个窗口：共 {count} 个值"
    ),
    "`windows` are cut from numbers: `values`, `file` or `random`": (
        "`windows` 只能从数值中切出：`values`、`file` 或 `random`"
    ),
    "`{key}` has no meaning beside `windows`, which are all full": (
        "`{key}` 与 `windows` 一起没有意义：每个窗口都是满的"
    ),
    "`{key}`: found {found}, expected one long series for `windows`: (N,) or (N, input_size)": (
        "`{key}`：形状是 {found}，`windows` 需要一条长序列：(N,) 或 (N, input_size)"
    ),
    "`length`: found {length}, expected a window that fits into the series with what is wanted of it: {count} values": (
        "`length`：给的是 {length}，序列只有 {count} 个值，放不下一个窗口和它的目标"
    ),
    "`pad` has no meaning beside `horizon`, whose windows are all whole": (
        "`pad` 与 `horizon` 一起没有意义：那里的窗口都是完整的"
    ),
    "`horizon` in `windows` says what is wanted, and [target], too; give one of the two": (
        "`windows` 里的 `horizon` 已经说明了目标，又写了 [target]；两者只写一个"
    ),
    "`horizon`: the values that are wanted have size {size}, what is compared with them has {outputs}": (
        "`horizon`：作为目标的值大小为 {size}，与它们比较的输出大小为 {outputs}"
    ),
    "`{key}[{row}]`: found {found} numbers, expected {first} as in the first row; rows of unlike length need"
    " `batch_first = true` in [recurrent], where a row is a sequence and not a step": (
        "`{key}[{row}]`：有 {found} 个数，应与第一行一样是 {first} 个；各行长度不同时，[recurrent] 里要写 `batch_first = true`，"
        "那样一行是一个序列，而不是一个时间步"
    ),
    "`{key}`: rows of unlike length have their own lengths": "`{key}`：长度不同的各行自己就说明了长度",
    "{rows} rows, as there are in the batch": "{rows} 行，与批的行数相同",
    # files of numbers
    "`file`: cannot read {file}: {reason}": "`file`：无法读取 {file}：{reason}",
    "`file`: found {file}, a file of another kind, expected {suffixes}": (
        "`file`：{file} 的类型不对，应为 {suffixes}"
    ),
    "`file`: {file}, line {line}: expected numbers": "`file`：{file} 第 {line} 行：应为数字",
    "`file`: {file}, line {line}: found {found} numbers, expected {expected} as before": (
        "`file`：{file} 第 {line} 行：有 {found} 个数，应与前面一样为 {expected} 个"
    ),
    "`file`: {file}: a csv of {size} GiB takes more memory than the limit of {limit} GiB (--memory-limit)": (
        "`file`：{file}：{size} GiB 的 CSV 所需内存超过上限 {limit} GiB（--memory-limit）"
    ),
    "`file`: the array in it is empty: {shape}": "`file`：其中的数组是空的：{shape}",
    "`file`: {file} is no .npy file of numbers (pickled objects are refused)": (
        "`file`：{file} 不是数值的 .npy 文件（不接受 pickle 对象）"
    ),
    "`file`: {file} ends before its array does": "`file`：{file} 不完整，数组没有写完",
    "`file`: {file} holds {count} tensors, expected one": "`file`：{file} 中有 {count} 个张量，应只有一个",
    "`file`: {file} is no safetensors file: {reason}": "`file`：{file} 不是 safetensors 文件：{reason}",
    "`file`: {file} is refused: it builds more than {most} objects or takes more than {size} MiB without its"
    " numbers, far more than a state_dict does": (
        "`file`：拒绝读取 {file}：它会建出超过 {most} 个对象，或除数值外超过 {size} MiB，远多于一个 state_dict 所需"
    ),
    "`file`: the tensor {name} has {count} axes, expected at most {most}": (
        "`file`：张量 {name} 有 {count} 个轴，最多可有 {most} 个"
    ),
    "`file`: the tensor {name} is of the kind {kind}, expected one of numbers": (
        "`file`：张量 {name} 的类型是 {kind}，应为数值类型"
    ),
    # [data]
    "[data] needs a `vocabulary` that gives each letter its index": (
        "[data] 需要 `vocabulary`（词表），由它给出每个字母的索引"
    ),
    "the name of a CSV file": "一个 CSV 文件名",
    "`file`: {file} holds no rows": "`file`：{file} 中没有数据行",
    "`file`: {file}, line {line}: {reason}": "`file`：{file} 第 {line} 行：{reason}",
    "found {found} columns, expected {expected}": "有 {found} 列，应为 {expected} 列",
    "found an empty text or label": "文本或标签是空的",
    "`{key}`: {file} has no column {column}; did you mean {guess}?": (
        "`{key}`：{file} 中没有列 {column}，是否想写 {guess}？"
    ),
    "`{key}`: {file} has no column {column}; it has {known}": (
        "`{key}`：{file} 中没有列 {column}，只有 {known}"
    ),
    # [target]
    "[target]: expected exactly one of {keys}": "[target]：{keys} 中须给且只给一个",
    "`{key}`: the target is for {found} steps, the input has {steps}: expected one target for each step": (
        "`{key}`：目标有 {found} 步，输入有 {steps} 步：每个时间步应有一个目标"
    ),
    "`{key}`: found the class {found}, expected 0 to {last}: there are {count} logits": (
        "`{key}`：类别是 {found}，应在 0 到 {last} 之间：共有 {count} 个 logits"
    ),
    "`text`: found {found} rows, expected {expected}: one for each row of the input": (
        "`text`：给了 {found} 行，应为 {expected} 行：输入的每行一个"
    ),
    "`{key}`: found {found} letters, expected one label for the row (`{reason}`)": (
        "`{key}`：有 {found} 个字母，每行应只有一个标签（`{reason}`）"
    ),
    "`{key}`: found {found} labels, expected {rows}: one for each row of the batch (`{reason}`)": (
        "`{key}`：给了 {found} 个标签，应为 {rows} 个：批中每行一个（`{reason}`）"
    ),
    "`{key}`: found shape {found}, expected {expected}": "`{key}`：形状是 {found}，应为 {expected}",
    # [initial_state]
    "`c_0`: {module} has no cell state, only an LSTM has": "`c_0`：{module} 没有细胞状态，只有 LSTM 才有",
    "`{key}`: found {found}, expected {expected}: it has the size of the input ({input_size}),"
    " but a state has that of the memory ({width})": (
        "`{key}`：形状是 {found}，应为 {expected}：这是输入的大小（{input_size}），而隐藏状态的大小是 {width}"
    ),
    "`{key}`: found {found}, expected {expected}: for a batch torch takes three axes,"
    " (num_layers * num_directions, batch, size)": (
        "`{key}`：形状是 {found}，应为 {expected}：成批时 torch 需要三个维："
        "(num_layers * num_directions, batch, size)"
    ),
    "`{key}`: found {found}, expected {expected}: the batch is the second axis of a state,"
    " also with `batch_first`": (
        "`{key}`：形状是 {found}，应为 {expected}：状态的批维是第二维，设了 `batch_first` 也一样"
    ),
    "`{key}`: found {found}, expected {expected}: a cell has one layer and no axis for it": (
        "`{key}`：形状是 {found}，应为 {expected}：单元只有一层，没有层这一维"
    ),
    "`{key}`: found {found}, expected {expected}: the input has no batch axis, so its state has none": (
        "`{key}`：形状是 {found}，应为 {expected}：输入没有批维，状态也没有"
    ),
    # [weights]
    "no [weights]: give `seed = 0`, a `file`, or arrays under torch's names": (
        "缺少 [weights]：请给出 `seed = 0`、`file`，或以 torch 的名称给出数组"
    ),
    "`{name}`: no parameter of this module; it has {known}": "`{name}`：此模块没有这个参数，它有 {known}",
    "`{name}`: no parameter of this module; did you mean `{guess}`?": (
        "`{name}`：此模块没有这个参数，是否想写 `{guess}`？"
    ),
    "`{name}`: there is no [{module}] in this scenario": "`{name}`：这个场景没有 [{module}]",
    "`{name}`: this module has no bias (`bias = false`)": "`{name}`：此模块没有偏置（`bias = false`）",
    '`{name}`: with `bias = "ih"` there is one bias; this one is zeros': (
        '`{name}`：`bias = "ih"` 时只有一个偏置，这一个为零'
    ),
    '`file`: {key} is not zeros; with `bias = "ih"` there is one bias': (
        '`file`：{key} 不为零；`bias = "ih"` 时只有一个偏置'
    ),
    "`{name}`: given twice, under another name too": "`{name}`：重复给出，另一个名称下已有",
    "`{name}`: found shape {found}, expected {expected}, that is {words}": (
        "`{name}`：形状是 {found}，应为 {expected}，即 {words}"
    ),
    "`{name}`: found shape {found}, expected {expected}, that is {words}: transpose it"
    " (in torch each row belongs to one output)": (
        "`{name}`：形状是 {found}，应为 {expected}，即 {words}：需要转置（torch 中每行对应一个输出）"
    ),
    "[weights]: no values for {names}; give them, or a `seed` or `file`": (
        "[weights]：{names} 没有值，请给出它们，或给出 `seed` 或 `file`"
    ),
    "[weights]: no values for {names}; give them, or `bias = false` in [recurrent]": (
        "[weights]：{names} 没有值，请给出它们，或在 [recurrent] 中设 `bias = false`"
    ),
    "`file`: there is a `seed` already; give one of the two": "`file`：已经有 `seed`，两者只能给一个",
    "`round` rounds what a `seed` gave; there is no `seed`": (
        "`round` 只对 `seed` 产生的值作舍入，这里没有 `seed`"
    ),
    "`prefix` names the prefixes in a `file`; there is no `file`": (
        "`prefix` 说明 `file` 中的前缀，这里没有 `file`"
    ),
    "`{name}`: single gates can stand beside a seed or a .safetensors file only; give it whole": (
        "`{name}`：只有与 seed 或 .safetensors 文件一起时才能只给单个门，请整个给出"
    ),
    # weight files
    "`file`: it holds no {names}; give them as arrays": "`file`：其中没有 {names}，请以数组给出",
    "`file`: it holds {others} too, which the module of this scenario has not"
    " (num_layers, bidirectional, bias, proj_size?)": (
        "`file`：其中还有 {others}，而这个场景的模块没有（检查 num_layers、bidirectional、bias、proj_size）"
    ),
    "`file`: {key} has shape {found}, expected {expected} for `{name}`": (
        "`file`：{key} 的形状是 {found}，`{name}` 应为 {expected}"
    ),
    "`file`: several modules in it could be the {module} one: {prefixes}; expected one of shape {expected}; choose in"
    " [weights], as in: prefix = {line}": (
        "`file`：其中有多个模块可能是 {module}：{prefixes}；期望的形状是 {expected}；请在 [weights] 中选定一个，例如：prefix = {line}"
    ),
    "`file`: {name} is under spectral_norm, so that the file has no such weight; make it one before saving:"
    " torch.nn.utils.remove_spectral_norm(MODULE, '{own}')": (
        "`file`：{name} 使用了 spectral_norm，文件中没有这个权重本身；请在保存前把它还原："
        "torch.nn.utils.remove_spectral_norm(MODULE, '{own}')"
    ),
    "`file`: {name} is pruned by a mask, so that the file has no such weight; make it one before saving:"
    " torch.nn.utils.prune.remove(MODULE, '{own}')": (
        "`file`：{name} 被掩码剪枝，文件中没有这个权重本身；请在保存前把它还原："
        "torch.nn.utils.prune.remove(MODULE, '{own}')"
    ),
    "`file`: {name} is under spectral_norm, so that the file has no such weight; make it one before saving:"
    " torch.nn.utils.parametrize.remove_parametrizations(MODULE, '{own}')": (
        "`file`：{name} 使用了 spectral_norm，文件中没有这个权重本身；请在保存前把它还原："
        "torch.nn.utils.parametrize.remove_parametrizations(MODULE, '{own}')"
    ),
    "`file`: {name} is computed by a parametrization, so that the file has no such weight; make it one before"
    " saving: torch.nn.utils.parametrize.remove_parametrizations(MODULE, '{own}')": (
        "`file`：{name} 由参数化（parametrization）算出，文件中没有这个权重本身；请在保存前把它还原："
        "torch.nn.utils.parametrize.remove_parametrizations(MODULE, '{own}')"
    ),
    "`{module}`: the file holds no {key}": "`{module}`：文件中没有 {key}",
    "`{module}`: the file holds no {key}; what it holds of that kind stands under {prefixes}": (
        "`{module}`：文件中没有 {key}；其中这一类的张量在 {prefixes} 之下"
    ),
    "`file`: the tensors take {size} GiB, more than the limit of {limit} GiB (--memory-limit)": (
        "`file`：张量需要 {size} GiB，超过上限 {limit} GiB（--memory-limit）"
    ),
    "`file`: {file} is neither a .safetensors file nor one that torch.save wrote": (
        "`file`：{file} 既不是 .safetensors 文件，也不是 torch.save 保存的文件"
    ),
    "`file`: {file} is no state_dict saved by torch.save": (
        "`file`：{file} 不是 torch.save 保存的 state_dict"
    ),
    "`file`: {file} holds a whole model ({name}); save its state_dict, where you trust the file, since loading"
    " such a pickle may run anything: {line}": (
        "`file`：{file} 保存的是整个模型（{name}）；请保存其 state_dict，但仅当你信任该文件时，因为加载这样的 pickle"
        " 可能执行任意代码：{line}"
    ),
    "`file`: {file} holds a scripted model ({name}); save its state_dict: {line}": (
        "`file`：{file} 保存的是 TorchScript 模型（{name}）；请保存其 state_dict：{line}"
    ),
    "`file`: {file} is refused: it does more than hold tensors ({found})": (
        "`file`：拒绝 {file}：它不只是保存张量（{found}）"
    ),
    "`file`: {file} is refused: beside tensors it holds {found}; save the tensors alone, where you trust the file,"
    " since loading such a pickle may run anything: {line}": (
        "`file`：拒绝 {file}：除张量外，其中还有 {found}；请只保存张量，但仅当你信任该文件时，因为加载这样的 pickle"
        " 可能执行任意代码：{line}"
    ),
    "`file`: the index {file} is larger than {most} MiB, far more than the names of a model take": (
        "`file`：索引 {file} 超过 {most} MiB，远大于一个模型的名字所需"
    ),
    "`file`: the headers of the files that {file} names are larger than {most} MiB, far more than the names of a"
    " model take": "`file`：{file} 所列文件的文件头合计超过 {most} MiB，远大于一个模型的名字所需",
    "`file`: {file} says that {name} stands in {part}, which does not hold it": (
        "`file`：{file} 说 {name} 在 {part} 中，但那里没有"
    ),
    "`file`: {file} is no index of weights: {reason}": "`file`：{file} 不是权重的索引：{reason}",
    "line {line}, column {column}: {reason}": "第 {line} 行第 {column} 列：{reason}",
    "too many brackets inside one another": "括号嵌套太深",
    "not UTF-8, at byte {byte}": "不是 UTF-8，在第 {byte} 字节处",
    "{name} stands in it twice": "{name} 在其中出现了两次",
    "{found} is no JSON": "{found} 不是 JSON",
    "found {found}, expected the table `weight_map`: tensor → file": (
        "得到 {found}，应有表 `weight_map`：张量 → 文件"
    ),
    "{name}: found {found}, expected the name of a file": "{name}：得到 {found}，应为文件名",
    "it names no tensor": "其中没有张量",
    "it names {count} files, expected at most {most}": "其中列出了 {count} 个文件，最多应为 {most} 个",
    "it names {part}, which leads out of its folder": "其中列出的 {part} 指向其文件夹之外",
    "it names {part}, expected .safetensors files": "其中列出的 {part} 不是 .safetensors 文件",
    "its header is larger than {most} MiB": "其文件头超过 {most} MiB",
    "`{key}`: the target is for {found} steps, {sequence} has {steps}: expected one target for each step": (
        "`{key}`：目标有 {found} 步，{sequence} 有 {steps} 步：每个时间步应有一个目标"
    ),
    '`horizon`: a value is wanted for each of {wanted} steps, {sequence} has {steps}; expected `at = "last"` in [loss], or a last layer on NAME.h_n': (
        '`horizon`：{wanted} 步每步都要有目标，{sequence} 有 {steps} 步；应在 [loss] 中写 `at = "last"`，或让最后一层读 NAME.h_n'
    ),
    "{name} reads a window of steps, and what it reads belongs to no step": (
        "{name} 要读一个窗口里的多个时间步，可它读的值不属于任何一步"
    ),
    "{name} reads none of the {steps} steps at its step {step}: the largest of nothing is −∞, and torch cannot go back through it": (
        "{name} 的第 {step} 步在 {steps} 步里一步也读不到：什么都没有时的最大值是 −∞，torch 无法由此反向传播"
    ),
    "{name} gives no step: it reads {steps}, too few for one window": (
        "{name} 一步也给不出：它读到的只有 {steps} 步，放不下一个窗口"
    ),
    "{name} gives no step of row {row}: that has {steps} steps, too few for one window": (
        "{name} 对第 {row} 行一步也给不出：这一行只有 {steps} 步，放不下一个窗口"
    ),
    "{name} reads {one} ({steps} steps) and {other} ({others} steps) at the same step": (
        "{name} 在同一步读 {one}（{steps} 步）和 {other}（{others} 步）"
    ),
    "a letter of the vocabulary, an index, or the numbers of a vector: what is fed at the first step": "词表中的一个字母、一个索引，或一个向量的各个数：第一步输入什么",
    "a whole number ≥ 1: how many steps are fed": "不小于 1 的整数：一共输入几步",
    "one, or {rows}: one for each row": "一个，或 {rows} 个：每行一个",
    "a letter of the vocabulary, or an index": "词表中的一个字母，或一个索引",
    "{steps} of true or false, or {{ratio, seed}}": "{steps} 个 true 或 false，或 {{ratio, seed}}",
    "`feed`: {layer} has no step for each of the sequence's own": "`feed`：{layer} 并不是这个序列每一步都有一个值",
    "`feed`: {layer} gives {size} numbers, `first` has {count}": "`feed`：{layer} 给出 {size} 个数，`first` 有 {count} 个",
    "`{key}`: a sequence with `feed` is not given": "`{key}`：有 `feed` 的序列不是给定的",
    "a number from 0 to 1": "0 到 1 之间的数",
    "`{key}` needs `feed`, the name of the layer that feeds the sequence": "`{key}` 需要 `feed`，即给这个序列提供输入的层的名字",
    "`until` ends rows at other steps after each update; a training feeds all `steps`": "每次更新之后，`until` 会让各行在别的步结束；训练时要走完全部 `steps`",
    "`teacher` needs a [target] with something to feed for each of the {steps} steps": "`teacher` 需要 [target]，而且 {steps} 步每步都有可以输入的内容",
    "`feed`: {layer} reads later steps of the sequence, which are not there yet": "`feed`：{layer} 要读这个序列后面的步，而那些步还没有",
    "`{key}`: `first` is numbers, and they are no class": "`{key}`：`first` 是一些数，不是类别",
    "`feed`: {layer} says {size} classes, {reader} takes {count}": "`feed`：{layer} 能说出 {size} 个类别，{reader} 只接受 {count} 个",
    "`feed`: how many classes there are is not known; expected a vocabulary, an Embedding, or `input_size`": "`feed`：不知道有多少个类别；需要词表、Embedding 或 `input_size`",
    "`first`: an Embedding looks classes up; expected a letter or an index": "`first`：Embedding 查的是类别；应为一个字母或索引",
    "`feed`: {layer} has states; numbers are fed by a layer without, such as a Linear": (
        "`feed`：{layer} 有状态；输入数值时要由没有状态的层提供，例如 Linear"
    ),
}
