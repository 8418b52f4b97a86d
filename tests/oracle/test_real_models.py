"""The programs of docs/real-models.md: captured, stepped, saved, opened again and watched; what the page says of them is so."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import rnnstep
from rnnstep.capturing import Captured
from rnnstep.capturing.call import Call
from rnnstep.capturing.watching import session_of
from rnnstep.scenario.file.write import difference
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.screen import screen
from tests.unit.test_documents import blocks, called

SHAPES = ("language model", "CTC", "encoder and decoder", "policy", "tagger")
CALLS = {
    "language model": ["rnn[0]", "rnn[1]", "rnn[2]"],
    "CTC": ["rnn[0]"],
    "encoder and decoder": ["encoder[0]", "decoder[0]"],
    "policy": ["memory[0]"],
    "tagger": ["rnn[0]"],
}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    return request.param


@cache
def sections(language: str) -> dict[str, tuple[str, str, str]]:
    """Of each shape the program, what it prints, and places with the lines that stand there."""
    found = [text for _, text in blocks(called("real-models", language))]
    assert len(found) == 3 * len(SHAPES)
    return dict(zip(SHAPES, zip(found[::3], found[1::3], found[2::3], strict=True), strict=True))


class Program:
    """One of the programs without the lines that record it, and all that its model gives."""

    def __init__(self, shape: str) -> None:
        text = sections("en")[shape][0].partition("\nimport rnnstep\n")[0]
        assert "rnnstep" not in text
        self.names: dict[str, Any] = {}
        exec(compile(text, shape, "exec"), self.names)
        self.model: nn.Module = self.names["model"]
        self.given: list[torch.Tensor] = []
        self.model.register_forward_hook(lambda *told: self.given.extend(tensors(told[-1])))

    def epoch(self) -> None:
        self.names["epoch"]()

    @property
    def numbers(self) -> list[torch.Tensor]:
        """What the model gave, its parameters and their gradients."""
        parameters = list(self.model.parameters())
        return [*self.given, *parameters, *(one.grad for one in parameters)]  # type: ignore[list-item]


def tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value.detach().clone()
    elif isinstance(value, torch.distributions.Categorical):
        yield value.logits.detach().clone()
    else:
        for one in value:
            yield from tensors(one)


@cache
def captured(shape: str) -> tuple[Program, Captured]:
    """A program of which an epoch was recorded."""
    program = Program(shape)
    with rnnstep.capture(program.model) as seen:
        program.epoch()
    return program, seen


def same(one: Program, other: Program) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.numbers, other.numbers, strict=True))


# ── each of them ─────────────────────────────────────────────────────────────────────────────────


def test_the_program_notices_nothing(shape: str) -> None:
    without, within, watched = (Program(shape) for _ in range(3))
    for program in (without, within, watched):
        torch.manual_seed(1)
        if program is within:
            with rnnstep.capture(program.model) as seen:
                program.epoch()
                program.epoch()
            assert len(seen) == 2 * len(CALLS[shape])
        elif program is watched:
            with rnnstep.watch() as watch:
                program.epoch()
                program.epoch()
            assert watch.finding is None
            assert watch.seen.calls
        else:
            program.epoch()
            program.epoch()
        program.given.append(torch.get_rng_state())  # nothing was drawn that is not drawn without
    assert same(without, within)
    assert same(without, watched)


def test_every_call_agrees_and_their_gradients_sum_to_grad(shape: str) -> None:
    program, seen = captured(shape)
    assert [call.place for call in seen.calls] == CALLS[shape]
    for name in seen.names:
        backs = []
        for call in seen[name]:
            run, back = call.trace(), call.grad()
            assert run.agrees
            assert back.agrees
            assert run.reference is not None
            assert back.reference is not None
            np.testing.assert_array_equal(run.reference.output, call.output)
            backs.append(back)
        module = program.model.get_submodule(name)
        for parameter, value in module.named_parameters():
            assert value.grad is not None
            for each in (
                [one.parameters for one in backs],
                [one.reference.parameters for one in backs if one.reference is not None],
            ):
                total = sum(one[parameter] for one in each)
                np.testing.assert_allclose(total, value.grad.numpy(), rtol=1e-6, atol=1e-6)


def test_saved_and_opened_again_they_are_the_same_to_the_bit(shape: str, tmp_path: Path) -> None:
    _, seen = captured(shape)
    seen.save(tmp_path / "calls")
    files = sorted((tmp_path / "calls").glob("*.toml"))
    for call, file in zip(seen.calls, files, strict=True):
        loaded = rnnstep.load(file)
        assert difference(call.scenario, loaded.scenario) in (None, "title")
        run, back = rnnstep.trace(loaded), rnnstep.grad(loaded)
        assert run.agrees
        assert back.agrees
        assert run.reference is not None
        np.testing.assert_array_equal(run.reference.output, call.output)
        np.testing.assert_array_equal(run.output, call.trace(torch=False).output)
        for name, value in call.grad(torch=False).parameters.items():
            np.testing.assert_array_equal(back.parameters[name], value)
    assert seen.calls[-1].place in (tmp_path / "calls" / "where.txt").read_text("utf-8")


def test_they_are_stepped_forth_and_back(shape: str) -> None:
    _, seen = captured(shape)
    for call in seen.calls:
        places = places_of(call)
        forth = [place for place in places if not place.startswith("backward:")]
        back = [place.removeprefix("backward:") for place in places[len(forth) :]]
        assert len(forth) % call.recorded.num_steps == 0
        assert len(forth) == len(set(forth))
        assert back == forth[::-1]


def places_of(call: Call) -> list[str]:
    """Where → leads from the start to the end, step by step; and on the way into the first step, ↓ and → at each zoom."""
    session, found = session_of(call), []
    while (following := session.right()).place != session.place:
        assert following.left().place == session.place
        found.append(following.place)
        session = following
    inner = session_of(call).right()
    while (into := inner.into()).level != inner.level:
        assert into.out().place == inner.place
        assert into.right().place != into.place
        assert into.right().note is None
        assert plain(screen(into, Look(torch="none"), 80, 24))
        inner = into
    assert inner.level in {"element", "term"}
    return found


# ── what the page says ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_printed_is_what_stands_there(
    shape: str, language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.setenv(name, {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}[language])
    program, printed, places = sections(language)[shape]
    names: dict[str, Any] = {}
    exec(compile(program, shape, "exec"), names)
    assert capsys.readouterr().out == printed
    for told in places.splitlines():
        at, _, line = told.partition("   ")
        call, inner = names["seen"].at(at.strip())
        assert session_of(call).at(inner).place_and_row.removesuffix("@row0") == inner
        assert line.strip() in " ".join(str(call.view(inner, width=200, height=60)).split())


def test_tied_weights_have_a_share_of_what_reads_and_one_of_what_scores() -> None:
    """The two shares are those of the same model whose two matrices are not tied."""
    _, seen = captured("language model")
    program = Program("language model")
    program.model.head.weight = nn.Parameter(program.model.embedding.weight.detach().clone())
    program.epoch()
    columns = program.names["columns"]
    read = torch.zeros_like(program.model.embedding.weight)
    for call, begin in zip(seen.calls, (0, 8, 16), strict=True):
        g = torch.tensor(call.recorded.gradients["x"])
        read.index_add_(0, columns[begin : begin + 8].flatten(), g.flatten(0, 1))
    tied = captured("language model")[0].model.embedding.weight.grad
    torch.testing.assert_close(read, program.model.embedding.weight.grad, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(tied - read, program.model.head.weight.grad, rtol=1e-5, atol=1e-6)
    for one, other in zip(seen.calls, seen.calls[1:], strict=False):
        np.testing.assert_array_equal(one.h_n, other.recorded.h_0)
        np.testing.assert_array_equal(one.c_n, other.recorded.c_0)


def test_packed_a_row_of_ctc_knows_nothing_of_its_padding() -> None:
    program = Program("CTC")
    rnn = program.model.rnn
    steps = torch.tensor([10, 6, 8])

    class Packing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = rnn

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
            packed = pack_padded_sequence(x, steps, batch_first=True, enforce_sorted=False)
            output: PackedSequence = self.inner(packed)[0]
            return pad_packed_sequence(output, batch_first=True)[0], None

    program.model.rnn = Packing()
    with rnnstep.capture(program.model) as seen:
        program.epoch()
    (call,) = seen.calls
    assert call.recorded.lengths == (10, 6, 8)
    assert not call.output[1, 6:].any()
    assert not call.recorded.gradients["x"][1, 6:].any()
    assert call.grad().agrees
    session = session_of(call).at("6/L0←/hh_f[0]@row1")
    assert "0.3026·0 − " in " ".join(plain(screen(session, Look(torch="none"), 200, 60)).split())


def test_what_reaches_h_of_the_loop_from_above_is_of_the_head_and_of_attention() -> None:
    program, of_head = Program("encoder and decoder"), []

    def tell(_: nn.Module, given: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        alias = given[0].clone()
        alias.register_hook(of_head.append)
        return (alias,)

    program.model.head.register_forward_pre_hook(tell)
    with rnnstep.capture(program.model) as seen:
        program.epoch()
    above = seen["decoder"][0].recorded.gradients["output"]
    heads = torch.stack(of_head[::-1]).numpy()
    np.testing.assert_allclose(above[-1], heads[-1], atol=1e-7)  # nothing is asked of attention any more
    of_attention = abs(above - heads)[:-1].max(axis=(-1, -2))
    assert (of_attention > 1e-5).all()
    assert seen["encoder"][0].recorded.gradients["output"].any(axis=-1).all()  # attention reads every step


def test_nothing_goes_through_a_reset() -> None:
    """An episode that follows another in its row is, from zeros, what it is by itself."""
    program, seen = captured("policy")
    (call,) = seen.calls
    assert call.recorded.reset is not None
    assert np.argwhere(call.recorded.reset).tolist() == [[3, 1], [6, 0], [6, 2]]
    done = program.names["done"].numpy()
    np.testing.assert_array_equal(call.recorded.reset.astype(bool), done)
    cell = Program("policy").model.memory
    states = [torch.zeros(1, 4), torch.zeros(1, 4)]
    for t in range(3, 8):  # the second episode of row 1
        states = cell(torch.tensor(call.x[t, 1:2]), states)
        np.testing.assert_allclose(call.output[t, 1], states[0][0].detach().numpy(), atol=1e-7)


def test_packed_rows_are_in_the_order_of_the_batch() -> None:
    _, seen = captured("tagger")
    before = Program("tagger")
    (call,) = seen.calls
    assert call.recorded.lengths == (3, 5, 4)
    embedded = before.model.embedding(before.names["x"]).detach()
    np.testing.assert_array_equal(call.x, embedded.numpy())
    for row, length in enumerate(call.recorded.lengths):
        np.testing.assert_array_equal(call.h_n[2, row], call.output[row, length - 1, :4])
        np.testing.assert_array_equal(call.h_n[3, row], call.output[row, 0, 4:])
        assert not call.output[row, length:].any()
