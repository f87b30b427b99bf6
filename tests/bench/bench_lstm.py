"""bench_lstm.py - training steps of an LSTM with a linear head, bnnlua's beside PyTorch's.

    python3 tests/bench/bench_lstm.py [--threads=2] [--rounds=15] [--steps=5] [--batch=128]
        [--t=28] [--d=28] [--units=128] [--bnnlua=build/bnnlua]

The two take turns in one run, forward, backward and Adam; medians of the rounds and their ratio.
PyTorch's threads spin for a while after their work: a pause comes before the other's turn.
PyTorch's has its fused LSTM and Adam.
"""

import statistics
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional

given = dict(word[2:].split("=") for word in sys.argv[1:])
bnnlua = given.pop("bnnlua", "build/bnnlua")
rounds, steps = int(given.pop("rounds", 15)), int(given.pop("steps", 5))
size = {"batch": 128, "t": 28, "d": 28, "units": 128, "threads": 2}
size.update({name: int(value) for name, value in given.items()})
torch.set_num_threads(size["threads"])
torch.manual_seed(1)


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


def torch_steps(n):
    start = time.perf_counter()
    for _ in range(n):
        optimizer.zero_grad()
        functional.cross_entropy(network(rows), labels).backward()
        optimizer.step()
    return (time.perf_counter() - start) / n


child = subprocess.Popen([bnnlua, "tests/bench/bench_lstm.lua"]
                         + [f"--{name}={value}" for name, value in size.items()],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def bnnlua_steps(n):
    child.stdin.write(f"{n}\n")
    child.stdin.flush()
    return float(child.stdout.readline())


ours, theirs = [], []
for turn in range(rounds + 2):  # the first two warm up
    time.sleep(0.05)  # PyTorch's threads spin for some time after its turn
    ours.append(bnnlua_steps(steps))
    theirs.append(torch_steps(steps))
child.stdin.close()
child.wait()
ours, theirs = statistics.median(ours[2:]), statistics.median(theirs[2:])
print(" ".join(f"{name}={value}" for name, value in size.items()))
print(f"bnnlua {ours * 1e3:.2f} ms a step, PyTorch {torch.__version__} {theirs * 1e3:.2f} ms, "
      f"ratio {ours / theirs:.3f}")
