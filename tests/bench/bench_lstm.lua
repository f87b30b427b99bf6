--- The LSTM of bench_lstm.py on this side.
package.path = (arg[0]:match "^(.*/)" or "./") .. "?.lua;" .. package.path
local bnn = require "bnn"
local turns = require "turns"

local size, key = turns.sizes{batch = 128, t = 28, d = 28, units = 128}, bnn.key(1)
local net = bnn.nn.sequential{
  bnn.nn.lstm(size.units, {output = "last"}), bnn.nn.linear(10),
}
turns.train(net, {
  x = bnn.rand(key, size.batch, size.t, size.d),
  y = (bnn.rand(key, size.batch) * 10):floor():to "i32",
}, key)
