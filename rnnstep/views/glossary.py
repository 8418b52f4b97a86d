"""The signs and words that stand on the screen, each with what it means: a section of the help."""

from __future__ import annotations

from typing import NamedTuple

from rnnstep.language import Text


class Sign(NamedTuple):
    """What is seen, with `--ascii` too where that is not its spelling alone, and what it means."""

    seen: str | Text
    meaning: Text
    in_ascii: str = ""

    def into(self, language: str, *, is_ascii: bool = False) -> str:
        """Give what is seen in a language."""
        if is_ascii and self.in_ascii:
            return self.in_ascii
        return self.seen if isinstance(self.seen, str) else self.seen.into(language)


GLOSSARY: tuple[Sign, ...] = (
    # places
    Sign("3/L0/hh[1]", Text("a place: step 3 (from 1), layer 0, operation hh, element 1 (from 0)")),
    Sign("L0  L1", Text("a layer of the recurrent module, from 0 as in torch's weight_ih_l0")),
    Sign("L0→ L0←", Text("its two directions; ← begins at the last step, torch's _reverse")),
    Sign("join0", Text("both directions of layer 0 side by side: torch.cat, as in output")),
    Sign("dropout0", Text("torch.nn.Dropout above layer 0")),
    Sign("embedding", Text("torch.nn.Embedding: a vector for each index")),
    Sign("linear", Text("torch.nn.Linear above the recurrent module; it gives the logits")),
    Sign("loss  total", Text("the loss of a step, and what all of them come to together")),
    Sign("e7: 2:", Text("epoch 7, batch 2 (from 1); backward: and update: are the other passes")),
    Sign("@row5", Text("row 5 of the batch (from 0)")),
    # values
    Sign("x_t", Text("the input of step t; one-hot: 1 at the letter's place, 0 elsewhere")),
    Sign("h  h_t", Text("the hidden state: what the network remembers, and its output at each step")),
    Sign("h_prev", Text("h of the step before; at step 1 it is h_0")),
    Sign("c  c_prev", Text("the cell state of an LSTM, at this step and the one before")),
    Sign(
        "keep  h_kept",
        Text("of a recorded loop: 0 where a row begins anew from zeros; keep times h_prev"),
    ),
    Sign("h_0  c_0  hx", Text("the states before the first step; torch's argument hx holds them")),
    Sign("h_n  c_n", Text("the states after the last step, of every layer and direction")),
    Sign("output", Text("h of the top layer at every step")),
    Sign(
        "W_ih  b_ih", Text("weight and bias for the input; in a gated cell one for each gate: W_ii, b_if …")
    ),
    Sign("W_hh  b_hh", Text("weight and bias for h_prev; in a gated cell W_hi, b_hf …")),
    Sign("ih", Text("W_ih · x_t + b_ih: what the input brings")),
    Sign("hh", Text("W_hh · h_prev + b_hh: what the memory brings")),
    Sign("a  a_i", Text("the sum of both, before tanh or σ: the pre-activation")),
    Sign("i f g o", Text("the gates of an LSTM: input, forget, candidate (torch: cell), output")),
    Sign("r z n", Text("the gates of a GRU: reset, update, candidate (torch: new)")),
    Sign("logits", Text("a score for each class, before softmax")),
    Sign("p  log_p  nll", Text("the softmax, its logarithm, and −ln of the right answer's p")),
    Sign(
        "m v  m_hat v_hat",
        Text("an optimizer's running means of the gradient and of its square, and both corrected"),
    ),
    Sign("W_hh_t", Text("with _t: the share that step t has in a gradient; the steps' sum is the gradient")),
    # signs of formulas
    Sign(
        "·",
        Text("between numbers a product, between a matrix and a vector W·x; alone: not computed yet"),
        "*  @  .",
    ),
    Sign("⊙", Text("element by element: each number times the one at the same place"), "*"),
    Sign("×", Text("times; in 4×3: four rows and three columns")),
    Sign("Σ", Text("a sum over all")),
    Sign("σ", Text("the sigmoid, 1 / (1 + e^−a): between 0 and 1")),
    Sign(
        "∂", Text("∂h is the gradient of the loss: how much it grows where h grows a little; torch's .grad")
    ),
    Sign("ᵀ", Text("transposed: rows and columns exchanged")),
    Sign("‖ ‖", Text("the norm, the length of a vector: the root of the sum of squares")),
    Sign("−", Text("minus")),
    Sign(
        "=  ≈",
        Text(
            "= : the numbers as shown give the result as shown, for which a line may show a digit or two more than"
            " elsewhere; ≈ (about equal): only with the digits not shown (D shows more)"
        ),
    ),
    Sign("[ ; ]", Text("one vector below another, as in [h_prev; x]")),
    Sign("…  ⋮", Text("more, for which there is no room here")),
    # torch beside
    Sign("✓  ✗", Text("torch computes the same, within what rounding allows; or something else")),
    Sign(
        Text("self-check"),
        Text("torch.nn does not give this number out: the same equation in torch's operations does"),
    ),
    Sign("Δ", Text("ours minus torch's; of two runs the upper one minus the lower one")),
    Sign(
        "▁▂▃▄▅▆▇█",
        Text("before a difference of two runs: how large it is beside the largest number of both"),
        "_.,-=+*#",
    ),
    Sign("≤ 6e-8", Text("the largest difference from torch: at most 0.00000006")),
    # the screen
    Sign("0–2/5", Text("the part that is seen: rows or columns 0 to 2 of 5")),
    Sign("▶", Text("the step, line or entry where the cursor is")),
    Sign("■", Text("in the timeline: this block is computed at this step")),
    Sign(
        "3↺", Text("in the timeline: a reset, before step 3 this row of a loop begins anew from zeros"), "3r"
    ),
    Sign(
        "● ▲ ■ ◆",
        Text("in a plot: one line for each element; ● beside a line of the listing: a breakpoint"),
        "o A # *",
    ),
    Sign("┊", Text("in a plot: the step of the cursor"), ":"),
    Sign("│", Text("what stands right of it is the result, torch's number and the difference")),
    Sign("┤  └", Text("the axes of a plot"), "+  |"),
    Sign(
        Text("{says}  {wants}", says=Text("says"), wants=Text("wants")),
        Text("what the network answers (argmax), and the target"),
    ),
    Sign("name*", Text("the scenario has edits that are not saved")),
    Sign("␣ ⌫ ^s", Text("the space bar, Backspace, Ctrl and s")),
    Sign("nan  inf", Text("not a number, and infinity: torch's own words")),
)
