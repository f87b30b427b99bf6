--- Filters of runs: "status=completed", "beta<0.01", "test/accuracy>0.97", "name~sweep".
--
-- A name is a field of the run, a flag of its configuration, a metric (its last value), or `tag`;
-- least:NAME and most:NAME are a metric's extremes over the run.
local nearest = require "bnn.base.nearest"
local number = require "bnn.base.number"
local run_list = require "bnn.records.run_list"
local strings = require "bnn.base.strings"

local M = {}

local IS_FIELD = {}
for _, name in ipairs(run_list.FIELDS) do IS_FIELD[name] = true end

--- The value of a name for a run, or nil.
function M.value(run, name)
  if IS_FIELD[name] then return run[name] end
  if run.config[name] ~= nil then return run.config[name] end
  local metric = run.metrics[name]
  if metric then return metric.value end
  local which, of = name:match "^(%a+):(.+)$"
  if which ~= "least" and which ~= "most" then return nil end
  return run.metrics[of] and run.metrics[of][which]
end

local function equal(a, b, a_number, b_number)
  if a_number and b_number then return a_number == b_number end
  return number.text(a) == b
end

local COMPARE = {
  ["="] = equal,
  ["!="] = function(...) return not equal(...) end,
  ["<"] = function(_, _, a, b) return a and b and a < b end,
  ["<="] = function(_, _, a, b) return a and b and a <= b end,
  [">"] = function(_, _, a, b) return a and b and a > b end,
  [">="] = function(_, _, a, b) return a and b and a >= b end,
  ["~"] = function(a, b) return number.text(a):find(b, 1, true) ~= nil end,
}
local TIMES = {started = true, ended = true, heartbeat = true, id = true}

-- Times compare as texts.
local function compare_texts(op, a, b)
  if op == "<" or op == "<=" then return strings.before(a, b) or op == "<=" and a == b end
  return strings.before(b, a) or op == ">=" and a == b
end

--- Reads a filter.
-- @return {name=, op=, text=}; or nil, message
function M.parse(text)
  local name, op, value = text:match "^([^=<>!~]+)([=<>!~]=?)(.*)$"
  name = name and name:match "^%s*(.-)%s*$"
  if op == "==" then op = "=" end
  if not name or name == "" or not COMPARE[op] then
    return nil, strings.message("'%s': expected a filter such as status=completed, beta<0.01 or "
      .. "name~sweep", text)
  end
  value = value:match "^%s*(.-)%s*$"
  local is_order = op:find "[<>]" and not TIMES[name]
  if is_order and not number.parse(value) then
    return nil, strings.message("'%s': expected a number after %s, got '%s'", text, op, value)
  end
  return {name = name, op = op, text = value}
end

--- Whether a run passes a filter; one that lacks the name does not, but for !=.
function M.passes(run, filter)
  local op, text = filter.op, filter.text
  if filter.name == "tag" then
    if op == "!=" then return not run.tags[text] end
    return run.tags[text] == true
  end
  local v = M.value(run, filter.name)
  if v == nil then return op == "!=" end
  if TIMES[filter.name] and op:find "[<>]" then return compare_texts(op, v, text) end
  return COMPARE[op](v, text, number.parse(number.text(v)), number.parse(text)) and true or false
end

--- The names that runs have: fields, flags and metrics.
function M.names(runs)
  local known, list = {tag = true}, {}
  for name in pairs(IS_FIELD) do known[name] = true end
  for _, run in ipairs(runs) do
    for name in pairs(run.config) do known[name] = true end
    for name in pairs(run.metrics) do known[name] = true end
  end
  for name in pairs(known) do list[#list + 1] = name end
  table.sort(list, strings.before)
  return list, known
end

--- Whether runs have a name; or nil, what is said of one that none has.
function M.check_name(runs, name, known)
  local plain = name:gsub("^least:", ""):gsub("^most:", "")
  if not runs[1] or known[plain] then return true end
  local near = nearest.find(plain, (M.names(runs)))
  return nil, strings.message("no run has '%s'%s", plain,
    near and (": did you mean %s?"):format(near) or "")
end

--- Keeps the runs that pass all filters.
-- @param runs list
-- @param texts list of filters
-- @return list; or nil, message
function M.select(runs, texts)
  local _, known = M.names(texts[1] and runs or {})
  for _, text in ipairs(texts) do
    local filter, fault = M.parse(text)
    if not filter then return nil, fault end
    local ok, why = M.check_name(runs, filter.name, known)
    if not ok then return nil, why end
    local kept = {}
    for _, run in ipairs(runs) do
      if M.passes(run, filter) then kept[#kept + 1] = run end
    end
    runs = kept
    if not runs[1] then return runs end
  end
  return runs
end

return M
