--- What the rows of bnn.likelihood share: checks of what the network and the data give, and the
-- options of noise that is given or the network's own.
--
-- A row is a file NAME_likelihood.lua here, which returns a table
--     name     of the function bnn.likelihood.NAME
--     doc      what help shows
--     options  the spec of its options (bnn.base.options); a checkpoint keeps their values
--     examples what the generic tests try: a list of {options=, targets="proportions" (default),
--              "labels", "counts" or "bits", outputs=1 of the network, second= size of its second
--              value}
--     make     function(opts) -> the fields of a likelihood, as bnn.likelihood describes them
-- and its name in the list of bnn.model.likelihood_rows.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local named_tensors = require "bnn.params.named_tensors"
local shapes = require "bnn.base.shapes"

local M = {}

--- Sums [n, ...] over all axes but the first.
function M.per_example(x)
  if x:dim() == 1 then return x end
  local axes = {}
  for i = 2, x:dim() do axes[#axes + 1] = i end
  return x:sum(axes)
end

--- Raises unless the network gives one tensor: what it gives is a list when there are several.
-- @param wanted string: "one tensor of logits"
function M.check_one(name, output, wanted)
  if type(output) ~= "table" then return output end
  local names = #output == 0 and named_tensors.names(output)
  fail("bnn.likelihood.%s: expected %s from the network, got %s", name, wanted,
    names and "outputs by name (" .. table.concat(names, ", ") .. ")" or #output .. " values")
end

--- Raises unless y has the shape of the output: [n, 1] against [n] would broadcast to [n, n].
function M.check_targets(name, output, y)
  M.check_one(name, output, "one tensor of the shape of y")
  if y == nil then fail("bnn.likelihood.%s: expected targets y, the data have none", name) end
  if not shapes.equal(output, y) then
    fail("bnn.likelihood.%s: expected y %s, the shape of the network's output, got %s", name,
      shapes.text(output), shapes.text(y))
  end
end

--- The same of counts and measurements, which must be real numbers.
function M.check_real_targets(name, output, y)
  M.check_targets(name, output, y)
  if y:dtype() == core.real then return end
  fail("bnn.likelihood.%s: expected y of type %s, got %s: y:real() converts", name, core.real,
    y:dtype())
end

--- The two values of a network that gives what an option does not: the location, and a logarithm of
-- its shape or one that broadcasts to it.
-- @param words string: "mean and log sigma"
-- @param example string: "gaussian{sigma = 1} has a given noise"
function M.check_two(name, output, words, example)
  if type(output) == "table" and #output == 2 then return output[1], output[2] end
  fail("bnn.likelihood.%s: expected two values from the network, %s; %s", name, words, example)
end

--- A function(output) -> what the network predicts, and a parameter of its distribution: the one
-- given, or e to the network's second value.
-- @param given number or nil
-- @param words, example as for check_two
function M.parts(name, given, words, example)
  return function(output)
    if given then return M.check_one(name, output, "one tensor"), given end
    local location, log_value = M.check_two(name, output, words, example)
    return location, log_value:exp()
  end
end

--- x in the shape of `like`, to which it broadcasts.
function M.in_shape_of(like, x) return like * 0 + x end

return M
