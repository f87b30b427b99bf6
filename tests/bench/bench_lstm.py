"""bench_lstm.py - training steps of an LSTM with a linear head, bnnlua's beside PyTorch's.

    python3 tests/bench/bench_lstm.py [--threads=2] [--rounds=15] [--steps=5] [--batch=128]
        [--t=28] [--d=28] [--units=128] [--bnnlua=build/bnnlua]

The two take turns (torch_turns.py), forward, backward and Adam. PyTorch's has its fused LSTM and Adam.
"""

import torch
from torch import nn
from torch.nn import functional

import torch_turns

size, run = torch_turns.read_sizes({"batch": 128, "t": 28, "d": 28, "units": 128})


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(size["d"], size["units"], batch_first=True)
        self.last = nn.Linear(size["units"], 10)

    def forward(self, x):
        return self.last(self.lstm(x)[0][:, -1])


network = Network()
optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
rows = torch.rand(size["batch"], size["t"], size["d"])
labels = torch.randint(10, (size["batch"],))


def step():
    optimizer.zero_grad()
    functional.cross_entropy(network(rows), labels).backward()
    optimizer.step()


torch_turns.take_turns(size, run, step)
