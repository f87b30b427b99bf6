--- Checks arguments that are models or parts of models: params, posteriors, networks, data.
--
-- Messages are "bnn.predict: model.posterior: expected a posterior, got params", raised at the
-- user's line.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"

local M = {}

--- Returns params, or raises.
function M.params(what, value)
  if parameters.is(value) then return value end
  fail.expected(what, "params, as net:init returns them", value)
end

--- Returns params that steps can change in place, because they have their own buffer, or raises.
function M.buffer(what, value)
  M.params(what, value)
  if parameters.has_buffer(value) then return value end
  fail("%s are views of other params, which steps cannot change: params:clone() copies them", what)
end

--- Returns a model's parameters: its posterior, or its params.
-- @param model an objective, or a table {net=, posterior= or params=}
function M.parameters_of(what, model)
  local is_table = type(model) == "table" and not parameters.is(model)
  local posterior = is_table and model.posterior
  if posterior and kinds.is_object(posterior, "posterior") then return posterior end
  if is_table and not posterior and parameters.is(model.params) then return model.params end
  if posterior then fail.expected(what .. ": model.posterior", "a posterior", posterior) end
  if is_table and model.params ~= nil then
    fail.expected(what .. ": model.params", "params, as net:init returns them", model.params)
  end
  fail.expected(what .. ": model", "an objective, or a table {net=, posterior= or params=}", model)
end

--- Returns a network, which has init and apply, or raises.
function M.net(what, value)
  if type(value) == "table" and not parameters.is(value) and options.accept(value.apply, "function")
  then
    return value
  end
  fail.expected(what, "a network with apply(params, x, opts), such as those of bnn.nn", value)
end

--- Returns data, a part of a data set or {x=, y=}, or raises.
function M.data(what, value)
  local is_good = type(value) == "table" and not parameters.is(value) and value.x ~= nil
  if not is_good then fail.expected(what, "a part of a data set, or {x=, y=}", value) end
  if kinds.is_object(value, "data") then return value end
  named_tensors.check(what .. ": x", value.x)
  if value.y ~= nil then named_tensors.check(what .. ": y", value.y) end
  return value
end

--- Returns a part of a data set (as bnn.data.from_tensors makes it), or raises.
function M.part(what, value)
  if kinds.is_object(value, "data") then return value end
  fail.expected(what, "a part of a data set, as bnn.data.from_tensors makes it", value)
end

--- Makes the methods of a class raise if they are called on something else, as q.sample(key)
-- instead of q:sample(key).
-- @param class table of functions, which are replaced
-- @param kind string: "posterior", the name in messages
-- @param has function(self) -> whether self is an object of the class
function M.check_methods(class, kind, has)
  for name, method in pairs(class) do
    if type(method) == "function" and not name:find "^__" then
      class[name] = function(self, ...)
        if not has(self) then
          fail.expected(("%s:%s"):format(kind, name), kinds.text(kind) .. " before the colon", self)
        end
        return method(self, ...)
      end
    end
  end
end

--- Whether a value is a table (but not Params) that has this field.
function M.has(field)
  return function(value)
    return type(value) == "table" and not parameters.is(value) and value[field] ~= nil
  end
end

return M
