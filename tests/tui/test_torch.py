"""torch's numbers: on their way, there, failing, stale; a scenario that waits for them."""

from __future__ import annotations

import pytest

from rnnstep.language import Text
from rnnstep.reference.worker.client import Worker
from rnnstep.reference.worker.messages import Completed, Failed


async def test_numbers_are_on_their_way_until_they_are_there(opened):
    async with opened("hello", at="2") as screen:
        assert screen.look.torch == "loading"
        assert "✓" not in screen.text
        assert "✗" not in screen.text


async def test_real_process_confirms_hello_and_an_edit_of_it(opened):
    async with opened("hello", at="3/L0/hh[1]", start=Worker) as screen:
        await screen.until(lambda: screen.look.torch == "ready")
        assert screen.session.run.checked.agrees
        assert "✓" in screen.text
        await screen.press("0")
        await screen.until(lambda: screen.session.run.revision == 1)
        await screen.until(lambda: screen.look.torch == "ready")
        assert screen.session.run.checked.agrees


async def test_failing_process_is_told_and_all_else_works(opened):
    async with opened("hello", at="2/L0/hh[1]", size=(120, 35)) as screen:
        (revision, _), *_ = screen.workers[0].requests
        screen.workers[0].reply(Failed(revision, Text("no torch here")))
        await screen.until(lambda: screen.look.torch == "failed")
        assert "no torch here" in screen.text
        assert screen.workers[0].is_closed
        await screen.press("right")
        assert screen.session.place == "2/L0/hh[2]"
        await screen.press("0")
        assert len(screen.workers) == 2  # an edit tries again, in another process


async def test_process_that_cannot_be_started_is_told(opened):
    def start(heard):
        raise OSError(11, "Resource temporarily unavailable")

    async with opened("hello", at="2", start=start, size=(120, 35)) as screen:
        assert screen.look.torch == "failed"
        assert "Resource temporarily unavailable" in screen.text


async def test_reply_to_an_older_request_is_dropped(opened):
    async with opened("hello", at="3/L0/hh[1]") as screen:
        (old, _), *_ = screen.workers[0].requests
        await screen.press("0")
        screen.workers[0].reply(Failed(old, Text("late")))
        await screen.pilot.pause()
        assert screen.look.torch == "loading"


async def test_embedding_is_waited_for_on_the_opening_frame(opened):
    async with opened("embedding", is_waited_for=False) as screen:
        await screen.until(lambda: screen.workers[0].requests)
        await screen.until(lambda: "on their way" in screen.text)
        assert screen.session is None
        await screen.press("right", "e", "?")
        await screen.press("escape")
        (revision, scenario), *_ = screen.workers[0].requests
        assert scenario.pending.names == ("embedding.weight",)
        embedding = scenario.lookup
        weight = pytest.importorskip("numpy").ones(
            (embedding.num_embeddings, embedding.embedding_dim), scenario.dtype
        )
        screen.workers[0].reply(Completed(revision, {"embedding.weight": weight}))
        await screen.until(lambda: screen.session is not None)
        assert screen.session.run.scenario.parameters["embedding.weight"].sum() == weight.size
        assert len(screen.workers[0].requests) == 1  # torch's numbers follow by themselves


async def test_embedding_from_the_real_process(opened):
    async with opened("embedding", start=Worker) as screen:
        await screen.until(lambda: screen.look.torch == "ready")
        assert screen.session.run.checked.agrees


async def test_embedding_without_torch_leaves_with_a_message(opened):
    async with opened("embedding", is_waited_for=False) as screen:
        await screen.until(lambda: screen.workers[0].requests)
        (revision, _), *_ = screen.workers[0].requests
        screen.workers[0].reply(Failed(revision, Text("no torch here")))
        await screen.until(lambda: screen.app.problem is not None)
        assert "no torch here" in screen.app.problem
