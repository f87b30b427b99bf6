--- Keeps the state of a training that Ctrl-C ended at the prompt, where the assignment of
-- `state = bnn.train{...}` no longer takes place.
local M = {}

--- Assigns the state that an interrupt carries to the global that the line would have assigned, or
-- to _state, and says so in the interrupt's message.
-- @param err an interrupt with the field `state`
-- @param line string: what was typed
function M.keep(err, line)
  local name = line:match "^%s*([%a_][%w_]*)%s*=%f[^=]" or "_state"
  rawset(_G, name, err.state)
  err.message = ("%s; %s is its state (bnn.train{state = %s, ...} continues)"):format(
    tostring(err), name, name)
end

return M
