"""How often random answers are explained: `python tests/bench/random_answers.py [HOW MANY] [--thorough]`.

With --thorough two mistakes at once are tried, too, as `check` does. Of those that are wrong: the share named (at most 1 in 100), possible, too coarse to tell, and that nothing fits.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.oracle.random_answers import drawn

COUNT = 2000


def outcome(marked, *, is_quick: bool) -> str:
    """What is said to the only answer."""
    if marked.marks[0].status != "wrong":
        return "right"
    remarks = marked.remarks(0, is_quick=is_quick)
    if remarks.is_too_coarse:
        return "coarse"
    if not remarks.mistakes:
        return "nothing"
    return "named" if any(one.is_named for one in remarks.mistakes) else "possible"


def main() -> None:
    """Print a row for each number of decimals, of one entry and of all."""
    count = next((int(one) for one in sys.argv[1:] if one.isdigit()), COUNT)
    is_quick = "--thorough" not in sys.argv
    rng = random.Random(1)
    whole: Counter[str] = Counter()
    for is_one in (True, False):
        for decimals in range(1, 7):
            found: Counter[str] = Counter()
            for _ in range(count // 12):
                said = outcome(drawn(rng, decimals, is_one=is_one)[0], is_quick=is_quick)
                found[said] += 1
                whole[said] += 1
            print("one" if is_one else "all", decimals, dict(found), flush=True)
    wrong = sum(whole.values()) - whole["right"]
    print(f"{whole['named']} of {wrong} named: {100 * whole['named'] / wrong:.2f} %", dict(whole))


if __name__ == "__main__":
    sys.exit(main())
