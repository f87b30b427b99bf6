--- What a step costs on augmented images beside one on plain images (steps_beside.lua).
--     BNNLUA_DATA=DIR build/bnnlua tests/bench/bench_augment.lua [rounds]
package.path = (arg[0]:match "^(.*/)" or "./") .. "?.lua;" .. package.path
local bnn = require "bnn"
local steps_beside = require "steps_beside"

local augment = bnn.augment
local LISTS = {
  {augment.shift(2)}, {augment.flip()}, {augment.rotate(15)}, {augment.noise(0.1)},
  {augment.mixup(0.2)}, {augment.shift(2), augment.rotate(15), augment.mixup(0.2)},
}

local data, others = bnn.data.load("mnist").train, {}
for i, list in ipairs(LISTS) do
  local part = data:augment(list)
  others[i] = {name = part.augmentation.text, part = part}
end
steps_beside.print(data, others, tonumber(arg[1]) or 100)
