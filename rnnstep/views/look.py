"""How the user wants to see things: all that a screen depends on besides the session and its size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from rnnstep.language import Text
from rnnstep.views.alphabet import UNICODE, Alphabet
from rnnstep.views.commands import Command

if TYPE_CHECKING:
    from rnnstep.scenario.stops import Shown

Fills = Literal["", "plot", "listing"]
TorchStatus = Literal["none", "loading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class Look:
    """Frozen; a key that changes it makes a new one.

    Attributes:
        language: "en" or "zh".
        decimals: how many are shown, 0 to 17.
        alphabet: the signs to draw with.
        is_blackboard: `z`: the operation alone fills the screen.
        fills: `v`: what has the whole screen, "plot" or "listing"; "" for nothing.
        shows: what a stop of a lesson gives the room.
        is_joined: `j`: `[W_hh W_ih]·[h_prev; x]` stands beside the two products.
        torch: where torch's numbers are: none to come, loading, ready, failed.
        torch_beside: the same of the run beside.
        torch_reason: why they are not there, where they failed.
        playing: places a second while playing, or 0.
        last_key: the last key pressed, as it is shown to an audience.
        message: what to say beside the session's own note (a file that could not be read again …).
        is_remote: presenter's remote: its keys are named in the footer.
        own_keys: the user's own keys by command, as people read them.
    """

    language: str = "en"
    decimals: int = 4
    alphabet: Alphabet = UNICODE
    is_blackboard: bool = False
    fills: Fills = ""
    shows: tuple[Shown, ...] = ()
    is_joined: bool = False
    torch: TorchStatus = "loading"
    torch_beside: TorchStatus = "none"
    torch_reason: Text | None = None
    playing: float = 0.0
    last_key: str = ""
    message: Text | None = None
    is_remote: bool = False
    own_keys: Mapping[str, str] = field(default_factory=dict, hash=False)

    def say(self, text: Text) -> str:
        """Give a text in the language, in signs of the alphabet."""
        return self.alphabet.spell(text.into(self.language))

    def key(self, command: Command) -> str:
        """Give a command's key as people read it: the user's own where there is one."""
        return self.alphabet.spell(self.own_keys.get(command.id, command.shown))
