"""The pictures of the READMEs are drawn by `python -m docs.pictures`, which is no part of the package."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

PICTURES = Path(__file__).parents[2] / "docs" / "pictures.py"


@pytest.mark.parametrize(("language", "words"), [("en", "timeline"), ("zh", "时间线")])
async def test_a_picture_of_the_readmes_is_drawn(language: str, words: str) -> None:
    found = importlib.util.spec_from_file_location("pictures", PICTURES)
    pictures = importlib.util.module_from_spec(found)
    found.loader.exec_module(pictures)
    drawn = await pictures.draw(language)
    assert drawn.startswith("<svg")
    assert words in drawn
    shown = (PICTURES.parent / pictures.PICTURES[language]).read_text("utf-8")
    assert words in shown
