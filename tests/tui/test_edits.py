"""What if: editing, undoing, saving, and being asked before an edit is lost."""

from __future__ import annotations

from rnnstep.scenario import bundled
from rnnstep.scenario.read import read
from rnnstep.tui.unsaved import Unsaved

AT = "3/L0/hh[1]"


async def test_zero_then_undo_then_redo(opened):
    async with opened("hello", at=AT) as screen:
        before = screen.session.run.scenario.parameters["weight_hh"][1, 0]
        await screen.press("0")
        assert screen.session.run.scenario.parameters["weight_hh"][1, 0] == 0
        await screen.press("u")
        assert screen.session.run.scenario.parameters["weight_hh"][1, 0] == before
        await screen.press("U")
        assert screen.session.run.scenario.parameters["weight_hh"][1, 0] == 0
        assert screen.session.place == AT


async def test_plus_and_minus_step_by_a_tenth(opened):
    async with opened("hello", at=AT) as screen:
        before = float(screen.session.run.scenario.parameters["weight_hh"][1, 0])
        await screen.press("+", "+", "-")
        after = float(screen.session.run.scenario.parameters["weight_hh"][1, 0])
        assert abs(after - before - 0.1) < 1e-6


async def test_every_edit_asks_torch_anew(opened):
    async with opened("hello", at=AT) as screen:
        await screen.press("0", "u")
        requests = screen.workers[0].requests
        assert len(requests) == 3
        assert len({revision for revision, _ in requests}) == 3
        assert requests[1][1].parameters["weight_hh"][1, 0] == 0


async def test_quitting_with_an_unsaved_edit_asks_and_escape_stays(opened):
    async with opened("hello", at=AT) as screen:
        await screen.press("0", "q")
        await screen.until(lambda: isinstance(screen.app.screen, Unsaved))
        assert "not saved" in screen.text
        await screen.press("escape")
        assert screen.debugger.is_current
        assert screen.app.is_running
        await screen.press("q", "enter")
        assert screen.app.farewell == f"rnnstep hello --at '{AT}'"


async def test_undone_edits_are_not_asked_about(opened):
    async with opened("hello", at=AT) as screen:
        await screen.press("0", "u", "q")
        assert screen.app.farewell


async def test_saving_makes_a_new_file_that_reads_as_the_edited_scenario(opened, tmp_path):
    async with opened("hello") as screen:
        source = screen.debugger.files.source.path.read_text("utf-8")
    copy = tmp_path / "mine.toml"
    copy.write_text(source, "utf-8")
    async with opened(copy, at=AT) as screen:
        await screen.press("0", "ctrl+s")
        await screen.until(lambda: screen.debugger.prompt is not None)
        assert screen.debugger.prompt.question.value == str(tmp_path / "mine-edited.toml")
        await screen.press("enter")
        assert not screen.session.has_unsaved_edits
        saved = read(tmp_path / "mine-edited.toml")
        assert saved.parameters["weight_hh"][1, 0] == 0
        assert copy.read_text("utf-8") == source
        await screen.press("q")
        assert screen.app.farewell == f"rnnstep {tmp_path / 'mine-edited.toml'} --at '{AT}'"


async def test_what_comes_with_the_program_is_saved_where_one_is(opened):
    async with opened("pitfalls/oholo", at=AT) as screen:
        await screen.press("0", "ctrl+s")
        await screen.until(lambda: screen.debugger.prompt is not None)
        assert screen.debugger.prompt.question.value == "oholo-edited.toml"


async def test_the_line_that_comes_back_has_the_options_it_was_opened_with(opened):
    options = {"language": "zh", "dtype": "float64", "memory_limit": 1 << 30, "allow_outside": True}
    async with opened("pitfalls/oholo", at=AT, **options) as screen:
        await screen.press("q")
        given = "--language zh --dtype float64 --memory-limit 1073741824 --allow-outside"
        assert screen.app.farewell == f"rnnstep pitfalls/oholo {given} --at '{AT}'"


async def test_after_saving_header_reading_again_and_quitting_mean_the_new_file(opened, tmp_path):
    copy = tmp_path / "mine.toml"
    copy.write_text(bundled.find("hello").read_text("utf-8"), "utf-8")
    async with opened(copy, at=AT) as screen:
        await screen.press("0", "ctrl+s")
        await screen.until(lambda: screen.debugger.prompt is not None)
        screen.app.focused.value = str(tmp_path / "new.toml")
        await screen.press("enter")
        assert "new  RNNCell" in screen.text
        await screen.press("u")
        assert "new*  RNNCell" in screen.text
        await screen.press("ctrl+s")
        await screen.until(lambda: screen.debugger.prompt is not None)
        assert screen.debugger.prompt.question.value == str(tmp_path / "new-edited.toml")
        await screen.press("escape", "U", "R")
        await screen.until(lambda: "read again" in screen.text)
        assert screen.session.run.scenario.path == tmp_path / "new.toml"
        assert screen.session.run.scenario.parameters["weight_hh"][1, 0] == 0
        await screen.press("q")
        assert screen.app.farewell == f"rnnstep {tmp_path / 'new.toml'} --at '{AT}'"


async def test_what_was_edited_is_said_and_where_nothing_is_lit_nothing_is_edited(opened):
    async with opened("hello", at=AT) as screen:
        await screen.press("0")
        assert "W_hh[1,0]: −0.4897 → 0" in screen.text
        await screen.press("u", "up", "plus")
        assert "go to an element or a term first" in screen.text
        assert screen.session.edits == ()


async def test_a_bare_number_is_taken_and_one_too_large_told(opened):
    async with opened("hello", at=f"{AT}.2") as screen:
        await screen.press("e")
        await screen.until(lambda: screen.debugger.prompt is not None and screen.app.focused is not None)
        screen.app.focused.value = "1e39"
        await screen.press("enter")
        assert "too large for float32" in screen.words
        screen.app.focused.value = "1e3"
        await screen.press("enter")
        assert [(edit.target.shown, edit.value) for edit in screen.session.edits] == [("W_hh[1,2]", 1000.0)]
        assert "→ 1000" in screen.text


async def test_a_file_that_is_there_is_replaced_only_when_asked_twice(opened, tmp_path):
    there = tmp_path / "there.toml"
    there.write_text("precious", "utf-8")
    async with opened("hello", at=AT) as screen:
        await screen.press("0", "ctrl+s")
        await screen.until(lambda: screen.app.focused.id != "canvas")
        screen.app.focused.value = str(there)
        await screen.press("enter")
        assert "is there already" in screen.words
        assert there.read_text("utf-8") == "precious"
        await screen.press("enter")
        assert read(there).parameters["weight_hh"][1, 0] == 0


async def test_save_from_the_question_leads_to_the_prompt(opened):
    async with opened("hello", at=AT) as screen:
        await screen.press("0", "q")
        await screen.until(lambda: isinstance(screen.app.screen, Unsaved))
        await screen.press("s")
        await screen.until(lambda: screen.debugger.prompt is not None)
        assert screen.app.is_running
