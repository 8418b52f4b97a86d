"""The Chinese of two runs beside each other: what may stand there, and what is said of the two."""

from __future__ import annotations

TABLE = {
    # what stands after --beside
    "a second run beside it: a scenario, dtype=float64, weights=FILE, epoch=15, or cure": (
        "并排显示第二个运行：场景、dtype=float64、weights=FILE、epoch=15 或 cure（改正）"
    ),
    "--beside: found `{found}`, expected a scenario (a path or a bundled name), dtype=float64,"
    " weights=FILE, epoch=N, or cure": (
        "--beside：给的是 `{found}`，应为场景（路径或自带场景的名字）、dtype=float64、weights=FILE、epoch=N 或 cure"
    ),
    "--beside: `{found}`: did you mean `{guess}=…`?": "--beside：`{found}`：是不是想写 `{guess}=…`？",
    "--beside weights=FILE: a file's name is needed": "--beside weights=FILE：需要一个文件名",
    "--beside weights={file}: {reason}": "--beside weights={file}：{reason}",
    "--beside dtype={found}: expected one of {choices}": "--beside dtype={found}：应为 {choices} 之一",
    "--beside epoch={found}: expected a whole number from 1, such as 15": (
        "--beside epoch={found}：应为从 1 开始的整数，例如 15"
    ),
    "--beside epoch={epoch}: {name} is not trained, for it has no [training]": (
        "--beside epoch={epoch}：{name} 没有 [training]，不做训练"
    ),
    "--beside epoch={epoch}: {name} has epochs 1 to {most}": "--beside epoch={epoch}：{name} 有第 1 到 {most} 轮",
    "--beside cure: {name} has no mistake in it that has a cure": "--beside cure：{name} 中没有可改正的错误",
    "--beside cure: torch stops at the mistake of {name}, whose numbers are the cure's already": (
        "--beside cure：torch 在 {name} 的错误处就停下了，这里的数已经是改正后的"
    ),
    "--beside: two runs are written as {formats}, not as {found}": (
        "--beside：两个运行只能写成 {formats}，不能写成 {found}"
    ),
    "{reason}; {other}": "{reason}；{other}",
    "{place}: {message}": "{place}：{message}",
    "epoch {number}": "第 {number} 轮",
    "after": "修改后",
    # trace, grad and train
    "difference": "差",
    "difference: {first} minus {second}": "差：{first} 减 {second}",
    "results": "结果",
    "what reaches the states": "传到各状态的梯度",
    "{name} of row {row}": "{name}，第 {row} 行",
    "{name} alone has it": "只有 {name} 有",
    "{name} alone has {list}": "只有 {name} 有：{list}",
    "{name} has no such step; what {other} has:": "{name} 没有这一步；{other} 的数是：",
    "{name} has {count} steps more, which are not shown": "{name} 还多 {count} 步，这里没有显示",
    "{name} has {count} epochs more, which are not shown": "{name} 还多 {count} 轮，这里没有显示",
    "{name} has {count} epochs fewer": "{name} 少 {count} 轮",
    "none: {first} beside {second} numbers": "无：一边是 {first}，另一边是 {second}",
    "no number differs": "所有的数都相同",
    "they have nothing in common": "两者没有共同的量",
    "they first differ at {place}: {one} {first}, {other} {second}": (
        "最先不同的地方是 {place}：{one} 为 {first}，{other} 为 {second}"
    ),
    "largest differences: {list}": "最大的差：{list}",
    "other shapes, so no difference: {list}": "形状不同，所以没有差：{list}",
    "the losses are {reach} apart at most": "损失最多相差 {reach}",
    "autograd agrees": "与 autograd 一致",
    "autograd disagrees": "与 autograd 不一致",
    "torch agrees": "与 torch 一致",
    # under one cursor
    "{name} has no backward pass: it has no loss": "{name} 没有反向过程：它没有损失",
    "{name} has no update: it is not trained": "{name} 没有更新：它不做训练",
    "{name} has no epoch {epoch}: it has {most}": "{name} 没有第 {epoch} 轮：共 {most} 轮",
    "{name} is not trained up to epoch {epoch} yet: {done} are done": (
        "{name} 还没有训练到第 {epoch} 轮：已训练 {done} 轮"
    ),
    "{name} has no batch {batch}: it has {most}": "{name} 没有第 {batch} 批：共 {most} 批",
    "{name} has no row {row} of the batch: rows go from 0 to {most}": (
        "{name} 的批中没有第 {row} 行：行号从 0 到 {most}"
    ),
    "{name} has no step {step}: it has {most}": "{name} 没有第 {step} 步：共 {most} 步",
    "{name} has no {block}": "{name} 没有 {block}",
    "{name} has no {value}": "{name} 没有 {value}",
    "{name} has no {operation} in {place}": "{name} 在 {place} 中没有 {operation}",
    "{first} numbers beside {second}: nothing to subtract": "一边 {first} 个数，另一边 {second} 个：不能相减",
    "no loss": "没有损失",
    "largest difference {gap} at [{element}]": "最大的差 {gap}，在 [{element}]",
    "no difference": "没有差别",
    "every move moves both": "每次移动两边一起走",
    "both runs": "两个运行",
    "beside": "并排",
    "a second run beside this one: the one before an edit, the cure of a mistake, else you are asked; again takes it away": (
        "在旁边再放一个运行：修改前的、错误改正后的，否则询问；再按一次取消"
    ),
    "beside this run: a scenario (hello_lstm), dtype=float64, weights=FILE, epoch=15; Tab completes": (
        "放在旁边：场景（如 hello_lstm）、dtype=float64、weights=FILE、epoch=15；Tab 补全"
    ),
    "{first} | {second}: every move moves both; {key} takes it away": (
        "{first} | {second}：每次移动两边一起走；{key} 取消并排"
    ),
    "{name} is being read …": "正在读取 {name} …",
    "nothing stands beside any more": "已取消并排",
    "nothing stands beside any more: {reason}": "已取消并排：{reason}",
}
