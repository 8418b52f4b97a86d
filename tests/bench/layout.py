"""How much of the screen is left empty: all bundled scenarios, a place of each level of each pass, seven sizes.

    python tests/bench/layout.py

Before room was given by worth (one column below 112 cells with no plot, boxes of fixed heights above):

    (80, 24) 6.0 rows, (100, 30) 11.5, (100, 45) 25.7, (120, 35) 4.2, (160, 48) 6.7, (200, 60) 7.4, (300, 80) 7.8
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from test_views_layout import NAMES, emptiness

SIZES = [(80, 24), (100, 30), (100, 45), (120, 35), (160, 48), (200, 60), (300, 80)]

if __name__ == "__main__":
    for size in SIZES:
        blank, share = emptiness(NAMES, size)
        print(
            f"{size}: {np.mean(blank):.1f} rows without a word (at most {max(blank)}),"
            f" {np.mean(share):.0%} of the cells in holes (at most {max(share):.0%})"
        )
