--- What lower rooms tell the record of a run, if there is one: a data set that was loaded, a figure
-- that was drawn, that time passes, that a training went on from a checkpoint. Nobody listens
-- unless a run is recorded.
local core = require "bnn.core"

local M = {}

local listener

--- Sets who listens: a table of functions by event, {data = function(set), figure =
-- function(path), pulse = function(step), resumed = function(path, step)}; nil: nobody.
function M.listen(to) listener = to end

--- Tells of an event.
-- @param event string: "data", "figure", "pulse" or "resumed"
function M.tell(event, ...)
  if listener and listener[event] then listener[event](...) end
end

core.on_fork(function() listener = nil end) -- what a child does is no part of its parent's run

return M
