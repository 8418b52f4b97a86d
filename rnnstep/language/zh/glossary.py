"""The Chinese of the help: what is under the cursor, and the signs and words on the screen."""

from __future__ import annotations

TABLE = {
    "find": "查找",
    "Signs and words": "符号与词",
    # ── under the cursor ──
    "Under the cursor: {place}": "光标处：{place}",
    "The start: x_t, the weights and h_0 are there, nothing is computed yet. → computes the first place.": (
        "起点：x_t、权重和 h_0 都在，什么都还没有算。→ 算出第一处。"
    ),
    "An epoch: every batch once, forward, backward and update; one turn of torch's training loop.": (
        "一轮：每个批各走一遍前向、反向和更新；就是 torch 训练循环的一圈。"
    ),
    "A batch: the sequences that go through the network at once, as one row of torch's DataLoader.": (
        "一批：同时通过网络的若干序列，相当于 torch 的 DataLoader 一次给出的数据。"
    ),
    "A pass over a batch: forward computes the values, backward the gradients (loss.backward()), update the new"
    " weights (optimizer.step()).": (
        "一批里的一趟：前向算出各个值，反向算出梯度（loss.backward()），更新算出新的权重（optimizer.step()）。"
    ),
    "A sequence: steps of its own, walked to their end before the next sequence begins; an encoder walks the source,"
    " a decoder the target.": (
        "一个序列：有自己的时间步，走完之后才开始下一个序列；编码器走源序列，解码器走目标序列。"
    ),
    "A step: one x_t goes up through all blocks, and with h_(t−1) gives h_t; torch's nn.RNN walks the steps by"
    " itself, an nn.RNNCell one a call.": (
        "一步：一个 x_t 自下而上经过各计算块，与 h_(t−1) 一起得到 h_t；torch 的 nn.RNN 自己走完各步，"
        "nn.RNNCell 每调用一次走一步。"
    ),
    "A block: a part of the network at one step. Its equations stand in the listing; ↓ goes into them.": (
        "计算块：网络的一部分在某一步的计算。它的公式列在右边；按 ↓ 进入。"
    ),
    "An operation: one equation of its block, and all the numbers that it gives. ↓ goes to the first of them.": (
        "运算：计算块里的一个公式，以及它给出的所有数。按 ↓ 到其中第一个。"
    ),
    "An element: one number of an operation, written out with the numbers that it is made of.": (
        "元素：运算给出的一个数，连同组成它的那些数一起写出来。"
    ),
    "A term: one product of the sum; Enter goes to where its factor was computed, e changes its weight.": (
        "项：求和中的一个乘积；回车到它的因子算出来的地方，e 修改它的权重。"
    ),
    "torch computes {name} inside the module and does not give it out.": "torch 在模块内部计算 {name}，并不返回它。",
    "torch keeps {name} here: {place}.": "torch 把 {name} 存在这里：{place}。",
    "{key} is the cell {name} of the scenario; its parameters are {kept}.": (
        "{key} 是场景里的单元 {name}；它的参数是 {kept}。"
    ),
    "{key} is torch.nn.{module}, called once a step; torch calls its parameters {kept}.": (
        "{key} 是 torch.nn.{module}，每一步调用一次；它的参数在 torch 里叫 {kept}。"
    ),
    "{key} is layer {layer} of torch.nn.{module}, {way}; torch calls its parameters {kept}.": (
        "{key} 是 torch.nn.{module} 的第 {layer} 层，{way}；它的参数在 torch 里叫 {kept}。"
    ),
    "from the last step to the first": "从最后一步走到第一步",
    "from the first step to the last": "从第一步走到最后一步",
    "{key} is torch.nn.Embedding: a row of its table for each index.": (
        "{key} 是 torch.nn.Embedding：每个索引取表中的一行。"
    ),
    "what the layer gives, and what is added to it": "该层给出的值，加上要加的值",
    "{key} adds what several layers give, element by element.": "{key} 把几层给出的值逐元素相加。",
    "{key} is torch.nn.Dropout between two layers.": "{key} 是两层之间的 torch.nn.Dropout。",
    "{key} is torch.nn.Dropout, of each number alone.": "{key} 是 torch.nn.Dropout，逐个元素作用。",
    "{key} is torch.nn.Linear: weight @ what it reads, plus bias.": "{key} 是 torch.nn.Linear：weight @ 输入，再加 bias。",
    "{key} puts both directions side by side, as torch's output has them.": (
        "{key} 把两个方向并排放在一起，与 torch 的 output 相同。"
    ),
    "{key} is torch.nn.Conv1d over time: at each step a window of {count} steps, outside of which other steps stand in ({mode}).": (
        "{key} 是沿时间的 torch.nn.Conv1d：每一步读 {count} 个时间步的窗口，序列之外由别的时间步代替（{mode}）。"
    ),
    "{key} is torch.nn.{module} over time, of each feature alone: at each step a window of {count} steps.": (
        "{key} 是沿时间的 torch.nn.{module}，每个特征分开：每一步读 {count} 个时间步的窗口。"
    ),
    "{key} is torch.nn.{module}, of each number alone.": "{key} 是 torch.nn.{module}，分别作用于每个数。",
    "{key} is torch.nn.{module} over the numbers of a step.": "{key} 是 torch.nn.{module}，作用于一步的所有数。",
    "{key} is torch.nn.Conv1d over time: at each step a window of {count} steps, with zeros outside.": (
        "{key} 是沿时间的 torch.nn.Conv1d：每一步读 {count} 个时间步的窗口，序列之外为零。"
    ),
    "{key} is what {module} reads, at every step.": "{key} 是 {module} 所读的数，每一步都有。",
    "{key} is torch.nn.BatchNorm1d with the statistics of the batch.": "{key} 是 torch.nn.BatchNorm1d，用的是这一批的统计量。",
    "{key} is what torch.nn.BatchNorm1d takes over all steps and rows of the batch in training mode.": (
        "{key} 是 torch.nn.BatchNorm1d 在训练模式下对这一批的全部时间步和全部行求的量。"
    ),
    "the mean over all steps and rows": "对全部时间步和全部行求均值",
    "the mean square of what is off that mean: over n, not n − 1": "与均值之差的平方的均值：除以 n，不是 n − 1",
    "less the batch's mean, over its spread": "减去这一批的均值，再除以它的离散程度",
    "each element times its weight, plus its bias": "每个元素乘以自己的权重，再加上偏置",
    "{key} is torch.nn.BatchNorm1d with the statistics that training left.": (
        "{key} 是 torch.nn.BatchNorm1d，用的是训练留下的统计量。"
    ),
    "{key} is attention: the query of a step beside every step of the memory.": "{key} 是注意力：一步的查询与记忆的每一步逐一比较。",
    "{key} is torch.nn.LayerNorm: the numbers of a step, normalized.": "{key} 是 torch.nn.LayerNorm：把一步的各个数归一化。",
    "{key} is torch.nn.Linear: from a state to a score for each class.": (
        "{key} 是 torch.nn.Linear：由状态得到每个类别的得分。"
    ),
    "{key} is torch.nn.{name} of this step.": "{key} 是这一步的 torch.nn.{name}。",
    "{key} brings the losses of all steps together: the number that is made small.": (
        "{key} 把各步的损失合在一起：训练就是要让这个数变小。"
    ),
    "{key} is torch.nn.utils.clip_grad_norm_.": "{key} 是 torch.nn.utils.clip_grad_norm_。",
    "Here torch.optim.{name} gives {key} its new value.": "这里由 torch.optim.{name} 给 {key} 新的值。",
    # ── places ──
    "a place: step 3 (from 1), layer 0, operation hh, element 1 (from 0)": (
        "一处位置：第 3 步（从 1 数）、第 0 层、运算 hh、第 1 个元素（从 0 数）"
    ),
    "a layer of the recurrent module, from 0 as in torch's weight_ih_l0": (
        "循环模块的一层，从 0 数，与 torch 的 weight_ih_l0 一致"
    ),
    "its two directions; ← begins at the last step, torch's _reverse": "它的两个方向；← 从最后一步开始，即 torch 的 _reverse",
    "both directions of layer 0 side by side: torch.cat, as in output": "第 0 层的两个方向并排：torch.cat，与 output 相同",
    "torch.nn.Dropout above layer 0": "第 0 层之上的 torch.nn.Dropout",
    "torch.nn.Embedding: a vector for each index": "torch.nn.Embedding：每个索引对应一个向量",
    "torch.nn.Linear above the recurrent module; it gives the logits": "循环模块之上的 torch.nn.Linear，给出 logits",
    "the loss of a step, and what all of them come to together": "一步的损失，以及各步合起来的损失",
    "epoch 7, batch 2 (from 1); backward: and update: are the other passes": (
        "第 7 轮、第 2 批（从 1 数）；backward: 和 update: 是另外两趟"
    ),
    "row 5 of the batch (from 0)": "批中第 5 行（从 0 数）",
    # ── values ──
    "the input of step t; one-hot: 1 at the letter's place, 0 elsewhere": "第 t 步的输入；独热向量：字母所在的位置是 1，其余是 0",
    "the hidden state: what the network remembers, and its output at each step": "隐藏状态：网络记住的东西，也是每一步的输出",
    "of a recorded loop: 0 where a row begins anew from zeros; keep times h_prev": "记录下来的循环里：某一行从零重新开始时 keep 为 0；keep 乘以 h_prev",
    "h of the step before; at step 1 it is h_0": "上一步的 h；在第 1 步是 h_0",
    "the cell state of an LSTM, at this step and the one before": "LSTM 的细胞状态，这一步的和上一步的",
    "the states before the first step; torch's argument hx holds them": "第一步之前的状态；torch 的参数 hx 就是它们",
    "the states after the last step, of every layer and direction": "最后一步之后的状态，每层、每个方向都有",
    "h of the top layer at every step": "最上面一层在每一步的 h",
    "weight and bias for the input; in a gated cell one for each gate: W_ii, b_if …": (
        "输入的权重和偏置；有门的单元里每个门各一个：W_ii、b_if 等"
    ),
    "weight and bias for h_prev; in a gated cell W_hi, b_hf …": "h_prev 的权重和偏置；有门的单元里是 W_hi、b_hf 等",
    "W_ih · x_t + b_ih: what the input brings": "W_ih · x_t + b_ih：输入带来的",
    "W_hh · h_prev + b_hh: what the memory brings": "W_hh · h_prev + b_hh：记忆带来的",
    "the sum of both, before tanh or σ: the pre-activation": "两者之和，还没有经过 tanh 或 σ：激活前的值",
    "the gates of an LSTM: input, forget, candidate (torch: cell), output": (
        "LSTM 的门：输入门、遗忘门、候选值（torch 称 cell）、输出门"
    ),
    "the gates of a GRU: reset, update, candidate (torch: new)": "GRU 的门：重置门、更新门、候选值（torch 称 new）",
    "a score for each class, before softmax": "每个类别的得分，还没有做 softmax",
    "the softmax, its logarithm, and −ln of the right answer's p": "softmax、它的对数，以及正确答案的 p 的 −ln",
    "an optimizer's running means of the gradient and of its square, and both corrected": (
        "优化器对梯度和梯度平方的滑动平均，以及两者修正后的值"
    ),
    "with _t: the share that step t has in a gradient; the steps' sum is the gradient": (
        "带 _t：第 t 步在梯度里占的一份；各步相加就是梯度"
    ),
    # ── signs of formulas ──
    "between numbers a product, between a matrix and a vector W·x; alone: not computed yet": (
        "两个数之间是乘积，矩阵与向量之间是 W·x；单独出现：还没有算"
    ),
    "element by element: each number times the one at the same place": "逐元素相乘：每个数乘以同一位置的数",
    "times; in 4×3: four rows and three columns": "乘；4×3 表示四行三列",
    "a sum over all": "全部相加",
    "the sigmoid, 1 / (1 + e^−a): between 0 and 1": "sigmoid 函数 1 / (1 + e^−a)：在 0 和 1 之间",
    "∂h is the gradient of the loss: how much it grows where h grows a little; torch's .grad": (
        "∂h 是损失的梯度：h 增大一点，损失增大多少；即 torch 的 .grad"
    ),
    "transposed: rows and columns exchanged": "转置：行与列互换",
    "the norm, the length of a vector: the root of the sum of squares": "范数，即向量的长度：平方和的平方根",
    "minus": "减号，负号",
    "= : the numbers as shown give the result as shown, for which a line may show a digit or two more than"
    " elsewhere; ≈ (about equal): only with the digits not shown (D shows more)": (
        "=：用显示出来的数算，正好得到显示的结果，为此算式里可能多写一两位；≈（约等于）：要加上没有显示的位数才得到（按 D 多显示一位）"
    ),
    "one vector below another, as in [h_prev; x]": "两个向量上下相接，如 [h_prev; x]",
    "more, for which there is no room here": "还有，这里放不下",
    # ── torch beside ──
    "torch computes the same, within what rounding allows; or something else": (
        "torch 算得相同（在舍入允许的范围内）；或者不同"
    ),
    "torch.nn does not give this number out: the same equation in torch's operations does": (
        "自检：torch.nn 不返回这个数，用 torch 的运算按同样的公式算出来核对"
    ),
    "ours minus torch's; of two runs the upper one minus the lower one": (
        "本程序的数减去 torch 的数；并排两个运行时，上面的减去下面的"
    ),
    "before a difference of two runs: how large it is beside the largest number of both": (
        "在两个运行的差前面：它与两边最大的数相比有多大"
    ),
    "the largest difference from torch: at most 0.00000006": "与 torch 的最大差别：至多 0.00000006",
    # ── the screen ──
    "the part that is seen: rows or columns 0 to 2 of 5": "看得到的部分：5 行（列）中的第 0 到 2 行（列）",
    "the step, line or entry where the cursor is": "光标所在的步、行或条目",
    "in the timeline: a reset, before step 3 this row of a loop begins anew from zeros": "时间线里：重置，循环的这一行在第 3 步之前从零重新开始",
    "in the timeline: this block is computed at this step": "时间线里：这个计算块在这一步已经算出",
    "in a plot: one line for each element; ● beside a line of the listing: a breakpoint": (
        "图里：每个元素一条线；公式列表旁的 ●：断点"
    ),
    "in a plot: the step of the cursor": "图里：光标所在的步",
    "what stands right of it is the result, torch's number and the difference": "它的右边是结果、torch 的数和两者之差",
    "the axes of a plot": "图的坐标轴",
    "what the network answers (argmax), and the target": "网络的回答（argmax）和目标",
    "the scenario has edits that are not saved": "场景里有还没有保存的修改",
    "the space bar, Backspace, Ctrl and s": "空格键、退格键、Ctrl 加 s",
    "not a number, and infinity: torch's own words": "不是数，以及无穷大：torch 也这样写",
}
