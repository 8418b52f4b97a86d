"""The way back as it stands on the blackboard: of torch's cells, and of blocks without states."""

from __future__ import annotations

import pytest

from rnnstep.cells import cell_for
from rnnstep.equations.differentiate import Backward, backward
from rnnstep.equations.program import program
from rnnstep.equations.write import BLACKBOARD, write_line

# ── torch's cells ────────────────────────────────────────────────────────────────────────────

RNN = """
∂h = ∂h_above + ∂h_next
∂a = ∂h ⊙ (1 − h ⊙ h)
∂hh = ∂a
∂W_hh_t = ∂hh·h_prevᵀ
∂W_hh = ∂W_hh_later + ∂W_hh_t
∂h_prev = W_hhᵀ·∂hh
∂b_hh = ∂b_hh_later + ∂hh
∂ih = ∂a
∂W_ih_t = ∂ih·xᵀ
∂W_ih = ∂W_ih_later + ∂W_ih_t
∂x = W_ihᵀ·∂ih
∂b_ih = ∂b_ih_later + ∂ih
"""
RNN_OF_SEVERAL_ROWS = """
∂h = ∂h_above + ∂h_next
∂a = ∂h ⊙ (1 − h ⊙ h)
∂hh = ∂a
∂W_hh_t = ∂hh⋮ᵀ·h_prev⋮
∂W_hh = ∂W_hh_later + ∂W_hh_t
∂h_prev = W_hhᵀ·∂hh
∂b_hh_t = Σ ∂hh⋮
∂b_hh = ∂b_hh_later + ∂b_hh_t
∂ih = ∂a
∂W_ih_t = ∂ih⋮ᵀ·x⋮
∂W_ih = ∂W_ih_later + ∂W_ih_t
∂x = W_ihᵀ·∂ih
∂b_ih_t = Σ ∂ih⋮
∂b_ih = ∂b_ih_later + ∂b_ih_t
"""
RNN_OF_ONE_STEP = """
∂h = ∂h_above + ∂h_next
∂a = ∂h ⊙ (a > 0)
∂hh = ∂a
∂W_hh = ∂hh·h_prevᵀ
∂h_prev = W_hhᵀ·∂hh
∂ih = ∂a
∂W_ih = ∂ih·xᵀ
∂x = W_ihᵀ·∂ih
"""
LSTM = """
∂tanh_c = ∂h ⊙ o
∂c = ∂c_next + ∂tanh_c ⊙ (1 − tanh_c ⊙ tanh_c)
∂c_prev = ∂c ⊙ f
∂o = ∂h ⊙ tanh_c
∂a_o = ∂o ⊙ (o ⊙ (1 − o))
∂hh_o = ∂a_o
∂W_ho_t = ∂hh_o·h_prevᵀ
∂W_ho = ∂W_ho_later + ∂W_ho_t
∂b_ho = ∂b_ho_later + ∂hh_o
∂ih_o = ∂a_o
∂W_io_t = ∂ih_o·xᵀ
∂W_io = ∂W_io_later + ∂W_io_t
∂b_io = ∂b_io_later + ∂ih_o
∂g = ∂c ⊙ i
∂a_g = ∂g ⊙ (1 − g ⊙ g)
∂hh_g = ∂a_g
∂W_hg_t = ∂hh_g·h_prevᵀ
∂W_hg = ∂W_hg_later + ∂W_hg_t
∂b_hg = ∂b_hg_later + ∂hh_g
∂ih_g = ∂a_g
∂W_ig_t = ∂ih_g·xᵀ
∂W_ig = ∂W_ig_later + ∂W_ig_t
∂b_ig = ∂b_ig_later + ∂ih_g
∂f = ∂c ⊙ c_prev
∂a_f = ∂f ⊙ (f ⊙ (1 − f))
∂hh_f = ∂a_f
∂W_hf_t = ∂hh_f·h_prevᵀ
∂W_hf = ∂W_hf_later + ∂W_hf_t
∂b_hf = ∂b_hf_later + ∂hh_f
∂ih_f = ∂a_f
∂W_if_t = ∂ih_f·xᵀ
∂W_if = ∂W_if_later + ∂W_if_t
∂b_if = ∂b_if_later + ∂ih_f
∂i = ∂c ⊙ g
∂a_i = ∂i ⊙ (i ⊙ (1 − i))
∂hh_i = ∂a_i
∂W_hi_t = ∂hh_i·h_prevᵀ
∂W_hi = ∂W_hi_later + ∂W_hi_t
∂h_prev = W_hiᵀ·∂hh_i + W_hfᵀ·∂hh_f + W_hgᵀ·∂hh_g + W_hoᵀ·∂hh_o
∂b_hi = ∂b_hi_later + ∂hh_i
∂ih_i = ∂a_i
∂W_ii_t = ∂ih_i·xᵀ
∂W_ii = ∂W_ii_later + ∂W_ii_t
∂x = W_iiᵀ·∂ih_i + W_ifᵀ·∂ih_f + W_igᵀ·∂ih_g + W_ioᵀ·∂ih_o
∂b_ii = ∂b_ii_later + ∂ih_i
"""
PROJECTED = """
∂h = ∂h_above + ∂h_next
∂W_hr_t = ∂h·mᵀ
∂W_hr = ∂W_hr_later + ∂W_hr_t
∂m = W_hrᵀ·∂h
"""
GRU = """
∂h = ∂h_above + ∂h_next
∂n = ∂h ⊙ (1 − z)
∂a_n = ∂n ⊙ (1 − n ⊙ n)
∂hh_n = ∂a_n ⊙ r
∂W_hn_t = ∂hh_n·h_prevᵀ
∂W_hn = ∂W_hn_later + ∂W_hn_t
∂b_hn = ∂b_hn_later + ∂hh_n
∂ih_n = ∂a_n
∂W_in_t = ∂ih_n·xᵀ
∂W_in = ∂W_in_later + ∂W_in_t
∂b_in = ∂b_in_later + ∂ih_n
∂z = ∂h ⊙ h_prev − ∂h ⊙ n
∂a_z = ∂z ⊙ (z ⊙ (1 − z))
∂hh_z = ∂a_z
∂W_hz_t = ∂hh_z·h_prevᵀ
∂W_hz = ∂W_hz_later + ∂W_hz_t
∂b_hz = ∂b_hz_later + ∂hh_z
∂ih_z = ∂a_z
∂W_iz_t = ∂ih_z·xᵀ
∂W_iz = ∂W_iz_later + ∂W_iz_t
∂b_iz = ∂b_iz_later + ∂ih_z
∂r = ∂a_n ⊙ hh_n
∂a_r = ∂r ⊙ (r ⊙ (1 − r))
∂hh_r = ∂a_r
∂W_hr_t = ∂hh_r·h_prevᵀ
∂W_hr = ∂W_hr_later + ∂W_hr_t
∂h_prev = W_hrᵀ·∂hh_r + W_hzᵀ·∂hh_z + W_hnᵀ·∂hh_n + ∂h ⊙ z
∂b_hr = ∂b_hr_later + ∂hh_r
∂ih_r = ∂a_r
∂W_ir_t = ∂ih_r·xᵀ
∂W_ir = ∂W_ir_later + ∂W_ir_t
∂x = W_irᵀ·∂ih_r + W_izᵀ·∂ih_z + W_inᵀ·∂ih_n
∂b_ir = ∂b_ir_later + ∂ih_r
"""


def on_the_blackboard(derived: Backward) -> list[str]:
    return [write_line(line, BLACKBOARD) for line in derived.program.lines]


@pytest.mark.parametrize(
    ("module", "options", "how", "expected"),
    [
        ("RNN", {}, {}, RNN),
        ("RNN", {}, {"rows": 3}, RNN_OF_SEVERAL_ROWS),
        ("RNN", {"nonlinearity": "relu", "bias": False}, {"is_summed": False}, RNN_OF_ONE_STEP),
        ("LSTM", {}, {}, "∂h = ∂h_above + ∂h_next" + LSTM),
        ("LSTM", {"proj_size": 2}, {}, PROJECTED + LSTM.replace("∂h ⊙", "∂m ⊙").strip()),
        ("GRU", {}, {}, GRU),
    ],
)
def test_way_back_of_torchs_cells_is_written(module: str, options: dict, how: dict, expected: str) -> None:
    of = cell_for(module, **options)
    derived = backward(of.program.sized(of.sizes(3, 4, options.get("proj_size", 0))), "h", **how)
    assert on_the_blackboard(derived) == expected.strip().splitlines()


def test_states_and_sums_are_told_with_the_names_they_are_read_by() -> None:
    of = cell_for("RNN")
    whole = backward(of.program.sized(of.sizes(3, 4)), "h").program
    assert {name: whole.before(name) for name in whole.states} == {
        "∂h_prev": "∂h_next",
        "∂W_hh": "∂W_hh_later",
        "∂b_hh": "∂b_hh_later",
        "∂W_ih": "∂W_ih_later",
        "∂b_ih": "∂b_ih_later",
    }
    assert (whole.shapes["∂W_ih_later"], whole.shapes["∂W_ih_t"]) == ((4, 3), (4, 3))


# ── blocks without states ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("equations", "rows", "is_summed", "expected"),
    [
        ("y = W @ x + b", 1, True, ["∂W_t = ∂y·xᵀ", "∂W = ∂W_later + ∂W_t", "∂x = Wᵀ·∂y", "∂b = ∂b_later + ∂y"]),
        ("y = W @ x + b", 1, False, ["∂W = ∂y·xᵀ", "∂x = Wᵀ·∂y", "∂b = ∂y"]),
        ("y = W @ x + b", 2, False, ["∂W = ∂y⋮ᵀ·x⋮", "∂x = Wᵀ·∂y", "∂b = Σ ∂y⋮"]),
        ("y = m * x", 2, True, ["∂x = ∂y ⊙ m"]),
        ("d = x - m\ns = d * d\ny = mean(s)", 1, True, ["∂s = ∂y / 2", "∂d = ∂s ⊙ d + ∂s ⊙ d", "∂x = ∂d"]),
        ("y = x[-1] * x", 1, True, ["∂x = sum(∂y ⊙ x) at [1] + ∂y ⊙ x[-1]"]),
    ],
)  # fmt: skip
def test_output_of_a_block_without_states_is_given_whole(
    equations: str,
    rows: int,
    is_summed: bool,  # noqa: FBT001 - of a row of the list
    expected: list[str],
) -> None:
    made = program(equations, inputs={"x": (2,), "m": (2,)}, states={}, parameters={"W": (3, 2), "b": (3,)})
    derived = backward(made, "y", rows=rows, is_summed=is_summed, constant=("m",))
    assert derived.above == "∂y"
    assert on_the_blackboard(derived) == expected
