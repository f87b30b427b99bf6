--- One tensor, or several by name: what the inputs x and the targets y of data are, and what a
-- network of several targets returns.
--
-- Several are a table name -> tensor, each with a row for each example: x.image, x.table. Their
-- order, where one is needed, is that of their names.
local describe = require "bnn.base.describe"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

local KIND = "named tensors"

local function is_tensor(value) return kinds.is_object(value, "tensor") end

--- Whether a value is several by name: a table with names that is no object of another kind.
function M.is_named(value)
  if type(value) ~= "table" then return false end
  if getmetatable(value) == nil then return type((next(value))) == "string" end
  return kinds.is_object(value, KIND)
end

--- The names of several tensors in their order; nil of one.
function M.names(value) return M.is_named(value) and options.sorted_names(value) or nil end

local function called(value) return "tensors by name (" .. describe.names(value) .. ")" end

--- Gives a table of tensors by name its class, which print shows.
function M.named(value) return describe.as(KIND, value, called) end

--- Maps each tensor by f(tensor, name), the name nil of one that has none; nil stays nil.
function M.map(value, f)
  if value == nil then return nil end
  if not M.is_named(value) then return f(value, nil) end
  local mapped = {}
  for _, name in ipairs(M.names(value)) do mapped[name] = f(value[name], name) end
  return M.named(mapped)
end

--- Calls f(tensor, what) for each, `what` as messages call it: "x" of one, "x.image" of several.
-- @param what string: "x"
function M.each(what, value, f)
  if value == nil then return end
  if not M.is_named(value) then return f(value, what) end
  for _, name in ipairs(M.names(value)) do f(value[name], what .. "." .. name) end
end

--- Any of them: all have as many rows.
function M.first(value)
  if not M.is_named(value) then return value end
  return value[M.names(value)[1]]
end

--- How many rows there are.
function M.rows(value) return M.first(value):size(1) end

--- "f32 [5, 2]", or "{image u8 [5, 28, 28], table f32 [5, 3]}".
function M.text(value)
  local function text(tensor) return tensor:dtype() .. " " .. shapes.text(tensor) end
  local names = M.names(value)
  if not names then return text(value) end
  local parts = {}
  for i, name in ipairs(names) do parts[i] = name .. " " .. text(value[name]) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- Raises unless a name can be one of an input or a target.
local function check_name(what, name)
  if type(name) ~= "string" then
    fail("%s: expected tensors by name, got an entry %s", what, kinds.show(name))
  elseif not name:find "^[%a_][%w_]*$" or name == "x" then
    fail('%s: expected names such as "image" (letters, digits and _, not x), got %s', what,
      kinds.show(name))
  end
end

-- Raises that a tensor was expected; of a list of numbers says what makes one.
local function refuse(what, wanted, value)
  local is_list = kinds.is_plain(value) and type(value[1]) ~= "userdata" and value[1] ~= nil
  if is_list then
    fail("%s: expected %s, got a list, of which bnn.tensor makes one", what, wanted)
  end
  fail.expected(what, wanted, value)
end

--- Returns one tensor [n, ...] or several with as many rows, or raises.
-- @param what string: "bnn.data.from_tensors: x"
-- @param value any
-- @param n integer: how many rows each tensor must have; nil: any number, the same for all
function M.check(what, value, n)
  if not is_tensor(value) and not M.is_named(value) then
    refuse(what, "a tensor, or tensors by name, {image = tensor, table = tensor}", value)
  end
  for name in pairs(M.is_named(value) and value or {}) do check_name(what, name) end
  M.each(what, value, function(tensor, own)
    if not is_tensor(tensor) then refuse(own, "a tensor", tensor) end
    local rows = tensor:dim() > 0 and tensor:size(1)
    if not rows then fail("%s: expected [n, ...], got a scalar", own) end
    n = n or rows
    if rows ~= n then fail("%s: expected %d rows, got %s", own, n, shapes.text(tensor)) end
  end)
  return value
end

--- Returns one tensor, or raises for several: for what is made of one.
-- @param what string: "bnn.data.standardise: x"
function M.single(what, value)
  local names = M.names(value)
  if not names then return value end
  fail("%s: expected one tensor, got several (%s)", what, table.concat(names, ", "))
end

--- Both as lists: the tensors of {x=, y=, weight=} in the order in which they feed a program, and
-- {name, role} of each.
function M.sources(data)
  local tensors, feeds = {}, {}
  for _, role in ipairs{"x", "y", "weight"} do
    M.each(role, data[role], function(tensor, name)
      tensors[#tensors + 1] = tensor
      feeds[#feeds + 1] = {name, role}
    end)
  end
  return tensors, feeds
end

return M
