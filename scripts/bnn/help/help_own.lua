--- What help says of values that are not the library's: functions of a user, with the comment
-- above them in their file, and those of Lua.
local docstrings = require "bnn.help.docstrings"
local strings = require "bnn.base.strings"

local M = {}

local MANUAL = "https://www.lua.org/manual/5.4/manual.html#pdf-"
local LIBRARIES = {"_G", "coroutine", "debug", "io", "math", "os", "package", "string", "table",
                   "utf8"}

local of_lua -- function -> its name in Lua's manual

local function names_of_lua()
  if of_lua then return of_lua end
  of_lua = {}
  for _, library in ipairs(LIBRARIES) do
    local prefix = library == "_G" and "" or library .. "."
    for name, value in next, package.loaded[library] do
      local is_of_c = type(value) == "function" and debug.getinfo(value, "S").what == "C"
      if is_of_c and type(name) == "string" then of_lua[value] = of_lua[value] or prefix .. name end
    end
  end
  return of_lua
end

-- "f(a, b, ...)" of a function of Lua.
local function call_text(name, f)
  local info, names = debug.getinfo(f, "u"), {}
  for i = 1, info.nparams do names[i] = debug.getlocal(f, i) end
  if info.isvararg then names[#names + 1] = "..." end
  return ("%s(%s)"):format(name, table.concat(names, ", "))
end

--- The name under which the globals have a value, or nil.
function M.global_name(value)
  for name, other in next, _G do
    if rawequal(other, value) and type(name) == "string" then return name end
  end
end

-- The lines of a file of the user's; none of a text that was typed.
local function lines_of(source)
  local file, lines = source:find "^@" and io.open(source:sub(2), "r"), {}
  if not file then return lines end
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  return lines
end

--- The lines of help on a function that the library does not document, or nil.
-- @param f function
function M.lines(f)
  local name = names_of_lua()[f]
  if name then return {("%s is a function of Lua: %s%s"):format(name, MANUAL, name)} end
  local info = debug.getinfo(f, "S")
  if info.what == "C" or info.source:find "^[@=]scripts/bnn" then return nil end
  local lines = {call_text(M.global_name(f) or "function", f)}
  for _, line in ipairs(docstrings.comment_above(lines_of(info.source), info.linedefined)) do
    lines[#lines + 1] = "  " .. strings.shown(line)
  end
  local place = strings.shown(info.short_src)
  lines[#lines + 1] = ("  Defined in: %s:%d"):format(place, info.linedefined)
  return lines
end

--- The lines on a name of Lua's libraries, "string.format" or "print", or nil.
function M.of_lua(name)
  local library, field = name:match "^([%w_]+)%.([%w_]+)$"
  local owner = package.loaded[library or "_G"]
  local value = type(owner) == "table" and rawget(owner, field or name)
  return type(value) == "function" and names_of_lua()[value] and M.lines(value) or nil
end

return M
