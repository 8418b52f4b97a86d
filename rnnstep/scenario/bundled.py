"""The scenarios that come with the program: what a name on the command line stands for, and their course.

The course is the order in which they are taught, under headings, with the words that find them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.keys import closest

SUFFIX = ".toml"
LESSONS = "lessons"  # their folder, beside the scenarios
LESSON_ORDER = (
    "rnn_by_hand",
    "layers_and_shapes",
    "hello_ohlol",
    "back_through_time",
    "gates",
    "names_to_countries",
    "eight_mistakes",
)


def folder() -> Path:
    """Give the folder of the bundled scenarios: in an installed wheel, or in a source checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "bundled"
    return installed if installed.is_dir() else package.parent / "scenarios"


@functools.cache
def _paths() -> Mapping[str, Path]:
    root = folder()
    found = sorted(path for path in root.rglob(f"*{SUFFIX}") if LESSONS not in path.relative_to(root).parts)
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in found}


@functools.cache
def lessons() -> Mapping[str, Path]:
    """Give the files of the bundled lessons by their names, in the order in which they are taught."""
    found = {path.stem: path for path in sorted((folder() / LESSONS).glob(f"*{SUFFIX}"))}
    order = {name: number for number, name in enumerate(LESSON_ORDER)}
    return dict(sorted(found.items(), key=lambda pair: order.get(pair[0], len(order))))


def find_lesson(name_or_path: str) -> Path:
    """Give the path of a lesson: of a file that is there, or of a bundled one by its name.

    Raises:
        UsageError: There is neither, with the likely meaning if there is one.
    """
    path = Path(name_or_path)
    if name_or_path and "\0" not in name_or_path and os.path.lexists(path):
        return path
    if name_or_path in lessons():
        return lessons()[name_or_path]
    if name_or_path in names():  # whose own stops are a lesson
        return find(name_or_path)
    shown = printable(name_or_path)
    guess = closest(name_or_path, lessons())
    if guess is None:
        raise UsageError(
            Text(
                "{name}: no file and no bundled lesson of this name; `rnnstep lesson --list` names them",
                name=shown,
            )
        )
    raise UsageError(
        Text(
            "{name}: no file and no bundled lesson of this name; did you mean {guess}?",
            name=shown,
            guess=guess,
        )
    )


def lesson_name_of(path: Path) -> str | None:
    """Give the name that a path has as a bundled lesson's; None if it is not one's."""
    return next((name for name, lesson in lessons().items() if lesson == path), None)


def names() -> tuple[str, ...]:
    """Give the names of the bundled scenarios, in alphabetical order."""
    return tuple(_paths())


@functools.cache
def _folders() -> Mapping[str, Path]:
    root = folder()
    return {path.parent.relative_to(root).as_posix(): path.parent for path in _paths().values()}


def name_of(path: Path) -> str | None:
    """Give the name that a path has as a bundled scenario's, such as `pitfalls/oholo`; None if it is not one's."""
    root = folder()
    name = path.relative_to(root).with_suffix("").as_posix() if path.is_relative_to(root) else ""
    return name if _paths().get(name) == path else None


def find(name_or_path: str) -> Path:
    """Give the path of a scenario file or folder; what exists as a path goes before a bundled name.

    A folder of the bundled ones has a name too: `pitfalls`.

    Raises:
        UsageError: There is neither, with the likely meaning if there is one.
    """
    path = Path(name_or_path)
    if name_or_path and "\0" not in name_or_path and os.path.lexists(path):
        return path
    if name_or_path in _paths():
        return _paths()[name_or_path]
    if name_or_path != "." and name_or_path in _folders():
        return _folders()[name_or_path]
    shown = printable(name_or_path)
    if path.suffix or path.name != name_or_path:
        guess = closest(path.name, _neighbours(path.parent))
        if guess is None:
            raise UsageError(Text("{path}: there is no such file", path=shown))
        likely = printable(str(path.parent / guess))
        raise UsageError(
            Text("{path}: there is no such file; did you mean {likely}?", path=shown, likely=likely)
        )
    guess = closest(name_or_path, (*names(), *_folders()))
    if guess is None:
        raise UsageError(
            Text(
                "{name}: no file and no bundled scenario of this name; `rnnstep list` names them", name=shown
            )
        )
    raise UsageError(
        Text(
            "{name}: no file and no bundled scenario of this name; did you mean {guess}?",
            name=shown,
            guess=guess,
        )
    )


def _neighbours(parent: Path) -> list[str]:
    try:
        return [entry.name for entry in parent.iterdir()]
    except (OSError, ValueError):
        return []


# ── the course ───────────────────────────────────────────────────────────────────────────────────

CourseSection = tuple[Text, tuple[str, ...]]

COURSE: tuple[CourseSection, ...] = (
    (
        Text("First steps"),
        ("hello", "rnn_cell", "initial_state", "rnn_cell_batch", "rnn", "hello_rnn", "relu", "float64"),
    ),
    (
        Text("Layers and shapes"),
        (
            "multilayer",
            "bidirectional",
            "batch_first",
            "packed",
            "embedding",
            "windows",
            "mixed",
            "residual_gru",
            "conv1d_lstm",
            "tied",
            "seq2seq",
            "attention",
        ),
    ),
    (Text("Gates"), ("lstm_by_hand", "lstm", "hello_lstm", "gru", "hello_gru", "mgu", "layer_norm_lstm")),
    (
        Text("Learning"),
        ("weather", "names", "generate", "stateful", "vanishing", "vanishing_lstm", "exploding"),
    ),
    (
        Text("Pitfalls"),
        tuple(
            f"pitfalls/{name}"
            for name in (
                "oholo",
                "typo_in_data",
                "shift_by_one",
                "softmax_before_cross_entropy",
                "no_zero_grad",
                "hidden_not_reset",
                "h_0_of_the_wrong_shape",
                "last_output_of_both_directions",
                "backward_inside_the_loop",
            )
        ),
    ),
)

_BACK = "bptt backpropagation through time gradient 梯度 反向传播 随时间反向传播"
_SHAPES = "shapes 形状 维度"

KEYWORDS: Mapping[str, str] = {
    "rnn_by_hand": "first rnn RNNCell tanh W_ih W_hh by hand paper 入门 手算 纸笔 循环神经网络",
    "hello_ohlol": "first one-hot softmax training loop 入门 独热 训练 循环神经网络",
    "layers_and_shapes": f"stacked num_layers bidirectional batch output h_n 堆叠 多层 双向 批 {_SHAPES}",
    "back_through_time": f"backward autograd jacobian vanishing exploding 梯度消失 梯度爆炸 链式法则 {_BACK}",
    "gates": "lstm gru cell state forget gate vanishing 门 遗忘门 细胞状态 长短期记忆 门控循环单元 梯度消失",
    "names_to_countries": "embedding padding packing classification accuracy 嵌入 填充 分类 准确率 国家",
    "eight_mistakes": "pitfalls bugs debugging zero_grad softmax detach 陷阱 错误 调试",
    "hello": f"rnn tanh one-hot 独热 循环神经网络 入门 first {_BACK}",
    "rnn_cell": "by hand paper 手算 纸笔",
    "initial_state": "initial hidden state 初始状态 h0",
    "rnn_cell_batch": f"batch 批 {_SHAPES}",
    "rnn": f"output h_n {_SHAPES}",
    "hello_rnn": f"reduction mean sum 平均 求和 {_BACK}",
    "relu": "overflow infinity inf nan 溢出 无穷 exploding 爆炸",
    "float64": "precision rounding tolerance dtype 精度 舍入 浮点",
    "multilayer": f"stacked num_layers 堆叠 多层 {_SHAPES}",
    "bidirectional": f"birnn reverse 双向 {_SHAPES}",
    "batch_first": _SHAPES,
    "packed": "padding pack_padded_sequence lengths mask 填充 变长",
    "embedding": f"word vectors 词向量 嵌入 {_BACK}",
    "windows": "sliding window time series forecasting 滑动窗口 时间序列",
    "seq2seq": f"encoder decoder teacher forcing sequence to sequence translation 编码器 解码器 {_BACK}",
    "attention": f"additive Bahdanau alignment context query key value weights heat map encoder decoder 注意力 加性 对齐 权重 {_BACK}",
    "mixed": f"layers chain stacked bilstm several modules 堆叠 多个模块 双向 {_BACK}",
    "residual_gru": f"residual skip connection add stacked deep resnet 残差 跳跃连接 堆叠 多层 {_BACK}",
    "conv1d_lstm": f"convolution over time cnn window padding same 卷积 时间窗口 填充 {_BACK}",
    "tied": f"weight tying shared embedding output parameters language model 权重共享 嵌入 语言模型 {_BACK}",
    "generate": f"language model free running sampling greedy feed generation 语言模型 生成 自由运行 {_BACK}",
    "lstm_by_hand": "gates forget gate 门 遗忘门 手算 长短期记忆",
    "lstm": "gates cell state 门 细胞状态 长短期记忆",
    "hello_lstm": f"gates 门 长短期记忆 {_BACK}",
    "gru": "gates reset update 门 重置门 更新门 门控循环单元",
    "hello_gru": f"gates 门 门控循环单元 {_BACK}",
    "mgu": "own cell custom equations 自定义 公式",
    "layer_norm_lstm": "own cell custom equations layer_norm LayerNorm 自定义 公式 归一化 长短期记忆",
    "weather": f"classification binary BCEWithLogitsLoss 分类 二分类 {_BACK}",
    "names": f"classification accuracy overfitting 分类 准确率 过拟合 国家 {_BACK}",
    "stateful": f"carry detach truncated tbptt hidden state windows sine forecasting 隐藏状态 截断 正弦 时间序列 {_BACK}",
    "vanishing": f"vanishing gradient 梯度消失 long-term dependency 长期依赖 jacobian {_BACK}",
    "vanishing_lstm": f"vanishing gradient 梯度消失 forget gate 遗忘门 长期依赖 {_BACK}",
    "exploding": f"exploding gradient 梯度爆炸 clipping clip_grad_norm 梯度裁剪 nan inf 溢出 diverge 发散 {_BACK}",
    "pitfalls/oholo": "target 目标 标签",
    "pitfalls/typo_in_data": "data 数据",
    "pitfalls/shift_by_one": "off by one target 目标 错位 language model 语言模型",
    "pitfalls/softmax_before_cross_entropy": "logits 交叉熵 nll",
    "pitfalls/no_zero_grad": f"accumulate 累积 {_BACK}",
    "pitfalls/hidden_not_reset": "detach stateful 隐藏状态",
    "pitfalls/h_0_of_the_wrong_shape": f"RuntimeError expected hidden size {_SHAPES}",
    "pitfalls/last_output_of_both_directions": f"output[-1] h_n bidirectional 双向 packed padding 填充 最后一步 {_SHAPES}",
    "pitfalls/backward_inside_the_loop": f"retain_graph RuntimeError backward through the graph a second time {_BACK}",
}
"""Words that find a lesson or a scenario beside its name, title and summary, in both languages."""


def course() -> tuple[CourseSection, ...]:
    """Give the bundled scenarios in the order of the course; those that it does not name come last."""
    known = names()
    sections = [(heading, tuple(name for name in listed if name in known)) for heading, listed in COURSE]
    named = {name for _, listed in sections for name in listed}
    more = tuple(name for name in known if name not in named)
    return (*(section for section in sections if section[1]), *([(Text("More"), more)] if more else []))
