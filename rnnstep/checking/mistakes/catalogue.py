"""Which slips may stand behind an answer, and the order in which they are tried: the commonest first.

The more were tried before one, the likelier it is that random numbers fit one of them; so of few numbers only the
usual mistakes are named.
"""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.checking.mistakes import attention, cells, gradients, losses, normalizing, wires
from rnnstep.checking.mistakes.patterns import Pattern, first_of_each
from rnnstep.checking.own_numbers import Place
from rnnstep.checking.slip import Lines, Slip, by_hand
from rnnstep.engine.learning import Learning
from rnnstep.engine.structure import Phase

USUAL_FIRST = (
    # a loss: the factor, mean and sum, the logarithm; gradients: the factor
    "half_squared_error",
    "factor_forgotten",
    "mean_for_sum",
    "sum_for_mean",
    "mean_twice",
    "log10",
    "log2",
    "one_minus_p",
    "softmax_twice",
    # an update
    "merged_bias_once",
    "no_zero_grad",
    "update_added",
    "lr_left_out",
    "adam_no_correction",
    "adam_only_v_corrected",
    "adam_only_m_corrected",
    # any value: how it was written down
    "digits_cut",
    "sign_slip",
    # the backward pass
    "gradient_sign",
    "slope_left_out",
    "no_recurrent_gradient",
    "longest_chain_only",
    "derivative_at_preactivation",
    "recurrent_gradient_without_derivative",
    "h_for_h_prev",
    "u_for_u_transposed",
    # a step
    "no_b_hh",
    "no_b_ih",
    "no_bias",
    "no_activation",
    "h_without_tanh",
    "c_for_h",
    "g_with_sigmoid",
    "sigmoid_for_tanh",
    "tanh_for_sigmoid",
    "transposed_hh",
    "transposed_ih",
    "gru_reset_before",
    "gru_z_swapped",
    "gru_no_reset",
    "gates_i_f_swapped",
    "c_without_forget",
    "h_stays_h_0",
    "state_not_carried",
    "h_zero_ignored",
    "swapped_entries",
    "bias_twice",
    "bias_after_activation",
    "relu_for_tanh",
    "degrees",
    "tan_for_tanh",
    "weights_swapped",
    "activation_per_term",
    "elementwise_for_matmul",
    "gates_ifog",
    "gates_iofg",
    "gates_icfo",
    "gru_gates_zrn",
    "gru_b_hn_outside",
    "gru_reset_over_both",
    "gru_no_carry",
    "forget_is_one_minus_input",
    "o_reads_c",
    # attention
    "attention_no_softmax",
    "attention_padding",
    "attention_wrong_axis",
    "attention_late_query",
    "attention_keys_for_values",
    # normalization
    "unbiased_variance",
    "eps_left_out",
    # layers, directions and inputs
    "h_n_first_layer",
    "halves_swapped",
    "backward_half_at_last_step",
    "backward_not_reversed",
    "directions_share_weights",
    "layer_reads_x",
    "layer_reads_below_late",
    "h_n_viewed",
    "padding_walked",
    "x_of_previous_step",
    "x_of_next_step",
    "teacher_off_by_one",
    "encoder_last_for_h_n",
    "step_off_by_one",
    "embedding_column",
    "wrong_index",
)
_RANKS = {id_: rank for rank, id_ in enumerate(USUAL_FIRST)}


def rank(id_: str) -> int:
    """Where a mistake stands in the order, from 0; one that is not in it behind all others."""
    return _RANKS.get(id_, len(_RANKS))


# ── the catalogue ────────────────────────────────────────────────────────────────────────────────


class Catalogue:
    """The slips of one scenario, written once for all answers and writers."""

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._slips: dict[tuple[int, int, Phase], tuple[Slip, ...]] = {}

    def slips(self, place: Place) -> tuple[Slip, ...]:
        """Every slip that changes a line or a wire of the run that a place is of."""
        key = (place.epoch, place.batch, place.phase)
        if key not in self._slips:
            self._slips[key] = tuple(self._all(*key))
        return self._slips[key]

    def _all(self, epoch: int, batch: int, phase: Phase) -> Iterator[Slip]:
        done = self._learning.epoch(epoch).forward(batch)
        seen: set[tuple[str, Lines]] = set()
        for block in first_of_each(done):
            right = by_hand(block)
            for slip in cells.variants(Pattern(block, right)):
                lines = slip.lines("forward", block)
                if lines != right and (slip.id, lines) not in seen:
                    seen.add((slip.id, lines))
                    yield slip
        yield from attention.variants(done)
        yield from normalizing.variants(done)
        yield from wires.variants(done)
        if done.loss_run is not None:
            yield from losses.variants(done)
            if phase != "forward" or (epoch, batch) != (0, 0):
                yield from gradients.variants(self._learning, phase)
