--- bnnlua's side of torch_turns.py: sizes from the arguments, and training steps on request.
local bnn = require "bnn"
local core = require "bnn.core"

local M = {}

--- Sizes by name from the arguments --name=number, of which `defaults` has all.
function M.sizes(defaults)
  local size = {threads = 2}
  for name, value in pairs(defaults) do size[name] = value end
  for i = 1, #arg do
    local name, value = arg[i]:match "^%-%-(%w+)=(%d+)$"
    assert(size[name], arg[i])
    size[name] = tonumber(value)
  end
  bnn.threads(size.threads)
  return size
end

--- Trains a classifier by Adam on one batch {x=, y=}: a line "N" on stdin makes N steps and answers
-- with the seconds of one.
function M.train(net, batch, key)
  local objective = bnn.objective{net = net, params = net:init(key, batch.x),
                                  likelihood = "categorical"}
  local state = bnn.optim.adam{lr = 1e-4}:init(objective)
  for line in io.lines() do
    local steps, start = tonumber(line), core.ticks()
    for i = 1, steps do assert(objective:step(state, batch, key:fold(i))) end
    io.write(string.format("%.9f\n", (core.ticks() - start) / steps))
    io.flush()
  end
end

return M
