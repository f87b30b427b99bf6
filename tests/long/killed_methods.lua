--- What methods_kill_test.sh runs: trains by a method with checkpoints, and saves what it found.
--     build/bnnlua tests/long/killed_methods.lua METHOD STEPS FOLDER [THREADS]
-- Without arguments it lists the methods. It saves posterior and predictions: FOLDER.safetensors.
package.path = (arg[0]:match "^(.*/)" or "./") .. "../lua/?.lua;" .. package.path
local bnn = require "bnn"
local methods = require "trained_methods"

local name, steps, path, threads = table.unpack(arg)
if not name then
  print(table.concat(methods.names, "\n"))
  os.exit(0)
end
bnn.threads(math.tointeger(threads) or bnn.threads())
local q = methods.train(name, math.tointeger(steps), {path = path, every = 20, resume = true})
local p = methods.predict(name, q)
assert(bnn.checkpoint.save(path .. ".safetensors", {
  posterior = q, extras = {mean = p.mean, mutual_information = p.mutual_information},
}))
