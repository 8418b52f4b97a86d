"""What each mistake is called, what was done, and a hint: all ids."""

from __future__ import annotations

from collections.abc import Mapping

from rnnstep.checking.mistakes.words_cells import OF_CELLS, Words
from rnnstep.language import Text

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
