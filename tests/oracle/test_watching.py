"""A program that is watched: where it is stopped, what is said of it, and that nothing is said of one without a finding."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path

import pytest
import torch

import rnnstep
from rnnstep.capturing import watching
from rnnstep.capturing.finding import Stopped
from rnnstep.capturing.listening import way_in_use
from rnnstep.capturing.watching import Watcher, session_of
from rnnstep.cli import main
from rnnstep.errors import EquationError
from tests import forked

TRAIN = """
import torch
torch.manual_seed(0)
lstm = torch.nn.LSTM(3, 4)
head = torch.nn.Linear(4, 1)
parameters = [*lstm.parameters(), *head.parameters()]
optimizer = torch.optim.SGD(parameters, lr=0.1)
x = torch.randn(6, 2, 3)
for step in range(10):
    {change}
    y, _ = lstm(x)
    loss = head(y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
"""
# torch.optim imports for seconds what compiles programs: for a program of which only its start and its end are looked at
BY_HAND = """
class SGD:
    def zero_grad(self):
        for one in parameters: one.grad = None
    def step(self):
        for one in parameters: one.data.sub_(one.grad, alpha=0.1)
"""


def stopped(program: str, when: str | None = None) -> tuple[Watcher, Stopped]:
    watch = Watcher(when=when)
    with pytest.raises(Stopped) as caught, watch:
        exec(compile(program, "train.py", "exec"), {"__name__": "__main__"})
    assert way_in_use() is None
    return watch, caught.value


def train(change: str) -> str:
    return TRAIN.replace("{change}", change)


def train_by_hand(change: str) -> str:
    return BY_HAND + train(change).replace("torch.optim.SGD(parameters, lr=0.1)", "SGD()")


# ── where it stops ───────────────────────────────────────────────────────────────────────────


def test_the_first_number_of_a_forward_pass_is_found():
    """x of one row and step is huge: ih overflows at that step and row, and so does h of a relu."""
    program = train("if step == 7: x[3, 1] = 3e38; lstm.weight_ih_l0.data.fill_(2.0)")
    _, found = stopped(program.replace("torch.nn.LSTM(3, 4)", "torch.nn.RNN(3, 4, nonlinearity='relu')"))
    assert str(found).startswith("rnn[7]:4/L0/ih[0]@row1: inf, made of finite ")
    assert found.finding.place == "rnn[7]:4/L0/ih[0]@row1"


def test_a_given_nan_is_said_to_be_given():
    _, found = stopped(train("if step == 2: x[4, 0, 1] = float('nan')"))
    assert found.finding.place == "lstm[2]:5/L0/ih_i[0]"
    assert "x[1] = NaN is given so" in str(found)


def test_a_gradient_from_outside_is_found_where_it_arrives():
    program = train("pass").replace(
        "loss = head(y).square().mean()", "loss = (y[2, 0, 0] * 0).sqrt() if step == 3 else y.sum()"
    )
    _, found = stopped(program)
    assert found.finding.place is not None
    assert found.finding.place.startswith("lstm[3]:backward:3/L0/")


def test_an_update_that_makes_a_weight_infinite_is_named():
    """The gradient is finite, and so large a step of it is not."""
    _, found = stopped(
        train("if step == 5: optimizer.param_groups[0]['lr'] = 3e38; head.weight.data.mul_(1e6)")
    )
    text = str(found)
    assert "after this update (SGD, lr = 3e+38)" in text
    assert text.startswith("lstm.weight_")
    place = found.finding.place
    assert place is not None
    assert place.startswith("lstm[5]:backward:")
    # The place is the gradient that the update was made from.
    assert found.finding.call is not None
    session = session_of(found.finding.call).at(found.finding.at or "")
    spot = session.spot
    assert spot is not None
    assert spot.operation is not None
    value = session.run.known(spot, 0)[spot.operation].reshape(-1)[spot.element]
    assert f"its gradient {value:.4g}" in text


CELL = """
import torch
torch.manual_seed(0)
cell = torch.nn.RNNCell(2, 3, nonlinearity="relu")
cell.weight_hh.data.fill_(4.0)
cell.weight_ih.data.fill_(1.0)
h = torch.zeros(1, 3)
for t in range(100):
    h = cell(torch.ones(1, 2), h)
print("never")
"""


def test_a_loop_around_a_cell_is_stopped_and_its_step_found():
    """h grows by 12 a step: 12^t passes 3.4e38 at a known step, which torch's own loop says, too."""
    _, found = stopped(CELL)
    cell = torch.nn.RNNCell(2, 3, nonlinearity="relu")
    torch.manual_seed(0)
    cell = torch.nn.RNNCell(2, 3, nonlinearity="relu")
    cell.weight_hh.data.fill_(4.0)
    cell.weight_ih.data.fill_(1.0)
    h, step = torch.zeros(1, 3), 0
    while torch.isfinite(h).all():
        h, step = cell(torch.ones(1, 2), h), step + 1
    assert found.finding.place is not None
    assert found.finding.place.startswith(f"cell[0]:{step}/L0/") or found.finding.place.startswith(
        f"rnncell[0]:{step}/L0/"
    )


def test_a_short_loop_is_looked_at_when_something_follows():
    _, found = stopped(
        CELL.replace("range(100)", "range(39)").replace('print("never")', "cell(torch.ones(1, 2))")
    )
    assert ": inf" in str(found) or ": NaN" in str(found)


@pytest.mark.parametrize("condition", ["norm(h) > 0.5", "max(abs(c)) > 0.4"])
def test_a_condition_stops_where_it_first_holds(condition):
    watch, found = stopped(train("pass").replace("lr=0.1", "lr=2.0"), when=condition)
    assert found.finding.call is not None
    session = session_of(found.finding.call).at(found.finding.at or "")
    assert str(found).endswith(condition)
    assert session.place == found.finding.at
    assert watch.finding is found.finding


def test_an_exception_that_training_catches_does_not_catch_this():
    program = train("if step == 1: x[0, 0, 0] = float('nan')").replace(
        "    y, _ =", "    try: pass\n    except Exception: pass\n    y, _ ="
    )
    guarded = textwrap.indent(program, "    ").replace("\n    import torch", "\nimport torch", 1)
    _, found = stopped(
        "try:\n"
        + guarded.replace("\nimport torch", "\n    import torch", 1)
        + "\nexcept Exception:\n    print('caught')\n"
    )
    assert found.finding.place is not None


def test_checkpointing_is_no_false_alarm():
    program = train("pass").replace(
        "y, _ = lstm(x)", "y = checkpoint(lambda x: lstm(x)[0], x, use_reentrant=False)"
    )
    with Watcher() as watch:
        exec(
            compile("from torch.utils.checkpoint import checkpoint\n" + program, "train.py", "exec"),
            {"__name__": "__main__"},
        )
    assert watch.finding is None


def test_large_finite_numbers_are_no_false_alarm():
    """Their sum overflows, they do not."""
    rnn = torch.nn.RNN(1, 64, nonlinearity="relu")
    with torch.no_grad(), Watcher() as watch:
        for parameter in rnn.parameters():
            parameter.zero_()
        rnn.bias_ih_l0.fill_(3e38)
        assert torch.isfinite(rnn(torch.zeros(4, 1, 1))[0]).all()
    assert watch.finding is None


def test_the_numbers_are_those_without_it():
    program = train("pass")

    def losses(*, is_watched: bool) -> list[float]:
        names: dict[str, object] = {"__name__": "__main__", "print": lambda *told: found.append(told[1])}
        found: list[float] = []
        if is_watched:
            with Watcher():
                exec(compile(program, "train.py", "exec"), names)
        else:
            exec(compile(program, "train.py", "exec"), names)
        return found

    assert losses(is_watched=True) == losses(is_watched=False)


# ── rnnstep run ──────────────────────────────────────────────────────────────────────────────


# Programs find what stands beside them, as they do for whoever runs them.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"} | {
    "LANG": "C.UTF-8"
}


def run(
    *arguments: str, folder: Path, program: str | None = None, is_fork: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a program by `rnnstep run`; as a fork where only what is said after its start is looked at."""
    if program is not None:
        (folder / "train.py").write_text(program, "utf-8")
    command = [sys.executable, "-m", "rnnstep", "run", *arguments]
    if is_fork:
        return forked.run(command, torch=True, cwd=folder, text=True, env=ENVIRONMENT)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=ENVIRONMENT)


def test_a_finding_exits_1_says_where_and_saves(tmp_path):
    done = run("train.py", folder=tmp_path, program=train_by_hand("if step == 7: x[3, 1] = float('inf')"))
    assert done.returncode == 1
    assert done.stdout.count("\n") == 7  # what the program printed before
    said = done.stderr.splitlines()
    assert said[-3].startswith("lstm[7]:4/L0/ih_i[0]@row1: ")
    assert said[-2].startswith("in train.py, line ")
    assert said[-1] == (
        "the last calls are in rnnstep-train: `rnnstep rnnstep-train/007-lstm-7.toml --at '4/L0/ih_i[0]@row1'` opens this one"
    )
    assert main(["trace", str(tmp_path / "rnnstep-train" / "007-lstm-7.toml"), "--no-torch"]) == 0
    again = run("--save", "here", "train.py", folder=tmp_path, is_fork=True)
    assert "the last calls are in here: " in again.stderr
    third = run("train.py", folder=tmp_path, is_fork=True)
    assert "rnnstep-train-2" in third.stderr  # nothing is written over


PASSED_OVER = {
    "caught": "try:\n    f()\nexcept:\n    print('on')",
    "exit": "try:\n    f()\nfinally:\n    sys.exit(0)",
    "thread": "t = threading.Thread(target=f)\nt.start()\nt.join()",
    "errors closed": "sys.stderr.close()\nf()",
    "no streams": "sys.stdout = sys.stderr = None\nf()",
}


@pytest.mark.parametrize("way", PASSED_OVER)
def test_a_finding_is_kept_whatever_the_program_does_about_it(tmp_path, way):
    program = (
        "import sys, threading, torch\nfrom torch import nn\n"
        "def f():\n    nn.LSTM(2, 3)(torch.full((2, 1, 2), float('nan')))\n"
    )
    done = run("train.py", folder=tmp_path, program=program + PASSED_OVER[way])
    assert done.returncode == 1
    assert (tmp_path / "rnnstep-train" / "000-lstm-0.toml").is_file()
    if way in ("caught", "exit", "thread"):
        assert "1/L0/ih_i[0]: NaN" in done.stderr
        assert "the program caught what stops it there" in done.stderr


@pytest.mark.parametrize("gone", ["", "; os.rmdir(os.getcwd())"])
def test_calls_are_saved_where_the_program_was_started(tmp_path, gone):
    program = (
        "import os, torch\nfrom torch import nn\n"
        f"os.mkdir('sub'); os.chdir('sub'){gone}\nnn.LSTM(2, 3)(torch.full((2, 1, 2), float('nan')))\n"
    )
    done = run("train.py", folder=tmp_path, program=program)
    assert done.returncode == 1
    assert (tmp_path / "rnnstep-train" / "000-lstm-0.toml").is_file()


@pytest.mark.parametrize(
    "end", ["sys.stdout.close()", "sys.stdout = None", "sys.stdout = io.StringIO(); sys.stdout.close()"]
)
def test_a_program_may_close_its_output(tmp_path, end):
    done = run("train.py", folder=tmp_path, program=f"import io, sys, torch\nprint('a')\n{end}\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a\n", "")


ARGUMENTS = """
import os, sys
print(sys.argv, __name__, __file__ == os.path.abspath("train.py"), sys.path[0] == os.getcwd())
print({"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"), "torch": "torch" in sys.modules})
sys.exit(int(sys.argv[-1]))
"""


def test_a_program_without_a_finding_is_as_with_python(tmp_path):
    (tmp_path / "train.py").write_text(ARGUMENTS, "utf-8")
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "OMP_NUM_THREADS"}
    for status in ("0", "7"):
        words = ["train.py", "--when", "x", "-m", status]
        plain = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, env=environment
        )
        watched = subprocess.run(
            [sys.executable, "-m", "rnnstep", "run", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=environment,
        )
        assert (watched.returncode, watched.stdout, watched.stderr) == (
            plain.returncode,
            plain.stdout,
            plain.stderr,
        )


@pytest.mark.parametrize(
    "program",
    [
        "raise ValueError('no')",
        "import sys\nsys.exit('text')",
        "1 +",
        "import sys\nsys.exit()",
        "import sys\nsys.exit(2**70)",
        "def f():\n    f()\nf()",
    ],
    ids=["exception", "exit text", "syntax", "exit", "large exit", "recursion"],
)
def test_an_end_of_another_kind_is_as_with_python(tmp_path, program):
    (tmp_path / "train.py").write_text(program, "utf-8")
    plain = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True)
    watched = run("train.py", folder=tmp_path)
    assert (watched.returncode, watched.stdout) == (plain.returncode, plain.stdout)
    assert watched.stderr.splitlines()[-1:] == plain.stderr.splitlines()[-1:]
    assert "rnnstep" not in watched.stderr


def test_a_module_with_relative_imports(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("", "utf-8")
    (package / "name.py").write_text("NAME = 'relative'", "utf-8")
    (package / "train.py").write_text(
        "import sys\nfrom .name import NAME\nprint(NAME, __name__, sys.argv[1:])", "utf-8"
    )
    done = run("-m", "package.train", "a", "--b", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "relative __main__ ['a', '--b']\n")


WORKERS = """
import torch
from torch.utils.data import DataLoader, Dataset

class Rows(Dataset):
    def __len__(self): return 8
    def __getitem__(self, index): return torch.full((5, 3), float(index))

if __name__ == "__main__":
    lstm = torch.nn.LSTM(3, 4, batch_first=True)
    for batch in DataLoader(Rows(), batch_size=4, num_workers=1, multiprocessing_context="spawn"):
        print(tuple(lstm(batch)[0].shape))
"""


def test_a_loader_in_another_process(tmp_path):
    done = run("train.py", folder=tmp_path, program=WORKERS, is_fork=True)
    assert (done.returncode, done.stdout) == (0, "(4, 5, 4)\n(4, 5, 4)\n"), done.stderr


def test_a_state_of_a_wrong_shape_is_told_with_what_was_given(tmp_path):
    program = "import torch\ntorch.nn.LSTM(3, 4)(torch.zeros(5, 2, 3), (torch.zeros(1, 3, 4), torch.zeros(1, 2, 4)))\n"
    done = run("train.py", folder=tmp_path, program=program, is_fork=True)
    assert done.returncode == 1
    assert "RuntimeError: Expected hidden[0] size (1, 2, 4)" in done.stderr
    assert (
        "LSTM(3, 4): this call raised RuntimeError; it was given x (5, 2, 3), h_0 (1, 3, 4), c_0 (1, 2, 4)"
        in done.stderr
    )


def test_a_signal_ends_it_as_python(tmp_path):
    (tmp_path / "train.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n", "utf-8")

    # A job in the background of a shell ignores it, and so would what it starts.
    heeding = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
        "os.execv(sys.executable, [sys.executable, '-m', 'rnnstep', 'run', 'train.py'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", heeding],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert told.rstrip().endswith("KeyboardInterrupt")


def test_a_condition_that_cannot_be_asked_is_no_business_of_the_programs(tmp_path):
    program = (
        "import torch\ntry:\n    torch.nn.GRU(2, 3)(torch.zeros(4, 1, 2))\n"
        "except Exception as error:\n    print('caught', error)\n"
    )
    bad = run("--when", "norm(", "train.py", folder=tmp_path, program=program, is_fork=True)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("--when, column ")
    unknown = run("--when", "norm(c) > 1", "train.py", folder=tmp_path, is_fork=True)
    assert (unknown.returncode, unknown.stdout) == (0, "")
    assert "--when: unknown name `c`" in unknown.stderr
    with pytest.raises(EquationError):
        rnnstep.watch(when="norm(")


def test_what_is_missing_is_told(tmp_path, capsys):
    assert run("nowhere.py", folder=tmp_path).returncode == 2
    assert main(["run"]) == 2
    assert "SCRIPT is missing" in capsys.readouterr().err
    assert main(["run", "-m"]) == 2
    assert "MODULE is missing" in capsys.readouterr().err


# ── from Python ──────────────────────────────────────────────────────────────────────────────


def test_watch_to_the_end_of_a_program(tmp_path):
    program = "import rnnstep\nrnnstep.watch()\n" + train_by_hand("if step == 7: x[3, 1] = float('nan')")
    (tmp_path / "train.py").write_text(program, "utf-8")
    done = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Stopped: lstm[7]:4/L0/ih_i[0]@row1: NaN" in done.stderr
    assert (tmp_path / "rnnstep-train" / "007-lstm-7.toml").is_file()


def test_a_watch_puts_everything_back():
    hook = sys.excepthook
    with rnnstep.watch() as watch:
        assert sys.excepthook != hook
        torch.nn.GRU(2, 3)(torch.zeros(4, 1, 2))
    assert len(watch.seen) == 1
    assert sys.excepthook == hook
    assert way_in_use() is None


@pytest.mark.parametrize("listens", [rnnstep.capture, rnnstep.watch])
def test_what_is_no_longer_held_is_gone_at_once(listens):
    """A collector does not see what hooks of autograd hold."""
    cell, state = torch.nn.LSTMCell(2, 3), None
    with listens() as heard:
        for x in torch.randn(20, 1, 2):
            state = cell(x, state)
        state[0].sum().backward()
    gone = weakref.ref(heard)
    del heard, state
    assert gone() is None


def test_no_hook_is_left_on_what_outlives_it():
    lstm = torch.nn.LSTM(2, 3)
    with rnnstep.watch():
        output, (h_n, c_n) = lstm(torch.zeros(4, 1, 2))
        assert output._backward_hooks
    assert not any(one._backward_hooks for one in (output, h_n, c_n))


def test_hooks_on_what_is_gone_are_not_kept(monkeypatch):
    monkeypatch.setattr(watching, "MOST_HOOKS", 8)
    gru, held = torch.nn.GRU(2, 3), []
    with rnnstep.watch() as watch:
        for _ in range(40):
            gru(torch.zeros(4, 1, 2))[0].sum().backward()
            held.append(len(watch._handles))
    assert 2 < max(held) <= 2 * 8 + 2


def test_debug_says_what_it_lacks(capsys):
    assert rnnstep.debug() is None
    assert "nothing is recorded here" in capsys.readouterr().err
    with rnnstep.watch() as watch:
        assert rnnstep.debug() is watch.seen
        assert "no recurrent module has been called yet" in capsys.readouterr().err
        torch.nn.GRU(2, 3)(torch.zeros(4, 1, 2))
        rnnstep.debug()
        assert "the debugger needs a terminal; 1 calls are recorded so far" in capsys.readouterr().err


def test_breakpoint_in_a_captured_test_is_told_and_goes_on(monkeypatch, capsys):
    monkeypatch.setenv("PYTHONBREAKPOINT", "rnnstep.debug")
    monkeypatch.setattr(sys, "breakpointhook", sys.__breakpointhook__)
    with rnnstep.watch():
        torch.nn.GRU(2, 3)(torch.zeros(4, 1, 2))
        breakpoint()  # noqa: T100
    assert "the debugger needs a terminal" in capsys.readouterr().err
