"""A few screens as pictures, so that a change of looks is seen. `pytest --snapshot-update` takes the new ones."""

from __future__ import annotations

import pytest
from syrupy.extensions.image import SVGImageSnapshotExtension

from rnnstep.tui.picture import screenshot

SCREENS = {
    "element_dark": ("hello", (80, 24), [], {"at": "3/L0/hh[1]"}),
    "operation_light_chinese": (
        "lstm",
        (120, 35),
        [],
        {"at": "2/L1/c", "theme": "light", "language": "zh"},
    ),
    "blackboard_light": ("hello", (80, 24), ["z"], {"at": "3/L0/hh[1]", "theme": "light"}),
    "plot_16_chinese": (
        "vanishing",
        (60, 17),
        ["v"],
        {"at": "backward:30", "theme": "16", "language": "zh"},
    ),
    "prompt_high_contrast": ("hello", (60, 17), ["e"], {"at": "3/L0/hh[1]", "theme": "high-contrast"}),
    "picker_ascii": ("hello", (80, 24), ["o", "down"], {"is_ascii": True}),
}


@pytest.mark.parametrize("name", SCREENS)
async def test_screen_looks_as_it_did(opened, snapshot, name):
    scenario, size, keys, options = SCREENS[name]
    async with opened(scenario, size=size, **options) as screen:
        await screen.press(*keys)
        for line in screen.app.screen.query("Input"):
            line.cursor_blink = False
        await screen.pilot.pause()
        assert screenshot(screen.app) == snapshot(extension_class=SVGImageSnapshotExtension)
