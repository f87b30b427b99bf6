--- Figures of predictions (bnn.plot.reliability, roc, risk_coverage, predictions), and what keeps
-- the series of any figure apart in black and white.
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"

local plot, key = bnn.plot, bnn.key(5)
local GNUPLOT = core.run_program{"gnuplot", "-V"} ~= nil
local LIBPNG
for _, v in ipairs(core.versions()) do
  if v.name == "libpng" then LIBPNG = not v.version:find "^none" end
end

local folder

local function path(name) return folder .. "/" .. name end

local function read(name)
  local file = assert(io.open(path(name), "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end

-- Checks that f(opts) raises a text at the line that calls it.
local function raises(text, f, opts)
  local ok, fault = pcall(function() return (f(opts)) end)
  lu.assertFalse(ok, text)
  lu.assertStrContains(fault, "test_plot_predictions.lua:")
  lu.assertStrContains(fault, text)
end

local function in_folder(suite)
  function suite:setUp()
    folder = os.tmpname()
    os.remove(folder)
    assert(core.make_folder(folder))
  end
  function suite:tearDown() os.execute("rm -rf " .. folder) end
  return suite
end

-- Draws with f into x.svg, and gives the file.
local function svg_of(f, opts)
  opts.path = path "x.svg"
  assert(f(opts))
  return read "x.svg"
end

local entities = {amp = "&", lt = "<", gt = ">", quot = '"', apos = "'"}

-- The texts of an SVG, one behind the other.
local function texts_of(svg)
  local texts = {}
  for text in svg:gmatch "<text>(.-)</text>" do
    texts[#texts + 1] = text:gsub("<.->", ""):gsub("&(%a+);", entities)
  end
  return table.concat(texts, "|")
end

-- ---- black and white ----

TestLooks = in_folder{}

-- The dashes of each line that is coloured, in their order.
local function dashes_of(svg)
  local dashes = {}
  for attributes in svg:gmatch "<path stroke='rgb%b()'([^>]-) d=" do
    dashes[#dashes + 1] = attributes:match "stroke%-dasharray='(.-)'" or "solid"
  end
  return dashes
end

local function distinct(list)
  local seen, count = {}, 0
  for _, v in ipairs(list) do
    if not seen[v] then seen[v], count = true, count + 1 end
  end
  return count
end

local function series_of(n, more)
  local series = {}
  for i = 1, n do
    series[i] = {y = {i, i + 1}, label = "series " .. i}
    for k, v in pairs(more or {}) do series[i][k] = v end
  end
  return series
end

function TestLooks.test_lines_differ_by_their_dashes()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function count(n, more) return distinct(dashes_of(svg_of(plot.lines,
    {series = series_of(n, more), legend = "none"}))) end
  local grid = count(1) -- and axes
  lu.assertEquals(count(4), grid + 3)
  lu.assertEquals(count(8), grid + 7)
  lu.assertEquals(count(4, {style = "both"}), grid + 3)
  lu.assertEquals(count(4, {style = "lines"}), grid)
end

function TestLooks.test_a_line_among_points_is_not_dashed()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local points = {y = {1, 2}, style = "points"}
  local function draw(style)
    return svg_of(plot.lines, {series = {points, points, {y = {2, 1}, style = style}}})
  end
  lu.assertEquals(draw(), draw "lines")
  lu.assertNotEquals(draw(), draw "dashes")
end

function TestLooks.test_bands_without_a_line_differ_by_their_hatching()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function hatched(more)
    local wide, narrow = {band = {{0, 0}, {3, 3}}}, {band = {{1, 1}, {2, 2}}}
    for k, v in pairs(more or {}) do wide[k], narrow[k] = v, v end
    local svg = svg_of(plot.lines, {series = {wide, narrow}, legend = "none"})
    return select(2, svg:gsub("fill *= *'url%(#gpPat", ""))
  end
  lu.assertEquals(hatched(), 1)
  lu.assertEquals(hatched{y = {1.5, 1.5}}, 0) -- their lines tell them apart
end

function TestLooks.test_no_line_is_too_light_for_paper()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local svg, count = svg_of(plot.lines, {series = series_of(8), legend = "none"}), 0
  for r, g, b in svg:gmatch "<g id=\"gnuplot_plot_.-stroke='rgb%( *(%d+), *(%d+), *(%d+)%)" do
    local grey = (0.299 * r + 0.587 * g + 0.114 * b) / 255
    lu.assertTrue(grey < 0.7, grey)
    count = count + 1
  end
  lu.assertEquals(count, 8)
end

function TestLooks.test_histograms_and_bars_differ_by_their_hatching()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local samples, bars = {}, {}
  for i = 1, 3 do samples[i], bars[i] = {x = {i, i + 1}}, {y = {i}} end
  for _, svg in ipairs{svg_of(plot.histogram, {series = samples}),
                       svg_of(plot.bars, {series = bars, labels = {"a"}})} do
    local hatches = {}
    for id in svg:gmatch "url%(#(gpPat%d+)%)" do hatches[#hatches + 1] = id end
    lu.assertEquals(distinct(hatches), 2)
    lu.assertStrContains(svg, "fill-opacity")
  end
end

function TestLooks.test_an_order_gives_a_set_the_same_look_in_every_figure()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local order = {"MNIST", "letters", "noise"}
  local function lines(labels, style)
    local series = {}
    for i, label in ipairs(labels) do
      series[i] = {y = {1, 2}, label = label, style = style or nil}
    end
    local svg = svg_of(plot.lines, {series = series, order = order, legend = "none"})
    return svg:match 'id="gnuplot_plot_1".-\n\t</g>\n'
  end
  for _, style in ipairs{false, "both", "points"} do
    local first = lines({"noise"}, style)
    lu.assertEquals(lines({"noise", "MNIST"}, style), first)
    lu.assertNotEquals(lines({"MNIST"}, style), first)
    lu.assertNotEquals(lines({"another"}, style), first) -- behind the list
  end
  for _, f in ipairs{plot.histogram, plot.bars} do
    local function draw(label, given)
      return svg_of(f, {series = {{[f == plot.bars and "y" or "x"] = {1}, label = label}},
        order = given, labels = f == plot.bars and {"a"} or nil, legend = "none"})
    end
    lu.assertNotEquals(draw("noise", order), draw("MNIST", order))
    lu.assertEquals(draw("noise", {"x", "y", "noise"}), draw("noise", order))
    lu.assertEquals(draw("MNIST", order), draw("MNIST"))
  end
  raises("order: expected a list, got \"MNIST\"", plot.lines,
    {series = {{y = {1}}}, order = "MNIST"})
end

function TestLooks.test_captions_can_be_read_at_half_the_size()
  lu.skipIf(not GNUPLOT or not LIBPNG, "no gnuplot, or no libpng")
  for _, width in ipairs{8, 28, 200} do
    assert(plot.images{x = bnn.zeros(1, 8, width), captions = {"8? 57%"}, path = path "x.png"})
    lu.assertTrue(bnn.data.read(path "x.png"):size(2) >= 168)
  end
end

-- ---- reliability ----

TestReliability = in_folder{}

-- 4 answers of confidence 0.95 of which 3 are right, 2 of 0.55, both right; none between.
local CONFIDENCE, RIGHT = {0.95, 0.95, 0.95, 0.95, 0.55, 0.55}, {1, 1, 1, 0, 1, 1}

function TestReliability.test_it_shows_counts_and_error()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local opts = {prediction = CONFIDENCE, labels = RIGHT, bins = 10, title = "a_b"}
  local svg = svg_of(plot.reliability, opts)
  local texts = texts_of(svg)
  -- (4 * 0.2 + 2 * 0.45) / 6
  for _, text in ipairs{"a_b|ECE 0.2833, 6 examples", "confidence", "accuracy", "examples",
                        "ideal|gap|accuracy", "|1|10|",
                        "|2|4"} do
    lu.assertStrContains(texts, text)
  end
  local bins = bnn.metrics.reliability(CONFIDENCE, RIGHT, {bins = 10})
  lu.assertEquals(svg_of(plot.reliability, {reliability = bins, title = "a_b"}), svg)
  for k, v in pairs(bins) do bins[k] = v:totable() end
  lu.assertEquals(svg_of(plot.reliability, {reliability = bins, title = "a_b"}), svg)
  for _, more in ipairs{{bins = 5}, {adaptive = true}, {title = "c"}, {xlabel = "c"},
                        {ylabel = "c"}, {colour = "green"}, {width = 500}, {height = 500}} do
    local other = {prediction = CONFIDENCE, labels = RIGHT, bins = 10, title = "a_b"}
    for k, v in pairs(more) do other[k] = v end
    lu.assertNotEquals(svg_of(plot.reliability, other), svg)
  end
end

function TestReliability.test_the_error_is_that_of_the_metric()
  local p = (bnn.randn(key, 500, 4) * 2):softmax(-1)
  local labels = bnn.tensor((bnn.rand(key:fold(1), 500) * 4):totable())
  local list = labels:totable()
  for i, v in ipairs(list) do list[i] = math.floor(v) end
  for _, adaptive in ipairs{false, true} do
    local text = plot.reliability{prediction = p, labels = list, adaptive = adaptive}
    local f = adaptive and bnn.metrics.adaptive_ece or bnn.metrics.ece
    local name = adaptive and "adaptive ECE" or "ECE"
    lu.assertStrContains(text, ("%s %.4f, 500 examples\n"):format(name, f(p, list)))
    local bins = bnn.metrics.reliability(p, list, {adaptive = adaptive})
    lu.assertEquals(plot.reliability{reliability = bins}, text)
  end
end

-- Whole weights are copies; others stand where the examples did.
function TestReliability.test_weights_are_those_of_the_metric()
  local weight, copies, rights = {2, 1, 0, 1, 3, 1}, {}, {}
  for i, w in ipairs(weight) do
    for _ = 1, w do copies[#copies + 1], rights[#rights + 1] = CONFIDENCE[i], RIGHT[i] end
  end
  local opts = {prediction = CONFIDENCE, labels = RIGHT, bins = 10, weight = weight}
  lu.assertEquals(plot.reliability(opts),
    plot.reliability{prediction = copies, labels = rights, bins = 10})
  opts.weight = {0.25, 1, 0, 0.5, 2, 0.3}
  local ece = bnn.metrics.ece(CONFIDENCE, RIGHT, {bins = 10, weight = opts.weight})
  local text = plot.reliability(opts)
  lu.assertStrContains(text, ("ECE %.4f, weight 4.05\n"):format(ece))
  lu.assertStrContains(text, "bin             weight  confidence")
  raises("got weight=, reliability=", plot.reliability, {reliability = {}, weight = weight})
  if not GNUPLOT then return end
  local svg = svg_of(plot.reliability, opts)
  lu.assertStrContains(texts_of(svg), "weight")
  opts.weight = bnn.tensor(opts.weight) * 1e-4
  lu.assertStrContains(texts_of(svg_of(plot.reliability, opts)),
    ("ECE %.4f, weight 0.000405"):format(ece))
end

function TestReliability.test_without_a_path_it_is_a_table()
  local out = io.open(path "out", "w")
  local opts = {prediction = CONFIDENCE, labels = RIGHT, bins = 10}
  local text = plot.reliability(opts)
  lu.assertEquals(text, "ECE 0.2833, 6 examples\n"
    .. "bin             examples  confidence  accuracy  accuracy - confidence\n"
    .. "0.500 to 0.600         2       0.550     1.000                 +0.450\n"
    .. "0.900 to 1.000         4       0.950     0.750                 -0.200\n")
  opts.out = out
  lu.assertEquals(plot.reliability(opts), text)
  out:close()
  lu.assertEquals(read "out", text)
end

function TestReliability.test_any_bins_are_drawn()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local none = {n = {0, 0}, confidence = {0 / 0, 0 / 0}, accuracy = {0 / 0, 0 / 0}}
  lu.assertStrContains(texts_of(svg_of(plot.reliability, {reliability = none})),
    "ECE 0.0000, 0 examples")
  for bins = 1, 101, 50 do
    svg_of(plot.reliability, {prediction = CONFIDENCE, labels = RIGHT, bins = bins})
  end
  lu.assertTrue(plot.reliability{prediction = {0, 1}, labels = {0, 1}, path = path "x.png"})
end

function TestReliability.test_misuse_is_named()
  local draw = plot.reliability
  raises("expected prediction= and labels=, or reliability=; got nothing", draw, {})
  raises("reliability=; got prediction=", draw, {prediction = CONFIDENCE})
  raises("got bins=, reliability=", draw, {reliability = {}, bins = 3})
  raises("reliability.n: expected a tensor or a list, got nothing", draw, {reliability = {}})
  raises("reliability.accuracy: expected [1], as reliability.n, got [2]", draw,
    {reliability = {n = {1}, confidence = {1}, accuracy = {1, 1}}})
  raises("bin 1: expected the means of its 3 examples, got nan", draw,
    {reliability = {n = {3}, confidence = {1}, accuracy = {0 / 0}}})
  raises("reliability: prediction 2: expected a number, got nan", draw,
    {prediction = {0.5, 0 / 0}, labels = {1, 1}})
  raises("path: expected a name that ends in .svg or .png, got \"x.jpg\"", draw,
    {prediction = CONFIDENCE, labels = RIGHT, path = "x.jpg"})
  raises("expected path= or out=, got both", draw,
    {prediction = CONFIDENCE, labels = RIGHT, path = "x.svg", out = io.stdout})
  raises("unknown option 'bin': did you mean 'bins'?", draw, {bin = 3})
end

-- ---- ROC, risk and coverage ----

TestCurves = in_folder{}

function TestCurves.test_roc_has_the_auroc_in_the_legend_from_scores_and_from_curves()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local id, ood = {1, 2, 2, 3, 5}, {2, 4, 4, 6} -- ties within and across
  local area = bnn.metrics.auroc{id = id, ood = ood}
  local curve = bnn.metrics.roc_curve{id = id, ood = ood}
  local svg = svg_of(plot.roc, {series = {{id = id, ood = ood, label = "a"},
                                          {curve = curve}}})
  local texts = texts_of(svg)
  local auroc = ("AUROC %.4f"):format(area)
  for _, text in ipairs{"a: " .. auroc .. "|", "|" .. auroc .. "|", "chance",
                        "false positive rate (ID, flagged)",
                        "true positive rate (OOD, flagged)"} do
    lu.assertStrContains(texts, text)
  end
  lu.assertEquals(svg_of(plot.roc, {series = {{curve = curve, label = "a"}, {curve = curve}}}), svg)
end

function TestCurves.test_a_long_legend_takes_nothing_from_the_curves()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function top_to_axis(count)
    local series = {}
    for i = 1, count do series[i] = {id = {1, 2}, ood = {2}, label = "set " .. i} end
    local svg = svg_of(plot.roc, {series = series})
    local least, most = math.huge, 0
    for y in svg:match "gnuplot_plot_1\".- d='(M[^']*)'":gmatch ",([%d.]+)" do
      least, most = math.min(least, tonumber(y)), math.max(most, tonumber(y))
    end
    return most - least
  end
  lu.assertAlmostEquals(top_to_axis(6), top_to_axis(2), 10)
end

function TestCurves.test_ten_thousand_points_are_a_small_file()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local x = bnn.randn(key, 10000)
  local svg = svg_of(plot.roc, {series = {{id = x, ood = x + 1}}})
  lu.assertTrue(#svg < 60000, #svg)
  local right = (x:gt(-1):real()):totable()
  for i, v in ipairs(right) do right[i] = math.tointeger(v) end
  svg = svg_of(plot.risk_coverage,
    {series = {{prediction = bnn.rand(key:fold(2), 10000), labels = right}}})
  lu.assertTrue(#svg < 60000, #svg)
end

function TestCurves.test_risk_coverage_has_the_aurc_where_it_knows_the_answers()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local std = {0.1, 0.2, 0.3, 0.1, 0.5, 0.6}
  local minus = -bnn.tensor(std)
  local one = {prediction = CONFIDENCE, labels = RIGHT, label = "largest"}
  local two = {prediction = CONFIDENCE, labels = RIGHT, confidence = minus, label = "std"}
  local curve = bnn.metrics.risk_coverage(CONFIDENCE, RIGHT, {confidence = minus})
  local texts = texts_of(svg_of(plot.risk_coverage,
    {series = {one, two, {curve = curve, label = "a curve"}}}))
  for _, text in ipairs{
    ("largest: AURC %.4f"):format(bnn.metrics.aurc(CONFIDENCE, RIGHT)),
    ("std: AURC %.4f"):format(bnn.metrics.aurc(CONFIDENCE, RIGHT, {confidence = minus})),
    "|a curve", "coverage (share of answers kept)", "risk (share of errors among them)",
  } do
    lu.assertStrContains(texts, text)
  end
  svg_of(plot.risk_coverage, {series = {{prediction = {0.5}, labels = {1}}}}) -- no risk at all
end

function TestCurves.test_weights_are_those_of_the_metrics()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local sets, weight = {id = {1, 2, 2, 3, 5}, ood = {2, 4, 4, 6}}, {1, 2, 0.5, 1, 3, 1}
  local both = {id = {1, 3, 1, 0, 2}, ood = {1, 2, 1, 0.5}}
  local auroc = bnn.metrics.auroc(sets, {weight = both})
  sets.weight = both
  lu.assertStrContains(texts_of(svg_of(plot.roc, {series = {sets}})), ("AUROC %.4f"):format(auroc))
  local one = {prediction = CONFIDENCE, labels = RIGHT, weight = weight}
  lu.assertStrContains(texts_of(svg_of(plot.risk_coverage, {series = {one}})),
    ("AURC %.4f"):format(bnn.metrics.aurc(CONFIDENCE, RIGHT, {weight = weight})))
  raises("got weight=, curve=", plot.roc, {series = {{curve = {}, weight = both}}})
  raises("got weight=, curve=", plot.risk_coverage, {series = {{curve = {}, weight = weight}}})
end

function TestCurves.test_every_option_changes_the_figure()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local roc = {id = {1, 2, 3, 4}, ood = {3, 4, 5}, label = "a"}
  for f, series in pairs{[plot.roc] = roc,
                         [plot.risk_coverage] = {prediction = CONFIDENCE, labels = RIGHT}} do
    local function draw(more, change)
      local opts, one = {}, {}
      for k, v in pairs(more) do opts[k] = v end
      for k, v in pairs(series) do one[k] = v end
      for k, v in pairs(change or {}) do one[k] = v end
      opts.series = {one}
      return svg_of(f, opts)
    end
    local plain = draw{}
    for _, more in ipairs{
      {title = "t"}, {xlabel = "t"}, {ylabel = "t"}, {xrange = {0, 0.5}}, {yrange = {0, 0.5}},
      {logx = true}, {logy = true}, {legend = "right"}, {legend = "none"}, {width = 300},
      {height = 300}, {order = {"b", "c"}},
    } do
      lu.assertNotEquals(draw(more), plain, next(more))
    end
    lu.assertNotEquals(draw({}, {label = "b"}), plain)
    lu.assertNotEquals(draw({}, {colour = "green"}), plain)
    lu.assertEquals(draw({order = {"a"}}, {label = "a"}), draw({}, {label = "a"}))
  end
end

function TestCurves.test_without_a_path_they_are_text()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local text = plot.roc{series = {{id = {1, 2}, ood = {2, 3}}}, width = 70, height = 20}
  lu.assertStrContains(text, "AUROC 0.8750")
  text = plot.risk_coverage{series = {{prediction = CONFIDENCE, labels = RIGHT}}, width = 70,
                            height = 20}
  lu.assertStrContains(text, "coverage")
end

function TestCurves.test_misuse_is_named()
  local good = {id = {1, 2}, ood = {2}}
  raises("series: expected", plot.roc, {})
  raises("bnn.plot.roc: series: expected at least one, got none", plot.roc, {series = {}})
  raises("bnn.plot.roc: series 1 (a): expected id= and ood=, or curve=; got nothing", plot.roc,
    {series = {{label = "a"}}})
  raises("series 2: expected id= and ood=, or curve=; got id=", plot.roc,
    {series = {good, {id = {1}}}})
  raises("or curve=; got id=, ood=, curve=", plot.roc,
    {series = {{id = {1}, ood = {2}, curve = {}}}})
  raises("or curve=; got id=, curve=", plot.roc, {series = {{id = {1}, curve = {}}}})
  raises("curve.tpr: expected a tensor or a list, got nothing", plot.roc,
    {series = {{curve = {fpr = {0}}}}})
  raises("curve.tpr: expected [2], as curve.fpr, got [1]", plot.roc, {series = {{curve = {fpr = {0,
    1}, tpr = {0}}}}})
  raises("ood score 1: expected a number, got nan", plot.roc,
    {series = {{id = {1}, ood = {0 / 0}}}})
  raises("id: expected at least one score, got none",
    plot.roc, {series = {{id = bnn.zeros(0), ood = {1}}}})
  raises("(did you mean blue?), got \"blu\"", plot.roc,
    {series = {{id = {1}, ood = {2}, colour = "blu"}}})
  raises("unknown option 'odd': did you mean 'ood'?", plot.roc,
    {series = {{id = {1}, odd = {2}}}})
  raises("series 1: expected prediction= and labels=, or curve=; got ", plot.risk_coverage,
    {series = {{prediction = {1}}}})
  raises("expected prediction= and labels=, or curve=; got ", plot.risk_coverage,
    {series = {{curve = {}, labels = {1}}}})
  raises("curve.coverage: expected a tensor or a list, got nothing", plot.risk_coverage,
    {series = {{curve = {}}}})
  raises("confidence 1: expected a number, got nan", plot.risk_coverage,
    {series = {{prediction = {1}, labels = {1}, confidence = {0 / 0}}}})
  raises("unknown option 'shade'", plot.roc, {series = {good}, shade = {{0, 1}}})
end

-- ---- predictions ----

TestPredictions = in_folder{}

local function prediction_of(class, probability, std)
  return {class = bnn.tensor(class, "i32"), probability = bnn.tensor(probability),
          class_std = bnn.tensor(std)}
end

local SOME = prediction_of({3, 8, 8, 1}, {1, 0.57, 0.97, 0.5}, {0, 0.45, 0.123, 0 / 0})

-- The captions of a drawn sheet.
local function captions_of(opts)
  opts.x, opts.prediction = opts.x or bnn.zeros(4, 28, 28), opts.prediction or SOME
  return texts_of(svg_of(plot.predictions, opts))
end

function TestPredictions.test_captions_say_class_probability_std_and_refusal()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  lu.assertEquals(captions_of{},
    "3 100%|std 0.00|8 57%|std 0.45|8 97%|std 0.12|1 50%|std nan")
  lu.assertEquals(captions_of{labels = {3, 3, 2, 1}, threshold = 0.37}, "3 100%|std 0.00|"
    .. "8? is 3, 57%|std 0.45|refused|8 is 2, 97%|std 0.12|1? 50%|std nan|refused")
  lu.assertEquals(captions_of{abstains = bnn.tensor{0, 0, 1, 0}, names = {"zero", "one", "two",
    "three", "4", "5", "6", "7", "<8>"}}, "three 100%|std 0.00|<8> 57%|std 0.45|"
    .. "<8>? 97%|std 0.12|refused|one 50%|std nan")
  local p = prediction_of({3, 8}, {1, 0.57}, {0, 0.45})
  p.mean = bnn.tensor{{1, 0}, {0.57, 0.43}}
  lu.assertEquals(captions_of{x = bnn.zeros(2, 28, 28), prediction = p,
    rule = {score = "one_minus_probability", threshold = 0.4}},
    "3 100%|std 0.00|8? 57%|std 0.45|refused")
end

function TestPredictions.test_without_a_path_they_are_text()
  local x = bnn.ones(4, 4, 6)
  local text = plot.predictions{x = x, prediction = SOME, threshold = 0.37, columns = 2}
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  lu.assertEquals(lines[1], "3 100% std 0.00         8? 57% std 0.45 refused")
  lu.assertEquals(lines[2], "@@@@@@                  @@@@@@")
  lu.assertEquals(#lines, 2 * (1 + 2))
  local out = io.open(path "out", "w")
  lu.assertEquals(plot.predictions{x = x, prediction = SOME, threshold = 0.37, columns = 2,
                                   out = out}, text)
  out:close()
  lu.assertEquals(read "out", text)
  local bytes = (x * 255):to "u8"
  lu.assertEquals(plot.predictions{x = bytes, prediction = SOME, threshold = 0.37, columns = 2},
    text)
  text = plot.predictions{x = x, prediction = SOME, columns = 1, names = {"", "é", "", "ü", "", "",
    "", "", "ö"}}
  lu.assertStrContains(text, "ü 100% std 0.00\n")
end

function TestPredictions.test_options_reach_the_sheet()
  lu.skipIf(not GNUPLOT or not LIBPNG, "no gnuplot, or no libpng")
  local function size_of(more)
    more.x, more.prediction, more.path = bnn.zeros(4, 28, 28), SOME, path "x.png"
    assert(plot.predictions(more))
    return bnn.data.read(path "x.png"):size(2)
  end
  lu.assertEquals(size_of{}, (2 * 28 + 3 * 3) * 6)
  lu.assertEquals(size_of{columns = 4, gap = 1, scale = 2}, (4 * 28 + 5) * 2)
end

function TestPredictions.test_misuse_is_named()
  local x, draw = bnn.zeros(4, 2, 2), plot.predictions
  raises("x: expected", draw, {prediction = SOME})
  raises("prediction: expected", draw, {x = x})
  raises("prediction.class: expected a tensor, as bnn.predict returns for classes, got nil", draw,
    {x = x, prediction = {mean = x}})
  raises("prediction.class: expected [3], as x has images, got [4]", draw,
    {x = bnn.zeros(3, 2, 2), prediction = SOME})
  raises("expected one of threshold=, rule= and abstains=, got threshold=, abstains=", draw,
    {x = x, prediction = SOME, threshold = 1, abstains = {0, 0, 0, 1}})
  raises("rule: expected {score=, threshold=}, as bnn.ood.fit_threshold returns", draw, {x = x,
    prediction = SOME, rule = {}})
  raises("abstains: label 2: expected 0 or 1, got 2", draw,
    {x = x, prediction = SOME, abstains = {0, 2, 0, 1}})
  raises("expected labels [4], got [3]", draw, {x = x, prediction = SOME, labels = {0, 1, 2}})
  raises("x: expected [n, h, w] or [n, 1, h, w], got [4, 4]", draw, {x = bnn.zeros(4, 4),
    prediction = SOME})
  raises("x: expected at least one pixel, got [0, 4, 4]", draw,
    {x = bnn.zeros(0, 4, 4), prediction = SOME})
  raises("expected path= or out=, got both", draw,
    {x = x, prediction = SOME, path = "x.png", out = io.stdout})
  raises("path: expected a name that ends in .png or .svg, got \"x.jpg\"", draw,
    {x = x, prediction = SOME, path = "x.jpg"})
  raises("names: expected a name of class 8, got nothing", draw, {x = x, prediction = SOME,
    names = {"a", "b", "c", "d"}})
end

os.exit(lu.LuaUnit.run(), true)
