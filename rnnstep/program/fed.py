"""What a sequence is fed in a program: at the first step what the file says, then what a layer said at the step before."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.program.literals import tensor
from rnnstep.program.source import ProgramSource, along
from rnnstep.scenario.feeding import Feed


class FedLines:
    """The lines of one sequence that a layer feeds, in the loop over its steps."""

    def __init__(self, source: ProgramSource, sequence: str) -> None:
        self._source = source
        self._scenario = source.scenario
        self._sequence = sequence
        self._feed: Feed = source.scenario.feeds[sequence]
        self._fed = source.batch.sequences[sequence]

    @property
    def name(self) -> str:
        """What is fed at a step, as classes or numbers."""
        return along("fed", self._sequence)

    @property
    def vector(self) -> str:
        """The same as what enters a module that looks nothing up."""
        if not self._feed.is_of_classes or self._fed.values is None:
            return self.name
        count = self._fed.values.shape[2]
        return f"nn.functional.one_hot({self.name}, {count}).to({self._source.dtype})"

    @property
    def ends(self) -> bool:
        """Whether a row ends with what is said."""
        return self._feed.until is not None

    def begin(self) -> Iterator[str]:
        """The lines before the loop."""
        first = self._feed.first if self._scenario.is_batched else self._feed.first[0]
        yield f"{self.name} = {tensor(first)}"
        sampling = self._feed.sampling
        if sampling is not None:
            size = f"({self._fed.num_steps}, {self._fed.num_rows})"
            drawn = f"torch.from_numpy(np.random.default_rng({sampling.seed}).random({size}))"
            yield f"draws = {drawn}"
            if self._is_scored:
                yield "all_drawn = []"
        if self.ends:
            yield f"is_over = torch.zeros({self._fed.num_rows}, dtype=torch.bool)"
            yield "alive = []"

    def alive(self) -> Iterator[str]:
        """The line that says which rows take part in a step."""
        if self.ends:
            yield "is_alive = ~is_over[:, None]"
            yield "alive.append(~is_over)"

    def taught(self) -> Iterator[str]:
        """The lines that feed what was wanted, where a teacher says so."""
        steps = list(self._feed.taught)
        if steps and self._source.has_loss:
            is_first = self._scenario.is_batched and self._scenario.batch_first
            yield f"if t in {steps}:  # what was wanted at the step before"
            yield f"    {self.name} = {'target[:, t - 1]' if is_first else 'target[t - 1]'}"

    def said(self, scores: str) -> Iterator[str]:
        """The lines that make of what the layer gave at a step what the next is fed."""
        if not self._feed.is_of_classes:
            yield f"{self.name} = {scores}"
            return
        sampling = self._feed.sampling
        if sampling is None:
            yield f"{self.name} = {scores}.argmax(dim=-1)"
        else:
            over = "" if sampling.temperature == 1 else f" / {sampling.temperature!r}"
            row = "draws[t][:, None]" if self._scenario.is_batched else "draws[t]"
            yield f"cumulated = torch.softmax({scores}.detach().double(){over}, dim=-1).cumsum(dim=-1)"
            most = self._scenario.by_key[self._feed.layer].size - 1
            yield f"{self.name} = (cumulated <= {row}).sum(dim=-1).clamp(max={most})"
            if self._is_scored:
                yield f"all_drawn.append({self.name})"
        if self.ends:
            yield f"is_over = is_over | ({self.name} == {self._feed.until})"

    @property
    def _is_scored(self) -> bool:
        """Whether the classes that are drawn are the network's answers."""
        return self._feed is self._scenario.sampled

    def end(self) -> Iterator[str]:
        """The lines behind the loop: the answers; and what is wanted of rows that are over counts for nothing."""
        axis = ", dim=1" if self._scenario.batch_first and self._scenario.is_batched else ""
        if self._is_scored and self._source.has_loss:
            yield f"drawn = torch.stack(all_drawn{axis})"
        loss = self._scenario.loss
        if self.ends and self._source.has_loss and loss is not None and loss.kind.has_classes:
            yield f"target = torch.where(torch.stack(alive{axis}), target, {loss.ignore_index})"
