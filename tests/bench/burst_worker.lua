--- One of the processes of burst.lua: bnnlua burst_worker.lua NETWORK THREADS trains as many steps
-- as each line on its standard input says and answers with a line; "stop" ends it.
local bnn = require "bnn"
local networks = dofile((arg[0]:match "^.*/" or "./") .. "networks.lua")

local name, threads = arg[1], math.tointeger(arg[2])
local key = bnn.key(1)
local WARM = 100 -- steps before the first burst: recording, caches, pages

local build = {
  h64 = function(data) return networks.mlp(data, 64) end,
  h400 = function(data) return networks.mlp(data, 400) end,
  vae = networks.vae,
  lenet = networks.lenet,
}

bnn.threads(threads)
local set = assert(bnn.data.load(os.getenv "BNNLUA_DATA" and "mnist" or "glyphs"))
local data = set.train:slice(1, 4096)
local objective = build[name](data)
local state

local function train(count) -- more steps
  state = bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 1e-3}, data = data,
                    steps = count, batch_size = 128, key = key, state = state}
end

io.stdout:setvbuf "line"
train(WARM)
print "ready"
for line in io.lines() do
  if line == "stop" then break end
  train(math.tointeger(line))
  print "done"
end
