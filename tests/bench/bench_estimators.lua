--- What a step costs by each estimator of bnn.elbo beside the shared draw (steps_beside.lua).
--     BNNLUA_DATA=DIR build/bnnlua tests/bench/bench_estimators.lua [rounds]
package.path = (arg[0]:match "^(.*/)" or "./") .. "?.lua;" .. package.path
local bnn = require "bnn"
local steps_beside = require "steps_beside"

local others = {}
for i, name in ipairs{"local_reparameterization", "flipout"} do
  others[i] = {name = name, estimator = name}
end
steps_beside.print(bnn.data.load("mnist").train, others, tonumber(arg[1]) or 100)
