"""The debugger's screen: one canvas, painted from one state; keys, clicks and torch change the state."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import var
from textual.screen import Screen

from rnnstep.errors import RnnstepError
from rnnstep.language import Text, environment_language
from rnnstep.settings import EDIT_STEP
from rnnstep.tui.actions import ACTIONS, WITHOUT_SESSION, is_number_asked, pick
from rnnstep.tui.beside import SecondRun
from rnnstep.tui.canvas import Canvas
from rnnstep.tui.commands import obey
from rnnstep.tui.drawing_ahead import Ahead
from rnnstep.tui.files import Files
from rnnstep.tui.options import Options
from rnnstep.tui.player import Player
from rnnstep.tui.remembered import recall, remember
from rnnstep.tui.sources import Source
from rnnstep.tui.state import ScreenState
from rnnstep.tui.stops import REMOTE, REMOTE_NAMES, choose, is_option
from rnnstep.tui.toasts import Toasts
from rnnstep.tui.training import TrainingThread
from rnnstep.views.alphabet import alphabet
from rnnstep.views.commands import BY_ID, COMMANDS
from rnnstep.views.look import Look
from rnnstep.views.opening import opening

if TYPE_CHECKING:
    from rnnstep.reference import Checked
    from rnnstep.reference.worker.messages import Trained
    from rnnstep.session.lesson import Following
    from rnnstep.session.session import Session
    from rnnstep.tui.host import Application
    from rnnstep.tui.prompt import Prompt
    from rnnstep.tui.torch import Torch
    from rnnstep.views.rows import Row

BLANKING = ("b", "full_stop")  # what presenters' remotes send to blank the screen
REMOTE_KEYS = {"breakpoint": "", "reveal": "="}  # the keys that are left then to the commands of those
POLL = 1.0  # seconds between looks at the file on disk


class Debugger(Screen[None]):
    """Steps through scenarios.

    Attributes:
        state: All that is shown; every change repaints once.
        files: The scenarios that were asked for.
        second: Puts another run beside the one that is open.
        player: Plays.
        toasts: Says what is longer than a line.
        torch: Where torch's numbers come from.
        training: Goes through the epochs beside the screen.
        has_opened: Whether there has been anything to show.
    """

    DEFAULT_CSS = """
    Debugger { layers: base above; overflow: hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(",".join(command.keys), f"command('{command.id}')", id=command.id, show=False)
        for command in COMMANDS
        if command.keys
    ]

    state: var[ScreenState] = var(ScreenState(Look()), init=False)

    def __init__(self, sources: Sequence[Source], options: Options, torch: Torch) -> None:
        super().__init__()
        self.options = options
        self.files: Files = Files(self, sources, options)
        self.second: SecondRun = SecondRun(self, options)
        self.player: Player = Player(self)
        self.toasts: Toasts = Toasts(self)
        self.torch = torch
        self.training: TrainingThread = TrainingThread(self.call_later, self._paint_anew)
        self.ahead = Ahead(self.set_timer, self._drawn_ahead)
        self._command = ""  # that was given last
        self.has_opened = False
        self._has_begun = False
        self._is_blank = False
        self.prompt: Prompt | None = None
        look = Look(
            language=options.language or options.settings.language or environment_language(),
            alphabet=alphabet(is_ascii=options.is_ascii),
            is_remote=options.is_remote,
            own_keys=REMOTE_KEYS if options.is_remote else {},
        )
        self._began_in = look.language
        self.set_class(options.is_ascii, "-ascii")
        name = sources[0].name if sources else "rnnstep"
        self.set_reactive(
            Debugger.state, ScreenState(look, name=name, edit_step=options.settings.edit_step or EDIT_STEP)
        )

    @property
    def program(self) -> Application:
        """The application, which is always the debugger's."""
        return cast("Application", self.app)

    @property
    def session(self) -> Session | None:
        """Where the user is; None while the first scenario is being read."""
        return self.state.session

    def is_too_early(self, key: str) -> bool:
        """Whether a key must wait: there will be a scenario in a moment, and it does nothing without one."""
        if not self._has_begun:
            return True
        if self.session is not None or not self.files.is_reading or not self.is_current:
            return False
        bound = self.active_bindings.get(key)
        return bound is None or bound.binding.id not in WITHOUT_SESSION

    @property
    def canvas(self) -> Canvas:
        """What everything is painted on."""
        return self.query_one(Canvas)

    # ── painting ─────────────────────────────────────────────────────────────────────

    def compose(self) -> ComposeResult:
        """One canvas, with its first rows; prompts come above it."""
        canvas = Canvas()
        # Its size is told by a message, which would come a frame later.
        canvas.show(self._rows(self.app.size))
        yield canvas

    def on_mount(self) -> None:
        """Begin when the first frame stands."""
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        gc.enable()
        self.program.take_keymap()
        self.set_interval(POLL, self.files.look_at_disk)
        if self.files.sources:
            self.files.open(self.files.sources[0], self.options.at)
        else:
            pick(self)
        self._has_begun = True

    def use_keys(self, keys: Mapping[str, str]) -> None:
        """Name the user's own keys wherever keys are named."""
        self.change(self.state.seen(own_keys={**self.state.look.own_keys, **keys}))

    def change(self, state: ScreenState) -> None:
        """Show another state, and ask torch about a run that it has not seen."""
        session, old = state.session, self.state.session
        is_new = session is not None and (old is None or old.run is not session.run)
        if session is not None and is_new:
            self.training.follow(session.run)
        if session is not None and is_new and session.run.checked is None:
            state = state.seen(torch="loading")
            self.state = state
            revision = session.run.revision
            self.torch.check(session.run, session.batch, lambda result: self._checked(revision, result))
        else:
            # An epoch that was left before torch answered may be followed by one whose answer is kept.
            self.state = state.seen(torch="ready") if is_new and state.look.torch == "loading" else state
        self.second.follow()

    def watch_state(self) -> None:
        """One change, one repaint; then what may come next is drawn."""
        self.paint()
        self.call_after_refresh(self._expect, self.state)

    def _expect(self, state: ScreenState) -> None:
        if state is self.state and self.is_mounted:
            self.ahead.expect(state, self._command, self.canvas.size)

    @on(Canvas.Resized)
    def paint(self) -> None:
        """Paint the state at the size that there is."""
        if self.is_mounted:
            self.canvas.show(self._rows(self.canvas.size))

    def _paint_anew(self) -> None:
        """Paint what has changed beside the state: there is more of a training."""
        self.ahead.forget()
        self.paint()

    def _rows(self, size: Size) -> list[Row]:
        if self._is_blank:
            return []
        return self.ahead.rows(self.state, size) or self._drawn(self.state, size)

    def _drawn(self, state: ScreenState, size: Size) -> list[Row]:
        width, height = size
        if state.session is None:
            return opening(state.name, state.look, width, height, state.waiting)
        from rnnstep.views.screen import screen

        rows = screen(state.session, state.look, width, height, state.following)
        if not state.has_card:
            return rows
        from rnnstep.views.card import with_card

        return with_card(rows, state.look, width, height)

    def _drawn_ahead(self, state: ScreenState, size: Size) -> list[Row]:
        rows = self._drawn(state, size)
        self.canvas.prepare(rows)
        return rows

    # ── keys and clicks ──────────────────────────────────────────────────────────────

    def on_key(self, event: events.Key) -> None:
        """Any key ends playing and blanking, and does nothing else then."""
        self._put_card_away()
        if self._is_blank:
            self._blank(is_blank=False)
        elif self.player.is_playing:
            binding = self.active_bindings.get(event.key)
            if binding is not None and binding.binding.id in ("faster", "slower"):
                return
            self.player.stop()
        elif self.options.is_remote and event.key in BLANKING and self.prompt is None:
            self._blank(is_blank=True)
        elif self.state.following is not None and event.key in REMOTE:
            self.on_prompt_closed()  # a remote has no key that closes it
            self.toasts.clear()
            self.set_reactive(Debugger.state, self.state.seen(last_key=REMOTE_NAMES[event.key]))
            REMOTE[event.key](self)
        elif self.prompt is not None:
            self.prompt.take(event)
            return
        elif is_option(self, event.character):
            self.set_reactive(Debugger.state, self.state.seen(last_key=event.character or ""))
            choose(self, int(event.character or 0))
        elif is_number_asked(self.session, event.character):
            self.ask("guess", typed=event.character or "")
        else:
            return
        event.stop()
        event.prevent_default()

    def _put_card_away(self) -> None:
        if self.state.has_card:
            self.change(replace(self.state, has_card=False))

    def on_paste(self, event: events.Paste) -> None:
        """Numbers that are pasted for a hidden value."""
        typed = " ".join(event.text.split())
        if self.prompt is None and is_number_asked(self.session, typed[:1] or None):
            self.ask("guess", typed=typed)

    def on_screen_suspend(self) -> None:
        """Stop playing under a page."""
        self.player.stop()

    def _blank(self, *, is_blank: bool) -> None:
        self._is_blank = is_blank
        self.paint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No command while a prompt has the keys, but for leaving."""
        return action != "command" or self.prompt is None or parameters == ("quit",)

    def action_command(self, command: str) -> None:
        """A key was pressed; it is shown to the audience."""
        self.run(command, key=self.state.look.key(BY_ID[command]))

    @on(Canvas.Clicked)
    def _click(self, message: Canvas.Clicked) -> None:
        """Do what the span says; a second click goes into the place."""
        self.player.stop()
        self._put_card_away()
        if self.prompt is not None:
            return
        if message.count == 1:
            self.follow_target(message.target)
        elif message.target.startswith("go "):
            self.run("into")
        else:
            self.follow_target(message.target)

    @on(Canvas.Scrolled)
    def _wheel(self, message: Canvas.Scrolled) -> None:
        self.run("right" if message.direction > 0 else "left")

    def follow_target(self, target: str | None) -> None:
        """Do what a span's target says: `go PLACE` or `press COMMAND`."""
        verb, _, what = (target or "").partition(" ")
        if verb == "go" and self.session is not None:
            self.toasts.clear()
            state = self.state.seen(last_key="").say(None)
            self.change(replace(state, session=self.session.go(what)))
        elif verb == "press" and what in BY_ID:
            self.run(what)
        elif verb == "choose":
            choose(self, int(what))

    def move(self, command: str, message: Text | None = None) -> None:
        """Obey a command that changes the state alone, saying something beside it."""
        changed = obey(self.state.say(message), command)
        if changed is not None:
            self.change(changed)

    def run(self, command: str, *, key: str = "") -> None:
        """Obey any command of the table, given by a key or not; before a scenario is open, those that need none."""
        if self.session is None and command not in WITHOUT_SESSION:
            return
        self.toasts.clear()
        self._put_card_away()
        self._command = command
        changed = self.ahead.obeyed(self.state, command, key)
        if changed is not None:
            self.change(changed)
            return
        self.change(self.state.seen(last_key=key).say(None))
        ACTIONS[command](self)

    def on_unmount(self) -> None:
        """Leave no training behind."""
        self.training.stop()

    # ── saying ───────────────────────────────────────────────────────────────────────

    def say(self, text: Text | None) -> None:
        """Say something on the screen's own line, or clear it."""
        self.change(self.state.say(text))

    def fail(self, errors: Sequence[RnnstepError]) -> None:
        """Leave: there is nothing to show."""
        self.program.fail("\n".join(error.into(self.state.look.language) for error in errors))

    # ── what comes from elsewhere ────────────────────────────────────────────────────

    def opened(self, session: Session, *, is_again: bool, following: Following | None = None) -> None:
        """Show a session that was read, at a stop of a lesson if it was read for one."""
        display = session.run.scenario.display
        state = self.state.say(None)
        state = replace(state, session=session, waiting=None, name=session.run.scenario.name)
        if not is_again:
            state = state.seen(decimals=display.decimals)
        is_chosen = state.look.language != self._began_in  # by a key, while the scenario was read
        if not self.has_opened and display.language is not None and not is_chosen:
            state = state.seen(language=display.language)
        if following is not None:
            state = _at_its_stop(state, following)
        elif state.following is not None:
            state = replace(state, following=state.following.opened_in(session))
        if not self.has_opened and following is None:
            state = replace(state, has_card=self._is_first_start())
        self.change(state)
        if following is not None:
            self.second.stand_beside(following.stop.beside)
        if not self.has_opened:
            gc.freeze()  # or the collector walks all of Textual and numpy again and again: 20 ms between keys
        self.has_opened = True

    def arrived(self, session: Session, following: Following) -> None:
        """Show a session that was open before at a stop of a lesson."""
        if self.session is None or self.session.run.scenario.path != session.run.scenario.path:
            self.opened(session, is_again=False, following=following)
        else:
            self.change(_at_its_stop(replace(self.state.say(None), session=session), following))
            self.second.stand_beside(following.stop.beside)

    def _is_first_start(self) -> bool:
        """Whether the card was never shown; it is now, and only once."""
        remembered = recall()
        if not remembered.has_seen_card:
            remember(replace(remembered, has_seen_card=True))
        return not remembered.has_seen_card

    def _checked(self, revision: int, result: Checked | RnnstepError) -> None:
        """Put torch's numbers beside the run they are of; those of another run are dropped."""
        session = self.session
        if session is None or session.run.revision != revision:
            return
        if isinstance(result, RnnstepError):
            self.change(self.state.seen(torch="failed", torch_reason=result.message).say(result.message))
        else:
            checked = session.with_checked(result, revision)
            self.change(replace(self.state.seen(torch="ready"), session=checked))

    def trained(self, part: Trained) -> None:
        """Put what torch's own training came to beside the engine's."""
        if self.session is not None:
            self.session.run.note_trained(part)
            self._paint_anew()

    # ── prompts ──────────────────────────────────────────────────────────────────────

    def ask(self, command: str, typed: str = "") -> None:
        """Open the prompt of a command; `typed` stands there already."""
        from rnnstep.tui.prompt import Prompt
        from rnnstep.tui.questions import QUESTIONS

        if self.session is None or self.prompt is not None:
            return
        question = QUESTIONS[command](self)
        self.prompt = Prompt(replace(question, value=typed) if typed else question, self.state.look)
        self.canvas.can_focus = False  # a click beside the prompt leaves it the keys
        self.mount(self.prompt)

    def on_prompt_closed(self) -> None:
        """Give the keys back."""
        if self.prompt is not None:
            self.prompt.remove()
            self.prompt = None
            self.canvas.can_focus = True
            self.canvas.focus()


def _at_its_stop(state: ScreenState, following: Following) -> ScreenState:
    """The state at a stop, with the room given as the stop says; what filled the screen before has gone."""
    return replace(state.seen(fills="", is_blackboard=False, shows=following.stop.show), following=following)
