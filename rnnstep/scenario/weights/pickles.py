"""What a pickle of torch's would build, found out without building it: its instructions are followed with signs for things.

`torch.save` writes dictionaries of tensors as a pickle beside the numbers, and a pickle may ask for any function at all.
Here nothing of it is called. A name that is asked for is a `AskedFor`, what a call of it would give a `Made`; strings,
dictionaries and lists are themselves. So it can be said what in a file is no tensor, and where its tensors stand.
"""

from __future__ import annotations

import pickletools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

TENSOR_MODULES = frozenset(
    (
        "torch",
        "torch._utils",
        "torch._tensor",
        "torch.storage",
        "torch.serialization",
    )
)
"""What a state_dict's pickle names. torch's weights_only is the guard; this is the early, clear message."""
HARMLESS = frozenset(
    (
        "torch.nn.parameter.Parameter",
        "collections.OrderedDict",
        "collections.Counter",
        "_codecs.encode",
        "builtins.set",
        "__builtin__.set",
        "builtins.bytearray",
        "__builtin__.bytearray",
        "builtins.complex",
        "__builtin__.complex",
    )
)
"""Names of other modules that it lets through."""

MOST_OPCODES = 1_000_000  # of a file's pickles: a tensor takes some 40, and each opcode may build an object
MOST_BYTES = 1 << 28  # of a file's pickles; their numbers stand elsewhere
MOST_NAMES = 8  # of strange things told of a file
MOST_LEVELS = 4  # of dictionaries in a checkpoint, one inside another
_LONGEST = 1000  # characters of a string that are kept

_NO_NAME = frozenset(
    ("EXT1", "EXT2", "EXT4")
)  # what they ask for stands in a table of the process that reads


class TooMuch(Exception):
    """A pickle has more than a state_dict can need: a few bytes of an archive may hold millions of instructions."""


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A function or class that a pickle asks for, dotted."""

    name: str

    @property
    def is_strange(self) -> bool:
        """Whether no state_dict asks for it."""
        return self.name not in HARMLESS and self.name.rpartition(".")[0] not in TENSOR_MODULES


@dataclass(slots=True, eq=False)
class Made:
    """What calling something that a pickle names would give."""

    of: Any
    parts: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Strange:
    """Something in a pickle that no state_dict holds.

    Attributes:
        name: what it asks for, dotted.
        key: of the outermost dictionary under which it stands; None where the whole is no dictionary.
    """

    name: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a pickle would give.

    Attributes:
        strange: the first things that are neither tensors nor plain values.
        tensors: the shape of each tensor under the keys that lead to it; None where it is not a plain one.
        tensors_under: the keys, outermost first, that lead to the dictionary with most tensors; None where none has any.
        model: the class of a whole model, and the keys that lead to it.
        is_alone: whether it is a pickle of nothing of torch's, which torch cannot load.
    """

    strange: tuple[Strange, ...]
    tensors: Mapping[tuple[str | int, ...], tuple[int, ...] | None]
    tensors_under: tuple[str | int, ...] | None = None
    model: tuple[str, tuple[str | int, ...]] | None = None
    is_alone: bool = False


def contents(file: IO[bytes], pickles: int) -> Contents:
    """Find out what the last of so many pickles of a file would give; the names of all of them count.

    Raises:
        TooMuch: They have more than `MOST_OPCODES` or `MOST_BYTES`.
        Exception: Whatever a broken instruction leads to.
    """
    bounded = _Bounded(file)
    machine = _Machine()
    for number in range(pickles):
        machine.run(bounded)
        if machine.strange and number < pickles - 1:  # what `pickle.dump` wrote: there are no others
            return replace(_looked_into(machine), is_alone=True)
    return _looked_into(machine)


def tensors_in(held: object, is_tensor: Callable[[Any], bool]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Give all tensors of a checkpoint with the keys that lead to each, through `MOST_LEVELS` dictionaries at most.

    A checkpoint's stand in a dictionary inside, under its name: "state_dict", "model.rnn.weight_ih_l0". A dictionary that
    stands in several places is gone into once: a few of them inside one another could else hold more than there is time for.
    """
    return _tensors_below(held, is_tensor, (), set())


def _tensors_below(
    held: object, is_tensor: Callable[[Any], bool], before: tuple[str | int, ...], seen: set[int]
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if not isinstance(held, Mapping) or len(before) == MOST_LEVELS or id(held) in seen:
        return
    seen.add(id(held))
    for key, value in held.items():
        if is_tensor(value):
            yield (*before, key), value
        else:
            yield from _tensors_below(value, is_tensor, (*before, key), seen)


def flat_name(keys: tuple[str | int, ...]) -> str:
    """Give the name that a tensor is looked for under, from the keys that lead to it."""
    return ".".join(map(str, keys))


class _Bounded:
    """A file of which no more than `MOST_BYTES` are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = MOST_BYTES

    def read(self, size: int) -> bytes:
        return self._taken(self._file.read(min(size, self._left + 1)))

    def readline(self) -> bytes:
        return self._taken(self._file.readline(self._left + 1))

    def _taken(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise TooMuch
        return data


class _Machine:
    """Follows a pickle's instructions with signs for things."""

    def __init__(self) -> None:
        self.strange: dict[str, None] = {}
        self.root: Any = None
        self._count = 0
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks under each mark
        self._memo: dict[int, Any] = {}

    def run(self, file: _Bounded) -> None:
        """Follow one pickle to its end."""
        self._stack, self._below, self._memo = [], [], {}
        for opcode, argument, _ in pickletools.genops(file):  # type: ignore[arg-type]  # reads as a file does
            self._count += 1
            if self._count > MOST_OPCODES:
                raise TooMuch
            special = _SPECIAL.get(opcode.name)
            if special is not None:
                special(self, argument)
            else:
                self._plain(opcode.name, argument)

    def _plain(self, name: str, argument: Any) -> None:
        """Take what an instruction takes, and put as many things as it gives: a list of what it took, or its argument."""
        count, takes_slice, gives, is_value = _PLAIN[name]
        taken = self._popped_mark() if takes_slice else []
        if count:
            taken = self._stack[-count:] + taken
            del self._stack[-count:]
        if name in _NO_NAME:
            self._named(f"pickle.{name}")
        elif is_value:
            self._stack.append(argument[:_LONGEST] if isinstance(argument, str) else argument)
        elif gives:
            self._stack.append(taken)

    def _popped_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._below.pop()
        return items

    def _named(self, name: str) -> None:
        named = AskedFor(name[:_LONGEST])
        if named.is_strange and len(self.strange) < MOST_NAMES:
            self.strange.setdefault(named.name)
        self._stack.append(named)

    # ── instructions that are more than taking and putting ───────────────────────────

    def mark(self, _: Any) -> None:
        self._below.append(self._stack)
        self._stack = []

    def dictionary(self, _: Any) -> None:
        self._stack.append({})

    def listing(self, _: Any) -> None:
        self._stack.append([])

    def set_items(self, _: Any) -> None:
        items = self._popped_mark()
        self._put(self._stack[-1], items)

    def set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._put(self._stack[-1], [key, value])

    def marked_dictionary(self, _: Any) -> None:
        items = self._popped_mark()
        self._stack.append({})
        self._put(self._stack[-1], items)

    def append(self, _: Any) -> None:
        value = self._stack.pop()
        self._add(self._stack[-1], [value])

    def appends(self, _: Any) -> None:
        items = self._popped_mark()
        self._add(self._stack[-1], items)

    def look_up(self, argument: Any) -> None:
        self._stack.append(self._memo[int(argument)])

    def keep(self, argument: Any) -> None:
        self._memo[int(argument)] = self._stack[-1]

    def keep_next(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def duplicate(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def name(self, argument: Any) -> None:
        self._named(str(argument).replace(" ", ".", 1))

    def stacked_name(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._named(
            f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else "pickle.STACK_GLOBAL"
        )

    def instance(self, argument: Any) -> None:
        parts = self._popped_mark()
        self.name(argument)
        self._stack.append(Made(self._stack.pop(), parts))

    def object_of(self, _: Any) -> None:
        of, *parts = self._popped_mark()
        self._stack.append(Made(of, parts))

    def call(self, _: Any) -> None:
        arguments, of = self._stack.pop(), self._stack.pop()
        is_dictionary = isinstance(of, AskedFor) and of.name in _DICTIONARIES
        self._stack.append({} if is_dictionary else Made(of, [arguments]))

    def call_with_names(self, _: Any) -> None:
        names, arguments, of = self._stack.pop(), self._stack.pop(), self._stack.pop()
        self._stack.append(Made(of, [arguments, names]))

    def persistent(self, _: Any) -> None:
        """Take what names something kept elsewhere: numbers, or, in files of torch before 1.6, a class with its source."""
        name = self._stack.pop()
        asked = [one for one in name if isinstance(one, AskedFor)] if isinstance(name, list) else []
        is_class = bool(asked) and name[0] == "module"
        self._stack.append(asked[0] if is_class else [name])

    def stop(self, _: Any) -> None:
        self.root = self._stack.pop()

    def build(self, _: Any) -> None:
        state = self._stack.pop()
        if isinstance(self._stack[-1], Made):
            self._stack[-1].parts.append(state)

    @staticmethod
    def _put(into: Any, items: list[Any]) -> None:
        if isinstance(into, Made):
            into.parts += items
        elif isinstance(into, dict):
            for key, value in zip(items[::2], items[1::2], strict=True):
                into[key if isinstance(key, (str, int)) else (len(into),)] = value

    @staticmethod
    def _add(into: Any, items: list[Any]) -> None:
        if isinstance(into, Made):
            into.parts += items
        elif isinstance(into, list):
            into += items


def _plainly(opcode: pickletools.OpcodeInfo) -> tuple[int, bool, bool, bool]:
    """Give how many things an instruction takes below a mark, whether those above one, whether it gives one, and its argument."""
    before = [kind.name for kind in opcode.stack_before]
    count = before.index("mark") if "mark" in before else len(before)
    is_value = opcode.name.endswith("UNICODE") or "UNICODE8" in opcode.name or "INT" in opcode.name
    return count, "mark" in before, bool(opcode.stack_after), is_value


_PLAIN = {opcode.name: _plainly(opcode) for opcode in pickletools.opcodes}
_DICTIONARIES = frozenset(("collections.OrderedDict", "collections.defaultdict", "collections.Counter"))
_SPECIAL: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "EMPTY_DICT": _Machine.dictionary,
    "EMPTY_LIST": _Machine.listing,
    "EMPTY_SET": _Machine.listing,
    "SETITEMS": _Machine.set_items,
    "SETITEM": _Machine.set_item,
    "DICT": _Machine.marked_dictionary,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "ADDITEMS": _Machine.appends,
    "GET": _Machine.look_up,
    "BINGET": _Machine.look_up,
    "LONG_BINGET": _Machine.look_up,
    "PUT": _Machine.keep,
    "BINPUT": _Machine.keep,
    "LONG_BINPUT": _Machine.keep,
    "MEMOIZE": _Machine.keep_next,
    "DUP": _Machine.duplicate,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.stacked_name,
    "INST": _Machine.instance,
    "OBJ": _Machine.object_of,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "NEWOBJ_EX": _Machine.call_with_names,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
    "STOP": _Machine.stop,
}


# ── what was found ───────────────────────────────────────────────────────────────────────────────


def _looked_into(machine: _Machine) -> Contents:
    root = machine.root
    places: dict[str, str | None] = {}
    if isinstance(root, dict):
        seen: set[int] = set()
        for key, value in root.items():
            for name in _names_in(value, seen):
                places.setdefault(name, key if isinstance(key, str) else None)
    strange = tuple(Strange(name, places.get(name)) for name in machine.strange)
    tensors = {keys: _shape_of(made) for keys, made in tensors_in(root, _is_tensor)}
    under = Counter(keys[:-1] for keys in tensors)
    model = None
    for keys, made in tensors_in({"": root}, _is_model):
        model = model or (made.of.name, keys[1:])
    return Contents(strange, tensors, max(under, key=under.__getitem__, default=None), model)


def _names_in(thing: Any, seen: set[int]) -> Iterator[str]:
    """Give the strange names that a thing is made with; what was seen before is passed over, as all may hold all."""
    left = [thing]
    while left:
        one = left.pop()
        if isinstance(one, AskedFor):
            if one.is_strange:
                yield one.name
        elif isinstance(one, (dict, list, Made)) and id(one) not in seen:
            seen.add(id(one))
            if isinstance(one, Made):
                left += [*one.parts, one.of]
            else:
                left += one.values() if isinstance(one, dict) else one


def _is_tensor(thing: Any) -> bool:
    """Whether a thing is made by one of torch's functions that build tensors."""
    return isinstance(thing, Made) and isinstance(thing.of, AskedFor) and thing.of.name.startswith(_REBUILDS)


_REBUILDS = ("torch._utils._rebuild_", "torch._tensor._rebuild_")


def _shape_of(made: Made) -> tuple[int, ...] | None:
    """Give a tensor's shape from what it is made of: (storage, offset, shape, …), or, of a parameter, a tensor."""
    arguments = _arguments(made)
    if arguments and isinstance(arguments[0], Made):
        arguments = _arguments(arguments[0])
    shape = arguments[2] if len(arguments) > 2 else None
    if isinstance(shape, list) and all(isinstance(size, int) for size in shape):
        return tuple(shape)
    return None


def _arguments(made: Made) -> list[Any]:
    """Give what the call that makes a thing is given."""
    return made.parts[0] if made.parts and isinstance(made.parts[0], list) else []


def _is_model(thing: object) -> bool:
    """Whether a thing is a module of torch's, or of a class derived from it: its state has their attributes."""
    if not isinstance(thing, Made) or not isinstance(thing.of, AskedFor):
        return False
    states = [part for part in thing.parts if isinstance(part, dict)]
    return any("_parameters" in state and "_modules" in state for state in states)
