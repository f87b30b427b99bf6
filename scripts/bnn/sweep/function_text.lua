--- A text that tells functions apart: their code, and the plain values that they have captured, in
-- tables and in functions of theirs as well. Objects and what modules hold are left out.
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"

local M = {}

local MOST = 2000 -- values that are looked at

-- What is not looked into: modules, which are the same for all.
local function modules()
  local seen = {[_G] = true}
  for _, module in pairs(package.loaded) do
    if type(module) == "table" then seen[module] = true end
  end
  return seen
end

local add

local function add_function(self, f)
  local ok, code = fail.try(string.dump, f, true)
  self[#self + 1] = ok and code or "in C"
  local i = 1
  while true do
    local name, v = debug.getupvalue(f, i)
    if not name then return end
    add(self, v)
    i = i + 1
  end
end

local function add_table(self, t)
  for i, v in ipairs(t) do add(self, i, v) end
  for _, name in ipairs(options.sorted_names(t)) do add(self, name, t[name]) end
end

function add(self, ...)
  for _, v in ipairs{...} do
    local kind = type(v)
    self.n = self.n + 1
    if kind == "number" or kind == "string" or kind == "boolean" then
      self[#self + 1] = ("%q"):format(v)
    elseif self.seen[v] or self.n > MOST then
      self[#self + 1] = kind
    elseif kind == "function" then
      self.seen[v] = true
      add_function(self, v)
    elseif kind == "table" and not getmetatable(v) then
      self.seen[v] = true
      add_table(self, v)
    end
  end
end

--- The text of a function.
function M.of(f)
  local self = {n = 0, seen = modules()}
  add_function(self, f)
  return table.concat(self, " ")
end

return M
