--- Configurations: files (JSON and Lua tables), groups, constancy while a run lasts, schedules as
-- text, and what --show_config prints.
local lu = require "luaunit"
local bnn = require "bnn"
local config_file = require "bnn.run.config_file"
local configuration = require "bnn.base.configuration"
local flags = require "bnn.run.flags"
local usage = require "bnn.run.usage"

local path = os.tmpname()

local function write(text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

-- Entries of a text as name -> value, and name -> line.
local function read(text)
  local values, lines = {}, {}
  for _, entry in ipairs(assert(config_file.parse(text))) do
    values[entry.name], lines[entry.name] = entry.value, entry.line
  end
  return values, lines
end

TestFile = {}

function TestFile.test_json_and_lua_say_the_same()
  local want = {
    lr = 1e-3, steps = 10, hidden = {64, 32}, name = "a\"b\n", flag = true, none = false,
    ["optimizer.momentum"] = 0.9, ["optimizer.deep.x"] = -1, empty = {},
  }
  lu.assertEquals(read [[
    {"lr": 1e-3, "steps": 10, "hidden": [64, 32], "name": "a\"b\n", "flag": true, "none": false,
     "nothing": null, "optimizer": {"momentum": 0.9, "deep": {"x": -1}}, "empty": []}]], want)
  lu.assertEquals(read [==[
    -- a comment
    return {
      lr = 0.001, steps = 10, hidden = {64, 32,}; name = 'a"b\n', ["flag"] = true, none = false,
      -- no value:
      nothing = nil,
      optimizer = {momentum = 0.9, deep = {x = -1}}, ["empty"] = {},
      --[[ a long
           one ]]
    }]==], want)
end

function TestFile.test_numbers_keep_their_kind_and_infinity()
  local values = read "{a = 1, b = 1.0, c = 1e3, d = math.huge, e = -inf, f = 0x10, g = -2.5e-3}"
  lu.assertEquals(values, {a = 1, b = 1.0, c = 1000.0, d = math.huge, e = -math.huge, f = 16,
                           g = -0.0025})
  lu.assertEquals(math.type(values.a), "integer")
  lu.assertEquals(math.type(values.b), "float")
end

function TestFile.test_escapes_of_both_languages()
  lu.assertEquals(read [[{a = "\u00e9\ud83d\ude00\/\t", b = '\x41\065\u{20AC}\\'}]],
    {a = "é😀/\t", b = "AA€\\"})
end

function TestFile.test_lines_are_those_of_the_values()
  local _, lines = read "{\n a = 1,\n -- no\n\n b = {1,\n 2},\n c = {\n d = 3}}"
  lu.assertEquals(lines, {a = 2, b = 5, ["c.d"] = 8})
end

function TestFile.test_faults_name_the_line_and_what_was_found()
  local rows = {
    {"", 1, "expected '{', got the end of the file"},
    {"lr = 1", 1, "expected '{', got 'lr'"},
    {"{\n lr = os.execute 'x'}", 2, "expected a value, got 'os.execute'"},
    {"{\n lr = (function() end)()}", 2, "expected a value, got '('"},
    {"{\n lr = 1\n steps = 2}", 3, "expected ',' or '}', got 'steps'"},
    {"{\n lr = 1,", 2, "expected a value, got the end of the file"},
    {"{lr = 1}\n{", 2, "expected the end of the file, got '{'"},
    {"{\n 1, 2}", 2, "expected a name before each value"},
    {"{a = {1,\n b = 2}}", 1, "expected a name before each value of a"},
    {"{a = [1, null]}", 1, "expected a value in the list, got nothing"},
    {"{\n lr = 'x\n'}", 2, "a string that does not end"},
    {"{\n lr = '\\q'}", 2, "an unknown escape in a string"},
    {"{\n lr = 1,\n lr = 2}", 3, "lr: given twice"},
    {("{a="):rep(30), 1, "tables are nested too deep"},
  }
  for _, row in ipairs(rows) do
    local entries, fault, line = config_file.parse(row[1])
    lu.assertNil(entries, row[1])
    lu.assertEquals({fault, line}, {row[3], row[2]}, row[1])
  end
end

local defaults = {
  lr = {1e-3, "learning rate", above = 0}, steps = {100, "steps", min = 1}, name = {"x", "a name"},
  hidden = {{8}, "units", type = "integer"}, verbose = {false, "say more"},
  optimizer = {
    lr = {0.5, "its rate", type = "schedule", above = 0}, nesterov = {true, "look ahead"},
  },
}

TestFlags = {}

function TestFlags:tearDown() os.remove(path) end

function TestFlags.test_flags_override_the_file_and_the_file_the_defaults()
  write '{"lr": 0.01, "steps": 1e2, "optimizer": {"lr": 2, "nesterov": false}}'
  local cfg = assert(flags.parse({"--config=" .. path, "--lr=0.02"}, defaults))
  lu.assertEquals(cfg, {lr = 0.02, steps = 100, name = "x", hidden = {8}, verbose = false,
                        ["optimizer.lr"] = 2, ["optimizer.nesterov"] = false})
  lu.assertEquals(math.type(cfg.steps), "integer")
end

function TestFlags.test_names_with_dots_are_flags()
  local cfg = assert(flags.parse({"--optimizer.lr=1e-3", "--no_optimizer.nesterov"}, defaults))
  lu.assertEquals({cfg["optimizer.lr"], cfg["optimizer.nesterov"]}, {1e-3, false})
  local _, fault = flags.parse({"--optimizer.rl=1"}, defaults)
  lu.assertStrContains(fault, "unknown flag --optimizer.rl: did you mean --optimizer.lr?")
end

function TestFlags.test_faults_name_file_line_key_found_and_wanted()
  local rows = {
    {"{\n lr = 'x'}", ':2: lr: expected a number, got "x"'},
    {"{\n steps = 1.5}", ":2: steps: expected an integer, got 1.5"},
    {"{lr = 0}", ":1: lr: expected more than 0, got 0"},
    {"{stepz = 1}", ":1: unknown key 'stepz': did you mean 'steps'?"},
    {"{optimizer = {nestorov = true}}", ":1: unknown key 'optimizer.nestorov': did you mean "
      .. "'optimizer.nesterov'?"},
    {"{speed = 1}", ":1: speed is now lr"},
    {"{renamed = 1}", ":1: unknown key 'renamed': "},
    {"{hidden = 'a'}", ':1: hidden: expected a list, got "a"'},
    {"{", ":1: expected a value, got the end of the file"},
  }
  for _, row in ipairs(rows) do
    write(row[1])
    local cfg, fault = flags.parse({"--config", path}, defaults, nil, {speed = "lr"})
    lu.assertNil(cfg, row[1])
    lu.assertEquals(fault:sub(1, #path + #row[2]), path .. row[2])
  end
  local _, fault = flags.parse({"--config=/nowhere/x.json"}, defaults)
  lu.assertStrContains(fault, "/nowhere/x.json: ")
end

function TestFlags.test_what_show_config_prints_is_read_back()
  local odd = {lr = 0.1 + 0.2, name = "q\"\\\n\1é\xff", hidden = {3, 2, 1}, verbose = true,
               steps = 7, ["optimizer.lr"] = "cosine:1e-3:0", ["optimizer.nesterov"] = false}
  local names = {"lr", "optimizer.lr", "optimizer.nesterov", "name", "hidden", "verbose", "steps"}
  write(config_file.text(odd, names))
  local cfg, shows = flags.parse({"--config=" .. path, "--show_config"}, defaults)
  lu.assertEquals(cfg, odd)
  lu.assertTrue(shows)
  lu.assertEquals(config_file.text({b = math.huge, a = 1.0, c = {"x"}}, {"a", "b", "c", "d"}),
    '{\n  a = 1,\n  b = inf,\n  c = {"x"},\n}\n')
end

function TestFlags.test_an_entry_may_be_called_config()
  local cfg = assert(flags.parse({"--config=7"}, {config = {1, "its own"}}))
  lu.assertEquals(cfg.config, 7)
end

function TestFlags.test_help_lists_groups_in_the_order_of_the_source()
  local e = {defaults = {
    zeta = {1, "first"}, group = {lr = {2, "second"}, beta = {3, "third"}}, alpha = {4, "last"},
  }, run = function() end}
  local run = e.run
  bnn.main(e)
  local text = usage.text(e, "x", run)
  lu.assertStrMatches(text, ".*%-%-zeta.*%-%-group%.lr=INTEGER.*second.*%-%-group%.beta.*"
    .. "%-%-alpha.*%-%-log.*%-%-config=FILE.*%-%-show_config.*")
end

TestConstant = {}

-- What f does with the configuration of a run.
local function within(f, given)
  local e = bnn.main{defaults = defaults, run = function(cfg) return {f(cfg)} end}
  return table.unpack((e.run(given)))
end

-- What f does with the configuration of a run that has lists and a group of options.
local function with_lists(f)
  local e = bnn.main{
    defaults = {
      hidden = {{2, 3}, "units", type = "integer"}, order = {{3, 1, 2}, "of axes"},
      axes = {{2, 3}, "to sum over"}, optimizer = {betas = {{0.9, 0.99}, "decay"}},
      adam = {lr = {0.25, "its rate"}, b1 = {0.8, "its decay"}},
    },
    run = function(cfg) return {f(cfg)} end,
  }
  return table.unpack((e.run{}))
end

function TestConstant.test_assignment_raises_and_names_the_key()
  local function fault(f)
    return within(function(cfg) return select(2, pcall(f, cfg)) end)
  end
  local what = "a configuration cannot be changed while it runs"
  lu.assertStrContains(fault(function(cfg) cfg.lr = 2 end), "lr: " .. what)
  lu.assertStrContains(fault(function(cfg) cfg.new = 2 end), "new: " .. what)
  lu.assertStrContains(fault(function(cfg) cfg.optimizer.lr = 2 end), "optimizer.lr: " .. what)
end

function TestConstant.test_a_list_cannot_be_changed_but_copied()
  local changes = {
    function(list) list[#list + 1] = 10 end, function(list) list[1] = 3 end,
    function(list) list.name = 3 end, function(list) table.insert(list, 10) end,
    function(list) table.insert(list, 1, 10) end, function(list) table.remove(list) end,
    function(list) table.sort(list, function(a, b) return a > b end) end,
    function(list) table.move({1}, 1, 1, 1, list) end,
  }
  with_lists(function(cfg)
    for i, change in ipairs(changes) do
      local _, fault = pcall(change, cfg.hidden)
      lu.assertStrContains(fault, "hidden: a configuration cannot be changed while it runs; "
        .. "{table.unpack(cfg.hidden)} is a copy that can", false, "change " .. i)
    end
    local _, fault = pcall(function() cfg.optimizer.betas[1] = 1 end)
    lu.assertStrContains(fault, "optimizer.betas: a configuration cannot be changed")
    lu.assertStrContains(fault, "{table.unpack(cfg.optimizer.betas)} is a copy")
    local copy = {table.unpack(cfg.hidden)}
    copy[#copy + 1] = 10
    lu.assertEquals(copy, {2, 3, 10})
    lu.assertEquals({table.unpack(cfg.hidden)}, {2, 3})
  end)
end

-- Whatever reads a list reads one of a configuration.
function TestConstant.test_a_list_reads_like_any_other()
  with_lists(function(cfg)
    local list, seen = cfg.hidden, {}
    for i, n in pairs(list) do seen[i] = n end
    lu.assertEquals(seen, {2, 3})
    lu.assertEquals(table.concat(list, " "), "2 3")
    lu.assertEquals(table.move(list, 1, 2, 2, {7}), {7, 2, 3})
    lu.assertEquals(select("#", table.unpack(list)), 2)
    lu.assertTrue(list == cfg.hidden)
    lu.assertEquals(bnn.tensor(list):totable(), {2, 3})
    lu.assertEquals(bnn.tensor{list, list}:totable(), {{2, 3}, {2, 3}})
    lu.assertEquals(bnn.zeros(list):shape(), {2, 3})
    lu.assertEquals(bnn.ones(6):view(list):shape(), {2, 3})
    lu.assertEquals(bnn.ones(2, 3, 4):permute(cfg.order):shape(), {4, 2, 3})
    lu.assertEquals(bnn.ones(2, 3, 4):sum(cfg.axes):shape(), {2})
    lu.assertEquals(bnn.linspace(1, 9, 9)[{list}]:totable(), {2, 3})
    lu.assertEquals(bnn.linspace(1, 16, 16):view(4, 4)[list], 7)
    lu.assertEquals(bnn.number.list(list), "2, 3")
    lu.assertEquals(bnn.data.one_hot(list, 4):shape(), {2, 4})
    local net = bnn.nn.mlp(list)
    lu.assertEquals(net:init(bnn.key(1), bnn.ones(1, 5)):numel(), 6 * 2 + 3 * 3)
    lu.assertErrorMsgContains("got {2, 3}", bnn.nn.linear, list)
  end)
end

function TestConstant.test_a_group_is_a_table_of_options()
  local adam = with_lists(function(cfg) return bnn.optim.adam(cfg.adam) end)
  local params = bnn.nn.linear(1):init(bnn.key(1), bnn.ones(1, 2))
  local made = adam:init(params):state_dict().options
  lu.assertEquals({made.lr, made.b1}, {0.25, 0.8})
end

function TestConstant.test_it_reads_like_a_table()
  local seen, sizes = within(function(cfg)
    local names = {}
    for name, value in pairs(cfg) do names[name] = value end
    local list = {}
    for _, n in ipairs(cfg.hidden) do list[#list + 1] = n end
    return names, {list, #cfg.hidden, table.unpack(cfg.hidden)}
  end, {hidden = {4, 5}, optimizer = {lr = 0.25}})
  lu.assertEquals(seen.lr, 1e-3)
  lu.assertEquals({seen.optimizer.lr, seen.optimizer.nesterov}, {0.25, true})
  lu.assertEquals(sizes, {{4, 5}, 2, 4, 5})
end

function TestConstant.test_groups_may_be_given_by_full_name_and_are_checked()
  lu.assertEquals(within(function(cfg) return cfg.optimizer.lr end, {["optimizer.lr"] = 3}), 3)
  lu.assertErrorMsgContains("run: unknown option 'optimizer.rl': did you mean 'optimizer.lr'?",
    within, print, {optimizer = {rl = 1}})
end

function TestConstant.test_what_decides_the_result_is_flat_and_has_schedules_as_text()
  local e = bnn.main{
    defaults = {optimizer = {lr = {"cosine:1e-3", "rate", type = "schedule"}},
                steps = {5, "steps"}, show = {1, "no matter", result = false}},
    run = function(cfg) return {configuration.resulting(cfg)} end,
  }
  lu.assertEquals(e.run{}[1], {["optimizer.lr"] = "cosine:1e-3", steps = 5})
end

function TestConstant.test_a_checkpoint_stores_it_as_it_is()
  within(function(cfg)
    local params = bnn.nn.linear(1):init(bnn.key(1), bnn.ones(1, 2))
    assert(bnn.checkpoint.save(path, {params = params, config = cfg}))
    return true
  end, {optimizer = {lr = "linear:1:0"}})
  local saved = assert(bnn.checkpoint.load(path)).config
  os.remove(path)
  lu.assertEquals(saved.optimizer, {lr = "linear:1:0", nesterov = true})
  lu.assertEquals(saved.hidden, {8})
end

TestSchedules = {}

function TestSchedules.test_texts_are_the_functions_of_bnn_schedule()
  local s = bnn.schedule
  local rows = {
    {"linear:1:0.5", s.linear{from = 1, to = 0.5, steps = 20}},
    {"linear:1:0:7", s.linear{from = 1, to = 0, steps = 7}},
    {"cosine:1e-3", s.cosine{from = 1e-3, steps = 20}},
    {"cosine:1e-3:1e-5", s.cosine{from = 1e-3, to = 1e-5, steps = 20}},
    {"exponential:1:0.5:4", s.exponential{from = 1, factor = 0.5, every = 4}},
    {"step:1:0.1:5", s.step{from = 1, factor = 0.1, every = 5}},
    {"cyclical:5:1", s.cyclical{period = 5, from = 1}},
    {"warmup:5:0.5", s.warmup{steps = 5, to = 0.5}},
    {"warmup:5:cosine:1:0.1",
     s.warmup{steps = 5, after = s.cosine{from = 1, to = 0.1, steps = 15}}},
  }
  for _, row in ipairs(rows) do
    local made = assert(s.parse(row[1], {steps = 20}))
    for step = 1, 22 do lu.assertEquals(made(step), row[2](step), row[1]) end
  end
  lu.assertEquals(s.parse "1e-3", 1e-3)
end

function TestSchedules.test_bad_texts_say_what_is_expected()
  local rows = {
    {"x", "a number or a schedule, such as"}, {"cosin:1", "a number or a schedule"},
    {"cosine", "cosine:FROM:TO:STEPS"}, {"cosine:1:2:3:4", "cosine:FROM:TO:STEPS"},
    {"linear:1:x", "linear:FROM:TO:STEPS"}, {"cosine:1", "with the number of steps"},
    {"step:1:0.1", "step:FROM:FACTOR:EVERY"}, {"warmup:5", "a number or"},
    {"warmup:0:1", "a number or"}, {"linear:1:0:0", "linear:FROM:TO:STEPS"}, {"nan", "a number"},
  }
  for _, row in ipairs(rows) do
    local made, wanted = bnn.schedule.parse(row[1])
    lu.assertNil(made, row[1])
    lu.assertStrContains(wanted, row[2], row[1])
  end
end

function TestSchedules.test_a_flag_ends_with_the_steps_of_the_run()
  local lr = within(function(cfg) return cfg.optimizer.lr end,
    {steps = 11, optimizer = {lr = "linear:1:0"}})
  lu.assertEquals({lr(1), lr(6), lr(11)}, {1, 0.5, 0})
  local cfg = assert(flags.parse({"--optimizer.lr=linear:1:0"}, defaults))
  lu.assertEquals(within(function(c) return c.optimizer.lr(100) end, cfg), 0)
end

function TestSchedules.test_flags_refuse_bad_ones_and_values_out_of_bounds()
  local rows = {
    {"cosine:x", "--optimizer.lr: expected cosine:FROM:TO:STEPS, got 'cosine:x'"},
    {"linear:-1:1", "--optimizer.lr: expected a schedule of values that are at least 0, got"},
    {"0", "--optimizer.lr: expected more than 0, got '0'"},
  }
  for _, row in ipairs(rows) do
    local cfg, fault = flags.parse({"--optimizer.lr=" .. row[1]}, defaults)
    lu.assertNil(cfg)
    lu.assertStrContains(fault, row[2])
  end
  local _, fault = flags.parse({"--lr=cosine:1"}, {lr = {1, "rate", type = "schedule"}})
  lu.assertStrContains(fault, "--lr: expected cosine:FROM:TO:STEPS with the number of steps, got")
  lu.assertErrorMsgContains('run: optimizer.lr: expected cosine:FROM:TO:STEPS, got "cosine:x"',
    within, print, {optimizer = {lr = "cosine:x"}})
end

-- An experiment with epochs knows its steps when it has seen its data.
function TestSchedules.test_with_epochs_the_run_says_where_they_end()
  local e = bnn.main{
    defaults = {lr = {1, "rate", type = "schedule"}, epochs = {2, "passes", min = 1}},
    run = function(cfg) return cfg.lr end,
  }
  local with_steps = bnn.schedule.with_steps
  local lr = e.run{lr = "warmup:2:linear:1:0"}
  lu.assertErrorMsgContains("schedule warmup:2:linear:1:0: expected bnn.schedule.with_steps", lr, 1)
  lu.assertEquals(with_steps(lr, 7)(7), 0)
  lu.assertEquals(with_steps(lr, 12)(7), bnn.schedule.parse("linear:1:0", {steps = 10})(5))
  lu.assertEquals(with_steps(e.run{lr = "cosine:1:0"}, 0)(1), 0)
  lu.assertEquals(with_steps(e.run{lr = 0.5}, 7), 0.5)
  local whole = e.run{lr = "linear:1:0:5"}
  lu.assertEquals({with_steps(whole, 7), whole(5)}, {whole, 0})
  lu.assertErrorMsgContains("run: lr: expected cosine:FROM:TO:STEPS", e.run, {lr = "cosine:x"})
  lu.assertErrorMsgContains("bnn.schedule.with_steps: expected a number or", with_steps, "x", 5)
  lu.assertErrorMsgContains("with_steps: steps: expected an integer of at least 0, got -1",
    with_steps, 1, -1)
end

os.exit(lu.LuaUnit.run())
