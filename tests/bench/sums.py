"""How many worked lines add up as they are shown: prints shares, and every line whose sign is wrong.

python tests/bench/sums.py [MOST [SCENARIO …]]

`MOST` elements of each operation, in as many steps (8).
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "property"))

from worked_lines import lines

from rnnstep.scenario import bundled
from rnnstep.views.look import Look

SCREENS = {"80×24": (76, 2), "120×35": (116, 2), "200×60": (196, 4), "no end": (100_000, 1)}
DECIMALS = (2, 3, 4, 6)


def main() -> int:
    """Print the table."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    names = sys.argv[2:] or bundled.names()
    wrong = 0
    print(f"{'screen':8} {'decimals':>8} {'lines':>7} {'≈':>8} {'not cut':>8} {'cut':>8} {'wrong':>6}")
    for screen, (cells, height) in SCREENS.items():
        for decimals in DECIMALS:
            found: Counter[str] = Counter()
            for name in names:
                for line in lines(name, Look(decimals=decimals), cells, height, most, epochs=2):
                    found["lines"] += 1
                    found["≈"] += line.sign == "≈"
                    found["≈ whole"] += line.sign == "≈" and not line.is_cut
                    found["cut"] += line.is_cut
                    if not line.is_true:
                        found["wrong"] += 1
                        print(f"  {line.scenario} {line.place}: {line.text}")
            wrong += found["wrong"]
            shares = " ".join(f"{100 * found[key] / found['lines']:7.2f}%" for key in ("≈", "≈ whole", "cut"))
            print(f"{screen:8} {decimals:8} {found['lines']:7} {shares} {found['wrong']:6}", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
