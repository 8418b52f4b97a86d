"""An LSTM with layer normalization inside, as a cell of the file, against the loop as one writes it in torch: `python tests/bench/layer_norm_lstm.py`.

100 steps. The engine keeps every value; torch's loop keeps h, the forward pass without autograd, and with its way back. One
thread, in turn, medians.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import torch
from torch import nn

from rnnstep.engine import Model
from rnnstep.scenario.read import read_text
from tests.bench.decoder_loop import medians

STEPS, MOST = 100, 1.0
SCENARIO = """
[input]
random = {{shape = [{steps}, {rows}, {hidden}], seed = 0}}
[target]
values = {target}
[loss]
over_time = "together"
[recurrent]
module = "ln_lstm"
hidden_size = {hidden}
[weights]
seed = 0
[cell.ln_lstm]
state = ["h", "c"]
parameters.W = "{four}, input_size"
parameters.U = "{four}, hidden_size"
parameters.g_x = "{four}"
parameters.b_x = "{four}"
parameters.g_h = "{four}"
parameters.b_h = "{four}"
parameters.g_c = "hidden_size"
parameters.b_c = "hidden_size"
equations = \"\"\"
a = layer_norm(W @ x, g_x, b_x) + layer_norm(U @ h_prev, g_h, b_h)
i = sigmoid(a[0:{hidden}])
f = sigmoid(a[{hidden}:{two}])
g = tanh(a[{two}:{three}])
o = sigmoid(a[{three}:{four}])
c = f * c_prev + i * g
h = o * tanh(layer_norm(c, g_c, b_c))
\"\"\"
"""


class ByHand(nn.Module):
    """The same with torch's functions; what x brings is computed before the loop."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.x, self.h = nn.Linear(size, 4 * size, bias=False), nn.Linear(size, 4 * size, bias=False)
        self.norm_x, self.norm_h = nn.LayerNorm(4 * size), nn.LayerNorm(4 * size)
        self.norm_c = nn.LayerNorm(size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = c = x.new_zeros(x.shape[1:])
        outputs = []
        for from_x in self.norm_x(self.x(x)):
            i, f, g, o = (from_x + self.norm_h(self.h(h))).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(self.norm_c(c))
            outputs.append(h)
        return torch.stack(outputs)


def measure(rows: int, hidden: int) -> None:
    """Print the ratios of one size."""
    sizes = {"two": 2 * hidden, "three": 3 * hidden, "four": 4 * hidden}
    target = [[[0.0] * hidden] * rows] * STEPS
    model = Model(read_text(SCENARIO.format(steps=STEPS, rows=rows, hidden=hidden, target=target, **sizes)))
    by_hand, done = ByHand(hidden), model.run_batch()
    x, wanted = torch.tensor(model.scenario.batches[0].values), torch.zeros(STEPS, rows, hidden)

    def forward() -> object:
        with torch.no_grad():
            return by_hand(x)

    def back() -> object:
        by_hand.zero_grad()
        return nn.functional.mse_loss(by_hand(x), wanted).backward()

    ours, theirs, ours_back, theirs_back = medians(
        [model.run_batch, forward, lambda: model.backward(done), back]
    )
    both = (ours + ours_back) / theirs_back
    print(
        f"{rows:3} rows, hidden {hidden:3}: {ours / theirs:.2f} x torch's loop, reach {MOST}; and back {both:.2f}"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for rows in (1, 8, 32):
        for hidden in (64, 128):
            measure(rows, hidden)
