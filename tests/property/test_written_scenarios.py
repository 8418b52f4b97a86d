"""A scenario that is no file is written as one, and reads back as the same scenario to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rnnstep.scenario.file.write as writing
from rnnstep.engine import Model
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.reports.gradients import gradients
from rnnstep.scenario import bundled
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read


def in_memory(name: str) -> Scenario:
    """A bundled scenario as if it had been made here; only a cure, which is keys of a file, is kept."""
    scenario = read(bundled.find(name))
    kept = scenario.origins if scenario.pending is not None else Origins(cure=scenario.origins.cure)
    return replace(scenario, path=None, file_text=None, origins=kept)


def as_tuple(output: object) -> object:
    return tuple(output) if isinstance(output, list) else output


@pytest.mark.parametrize("most", [0, 4096])
@pytest.mark.parametrize("name", bundled.names())
def test_every_bundled_scenario_is_written_from_memory(
    name: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_WRITTEN_OUT", most)
    scenario = in_memory(name)
    write_scenario(scenario, tmp_path / "written.toml")
    back = read(tmp_path / "written.toml")
    assert difference(scenario, back) is None
    if scenario.pending is not None or name == "names":
        return
    ours, theirs = Model(scenario).run(), Model(back).run()
    assert difference(as_tuple(ours.output), as_tuple(theirs.output)) is None
    if scenario.has_loss:
        left, right = gradients(scenario, is_beside=False), gradients(back, is_beside=False)
        assert difference(left.parameters, right.parameters) is None
        assert difference(tuple(left.states), tuple(right.states)) is None


def test_what_differs_is_named() -> None:
    scenario = in_memory("hello")
    assert scenario.loss is not None
    weight = scenario.parameters["weight_hh"].copy()
    weight[1, 2] = np.nextafter(weight[1, 2], 9)
    assert difference(scenario, scenario.with_parameters({"weight_hh": weight})) == "weight_hh"
    assert difference(scenario, replace(scenario, loss=replace(scenario.loss, name="MSELoss"))) == "name"
    assert difference(scenario, replace(scenario, batches=scenario.batches * 2)) == "batches"


def test_what_a_file_cannot_say_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    scenario = in_memory("rnn")
    (batch,) = scenario.batches
    assert batch.values is not None
    shorter = replace(batch, values=batch.values[:-1], target=None)
    with pytest.raises(UsageError, match="cannot say"):
        write_scenario(replace(scenario, batches=(batch, shorter)), tmp_path / "written.toml")
    with pytest.raises(UsageError, match="cure"):
        write_scenario(replace(scenario, cure=replace(scenario, is_batched=False)), tmp_path / "written.toml")
    assert list(tmp_path.iterdir()) == []


def test_a_file_beside_is_never_replaced_and_goes_where_the_scenario_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_WRITTEN_OUT", 0)
    scenario = in_memory("lstm")
    (tmp_path / "mine.safetensors").write_text("somebody's")
    write_scenario(scenario, tmp_path / "mine.toml")
    assert (tmp_path / "mine.safetensors").read_text() == "somebody's"
    assert (tmp_path / "mine-2.safetensors").exists()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    real = writing.whole_file

    def failing(path: Path, **options: bool) -> object:
        if path.suffix == ".toml":
            raise UsageError(Text("the disk is full"))
        return real(path, **options)

    monkeypatch.setattr(writing, "whole_file", failing)
    with pytest.raises(UsageError, match="disk is full"):
        write_scenario(scenario, tmp_path / "mine.toml", replace=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
