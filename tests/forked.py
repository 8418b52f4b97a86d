"""Programs of the tests as forks of a process that has imported what they need, which each would else take seconds to do.

Two processes wait: one with numpy, Textual and the whole program, and one with torch, too. They import when they are
first asked, and have one thread, so that a fork is sound. A fork gets the arguments, the environment, the folder and
the streams of the process that it stands for, and a session of its own where that has one; signals reach it as they
reach any. What is about the start itself, imports or what Python reads before the first line, is no task for a fork:
such tests start Python.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

WHERE = "RNNSTEP_TESTS_FORKED"  # the folder of the sockets, told to all processes of one run of the tests
CAN_FORK = sys.platform == "linux"  # elsewhere libraries may have started threads
NUMBER = struct.Struct("i")


# ── in a test ────────────────────────────────────────────────────────────────────────


class Forked(subprocess.Popen):
    """A process as `subprocess.Popen` starts `[sys.executable, "-c", code, …]` or `[sys.executable, "-m", module, …]`.

    Args:
        arguments: its command line.
        torch: whether torch is imported already; a program that finds it is not may still import it.
        options: as Popen's: streams, `cwd`, `env`, `start_new_session`.
    """

    def __init__(self, arguments: list[str], *, torch: bool = False, **options: Any) -> None:
        self._kind = "torch" if torch else "plain"
        super().__init__(arguments, **options)

    if CAN_FORK:

        def _execute_child(self, args, *rest) -> None:
            _, _, _, _, cwd, env, _, _, _, *ends = rest
            assert args[0] == sys.executable
            asked = {
                "arguments": [one for one in args[1:] if one != "-P"],  # nor is a fork's folder on its path
                "folder": os.fspath(cwd or os.getcwd()),
                "environment": dict(os.environ if env is None else env),
                "leads": bool(ends[11]),
            }
            self._link = socket.socket(socket.AF_UNIX)
            self._link.connect(os.path.join(os.environ[WHERE], self._kind))
            streams = [own if end == -1 else end for own, end in enumerate((ends[0], ends[3], ends[5]))]
            socket.send_fds(self._link, [b" "], streams)
            self._link.sendall(json.dumps(asked).encode())
            self._link.shutdown(socket.SHUT_WR)
            self._close_pipe_fds(*ends[:6])
            (self.pid,) = NUMBER.unpack(self._link.recv(NUMBER.size))
            self._child_created = True

        def _try_wait(self, wait_flags: int) -> tuple[int, int]:
            if wait_flags & os.WNOHANG and not select.select([self._link], [], [], 0)[0]:
                return 0, 0
            status = self._link.recv(NUMBER.size)
            self._link.close()
            return self.pid, NUMBER.unpack(status)[0]

        def _internal_poll(self, _deadstate=None) -> int | None:
            if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
                try:
                    pid, status = self._try_wait(os.WNOHANG)
                    if pid:
                        self._handle_exitstatus(status)
                finally:
                    self._waitpid_lock.release()
            return self.returncode


def run(arguments: list[str], *, torch: bool = False, **options: Any) -> subprocess.CompletedProcess:
    """Run a program to its end, as `subprocess.run(…, capture_output=True)` does."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Forked(arguments, torch=torch, **streams, **options) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@contextlib.contextmanager
def waiting():
    """Start the processes that wait to be forked; they end with the block, or with this process."""
    if not CAN_FORK or WHERE in os.environ:
        yield
        return
    import rnnstep

    folder = tempfile.mkdtemp(prefix="rnnstep-forked-")
    package = Path(rnnstep.__file__).resolve().parents[1]
    command = [sys.executable, "-P", __file__, str(package)]
    servers = [
        subprocess.Popen(
            [*command, os.path.join(folder, kind)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        for kind in ("plain", "torch")
    ]
    try:
        for server in servers:
            server.stdout.readline()  # it listens
        os.environ[WHERE] = folder
        yield
    finally:
        os.environ.pop(WHERE, None)
        for server in servers:
            server.communicate()  # it ends with its input
        shutil.rmtree(folder)


# ── the process that is forked ───────────────────────────────────────────────────────


def serve(package: str, path: str) -> None:
    """Fork for each who connects to a socket and asks, and tell of each fork its status; its number it tells itself."""
    if package not in sys.path:
        sys.path.insert(0, package)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    ended, woken = os.pipe()
    for end in (ended, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    os.write(1, b"\n")
    asking: dict[int, socket.socket] = {}
    while True:
        ready = select.select([0, listening, ended], [], [])[0]
        if 0 in ready:
            os._exit(0)
        if ended in ready:
            os.read(ended, 1 << 16)
            _tell_of_the_ended(asking)
        if listening in ready:
            link, _ = listening.accept()
            asked, streams = _received(link)
            _import_all(with_torch=path.endswith("torch"))
            assert len(os.listdir("/proc/self/task")) == 1  # no other thread
            pid = os.fork()
            if not pid:
                _become(asked, streams, link)
            asking[pid] = link
            for stream in streams:
                os.close(stream)


def _received(link: socket.socket) -> tuple[dict[str, Any], list[int]]:
    _, streams, _, _ = socket.recv_fds(link, 1, 3)
    with link.makefile("rb") as whole:
        return json.loads(whole.read()), streams


def _tell_of_the_ended(asking: dict[int, socket.socket]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            with asking.pop(found[0]) as link, contextlib.suppress(OSError):
                link.sendall(NUMBER.pack(found[1]))


def _import_all(*, with_torch: bool) -> None:
    if "rnnstep" in sys.modules:
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # more would start threads
    if with_torch:
        import torch._dynamo  # noqa: F401 - the first optimizer imports it, too
    import rnnstep

    for module in pkgutil.walk_packages(rnnstep.__path__, "rnnstep."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def _become(asked: dict[str, Any], streams: list[int], link: socket.socket) -> None:
    """Be the program that was asked for, and end; its number is told once signals would find it as it should be."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    if asked["leads"]:
        os.setsid()
    link.sendall(NUMBER.pack(os.getpid()))
    link.close()
    os.closerange(3, 256)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.path[:0] = [one for one in asked["environment"].get("PYTHONPATH", "").split(os.pathsep) if one]
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    status = _status_of(*asked["arguments"])
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _status_of(option: str, code: str, *arguments: str) -> int:
    """Run code, or a module, as Python does from its command line."""
    sys.argv = [option, *arguments]
    try:
        if option == "-c":
            main = type(sys)("__main__")
            sys.modules["__main__"] = main
            exec(compile(code, "<string>", "exec"), vars(main))
        else:
            assert option == "-m"
            runpy.run_module(code, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        sys.stderr.write(f"{error.code}\n")
        return 1
    except BaseException:  # noqa: BLE001 - as Python does
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(*sys.argv[1:])
