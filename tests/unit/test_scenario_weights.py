"""[weights]: one source for each parameter, under every name it may stand under."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors.numpy import save_file
from torch import nn

from rnnstep.errors import ScenarioError
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.linear import Linear
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.file.source import parse_document
from rnnstep.scenario.model import Floats, Pending
from rnnstep.scenario.read import read_text
from rnnstep.scenario.weights.read_weights import read_weights
from rnnstep.scenario.weights.state_dicts import not_held, take


def weights(
    text: str,
    recurrent: Recurrent,
    *,
    folder: Path = Path(),
    embedding: Embedding | None = None,
    linear: Linear | None = None,
    dtype: str = "float32",
    memory: int = 4 << 30,
) -> tuple[Mapping[str, Floats], Pending | None]:
    document = parse_document("scenario.toml", folder, f"[weights]\n{text}\n", Limits(memory=memory))
    layers = [layer for layer in (embedding, recurrent, linear) if layer is not None]
    found = read_weights(document, layers=layers, dtype=np.dtype(dtype))
    document.finish()
    return found


def problem(text: str, recurrent: Recurrent, **more) -> str:
    with pytest.raises(ScenarioError) as error:
        weights(text, recurrent, **more)
    assert len(error.value.problems) == 1, error.value.into("en")
    assert error.value.into("zh") != error.value.into("en")
    return error.value.into("en")


RNN = Recurrent("RNN", 2, 2)
CELL = Recurrent("RNNCell", 2, 2)
LSTM = Recurrent("LSTM", 1, 1)
DEEP = Recurrent("GRU", 2, 1, num_layers=2, bidirectional=True)
SQUARE = "[[1, 2], [3, 4]]"


def state_dict(module: nn.Module, prefix: str = "") -> dict[str, torch.Tensor]:
    return {prefix + name: value.detach().clone() for name, value in module.named_parameters()}


def assert_equal(found: Mapping[str, Floats], expected: Mapping[str, torch.Tensor]) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert np.array_equal(found[name], value.numpy()), name


def test_a_seed_gives_every_parameter_in_torchs_order() -> None:
    torch.manual_seed(5)
    module, linear = nn.LSTM(2, 4, 2, proj_size=3), nn.Linear(3, 2)
    found, pending = weights(
        "seed = 5", Recurrent("LSTM", 2, 4, num_layers=2, proj_size=3), linear=Linear(3, 2)
    )
    assert pending is None
    assert_equal(found, state_dict(module) | state_dict(linear, "linear."))


def test_a_seed_is_drawn_in_float32_and_converted() -> None:
    single, double = (weights("seed = 5", RNN, dtype=dtype)[0] for dtype in ("float32", "float64"))
    assert double["weight_ih_l0"].dtype == np.float64
    assert np.array_equal(single["weight_ih_l0"].astype(np.float64), double["weight_ih_l0"])


def test_a_seeded_embedding_is_left_to_torch_and_what_follows_it_is_not() -> None:
    torch.manual_seed(5)
    nn.Embedding(3, 2)
    module = nn.RNN(2, 2)
    found, pending = weights("seed = 5\nround = 2", RNN, embedding=Embedding(3, 2))
    assert pending == Pending(("embedding.weight",), seed=5, round=2, line=2, column=1)
    for name, value in state_dict(module).items():
        assert np.array_equal(found[name], np.round(value.numpy().astype(np.float64), 2).astype(np.float32))


def test_an_embedding_given_as_an_array_is_not_pending_and_the_rest_is_drawn_as_before() -> None:
    embedding = Embedding(3, 2)
    found, pending = weights(
        "seed = 5\nembedding.weight = [[1, 2], [3, 4], [5, 6]]", RNN, embedding=embedding
    )
    assert pending is None
    assert found["embedding.weight"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert np.array_equal(
        found["weight_hh_l0"], weights("seed = 5", RNN, embedding=embedding)[0]["weight_hh_l0"]
    )


def test_rounding_gives_the_nearest_number_of_each_dtype() -> None:
    single, double = (weights("seed = 5\nround = 1", RNN, dtype=dtype)[0] for dtype in ("float32", "float64"))
    for name, values in double.items():
        assert np.array_equal(values, np.round(values, 1))
        assert np.array_equal(single[name], values.astype(np.float32))
    assert {str(abs(value)) for value in double["weight_ih_l0"].flat} <= {f"0.{digit}" for digit in range(10)}


def test_arrays_override_single_parameters_and_gates_of_a_seed() -> None:
    seeded = weights("seed = 5", LSTM)[0]
    found = weights("seed = 5\nW_hf = [[7]]\nbias_ih_l0 = [1, 2, 3, 4]", LSTM)[0]
    assert found["weight_hh_l0"][1].tolist() == [7]
    assert np.array_equal(np.delete(found["weight_hh_l0"], 1), np.delete(seeded["weight_hh_l0"], 1))
    assert found["bias_ih_l0"].tolist() == [1, 2, 3, 4]
    assert np.array_equal(found["bias_hh_l0"], seeded["bias_hh_l0"])


def test_arrays_alone() -> None:
    found, pending = weights(
        f"weight_ih_l0 = {SQUARE}\nweight_hh_l0 = {SQUARE}\nbias_ih_l0 = [1, nan]\nbias_hh_l0 = [0, inf]\n"
        '"linear.weight" = [[1, 2]]\nlinear.bias = [3]',
        RNN,
        linear=Linear(2, 1),
    )
    assert pending is None
    assert list(found) == [
        "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "linear.weight", "linear.bias",
    ]  # fmt: skip
    assert found["weight_ih_l0"].tolist() == [[1, 2], [3, 4]]
    assert np.isnan(found["bias_ih_l0"][1])
    assert found["linear.weight"].dtype == np.float32


@pytest.mark.parametrize("suffix", ["", "_l0"])
def test_a_cells_names_stand_with_and_without_layer(suffix: str) -> None:
    text = f"weight_ih{suffix} = {SQUARE}\nweight_hh{suffix} = {SQUARE}\nbias_ih{suffix} = [1, 2]"
    found = weights(text, CELL)[0]
    assert list(found) == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    assert found["bias_hh"].tolist() == [0, 0]


@pytest.mark.parametrize("module", ["LSTM", "LSTMCell"])
def test_gate_by_gate(module: str) -> None:
    text = "\n".join(
        f"W_i{gate} = [[{number}]]\nW_h{gate} = [[{number}0]]" for number, gate in enumerate("ifgo", 1)
    )
    found = weights(f"{text}\nb_if = [5]\nb_ho = [6]\nb_ii = [1]\nb_ig = [2]", Recurrent(module, 1, 1))[0]
    suffix = "" if module == "LSTMCell" else "_l0"
    assert found[f"weight_ih{suffix}"][:, 0].tolist() == [1, 2, 3, 4]
    assert found[f"weight_hh{suffix}"][:, 0].tolist() == [10, 20, 30, 40]
    assert found[f"bias_ih{suffix}"].tolist() == [1, 5, 2, 0]
    assert found[f"bias_hh{suffix}"].tolist() == [0, 0, 0, 6]


def test_gates_of_several_layers_are_named_with_layer_and_direction() -> None:
    found = weights("seed = 1\nW_in_l1_reverse = [[8, 9]]\nb_hz_l0 = [4]", DEEP)[0]
    assert found["weight_ih_l1_reverse"][2].tolist() == [8, 9]
    assert found["bias_hh_l0"][1] == 4
    assert "did you mean `W_in_l" in problem("seed = 1\nW_in = [[8, 9]]", DEEP)


def test_the_parameters_of_an_own_cell_keep_their_names() -> None:
    text = """
[input]
values = [[[1.0]]]
[recurrent]
module = "leaky"
hidden_size = 2
[cell.leaky]
state = ["h"]
parameters = {V = "hidden_size, input_size", d = "hidden_size"}
equations = "h = d * h_prev + V @ x"
[weights]
"""
    drawn = read_text(text + "seed = 3\n").parameters
    torch.manual_seed(3)
    for name, shape in (("V", (2, 1)), ("d", (2,))):
        assert np.array_equal(drawn[name], torch.empty(shape).uniform_(-(2**-0.5), 2**-0.5).numpy())
    assert read_text(text + "V = [[1], [2]]\nd = [3, 4]\n").parameters["d"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("text", "recurrent", "words"),
    [
        ('seed = 1\nfile = "x.pt"', RNN, "`file`: there is a `seed` already"),
        ("seed = -9223372036854775809", RNN, "`seed`: found -9223372036854775809"),
        ("seed = 1.5", RNN, "`seed`: found 1.5"),
        ("round = 1", RNN, "there is no `seed`"),
        ("seed = 1\nround = -1", RNN, "`round`: found -1"),
        ('seed = 1\nprefix = {recurrent = "rnn"}', RNN, "there is no `file`"),
        ("", RNN, "no values for `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`"),
        (f"weight_ih_l0 = {SQUARE}\nweight_hh_l0 = {SQUARE}", RNN, "or `bias = false`"),
        ("W_ii = [[1]]\nweight_hh_l0 = [[1], [1], [1], [1]]\nb_ii = [1]", LSTM,
         "no values for `W_if_l0`, `W_ig_l0`, `W_io_l0`, `b_if_l0`"),
        ("seed = 1\nweigth_ih_l0 = [[1]]", RNN, "did you mean `weight_ih_l0`?"),
        ("seed = 1\nweight_ih = [[1]]", RNN, "did you mean `weight_ih_l0`?"),
        ("seed = 1\nquux = [[1]]", RNN, "it has `weight_ih_l0`"),
        ("seed = 1\nlinear.weight = [[1]]", RNN, "there is no [linear]"),
        ("seed = 1\nbias_ih_l0 = [1, 2]", Recurrent("RNN", 2, 2, bias=False), "has no bias (`bias = false`)"),
        ("seed = 1\nb_hf = [1]", Recurrent("LSTM", 2, 2, bias=False), "has no bias (`bias = false`)"),
        ("seed = 1\nweight_ih_l0 = [[1, 2, 3], [4, 5, 6]]", Recurrent("RNN", 2, 3),
         "found shape (2, 3), expected (3, 2), that is (hidden_size, input_size): transpose it"),
        ("seed = 1\nweight_ih_l1 = [[1, 2]]", DEEP,
         "found shape (1, 2), expected (3, 2), that is (3*hidden_size, num_directions*hidden_size)"),
        ("seed = 1\nW_ii = [[1, 2]]", LSTM, "found shape (1, 2), expected (1, 1), that is (hidden_size, input_size)"),
        ("seed = 1\nbias_ih_l0 = [[1, 2]]", RNN, "found shape (1, 2), expected (2,), that is (hidden_size,)"),
        ("seed = 1\nbias_ih_l0 = 3", RNN, "found shape (), expected (2,)"),
        ("seed = 1\nW_ih = [[1, 2], [3, 4]]\nweight_ih_l0 = [[1, 2], [3, 4]]", RNN, "given twice"),
        ('seed = 1\nbias_ih_l0 = ["a", 2]', RNN, "bias_ih_l0"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_weights_is_told(text: str, recurrent: Recurrent, words: str) -> None:
    message = problem(text, recurrent)
    assert words in message
    assert message.startswith("scenario.toml:")


def test_absent_weights_are_told() -> None:
    text = '[input]\nvalues = [[[1]]]\n[recurrent]\nmodule = "RNN"\nhidden_size = 2\n'
    with pytest.raises(ScenarioError, match=r"no \[weights\]: give `seed = 0`"):
        read_text(text)


def save(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    safetensors.torch.save_file(dict(tensors), path)


def test_a_safetensors_file_with_plain_names_and_with_prefixes(tmp_path: Path) -> None:
    module, embedding, linear = nn.GRU(3, 4, 2, bidirectional=True), nn.Embedding(5, 3), nn.Linear(8, 2)
    recurrent = Recurrent("GRU", 3, 4, num_layers=2, bidirectional=True)
    expected = state_dict(embedding, "embedding.") | state_dict(module) | state_dict(linear, "linear.")
    save(tmp_path / "plain.safetensors", expected)
    model = state_dict(embedding, "net.emb.") | state_dict(module, "net.rnn.") | state_dict(linear, "net.fc.")
    save(tmp_path / "model.safetensors", model)
    for name in ("plain", "model"):
        found, pending = weights(
            f'file = "{name}.safetensors"',
            recurrent,
            folder=tmp_path,
            embedding=Embedding(5, 3),
            linear=Linear(8, 2),
        )
        assert pending is None
        assert_equal(found, expected)


def test_a_cell_is_loaded_from_a_whole_modules_file(tmp_path: Path) -> None:
    module = nn.LSTM(2, 3)
    save(tmp_path / "x.safetensors", state_dict(module, "lstm."))
    found = weights('file = "x.safetensors"', Recurrent("LSTMCell", 2, 3), folder=tmp_path)[0]
    assert_equal(found, {name.removesuffix("_l0"): value for name, value in state_dict(module).items()})


def test_of_two_modules_the_one_of_the_right_shape_or_the_named_one_is_taken(tmp_path: Path) -> None:
    encoder, decoder, other = nn.RNN(2, 2), nn.RNN(2, 2), nn.RNN(3, 2)
    save(tmp_path / "shapes.safetensors", state_dict(other, "a.") | state_dict(decoder, "b."))
    assert_equal(weights('file = "shapes.safetensors"', RNN, folder=tmp_path)[0], state_dict(decoder))
    both = state_dict(encoder, "encoder.rnn.") | state_dict(decoder, "decoder.rnn.")
    for prefix, part in (("encoder.", nn.Linear(2, 1)), ("decoder.", nn.Linear(2, 1))):
        both |= state_dict(part, f"{prefix}fc.")
    save(tmp_path / "both.safetensors", both)
    message = problem('file = "both.safetensors"', RNN, folder=tmp_path)
    assert (
        "several modules in it could be the recurrent one: `decoder.rnn` (2, 2), `encoder.rnn` (2, 2); expected one of"
        ' shape weight_ih_l0 (2, 2); choose in [weights], as in: prefix = {recurrent = "decoder.rnn"}'
    ) in message
    for prefix in ("decoder.rnn.", "decoder.rnn"):
        text = f'file = "both.safetensors"\nprefix = {{recurrent = "{prefix}"}}'
        found = weights(text, RNN, folder=tmp_path, linear=Linear(2, 1))[0]
        expected = state_dict(decoder) | {
            "linear.weight": both["decoder.fc.weight"], "linear.bias": both["decoder.fc.bias"],
        }  # fmt: skip
        assert_equal(found, expected)
    text = 'file = "both.safetensors"\nprefix = {recurrent = "decoder.rnn", linear = "encoder.fc"}'
    found = weights(text, RNN, folder=tmp_path, linear=Linear(2, 1))[0]
    assert np.array_equal(found["linear.bias"], both["encoder.fc.bias"].numpy())
    text = 'file = "both.safetensors"\nprefix = {recurrent = "none"}'
    assert '`recurrent`: the file holds no "noneweight_ih_l0"' in problem(text, RNN, folder=tmp_path)


def test_half_precision_is_read_exactly(tmp_path: Path) -> None:
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        tensors = {name: value.to(dtype) for name, value in state_dict(nn.RNN(2, 2)).items()}
        save(tmp_path / "x.safetensors", tensors)
        found = weights('file = "x.safetensors"', RNN, folder=tmp_path)[0]
        assert_equal(found, {name: value.float() for name, value in tensors.items()})


def test_arrays_go_before_a_file_and_fill_what_it_has_not(tmp_path: Path) -> None:
    tensors = state_dict(nn.RNN(2, 2))
    del tensors["bias_hh_l0"]
    save(tmp_path / "x.safetensors", tensors)
    found = weights(f'file = "x.safetensors"\nweight_ih_l0 = {SQUARE}', RNN, folder=tmp_path)[0]
    assert found["weight_ih_l0"].tolist() == [[1, 2], [3, 4]]
    assert found["bias_hh_l0"].tolist() == [0, 0]
    assert np.array_equal(found["weight_hh_l0"], tensors["weight_hh_l0"].numpy())
    message = problem('file = "x.safetensors"', RNN, folder=tmp_path, linear=Linear(2, 1))
    assert "it holds no `linear.weight`, `linear.bias`" in message


def test_of_a_state_dict_the_given_is_left_alone_and_what_is_missing_is_named() -> None:
    state = {name: value.numpy() for name, value in state_dict(nn.RNN(2, 2), "rnn.").items()}
    del state["rnn.bias_ih_l0"], state["rnn.weight_hh_l0"]
    wanted = {"weight_ih_l0": (2, 2), "weight_hh_l0": (2, 2), "bias_ih_l0": (2,), "bias_hh_l0": (2,)}
    shapes = {name: value.shape for name, value in state.items()}
    taken = take(shapes, state.__getitem__, wanted, {}, np.dtype("float64"), frozenset(["bias_hh_l0"]))
    assert taken.missing == ("weight_hh_l0",)
    assert taken.problems == ()
    assert list(taken.values) == ["weight_ih_l0", "bias_ih_l0"]
    assert taken.values["bias_ih_l0"].tolist() == [0, 0]
    assert taken.values["weight_ih_l0"].dtype == np.float64
    assert not_held(taken.missing).into("en") == "`file`: it holds no `weight_hh_l0`; give them as arrays"


def test_a_file_of_a_larger_module_or_another_shape_is_told(tmp_path: Path) -> None:
    save(tmp_path / "x.safetensors", state_dict(nn.RNN(2, 2, 2), "rnn."))
    assert "it holds `rnn.bias_hh_l1`" in problem('file = "x.safetensors"', RNN, folder=tmp_path)
    save(tmp_path / "y.safetensors", state_dict(nn.RNN(3, 2), "rnn."))
    message = problem('file = "y.safetensors"', RNN, folder=tmp_path)
    assert '"rnn.weight_ih_l0" has shape (2, 3), expected (2, 2) for `weight_ih_l0`' in message


def test_names_in_a_file_are_escaped_in_messages(tmp_path: Path) -> None:
    save_file(
        {f"{name}\x1b[31m.weight_ih_l0": np.ones((2, 2), np.float32) for name in "ab"},
        tmp_path / "x.safetensors",
    )
    message = problem('file = "x.safetensors"', RNN, folder=tmp_path)
    assert "\\x1b" in message
    assert "\x1b" not in message


def test_broken_and_strange_safetensors_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"\xff" * 64)
    assert "no safetensors file" in problem('file = "x.safetensors"', RNN, folder=tmp_path)
    tensors = {name: value.to(torch.float8_e4m3fn) for name, value in state_dict(nn.RNN(2, 2)).items()}
    save(tmp_path / "x.safetensors", tensors)
    assert "is of the kind F8_E4M3" in problem('file = "x.safetensors"', RNN, folder=tmp_path)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_state_dict_saved_by_torch_is_left_to_torch(tmp_path: Path, *, is_zip: bool) -> None:
    path = tmp_path / "model.pt"
    torch.save(nn.RNN(2, 2).state_dict(), path, _use_new_zipfile_serialization=is_zip)
    text = f'file = "model.pt"\nweight_hh_l0 = {SQUARE}\n[weights.prefix]\nrecurrent = "rnn."'
    found, pending = weights(text, RNN, folder=tmp_path)
    assert list(found) == ["weight_hh_l0"]
    assert pending == Pending(
        ("weight_ih_l0", "bias_ih_l0", "bias_hh_l0"),
        file=path.resolve(),
        prefixes={"recurrent": "rnn."},
        line=2,
        column=1,
    )
    assert "single gates" in problem('file = "model.pt"\nW_ii = [[1]]', LSTM, folder=tmp_path)


class Harm:
    def __reduce__(self):
        return (print, ("harm done",))


def test_a_small_archive_that_builds_millions_of_objects_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\x80\x02" + b"]" * 2_000_000 + b".")
    assert (tmp_path / "x.pt").stat().st_size < 5000
    assert "builds more than 1,000,000 objects" in problem('file = "x.pt"', RNN, folder=tmp_path)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_that_does_more_than_hold_tensors_is_refused(
    tmp_path: Path, capsys, *, is_zip: bool
) -> None:
    torch.save({"x": Harm()}, tmp_path / "x.pt", _use_new_zipfile_serialization=is_zip)
    assert "is refused: it does more than hold tensors" in problem('file = "x.pt"', RNN, folder=tmp_path)
    (tmp_path / "x.pt").write_bytes(pickle.dumps(Harm(), protocol=4))
    assert "refused" in problem('file = "x.pt"', RNN, folder=tmp_path)
    assert capsys.readouterr().out == ""


def test_a_whole_model_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    torch.save(nn.RNN(2, 2), tmp_path / "x.pt")
    message = problem('file = "x.pt"', RNN, folder=tmp_path)
    assert "holds a whole model (torch.nn.modules.rnn.RNN); save its state_dict" in message
    assert message.endswith("torch.save(torch.load('x.pt', weights_only=False).state_dict(), 'x-weights.pt')")


def test_what_torch_did_not_write_is_told(tmp_path: Path) -> None:
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme", "no")
    for content, words in (
        (b"hello", "neither a .safetensors file nor one that torch.save wrote"),
        (b"", "neither a .safetensors file"),
        (b"PK\x03\x04 broken", "cannot read"),
        (empty.getvalue(), "no state_dict saved by torch.save"),
        (b"\x80\x02 broken", "cannot read"),
    ):
        (tmp_path / "x.bin").write_bytes(content)
        assert words in problem('file = "x.bin"', RNN, folder=tmp_path)


def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\x80\x02}.")
        archive.writestr("x/data/0", bytes(1 << 21))
    assert (tmp_path / "x.pt").stat().st_size < 1 << 20
    message = problem('file = "x.pt"', RNN, folder=tmp_path, memory=1 << 20)
    assert "more than the limit of 0.000977 GiB (--memory-limit)" in message


def test_a_file_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    save(tmp_path / "x.safetensors", state_dict(nn.RNN(2, 2)))
    (tmp_path / "inner").mkdir()
    assert "--allow-outside" in problem('file = "../x.safetensors"', RNN, folder=tmp_path / "inner")
