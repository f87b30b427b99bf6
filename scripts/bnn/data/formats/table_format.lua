--- Tables of numbers in text, and what was decided about them in a line on stderr.
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local notice = require "bnn.base.notice"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

-- The options of read.
local SPEC = {
  label = "string|integer", header = "boolean", delimiter = "string", separator = "string",
  drop = "table|string|integer", classes = {type = "string", list = true}, like = "table",
}

-- ---- what was found ----

local SEPARATORS = {["\t"] = "tab", [" "] = "blanks"}

-- The separator that nobody wonders about.
local function usual_separator(path)
  return strings.lower(path):gsub("%.gz$", ""):find "%.tsv$" and "\t" or ","
end

local function count(n, noun) return strings.message("%d %s%s", n, noun, n == 1 and "" or "s") end

local function label_words(t, label)
  if not t.y then return "no label column" end
  local column = ("column %d"):format(t.found.label)
  local words = type(label) == "string" and ("label '%s' (%s)"):format(label, column)
    or "label in " .. column
  return t.classes and ("%s, classes %s"):format(words, classes.words(t.classes)) or words
end

local function unnamed_words(n)
  if n == 1 then return "column 1, an index without a name, left out" end
  return ("columns 1 to %d, indices without names, left out"):format(n)
end

-- Says what was found about a file; nothing when the options say it all.
local function say(path, t, opts)
  local found, words = t.found, {}
  local unusual = not opts.separator and found.separator ~= usual_separator(path)
    and found.columns > 1
  if opts.header ~= nil and not unusual and found.unnamed == 0 then return end
  words[1] = ("%s of %s"):format(count(t.x:size(1), "row"), count(found.columns, "column"))
  if unusual then
    local name = SEPARATORS[found.separator] or ("'%s'"):format(found.separator)
    words[#words + 1] = "delimiter " .. name
  end
  words[#words + 1] = t.names and "the first row is a header" or "no header"
  words[#words + 1] = label_words(t, opts.label)
  if found.unnamed > 0 then words[#words + 1] = unnamed_words(found.unnamed) end
  if found.numbers_rows then
    words[#words + 1] = "column 1 numbers the rows, yet is a feature (drop = {1} leaves it out)"
  end
  notice.say("%s: %s", path, table.concat(words, "; "))
end

-- ---- a table like another ----

-- What keeps a table from being read like another part, whose classes have these names, or nil.
local function difference(t, like, names)
  if t.classes and not names then
    return strings.message("the labels are text (%s), those of the other part are %s",
      classes.words(t.classes), like.y and "numbers" or "not known (classes = {...} names them)")
  end
  local x = like.x
  if type(x) ~= "userdata" then return nil end
  if x:dim() ~= 2 or x:size(2) ~= t.x:size(2) then
    return strings.message("has %d features, the other part has %s", t.x:size(2),
      shapes.text(x))
  end
  for k, name in ipairs(t.names and like.names or {}) do
    if name ~= t.names[k] then
      return strings.message("feature %d is '%s', that of the other part is '%s'", k,
        t.names[k], name)
    end
  end
end

-- ---- reading ----

-- Whether a value is a column's name or its position.
local function is_column(value)
  if type(value) == "string" then return true end
  local position = type(value) == "number" and math.tointeger(value) or 0
  return position ~= 0 and position > -2^31 and position < 2^31
end

-- What is wrong with options of the right types; nil when nothing is.
local function misuse(opts)
  local separator = opts.delimiter or opts.separator
  if opts.delimiter and opts.separator then
    return "delimiter and separator say one thing; give one of them"
  elseif separator and not separator:find '^[^"\r\n]$' then
    return "delimiter: expected one character, no quote or line end"
  elseif opts.label and not is_column(opts.label) then
    return "label: expected a name or a position, from 1 or, from the end, -1"
  elseif opts.classes and not opts.label then
    return "classes are those of a label column: give label="
  end
  for key, column in pairs(opts.drop or {}) do
    if math.type(key) ~= "integer" or not is_column(column) then
      return "drop: expected a list of names or positions, from 1 or, from the end, -1"
    end
  end
end

local function checked(what, opts)
  opts = options.check(what, opts, SPEC)
  if type(opts.drop) ~= "table" then opts.drop = opts.drop and {opts.drop} end
  local fault = misuse(opts)
  if fault then fail("%s: %s", what, fault) end
  opts.separator = opts.delimiter or opts.separator
  return opts
end

local BEYOND_NUMBERS = {": a missing value", "' is not a number", "' stands for a missing label"}

-- A fault with a hint at what reads such a file, where it is about words or missing values.
local function with_hint(fault)
  for _, words in ipairs(BEYOND_NUMBERS) do
    if fault:find(words, 1, true) then
      return fault .. "; bnn.data.table reads categories, missing values and decimal commas"
    end
  end
  return fault
end

-- x=, y=, names=, classes= and origin= of a table; bnn.data.csv documents it.
local function read(what, path, opts)
  opts = checked(what, opts)
  local names, like = classes.given(what, opts)
  local t, fault = core.csv_read(path, {
    separator = opts.separator, header = opts.header, label = opts.label, drop = opts.drop,
    classes = opts.label and names,
  })
  if not t then return nil, with_hint(fault) end
  fault = like and difference(t, like, names)
  if fault then return strings.malformed(path, "%s", fault) end
  say(path, t, opts)
  return {x = t.x, y = t.y, names = t.names, classes = t.classes, origin = path}
end

return {
  name = "csv", title = "a table in text", about = "a part: rows of numbers, and labels",
  endings = {"csv", "tsv"}, is_text = true, any_text = true, holds = "table", reads_gzip = true,
  options = SPEC, read = read,
  example_bytes = "a,b,y\n1,2,0\n3,4,1\n",
  example = function()
    return {x = core.tensor{{1, 2, 0}, {3, 4, 1}}, names = {"a", "b", "y"}}
  end,
}
