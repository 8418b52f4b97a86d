"""torch's process: what goes there and back, what is dropped, and that it is gone when it should be."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from rnnstep.engine import Model
from rnnstep.reference.client import Worker
from rnnstep.reference.comparison import set_beside
from rnnstep.reference.messages import Completed, Failed, Referenced, Request, receive, send
from rnnstep.reference.pending import filled
from rnnstep.scenario.read import read_text

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds: torch's import on a busy machine

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


def wait_until(is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def close(worker):
    worker.close()
    process = worker._process
    wait_until(lambda: process.returncode is not None and process.stdin.closed and process.stdout.closed)


@pytest.fixture(scope="module")
def replies():
    return queue.Queue()


@pytest.fixture(scope="module")
def worker(replies):
    started = Worker(replies.put)
    yield started
    close(started)


@pytest.fixture
def lone():
    """A worker of the test's own, with the queue of its replies."""
    found = queue.Queue()
    started = Worker(found.put)
    yield started, found
    close(started)


def test_torchs_numbers_come_back_and_agree(worker, replies):
    scenario = read_text(PLAIN)
    worker.submit(1, scenario)
    reply = replies.get(timeout=PATIENCE)
    assert isinstance(reply, Referenced)
    assert reply.revision == 1
    checked = set_beside(Model(scenario).run(), reply.references, reply.verdicts)
    assert checked.agrees
    assert checked.comparisons[0].verdict is reply.verdicts[0]
    assert checked.comparisons[0].value("L0", "c", 3).shape == (2, 3)


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
    checked = set_beside(Model(complete).run(), reply.references, reply.verdicts)
    assert checked.agrees
    assert checked.comparisons[0].verdict is reply.verdicts[0]


def test_only_the_newest_request_is_answered(worker, replies):
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
    edited = Model(scenario.with_parameters({"weight_ih_l0": weight})).run()
    assert not set_beside(edited, reply.references, reply.verdicts).agrees


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


def test_closing_does_not_wait_and_nothing_is_said_afterwards(lone):
    worker, replies = lone
    worker.submit(1, read_text(PLAIN))
    start = time.perf_counter()
    worker.close()
    assert time.perf_counter() - start < 0.05
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
        "from rnnstep.reference.client import Worker\n"
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
