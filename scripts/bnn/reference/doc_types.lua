--- The types that documentation texts name, as the language servers of Lua write them: "list of
-- strings" is string[], "tensor [n, d] or number" is bnn.Tensor|number.
--
-- A text names its type first, up to ":", ";", "(" or what explains it; "or" and "," part
-- alternatives. What is not known here is any. A function is `function`, whatever it takes and
-- gives: servers would hold the user's to the number of its results.
local M = {}

-- Kinds of objects -> classes of the definitions. The first words of a text that name one.
local CLASSES = {
  tensor = "Tensor", tensors = "Tensor", key = "Key", net = "Net", network = "Net", layer = "Layer",
  params = "Params", samples = "Samples", posterior = "Posterior", prior = "Prior",
  objective = "Objective", optimizer = "Optimizer", state = "State", part = "Part", log = "Log",
  run = "Run", pruner = "Pruner", recorder = "Recorder", space = "Space", sampler = "Sampler",
  result = "Result", report = "Report", likelihood = "Likelihood", prediction = "Prediction",
  probabilities = "Tensor", experiment = "Experiment", model = "Model", collector = "Collector",
  rule = "Rule", frame = "Frame", preprocess = "Preprocess", stream = "Stream",
}

-- Those that texts describe by "of".
local SHAPED = {tensor = true, tensors = true, key = true, part = true, params = true,
                samples = true, probabilities = true, posterior = true, state = true}

-- Words -> types.
local WORDS = {
  string = "string", text = "string", path = "string", folder = "string", name = "string",
  number = "number", numbers = "number", integer = "integer", integers = "integer",
  boolean = "boolean", whether = "boolean", ["true"] = "boolean", ["false"] = "boolean",
  file = "string", seed = "integer", seeds = "integer", table = "table", ["nil"] = "nil",
  list = "any[]", lists = "any[]", seconds = "number",
  ["function"] = "function", functions = "function", strings = "string", names = "string",
  values = "any", schedule = "bnn.Schedule",
}

-- Phrases at the start of a text -> types, tried in this order.
local PHRASES = {
  {"^numbers? or functions? of the step", "bnn.Schedule"},
  {"^numbers? or a function of the step", "bnn.Schedule"},
  {"^function of [^;:]- or ", "function"}, {"^function of the step", "bnn.Schedule"},
  {"^what bnn%.predict returns", "bnn.Prediction"},
  {"^what bnn%.run%.open returned", "bnn.Run"}, {"^what bnn%.sweep returns", "bnn.Result"},
  {"^tensor or list%f[%A]", "bnn.Tensor|table"}, {"^part of a data set", "bnn.Part"},
  {"^training part", "bnn.Part"}, {"^table of bnn%.data%.table", "bnn.Frame"},
  {"^data set", "bnn.DataSet"}, {"^number of%f[%A]", "number"}, {"^how many", "number"},
  {"^list of lists", "any[][]"}, {"^what%f[%A]", "any"}, {"^log of bnn%.log", "bnn.Log"},
  {"^bnn%.elbo", "bnn.Objective"}, {"^bnn%.optim%.", "bnn.Optimizer"},
  {"^Params%f[%A]", "bnn.Params"}, {"^bnn%.collect%.", "bnn.Collector"},
  {"^anything%f[%A]", "any"}, {"^steps between", "number"}, {"^%l%d%d? %[", "bnn.Tensor"},
  {"^%l+ %l%d%d? %[", "bnn.Tensor"}, {"^%l+ real %[", "bnn.Tensor"}, {"^real %[", "bnn.Tensor"},
  {"^lists? of tables", "table[]"}, {"^lists? of logs", "any[]"}, {"^a? ?space%f[%A]", "bnn.Space"},
}

local type_of -- of one alternative

local function list_type(text)
  local of = text:match "^lists? of (.*)$"
  if not of then return nil end
  of = of:gsub("^%d+ ", "")
  local single = of:gsub("^(%a-)s%f[%A]", "%1")
  local item = of:find "^%b{}" and "table" or type_of(of) or type_of(single) or "any"
  return item:find "[|(]" and ("(%s)[]"):format(item) or item .. "[]"
end

-- Objects of which something else is said: "objective of each trial" is none.
local function word_type(text)
  local word, after = text:match "^(%a+)(.*)$"
  word = (word or ""):lower()
  local is_other = after and after:find "^['%-]" or after and after:find "^ of%f[%A]"
    and not SHAPED[word]
  return WORDS[word] or not is_other and CLASSES[word] and "bnn." .. CLASSES[word] or nil
end

function type_of(text)
  for _, before in ipairs{"^[%s(]+", "^or ", "^and ", "^an? %f[%a]", "^the %f[%a]"} do
    text = text:gsub(before, "")
  end
  for _, row in ipairs(PHRASES) do
    if text:find(row[1]) then return row[2] end
  end
  local literal = text:match '^"[^"]*"'
  if literal then return literal end
  if text:find "^%[" then return "bnn.Tensor" end
  if text:find "^%b{}" then return "table" end
  if text:find "^%-?%d" then return "number" end
  return list_type(text) or word_type(text)
end

-- ---- alternatives ----

-- The part of a text that names its type, brackets left in.
local function head_of(text)
  local head, depth = {}, 0
  for piece, mark in (text .. ";"):gmatch "([^%[%](){};:]*)(.)" do
    head[#head + 1] = piece
    if mark:find "[%[({]" then depth = depth + 1 end
    if mark:find "[%])}]" then depth = depth - 1 end
    if depth <= 0 and mark:find "[;:]" then break end
    head[#head + 1] = mark
  end
  return table.concat(head)
end

local SEPARATORS = {" or ", ", "}

local MARKS = '[%[({})%]", ]' -- what split looks at

-- The alternatives of a text: between " or " and ", " outside of brackets and quotes.
local function split(text)
  local parts, depth, quoted, from, i = {}, 0, false, 1, text:find(MARKS)
  while i do
    local c, skip = text:sub(i, i), 1
    if c == '"' then quoted = not quoted end
    if not quoted and c:find "[%[({]" then depth = depth + 1 end
    if not quoted and c:find "[%])}]" then depth = depth - 1 end
    for _, mark in ipairs(SEPARATORS) do
      if depth == 0 and not quoted and text:sub(i, i + #mark - 1) == mark then
        parts[#parts + 1], from, skip = text:sub(from, i - 1), i + #mark, #mark
        break
      end
    end
    i = text:find(MARKS, i + skip)
  end
  parts[#parts + 1] = text:sub(from)
  return parts
end

local function add_type(types, seen, given)
  for one in given:gmatch "[^|]+" do
    if not seen[one] then types[#types + 1], seen[one] = one, true end
  end
end

-- Whether a type has alternatives only inside of brackets: (a|b)[].
local function is_whole(given) return given:find "^%(" ~= nil end

--- The type of a text.
--     local doc_types = require "bnn.reference.doc_types"
--     print(doc_types.of "list of strings, or nil")   -- string[]|nil
-- @param text string
-- @return string, in the notation of LuaLS; nil where the text does not begin with a type
function M.of(text)
  for _, row in ipairs(PHRASES) do -- those that have an "or" of their own
    if row[1]:find " or " and text:find(row[1]) then return row[2] end
  end
  local types, seen = {}, {}
  for i, part in ipairs(split(head_of(text))) do
    local one = type_of(part)
    if not one then
      if i == 1 then return nil end
      break
    end
    if is_whole(one) then
      types[#types + 1], seen[one] = one, true
    else
      add_type(types, seen, one)
    end
  end
  if table.concat(types):find '"' and not seen.string then types[#types + 1] = "string" end
  local all = table.concat(types, "|")
  if seen["bnn.Tensor"] then all = all:gsub("any%[%]", "table") end -- what servers take for a list
  return types[1] and all
end

--- The types of several results: "steps i64 [n], values real [n]" is two of them, "true, or a text"
-- one.
-- @param text string
-- @return list of strings, empty where the text does not begin with a type
function M.of_results(text)
  local head = head_of(text)
  if head:find "%f[%a]or%f[%A]" then
    local one = M.of(text)
    return one and {one} or {}
  end
  local types = {}
  for _, part in ipairs(split(head)) do
    local one = type_of(part)
    if not one then break end
    types[#types + 1] = one
  end
  return types
end

--- The type of a default, 1e-3 or "sum" or {1, 2}; nil for other words.
function M.of_default(default)
  if default == "true" or default == "false" then return "boolean" end
  if default:find '^"' then return "string" end
  if default:find "^{" then return "table" end
  return tonumber(default) and "number" or nil
end

return M
