"""A scenario that is no file: opened, stepped, edited, saved; nothing is remembered of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

import rnnstep
from rnnstep.folders import state_folder
from rnnstep.reference import Worker
from rnnstep.scenario import bundled
from rnnstep.scenario.file.write import difference
from rnnstep.scenario.localized import Localized
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read
from rnnstep.scenario.recorded import Recorded
from rnnstep.tui.kept_edits import keep_whole
from rnnstep.tui.sources import FileSource

AT = "3/L0/hh[1]"


def made(name: str = "hello") -> Scenario:
    scenario = read(bundled.find(name))
    return replace(
        scenario, name="made/here", title=Localized("made here"), path=None, file_text=None, origins=Origins()
    )


async def test_it_is_opened_stepped_and_left_without_a_word(opened):
    scenario = made()
    async with opened(scenario, at=AT) as screen:
        assert screen.session.run.scenario is scenario
        assert screen.session.place == AT
        await screen.press("right", "R")
        assert screen.session.place != AT
        assert "made in memory" in screen.words
        assert "made/here" in screen.words
        await screen.press("q")
    assert screen.app.farewell == ""


async def test_what_is_edited_is_saved_as_a_file_that_stands_for_it_from_then_on(
    opened, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    async with opened(made(), at=AT) as screen:
        await screen.press("0", "ctrl+s")
        await screen.press("enter")
        await screen.until(lambda: not screen.session.has_unsaved_edits)
        assert screen.debugger.files.source == FileSource(Path("made_here-edited.toml"))
        back = read(tmp_path / "made_here-edited.toml")
        assert back.title.en == "made here (edited)"
        assert difference(replace(screen.session.run.scenario, title=back.title), back) is None


async def test_one_that_was_not_edited_is_saved_too(opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with opened(made()) as screen:
        await screen.press("ctrl+s", "enter")
        assert screen.debugger.files.source == FileSource(Path("made_here.toml"))
        assert difference(screen.session.run.scenario, read(tmp_path / "made_here.toml")) is None
        await screen.press("ctrl+s")
        assert "nothing was edited" in screen.words


async def test_it_stands_beside_files_and_its_place_is_kept(opened):
    async with opened(made("hello_gru"), "hello") as screen:
        await screen.press("right", "right")
        place = screen.session.place
        await screen.press("N")
        await screen.until(lambda: screen.session.run.scenario.name == "hello")
        await screen.press("P")
        await screen.until(lambda: screen.session.run.scenario.name == "made/here")
        assert screen.session.place == place


async def test_what_was_not_saved_at_an_end_against_the_users_will_is_a_file(opened):
    async with opened(made(), at=AT) as screen:
        assert keep_whole(screen.session) is None
        await screen.press("0")
        first, second = keep_whole(screen.session), keep_whole(screen.session)
        assert first.parent == state_folder() / "unsaved"
        assert first.name == "made_here.toml"
        assert second.name == "made_here-2.toml"
        back = read(first)
        assert difference(replace(screen.session.run.scenario, title=back.title), back) is None


async def test_what_was_recorded_stands_beside_and_is_called_so(opened):
    scenario = made()
    output = rnnstep.LoadedScenario(scenario).run().output
    right, wrong = (
        replace(scenario, batches=(replace(scenario.batches[0], recorded=Recorded(output=one)),))
        for one in (output, output + np.float32(1e-3))
    )
    async with opened(right, at="3/L0/h[1]", size=(120, 35), start=Worker) as screen:
        await screen.until(lambda: "✓ recorded" in screen.words)
        assert "torch.nn" not in screen.words
        await screen.press("i", "slash", *"Recorded:", "enter")
        await screen.until(lambda: "were not computed here" in screen.words)
    async with opened(wrong, at="3/L0/h[1]", size=(120, 35), start=Worker) as screen:
        await screen.until(lambda: "✗ the record disagrees" in screen.words)
