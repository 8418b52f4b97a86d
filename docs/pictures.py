"""Draw the pictures of the READMEs: `python -m docs.pictures` writes docs/hello.svg and docs/hello.zh.svg."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from rnnstep.reference import Worker
from rnnstep.scenario import bundled
from rnnstep.tui.app import DebuggerApp
from rnnstep.tui.options import Options
from rnnstep.tui.picture import picture
from rnnstep.tui.remembered import Remembered, remember
from rnnstep.tui.sources import FileSource
from rnnstep.tui.torch import Torch

FOLDER = Path(__file__).parent
SIZE = (120, 35)
PLACE = "3/L0/hh[1]"
PICTURES = {"en": "hello.svg", "zh": "hello.zh.svg"}


async def draw(language: str) -> str:
    """Give the screen at `PLACE` of hello, torch's numbers beside, as SVG."""
    torch = Torch(Worker)
    options = Options(language=language, at=PLACE, theme="dark")
    app = DebuggerApp([FileSource(bundled.find("hello"))], options, torch)
    try:
        async with app.run_test(size=SIZE) as pilot:
            while app.debugger.session is None or app.debugger.session.run.checked is None:
                await pilot.pause(0.05)
            await pilot.pause()
            return picture(app.export_screenshot())
    finally:
        torch.close()


if __name__ == "__main__":
    home = tempfile.mkdtemp()  # no settings of the one who draws, and no card of a first start
    os.environ |= {"XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home}
    remember(Remembered({}, has_seen_card=True))
    for language, name in PICTURES.items():
        (FOLDER / name).write_text(asyncio.run(draw(language)), encoding="utf-8")
