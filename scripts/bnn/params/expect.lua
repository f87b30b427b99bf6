--- What kind of value an argument is: the checks and the words for what public functions take.
--
-- Messages are "bnn.predict: model.posterior: expected a posterior, got params". Each function
-- raises at the caller of the function that calls it, or at `level`, as for `error`.
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"

local M = {}

--- Raises "what: expected <wanted>, got <kind of value>".
function M.fail(what, wanted, value, level)
  error(("%s: expected %s, got %s"):format(what, wanted, kinds.shown(value)), level or 3)
end

local function is_tensor(value) return kinds.is_object(value, "tensor") end

--- Gives a tensor back, or raises that `wanted` was expected.
function M.tensor(what, value, wanted, level)
  if is_tensor(value) then return value end
  M.fail(what, wanted, value, (level or 3) + 1)
end

--- Gives a key back, or raises.
function M.key(what, value, level)
  if kinds.is_object(value, "key") then return value end
  M.fail(what, "a key", value, (level or 3) + 1)
end

--- Gives a string back, or raises that `wanted` was expected.
function M.string(what, value, wanted, level)
  if type(value) == "string" then return value end
  M.fail(what, wanted or "a string", value, (level or 3) + 1)
end

--- Gives a table that is no object back, or raises that `wanted` was expected.
function M.plain_table(what, value, wanted, level)
  if type(value) == "table" and not getmetatable(value) then return value end
  M.fail(what, wanted, value, (level or 3) + 1)
end

--- Gives a shape back, a list of sizes, or raises.
function M.shape(what, value, level)
  local is_list = type(value) == "table" and not getmetatable(value)
  for _, size in ipairs(is_list and value or {}) do
    is_list = is_list and options.accept(size, {type = "integer", min = 0})
  end
  if is_list then return value end
  M.fail(what, "a shape, as {784, 64}", value, (level or 3) + 1)
end

--- Gives params back, or raises.
function M.params(what, value, level)
  if parameters.is(value) then return value end
  M.fail(what, "params, as net:init gives them", value, (level or 3) + 1)
end

--- The same for params that steps are to change in place: their buffer is their own.
function M.buffer(what, value, level)
  M.params(what, value, (level or 3) + 1)
  if parameters.has_buffer(value) then return value end
  error(what .. " are parts of others that steps could not change: params:clone() makes params of "
    .. "their own", level or 3)
end

--- Gives a function (or what can be called) back, or raises.
function M.callable(what, value, level)
  if options.accept(value, "function") then return value end
  M.fail(what, "a function", value, (level or 3) + 1)
end

-- Whether a value has mu and perhaps logvar as a posterior does.
local function is_posterior(value)
  return type(value) == "table" and not parameters.is(value) and parameters.is(value.mu)
    and (value.logvar == nil or parameters.is(value.logvar))
end

--- The parameters of a model: its posterior's mean, or its params; and the log-variance's or nil.
-- @param model an objective, or a table {net=, posterior= or params=}
function M.parameters_of(what, model, level)
  level = (level or 3) + 1
  local is_table = type(model) == "table" and not parameters.is(model)
  local posterior = is_table and model.posterior
  if posterior and is_posterior(posterior) then return posterior.mu, posterior.logvar end
  if is_table and not posterior and parameters.is(model.params) then return model.params end
  if posterior then M.fail(what .. ": model.posterior", "a posterior", posterior, level) end
  if is_table and model.params ~= nil then
    M.fail(what .. ": model.params", "params, as net:init gives them", model.params, level)
  end
  M.fail(what .. ": model", "an objective, or a table {net=, posterior= or params=}", model, level)
end

--- Gives a network back: what has init and apply; or raises.
function M.net(what, value, level)
  if type(value) == "table" and not parameters.is(value) and options.accept(value.apply, "function")
  then
    return value
  end
  M.fail(what, "a network with apply(params, x, opts), as bnn.nn's have", value, (level or 3) + 1)
end

--- Gives data back: a part of a data set, or {x=, y=}; or raises.
function M.data(what, value, level)
  level = (level or 3) + 1
  local is_good = type(value) == "table" and not parameters.is(value) and is_tensor(value.x)
  if not is_good then M.fail(what, "a part of a data set, or {x=, y=}", value, level) end
  if value.x:dim() == 0 then error(what .. ": x is a scalar, expected rows [n, ...]", level - 1) end
  if value.y == nil or is_tensor(value.y) then return value end
  M.fail(what .. ": y", "a tensor", value.y, level)
end

--- Gives a part of a data set back (what bnn.data.part makes), or raises.
function M.part(what, value, level)
  if kinds.is_object(value, "data") then return value end
  M.fail(what, "a part of a data set, as bnn.data.part makes it", value, (level or 3) + 1)
end

--- Makes the methods of a class say so when they are called on something else, as q.sample(key)
-- does for q:sample(key).
-- @param class table of functions, which are replaced
-- @param kind string: "posterior", what messages call it
-- @param has function(self) -> whether it is one
function M.check_methods(class, kind, has)
  for name, method in pairs(class) do
    if type(method) == "function" and not name:find "^__" then
      class[name] = function(self, ...)
        if not has(self) then
          M.fail(("%s:%s"):format(kind, name), kinds.text(kind) .. " before the colon", self)
        end
        return method(self, ...)
      end
    end
  end
end

--- Whether a value is a table (but no Params) in which this field is there.
function M.has(field)
  return function(value)
    return type(value) == "table" and not parameters.is(value) and value[field] ~= nil
  end
end

return M
