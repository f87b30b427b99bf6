--- Grid search: every configuration once, the last parameter changing fastest.
local fail = require "bnn.base.fail"
local values = require "bnn.search.space_values"

local function new(space, opts)
  local list, fault = space:grid(opts.points)
  if not list then fail("%s: %s", opts.what, fault) end
  if #list == 0 then
    fail("%s: no configuration satisfies the constraints of the space", opts.what)
  end
  return function(number) return values.copy(list[number]) end, #list
end

return {name = "grid", learns = false, options = {points = {type = "integer", min = 1}}, new = new}
