"""The sheet of one row of a large batch: what was done wrong there shows without the others, in a fraction of the time."""

from __future__ import annotations

from dataclasses import replace

from rnnstep.checking.laying import Laid
from rnnstep.checking.marking import Sheet
from rnnstep.checking.own import Place
from rnnstep.engine.learning import Learning
from rnnstep.scenario.model import Batch, Scenario

FEW = 4  # rows: so many are kept together, as a mistake may mix them up
_ROWS_OF_THEIR_OWN = ("embedding", "recurrent", "join", "linear")


class OneRow:
    """The sheets of single rows, each made once."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._found: dict[tuple[int, int], tuple[Sheet, tuple[int, ...]]] = {}

    def of(self, number: int) -> tuple[Sheet, int]:
        """Give the sheet on which an answer stands with its row alone, and its number there; else as it was."""
        sheet, target = self._sheet, self._sheet.targets[number]
        batch = target.parts[0].place.batch
        rows = {target.row_of(part) for part in target.parts}
        if rows != {target.row} or not all(self._is_of_one_row(part.place) for part in target.parts):
            return sheet, number
        if (batch, target.row) not in self._found:
            self._found[batch, target.row] = self._made(batch, target.row)
        made, numbers = self._found[batch, target.row]
        return made, numbers.index(number)

    def _is_of_one_row(self, place: Place) -> bool:
        """Whether the rows of a value do not know of each other, and are many."""
        done = self._sheet.learning.epoch(0).forward(place.batch)
        return (
            place.phase == "forward"
            and place.epoch == 0
            and done.batch.num_rows > FEW
            and not done.masks
            and done.by_key[place.key].kind in _ROWS_OF_THEIR_OWN
        )

    def _made(self, batch: int, row: int) -> tuple[Sheet, tuple[int, ...]]:
        numbers, laid = [], []
        for number, one in enumerate(self._sheet.laid):
            places = [part.place for part in one.target.parts]
            if {one.target.row_of(part) for part in one.target.parts} == {row} and all(
                place.batch == batch and self._is_of_one_row(place) for place in places
            ):
                numbers.append(number)
                laid.append(_moved(one, self._sheet.decimals(number)))
        scenario = _of_row(self._sheet.learning.scenario, batch, row)
        return Sheet(Learning(scenario), laid), tuple(numbers)


def _moved(one: Laid, decimals: int) -> Laid:
    parts = tuple(replace(part, place=part.place._replace(batch=0), row=None) for part in one.target.parts)
    answer = replace(one.answer, decimals=decimals)
    return replace(one, answer=answer, target=replace(one.target, parts=parts, row=0))


def _of_row(scenario: Scenario, number: int, row: int) -> Scenario:
    """The scenario with one row of one batch, and no loss."""
    batch = scenario.batches[number]
    here = slice(row, row + 1)
    alone = Batch(
        None if batch.values is None else batch.values[:, here],
        None if batch.indices is None else batch.indices[:, here],
        None if batch.lengths is None else batch.lengths[here],
        batch.packed,
    )
    states = {name: value[:, here] for name, value in scenario.initial_state.items()}
    return replace(
        scenario, batches=(alone,), initial_state=states, loss=None, training=None, test_batches=(), cure=None
    )
