"""The Chinese of worksheets, and of the command that writes them."""

from __future__ import annotations

TABLE = {
    "a sheet is about one row, and {layer} takes mean and variance of all rows: in evaluation mode it can be worked out": (
        "作业纸只讲一行，而 {layer} 要对所有行求均值和方差：评估模式下才能手算"
    ),
    # the command
    "Write a sheet to work out by hand, blank or with --key solved.\n"
    "The weights are rounded to the decimals that are printed, and used so. --save writes the scenario"
    " that marks it.": (
        "写一张手算练习，空白的，或加 --key 写出解答。\n"
        "权重按印出的小数位数舍入，计算时也用舍入后的数。--save 写出批改它的场景。"
    ),
    "which steps, such as 1-3,5; all by default": "哪些步，例如 1-3,5；默认全部",
    "which values, such as a,h; all by default": "哪些值，例如 a,h；默认全部",
    "of weights and results; 2 by default": "权重和结果的小数位数；默认 2 位",
    "the solved sheet: every operation with numbers put in": "写出解答：每步运算都代入数字",
    "other weights: one sheet for each student": "换一组权重：每个学生一张",
    "search weights of one decimal (whole numbers with --decimals 0) that are pleasant to work with and"
    " show every mistake": ("寻找一位小数（--decimals 0 时为整数）、好算、并且能显出每种错误的权重"),
    "write the scenario of this sheet, for check and grade": "写出这张练习的场景，供 check 和 grade 使用",
    "Markdown, LaTeX or an answers file": "Markdown、LaTeX 或答案文件",
    "--steps: `{text}`: expected steps from 1, such as 1-3,5": "--steps：`{text}`：应为从 1 数起的步，例如 1-3,5",
    "--output and --save are the same file {file}: give them two names": (
        "--output 和 --save 是同一个文件 {file}：请用两个不同的名字"
    ),
    "this sheet's scenario stands in {file}": "这份练习的场景已存入 {file}",
    "these mistakes would not show: {ids}": "这些错误看不出来：{ids}",
    "results of functions next to 0 or to their ends: {count}, and no weights were found with fewer": (
        "接近 0 或接近饱和的函数值有 {count} 个，没有找到更好的权重"
    ),
    "{count} numbers are too many for a sheet of paper: {most} at most": (
        "{count} 个数太多了，一张纸放不下：最多 {most} 个"
    ),
    "`{name}` is a value of step {step} alone": "`{name}` 只在第 {step} 步才有",
    # the sheet
    "{title}: the key": "{title}：解答",
    "Name:": "姓名：",
    "Date:": "日期：",
    "scenario {name}": "场景 {name}",
    "decimals {decimals}": "{decimals} 位小数",
    "seed {seed}": "种子 {seed}",
    "friendly weights, seed {seed}": "好算的权重，种子 {seed}",
    "the scenario's own weights": "场景自带的权重",
    "steps {steps}": "第 {steps} 步",
    "Round the result of every operation to {decimals} decimals (in a sum of products each product, too) and"
    " go on with the rounded number; a half is rounded away from zero.": (
        "每步运算的结果都四舍五入到 {decimals} 位小数（求乘积之和时，每个乘积也要舍入），再用舍入后的数继续算。"
    ),
    "Round the result of every operation to a whole number (in a sum of products each product, too) and go"
    " on with the rounded number; a half is rounded away from zero.": (
        "每步运算的结果都四舍五入到整数（求乘积之和时，每个乘积也要舍入），再用舍入后的数继续算。"
    ),
    "Steps count from 1, elements from 0; the weights are exactly those printed.": (
        "步数从 1 数起，元素从 0 数起；权重就是印出来的数。"
    ),
    "The sheet is about sequence {row} of a batch of {rows}.": "本练习是关于批中第 {row} 条序列的（从 0 数起，共 {rows} 条）。",
    "Products with a factor 0 may be left out; ≈ stands where rounding on the way has changed the last digit.": (
        "有因数为 0 的乘积可能省略不写；逐步舍入使末位不同时写 ≈。"
    ),
    "Equations": "公式",
    "Given": "已知",
    "{blocks} begins at step {last} and goes back to step 1: its {before} comes from the step after in time,"
    " and at step {last} it is {first}.": (
        "{blocks} 从第 {last} 步开始，倒着算到第 1 步：其中的 {before} 来自时间上的后一步，在第 {last} 步则为 {first}。"
    ),
    "{blocks} goes from step 1 to step {last}.": "{blocks} 从第 1 步算到第 {last} 步。",
    "Step {step}": "第 {step} 步",
    "Step {step}, padding, which a window reads": "第 {step} 步，是填充，窗口会读到",
    "Step {step}, {block}": "第 {step} 步，{block}",
    "Step {step}, linear layer": "第 {step} 步，线性层",
    "Linear layer": "线性层",
}
