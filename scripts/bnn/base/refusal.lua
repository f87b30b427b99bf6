--- Refusals: errors that end a program although its code is right, such as missing data. bnnlua
-- prints the message alone and exits with status 1; pcall catches it like any error.
local M = {}

--- Returns its arguments like assert or, if the first is nil or false, ends the program.
--     local data = bnn.assert_or_exit(bnn.data.load("mnist", {dir = cfg.data_dir}))
-- It raises a refusal: bnnlua prints the message without a traceback and exits with status 1.
-- @param value any value, such as the first result of bnn.data.load
-- @param message string: what is printed when value is nil or false
-- @return value, message and what follows them
function M.assert_or_exit(value, message, ...)
  if value then return value, message, ... end
  error(require "bnn.signal".refusal(tostring(message or "refused"), 1), 0)
end

-- While the program is an experiment: what its end is to be refused with.
local late

--- Ends the program as `assert_or_exit` does, but for an experiment only after its results: for
-- failures that do not invalidate the results.
function M.refuse_late(message)
  if not late then M.assert_or_exit(nil, message) end
  late[#late + 1] = message
end

--- As `refuse_late`, but outside of an experiment the program continues: for what has been said
-- already.
function M.fail_late(message)
  if late then late[#late + 1] = message end
end

--- Whether the program is an experiment that will end with a refusal after its results.
function M.is_late() return late ~= nil and late[1] ~= nil end

--- Runs a function, then ends the program with the first message given to `refuse_late`, if any.
function M.collect_late(f, ...)
  late = {}
  f(...)
  M.assert_or_exit(not late[1], table.concat(late, "; "))
end

return M
