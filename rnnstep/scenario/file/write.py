"""A scenario as a complete file, whatever it was made from: its modules, its numbers and what it is to learn.

Large arrays stand in files beside it. What is written is read back before it takes its place, and has to be the same
scenario to the bit: what a scenario file cannot say is refused, not left out.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.cells.cell import Cell
from rnnstep.equations.write import write_line
from rnnstep.errors import ScenarioError, UsageError
from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule
from rnnstep.network.description import INPUT, ValueOf
from rnnstep.scenario.chain import MODE
from rnnstep.scenario.data.feeding import as_given
from rnnstep.scenario.file.atomic_write import check_writable, whole_file
from rnnstep.scenario.file.change_toml import array_text, plain_text, string_text
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.keys import BESIDE
from rnnstep.scenario.localized import Localized
from rnnstep.scenario.model import Batch, Display, FedSequence, Loss, Pending, Scenario, Training
from rnnstep.scenario.read import read
from rnnstep.scenario.weights.parameters import parameters_of
from rnnstep.scenario.weights.seeds import rounded, seeded_weights

MOST_WRITTEN_OUT = 4096  # numbers of an array in the scenario file itself
_Table = dict[str, str]  # a key's value as it is written
_NOT_COMPARED: Mapping[type, set[str]] = {  # of what computes the same
    Scenario: {"name", "path", "file_text", "origins", "memory_limit", "left_over"},
    Pending: {"line", "column"},
}
_BARE = re.compile(r"[A-Za-z0-9_-]+")

Array = NDArray[Any]


def write_scenario(scenario: Scenario, path: str | Path, *, replace: bool = False) -> None:
    """Write a scenario as a new file, and its large arrays beside it: all of them, or none.

    Args:
        scenario: What is to be written.
        path: Of the scenario file.
        replace: Whether a file that is there may be replaced; one beside it never is.

    Raises:
        UsageError: A file cannot be written, or a scenario file cannot say what the scenario is.
    """
    path = Path(path)
    check_writable(path, replace=replace)
    written = as_file(scenario, path)
    made: list[Path] = []
    try:
        for name, content in written.beside.items():
            with whole_file(path.parent / name) as file:
                file.write(content)
            made.append(path.parent / name)
        with whole_file(path, replace=replace) as file:
            file.write(written.text.encode())
    except BaseException:
        for one in made:
            with contextlib.suppress(OSError):
                one.unlink()
        raise


@dataclass(frozen=True, slots=True)
class Written:
    """The text of a scenario file, and what stands in the files beside it, by their names."""

    text: str
    beside: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))


def as_file(scenario: Scenario, path: Path) -> Written:
    """Give a scenario as the file `path` will have it, tried by reading it back.

    Raises:
        UsageError: A scenario file cannot say what it is, with the reason.
    """
    writer = _Writer(scenario, path)
    written = Written(writer.text(), MappingProxyType(writer.beside))
    with tempfile.TemporaryDirectory(prefix="rnnstep-") as folder:
        for name, content in written.beside.items():
            (Path(folder) / name).write_bytes(content)
        tried = Path(folder) / path.name
        tried.write_bytes(written.text.encode())
        try:
            back = read(tried, Limits(memory=scenario.memory_limit))
        except ScenarioError as error:
            raise _unsayable(error.problems[0].message) from None
    differing = difference(as_given(_without_old_letters(scenario)), back)
    if differing is not None:
        raise _unsayable(Text("{what} would be read as another one", what=differing))
    return written


def _unsayable(reason: Text) -> UsageError:
    return UsageError(Text("a scenario file cannot say this: {reason}", reason=reason))


# ── the same scenario ────────────────────────────────────────────────────────────────────────────


def difference(left: Any, right: Any, name: str = "scenario") -> str | None:
    """Give the name of the first thing in which two scenarios differ in a bit, None where they compute the same.

    Their names, files and the way in which their numbers were given do not count.
    """
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        same = left.dtype == right.dtype and left.shape == right.shape
        return None if same and _bits(left) == _bits(right) else name
    if isinstance(left, Cell) and isinstance(right, Cell):
        return None if _cell_table(left) == _cell_table(right) else name
    if type(left) is type(right) and is_dataclass(left):
        but = _NOT_COMPARED.get(type(left), set())
        names = [one.name for one in fields(left) if one.name not in but]
        every = ((getattr(left, one), getattr(right, one), one) for one in names)
    elif isinstance(left, Mapping) and isinstance(right, Mapping):
        if set(left) != set(right):
            return name
        every = ((left[key], right[key], key) for key in left)
    elif isinstance(left, tuple | list) and isinstance(right, tuple | list) and len(left) == len(right):
        every = ((one, other, name) for one, other in zip(left, right, strict=True))
    else:
        return None if type(left) is type(right) and left == right else name
    return next((found for one in every if (found := difference(*one)) is not None), None)


def _bits(array: Array) -> bytes:
    """The bytes of an array; NaN is one number, whatever its bits are."""
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.nan, array).astype(array.dtype)
    return array.tobytes()


def _without_old_letters(scenario: Scenario) -> Scenario:
    """Leave out the letters of a batch whose x is no longer theirs."""
    if scenario.lookup is not None:
        return scenario
    batches = tuple(
        batch if _is_one_hot(batch) else replace(batch, indices=None) for batch in scenario.batches
    )
    return replace(scenario, batches=batches)


def _is_one_hot(batch: Batch | FedSequence) -> bool:
    """Whether x is what the indices say, and zeros after a row's end."""
    if batch.values is None or batch.indices is None:
        return batch.indices is not None
    steps, rows, size = batch.values.shape
    if batch.indices.min() < 0 or batch.indices.max() >= size:
        return False
    meant = np.zeros((steps, rows, size), batch.values.dtype)
    np.put_along_axis(meant, batch.indices[..., None], 1, axis=2)
    for row, length in enumerate(batch.lengths or ()):
        meant[length:, row] = 0
    return np.array_equal(meant, batch.values)


# ── the text ─────────────────────────────────────────────────────────────────────────────────────


def _value(value: Any) -> str:
    """Write a plain value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _key(name: str) -> str:
    return ".".join(part if _BARE.fullmatch(part) else string_text(part) for part in name.split("."))


def _localized(text: Localized) -> str:
    if text.en and not text.zh:
        return string_text(text.en)
    return f"{{en = {string_text(text.en)}, zh = {string_text(text.zh)}}}"


def _integers(array: Array) -> str:
    return str(array.tolist())


def _cell_table(cell: Cell) -> dict[str, str]:
    """Give what stands in a cell's own table."""
    program = cell.program
    equations = "\n".join(write_line(line) for line in program.lines)
    shapes = {
        f"parameters.{_key(name)}": _value(", ".join(map(str, shape)))
        for name, shape in program.parameters.items()
    }
    states = ", ".join(f"{_key(name)} = {_value(size)}" for name, size in cell.states.items())
    return {"state": f"{{{states}}}", **shapes, "equations": f'"""\n{equations}\n"""'}


class _Writer:
    """The tables of one scenario's file, and what goes into files beside it."""

    def __init__(self, scenario: Scenario, path: Path) -> None:
        self._scenario = scenario
        self._path = path
        self.beside: dict[str, bytes] = {}

    def text(self) -> str:
        """Give the file's text."""
        scenario = self._scenario
        self._check_sayable()
        # The short form has no table for every module: then all of them are written in the long form.
        is_short = all(layer.key in ("", *BESIDE) for layer in scenario.layers) and not scenario.is_network
        heading = self._heading()
        tables: dict[str, _Table | list[_Table]] = {"": heading, **self._input_tables()}
        if is_short:
            tables["recurrent"] = _options(scenario.recurrent)
        else:
            above = MODE if scenario.is_network else ()  # what is of all layers
            layers = [_layer(layer) | _wires(scenario, layer) for layer in scenario.layers if layer.joins]
            heading |= {key: one[key] for one in layers for key in above if key in one}
            is_training = any(
                layer != layer.in_mode("eval", scenario.dropout_seed) for layer in scenario.layers
            )
            if is_training and not scenario.recurrents:  # whose options would say so
                heading |= {"mode": _value("train"), "dropout_seed": _value(scenario.dropout_seed)}
            tables["layers"] = [
                {key: value for key, value in one.items() if key not in above} for one in layers
            ]
        for recurrent in scenario.recurrents:
            if recurrent.is_own:
                tables[f"cell.{_key(recurrent.module)}"] = _cell_table(recurrent.cell)
        if is_short:
            tables |= {layer.key: _options(layer) for layer in scenario.layers if layer.key}
        tables["initial_state"] = self._states()
        tables["weights"] = self._weights()
        if scenario.loss is not None:
            tables["loss"] = self._loss(scenario.loss)
        if scenario.training is not None:
            tables["training"] = self._training(scenario.training)
        tables["display"] = self._display(scenario.display)
        parts = [text for name, table in tables.items() for text in _texts(name, table)]
        if scenario.origins.cure:
            parts.append(plain_text({"cure": dict(scenario.origins.cure)}))
        return "\n".join(parts)

    def _check_sayable(self) -> None:
        """Refuse what a file has no words for."""
        scenario = self._scenario
        if any(batch.masks is not None for batch in scenario.batches):
            raise _unsayable(Text("dropout masks that are given, and not drawn from a seed"))
        if any(batch.keep is not None for batch in scenario.batches):
            raise _unsayable(Text("rows that begin anew from zeros within a run"))
        if any(batch.initial_state is not None for batch in scenario.batches):
            raise _unsayable(Text("first states that are given for each batch"))
        if any(batch.above is not None for batch in scenario.batches):
            raise _unsayable(Text("gradients that are given, and not those of a loss"))
        if any(batch.recorded is not None for batch in scenario.batches):
            raise _unsayable(Text("what was recorded beside a run"))

    def _file(self, ending: str, content: bytes) -> str:
        """Put what is too large for the scenario's file beside it, under a name that nothing there has."""
        stem = self._path.stem
        names = itertools.chain(
            [f"{stem}{ending}"], (f"{stem}-{number}{ending}" for number in itertools.count(2))
        )
        folder = self._path.parent
        name = next(name for name in names if name not in self.beside and not (folder / name).exists())
        self.beside[name] = content
        return string_text(name)

    def _heading(self) -> dict[str, str]:
        scenario = self._scenario
        table = {"title": _localized(scenario.title)}
        if scenario.summary != Localized():
            table["summary"] = _localized(scenario.summary)
        if scenario.vocabulary is not None:
            table["vocabulary"] = '"ascii"' if scenario.is_ascii else _value(scenario.vocabulary)
        return table

    # ── what goes in ─────────────────────────────────────────────────────────────────

    def _input_tables(self) -> dict[str, dict[str, str]]:
        scenario = self._scenario
        if scenario.test_batches or (len(scenario.batches) > 1 and scenario.batches[0].indices is not None):
            return {"data": self._rows()}
        are_windows = len(scenario.batches) > 1 or scenario.carries
        tables = {"input": self._windows() if are_windows else self._one_batch()}
        if len(scenario.batches) == 1:
            beside = scenario.batches[0].beside.items()
            tables |= {f"input.{name}": self._along(name, fed) for name, fed in beside}
        if all(batch.target is not None for batch in scenario.batches):
            tables["target"] = self._target()
        return tables

    def _one_batch(self) -> dict[str, str]:
        (batch,) = self._scenario.batches
        return self._along(INPUT, batch.first)

    def _along(self, name: str, fed: FedSequence) -> dict[str, str]:
        """Give a sequence of the only batch: what is fed, or what feeds it."""
        feeding = self._scenario.feeds.get(name)
        if feeding is None:
            return self._sequence(fed)
        first: Any = feeding.first.tolist()
        if feeding.is_of_classes and self._scenario.vocabulary is not None:
            first = [self._scenario.vocabulary[index] for index in first]
        elif feeding.is_of_classes and len(set(first)) > 1:
            raise _unsayable(Text("classes without letters that are fed first, another in each row"))
        elif feeding.is_of_classes:
            first = first[0]
        layer = self._scenario.by_key[feeding.layer].name.removesuffix(".add")
        table = {"feed": _value(layer), "first": _value(first), "steps": str(fed.num_steps)}
        if feeding.until is not None:
            table["until"] = _value(feeding.until)
        if feeding.teacher is not None:
            table["teacher"] = _value(feeding.teacher)
        if feeding.sampling is not None:
            sampling = feeding.sampling
            table["sample"] = f"{{temperature = {sampling.temperature!r}, seed = {sampling.seed}}}"
        return table

    def _sequence(self, fed: FedSequence) -> dict[str, str]:
        """Give what is fed along one sequence of the only batch."""
        if _is_one_hot(fed):
            assert fed.indices is not None
            flat = fed.indices[:, 0] if fed.num_rows == 1 else self._scenario.laid_out(fed.indices)
            table = {"indices": _integers(flat)}
        else:
            assert fed.values is not None
            table = self._numbers("values", self._scenario.laid_out(fed.values))
        if fed.lengths is not None:
            return {**table, "lengths": _value(fed.lengths), "packed": _value(fed.packed)}
        return table

    def _windows(self) -> dict[str, str]:
        """Give several batches as windows of one series that do not overlap."""
        batches = self._scenario.batches
        if len({batch.first.num_steps for batch in batches}) > 1 or any(batch.lengths for batch in batches):
            raise _unsayable(
                Text("several batches of other than equal lengths, which are not labelled texts")
            )
        table = self._numbers("values", self._scenario.whole_series)
        for key in ("length", "stride"):
            table[f"windows.{key}"] = str(batches[0].first.num_steps)
        return {**table, "windows.batch_size": str(batches[0].num_rows)}

    def _numbers(self, key: str, array: Array) -> dict[str, str]:
        if array.size <= MOST_WRITTEN_OUT:
            return {key: array_text(array)}
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        return {"file": self._file(".npy", content.getvalue())}

    def _target(self) -> dict[str, str]:
        scenario = self._scenario
        has_one_a_row = scenario.has_one_target_a_row
        every = [batch.target for batch in scenario.batches if batch.target is not None]
        whole = np.concatenate(every, axis=0 if has_one_a_row else 1)
        shown = scenario.whole_target
        if whole.dtype.kind == "f":
            return {"values": array_text(shown)}
        if self._is_spelt():
            return {"text": self._spelt(whole, has_one_a_row=has_one_a_row)}
        return {"indices": _integers(shown)}

    def _is_spelt(self) -> bool:
        """Whether the classes have the letters' names although there are more or fewer outputs than letters."""
        scenario = self._scenario
        if scenario.target_vocabulary is None or scenario.target_vocabulary != scenario.vocabulary:
            return False
        return scenario.num_scores != len(scenario.vocabulary)

    def _spelt(self, target: Array, *, has_one_a_row: bool) -> str:
        vocabulary = self._scenario.vocabulary or ()
        batch = self._scenario.batches[0]
        rows = target[:, None] if has_one_a_row else target.T
        if target.min() < 0 or target.max() >= len(vocabulary):
            raise _unsayable(Text("a class without a letter among classes with letters"))
        texts = [
            "".join(vocabulary[k] for k in row[:length])
            for row, length in zip(rows, batch.first.true_lengths, strict=True)
        ]
        return _value(texts)

    def _rows(self) -> dict[str, str]:
        """Give labelled texts as a CSV file, its rows in an order that reading shares out as they are."""
        scenario = self._scenario
        vocabulary, classes = scenario.vocabulary, scenario.target_vocabulary
        parts = [_texts_and_labels(part) for part in (scenario.batches, scenario.test_batches)]
        if vocabulary is None or classes is None or None in parts:
            raise _unsayable(Text("several batches of indices that are not labelled texts"))
        train, test = (part or [] for part in parts)
        count = len(train) + len(test)
        order = np.random.default_rng(0).permutation(count)
        placed: dict[int, tuple[list[int], int]] = {}
        for part, places in ((test, order[: len(test)]), (train, order[len(test) :])):
            placed.update(zip(np.sort(places).tolist(), part, strict=True))
        content = io.StringIO(newline="")
        writer = csv.writer(content, lineterminator="\n")
        writer.writerow(("text", "label"))
        for place in range(count):
            indices, label = placed[place]
            writer.writerow(("".join(vocabulary[index] for index in indices), classes[label]))
        table = {
            "file": self._file(".csv", content.getvalue().encode()),
            "batch_size": str(scenario.batches[0].num_rows),
        }
        return {**table, "test": repr((len(test) + 0.5) / count)} if test else table

    # ── the modules ──────────────────────────────────────────────────────────────────

    def _states(self) -> dict[str, str]:
        scenario = self._scenario
        table: dict[str, str] = {}
        for name, state in scenario.initial_state.items():
            shown = state[0] if scenario.recurrent_called(name).is_cell else state
            table[_key(name)] = array_text(shown if scenario.is_batched else shown[..., 0, :])
        return table

    def _weights(self) -> dict[str, str]:
        """Give a seed where there was one, and beside it what it does not draw."""
        scenario, origin = self._scenario, self._scenario.origins.weights
        pending = scenario.pending
        if pending is not None and pending.seed is None:
            raise _unsayable(Text("weights that torch has still to read from their file"))
        parameters = parameters_of(scenario.layers)
        table: dict[str, str] = {}
        drawn: Mapping[str, Array] = {}
        if origin.seed is not None:
            found = seeded_weights(origin.seed, scenario.layers)
            drawn = {name: rounded(array, origin.round, scenario.dtype) for name, array in found.items()}
            table["seed"] = str(origin.seed)
            if origin.round is not None:
                table["round"] = str(origin.round)
        rest = {
            name: array
            for name, array in scenario.parameters.items()
            if name not in drawn or difference(array, drawn[name]) is not None
        }
        if origin.seed is not None and pending is None and len(rest) == len(parameters):
            table = {}  # nothing is left that the seed drew
        if table or sum(array.size for array in rest.values()) <= MOST_WRITTEN_OUT:
            return {**table, **{_key(name): array_text(array) for name, array in rest.items()}}
        from safetensors.numpy import save

        content = save({name: np.ascontiguousarray(array) for name, array in rest.items()})
        return {"file": self._file(".safetensors", content)}

    # ── what is learnt, and how it is shown ──────────────────────────────────────────

    def _loss(self, loss: Loss) -> dict[str, str]:
        table = {key: _value(getattr(loss, key)) for key in ("name", "over_time", "factor")}
        if loss.at is not None:
            table["at"] = _value(loss.at)
        if loss.of is not None:
            table["of"] = _value(self._scenario.by_key[loss.of].name.removesuffix(".add"))
        return {**table, **{key: _value(value) for key, value in loss.options.items()}}

    def _training(self, training: Training) -> dict[str, str]:
        table = {"optimizer": _value(training.optimizer), "epochs": str(training.epochs)}
        table |= {key: _value(value) for key, value in training.arguments.items()}
        for key in ("clip_grad_value", "clip_grad_norm", "mistake"):
            if getattr(training, key) is not None:
                table[key] = _value(getattr(training, key))
        return table

    def _display(self, display: Display) -> dict[str, str]:
        return {
            one.name: _value(getattr(display, one.name))
            for one in fields(display)
            if getattr(display, one.name) is not None
        }


def _options(module: NetworkModule) -> _Table:
    """Give the options of a module that are not their defaults."""
    return {key: _value(value) for key, value in module.written.items()}


def _layer(module: NetworkModule) -> _Table:
    """Give a module as one of [[layers]]; a recurrent one has its name among its options."""
    named = {} if module.key == type(module).key else {"name": _value(module.key)}
    if not module.torch:
        return {**_options(module), **named}
    return {"module": _value(module.torch), **named, **_options(module)}


def _wires(scenario: Scenario, module: NetworkModule) -> _Table:
    """Give the keys that say what a module reads, where that is not what the one before it gives."""
    tied = {
        own.removeprefix(f"{module.key}."): _value(
            other if "." in other else f"{scenario.recurrent.name}.{other}"
        )
        for own, other in module.tied
    }
    if scenario.wires is None:
        return tied
    reads, written = scenario.wires[module.key], [one for one in scenario.layers if one.joins]
    number = written.index(module)
    before = written[number - 1] if number else None
    usual = INPUT if before is None else before.name
    table: _Table = {}
    if reads.banks:
        table |= zip(
            ("query", "memory", "values"),
            (_source(scenario, one) for one in (*reads.inputs, *reads.banks)),
            strict=False,
        )
    elif [_source(scenario, one) for one in reads.inputs] != [_value(usual)]:
        table["input"] = _sources(scenario, reads.inputs)
    added = scenario.wires.get(f"{module.name}.add")
    if added is not None:
        table["add"] = _sources(scenario, added.inputs[1:])
    return table | tied | {f"{state}_0": _source(scenario, one) for state, one in reads.states.items()}


def _sources(scenario: Scenario, sources: Sequence[ValueOf]) -> str:
    named = [_source(scenario, one) for one in sources]
    return named[0] if len(named) == 1 else f"[{', '.join(named)}]"


def _source(scenario: Scenario, one: ValueOf) -> str:
    """Give what a value is called in a file: a sum by the layer that it is added to."""
    module = scenario.by_key.get(one.name)
    name = one.name if module is None else module.name.removesuffix(".add")
    return _value(name if one.value == "output" else f"{name}.{one.value}")


def _texts(name: str, table: _Table | list[_Table]) -> Iterator[str]:
    """Give the text of a table, or of each in a list of them; none of what is empty."""
    heading = f"[[{name}]]\n" if isinstance(table, list) else f"[{name}]\n" if name else ""
    for one in table if isinstance(table, list) else [table]:
        if one:
            yield heading + "".join(f"{key} = {value}\n" for key, value in one.items())


def _texts_and_labels(batches: tuple[Batch, ...]) -> list[tuple[list[int], int]] | None:
    """Give each row's indices and class; None where rows have none."""
    found: list[tuple[list[int], int]] = []
    for batch in batches:
        if batch.indices is None or batch.target is None or batch.target.ndim != 1:
            return None
        rows = zip(batch.indices.T.tolist(), batch.first.true_lengths, batch.target.tolist(), strict=True)
        found += [(row[:length], label) for row, length, label in rows]
    return found
