"""torch_compare.py - cases for ops and layers of bnnlua, and what PyTorch makes of them.

    torch_compare.py draw DIR f4|f8     writes DIR/inputs.npz, cases.json, and what is wanted
    torch_compare.py check DIR          compares with DIR/outputs.npz, which torch_compare.lua made

A row of OPS, FUNCTIONS or LAYERS is a list of draws: functions of a Random that give a Case, which is
Lua for the call of tensors x[1], x[2], ... and a function of the same tensors of PyTorch.  PyTorch
computes in double, from the same numbers.  Inputs lie in memory in any order of axes, and as parts of
larger tensors.  Every op and layer has a row, or a reason in WITHOUT.

What differs on purpose, and is not drawn: sign of NaN is NaN (PyTorch: 0); gelu, silu and mish of
an infinity are their limits (PyTorch: NaN, for some); clamp has a gradient at its bounds (PyTorch:
in some versions); the slopes of xlogy at (0, 0) are 0 (PyTorch: one NaN); the slope of digamma at
its poles is infinite (PyTorch: 1e32); the gradient of a maximum that is NaN goes to the NaN, in a
window to the first one (PyTorch: NaN all over, and to the last one).
"""
import json
import math
import pickle
import sys
import warnings
import zlib

import numpy as np
import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")
torch.set_num_threads(1)
D = torch.distributions
DRAWS = 8  # of each row's functions
TOLERANCE = {"f4": 1e-5, "f8": 1e-10}  # of 1 + |wanted|
NAN, INF = math.nan, math.inf
SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 3.0, -7.0, 1e-3]
FINITE = SPECIAL[:1] + SPECIAL[3:]
KINKS = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.0, 3.0]


class Case:
    """lua: a call; torch: the same; slopes: which inputs have a gradient (default: real ones)."""

    def __init__(self, lua, x, of_torch, slopes=None, single=False, loose=1):
        self.lua, self.x, self.torch, self.single, self.loose = lua, x, of_torch, single, loose
        real = [i for i, a in enumerate(x) if a.dtype.kind == "f"]
        self.slopes = real if slopes is None else slopes


class Random:
    def __init__(self, seed, kind):
        self.rng, self.kind = np.random.default_rng(seed), kind

    def int(self, lo, hi):  # both included
        return int(self.rng.integers(lo, hi + 1))

    def choice(self, items):
        return items[self.int(0, len(items) - 1)]

    def shape(self, rank=None, most=5, least=1):
        return tuple(self.int(least, most) for _ in range(self.int(0, 4) if rank is None else rank))

    def real(self, shape, lo=-3.0, hi=3.0):
        return self.rng.uniform(lo, hi, shape).astype(self.kind)

    def equals(self, shape):  # few different numbers
        return np.array(self.rng.integers(-2, 3, shape)).astype(self.kind)

    def ties(self, shape):  # and now and then a NaN
        x = self.equals(shape)
        if self.int(0, 2) == 0:
            x[self.rng.random(shape) < 0.1] = NAN
        return x

    def ints(self, shape, lo=-9, hi=9, kind=None):
        kind = kind or self.choice(["i4", "i8", "u1"])
        return self.rng.integers(max(lo, 0) if kind == "u1" else lo, hi + 1, shape).astype(kind)

    def part(self, shape):  # a shape that repeats to this one
        keep = [1 if self.int(0, 3) == 0 else n for n in shape]
        return tuple(keep[self.int(0, len(keep)):] if keep else keep)


def lua(v):
    if isinstance(v, (list, tuple)):
        return "{" + ", ".join(lua(i) for i in v) + "}"
    if isinstance(v, bool):
        return "true" if v else "false"
    return repr(v)


def call(name, n, *args):
    return "%s(%s)" % (name, ", ".join(["x[%d]" % (i + 1) for i in range(n)] +
                                       [lua(a) for a in args]))


# ---- draws of common kinds ----

def unary(name, of_torch, lo=-3.0, hi=3.0, special=SPECIAL, args=(), slopes=None, single=False,
          loose=1, kinks=True):
    def plain(r):
        return Case(call("ops." + name, 1, *args), [r.real(r.shape(), lo, hi)], of_torch, slopes,
                    single, loose)

    def edge(r):
        return Case(call("ops." + name, 1, *args), [np.array(special, r.kind)], of_torch, [], True)

    def kink(r):
        return Case(call("ops." + name, 1, *args), [np.array(KINKS, r.kind)], of_torch,
                    slopes if kinks else [], True)
    return [plain] + [kink] * kinks + ([edge] if special else [])


def binary(name, of_torch, lo=-3.0, hi=3.0, lo2=None, hi2=None, special=True, slopes=None,
           single=False, integers=False, mixed=False, kinks=True):
    lo2, hi2 = lo if lo2 is None else lo2, hi if hi2 is None else hi2
    text = call("ops." + name, 2)

    def shapes(r):
        shape = r.shape()
        pair = [shape, r.part(shape)]
        return pair if r.int(0, 1) else pair[::-1]

    def plain(r):
        a, b = shapes(r)
        return Case(text, [r.real(a, lo, hi), r.real(b, lo2, hi2)], of_torch, slopes, single)

    def edge(r):
        a = np.array(SPECIAL, r.kind)
        return Case(text, [a[:, None], a[None]], of_torch, [], True)

    def whole(r):
        a, b = shapes(r)
        kinds = [r.choice(["i4", "i8", "u1"])] * 2
        if mixed and a and b:  # PyTorch gives a scalar the other's type, whatever becomes of it
            kinds[1] = r.choice(["i4", "i8", "u1", r.kind])
        return Case(text, [r.ints(a, kind=kinds[0]), r.ints(b, kind=kinds[1])], of_torch, [])

    def equal(r):  # ties in real numbers
        a, b = shapes(r)
        return Case(text, [r.ties(a), r.ties(b)], of_torch, [])

    def kink(r):
        a = np.array(KINKS, r.kind)
        return Case(text, [a[:, None], a[None]], of_torch, slopes, True)
    return [plain, kink] + ([edge] if special else []) + ([whole] if integers else []) + [equal] * mixed


def axes_of(r, rank, some=False):
    """Axes to reduce: Lua's argument, and a tuple from 0."""
    axes = [k for k in range(rank) if r.int(0, 1)]
    if not axes:
        if rank == 0 or not some and r.int(0, 1):
            return None, tuple(range(rank))
        axes = [r.int(0, rank - 1)]
    shown = [k + 1 if r.int(0, 1) else k - rank for k in axes]
    return (shown[0] if len(shown) == 1 else shown), tuple(axes)


def reduction(name, of_torch, lo=-3.0, hi=3.0, least=0, integers=False, ties=False, more=(),
              slopes=None):
    def draw(make, slopes=slopes):
        def one(r):
            shape = r.shape(least=least)
            shown, axes = axes_of(r, len(shape))
            keep = bool(r.int(0, 1))
            args = ([] if shown is None else [shown, keep])
            if shown is None:
                keep = False
            text = "ops.%s(%s)" % (name, ", ".join(["x[1]"] + [lua(a) for a in args] +
                                                   (list(map(lua, more)) if args else [])))
            return Case(text, [make(r, shape)], lambda x: of_torch(x, axes, keep, bool(args)),
                        slopes)
        return one
    rows = [draw(lambda r, s: r.real(s, lo, hi))]
    if ties:
        rows += [draw(lambda r, s: r.equals(s)), draw(lambda r, s: r.ties(s), [])]
    if integers:
        rows.append(draw(lambda r, s: r.ints(s)))
    return rows


def over(f):  # one axis after the other, from the last
    def g(x, axes, keep, _):
        for axis in sorted(axes, reverse=True):
            x = f(x, axis, keep)
        return x
    return g


def along(name, of_torch, make=None, prefix="ops.", special=None, rank=None, slopes=None, args=None):
    """One axis: f(x, axis [, args]); args: r -> (those of Lua after the axis, those of PyTorch)."""
    def one(make):
        def draw(r):
            shape = r.shape(r.int(1, 4) if rank is None else rank)
            axis = r.int(0, len(shape) - 1)
            shown = axis + 1 if r.int(0, 1) else axis - len(shape)
            last, others = args(r, shape[axis]) if args else ((), ())
            return Case(call(prefix + name, 1, shown, *last), [make(r, shape)],
                        lambda x: of_torch(x, axis, *others), slopes)
        return draw
    makes = make or [lambda r, s: r.real(s)]
    return [one(m) for m in makes]


def REAL(r, shape):
    return r.real(shape)


def EQUALS(r, shape):
    return r.equals(shape)


def TIES(r, shape):
    return r.ties(shape)


def INTS(r, shape):
    return r.ints(shape)


def flag(f):
    return lambda *x: f(*x).to(torch.float64)


def density(name, of_torch, *ranges):
    def draw(r):
        shape = r.shape()
        shapes = [shape] + [r.part(shape) for _ in ranges[1:]]
        whole = [k for k, v in enumerate(ranges) if v[2:] == ("count",)]
        x = [r.real(s, *v[:2]) for s, v in zip(shapes, ranges)]
        for k in whole:
            x[k] = np.round(x[k])
        slopes = [k for k in range(len(x)) if k not in whole]
        return Case(call("ops." + name, len(x)), x, of_torch, slopes, loose=3)
    return [draw]


def mixture(kind):
    def log_prob(x, pi, s1, s2):
        x, pi, s1, s2 = torch.broadcast_tensors(x, pi, s1, s2)
        return torch.logaddexp(pi.log() + kind(0 * s1, s1).log_prob(x),
                               torch.log1p(-pi) + kind(0 * s2, s2).log_prob(x))
    return log_prob


# ---- ops ----

def draw_reparameterize(r):
    shape = r.shape()
    return Case("ops.reparameterize(x[1], x[2], x[3])",
                [r.real(shape), r.real(shape, 0.1), r.real(shape)], lambda m, v, e: m + v.sqrt() * e)


def draw_where(r):
    shape = r.shape()
    return Case("ops.where(x[1], x[2], x[3])",
                [r.ties(r.part(shape)), r.real(shape), r.real(r.part(shape))],
                lambda c, a, b: torch.where(c != 0, a, b), [1, 2])


def draw_view(r):
    shape = r.shape(3)
    to = r.choice([(shape[0] * shape[1], shape[2]), (-1,), (shape[2], -1)])
    known = [n for n in to if n > 0]
    whole = [int(np.prod(shape)) // int(np.prod(known)) if n < 0 else n for n in to]
    return Case("ops.view(x[1], %s)" % lua(whole), [r.real(shape)], lambda x: x.reshape(to))


def draw_permute(r):
    shape = r.shape(r.int(1, 4))
    order = [int(k) for k in r.rng.permutation(len(shape))]
    return Case("ops.permute(x[1], %s)" % lua([k + 1 for k in order]), [r.real(shape)],
                lambda x: x.permute(order))


def draw_narrow(r):
    shape = r.shape(r.int(1, 4))
    axis = r.int(0, len(shape) - 1)
    start = r.int(0, shape[axis] - 1)
    n = r.int(0, shape[axis] - start)
    return Case("ops.narrow(x[1], %d, %d, %d)" % (axis + 1, start + 1, n),
                [r.choice([REAL, INTS])(r, shape)], lambda x: x.narrow(axis, start, n))


def draw_index(r):
    shape = r.shape(r.int(1, 3))
    axis = r.int(0, len(shape) - 1)
    at = r.ints(r.shape(r.int(0, 2)), 1, shape[axis], r.choice(["i4", "i8"]))

    def of_torch(x, at):
        y = x.index_select(axis, at.reshape(-1).long() - 1)
        return y.reshape(x.shape[:axis] + at.shape + x.shape[axis + 1:])
    return Case("ops.index(x[1], x[2], %d)" % (axis + 1), [r.real(shape), at], of_torch)


def draw_gather(r):
    shape = r.shape(r.int(1, 3))
    axis = r.int(0, len(shape) - 1)
    to = list(shape)
    to[axis] = r.int(1, 6)
    at = r.ints(to, 1, shape[axis], r.choice(["i4", "i8"]))
    return Case("ops.gather(x[1], x[2], %d)" % (axis + 1), [r.real(shape), at],
                lambda x, at: x.gather(axis, at.long() - 1))


def draw_scatter_add(r):
    shape = r.shape(r.int(1, 3))
    axis = r.int(0, len(shape) - 1)
    to = list(shape)
    to[axis] = r.int(1, 6)
    at = r.ints(to, 1, shape[axis], r.choice(["i4", "i8"]))
    return Case("ops.scatter_add(x[1], x[2], x[3], %d)" % (axis + 1),
                [r.real(shape), at, r.real(to)],
                lambda x, at, v: x.scatter_add(axis, at.long() - 1, v))


def draw_concat(r):
    shape = list(r.shape(r.int(1, 3)))
    axis, n = r.int(0, len(shape) - 1), r.int(1, 4)
    make, x = r.choice([REAL, REAL, lambda r, s: r.ints(s, kind="i4")]), []
    for _ in range(n):
        shape[axis] = r.int(0, 4)
        x.append(make(r, tuple(shape)))
    return Case("ops.concat({%s}, %d)" % (", ".join("x[%d]" % (i + 1) for i in range(n)), axis + 1), x,
                lambda *x: torch.cat(x, axis))


def draw_stack(r):
    shape, n = r.shape(r.int(0, 3)), r.int(1, 4)
    axis = r.int(0, len(shape))
    return Case("ops.stack({%s}, %d)" % (", ".join("x[%d]" % (i + 1) for i in range(n)), axis + 1),
                [r.real(shape) for _ in range(n)], lambda *x: torch.stack(x, axis))


def draw_broadcast(r):
    shape = r.shape(r.int(1, 4))
    return Case("ops.broadcast(x[1], %s)" % lua(shape), [r.real(r.part(shape))],
                lambda x: x.expand(shape))


def draw_mm(r):
    m, k, n = r.choice([r.shape(3, least=0), r.shape(3, 40)])
    return Case("ops.mm(x[1], x[2])", [r.real((m, k)), r.real((k, n))], torch.mm)


def draw_bmm(r):
    b, m, k, n = r.shape(4, 7, least=r.int(0, 1))
    return Case("ops.bmm(x[1], x[2])", [r.real((b, m, k)), r.real((b, k, n))], torch.bmm)


def draw_linear(r):
    n, m = r.shape(2, 20)
    return Case("ops.linear(x[1], x[2], x[3])",
                [r.real(r.shape(r.int(0, 3)) + (n,)), r.real((n, m)), r.real((m,))],
                lambda x, w, b: x @ w + b)


def window(r, most=4):
    size, stride, dilation = r.shape(2, most), r.shape(2, 3), r.choice([(1, 1), r.shape(2, 3)])
    return list(size), list(stride), list(dilation)


def groups(r):
    return r.choice([1, 1, 2, 3, 5])


def draw_conv2d(r):
    size, stride, dilation = window(r)
    padding = list(r.shape(2, 3, 0))
    n, c, o, g = r.int(1, 3), r.int(1, 5), r.int(1, 7), groups(r)
    image = [d * (k - 1) + 1 + r.int(0, r.choice([8, 30])) for k, d in zip(size, dilation)]
    return Case(call("ops.conv2d", 3, stride, padding, dilation, g),
                [r.real((n, g * c, *image), -1), r.real((g * o, c, *size), -1), r.real((g * o,))],
                lambda x, w, b: F.conv2d(x, w, b, stride, padding, dilation, g), loose=4)


def draw_conv_transpose2d(r):
    size, stride, dilation = window(r)
    image, n, c, o = r.shape(2, r.choice([5, 20])), r.int(1, 3), r.int(1, 5), r.int(1, 7)
    g = groups(r)
    beyond = [r.int(0, max(s, d) - 1) for s, d in zip(stride, dilation)]
    full = [(i - 1) * s + d * (k - 1) + 1 + e
            for i, s, d, k, e in zip(image, stride, dilation, size, beyond)]
    padding = [r.int(0, min((f - 1) // 2, 3)) for f in full]
    return Case(call("ops.conv_transpose2d", 3, stride, padding, beyond, dilation, g),
                [r.real((n, g * c, *image), -1), r.real((g * c, o, *size), -1), r.real((g * o,))],
                lambda x, w, b: F.conv_transpose2d(x, w, b, stride, padding, beyond, g, dilation),
                loose=4)


def pool(name, of_torch):
    def draw(make, slopes=None):
        def one(r):
            size, stride = list(r.shape(2, 4)), list(r.shape(2, 3))
            if r.int(0, 2) == 0:
                size = stride = [2, 2]
            padding = [r.int(0, k // 2) for k in size]
            image = [k + r.int(0, 12) for k in size]
            return Case(call("ops." + name, 1, size, stride, padding),
                        [make(r, r.shape(2, 3) + tuple(image))],
                        lambda x: of_torch(x, size, stride, padding), slopes)
        return one
    rows = [draw(REAL)]
    return rows + ([draw(EQUALS), draw(TIES, [])] if name == "max_pool2d" else rows)


def draw_layer_norm(r):
    shape = r.shape(r.int(0, 3)) + (r.int(2, 40),)
    d = shape[-1]
    return Case("ops.layer_norm(x[1], x[2], x[3], 0.01)",
                [r.real(shape), r.real((d,)), r.real((d,))],
                lambda x, g, b: F.layer_norm(x, (d,), g, b, 0.01), loose=3)


def draw_batch_norm(r):
    shape = (r.int(2, 5), r.int(1, 5)) + r.shape(r.int(0, 2))
    c = shape[1]
    return Case("ops.batch_norm(x[1], x[2], x[3], 0.01)",
                [r.real(shape), r.real((c,)), r.real((c,))],
                lambda x, g, b: F.batch_norm(x, None, None, g, b, True, 0, 0.01), loose=3)


def heads_of(x, heads):
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def attend(q, k, v, heads, causal, scale=None, mask=None):
    y = F.scaled_dot_product_attention(*(heads_of(t, heads) for t in (q, k, v)), mask,
                                       is_causal=causal, scale=scale)
    return y.transpose(1, 2).reshape(*q.shape[:2], -1)


def draw_attention(r):
    n, t, s, heads = r.int(1, 3), *r.shape(2, r.choice([6, 70])), r.int(1, 3)
    d, e, causal = heads * r.int(1, 5), heads * r.int(1, 5), bool(r.int(0, 1))
    more = [heads, causal] + ([0.3] if r.int(0, 1) else [])
    return Case(call("ops.attention", 3, *more),
                [r.real((n, t, d)), r.real((n, s, d)), r.real((n, s, e))],
                lambda q, k, v: attend(q, k, v, *more), loose=3)


def scores_mask(lengths, bias, n, t, s, causal):
    """What lengths, a bias and causal add to scores [n, heads, t, s]."""
    hidden = torch.arange(s) >= lengths.long()[:, None, None, None]
    if causal:
        hidden = hidden | torch.ones(t, s, dtype=torch.bool).triu(1)
    bias = bias[:, None] if bias.dim() == 3 else bias
    return bias.masked_fill(hidden, -INF)


def draw_seen(r, n, t, s, heads):
    """lengths and a bias of scores: each as wide, or shared."""
    shape = r.choice([(t, s), (n, t, s), (n, heads, t, s)])
    shape = tuple(1 if i < len(shape) - 1 and r.int(0, 3) == 0 else d for i, d in enumerate(shape))
    return r.ints((n,), 1, s, r.choice(["i4", "i8"])), r.real(shape)


def draw_masked_attention(r):
    n, t, s, heads = r.int(1, 3), *r.shape(2, r.choice([6, 70])), r.int(1, 3)
    d, e, causal = heads * r.int(1, 5), heads * r.int(1, 5), bool(r.int(0, 1))
    lengths, bias = draw_seen(r, n, t, s, heads)
    return Case(call("ops.attention", 5, heads, causal),
                [r.real((n, t, d)), r.real((n, s, d)), r.real((n, s, e)), lengths, bias],
                lambda q, k, v, own, b: attend(q, k, v, heads, False,
                                               mask=scores_mask(own, b, n, t, s, causal)), loose=3)


def through_steps(kind, x, w, u, b, b_u, reverse):
    """PyTorch's layer of a kind over sequences, with weights of ours; b_u: the GRU's, or None."""
    modules, h = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}, u.shape[0]
    own = torch.zeros_like(b)
    if b_u is not None:
        own = torch.cat([own[:2 * h], b_u])
    weights = {"weight_ih_l0": w.T, "weight_hh_l0": u.T, "bias_ih_l0": b, "bias_hh_l0": own}
    module = modules[kind](x.shape[2], h, batch_first=True, dtype=x.dtype)
    y = torch.func.functional_call(module, weights, (x.flip(1) if reverse else x,))[0]
    return y.flip(1) if reverse else y


GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def draw_steps(kind):
    """The op: gates' parts of all steps, as an identity would make them of these."""
    def draw(r):
        n, t, h, reverse = *r.shape(3), bool(r.int(0, 1))
        width = GATES[kind] * h
        bias = [r.real((h,))] if kind == "gru" else []

        def of_torch(p, u, b_u=None):
            one, none = torch.eye(width, dtype=p.dtype), torch.zeros(width, dtype=p.dtype)
            return through_steps(kind, p, one, u, none, b_u, reverse)
        return Case("ops.%s(%s, %s):narrow(3, 1, %d)" % (
            kind, ", ".join("x[%d]" % (i + 1) for i in range(2 + len(bias))), lua(reverse), h),
            [r.real((n, t, width)), r.real((h, width), -1, 1), *bias], of_torch)
    return draw


def draw_steps_layer(kind):
    def draw(r):
        n, t, d, h = r.shape(4)
        reverse, last, width = bool(r.int(0, 1)), bool(r.int(0, 1)), GATES[kind] * h
        names = ["w", "u", "b"] + (["b_u"] if kind == "gru" else [])
        sizes = [(d, width), (h, width), (width,), (h,)][:len(names)]

        def of_torch(x, w, u, b, b_u=None):
            y = through_steps(kind, x, w, u, b, b_u, reverse)
            return y[:, 0 if reverse else -1] if last else y
        options = "%d, {reverse = %s, output = \"%s\"}" % (h, lua(reverse), "last" if last else "all")
        return layer(kind, options, names, [r.real((n, t, d)), *[r.real(s, -1, 1) for s in sizes]],
                     of_torch, loose=1)
    return draw


def packed_steps(kind, x, weights, h0, c0, lengths):
    """Padded sequences through PyTorch's layer in both directions: states, last state, last memory, the
    two directions side by side. weights: w, u, b and the GRU's b_u of each."""
    modules, h = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}, h0.shape[-1] // 2
    count, n, t = len(weights) // 2, *x.shape[:2]
    named = {}
    for end, (w, u, b, *b_u) in (("", weights[:count]), ("_reverse", weights[count:])):
        own = torch.cat([torch.zeros_like(b[:2 * h]), *b_u]) if b_u else torch.zeros_like(b)
        named.update({"weight_ih_l0" + end: w.T, "weight_hh_l0" + end: u.T,
                      "bias_ih_l0" + end: b, "bias_hh_l0" + end: own})
    module = modules[kind](x.shape[2], h, batch_first=True, bidirectional=True, dtype=x.dtype)
    first = [s.expand(n, 2 * h).reshape(n, 2, h).transpose(0, 1).contiguous()
             for s in ([h0, c0] if kind == "lstm" else [h0])]
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths.long(), batch_first=True,
                                                     enforce_sorted=False)
    given = (packed, tuple(first) if kind == "lstm" else first[0])
    y, last = torch.func.functional_call(module, named, given)
    y = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=t)[0]
    last = last if kind == "lstm" else (last,)
    return [y, *(s.transpose(0, 1).reshape(n, 2 * h) for s in last)]


def draw_padded_steps(kind):
    """The layer on padded sequences, from states of each or one for all; all results in a row."""
    def draw(r):
        n, t, d, h = r.shape(4)
        width, shared = GATES[kind] * h, bool(r.int(0, 1))
        sizes = [(d, width), (h, width), (width,)] + ([(h,)] if kind == "gru" else [])
        names = [name + end for end in ("", "_reverse")
                 for name in ("w", "u", "b", "b_u")[:len(sizes)]]
        states = [r.real((2 * h,) if shared else (n, 2 * h)) for _ in range(1 + (kind == "lstm"))]
        lengths = r.ints((n,), 1, t, r.choice(["i4", "i8"]))
        if r.int(0, 2) == 0:
            lengths = lengths.astype(r.kind)
        x = [r.real((n, t, d)), *[r.real(s, -1, 1) for s in sizes * 2], *states, lengths]
        at = 2 + len(names)

        def of_torch(v, *p):
            weights, state = p[:len(names)], p[len(names):-1]
            results = packed_steps(kind, v, weights, state[0], state[-1], p[-1])
            return torch.cat([y.reshape(-1) for y in results])
        given = "h0 = x[%d], lengths = x[%d]" % (at, len(x))
        given += ", c0 = x[%d]" % (at + 1) if kind == "lstm" else ""
        text = ("bnn.transform(function(v) "
                "local r = {nn.%s(%d, {output = \"both\", bidirectional = true})(v, {%s})} "
                "for i = 1, #r do r[i] = r[i]:reshape(-1) end return ops.concat(r) end):apply({%s}, x[1])")
        table = ", ".join('["%s/%s"] = x[%d]' % (kind, name, i + 2) for i, name in enumerate(names))
        return Case(text % (kind, h, given, table), x, of_torch, list(range(len(x) - 1)), loose=3)
    return draw


def draw_cross_entropy(r):
    n, c = r.int(0, 6), r.int(1, 12)
    ignored = r.choice([-100, 0])  # a class or not; no label is left out, or some are
    lowest, more = (0, ()) if r.int(0, 1) else (-1, (ignored,))
    labels = r.ints((n,), lowest, c - 1, r.choice(["i4", "i8"]))
    labels[labels < 0] = ignored
    return Case(call("ops.cross_entropy", 2, *more), [r.real((n, c), -20, 20), labels],
                lambda x, y: F.cross_entropy(x, y.long(), reduction="none",
                                             ignore_index=more[0] if more else -100))


def extreme(name, of_torch):
    def one(make):
        def draw(r):
            shape = r.shape(r.int(1, 4))
            keep = bool(r.int(0, 1))
            if r.int(0, 3) == 0:
                return Case("ops.%s(x[1])" % name, [make(r, shape)],
                            lambda x: of_torch(x.reshape(-1)) + 1, [])
            axis = r.int(0, len(shape) - 1)
            return Case(call("ops." + name, 1, axis + 1, keep), [make(r, shape)],
                        lambda x: of_torch(x, axis, keep) + 1, [])
        return draw
    return [one(REAL), one(TIES), one(INTS)]


def first(f):  # PyTorch's argmax takes any of several; this, the first one, or the first NaN
    def g(x, axis=0, keep=False):
        x = x.double()
        best = f(x, axis, True)
        same = torch.where(best.isnan(), x.isnan(), x == best)
        at = same.to(torch.int64).argmax(axis, keepdim=keep)
        return at
    return g


OPS = {
    "add": binary("add", torch.add, integers=True),
    "sub": binary("sub", torch.sub, integers=True),
    "mul": binary("mul", torch.mul, integers=True),
    "div": binary("div", torch.div, lo2=0.3),
    "pow": binary("pow", torch.pow, 0.1, 3.0, -2.0, 2.0),
    "xlogy": binary("xlogy", torch.xlogy, lo2=0.1, kinks=False),
    "logaddexp": binary("logaddexp", torch.logaddexp),
    "fmod": binary("fmod", torch.fmod, -9, 9, 0.5, 3, single=True),
    "remainder": binary("remainder", torch.remainder, -9, 9, 0.5, 3, single=True),
    "floor_divide": binary("floor_divide", torch.floor_divide, -9, 9, 0.5, 3, slopes=[],
                           single=True, special=False),
    "maximum": binary("maximum", torch.maximum),
    "minimum": binary("minimum", torch.minimum),
    "logical_and": binary("logical_and", flag(torch.logical_and), slopes=[], integers=True,
                          mixed=True),
    "logical_or": binary("logical_or", flag(torch.logical_or), slopes=[], integers=True, mixed=True),
    "logical_xor": binary("logical_xor", flag(torch.logical_xor), slopes=[], integers=True,
                          mixed=True),
    "neg": unary("neg", torch.neg),
    "abs": unary("abs", torch.abs),
    "sign": unary("sign", torch.sign, special=SPECIAL[1:]),
    "sqrt": unary("sqrt", torch.sqrt, 0.05),
    "square": unary("square", torch.square),
    "exp": unary("exp", torch.exp),
    "log": unary("log", torch.log, 0.05),
    "log1p": unary("log1p", torch.log1p, -0.9),
    "expm1": unary("expm1", torch.expm1),
    "tanh": unary("tanh", torch.tanh),
    "sigmoid": unary("sigmoid", torch.sigmoid, -30, 30),
    "relu": unary("relu", torch.relu),
    "leaky_relu": unary("leaky_relu", lambda x: F.leaky_relu(x, 0.2), args=(0.2,)),
    "gelu": unary("gelu", F.gelu, special=FINITE),
    "softplus": unary("softplus", lambda x: torch.logaddexp(x, torch.zeros_like(x)), -30, 30),
    "sin": unary("sin", torch.sin, -30, 30),
    "cos": unary("cos", torch.cos, -30, 30),
    "clamp": unary("clamp", lambda x: x.clamp(-1, 1.5), args=(-1, 1.5), kinks=False),
    "where": [draw_where],
    "stop_gradient": [lambda r: Case("ops.stop_gradient(x[1]) * x[1]", [r.real(r.shape())],
                                     lambda x: x.detach() * x)],
    "floor": unary("floor", torch.floor),
    "ceil": unary("ceil", torch.ceil),
    "round": unary("round", torch.round),
    "trunc": unary("trunc", torch.trunc),
    "isnan": unary("isnan", flag(torch.isnan), slopes=[]),
    "isinf": unary("isinf", flag(torch.isinf), slopes=[]),
    "isfinite": unary("isfinite", flag(torch.isfinite), slopes=[]),
    "logical_not": unary("logical_not", flag(torch.logical_not), slopes=[]),
    "erf": unary("erf", torch.erf),
    "erfinv": unary("erfinv", torch.erfinv, -0.95, 0.95),
    "lgamma": unary("lgamma", torch.lgamma, 0.1, 30, loose=5),
    "digamma": unary("digamma", torch.digamma, 0.1, 30, special=None, loose=5,
                     kinks=False),
    "silu": unary("silu", F.silu, special=FINITE),
    "mish": unary("mish", F.mish, special=FINITE),
    "elu": unary("elu", lambda x: F.elu(x, 0.7), args=(0.7,)),
    "sum": reduction("sum", lambda x, a, k, _: x.sum(a, k) if a else x.clone(), integers=True),
    "prod": reduction("prod", over(lambda x, a, k: x.prod(a, k)), -1.5, 1.5, integers=True),
    "mean": reduction("mean", lambda x, a, k, _: x.mean(a, k) if a else x.clone()),
    "max": reduction("max", lambda x, a, k, _: x.amax(a, k) if a else x.clone(), least=1, ties=True),
    "min": reduction("min", lambda x, a, k, _: x.amin(a, k) if a else x.clone(), least=1, ties=True),
    "var": reduction("var", lambda x, a, k, g: x.var(a, correction=0, keepdim=k), least=2),
    "std": reduction("std", lambda x, a, k, g: x.std(a, correction=1 if g else 0, keepdim=k),
                     least=2, more=(1,)),
    "norm": reduction("norm", lambda x, a, k, _: torch.linalg.vector_norm(x, 2, a, k), least=1),
    "logsumexp": reduction("logsumexp", lambda x, a, k, _: x.logsumexp(a, k) if a else x.clone()),
    "any": reduction("any", lambda x, a, k, _: over(torch.any)(x != 0, a, k, _), ties=True, integers=True,
                     slopes=[]),
    "all": reduction("all", lambda x, a, k, _: over(torch.all)(x != 0, a, k, _), ties=True, integers=True,
                     slopes=[]),
    "argmax": extreme("argmax", first(torch.amax)),
    "argmin": extreme("argmin", first(torch.amin)),
    "cumsum": along("cumsum", torch.cumsum, [REAL, INTS]),
    "cumprod": along("cumprod", torch.cumprod, [lambda r, s: r.real(s, -1.5, 1.5), TIES, INTS]),
    "argsort": along("argsort", lambda x, a, d: x.argsort(dim=a, descending=d, stable=True) + 1, [REAL, TIES, INTS],
                     slopes=[], args=lambda r, n: ((d := bool(r.int(0, 1)),), (d,))),
    "view": [draw_view], "permute": [draw_permute], "narrow": [draw_narrow], "index": [draw_index],
    "gather": [draw_gather], "scatter_add": [draw_scatter_add], "concat": [draw_concat],
    "stack": [draw_stack], "broadcast": [draw_broadcast],
    "mm": [draw_mm], "bmm": [draw_bmm], "linear": [draw_linear],
    "conv2d": [draw_conv2d] * 3, "conv_transpose2d": [draw_conv_transpose2d] * 3,
    "max_pool2d": pool("max_pool2d", F.max_pool2d), "avg_pool2d": pool("avg_pool2d", F.avg_pool2d),
    "layer_norm": [draw_layer_norm], "batch_norm": [draw_batch_norm],
    "attention": [draw_attention] * 2 + [draw_masked_attention] * 3,
    "rnn": [draw_steps("rnn")], "gru": [draw_steps("gru")], "lstm": [draw_steps("lstm")],
    "softmax": along("softmax", torch.softmax, [lambda r, s: r.real(s, -20, 20)]),
    "log_softmax": along("log_softmax", torch.log_softmax, [lambda r, s: r.real(s, -20, 20)]),
    "cross_entropy": [draw_cross_entropy],
    "bernoulli_log_prob": density(
        "bernoulli_log_prob", lambda x, y: y * x - F.softplus(x, threshold=100), (-9, 9), (0, 1)),
    "gaussian_log_prob": density("gaussian_log_prob", lambda x, m, s: D.Normal(m, s).log_prob(x),
                                 (-3, 3), (-3, 3), (0.3, 3)),
    "gaussian_log_prob_of_log": density(
        "gaussian_log_prob_of_log", lambda x, m, s: D.Normal(m, s.exp()).log_prob(x),
        (-3, 3), (-3, 3), (-1, 1)),
    "gaussian_kl": density("gaussian_kl", lambda m, v: 0.5 * (m * m + v.exp() - 1 - v),
                           (-3, 3), (-3, 3)),
    "poisson_log_prob": density("poisson_log_prob", lambda y, t: D.Poisson(t.exp()).log_prob(y),
                                (0, 9, "count"), (-2, 2)),
    "negative_binomial_log_prob": density(
        "negative_binomial_log_prob",
        lambda y, t, c: D.NegativeBinomial(c, logits=t, validate_args=False).log_prob(y),
        (0, 9, "count"), (-2, 2), (0.5, 5)),
    "binomial_log_prob": density(
        "binomial_log_prob",
        lambda y, t, n: D.Binomial(n, logits=t, validate_args=False).log_prob(y),
        (0, 4, "count"), (-2, 2), (5, 9, "count")),
    "laplace_log_prob": density("laplace_log_prob", lambda x, m, s: D.Laplace(m, s).log_prob(x),
                                (-3, 3), (-3, 3), (0.3, 3)),
    "student_t_log_prob": density("student_t_log_prob",
                                  lambda x, n, m, s: D.StudentT(n, m, s).log_prob(x),
                                  (-3, 3), (0.5, 9), (-3, 3), (0.3, 3)),
    "cauchy_log_prob": density("cauchy_log_prob", lambda x, m, s: D.Cauchy(m, s).log_prob(x),
                               (-3, 3), (-3, 3), (0.3, 3)),
    "logistic_log_prob": density(
        "logistic_log_prob",
        lambda x, m, s: F.logsigmoid((x - m) / s) + F.logsigmoid((m - x) / s) - s.log(),
        (-3, 3), (-3, 3), (0.3, 3)),
    "uniform_log_prob": density(
        "uniform_log_prob", lambda x, a, b: D.Uniform(a, b, validate_args=False).log_prob(x),
        (-1, 1), (-3, -1.1), (1.1, 3)),
    "scale_mixture_log_prob": density("scale_mixture_log_prob", mixture(D.Normal),
                                      (-3, 3), (0.1, 0.9), (0.5, 3), (0.1, 0.5)),
    "spike_and_slab_log_prob": density("spike_and_slab_log_prob", mixture(D.Laplace),
                                       (-3, 3), (0.1, 0.9), (0.5, 3), (0.1, 0.5)),
    "log_normal_log_prob": density("log_normal_log_prob",
                                   lambda x, m, s: D.LogNormal(m, s).log_prob(x),
                                   (0.1, 3), (-1, 1), (0.3, 3)),
    "beta_log_prob": density("beta_log_prob", lambda x, a, b: D.Beta(a, b).log_prob(x),
                             (0.1, 0.9), (0.5, 9), (0.5, 9)),
    "gamma_log_prob": density("gamma_log_prob", lambda x, a, b: D.Gamma(a, b).log_prob(x),
                              (0.1, 3), (0.5, 9), (0.5, 9)),
    "reparameterize": [draw_reparameterize],
}
for name in ("eq", "ne", "lt", "le", "gt", "ge"):
    OPS[name] = binary(name, flag(getattr(torch, name)), slopes=[], integers=True, mixed=True)

WITHOUT = {
    "real": "a change of type, tests/lua/tensor",
    "horseshoe_log_prob": "no density of PyTorch; densities_scipy_test.sh compares it",
    "dropout": "draws by a key of its own", "randn_like": "draws by a key of its own",
    "rand_like": "draws by a key of its own", "flip_signs": "draws by a key of its own",
    "key_fold": "makes keys", "chunk": "parts of a tensor, tests/lua/nn/test_branches.lua",
}


# ---- functions of Lua ----

def draw_roll(r):
    shape = r.shape(r.int(1, 4))
    axis, shift = r.int(0, len(shape) - 1), r.int(-9, 9)
    return Case(call("bnn.roll", 1, shift, axis + 1), [r.choice([REAL, INTS])(r, shape)],
                lambda x: x.roll(shift, axis))


def draw_pad(r):
    shape = r.shape(r.int(1, 4), least=0)
    widths = [[r.int(0, 3), r.int(0, 3)] for _ in shape]
    flat = [n for pair in widths[::-1] for n in pair]
    return Case(call("bnn.pad", 1, widths, 2), [r.choice([REAL, INTS])(r, shape)],
                lambda x: F.pad(x, flat, value=2))


def triangle(name, of_torch):
    def draw(r):
        k = r.int(-4, 4)
        return Case(call("bnn." + name, 1, k),
                    [r.choice([REAL, INTS])(r, r.shape(r.int(2, 4), least=0))],
                    lambda x: of_torch(x, k))
    return [draw]


def draw_einsum(r):
    spec = r.choice(["ij,jk->ik", "bij,bkj->bik", "ii", "ii->i", "ij->ji", "ij,ij->", "i,j->ij",
                     "ab,bc,cd->ad", "bhqd,bhkd->bhqk", "iij,jk->ki", "abc->b", "ij,kj", "bn,anm,bm->ba"])
    size = {letter: r.int(1, 5) for letter in "abcdhijkmnq"}
    terms = spec.split("->")[0].split(",")
    return Case("bnn.einsum(%r, %s)" % (spec, ", ".join("x[%d]" % (i + 1) for i in range(len(terms)))),
                [r.real([size[i] for i in term]) for term in terms],
                lambda *x: torch.einsum(spec, *x), loose=3)


def draw_topk(r):
    shape = r.shape(r.int(1, 3))
    axis = r.int(0, len(shape) - 1)
    k, largest = r.int(0, shape[axis]), bool(r.int(0, 1))
    distinct = r.rng.permutation(int(np.prod(shape))).reshape(shape).astype(r.kind)

    def of_torch(x):
        values, at = x.topk(k, axis, largest)
        return values, at + 1
    return Case(call("bnn.topk", 1, k, axis + 1, largest), [distinct], of_torch)


def of_sort(x, axis, descending):
    values, at = x.sort(dim=axis, descending=descending, stable=True)
    return values, at + 1


FUNCTIONS = {
    "sort": along("sort", of_sort, [REAL, TIES, INTS], "bnn.",
                  args=lambda r, n: ((d := bool(r.int(0, 1)),), (d,))),
    "topk": [draw_topk],
    "flip": along("flip", lambda x, a: x.flip(a), [REAL, INTS], "bnn."),
    "roll": [draw_roll], "pad": [draw_pad], "triu": triangle("triu", torch.triu),
    "tril": triangle("tril", torch.tril), "einsum": [draw_einsum] * 2,
}


# ---- layers ----

def layer(kind, args, names, x, of_torch, slopes=None, loose=3):
    """A call of a layer: args is Lua; names of its parameters, which are x[2], x[3], ..."""
    path = names[0].split("/")[0] if names else kind
    table = ", ".join('["%s%s"] = x[%d]' % ("" if "/" in n else kind + "/", n, i + 2)
                      for i, n in enumerate(names))
    assert path
    return Case("nn.%s(%s):apply({%s}, x[1])" % (kind, args, table), x, of_torch, slopes, loose=loose)


def draw_linear_layer(r):
    n, m = r.shape(2, 9)
    return layer("linear", m, ["w", "b"], [r.real(r.shape(r.int(1, 2)) + (n,)), r.real((n, m)),
                                           r.real((m,))], lambda x, w, b: x @ w + b)


def draw_embedding(r):
    n, d = r.shape(2, 9)
    return layer("embedding", "%d, %d" % (n, d), ["w"],
                 [r.ints(r.shape(r.int(1, 2)), 1, n, "i4"), r.real((n, d))],
                 lambda ids, w: F.embedding(ids.long() - 1, w))


def draw_conv2d_layer(r):
    size, stride, dilation = window(r, 3)
    padding, c, o, g = list(r.shape(2, 2, 0)), r.int(1, 4), r.int(1, 4), groups(r)
    image = [d * (k - 1) + 1 + r.int(0, 9) for k, d in zip(size, dilation)]
    return layer("conv2d", "%d, %s, {stride = %s, padding = %s, dilation = %s, groups = %d}" % (
        g * o, lua(size), lua(stride), lua(padding), lua(dilation), g), ["w", "b"],
        [r.real((2, g * c, *image), -1), r.real((g * o, c, *size), -1), r.real((g * o,))],
        lambda x, w, b: F.conv2d(x, w, b, stride, padding, dilation, g))


def draw_conv1d(r):
    k, s, p, d, c, o = r.int(1, 4), r.int(1, 3), r.int(0, 3), r.int(1, 3), r.int(1, 4), r.int(1, 5)
    g = groups(r)
    return layer("conv1d", "%d, %d, {stride = %d, padding = %d, dilation = %d, groups = %d}" % (
        g * o, k, s, p, d, g), ["w", "b"],
        [r.real((r.int(1, 3), g * c, d * (k - 1) + 1 + r.int(0, 30)), -1),
         r.real((g * o, c, k), -1), r.real((g * o,))],
        lambda x, w, b: F.conv1d(x, w, b, s, p, d, g))


def draw_transpose_layer(r):
    size, stride, c, o = list(r.shape(2, 4)), r.int(1, 3), r.int(1, 4), r.int(1, 4)
    beyond, g = r.int(0, stride - 1), groups(r)
    return layer("conv_transpose2d", "%d, %s, {stride = %d, output_padding = %d, groups = %d}" % (
        g * o, lua(size), stride, beyond, g), ["w", "b"],
        [r.real((2, g * c, *r.shape(2, 6)), -1), r.real((g * c, o, *size), -1), r.real((g * o,))],
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride, 0, beyond, g))


def pool_layer(kind, of_torch, rank):
    def draw(r):
        k, s = r.int(1, 4), r.int(1, 3)
        p = r.int(0, k // 2)
        return layer(kind, "%d, {stride = %d, padding = %d}" % (k, s, p), [],
                     [r.real((2, 3) + tuple(k + r.int(0, 9) for _ in range(rank)))],
                     lambda x: of_torch(x, k, s, p))
    return [draw]


def draw_layer_norm_layer(r):
    d = r.int(2, 30)
    return layer("layer_norm", "{eps = 0.01}", ["gain", "bias"],
                 [r.real((r.int(1, 4), d)), r.real((d,)), r.real((d,))],
                 lambda x, g, b: F.layer_norm(x, (d,), g, b, 0.01))


def draw_rms_norm(r):
    d = r.int(1, 30)
    return layer("rms_norm", "{eps = 0.01}", ["gain"], [r.real((r.int(1, 4), d)), r.real((d,))],
                 lambda x, g: F.rms_norm(x, (d,), g, 0.01))


def draw_group_norm(r):
    groups = r.int(1, 3)
    c = groups * r.int(1, 3)
    return layer("group_norm", "%d, {eps = 0.01}" % groups, ["gain", "bias"],
                 [r.real((r.int(1, 3), c, *r.shape(r.int(1, 2), 5, 2))), r.real((c,)), r.real((c,))],
                 lambda x, g, b: F.group_norm(x, groups, g, b, 0.01))


def draw_global_pool(r):
    kind, shape = r.choice(["mean", "max", "sum"]), r.shape(r.int(3, 4))
    of = {"mean": torch.mean, "max": torch.amax, "sum": torch.sum}[kind]
    return layer("global_pool", '"%s"' % kind, [], [r.real(shape)],
                 lambda x: of(x, tuple(range(2, len(shape)))))


def draw_softmax_layer(r):
    shape = r.shape(r.int(2, 4))
    axis = r.int(2, len(shape))
    return layer("softmax", axis, [], [r.real(shape)], lambda x: x.softmax(axis - 1))


def two_linear(kind, args, names, combine):
    def draw(r):
        n = r.int(1, 6)
        return layer(kind, args.replace("N", str(n)), names,
                     [r.real((r.int(1, 4), n)), r.real((n, n)), r.real((n,)), r.real((n, n)),
                      r.real((n,))], combine)
    return [draw]


PAIR = ["%s/linear_0/w", "%s/linear_0/b", "%s/linear_1/w", "%s/linear_1/b"]


def pair_of(kind):
    return [n % kind for n in PAIR]


def draw_residual(r):
    n = r.int(1, 6)
    return layer("residual", "nn.linear(%d)" % n, ["residual/linear_0/w", "residual/linear_0/b"],
                 [r.real((3, n)), r.real((n, n)), r.real((n,))], lambda x, w, b: x + x @ w + b)


HEADS = [part + "/" + name for part in ("query", "key", "value", "linear") for name in "wb"]


def of_heads(x, heads, causal, wq, bq, wk, bk, wv, bv, w, b):
    return attend(x @ wq + bq, x @ wk + bk, x @ wv + bv, heads, causal) @ w + b


def head_weights(r, d):
    return [r.real(s, -1, 1) for _ in range(4) for s in ((d, d), (d,))]


def draw_multi_head_attention(r):
    heads, causal = r.int(1, 3), bool(r.int(0, 1))
    d = heads * r.int(1, 4)
    return layer("multi_head_attention", "%d, {causal = %s}" % (heads, lua(causal)),
                 ["multi_head_attention/" + n for n in HEADS],
                 [r.real((r.int(1, 3), r.int(1, 7), d)), *head_weights(r, d)],
                 lambda x, *p: of_heads(x, heads, causal, *p), loose=10)


def draw_masked_heads(r):
    """PyTorch's layer itself, whose masks are true where ours are 0."""
    heads, (n, t) = r.int(1, 3), r.shape(2, 7)
    d = heads * r.int(1, 4)
    lengths, mask = r.ints((n,), 1, t, "i4"), np.tril(r.ints((t, t), 0, 1, "i4"), -1) + np.eye(t)
    mask[:, 0] = 1  # a row that sees nothing is NaN there
    names = ["multi_head_attention/" + name for name in HEADS]
    x = [r.real((n, t, d)), *head_weights(r, d), lengths, mask.astype(r.kind)]

    def of_torch(v, wq, bq, wk, bk, wv, bv, w, b, own, seen):
        module = torch.nn.MultiheadAttention(d, heads, batch_first=True, dtype=v.dtype)
        weights = {"in_proj_weight": torch.cat([wq.T, wk.T, wv.T]),
                   "in_proj_bias": torch.cat([bq, bk, bv]),
                   "out_proj.weight": w.T, "out_proj.bias": b}
        padding = torch.arange(t) >= own.long()[:, None]
        options = {"key_padding_mask": padding, "attn_mask": seen == 0, "need_weights": False}
        return torch.func.functional_call(module, weights, (v, v, v), options)[0]
    table = ", ".join('["%s"] = x[%d]' % (name, i + 2) for i, name in enumerate(names))
    text = ("bnn.transform(function(v) return nn.multi_head_attention(%d)(v, "
            "{lengths = x[10], mask = x[11]}) end):apply({%s}, x[1])" % (heads, table))
    return Case(text, x, of_torch, list(range(9)), loose=10)


def draw_positional_encoding(r):
    n, t, d = r.shape(3)
    if r.int(0, 1):
        return layer("positional_encoding", '"learned", {max_length = 9}', ["w"],
                     [r.real((n, t, d)), r.real((9, d))], lambda x, w: x + w[:t])
    rates = 10000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    angle = torch.arange(t, dtype=torch.float64)[:, None] * rates
    waves = torch.stack([angle.sin(), angle.cos()], 2).reshape(t, -1)[:, :d]
    return layer("positional_encoding", "", [], [r.real((n, t, d))], lambda x: x + waves)


def draw_transformer_block(r):
    heads, causal, before, hidden = r.int(1, 2), bool(r.int(0, 1)), bool(r.int(0, 1)), r.int(1, 6)
    d = heads * r.int(2, 4)
    inside = ["multi_head_attention_0/" + n for n in HEADS]
    norms = [["layer_norm_%d/%s" % (i, n) for n in ("gain", "bias")] for i in (0, 1)]
    linear = ["linear_%d/%s" % (i, n) for i in (0, 1) for n in "wb"]
    names = inside + norms[0] + linear + norms[1]

    def of_torch(x, *p):
        norm = [lambda t: F.layer_norm(t, (d,), *p[8:10]), lambda t: F.layer_norm(t, (d,), *p[14:])]
        parts = [lambda t: of_heads(t, heads, causal, *p[:8]),
                 lambda t: F.gelu(t @ p[10] + p[11]) @ p[12] + p[13]]
        for f, scaled in zip(parts, norm):
            x = x + f(scaled(x)) if before else scaled(x + f(x))
        return x
    sizes = [(d,), (d,), (d, hidden), (hidden,), (hidden, d), (d,), (d,), (d,)]
    return layer("transformer_block", "{heads = %d, hidden = %d, causal = %s, norm_first = %s}" % (
        heads, hidden, lua(causal), lua(before)), ["transformer_block/" + n for n in names],
        [r.real((r.int(1, 3), r.int(1, 6), d)), *head_weights(r, d), *[r.real(s) for s in sizes]],
        of_torch, loose=30)


def draw_batch_norm_layer(r):
    shape = r.shape(2) + r.shape(r.int(0, 2))
    c = shape[1]
    return layer("batch_norm", "{eps = 0.01}", ["gain", "bias", "running_mean", "running_var"],
                 [r.real(shape), r.real((c,)), r.real((c,)), r.real((c,)), r.real((c,), 0.1)],
                 lambda x, g, b, m, v: F.batch_norm(x, m, v, g, b, False, 0, 0.01), [0, 1, 2])


LAYERS = {
    "rnn": [draw_steps_layer("rnn"), draw_padded_steps("rnn")],
    "gru": [draw_steps_layer("gru"), draw_padded_steps("gru")],
    "lstm": [draw_steps_layer("lstm"), draw_padded_steps("lstm")],
    "multi_head_attention": [draw_multi_head_attention, draw_masked_heads],
    "positional_encoding": [draw_positional_encoding],
    "transformer_block": [draw_transformer_block], "batch_norm": [draw_batch_norm_layer],
    "linear": [draw_linear_layer], "embedding": [draw_embedding], "conv2d": [draw_conv2d_layer],
    "conv1d": [draw_conv1d] * 2, "conv_transpose2d": [draw_transpose_layer],
    "max_pool": pool_layer("max_pool", F.max_pool2d, 2),
    "avg_pool": pool_layer("avg_pool", F.avg_pool2d, 2),
    "max_pool1d": pool_layer("max_pool1d", F.max_pool1d, 1),
    "avg_pool1d": pool_layer("avg_pool1d", F.avg_pool1d, 1),
    "layer_norm": [draw_layer_norm_layer], "rms_norm": [draw_rms_norm],
    "group_norm": [draw_group_norm], "global_pool": [draw_global_pool],
    "softmax": [draw_softmax_layer],
    "dropout": [lambda r: layer("dropout", "0.5", [], [r.real((3, 4))], lambda x: x.clone())],
    "flatten": [lambda r: layer("flatten", "", [], [r.real(r.shape(r.int(2, 4)))],
                                lambda x: x.flatten(1))],
    "sequential": two_linear("sequential", "{nn.linear(N), nn.linear(N)}", pair_of("sequential"),
                             lambda x, w, b, v, c: (x @ w + b) @ v + c),
    "residual": [draw_residual],
    "parallel": two_linear("parallel", "{nn.linear(N), nn.linear(N)}", pair_of("parallel"),
                           lambda x, w, b, v, c: torch.cat([x @ w + b, x @ v + c], -1)),
    "mlp": two_linear("mlp", "{N, N, activation = 'tanh'}", pair_of("mlp"),
                      lambda x, w, b, v, c: (x @ w + b).tanh() @ v + c),
    "lambda": [lambda r: layer("lambda", "function(t) return t:tanh() end", [], [r.real((3, 4))],
                               torch.tanh)],
}
for name, of in {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
                 "softplus": F.softplus, "gelu": F.gelu, "silu": F.silu, "mish": F.mish,
                 "sin": torch.sin, "cos": torch.cos, "elu": F.elu,
                 "leaky_relu": F.leaky_relu}.items():
    LAYERS[name] = [lambda r, name=name, of=of: layer(name, "", [], [r.real(r.shape(2))], of)]


# ---- drawing ----

def lay_out(r, x):
    """x in another order of axes within a larger array: that, and the Lua that gives x of it."""
    order = [int(k) for k in r.rng.permutation(x.ndim)]
    stored, steps = x.transpose(order), []
    if x.ndim and r.int(0, 1):
        axis = r.int(0, x.ndim - 1)
        before, after = r.int(0, 2), r.int(0, 2)
        widths = [(before, after) if k == axis else (0, 0) for k in range(x.ndim)]
        steps.append(":narrow(%d, %d, %d)" % (axis + 1, before + 1, stored.shape[axis]))
        stored = np.pad(stored, widths, constant_values=77)
    back = [order.index(k) + 1 for k in range(x.ndim)]
    if back != sorted(back):
        steps.append(":permute(%s)" % ", ".join(map(str, back)))
    return np.array(stored, order="C"), "".join(steps)


def wanted(case, r, kind):
    """Values, gradient weights, and gradients."""
    def tensor(i, a):
        t = torch.from_numpy(np.array(a))
        if a.dtype.kind == "f":
            t = t if case.single else t.double()
            t.requires_grad_(i in case.slopes)
        return t
    x = [tensor(i, a) for i, a in enumerate(case.x)]
    y = case.torch(*x)
    y = y if isinstance(y, tuple) else (y,)
    dy = r.real(tuple(y[0].shape), -1, 1)
    slopes = []
    if case.slopes:
        y[0].backward(torch.from_numpy(np.array(dy)).to(y[0].dtype))
        slopes = [(torch.zeros_like(x[i]) if x[i].grad is None else x[i].grad).numpy()
                  for i in case.slopes]
    return [t.detach().numpy() for t in y], dy, slopes


def draw(folder, kind):
    arrays, cases, wants = {}, [], []
    for group, rows in (("op", OPS), ("function", FUNCTIONS), ("layer", LAYERS)):
        for name in sorted(rows):
            seed = zlib.crc32(name.encode())  # a new row leaves the others' cases as they are
            for k in range(DRAWS * len(rows[name])):
                r = Random([{"op": 1, "function": 2, "layer": 3}[group], seed, k], kind)
                case = rows[name][k % len(rows[name])](r)
                values, dy, slopes = wanted(case, r, kind)
                at, views = len(cases), []
                for i, x in enumerate(case.x):
                    arrays["c%d_x%d" % (at, i + 1)], view = lay_out(r, x)
                    views.append(view)
                arrays["c%d_dy" % at] = dy
                cases.append({"lua": case.lua, "views": views,
                              "slopes": [i + 1 for i in case.slopes]})
                wants.append({"name": "%s %s" % (group, name), "y": values, "slopes": slopes,
                              "loose": case.loose, "kind": kind,
                              "shapes": [x.shape for x in case.x], "x": case.x})
    np.savez(folder + "/inputs.npz", **arrays)
    json.dump(cases, open(folder + "/cases.json", "w"))
    pickle.dump(wants, open(folder + "/wants.pickle", "wb"))


# ---- checking ----

def differs(got, want, tolerance):
    if got.shape != want.shape:
        return "shape %s, not %s" % (got.shape, want.shape)
    got, want = got.astype("f8").ravel(), want.astype("f8").ravel()
    with np.errstate(all="ignore"):
        near = np.abs(got - want) <= tolerance * (1 + np.abs(want))
    bad = ~(near | (got == want) | (np.isnan(got) & np.isnan(want)))
    if not bad.any():
        return None
    at = int(np.argmax(bad))
    return "%d of %d, first at %d: %r, not %r" % (bad.sum(), bad.size, at, got[at], want[at])


def check_rows(names):
    missing = []
    for group, rows in (("op", OPS), ("layer", LAYERS)):
        for name in names[group]:
            if name not in rows and name not in WITHOUT:
                missing.append("%s %s" % (group, name))
    return missing


def check(folder):
    cases, failed = json.load(open(folder + "/cases.json")), 0
    wants = pickle.load(open(folder + "/wants.pickle", "rb"))
    said = json.load(open(folder + "/said.json"))
    got = np.load(folder + "/outputs.npz")
    for name in check_rows(said["names"]):
        failed += 1
        print("FAILED: %s has neither a row nor a reason in torch_compare.py" % name)
    for k, (case, want) in enumerate(zip(cases, wants)):
        tolerance = TOLERANCE[want["kind"]] * want["loose"]
        why = said["errors"].get(str(k))
        for i, y in enumerate(want["y"] if not why else []):
            why = why or differs(got["c%d_y%d" % (k, i + 1)], y, tolerance)
        for i, slope in zip(case["slopes"], want["slopes"] if not why else []):
            miss = differs(got["c%d_d%d" % (k, i)], slope, tolerance)
            why = why or miss and "gradient %d: %s" % (i, miss)
        if why:
            failed += 1
            print("FAILED: %s, %s of %s: %s" % (want["name"], case["lua"], want["shapes"], why))
    print("%d passed, %d failed" % (len(cases) - min(failed, len(cases)), failed))
    sys.exit(failed > 0)


if __name__ == "__main__":
    draw(*sys.argv[2:]) if sys.argv[1] == "draw" else check(sys.argv[2])
