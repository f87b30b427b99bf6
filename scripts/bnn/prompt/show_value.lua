--- How the prompt shows values: on a screen at most, and whatever code of the user's fails in it.
local core = require "bnn.core"
local style = require "bnn.prompt.prompt_style"
local show_object = require "bnn.prompt.show_object"
local show_table = require "bnn.prompt.show_table"

local M = {}

-- A value on its own line or lines; strings as they are.
local function text_of(v)
  if type(v) == "string" then return core.shown(v, true) end
  local object = show_object.text(v)
  return object and style.object(object) or show_object.module_text(v) or show_table.text(v)
end

--- The text of the values that a block gave: beside each other if each takes a line.
function M.results(...)
  local texts, is_one_line = {}, true
  for i = 1, select("#", ...) do
    texts[i] = text_of((select(i, ...)))
    is_one_line = is_one_line and not texts[i]:find "\n"
  end
  return table.concat(texts, is_one_line and "\t" or "\n")
end

return M
