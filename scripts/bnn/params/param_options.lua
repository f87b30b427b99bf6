--- Options per parameter: values that may differ from tensor to tensor.
--
-- Such an option is one value for every tensor, or a table of values by path. A name stands for the
-- tensor of that path and for all tensors below it ("mlp/linear_0" for its w and b). The longest
-- matching name wins, and `default` covers the rest: {["mlp/linear_2"] = 1e-3, default = 1e-4}.
local fail = require "bnn.base.fail"
local nearest = require "bnn.base.nearest"

local M = {}

--- Whether `name` is the path itself or a prefix of it that ends at a "/".
function M.covers(name, path)
  return path == name or path:sub(1, #name + 1) == name .. "/"
end

-- An option given by path; objects that can be called are values.
local function is_table(given)
  return type(given) == "table" and not getmetatable(given)
end

--- The value of an option for a tensor; nil if a table has no value for it.
function M.value(given, path)
  if not is_table(given) then return given end
  local best, value = -1, given.default
  for name, v in pairs(given) do
    if name ~= "default" and #name > best and M.covers(name, path) then best, value = #name, v end
  end
  return value
end

-- The paths of tensors and of all the layers that they lie in.
local function with_layers(names)
  local all, seen = {}, {}
  for _, path in ipairs(names) do
    while path and not seen[path] do
      all[#all + 1], seen[path] = path, true
      path = path:match "^(.*)/"
    end
  end
  return all
end

-- The message for a name that no tensor has.
local function unknown(what, name, names)
  local near = nearest.find(name, with_layers(names))
  local hint = near and (": did you mean '%s'?"):format(near) or ""
  return ("%s names '%s', which the parameters lack%s"):format(what, name, hint)
end

local function is_used(name, names)
  for _, path in ipairs(names) do
    if M.covers(name, path) then return true end
  end
  return name == "default"
end

--- Describes what is wrong with an option given by path, or returns nil: a name that matches no
-- tensor, or a tensor that no name matches.
-- @param what string: the option's name
-- @param names list: the paths of the tensors that need a value
function M.fault(what, given, names)
  if not is_table(given) then return nil end
  for name in pairs(given) do
    if type(name) ~= "string" then
      return ("%s: expected a table by path, got a list"):format(what)
    end
    if not is_used(name, names) then return unknown(what, name, names) end
  end
  for _, path in ipairs(names) do
    if M.value(given, path) == nil then
      return ("%s has nothing for '%s': default = is for the rest"):format(what, path)
    end
  end
end

--- Whether only= says yes to a tensor.
-- @param only list of paths or layers, function(path, shape) -> boolean, or nil: to all
function M.is_among(only, path, shape)
  if only == nil then return true end
  if type(only) ~= "table" then return only(path, shape) end
  for _, name in ipairs(only) do
    if M.covers(name, path) then return true end
  end
  return false
end

--- Raises for a path of only= that matches none of the names.
function M.check_only(what, only, names)
  for _, name in ipairs(type(only) == "table" and only or {}) do
    local fault = M.fault("only", {[name] = true, default = true}, names)
    if fault then fail("%s: %s", what, fault) end
  end
end

return M
