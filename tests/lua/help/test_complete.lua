--- Nothing public is without help, and help shows nothing internal: each text has what
-- scripts/bnn/help/docstrings.lua says of it.
--
-- A failure names the entry and what it lacks; the text stands above the function that is named.
local lu = require "luaunit"
local bnn = require "bnn"
local entry_fields = require "bnn.help.entry_fields"
local entry_text = require "bnn.help.entry_text"
local help = require "bnn.help.help"
local loader = require "bnn.loader"
local references = require "bnn.help.references"
local words = require "bnn.help.help_words"

local entries = help.entries(bnn)

local public, fields_of = {}, {}
for _, entry in ipairs(entries) do
  public[entry.name], fields_of[entry] = true, entry_fields.read(entry)
end

-- Fails with every fault that check(entry, fields) gives, a line each.
local function each_entry(check)
  local faults = {}
  for _, entry in ipairs(entries) do
    local fault = check(entry, fields_of[entry])
    if fault then faults[#faults + 1] = entry.name .. ": " .. fault end
  end
  lu.assertEquals(table.concat(faults, "\n"), "")
end

local function is_function(entry) return entry.call ~= nil or not entry.field end

-- ---- the code behind a text ----

local sources = {}

local function source_lines(file)
  if not sources[file] then
    local lines = {}
    for line in (loader.source(file) .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
    sources[file] = lines
  end
  return sources[file]
end

local names = {} -- file -> the name under which the loader has it
for _, script in ipairs(loader.list()) do names[script.path] = script.name end

-- The code of a function of Lua, up to the end at its margin; "" of others.
local function body_of(entry)
  if not (entry.call and entry.line) then return "" end
  local lines, i = source_lines(names[entry.file]), entry.line
  local body, ending = {lines[i]}, "^" .. lines[i]:match "^%s*" .. "end"
  if lines[i]:find "%f[%w]end[,}%s]*$" then return lines[i] end
  repeat
    i = i + 1
    body[#body + 1] = lines[i]
  until not lines[i] or lines[i]:find(ending)
  return table.concat(body, "\n")
end

-- The same without the functions inside of it.
local function own_code(entry)
  local body = body_of(entry)
  local first, rest = body:match "^([^\n]*)\n(.*)$"
  if not rest then return body end
  for margin in ("\n" .. rest):gmatch "\n(%s*)[^\n]*%f[%w_]function%f[^%w_][^\n]*%)%f[\n]" do
    rest = rest:gsub("%f[%w_]function%f[^%w_][^\n]*\n.-\n" .. margin .. "end", "", 1)
  end
  return first .. "\n" .. rest
end

TestComplete = {}

function TestComplete.test_every_text_has_a_summary()
  each_entry(function(entry, fields)
    local count = select(2, fields.summary:gsub("%S+", ""))
    local least = is_function(entry) and not entry.types and 3 or 1
    if count < least then return "expected a sentence, got '" .. fields.summary .. "'" end
  end)
end

function TestComplete.test_every_function_has_a_call_and_an_example()
  each_entry(function(entry, fields)
    if not is_function(entry) then return nil end
    if not fields.calls[1] then return "no call" end
    if not fields.examples[1] then return "no example" end
  end)
end

function TestComplete.test_every_argument_is_explained()
  each_entry(function(entry, fields)
    local known, missing = {}, {}
    for _, param in ipairs(fields.params) do known[param.name] = true end
    for name in (entry.call or "()"):match "%b()":gmatch "[%w_]+" do
      if not known[name] and name ~= "_" then missing[#missing + 1] = name end
    end
    if missing[1] then return "no @param of " .. table.concat(missing, ", ") end
  end)
end

function TestComplete.test_what_a_function_returns_is_said()
  each_entry(function(entry, fields)
    local gives = own_code(entry):find "%f[%w_]return%s+[^%s]"
    local is_nothing = own_code(entry):find "%f[%w_]return%s+end"
    if gives and not is_nothing and not fields.returns[1] then return "no @return" end
  end)
end

function TestComplete.test_what_fails_is_said()
  each_entry(function(entry, fields)
    local code, errors = own_code(entry), table.concat(fields.errors, " ")
    local raises = code:find "%f[%w_]fail%f[^%w_][^.]" or code:find "%f[%w_.]error%("
    if raises and not errors:find "[Rr]aises" then return "no 'Raises if ...'" end
    local refuses = code:find "return nil,"
    if refuses and not (entry.doc:find "nil, message" or entry.doc:find "nil and") then
      return "no 'or nil, message'"
    end
  end)
end

function TestComplete.test_tensors_have_shapes()
  local function has_shape(text)
    return text:find "%b[]" or text:find "shape" or text:find "scalar" or text:find "size"
  end
  each_entry(function(entry, fields)
    for _, param in ipairs(fields.params) do
      local rows = entry.doc:match("\n@param " .. param.name .. "[^\n]*(\n  .*)") or "" -- below it
      if param.text:find "^tensor" and not has_shape(param.text .. rows) then
        return "no shape of " .. param.name
      end
    end
    for _, result in ipairs(fields.returns) do
      if result.text:find "^tensor" and not has_shape(result.text) then
        return "no shape of what it returns"
      end
    end
  end)
end

-- Information has a unit, and time.
function TestComplete.test_quantities_have_units()
  local KINDS = {
    {"log%-likelihood", "nats"}, {"log density", "nats"}, {"log probability", "nats"},
    {"entropy", "nats"}, {"mutual information", "nats"}, {"elapsed", "seconds"},
  }
  each_entry(function(entry, fields)
    local summary = fields.summary:lower()
    if not is_function(entry) then return nil end
    local text = entry.types and table.concat(entry_text.lines(entry, entries, {})) or entry.doc
    for _, kind in ipairs(KINDS) do
      if summary:find(kind[1]) and not text:find(kind[2]) then return "no unit: " .. kind[2] end
    end
  end)
end

function TestComplete.test_papers_are_cited_in_full()
  local texts = {}
  each_entry(function(entry)
    texts[#texts + 1] = entry.doc
    local unknown = references.unknown(entry.doc)
    if unknown[1] then return "not in bnn.help.references: " .. table.concat(unknown, ", ") end
  end)
  lu.assertEquals(references.unused(texts), {})
end

TestInternal = {}

-- Tables of data.
local DATA = {["bnn.data.flags"] = true, ["bnn.plot.colours"] = true}

-- Names of the library in a text, without the point of a sentence.
local function each_name(text, f)
  for name in text:gmatch "%f[%w_.]bnn%.[%w_.]*[%w_]" do f(name) end
end

function TestInternal.test_only_public_names_are_shown()
  local function is_known(name)
    local member = name:match "^bnn%.([%w_]+)$"
    local owner = name:match "^(.*)%.[%w_]+$"
    return public[name] or member and (public["x:" .. member] or bnn[member] ~= nil)
      or name:find "^bnn%.ops%." or DATA[owner] -- its fields
  end
  each_entry(function(entry)
    local fault
    each_name(entry.doc, function(name)
      if not is_known(name) and not entry.doc:find(name .. " = function", 1, true) then
        fault = fault or "shows " .. name
      end
    end)
    if entry.name:find "[.:]_" then fault = "is a private name" end
    if entry.doc:find "%f[%w_.]core%." then fault = "shows core." end
    return fault
  end)
end

function TestInternal.test_no_file_of_the_library_is_shown()
  local files = {}
  for path in pairs(names) do files[path:match "[^/]+$"] = path:find "^scripts/bnn/" ~= nil end
  each_entry(function(entry)
    local path = entry.doc:match "scripts/bnn[%w_./]*" or entry.doc:match "runtime/[%w_./]+"
    if path then return "shows " .. path end
    for file in entry.doc:gmatch "%f[%w_/][%w_]+%.lua%f[%W]" do
      if files[file] then return "shows " .. file end
    end
  end)
end

TestMisuse = {}

-- Functions that take any value by C's texts, which have no @param.
local TAKES_ANY = {["bnn.number.text"] = true, ["bnn.number.parse"] = true}

local function takes_any(entry, fields)
  local first = fields.params[1]
  return TAKES_ANY[entry.name] or first and first.text:find "^any%f[%W]" ~= nil
end

-- What help says of functions whose text says nothing of errors.
function TestMisuse.test_an_argument_of_another_kind_is_an_error_that_names_its_function()
  local other = coroutine.create(print)
  each_entry(function(entry, fields)
    local value = bnn
    if entry.name:find ":" or takes_any(entry, fields) then return nil end
    for field in entry.name:gsub("^bnn%.?", ""):gmatch "[^.]+" do value = value[field] end
    local takes = (fields.calls[1] or ""):find "[({][%w_]"
    if type(value) ~= "function" or not takes then return nil end
    local ok, first = pcall(value, other)
    if ok and first ~= nil then return "takes a coroutine" end
    if not ok and tostring(first):find "attempt to" then return tostring(first) end
  end)
end

TestWords = {}

function TestWords.test_answers_name_what_is_there()
  for _, row in ipairs(words.ROWS) do
    for name in row.answer:gmatch "`([^`]+)`" do
      lu.assertTrue(public[name], row[1] .. ": " .. name)
    end
    for _, name in ipairs(row.absent or {}) do
      lu.assertNil(public[name], row[1] .. ": there is " .. name .. " now")
    end
    for option in row.answer:gmatch "([%w_]+)=" do
      local is_there = false
      for _, entry in ipairs(entries) do
        is_there = is_there or entry.doc:find("%f[%w_]" .. option .. "%f[^%w_]") ~= nil
      end
      lu.assertTrue(is_there, row[1] .. ": " .. option .. "=")
    end
    for topic in row.answer:gmatch 'help "([^"]+)"' do
      lu.assertTrue(select(2, help.lines(bnn, topic)), row[1] .. ": " .. topic)
    end
  end
end

-- What users of other libraries ask for leads somewhere.
function TestWords.test_words_from_elsewhere_are_answered()
  for _, asked in ipairs{
    "learning rate", "batch norm", "BatchNorm", "dropout", "regularisation", "weight decay", "gpu",
    "confusion matrix", "checkpoint", "early stopping", "data loader", "learning rate schedule",
    "cross entropy", "mc dropout", "temperature scaling", "calibration", "ensembles", "Hyperband",
    "tensorboard", "save model", "random seed", "gradient clipping", "activation", "softmax",
    "conformal", "out of distribution", "epistemic", "aleatoric", "hyperparameter", "attention",
    "convolution", "loss function", "reproducibility", "numpy", "csv", "seed", "KL", "prior",
    "standardise", "learning curves", "transfer learning", "image classification", "regression",
    "slurm", "float16", "histogram", "progress", "threads",
  } do lu.assertTrue(select(2, help.search(bnn, asked)), asked) end
end

function TestWords.test_what_is_not_there_is_said()
  for asked, answer in pairs{
    ["spectral norm"] = "There is no such layer", gpu = "There is no GPU",
    ["weight norm"] = "There is no such layer", LSTMs = "bnn.nn.lstm",
  } do
    lu.assertStrContains(help.search(bnn, asked)[1], answer)
  end
end

os.exit(lu.LuaUnit.run())
