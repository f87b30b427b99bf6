--- The lists of help: every public name with a sentence, and the modules of the library.
local help_text = require "bnn.help.help_text"
local strings = require "bnn.base.strings"

local M = {}

-- Where an entry is listed: the group's order and name, and its own name there.
local function group_of(entry, modules)
  local class, method = entry.name:match "^([%w_]+):([%w_]+)$"
  if class == "tensor" or class == "x" then return 2, "x:", method end
  if class then return 4, class .. ":", method end
  if entry.name == "bnn" then return nil end
  local short = entry.name:match "^bnn%.([%w_]+)$"
  if modules[entry.name] then return 3, entry.name, nil end
  if short then return 1, "bnn", short end
  return 3, entry.name:match "^(.*)%.[%w_]+$", entry.name:match "([%w_]+)$"
end

--- Names that have others below them: a set.
function M.modules(entries)
  local modules = {}
  for _, entry in ipairs(entries) do
    local above = entry.name:match "^(bnn%.[%w_.]+)%.[%w_]+$"
    if above then modules[above] = true end
  end
  return modules
end

local titles = {
  ["bnn"] = "functions of the library; the ops below are too, bnn.sum(x)",
  ["x:"] = "methods of a tensor",
}

-- A list of groups {order=, name=, title=, names = list of {name, text}}, in order.
local function grouped(entries)
  local groups, by_name, modules = {}, {}, M.modules(entries)
  for _, entry in ipairs(entries) do
    local order, name, short = group_of(entry, modules)
    local group = name and by_name[name]
    if name and not group then
      group = {order = order, name = name, names = {}, seen = {},
               title = titles[name] or "methods of " .. name:sub(1, -2)}
      by_name[name], groups[#groups + 1] = group, group
    end
    if name and not short then
      group.title = help_text.summary(entry)
    elseif name and not group.seen[short] then
      group.seen[short] = true
      group.names[#group.names + 1] = {short, help_text.summary(entry)}
    end
  end
  table.sort(groups, function(a, b)
    if a.order ~= b.order then return a.order < b.order end
    return strings.before(a.name, b.name)
  end)
  return groups
end

local function add_rows(lines, rows)
  for _, block in ipairs(help_text.rows(rows)) do
    table.move(block, 1, #block, #lines + 1, lines)
  end
end

--- The lines of the index: every public name with its first sentence, by module and class.
-- @param entries list of documentation entries
-- @return list of strings of at most 80 columns
function M.lines(entries)
  local lines = {}
  for _, group in ipairs(grouped(entries)) do
    table.sort(group.names, function(a, b) return strings.before(a[1], b[1]) end)
    lines[#lines + 1] = ""
    local title, width = group.name .. "  " .. group.title, help_text.COLUMNS
    for k, line in ipairs(help_text.wrap(title, width - 4, width)) do
      lines[#lines + 1] = (k > 1 and "    " or "") .. line
    end
    add_rows(lines, group.names)
  end
  return lines
end

--- The lines of help "bnn": the functions of the library itself, and its modules with a sentence.
function M.overview(entries)
  local functions, modules, lines = {}, {}, {}
  local is_module = M.modules(entries)
  for _, entry in ipairs(entries) do
    if is_module[entry.name] then
      modules[#modules + 1] = {entry.name, help_text.summary(entry)}
    elseif entry.name:find "^bnn%.[%w_]+$" and functions[#functions] ~= entry.name then
      functions[#functions + 1] = entry.name
    end
  end
  lines[1] = "Functions:"
  for _, line in ipairs(help_text.columns(functions)) do lines[#lines + 1] = "  " .. line end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "Modules:"
  add_rows(lines, modules)
  return lines
end

--- The lines of help "ops": the ops, which are functions of bnn and methods of tensors.
function M.ops(entries)
  local names, methods = {}, {}
  for _, entry in ipairs(entries) do
    local op, method = entry.name:match "^x:([%w_]+)$", entry.name:match "^tensor:([%w_]+)$"
    if op and names[#names] ~= op then names[#names + 1] = op end
    if method then methods[#methods + 1] = method end
  end
  local lines = {
    "Ops: functions of bnn and methods of tensors alike, bnn.sum(x, 1) and x:sum(1).",
    "They broadcast by NumPy's rule and return new tensors, and so do + - * / ^ and",
    "unary -. help \"sum\" explains one of them, help \"shapes\" what they share.", "",
  }
  local function add(list)
    for _, line in ipairs(help_text.columns(list)) do lines[#lines + 1] = "  " .. line end
  end
  add(names)
  lines[#lines + 1] = ""
  lines[#lines + 1] = "Other methods of tensors:"
  add(methods)
  return lines
end

return M
