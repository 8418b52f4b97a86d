"""What the screen itself says: commands, prompts, pages, files, the help."""

TABLE = {
    # commands: groups
    "Moving": "移动",
    "Going elsewhere": "跳转",
    "Running": "运行",
    "What if": "如果改一个数",
    "Looking": "查看",
    "Files": "文件",
    # commands: names and sentences
    "next": "下一处",
    "to the next place at this zoom": "到同一层级的下一处",
    "back": "上一处",
    "to the place before": "到前一处",
    "into": "进入",
    "into the place: step, block, operation, element, term": "进入这一处：步、计算块、运算、元素、项，逐级深入",
    "out": "返回上层",
    "out of it, to what it is part of": "返回它所属的上一层",
    "same, next step": "下一步同处",
    "to the same operation and element of the next step": "到下一时间步的同一运算、同一元素",
    "same, step before": "上一步同处",
    "to the same operation and element of the step before": "到上一时间步的同一运算、同一元素",
    "next row": "下一行",
    "to the next row of the batch": "到批中的下一行",
    "row before": "上一行",
    "to the row of the batch before": "到批中的上一行",
    "start": "开头",
    "to the start: nothing computed yet": "回到开头：什么都还没算",
    "end": "末尾",
    "to the last place at this zoom": "到这一层级的最后一处",
    "go to": "转到",
    "to any place, written like 3/L0/hh[1]; hh is that of this step, Tab completes": "转到任何一处，写法如 3/L0/hh[1]；hh 指当前这一步的，Tab 补全",
    "follow": "追溯",
    "to where the number under the cursor was computed": "到光标处的数被算出来的地方",
    "undo move": "撤销移动",
    "undo the last move, a jump too": "撤销上一次移动，跳转也算",
    "play": "播放",
    "one place a second; any key stops": "每秒走一处；按任意键停止",
    "faster": "加快",
    "play faster": "播放得更快",
    "slower": "放慢",
    "play slower": "播放得更慢",
    "run": "运行",
    "run on to the next breakpoint, or to the end": "运行到下一个断点，没有断点就到末尾",
    "break": "断点",
    "set a breakpoint at the operation at the cursor, or take it away": "在光标处的运算上设置或取消断点",
    "break when": "条件断点",
    "stop where a condition holds: max(abs(h)) > 0.95": "在条件成立处停下：max(abs(h)) > 0.95",
    "watch": "监视",
    "show an expression at every step: norm(h)": "每一步都显示一个表达式的值：norm(h)",
    "drop watches": "清除监视",
    "take all watches away": "去掉所有监视表达式",
    "predict": "先猜后看",
    "hide what each move computes, to let the audience guess": "先盖住每一步算出的数，让大家猜",
    "reveal": "揭晓",
    "show what is hidden": "显示盖住的数",
    "edit": "修改",
    "change the weight, bias, x or h_0 under the cursor; all that depends on it is computed anew": (
        "修改光标处的权重、偏置、x 或 h_0；依赖它的一切都会重新计算"
    ),
    "more": "增大",
    "add 0.1 to the number under the cursor; config.toml may set another edit_step": "光标处的数加 0.1；可在 config.toml 里用 edit_step 另设",
    "less": "减小",
    "take 0.1 from the number under the cursor, or the edit_step of config.toml": "光标处的数减 0.1，或减 config.toml 里的 edit_step",
    "zero": "置零",
    "set the number under the cursor to zero": "把光标处的数设为零",
    "undo edit": "撤销修改",
    "undo the last edit": "撤销上一次修改",
    "redo edit": "重做修改",
    "redo the edit undone last": "重做刚撤销的修改",
    "save": "保存",
    "save the scenario as a file": "把场景存为文件",
    "save the edited scenario as a new file": "把修改后的场景另存为新文件",
    "blackboard": "板书",
    "plot/equations": "图/公式",
    "plot": "图",
    "give the whole screen to the plot, then to the equations, then to all again": (
        "整个屏幕先给图，再给公式，再恢复原样"
    ),
    "close what fills the screen: plot, equations, blackboard": "关闭占满屏幕的内容：图、公式、板书",
    "nothing is open; q quits": "没有打开的内容；按 q 退出",
    "the other values, step by step": "其余的值，逐步列出",
    "fill the screen with the operation, for the back row": "让这个运算占满屏幕，后排也能看清",
    "joined form": "合并形式",
    "show [W_hh W_ih]·[h_prev; x] beside the two products: the same number": (
        "在两个乘积旁显示 [W_hh W_ih]·[h_prev; x]：得到的是同一个数"
    ),
    "info": "信息",
    "shapes, where torch keeps each h, how many parameters and why": "各张量的形状、torch 把每个 h 存在哪里、参数有多少、为什么",
    "more decimals": "多一位小数",
    "show one decimal more": "多显示一位小数",
    "fewer decimals": "少一位小数",
    "show one decimal less": "少显示一位小数",
    "中文": "English",
    "switch between English and Chinese": "在英文和中文之间切换",
    "theme": "主题",
    "the next theme: dark, light, high contrast, 16 colours": "下一个主题：深色、浅色、高对比度、16 色",
    "help": "帮助",
    "all keys, and what is on the screen": "所有按键，以及屏幕上各部分的含义",
    "all": "全部",
    "everything the program can do, by name": "按名称查找程序的全部功能",
    "save a picture": "保存图片",
    "save this screen as an SVG picture": "把当前屏幕保存为 SVG 图片",
    "open": "打开",
    "another scenario": "打开另一个场景",
    "next scenario": "下一个场景",
    "the next scenario of those given": "命令行给出的下一个场景",
    "scenario before": "上一个场景",
    "the scenario before of those given": "命令行给出的上一个场景",
    "read again": "重新读取",
    "read the file again, staying at this place": "重新读取文件，停留在原处",
    "quit": "退出程序",
    "quit; asks when an edit is not saved": "退出程序；有修改未保存时会先询问",
    # what commands answer
    "the joined form stands in a recurrent block of the way forward: go into one with ↓": "合并写法只在前向的循环计算块里显示：按 ↓ 进入一个",
    "decimals go from 0 to {most}": "小数位数可取 0 到 {most}",
    "nothing was edited; e edits the number under the cursor": "还没有修改过；按 e 修改光标处的数",
    "nothing here can be edited: all of it is computed": "这里的数都是算出来的，不能直接修改",
    "this is given, not computed: there is nothing to follow": "这是给定的数，不是算出来的，无处可追溯",
    "plays {speed:g} places a second; space starts": "每秒播放 {speed:g} 处；按空格开始",
    "playing {speed:g} places a second: > and < change it, any key stops": (
        "正在播放，每秒 {speed:g} 处：> 和 < 调节快慢，按任意键停止"
    ),
    "start, by whole epochs: → goes through the first one, ↓ goes back inside": (
        "开头，按整轮移动：→ 走完第一轮，↓ 回到里面"
    ),
    "start, by whole batches: → goes through the first one, ↓ goes back inside": (
        "开头，按整批移动：→ 走完第一批，↓ 回到里面"
    ),
    "start, by whole passes: → goes through the forward one, ↓ goes back inside": (
        "开头，按整趟移动：→ 走完前向，↓ 回到里面"
    ),
    "start, by whole sequences: → goes through the first one, ↓ goes back inside": (
        "开头，按整个序列移动：→ 走完第一个，↓ 回到里面"
    ),
    "start: → computes the first place, ↑ goes out again": "开头：→ 算出第一处，↑ 回到外层",
    # prompts
    "go to a place: 3 is step 3, 3/{key}/{name}[1] element 1 of {name} there, {name} that of this step;"
    " Tab completes": (
        "转到：3 是第 3 步，3/{key}/{name}[1] 是那里 {name} 的元素 1，{name} 是当前这一步的；Tab 补全"
    ),
    "change a weight, a bias, x or h_0, for example W_hh[0,2] = 0.5": "修改一个权重、偏置、x 或 h_0，例如 W_hh[0,2] = 0.5",
    "watch an expression at every step: norm(h), max(abs(h)), h[0] - h_prev[0]": (
        "每一步都监视一个表达式：norm(h)，max(abs(h))，h[0] - h_prev[0]"
    ),
    "stop where this holds: max(abs(h)) > 0.95, t == 3 and h[0] < 0.1; an empty line removes all": (
        "在条件成立处停下：max(abs(h)) > 0.95，t == 3 and h[0] < 0.1；空行去掉全部条件"
    ),
    "a file's name is needed": "请输入文件名",
    "{path} is there already; Enter again replaces it": "{path} 已存在；再按一次回车就覆盖它",
    "made in memory: there is no file to read again": "这个场景是在内存中建立的，没有文件可以重读",
    "edits that were not saved are kept in {path}": "未保存的修改保存在 {path}",
    "saved as {path}": "已保存为 {path}",
    "{saved}; {left_out}": "{saved}；{left_out}",
    "cannot write {path}: {reason}": "无法写入 {path}：{reason}",
    "An edit is not saved.  s saves it   Enter: {going_on} without it   Esc stays": (
        "有修改未保存。s 保存   回车：放弃修改并{going_on}   Esc 留下"
    ),
    "The program ended before edits were saved.  Enter takes them   d drops them   Esc: later": (
        "上次程序结束时有修改未保存。回车采用   d 丢弃   Esc 下次再说"
    ),
    "edits that were not saved are kept, and offered when {name} is opened again": (
        "未保存的修改已留存，再打开 {name} 时会提示"
    ),
    # files
    "changed on disk: R reads it again": "文件在磁盘上已改动：按 R 重新读取",
    "no other scenario was given that way; o opens one": "那个方向没有别的场景了；按 o 打开一个",
    "not opened:": "未能打开：",
    "reading {name} …": "正在读取 {name} …",
    "torch is on its way": "torch 正在加载",
    "the embedding's values come from torch: on their way …": "嵌入层的值由 torch 给出：正在等待 …",
    "{name}: torch gives the embedding's values; they are on their way …": (
        "{name}：嵌入层的值由 torch 给出，正在等待 …"
    ),
    "torch's process could not be started: {reason}": "无法启动 torch 进程：{reason}",
    "comparing with torch failed: {reason}": "与 torch 比较时出错：{reason}",
    # the picker
    "open a scenario": "打开场景",
    "no scenario of this name here; Enter opens `{typed}` as a path": "没有叫这个名字的场景；按回车把 `{typed}` 当作路径打开",
    "this is a folder; a scenario is a file": "这是文件夹；场景应是一个文件",
    # keys of one's own
    "{path}: {problem}": "{path}：{problem}",
    "`{name}` is no command": "没有 `{name}` 这个命令",
    "`{name}` is no command; did you mean `{near}`?": "没有 `{name}` 这个命令；是不是想写 `{near}`？",
    '`{name}`: expected keys as in "x" or "x,ctrl+x"': '`{name}`：应写成 "x" 或 "x,ctrl+x" 这样的按键',
    "`{name}`: `{key}` is taken from `{other}`": "`{name}`：`{key}` 原来是 `{other}` 的按键，现在被占用了",
    "`{name}`: `{key}` is no key": "`{name}`：`{key}` 不是按键",
    "search the commands": "查找命令",
    # pages
    "scroll": "滚动",
    "close": "关闭",
    # the help page
    "A run is a tree: epoch, batch, pass (forward, backward, update), sequence, step, block, operation, element, term; "
    "levels with one member are passed over. The cursor is a place in it; all up to there is computed and "
    "shown, nothing after it. Four keys do everything: → and ← go to the next place and back at this zoom, ↓ "
    "goes into it and ↑ out of it.": (
        "一次运行是一棵树：轮次、批、阶段（前向、反向、更新）、序列、步、计算块、运算、元素、项；只有一个成员的层级会被跳过。光标停在其中一处：到此为止的一切都已算出并显示，"
        "之后的都还没有。四个键就够了：→ 和 ← 在同一层级前后移动，↓ 进入，↑ 返回上层。"
    ),
    "On the screen": "屏幕上的记号",
    "torch computes the same, within what rounding allows": "torch 算出的相同（在舍入允许的范围内）",
    "torch computes something else": "torch 算出的不同",
    "what the cursor's place has just computed": "光标处刚刚算出的数",
    "the number under the cursor": "光标处的数",
    "not computed yet": "还没有算",
    "the value before the last edit": "上一次修改之前的值",
    "the step or line that is being computed": "正在计算的步或行",
    "a breakpoint: c runs to it": "断点：按 c 运行到这里",
    "a negative number; the further from zero, the stronger the colour": "负数；离零越远，颜色越深",
    "a positive number": "正数",
    "Mouse: a click goes to a number or presses a key of the bar below, a second click goes into it, the wheel "
    "steps.": "鼠标：单击一个数就到那里，单击底栏的按键就等于按键；再击一次进入；滚轮前后移动。",
    "Presenter's remote: Page Down and Page Up go on and back, F5 starts; with --remote b and . blank the "
    "screen.": "翻页笔：Page Down 和 Page Up 前进、后退，F5 回到开头；加上 --remote 后，b 和 . 黑屏。",
    'Keys can be changed in keys.toml, by the names in the last column: right = "l,right"; language, theme, decimals'
    " and the step of + and - in config.toml. `rnnstep config` says where they stand.": (
        '按键可以在 keys.toml 里修改，名字见最后一列：right = "l,right"；语言、配色、小数位数和 + - 的步长在 config.toml 里。'
        "文件在哪里，用 `rnnstep config` 看。"
    ),
    "no condition held back to here; C looks further": "往回到这里为止没有条件成立；按 C 继续往回找",
    "no breakpoint before this: this is the start": "前面没有断点了：这里是起点",
    "run back": "往回运行",
    "run back to the last breakpoint before this, or to the start": "往回运行到此前的最后一个断点，或到起点",
    "{told}; Backspace goes to {last}, where you were last": "{told}；按退格键到你上次所在的 {last}",
    "{name}, at the same place": "{name}，同一处",
    "{name}: {here} stands for {there}": "{name}：{here} 对应 {there}",
    "Backspace goes to where you last were: {last}": "按退格键到你上次所在的地方：{last}",
    "what is wrong there is left out": "有问题的设置已略过",
    "{name}: {summary}": "{name}：{summary}",
    "First steps": "入门",
    "Layers and shapes": "层与形状",
    "Gates": "门",
    "Learning": "学习",
    "Pitfalls": "常见错误",
    "More": "其他",
    "Open last": "最近打开",
    "↑ ↓ and Enter open one; type to search, or a path; ? help; Esc or q quits": "↑ ↓ 选择，回车打开；输入文字查找，或输入路径；? 帮助；Esc 或 q 退出",
    "↑ ↓ and Enter open one; type to search, or a path; ? help; Esc or q closes": "↑ ↓ 选择，回车打开；输入文字查找，或输入路径；? 帮助；Esc 或 q 关闭",
    "step through every number of an RNN, LSTM or GRU": "逐步查看 RNN、LSTM、GRU 的每一个数",
    "rnnstep: {what}": "rnnstep：{what}",
    "choose": "选择",
    "open the one that is chosen": "打开选中的场景",
    "narrow the list by names and words, in both languages; a path of a file may stand there, too": "按名字和词筛选，中英文都行；也可以输入文件的路径",
    "this page, where nothing is typed; F1 always": "这一页（没有输入时；F1 任何时候都行）",
    "close the list; q too, where nothing is typed": "关闭列表；没有输入时 q 也行",
    "rnnstep computes a small recurrent network and shows every number on its way, with torch's beside it. Each entry of the list is a file that holds such a network; those that come with it make a course.": "rnnstep 计算一个小的循环神经网络，把途中的每个数都显示出来，旁边是 torch 的数。列表里的每一项是一个文件，里面就是这样一个网络；自带的各项按学习顺序排列。",
    "The list": "列表",
    "compute the next step or number; take it back": "算出下一个数或下一步；再退回去",
    "into it, down to each product; out again": "进到里面，直到求和中的每个乘积；再出来",
    "predict: hides what comes next: guess first": "先猜：接下来的结果先藏起来，猜过再看",
    "help: it begins with what is under the cursor": "帮助：从光标处的东西讲起",
    "quit; nothing here can break anything": "退出；随便试，什么都不会弄坏",
    "first time here? any key closes this, and works": "第一次使用：按任意键关闭这张卡片，按键照常起作用",
    "copy": "复制",
    "copy the line under the cursor as text": "把光标处的一行复制为文本",
    "copy LaTeX": "复制 LaTeX",
    "copy the line under the cursor as LaTeX": "把光标处的一行复制为 LaTeX",
    "go to an operation or an element first (↓): its line is copied": "先到一个运算或元素（↓）：复制的就是那一行",
    "copied to the clipboard: {what}": "已复制到剪贴板：{what}",
    "the first {value}: {command}": "第一个 {value}：{command}",
}
