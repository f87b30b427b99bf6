--- experiments/classify.lua as a function: answers, doubt, what the network saw, what is refused.
local lu = require "luaunit"
local folder_of_tests = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder_of_tests .. "/?.lua;" .. package.path
local bits = require "bits"
local files = require "idx_files"
local bnn = require "bnn"
local core = require "bnn.core"
local signal = require "bnn.signal"

local HAS = {}
for _, v in ipairs(core.versions()) do HAS[v.name] = not v.version:find "^none" end
if not HAS.libpng or not core.json_encode(true) then
  print "Ran 0 tests in 0.000 seconds, 0 successes, 0 failures"
  os.exit(true)
end
local GNUPLOT = core.run_program{"gnuplot", "-V"} ~= nil

local classify = bnn.load_experiment(folder_of_tests .. "/../../experiments/classify.lua")
local key = bnn.key(5)
local here = files.folder()
local function path(name) return here .. "/" .. name end

-- A checkpoint of a network that nobody has trained, whose weights are far from sure.
local function write(name, opts)
  opts = opts or {}
  local net = opts.net or bnn.nn.mlp{16, 10}
  local params = net:init(key:fold "init", bnn.zeros(1, 28, 28))
  local model = {net = net, likelihood = opts.likelihood or bnn.likelihood.categorical(),
                 classes = opts.classes}
  assert(bnn.checkpoint.save(path(name), {
    posterior = bnn.posterior.meanfield(params, {logvar = -2}), extras = opts.extras,
    model = bnn.checkpoint.describe(model),
  }))
  return path(name)
end

local LETTERS = bnn.data.load("letters").test.x

-- A large picture of a letter in dark ink, from the font of the program.
local function photograph(i)
  local letter = LETTERS:select(1, i):real()
  local big = bnn.zeros(28, 3, 28, 3) + letter:view(28, 1, 28, 1)
  return (255 - big:reshape(84, 84)):to "u8"
end

local PICTURES = {}
for i = 1, 12 do
  PICTURES[i] = path(("%d.png"):format(i))
  assert(bnn.data.save(PICTURES[i], photograph(i)))
end
local SMALL = path "small.png"
assert(bnn.data.save(SMALL, (bnn.permutation(key, 784):real():view(28, 28):gt(392) * 255):to "u8"))
assert(bnn.data.save(path "blank.png", bnn.full({28, 28}, 9, "u8")))

local plain = write "plain.safetensors"
local complaints

-- Runs with what it says to stderr in `complaints`; metrics, artefacts and lines.
local function run(cfg)
  local real, said, log = io.stderr, {}, bnn.log.memory()
  rawset(io, "stderr", {write = function(_, ...) said[#said + 1] = table.concat{...} end})
  local all = {checkpoint = plain, positional = PICTURES, predict_samples = 8}
  for name, value in pairs(cfg or {}) do all[name] = value end
  local ok, metrics, artefacts = pcall(classify.run, all, log)
  rawset(io, "stderr", real)
  complaints = table.concat(said)
  if not ok then error(metrics, 0) end
  return metrics, artefacts, log.lines
end

local function rows_of(text)
  local rows = {}
  for line in text:gmatch "[^\n]+" do rows[#rows + 1] = line end
  return rows
end

-- The prediction that the experiment is to show.
local function expected(images, checkpoint)
  local model = assert(bnn.checkpoint.open(checkpoint or plain))
  return bnn.predict(model, images, {num_samples = 8, key = bnn.key(1):fold "predict"})
end

-- A fit whose threshold is the median of a score of the pictures.
local function median_fit(score, temperature)
  local _, made = run()
  local rule = bnn.ood.fit_threshold(expected(made.images), {score = score, percentile = 0.5})
  rule.percentile, rule.n = 0.99, 50 -- as it is told
  return {temperature = temperature, rule = rule}
end

TestAnswers = {}

function TestAnswers.test_without_a_rule_every_answer_stands()
  local metrics, made, lines = run()
  lu.assertEquals(metrics, {answered = 12, refused = 0})
  lu.assertEquals(complaints, plain
    .. ": has no abstention rule, so every prediction is an answer (--threshold=T sets one)\n")
  lu.assertEquals(#lines, 1)
  local rows, p = rows_of(lines[1]), expected(made.images)
  lu.assertStrMatches(rows[1], "image +prediction  probability +std")
  for i, name in ipairs(PICTURES) do
    lu.assertStrMatches(rows[i + 1], ("%s +%d +%.1f%%%% +%.3f"):format(
      name:gsub("%p", "%%%0"), p.class[i], 100 * p.probability[i], p.class_std[i]))
    bits.assert_same(made.images:select(1, i), assert(bnn.data.image(name)))
  end
end

function TestAnswers.test_classes_that_have_names_are_answered_by_them()
  local words = {}
  for i = 1, 10 do words[i] = ("word-%d"):format(i - 1) end
  local _, made, lines = run{checkpoint = write("named.safetensors", {classes = words})}
  local rows = rows_of(lines[1])
  for i = 1, 12 do
    lu.assertStrContains(rows[i + 1], (" word-%d "):format(made.prediction.class[i]))
  end
end

function TestAnswers.test_the_kept_fit_calibrates_and_refuses()
  local fit = median_fit("class_std", 2)
  local file = write("kept.safetensors", {extras = {calibration = fit}})
  local metrics, made, lines = run{checkpoint = file}
  lu.assertEquals({metrics, complaints}, {{answered = 6, refused = 6}, ""})
  local p = bnn.calibration.apply(fit, expected(made.images))
  bits.assert_same(made.prediction.mean, p.mean)
  local rows = rows_of(lines[1])
  lu.assertStrMatches(rows[1], "image +prediction  probability +std +answer")
  for i = 1, 12 do
    local answer = p.abstains[i] == 1 and "I don't know" or tostring(p.class[i])
    lu.assertStrMatches(rows[i + 1], (".* %.1f%%%% +%.3f  %s"):format(
      100 * p.probability[i], p.class_std[i], answer))
  end
  lu.assertEquals(lines[2], ("I don't know: std above %.3f, as on 1%% of 50 validation images; "
    .. "probabilities at temperature 2"):format(fit.rule.threshold))
end

function TestAnswers.test_another_score_has_its_column()
  local fit = median_fit("entropy", 1)
  local file = write("entropy.safetensors", {extras = {calibration = fit}})
  local metrics, made, lines = run{checkpoint = file}
  lu.assertEquals(metrics.refused, 6)
  local rows, p = rows_of(lines[1]), expected(made.images)
  lu.assertStrMatches(rows[1], ".* std +entropy +answer")
  lu.assertStrMatches(rows[2], (".* %.3f +%.3f  .*"):format(p.class_std[1], p.entropy[1]))
  lu.assertEquals(lines[2], ("I don't know: entropy above %.3f, as on 1%% of 50 validation images")
    :format(fit.rule.threshold))
end

function TestAnswers.test_a_threshold_takes_the_rules_place()
  local metrics, _, lines = run{threshold = 0}
  lu.assertEquals({metrics, complaints}, {{answered = 0, refused = 12}, ""})
  lu.assertEquals(lines[2], "I don't know: std above 0.000")
  local fit = median_fit("entropy", 2)
  local file = write("entropy.safetensors", {extras = {calibration = fit}})
  metrics, _, lines = run{checkpoint = file, threshold = 3} -- log 10 is less
  lu.assertEquals(metrics.answered, 12)
  lu.assertEquals(lines[2], "I don't know: entropy above 3.000; probabilities at temperature 2")
end

function TestAnswers.test_a_plain_network_is_asked_once()
  local net = bnn.nn.mlp{10}
  assert(bnn.checkpoint.save(path "params.safetensors", {
    params = net:init(key, bnn.zeros(1, 28, 28)),
    model = bnn.checkpoint.describe{net = net, likelihood = bnn.likelihood.categorical()},
  }))
  local start = os.clock()
  local _, made = run{checkpoint = path "params.safetensors", predict_samples = 10000000}
  lu.assertTrue(os.clock() - start < 5) -- asked so often it would take 30 s
  lu.assertEquals(made.prediction.class_std:max():item(), 0)
  lu.assertStrContains(complaints, "params.safetensors: has no posterior: a single network")
end

function TestAnswers.test_the_seed_decides_on_any_number_of_threads()
  local _, want = run()
  for _, threads in ipairs{1, 2, 3} do
    local _, made = run{threads = threads}
    lu.assertEquals(bnn.threads(), threads)
    bits.assert_same(made.prediction.mean, want.prediction.mean)
  end
  bits.assert_differ(select(2, run{seed = 2}).prediction.mean, want.prediction.mean)
  bits.assert_differ(select(2, run{predict_samples = 9}).prediction.mean, want.prediction.mean)
  bnn.threads(0)
end

TestSeen = {}

function TestSeen.test_small_pictures_may_be_taken_as_they_are()
  local _, made = run{positional = {SMALL}, preprocess = false}
  bits.assert_same(made.images[1], assert(bnn.data.read(SMALL)))
  _, made = run{positional = {PICTURES[1]}, ink = "dark"}
  bits.assert_same(made.images[1], assert(bnn.data.image(PICTURES[1], {ink = "dark"})))
  _, made = run{positional = {PICTURES[1]}, ink = "light"}
  bits.assert_same(made.images[1], assert(bnn.data.image(PICTURES[1], {ink = "light"})))
end

function TestSeen.test_it_is_shown_as_text_above_the_table()
  local _, _, lines = run{show = true}
  lu.assertEquals(#lines, 2)
  local rows = rows_of(lines[1])
  lu.assertStrMatches(rows[1], "1.png +2.png")
  lu.assertStrContains(lines[1], "@@")
  for _, row in ipairs(rows) do lu.assertTrue(utf8.len(row) <= 80, row) end
  lu.assertStrContains(lines[2], "prediction")
end

function TestSeen.test_it_is_drawn_with_the_answers()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local svg = path "seen.svg"
  local _, made = run{figure = svg, threshold = median_fit("class_std", 1).rule.threshold}
  lu.assertEquals(complaints, "wrote " .. svg .. "\n")
  local file <close> = assert(io.open(svg))
  local text, p = file:read "a", made.prediction
  lu.assertEquals(select(2, text:gsub("I don.-t know", "")), 6)
  for i = 1, 12 do
    lu.assertStrContains(text, ("std %.3f"):format(p.class_std[i]))
    if p.abstains[i] == 0 then
      lu.assertStrContains(text, ("%d  %.1f%%"):format(p.class[i], 100 * p.probability[i]))
    end
  end
end

function TestSeen.test_a_figure_that_can_not_be_written_is_told()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local metrics = run{figure = SMALL .. "/seen.png", threshold = 9}
  lu.assertEquals(metrics.answered, 12)
  lu.assertStrContains(complaints, "cannot draw ")
end

TestRefused = {}

-- The one line with which a run ends.
local function refusal(cfg)
  local ok, err = pcall(run, cfg)
  lu.assertFalse(ok)
  lu.assertTrue(signal.is_refusal(err), tostring(err))
  lu.assertNil(tostring(err):find "\n")
  return tostring(err)
end

function TestRefused.test_pictures_that_can_not_be_read_are_told_and_the_others_answered()
  files.write(path "text.png", "no picture")
  local log = bnn.log.memory()
  local real, said = io.stderr, {}
  rawset(io, "stderr", {write = function(_, ...) said[#said + 1] = table.concat{...} end})
  local ok, err = pcall(classify.run, {
    checkpoint = plain, predict_samples = 2, threshold = 9,
    positional = {path "none.png", SMALL, here, PICTURES[1], path "text.png", path "blank.png"},
  }, log)
  rawset(io, "stderr", real)
  lu.assertFalse(ok)
  lu.assertStrContains(tostring(err), path "blank.png" .. ": malformed input data: no ink")
  lu.assertEquals(#said, 3)
  for i, words in ipairs{
    "none.png: No such file", here .. ": Is a directory", path "text.png" .. ": starts with",
  } do
    lu.assertStrMatches(said[i], "bnnlua: [^\n]*\n")
    lu.assertStrContains(said[i], words)
  end
  lu.assertEquals(#rows_of(log.lines[1]), 3)
end

function TestRefused.test_each_is_one_line()
  local regression = write("regression.safetensors",
    {likelihood = bnn.likelihood.gaussian{sigma = 1}})
  local small = bnn.nn.mlp{4, 10}
  assert(bnn.checkpoint.save(path "small.safetensors", {
    params = small:init(key, bnn.zeros(1, 20, 20)),
    model = bnn.checkpoint.describe{net = small, likelihood = bnn.likelihood.categorical()},
  }))
  assert(bnn.safetensors.save(path "foreign.safetensors", {w = bnn.ones(2)}))
  for _, row in ipairs{
    {{positional = {}}, "no pictures are given: classify.lua --checkpoint=FILE image.png ..."},
    {{figure = "seen.jpg"}, "--figure: expected a name that ends in .png or .svg, got 'seen.jpg'"},
    {{checkpoint = ""}, "--checkpoint: the name of the file is empty"},
    {{checkpoint = path "none"}, path "none" .. ": No such file"},
    {{checkpoint = here}, here .. ": no checkpoints found"},
    {{checkpoint = SMALL}, SMALL .. ": "},
    {{checkpoint = path "foreign.safetensors"}, "is a safetensors file but not a checkpoint"},
    {{checkpoint = regression}, regression .. ": expected a classifier"},
    {{checkpoint = path "small.safetensors"}, path "small.safetensors"
      .. ": its network does not take images of 28 x 28: mlp/linear_0: w: expected [784, 4]"},
    {{positional = {path "none.png"}}, "none.png: No such file"},
    {{positional = {PICTURES[1]}, preprocess = false},
     PICTURES[1] .. ": expected 28 x 28 if fit is false, got 84 x 84"},
  } do
    lu.assertStrContains(refusal(row[1]), row[2])
    lu.assertEquals(complaints, "")
  end
end

local status = lu.LuaUnit.run()
files.remove(here)
os.exit(status)
