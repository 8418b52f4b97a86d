"""How many files of answers are marked in a minute: `python tests/bench/grading.py`.

A class of 1,000, of which two thirds made a mistake in some step; reading the files and starting the processes included.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from rnnstep.checking.grading import grade, submissions
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.read import read_text

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.oracle.by_hand import MISTAKES, Pen, run

FILES = 1000
WANTED = 1000  # a minute, on two cores
SCENARIO = (
    "[input]\nrandom = {{shape = [3, 3], seed = 4}}\n"
    '[recurrent]\nmodule = "{module}"\nhidden_size = 3\n[weights]\nseed = 4\nround = 2\n'
)


def measure(module: str) -> None:
    """Print one row."""
    scenario = read_text(SCENARIO.format(module=module))
    rng, pen = random.Random(0), Pen(3)
    with tempfile.TemporaryDirectory() as name:
        for number in range(FILES):
            mistake = rng.choice([*MISTAKES[module], *[None] * (len(MISTAKES[module]) // 2)])
            values = run(scenario, pen, mistake, range(rng.randrange(3), 3))
            states = ("h", "c") if module == "LSTM" else ("h",)
            tables = [
                f'[[answer]]\nstep = {t + 1}\nname = "{state}"\nvalue = "{pen.written(values[t][state])}"\n'
                for t in range(3)
                for state in states
            ]
            Path(name, f"{number:04}.toml").write_text("decimals = 3\n" + "".join(tables), "utf-8")
        start = time.perf_counter()
        rows = list(grade(scenario, submissions(Path(name), Limits()).rows, Limits()))
        seconds = time.perf_counter() - start
    named = sum(bool(row.mistakes) for row in rows)
    wrong = sum(bool(row.first_wrong) for row in rows)
    a_minute = FILES / seconds * 60
    print(f"{module:5} {a_minute:7.0f} files a minute (≥ {WANTED}); {named} of {wrong} with a mistake named")


def main() -> None:
    """Print all rows."""
    for module in MISTAKES:
        measure(module)


if __name__ == "__main__":
    sys.exit(main())
