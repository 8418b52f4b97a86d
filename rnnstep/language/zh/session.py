"""The Chinese of what moves, places, breakpoints and edits answer, and of saving what was edited."""

from __future__ import annotations

TABLE = {
    # moving
    "this is the end; Home starts over": "已到末尾；按 Home 从头开始",
    "this is the start": "已在开头",
    "nothing is computed yet: → makes the first step": "还没有开始计算：按 → 走第一步",
    "there is nothing deeper here": "这里没有更深的层级了",
    "this is the outermost view": "已是最外层",
    "no later step here": "后面没有时间步了",
    "no earlier step here": "前面没有时间步了",
    "no later epoch": "后面没有别的轮了",
    "no earlier epoch": "前面没有别的轮了",
    "epoch {epoch} is not reached yet: {done} of {count} are trained": (
        "还没有训练到第 {epoch} 轮：共 {count} 轮，已训练 {done} 轮"
    ),
    "no other row of the batch that way": "批中那个方向没有别的行了",
    "no move to undo": "没有可撤销的移动",
    # places
    "`{text}` is not a place; one is written 3/L0/hh[1]": "`{text}` 不是位置；位置应写成 3/L0/hh[1]",
    "no place `{text}`: there is {known}": "没有 `{text}` 这个位置：有的是 {known}",
    "no element {element} in `{text}`: elements go from {first} to {last}": (
        "`{text}` 中的元素 {element} 不存在：元素从 {first} 到 {last}"
    ),
    "no term {term} in `{text}`: terms go from 0 to {most}": "`{text}` 中的第 {term} 项不存在：各项从 0 到 {most}",
    "no step {step} in `{text}`: steps of `{key}`: {known}": (
        "`{text}` 中的第 {step} 步不存在：`{key}` 的时间步是 {known}"
    ),
    "no place `{text}`: did you mean `{near}`?": "没有 `{text}` 这个位置：是不是想写 `{near}`？",
    "no batch {batch} in `{text}`: there are {most}": "`{text}` 中的批 {batch} 不存在：共有 {most} 批",
    "no step {step} in `{text}`: steps go from 1 to {most}": "`{text}` 中的第 {step} 步不存在：时间步从 1 到 {most}",
    "no epoch {epoch} in `{text}`: there are {most}": "`{text}` 中的第 {epoch} 轮不存在：共有 {most} 轮",
    "no pass `{typed}` in `{text}`: did you mean `{near}`?": (
        "`{text}` 中没有 `{typed}` 这一趟：是不是想写 `{near}`？"
    ),
    "no pass `{typed}` in `{text}`: there is {known}": "`{text}` 中没有 `{typed}` 这一趟：只有 {known}",
    "no row {row} in `{text}`: rows go from 0 to {most}": "`{text}` 中的第 {row} 行不存在：行号从 0 到 {most}",
    # breakpoints and predicting
    "no breakpoint ahead: this is the end": "前面没有断点了：已到末尾",
    "no breakpoint set; b sets one": "还没有断点；按 b 设置",
    "no condition holds up to here; c looks further": "到这里为止没有条件成立；再按 c 继续往后找",
    "breakpoint set: {what}": "已设置断点：{what}",
    "breakpoint removed: {what}": "已取消断点：{what}",
    "c stops where {what}; B with the same or nothing removes it": (
        "按 c 会停在 {what} 成立处；在 B 中输入同样的条件或空行就去掉它"
    ),
    "all conditions removed": "已去掉全部条件",
    "there is no condition to remove": "没有可去掉的条件",
    "nothing is watched; w watches an expression": "没有监视任何表达式；按 w 监视一个",
    "nothing is hidden": "没有盖住的数",
    "go to a step or an operation to set a breakpoint": "请先移动到某个时间步或运算，再设置断点",
    "predict: what comes next is hidden until . or = reveals it": "先猜后看：接下来的数先盖住，按 . 或 = 揭晓",
    "predict is off": "已关闭先猜后看",
    # editing
    "an edit is written W_hh[0,2] = 0.5; found `{text}`": "修改应写成 W_hh[0,2] = 0.5；现在是 `{text}`",
    "`{text}` is outside {name}, which is {shape}": "`{text}` 超出 {name} 的范围，它的形状是 {shape}",
    "`{name}` is computed here and cannot be edited; edit what it is made of": (
        "`{name}` 在这里是算出来的，不能直接修改；请修改它的来源"
    ),
    "{what} is what training has made of it; edit it where that begins, at {place}": (
        "{what} 在这里已是训练的结果；请到训练开始处修改：{place}"
    ),
    "`{name}` cannot be given here: the batches have different numbers of rows": (
        "这里不能给定 `{name}`：各批的行数不同"
    ),
    "not a number: `{text}`": "不是数：`{text}`",
    "{text} is too large for {dtype}, whose largest number is {largest:.2e}; inf may be typed": (
        "{text} 超出 {dtype} 的范围，它最大的数是 {largest:.2e}；可以输入 inf"
    ),
    "go to an element or a term first (↓)": "请先移动到某个元素或项（↓）",
    "{change}; {reason}": "{change}；{reason}",
    "{what}: {old} → {new}": "{what}：{old} → {new}",
    "{what} is that already": "{what} 已经是这个值",
    "no edit to undo": "没有可撤销的修改",
    "no edit to redo": "没有可重做的修改",
    # saving
    "a seed draws no weights of a scenario made in memory: it gives them as arrays": (
        "在内存中建立的场景以数组给出权重，种子不会重新抽取它们"
    ),
    "`epochs` is a whole number ≥ 1, `lr` a number ≥ 0": "`epochs` 是 ≥ 1 的整数，`lr` 是 ≥ 0 的数",
    "the debugger needs a terminal; trace() gives the numbers without one": "调试器需要终端；没有终端时用 trace() 得到这些数",
    "{name}: found {found}, expected {expected}": "{name}：实际为 {found}，应为 {expected}",
    "a scenario file cannot say this: {reason}": "场景文件无法表达这一点：{reason}",
    "{what} would be read as another one": "{what} 读回来会不同",
    "several batches of other than equal lengths, which are not labelled texts": "有几个长度不等的批次，而它们不是带标签的文本",
    "a gradient is given at a value that a block computes; found {place}": "梯度只能给在某个块算出的值上；给的是 {place}",
    "{place} is made of parameters alone: no gradient is given there": "{place} 只由参数算出：不能在那里给梯度",
    "rows that begin anew from zeros within a run": "中途从零重新开始的行",
    "dropout masks that are given, and not drawn from a seed": "dropout 掩码是直接给出的，而不是由种子生成的",
    "first states that are given for each batch": "每个批次各有自己的初始状态",
    "several batches of indices that are not labelled texts": "有几个由下标组成的批次，而它们不是带标签的文本",
    "a class without a letter among classes with letters": "有的类别有对应的字母，有的没有",
    "weights that torch has still to read from their file": "还要由 torch 从文件中读取的权重",
    "the file would have more than {limit} MiB, too large for a scenario": "文件将超过 {limit} MiB，作为场景太大了",
    "the gradients that were recorded are not in it: a scenario file goes back from a loss": (
        "里面没有记录下来的梯度：场景文件从损失开始反向传播"
    ),
    "an edited x of [data] cannot be saved: edit the rows of its file": (
        "[data] 中修改过的 x 无法保存：请直接修改数据文件中的行"
    ),
    "the scenario reads {file} beside it, and nothing outside its own folder: save it in {folder}": (
        "场景要读取旁边的 {file}，而自身文件夹之外的文件一律不读：请保存到 {folder}"
    ),
    "{path} is there already: {advice}": "{path} 已存在：{advice}",
    "choose another name": "请换一个文件名",
    "no sequence `{typed}` in `{text}`: there is {known}": "`{text}` 中没有 `{typed}` 这个序列：有 {known}",
    # running
    "parameters that only torch can give are missing: {names}": "缺少只有 torch 才能给出的参数：{names}",
    "there are edits: undo them (u) or save them first": "有未保存的修改：先撤销（u）或保存",
    "torch stops at this mistake (see i): the numbers here are the cure's": (
        "torch 遇到这个错误就停下（按 i 看原话）：这里的数值是改正后的"
    ),
    "with the mistake again": "又回到有错误的程序",
    "this scenario has no mistake in it that has a cure": "这个场景里没有可以改正的错误",
    "with the cure; m goes back to the mistake": "这是改正之后的；按 m 回到有错误的程序",
    # ── findings ──
    "{operand} is given so, not computed: there is nothing to follow": "{operand} 是给定的，不是算出来的，无从追溯",
    "{place} is {value}: at a step nothing counts, and the mean of nothing has no value;"
    ' over_time = "together" takes one mean over all steps': "{place} 为 {value}：某一步没有任何项计入，"
    '空集的平均没有值；over_time = "together" 则对所有步一起求一次平均',
    "{place} is {value}: nothing counts, and the mean of nothing has no value": "{place} 为 {value}：没有任何项计入，空集的平均没有值",
    "{place} is the first {value}: {operands} is given so": "{place} 是第一个 {value}：{operands} 就是这样给定的",
    "{place} is the first {value}, made of finite {operands}": "{place} 是第一个 {value}，由有限的 {operands} 算出",
    "every number of this run is finite": "这次运行的所有数都是有限的",
    "every number is finite up to epoch {epoch} of {count}; ! looks further": "到第 {epoch}/{count} 轮为止所有数都是有限的；按 ! 继续查找",
    "every number is finite as far as was looked; ! looks further": "到目前查过的地方为止所有数都是有限的；按 ! 继续查找",
    "what was recorded beside a run": "对照用的、记录下来的结果",
    "gradients that are given, and not those of a loss": "梯度是直接给定的，而不是由 loss 得到的",
}
