"""The Chinese of what is said about equations."""

from __future__ import annotations

TABLE = {
    "at most {most} equations, found {found}": "最多 {most} 个公式，现有 {found} 个",
    "an equation is written NAME = EXPRESSION": "公式应写成“名称 = 表达式”",
    "not an expression: {found}": "不是表达式：{found}",
    "at most {most} characters in an equation, found {found}": "一个公式最多 {most} 个字符，现有 {found} 个",
    "at most {most} brackets inside one another": "括号最多嵌套 {most} 层",
    "at most {most} operators in an equation": "一个公式最多 {most} 个运算符",
    "compare two values at a time: `a < b and b < c`": "一次只能比较两个值：`a < b and b < c`",
    "not allowed in an equation: {found}": "公式中不允许：{found}",
    "a number too large: {found}": "数值过大：{found}",
    "unknown function `{found}`: did you mean `{near}`?": "未知函数 `{found}`：是不是想写 `{near}`？",
    "unknown function `{found}`; there are {known}": "未知函数 `{found}`；可用的有 {known}",
    "`{name}` takes one value, found {found}": "`{name}` 接受 1 个值，现有 {found} 个",
    "`{name}` takes {arity} values, found {found}": "`{name}` 接受 {arity} 个值，现有 {found} 个",
    "a part is written a[2:4], with whole numbers or {words}; found {found}": (
        "一段写作 a[2:4]，用整数或 {words}；现为 {found}"
    ),
    "`[{start}:{stop}]` needs a vector, found {found}": "`[{start}:{stop}]` 需要向量，实际为 {found}",
    "`[{start}:{stop}]` holds no element": "`[{start}:{stop}]` 中没有元素",
    "`[{start}:{stop}]` is no part of a vector of {size}": "`[{start}:{stop}]` 不是长度为 {size} 的向量的一段",
    "`cat` puts two vectors side by side, found {left} and {right}": "`cat` 把两个向量并排，实际为 {left} 和 {right}",
    "`@`: {left} and {right} do not fit": "`@`：{left} 与 {right} 不匹配",
    "`layer_norm` takes a vector, and a weight and a bias as long as it: found {vector}, {weight}, {bias}": (
        "`layer_norm` 接受一个向量，以及与它同样长的权重和偏置：实际为 {vector}、{weight}、{bias}"
    ),
    "`{word}` has no number here: write it, as in h[0:2]": "`{word}` 在这里没有数值：请写成数，例如 h[0:2]",
    "`{text}` is a vector of numbers, neither true nor false: write what is asked of it, as in"
    " max(abs({text})) > 0.9, any({text} > 0) or isnan({text})": (
        "`{text}` 是数的向量，没有真假：请写出要问什么，例如 max(abs({text})) > 0.9、any({text} > 0) 或 isnan({text})"
    ),
    "`{name}` is given and cannot be set": "`{name}` 是给定的，不能再赋值",
    "`{name}` is set twice": "`{name}` 被赋值两次",
    "`{name}` cannot be used as a name": "`{name}` 不能用作名称",
    "no equation sets the state `{name}`": "没有公式给出状态 `{name}`",
    "the state `{name}` has shape {expected}, its equation gives {found}": (
        "状态 `{name}` 的形状为 {expected}，而其公式给出 {found}"
    ),
    "`{name}` is read before its line: did you mean `{near}`?": (
        "`{name}` 在给出它的那一行之前就被读取：是不是想写 `{near}`？"
    ),
    "`{name}` is read before its line": "`{name}` 在给出它的那一行之前就被读取",
    "unknown name `{name}`: did you mean `{near}`?": "未知名称 `{name}`：是不是想写 `{near}`？",
    "unknown name `{name}`": "未知名称 `{name}`",
    "`[{index}]` needs a vector, found {found}": "`[{index}]` 需要向量，实际为 {found}",
    "`[{index}]` is outside a vector of {size}": "`[{index}]` 超出长度为 {size} 的向量",
    "`@` is matrix times vector: {left} times {right} does not fit": (
        "`@` 是矩阵乘向量：{left} 乘 {right} 形状不符"
    ),
    "`{name}` needs a vector, found {found}": "`{name}` 需要向量，实际为 {found}",
    "`{op}` is element by element: {left} and {right} do not fit": "`{op}` 逐元素运算：{left} 与 {right} 形状不符",
    "a matrix is made of parameters alone: `{name}` changes from step to step": (
        "矩阵只能由参数构成：`{name}` 随时间步变化"
    ),
}
