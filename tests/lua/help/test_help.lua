--- help(): docstrings of the scripts, lookup by name and by value.
local lu = require "luaunit"
local bnn = require "bnn"
local docstrings = require "bnn.help.docstrings"
local classes = require "bnn.help.help_classes"
local guides = require "bnn.help.guides"
local help = require "bnn.help.help"

-- What f writes through io.write.
local function output_of(f, ...)
  local write, text = io.write, {}
  io.write = function(...) -- luacheck: ignore 122
    for _, part in ipairs{...} do text[#text + 1] = part end
  end
  local ok, fault = pcall(f, ...)
  io.write = write -- luacheck: ignore 122
  if not ok then error(fault, 0) end
  return table.concat(text)
end

local function help_on(topic) return table.concat(help.lines(bnn, topic), "\n") .. "\n" end

local all_texts -- {entry, text of help on it} for every public name

-- Calls f(entry, text) for every public name; the texts are made once.
local function each_text(f)
  if not all_texts then
    local gather, entries, texts = help.entries, help.entries(bnn), {}
    help.entries = function() return entries end
    local _ <close> = setmetatable({}, {__close = function() help.entries = gather end})
    for i, entry in ipairs(entries) do texts[i] = {entry, help_on(entry.name)} end
    all_texts = texts
  end
  for _, one in ipairs(all_texts) do f(one[1], one[2]) end
end

TestDocstrings = {}

local source = [[
--- The module, first line.
-- Second line.
local M = {}

--- Adds.
-- @param a number
function M.add(a, b) return a + b end

--- A constant.
M.limit = 3

--- An assigned one.
M.later = function(x) return x end

--- A private helper.
local function hidden() end

--- Handed out under its name.
local function shown(x) return x end
M.shown = shown

-- Two dashes are no documentation.
function M.plain() end

--- A row of a log.
function Log:row(step) end

  --- Inside a function.
  function log:last(name) end

return M
]]

function TestDocstrings.test_blocks_become_entries()
  local got = {}
  for _, entry in ipairs(docstrings.parse(source, "bnn.data.toy")) do
    got[#got + 1] = {entry.name, entry.call or "", entry.doc}
  end
  lu.assertEquals(got, {
    {"bnn.toy", "", "The module, first line.\nSecond line."},
    {"bnn.toy.add", "bnn.toy.add(a, b)", "Adds.\n@param a number"},
    {"bnn.toy.limit", "", "A constant."},
    {"bnn.toy.later", "bnn.toy.later(x)", "An assigned one."},
    {"bnn.toy.shown", "bnn.toy.shown(x)", "Handed out under its name."},
    {"log:row", "log:row(step)", "A row of a log."},
    {"log:last", "log:last(name)", "Inside a function."},
  })
end

function TestDocstrings.test_a_module_may_be_one_function_or_return_a_table_of_locals()
  local one = docstrings.parse("--- Does it.\nreturn function(x) return x end\n", "bnn.f")
  lu.assertEquals({one[1].name, one[1].call}, {"bnn.f", "bnn.f(x)"})
  local named = docstrings.parse("--- Does it.\nlocal function f(x) end\nreturn f\n", "bnn.f")
  lu.assertEquals({named[1].name, named[1].call}, {"bnn.f", "bnn.f(x)"})
  local two = docstrings.parse(
    "--- One.\nlocal function f() end\n--- Two.\nlocal function g() end\nreturn {f = f}\n", "bnn.m")
  lu.assertEquals({#two, two[1].name}, {1, "bnn.m.f"})
end

TestEntries = {}

local function entry_names()
  local names = {}
  for _, entry in ipairs(help.entries(bnn)) do names[entry.name] = entry end
  return names
end

function TestEntries.test_the_librarys_own_scripts_are_in_it()
  local names = entry_names()
  for _, name in ipairs{"bnn.schedule.linear", "bnn.main", "log:row", "bnn.log"} do
    lu.assertNotNil(names[name], name)
  end
end

-- Whether an entry says how its function is called, and what it does. The texts of C open with the
-- call.
local function is_documented(entry, name)
  local doc = entry and entry.doc or ""
  local call = entry and entry.call or doc:match "^[%w_.:]+%b()" or doc:match "^[%w_.:]+%b{}"
  return call ~= nil and call:find(name, 1, true) ~= nil and #doc > (entry.call and 0 or #call)
end

-- Every function that the library hands out can be asked about, under the name that users write.
function TestEntries.test_every_public_function_has_a_call_and_a_text()
  local names, checked = entry_names(), 0
  local function check(prefix, module)
    for name, value in pairs(module) do
      if type(value) == "function" then
        local entry = names[prefix .. name] or bnn.ops[name] and names["x:" .. name]
          or rawequal(bnn[name], value) and names["bnn." .. name] -- bnn.nn.transform
        lu.assertTrue(is_documented(entry, name), prefix .. name)
        checked = checked + 1
      end
    end
  end
  check("bnn.", bnn)
  for name, value in pairs(bnn) do
    if type(value) == "table" and name ~= "ops" then check("bnn." .. name .. ".", value) end
  end
  lu.assertTrue(checked > 200, checked)
end

function TestEntries.test_the_modules_of_all_entries_load()
  for _, entry in ipairs(help.entries(bnn)) do
    local ok, fault = pcall(require, entry.module or "bnn")
    lu.assertTrue(ok, entry.name .. ": " .. tostring(fault))
  end
end

function TestEntries.test_internal_modules_are_left_out()
  lu.assertNotStrContains(help_on "bnn.nearest.distance", "edit distance")
  for _, entry in ipairs(help.entries(bnn)) do
    lu.assertNotStrContains(entry.name, "bnn.nearest")
    lu.assertNotStrContains(entry.name, "bnn.train.train")
  end
end

function TestEntries.test_rows_of_c_functions_and_ops_are_taken_when_there()
  local before = package.loaded["bnn.core"]
  bnn.sesame = function() end
  package.loaded["bnn.core"] = {
    docs = function()
      return {
        {name = "bnn.sesame", doc = "sesame(seed): a key\nfrom a seed"},
        {name = "bnn.one.door", doc = "door(): the first"},
        {name = "bnn.two.door", doc = "door(): the second"},
      }
    end,
    op_docs = function() return {{name = "crush", doc = "crush(x, ...): the sum"}} end,
  }
  local ok, fault = pcall(function()
    lu.assertStrContains(help_on "sesame", "sesame(seed): a key\n  from a seed\n  Errors: ")
    lu.assertEquals(help_on "two.door", "door(): the second\n")
    lu.assertEquals(help_on "door", "door(): the first\n\ndoor(): the second\n")
    for _, topic in ipairs{"x:crush", "crush", "t:crush", "bnn.crush"} do
      lu.assertStrContains(help_on(topic), "crush(x, ...): the sum\n", false, topic)
    end
  end)
  package.loaded["bnn.core"], bnn.sesame = before, nil
  if not ok then error(fault, 0) end
end

TestHelp = {}

local LINEAR = "bnn.schedule.linear(opts)\n  Makes a schedule that is"

function TestHelp.test_a_name_with_and_without_the_library_and_its_function_say_the_same()
  local schedule = require "bnn.inference.schedule"
  for _, topic in ipairs{"bnn.schedule.linear", "schedule.linear", schedule.linear} do
    lu.assertStrContains(help_on(topic), LINEAR)
  end
  lu.assertStrContains(help_on "linear", LINEAR) -- perhaps among others of that name
end

-- bnn.main is written in bnn.experiment, and so on.
function TestHelp.test_a_name_of_the_library_is_followed_to_where_it_was_written()
  local library = {deep = {zigzag = require "bnn.inference.schedule".linear}}
  for name, value in pairs(bnn) do library[name] = value end
  lu.assertStrContains(table.concat(help.lines(library, "bnn.deep.zigzag"), "\n"), LINEAR)
end

function TestHelp.test_a_module_lists_its_members_by_name_and_by_value()
  for _, topic in ipairs{"schedule", require "bnn.inference.schedule"} do
    local text = help_on(topic)
    lu.assertStrContains(text, "Schedules: values that depend on the step")
    lu.assertStrContains(text, "bnn.schedule.cosine")
  end
end

function TestHelp.test_functions_of_c_are_found_by_value_and_under_the_librarys_name()
  for name, start in pairs{mean = "mean(x, axes", key = "key(seed):", randn = "randn("} do
    for _, topic in ipairs{"bnn." .. name, bnn[name]} do
      lu.assertEquals(help_on(topic):sub(1, #start), start)
    end
  end
end

function TestHelp.test_tensors_by_name_are_explained_where_they_are_given()
  local part = bnn.data.from_tensors{x = {image = bnn.ones(2, 3)}}
  lu.assertStrContains(help_on(part.x), "bnn.data.from_tensors(opts)")
end

-- It was shown as bnn.no_module.accuracy.
function TestHelp.test_what_is_found_by_its_last_part_keeps_its_own_name()
  lu.assertStrContains(help_on "bnn.no_module.accuracy", "bnn.metrics.accuracy(")
  lu.assertNotStrContains(help_on "bnn.no_module.mean", "bnn.no_module")
end

function TestHelp.test_the_library_by_value_lists_no_internal_module()
  local text = help_on(bnn)
  lu.assertStrContains(text, "bnn.metrics")
  lu.assertNotStrContains(text, "bnn.metric_inputs")
end

function TestHelp.test_an_object_shows_its_class()
  local text = help_on(require "bnn.log.log".memory())
  lu.assertStrContains(text, "log:row")
  lu.assertStrContains(text, "log:say")
end

function TestHelp.test_a_method_is_found_whatever_the_object_is_called()
  lu.assertStrContains(help_on "my_log:say", "log:say(line)\n  Logs lines of results")
end

function TestHelp.test_an_unknown_name_gives_the_nearest()
  lu.assertStrContains(help_on "schedule.cosin",
    "nothing about 'schedule.cosin'; the nearest: bnn.schedule.cosine")
  lu.assertEquals(help_on "vmpa", "nothing about 'vmpa'; the nearest: bnn.vmap\n")
  lu.assertStrContains(help_on "chekpoints", "the nearest: help \"checkpoints\", bnn.checkpoint")
  lu.assertEquals(help_on "qqqqqqqqq", "nothing about 'qqqqqqqqq'; help() shows where to start\n")
  lu.assertEquals(help_on "\27[9J", "nothing about '\\x1b[9J'; help() shows where to start\n")
  lu.assertEquals(help_on(3), "nothing about '3'; help() shows where to start\n")
  lu.assertEquals(help_on "", "nothing about ''; help() shows where to start\n")
end

-- The lines of a text, each of at most 80 columns.
local function lines_of(text)
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do
    lu.assertTrue(utf8.len(line) <= 80, line)
    lines[#lines + 1] = line
  end
  return lines
end

function TestHelp.test_without_a_topic_it_fits_a_screen_and_lists_every_guide()
  local lines = lines_of(help_on(nil))
  lu.assertTrue(#lines <= 23, #lines) -- the prompt has the last of 24
  for i, guide in ipairs(guides.list()) do
    local name = lines[2 + i]:match "^  (%l+)  "
    lu.assertEquals(name, guide.name)
    lu.assertStrContains(help_on(name), "\n====", false, name)
  end
  lu.assertEquals(lines[3]:match "%l+", "start")
  for command, what in help_on(nil):gmatch '(%l+) "([^"]+)"' do
    local find = command == "apropos" and help.search or help.lines
    lu.assertTrue(select(2, find(bnn, what)), what)
  end
end

function TestHelp.test_a_heading_of_a_guide_shows_its_section()
  local text = help_on "predictions AND doubt"
  lu.assertStrContains(text, "Predictions and doubt\n-----")
  lu.assertNotStrContains(text, "\nNext\n")
  lu.assertStrContains(text, 'From help "start": From the prompt')
  local sections, list = 0, guides.list()
  for _, guide in ipairs(list) do
    for heading in guide.text:gmatch "\n##+ ([^\n]+)" do
      sections = sections + 1
      lu.assertNotNil(guides.section(list, (heading:gsub("[`\"]", ""))), heading)
    end
  end
  lu.assertTrue(sections > 60, sections)
end

function TestHelp.test_functions_and_methods_are_found_by_value()
  local state = bnn.optim.adam{}:init(bnn.nn.mlp{2}:init(bnn.key(1), bnn.ones(1, 2)))
  for name, value in pairs{
    ["state:steps"] = state.steps, ["x:sum"] = bnn.ones(1).sum, ["key:fold"] = bnn.key(1).fold,
    ["bnn.nn.mlp"] = bnn.nn.mlp, ["bnn.optim.adam"] = bnn.optim.adam, ["bnn.ood"] = bnn.ood,
  } do
    local lines, is_found = help.lines(bnn, value)
    lu.assertTrue(is_found, name)
    lu.assertStrContains(lines[1] .. lines[2], name:match "[^:]+$", false, name)
  end
end

-- Adds two numbers.
-- Both must be there.
local function add_two(a, b, ...) return a + b, ... end

function TestHelp.test_a_users_function_shows_its_arguments_comment_and_place()
  local lines, is_found = help.lines(bnn, add_two)
  lu.assertTrue(is_found)
  lu.assertEquals({lines[1], lines[2], lines[3]},
                  {"function(a, b, ...)", "  Adds two numbers.", "  Both must be there."})
  lu.assertStrContains(lines[4], "test_help.lua:")
  lu.assertEquals(#help.lines(bnn, function() end), 2)
end

function TestHelp.test_functions_of_lua_lead_to_its_manual()
  lu.assertStrContains(help_on(print), "lua.org/manual/5.4/manual.html#pdf-print\n")
  lu.assertStrContains(help_on "string.format", "#pdf-string.format")
  lu.assertStrContains(help_on "print", "#pdf-print")
end

function TestHelp.test_results_are_explained_by_what_makes_them()
  local data = bnn.data.cubic{key = bnn.key(1)}
  lu.assertStrContains(help_on(data), "bnn.data.load(")
  lu.assertStrContains(help_on(data.train), "part:batches")
  lu.assertStrContains(help_on(bnn.likelihood.gaussian{sigma = 1}), "bnn.likelihood")
  lu.assertStrContains(help_on(bnn.grad(print)), "bnn.grad(")
end

function TestHelp.test_the_index_has_every_public_name_with_a_whole_sentence_in_groups()
  local text = help_on "index"
  local squeezed = text:gsub("(%S) +", "%1 ") -- the width of the column is that of its longest name
  for _, piece in ipairs{
    "\nbnn functions of the library", "\n  train Trains an objective in place\n",
    "\n\nx: methods of a tensor\n", "\n  item the element of a tensor",
    "\n  sqrt square root of x, elementwise\n",
    "\n\nbnn.schedule Schedules: values that depend on the step",
    "\n  linear Makes a schedule that is",
    "\n\nlog: methods of log\n", "\n  close Closes the log's files",
  } do lu.assertNotNil(squeezed:find(piece, 1, true), piece) end
  lu.assertTrue(select(2, text:gsub("\n  [%w_]+", "")) > 150)
  for _, line in ipairs(lines_of(text)) do
    local bare = line:find "^  %S" and not line:find "^  [%w_]+%s+%S"
    lu.assertTrue(not bare, "without a sentence: " .. line)
    lu.assertNil(line:find "%a %.%.%.$", line)
  end
end

function TestHelp.test_the_overview_lists_functions_and_modules()
  local text = help_on "bnn"
  lines_of(text)
  for _, piece in ipairs{"Functions:\n", "bnn.train", "Modules:\n", "\n  bnn.optim"} do
    lu.assertStrContains(text, piece)
  end
  lu.assertNotStrContains(text, "bnn.optim.adam ")
end

function TestHelp.test_ops_lists_each_op_and_each_method_of_tensors()
  local text = help_on "ops"
  lines_of(text)
  for name in pairs(bnn.ops) do lu.assertStrContains(text, name) end
  lu.assertStrContains(text, "totable")
end

TestSearch = {}

function TestSearch.test_words_are_found_in_names_texts_and_guides()
  for _, row in ipairs{
    {"epistemic", "help \"uncertainty\"", "bnn.predict"},
    {"mnist", "help \"data\"", "bnn.data.load"},
    {"learning rate", "bnn.optim", "bnn.schedule"}, {"letters", "help \"data\""},
    {"abstain", "bnn.ood.abstains"}, {"random numbers", "help \"keys\""},
    {"Mirrors", "help \"data\""},
  } do
    local text = help_on(row[1])
    for i = 2, #row do lu.assertStrContains(text, row[i], false, row[1]) end
    lu.assertTrue(#lines_of(text) <= 23, row[1])
  end
end

function TestSearch.test_the_best_come_first_and_the_rest_is_counted()
  local text = help_on "the weights"
  local lines = lines_of(text)
  local total = tonumber(lines[1]:match "in (%d+) texts")
  local shown = 0
  for _, line in ipairs(lines) do shown = shown + (line:find "^  %S" and 1 or 0) end
  lu.assertEquals(shown, #lines - 3) -- a line each
  lu.assertEquals(tonumber(lines[#lines]:match "^%.%.%. (%d+) more"), total - shown)
  lu.assertTrue(#lines <= 23)
  lu.assertEquals(help_on "keys random numbers seed":match "\n  (%S+ %S+)", 'help "keys"')
  lu.assertStrContains(help_on "numbers seed", "Guide, Tensors and keys")
end

function TestSearch.test_every_word_must_be_there()
  lu.assertStrContains(help_on "epistemic qqqqq", "nothing about 'epistemic qqqqq'")
end

TestEntryTexts = {}

function TestEntryTexts.test_texts_fit_a_terminal()
  each_text(function(entry, text)
    for line in text:gmatch "[^\n]*" do
      local is_code = line:find "^      " ~= nil -- which stays as it is written
      lu.assertTrue(is_code or (utf8.len(line) or #line) <= 80, entry.name .. ": " .. line)
    end
  end)
end

function TestEntryTexts.test_names_to_look_at_are_there_and_no_text_names_itself()
  local public, seen = entry_names(), 0
  each_text(function(_, text)
    for names in text:gmatch "See also: ([^\n]*[^\n,]\n)" do
      for name in names:gmatch "[%w_]+[.:][%w_.]+" do
        seen = seen + 1
        lu.assertNotNil(public[name], name)
      end
    end
  end)
  lu.assertTrue(seen > 100, seen)
  local text = help_on "bnn.sampler.sgld"
  lu.assertStrContains(text, "bnn.sampler.sghmc")
  lu.assertNil(text:match("See also:.*"):find "bnn.sampler.sgld,")
  lu.assertStrContains(help_on "bnn.elbo":gsub("%s+", " "), "help \"kl\"")
end

function TestEntryTexts.test_methods_say_where_their_object_comes_from()
  local public = entry_names()
  for class, origin in pairs(classes.origins) do
    for name in origin:gmatch "bnn[%w_.]*%w" do
      lu.assertNotNil(public[name], class .. ": " .. name)
    end
  end
  lu.assertStrContains(help_on "state:steps", "A state comes from bnn.train")
  for name in pairs(public) do
    local class = name:match "^([%w_]+):"
    lu.assertTrue(not class or classes.origins[class] ~= nil, name)
  end
end

function TestEntryTexts.test_ops_say_their_shapes_types_and_gradient()
  local text = help_on "x:add"
  lu.assertStrContains(text, "Shapes: any that broadcast")
  lu.assertStrContains(text, "Types: real, or all of one integer type")
  lu.assertNotStrContains(text, "Gradient: none")
  lu.assertStrContains(help_on "x:argmax", "Gradient: none")
  lu.assertStrContains(help_on "x:sum", "-1 is the last")
  lu.assertStrContains(help_on "x:exp", "Types: real; others raise")
end

TestReflow = {}

function TestReflow.test_paragraphs_rows_and_code_are_told_apart()
  local reflow = require "bnn.help.reflow"
  local lines = reflow.lines(table.concat({
    "One two three", "four five.", "    code()", "@param opts table:", "  a     first of",
    "        all",
    "  long_name of a row", "        below", "  b     second", "@return nothing at", "  all",
  }, "\n"), 18)
  lu.assertEquals(lines, {
    "One two three four", "five.", "    code()", "@param opts table:", "  a     first of",
    "        all",
    "  long_name of a", "        row below", "  b     second", "@return nothing at", "  all",
  })
  lu.assertEquals(reflow.lines("makes it\nReturns it", 80, true), {"makes it", "Returns it"})
end

TestGuides = {}

function TestGuides.test_each_is_shown_in_eighty_columns_with_its_sections()
  local list = guides.list()
  lu.assertTrue(#list >= 11, #list)
  for _, guide in ipairs(list) do
    local text = help_on(guide.name)
    lines_of(text)
    lu.assertStrContains(text, "\n====")
    lu.assertTrue(#guide.summary > 30 and not guide.summary:find "[\n#]", guide.name)
    lu.assertNotStrContains(text, "```")
    lu.assertNotStrContains(text, ".md)")
  end
end

function TestGuides.test_a_topic_may_have_capitals_blanks_or_brackets()
  lu.assertEquals(help_on "Uncertainty", help_on "uncertainty")
  lu.assertEquals(help_on " keys ", help_on "keys")
  lu.assertEquals(help_on "bnn.train{steps = 3", help_on "bnn.train")
  lu.assertEquals(help_on "bnn.train(opts)", help_on "bnn.train")
end

function TestGuides.test_links_between_them_become_topics()
  local guide = {name = "a", text = "See [keys](keys.md), [the prior](kl.md) and\n"
    .. "[JAX](https://jax.dev).\n\n- one `code`\n  more\n"}
  lu.assertEquals(guides.lines(guide), {
    'See help "keys", the prior (help "kl") and JAX <https://jax.dev>.', "", "- one code more",
  })
end

function TestGuides.test_a_guide_is_no_module()
  lu.assertNotNil(require "bnn.loader".source "help/data.md")
  lu.assertErrorMsgContains("not found", require, "help/data.md")
end

-- A module of a guide's name is one line away.
function TestGuides.test_a_guide_names_the_module_of_its_name()
  lu.assertStrContains(help_on "data", 'help "bnn.data" explains the module of that name.')
  lu.assertStrContains(help_on "bnn.data", "bnn.data.load")
  lu.assertEquals(help_on "flags", help_on "environment")
end

function TestHelp.test_the_librarys_function_returns_nothing()
  local count
  local text = output_of(function() count = select("#", bnn.help "schedule") end)
  lu.assertEquals(count, 0)
  lu.assertStrContains(text, "bnn.schedule")
end

-- ---- what is listed is there ----

TestListed = {}

-- A recorder, whose run is over, and that run.
local function recorded()
  local root = os.tmpname()
  os.remove(root)
  local recorder = assert(require "bnn.records.recorder".start{
    root = root, script = arg[0], argv = {}, config = {seed = 1}})
  recorder:finish "completed"
  local run = assert(bnn.run.open("last", {runs = root}))
  os.execute("rm -rf " .. root)
  return recorder, run
end

-- The result of a sweep of one run.
local function swept()
  local root = os.tmpname()
  os.remove(root)
  local result = bnn.sweep{experiment = function(cfg) return {loss = cfg.a} end, space = {a = {1}},
                           objective = "loss", runs = root, workers = 1, progress = false}
  os.execute("rm -rf " .. root)
  return result
end

-- An object of every class whose methods are listed.
local function objects()
  local key = bnn.key(1)
  local x, y = bnn.randn(key, 6, 2), bnn.tensor({0, 1, 0, 1, 0, 1}, "i32")
  local part, net = bnn.data.from_tensors{x = x, y = y}, bnn.nn.mlp{2}
  local q = bnn.posterior.meanfield(net:init(key, x))
  local objective = bnn.elbo{net = net, posterior = q, temperature = 1, data_size = 6}
  local function predict(some) return bnn.predict(objective, some, {num_samples = 2, key = key}) end
  local path = os.tmpname()
  assert(bnn.safetensors.save(path, {x = x}))
  local recorder, run = recorded()
  local images = bnn.data.from_tensors{x = bnn.zeros(6, 1, 2), y = y}
  return {
    tensor = x, x = x, key = key, net = bnn.transform(function(t) return t end), layer = net,
    posterior = q, params = q.mu, samples = q:samples(key, 2), objective = objective, part = part,
    stream = bnn.data.stream(function() end),
    frame = bnn.data.table{{name = "a", values = {1}}}, preprocess = bnn.data.preprocess{},
    optimizer = bnn.optim.adam{}, state = bnn.optim.adam{}:init(q), compiled = bnn.compile(bnn.exp),
    prior = bnn.prior.laplace{}, run = run, recorder = recorder, pruner = bnn.pruner.none(),
    file = assert(bnn.safetensors.open(path)), log = bnn.log.memory(),
    result = swept(), space = bnn.space{a = {1, 2}}, sampler = bnn.search.random{a = {1, 2}},
    variances = bnn.gradient_variance{objective = objective, data = part, batch_size = 6,
                                      batches = 1, key = key, progress = false},
    report = bnn.shift.evaluate{predict = predict, data = images, key = key, shifts = {"noise"},
                                severities = {1}},
  }, path
end

function TestListed.test_every_name_is_what_its_text_says()
  local given, path = objects()
  each_text(function(entry, text)
    local class, method = entry.name:match "^([%w_]+):([%w_]+)$"
    if class then
      local object = given[class]
      lu.assertNotNil(object, "nothing whose methods are those of " .. class)
      lu.assertIsFunction(object[method], entry.name)
    else
      local value = bnn
      for field in entry.name:gsub("^bnn%.?", ""):gmatch "[^.]+" do value = value[field] end
      lu.assertNotNil(value, entry.name)
      if entry.call then lu.assertIsFunction(value, entry.name) end
    end
    lu.assertNotStrContains(text, "nothing about", false, entry.name)
    local last = (entry.doc or ""):match "[^\n]*$"
    lu.assertStrContains((text:gsub("%s+", " ")), (last:gsub("%s+", " ")), false, entry.name)
  end)
  os.remove(path)
end

function TestListed.test_a_module_with_the_name_of_an_op_is_called_as_the_op()
  for name, op in pairs(bnn.ops) do
    local value = bnn[name]
    lu.assertTrue(value == op or getmetatable(value).__call ~= nil, name)
  end
  lu.assertAlmostEquals(bnn.log(bnn.full({2}, 3)):totable(), bnn.full({2}, 3):log():totable(), 0)
  lu.assertEquals(bnn.log(1):item(), 0)
end

function TestListed.test_scripts_reach_it_through_the_library()
  lu.assertStrContains(output_of(bnn.help, "vmap"), "bnn.vmap(f")
end

os.exit(lu.LuaUnit.run())
