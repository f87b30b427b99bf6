--- What lower rooms tell the record of a run, if there is one: a data set that was loaded, a figure
-- that was drawn, that time passes. Nobody listens unless a run is recorded.
local M = {}

local listener

--- Sets who listens: a table of functions by event, {data = function(set), figure =
-- function(path), pulse = function(step)}; nil: nobody.
function M.listen(to) listener = to end

--- Tells of an event.
-- @param event string: "data", "figure" or "pulse"
function M.tell(event, ...)
  if listener and listener[event] then listener[event](...) end
end

return M
