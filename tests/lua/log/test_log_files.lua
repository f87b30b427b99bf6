--- Log files: read back, added to, cut short, on a full disk; event files of TensorBoard.
local lu = require "luaunit"
package.path = (arg[0]:match "^.*/" or "./") .. "../?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local core = require "bnn.core"

local key = bnn.key(1)

-- A folder that is there while `use` runs.
local function in_folder(use)
  local folder = os.tmpname()
  os.remove(folder)
  assert(core.make_folder(folder))
  local ok, fault = pcall(use, folder)
  os.execute("rm -rf " .. folder)
  if not ok then error(fault, 0) end
end

local function read_all(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write_all(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

-- The events of the one file in a folder, each as its bytes.
local function events_of(folder)
  local names = assert(core.list_dir(folder))
  local text, events, at = "", {}, 1
  for name in pairs(names) do
    if name:find "^events%.out%.tfevents%." then text = text .. read_all(folder .. "/" .. name) end
  end
  while at <= #text do
    local length = string.unpack("<I8", text, at)
    local event = text:sub(at + 12, at + 11 + length)
    lu.assertEquals(text:sub(at, at + 15 + length), core.tfevents_record(event))
    events[#events + 1] = event
    at = at + 16 + length
  end
  return events
end

local KINDS = {"csv", "jsonl"}

TestRead = {}

function TestRead.test_what_was_written_comes_back()
  in_folder(function(folder)
    for _, kind in ipairs(KINDS) do
      local path = folder .. "/x." .. kind
      local log, memory = assert(bnn.log.file(path)), bnn.log.memory()
      for step = 0, 300, 100 do
        local rows = {{"z/loss", 1 / (step + 3)}, {"a", -step}, {'odd "name",\n', "a, \"word\"\n"},
                      {"on", step > 0}, {"tiny", 5e-324}, {"whole", 3}}
        log:row(step, rows)
        memory:row(step, rows)
      end
      log:close()
      lu.assertEquals(assert(bnn.log.read(path)).blocks, memory.blocks, kind)
    end
  end)
end

function TestRead.test_data_read_gives_logs_too_and_tables_of_numbers_as_ever()
  in_folder(function(folder)
    for _, kind in ipairs(KINDS) do
      local path = folder .. "/x." .. kind
      local log = assert(bnn.log.file(path))
      log:row(7, {{"loss", 0.25}, {"note", "a, b"}})
      log:close()
      lu.assertEquals(assert(bnn.data.read(path)).blocks, bnn.log.read(path).blocks)
      lu.assertEquals({assert(bnn.data.read(path)):last "loss"}, {0.25, 7})
    end
    write_all(folder .. "/y.csv", "step,name,values\n1,2,3\n4,5,6\n")
    bits.assert_same(assert(bnn.data.read(folder .. "/y.csv")).x,
      bnn.tensor{{1, 2, 3}, {4, 5, 6}})
    local read, message = bnn.data.read(folder .. "/none.jsonl")
    lu.assertNil(read)
    lu.assertStrContains(message, "none.jsonl: No such file")
  end)
end

-- What each sink makes of numbers that are very small, large or none at all.
local NUMBERS = {
  {1e-5, "1e-05"}, {1e-12, "1e-12"}, {123456.789, "123456.789"}, {-2.5e-7, "-2.5e-07"},
  {5e-324, "4.94e-324"}, {0.1, "0.100"}, {-0.0, "-0.000"}, {1e300, "1e+300"}, {0 / 0, "nan"},
  {math.huge, "inf"}, {-math.huge, "-inf"},
}

function TestRead.test_numbers_keep_their_digits_on_every_sink()
  in_folder(function(folder)
    local lines = {}
    local function keep(_, line) lines[#lines + 1] = line return true end
    local log = bnn.log.tee{
      bnn.log.console{out = {write = keep}}, assert(bnn.log.file(folder .. "/x.csv")),
      assert(bnn.log.file(folder .. "/x.jsonl")), assert(bnn.log.tensorboard(folder .. "/board")),
    }
    for step, row in ipairs(NUMBERS) do log:row(step, {{"v", row[1]}}) end
    log:close()
    local csv, json = bnn.log.read(folder .. "/x.csv"), bnn.log.read(folder .. "/x.jsonl")
    local events = events_of(folder .. "/board")
    for step, row in ipairs(NUMBERS) do
      local v = row[1]
      lu.assertEquals(lines[step]:match "%S+\n$", row[2] .. "\n")
      local back, is_finite = csv.blocks[step].rows[1][2], v - v == 0
      lu.assertTrue(back == v or back ~= back and v ~= v, "csv: " .. row[2])
      if is_finite then lu.assertEquals(json.blocks[step].rows[1][2], v) end
      local in_event = string.unpack("<f", events[step + 1]:sub(-4))
      lu.assertTrue(in_event == string.unpack("<f", string.pack("<f", v)) or v ~= v)
    end
  end)
end

function TestRead.test_numbers_that_are_not_finite()
  in_folder(function(folder)
    local log = assert(bnn.log.file(folder .. "/x.csv"))
    log:row(1, {{"nan", 0 / 0}, {"inf", math.huge}, {"less", -math.huge}})
    log:close()
    local read = assert(bnn.log.read(folder .. "/x.csv"))
    lu.assertIsNaN((read:last "nan"))
    lu.assertEquals((read:last "inf"), math.huge)
    lu.assertEquals((read:last "less"), -math.huge)
  end)
end

function TestRead.test_a_curve_has_steps_and_values_and_of_a_step_the_last()
  in_folder(function(folder)
    for _, kind in ipairs(KINDS) do
      local path = folder .. "/x." .. kind
      local log = assert(bnn.log.file(path))
      for step = 1, 4 do log:row(step, {{"loss", step}, {"word", "w"}}) end
      log:close()
      log = assert(bnn.log.file(path, {append = true}))
      for step = 3, 5 do log:row(step, {{"loss", step + 0.5}}) end
      log:close()
      local steps, values = assert(bnn.log.read(path)):curve "loss"
      bits.assert_same(steps, bnn.tensor({1, 2, 3, 4, 5}, "i64"))
      bits.assert_same(values, bnn.tensor{1, 2, 3.5, 4.5, 5.5})
      lu.assertNil(bnn.log.read(path):curve "word")
      lu.assertNil(bnn.log.read(path):curve "none")
    end
  end)
end

function TestRead.test_a_line_that_is_cut_short_is_left_out()
  in_folder(function(folder)
    for _, kind in ipairs(KINDS) do
      local path = folder .. "/x." .. kind
      local log = assert(bnn.log.file(path))
      for step = 1, 3 do log:row(step, {{'loss, "mean"', step + 0.25}, {"loss", step}}) end
      log:close()
      local text = read_all(path)
      local before = text:match "^(.*\n)[^\n]*\n$"
      for length = #before + 1, #text - 2 do
        write_all(path, text:sub(1, length))
        lu.assertEquals((assert(bnn.log.read(path)):last "loss"), 2, kind)
        log = assert(bnn.log.file(path, {append = true})) -- a resumed run goes on in a new line
        log:row(4, {{"loss", 4}})
        log:close()
        lu.assertEquals((assert(bnn.log.read(path)):curve "loss"):totable(), {1, 2, 4})
      end
    end
  end)
end

function TestRead.test_a_log_begins_anew_unless_it_is_added_to()
  in_folder(function(folder)
    for _, kind in ipairs(KINDS) do
      local path = folder .. "/x." .. kind
      for step = 1, 2 do
        local log = assert(bnn.log.file(path))
        log:row(step, {{"loss", step}})
        log:close()
      end
      lu.assertEquals((assert(bnn.log.read(path)):curve "loss"):totable(), {2})
    end
  end)
end

function TestRead.test_what_is_no_log_is_refused()
  in_folder(function(folder)
    local refused = {
      {"x.csv", "", "x.csv: line 1: expected the header step,name,value"},
      {"x.csv", "a,b\n1,2\n", "x.csv: line 1: expected the header step,name,value"},
      {"x.csv", "step,name,value\na,b,c\n", "x.csv: line 2: expected an integer step"},
      {"x.csv", "step,name,value\n1,b\n", "x.csv: line 2: expected step,name,value"},
      {"x.jsonl", "[1]\n", "x.jsonl: line 1: expected an integer step"},
      {"x.jsonl", '{"loss":1}\n', "x.jsonl: line 1: expected an integer step"},
      {"x.jsonl", "nothing\n", "x.jsonl: line 1: "},
      {"x.txt", "", "expected a name that ends in .csv or .jsonl"},
    }
    for _, row in ipairs(refused) do
      write_all(folder .. "/" .. row[1], row[2])
      local read, message = bnn.log.read(folder .. "/" .. row[1])
      lu.assertNil(read)
      lu.assertStrContains(message, row[3])
    end
    local read, message = bnn.log.read(folder .. "/none.csv")
    lu.assertNil(read)
    lu.assertStrContains(message, "none.csv: No such file")
  end)
end

TestFull = {}

-- Nothing but the log ends: later rows are left out.
function TestFull.test_a_full_disk_ends_the_log_and_not_the_run()
  local out = assert(io.open("/dev/full", "wb"))
  local said = {}
  local strings = require "bnn.base.strings"
  local notice = strings.notice
  strings.notice = function(line) said[#said + 1] = line end
  local log_file = require "bnn.log.log_file"
  local file = assert(log_file.open(os.tmpname(), false))
  os.remove(file.path)
  file.out:close()
  file.out = out
  local ok, fault = pcall(function()
    file:put "a\n"
    file:put "b\n"
  end)
  strings.notice = notice
  lu.assertTrue(ok, fault)
  lu.assertEquals(#said, 1)
  lu.assertStrContains(said[1], " ends here: No space left on device")
  file:close()
end

-- ---- TensorBoard ----

TestTensorBoard = {}

function TestTensorBoard.test_a_row_is_an_event_with_its_step_and_values()
  in_folder(function(folder)
    local log = assert(bnn.log.tensorboard(folder .. "/run"))
    log:row(3, {{"loss", 0.5}, {"on", true}, {"note", "word"}})
    log:row(1 << 40, {{"loss", 1e300}})
    local events = events_of(folder .. "/run") -- before it is closed
    log:close()
    log:close()
    lu.assertEquals(#events, 3)
    lu.assertStrContains(events[1], "brain.Event:2")
    -- tag 1 string "loss", simple_value 2 float 0.5; step 2 varint 3
    lu.assertStrContains(events[2], "\10\11\10\4loss\21\0\0\0\63")
    lu.assertEquals(events[2]:sub(10, 11), "\16\3")
    lu.assertStrContains(events[2], "\10\9\10\2on\21\0\0\128\63")
    lu.assertStrContains(events[2], "word")
    lu.assertStrContains(events[3], "\16\128\128\128\128\128\32")
  end)
end

function TestTensorBoard.test_histograms_and_images()
  in_folder(function(folder)
    local log = assert(bnn.log.tensorboard(folder))
    log:histogram(2, "w", bnn.randn(key, 50))
    log:histogram(2, "nothing", bnn.tensor{0 / 0})
    log:image(2, "digit", bnn.tensor({{0, 255}, {1, 2}}, "u8"))
    log:close()
    local events = events_of(folder)
    lu.assertEquals(#events, 3)
    lu.assertStrContains(events[2], core.tfevents_histogram(bnn.randn(key, 50)))
    lu.assertStrContains(events[3], "\x89PNG")
  end)
end

-- A sink that keeps the histograms that it is given.
local function histograms()
  local got = {names = {}}
  local log = bnn.log.new{
    write = function() end,
    histogram = function(_, step, name, x)
      got.names[#got.names + 1] = step .. " " .. name
      got[name] = x
    end,
  }
  return log, got
end

local params = bnn.nn.mlp{4, 3}:init(key, bnn.zeros(1, 5))

TestPosterior = {}

function TestPosterior.test_histograms_are_mu_sigma_and_the_signal_to_noise_ratio_of_each_tensor()
  local log, got = histograms()
  local q = bnn.posterior.meanfield(params, {logvar = -4, only = {"mlp/linear_1/w"}})
  log:posterior(7, q)
  lu.assertEquals(got.names, {
    "7 mu/mlp/linear_1/w", "7 sigma/mlp/linear_1/w", "7 snr_db/mlp/linear_1/w",
    "7 weights/mlp/linear_0/w", "7 weights/mlp/linear_0/b", "7 weights/mlp/linear_1/b",
  })
  local w = params["mlp/linear_1/w"]
  bits.assert_same(got["mu/mlp/linear_1/w"], w)
  local want = (w:abs() / math.exp(-2)):log() * (10 / math.log(10))
  lu.assertTrue((got["snr_db/mlp/linear_1/w"] - want):abs():max():item() < 1e-4)
end

function TestPosterior.test_of_many_tensors_they_are_over_all()
  local sizes = {}
  for i = 1, 13 do sizes[i] = 2 end
  local many = bnn.nn.mlp(sizes):init(key, bnn.zeros(1, 5))
  local log, got = histograms()
  local q = bnn.posterior.meanfield(many, {only = {"mlp/linear_0"}})
  log:posterior(1, q)
  lu.assertEquals(got.names, {"1 mu", "1 sigma", "1 snr_db", "1 weights"})
  lu.assertEquals({got.sigma:numel(), got.weights:numel()}, {12, many:numel() - 12})
  log, got = histograms()
  log:posterior(1, bnn.posterior.point(many))
  lu.assertEquals(got.names, {"1 weights"})
  lu.assertEquals(got.weights:numel(), many:numel())
end

function TestPosterior.test_a_family_without_a_deviation_shows_mu_and_a_point_its_weights()
  local log, got = histograms()
  log:posterior(1, bnn.posterior.define{
    name = "mute", buffers = {mu = "params"}, sample = function(phi) return phi.mu end,
    kl = function(phi) return phi.mu.flat:sum() end,
  }(params))
  log:posterior(2, bnn.posterior.point(params))
  lu.assertEquals({got.names[1], got.names[5], #got.names},
    {"1 mu/mlp/linear_0/w", "2 weights/mlp/linear_0/w", 8})
end

function TestPosterior.test_logs_without_histograms_compute_none()
  local q = bnn.posterior.meanfield(params)
  function q.std() error "computed" end
  local tee = bnn.log.tee{bnn.log.memory(), bnn.log.new(function() end)}
  for _, log in ipairs{bnn.log.memory(), tee, bnn.log.tee{tee}} do log:posterior(1, q) end
  local log = histograms()
  lu.assertErrorMsgContains("computed", log.posterior, bnn.log.tee{tee, log}, 1, q)
  local function raises(words, ...) lu.assertErrorMsgContains(words, log.posterior, log, ...) end
  raises("log:posterior: q: expected a posterior, got", 1, {})
  raises("log:posterior: step: expected an integer", 0.5, q)
end

function TestPosterior.test_a_training_writes_them_beside_its_rows()
  local log, got = histograms()
  local net, x = bnn.nn.mlp{4, 3}, bnn.randn(key, 20, 5)
  local objective = bnn.elbo{
    net = net, posterior = bnn.posterior.meanfield(params:clone()), likelihood = "categorical",
    beta = 1e-3,
  }
  local y = bnn.zeros(20):to "i32"
  bnn.train{
    objective = objective, optimizer = bnn.optim.adam{}, data = bnn.data.from_tensors{x = x, y = y},
    steps = 4, batch_size = 10, key = key, log = log, log_every = 2,
    evaluate = function(step) return step ~= 2 and {{"a", 1}} or nil end,
  }
  lu.assertEquals(#got.names, 2 * 12)
  lu.assertEquals({got.names[1], got.names[13]}, {"0 mu/mlp/linear_0/w", "4 mu/mlp/linear_0/w"})
  bits.assert_same(got["mu/mlp/linear_0/w"], objective.posterior.mu["mlp/linear_0/w"])
end

function TestTensorBoard.test_logs_in_one_folder_are_files_of_their_own()
  in_folder(function(folder)
    for _ = 1, 3 do assert(bnn.log.tensorboard(folder)):close() end
    local count = 0
    for _ in pairs(assert(core.list_dir(folder))) do count = count + 1 end
    lu.assertEquals(count, 3)
  end)
end

function TestTensorBoard.test_hyperparameters()
  in_folder(function(folder)
    local config = {lr = 0.1, kl = "sum", on = true, hidden = {64, 64}}
    local log = assert(bnn.log.tensorboard(folder, {config = config, metrics = {"loss"}}))
    log:close()
    local text = table.concat(events_of(folder))
    for _, words in ipairs{
      "_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info",
      "\10\6hidden\18\7\26\00564,64", "\10\2lr\18\9\17" .. ("<d"):pack(0.1), "loss",
    } do
      lu.assertStrContains(text, words)
    end
  end)
end

function TestTensorBoard.test_what_it_cannot_log()
  in_folder(function(folder)
    local log = assert(bnn.log.tensorboard(folder))
    local function raises(words, method, ...)
      lu.assertErrorMsgContains(words, log[method], log, ...)
    end
    raises("log:image: x: expected u8 [h, w] or [h, w, channels], got " .. core.real .. " [2]",
      "image", 1, "x", bnn.zeros(2))
    raises("log:image: x: expected an image", "image", 1, "x", 5)
    raises("log:histogram: x: expected a tensor", "histogram", 1, "x", {})
    raises("log:histogram: step: expected an integer", "histogram", 0.5, "x", bnn.zeros(2))
    raises("log:histogram: name: expected", "histogram", 1, {}, bnn.zeros(2))
    log:close()
    local made, message = bnn.log.tensorboard(folder .. "/no/such")
    lu.assertNil(made)
    lu.assertStrContains(message, "/no/such")
  end)
end

function TestTensorBoard.test_logs_of_other_kinds_leave_them_out()
  local memory = bnn.log.memory()
  local log = bnn.log.tee{memory, function() end}
  log:histogram(1, "w", bnn.zeros(2))
  log:image(1, "x", bnn.zeros(2, 2))
  log:row(1, {{"loss", 1}})
  lu.assertEquals(#memory.blocks, 1)
end

-- ---- the flags of experiments ----

TestFlags = {}

local function experiment()
  return bnn.main{defaults = {resume = {false, "resume"}}, run = function(cfg, log)
    log:row(1, {{"loss", cfg.resume and 2 or 1}})
    log:say "the end"
    return {loss = 1}, "artefact"
  end}
end

function TestFlags.test_metrics_go_to_the_files_as_well()
  in_folder(function(folder)
    local cfg = {log = folder .. "/x.csv", tensorboard = folder .. "/events"}
    local memory = bnn.log.memory()
    local metrics, artefact = experiment().run(cfg, memory)
    lu.assertEquals({metrics, artefact}, {{loss = 1}, "artefact"})
    lu.assertEquals(memory.lines, {"the end"})
    lu.assertEquals(assert(bnn.log.read(cfg.log)).blocks, memory.blocks)
    lu.assertStrContains(table.concat(events_of(cfg.tensorboard)), "loss")
    cfg.resume = true -- adds
    experiment().run(cfg, memory)
    lu.assertEquals(#assert(bnn.log.read(cfg.log)).blocks[1].rows, 2)
    cfg.resume = nil -- begins anew
    experiment().run(cfg, memory)
    lu.assertEquals(#assert(bnn.log.read(cfg.log)).blocks[1].rows, 1)
  end)
end

function TestFlags.test_a_file_that_cannot_be_made_ends_the_run_before_it_begins()
  local refused = {
    {{log = "x.txt"}, "x.txt: expected a name that ends in .csv or .jsonl"},
    {{log = "/no/such/x.csv"}, "/no/such/x.csv: No such file"},
    {{tensorboard = "/no/such/x"}, "/no/such/x: No such file"},
  }
  for _, row in ipairs(refused) do
    local memory = bnn.log.memory()
    local ok, fault = pcall(experiment().run, row[1], memory)
    lu.assertFalse(ok)
    lu.assertStrContains(fault.message, row[2])
    lu.assertEquals(#memory.blocks, 0)
  end
end

-- An experiment's own flag of that name is its own business.
function TestFlags.test_an_own_flag_of_the_name_stays()
  local own = bnn.main{defaults = {log = {5, "a number"}}, run = function(cfg) return cfg.log end}
  lu.assertEquals(own.run({}, bnn.log.memory()), 5)
end

os.exit(lu.LuaUnit.run())
