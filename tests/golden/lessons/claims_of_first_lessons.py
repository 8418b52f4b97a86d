"""What each number in the words of four lessons is: by lesson and stop (from 1), as it is written there.

`value PLACE` is a number of that stop's scenario, `loss EPOCH` and `said EPOCH` are of its training, `expr …` is
arithmetic over them; `count …` says why a whole number needs no run. Numbers in code are left out, as are places.
"""

from __future__ import annotations

_STEP = "count a step's number"
_ROW = "count a row of a matrix, or of the batch"
_INDEX = "count an index of the vocabulary, or an element"
_EDGE = "count the range of tanh and of its slope"
_ONE_HOT = "count a one-hot vector holds it"
_PROBABILITY = "count a probability at its end"
_QUESTION = "count a number that the question puts"

CLAIMS: dict[str, dict[int, dict[str, str]]] = {
    "rnn_by_hand": {
        1: {"1": _STEP},
        2: {
            "0": _ROW,
            "1": _STEP,
            "−0.6": 'expr v("1/L0/ih[0]") - (0.5 * 1 - 0.5 * 0.5 + 0.6 * -1 + 0.5 * 0)',
            "−0.95": "value 1/L0/ih[0]",
        },
        3: {"1": _ROW, "−1": "count x_1[2], as the file gives it"},
        4: {"1.05": "value 1/L0/ih[1]"},
        5: {"1": _STEP, "0.3": "value 1/L0/hh[0]", "0.1": "value 1/L0/hh[1]"},
        6: {"−0.95": "value 1/L0/ih[0]", "0.3": "value 1/L0/hh[0]", "−0.65": "value 1/L0/a[0]"},
        7: {
            "1.05": "value 1/L0/ih[1]",
            "0.1": "value 1/L0/hh[1]",
            "1.15": "value 1/L0/a[1]",
            "−0.65": "value 1/L0/a[0]",
            "−0.5717": "value 1/L0/h[0]",
            "0.8178": "value 1/L0/h[1]",
            "7.1109": 'expr v("1/L0/h[1]") / v("1/L0/a[1]") * 10',
            "10.0000": _QUESTION,
            "1.0000": "expr tanh(10)",
        },
        8: {"1.0000": "expr tanh(10)", "−1": _EDGE, "1": _EDGE, "2": _STEP},
        9: {"1.2726": "value 2/L0/hh[0]", "1": _STEP, "0.3": "value 1/L0/hh[0]"},
        10: {"1": _ROW},
        11: {
            "0.0674": "value 2/L0/hh[1]",
            "0.2190": "value 2/L0/h[0]",
            "−0.5598": "value 2/L0/h[1]",
            "1": _STEP,
        },
        12: {
            "3": _STEP,
            "0.0000": "value 3/L0/ih[0]",
            "0": "expr tanh(0)",
            "0.2190": "value 2/L0/h[0]",
            "2": _STEP,
        },
        13: {"−0.2452": "value 3/L0/a[0]", "−0.2404": "value 3/L0/h[0]"},
        14: {
            "0.9": "count h_0[0], as the file gives it",
            "−0.9": "count h_0[1], as the file gives it",
            "1": _STEP,
        },
        15: {
            "1": _STEP,
            "−0.7": "count W_hh[0,0], as the screen shows it",
            "0.7": "count W_hh[0,1], as the screen shows it",
            "0.9": "count h_0[0], as the file gives it",
            "−0.9": "count h_0[1], as the file gives it",
        },
        16: {
            "−0.96": "value 1/L0/hh[0]",
            "−0.9571": "value 1/L0/h[0]",
            "−0.5717": 'expr v("1/L0/h[0]", "rnn")',
        },
        17: {
            "−0.4268": "value 3/L0/h[0]",
            "−0.2404": 'expr v("3/L0/h[0]", "rnn")',
            "1": _STEP,
            "0.3854": 'expr v("1/L0/h[0]", "rnn") - v("1/L0/h[0]")',
            "0.1865": 'expr v("3/L0/h[0]", "rnn") - v("3/L0/h[0]")',
        },
    },
    "layers_and_shapes": {
        1: {
            "3": "steps",
            "100": _QUESTION,
            "4": "count W_hh is 2×2",
            "400": "expr 4 * 100",
        },
        2: {"4": "count W_hh is 2×2", "−0.2404": "value 3/L0/h[0]", "−0.3471": "value 3/L0/h[1]"},
        5: {"1": _ONE_HOT, "0": _ONE_HOT},
        6: {"−0.6802": "value 1/L0/h[0]", "−0.2018": "value 1/L0/h[1]"},
        7: {"0.4417": "value 2/L0/h[0]", "0.6701": "value 2/L0/h[1]", "2": _STEP, "1": _STEP},
        8: {"0.2023": "value 1/L1/h[0]", "−0.0191": "value 1/L1/h[1]"},
        10: {"0.2642": "value 5/L2/h[0]", "0.0091": "value 5/L2/h[1]"},
        11: {"3": _STEP, "0": _ROW},
        12: {"1": _ROW},
        13: {"1": _ROW, "0.2913": "value 1/L0/h[0]", "−0.3364": "value 1/L0/h[1]"},
        14: {"0.1246": "value 2/L0/hh[1]", "0": _ROW, "0.0674": 'expr v("2/L0/hh[1]@row0")'},
        17: {"0.6019": "value 1/join0/output[0]", "−0.1848": "value 1/join0/output[3]"},
    },
    "hello_ohlol": {
        1: {"−0.2404": "value 3/L0/h[0]", "−0.3471": "value 3/L0/h[1]"},
        2: {"0": _INDEX, "1": _INDEX, "2": _INDEX, "3": _INDEX},
        3: {"1": _ONE_HOT, "0": _ONE_HOT},
        4: {
            "0.1190": 'expr v("update:weight_ih/w[1,1]") + v("update:weight_ih/update[1,1]")',
            "0.3291": 'expr v("update:bias_ih/w[1]") + v("update:bias_ih/update[1]")',
            "0.4481": "value 1/L0/ih[1]",
            "1": _ONE_HOT,
        },
        5: {"4": "hidden_size", "0.2507": "value 1/L0/h[1]", "1": _INDEX},
        6: {
            "0.2247": "value 1/loss/p[3]",
            "1.4931": "value 1/loss/nll[0]",
            "0": _QUESTION,
            "1": _PROBABILITY,
        },
        7: {"1": _PROBABILITY, "0": "count ln 1"},
        8: {"7.0365": "value 5/total/loss[0]", "heeee": "said 1"},
        9: {
            "5": "count the epoch at which the stop stands",
            "3.9884": "loss 5",
            "15": "epochs",
            "0": _QUESTION,
        },
        10: {
            "2.5840": "loss 15",
            "ohlol": "said 15",
            "−1": _EDGE,
            "1": _EDGE,
            "1.704": "expr 5 * log(1 + 3 * exp(-2))",
        },
        11: {"3": _STEP, "4": _STEP},
        12: {"−1.0991": "value e15:3/L0/ih[0]"},
        13: {
            "3": _STEP,
            "4": _STEP,
            "1.8838": "value e15:4/L0/hh[3]",
            "−0.6491": "value e15:3/L0/hh[3]",
        },
        15: {
            "1.4073": "loss 1",
            "0.05": "value update:weight_hh_l0/update[0,0]",
            "0.1": 'expr v("update:weight_hh/update[0,0]", "hello")',
            "5": "count the epoch of hello, from the stop that shows it",
        },
        16: {"7": "count the epoch at which the stop stands"},
        17: {"1": _INDEX, "2.5485": "value 1/embedding/x[0]"},
        18: {"3.6532": "value e15:5/linear/logits[2]", "−1": _EDGE, "1": _EDGE},
    },
    "back_through_time": {
        1: {"7.0365": "value 5/total/loss[0]"},
        2: {"5": _STEP, "1": _ONE_HOT, "2": _INDEX, "0.2712": "value 5/loss/p[2]"},
        3: {
            "0.2712": "value 5/loss/p[2]",
            "1": _ONE_HOT,
            "−0.7288": "value backward:5/L0/∂h[2]",
            "5": "steps",
        },
        4: {
            "1": _EDGE,
            "0": _EDGE,
            "−1": _EDGE,
            "−0.5035": "value 5/L0/h[1]",
            "0.1642": "value backward:5/L0/∂h[1]",
            "0.1226": "value backward:5/L0/∂a[1]",
        },
        5: {"4": _STEP, "5": _STEP, "1": _INDEX, "−0.2452": "value backward:5/L0/∂h_prev[1]"},
        6: {"4": _STEP, "5": _STEP, "0.2021": "value backward:4/loss/∂logits[1]"},
        7: {
            "0.2021": "value backward:4/loss/∂logits[1]",
            "0.2452": 'expr -v("backward:5/L0/∂h_prev[1]")',
            "−0.0431": "value backward:4/L0/∂h[1]",
            "5": _STEP,
            "1": _STEP,
        },
        8: {"4": _STEP, "0.2632": "value 3/L0/h[0]"},
        9: {
            "−0.0108": "value backward:4/L0/∂W_hh_t[1,0]",
            "0.0422": "value backward:5/L0/∂W_hh_t[1,0]",
            "5": _STEP,
            "4": _STEP,
            "0.0314": "value backward:4/L0/∂W_hh[1,0]",
            "1": _STEP,
            "0": "value backward:1/L0/∂W_hh_t[1,0]",
        },
        10: {
            "0": "value backward:1/L0/∂W_hh_t[1,0]",
            "1": _STEP,
            "−0.0872": "value backward:1/L0/∂W_hh[1,0]",
        },
        11: {"60": "steps", "1": _STEP},
        12: {"1e-14": "value backward:1/L0/∂h[3]", "1": _EDGE},
        13: {"0.6932": "loss 30"},
        14: {
            "1": _STEP,
            "0.0037": "value backward:1/L0/∂h[0]",
            "−6e-15": 'expr v("backward:1/L0/∂h[0]", "vanishing")',
        },
        15: {"0.0101": "value backward:30/L0/∂c[1]", "0.9769": "value 30/L0/f[1]"},
        16: {
            "0.0099": "value backward:30/L0/∂c_prev[1]",
            "1": _PROBABILITY,
            "0.1113": "loss 30",
            "0.6932": 'expr v("e30:60/total/loss[0]", "vanishing")',
        },
        17: {
            "1.3": 'expr v("backward:11/L0/∂h[0]@row3") / v("backward:12/L0/∂h[0]@row3")',
            "1": _EDGE,
            "17.9": 'expr v("backward:1/L0/∂h[0]@row3") / v("backward:12/L0/∂h[0]@row3")',
            "−10.3348": "value backward:1/L0/∂h[0]",
        },
        18: {"11.1787": "loss 1", "1.88e9": "loss 2"},
    },
}
