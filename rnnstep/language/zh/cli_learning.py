"""The Chinese of `rnnstep grad` and `rnnstep train`, and of what they are written from."""

from __future__ import annotations

TABLE = {
    "gradients G were given: the backward pass is that of the sum of each value times its G": (
        "给定了梯度 G：反向传播的起点是每个值乘以它的 G 之和"
    ),
    # ── help ──
    "Print the loss and the gradient of every parameter and state, with autograd's beside it.\n"
    "The exit status is 1 where torch disagrees.": (
        "打印损失，以及每个参数、每个状态的梯度，旁边是 autograd 的结果。\n与 torch 不一致时，退出状态为 1。"
    ),
    "Train with the scenario's optimizer: a row an epoch, torch's own loss beside it.\n"
    "--epochs, --lr and --seed override the file. Ctrl-C stops when the epoch is done, and keeps what is"
    " done. The exit status is 1 where torch disagrees.": (
        "用场景的优化器训练：每轮一行，旁边是 torch 自己的损失。\n"
        "--epochs、--lr、--seed 会覆盖文件里的值。按 Ctrl-C 在这一轮结束后停下，已完成的都会保留。\n"
        "与 torch 不一致时，退出状态为 1。"
    ),
    "train for so many epochs": "训练多少轮",
    "the optimizer's learning rate": "优化器的学习率",
    "draw the weights anew from this seed": "用这个种子重新生成权重",
    "write the trained weights as safetensors, under torch's names, atomically": (
        "把训练好的权重按 torch 的名字写成 safetensors（原子写入）"
    ),
    # ── messages ──
    "{option}: found {found}, expected a number ≥ 0, such as 0.01": (
        "{option}：是 {found}，应为不小于 0 的数，如 0.01"
    ),
    "--output and --save name the same file": "--output 和 --save 是同一个文件",
    "--seed: the file gives its weights as arrays, and no seed would draw them; leave one of the two out": (
        "--seed：文件用数组给出了权重，种子无从生成；两者只能取其一"
    ),
    "{name}: there is no loss to go back from; add what each step should answer, such as"
    ' [target] with text = "ohlol" (indices, values), and [loss] if it is not to be the usual one': (
        '{name}：没有损失，无法反向传播；请写出每一步的目标，例如 [target] 里 text = "ohlol"'
        "（或 indices、values）；不用默认的损失时再加上 [loss]"
    ),
    '{name}: there is no [training]; add one, such as optimizer = "Adam", lr = 0.1, epochs = 15': (
        '{name}：没有 [training]；请加上，例如 optimizer = "Adam"、lr = 0.1、epochs = 15'
    ),
    "stopping after this epoch; Ctrl-C once more stops at once": "这一轮结束后停下；再按一次 Ctrl-C 立即停下",
    "stopped after {done} of {total} epochs": "共 {total} 轮，做完 {done} 轮后停下",
    # ── gradients ──
    "Beside each gradient: autograd's, {sign} where they agree. Those of states are kept while torch.nn's\n"
    "own cells are stepped one time step at a time; the number before each is its norm.": (
        "每个梯度旁边是 autograd 的结果，一致处标 {sign}。状态的梯度，是让 torch.nn 自己的单元逐步计算时保留下来的；\n"
        "前面的数是它的范数。"
    ),
    "Beside each gradient: autograd's. {sign} is torch.nn's own number, of h_t kept while its cells are\n"
    "stepped; {mark} comes from the same equations in torch's own operations: a self-check.": (
        "每个梯度旁边是 autograd 的结果。{sign} 表示 torch.nn 自己的数，h_t 的梯度在它的单元逐步计算时保留下来；\n"
        "{mark} 是自检：用 torch 的运算按同样的公式算出。"
    ),
    "Beside each gradient: autograd's, {mark}, on the same equations in torch's own operations.\n"
    "That is a self-check: torch.nn has no such module.": (
        "每个梯度旁边是 autograd 对同样的公式（用 torch 的运算写成）求出的结果，{mark}。\n"
        "这只是自检：torch.nn 里没有这个模块。"
    ),
    "the loss": "损失",
    "{where}∂L/∂{name}_t, the last step first": "{where}∂L/∂{name}_t，从最后一步往前",
    "∂L/∂{name} {shape}, norm {norm}": "∂L/∂{name} {shape}，范数 {norm}",
    "{count} numbers, {difference} apart at most": "{count} 个数，最多相差 {difference}",
    "{ih} and {hh} have the same gradient: both are added to the same sum, and nothing tells them apart.": (
        "{ih} 与 {hh} 的梯度相同：两者加进同一个和，无从区分。"
    ),
    "{ih} and {hh} have the same gradient in r and z, where both are added to the same sum. In n they have not:"
    " b_hn stands inside r * (…), so that what reaches it is r times what reaches b_in.": (
        "{ih} 与 {hh} 在 r 和 z 中的梯度相同：两者加进同一个和。在 n 中不同：b_hn 在 r * (…) 里面，"
        "传到它的是传到 b_in 的 r 倍。"
    ),
    "the share of each step in ∂L/∂{name}, and their sum so far": "每一步在 ∂L/∂{name} 中的贡献，以及到此为止的和",
    "step {step}: its share, norm {share} {rule} the sum so far, norm {total}": (
        "第 {step} 步：贡献，范数 {share} {rule} 到此为止的和，范数 {total}"
    ),
    "{count} steps: too many to tell the share of each here": "共 {count} 步，太多，这里不列出每一步的贡献",
    "row {row}": "第 {row} 行",
    "norm": "范数",
    "norm of the sum": "和的范数",
    "one step back from torch's own numbers: at {place} {difference} apart, {allowed} allowed": (
        "从 torch 自己的数往回走一步：{place} 处相差 {difference}，允许 {allowed}"
    ),
    "along the way back, each on its own run: {differences} apart at most": (
        "沿整个反向过程，各走各的：最多相差 {differences}"
    ),
    # ── the least loss ──
    "The state itself is the logits, and h = {state} is within [−{bound}, {bound}]: at best {bound} for"
    " the right class and −{bound} for the other {others}. So no single loss is below {formula} = {each}"
    "{whole}, however long it is trained.": (
        "状态本身就是 logits，而 h = {state} 在 [−{bound}, {bound}] 之内：最好也只是正确的类为 {bound}，"
        "其余 {others} 个为 −{bound}。所以单个损失不会低于 {formula} = {each}{whole}，训练多久都一样。"
    ),
    "The loss is given softmax(logits), numbers from 0 to 1, and takes the softmax of them once more:"
    " at best 1 for the right class and 0 for the other {others}. So no single loss is below"
    " {formula} = {each}{whole}, however long it is trained.": (
        "给损失的是 softmax(logits)，都在 0 到 1 之间，损失又对它们取一次 softmax：最好也只是正确的类为 1，"
        "其余 {others} 个为 0。所以单个损失不会低于 {formula} = {each}{whole}，训练多久都一样。"
    ),
    ", and the sum of {count} not below {loss}": "，{count} 个的和不会低于 {loss}",
    # ── training ──
    "the trained weights stand in {file}": "训练后的权重已存入 {file}",
    "wanted: {wanted}": "目标：{wanted}",
    "with the cure: {what}": "改正后：{what}",
    "The mistake made on purpose: {mistake}.": "故意犯的错误：{mistake}。",
    "torch refuses that (rnnstep train shows its words): the numbers are those of the cure.": (
        "torch 不接受（原话见 rnnstep train）：这里的数值是改正后的。"
    ),
    "torch refuses that:": "torch 不接受：",
    "What follows is the training with the cure.": "下面是改正后的训练。",
    "optimizer.zero_grad() is never called: every epoch's gradients are added to all before them": (
        "没有调用 optimizer.zero_grad()：每一轮的梯度都加到之前所有的梯度上"
    ),
    "every epoch begins with the state in which the one before ended": "每一轮都从上一轮结束时的状态开始",
    "the loss is given softmax(logits), and takes the softmax of that once more": (
        "给损失的是 softmax(logits)，损失又取了一次 softmax"
    ),
    "loss.backward() stands inside the loop over the steps": "loss.backward() 写在了遍历时间步的循环里",
    "h_0 has a shape that torch does not take": "h_0 的形状不是 torch 要求的",
    "epoch": "轮",
    "loss": "损失",
    "apart": "相差",
    "accuracy": "正确率",
    "on the test rows": "测试正确率",
    "the cure": "改正后",
    "after {count} updates, from the scenario's own first state: {result}": "更新 {count} 次之后，从场景的初始状态开始：{result}",
    "loss {loss}": "损失 {loss}",
    "loss {loss}, says {said}": "损失 {loss}，预测 {said}",
    "loss {loss}, {accuracy} right": "损失 {loss}，正确率 {accuracy}",
    "loss {loss}, {accuracy} right, {test} of the test rows": "损失 {loss}，正确率 {accuracy}，测试正确率 {test}",
    "the cure: {key} = {value}": "改正：{key} = {value}",
    "the cure: optimizer.zero_grad() before every loss.backward()": (
        "改正：每次 loss.backward() 之前调用 optimizer.zero_grad()"
    ),
    "the cure: every epoch begins with h_0 as the scenario gives it, zeros unless said": (
        "改正：每一轮都从场景给出的 h_0 开始，没有给出就是 0"
    ),
    "the cure: give CrossEntropyLoss the logits; it takes the softmax itself": (
        "改正：把 logits 直接交给 CrossEntropyLoss，它自己会取 softmax"
    ),
    "the cure: add up the losses in the loop; loss.backward() and optimizer.step() once, after it": (
        "改正：在循环里把损失加起来；循环结束后，loss.backward() 和 optimizer.step() 各调用一次"
    ),
    "the cure: h_0 of the shape (B, hidden_size), or none at all": (
        "改正：h_0 的形状为 (B, hidden_size)，或者不给 h_0"
    ),
    "the cure: h_0 of the shape (num_layers * num_directions, B, hidden_size), or none at all": (
        "改正：h_0 的形状为 (num_layers * num_directions, B, hidden_size)，或者不给 h_0"
    ),
    "torch's modules and torch.optim give the same training": "torch 的模块和 torch.optim 给出相同的训练",
    "the same equations in torch's operations and torch.optim give the same training (self-check)": (
        "用 torch 的运算写成的同样公式和 torch.optim 给出相同的训练（自检）"
    ),
    "an update from torch's own numbers: at {place} {difference} apart, {allowed} allowed": (
        "从 torch 自己的数做一次更新：{place} 处相差 {difference}，允许 {allowed}"
    ),
    "along the training, each on its own way: losses {apart} apart at most": (
        "沿整个训练，各走各的：损失最多相差 {apart}"
    ),
}
