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
    "--beside: two runs are written as {formats}, not as {found}": (
        "--beside：两个运行只能写成 {formats}，不能写成 {found}"
    ),
    "{reason}; {other}": "{reason}；{other}",
    "{place}: {message}": "{place}：{message}",
    "epoch {number}": "第 {number} 轮",
    "edited": "修改后",
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
    "no number differs": "没有不同的数",
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
}
