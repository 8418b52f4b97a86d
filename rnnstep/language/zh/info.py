"""The Chinese of the info page, and of where torch keeps a state."""

from __future__ import annotations

TABLE = {
    # shapes
    "Shapes, as torch has them": "形状（与 torch 一致）",
    "from torch as (N, C, L) = {shape}": "torch 给出时为 (N, C, L) = {shape}",
    "what the embedding looks up": "嵌入层要查的索引",
    "what the embedding gives": "嵌入层的结果",
    "what the loop walks over": "循环逐步读取的整个序列",
    "what one call takes": "每次调用传入的部分",
    "the loop's h, stacked": "循环中各步的 h 堆叠而成",
    "the batch stays second, also with batch_first": "即使 batch_first=True，批仍是第二维",
    "from the last layer's final state": "由最后一层的最终状态得到",
    "from output[-1]": "由 output[-1] 得到",
    "{states}: from batch to batch the states go on, as with h = h.detach() between them; each epoch begins anew.": (
        "{states}：状态从一批接到下一批，就像中间写了 h = h.detach()；每一轮重新开始。"
    ),
    "These are of batch {number} of {count}.": "这是第 {number} 批（共 {count} 批）的形状。",
    "Packed: torch is given a PackedSequence whose data is ({total}, {size}), the real x of all rows,"
    " with batch_sizes {sizes}; what comes out is padded with zeros to seq_len again, and h_n is"
    " taken at each row's own last step.": (
        "打包：传给 torch 的是 PackedSequence，data 的形状是 ({total}, {size})，即所有行的真实 x，batch_sizes 是 {sizes}；"
        "输出再用 0 补齐到 seq_len，h_n 取各行自己的最后一步。"
    ),
    "Along {sequence}:": "沿 {sequence}：",
    "The padding is walked over: the rows have {lengths} real steps.": "填充部分也照样计算：各行真实的时间步数为 {lengths}。",
    # where torch keeps a state
    "Where torch keeps each value": "torch 把每个值存在哪里",
    "Where torch keeps each value of row {row} of the batch": "torch 把批中第 {row} 行（从 0 数）的每个值存在哪里",
    "inside the forward of the program's own class: torch has no such module": "在程序自带的类的 forward 里面：torch 没有这样的模块",
    "the sum itself: no module keeps it": "就是那个和：没有模块保存它",
    "{place}, a buffer": "{place}，是缓冲区（buffer）",
    "of each step over those of the memory": "每一步对记忆各步的权重",
    "tied: is {name}, counted there": "共享：就是 {name}，在那里计数",
    "What each module costs in one pass forward": "每个模块前向走一遍的代价",
    "module": "模块",
    "{sequence}: {where}": "{sequence}：{where}",
    "parameters": "参数",
    "multiplications": "乘法",
    "at a step of a row × steps of rows": "每行每步 × 各行步数之和",
    "Counted from the equations: W @ x of W (m, n) is m·n. A division counts as one, a function such as tanh"
    " as none; the loss is left out.": (
        "按公式计数：W 为 (m, n) 时，W @ x 是 m·n 次。除法算一次，tanh 这样的函数不算；损失不计在内。"
    ),
    "{name} compares each of {steps} queries with each of {memory} steps of the memory, {count} pairs a row:"
    " of twice the length on both sides four times as many.": (
        "{name} 把 {steps} 个查询逐一与记忆的 {memory} 步比较，每行 {count} 对：两边都加长一倍，就是四倍。"
    ),
    "torch does not return it; {place} only after the last step": "torch 不返回它；只有最后一步之后的 {place}",
    "the loop's {state} ({argument} of step {step})": "循环中的 {state}（第 {step} 步的 {argument}）",
    "the loop's {state}, its last: {place}": "循环中最后的 {state}：{place}",
    # parameters
    "Parameters, and why they are shared": "参数个数，以及为什么要共享权重",
    "in all": "合计",
    "The recurrent weights, {shared} without biases, are the same at every one of the {steps} steps;"
    " a longer sequence needs no more.": (
        "循环层的权重共 {shared} 个（不计偏置），{steps} 个时间步用的都是同一组；序列再长也不会增加。"
    ),
    "One dense layer from all x at once to all h at once would need ({steps}·{entering}) × ({steps}·{leaving})"
    " = {dense} weights, four times as many for twice the length, and it would have to learn each"
    " pattern anew at each place.": (
        "如果用一个全连接层，把所有 x 一次映射到所有 h，需要 ({steps}·{entering}) × ({steps}·{leaving}) = {dense} 个权重；"
        "序列长度加倍，权重就变成四倍，而且同一个规律在每个位置都要重新学一遍。"
    ),
    "A convolution over time shares its weights as well: {entering}·{kernel}·{leaving} = {count} for"
    " {kernel} steps, but it sees no more than these {kernel}; h carries on what came before them.": (
        "沿时间的卷积也共享权重：{kernel} 步的卷积核有 {entering}·{kernel}·{leaving} = {count} 个权重，"
        "但它只看得到这 {kernel} 步；h 则把更早的信息一直传下去。"
    ),
    "It is the same in images: a convolution of 5×5 from 128 to 64 channels has 128·5²·64 = 204,800"
    " weights, shared by all places; a dense layer from 4096 to 1024 has 4096·1024 = 4,194,304.": (
        "图像也是同样的道理：从 128 通道到 64 通道的 5×5 卷积有 128·5²·64 = 204,800 个权重，所有位置共用；"
        "从 4096 到 1024 的全连接层则有 4096·1024 = 4,194,304 个。"
    ),
    # what confirms them
    "What confirms these numbers": "这些数由什么来验证",
    "torch.nn: torch's own module confirms {results} and, stepped one time step and layer at a time, every {states}.": (
        "torch.nn：torch 自己的模块验证 {results}；再逐层、逐个时间步地运行该模块，验证每个 {states}。"
    ),
    "Self-check: torch does not hand out what lies inside (products, gates); the same equations, written"
    " with torch's own operations, confirm it.": (
        "自检：内部的数（乘积、门）torch 并不给出；用 torch 的运算把同一组公式再写一遍来验证。"
    ),
    "torch.nn has no such module. Self-check: the same equations, written with torch's own operations,"
    " confirm every value.": "torch.nn 中没有这个模块。自检：用 torch 的运算把同一组公式再写一遍，验证每个数。",
    "One step: from the very h that torch had before the step, ours and torch's may differ only by"
    " rounding. Agreement is judged by this.": (
        "单步差异：从 torch 在这一步之前的同一个 h 出发，本程序与 torch 只可能相差舍入误差。是否一致以此为准。"
    ),
    "Along the run: each goes on from its own h, so that differences add up; with large weights two right"
    " programs can part completely.": (
        "沿途差异：各自从自己的 h 继续算，差异会累积；权重很大时，两个正确的程序也可能完全分开。"
    ),
    "one step": "单步",
    "along the run": "沿途",
    "{difference} at {place}, {share} % of the {allowed} that rounding explains": (
        "{difference}，在 {place}，占舍入误差上界 {allowed} 的 {share} %"
    ),
    # where they come from
    "Where the numbers come from": "这些数的来历",
    "float32: about 7 decimal digits": "float32（约 7 位十进制有效数字）",
    "float64: about 16 decimal digits": "float64（约 16 位十进制有效数字）",
    "Computed in {dtype}, by torch as well.": "以 {dtype}计算，torch 也一样。",
    "Weights: what torch.manual_seed({seed}) and then constructing embedding, recurrent module and linear layer give.": (
        "权重：先 torch.manual_seed({seed})，再依次构造嵌入层、循环模块和线性层得到的值。"
    ),
    "They are rounded for work by hand (decimals: {decimals}).": "为便于手算，四舍五入到 {decimals} 位小数。",
    "Weights from {file}; input, first states, dropout and resets are this scenario's: a file of weights does not"
    " hold them.": "权重取自 {file}；输入、初始状态、dropout 和状态重置都由本场景决定：权重文件里没有这些。",
    "Given in the scenario: {names}.": "在场景中直接给出：{names}。",
    # edits
    "Edits in force ({saved})": "生效的修改（{saved}）",
    "saved": "已保存",
    "not saved": "未保存",
    "was {old}": "原为 {old}",
    "step {step}, row {row}, batch {batch}": "第 {step} 步，第 {row} 行，第 {batch} 批",
    "{place} of batch {batch}": "第 {batch} 批的 {place}",
    # learning
    "The loss: {name}": "损失：{name}",
    "One loss for each row of the batch, on the scores of its final state.": "批中每一行一个损失，用最终状态的得分来算。",
    'at = "last": one loss for each row of the batch, on the scores of its last step alone.': (
        'at = "last"：批中每一行一个损失，只用最后一步的得分来算。'
    ),
    "One loss for each row of the batch, on the scores of output[-1].": "批中每一行一个损失，用 output[-1] 的得分来算。",
    "output[-1] is the last step of both directions. The backward direction begins there: its half has read that"
    " step alone; it ends at output[0], and h_n has it from there.": (
        "output[-1] 是两个方向的最后一步。反向从那里开始：它那一半只读过这一步；它的终点在 output[0]，h_n 取的就是那里。"
    ),
    "output[-1] of a row that is over by then is zeros, whatever the row was; h_n has each row where it ended.": (
        "到那时已经结束的行，output[-1] 是零，与行的内容无关；h_n 取的是每一行自己的终点。"
    ),
    "output[-1] of a row that is over by then stands behind its padding.": "到那时已经结束的行，output[-1] 在它的填充之后。",
    'over_time = "sum": as in a loop over a cell, loss += criterion(h, y), the losses of the steps are added up.': (
        'over_time = "sum"：像遍历单元的循环那样 loss += criterion(h, y)，把各时间步的损失相加。'
    ),
    'of = "{name}": it is of what that layer gives; what stands behind it has no gradient.': (
        'of = "{name}"：比较的是这一层给出的值；在它之后的层没有梯度。'
    ),
    'over_time = "together": the criterion is given all steps at once.': 'over_time = "together"：把所有时间步一次交给损失函数。',
    'reduction = "sum": what is compared at once is added up, not averaged.': 'reduction = "sum"：一次比较的各项相加，不取均值。',
    ", and the whole, times its factor, not below {loss}": "，乘以系数后的总损失不低于 {loss}",
    "holds each number of every gradient between −{limit} and {limit}": "把每个梯度的每个数限制在 −{limit} 与 {limit} 之间",
    "clr = lr / (1 + (k − 1) · lr_decay) in the k-th update.": "第 k 次更新时 clr = lr / (1 + (k − 1) · lr_decay)。",
    "beta = {beta}: near 0 a square, far off two straight lines.": "beta = {beta}：0 附近是平方，远处是两条直线。",
    "factor = {factor}: torch's loss times it, and every gradient with it.": "factor = {factor}：torch 的损失乘以它，每个梯度也随之乘以它。",
    "A target of {index} (ignore_index) counts for nothing.": "目标为 {index}（ignore_index）的项不计入。",
    "Gradients": "梯度",
    "The gradient of a parameter has the parameter's shape: one number for each of its numbers.": (
        "参数的梯度与参数形状相同：参数的每个数对应一个数。"
    ),
    "bias_ih and bias_hh have the same gradient for r and z, where both are added to the same sum; not for n: b_hn stands behind the reset gate, and its gradient is r ⊙ that of the sum.": (
        "bias_ih 与 bias_hh 在 r 和 z 部分梯度相同，因为两者加在同一个和里；n 部分不同：b_hn 在重置门之内，它的梯度是 r ⊙ 那个和的梯度。"
    ),
    "bias_ih and bias_hh have the same gradient: both are added to the same sum. One would do; torch keeps two, as cuDNN does.": (
        "bias_ih 与 bias_hh 的梯度相同：两者加在同一个和里。其实一个就够；torch 与 cuDNN 一样保留两个。"
    ),
    'One bias, as most books have it (`bias = "ih"`): torch\'s bias_hh is zeros with requires_grad = False.'
    " Of two an update would change the sum twice as much.": (
        '只有一个偏置，和多数教材一样（`bias = "ih"`）：torch 的 bias_hh 为零，且 requires_grad = False。若有两个，一次更新对和的改变就是两倍。'
    ),
    "Training, in torch's words": "训练（用 torch 的说法）",
    "sets every gradient to zero: backward adds to what is there": "把所有梯度清零：backward 是在已有的梯度上累加",
    "adds ∂loss/∂W to W.grad, for every parameter W": "对每个参数 W，把 ∂loss/∂W 加到 W.grad",
    "makes all gradients shorter together, if their norm is above {limit}": "梯度裁剪：总范数超过 {limit} 时把所有梯度一起缩短",
    "{optimizer}: of each number w and its gradient": "{optimizer}：对每个数 w 及其梯度",
    "bias_correction1 = 1 − β₁ᵏ and bias_correction2 = 1 − β₂ᵏ in the k-th update.": (
        "第 k 次更新时 bias_correction1 = 1 − β₁ᵏ，bias_correction2 = 1 − β₂ᵏ。"
    ),
    "{epochs} epochs, {count} updates in each.": "共 {epochs} 轮，每轮更新 {count} 次。",
    "{epochs} epochs, one update in each.": "共 {epochs} 轮，每轮更新一次。",
    "No update changes {names}: the loss does not depend on it, and torch leaves its .grad None.": (
        "任何一次更新都不会改变 {names}：损失与它无关，torch 让它的 .grad 保持 None。"
    ),
    "The mistake, and its cure": "错误与改正",
    "The mistake: {what}": "错误：{what}",
    "The cure: {cure}": "改正：{cure}",
    "torch's answer to this: {what}": "torch 对此的回答（{what}）",
    "Put right, the file would say:": "改正后，文件里应该这样写：",
    "optimizer.zero_grad() is left out: the gradients of all updates so far stay in W.grad and add up.": (
        "漏了 optimizer.zero_grad()：之前每次更新的梯度都留在 W.grad 里，不断累加。"
    ),
    "call optimizer.zero_grad() before each loss.backward().": "每次 loss.backward() 之前都调用 optimizer.zero_grad()。",
    "loss.backward() stands inside the loop over the steps: at the second step it goes back through the first as well, whose graph the first call has freed.": (
        "loss.backward() 写在了遍历时间步的循环里：到第二步时它还要回到第一步，而第一步的计算图已被第一次调用释放。"
    ),
    "add up the losses of the steps, and call loss.backward() once, after the loop.": (
        "把各时间步的损失相加，循环结束后只调用一次 loss.backward()。"
    ),
    "h_0 has another shape than torch asks for. The numbers here are those of the right shape.": (
        "h_0 的形状与 torch 要求的不同。这里的数按正确的形状算出。"
    ),
    "torch.zeros(num_layers * num_directions, B, hidden_size), or no h_0 at all: torch takes zeros.": (
        "用 torch.zeros(num_layers * num_directions, B, hidden_size)，或者不给 h_0：torch 会用 0。"
    ),
    "the loss is given softmax(logits), and takes the softmax of that once more: its slopes are small.": (
        "交给损失的是 softmax(logits)，而损失会再取一次 softmax：导数变得很小。"
    ),
    "give CrossEntropyLoss the logits themselves.": "把 logits 本身交给 CrossEntropyLoss。",
    "the state at the end of an epoch is the first state of the next one: the same word is read otherwise.": (
        "一轮结束时的状态成了下一轮的初始状态：同一个词读起来就不一样了。"
    ),
    "begin each sequence with zeros.": "每个序列都从 0 开始。",
    "Recorded: {results} were not computed here but given with the scenario, as another run gave them; they stand in"
    " the place of torch's, and are judged along the run.": (
        "记录：{results} 不是在这里算出的，而是随场景给出的、另一次运行的结果；它们代替 torch 的结果作对照，按整个运行来判断。"
    ),
}
