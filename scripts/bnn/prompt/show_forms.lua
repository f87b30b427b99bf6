--- The forms of the library's objects at the prompt, by the name of their class: more than tostring
-- says, on a screen at most.
local core = require "bnn.core"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local net = require "bnn.nn.base.net"
local number = require "bnn.base.number"
local param_samples = require "bnn.params.param_samples"
local shapes = require "bnn.base.shapes"
local show_names = require "bnn.prompt.show_names"
local show_net = require "bnn.prompt.show_net"
local strings = require "bnn.base.strings"

local M = {}

local MOST_SUMMARY = 1000000 -- elements that are summed up
local MOST_LINES = 40        -- of tensors
local FEW = 4                -- elements that a field shows

-- Lines "  name  text", cut to the terminal's width.
local function rows_text(head, rows)
  local wide = 0
  for _, row in ipairs(rows) do wide = math.max(wide, utf8.len(row[1]) or #row[1]) end
  local lines, room = {head}, show_names.width() - wide - 4
  for _, row in ipairs(rows) do
    local name, text = row[1], strings.cut(row[2]:match "[^\n]*", math.max(room, 20))
    lines[#lines + 1] = ("  %s%s  %s"):format(name,
      (" "):rep(wide - (utf8.len(name) or #name)), text)
  end
  return table.concat(lines, "\n")
end

-- ---- tensors ----

-- How many elements are not a number or infinite: "3 of 100 are nan, 1 inf"; nil if none is.
local function bad_text(real, size)
  local nan = size - real:eq(real):sum():item()
  local infinite = real:abs():eq(math.huge):sum():item()
  local parts = {}
  if nan > 0 then parts[1] = number.format("%d of %d are nan", nan, size) end
  if infinite > 0 then
    parts[#parts + 1] = number.format(nan > 0 and "%d are infinite" or "%d of %d are infinite",
      infinite, size)
  end
  return parts[1] and table.concat(parts, ", ")
end

-- "min 0, mean 0.5, max 1"; nil for a tensor that is too large to look at all of.
local function summary(x)
  local size = x:numel()
  if size == 0 or size > MOST_SUMMARY then return nil end
  local real = x:real()
  return bad_text(real, size) or number.format("min %.4g, mean %.4g, max %.4g",
    real:min():item(), real:mean():item(), real:max():item())
end

-- Whether a print of it leaves elements out, or a summary helps to read it.
local function is_large(x) return x:numel() > 10 end

local function tensor_text(x)
  local more = is_large(x) and summary(x)
  if more and more:find "^min" then
    more = more .. number.format(", std %.4g", x:real():std():item())
  end
  return core.tensor_text(x, show_names.width()) .. (more and "\n" .. more or "")
end

-- A tensor as a field of another object: type, shape, and its elements if they are few.
local function tensor_field(x)
  local head = x:dtype() .. " " .. shapes.text(x)
  local elements = x:numel() <= FEW and x:dim() <= 1
    and core.tensor_text(x, show_names.width()):match ": *(.*)"
  local more = elements or summary(x)
  return more and head .. "  " .. more or head
end

-- ---- fields ----

local function class_of(v)
  local meta = debug.getmetatable(v)
  return type(meta) == "table" and type(v) ~= "string" and rawget(meta, "__name") or nil
end

local function list_text(list)
  local texts = {}
  for i = 1, math.min(#list, 20) do texts[i] = number.text(list[i]) end
  if #list > 20 then texts[21] = "..." end
  return table.concat(texts, ", ")
end

-- A field of an object, in a line.
local function field_text(v)
  if kinds.is_object(v, "tensor") then return tensor_field(v) end
  if class_of(v) then return tostring(v) end
  if type(v) ~= "table" then return number.text(v) end
  if #v == 0 then return "table of " .. table.concat(show_names.sorted(v), ", ") end
  return type(v[1]) ~= "table" and list_text(v) or ("list of %d"):format(#v)
end

-- A table of results, a field on each line; functions and empty tables are left out.
local function fields_text(v, meta)
  local rows = {}
  for name, field in next, v do
    local is_shown = type(name) == "string" and type(field) ~= "function"
      and (class_of(field) or type(field) ~= "table" or next(field) ~= nil)
    if is_shown then rows[#rows + 1] = {core.shown(name), core.shown(field_text(field))} end
  end
  table.sort(rows, function(a, b) return strings.before(a[1], b[1]) end)
  return rows_text(meta.__name:gsub("^bnn%.", ""), rows)
end

-- ---- models ----

-- A line for each tensor of parameters.
local function tensors_text(params)
  local rows, count = {}, 0
  for name, x in pairs(params) do
    count = count + 1
    if count <= MOST_LINES then rows[count] = {name, shapes.text(x)} end
  end
  if count > MOST_LINES then
    rows[#rows + 1] = {"...", ("%d more"):format(count - MOST_LINES)}
  end
  return rows
end

-- A line for each tensor; of a mixture one for each component, with its weight.
local function posterior_text(q)
  local rows, first = {}, q:buffers()[1].params
  if not q.components then
    return rows_text(tostring(q), tensors_text(param_samples.is(first) and first[1] or first))
  end
  for i, component in ipairs(q.components) do
    rows[i] = {number.format("%.4g", q.weights[i]), tostring(component)}
  end
  return rows_text(tostring(q), rows)
end

local function params_text(params)
  return rows_text(tostring(params):match "[^\n]*", tensors_text(params))
end

local function objective_text(o)
  local model = o.posterior or o.params
  local lines = {tostring(o)}
  if o.posterior then lines[2] = tostring(o.posterior) end
  if o.net and net.layers(o.net) then
    lines[#lines + 1] = show_net.text(o.net)
  elseif model then
    if o.net then lines[#lines + 1] = "net        " .. tostring(o.net) end
    lines[#lines + 1] = o.posterior and posterior_text(model):gsub("^[^\n]*\n", "")
      or params_text(model)
  end
  return table.concat(lines, "\n")
end

local function model_text(model, meta)
  local text = fields_text(model, meta)
  if net.layers(model.net) then return text .. "\n" .. show_net.text(model.net) end
  local weights = model.posterior or model.params
  if not weights then return text end
  return rows_text(text, tensors_text(weights.mu or weights))
end

-- The latest row of a log that is kept in memory.
local function log_text(log)
  local blocks = rawget(log, "blocks")
  if type(blocks) ~= "table" then return tostring(log) end
  local rows, last = {}, blocks[#blocks]
  for i, row in ipairs(last and last.rows or {}) do rows[i] = {row[1], number.text(row[2])} end
  local head = ("log: %d row%s"):format(#blocks, #blocks == 1 and "" or "s")
  return rows_text(last and ("%s, the last of step %d"):format(head, last.step) or head, rows)
end

local function state_text(s)
  local rows = {}
  local ok, rate = pcall(s.rate, s, s:steps() + 1)
  if ok and rate then rows[1] = {"next rate", number.format("%g", rate)} end
  if s.target then rows[#rows + 1] = {"trains", tostring(s.target)} end
  if s.collector then
    rows[#rows + 1] = {"collects", ("%s, %d so far"):format(s.collector, s.collector.count or 0)}
  end
  return rows_text(tostring(s), rows)
end

-- ---- data ----

local function part_text(part)
  local rows = {}
  local function add(tensor, name) rows[#rows + 1] = {name, tensor_field(tensor)} end
  named_tensors.each("x", part.x, add)
  named_tensors.each("y", part.y, add)
  if part.names then rows[#rows + 1] = {"names", list_text(part.names)} end
  if part.classes then rows[#rows + 1] = {"classes", field_text(part.classes)} end
  if part.origin then rows[#rows + 1] = {"origin", part.origin} end
  return rows_text(tostring(part), rows)
end

-- ---- experiments, runs, sweeps ----

local function run_text(run)
  local rows = {{"path", run.path}}
  if run.about.experiment or run.about.script then
    rows[2] = {"script", number.text(run.about.script or run.about.experiment)}
  end
  local function add(title, values)
    for _, name in ipairs(show_names.sorted(values)) do
      if #rows < MOST_LINES then rows[#rows + 1] = {title .. name, field_text(values[name])} end
    end
  end
  add("", run.metrics)
  add("--", run.config)
  return rows_text(tostring(run), rows)
end

local function sweep_text(result)
  return tostring(result) .. "\n" .. result:text():gsub("\n+$", "")
end

-- The metrics, and what is held besides.
local function result_text(r, meta)
  local rows, held = {}, show_names.sorted(meta.__index)
  for _, name in ipairs(show_names.sorted(r)) do rows[#rows + 1] = {name, field_text(r[name])} end
  for _, name in ipairs(held) do rows[#rows + 1] = {"." .. name, field_text(meta.__index[name])} end
  return rows_text("result of an experiment", rows)
end

local function experiment_text(e)
  local rows = {}
  for _, name in ipairs(show_names.sorted(e.defaults)) do
    local entry = e.defaults[name]
    local value = type(entry) == "table" and entry[1]
    local meaning = type(entry) == "table" and type(entry[2]) == "string" and entry[2] or ""
    if type(value) == "table" then value = list_text(value) end
    local default = value == nil and "-" or number.text(value)
    rows[#rows + 1] = {name, ("%-12s %s"):format(default, meaning)}
  end
  for i = #rows, MOST_LINES + 1, -1 do rows[i] = nil end
  return rows_text("experiment: " .. (e.about or e.path or "no about"), rows)
end

--- By the name of a class: function(value, metatable) -> text.
M.FORMS = {
  ["bnn.tensor"] = tensor_text,
  ["bnn.params"] = params_text,
  ["bnn.posterior"] = posterior_text,
  ["bnn.objective"] = objective_text,
  ["bnn.net"] = function(value) return show_net.text(value) end,
  ["bnn.layer"] = function(value) return show_net.text(value) end,
  ["bnn.state"] = state_text,
  ["bnn.model"] = model_text,
  ["bnn.log"] = log_text,
  ["bnn.data"] = part_text,
  ["bnn.run"] = run_text,
  ["bnn.experiment_result"] = result_text,
  ["bnn.sweep_result"] = sweep_text,
}

--- The form of results whose fields are what matters.
M.fields_text = fields_text

--- The text of an experiment, which is a table of the user's; nil for others.
function M.experiment_text(v)
  if type(rawget(v, "run")) ~= "function" or type(rawget(v, "defaults")) ~= "table" then
    return nil
  end
  return experiment_text(v)
end

return M
