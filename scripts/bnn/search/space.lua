--- Search spaces: which values the parameters of a sweep may take.
--
--     local space = bnn.space{
--       beta = {1, 0.1, 0.01},                       -- one of a list
--       logvar = bnn.space.uniform(-10, -1),
--       lr = bnn.space.log(1e-4, 1e-2),              -- uniform in the logarithm
--       layers = bnn.space.integer(1, 4),
--       dropout = bnn.space.range(0, 0.5, 0.1),
--       hidden = bnn.space.choice{{64, 64}, {400, 400}},
--       optimizer = {"adam", "sgd"},
--       momentum = bnn.space.conditional("optimizer", "sgd", bnn.space.uniform(0, 0.99)),
--       steps = 1000,                                -- always this
--       function(cfg) return cfg.beta > cfg.lr end,  -- a constraint
--     }
--
-- A text is a domain as the command line writes it: lr = "log:1e-4:1e-2", as bnn.space.parse reads
-- it. Parameters are in alphabetical order, except that one with a condition follows its parent.
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local nearest = require "bnn.base.nearest"
local options = require "bnn.base.options"
local space_domain = require "bnn.search.space_domain"
local space_kinds = require "bnn.search.space_kinds"
local space_text = require "bnn.search.space_text"
local strings = require "bnn.base.strings"
local values = require "bnn.search.space_values"

local M = {}

local Space = {__name = "bnn.space"}
Space.__index = Space

local function make(kind, ...)
  local domain, fault = space_kinds.make(kind, {...})
  if not domain then fail("bnn.space.%s: %s", kind, fault) end
  return domain
end

--- Makes the domain of the numbers from low to high, all equally likely.
--     bnn.space.uniform(-10, -1)
-- @param low number
-- @param high number, more than low; both included
-- @return domain
-- Raises if the bounds are not so.
function M.uniform(low, high) return make("uniform", low, high) end

--- Makes the domain of the numbers from low to high whose logarithms are equally likely: for what
-- spans orders of magnitude.
--     bnn.space.log(1e-4, 1e-2)
-- @param low number above 0
-- @param high number, more than low; both included
-- @return domain
-- Raises if the bounds are not so.
function M.log(low, high) return make("log", low, high) end

--- Makes the domain of the integers from low to high.
--     bnn.space.integer(1, 8)                 -- 1, 2, ..., 8
--     bnn.space.integer(8, 64, 8)             -- 8, 16, ..., 64
--     bnn.space.integer(1, 64, "log")         -- small ones are likelier, as with bnn.space.log
-- @param low integer; at least 1 for "log"
-- @param high integer, at least low
-- @param step integer, 1; or "log"
-- @return domain
-- Raises if the bounds are not so.
function M.integer(low, high, step) return make("integer", low, high, step) end

--- Makes the domain of the numbers low, low + step, ... up to high: integers if low and step are
-- integers.
--     bnn.space.range(0, 0.5, 0.1)            -- 0.0, 0.1, 0.2, 0.3, 0.4, 0.5
-- @param low number
-- @param high number, more than low
-- @param step number above 0
-- @return domain
-- Raises if the bounds are not so.
function M.range(low, high, step) return make("range", low, high, step) end

--- Makes the domain of the values in a list, without an order; the list alone means the same.
--     bnn.space.choice{{64, 64}, {400, 400}}
-- @param list of different numbers, texts, booleans, or lists of these
-- @return domain
-- Raises if the list is empty, or a value is there twice or of another kind.
function M.choice(list)
  local domain, fault = space_kinds.make("choice", list)
  if not domain then fail("bnn.space.choice: %s", fault) end
  return domain
end

-- A domain from what users write in its place; or nil, what is wrong.
local function to_domain(v)
  if space_domain.is(v) then return v end
  if type(v) == "string" then return space_text.domain(v) end
  local meta = getmetatable(v)
  local is_plain = type(v) == "table" and (not meta or meta.is_plain)
  local is_list = is_plain and (#v > 0 or next(v) == nil)
  return space_kinds.make("choice", is_list and v or {v})
end

--- Makes the domain of a parameter that exists only while another has one of some values.
--     bnn.space.conditional("optimizer", "sgd", bnn.space.uniform(0, 0.99))
--     bnn.space.conditional("layers", {2, 3}, {16, 32, 64})
-- @param parent string: the other parameter; it may be conditional itself
-- @param when value of the parent, or a list of values
-- @param domain a domain, or a list of values
-- @return domain
-- Raises if the domain has a condition already, or a value cannot be one.
function M.conditional(parent, when, domain)
  expect.string("bnn.space.conditional: parent", parent, "the name of a parameter")
  local is_list = type(when) == "table" and #when > 0
  local list, fault = space_kinds.make("choice", is_list and when or {when})
  if not list then fail("bnn.space.conditional: values of the parent: %s", fault) end
  domain, fault = to_domain(domain)
  if not domain then fail("bnn.space.conditional: %s", fault) end
  if domain.parent then
    fail("bnn.space.conditional: expected a domain without a condition, got one under %s",
      domain.parent)
  end
  return space_kinds.under(domain, parent, list.choices)
end

-- What is wrong with a parameter's condition, or nil.
local function condition_fault(domain, domains)
  if not domain.parent then return nil end
  local parent = domains[domain.parent]
  if not parent then
    local near = nearest.find(domain.parent, options.sorted_names(domains))
    return strings.message("there is no parameter '%s' for its condition%s", domain.parent,
      near and (" (did you mean %s?)"):format(near) or "")
  end
  for _, v in ipairs(domain.parent_values) do
    if not parent:has(v) then
      return strings.message("%s is never %s: it is %s", domain.parent, values.text(v),
        tostring(parent))
    end
  end
end

-- The names, each after its parent; or nil, one that is its own ancestor.
local function in_order(domains)
  local order, placed, names = {}, {}, options.sorted_names(domains)
  while #order < #names do
    local before = #order
    for _, name in ipairs(names) do
      local parent = domains[name].parent
      if not placed[name] and (not parent or placed[parent]) then
        order[#order + 1], placed[name] = name, true
        break
      end
    end
    if #order == before then
      for _, name in ipairs(names) do
        if not placed[name] then return nil, name end
      end
    end
  end
  return order
end

-- A space of domains by name and a list of constraints; or nil, message.
local function build(domains, constraints)
  for _, name in ipairs(options.sorted_names(domains)) do
    local fault = condition_fault(domains[name], domains)
    if fault then return nil, name .. ": " .. fault end
  end
  local order, circle = in_order(domains)
  if not order then return nil, circle .. ": its condition depends on itself" end
  if #order == 0 then return nil, "expected at least one parameter, got none" end
  local parameters = {}
  for i, name in ipairs(order) do parameters[i] = {name = name, domain = domains[name]} end
  return setmetatable({parameters = parameters, domains = domains, constraints = constraints},
    Space)
end

-- The domains of a table by name and the functions of its list part; raises.
local function read_table(given)
  local domains, constraints = {}, {}
  for i, f in ipairs(given) do
    if not options.accept(f, "function") then
      fail.expected("bnn.space: constraint " .. i, "a function of the configuration", f)
    end
    constraints[i] = f
  end
  for name, v in pairs(given) do
    if type(name) == "string" then
      local domain, fault = to_domain(v)
      if not name:find "^[%a_][%w_.]*$" then fault = "it cannot be the name of a parameter" end
      if fault then fail("bnn.space: %s: %s", name, fault) end
      domains[name] = domain
    elseif not constraints[name] then
      fail("bnn.space: expected names of parameters, got %s", kinds.show(name))
    end
  end
  return domains, constraints
end

--- Makes a search space, as bnn.space{...} does; a space is returned as it is.
--     bnn.space.new{lr = bnn.space.log(1e-4, 1e-2), width = {32, 64}}
-- @param given table: name -> domain, list of values, value or text; its list part holds
--   constraints: functions of a configuration that return whether it is allowed
-- @return space
-- Raises if a parameter's values make no domain, or a condition names no parameter.
function M.new(given)
  if getmetatable(given) == Space then return given end
  expect.plain_table("bnn.space", given, "a table of parameters")
  local space, fault = build(read_table(given))
  if not space then fail("bnn.space: %s", fault) end
  return space
end

--- Reads a search space from the words of a command line.
--     bnn.space.parse{"beta=1,0.1,0.01", "lr=log:1e-4:1e-2", "n=integer:1:64:log"}
--     bnn.space.parse "optimizer=adam,sgd momentum=uniform:0:0.99@optimizer=sgd"
-- @param texts list of NAME=VALUES or NAME=KIND:ARGUMENTS, or these in one text with blanks
--   between; @PARENT=VALUES at the end is a condition; values with special characters are JSON
-- @return space; or nil, message
function M.parse(texts)
  if type(texts) == "string" then texts = values.split(texts, "%s") end
  expect.plain_table("bnn.space.parse: texts", texts, "a text or a list of texts")
  local domains = {}
  for i, text in ipairs(texts) do
    expect.string("bnn.space.parse: text " .. i, text)
    local name, domain = space_text.parameter(text)
    if text ~= "" and not name then return nil, domain end
    if text ~= "" and domains[name] then return nil, name .. ": given twice" end
    if text ~= "" then domains[name] = domain end
  end
  return build(domains, {})
end

-- Whether a parameter exists in a configuration that has its parents.
local function is_active(domain, cfg)
  return not domain.parent or cfg[domain.parent] ~= nil
    and values.index(cfg[domain.parent], domain.parent_values) ~= nil
end

--- Builds a configuration, parameter by parameter, parents first.
--     local space = bnn.space{a = {1, 2}, b = {3, 4}}
--     space:build(function(name, domain, place, cfg) return domain:value(2) end) -- {a = 2, b = 4}
-- @param choose function(name, domain, place, cfg so far) -> value
-- @return table: name -> value, without the parameters whose condition does not hold
function Space:build(choose)
  local cfg = {}
  for i, parameter in ipairs(self.parameters) do
    local name, domain = parameter.name, parameter.domain
    if is_active(domain, cfg) then cfg[name] = choose(name, domain, i, cfg) end
  end
  return cfg
end

--- The configuration at a point of the unit cube.
--     local space = bnn.space{lr = bnn.space.log(1e-4, 1e-2), width = {32, 64}}
--     space:at{lr = 0.5, width = 0.9}          -- {lr = 0.001, width = 64}
-- @param point table: name -> number in [0, 1); or function(name, place) -> number
-- @return table: name -> value, without the parameters whose condition does not hold
function Space:at(point)
  local is_function = options.accept(point, "function")
  return self:build(function(name, domain, i)
    return domain:at(is_function and point(name, i) or point[name])
  end)
end

--- Whether a configuration satisfies the constraints.
--     local space = bnn.space{a = {1, 2}, function(cfg) return cfg.a > 1 end}
--     print(space:allows{a = 1}) --> false
-- @param cfg table: a value for each parameter by name
-- @return boolean
function Space:allows(cfg)
  for _, constraint in ipairs(self.constraints) do
    if not constraint(values.copy(cfg)) then return false end
  end
  return true
end

-- What is wrong with a parameter of a configuration, or nil.
local function value_fault(parameter, cfg)
  local name, domain, v = parameter.name, parameter.domain, cfg[parameter.name]
  if is_active(domain, cfg) then
    if v ~= nil and domain:has(v) then return nil end
    return strings.message("%s: expected a value of %s, got %s", name, tostring(domain),
      kinds.show(v))
  end
  if v == nil then return nil end
  return strings.message("%s: expected nothing, as %s is %s, got %s", name, domain.parent,
    kinds.show(cfg[domain.parent]), kinds.show(v))
end

--- Checks that a configuration is one of the space: its parameters, their domains, conditions and
-- the constraints.
--     local ok, why = bnn.space{a = {1, 2}}:check{a = 3}
-- @param cfg table: a value for each parameter by name
-- @return true; or nil, message
function Space:check(cfg)
  if type(cfg) ~= "table" then return nil, "expected a table, got " .. kinds.show(cfg) end
  for name in pairs(cfg) do
    if not self.domains[name] then
      return nil, strings.message("'%s' is not a parameter of the space", tostring(name))
    end
  end
  for _, parameter in ipairs(self.parameters) do
    local fault = value_fault(parameter, cfg)
    if fault then return nil, fault end
  end
  if not self:allows(cfg) then return nil, "a constraint does not hold" end
  return true
end

-- The values that each parameter has on a grid; or nil, message.
local function grid_values(self, points)
  local lists = {}
  for i, parameter in ipairs(self.parameters) do
    if not parameter.domain:count() and not points then
      return nil, strings.message("%s is continuous (%s): give points=, how many of its values",
        parameter.name, tostring(parameter.domain))
    end
    lists[i] = parameter.domain:grid(points)
  end
  return lists
end

-- Calls visit with each configuration that takes its values from lists, from parameter i on.
local function each(self, lists, i, cfg, visit)
  local parameter = self.parameters[i]
  if not parameter then return visit(cfg) end
  if not is_active(parameter.domain, cfg) then return each(self, lists, i + 1, cfg, visit) end
  local go_on = true
  for _, v in ipairs(lists[i]) do
    cfg[parameter.name] = v
    go_on = go_on and each(self, lists, i + 1, cfg, visit)
  end
  cfg[parameter.name] = nil
  return go_on
end

--- Lists every configuration in which continuous parameters have `points` evenly spaced values. The
-- last parameter changes fastest. Those that a constraint excludes are left out.
--     local space = bnn.space{a = {1, 2}, b = bnn.space.uniform(0, 1)}
--     local count = #space:grid(3) --> 6
-- @param points integer, or nil where no parameter is continuous
-- @param most integer, 100000: larger grids are refused
-- @return list of tables; or nil, message
function Space:grid(points, most)
  most = most or 100000
  local lists, fault = grid_values(self, points)
  if not lists then return nil, fault end
  local list, total = {}, 0
  local whole = each(self, lists, 1, {}, function(cfg)
    total = total + 1
    if total <= most and self:allows(cfg) then list[#list + 1] = values.copy(cfg) end
    return total <= most
  end)
  if not whole then return nil, ("the grid has more than %d points"):format(most) end
  return list
end

--- Describes the space as plain data, for records: {parameters = {{name =, kind =, ...}, ...},
-- constraints = how many}.
--     local name = bnn.space{a = {1, 2}}:describe().parameters[1].name --> "a"
-- @return table
function Space:describe()
  local list = {}
  for i, parameter in ipairs(self.parameters) do
    list[i] = parameter.domain:describe()
    list[i].name = parameter.name
  end
  return {parameters = list, constraints = #self.constraints}
end

-- The space in one line, which bnn.space.parse reads back; constraints are not in it.
function Space:__tostring()
  local texts = {}
  for i, parameter in ipairs(self.parameters) do
    texts[i] = parameter.name .. "=" .. tostring(parameter.domain)
  end
  return table.concat(texts, " ")
end

-- Two spaces are equal if their parameters are, and the number of their constraints.
function Space.__eq(a, b)
  return getmetatable(a) == getmetatable(b) and tostring(a) == tostring(b)
    and #a.constraints == #b.constraints
end

return setmetatable(M, {__call = function(_, given) return M.new(given) end})
