--- What sections of a report are made of: tables, numbers, lists of facts, and what is said of the
-- rest that is left out.
local html = require "bnn.html.html"
local number = require "bnn.base.number"

local M = {}

local TINY = 1e-4 -- below it numbers have an exponent
local CELL_MOST, COMMAND_MOST = 80, 1000

local element = html.element

-- ---- numbers ----

--- How many decimals a column of numbers takes.
M.decimals = number.decimals

--- A number as text; integers have no decimals.
function M.number(v, decimals)
  if v ~= v then return "nan" end -- without the sign that it has on some machines
  local text = math.type(v) == "integer" and number.text(v) or number.fixed(v, decimals)
  return (text:gsub("^%-", "−"))
end

-- The decimals at which a deviation has a digit that is not 0, at least those of its column.
local function decimals_with(sd, decimals)
  if not sd or sd == 0 or sd - sd ~= 0 then return decimals end
  return math.min(math.max(decimals, -math.floor(math.log(sd, 10))), 9)
end

--- Mean and standard deviation as text: "0.9567 ± 0.0004"; the mean alone of a single run.
function M.mean_text(moments, decimals)
  local mean, sd = moments.mean, moments.sd
  local is_tiny = sd and mean ~= 0 and math.abs(mean) < TINY
  if is_tiny then return number.format("%.3g ± %.2g", mean, sd) end
  local text = M.number(mean, decimals_with(sd, decimals))
  return sd and ("%s ± %s"):format(text, M.deviation(sd, decimals)) or text
end

--- A deviation as text, with the decimals of its column, or more where it would be 0.
function M.deviation(sd, decimals)
  if sd > 0 and sd < TINY / 10 or sd >= 1e9 then return number.format("%.2g", sd) end
  return number.format("%." .. decimals_with(sd, decimals) .. "f", sd)
end

--- A time in seconds as text.
function M.duration(seconds)
  if seconds < 100 then return number.format("%.3g s", seconds) end
  if seconds < 6000 then return number.format("%.1f min", seconds / 60) end
  return number.format("%.1f h", seconds / 3600)
end

--- "1 run", "3 runs".
function M.count(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

-- ---- elements ----

--- A line in small letters.
function M.note(...) return element("p", {class = "note"}, ...) end

--- A note on how many of `total` are not shown; nil if all are.
function M.left_out(shown, total, word, how)
  if total <= shown then return nil end
  return M.note(("%s shown of %d%s"):format(M.count(shown, word), total, how and "; " .. how or ""))
end

local function cell(v, column)
  local class = column.is_number and "number" or "text"
  if v == nil or v == "" then return element("td", {class = class}, "–") end
  if type(v) == "string" then v = html.cut(v, CELL_MOST) end
  if math.type(v) == "float" then v = M.number(v, column.decimals or 3) end
  return element("td", {class = class}, v)
end

-- A title that may break after the parts of its name.
local function title_of(column)
  local pieces = {}
  for piece, sign in html.cut(column.title, CELL_MOST):gmatch "([^/_]*)([/_]?)" do
    pieces[#pieces + 1] = {piece .. sign, sign ~= "" and element("wbr")}
  end
  return pieces
end

local function values_in(rows, i)
  local values = {}
  for _, row in ipairs(rows) do values[#values + 1] = row[i] end
  return values
end

-- A column is of numbers where it says so, or where all of its values are.
local function complete(column, i, rows)
  local is_number, values = true, {}
  for _, row in ipairs(rows) do
    if row[i] ~= nil and type(row[i]) ~= "number" then is_number = false end
    values[#values + 1] = row[i]
  end
  return {title = column.title, is_number = column.is_number or is_number and #values > 0,
          decimals = column.decimals or M.decimals(values)}
end

--- A table, which can be scrolled sideways where it is too wide.
-- @param columns list of {title=, is_number=, decimals=}, or titles
-- @param rows list of lists of texts, numbers and markup, nil for none; row.class
function M.grid(columns, rows)
  local head, body, made = {}, {}, {}
  for i, column in ipairs(columns) do
    made[i] = complete(type(column) == "table" and column or {title = column}, i, rows)
    head[i] = element("th", {scope = "col", class = made[i].is_number and "number"},
      title_of(made[i]))
  end
  for r, row in ipairs(rows) do
    local cells = {}
    for i in ipairs(columns) do cells[i] = cell(row[i], made[i]) end
    body[r] = element("tr", {class = row.class or false}, cells)
  end
  return element("div", {class = "wide", tabindex = "0"}, element("table", nil,
    element("thead", nil, element("tr", nil, head)), element("tbody", nil, body)))
end

--- A list of facts.
-- @param rows list of {name, value, ...}: values that are nil, "" or false have no place
function M.facts(rows)
  local items = {}
  for _, row in ipairs(rows) do
    local v = row[2]
    if v ~= nil and v ~= "" and v ~= false then
      items[#items + 1] = {element("dt", nil, row[1]), element("dd", nil, v)}
    end
  end
  return element("dl", nil, items)
end

--- A block of text as it was written, such as a command or a traceback.
function M.block(text, most) return element("pre", nil, html.cut(text, most or 4000)) end

--- Commands, one a line, which break between words only.
-- @param lines list of strings
function M.commands(lines)
  local drawn = {}
  for i, line in ipairs(lines) do
    local pieces = {i > 1 and "\n"}
    for word in html.cut(line, COMMAND_MOST):gmatch "%S+" do
      pieces[#pieces + 1] = #pieces > 1 and " "
      pieces[#pieces + 1] = element("span", {class = "word"}, word)
    end
    drawn[i] = pieces
  end
  return element("pre", nil, drawn)
end

--- What opens on demand.
function M.details(summary, is_open, ...)
  return element("details", {open = is_open}, element("summary", nil, summary), ...)
end

--- A section of a page; nil if it has nothing but nils to show.
-- @param id string, of letters: what links name it by
-- @param title string
-- @param body list of markup
-- @return {id=, title=, body=}
function M.section(id, title, body)
  if #html.list(body).text == 0 then return nil end
  return {id = id, title = title, body = body}
end

M.values_in = values_in

return M
