"""The Chinese of watches, and of the comments in the program that `rnnstep code` writes."""

from __future__ import annotations

TABLE = {
    "of each row, which the next batch goes on with": "每一行的长度，下一批接着走",
    "the state goes on to the next batch, the gradient does not go back": "状态接到下一批，梯度不往回传",
    "unknown name `{name}`; there are {known}": "未知名称 `{name}`；可用的有 {known}",
    "A program in PyTorch alone, written by rnnstep.": "由 rnnstep 写出的程序，只用 PyTorch。",
    "It gives the numbers of `rnnstep {command} {name}`.": "给出 `rnnstep {command} {name}` 的数值。",
    "The mistake that `rnnstep {command} {name}` tells of: torch stops at it.": "`rnnstep {command} {name}` 所说的错误：torch 会停在这里。",
    "each {axes}": "每一批 {axes}",
    "0 in a row that begins anew from zeros at a step": "某一步从零重新开始的行为 0",
    "a row that is over keeps its state": "已结束的行保持原来的状态",
    "one module a layer, so that dropout's masks can stand between them": "每层一个模块，中间才放得下 dropout 掩码",
    "one bias, as most books have it: the other one is zeros, and is not learnt": (
        "只有一个偏置，和多数教材一样：另一个为零，不参与学习"
    ),
    "filled up with 0": "用 0 补齐",
    "the rows that are kept apart come first in it": "排在最前面的行留作测试",
    "before training": "训练之前",
    "of the weights before the updates of this epoch": "用本轮更新之前的权重",
    "Cure: {code}": "改正：{code}",
    "Cure, in the scenario: {code}": "改正（在场景文件里）：{code}",
    "Mistake on purpose: the gradients are never cleared, so each is added to all before it.": (
        "有意犯的错误：从不清零梯度，每次的梯度都加在以前的上面。"
    ),
    "Mistake on purpose: CrossEntropyLoss takes the softmax itself, so it is taken twice.": (
        "有意犯的错误：CrossEntropyLoss 自己会做 softmax，这里就做了两次。"
    ),
    "Mistake on purpose: this stands inside the loop over the steps; torch raises at step 2.": (
        "有意犯的错误：下面几行放在了遍历时间步的循环里，到第 2 步 torch 就会报错。"
    ),
    "Cure: once, after the loop over the steps.": "改正：移到时间步的循环之后，只做一次。",
    "Mistake on purpose: the next epoch begins with the state at which this one ended.": (
        "有意犯的错误：下一轮从这一轮结束时的状态开始。"
    ),
    "Cure: without this line every epoch begins afresh.": "改正：删去这一行，每一轮就都从头开始。",
    "Mistake on purpose: {name} of the shape {wrong}; torch raises.": (
        "有意犯的错误：{name} 的形状是 {wrong}，torch 会报错。"
    ),
    "Cure: the shape {right}.": "改正：形状应为 {right}。",
    "dropout masks are drawn in the order of the file, {drawn}, and these layers are called as {called}; a program needs one order": (
        "dropout 的掩码按文件中的顺序抽取：{drawn}，而这些层是按 {called} 的顺序调用的；写成程序时，两个顺序必须相同"
    ),
    "{name} is called step by step: a program with dropout between its layers, or with layers of a cell of the file, cannot be written yet": (
        "{name} 是逐步调用的：层间有 dropout、或由文件中的单元叠成多层时，目前还不能写成程序"
    ),
    "a program of several batches has no place for lengths without packing, which attention reads": (
        "多个批的程序里放不下未打包的长度，而注意力要读它"
    ),
    "drawn as those of nn.Linear are": "抽取方式与 nn.Linear 的权重相同",
    "a program has no place for resets that are given for each of several batches": (
        "程序里写不下给每一批分别指定的重置"
    ),
    "a program has no place for masks that are given for each of several batches": (
        "几个批次各自给出 dropout 掩码时，程序里写不出来"
    ),
    "the program of a training has no place for first states that are given for each batch": (
        "每个批次各有自己的初始状态时，训练程序里写不出来"
    ),
    "a program goes back from a loss: gradients that are given have no place in it": (
        "程序从 loss 开始反向传播：给定的梯度在其中写不出来"
    ),
    "classes without letters that are fed first, another in each row": "第一步输入的类别没有字母，而各行又不相同",
}
