--- Refusals: the ends of a program that are no fault of its code. bnnlua prints the message alone
-- and exits with status 1; pcall catches it like any error.
local M = {}

--- Gives the value and what follows it, or ends the program with one line when it is nil or false:
-- `local data = bnn.demand(bnn.data.load("mnist", {dir = cfg.data}))`.
-- What is raised is a refusal: bnnlua prints its message without a traceback and exits with status
-- 1.
function M.demand(value, message, ...)
  if value then return value, message, ... end
  error(require "bnn.signal".refusal(tostring(message or "refused"), 1), 0)
end

-- While the program is an experiment: what its end is to be refused with.
local late

--- Ends the program with one line and status 1, as `demand` does, but only after the results where
-- the program is an experiment: for what went wrong beside them.
function M.refuse_late(message)
  if not late then M.demand(nil, message) end
  late[#late + 1] = message
end

--- Keeps what `refuse_late` is told until the function has run, then refuses with it.
function M.collect_late(f, ...)
  late = {}
  f(...)
  M.demand(not late[1], table.concat(late, "; "))
end

return M
