"""What all parts of the program need to know of the scenario."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rnnstep.cells.cell import Cell
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import INPUT, sequence_read
from rnnstep.program.literals import quoted
from rnnstep.program.own_cell import function_name, identifier, module_name, variable
from rnnstep.scenario import bundled
from rnnstep.scenario.model import Batch, Loss, Scenario, Training
from rnnstep.scenario.origins import Origins

FEW_ROWS = 12  # of [data] that the program writes out; more of them it reads from their file


class ProgramSource:
    """A scenario, and what is often asked of it."""

    def __init__(
        self,
        scenario: Scenario,
        language: str,
        recurrent: Recurrent | None = None,
        entering: str = "",
        firsts: Mapping[str, str] | None = None,
    ) -> None:
        """Take a scenario, and which of its recurrent modules is meant; the last where none is said.

        Args:
            scenario: what is written.
            language: of comments.
            recurrent: the module.
            entering: the name of what enters it; that of what the module before gives where none is said.
            firsts: its states before the first step that other modules give, "h" → how the program names it.
        """
        self.scenario = scenario
        self._entering = entering
        self.firsts = firsts or {}
        self.language = language
        self._recurrent = recurrent

    @property
    def recurrent(self) -> Recurrent:
        """The recurrent module that is meant."""
        return self.scenario.recurrent if self._recurrent is None else self._recurrent

    @property
    def cell(self) -> Cell:
        """The equations of one of its steps."""
        return self.recurrent.cell

    @property
    def is_wired(self) -> bool:
        """Whether each module is called on what it reads by name, rather than in a chain around recurrent ones."""
        scenario = self.scenario
        is_last_scored = scenario.scored_module is scenario.layers[-1]
        is_named = scenario.wires is not None or bool(scenario.feeds)
        return is_named or not scenario.recurrents or not is_last_scored

    @property
    def each_recurrent(self) -> list[ProgramSource]:
        """The same, of each recurrent module."""
        return [ProgramSource(self.scenario, self.language, one) for one in self.scenario.recurrents]

    @property
    def origins(self) -> Origins:
        """Whether numbers were written out, drawn, or read from a file."""
        return self.scenario.origins

    def file(self, name: str) -> str:
        """Give how the program opens a file that the scenario names."""
        folder = self.scenario.path.parent if self.scenario.path is not None else None
        return quoted(str(folder / name) if folder is not None else name)

    @property
    def name(self) -> str:
        """What `rnnstep` calls the scenario: the bundled one's name, or that of its file."""
        path = self.scenario.path
        if path is None:
            return self.scenario.name
        known = next((name for name in bundled.names() if bundled.find(name) == path), None)
        return known or printable(path.name)

    def comment(self, said: Text) -> str:
        """Give a comment in the user's language; none of its words can begin a line of code."""
        return "# " + " ".join(printable(said.into(self.language)).split())

    # ── what goes in ─────────────────────────────────────────────────────────────────

    @property
    def batch(self) -> Batch:
        """The first batch, which shows what kind all are of."""
        return self.scenario.batches[0]

    @property
    def reads_rows(self) -> bool:
        """Whether the rows of [data] are read from their file, since they are too many to be written out."""
        every = (*self.scenario.batches, *self.scenario.test_batches)
        return self.origins.rows is not None and sum(batch.num_rows for batch in every) > FEW_ROWS

    @property
    def is_tested(self) -> bool:
        """Whether rows that were kept apart are asked in every epoch."""
        return bool(self.scenario.test_batches) and self.training is not None

    @property
    def is_several(self) -> bool:
        """Whether the program loops over batches."""
        return len(self.scenario.batches) > 1 or self.reads_rows or self.is_tested

    @property
    def sequence(self) -> str:
        """The sequence whose steps the recurrent module runs along; without one what is compared does."""
        if not self.scenario.recurrents:
            return self.scenario.scored_sequence
        return self.scenario.sequence_of[self.recurrent.key]

    @property
    def lengths(self) -> str:
        """What its rows' lengths are called, or how they follow from others."""
        return self.lengths_along(self.sequence)

    def lengths_along(self, sequence: str) -> str:
        """The same of a sequence: its own, or where a module begins it those of what that reads, put into its formula."""
        module = self.scenario.by_key.get(sequence)
        if module is None or sequence not in self.batch.derived:
            return along("lengths", sequence)
        return module.steps_in_words(self.lengths_along(sequence_read(module.key, self.scenario.wiring)))

    @property
    def is_packed(self) -> bool:
        """Whether any batch is packed along it: then all go the same way."""
        return any(
            batch.sequences[self.sequence].packed_lengths is not None
            for batch in (*self.scenario.batches, *(self.scenario.test_batches if self.is_tested else ()))
        )

    @property
    def is_one_hot(self) -> bool:
        """Whether indices become one-hot vectors."""
        return self.batch.values is not None and self.batch.indices is not None

    @property
    def data_size(self) -> int:
        """How many numbers are given at a step."""
        if self.batch.values is not None:
            return int(self.batch.values.shape[2])
        return self.scenario.recurrents[0].input_size

    @property
    def loop_names(self) -> str:
        """What the loop over several batches takes from each."""
        names = ["x", *(["lengths"] if self.is_packed else []), *(["target"] if self.has_loss else [])]
        if self.has_own_states:
            names += [f"{variable(name)}_0" for name in self.scenario.cell.states]
        return ", ".join(names)

    @property
    def has_own_states(self) -> bool:
        """Whether each of several batches begins with states of its own."""
        return self.is_several and any(batch.initial_state is not None for batch in self.scenario.batches)

    @property
    def goes_on(self) -> bool:
        """Whether the module's states go on from batch to batch, which the loop over them says."""
        return self.recurrent.carry and self.is_several

    @property
    def rows(self) -> str:
        """How many rows the `x` at hand has."""
        if not self.is_several:
            return str(self.batch.num_rows)
        return f"x.shape[{0 if self.scenario.batch_first else 1}]"

    # ── the modules ──────────────────────────────────────────────────────────────────

    @property
    def below(self) -> tuple[NetworkModule, ...]:
        """The modules between what is given, or looked up, or the recurrent module before, and this one."""
        modules = self.scenario.behind_lookup[: self._number]
        last = max((number for number, one in enumerate(modules) if isinstance(one, Recurrent)), default=-1)
        return modules[last + 1 :]

    @property
    def above(self) -> tuple[NetworkModule, ...]:
        """The modules above the last recurrent one."""
        return self.scenario.behind_lookup[self.scenario.behind_lookup.index(self.scenario.recurrent) + 1 :]

    @property
    def _number(self) -> int:
        return self.scenario.behind_lookup.index(self.recurrent)

    @property
    def given(self) -> str:
        """The name of what the modules below the recurrent one are given: `x`, or what the one before it gave."""
        before = [one for one in self.scenario.behind_lookup[: self._number] if isinstance(one, Recurrent)]
        return ProgramSource(self.scenario, self.language, before[-1]).output if before else "x"

    @property
    def x(self) -> str:
        """The name of what enters the recurrent module; what is given is `x`, and has to last for another epoch."""
        if self._entering:
            return self._entering
        return "entering" if self.below else self.given

    @property
    def is_last(self) -> bool:
        """Whether no recurrent module is above this one."""
        return self.recurrent is self.scenario.recurrent

    @property
    def module(self) -> str:
        """What the program calls the recurrent module."""
        return module_name(self.recurrent.key) if self.recurrent.key else "rnn"

    def own(self, name: str) -> str:
        """What the program calls a thing of the recurrent module: as it is called, or behind the module's name where there are several."""
        return name if self.recurrent.is_alone else f"{self.module}_{name}"

    @property
    def output(self) -> str:
        """The name of what the recurrent module gives."""
        return "output" if self.is_last else f"{identifier(self.recurrent.key)}_out"

    @property
    def function(self) -> str:
        """The name of a user-defined cell's function."""
        return function_name(self.cell) if self.recurrent.is_alone else self.own("step")

    @property
    def has_mask_modules(self) -> bool:
        """Whether one generator draws the masks of several modules."""
        return self.scenario.has_masks and not (len(self.scenario.recurrents) == 1 and self._draws_alone)

    @property
    def _draws_alone(self) -> bool:
        return not any(layer.masks for layer in self.scenario.layers if layer is not self.recurrent)

    @property
    def is_chained(self) -> bool:
        """Whether dropout's masks stand between single modules of torch, one a layer."""
        return self.has_masks and not self.recurrent.is_own

    @property
    def has_masks(self) -> bool:
        """Whether dropout's masks stand between the layers."""
        return self.recurrent.has_masks

    def width(self, state: str) -> int:
        """Give the size of a state of one row, layer and direction."""
        return self.recurrent.state_sizes[state]

    @property
    def dtype(self) -> str:
        """`torch.float32` or `torch.float64`."""
        return f"torch.{self.scenario.display.dtype}"

    @property
    def is_double(self) -> bool:
        """Whether torch's default, float32, is not what is asked for."""
        return self.scenario.display.dtype == "float64"

    def zeros(self, *shape: object) -> str:
        """Give `torch.zeros(…)` of the scenario's dtype."""
        dtype = [f"dtype={self.dtype}"] if self.is_double else []
        return f"torch.zeros({', '.join([*map(str, shape), *dtype])})"

    # ── what is learnt ───────────────────────────────────────────────────────────────

    @property
    def has_loss(self) -> bool:
        """Whether the program goes on to a loss and its gradients."""
        return self.scenario.has_loss

    @property
    def loss(self) -> Loss:
        """The loss, where there is one."""
        assert self.scenario.loss is not None
        return self.scenario.loss

    @property
    def training(self) -> Training | None:
        """The training, where there is something to learn."""
        return self.scenario.training if self.has_loss else None

    @property
    def mistake(self) -> str | None:
        """The slip that the training loop makes on purpose."""
        return None if self.training is None else self.training.mistake

    @property
    def scores(self) -> str:
        """The name of what the loss is taken of."""
        scored = self.scenario.scored_module
        if isinstance(scored, Recurrent):
            return ProgramSource(self.scenario, self.language, scored).output
        return "logits"

    @property
    def num_scores(self) -> int:
        """How many scores there are, at each step or of each row."""
        return self.scenario.num_scores

    @property
    def has_classes(self) -> bool:
        """Whether the scores are those of classes, of which the largest is the answer."""
        return self.loss.kind.has_classes

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """What the classes are called; those without a name by their number. None where none has a name."""
        names = self.scenario.class_names
        if names is None:
            return None
        return (*names, *map(str, range(len(names), self.num_scores)))

    @property
    def has_one_a_row(self) -> bool:
        """Whether a row has one answer: its scores are read once, or the loss is of its last step alone."""
        return self.scenario.has_one_target_a_row

    @property
    def compared(self) -> str:
        """What the loss is taken of: the scores, or each row's last ones alone."""
        if self.scenario.reads_final_state or not self.has_loss or self.loss.at is None:
            return self.scores
        is_first = self.scenario.batch_first and self.scenario.is_batched
        if not self.is_packed:
            return f"{self.scores}[:, -1]" if is_first else f"{self.scores}[-1]"
        lengths = self.lengths_along(self.scenario.scored_sequence)
        rows, ends = f"torch.arange(len({lengths}))", f"{lengths} - 1"
        return f"{self.scores}[{f'{rows}, {ends}' if is_first else f'{ends}, {rows}'}]"

    @property
    def prediction(self) -> str:
        """The classes that are said: the largest scores', or those that were drawn."""
        return "drawn" if self.scenario.sampled is not None else f"{self.compared}.argmax(dim=-1)"

    @property
    def has_loss_in_loop(self) -> bool:
        """Whether the loss is added up in the very loop over a cell."""
        if not self.scenario.recurrents or self.is_wired:
            return False
        is_looped = (
            self.scenario.recurrent.is_cell and not self.is_several and self.scenario.recurrent.is_alone
        )
        is_stepped = self.loss.over_time == "sum" and not self.has_one_a_row if self.has_loss else False
        is_apart = any(module.reads_steps for module in self.above)  # what has to have all steps
        is_apart |= self.has_mask_modules
        return is_looped and is_stepped and not is_apart


def along(name: str, sequence: str) -> str:
    """What the program calls a thing of a sequence: `x`, of another than the first `x_target`."""
    return name if sequence == INPUT else f"{name}_{identifier(sequence)}"


def results(scenario: Scenario) -> list[str]:
    """Give the names of what the program computes, in torch's words."""
    names = ["output"] if scenario.recurrents else []
    if len(scenario.recurrents) == 1:
        names += ["h_n", "c_n"][: len(scenario.cell.states)]
    if scenario.head is not None:
        names.append("logits")
    return names


def indented(lines: Iterable[str]) -> Iterator[str]:
    """Move lines one step in, those within a line too."""
    for line in lines:
        yield "\n".join(f"    {part}" if part else "" for part in line.split("\n"))
