--- Raises errors at the line of the user's script that made the call, however deep the library was,
-- and in one wording: "bnn.vmap: expected a function, got a number".
--
--     if x < 0 then fail("bnn.rate: expected a number of at least 0, got %s", x) end
--     if type(f) ~= "function" then fail.expected("bnn.vmap", "a function", f) end
local core = require "bnn.core"
local kinds = require "bnn.base.kinds"
local strings = require "bnn.base.strings"

local M = {}

--- Raises a message, formatted as by string.format, at the user's line. fail(text, ...) is the
-- same.
function M.raise(text, ...) error(core.where() .. strings.message(text, ...), 0) end

--- Raises "what: expected <wanted>, got <what the value is>".
-- @param what string: the function, and the argument: "bnn.predict: model"
-- @param wanted string: "a function"
function M.expected(what, wanted, value)
  M.raise("%s: expected %s, got %s", what, wanted, kinds.shown(value))
end

--- Removes from a message the place that raising it in this call added.
function M.without_place(message)
  local place = core.where()
  return message:sub(1, #place) == place and message:sub(#place + 1) or message
end

--- Calls f(...) as pcall does, but lets interrupts pass, and all that is raised as no text.
-- @return true and what f returns; or false, message
function M.try(f, ...)
  local results = table.pack(pcall(f, ...))
  if not results[1] and type(results[2]) ~= "string" then error(results[2], 0) end
  return table.unpack(results, 1, results.n)
end

--- Calls f(...) and raises its error messages as messages of `what`.
function M.within(what, f, ...)
  local results = table.pack(M.try(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local message = M.without_place(results[2])
  M.raise("%s: %s", what, message:match "^bad argument #%d+ to '[^']*' %((.*)%)$" or message)
end

return setmetatable(M, {__call = function(_, ...) M.raise(...) end})
