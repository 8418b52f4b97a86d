"""The Chinese of programs that are watched: the command, and what stops them."""

from __future__ import annotations

TABLE = {
    # ── the command ──
    "the program caught what stops it there, and went on to its end": "程序拦下了让它在那里停住的异常，一直运行到了结束",
    "Run a Python program as python does, and stop at the first number of a recurrent module that is not finite.\n"
    "An output, a state, a gradient or a parameter, or an exception from the call of one that nobody catches. The debugger"
    " opens where the number arises; without a terminal the last calls are saved. The exit status is 1 then; without a"
    " finding it is the program's own.": (
        "像 python 一样运行一个程序，循环模块一出现第一个非有限的数就停下。\n"
        "可以是输出、隐藏状态、梯度或参数，也可以是调用循环模块时没有被捕获的异常。调试器在这个数产生的地方打开；"
        "没有终端时保存最后几次调用。这时退出状态为 1；没有发现时，退出状态就是程序自己的。"
    ),
    "stop where a condition holds, too, such as norm(h) > 100": "条件成立时也停下，例如 norm(h) > 100",
    "save the last calls in this folder, and do not open the debugger": "把最后几次调用保存到这个文件夹，不打开调试器",
    "MODULE is missing behind -m": "-m 后面缺少 MODULE",
    "SCRIPT is missing: a Python file, or -m MODULE": "缺少 SCRIPT：一个 Python 文件，或 -m MODULE",
    "in {file}, line {line}: {code}": "在 {file} 第 {line} 行：{code}",
    "{option}: {reason}": "{option}：{reason}",
    # ── what is found ──
    "{place}: {condition}": "{place}：{condition}",
    "{place}: {value}; {operands} is given so": "{place}：{value}；{operands} 是这样给定的",
    "{place}: {value}, made of finite {operands}": "{place}：{value}，由有限的 {operands} 算出",
    "{place}: a number is not finite that the equations give a finite one for": (
        "{place}：有一个数不是有限的，而按公式算出来是有限的"
    ),
    "{name}[{index}] is {value} after this update ({optimizer}, lr = {lr}); before it was {before}, its gradient"
    " {gradient}": (
        "{name}[{index}] 在这次更新（{optimizer}，lr = {lr}）之后是 {value}；更新前是 {before}，梯度是 {gradient}"
    ),
    "{name}, {module}: this call raised {error}; it was given {shapes}": (
        "{name}，{module}：这次调用引发了 {error}；传入的是 {shapes}"
    ),
    "the last calls are in {folder}: `rnnstep {file}{at}` opens this one": (
        "最后几次调用保存在 {folder}：用 `rnnstep {file}{at}` 打开这一次"
    ),
    # ── from Python ──
    "nothing is recorded here: call rnnstep.watch() before, or use `with rnnstep.capture(model)`": (
        "这里没有记录任何调用：请先调用 rnnstep.watch()，或使用 `with rnnstep.capture(model)`"
    ),
    "no recurrent module has been called yet": "还没有调用过循环模块",
    "the debugger needs a terminal; {count} calls are recorded so far": "调试器需要终端；到目前为止记录了 {count} 次调用",
}
