--- The report of runs: markup, sections, charts, and the page as a whole.
package.path = (arg[0]:match "^.*/" or "./") .. "../?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local base64 = require "bnn.base.base64"
local html = require "bnn.html.html"
local parts = require "bnn.report.report_parts"
local rank_metric = require "bnn.report.rank_metric"
local recorded_runs = require "recorded_runs"
local report = require "bnn.report.report"
local report_page = require "bnn.report.report_page"
local run_folder = require "bnn.records.run_folder"
local svg_chart = require "bnn.report.svg_chart"

local in_folder, make_run = recorded_runs.in_folder, recorded_runs.make

local function text_of(markup) return tostring(html.list{markup}) end

-- The page of all runs below root.
local function page_of(root, opts)
  opts = opts or {}
  opts.runs, opts.output = root, root .. "/page.html"
  lu.assertEquals({bnn.run.report(opts)}, {opts.output})
  return assert(run_folder.read(opts.output))
end

local function count_of(text, piece)
  local n = 0
  for _ in text:gmatch(piece) do n = n + 1 end
  return n
end

-- (luaunit takes minutes for a message with a whole page.)
local function assert_has(page, piece)
  lu.assertTrue(page:find(piece, 1, true) ~= nil, "not in the page: " .. piece:sub(1, 200))
end

-- What breaks out of text, attributes, styles, comments and scripts if it is not escaped.
local HOSTILE = [["'><script>alert(1)</script><img src=x onerror=alert(2)>-->]]
  .. "</style></pre></title>&lt;\u{202e}"

-- Every < of a page begins an element that the program writes; no attribute is an event's.
local KNOWN = {}
for name in ([[html head meta title style body header h1 h2 h3 h4 p nav a main section div table
    thead tbody tr th td small span code pre details summary dl dt dd figure figcaption img svg g
    path line circle text ul li footer wbr]]):gmatch "%S+" do
  KNOWN[name] = true
end

local function assert_is_closed(page)
  for sign, name in page:sub(#"<!DOCTYPE html>" + 1):gmatch "<(/?)([^%s>/]*)" do
    lu.assertTrue(KNOWN[name], sign .. name)
  end
  for tag in page:gmatch "<%a[^>]*>" do
    lu.assertNil(tag:find "[\"']%s*on%w+=" or tag:find "^<%w+%s+on%w+=", tag)
  end
  for _, piece in ipairs{"<script", "http:", "https:", "javascript:", "\u{202e}", "@import",
                         "url("} do
    lu.assertNil((page:find(piece, 1, true)), piece)
  end
  lu.assertTrue(#page < 1000000, #page)
  lu.assertNotNil(utf8.len(page))
end

TestHtml = {}

function TestHtml.test_text_is_escaped_wherever_it_stands()
  for _, row in ipairs{
    {html.element("p", nil, "a<b & \"c\" 'd'"), "<p>a&lt;b &amp; &quot;c&quot; &#39;d&#39;</p>"},
    {html.element("p", {title = "\"><b>"}, 1.5), '<p title="&quot;&gt;&lt;b&gt;">1.5</p>'},
    {html.element("p", nil, "\xff\0\u{202e}\n"), "<p>\\xff\\x00\\u{202e}\n</p>"},
    {html.element("p", nil, {"a", nil, {"<", false, html.element "b"}}), "<p>a&lt;<b></b></p>"},
    {html.element("wbr"), "<wbr>"}, {html.element("path", {d = "M0 0"}), '<path d="M0 0"/>'},
    {html.element("details", {open = true, class = false}), "<details open></details>"},
  } do
    lu.assertEquals(tostring(row[1]), row[2])
  end
end

function TestHtml.test_a_page_refers_to_itself_alone()
  for _, address in ipairs{"javascript:alert(1)", "https://example.org", "x.png",
                           "data:text/html,<script>"} do
    lu.assertFalse(pcall(html.element, "a", {href = address}))
    lu.assertFalse(pcall(html.element, "img", {src = address}))
  end
  lu.assertEquals(tostring(html.element("a", {href = "#top"}, "up")), '<a href="#top">up</a>')
end

function TestHtml.test_long_texts_are_cut_between_characters()
  lu.assertEquals(html.cut("äöüß", 4), "äöüß")
  lu.assertEquals(html.cut("äöüßx", 4), "äöü…")
  lu.assertEquals(html.cut("\xff\xff", 5), "\\xff…")
  lu.assertEquals(html.cut("", 5), "")
end

function TestHtml.test_base64_is_that_of_the_rfc()
  for text, coded in pairs{[""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
                           fooba = "Zm9vYmE=", foobar = "Zm9vYmFy", ["\0\xff\n"] = "AP8K"} do
    lu.assertEquals(base64.encode(text), coded)
  end
end

TestParts = {}

function TestParts.test_numbers_have_the_digits_that_tell()
  lu.assertEquals(parts.decimals{0.9567, 0.1}, 4)
  lu.assertEquals(parts.decimals{1.0}, 4)
  lu.assertEquals(parts.decimals{423.5}, 1)
  lu.assertEquals(parts.decimals{0, 0 / 0, math.huge}, 3)
  for _, row in ipairs{
    {{mean = 0.95674, sd = 0.00123, n = 3}, "0.9567 ± 0.0012"},
    {{mean = 0.95674, sd = 0.0000321, n = 3}, "0.95674 ± 0.00003"},
    {{mean = 7.63e-6, sd = 3.8e-6, n = 3}, "7.63e-06 ± 3.8e-06"},
    {{mean = 2.5, sd = 1e-7, n = 3}, "2.5000000 ± 1e-07"}, {{mean = 1, sd = math.huge}, "1 ± inf"},
    {{mean = 0.5, sd = 0.0, n = 2}, "0.5000 ± 0.0000"}, {{mean = -0.5, n = 1}, "−0.5000"},
  } do
    lu.assertEquals(parts.mean_text(row[1], 4), row[2])
  end
  lu.assertEquals(parts.number(3, 4), "3")
  lu.assertEquals(parts.number(0 / 0, 4), "nan")
end

function TestParts.test_a_table_is_numbers_right_and_words_left()
  local text = text_of(parts.grid({"a/b_c", "n"}, {{"x", 1}, {nil, 22, class = "best"}}))
  lu.assertStrContains(text, '<th scope="col">a/<wbr>b_<wbr>c</th>')
  lu.assertStrContains(text, '<tr class="best"><td class="text">–</td><td class="number">22</td>')
end

function TestParts.test_what_is_left_out_is_said()
  lu.assertNil(parts.left_out(3, 3, "run"))
  lu.assertStrContains(text_of(parts.left_out(3, 5, "run", "the best")),
    "3 runs shown of 5; the best")
end

TestRank = {}

function TestRank.test_the_most_telling_metric_orders()
  for _, row in ipairs{
    {{"loss", "test/accuracy", "x"}, {}, {"test/accuracy", "max"}},
    {{"train/accuracy", "test/final_loss"}, {}, {"test/final_loss", "min"}},
    {{"x", "y"}, {}, {}}, {{"x", "y"}, {metric = "y"}, {"y", "max"}},
    {{"rmse", "y"}, {metric = "rmse"}, {"rmse", "min"}},
    {{"rmse"}, {mode = "max"}, {"rmse", "max"}}, {{"closes", "gloss"}, {}, {}},
  } do
    lu.assertEquals({rank_metric.choose(row[1], row[2])}, row[3])
  end
end

TestChart = {}

local function chart(series)
  for i, s in ipairs(series) do s.turn, s.label = i, "line " .. i end
  local markup = svg_chart.lines(series, "a chart")
  return markup and tostring(markup)
end

-- The numbers that tics are labelled with.
local function tics_of(text)
  local list = {}
  for label in text:gmatch ">([^<>]+)</text>" do list[#list + 1] = label end
  return table.concat(list, " ")
end

function TestChart.test_axes_have_round_tics()
  for _, row in ipairs{
    {{0, 10, 20}, {0, 0.5, 1}, "0.0 0.2 0.4 0.6 0.8 1.0 0 5 10 15 20 step"},
    {{0, 20000}, {-3, -1}, "−3.0 −2.5 −2.0 −1.5 −1.0 0 5000 10k 15k 20k step"},
    {{1, 3}, {1e-3, 10}, "0.001 0.01 0.1 1 10 1 2 3 step"}, -- five decades are logarithmic
  } do
    lu.assertEquals(tics_of(chart{{x = row[1], y = row[2]}}), row[3])
  end
end

function TestChart.test_what_is_not_finite_is_a_gap()
  local nan = 0 / 0
  local text = chart{{x = {0, 1, 2, 3, 4}, y = {1, 2, nan, 3, math.huge}}}
  lu.assertEquals(count_of(text, "M%d"), 2)
  lu.assertEquals(count_of(text, "<circle"), 1) -- the value that has no neighbour
  lu.assertNil(text:find "nan" or text:find "inf")
  lu.assertNil((chart{{x = {1}, y = {nan}}}))
  lu.assertNil((chart{}))
end

function TestChart.test_equal_values_and_single_points_are_drawn()
  for _, y in ipairs{0, 1e-300, -5.5, 1e300} do
    local text = chart{{x = {7}, y = {y}}, {x = {1, 2}, y = {y, y}}}
    lu.assertNil(text:find "nan" or text:find "inf", text)
    lu.assertStrContains(text, "<circle")
  end
end

function TestChart.test_a_band_lies_around_its_line_and_long_curves_are_short()
  local x, y, low, high = {}, {}, {}, {}
  for i = 1, 100000 do
    x[i], y[i] = i, math.sin(i / 1e4)
    low[i], high[i] = y[i] - 0.1, y[i] + 0.1
  end
  local text = chart{{x = x, y = y, low = low, high = high}}
  lu.assertStrContains(text, 'class="band"')
  lu.assertTrue(#text < 20000, #text)
end

TestPage = {}

function TestPage.test_a_section_that_does_not_fit_says_so()
  local big = parts.section("big", "Big", {("x"):rep(report_page.BYTES_MOST)})
  local small = parts.section("small", "Small", {"little"})
  local page = report_page.render{title = "<b>", sections = {big, small}}
  lu.assertTrue(#page < report_page.BYTES_MOST)
  assert_has(page, "Left out: it takes")
  assert_has(page, "little")
  assert_has(page, "<title>&lt;b&gt;</title>")
  assert_is_closed(page)
  lu.assertNil(parts.section("none", "None", {nil, false, {}}))
end

function TestPage.test_others_put_sections_in_front()
  in_folder(function(root)
    make_run(root, {seed = 1}, {loss = 1})
    local runs = assert(bnn.run.list{runs = root})
    local page = report.render(runs, {root = root, group = {"config"}, title = "A sweep",
      lead = html.element("p", nil, "the lead"),
      before = {parts.section("trials", "Trials", {parts.note "all of them"})}})
    assert_has(page, "<h1>A sweep</h1><p>the lead</p>")
    lu.assertTrue(page:find('id="trials"', 1, true) < page:find('id="best"', 1, true))
    page = report.render(runs, {root = root, group = {"config"}, without = {best = true},
      after = {parts.section("last", "Last", {parts.note "the end"})}})
    lu.assertNil(page:find('id="best"', 1, true))
    lu.assertTrue(page:find('id="commands"', 1, true) < page:find('id="last"', 1, true))
    page = report.render({}, {root = root, title = "None", lead = "nothing ran"})
    assert_has(page, "nothing ran")
    lu.assertNil(page:find('id="results"', 1, true))
    assert_is_closed(page)
  end)
end

TestReport = {}

function TestReport.test_seeds_of_a_configuration_are_mean_sd_and_se()
  in_folder(function(root)
    for seed = 1, 3 do
      make_run(root, {seed = seed, lr = 0.1, checkpoint = "c" .. seed}, {["test/accuracy"] = seed},
        {result_flags = {"seed", "lr"}})
      make_run(root, {seed = seed, lr = 0.2, checkpoint = "d" .. seed},
        {["test/accuracy"] = seed / 2}, {result_flags = {"seed", "lr"}})
    end
    local page = page_of(root)
    assert_has(page, "2.000 ± 1.000 <span>test/accuracy</span>")
    assert_has(page, "lr=0.1 · mean ± sd of n = 3")
    assert_has(page, "2.000 ± 1.000<small>se 0.577</small>")
    lu.assertEquals(count_of(page, 'class="band"'), 2)
    assert_has(page, "seeds 1, 2, 3")
    assert_has(page, "6 records hashed again and as sealed")
    assert_has(page_of(root, {mode = "min"}), "1.0000 ± 0.5000 <span>test/accuracy")
    assert_has(page_of(root, {where = "seed=1", group = {"seed"}}), "0.7500 ± 0.3536")
    assert_is_closed(page)
  end)
end

function TestReport.test_a_run_that_repeats_another_counts_once()
  in_folder(function(root)
    for _, row in ipairs{{1, 3}, {2, 5}, {1, 3}, {1, 4}} do -- the last has a result of its own
      make_run(root, {seed = row[1]}, {loss = row[2]})
    end
    local page = page_of(root)
    assert_has(page, "4.000 ± 1.000 <span>loss</span>")
    assert_has(page, "n = 3")
    assert_has(page, "1 run with the seed and the results of another count")
  end)
end

function TestReport.test_equal_values_have_no_deviation()
  in_folder(function(root)
    for seed = 1, 3 do make_run(root, {seed = seed}, {loss = 0.1}) end
    assert_has(page_of(root), "0.1000 ± 0.0000 <span>loss</span>")
  end)
end

function TestReport.test_failed_runs_count_for_no_mean_and_keep_their_traceback()
  in_folder(function(root)
    make_run(root, {seed = 1}, {loss = 3})
    make_run(root, {seed = 2}, {loss = 100}, {status = "failed",
      failure = "toy.lua:3: bad\nstack traceback:\n\t<in function>"})
    local page = page_of(root)
    assert_has(page, "3.000 <span>loss</span>")
    assert_has(page, "1 of 2")
    assert_has(page, '<span class="failed">1 failed</span>')
    assert_has(page, "stack traceback:\n\t&lt;in function&gt;")
  end)
end

function TestReport.test_a_record_that_changed_is_named()
  in_folder(function(root)
    local id = make_run(root, {seed = 1}, {loss = 3})
    os.execute(("chmod -R u+w %s"):format(root))
    recorded_runs.write(("%s/%s/config.json"):format(root, id), '{"seed":2}\n')
    local page = page_of(root)
    assert_has(page, "1 record NOT as sealed")
    assert_has(page, "config.json: changed")
  end)
end

local PNG = "\x89PNG\r\n\x1a\n" .. HOSTILE

function TestReport.test_foreign_text_stays_text()
  in_folder(function(root)
    local about = {name = HOSTILE, experiment = HOSTILE, about = HOSTILE, command = HOSTILE,
                   script = HOSTILE, host = HOSTILE, record_fault = HOSTILE,
                   machine = {cpu = HOSTILE, isa = HOSTILE, folder = HOSTILE,
                              versions = {[HOSTILE] = HOSTILE}},
                   repository = {commit = HOSTILE, branch = HOSTILE, dirty = true},
                   sources = {{file = "x", module = HOSTILE, sha256 = HOSTILE}},
                   data = {{name = HOSTILE, train = {size = 1, fingerprint = HOSTILE,
                                                     origin = HOSTILE, sha256 = HOSTILE}}}}
    local notes = bnn.number.format('{"note":%s}\n', require "bnn.log.log_text".json(HOSTILE))
    local files = {["notes.jsonl"] = notes, ["figures/a'\"<b>.svg"] = "<svg>" .. HOSTILE,
                   ["figures/b.png"] = PNG, ["figures/c.svg"] = HOSTILE}
    for seed = 1, 2 do
      local config = {seed = seed, [HOSTILE] = HOSTILE .. seed}
      make_run(root, config, {[HOSTILE] = 1, ["x/" .. HOSTILE .. "/auroc"] = 0.5}, about, files)
      about.status, about.failure = "failed", HOSTILE .. "\n" .. HOSTILE
    end
    local page = page_of(root, {title = HOSTILE, metric = HOSTILE})
    assert_is_closed(page)
    assert_has(page, "data:image/svg+xml;base64," .. base64.encode("<svg>" .. HOSTILE))
    assert_has(page, "data:image/png;base64," .. base64.encode(PNG))
    assert_has(page, "2 figures shown of 3") -- c.svg is none
  end)
end

function TestReport.test_a_page_of_many_long_things_stays_small()
  in_folder(function(root)
    local long = ("<&\"'"):rep(3000)
    local metrics = {}
    for i = 1, 60 do metrics[("m%d/%s/auroc"):format(i, long:sub(1, 300))] = i end
    for seed = 1, 8 do
      local config = {seed = seed, how = long .. seed % 4}
      for i = 1, 40 do config[("flag %d %s"):format(i, long:sub(1, 200))] = long .. seed end
      make_run(root, config, metrics, {failure = long, status = seed % 2 == 0 and "failed" or nil,
                                       about = long, command = long, name = long},
        {["figures/big.svg"] = "<svg" .. (" "):rep(500000), ["figures/a.svg"] = "<svg/>"})
    end
    local page = page_of(root, {group = {"how"}})
    assert_is_closed(page)
    assert_has(page, "1 figure shown of 2")
    assert_has(page, "9 metrics shown of 60")
  end)
end

function TestReport.test_what_is_wrong_is_said()
  in_folder(function(root)
    local opts = {runs = root, output = root .. "/a/b.html"}
    lu.assertEquals({bnn.run.report(opts)}, {nil, root .. ": no run to report"})
    make_run(root, {seed = 1, lr = 0.1}, {loss = 3})
    opts.metric = "los"
    lu.assertEquals({bnn.run.report(opts)}, {nil, "no run has 'los': did you mean loss?"})
    opts.metric, opts.group = nil, {"ls"}
    lu.assertStrContains(select(2, bnn.run.report(opts)), "no run has 'ls'")
    opts.group, opts.where = nil, "lr<x"
    lu.assertStrContains(select(2, bnn.run.report(opts)), "expected a number after <")
    opts.where = "lr>1"
    lu.assertStrContains(select(2, bnn.run.report(opts)), "no run to report")
    opts.where = nil
    lu.assertEquals({bnn.run.report(opts)}, {opts.output}) -- the folder is made
    opts.output = root .. "/a/b.html/c.html"
    lu.assertNil((bnn.run.report(opts)))
  end)
  lu.assertErrorMsgContains("bnn.run.report: mode: expected one of max, min, got \"best\"",
    bnn.run.report, {mode = "best"})
  lu.assertErrorMsgContains("bnn.run.report: output: expected the path of a file, got ''",
    bnn.run.report, {output = ""})
  lu.assertErrorMsgContains("unknown option 'path'", bnn.run.report, {path = "x"})
end

os.exit(lu.LuaUnit.run())
