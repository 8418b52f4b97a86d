"""The Chinese of marking: answers that are read, marks, and the command that prints them."""

from __future__ import annotations

TABLE = {
    # reading answers
    "`{name}` is what {module} gives, the last one": "`{name}`是最后一个模块 {module} 的输出",
    "there is no sequence `{name}`; known are {known}": "没有序列 `{name}`；有的是 {known}",
    "`{name}` is no value of {sequence}": "`{name}` 不是 {sequence} 的值",
    "there is no module `{name}`; known are {known}": "没有模块 `{name}`；有的是 {known}",
    "`{name}` is a value of {modules}: say of which, block = {first}": (
        "`{name}` 是 {modules} 都有的值：请说明是哪一个，block = {first}"
    ),
    "`{name}` is of one of {known}: say of which, as block": "`{name}` 属于 {known} 之一：请用 block 说明是哪一个",
    "`{name}`: found {found}, expected a whole number from {least} to {most}": (
        "`{name}`：写的是 {found}，应为 {least} 到 {most} 的整数"
    ),
    "`index` names one entry: found {count} numbers, expected one": (
        "`index` 指的是一个元素：写了 {count} 个数，应为一个"
    ),
    "`index`: found {found}, expected a whole number from 0, two of them for a matrix": (
        "`index`：写的是 {found}，应为从 0 数起的整数，矩阵写两个"
    ),
    "this line is no CSV: commas between short cells are expected": "这一行不是 CSV：应为逗号隔开的短单元格",
    "the answers up to here need more memory than is allowed": "到这里为止的答案需要的内存超过了允许的大小",
    "`direction`: found {found}, expected forward or backward": (
        "`direction`：写的是 {found}，应为 forward 或 backward"
    ),
    "the first line names the columns: `{name}` is missing": "第一行是列名：缺少 `{name}`",
    "there is no column `{name}`; known are {known}": "没有 `{name}` 这一列；可用的有 {known}",
    "too many answers": "答案太多",
    "more than {most} numbers and words: too many for answers": "数和词超过 {most} 个：作为答案太多了",
    "`value`: found {found}, expected numbers, ? for what is left blank": (
        "`value`：写的是 {found}，应为数，空着的写 ?"
    ),
    "the name of a value, such as h": "值的名称，例如 h",
    "`t` counts from 0 and `step` from 1: only one of them is to be given": (
        "`t` 从 0 数起，`step` 从 1 数起：只能写其中一个"
    ),
    "numbers, ? for what is left blank": "数，空着的写 ?",
    "whole numbers from 0, pairs of them for a matrix": "从 0 数起的整数，矩阵则写成对的整数",
    "there are no answers: expected a file, or NAME = NUMBERS such as h_1 = 0.54 ? 0.00 0.84": (
        "没有答案：应为一个文件，或者 名称 = 数，例如 h_1 = 0.54 ? 0.00 0.84"
    ),
    "answers are TOML (.toml), CSV (.csv) or lines such as h_1 = 0.54 ? 0.00 0.84 (.txt)": (
        "答案可以是 TOML（.toml）、CSV（.csv），或者 h_1 = 0.54 ? 0.00 0.84 这样的行（.txt）"
    ),
    "{path}: {kinds}": "{path}：{kinds}",
    "answers have at most {limit} MiB": "答案最多 {limit} MiB",
    "{path} is a folder: `rnnstep grade` marks every file of one": (
        "{path} 是文件夹：用 `rnnstep grade` 批改文件夹里的每个文件"
    ),
    "{found} cells under {known} columns: decimals are written with a point, 0.54, and a cell that holds commas"
    " stands in quotes": (
        "{known} 列下面有 {found} 个单元格：小数要用点来写，如 0.54；含逗号的单元格要加引号"
    ),
    "the column `{name}` stands here twice": "`{name}` 这一列出现了两次",
    "`{line}`: expected NAME = NUMBERS, such as h_1 = 0.54 ? 0.00 0.84": (
        "`{line}`：应写成 名称 = 数，例如 h_1 = 0.54 ? 0.00 0.84"
    ),
    "`{line}`: epochs count from 1": "`{line}`：轮次从 1 数起",
    "`{line}`: steps count from 1": "`{line}`：步数从 1 数起",
    "tables [[answer]]": "[[answer]] 表",
    "`{line}`: `{found}` is no number": "`{line}`：`{found}` 不是数",
    # what an answer is about
    "`{name}` has {expected} numbers, found {found}": "`{name}` 有 {expected} 个数，写了 {found} 个",
    "`{name}` has {expected} numbers: there is no entry {entry}": (
        "`{name}` 有 {expected} 个数：没有元素 {entry}"
    ),
    "`{name}` has {expected} numbers: an entry is not {entry}, but such as {example}": (
        "`{name}` 有 {expected} 个数：元素不写成 {entry}，而是例如 {example}"
    ),
    "`index` names {count} entries: found {found} numbers": "`index` 指的是 {count} 个元素：写了 {found} 个数",
    "`{name}` is given twice: in line {line} already": "`{name}` 写了两次：第 {line} 行已经写过",
    "`{name}` takes no `{key}`": "`{name}` 不用写 `{key}`",
    "`{name}` is of the final state alone: say no step, or {step}": (
        "`{name}` 只属于最终状态：不写时间步，或者写 {step}"
    ),
    "there is no value `{name}`; did you mean `{base}` with step = {step}?": (
        "没有名为 `{name}` 的值；是想写 `{base}` 和 step = {step} 吗？"
    ),
    "there is no value `{name}`; known are {known}": "没有名为 `{name}` 的值；可用的有 {known}",
    "`{name}` is of a step: say which, step = 1 or t = 0": (
        "`{name}` 属于某个时间步：请写明是哪一步，step = 1 或 t = 0"
    ),
    "there is no step {step}: there are {last}": "没有第 {step} 步：共 {last} 步",
    "there is no `{name}`: this module has one state": "没有 `{name}`：这个模块只有一个状态",
    "there is no loss: the scenario has no [target]": "没有损失：场景里没有 [target]",
    "there is no value `{name}`; did you mean `{guess}`?": "没有名为 `{name}` 的值；是想写 `{guess}` 吗？",
    "there is no {key} in this run": "这次运行里没有 {key}",
    "there is no parameter `{name}`; known are {known}": "没有名为 `{name}` 的参数；可用的有 {known}",
    "there is no sequence {row}: they are 0 to {last}": "没有序列 {row}：编号从 0 到 {last}",
    "there is no parameter `{name}`; did you mean `{guess}`?": (
        "没有名为 `{name}` 的参数；是想写 `{guess}` 吗？"
    ),
    "there is no epoch {epoch}: there are {most}": "没有第 {epoch} 轮：共 {most} 轮",
    "there are no updates: the scenario has no [training]": "没有参数更新：场景里没有 [training]",
    "no update changes {name}: the loss does not depend on it": "任何更新都不会改变 {name}：损失与它无关",
    "there is no line `{line}` in this optimizer; known are {known}": (
        "这个优化器里没有 `{line}` 这一行；可用的有 {known}"
    ),
    "there is no value `{name}`; known are grad.NAME, update.NAME, w.NAME and {optimizer}.LINE.NAME": (
        "没有名为 `{name}` 的值；可用的有 grad.NAME、update.NAME、w.NAME 和 {optimizer}.LINE.NAME"
    ),
    # what went wrong
    "the state before this step is zero, so that what is done with it does not show": (
        "这一步之前的状态是 0，对它做了什么看不出来"
    ),
    "the biases are zero, so that leaving them out does not show": "偏置都是 0，漏掉它们也看不出来",
    "a matrix of weights is symmetric, so that its transpose does not show": (
        "有一个权重矩阵是对称的，转置与否看不出来"
    ),
    # the command
    "Mark a manual calculation: what is right, and where it went wrong.\n"
    "ANSWERS is a file (.toml, .csv, .txt), or stands here: 'h_1 = 0.54 ? 0.00 0.84' (? is left blank); - reads"
    " lines or TOML from standard input. The exit status is 1 where an answer is wrong.": (
        "批改手算结果：哪些对，错在哪里。\n"
        "ANSWERS 是一个文件（.toml、.csv、.txt），也可以直接写在这里：'h_1 = 0.54 ? 0.00 0.84'（? 表示空着）；"
        "写 - 则从标准输入读取这样的行或者 TOML。"
        "有答案错误时退出状态为 1。"
    ),
    "`{text}`: one file of answers, or NAME = NUMBERS": "`{text}`：应为一个答案文件，或 名称 = 数",
    "how many decimals the writer rounds to, where the answers do not say": "答案里没有写明时，作答者保留几位小数",
    "say a hint in the place of the right numbers": "只给提示，不显示正确的数",
    ", ": "，",
    "perhaps {names}": "可能是{names}",
    "{names} ({ids})": "{names}（{ids}）",
    "so few decimals tell nothing: anything from {low} to {high} would be right": (
        "小数位数太少，看不出对错：从 {low} 到 {high} 都算对"
    ),
    "not looked into: so many answers before it are wrong": "前面错的答案太多，这一个没有再查原因",
    "right with fewer decimals: if you rounded to {count}, say decimals = {count}": (
        "少保留几位小数就是对的：如果你只保留了 {count} 位，请写明 decimals = {count}"
    ),
    "the rest of {name}": "{name} 的其余各项",
    "work out {name} next: it tells them apart": "接下来算 {name}：它能把这几种错误区分开",
    "work out {name} next: it tells some of them apart": "接下来算 {name}：它能区分开其中几种错误",
    "two mistakes at once: {names}": "同时有两个错误：{names}",
    "mistake: {names}": "错误：{names}",
    "may be: {names}; right numbers of the same step speak against it": (
        "也许是：{names}；但同一步里算对的数与此不符"
    ),
    "possible: {names}; 1 in {count} random answers would fit as well": (
        "可能：{names}；随便写的答案，{count} 个里也会有 1 个碰巧符合"
    ),
    "these numbers are too few or too coarse to tell what was done": "这几个数太少或太粗，看不出是怎么算错的",
    "write more decimals, or more numbers": "多写几位小数，或者多写几个数",
    "work out {name} next, or write more decimals": "接下来算 {name}，或者多写几位小数",
    "{right} of {count} right": "{count} 个答案，对了 {right} 个",
    "{where}{found} is wrong: the run has {expected}": "{where}{found} 不对：程序算得 {expected}",
    "{where}{found} is wrong: honest rounding gives {low} to {high}; the run has {expected}": (
        "{where}{found} 不对：按规则舍入，应在 {low} 到 {high} 之间；程序算得 {expected}"
    ),
    "{where}{found} is wrong: your own numbers give {low}; the run has {expected}": (
        "{where}{found} 不对：由你自己的数应得 {low}；程序算得 {expected}"
    ),
    "{where}{found} is wrong: honest rounding gives {low} to {high} from your own numbers; the run has"
    " {expected}": (
        "{where}{found} 不对：由你自己的数按规则舍入，应在 {low} 到 {high} 之间；程序算得 {expected}"
    ),
    "and {count} more": "另有 {count} 处",
    "no common mistake gives these numbers: look for a slip in the arithmetic": (
        "没有哪种常见错误会得到这些数：请检查计算中的笔误"
    ),
    "these give the same numbers here: {why}": "这几种错误在这里得到的数相同：{why}",
    "these give the same numbers here": "这几种错误在这里得到的数相同",
    "{where}{found} is wrong": "{where}{found} 不对",
    "left blank": "空着",
    "right, from your own earlier numbers": "由你自己前面的数推出，做对了",
    "hint: {hint}": "提示：{hint}",
    # on the screen
    "a file of answers is expected, or NAME = NUMBERS": "请输入答案文件，或 名称 = 数",
    "go into an operation (↓) and say its value there": "请先进入一个运算（↓），再说出它的值",
    "a number is expected, such as 0.54; of a vector all, ? for what is left blank": (
        "请输入数，例如 0.54；向量要写全部的数，空着的写 ?"
    ),
    "one number is expected here, or all of `{name}`": "这里应输入一个数，或 `{name}` 的全部数",
    "`{found}` is no number": "`{found}` 不是数",
    "{right} of {count} right; this is the first wrong one: {label}": (
        "{count} 个答案，对了 {right} 个；这是第一个错的：{label}"
    ),
    "your answers are taken away": "已去掉你的答案",
    "nothing is hidden; p hides what comes next": "没有隐藏的值；按 p 隐藏后面的值",
    "your answers: a file, or h_1 = 0.54 ? 0.00 0.84 | h_2 = …; an empty line takes them away": (
        "你的答案：一个文件，或 h_1 = 0.54 ? 0.00 0.84 | h_2 = …；空行则去掉答案"
    ),
    "what is it? One number at an element, else all of them; ? for what is left blank": (
        "它是多少？在元素处输入一个数，否则输入全部的数；空着的写 ?"
    ),
    "not right at {where}; Enter again says a hint, Esc and . show it": (
        "{where} 不对；再按回车给出提示，按 Esc 和 . 显示答案"
    ),
    "{found} numbers: expected {count}, all of `{name}`": "输入了 {found} 个数：应为 {count} 个，即 `{name}` 的全部",
    "perhaps: {mistake}": "可能是：{mistake}",
    "possible, 1 in {count} by chance: {mistake}": "可能（{count} 次里有 1 次是碰巧）：{mistake}",
    "not right, and too few or too coarse to tell why: say more decimals, or all of its numbers": (
        "不对；数太少或太粗，看不出原因：多写几位小数，或者把各项都写上"
    ),
    "not right; Enter again says a hint, Esc and . show it": "不对；再按回车给出提示，按 Esc 和 . 显示答案",
    "not right, and no common mistake gives it: look for a slip in the arithmetic": (
        "不对，也没有哪种常见错误会得到它：请检查计算中的笔误"
    ),
    "{given} is right": "{given} 对了",
    "answers": "答案",
    "put your own answers beside the run, from a file or typed, and go to the first wrong one": (
        "把你自己的答案放到旁边（从文件读取或直接输入），并跳到第一个错的"
    ),
    "answer": "作答",
    "say what the hidden value is: it is marked; a digit does so too": (
        "说出隐藏的值，程序会批改；直接按数字也可以"
    ),
    "yours": "你的",
    "no common mistake gives these numbers": "没有哪种常见错误会得到这些数",
    "windows of a series cannot be written out: use a scenario with [input] values": (
        "序列切成的窗口无法逐个写出：请用带 [input] values 的场景"
    ),
    # a class
    "Mark a class's files of answers: a row a file.\n"
    "Files (.toml, .csv, .txt) stand in FOLDER or in folders in it. Each row says the score, the first wrong"
    " answer and the mistake; the class's most common mistakes stand at the end. A file that cannot be read is a"
    " row with its error.": (
        "批改全班的答案文件：每个文件一行。\n"
        "文件（.toml、.csv、.txt）放在 FOLDER 里，或者放在其中的文件夹里。每行给出得分、第一个错的答案和错误；"
        "最后列出全班最常见的错误。读不了的文件也占一行，写明原因。"
    ),
    "there are no files of answers (.toml, .csv, .txt) in {path}": "{path} 里没有答案文件（.toml、.csv、.txt）",
    "there is no file of answers (.toml, .csv, .txt) in it": "里面没有答案文件（.toml、.csv、.txt）",
    "files of other kinds that stand beside answers, left out: {count}": "答案旁边其他类型的文件，未计入：{count} 个",
    "a link that leads nowhere": "链接没有指向任何文件",
    "a link that leads outside of the folder: --allow-outside follows it": (
        "链接指向文件夹之外：加 --allow-outside 才会跟随"
    ),
    "a link to a folder: it is not followed": "指向文件夹的链接：不跟随",
    "no plain file: a folder, a pipe or a device": "不是普通文件，而是文件夹、管道或设备",
    "cannot be read: {reason}": "无法读取：{reason}",
    "it could not be marked: {error}": "无法批改：{error}",
    "marking it ended the process: too little memory?": "批改它时进程中断：是内存不够吗？",
    "{line}:{column}: {message} (and {count} more)": "{line}:{column}：{message}（另有 {count} 处）",
    "{line}:{column}: {message}": "{line}:{column}：{message}",
    "{marked} of {files} files marked: {right} of {count} answers right": (
        "{files} 个文件批改了 {marked} 个：{count} 个答案，对了 {right} 个"
    ),
    "the first mistakes, the most common first:": "各人第一个错误，最常见的在前：",
    # what does not score, and what is not marked
    "right, from your own earlier numbers; no score: {names} is one number throughout, or a copy of another value": (
        "由你自己前面的数推出，做对了；但不得分：{names} 全是同一个数，或者照抄了别的值"
    ),
    "here": "这里",
    "at [{index}]": "[{index}] 处",
    "not marked: the run has {value} {where}, which confirms nothing": "不批改：{where}的运行结果是 {value}，对不对都无从确认",
    "not marked: the run has {value} {where}, and is not finite from {place} on: {why}": (
        "不批改：{where}的运行结果是 {value}，从 {place} 起就不是有限的数：{why}"
    ),
    'a mean over nothing has no value: at some step no target counts (over_time = "together" takes one mean)': (
        '对空集求平均没有值：有一步没有计入损失的目标（over_time = "together" 只求一次平均）'
    ),
    "a mean over nothing has no value: no target counts": "对空集求平均没有值：没有计入损失的目标",
    "{name} has {value}, as it was given": "给定的 {name} 里有 {value}",
    "its own operands are finite: it overflows, or has no value there": "它的操作数都是有限的：结果溢出，或者在那里没有值",
    "nothing goes back to {name}": "没有梯度传到 {name}",
}
