"""The Chinese of recorded calls: from a program of one's own, and in files."""

from __future__ import annotations

TABLE = {
    # ── capture ──
    "limit: found {found}, expected a size such as {size}": "limit：得到 {found}，应为大小，如 {size}",
    "this capture is running already; make another one with rnnstep.capture(…)": (
        "这个记录已经在进行；请用 rnnstep.capture(…) 另建一个"
    ),
    "no recurrent module was called": "没有调用过循环模块",
    "there is no call {place}; there are {known}": "没有 {place} 这次调用；有的是 {known}",
    "{name}: a call could not be recorded: {reason}": "{name}：有一次调用无法记录：{reason}",
    "{name}: the last {kept} of {count} calls are here (last={last})": (
        "{name}：{count} 次调用中保留最后 {kept} 次（last={last}）"
    ),
    "{count} older calls are in {folder} until Python ends (limit={limit} MiB)": (
        "较早的 {count} 次调用存放在 {folder}，Python 结束时删除（limit={limit} MiB）"
    ),
    "older calls could not be put on the disk, and take more memory than was asked for: {reason}": (
        "较早的调用无法存到磁盘，占用的内存超过了所要求的：{reason}"
    ),
    "this torch keeps its kernels elsewhere: only what is called as module(x) was heard": (
        "这个版本的 torch 的内核在别处：只记录到以 module(x) 方式的调用"
    ),
    # ── what cannot be seen ──
    "{name}: {kind} was called on tensors of the class {reason}, which are not recorded": (
        "{name}：{kind} 的输入是 {reason} 类的张量，无法记录"
    ),
    "{name}: {kind} is quantized: it has no weights of floating point": "{name}：{kind} 已量化：没有浮点权重",
    "{name}: no call of this {kind} was heard; it was not called, or where Python does not see it:"
    " compiled, exported, in another process": (
        "{name}：没有记录到这个 {kind} 的调用；它没有被调用，或者在 Python 看不到的地方被调用：编译、导出，或在另一个进程里"
    ),
    "{name}: {kind} was traced into a script, which is not recorded": "{name}：{kind} 正在被 trace 成脚本，不予记录",
    "{name}: {kind} was compiled; its compiled kernel is not seen": "{name}：{kind} 已编译；看不到编译后的内核",
    "{name}: {kind} was called inside a function of torch.func (vmap, grad), whose tensors have no numbers of their own": (
        "{name}：{kind} 是在 torch.func 的函数（vmap、grad）里调用的，其中的张量没有自己的数值"
    ),
    "{name}: {kind} was called on the device meta, which has no numbers": (
        "{name}：{kind} 是在 meta 设备上调用的，那里没有数值"
    ),
    "{name}: {kind} is scripted: its kernels run outside of Python": "{name}：{kind} 已转成脚本：它的内核在 Python 之外运行",
    # ── calls ──
    "{place}: the model computed in {dtype}; here it is float32, and the bounds are those of {dtype}": (
        "{place}：模型用 {dtype} 计算；这里用 float32，误差界按 {dtype} 放宽"
    ),
    "{place}: the model computed on {device}; here and in the reference it is the CPU": (
        "{place}：模型在 {device} 上计算；这里和对照都在 CPU 上"
    ),
    "{place}: no gradient reached it; call backward() inside the `with`, and capture with gradients=True": (
        "{place}：没有梯度传到它；请在 `with` 里面调用 backward()，并用 gradients=True 记录"
    ),
    "{place} begins with states made from those that {before} ended with: what a program changes other than to zeros"
    " begins a call of its own": (
        "{place} 的初始状态由 {before} 结束时的状态改动而来：置零以外的改动会开始新的一次调用"
    ),
    "{place} goes on where {before} ended; reset to zeros: rows {rows}": (
        "{place} 接着 {before} 的末尾继续；重置为零的行：{rows}"
    ),
    "the same of {count} more: {places}": "另有 {count} 个也是如此：{places}",
    "{place}: rows begin anew from zeros before steps {steps}": "{place}：有些行在第 {steps} 步之前从零重新开始",
    "{name} was called without a step, or without a row": "{name} 被调用时没有时间步，或没有行",
    "{name}: its dropout masks could not be drawn again, so its numbers cannot be": (
        "{name}：它的 dropout 掩码无法重新得到，因此无法重算它的数值"
    ),
    # ── on the screen, saved ──
    "{folder} is there already, and not empty; choose another name": "{folder} 已存在且不为空；请换个名字",
    'to step through it: seen.save("calls"), then in a terminal: rnnstep calls': (
        '要逐步查看：先 seen.save("calls")，再在终端里运行 rnnstep calls'
    ),
    'the debugger needs a terminal; seen.save("calls") writes what `rnnstep calls` opens in one': (
        '调试器需要终端；seen.save("calls") 写出的文件夹，可在终端里用 `rnnstep calls` 打开'
    ),
    # ── the table ──
    "call": "调用",
    "input": "输入",
    "output": "输出",
    "finite": "有限",
    "norm of h, first … last": "h 的范数，首步 … 末步",
    "gradient": "梯度",
    "packed {lengths}": "打包 {lengths}",
    "yes": "是",
    "no": "否",
    "no, from step {step}": "否，从第 {step} 步起",
    "not finite": "非有限",
    "norm at each step": "每步的范数",
    "… {count} more …": "……还有 {count} 次……",
    'seen.save("calls"), then in a terminal: rnnstep calls': '先 seen.save("calls")，再在终端里运行 rnnstep calls',
    # ── [call] ──
    "[{table}] and [call] exclude each other: the recorded call has all of it": (
        "[{table}] 和 [call] 不能同时出现：记录下来的调用已包含全部内容"
    ),
    "a file of a recorded call": "存有一次调用的文件",
    "one of {names}": "{names} 之一",
    "`file`: {file}: {what}": "`file`：{file}：{what}",
    "`file`: what was recorded is in {dtype}, and is stepped in no other": (
        "`file`：记录下来的是 {dtype}，不能用别的精度逐步计算"
    ),
    "`file`: {file} is no recorded call: it has a tensor {name}": "`file`：{file} 不是记录下来的调用：其中有张量 {name}",
    "`file`: {file} is no recorded call: it has no tensor x": "`file`：{file} 不是记录下来的调用：其中没有张量 x",
    "`file`: the tensor {name} has the shape {shape} and the kind {kind}, which no recorded call has": (
        "`file`：张量 {name} 的形状是 {shape}，类型是 {kind}，记录下来的调用里没有这样的张量"
    ),
}
