--- The likelihood of several targets by name: they are independent given the network's outputs, one
-- for each target, so log p(y | output) is the sum of those of all.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

-- The network's output for a target; raises.
local function output_of(output, name)
  local is_table = type(output) == "table" and not kinds.is_object(output, "tensor")
  local own = is_table and output[name]
  if own then return own end
  local got = "one tensor"
  if is_table and #output > 0 then
    got = ("%d values"):format(#output)
  elseif is_table then
    got = table.concat(options.sorted_names(output), ", ")
  end
  fail("likelihood: expected outputs by name from the network, {%s = ...}, got %s", name, got)
end

-- What is wrong with the names of targets, or nil.
local function names_fault(wanted, y)
  local names = named_tensors.names(y)
  local want = table.concat(wanted, ", ")
  if not names then
    return strings.message("expected targets by name, %s, got %s", want,
      y == nil and "none" or "one tensor")
  end
  local got = table.concat(names, ", ")
  if got == want then return nil end
  return strings.message("expected the targets %s, as the likelihood has them, got %s", want, got)
end

-- The sum of the log-likelihoods, and each by its target.
local function log_prob_of(targets, names, output, y)
  local fault = names_fault(names, y)
  if fault then fail("likelihood: y: %s", fault) end
  local parts, sum = {}, nil
  for _, name in ipairs(names) do
    local own = output_of(output, name)
    parts[name] = fail.within("target " .. name, targets[name].log_prob, own, y[name])
    sum = sum and sum + parts[name] or parts[name]
  end
  return sum, parts
end

--- Makes it.
-- @param targets table name -> likelihood
-- @return likelihood: log_prob(output, y) -> [n], table of such by target; targets;
--   output_of(output, name) and names_fault(y)
-- Raises for num_samples.
function M.new(targets)
  if targets.num_samples then
    fail "likelihood: expected another name for a target than num_samples, a field of predictions"
  end
  local names, texts = options.sorted_names(targets), {}
  for i, name in ipairs(names) do
    texts[i] = strings.message("%s %s", name, targets[name].name or "of your own")
  end
  return {
    name = table.concat(texts, ", "), targets = targets, output_of = output_of,
    log_prob = function(output, y) return log_prob_of(targets, names, output, y) end,
    names_fault = function(y) return names_fault(names, y) end,
  }
end

return M
