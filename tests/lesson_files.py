"""A lesson in two scenarios, as a teacher would write one."""

from __future__ import annotations

LESSON = """\
title = {en = "Trying", zh = "试一试"}

[[stop]]
scenario = "hello"
say = {en = "One `RNNCell` reads **hello**.", zh = "一个 `RNNCell` 读 **hello**。"}

[[stop]]
at = "3/L0/hh[1]"
say = "What does the memory add to this unit?"
ask = "value"

[[stop]]
at = "3/L0/h"
say = "Then tanh."
ask = {en = "What makes the two steps differ?", zh = "为什么不同？"}
options = ["W_ih @ x", "W_hh @ h_prev", {en = "nothing", zh = "没有"}]
answer = 2

[[stop]]
scenario = "rnn_cell"
at = "2/L0/h"
say = "Another scenario."
show = ["plot"]
"""

OWN_STOPS = """\
[[stop]]
at = "1/L0/h"
say = "The first state."

[[stop]]
at = "2/L0/h"
say = "The second one."
"""
