"""What every test stands on: one thread for numpy and torch, little garbage collection, no settings of the developer's own."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

# Before numpy is imported: the sizes here are small, and the tests run side by side already.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

from rnnstep.session import beside, breakpoints, findings, session
from rnnstep.tui.remembered import Remembered, remember
from rnnstep.views import learning
from tests import forked

# Processes are started, each of which would compile every module anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long examples take on a busy machine is no property of what is tested.
settings.register_profile("busy", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("busy")


def pytest_configure(config):
    """Let the processes wait that tests fork; all workers of a run share them."""
    processes = contextlib.ExitStack()
    processes.enter_context(forked.waiting())
    config.add_cleanup(processes.close)


def pytest_collection_finish():
    """Leave what stays to the end, modules and thousands of tests, out of each search for garbage, and search less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(scope="session", autouse=True)
def no_home_of_the_developers(tmp_path_factory):
    """Settings and what is remembered stand in a folder of the tests', also for the processes that they start."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        remember(Remembered({}, has_seen_card=True))
        yield


@pytest.fixture
def unhurried(monkeypatch):
    """A key may train as long as it needs: what is seen does not hang on how busy the machine is."""
    for room in (beside, breakpoints, findings, session):
        monkeypatch.setattr(room, "PATIENCE", 60.0)
    monkeypatch.setattr(learning, "_CURE_SECONDS", 60.0)
