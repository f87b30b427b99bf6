"""torch_turns.py - training steps of bnnlua and of PyTorch that take turns in one run.

A bench_NAME.py gives the sizes of its network and PyTorch's steps; bench_NAME.lua beside it makes
bnnlua's (turns.lua). Medians of the rounds and their ratio are printed.
"""

import pathlib
import statistics
import subprocess
import sys
import time

import torch


def read_sizes(defaults):
    """Sizes by name from the arguments, --name=number, and the further options of a run."""
    given = dict(word[2:].split("=", 1) for word in sys.argv[1:] if "=" in word)
    run = {"bnnlua": "build/bnnlua", "rounds": 15, "steps": 5}
    size = {"threads": 2, **defaults}
    for name, value in given.items():
        if name not in run and name not in size:
            sys.exit(f"--{name}: no such option; there are {', '.join([*run, *size])}")
        if name == "bnnlua":
            run[name] = value
        else:
            (run if name in run else size)[name] = int(value)
    torch.set_num_threads(size["threads"])
    torch.manual_seed(1)
    return size, run


def torch_seconds(step, n):
    start = time.perf_counter()
    for _ in range(n):
        step()
    return (time.perf_counter() - start) / n


def take_turns(size, run, step):
    """step: makes one of PyTorch's. The first two rounds warm up."""
    script = pathlib.Path(sys.argv[0]).with_suffix(".lua")
    child = subprocess.Popen([run["bnnlua"], str(script)]
                             + [f"--{name}={value}" for name, value in size.items()],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ours, theirs = [], []
    for _ in range(run["rounds"] + 2):
        time.sleep(0.05)  # PyTorch's threads spin for some time after its turn
        child.stdin.write(f"{run['steps']}\n")
        child.stdin.flush()
        ours.append(float(child.stdout.readline()))
        theirs.append(torch_seconds(step, run["steps"]))
    child.stdin.close()
    child.wait()
    ours, theirs = statistics.median(ours[2:]), statistics.median(theirs[2:])
    print(" ".join(f"{name}={value}" for name, value in size.items()))
    print(f"bnnlua {ours * 1e3:.2f} ms a step, PyTorch {torch.__version__} {theirs * 1e3:.2f} ms, "
          f"ratio {ours / theirs:.3f}")
