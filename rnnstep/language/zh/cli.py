"""The Chinese of the command line, and of the scenarios that `rnnstep new` writes."""

from __future__ import annotations

TABLE = {
    # ── help ──
    "cannot read {path}: it is no regular file": "无法读取 {path}：它不是普通文件",
    "Usage: {usage}": "用法：{usage}",
    "Options:": "选项：",
    "Commands:": "命令：",
    "show this text": "显示本帮助",
    "show the version": "显示版本",
    "`{command} --help` shows what there is": "用 `{command} --help` 查看用法",
    "Step through every number of an RNN, LSTM or GRU, with torch's beside it.\n"
    "SCENARIO is a path, a folder, or the name of a bundled scenario such as hello; without one,"
    " choose from the bundled ones. Where standard output is not a terminal, the trace is printed.": (
        "逐步查看 RNN、LSTM、GRU 计算中的每一个数，旁边就是 torch 的结果。\n"
        "SCENARIO 是文件路径、文件夹，或自带场景的名字（如 hello）；\n"
        "不写则从自带场景中挑选。标准输出不是终端时，直接打印计算过程。"
    ),
    "Print every intermediate value, with torch's beside it.\nThe exit status is 1 where torch disagrees.": (
        "打印每一个中间值，旁边是 torch 的结果。\n与 torch 不一致时，退出状态为 1。"
    ),
    "Print the short PyTorch program that gives these numbers, ready to run.": (
        "打印能算出这些数的 PyTorch 小程序，可直接运行。"
    ),
    "List the bundled scenarios in the order of a course, one a line, name first.": "按学习顺序列出自带场景，每行一个，名字在前。",
    "Write a commented scenario, or lesson, to start from.\n"
    "MODULE is RNNCell, RNN, LSTMCell, LSTM, GRUCell or GRU, cell for a cell of one's own, seq2seq for an encoder and"
    " a decoder, attention for both with attention between; or lesson for a file of stops.": (
        "写出一个带注释的场景或一课，作为起点。\n"
        "MODULE 是 RNNCell、RNN、LSTMCell、LSTM、GRUCell、GRU 之一，或 cell（自定义单元），或 seq2seq（编码器和解码器），或 attention（两者之间带注意力），或 lesson（由各站组成的文件）。"
    ),
    "Print the script that completes commands, options and scenarios in a shell.\n"
    'For bash: eval "$(rnnstep completion bash)" in ~/.bashrc; zsh likewise in ~/.zshrc;'
    " fish: rnnstep completion fish > ~/.config/fish/completions/rnnstep.fish": (
        "打印 shell 的补全脚本：补全命令、选项和场景名。\n"
        'bash：在 ~/.bashrc 中加入 eval "$(rnnstep completion bash)"；zsh 同样，加入 ~/.zshrc；\n'
        "fish：rnnstep completion fish > ~/.config/fish/completions/rnnstep.fish"
    ),
    "open at a place, such as 3/L0/hh[1]": "打开后停在某个位置，例如 3/L0/hh[1]",
    "English or Chinese; by default as the locale is": "英文或中文；默认随系统语言",
    "the colours of the screen": "屏幕配色",
    "leave the mouse to the terminal": "不使用鼠标，把它留给终端",
    "a presenter's remote: b and . blank the screen": "翻页笔：b 和 . 让屏幕变黑",
    "how many decimals are shown": "显示几位小数",
    "plain ASCII signs instead of ✓, − and ·": "只用 ASCII 符号，不用 ✓、−、·",
    "compute in this dtype": "用这个 dtype 计算",
    "refuse what would need more, 4GiB by default": "内存上限，超过就拒绝；默认 4GiB",
    "read files outside of the scenario's own folder, too": "也读取场景文件夹以外的文件",
    "write to a file, atomically": "写入文件（原子写入）",
    "replace the file if it is there already": "文件已存在时替换它",
    "how it is written; text by default": "输出格式；默认 text",
    "show an expression beside the values, such as norm(h); may be given several times": (
        "同时显示一个表达式，如 norm(h)；可多次使用"
    ),
    "stop where an expression first holds, such as max(abs(h)) > 0.9": (
        "在表达式首次成立处停下，如 max(abs(h)) > 0.9"
    ),
    # ── messages ──
    "cannot write to standard output: {reason}": "无法写到标准输出：{reason}",
    "cannot write {path}: {reason}": "无法写入 {path}：{reason}",
    "cannot read {path}: {reason}": "无法读取 {path}：{reason}",
    "it is a folder": "这是一个文件夹",
    "there is no folder {folder}": "没有文件夹 {folder}",
    "pass --force to replace it": "加上 --force 才会替换",
    "this format is not for a terminal: give --output FILE": "这种格式不能输出到终端：请给出 --output FILE",
    "{path}: no scenario (*.toml) in this folder": "{path}：这个文件夹里没有场景（*.toml）",
    "{found}: one argument too many": "{found}：多出来的参数",
    "{name} is missing": "缺少 {name}",
    "{name}: no command, file or bundled scenario of this name; did you mean `rnnstep {guess}`?": (
        "{name}：没有这个命令、文件或自带场景；是不是 `rnnstep {guess}`？"
    ),
    "{option}: there is no such option": "{option}：没有这个选项",
    "{option}: there is no such option; did you mean {guess}?": "{option}：没有这个选项；是不是 {guess}？",
    "{option}: expected one value after it, and none after a flag": (
        "{option}：后面应有一个值；开关型选项后面不能有值"
    ),
    "{option}: found {found}, expected one of {choices}": "{option}：是 {found}，应为 {choices} 之一",
    "{option}: found {found}, expected one of {choices}; did you mean {guess}?": (
        "{option}：是 {found}，应为 {choices} 之一；是不是 {guess}？"
    ),
    "{option}: found {found}, expected a whole number from {low} to {high}": (
        "{option}：是 {found}，应为 {low} 到 {high} 的整数"
    ),
    "{option}: found {found}, expected a size such as 500MiB, 4GiB, or a number of bytes": (
        "{option}：是 {found}，应为 500MiB、4GiB 这样的大小，或字节数"
    ),
    "{option}, column {column}: {reason}": "{option}，第 {column} 列：{reason}",
    # ── the trace as text ──
    "Beside each value: torch's. {sign} is torch.nn's own number, one step at a time;\n"
    "{mark} is the same equation in torch's own operations: a self-check.": (
        "每个值旁边是 torch 的结果。{sign} 表示 torch.nn 自己逐步算出的数；\n"
        "{mark} 是自检：用 torch 的运算按同样的公式算出的数。"
    ),
    "Beside each value: the same equation in torch's own operations, {mark}.\n"
    "That is a self-check: torch.nn has no such module.": (
        "每个值旁边是用 torch 的运算按同样的公式算出的数，{mark}。\n这只是自检：torch.nn 里没有这个模块。"
    ),
    "self-check {sign}": "自检 {sign}",
    "batch {batch}/{batches}": "第 {batch}/{batches} 批",
    "batch {batch}: ": "第 {batch} 批：",
    "step {step}/{steps}": "第 {step}/{steps} 步",
    "row {row}/{rows}": "第 {row}/{rows} 行",
    "row {row}: ": "第 {row} 行：",
    "row": "行",
    "value": "值",
    "ours": "我们的",
    "  {name} {shape}, too large to be shown here": "  {name} {shape}，太大，这里不显示",
    "{row}says {letters}": "{row}预测 {letters}",
    ", wants {letters}": "，目标 {letters}",
    "stopped at step {step}: `{watch}` holds": "停在第 {step} 步：`{watch}` 成立",
    "`{watch}` never holds": "`{watch}` 始终不成立",
    "one step from torch's own states: {difference} apart at most, {allowed} allowed": (
        "从 torch 自己的状态走一步：最多相差 {difference}，允许 {allowed}"
    ),
    "one step from the same states: {difference} apart at most, {allowed} allowed": (
        "从相同的状态走一步：最多相差 {difference}，允许 {allowed}"
    ),
    "along the run, each on its own states: {differences}": "沿整个过程，各走各的状态：{differences}",
    # ── `rnnstep new` ──
    'or {{en = "…", zh = "…"}}': '或 {{en = "…", zh = "…"}}',
    "a few sentences, in Markdown": "几句说明，可用 Markdown",
    "<s> is what the decoder is fed first": "<s> 是解码器第一步的输入",
    "what the encoder reads": "编码器读入的",
    "each letter a one-hot vector; rows of unlike length are packed": "每个字母一个 one-hot 向量；长短不一的行会打包",
    "a second sequence, with steps of its own: what the decoder is to say": "第二个序列，有自己的时间步：解码器应说出的",
    "a row of it goes with the same row of [input]": "每一行与 [input] 的同一行对应",
    "teacher forcing: it is fed what stood before, and is to say what stands here": (
        "teacher forcing：输入的是上一步的内容，目标是这一步的内容"
    ),
    "or RNN, LSTM": "或 RNN、LSTM",
    "the sequence that it walks along": "它走的序列",
    "the sequence that it walks along and the context, joined": "它走的序列，与 context 拼接",
    "each step of the encoder is looked at as much as its score says": "编码器的每一步，按得分的高低来看",
    "or dot, scaled_dot, general, which have no size": "或 dot、scaled_dot、general，它们没有 size",
    "how many numbers are compared": "用多少个数来比较",
    "the decoder's state of the step before": "解码器上一步的状态",
    "what is looked at: every step of the encoder": "看的是什么：编码器的每一步",
    "it begins where the encoder ended; of an LSTM c_0 too": "从编码器结束时的状态开始；LSTM 还要写 c_0",
    "as the encoder's, whose state it takes": "与编码器的相同，因为要接过它的状态",
    "a score for each letter, at each step of the decoder": "解码器的每一步，每个字母一个分数",
    "position = index; leave it out if the input is numbers": "位置就是索引；输入是数值时不要这一行",
    "each letter a one-hot vector; a list of strings is a batch": (
        "每个字母是一个 one-hot 向量；字符串列表是一批"
    ),
    "instead: numbers, (T, B, input_size), here (2, 1, 2)": (
        "或者：数值 (T, B, input_size)，这里是 (2, 1, 2)"
    ),
    "instead: standard normal numbers": "或者：标准正态随机数",
    "the [cell.mgu] below": "下面的 [cell.mgu]",
    "as many as letters, so that h is the logits; input_size follows from the data": (
        "与字母个数相同，h 就是 logits；input_size 由数据得出"
    ),
    "tanh without it": "不写则为 tanh",
    "output then has both directions' sizes: add [linear]": "output 会把两个方向拼起来：请加上 [linear]",
    "input and output are (B, T, …)": "输入和 output 为 (B, T, …)",
    "one bias, as most books have it; false: none": "只有一个偏置，和多数教材一样；false：没有",
    "h is projected to this size": "h 投影到这个大小",
    "after it, on every step": "接在后面，每个时间步都用",
    "what torch gives after torch.manual_seed(0)": "torch.manual_seed(0) 之后 torch 给出的值",
    "one decimal, for work by hand": "保留一位小数，便于手算",
    "instead of the seed: a file, or a state_dict saved by torch": (
        "代替种子：文件，或 torch 保存的 state_dict"
    ),
    "single parameters under torch's names, or gate by gate": "单独给出参数：用 torch 的名字，或逐个门",
    "what was there before the first step; zeros without it": "第一步之前的状态；不写则全为 0",
    "what each step should answer; may be left out, as all that follows": (
        "每个时间步的目标；它和后面的表都可以不要"
    ),
    "these numbers alone, without torch's beside them": "只给出本程序的数，旁边没有 torch 的",
    "Nothing stands beside these numbers (--no-torch): they are not compared with torch's.": (
        "这些数旁边没有对照（--no-torch）：没有与 torch 比较。"
    ),
    "both {value} from epoch {epoch}": "从第 {epoch} 轮起两边都是 {value}",
    "{value} from epoch {epoch}": "从第 {epoch} 轮起是 {value}",
    "both {value} from step {step}": "从第 {step} 步起两边都是 {value}",
    "both {value}": "两边都是 {value}",
    "{count} numbers": "{count} 个数",
    "{since}: {words}": "{since}：{words}",
    "or MSELoss, L1Loss, SmoothL1Loss, BCEWithLogitsLoss": "或 MSELoss、L1Loss、SmoothL1Loss、BCEWithLogitsLoss",
    "or SGD, AdamW, RMSprop, Adagrad; arguments under torch's names": "或 SGD、AdamW、RMSprop、Adagrad；参数名与 torch 相同",
    "or float64": "或 float64",
    "the minimal gated unit; change it as you like": "最小门控单元，可以随意修改",
    "read as h_prev, set by its equation": "读作 h_prev，由它的公式给出",
    "a watch gives a number or a vector; this gives a matrix, {shape}": "监视式应给出一个数或一个向量；这里给出的是矩阵 {shape}",
    "by default": "默认",
    "option": "选项",
    "state": "状态",
    "locale: {name}={value}": "区域设置：{name}={value}",
    "there is no home folder to look in": "没有主目录可查",
    "{path} (not there)": "{path}（不存在）",
    "Print the settings of the screen in force, and where each is from.\nAn option beats the scenario's [display], that the file config.toml, and that the locale.": "显示屏幕当前生效的设置，以及每一项的来源。\n命令行选项优先于场景的 [display]，[display] 优先于 config.toml，config.toml 优先于区域设置。",
    "`rnnstep {word}` opens it.": "用 `rnnstep {word}` 打开它。",
    "Show the help of a command, or what a scenario is about.": "显示一个命令的帮助，或一个场景讲什么。",
}
