"""The order in which mistakes are tried: the commonest first, each with those that are like it.

The more were tried before one, the likelier it is that random numbers fit one of them; so of few numbers only the
usual mistakes are named.
"""

from __future__ import annotations

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
    # the way back
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
    "step_off_by_one",
    "embedding_column",
    "wrong_index",
)
_RANKS = {id_: rank for rank, id_ in enumerate(USUAL_FIRST)}


def rank(id_: str) -> int:
    """Where a mistake stands in the order, from 0; one that is not in it behind all others."""
    return _RANKS.get(id_, len(_RANKS))
