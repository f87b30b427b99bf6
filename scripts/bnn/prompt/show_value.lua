--- How the prompt shows values: on a screen at most, and whatever code of the user's fails in it.
local core = require "bnn.core"
local style = require "bnn.prompt.prompt_style"
local show_object = require "bnn.prompt.show_object"
local show_records = require "bnn.prompt.show_records"
local show_table = require "bnn.prompt.show_table"

local M = {}

-- A value on its own line or lines; strings as they are.
local function text_of(v)
  if type(v) == "string" then return core.shown(v, true) end
  local object = show_object.text(v)
  if object then return style.object(object) end
  local names = show_object.module_text(v)
  if names then return names end
  local plain = show_table.text(v)
  return show_records.text(v, plain) or plain
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
