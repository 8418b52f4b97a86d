"""Playing: one place after another, by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnstep.language import Text

if TYPE_CHECKING:
    from textual.timer import Timer

    from rnnstep.tui.host import Host

SLOWEST, FASTEST = 1 / 8, 16.0  # places a second


class Player:
    """Presses → for the user, `speed` times a second."""

    def __init__(self, debugger: Host) -> None:
        self.speed = 1.0
        self._debugger = debugger
        self._timer: Timer | None = None

    @property
    def is_playing(self) -> bool:
        """Whether it is at it."""
        return self._timer is not None

    def start(self) -> None:
        """Play on from where the cursor is."""
        self._halt()
        self._timer = self._debugger.set_interval(1 / self.speed, self._tick)
        self._debugger.change(self._debugger.state.seen(playing=self.speed).say(self._message))

    def stop(self) -> None:
        """Stay where it is."""
        if self.is_playing:
            self._halt()
            self._debugger.change(self._debugger.state.seen(playing=0.0, message=None))

    def change_speed(self, factor: float) -> None:
        """Play `factor` times as fast, now or when it is started next."""
        self.speed = min(FASTEST, max(SLOWEST, self.speed * factor))
        if self.is_playing:
            self.start()
        else:
            self._debugger.say(Text("plays {speed:g} places a second; space starts", speed=self.speed))

    @property
    def _message(self) -> Text:
        return Text("playing {speed:g} places a second: > and < change it, any key stops", speed=self.speed)

    def _halt(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _tick(self) -> None:
        before = self._debugger.session
        self._debugger.move("right", self._message)
        after = self._debugger.session
        if before is None or after is None or after.position == before.position:
            self.stop()
