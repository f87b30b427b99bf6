--- Schedules of flags that cannot know their steps yet; bnn.schedule.with_steps ends the waiting.
local fail = require "bnn.base.fail"

local M = {}

local text_of = setmetatable({}, {__mode = "k"}) -- the function that waits -> its text

--- Makes the function of a schedule's text, which raises when it is called.
function M.new(text)
  local function wait()
    fail("schedule %s: expected bnn.schedule.with_steps to say where it ends, got nothing", text)
  end
  text_of[wait] = text
  return wait
end

--- The text of a function that waits; nil of any other value.
function M.text(schedule) return text_of[schedule] end

return M
