"""bench_transformer.py - training steps of a small transformer, bnnlua's beside PyTorch's.

    python3 tests/bench/bench_transformer.py [--threads=2] [--rounds=15] [--steps=5] [--batch=32]
        [--t=64] [--d=128] [--heads=4] [--blocks=2] [--vocabulary=65] [--bnnlua=build/bnnlua]

The two take turns (torch_turns.py), forward, backward and Adam. PyTorch's is written for speed: one product for query, key and value, its fused attention and Adam.
"""

import torch
from torch import nn
from torch.nn import functional

import torch_turns

size, run = torch_turns.read_sizes(
    {"batch": 32, "t": 64, "d": 128, "heads": 4, "blocks": 2, "vocabulary": 65})
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


def step():
    optimizer.zero_grad()
    functional.cross_entropy(network(ids).flatten(0, 1), ids.flatten()).backward()
    optimizer.step()


torch_turns.take_turns(size, run, step)
