--- Tables from a query of a database.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local number = require "bnn.base.number"
local strings = require "bnn.base.strings"
local table_class = require "bnn.data.tables.table_class"
local table_columns = require "bnn.data.tables.table_columns"
local table_file = require "bnn.data.tables.table_file"
local table_like = require "bnn.data.tables.table_like"
local table_notice = require "bnn.data.tables.table_notice"

local M = {}

local SPEC = {params = "table"}
for _, name in ipairs{"types", "categories", "missing", "like", "optional"} do
  SPEC[name] = table_file.SPEC[name]
end

-- The rows of a query, lists with holes where a value is NULL, and the columns' names; or nil,
-- message.
local function run(database, query, params)
  local db <close>, fault = core.sql_open(database)
  if not db then return nil, fault end
  local rows, names = db:run(query, table.unpack(params, 1, params.n or #params))
  if not rows then return nil, strings.message("%s: %s", database, names) end
  if #names == 0 or #rows == 0 then
    return nil, strings.message("%s: the query gives no rows", database)
  end
  return rows, names
end

-- The values of column k, nil where one is missing; or nil, fault.
local function values_of(database, rows, k, name, kind, missing)
  local values = {}
  for i, row in ipairs(rows) do
    local v = row[k]
    if v ~= nil and missing[number.text(v)] then v = nil end
    if kind == "number" and type(v) == "string" then
      v = number.parse(v)
      if not v then
        return nil, strings.message("%s: row %d, column %d '%s': '%s' is not a number", database, i,
          k, name, row[k])
      end
    end
    values[i] = v
  end
  return values
end

-- Which columns there are to be, in their order: a list of {name=, at=}, with kinds and categories
-- by place; or nil, fault.
local function plan_of(database, names, opts)
  if opts.like then
    local given = {like = opts.like, optional = opts.optional, types = opts.types, header = true}
    return table_like.plan(database, names, true, given)
  end
  local plan, fault = table_file.said(database, names, opts)
  if not plan then return nil, fault end
  plan.order = {}
  for k, name in ipairs(names) do
    if plan.kinds[k] ~= "ignore" then plan.order[#plan.order + 1] = {name = name, at = k} end
  end
  return plan
end

local function make_columns(database, rows, plan, missing)
  local specs = {}
  for i, row in ipairs(plan.order) do
    local kind = plan.kinds[row.at]
    local values, fault = values_of(database, rows, row.at, row.name, kind, missing)
    if not values then return nil, fault end
    specs[i] = {name = row.name, values = values, kind = kind,
                categories = kind == "category" and plan.categories[row.at] or nil}
  end
  local ok, columns = fail.try(table_columns.from_lua, database, specs, #rows)
  if not ok then return nil, fail.without_place(columns) end
  return columns
end

--- Runs a query; bnn.data.sql documents it.
-- @param what string: the function, for messages
-- @return table of bnn.data.table; or nil, message
function M.read(what, database, query, opts)
  opts = table_file.checked(what, opts, SPEC)
  local rows, names = run(database, query, opts.params or {})
  if not rows then return nil, names end
  local plan, fault = plan_of(database, names, opts)
  if not plan then return nil, fault end
  local missing = {}
  for _, text in ipairs(opts.missing or {}) do missing[text] = true end
  local columns
  columns, fault = make_columns(database, rows, plan, missing)
  if not columns then return nil, fault end
  table_notice.say_absent(database, plan.absent or {})
  return table_class.new(columns, #rows, database)
end

return M
