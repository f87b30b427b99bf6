--- bnn.show: what it draws of each kind of value, in each way, and what it refuses.
package.path = (arg[0]:match "^.*/" or "./") .. "../?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local recorded_runs = require "recorded_runs"
local picture_protocols = require "bnn.show.picture_protocols"
local terminal_answers = require "bnn.show.terminal_answers"

local key = bnn.key(3)
local LIBPNG = core.png_encode(bnn.tensor({{1}}, "u8")) ~= nil
local GNUPLOT = core.run_program{"gnuplot", "-V"} ~= nil

-- What bnn.show writes to the standard output.
local function shown(x, opts)
  local stdout, parts = io.stdout, {}
  local function write(_, text) parts[#parts + 1] = text end
  rawset(io, "stdout", {write = write, flush = function() end})
  local results = table.pack(pcall(bnn.show, x, opts))
  rawset(io, "stdout", stdout)
  if not results[1] then error(results[2], 0) end
  return table.concat(parts), table.unpack(results, 2, results.n)
end

local function raises(text, x, opts)
  local ok, fault = pcall(function() return (bnn.show(x, opts)) end)
  lu.assertFalse(ok, text)
  lu.assertStrContains(fault, "test_show.lua:")
  lu.assertStrContains(fault, text)
end

local function ascii(x, opts)
  opts = opts or {}
  opts.as = "ascii"
  return (shown(x, opts))
end

-- ---- images ----

TestShowImages = {}

function TestShowImages.test_bytes_are_0_to_255_and_two_rows_make_a_line()
  local x = bnn.tensor({{0, 255}, {0, 255}, {255, 128}, {255, 128}}, "u8")
  lu.assertEquals(ascii(x, {width = 2}), " @\n@+\n")
end

function TestShowImages.test_small_images_grow_by_whole_pixels()
  lu.assertEquals(ascii(bnn.tensor({{0, 255}, {255, 0}}, "u8"), {width = 8}),
    "    @@@@\n    @@@@\n@@@@\n@@@@\n")
end

function TestShowImages.test_large_images_shrink_to_the_means_of_areas()
  local x = bnn.tensor({{0, 255, 0, 0}, {255, 0, 0, 0}}, "u8") -- of 127.5 and 0
  lu.assertEquals(ascii(x, {width = 2}), ":\n")
end

function TestShowImages.test_numbers_between_0_and_1_are_what_they_are()
  lu.assertEquals(ascii(bnn.tensor{{0, 0.5}, {0, 0.5}}, {width = 2}), " +\n")
end

function TestShowImages.test_other_numbers_are_scaled_and_that_is_said()
  lu.assertEquals(ascii(bnn.tensor{{-2, 3}, {-2, 3}}, {width = 2}), " @\nblack is -2, white 3\n")
  lu.assertEquals(ascii(bnn.tensor({{-2, 3}, {-2, 3}}, "i64"), {width = 2}),
    " @\nblack is -2, white 3\n")
  lu.assertEquals(ascii(bnn.tensor{{-2, 3}, {-2, 3}}, {width = 2, scale = {3, -7}}), "+\n")
end

function TestShowImages.test_what_is_not_finite_is_drawn()
  local x = bnn.tensor{{0 / 0, 1 / 0, -1 / 0, 1}, {0 / 0, 1 / 0, -1 / 0, 1}}
  lu.assertEquals(ascii(x, {width = 4}), "+@ @\n")
  lu.assertEquals(ascii(bnn.full({2, 2}, 0 / 0), {width = 2}), "++\n")
end

function TestShowImages.test_layouts_are_told_by_the_shape()
  local function first_line(x, opts) return ascii(x, opts):match "[^\n]*" end
  local grey, colour = bnn.ones(2, 2), bnn.ones(2, 2, 3)
  lu.assertEquals(first_line(grey, {width = 2}), "@@")
  lu.assertEquals(first_line(colour, {width = 2}), "@@")
  lu.assertEquals(first_line(bnn.ones(3, 2, 2), {width = 8}), "@@ @@ @@")
  lu.assertEquals(first_line(bnn.ones(3, 2, 2), {width = 2, colour = true}), "@@")
  lu.assertEquals(first_line(bnn.ones(2, 2, 3), {width = 7, colour = false}), "@@@ @@@")
  lu.assertEquals(first_line(bnn.ones(2, 1, 2, 2), {width = 5}), "@@ @@")
  lu.assertEquals(first_line(bnn.ones(2, 3, 2, 2), {width = 5}), "@@ @@")
  lu.assertEquals(first_line(bnn.ones(2, 2, 2, 3), {width = 5}), "@@ @@")
  lu.assertEquals(first_line({grey, grey}, {width = 5}), "@@ @@")
end

function TestShowImages.test_more_than_have_room_are_counted()
  local text = ascii(bnn.ones(600, 28, 28))
  lu.assertStrContains(text, "the first 18 of 600\n")
  local lines = select(2, text:gsub("\n", ""))
  lu.assertTrue(lines <= 24 - 1, lines)
  lu.assertStrContains(ascii(bnn.ones(600, 28, 28), {count = 3}), "the first 3 of 600")
  lu.assertNotStrContains(ascii(bnn.ones(2, 28, 28)), "first")
end

function TestShowImages.test_no_line_is_wider_than_was_asked_for()
  for width = 1, 100, 9 do
    for _, side in ipairs{1, 5, 28, 90} do
      for line in ascii(bnn.ones(7, side, side), {width = width}):gmatch "[^\n]+" do
        local fits = #line <= width or line:find "first" ~= nil
        lu.assertTrue(fits, ("%d %d"):format(width, side))
      end
    end
  end
end

function TestShowImages.test_labels_stand_over_their_images()
  local x, labels = bnn.ones(2, 4, 4), bnn.tensor({1, 0}, "i32")
  lu.assertEquals(ascii(x, {labels = labels, width = 11, names = {"zero", "one"}}),
    "one  zero\n@@@@ @@@@\n@@@@ @@@@\n")
  lu.assertEquals(ascii(x, {labels = {"a\nb", 2.5}, columns = 1, width = 4}),
    "a\nb\n@@@@\n@@@@\n2.5\n\n@@@@\n@@@@\n")
end

function TestShowImages.test_a_title_comes_first()
  lu.assertEquals(ascii(bnn.ones(2, 2), {title = "two\27 by two", width = 2}),
    "two\\x1b by two\n@@\n")
end

function TestShowImages.test_blocks_are_two_colours_a_cell()
  local x = bnn.tensor({{{255, 0, 0}}, {{0, 0, 255}}}, "u8")
  local mode = os.getenv "COLORTERM"
  local deep = mode == "truecolor" or mode == "24bit"
  lu.assertEquals(shown(x, {as = "blocks", width = 1}), deep
    and "\27[38;2;255;0;0m\27[48;2;0;0;255m▀\27[0m\n" or "\27[38;5;196m\27[48;5;21m▀\27[0m\n")
end

-- ---- protocols ----

TestShowProtocols = {}

local digit_of = {}
for i = 0, 63 do
  digit_of[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):byte(i + 1)] = i
end

local function from_base64(text)
  local bytes, bits, count = {}, 0, 0
  for i = 1, #text do
    local digit = digit_of[text:byte(i)]
    if not digit then break end
    bits, count = bits << 6 | digit, count + 6
    if count >= 8 then
      count = count - 8
      bytes[#bytes + 1] = string.char(bits >> count & 255)
    end
  end
  return table.concat(bytes)
end

local picture = bnn.tensor({{0, 255, 7}, {100, 50, 25}}, "u8")

local function assert_is_picture(data)
  lu.assertEquals(core.png_parse(from_base64(data), "data", "grey"):totable(), picture:totable())
end

function TestShowProtocols.test_kitty_gets_a_png_in_chunks()
  if not LIBPNG then return end
  local data = picture_protocols.kitty(picture):match "^\27_Ga=T,f=100,q=2,m=0;([^\27]*)\27\\$"
  assert_is_picture(data)
  local noise = core.image_levels(bnn.rand(key, 100, 100), 0, 1)
  local parts, sum = {}, picture_protocols.kitty(noise)
  for more, chunk in sum:gmatch "\27_G[^;]*m=(%d);([^\27]*)\27\\" do
    lu.assertTrue(#chunk <= 4096)
    parts[#parts + 1] = chunk
    lu.assertEquals(more == "1", #chunk == 4096 and #table.concat(parts) < #sum - 100)
  end
  lu.assertTrue(#parts > 2)
  lu.assertEquals(core.png_parse(from_base64(table.concat(parts)), "data", "grey"):totable(),
    noise:totable())
end

function TestShowProtocols.test_iterm2_gets_a_png_and_its_size()
  if not LIBPNG then return end
  local size, data = picture_protocols.iterm2(picture, {width = 2, height = 4})
    :match "^\27%]1337;File=inline=1;size=(%d+);width=2;height=auto:(.-)\7$"
  assert_is_picture(data)
  lu.assertEquals(#from_base64(data), math.tointeger(tonumber(size)))
end

function TestShowProtocols.test_pictures_fill_the_columns_that_were_asked_for()
  local text = shown(bnn.ones(28, 28), {as = "sixel", width = 30}) -- of 10 by 20 pixels
  lu.assertStrContains(text, '"1;1;280;280')
  text = shown(bnn.ones(100, 28, 28), {as = "sixel", columns = 10, width = 60})
  lu.assertStrContains(text, '"1;1;578;578') -- 10 * 56 + 9 * 2
end

function TestShowProtocols.test_answers_are_read_whatever_comes_between()
  local rows = {
    {"\27_Gi=31;OK\27\\\27[6;20;10t\27[?62;4c", "kitty", {width = 10, height = 20}, ""},
    {"ab\27_Gi=31;ENOENT:no\27\\c\27[?62;c\27[A", nil, nil, "abc\27[A"},
    {"\27]1337;ReportCellSize=14.0;7.0;2.0\27\\\27[?62;4c", "iterm2",
     {width = 14, height = 28}, ""},
    {"\27]1337;ReportCellSize=14;7\7\27[6;30;15t\27[?1;2c", "iterm2",
     {width = 15, height = 30}, ""},
    {"\27[?64;1;4;9c", "sixel", nil, ""},
    {"\27[?64;14;40c", nil, nil, ""},
    {"\27[6;0;0t\27[?4c", "sixel", nil, ""},
    {"typed", nil, nil, "typed"},
  }
  for _, row in ipairs(rows) do
    local found, typed = terminal_answers.read(row[1])
    lu.assertEquals({found.protocol, found.cell, typed}, {row[2], row[3], row[4]}, row[1])
  end
end

function TestShowProtocols.test_what_shows_questions_as_text_is_asked_the_last_one_only()
  lu.assertStrContains(terminal_answers.question("xterm-kitty", false), "a=q")
  for _, term in ipairs{"tmux-256color", "screen", "linux", "vt220"} do
    lu.assertEquals(terminal_answers.question(term, false), "\27[c")
  end
  lu.assertEquals(terminal_answers.question("xterm-kitty", true), "\27[c")
end

-- ---- curves ----

TestShowCurves = {}

function TestShowCurves.test_a_curve_stands_between_axes()
  local text = ascii({0, 1, 2, 3, 4}, {width = 20, height = 8, title = "t", xlabel = "step"})
  lu.assertEquals(text, table.concat({
    "t",
    "4 +              **",
    "  |          ****",
    "2 +       ***",
    "  |   ****",
    "0 +***",
    "  +----+------+----",
    "       2      4",
    "         step",
    "",
  }, "\n"))
end

function TestShowCurves.test_series_have_names_and_marks_in_order()
  local text = ascii{loss = {3, 2, 1}, elbo = bnn.tensor{1, 2, 3}}
  lu.assertStrContains(text, "* elbo   + loss\n")
  text = ascii{{1, 2}, {2, 1}}
  lu.assertStrContains(text, "* 1   + 2\n")
end

function TestShowCurves.test_what_is_not_finite_leaves_a_gap()
  local text = ascii({1, 1, 0 / 0, 1 / 0, 1, 1}, {width = 40, height = 6})
  lu.assertStrMatches(text, ".*%*%*+        +%*%*+.*")
  lu.assertStrContains(ascii{0 / 0, 0 / 0}, "+")
  lu.assertStrContains(ascii{-1e300, 1e300}, "+") -- beyond what has a place
end

function TestShowCurves.test_extremes_of_numbers_have_axes()
  for _, list in ipairs{{0}, {5, 5}, {1e-30, 2e-30}, {1e299, -1e299}, {1e9, 1e9 + 1}, {-0.0, 0}} do
    lu.assertStrContains(ascii(list, {width = 30, height = 8}), "*", tostring(list[1]))
  end
end

function TestShowCurves.test_points_stand_alone()
  local text = ascii({1, 2, 3}, {x = {1, 2, 3}, points = true})
  lu.assertEquals(select(2, text:gsub("%*", "")), 3)
end

function TestShowCurves.test_blocks_are_braille_in_colours()
  local text = shown({a = {1, 2}, b = {2, 1}}, {as = "blocks"})
  lu.assertStrContains(text, "⠤⠤\27[0m a")
  lu.assertStrMatches(text, ".*\27%[38;[25];[%d;]+m[\xe2][\xa0-\xa3].*")
  for line in text:gsub("\27%[[%d;]*m", ""):gmatch "[^\n]+" do
    lu.assertTrue(utf8.len(line) <= 80)
  end
end

function TestShowCurves.test_many_points_take_no_time()
  local before = core.usage()
  ascii(bnn.randn(key, 50000))
  lu.assertTrue(core.usage() - before < 5)
end

function TestShowCurves.test_terminals_with_pictures_get_the_figure_of_gnuplot()
  if not (GNUPLOT and LIBPNG) then return end
  local text = shown({1, 2, 3}, {as = "sixel", width = 40, height = 15})
  lu.assertStrContains(text, '"1;1;400;300')
end

-- ---- data, predictions, files ----

TestShowOthers = {}

local images = core.image_levels(bnn.ones(3, 4, 4), 0, 1)
local part = bnn.data.from_tensors{
  x = images, y = bnn.tensor({2, 0, 1}, "i32"), classes = {"ant", "bee", "cat"},
}

function TestShowOthers.test_a_part_is_its_images_with_the_names_of_their_classes()
  local text = ascii(part, {width = 14})
  lu.assertEquals(text:match "[^\n]*", "cat  ant  bee")
  lu.assertEquals(ascii(part, {width = 14, count = 1}):match "[^\n]*", "cat")
  lu.assertStrContains(ascii(part:batches{size = 2, key = key}()), "@@@@")
end

function TestShowOthers.test_a_set_is_its_training_part()
  local cubic = bnn.data.cubic{key = key}
  lu.assertStrContains(ascii(cubic), "*")
  lu.assertStrContains(ascii(cubic.train), "*")
end

function TestShowOthers.test_a_prediction_says_what_it_is_of_each_image()
  local prediction = bnn.predict({
    net = bnn.nn.mlp{3}, params = bnn.nn.mlp{3}:init(key, images), likelihood = "categorical",
  }, images, {key = key})
  local text = ascii(prediction, {images = images, labels = part.y, threshold = -1})
  lu.assertStrContains(text, "std 0.00")
  lu.assertStrContains(text, "refused")
  raises("images: expected the images", prediction)
end

function TestShowOthers.test_a_log_is_a_figure_for_each_metric_that_has_a_curve()
  local log = bnn.log.memory()
  for step = 1, 3 do
    local values = {note = "x", once = step == 1 and 1 or nil}
    for k = 1, 5 do values["m" .. k] = step * k end
    log:row(step, values)
  end
  local text = ascii(log, {title = "all"})
  lu.assertStrMatches(text, "all\nm1\n.*\nm2\n.*\nm3\n.*\nm4\n.*\nmetrics= also draws m5\n")
  lu.assertEquals(ascii(log, {metrics = {"m5"}}):match "[^\n]*", "m5")
  raises('metrics: no number was logged as "m9"', log, {metrics = {"m9"}})
  raises("expected a metric with numbers at two steps or more", bnn.log.memory())
  raises("expected a log that stores", bnn.log.console())
end

function TestShowOthers.test_a_run_is_its_log()
  recorded_runs.in_folder(function(root)
    local id = recorded_runs.make(root, {lr = 1}, {loss = 2})
    lu.assertEquals(ascii(assert(bnn.run.open(id, {runs = root}))):match "[^\n]*", "loss")
  end)
end

function TestShowOthers.test_a_png_is_read()
  if not LIBPNG then return end
  local path = os.tmpname() .. ".png"
  assert(core.png_write(path, picture))
  lu.assertEquals(ascii(path, {width = 3}), ascii(picture, {width = 3}))
  os.remove(path)
  local text, ok, fault = shown(path, {as = "ascii"})
  lu.assertEquals(text, "")
  lu.assertNil(ok)
  lu.assertStrContains(fault, path)
end

function TestShowOthers.test_a_figure_is_written()
  lu.assertEquals(shown "a\nb\27\n", "a\nb\\x1b\n")
end

-- ---- what cannot be shown ----

TestShowRefuses = {}

function TestShowRefuses.test_what_cannot_be_shown_is_named()
  raises("x: expected images, numbers, data, a prediction, a run, a figure or the path of a PNG, "
    .. "got nil")
  for _, x in ipairs{print, 3, true, {}, {a = "b"}, bnn.tensor(1), key, {1, "2"}} do
    lu.assertFalse((pcall(bnn.show, x)))
  end
  raises("got [2, 2, 2, 2]", bnn.ones(2, 2, 2, 2))
  raises("got [0, 2]", bnn.ones(0, 2))
  raises("got [2, 2]", bnn.ones(2, 2), {colour = true})
  local differ = ("x[2]: expected REAL [2, 2], as x[1], got REAL [3, 3]"):gsub("REAL", core.real)
  raises(differ, {bnn.ones(2, 2), bnn.ones(3, 3)})
  raises("the path of a PNG, or a figure, got \"x.svg\"", "x.svg")
  raises("examples are images or one number", bnn.data.from_tensors{x = bnn.ones(3, 2)})
end

function TestShowRefuses.test_options_are_checked()
  raises("as: expected one of kitty", bnn.ones(2, 2), {as = "jpeg"})
  raises("labels: expected 2, one for each image, got 1", bnn.ones(2, 3, 4), {labels = {1}})
  raises("labels[1]: expected a number or a string", bnn.ones(1, 3, 4), {labels = {true}})
  raises("scale: expected {black, white}", bnn.ones(2, 2), {scale = {1, 1}})
  raises("width: expected at least 1", bnn.ones(2, 2), {width = 0})
  raises("xlabel", bnn.ones(2, 2), {xlabel = "x"})
  raises("columns", {1, 2}, {columns = 2})
  raises("expected [3]", {1, 2, 3}, {x = {1, 2}})
end

os.exit(lu.LuaUnit.run())
