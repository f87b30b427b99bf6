--- What is kept of each metric of a run: its last value, its least and its largest, with the steps.
local M = {}

--- Takes a value into the summaries.
-- @param metrics table: by name {value=, step=, least=, least_step=, most=, most_step=}
function M.note(metrics, step, name, v)
  local m = metrics[name] or {}
  metrics[name], m.value, m.step = m, v, step
  if type(v) ~= "number" or v ~= v then return end
  if not m.least or v < m.least then m.least, m.least_step = v, step end
  if not m.most or v > m.most then m.most, m.most_step = v, step end
end

return M
