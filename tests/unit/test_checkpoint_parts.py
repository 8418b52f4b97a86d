"""Checkpoints in safetensors: several files by their index, and headers that lie."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rnnstep.scenario.weights.parts import LARGEST_INDEX
from tests.unit.checkpoints import HEAD, LSTM, Net, assert_is, loaded, refusal, save, state_of

INDEX = "model.safetensors.index.json"
FIRST, SECOND = (f"model-0000{number}-of-00002.safetensors" for number in (1, 2))


def saved_in_parts(folder: Path, net: nn.Module, dtype: torch.dtype = torch.float32) -> dict[str, str]:
    """Save as the transformers library does: an index and two parts; the recurrent module is in both."""
    tensors = {name: value.to(dtype) for name, value in state_of(net, "model.").items()}
    names = list(tensors)
    parts = {FIRST: names[:2], SECOND: names[2:]}
    for part, held in parts.items():
        save(folder / part, {name: tensors[name] for name in held})
    table = {name: part for part, held in parts.items() for name in held}
    size = sum(value.nbytes for value in tensors.values())
    write_index(folder, {"metadata": {"total_size": size}, "weight_map": table})
    return table


def write_index(folder: Path, index: object) -> None:
    (folder / INDEX).write_text(json.dumps(index))


@pytest.mark.parametrize("named", [INDEX, FIRST, SECOND])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_in_several_files_are_read_by_their_index(
    tmp_path: Path, named: str, dtype: torch.dtype
) -> None:
    net = Net()
    saved_in_parts(tmp_path, net, dtype)
    found = loaded(tmp_path, f'file = "{named}"', (LSTM, HEAD))
    assert_is(found, net.to(dtype).float().rnn)
    assert_is(found, net.fc, "linear.")


def test_a_part_without_an_index_is_a_file_like_others(tmp_path: Path) -> None:
    net = Net()
    save(tmp_path / FIRST, state_of(net))
    assert_is(loaded(tmp_path, f'file = "{FIRST}"'), net.rnn)


def test_parts_may_stand_in_a_folder_below_the_scenario(tmp_path: Path) -> None:
    net = Net()
    (tmp_path / "checkpoint").mkdir()
    saved_in_parts(tmp_path / "checkpoint", net)
    assert_is(loaded(tmp_path, f'file = "checkpoint/{INDEX}"'), net.rnn)


@pytest.mark.parametrize(
    "part",
    ["../x.safetensors", "/etc/x.safetensors", "a/../../x.safetensors", "C:\\x.safetensors", "\\\\host\\x.safetensors",
     "a\0.safetensors", "./x.safetensors", "a//x.safetensors", ""],
)  # fmt: skip
@pytest.mark.parametrize("allow_outside", [True, False])
def test_an_index_leads_nowhere_but_below_its_folder(
    tmp_path: Path, part: str, *, allow_outside: bool
) -> None:
    save(tmp_path / "x.safetensors", state_of(Net()))
    (tmp_path / "inner").mkdir()
    write_index(tmp_path / "inner", {"weight_map": dict.fromkeys(state_of(Net()), part)})
    message = refusal(tmp_path / "inner", f'file = "{INDEX}"', allow_outside=allow_outside)
    assert "which leads out of its folder" in message
    assert INDEX in message


def test_a_part_that_is_a_link_out_of_the_folder_is_read_only_if_that_is_allowed(tmp_path: Path) -> None:
    """As the cache of a hub keeps a model: links to files that are named by what is in them."""
    net = Net()
    inner = tmp_path / "snapshot"
    inner.mkdir()
    saved_in_parts(inner, net)
    for number, name in enumerate((INDEX, FIRST, SECOND)):
        (inner / name).rename(tmp_path / f"blob{number}")
        (inner / name).symlink_to(tmp_path / f"blob{number}")
    for name in (INDEX, FIRST):
        assert "--allow-outside" in refusal(inner, f'file = "{name}"')
        assert_is(loaded(inner, f'file = "{name}"', allow_outside=True), net.rnn)
    (inner / INDEX).unlink()
    (tmp_path / "blob0").rename(inner / INDEX)
    assert f'"{FIRST}" lies outside' in refusal(inner, f'file = "{INDEX}"')


def test_a_link_that_leads_in_a_circle_is_told(tmp_path: Path) -> None:
    saved_in_parts(tmp_path, Net())
    (tmp_path / FIRST).unlink()
    (tmp_path / FIRST).symlink_to(FIRST)
    assert FIRST in refusal(tmp_path, f'file = "{INDEX}"')


def test_a_part_that_is_not_there_or_a_pipe_is_told(tmp_path: Path) -> None:
    saved_in_parts(tmp_path, Net())
    (tmp_path / FIRST).unlink()
    assert f'there is no file "{FIRST}"' in refusal(tmp_path, f'file = "{INDEX}"')
    os.mkfifo(tmp_path / FIRST)
    assert f'there is no file "{FIRST}"' in refusal(tmp_path, f'file = "{INDEX}"')


def test_an_index_that_is_wrong_about_what_a_part_holds_is_told(tmp_path: Path) -> None:
    table = saved_in_parts(tmp_path, Net())
    write_index(tmp_path, {"weight_map": dict.fromkeys(table, FIRST)})
    message = refusal(tmp_path, f'file = "{INDEX}"')
    assert "stands in" in message
    assert "which does not hold it" in message


def test_a_part_that_is_broken_is_told_by_name(tmp_path: Path) -> None:
    saved_in_parts(tmp_path, Net())
    whole = (tmp_path / SECOND).read_bytes()
    (tmp_path / SECOND).write_bytes(whole[:-4])
    assert f'"{SECOND}" is no safetensors file' in refusal(tmp_path, f'file = "{INDEX}"')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, column 1"),
        ("{", "line 1, column 2"),
        ('{\n "weight_map": }', "line 2, column 16"),
        ("[]", "expected the table `weight_map`"),
        ("7", "found 7.0, expected the table `weight_map`"),
        ("{}", "found a table, expected the table `weight_map`"),
        ('{"weights": {}}', "found `weights`, expected the table `weight_map`"),
        ('{"weight_map": []}', "found `weight_map`, expected the table"),
        ('{"weight_map": {}}', "it names no tensor"),
        ('{"weight_map": {"a": 1}}', '"a": found 1.0, expected the name of a file'),
        ('{"weight_map": {"a": ["x"]}}', '"a": found a list of length 1, expected the name of a file'),
        ('{"weight_map": {"a": null}}', '"a": found'),
        ('{"weight_map": {"a": "x.bin"}}', '"x.bin", expected .safetensors files'),
        ('{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}', '"a" stands in it twice'),
        ('{"weight_map": {"a": "x.safetensors"}, "weight_map": {}}', '"weight_map" stands in it twice'),
        ('{"metadata": {"total_size": NaN}, "weight_map": {}}', "NaN is no JSON"),
        ('{"metadata": -Infinity, "weight_map": {}}', "-Infinity is no JSON"),
        ("[" * 100_000, "too many brackets inside one another"),
        ('{"weight_map": ' + '{"a": ' * 100_000, "too many brackets inside one another"),
        ('{"n": ' + "9" * 100_000 + ', "weight_map": {}}', "it names no tensor"),
        ('{"weight_map": {"a": "\\ud800/../x.safetensors"}}', "leads out of its folder"),
    ],
    ids=range(21),
)  # fmt: skip
def test_what_is_no_index_is_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / INDEX).write_text(text)
    message = refusal(tmp_path, f'file = "{INDEX}"')
    assert message.startswith(f'scenario.toml:2:1: `file`: "{INDEX}" is no index of weights')
    assert words in message


def test_an_index_that_is_no_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(b'{"weight_map": {"\xff": "x"}}')
    assert "not UTF-8, at byte 17" in refusal(tmp_path, f'file = "{INDEX}"')


def test_a_name_that_no_file_can_have_is_told(tmp_path: Path) -> None:
    write_index(tmp_path, {"weight_map": {"a": "\ud800.safetensors", "b": "x" * 5000 + ".safetensors"}})
    assert "`file`" in refusal(tmp_path, f'file = "{INDEX}"')


@pytest.mark.parametrize("is_too_large", [True, False])
def test_an_index_of_very_many_names_takes_little_time_and_memory(
    tmp_path: Path, *, is_too_large: bool
) -> None:
    count = 1_000_000 if is_too_large else 400_000
    table = {f"layers.{number}.w": "x.safetensors" for number in range(count)}
    write_index(tmp_path, {"weight_map": table})
    assert ((tmp_path / INDEX).stat().st_size > LARGEST_INDEX) == is_too_large
    save(tmp_path / "x.safetensors", state_of(Net()))
    started = time.perf_counter()
    message = refusal(tmp_path, f'file = "{INDEX}"')
    assert time.perf_counter() - started < 10
    assert ("larger than 16 MiB" if is_too_large else "which does not hold it") in message


def test_an_index_of_very_many_files_is_refused_before_one_is_opened(tmp_path: Path) -> None:
    write_index(tmp_path, {"weight_map": {f"t{number}": f"{number}.safetensors" for number in range(5000)}})
    assert "it names 5,000 files, expected at most 1,000" in refusal(tmp_path, f'file = "{INDEX}"')


# ── a safetensors file's header ──────────────────────────────────────────────────────────────────


def write_header(path: Path, header: str, data: bytes = b"", length: int | None = None) -> None:
    encoded = header.encode()
    size = len(encoded) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + encoded + data)


def entry(shape: list[int], start: int, end: int, kind: str = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry([12, 4], 0, 1 << 60)},
        {"a": entry([12, 4], 100, 50)},
        {"a": entry([12, 4], 0, 8)},
        {"a": entry([1 << 40, 1 << 40], 0, 192)},
        {"a": entry([1 << 62, 4], 0, 192)},
        {"a": entry([-12, 4], 0, 192)},
        {"a": entry([12, 4], -1, 191)},
        {"a": entry([12, 4], 0, 192), "b": entry([12, 4], 0, 192)},
        {"a": entry([12, 4], 0, 192, "F33")},
        {"a": entry([48], 0, 192), "__metadata__": {"a": 1}},
        {"a": 5},
        [],
    ],
    ids=range(12),
)
def test_headers_that_lie_are_told_and_take_no_memory(tmp_path: Path, header: Any) -> None:
    write_header(tmp_path / "x.safetensors", json.dumps(header), bytes(192))
    tracemalloc.start()
    try:
        message = refusal(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()
    assert '"x.safetensors" is no safetensors file' in message


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"a": NaN}', "[" * 200_000, '{"a":' * 200_000, "\xff", '{"__metadata__": {"x": NaN}}'],
    ids=range(7),
)
def test_headers_that_are_no_json_are_told(tmp_path: Path, text: str) -> None:
    write_header(tmp_path / "x.safetensors", text)
    assert '"x.safetensors" is no safetensors file' in refusal(tmp_path)


@pytest.mark.parametrize("kind", ["F32", "BF16"])
def test_a_name_that_stands_twice_in_a_header_gives_no_other_tensors_bytes(tmp_path: Path, kind: str) -> None:
    """The same name over other bytes: refused, or read where the header's reader says; never out of step."""
    size = 4 if kind == "F32" else 2
    first, second = (json.dumps(entry([2], start, start + 2 * size, kind)) for start in (0, 2 * size))
    write_header(tmp_path / "x.safetensors", f'{{"w": {first}, "w": {second}}}', bytes(4 * size))
    assert "`file`" in refusal(tmp_path)


def test_a_header_that_claims_more_than_the_limit_is_refused_unread(tmp_path: Path) -> None:
    length = (32 << 20) + 1
    with (tmp_path / "x.safetensors").open("wb") as file:
        file.write(length.to_bytes(8, "little"))
        file.truncate(8 + length)
    started = time.perf_counter()
    assert "its header is larger than 32 MiB" in refusal(tmp_path)
    assert time.perf_counter() - started < 1
    write_header(tmp_path / "x.safetensors", "{}", length=1 << 62)
    assert "no safetensors file" in refusal(tmp_path)


def test_very_many_modules_that_could_be_meant_are_told_in_good_time(tmp_path: Path) -> None:
    """50,000 recurrent layers of one shape: some of them are named."""
    header, at = {}, 0
    for number in range(50_000):
        header[f"l{number}.weight_ih_l0"] = entry([12, 4], at, at + 192)
        at += 192
    write_header(tmp_path / "x.safetensors", json.dumps(header), bytes(at))
    started = time.perf_counter()
    message = refusal(tmp_path)
    assert time.perf_counter() - started < 10
    assert message.count("(12, 4)") == 9
    assert len(message) < 1000
