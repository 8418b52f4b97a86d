"""Whether torch can be imported, asked before anything is computed, and in words where it cannot.

A torch that is broken (a shared library that is not there, a numpy that it was not built for) raises what it likes.
"""

from __future__ import annotations

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.model import Pending

INSTALL = "pip install torch --index-url https://download.pytorch.org/whl/cpu"


def require(pending: Pending | None = None) -> None:
    """Make sure that torch can be imported.

    Args:
        pending: The parameters that only torch can give, where that is what it is needed for.

    Raises:
        UsageError: It cannot; says how to install it, and that one can do without where one can.
    """
    reason = missing()
    if reason is None:
        return
    told = {"reason": reason, "install": INSTALL}
    if pending is None:
        raise UsageError(
            Text(
                "torch cannot be imported ({reason}); install it with {install} (the smallest, for the CPU),"
                " or see these numbers alone with --no-torch",
                **told,
            )
        )
    raise UsageError(
        Text(
            "{need}, and torch cannot be imported ({reason}); install it with {install} (the smallest, for the CPU)",
            need=_need(pending),
            **told,
        )
    )


def forbid(pending: Pending | None) -> None:
    """Make sure that a scenario lacks nothing that only torch can give.

    Raises:
        UsageError: It does; says what.
    """
    if pending is not None:
        raise UsageError(Text("{need}: that cannot be done with --no-torch", need=_need(pending)))


def missing() -> str | None:
    """Say why torch cannot be imported; None where it can."""
    try:
        import torch  # noqa: F401
    except Exception as error:  # noqa: BLE001 - a broken installation raises what it likes
        return printable(str(error).partition("\n")[0]) or type(error).__name__
    return None


def _need(pending: Pending) -> Text:
    if pending.file is not None:
        return Text(
            "{file} is torch's own kind of file, which torch alone reads", file=printable(pending.file.name)
        )
    return Text(
        "torch alone draws {names} from a seed (give them as arrays in [weights] to do without)",
        names=", ".join(pending.names),
    )
