"""bench_transformer.py - training steps of a small transformer, bnnlua's beside PyTorch's.

    python3 tests/bench/bench_transformer.py [--threads=2] [--rounds=15] [--steps=5] [--batch=32]
        [--t=64] [--d=128] [--heads=4] [--blocks=2] [--vocabulary=65] [--bnnlua=build/bnnlua]

The two take turns in one run, forward, backward and Adam; medians of the rounds and their ratio.
PyTorch's threads spin for a while after their work: a pause comes before the other's turn.
PyTorch's is written for speed: one product for query, key and value, its fused attention and Adam.
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
size = {"batch": 32, "t": 64, "d": 128, "heads": 4, "blocks": 2, "vocabulary": 65, "threads": 2}
size.update({name: int(value) for name, value in given.items()})
torch.set_num_threads(size["threads"])
torch.manual_seed(1)
T, D, VOCABULARY = size["t"], size["d"], size["vocabulary"]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.qkv, self.out = nn.Linear(D, 3 * D), nn.Linear(D, D)
        self.wide, self.narrow = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = (part.view(n, t, size["heads"], -1).transpose(1, 2)
                   for part in self.qkv(self.norm_1(x)).split(d, dim=2))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(n, t, d))
        return x + self.narrow(functional.gelu(self.wide(self.norm_2(x))))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, D), nn.Embedding(T, D)
        self.blocks = nn.Sequential(*[Block() for _ in range(size["blocks"])])
        self.norm, self.last = nn.LayerNorm(D), nn.Linear(D, VOCABULARY)

    def forward(self, x):
        x = self.tokens(x) + self.places.weight
        return self.last(self.norm(self.blocks(x)))


network = Network()
optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
ids = torch.randint(VOCABULARY, (size["batch"], T))


def torch_steps(n):
    start = time.perf_counter()
    for _ in range(n):
        optimizer.zero_grad()
        functional.cross_entropy(network(ids).flatten(0, 1), ids.flatten()).backward()
        optimizer.step()
    return (time.perf_counter() - start) / n


child = subprocess.Popen([bnnlua, "tests/bench/bench_transformer.lua"]
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
