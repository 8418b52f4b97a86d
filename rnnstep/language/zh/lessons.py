"""The Chinese of lessons: the command, the file, the screen."""

from __future__ import annotations

TABLE = {
    # ── the command ──
    "Follow a lesson from stop to stop.\n"
    "NAME is a bundled lesson, or a file of stops, such as `rnnstep new lesson` begins. Where standard output is not a"
    " terminal, the stops are printed as text.": (
        "一站一站地跟着一课学。\n"
        "NAME 是自带的一课，或一个由各站组成的文件（`rnnstep new lesson` 给出开头）。标准输出不是终端时，以文本打印各站。"
    ),
    "NAME is missing: a bundled lesson (`rnnstep lesson --list`), or a file": (
        "缺少 NAME：自带的一课（`rnnstep lesson --list`），或一个文件"
    ),
    "{name}: there is no [[stop]] in this file": "{name}：这个文件里没有 [[stop]]",
    "{name}: every stop can be reached, {count} in all": "{name}：每一站都能到达，共 {count} 站",
    "print the names of the bundled lessons, one a line": "打印自带各课的名字，每行一个",
    "go to every stop without opening the screen, and tell all mistakes": "不打开界面，逐站走一遍，报告所有错误",
    "open at a stop, from 1": "从第几站打开（从 1 数起）",
    "{name} is a lesson: `rnnstep lesson {name}` opens it": "{name} 是一课：用 `rnnstep lesson {name}` 打开",
    "{name}: no file and no bundled lesson of this name; did you mean {guess}?": (
        "{name}：没有叫这个名字的文件或自带的课；是不是 {guess}？"
    ),
    "{name}: no file and no bundled lesson of this name; `rnnstep lesson --list` names them": (
        "{name}：没有叫这个名字的文件或自带的课；`rnnstep lesson --list` 列出它们"
    ),
    "there is no stop {number}: {name} has {count}": "没有第 {number} 站：{name} 共 {count} 站",
    "What is it?": "这个数是多少？",
    "`say`: {count} rows more than a screen of 80×24 shows with its question": (
        "`say`：连同问题比 80×24 的屏幕能显示的多 {count} 行"
    ),
    # ── the file ──
    "a list of strings": "字符串列表",
    "a list of {names}": "由 {names} 组成的列表",
    "a bundled scenario, or the path of a .toml file beside the lesson": (
        "自带场景的名字，或这一课旁边的 .toml 文件的路径"
    ),
    "a bundled scenario, or a path beside the lesson": "自带场景的名字，或这一课旁边的路径",
    "tables: [[stop]] with `at` and `say` each": "表：每个 [[stop]] 有 `at` 和 `say`",
    "`say` is missing: expected {expected}": "缺少 `say`：应为{expected}",
    "what is said at this stop": "这一站要说的话",
    "found {count} stops, expected {most} at most": "有 {count} 站，最多 {most} 站",
    "`scenario`: the stops of a scenario are in itself; stops in several are a lesson, a file without a model": (
        "`scenario`：场景自己的各站就在它自身里；跨多个场景的各站是一课，写在没有模型的文件里"
    ),
    '`ask`: expected "value", or `options` and `answer` beside the question': (
        '`ask`：应为 "value"，或者问题旁边有 `options` 和 `answer`'
    ),
    "{least} to {most} of them": "{least} 到 {most} 个",
    "which option is right, from 1": "哪个选项正确（从 1 数起）",
    "one of the {count} options, from 1": "{count} 个选项之一（从 1 数起）",
    '`{key}`: with ask = "value" the place\'s own numbers are the answer': (
        '`{key}`：ask = "value" 时，答案就是这个位置自己的数'
    ),
    "`{key}`: nothing is asked here; `ask` asks": "`{key}`：这里没有提问；提问用 `ask`",
    '`show`: "beside" shows a second run, and no `beside` says which': (
        '`show`："beside" 显示第二个运行，但没有用 `beside` 说明是哪一个'
    ),
    "`at`: {reason}": "`at`：{reason}",
    "`beside`: {reason}": "`beside`：{reason}",
    "`ask`: no single value stands at {place}; name an operation or an element, such as 1/L0/hh[0]": (
        "`ask`：{place} 处不是单独一个值；请指明一个运算或元素，例如 1/L0/hh[0]"
    ),
    # ── the template ──
    "a sentence or two, in Markdown": "一两句话，Markdown",
    "rnnstep lesson FILE opens it; --check goes to every stop and tells all mistakes": (
        "用 rnnstep lesson FILE 打开；--check 逐站走一遍，报告所有错误"
    ),
    "a bundled one, or the path of a .toml file beside this one": "自带的场景，或与本文件放在一起的 .toml 文件的路径",
    "a place; g goes to one, and the line at the end of a session names it": (
        "一个位置；按 g 可以去一个位置，退出时的那一行会写出它"
    ),
    "without a scenario: in the one before": "不写 scenario：与上一站在同一个场景",
    "step 1, layer 0, operation hh, its number 1": "第 1 步，第 0 层，运算 hh，下标为 1 的数",
    "the number is hidden until it is typed right, or shown with Tab or .": (
        "这个数先遮住，直到输入正确，或用 Tab 或 . 显示"
    ),
    "one language, or both": "一种语言，或两种都写",
    "2 to 9 of them": "2 到 9 个",
    "which one is right, from 1": "哪一个正确（从 1 数起）",
    "what gets the room: plot, equations, cell, timeline, beside": (
        "把空间给谁：plot、equations、cell、timeline、beside"
    ),
    "a second run under the same cursor": "同一个光标下的第二个运行",
    # ── a number that is typed ──
    "look at the signs": "检查正负号",
    "count the terms of the sum": "数一数和里有几项",
    "the sum has the other sign": "整个和的正负号反了",
    "term {number} is missing": "漏了第 {number} 项",
    "term {number} has the other sign": "第 {number} 项的正负号反了",
    # ── the screen ──
    "Lessons": "课程",
    "stop {number}/{count}": "第 {number}/{count} 站",
    "{stop}: {key} goes on": "{stop}：按 {key} 继续",
    "at {place}; now elsewhere": "本站在 {place}，现已离开",
    "What is it? Type the number, Enter; {key} shows it": "这个数是多少？输入后按 Enter；按 {key} 显示答案",
    "too coarse to tell: say it with two decimals at least": "太粗略，判断不了：至少写两位小数",
    "training to epoch {number} …": "正在训练到第 {number} 轮 ……",
    "answered right": "答对了",
    "shown": "已显示答案",
    "[question]": "［问题］",
    "not this one; another, or {key} shows it": "不对；再选一个，或按 {key} 显示答案",
    "go there": "到那一站",
    "close the lesson": "结束这一课",
    "next stop": "下一站",
    "stop before": "上一站",
    "stops": "各站",
    "to the next stop of the lesson, or of the scenario; first it shows what is asked": (
        "去这一课（或场景）的下一站；有问题没有回答时，先显示答案"
    ),
    "to the stop before; a remote's PageDown, PageUp and F5 go from stop to stop, too": (
        "去上一站；翻页笔的 PageDown、PageUp 和 F5 也一站一站地走"
    ),
    "the list of all stops of the lesson": "这一课所有站的列表",
    "this scenario has no stops; `o` opens a lesson, whose stops Tab goes along": (
        "这个场景没有站；按 `o` 打开一课，Tab 沿着它的各站走"
    ),
    "this is the first stop": "这是第一站",
    "this is the last stop; S lists them all": "这是最后一站；按 S 列出所有站",
    "the last time you came to stop {number}; S lists the stops": "上次到了第 {number} 站；按 S 列出各站",
}
