--- The texts about compiled functions: reports of programs, notices of recompilations.
local number = require "bnn.base.number"
local shapes = require "bnn.base.shapes"
local table_text = require "bnn.base.table_text"
local trace_call = require "bnn.autodiff.trace_call"
local pytree = require "bnn.params.pytree"

local M = {}

--- "1 program", "3 programs".
function M.count(n, noun) return ("%d %s%s"):format(n, noun, n == 1 and "" or "s") end

-- ---- what changed ----

local function leaf_text(leaf, kind)
  if kind == "tensor" then return leaf:dtype() .. " " .. shapes.text(leaf:shape()) end
  return "a " .. kind
end

--- The arguments of a call for a later comparison: {{signature=, leaves = list of {path, text}}}.
function M.describe(args)
  local list = {n = args.n}
  for i = 1, args.n do
    local leaves = {}
    pytree.map(args[i], function(leaf, kind, path)
      leaves[#leaves + 1] = {path, leaf_text(leaf, kind)}
      return leaf
    end)
    list[i] = {signature = pytree.signature(args[i]), leaves = leaves,
               text = leaves[1] and "" or type(args[i]) .. " " .. number.text(args[i])}
  end
  return list
end

local function argument_name(i, path)
  return "argument " .. i .. (path == "" and "" or " (" .. path:sub(2) .. ")")
end

local helps = {
  shapes = "pad to one shape, or drop incomplete batches (drop_last)",
  fixed = "strings, functions and other objects select a program: make them once, outside, and "
    .. "pass numbers and tensors as arguments instead of capturing them in a new function",
  structure = "give the tables the same fields each time",
}

-- What differs between argument i then and now, and what helps.
local function changed_argument(i, before, now)
  if #before.leaves ~= #now.leaves then
    return ("%s had %s, now %d"):format(argument_name(i, ""), M.count(#before.leaves, "leaf"):gsub(
      "leafs", "leaves"), #now.leaves), helps.structure
  end
  for k, leaf in ipairs(now.leaves) do
    local was = before.leaves[k]
    if was[2] ~= leaf[2] then
      return ("%s was %s, now %s"):format(argument_name(i, leaf[1]), was[2], leaf[2]), helps.shapes
    end
    if was[1] ~= leaf[1] then
      return ("%s has another field, %s"):format(argument_name(i, ""), leaf[1]:sub(2)),
        helps.structure
    end
  end
  if now.text ~= "" then
    return ("%s was %s, now %s"):format(argument_name(i, ""), before.text, now.text), helps.fixed
  end
  return argument_name(i, "") .. " holds another string, function or object", helps.fixed
end

local function changed(before, now)
  for i = 1, math.min(before.n, now.n) do
    if before[i].signature ~= now[i].signature then
      return changed_argument(i, before[i], now[i])
    end
  end
  if before.n ~= now.n then
    return ("%d arguments were given, now %d"):format(before.n, now.n), helps.structure
  end
  return "the arguments match a program that was evicted", "use fewer shapes"
end

--- The line that says that a compiled function has been recorded very often.
-- @param self the compiled function: f, recordings
-- @param before what `describe` gave for the recording before
-- @param now the same for this one
function M.notice(self, before, now)
  local what, help = changed(before, now)
  return ("bnn.compile: %s was recorded %d times, a program for each set of shapes: %s; %s"):format(
    trace_call.place(self.f), self.recordings, what, help)
end

-- ---- what was made ----

-- Numbers of the inputs that hold the batch: the tensors with as many rows as the first one of the
-- arguments in question. Gives that list, the rows, and the arguments that they belong to.
local function batch_inputs(inputs, asked)
  local function is_asked(input)
    if not asked then return input.argument > 1 or inputs[#inputs].argument == 1 end
    for _, i in ipairs(asked) do
      if i == input.argument then return true end
    end
  end
  local list, arguments, rows = {}, {}, nil
  for i, input in ipairs(inputs) do
    local is_tensor = #input.shape > 0 and not input.mapped
    if is_tensor and is_asked(input) and (rows or input.shape[1]) == input.shape[1] then
      rows = input.shape[1]
      list[#list + 1] = i
      local known = arguments[#arguments] == input.argument
      arguments[#arguments + 1] = not known and input.argument or nil
    end
  end
  return list, rows, arguments
end

--- What Compiled:info says of one program.
function M.info(call, asked)
  local info = call.program:info()
  local list, rows, arguments = batch_inputs(call.inputs, asked)
  info.has_rows, info.mixed_by, info.params = nil, nil, nil
  info.inputs, info.outputs = call.inputs, call.outputs
  if list[1] then
    info.batch = {rows = rows, arguments = arguments}
    info.mixer = call.program:mixer(list)
  end
  return info
end

local function scaled(n, units, step)
  local i = 1
  while n >= step and i < #units do n, i = n / step, i + 1 end
  if i == 1 then return ("%d %s"):format(math.tointeger(n), units[i]) end
  return number.format("%.1f %s", n, units[i])
end

local function batch_text(info)
  local batch = info.batch
  if not batch then return nil end
  local of = ("the batch of %d rows, argument%s %s,"):format(batch.rows,
    #batch.arguments == 1 and "" or "s", table.concat(batch.arguments, ", "))
  if not info.mixer then
    return of .. " keeps its rows separate: an objective can split it into blocks"
  end
  return ("%s is mixed by %s: an objective splits each op by itself"):format(of, info.mixer)
end

--- The lines of one program in a report.
function M.text(program, info)
  local rows = {}
  for _, input in ipairs(info.inputs) do
    local name = input.argument .. (input.path == "" and "" or " " .. input.path)
    rows[#rows + 1] = {name, input.type,
                       shapes.text(input.shape) .. (input.mapped and " of each slice" or "")}
  end
  for i, output in ipairs(info.outputs) do
    rows[#rows + 1] = {"-> " .. i, output.type, shapes.text(output.shape)}
  end
  local head = ("program %d: %s in %s of %s, %s%s"):format(program, M.count(info.ops, "op"),
    M.count(info.buffers, "buffer"), scaled(info.bytes, {"bytes", "kB", "MB", "GB"}, 1000),
    scaled(math.floor(info.flops), {"multiply-adds", "k multiply-adds", "M multiply-adds",
      "G multiply-adds"}, 1000), info.gradient and " forward, and the gradient" or "")
  local text = table_text.render(rows, {"argument", "type", {"shape", align = "left"}})
  local lines = head .. "\n" .. text:gsub("([^\n]+)", "  %1")
  local batch = batch_text(info)
  return lines .. (batch and "  " .. batch .. "\n" or "")
end

return M
