"""What each mistake is called, what was done, and a hint: all ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rnnstep.language import Text


class Words(NamedTuple):
    """Of one mistake: its name, one sentence of explanation, and a hint that does not give the answer away."""

    name: Text
    explanation: Text
    hint: Text


OF_CELLS: Mapping[str, Words] = {
    "no_b_ih": Words(
        Text("b_ih left out"),
        Text("The bias b_ih was not added to W_ih x."),
        Text("How many biases does torch have, and is each of them in your sum?"),
    ),
    "no_b_hh": Words(
        Text("b_hh left out"),
        Text("The bias b_hh was not added to W_hh h_{{t−1}}."),
        Text("How many biases does torch have, and is each of them in your sum?"),
    ),
    "no_bias": Words(
        Text("biases left out"),
        Text("No bias was added."),
        Text("Look at the list of parameters: what have you not used?"),
    ),
    "bias_twice": Words(
        Text("one bias twice"),
        Text("One bias was added twice, and the other one never."),
        Text("There are two bias vectors; compare the numbers of both with those that you added."),
    ),
    "bias_after_activation": Words(
        Text("bias after the activation"),
        Text("The bias was added to the result of the activation instead of to what goes into it."),
        Text("What exactly stands in the brackets of the activation?"),
    ),
    "no_activation": Words(
        Text("no activation"),
        Text("The sum was written down without taking the activation of it."),
        Text("Is your number still what stands in the brackets?"),
    ),
    "sigmoid_for_tanh": Words(
        Text("sigmoid for tanh"),
        Text("The sigmoid was taken where the equation has tanh."),
        Text("Which values can tanh have, and which the sigmoid?"),
    ),
    "tanh_for_sigmoid": Words(
        Text("tanh for the sigmoid"),
        Text("tanh was taken where the equation has the sigmoid."),
        Text("Can a gate be negative?"),
    ),
    "relu_for_tanh": Words(
        Text("relu for tanh"),
        Text("Negative sums became 0 and positive ones stayed, as relu does; the equation has tanh."),
        Text("What does the equation do with a negative sum?"),
    ),
    "activation_per_term": Words(
        Text("activation of each term"),
        Text("The activation was taken of each term by itself, and the results were added."),
        Text("Which comes first in the equation, the sum or the activation?"),
    ),
    "transposed_ih": Words(
        Text("W_ih transposed"),
        Text("W_ih was multiplied by its columns: W_ihᵀ x."),
        Text("Which numbers of W_ih make the first element: a row or a column?"),
    ),
    "transposed_hh": Words(
        Text("W_hh transposed"),
        Text("W_hh was multiplied by its columns: W_hhᵀ h_{{t−1}}."),
        Text("Which numbers of W_hh make the first element: a row or a column?"),
    ),
    "weights_swapped": Words(
        Text("W_ih and W_hh exchanged"),
        Text("W_ih was multiplied with h_{{t−1}}, and W_hh with x_t."),
        Text("What do the letters i and h in W_ih stand for?"),
    ),
    "tan_for_tanh": Words(
        Text("tan for tanh"),
        Text("The calculator gave tan, not tanh."),
        Text("Can tanh be larger than 1? Which key did you press?"),
    ),
    "degrees": Words(
        Text("tan of degrees"),
        Text("The calculator gave the tangent of an angle in degrees, not tanh."),
        Text("Which key did you press, and what unit does it take its number in?"),
    ),
    "step_off_by_one": Words(
        Text("right, for another step"),
        Text("The numbers are right, but those of another step."),
        Text("Count the steps once more: which one is asked for?"),
    ),
    "elementwise_for_matmul": Words(
        Text("no matrix product"),
        Text("The products of W with the vector were summed along the wrong axis."),
        Text("Each element of W x is a row of W times the vector, added up."),
    ),
    "h_stays_h_0": Words(
        Text("h_0 at every step"),
        Text("Every step was computed from h_0, not from the h of the step before."),
        Text("Which h does this step start from?"),
    ),
    "h_zero_ignored": Words(
        Text("h_0 taken as zeros"),
        Text("The scenario gives h_0; zeros were taken."),
        Text("What was known before the first step?"),
    ),
    "state_not_carried": Words(
        Text("the state not carried on"),
        Text("The batch was begun anew; its first state is the one at which the batch before ended."),
        Text("Where did this row end in the batch before?"),
    ),
    "x_of_previous_step": Words(
        Text("x of the step before"),
        Text("The input of the step before was used."),
        Text("Which letter is read at this step?"),
    ),
    "x_of_next_step": Words(
        Text("x of the next step"),
        Text("The input of the next step was used."),
        Text("Which letter is read at this step?"),
    ),
    "layer_reads_x": Words(
        Text("the layer reads x"),
        Text("The upper layer was given x_t instead of the h_t of the layer below."),
        Text("What comes out of the layer below, and where does it go?"),
    ),
    "layer_reads_below_late": Words(
        Text("the layer below, one step late"),
        Text("The upper layer was given h_{{t−1}} of the layer below instead of h_t."),
        Text("Does a layer wait for a step before it reads the one below?"),
    ),
    "h_n_first_layer": Words(
        Text("another layer"),
        Text("These are the states of another layer: h_n[0] is the first, h_n[−1] the last."),
        Text("In which order does h_n hold the layers?"),
    ),
    "backward_half_at_last_step": Words(
        Text("backward half at the last step"),
        Text("The backward direction was taken at the last step; it ends at the first."),
        Text("Where does the backward direction finish reading?"),
    ),
    "halves_swapped": Words(
        Text("directions exchanged"),
        Text("The backward half stands before the forward half."),
        Text("Which direction comes first in torch's output?"),
    ),
    "backward_not_reversed": Words(
        Text("backward read forwards"),
        Text("The backward direction read the sequence in forward order."),
        Text("Which x does the backward direction read first?"),
    ),
    "directions_share_weights": Words(
        Text("one set of weights for both directions"),
        Text(
            "The backward direction was computed with the weights of the forward one; it has its own, `_reverse`."
        ),
        Text("How many weights does a bidirectional layer have?"),
    ),
    "h_n_viewed": Words(
        Text("h_n.view"),
        Text("h_n was viewed as (B, −1) without a transpose, which mixes the rows of the batch."),
        Text("Which axis of h_n is the batch?"),
    ),
    "padding_walked": Words(
        Text("padding read"),
        Text("The short sequence went on through its padding."),
        Text("At which step does this sequence end?"),
    ),
    "gates_ifog": Words(
        Text("rows as i, f, o, g"),
        Text("The rows of the weights were read in the order i, f, o, g; torch has i, f, g, o."),
        Text("In which order does torch stack the gates?"),
    ),
    "gates_iofg": Words(
        Text("rows as i, o, f, g"),
        Text(
            "The rows of the weights were read in the order i, o, f, g, as ONNX has them; torch has i, f, g, o."
        ),
        Text("In which order does torch stack the gates?"),
    ),
    "gates_icfo": Words(
        Text("rows as i, g, f, o"),
        Text("The rows of the weights were read in the order i, g, f, o; torch has i, f, g, o."),
        Text("In which order does torch stack the gates?"),
    ),
    "gates_i_f_swapped": Words(
        Text("i and f exchanged"),
        Text("c was computed as f·g + i·c_{{t−1}}."),
        Text("Which gate lets the new in, and which keeps the old?"),
    ),
    "g_with_sigmoid": Words(
        Text("g with the sigmoid"),
        Text("g was computed with the sigmoid; it is a tanh."),
        Text("Can what is written into the memory be negative?"),
    ),
    "h_without_tanh": Words(
        Text("h without tanh"),
        Text("h was computed as o·c, without the tanh of c."),
        Text("What happens to c on its way to h?"),
    ),
    "c_without_forget": Words(
        Text("nothing is forgotten"),
        Text("c was computed as c_{{t−1}} + i·g, without the forget gate."),
        Text("What is the old memory multiplied with?"),
    ),
    "forget_is_one_minus_input": Words(
        Text("f = 1 − i"),
        Text("f was taken as 1 − i; it is a gate of its own."),
        Text("Which weights belong to the forget gate?"),
    ),
    "c_for_h": Words(
        Text("c given as h"),
        Text("The memory c was written down where h is asked for."),
        Text("Which of the two states leaves the cell?"),
    ),
    "o_reads_c": Words(
        Text("o reads c"),
        Text("The output gate was computed from the memory c instead of from h_{{t−1}}."),
        Text("What do all four gates read beside x_t?"),
    ),
    "gru_reset_before": Words(
        Text("reset before the product"),
        Text(
            "The reset gate was multiplied with h_{{t−1}} before W_hn; torch multiplies the result, bias included."
        ),
        Text("Does r act on h_{{t−1}}, or on W_hn h_{{t−1}} + b_hn?"),
    ),
    "gru_b_hn_outside": Words(
        Text("b_hn outside"),
        Text("b_hn was added after the reset gate; torch has it inside the brackets."),
        Text("What stands in the brackets that r is multiplied with?"),
    ),
    "gru_z_swapped": Words(
        Text("z and 1 − z exchanged"),
        Text("h was computed as z·n + (1 − z)·h_{{t−1}}; torch has (1 − z)·n + z·h_{{t−1}}."),
        Text("What does a z of 1 keep in torch, the old state or the new?"),
    ),
    "gru_gates_zrn": Words(
        Text("rows as z, r, n"),
        Text(
            "The rows of the weights were read in the order z, r, n, as Keras and ONNX have them; torch has r, z, n."
        ),
        Text("In which order does torch stack the gates of a GRU?"),
    ),
    "gru_no_carry": Words(
        Text("h_{{t−1}} not carried on"),
        Text("z ⊙ h_{{t−1}} was left out of h_t."),
        Text("Of which two terms is h_t the sum?"),
    ),
    "gru_no_reset": Words(
        Text("no reset"),
        Text("The reset gate was left out: r = 1."),
        Text("Which part of n is multiplied with r?"),
    ),
    "gru_reset_over_both": Words(
        Text("reset over both"),
        Text("The reset gate was multiplied with both terms; it belongs to the one of h_{{t−1}}."),
        Text("Which part of n is multiplied with r?"),
    ),
}


# ── between steps, in the backward pass, and in writing down ─────────────────────────────────────

__all__ = ["MISTAKES", "Words"]

MISTAKES: Mapping[str, Words] = {
    **OF_CELLS,
    "wrong_index": Words(
        Text("another index"),
        Text("The vector of another index was taken."),
        Text("Look the index up in the vocabulary again; it counts from 0."),
    ),
    "embedding_column": Words(
        Text("a column of the embedding"),
        Text("A column of the embedding was taken; the vector of an index is a row."),
        Text("Is an index a row or a column of the table?"),
    ),
    "softmax_twice": Words(
        Text("softmax twice"),
        Text("The cross-entropy was taken of softmax(logits), and takes the softmax of that once more."),
        Text("What does CrossEntropyLoss do with the numbers it is given?"),
    ),
    "log10": Words(
        Text("log10 for ln"),
        Text("The logarithm to the base 10 was taken; the loss has the natural one."),
        Text("Which key of the calculator is the natural logarithm?"),
    ),
    "log2": Words(
        Text("log2 for ln"),
        Text("The logarithm to the base 2 was taken; the loss has the natural one."),
        Text("Which base does the logarithm of the loss have?"),
    ),
    "half_squared_error": Words(
        Text("half the loss"),
        Text("½ was taken of the loss; here it has the factor 1, and all its gradients are twice as large."),
        Text("Which factor does the loss of this scenario have?"),
    ),
    "factor_forgotten": Words(
        Text("factor forgotten"),
        Text("The factor of the loss was left out; it multiplies the loss and every gradient."),
        Text("What does factor say?"),
    ),
    "sum_for_mean": Words(
        Text("sum for the mean"),
        Text("The losses were added up; the loss is their mean."),
        Text("What does reduction say?"),
    ),
    "mean_for_sum": Words(
        Text("mean for the sum"),
        Text("The mean of the losses was taken; the loss is their sum."),
        Text("What do reduction and over_time say?"),
    ),
    "mean_twice": Words(
        Text("mean taken twice"),
        Text("The mean was divided once more."),
        Text("By how many was the sum divided, and how often?"),
    ),
    "one_minus_p": Words(
        Text("1 − p"),
        Text("1 − p was taken as the loss; it is −ln p."),
        Text("What is the cross-entropy of a p of 0?"),
    ),
    "derivative_at_preactivation": Words(
        Text("derivative at the sum"),
        Text("The slope of tanh was taken as 1 − a²; it is 1 − tanh(a)² = 1 − h²."),
        Text("Which of the two is squared, a or h?"),
    ),
    "no_recurrent_gradient": Words(
        Text("nothing from later steps"),
        Text("What comes back from the step after was not added."),
        Text("Who else reads h_t beside this step's loss?"),
    ),
    "recurrent_gradient_without_derivative": Words(
        Text("slope left out of the recurrent term"),
        Text("What comes back from the step after was not multiplied with 1 − h²."),
        Text("Does all that reaches h_t go through the same tanh?"),
    ),
    "longest_chain_only": Words(
        Text("one path only"),
        Text("Only the path through all steps was taken; the gradient is the sum over all of them."),
        Text("At how many steps is the same weight used?"),
    ),
    "u_for_u_transposed": Words(
        Text("W_hh for W_hhᵀ"),
        Text("The gradient was multiplied with W_hh; on the way back it is W_hhᵀ."),
        Text("Which shape does what comes back have, and along which axis is it summed?"),
    ),
    "gradient_sign": Words(
        Text("sign of the gradient"),
        Text("y − p was taken; the gradient of the logits is p − y."),
        Text("Should the score of the right class go up or down?"),
    ),
    "slope_left_out": Words(
        Text("slope left out"),
        Text("∂a was taken as ∂h; it is ∂h ⊙ (1 − h²)."),
        Text("What is the derivative of tanh?"),
    ),
    "h_for_h_prev": Words(
        Text("h_t for h_{{t−1}} in ∂W_hh"),
        Text("The share of ∂W_hh at step t was taken with h_t; it is δ_t h_{{t−1}}ᵀ."),
        Text("Which h was W_hh multiplied with at this step?"),
    ),
    "lr_left_out": Words(
        Text("lr left out"),
        Text("The update was not multiplied with the learning rate."),
        Text("What is the gradient multiplied with before it is taken off?"),
    ),
    "update_added": Words(
        Text("update added"),
        Text("The update was added to the parameter; it is taken off."),
        Text("Should the loss go up or down?"),
    ),
    "no_zero_grad": Words(
        Text("gradients add up"),
        Text("The gradients of earlier updates were not set to zero, and add up."),
        Text("What stands in .grad before backward()?"),
    ),
    "adam_no_correction": Words(
        Text("Adam without correction"),
        Text("m and v were used as they are, not divided by 1 − β₁ᵗ and 1 − β₂ᵗ."),
        Text("What are m_hat and v_hat?"),
    ),
    "adam_only_v_corrected": Words(
        Text("only v corrected"),
        Text("m was used as it is; only v was divided by 1 − β₂ᵗ."),
        Text("What is m_hat?"),
    ),
    "adam_only_m_corrected": Words(
        Text("only m corrected"),
        Text("v was used as it is; only m was divided by 1 − β₁ᵗ."),
        Text("What is v_hat?"),
    ),
    "merged_bias_once": Words(
        Text("one bias updated"),
        Text("Only one of the two biases was updated; both get the gradient."),
        Text("What is the gradient of b_hh?"),
    ),
    "attention_no_softmax": Words(
        Text("no softmax in attention"),
        Text("The scores were taken for the weights, without a softmax."),
        Text("What do the weights of one query add up to?"),
    ),
    "attention_wrong_axis": Words(
        Text("softmax over the wrong axis"),
        Text(
            "The softmax went over the batch, the queries or an axis of one; it goes over the steps of the memory."
        ),
        Text("Which numbers must add up to 1: those of one query over all steps, or others?"),
    ),
    "attention_padding": Words(
        Text("padding looked at"),
        Text("The padded steps of the memory took part in the softmax; their scores are −∞ before it."),
        Text("How many real steps has this row, and how many numbers are in your softmax?"),
    ),
    "attention_keys_for_values": Words(
        Text("keys and values mixed up"),
        Text(
            "One was taken for the other: the query is compared with the memory, and the values are what is mixed."
        ),
        Text("Which of the two do the scores come from, and which do the weights mix?"),
    ),
    "attention_late_query": Words(
        Text("query of another step"),
        Text("The query of this step was taken for that of the step before, or the other way round."),
        Text("Which states are there already when this step looks at the memory?"),
    ),
    "eps_left_out": Words(
        Text("eps left out"),
        Text("The root was taken of the variance alone, without the eps that stands beside it."),
        Text("What stands under the root beside the variance?"),
    ),
    "unbiased_variance": Words(
        Text("variance over n − 1"),
        Text("The squares were divided by n − 1; a normalization divides them by n."),
        Text("What is the sum of the squares divided by?"),
    ),
    "teacher_off_by_one": Words(
        Text("teacher forcing off by one"),
        Text(
            "The decoder was fed what is wanted at this step, or what stood two steps before; it is fed what stood one before."
        ),
        Text("What has the decoder said already when it comes to this step?"),
    ),
    "encoder_last_for_h_n": Words(
        Text("last output for the final state"),
        Text(
            "output at the last step was taken for h_n: of a shorter row that is padding, of the backward direction its first step."
        ),
        Text("At which step does this row end, and at which the backward direction?"),
    ),
    "digits_cut": Words(
        Text("digits cut off"),
        Text("Digits were cut off; a number is rounded to the nearest one."),
        Text("Which digit comes after the last one that you wrote, and is it 5 or more?"),
    ),
    "swapped_entries": Words(
        Text("two entries exchanged"),
        Text("Two entries stand in each other's place."),
        Text("Compare the order of the numbers with that of the units."),
    ),
    "sign_slip": Words(
        Text("a sign lost"),
        Text("A sign was lost, or one too many was written."),
        Text("Go through the signs once more."),
    ),
}
