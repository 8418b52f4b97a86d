"""All calls that were recorded, in order of computation: what `rnnstep.capture` gives, while the program runs and afterwards."""

from __future__ import annotations

import itertools
import os
import re
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from rnnstep.capturing.call import Call
from rnnstep.capturing.calls import NO_PASS, Wanted, WholeCall, current_pass
from rnnstep.capturing.cell_chains import CellChain, rows_of_zeros
from rnnstep.capturing.layout import Rows, chosen_rows
from rnnstep.capturing.listening import (
    Heard,
    Module,
    Took,
    Way,
    modules_by_name,
    names_of_weights,
    start,
    stop,
)
from rnnstep.capturing.put_away import PutAway
from rnnstep.capturing.unseen import never_heard, why
from rnnstep.capturing.weights import KeptWeights, optimizer_steps
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable

if TYPE_CHECKING:
    from rnnstep.capturing.calls import Tensor

Chosen = str | type | Iterable[str | type] | None
NO_ROWS: Sequence[int] = ()
MOST_OPEN = 8  # chains of one cell that may go on: loops that take turns with it
LEAST_OF_A_CHAIN = 16 << 20  # bytes of a loop that is not ended at a reset, whatever the limit
_LIMIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]i?B|B)?\s*", re.IGNORECASE)
_PLACE = re.compile(r"(?P<name>[^\[\]:]+)\[(?P<number>\d+)\](?::(?P<place>.*))?")


@dataclass(eq=False)
class HeardModule:
    """One module that is called.

    Attributes:
        name: What it is called.
        module: The module; kept, so that its id stays its own.
        count: How often it was called.
        gone: How many of its calls were dropped.
        open: Chains of a cell that may go on.
    """

    name: str
    module: Module
    count: int = 0
    gone: int = 0
    open: list[tuple[Call, CellChain]] = field(default_factory=list)


class Onlooker(Protocol):
    """Who looks at what is recorded while the program runs.

    Attributes:
        every: Of a loop around a cell the first of so many steps is looked at.
    """

    every: int

    def look(self, call: Call, results: tuple[Tensor, ...]) -> None:
        """Look at what the newest step of a call gave, or all of it, as the program is handed it."""

    def look_at_the_rest(self) -> None:
        """Look at all steps that were passed over: the loop that went on last may have come to its end."""


class Captured:
    """The calls of recurrent modules, recorded as they were, from the beginning of a `with` to its end.

    >>> with rnnstep.capture(model) as seen:
    ...     loss = criterion(model(x), y)
    ...     loss.backward()
    >>> seen["encoder"][2].trace().agrees
    """

    def __init__(
        self,
        model: Any = None,
        *,
        only: Chosen = None,
        rows: Rows | None = None,
        last: int | None = None,
        limit: str | int = "2 GiB",
        gradients: bool = True,
        shares: bool = True,  # whether what goes back to weights and inputs is recorded
        onlooker: Onlooker | None = None,
    ) -> None:
        self._model = model
        self._names = dict(modules_by_name(model))
        self._only = _chosen(only)
        self._row_choice = rows
        self._last = last
        self._gradients, self._shares = gradients, shares
        self._onlooker = onlooker
        self._away = PutAway(bytes_of_limit(limit))
        self._sources: dict[int, HeardModule] = {}
        self._calls: list[Call] = []
        self._weights = KeptWeights()
        self._numbers = itertools.count()
        self._said: dict[str, Text] = {}
        self._lock = threading.RLock()
        self._current_pass = current_pass()
        self.is_open = False
        self.way: Way | None = None

    # ── beginning and end ────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        if self.is_open:
            raise UsageError(
                Text("this capture is running already; make another one with rnnstep.capture(…)")
            )
        optimizer_steps.start()
        self.way = start(self)
        self.is_open = True
        _open.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hear nothing more, and take every hook out of torch."""
        if not self.is_open:
            return
        self.is_open = False
        self._onlooker = None  # who holds this: without a circle both are gone when they are let go
        _open.remove(self)
        stop(self)
        optimizer_steps.stop()
        for source in self._sources.values():
            source.open.clear()
        for call in self._calls:
            call.close()
        self._away.make_room(self._calls)
        if self.way == "hooks":
            self._say(
                Text("this torch keeps its kernels elsewhere: only what is called as module(x) was heard")
            )
        for text in never_heard(self._model, {id(one.module) for one in self._sources.values()}):
            self._say(text)

    # ── hearing ──────────────────────────────────────────────────────────────────────

    def heard(self, call: Heard) -> Took | None:
        """Take what a kernel is called with; as `Listener`."""
        if call.is_cell and id(call.module) in self._sources:
            return self._took_step
        with self._lock:
            try:
                source = self._source_of(call.module, call.kind)
                if source is None:
                    return None
                return self._took_step if call.is_cell else self._heard(source, call)
            except Exception as error:  # noqa: BLE001 - the program that is watched goes on, whatever ours cannot do
                self._could_not(call, error)
                return None

    def unseen(self, module: Module | None, kind: str, reason: str) -> None:
        """Take that a call went by which has no numbers; as `Listener`."""
        source = self._source_of(module, kind)
        if source is not None:
            self._say(why(source.name, kind, reason))

    def _heard(self, source: HeardModule, call: Heard) -> Took | None:
        if self._current_pass() != NO_PASS:
            return self._computed_again(source, call)
        weights = self._weights.copied(call.module, names_of_weights(call), call.weights)
        recording = WholeCall(call, weights, self._wanted(call))
        return partial(self._took, self._add(source, recording), recording)

    def _chain_of(self, source: HeardModule, call: Heard) -> tuple[Call, CellChain, Sequence[int]]:
        """Of a step that does not go on with the newest loop the one that it goes on with, or begins, and the rows that begin anew."""
        if self._onlooker is not None:
            self._onlooker.look_at_the_rest()
        reset: list[int] = []
        found = next((one for one in reversed(source.open[:-1]) if one[1].goes_on_with(call)), None)
        if found is None:
            begins = rows_of_zeros(call)
            begun_anew = [
                (one, rows)
                for one in (() if begins is None else reversed(source.open))
                if (rows := one[1].rows_reset(call, begins))
            ]
            going_on = (
                (one, rows)
                for one, rows in begun_anew
                if one[1].nbytes <= self._most_of_a_chain and one[1].goes_on_after_reset(call, rows)
            )
            found, reset = next(going_on, (None, []))
        if found is None:
            weights = self._weights.copied(call.module, names_of_weights(call), call.weights)
            chain = CellChain(call, weights, self._wanted(call))
            found = self._add(source, chain), chain
            if begun_anew:
                (before, _), rows = begun_anew[0]
                found[0].goes_on_from = before.place, tuple(rows)
            else:
                changed = (one for one, chain in reversed(source.open) if chain.was_changed_to(call))
                found[0].begins_with_states_of = next((one.place for one in changed), None)
            del source.open[: -MOST_OPEN + 1]
        else:
            source.open.remove(found)
        source.open.append(found)
        return *found, reset

    @property
    def _most_of_a_chain(self) -> int:
        """Bytes from which on a loop ends at its next reset: one that never ends, as a policy's may, can then be put away."""
        return max(self._away.limit // 4, LEAST_OF_A_CHAIN)

    def _computed_again(self, source: HeardModule, call: Heard) -> Took | None:
        """A call on the way back, as checkpointing makes it: the same one again, whose gradients are those of the first."""
        for known in reversed([one for one in self._calls if one.name == source.name]):
            recording = known.live
            if isinstance(recording, WholeCall) and not known.is_put_away and recording.is_again(call):
                if recording.has_graph:
                    return None
                again = WholeCall(call, recording.weights, replace(self._wanted(call), grew=_not_counted))
                recording.takes_gradients_of(again)
                return partial(self._took, known, again)
        return None

    def _took(
        self, at: Call, recording: WholeCall, call: Heard, results: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        with self._lock:
            try:
                results = recording.took(call, results)
            except Exception as error:  # noqa: BLE001 - see `heard`
                self._could_not(call, error)
                return results
        if self._onlooker is not None:
            self._onlooker.look(at, results)
        return results

    def _took_step(self, call: Heard, results: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Take a step of a cell once it has run: a loop comes here each time."""
        with self._lock:
            try:
                source = self._sources[id(call.module)]
                is_again = self._current_pass() != NO_PASS  # as checkpointing computes it on the way back
                if is_again or not source.name:
                    return results
                if source.open and source.open[-1][1].goes_on_with(call):  # as nearly all steps do
                    (at, chain), reset = source.open[-1], NO_ROWS
                else:
                    at, chain, reset = self._chain_of(source, call)
                results = chain.took(call, reset, results)
            except Exception as error:  # noqa: BLE001 - see `heard`
                self._could_not(call, error)
                return results
        if self._onlooker is not None and chain.num_steps % self._onlooker.every == 1:
            self._onlooker.look(at, results)
        return results

    def _wanted(self, call: Heard) -> Wanted:
        count = int(call.batch_sizes[0]) if call.batch_sizes is not None else call.states[0].shape[-2]
        rows = chosen_rows(self._row_choice, int(count))
        return Wanted(None if rows is None else tuple(rows), self._gradients, self._shares, self._away.add)

    def _add(self, source: HeardModule, recording: WholeCall | CellChain) -> Call:
        """Take a new call, and see that there is room for it."""
        call = Call(source.name, source.count, next(self._numbers), recording)
        source.count += 1
        self._calls.append(call)
        self._away.add(call.nbytes)
        if self._last is not None:
            mine = [one for one in self._calls if one.name == source.name]
            for old in mine[: max(0, len(mine) - self._last)]:
                self._drop(source, old)
        self._make_room(call)
        return call

    def _make_room(self, call: Call) -> None:
        """Put older calls on the disk where there is too little room; the newest loop of each cell may go on."""
        every = self._sources.values()
        kept = {id(call), *(id(one.open[-1][0]) for one in every if one.open)}
        if self._away.make_room(one for one in self._calls if id(one) not in kept):
            for one in every:
                one.open = [each for each in one.open if not each[0].is_put_away]

    def _drop(self, source: HeardModule, call: Call) -> None:
        self._away.forget(call)
        call.close()
        self._calls.remove(call)
        source.open = [one for one in source.open if one[0] is not call]
        source.gone += 1

    # ── names ────────────────────────────────────────────────────────────────────────

    def _source_of(self, module: Module | None, kind: str) -> HeardModule | None:
        """The module that is called, by its name; None where it is not wanted."""
        known = self._sources.get(id(module))
        if known is not None:
            return known if known.name else None
        name = self._name_of(module, kind)
        if name is None or not self._is_chosen(name, module, kind):
            name = ""
        else:
            name = self._free(printable(name))
        source = self._sources[id(module)] = HeardModule(name, module)
        return source if name else None

    def _name_of(self, module: Module | None, kind: str) -> str | None:
        if self._model is None:
            return _name_by_callers(module) or kind.lower()
        name = self._names.get(id(module))
        if name is None:  # one that was put in, or copied, since
            self._names |= modules_by_name(self._model)
            name = self._names.get(id(module))
        if name is None and getattr(module, "_is_replica", False):
            name = kind.lower()
        return kind.lower() if name == "" else name

    def _free(self, name: str) -> str:
        taken = {one.name for one in self._sources.values()}
        if name not in taken:
            return name
        return next(found for number in itertools.count(2) if (found := f"{name}_{number}") not in taken)

    def _is_chosen(self, name: str, module: Module | None, kind: str) -> bool:
        if self._only is None:
            return True
        return any(
            one in (name, kind) or name.startswith(f"{one}.")
            if isinstance(one, str)
            else isinstance(module, one)
            for one in self._only
        )

    # ── what is said ─────────────────────────────────────────────────────────────────

    def _say(self, text: Text) -> None:
        self._said.setdefault(str(text), text)

    def _could_not(self, call: Heard, error: Exception) -> None:
        source = self._sources.get(id(call.module))
        name = source.name if source is not None and source.name else call.kind
        self._say(
            Text("{name}: a call could not be recorded: {reason}", name=name, reason=printable(str(error)))
        )

    @property
    def notes(self) -> tuple[Text, ...]:
        """What was not recorded, or not as it was asked for, with the reason."""
        found = [*self._said.values(), *self._away.notes]
        found += [
            Text(
                "{name}: the last {kept} of {count} calls are here (last={last})",
                name=source.name,
                kept=source.count - source.gone,
                count=source.count,
                last=self._last,
            )
            for source in self._sources.values()
            if source.gone
        ]
        return tuple(found)

    # ── afterwards ───────────────────────────────────────────────────────────────────

    @property
    def calls(self) -> list[Call]:
        """All calls in order of computation."""
        return [one for one in self._calls if one.is_complete]

    @property
    def modules(self) -> list[Module]:
        """The modules that were heard."""
        return [one.module for one in self._sources.values() if one.name and one.module is not None]

    @property
    def loops(self) -> list[tuple[Call, CellChain]]:
        """The loops around cells that may go on."""
        return [each for one in self._sources.values() for each in one.open]

    @property
    def names(self) -> tuple[str, ...]:
        """The modules that were called, in the order of their first calls."""
        return tuple(dict.fromkeys(one.name for one in self.calls))

    def name_of(self, module: Module) -> str:
        """What a module that was heard is called."""
        source = self._sources.get(id(module))
        return "?" if source is None or not source.name else source.name

    def newest_of(self, module: Module) -> Call | None:
        """The call of a module that was heard last; None where none is kept."""
        source = self._sources.get(id(module))
        if source is None:
            return None
        if source.open:
            return source.open[-1][0]
        return next((one for one in reversed(self.calls) if one.name == source.name), None)

    def __getitem__(self, name: str) -> list[Call]:
        """The calls of a module, by its name."""
        found = [one for one in self.calls if one.name == name]
        if not found:
            raise KeyError(f"{name!r}: {', '.join(self.names) or '–'}")
        return found

    def __iter__(self) -> Any:
        return iter(self.calls)

    def __len__(self) -> int:
        return len(self.calls)

    def at(self, place: str | None) -> tuple[Call, str | None]:
        """The call that a place such as "encoder[2]:5/L0/h[3]" is in, and the place there; None is the first call.

        Raises:
            UsageError: There is no such call, or none at all.
        """
        calls = self.calls
        if not calls:
            raise UsageError(Text("no recurrent module was called"))
        found = None if place is None else _PLACE.fullmatch(place.strip())
        if found is None:
            return calls[0], place
        for call in calls:
            if (call.name, call.number) == (found["name"], int(found["number"])):
                return call, found["place"] or None
        known = ", ".join(one.place for one in calls[:8])
        raise UsageError(
            Text("there is no call {place}; there are {known}", place=printable(str(place)), known=known)
        )

    def open(self, at: str | None = None) -> None:
        """Open the debugger on all calls, in this terminal; in a notebook show the place as a picture instead.

        Args:
            at: A place, such as "encoder[2]:5/L0/h[3]".
        """
        from rnnstep.capturing.showing import show

        call, place = self.at(at)
        calls = self.calls
        ahead = calls.index(call)
        show([one.source for one in (*calls[ahead:], *calls[:ahead])], place)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write a folder: a scenario file and its tensors for each call, in order of computation, and where.txt.

        Raises:
            UsageError: The folder is there and not empty, or cannot be written.
        """
        from rnnstep.capturing.saved import save_calls
        from rnnstep.capturing.table import plain_table

        calls = self.calls
        if not calls:
            raise UsageError(Text("no recurrent module was called"))
        save_calls(calls, plain_table(calls, self.notes), os.fspath(folder))

    def __str__(self) -> str:
        from rnnstep.capturing.table import table

        return table(self.calls, self.notes)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from rnnstep.capturing.table import html_table

        return html_table(self.calls, self.notes)


_open: list[Captured] = []


def newest_open() -> Captured | None:
    """What was begun last of all that records now."""
    return _open[-1] if _open else None


def bytes_of_limit(limit: str | int) -> int:
    """Read "2 GiB", "500 MB", or a number of bytes.

    Raises:
        UsageError: It is neither.
    """
    if isinstance(limit, int):
        return limit
    found = _LIMIT.fullmatch(limit)
    if found is None:
        raise UsageError(
            Text(
                "limit: found {found}, expected a size such as {size}", found=repr(limit)[:80], size='"2 GiB"'
            )
        )
    unit = (found[2] or "B").upper()
    base = 1024 if "I" in unit else 1000
    return int(float(found[1]) * base ** "BKMGT".index(unit[0]))


def _not_counted(_: int) -> None:
    """What is computed again is not kept."""


def _chosen(only: Chosen) -> tuple[str | type, ...] | None:
    if only is None:
        return None
    return (only,) if isinstance(only, (str, type)) else tuple(only)


def _name_by_callers(module: Module | None) -> str | None:
    """What a module is called by those that call it: the attributes that lead to it from the outermost module on."""
    import torch

    frame: Any = sys._getframe(1)  # noqa: SLF001 - inspect's way reads every file on it
    parts: list[str] = []
    child = module
    while frame is not None and child is not None:
        code = frame.f_code
        is_method = any("self" in names for names in (code.co_varnames, code.co_cellvars, code.co_freevars))
        # Of no other is `f_locals` asked: until 3.13 a frame keeps what it gives, so a capture, too, that the user lets go.
        owner = frame.f_locals.get("self") if is_method else None
        if isinstance(owner, torch.nn.Module) and owner is not child:
            names: Mapping[int, str] = {id(one): name for name, one in owner.named_modules() if name}
            if id(child) in names:
                parts.insert(0, names[id(child)])
                child = owner
        frame = frame.f_back
    return ".".join(parts) or None


__all__: Sequence[str] = ["Captured", "bytes_of_limit"]
