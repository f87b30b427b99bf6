--- Reads domains as the command line writes them: NAME=VALUES, NAME=KIND:ARGUMENTS, and a condition
-- after @.
--
--     beta=1,0.1,0.01   logvar=uniform:-10:-1   lr=log:1e-4:1e-2   n=integer:1:64:log
--     x=range:0:1:0.1   optimizer=adam,sgd      momentum=uniform:0:0.99@optimizer=sgd
local kinds = require "bnn.search.space_kinds"
local nearest = require "bnn.base.nearest"
local values = require "bnn.search.space_values"
local strings = require "bnn.base.strings"

local M = {}

-- The values of "1,0.1,word"; or nil, what is wrong.
local function read_values(text)
  local list = {}
  for i, word in ipairs(values.split(text, "[,]")) do
    local v, fault = values.read(word)
    if v == nil then
      return nil, strings.message("expected a value, got '%s' (%s)", word, fault)
    end
    list[i] = v
  end
  return list
end

local function unknown_kind(word)
  local near = nearest.find(word, kinds.NAMES)
  return nil, strings.message("expected one of %s before ':', got '%s'%s; text with a colon is "
    .. "written choice:TEXT", table.concat(kinds.NAMES, ", "), word,
    near and (" (did you mean %s?)"):format(near) or "")
end

local function count_text(counts)
  local least, most = counts[1], counts[2]
  return least == most and tostring(least) or ("%d or %d"):format(least, most)
end

-- The arguments of "log:1e-4:1e-2" after the kind.
local function read_arguments(kind, rest)
  local args, words, counts = {}, values.split(rest, "[:]"), kinds.COUNTS[kind]
  if #words < counts[1] or #words > counts[2] then
    return nil, strings.message("expected %s numbers after %s:, got '%s'", count_text(counts), kind,
      rest)
  end
  for i, word in ipairs(words) do
    args[i] = values.read(word)
    if args[i] == nil then args[i] = word end
  end
  return args
end

local function read_kind(text)
  local word, rest = text:match "^([%a_]*):(.*)$"
  if not word then
    local list, fault = read_values(text)
    return list and "choice", list or fault
  end
  if not kinds.COUNTS[word] then return unknown_kind(word) end
  local args, fault = (word == "choice" and read_values or function(t)
    return read_arguments(word, t)
  end)(rest)
  return args and word, args or fault
end

-- Parts a text at its condition: "uniform:0:1@optimizer=sgd".
local function split_condition(text)
  local parts = values.split(text, "[@]")
  local parent, rest = parts[#parts]:match "^([%a_][%w_.]*)=(.*)$"
  if not parts[2] or not parent then return text end
  return table.concat(parts, "@", 1, #parts - 1), parent, rest
end

--- Reads a domain from its text, without the name.
-- @return domain; or nil, what is wrong
function M.domain(text)
  local own, parent, rest = split_condition(text)
  local kind, args = read_kind(own)
  if not kind then return nil, args end
  local domain, fault = kinds.make(kind, args)
  if not domain or not parent then return domain, fault end
  local list
  list, fault = read_values(rest)
  return list and kinds.under(domain, parent, list), fault
end

--- Reads NAME=DOMAIN.
-- @return name, domain; or nil, message
function M.parameter(text)
  local name, rest = text:match "^([%a_][%w_.]*)=(.*)$"
  if not name then
    return nil, strings.message("%s: expected NAME=VALUES or NAME=KIND:ARGUMENTS, such as "
      .. "lr=log:1e-4:1e-2", text)
  end
  local domain, fault = M.domain(rest)
  if not domain then return nil, strings.message("%s: %s", text, fault) end
  return name, domain
end

return M
