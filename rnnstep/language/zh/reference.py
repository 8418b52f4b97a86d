"""The Chinese of what is said about torch beside the engine."""

from __future__ import annotations

TABLE = {
    "{place}: from the same h_prev, ours and torch's differ by {difference}, allowed {allowed}": (
        "{place}：从相同的 h_prev 出发，本程序与 torch 相差 {difference}，允许 {allowed}"
    ),
    "{place}: our run differs from its own equations by {difference}, allowed {allowed}": (
        "{place}：本程序的运行与其自身公式相差 {difference}，允许 {allowed}"
    ),
    "{place}: along the run, ours and torch's differ by {difference}, allowed {allowed}": (
        "{place}：整个运行过程中，本程序与 torch 相差 {difference}，允许 {allowed}"
    ),
    "{place}: ours and the result of torch's module differ by {difference}, allowed {allowed}": (
        "{place}：本程序与 torch 整个模块的结果相差 {difference}，允许 {allowed}"
    ),
    "{place}: ours and the row of torch's embedding differ by {difference}": (
        "{place}：本程序与 torch 嵌入的行相差 {difference}"
    ),
    "{place}: from autograd's own numbers of the step, ours and autograd's differ by {difference},"
    " allowed {allowed}": (
        "{place}：从 autograd 自己在这一步的数值出发，本程序与 autograd 相差 {difference}，允许 {allowed}"
    ),
    "{place}: our way back differs from its own equations by {difference}, allowed {allowed}": (
        "{place}：本程序的反向传播与其自身公式相差 {difference}，允许 {allowed}"
    ),
    "{place}: along the way back, ours and autograd's differ by {difference}, allowed {allowed}": (
        "{place}：整个反向传播过程中，本程序与 autograd 相差 {difference}，允许 {allowed}"
    ),
    "{place}: ours and the gradient of torch's module differ by {difference}, allowed {allowed}": (
        "{place}：本程序与 torch 整个模块的梯度相差 {difference}，允许 {allowed}"
    ),
    "{place}: our update differs from its own equations by {difference}, allowed {allowed}": (
        "{place}：本程序的参数更新与其自身公式相差 {difference}，允许 {allowed}"
    ),
    "{place}: from the same gradients, our update and torch.optim's differ by {difference},"
    " allowed {allowed}": (
        "{place}：从相同的梯度出发，本程序的参数更新与 torch.optim 相差 {difference}，允许 {allowed}"
    ),
    "{place}: from torch's own parameters before it, ours and torch's differ by {difference},"
    " allowed {allowed}": (
        "{place}：从 torch 自己在此之前的参数出发，本程序与 torch 相差 {difference}，允许 {allowed}"
    ),
    "every step of the way back agrees with autograd; at step {step} the ways have parted: with weights"
    " this large a last digit grows from step to step, and both are right": (
        "反向传播的每一步都与 autograd 一致；到第 {step} 步两边已经分开："
        "权重这么大时，末位的差异会逐步放大，两者都是对的"
    ),
    "agrees with autograd": "与 autograd 一致",
    "agrees with autograd on the same equations in torch's operations (self-check)": (
        "与 autograd 对用 torch 运算写出的同一组公式求得的梯度一致（自检）"
    ),
    "agrees with torch.optim": "与 torch.optim 一致",
    "from the same parameters every update agrees with torch; from epoch {epoch} on the trainings part:"
    " a last digit grows from update to update, and both are right": (
        "从相同的参数出发，每次更新都与 torch 一致；从第 {epoch} 轮起两次训练逐渐分开："
        "末位的差异会随每次更新逐步放大，两者都是对的"
    ),
    "no step disagrees with torch; from step {step} on the two are not finite alike: so near to overflow the order"
    " of a sum decides, and neither confirms the other": (
        "没有一步与 torch 不一致；从第 {step} 步起，两边并非同样有限：离溢出这么近时，结果取决于求和顺序，两者不能互相印证"
    ),
    "no update disagrees with torch; from epoch {epoch} on the losses are not finite alike: so near to"
    " overflow the order of a sum decides, and neither confirms the other": (
        "没有一次更新与 torch 不一致；从第 {epoch} 轮起，两边的损失并非同样有限："
        "离溢出这么近时，结果取决于求和顺序，两者不能互相印证"
    ),
    "the training agrees with torch's": "训练过程与 torch 一致",
    "torch disagrees: {fault}": "与 torch 不一致：{fault}",
    "every step agrees with torch; from step {step} on the runs part: with weights this large a last"
    " digit grows from step to step, and both are right": (
        "每一步都与 torch 一致；从第 {step} 步起两次运行逐渐分开：权重这么大时，末位的差异会逐步放大，两者都是对的"
    ),
    "agrees with torch": "与 torch 一致",
    "agrees with the same equations in torch's operations (self-check)": (
        "与用 torch 运算写出的同一组公式一致（自检）"
    ),
    "the file holds no {names}; give them as arrays": "文件中没有 {names}；请以数组给出",
    "{file} is refused: it does more than hold tensors": "拒绝读取 {file}：它不只是保存张量",
    "cannot read {file}: {reason}": "无法读取 {file}：{reason}",
    "{file} is no state_dict saved by torch.save": "{file} 不是用 torch.save 保存的 state_dict",
    "the tensor {name} is of the kind {kind}": "张量 {name} 的类型是 {kind}",
    "torch's process has ended (status {status})": "torch 的进程已结束（状态 {status}）",
    "nothing stands beside these numbers: torch cannot be imported ({reason}); install it with {install}": (
        "这些数旁边没有对照：无法导入 torch（{reason}）；安装：{install}"
    ),
    "torch cannot be imported ({reason}); install it with {install} (the smallest, for the CPU),"
    " or see these numbers alone with --no-torch": (
        "无法导入 torch（{reason}）；安装：{install}（最小的 CPU 版），或者加 --no-torch 只看本程序的数"
    ),
    "{need}, and torch cannot be imported ({reason}); install it with {install} (the smallest, for the CPU)": (
        "{need}，而 torch 无法导入（{reason}）；安装：{install}（最小的 CPU 版）"
    ),
    "{need}: that cannot be done with --no-torch": "{need}：加 --no-torch 时做不到",
    "{file} is torch's own kind of file, which torch alone reads": "{file} 是 torch 自己的文件格式，只有 torch 能读",
    "torch alone draws {names} from a seed (give them as arrays in [weights] to do without)": (
        "从种子抽取 {names} 只有 torch 能做（在 [weights] 中写成数组就不需要 torch）"
    ),
    "there is not enough memory to run torch beside": "内存不足，无法同时运行 torch",
    "torch's process failed: {reason}": "torch 的进程出错：{reason}",
    "loss.backward() and the update stand inside the loop over the steps": (
        "loss.backward() 和参数更新写在了遍历时间步的循环里"
    ),
    "the same with retain_graph=True, as the message seems to advise": (
        "同样的写法，再按报错信息似乎建议的那样加上 retain_graph=True"
    ),
    "h_0 has an axis of layers, which a cell does not: {right} is right": (
        "h_0 多了一个层的维度，而单元（cell）没有这一维：应为 {right}"
    ),
    "h_0 has an axis of rows, which x does not: {right} is right": (
        "h_0 多了一个批次的维度，而 x 没有这一维：应为 {right}"
    ),
    "h_0 lacks the axis of layers: {right} is right": "h_0 缺少层的维度：应为 {right}",
    "h_0 has the rows first: {right} is right, with batch_first too": (
        "h_0 把批次放在了第一维：应为 {right}，设了 batch_first 也一样"
    ),
    "h_0 has the size of the input: {right} is right": "h_0 的大小用成了输入的大小：应为 {right}",
    "torch's gradients stand beside those of a loss, or of what is given where torch's modules return it": (
        "torch 的梯度只与由 loss 得到的、或在 torch 模块返回的值处给定的梯度对照"
    ),
    "{place}: ours and what was recorded differ by {difference}, allowed {allowed}": (
        "{place}：我们的结果与记录下来的相差 {difference}，允许 {allowed}"
    ),
    "{place}: ours and the recorded gradient differ by {difference}, allowed {allowed}": (
        "{place}：我们的梯度与记录下来的相差 {difference}，允许 {allowed}"
    ),
    "what was recorded disagrees: {fault}": "与记录下来的不一致：{fault}",
    "agrees with what was recorded, and with torch": "与记录下来的一致，也与 torch 一致",
    "agrees with what was recorded, and with autograd": "与记录下来的一致，也与 autograd 一致",
    "{place}: torch's scores say another class than the one that was fed": "{place}：按 torch 的得分，说出的类别与实际输入的不同",
}
