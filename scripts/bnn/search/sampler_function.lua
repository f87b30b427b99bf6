--- A sampler of the user's own: a function (history, space, key, number) -> configuration.
--
-- The history is as the sweep gives it, sorted by number; the key is that of the trial. What it
-- returns is checked against the space; nil ends the search.
local fail = require "bnn.base.fail"
local sampler = require "bnn.search.sampler"

local M = {}

--- The method of a function.
function M.of(f)
  return {name = "function", learns = true, raw_history = true, new = function(space, opts)
    return function(number, history)
      local cfg, message = f(history, space, opts.key:fold(number), number)
      if cfg == nil then return nil, message or "the sampler's function returned nothing" end
      if type(cfg) ~= "table" then
        fail.expected(opts.what .. ": its function's result", "a table", cfg)
      end
      return sampler.checked(opts.what, space, number, cfg)
    end
  end}
end

return M
