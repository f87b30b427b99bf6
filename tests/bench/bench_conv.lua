--- What a convolution costs per multiply-add, by stride, dilation and groups: forward, and the
-- gradients of x, w and b, as in a step of training, beside the same with stride 1, and PyTorch's
-- between two rounds of ours (a python3 with torch; without it that column is empty). A factor
-- before the convolution stands for the layers below it, that of its result for those above.
--     build/bnnlua tests/bench/bench_conv.lua [threads [rounds]]
-- Times are the shortest, as the machine may be shared.
local bnn = require "bnn"
local now = require "bnn.core".now
local table_text = require "bnn.base.table_text"

local THREADS, ROUNDS = tonumber(arg[1]) or 1, tonumber(arg[2]) or 40
local key = bnn.key(1)

-- name, images, channels, height and width, filters, window, stride, padding, dilation, groups (1);
-- those with a name of their own begin a block, whose first row the others are compared with
local CASES = {
  {"16 of 28 -> 32, 3x3", 32, 16, 28, 32, 3, 1, 1, 1},
  {"  stride 2", 32, 16, 28, 32, 3, 2, 1, 1},
  {"  dilation 2", 32, 16, 28, 32, 3, 1, 2, 2},
  {"  stride 3, dilation 2", 32, 16, 28, 32, 3, 3, 2, 2},
  {"LeNet 1: 1 of 28 -> 6, 5x5", 128, 1, 28, 6, 5, 1, 2, 1},
  {"  stride 2", 128, 1, 28, 6, 5, 2, 2, 1},
  {"  dilation 2", 128, 1, 28, 6, 5, 1, 4, 2},
  {"LeNet 2: 6 of 14 -> 16, 5x5", 128, 6, 14, 16, 5, 1, 0, 1},
  {"  stride 2", 128, 6, 14, 16, 5, 2, 0, 1},
  {"  dilation 2", 128, 6, 14, 16, 5, 1, 0, 2},
  {"64 of 28 -> 64, 3x3", 8, 64, 28, 64, 3, 1, 1, 1},
  {"  stride 2", 8, 64, 28, 64, 3, 2, 1, 1},
  {"  dilation 2", 8, 64, 28, 64, 3, 1, 2, 2},
  {"64 of 56 -> 64, 3x3", 2, 64, 56, 64, 3, 1, 1, 1},
  {"  stride 2", 2, 64, 56, 64, 3, 2, 1, 1},
  {"32 of 28 -> 64, 1x1", 32, 32, 28, 64, 1, 1, 0, 1},
  {"  stride 2", 32, 32, 28, 64, 1, 2, 0, 1},
  {"32 of 28 -> 64, 3x3, 4 groups", 32, 32, 28, 64, 3, 1, 1, 1, 4},
  {"  stride 2", 32, 32, 28, 64, 3, 2, 1, 1, 4},
  {"32 of 28, 3x3, depthwise", 32, 32, 28, 32, 3, 1, 1, 1, 32},
  {"  stride 2", 32, 32, 28, 32, 3, 2, 1, 1, 32},
  {"128 of 14, 3x3, depthwise", 16, 128, 14, 128, 3, 1, 1, 1, 128},
  {"  stride 2", 16, 128, 14, 128, 3, 2, 1, 1, 128},
  {"32 of 112, 3x3, depthwise", 4, 32, 112, 32, 3, 1, 1, 1, 32},
  {"  stride 2", 4, 32, 112, 32, 3, 2, 1, 1, 32},
}
for _, case in ipairs(CASES) do case[10] = case[10] or 1 end

local function positions(case)
  local h, size, stride, padding, dilation = case[4], table.unpack(case, 6, 9)
  return (h + 2 * padding - dilation * (size - 1) - 1) // stride + 1
end

-- A function that does it once, a step of training without the optimizer.
local function stepper(case)
  local n, channels, h, filters, size, stride, padding, dilation, groups = table.unpack(case, 2)
  local side = positions(case)
  local batch = {x = bnn.randn(key, {n, channels, h, h}),
    y = bnn.randn(key:fold "y", {n, filters, side, side})}
  local net = bnn.transform(function(x)
    local conv = bnn.nn.conv2d(filters, size,
      {stride = stride, padding = padding, dilation = dilation, groups = groups})
    return conv(x * bnn.nn.parameter("scale", {1}, bnn.nn.ones))
  end)
  local objective = bnn.objective{
    params = net:init(key, batch.x),
    loss = function(params, own) return (net:apply(params, own.x) * own.y):sum{2, 3, 4} end,
  }
  return function() return objective:gradient(batch, key) end
end

local function measure(step, times)
  step()
  for _ = 1, ROUNDS do
    local before = now()
    step()
    times[#times + 1] = now() - before
  end
end

local PYTHON = [[
import sys, time, torch
torch.set_num_threads(%d)
for line in sys.stdin:
    n, channels, h, filters, size, stride, padding, dilation, groups = map(int, line.split())
    x = torch.randn(n, channels, h, h)
    scale = torch.ones(1, requires_grad=True)
    conv = torch.nn.Conv2d(channels, filters, size, stride, padding, dilation, groups)
    dy = torch.randn_like(conv(x))
    times = []
    for _ in range(%d):
        scale.grad = conv.weight.grad = conv.bias.grad = None
        before = time.perf_counter()
        (conv(x * scale) * dy).sum((1, 2, 3)).mean().backward()
        times.append(time.perf_counter() - before)
    print(min(times))
]]

-- PyTorch's times in seconds, or an empty list.
local function of_torch()
  local base = os.tmpname()
  local script, cases = assert(io.open(base .. ".py", "w")), assert(io.open(base, "w"))
  script:write(PYTHON:format(THREADS, 2 * ROUNDS)):close()
  for _, case in ipairs(CASES) do cases:write(table.concat(case, " ", 2), "\n") end
  cases:close()
  local pipe = io.popen(("python3 %s.py < %s 2>/dev/null"):format(base, base))
  local times = {}
  for line in pipe:lines() do times[#times + 1] = tonumber(line) end
  pipe:close()
  os.remove(base)
  os.remove(base .. ".py")
  return times
end

bnn.threads(THREADS)
local times = {}
for i, case in ipairs(CASES) do
  times[i] = {}
  measure(stepper(case), times[i])
end
local torch = of_torch()
for i, case in ipairs(CASES) do measure(stepper(case), times[i]) end

local rows, first = {}, nil
for i, case in ipairs(CASES) do
  local time = math.min(table.unpack(times[i]))
  local adds = 3 * case[2] * case[3] * case[5] * case[6] ^ 2 * positions(case) ^ 2 / case[10]
  local cost = time / adds * 1e12
  if case[1]:sub(1, 1) ~= " " then first = cost end
  rows[i] = {case[1], time * 1e3, cost, cost / first, torch[i] and torch[i] * 1e3,
    torch[i] and time / torch[i]}
end
io.write(("%d thread%s, %d rounds\n"):format(THREADS, THREADS == 1 and "" or "s", ROUNDS))
io.write(table_text.render(rows, {
  "", "ms", {"ps per multiply-add", decimals = 1}, {"/ stride 1", decimals = 2}, "PyTorch ms",
  {"/ PyTorch", decimals = 2},
}))
