"""Pictures of the screen: SVG, right for Chinese too."""

from __future__ import annotations

import re

from rnnstep.tui.picture import picture


async def test_chinese_is_given_the_width_it_takes(opened):
    async with opened("hello", language="zh") as screen:
        svg = picture(screen.app.export_screenshot())
    found = re.findall(r'textLength="([\d.]+)"[^>]*>([^<]*)</text>', svg)
    cells = {text: float(length) / 12.2 for length, text in found}
    chinese = [
        text for text in cells if text and not text.isascii() and re.fullmatch("[\u4e00-\u9fff]+", text)
    ]
    assert chinese
    assert all(abs(cells[text] - 2 * len(text)) < 0.01 for text in chinese)
    plain = [text for text in cells if re.fullmatch("[a-z]+", text)]
    assert all(abs(cells[text] - len(text)) < 0.01 for text in plain)
