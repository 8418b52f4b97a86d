"""torch's process: what goes there and back, what is dropped, and that it is gone when it should be."""

from __future__ import annotations

import itertools
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from rnnstep.engine.learning import Learning
from rnnstep.reference.judge.whole_run import TorchAnswer, set_beside
from rnnstep.reference.run.pending_parameters import filled
from rnnstep.reference.worker.client import Worker
from rnnstep.reference.worker.messages import (
    Completed,
    Failed,
    PlaceInTraining,
    Referenced,
    Request,
    Trained,
    receive,
    send,
)
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.info import info
from rnnstep.views.look import Look
from tests.forked import Forked

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds: torch's import on a busy machine
LATER = itertools.count(1000)  # revisions that no test asks for

PLAIN = """
[input]
random = {shape = [4, 2, 3], seed = 1}
[recurrent]
module = "LSTM"
hidden_size = 3
[linear]
out_features = 2
[weights]
seed = 2
"""
PENDING = """
vocabulary = ["a", "b"]
[input]
text = "abba"
[embedding]
embedding_dim = 3
[recurrent]
module = "GRU"
hidden_size = 3
[weights]
seed = 2
"""
LEARNT = """
vocabulary = ["e", "h", "l", "o"]
[input]
text = "hello"
[recurrent]
module = "RNNCell"
hidden_size = 4
[target]
text = "ohlol"
[training]
optimizer = "Adam"
lr = 0.1
epochs = 12
[weights]
seed = 2
"""
BATCHES = """
[input]
values = [0.1, 0.5, -0.3, 0.8, 0.2, -0.9, 0.4, 0.7]
windows = {length = 3, stride = 1, batch_size = 3}
[recurrent]
module = "GRU"
hidden_size = 3
[linear]
out_features = 2
[target]
indices = [[0, 1, 0, 1, 1, 0, 0, 1], [1, 1, 0, 0, 1, 0, 1, 0], [0, 0, 1, 1, 0, 1, 0, 1]]
[training]
optimizer = "SGD"
lr = 0.5
epochs = 3
[weights]
seed = 2
"""


def wait_until(is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def close(worker):
    worker.close()
    process = worker._process
    wait_until(lambda: process.returncode is not None and process.stdin.closed and process.stdout.closed)


def forked_worker(on_reply):
    """A worker that need not import torch; whether the real one does is tested where its start is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", partial(Forked, torch=True))
        return Worker(on_reply)


@pytest.fixture(scope="module")
def replies():
    return queue.Queue()


@pytest.fixture(scope="module")
def started(replies):
    worker = forked_worker(replies.put)
    yield worker
    close(worker)


@pytest.fixture
def worker(started, replies):
    """A worker that several tests ask one after the other; what one of them left is gone before the next."""
    yield started
    last = next(LATER)
    started.submit(last, read_text(PLAIN))
    while replies.get(timeout=PATIENCE).revision != last:
        pass


@pytest.fixture
def lone():
    """A worker of the test's own, with the queue of its replies."""
    found = queue.Queue()
    started = forked_worker(found.put)
    yield started, found
    close(started)


def beside(scenario, *replies, epoch=0):
    """Replies set beside an epoch of ours."""
    answers = {}
    for reply in replies:
        known, more = answers.get(reply.batch, TorchAnswer()), reply.answer
        answers[reply.batch] = TorchAnswer(
            more.forward or known.forward, more.backward or known.backward, more.update or known.update
        )
    return set_beside(Learning(scenario).epoch(epoch), answers)


def referenced(replies, count):
    """The next replies of this kind; none of another is expected but torch's own training."""
    found = []
    while len(found) < count:
        reply = replies.get(timeout=PATIENCE)
        assert isinstance(reply, Referenced | Trained), reply
        found += [reply] if isinstance(reply, Referenced) else []
    return found


def test_torchs_numbers_come_back_and_agree(worker, replies):
    scenario = read_text(PLAIN)
    worker.submit(1, scenario)
    reply = replies.get(timeout=PATIENCE)
    assert isinstance(reply, Referenced)
    assert reply.revision == 1
    checked = beside(scenario, reply)
    assert checked.agrees
    assert checked.comparisons[0].verdict is reply.answer.forward[1]
    assert checked.comparisons[0].value("L0", "c", 3).shape == (2, 3)
    assert checked.beside(0, "backward") is None


def test_pending_parameters_come_first(worker, replies):
    scenario = read_text(PENDING)
    worker.submit(2, scenario)
    completed = replies.get(timeout=PATIENCE)
    assert isinstance(completed, Completed)
    assert set(completed.parameters) == {"embedding.weight"}
    complete = filled(scenario, completed.parameters)
    assert complete.pending is None
    reply = replies.get(timeout=PATIENCE)
    assert isinstance(reply, Referenced)
    checked = beside(complete, reply)
    assert checked.agrees
    assert checked.comparisons[0].verdict is reply.answer.forward[1]


def test_the_way_forward_comes_first_then_the_way_back_and_the_update(worker, replies):
    scenario = read_text(LEARNT)
    worker.submit(3, scenario)
    first, second = referenced(replies, 2)
    assert (first.revision, first.batch, second.batch) == (3, 0, 0)
    assert first.answer.backward is first.answer.update is second.answer.forward is None
    early = beside(scenario, first)
    assert early.agrees
    assert early.beside(0, "forward").value("total", "loss", 4).shape == (1, 1)
    assert early.beside(0, "backward") is None
    checked = beside(scenario, first, second)
    assert checked.agrees
    assert checked.beside(0, "backward").verdict is second.answer.backward[1]
    assert checked.beside(0, "update").verdict is second.answer.update[1]
    assert checked.beside(0, "backward").value("L0", "∂h", 3).shape == (1, 4)
    assert checked.beside(0, "update").value("weight_hh", "m").shape == (4, 4)


def test_a_later_epoch_is_run_from_its_state(worker, replies):
    scenario = read_text(LEARNT)
    learning = Learning(scenario)
    worker.submit(4, scenario, PlaceInTraining(4, 7, learning.state(7)))
    found = referenced(replies, 2)
    checked = beside(scenario, *found, epoch=7)
    assert checked.agrees
    assert checked.beside(0, "backward").verdict is found[1].answer.backward[1]
    assert checked.beside(0, "update").verdict is found[1].answer.update[1]
    loss = checked.beside(0).value("total", "loss", 4).item()
    assert loss == pytest.approx(learning.record(7).loss, rel=1e-6)
    wrong = beside(scenario, *found, epoch=6)  # another epoch's numbers are not taken for it
    assert not wrong.agrees
    assert {fault.phase for _, fault in wrong.faults} == {"forward", "backward", "update"}


def test_the_batch_that_is_asked_for_comes_first_and_the_others_follow(worker, replies):
    scenario = read_text(BATCHES)
    learning = Learning(scenario)
    worker.submit(5, scenario, PlaceInTraining(5, 1, learning.state(1), batch=1))
    found = referenced(replies, 4)
    assert [reply.batch for reply in found] == [1, 1, 0, 2]
    part = beside(scenario, *found[:2], epoch=1)
    assert part.agrees
    assert part.beside(0) is part.comparisons[0] is part.beside(2, "update") is None
    assert part.beside(1, "update").agrees
    whole = beside(scenario, *found, epoch=1)
    assert whole.agrees
    assert all(whole.beside(batch, "backward").agrees for batch in range(3))


def test_torchs_own_training_follows_and_goes_on_where_another_epoch_is_looked_at(worker, replies):
    scenario = read_text(LEARNT.replace("epochs = 12", "epochs = 400"))
    worker.submit(8, scenario)
    losses, is_asked = [], False
    while len(losses) < 400:
        reply = replies.get(timeout=PATIENCE)
        if isinstance(reply, Trained):
            assert reply.revision == 8
            assert reply.index == len(losses)
            assert len(reply.predictions) == len(reply.losses)
            losses += reply.losses
            if not is_asked:
                worker.submit(9, scenario, PlaceInTraining(8, 2, Learning(scenario).state(2)))
                is_asked = True
    learning = Learning(scenario)
    np.testing.assert_allclose(losses[:15], [learning.record(k).loss for k in range(15)], rtol=1e-5)
    worker.submit(10, scenario, PlaceInTraining(8, 1, learning.state(1)))  # it is not begun again
    while replies.get(timeout=PATIENCE).revision != 10:
        pass
    referenced(replies, 1)
    with pytest.raises(queue.Empty):
        replies.get(timeout=0.5)


def test_a_training_that_is_wanted_no_more_is_left(worker, replies):
    worker.submit(11, read_text(LEARNT.replace("epochs = 12", "epochs = 100000")))
    while not isinstance(replies.get(timeout=PATIENCE), Trained):
        pass
    worker.submit(12, read_text(PLAIN))
    (reply,) = referenced(replies, 1)
    assert reply.revision == 12
    with pytest.raises(queue.Empty):
        replies.get(timeout=0.5)


def test_torchs_words_to_a_mistake_that_it_refuses_come_with_its_training(worker, replies):
    scenario = read(bundled.find("pitfalls/backward_inside_the_loop"))
    worker.submit(13, scenario)
    session = Session.open(SessionRun.of(scenario))
    while len(session.run.torch_losses) < scenario.training.epochs:
        reply = replies.get(timeout=PATIENCE)
        if isinstance(reply, Trained):
            session.run.note_trained(reply)
    assert [words.error for words in session.run.refusals] == ["RuntimeError", "RuntimeError"]
    page = ["".join(span.text for span in row).strip() for row in info(session, Look(), 400)]
    assert any(row.startswith("RuntimeError: Trying to backward through the graph a second") for row in page)
    assert "    h = cell(x_t, h)".strip() in page


def test_only_the_newest_request_is_answered(lone):
    worker, replies = lone
    scenario = read_text(PLAIN)
    for revision in range(10, 40):
        worker.submit(revision, scenario)
    reply = replies.get(timeout=PATIENCE)
    assert reply.revision == 39
    with pytest.raises(queue.Empty):
        replies.get(timeout=0.3)


def test_an_edited_run_is_not_taken_for_the_one_that_was_asked(worker, replies):
    scenario = read_text(PLAIN)
    worker.submit(50, scenario)
    reply = replies.get(timeout=PATIENCE)
    weight = scenario.parameters["weight_ih_l0"].copy()
    weight[0, 0] += 0.1
    assert not beside(scenario.with_parameters({"weight_ih_l0": weight}), reply).agrees


def test_a_file_that_cannot_be_used_comes_back_with_its_place(worker, replies, tmp_path):
    import torch

    torch.save({"rnn.weight_ih_l0": torch.zeros(2, 2)}, tmp_path / "net.pt")
    text = PLAIN.replace("seed = 2", 'file = "net.pt"')
    worker.submit(60, read_text(text, tmp_path / "scenario.toml"))
    reply = replies.get(timeout=PATIENCE)
    assert isinstance(reply, Failed)
    assert reply.problems
    assert text.splitlines()[reply.problems[0].line - 1].startswith("file")


def test_what_goes_wrong_inside_comes_back_as_a_message(worker, replies):
    scenario = read_text(PLAIN)
    broken = scenario.with_parameters({"weight_ih_l0": np.zeros((2, 2), np.float32)})
    worker.submit(70, broken)
    reply = replies.get(timeout=PATIENCE)
    assert isinstance(reply, Failed)
    assert "failed" in str(reply.message)
    worker.submit(71, scenario)
    assert isinstance(replies.get(timeout=PATIENCE), Referenced)


def test_closing_does_not_wait_and_nothing_is_said_afterwards():
    replies = queue.Queue()
    worker = Worker(replies.put)
    worker.submit(1, read_text(PLAIN))
    start = time.perf_counter()
    worker.close()
    assert time.perf_counter() - start < 0.5  # torch's import alone takes longer
    wait_until(lambda: worker._process.returncode is not None)
    with pytest.raises(queue.Empty):
        replies.get(timeout=0.2)


def test_a_process_that_dies_is_told_of(lone):
    worker, replies = lone
    worker.submit(5, read_text(PLAIN))
    os.kill(worker._process.pid, signal.SIGKILL)
    reply = replies.get(timeout=PATIENCE)
    assert isinstance(reply, Failed)
    assert reply.revision == 5


def test_the_process_is_of_its_own_session(lone):
    worker, _ = lone
    assert os.getsid(worker._process.pid) == worker._process.pid


@pytest.mark.parametrize("has_request", [False, True])
def test_the_process_ends_when_its_input_does(has_request):
    process = subprocess.Popen(
        [sys.executable, "-m", "rnnstep.reference.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    with process:
        if has_request:
            send(process.stdin.fileno(), Request(1, read_text(PLAIN)))
            assert isinstance(receive(process.stdout.fileno()), Referenced)
        process.stdin.close()
        assert process.wait(timeout=PATIENCE) == 0
        assert process.stdout.read() == b""
        assert process.stderr.read() == b""


def test_a_module_in_the_folder_it_is_started_from_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise SystemExit('taken from the folder')")
    monkeypatch.chdir(tmp_path)
    found = queue.Queue()
    worker = Worker(found.put)
    worker.submit(1, read_text(PLAIN))
    assert isinstance(found.get(timeout=PATIENCE), Referenced)
    close(worker)


def test_messages_of_any_size_go_through_a_pipe():
    reading, writing = os.pipe()
    sent = {"numbers": np.arange(1_000_000), "scenario": read_text(PLAIN)}
    thread = threading.Thread(target=send, args=(writing, Request(3, sent)))
    thread.start()
    received = receive(reading)
    thread.join()
    np.testing.assert_array_equal(received.scenario["numbers"], sent["numbers"])
    assert dict(received.scenario["scenario"].parameters).keys() == sent["scenario"].parameters.keys()
    os.close(writing)
    with pytest.raises(EOFError):
        receive(reading)
    os.close(reading)


def test_starting_imports_neither_numpy_nor_torch():
    program = (
        "import sys\n"
        "from rnnstep.reference.worker.client import Worker\n"
        "worker = Worker(print)\n"
        "worker.close()\n"
        "print([name for name in ('numpy', 'torch', 'textual') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
