--- Reads back the files that logs write.
local core = require "bnn.core"
local log_text = require "bnn.log.log_text"
local number = require "bnn.base.number"
local notice = require "bnn.base.notice"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

-- ---- lines ----

local function fault_at(path, line, message)
  return nil, strings.message("%s: line %d: %s", path, line, message)
end

-- The object of a line of JSON as a block.
local function json_block(text)
  local fields, message = core.json_decode(text)
  if type(fields) ~= "table" then return nil, message or "expected an object" end
  local step = math.type(fields.step) == "integer" and fields.step
  if not step then return nil, "expected an integer step" end
  local rows = {}
  for _, name in ipairs(options.sorted_names(fields)) do
    if name ~= "step" then rows[#rows + 1] = {name, fields[name]} end
  end
  return {step = step, rows = rows}
end

-- The names in the order in which the line has them: a decoded table has none. (Within strings of
-- ours there is no quote.)
local function in_order_of(text, block)
  local places, place, count = {}, {}, 0
  for name in text:gmatch '("[^"]*"):' do
    count = count + 1
    places[name] = places[name] or count
  end
  for _, row in ipairs(block.rows) do
    place[row[1]] = places[log_text.json(row[1])] or math.huge
  end
  table.sort(block.rows, function(a, b)
    if place[a[1]] ~= place[b[1]] then return place[a[1]] < place[b[1]] end
    return a[1] < b[1]
  end)
  return block
end

local function read_json(text)
  local block, message = json_block(text)
  return block and in_order_of(text, block), message
end

-- The fields of a line of CSV: quoted ones may hold commas and doubled quotes.
local function csv_fields(text)
  local fields, at = {}, 1
  while at <= #text + 1 do
    local quoted, after = text:match('^"(.-)"()', at)
    while quoted and text:sub(after, after) == '"' do -- a doubled quote, and what follows
      local more, next_after = text:match('^(.-)"()', after + 1)
      if not more then return nil end
      quoted, after = quoted .. '"' .. more, next_after
    end
    local field = quoted or text:match("^[^,]*", at)
    after = after or at + #field
    fields[#fields + 1] = field
    if after <= #text and text:sub(after, after) ~= "," then return nil end
    at = after + 1
  end
  return fields
end

local BOOLEANS = {["true"] = true, ["false"] = false}

-- A value as csv writes it: numbers and booleans come back as such.
local function csv_value(text)
  if BOOLEANS[text] ~= nil then return BOOLEANS[text] end
  local special = {nan = 0 / 0, ["-nan"] = 0 / 0, inf = math.huge, ["-inf"] = -math.huge}
  return special[text] or number.parse(text) or text
end

local function read_csv(text)
  local fields = csv_fields(text)
  if not fields or #fields ~= 3 then return nil, "expected step,name,value" end
  local step = math.tointeger(number.parse(fields[1]))
  if not step then return nil, "expected an integer step" end
  return {step = step, rows = {{fields[2], csv_value(fields[3])}}}
end

-- ---- files ----

-- Lines of a text, of CSV joined where a quoted field holds a line's end; the second value is a
-- last one without its end, or nil.
local function lines_of(text, kind)
  local lines, part = {}, nil
  for line in text:gmatch "([^\n]*)\n" do
    line = part and part .. "\n" .. line or line
    local _, quotes = line:gsub('"', "")
    part = kind == "csv" and quotes % 2 == 1 and line or nil
    if not part then lines[#lines + 1] = line end
  end
  local rest = text:sub(text:match "^.*\n()" or 1) -- "[^\n]*$" looks from every byte on
  if part or rest ~= "" then
    return lines, (part and part .. "\n" or "") .. rest
  end
  return lines
end

local READERS = {csv = read_csv, jsonl = read_json}

-- Adds a block to the list; rows of the step before stand together.
local function add(blocks, block)
  local last = blocks[#blocks]
  if last and last.step == block.step and last.is_csv then
    last.rows[#last.rows + 1] = block.rows[1]
  else
    blocks[#blocks + 1] = block
  end
end

--- The blocks {step=, rows=} of a file; or nil, message. A line that is cut short, as a full disk
-- leaves one, is left out and named in a notice; one at the beginning means that this is no log.
-- @param kind "csv" or "jsonl"
function M.blocks(path, kind)
  local file <close>, message = io.open(path, "rb")
  local text = file and file:read "a"
  if not text then return nil, strings.shown(message or path .. ": cannot be read") end
  local lines, cut = lines_of(text, kind)
  local blocks, first = {}, 1
  if kind == "csv" then
    if lines[1] ~= "step,name,value" then
      return fault_at(path, 1, "expected the header step,name,value")
    end
    first = 2
  end
  for i = first, #lines do
    local block, fault = READERS[kind](lines[i])
    if block then
      block.is_csv = kind == "csv"
      add(blocks, block)
    elseif i == first then
      return fault_at(path, i, fault)
    elseif lines[i] ~= "" then
      notice.say("%s: skipping line %d, which is cut short", path, i)
    end
  end
  if cut then notice.say("%s: skipping line %d, which is cut short", path, #lines + 1) end
  return blocks
end

return M
