"""What the numbers in the words of three lessons are: gates, names to countries, eight mistakes.

`CLAIMS` goes from a lesson's name and the number of a stop (from 1) to the numbers that its words write, as they
write them, and what each is:

value PLACE            the value there, of the stop's scenario
epochs, steps, hidden_size
loss EPOCH             the training loss of an epoch, as `rnnstep train` prints it
accuracy EPOCH         the share of right answers in percent, likewise; `test_accuracy` that of the rows kept apart
expr EXPRESSION        arithmetic over `v("PLACE")`, `v("PLACE", "other_scenario")` and `v("PLACE", cure=True)`; a
                       place without an element gives the whole array
count REASON           a small whole number that is plain to see
"""

from __future__ import annotations

CLAIMS: dict[str, dict[int, dict[str, str]]] = {
    "gates": {
        3: {"6": "value 1/L0/ih_i[0]"},
        4: {
            "6": "value 1/L0/a_i[0]",
            "0.9975": "value 1/L0/i[0]",
            "2": "value 1/L0/a_i[1]",
            "0.8808": "value 1/L0/i[1]",
        },
        5: {"0.9640": "value 1/L0/g[0]", "−0.7616": "value 1/L0/g[1]"},
        6: {"0.9616": "value 1/L0/c[0]"},
        7: {"0.7097": "value 1/L0/h[0]", "0": "count the index of the first cell"},
        8: {
            "2": "count the step",
            "0.5288": "value 2/L0/f[0]",
            "0.9616": "value 1/L0/c[0]",
        },
        9: {
            "1.4206": "value 2/L0/c[0]",
            "1": "count the index of the second cell",
            "0.0044": "value 2/L0/f[1]",
            "−0.6708": "value 1/L0/c[1]",
        },
        10: {
            "0.8667": "value 3/L0/f[0]",
            "0.0004": "value 3/L0/f[1]",
            "1": "count of the question: f is 1",
            "0": "count of the question: i is 0",
        },
        13: {"1": "count the step", "−6e-15": "value backward:1/L0/∂h[0]"},
        14: {"4": "count b_if as the scenario's file gives it", "0.9811": "value 1/L0/f[0]"},
        15: {"30": "count the step", "1": "count the index of the element"},
        16: {
            "0.0099": "value backward:30/L0/∂c_prev[1]",
            "1": "count the step",
            "0.0037": "value backward:1/L0/∂h[0]",
            "−6e-15": 'expr v("backward:1/L0/∂h[0]", "vanishing")',
        },
        17: {"0.1113": "loss 30", "0.6932": 'expr v("e30:60/total/loss[0]", "vanishing")'},
        18: {
            "0.4128": "value 3/L0/z[0]",
            "0": "count the index of the first cell",
            "0.5194": 'expr v("3/L0/f[0]", "hello_lstm")',
        },
        20: {
            "−0.5446": "value 3/L0/h[0]",
            "−0.6334": "value 3/L0/n[0]",
            "−0.4183": "value 2/L0/h[0]",
        },
    },
    "names_to_countries": {
        1: {"450": "expr 18 * 25", "18": "count the countries"},
        2: {
            "83": "count the ASCII code of S",
            "128": "count the ASCII codes",
            "32": "count the embedding_dim of the scenario",
        },
        3: {"3": "count the step", "2": "count the index of l"},
        4: {"4": "count the step"},
        5: {
            "0.1457": 'expr v("4/embedding/x[0]", "embedding")',
            "3": "count the step, and the letters of Abe",
            "11": "steps",
        },
        6: {"4": "count the step"},
        7: {"2": "count the step", "3": "count the step"},
        10: {"1": "count the step", "5": "count the step"},
        9: {"4": "count the step"},
        11: {"2": "count the step"},
        12: {
            "−0.2756": 'expr v("2/L0←/hh[0]@row2", "packed")',
            "5": "count the letters of Smith",
            "11": "steps",
            "−0.3778": "value 5/L0/h[0]",
        },
        13: {"0.2627": "value 1/L0←/h[0]", "48": "hidden_size", "96": "expr 48 + 48"},
        14: {
            "96": "expr 48 + 48",
            "−0.3778": "value 5/L0/h[0]",
            "18": "count the countries",
            "0.2469": "value 11/linear/logits[0]",
        },
        15: {"4": "count the index of English"},
        16: {
            "3.0164": "value 11/loss/nll[0]",
            "60": "count the batch_size of the scenario",
            "2.8949": "value 11/total/loss[0]",
            "18": 'expr exp(v("11/total/loss[0]"))',
        },
        17: {
            "0.01": 'expr v("update:embedding.weight/update[83,0]")',
            "90": "expr 450 * 0.2",
            "360": "expr 450 - 90",
            "6": "expr 360 / 60",
        },
        18: {
            "10": "count the epoch",
            "0.0390": "loss 10",
            "100": "accuracy 10",
            "42": "test_accuracy 10",
        },
        19: {
            "0.0096": "loss 15",
            "46": "test_accuracy 15",
            "360": "expr 450 - 90",
            "6": "expr 100 / 18",
        },
    },
    "eight_mistakes": {
        1: {"2": "count the step that reads another letter"},
        2: {
            "2": "count the step, and the index typed",
            "0": "count the index that was meant",
            "0.2859": "value 2/L0/ih[0]",
            "0.1616": 'expr v("2/L0/ih[0]", cure=True)',
        },
        3: {"0.0837": "loss 15", "0.0964": 'expr v("e15:5/total/loss[0]", cure=True)'},
        5: {"1.9234": "loss 15", "2.5840": 'expr v("e15:5/total/loss[0]", cure=True)'},
        7: {"0.0299": "loss 15", "0.0541": 'expr v("e15:4/total/loss[0]", cure=True)'},
        8: {"1": 'expr sum(v("1/loss/s"))'},
        9: {
            "1": 'expr sum(v("1/loss/s"))',
            "0.9886": "value e20:1/loss/s[3]",
            "0.4716": "value e20:1/loss/p[3]",
            "0.9889": 'expr v("e20:1/loss/p[3]", cure=True)',
        },
        10: {
            "0.7488": "loss 20",
            "0.0086": 'expr v("e20:5/total/loss[0]", cure=True)',
            "0.475": "expr exp(1) / (exp(1) + 3)",
        },
        12: {
            "0.2364": "value e2:update:weight_hh/grad[0,1]",
            "0.2274": "value e2:backward:1/L0/∂W_hh[0,1]",
            "13.5": (
                'expr (sum(v("e20:update:weight_ih/grad") ** 2) + sum(v("e20:update:weight_hh/grad") ** 2)'
                ' + sum(v("e20:update:bias_ih/grad") ** 2) + sum(v("e20:update:bias_hh/grad") ** 2)) ** 0.5'
            ),
            "0.348": (
                'expr (sum(v("e20:backward:1/L0/∂W_ih", cure=True) ** 2)'
                ' + sum(v("e20:backward:1/L0/∂W_hh", cure=True) ** 2)'
                ' + sum(v("e20:backward:1/L0/∂b_ih", cure=True) ** 2)'
                ' + sum(v("e20:backward:1/L0/∂b_hh", cure=True) ** 2)) ** 0.5'
            ),
        },
        13: {"3.9340": "loss 20", "2.2101": 'expr v("e20:5/total/loss[0]", cure=True)'},
        14: {"2": "count the step", "1": "count the step"},
        15: {"2": "count the step", "1": "count the step"},
        17: {
            "0.5900": 'expr v("e2:1/L0/hh[0]", cure=True)',
            "0.5553": "value e2:1/L0/hh[0]",
        },
        18: {"0.0177": "loss 15", "0.0176": 'expr v("e15:5/total/loss[0]", cure=True)'},
        19: {"5": "steps"},
        20: {"0.2071": "value 5/linear/logits[0]@row3", "−0.3489": "value 5/linear/logits[1]@row3"},
    },
}
