"""`torch.nn.BatchNorm1d`: each number less the mean of all of its kind, over their spread, times a weight, plus a bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Shape, check
from rnnstep.equations.syntax import Apply, Expression, Line, Name, number, parse_expression
from rnnstep.language import Text
from rnnstep.modules.module import Filled, NetworkModule, Parameter, SizeMisfit, Standing
from rnnstep.network.blocks import Block, Extent, output_of, whole
from rnnstep.network.wires import When, Wire, Wires, data

EPS = 1e-5
CUMULATIVE = "none"
"""What a file says for torch's None: the running statistics are the mean of those of all batches so far."""
COUNT = "N"
"""Under what name the statistics read how many vectors there are: steps times rows, padding included."""
PRESENT = "present"
"""Under what name they read which of as many as the largest batch has are there: 1, else 0."""
WORDS = Text("less the running mean, over the running spread, then each element its weight and bias")
PLAIN = Text("less the running mean, over the running spread")
_TRAINED = {
    "mu": Text("the mean over all steps and rows"),
    "var": Text("the mean square of what is off that mean: over n, not n − 1"),
    "x_hat": Text("less the batch's mean, over its spread"),
}


@dataclass(frozen=True)
class BatchNorm1d(NetworkModule):
    """`torch.nn.BatchNorm1d(num_features, eps, momentum, affine, track_running_stats)` (Ioffe and Szegedy 2015).

    In evaluation mode mean and variance are those that training left, `running_mean` and `running_var`; in training mode, and
    where none are kept, those of the batch, over all of its steps and rows.
    """

    torch = "BatchNorm1d"
    has_channels = True
    derived = ("mode",)

    num_features: int
    key: str = "batchnorm1d"
    eps: float = field(default=EPS, metadata={"minimum": 0})
    momentum: float | str = field(default=0.1, metadata={"minimum": 0, "maximum": 1, "words": (CUMULATIVE,)})
    affine: bool = True
    track_running_stats: bool = True
    mode: str = "eval"

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> BatchNorm1d:
        """The module on what gives `size` numbers at each step, which `num_features` must be.

        Raises:
            SizeMisfit: it is another.
        """
        given = options.get("num_features", size)
        if given != size:
            raise SizeMisfit("num_features", given, size)
        return cls(**{**options, "num_features": size, "key": key})

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.num_features

    @property
    def reads_batch(self) -> bool:
        """Whether mean and variance are those of the batch."""
        return self.mode == "train" or not self.track_running_stats

    def in_mode(self, mode: str, dropout_seed: int) -> BatchNorm1d:  # noqa: ARG002 - nothing is drawn
        """The module in evaluation or training mode."""
        return replace(self, mode=mode)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The weight, at first ones, and the bias, at first zeros, where they are learnt; and the running statistics."""
        learnt = (("weight", 1.0), ("bias", 0.0)) if self.affine else ()
        running = (("running_mean", 0.0), ("running_var", 1.0)) if self.track_running_stats else ()
        return tuple(
            Parameter.whole(
                f"{self.key}.{name}", (self.size,), "(num_features,)", Filled(value), is_learnt=is_learnt
            )
            for is_learnt, names in ((True, learnt), (False, running))
            for name, value in names
        )

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given."""
        options = (("eps", EPS), ("momentum", 0.1), ("affine", True), ("track_running_stats", True))
        named, usual = {name: getattr(self, name) for name, _ in options}, dict(options)
        named["momentum"] = None if self.momentum == CUMULATIVE else self.momentum
        return (self.num_features,), {name: one for name, one in named.items() if one != usual[name]}

    @property
    def reads_padding(self) -> bool:
        """Whether mean and variance are taken over the padding of short rows, too, as torch does."""
        return self.reads_batch

    @property
    def moves(self) -> Mapping[str, str]:
        """In training mode the running mean by the batch's mean, and the running variance by its variance."""
        is_moving = self.mode == "train" and self.track_running_stats
        return {f"{self.key}.running_mean": "mu", f"{self.key}.running_var": "var"} if is_moving else {}

    def moved(
        self, before: Mapping[str, Array], seen: Mapping[str, Array], count: int, batches: int
    ) -> dict[str, Array]:
        """Give the running statistics after a batch, under torch's names; the variance's is of Σ/(n − 1)."""
        found: dict[str, Array] = {}
        for name, value in self.moves.items():
            by = seen[value] * seen[value].dtype.type(count / (count - 1)) if value == "var" else seen[value]
            share = by.dtype.type(1 / (batches + 1) if isinstance(self.momentum, str) else self.momentum)
            found[name] = (1 - share) * before[name] + share * by
        return found

    @property
    def is_put_in_eval(self) -> bool:
        """Whether torch's module has to be put in evaluation mode: in training mode it takes the batch's statistics."""
        return not self.reads_batch

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """One block; where mean and variance are the batch's, one of each before it."""
        if self.reads_batch:
            return [*self._statistics(standing), self._with_statistics(parameters, standing)]
        statistics = Name("running_mean"), Name("running_var"), number(self.eps)
        gives: Expression = Apply("standardized", (Name(standing.reads), *statistics))
        if self.affine:
            gives = Apply("add", (Apply("mul", (gives, Name("weight"))), Name("bias")))
        return self.on_each_step(
            gives,
            parameters,
            standing,
            words=WORDS if self.affine else PLAIN,
            about=Text("{key} is torch.nn.BatchNorm1d with the statistics that training left.", key=self.key),
        )

    def _statistics(self, standing: Standing) -> list[Block]:
        """Mean and variance over all steps and rows, each computed once; in each row the same."""
        squares = parse_expression("(xs - mu) * (xs - mu)")
        mean = self._over_all(standing, "mu", Name("xs"), {})
        return [mean, self._over_all(standing, "var", squares, {"mu": output_of(mean)})]

    def _over_all(
        self, standing: Standing, name: str, values: Expression, reads: Mapping[str, Wires]
    ) -> Block:
        """The mean of something of each step and row."""
        banks = standing.banks
        assert banks is not None
        shapes: dict[str, Shape] = {"xs": (banks.steps, self.size)}
        wires = {**reads, COUNT: data(COUNT), "xs": banks.wires[0]}
        total = Apply("over_each", (values,))
        if banks.is_padded:
            shapes[PRESENT], wires[PRESENT] = (banks.steps,), data(PRESENT)
            total = Apply("matmul", (Name(PRESENT), values))
        inputs: dict[str, Shape] = {**dict.fromkeys(reads, (self.size,)), COUNT: (1,)}
        key = f"{self.key}.{name}"
        return Block(
            key,
            "map",
            standing.layer,
            "forward",
            check((Line(name, Apply("div", (total, Name(COUNT)))),), inputs, {}, {}, banks=shapes),
            {},
            {},
            wires=wires,
            extent=Extent.FINAL,
            constant=(COUNT, PRESENT) if banks.is_padded else (COUNT,),
            words=CellWords({name: _TRAINED[name]}),
            about=Text(
                "{key} is what torch.nn.BatchNorm1d takes over all steps and rows of the batch in training mode.",
                key=key,
            ),
            reads_all_rows=True,
        )

    def _with_statistics(self, parameters: Mapping[str, Array], standing: Standing) -> Block:
        """Each step by the statistics of all."""
        learnt = [one for one in self.parameters if one.is_learnt]
        numbers, kept_in = whole(
            {one.name.removeprefix(f"{self.key}."): one.name for one in learnt}, parameters
        )
        statistics = Name("mu"), Name("var"), number(self.eps)
        normal = Apply("standardized", (Name(standing.reads), *statistics))
        lines: tuple[Line, ...] = (Line(standing.gives, normal),)
        words = {standing.gives: _TRAINED["x_hat"]}
        if self.affine:
            scaled = Apply("add", (Apply("mul", (Name("x_hat"), Name("weight"))), Name("bias")))
            lines = (Line("x_hat", normal), Line(standing.gives, scaled, 1))
            words = {
                "x_hat": _TRAINED["x_hat"],
                standing.gives: Text("each element times its weight, plus its bias"),
            }
        inputs: dict[str, Shape] = dict.fromkeys((standing.reads, "mu", "var"), (self.size,))
        shapes: dict[str, Shape] = {name: value.shape for name, value in numbers.items()}
        return Block(
            self.key,
            "map",
            standing.layer,
            "forward",
            check(lines, inputs, {}, shapes),
            numbers,
            kept_in,
            wires={
                standing.reads: standing.entering,
                **{name: (Wire(f"{self.key}.{name}", name, When.LAST),) for name in ("mu", "var")},
            },
            words=CellWords(words),
            about=Text("{key} is torch.nn.BatchNorm1d with the statistics of the batch.", key=self.key),
        )


ABOVE = (BatchNorm1d,)
