--- The list of topics that help() prints: every public name with a line, grouped by where it is.
local strings = require "bnn.base.strings"

local M = {}

local COLUMNS = 80

-- The first sentence of a documentation text, on one line: without the call that C's texts open
-- with, and without what follows it (parameters, examples).
local function summary(entry)
  local text = entry.doc or ""
  if not entry.call then
    text = text:match "^[^\n]*"
    text = text:match "^[%w_.:]+%b(): (.*)" or text:match "^[%w_.:]+%b{}: (.*)" or text
    text = text:gsub("^[%w_.:]+%b(),? [%w_.:]+%b(): ", "") -- two calls
  end
  local lines = {}
  for line in text:gmatch "[^\n]+" do
    if line:find "^@" or line:find "^%s%s" then break end
    lines[#lines + 1] = line
  end
  text = table.concat(lines, " ")
  return ((text:match "^(.-)%.%s+%u" or text:match "^(.-)%.$" or text):gsub("[:;,]$", ""))
end

-- The text in at most `width` columns, cut between words.
local function cut(text, width)
  if utf8.len(text) <= width then return text end
  local kept = ""
  for word in text:gmatch "%S+" do
    local longer = kept == "" and word or kept .. " " .. word
    if utf8.len(longer) > width - 4 then break end
    kept = longer
  end
  return (kept:gsub("[:;,]$", "")) .. " ..."
end

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

-- Names that have others below them.
local function module_names(entries)
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
  local groups, by_name, modules = {}, {}, module_names(entries)
  for _, entry in ipairs(entries) do
    local order, name, short = group_of(entry, modules)
    local group = name and by_name[name]
    if name and not group then
      group = {order = order, name = name, names = {}, seen = {},
               title = titles[name] or "methods of " .. name:sub(1, -2)}
      by_name[name], groups[#groups + 1] = group, group
    end
    if name and not short then
      group.title = summary(entry)
    elseif name and not group.seen[short] then
      group.seen[short] = true
      group.names[#group.names + 1] = {short, summary(entry)}
    end
  end
  table.sort(groups, function(a, b)
    if a.order ~= b.order then return a.order < b.order end
    return strings.before(a.name, b.name)
  end)
  return groups
end

--- The lines of the list.
-- @param entries list of documentation entries, those to be listed
-- @return list of strings of at most 80 columns
function M.lines(entries)
  local lines = {}
  for _, group in ipairs(grouped(entries)) do
    local width = 0
    table.sort(group.names, function(a, b) return strings.before(a[1], b[1]) end)
    for _, row in ipairs(group.names) do width = math.max(width, #row[1]) end
    lines[#lines + 1] = ""
    lines[#lines + 1] = group.name .. "  " .. cut(group.title, COLUMNS - #group.name - 2)
    for _, row in ipairs(group.names) do
      local name = ("  %-" .. width .. "s  "):format(row[1])
      lines[#lines + 1] = (name .. cut(row[2], COLUMNS - #name)):gsub("%s+$", "")
    end
  end
  return lines
end

return M
