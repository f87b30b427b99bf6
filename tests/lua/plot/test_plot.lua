--- Figures (bnn.plot): what is in the files, and what is not left behind.
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"

local lines, images = bnn.plot.lines, bnn.plot.images
local GNUPLOT = core.run_program{"gnuplot", "-V"} ~= nil
local LIBPNG
for _, v in ipairs(core.versions()) do
  if v.name == "libpng" then LIBPNG = not v.version:find "^none" end
end

local NAN, INF = 0 / 0, math.huge
local folder

local function path(name) return folder .. "/" .. name end

local function write(name, bytes)
  local file = assert(io.open(path(name), "wb"))
  file:write(bytes)
  file:close()
  return path(name)
end

local function read(name)
  local file = assert(io.open(path(name), "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end

local function raises(text, f, ...) lu.assertErrorMsgContains(text, f, ...) end

-- The names in the folder.
local function left()
  local names = {}
  for name in pairs(core.list_dir(folder)) do names[#names + 1] = name end
  table.sort(names)
  return names
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

-- ---- lines ----

local entities = {amp = "&", lt = "<", gt = ">", quot = '"', apos = "'"}

-- The texts of an SVG in their order, as they are shown.
local function texts_of(svg)
  local texts = {}
  for text in svg:gmatch "<text>(.-)</text>" do
    texts[#texts + 1] = text:gsub("<.->", ""):gsub("&(%a+);", entities)
  end
  return texts
end

-- Draws into x.svg, and gives the file.
local function svg_of(opts)
  opts.path = path "x.svg"
  assert(lines(opts))
  return read "x.svg"
end

-- The points of each stroke of the first series.
local function strokes_of(svg)
  local group = svg:match 'id="gnuplot_plot_1".-\n\t</g>\n'
  local strokes = {}
  for stroke in group:match(" d='(.-)'"):gmatch "M[^M]*" do
    strokes[#strokes + 1] = select(2, stroke:gsub(",", ""))
  end
  return strokes
end

TestLines = in_folder{}

function TestLines.test_text_is_shown_as_it_is_written()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local text = [[<b>&"'_^{}\ `touch x` $HOME @x %d &#65; {/Symbol a} é ∑ x² ]] .. "\\n\\101"
  local svg = svg_of{
    title = text .. "1\n" .. text .. "2", xlabel = text .. "3", ylabel = text .. "4", width = 900,
    height = 900,
    series = {{y = {1, 2}, label = text .. "5"}, {y = {2, 1}, label = "@x"}},
  }
  local shown = {}
  for _, t in ipairs(texts_of(svg)) do shown[t] = true end
  for i = 1, 5 do lu.assertTrue(shown[text .. i], text .. i) end
  lu.assertTrue(shown["@x"])
  lu.assertStrContains(svg, "<title>&lt;b&gt;&amp;\"")
end

function TestLines.test_text_that_is_too_long_goes_on_in_another_line()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local title, x, y = ("title "):rep(30), ("across "):rep(30), ("upwards "):rep(15)
  local label, short = ("legend "):rep(20), "short"
  local svg = svg_of{title = title, xlabel = x, ylabel = y,
                     series = {{y = {1, 2}, label = label}, {y = {2, 1}, label = short}}}
  local all = {}
  for _, text in ipairs(texts_of(svg)) do
    if text:find "%a" then
      local most = text:find "upwards" and 400 or 640
      lu.assertTrue(#text * 7 < most, text)
      all[#all + 1] = text:gsub("%s+$", "")
    end
  end
  local whole = table.concat(all, " ")
  for _, text in ipairs{title, x, y, label, short} do
    lu.assertStrContains(whole, (text:gsub("%s+$", "")))
  end
  -- entries of two lines do not run into each other
  local heights = {}
  for _, first in ipairs{"legend legend", short} do
    local at = svg:find("<text>" .. first, 1, true)
    heights[#heights + 1] = tonumber(svg:sub(1, at):match ".*translate%([%d.]+,([%d.]+)%)")
  end
  lu.assertTrue(heights[2] - heights[1] > 2.5 * 14)
  -- and beside the figure they take the room of their lines alone
  local function axis_of(text)
    local one = svg_of{series = {{y = {1, 2}, label = text}}, legend = "right"}
    return tonumber(one:match "gnuplot_plot_1\".- d='M[^']*L([%d.]+),[%d.]+ +'")
  end
  lu.assertTrue(axis_of "legend legend legend legend" > axis_of "legend legend" - 80)
  local wrap = require "bnn.plot.canvas.plot_text".wrap
  lu.assertEquals(wrap("a longest  word\n\n é é é", 5), "a\nlongest\nword\n\n é é\né")
  lu.assertEquals({wrap("", 5), wrap("\n", 5), wrap("as  it is", 9)}, {"", "\n", "as  it is"})
end

function TestLines.test_text_is_never_a_command()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local evil = "`touch %s`\nsystem('touch %s')\n\"; !touch %s\nEOD\n$(touch %s)'\\"
  local text = evil:gsub("%%s", path "evil")
  svg_of{title = text, xlabel = text, ylabel = text, series = {{y = {1, 2}, label = text}}}
  lu.assertEquals(left(), {"x.svg"})
end

function TestLines.test_what_is_no_text_shows_as_the_replacement_character()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local svg = svg_of{xlabel = "a\0b\1c\200d\xed\xa0\x80e\tf", series = {{y = {1, 2}}}}
  local shown = table.concat(texts_of(svg), "|")
  lu.assertStrContains(shown, "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}\u{FFFD}\u{FFFD}e f")
  lu.assertNotNil(utf8.len(svg))
end

function TestLines.test_a_figure_is_the_same_bytes_each_time()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function draw() return svg_of{title = "t", series = {{y = {1, 3, 2}, std = {1, 1, 1}}}} end
  lu.assertEquals(draw(), draw())
end

function TestLines.test_letters_can_be_read_at_half_the_size()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local svg = svg_of{xlabel = "x", ylabel = "y", title = "t", series = {{y = {1, 2}, label = "a"}}}
  for size in svg:gmatch 'font%-size="([%d.]+)"' do lu.assertTrue(tonumber(size) >= 14, size) end
end

function TestLines.test_png_has_the_size_that_is_asked_for()
  lu.skipIf(not GNUPLOT or not LIBPNG, "no gnuplot, or no libpng")
  local rows = {
    {{}, {800, 1280}}, {{width = 300, height = 200}, {400, 600}},
    {{width = 301, height = 200, scale = 1}, {200, 301}}, {{scale = 1.5}, {600, 960}},
  }
  for _, row in ipairs(rows) do
    row[1].path, row[1].series = path "x.PNG", {{y = {1, 2}}}
    lu.assertTrue(lines(row[1]))
    lu.assertEquals({table.unpack(bnn.data.read(path "x.PNG"):shape(), 1, 2)}, row[2])
  end
  local svg = svg_of{width = 300, height = 200, series = {{y = {1, 2}}}}
  lu.assertStrContains(svg, 'width="300" height="200"')
end

function TestLines.test_what_is_not_finite_leaves_a_gap()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local y = {NAN, 1, 2, 3, NAN, INF, 4, 5, -INF, NAN, 6, 7, 1e308, NAN}
  lu.assertEquals(strokes_of(svg_of{series = {{y = y}}}), {3, 2, 2})
  local real = bnn.tensor(y, "f64")
  lu.assertEquals(strokes_of(svg_of{series = {{y = real}}}), {3, 2, 2})
  lu.assertEquals(strokes_of(svg_of{x = real, series = {{y = real}}}), {3, 2, 2})
  -- not above 0 on logarithms
  lu.assertEquals(strokes_of(svg_of{series = {{y = {1, 2, 0, 3, 4, 5}}}, logy = true}), {2, 3})
  lu.assertEquals(strokes_of(svg_of{x = {-1, 0, 1, 2}, series = {{y = {1, 2, 3, 4}}},
    logx = true}), {2})
end

-- A point that has a gap on both sides is a mark, as no line is drawn to it.
function TestLines.test_a_lonely_point_is_seen()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function marks(y, more)
    local opts = {series = {{y = y}}, legend = "none"}
    for k, v in pairs(more or {}) do opts[k] = v end
    return select(2, svg_of(opts):gsub("<use xlink:href='#gpPt6'", ""))
  end
  lu.assertEquals({marks{3}, marks{1, 2, 3}, marks{NAN, NAN}}, {1, 0, 0})
  lu.assertEquals(marks{1, NAN, 2, 3, NAN, 4, INF, 5, 6, NAN, 7}, 3)
  lu.assertEquals(marks({1, 0, 2, -1, 3, 4}, {logy = true}), 2)
end

function TestLines.test_a_band_has_gaps_too()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function polygons(series)
    local _, count = svg_of{series = {series}}:gsub("<polygon", "")
    return count
  end
  local y = {1, 2, 3, 4, 5, 6}
  lu.assertEquals(polygons{y = y, std = {1, 1, 1, 1, 1, 1}}, 1)
  lu.assertEquals(polygons{y = y, std = {1, 1, NAN, 1, 1, 1}}, 2)
  lu.assertEquals(polygons{y = y, band = {y, {2, 3, 4, 5, INF, 7}}}, 1) -- a single point is none
  lu.assertEquals(polygons{band = {y, {2, 3, NAN, NAN, 6, 7}}}, 2)
  lu.assertEquals(polygons{band = {y, {2, 3, NAN, NAN, 6, 7}}, label = "and a sample"}, 3)
end

function TestLines.test_nothing_to_draw_is_a_figure_all_the_same()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  for _, y in ipairs{{NAN, NAN}, {}, {-1, 0}} do
    local svg = svg_of{series = {{y = y, label = "empty"}}, logy = true, ylabel = "y"}
    lu.assertStrContains(table.concat(texts_of(svg), "|"), "empty")
  end
  svg_of{series = {{y = {1}}}}
  svg_of{series = {{y = {2, 2}}}, xrange = {5, 6}, yrange = {7, 3}}
  svg_of{series = {{y = bnn.zeros(0)}, {band = {{NAN}, {1}}}}}
end

function TestLines.test_tensors_and_lists_of_any_type_are_columns()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local want = strokes_of(svg_of{x = {0, 1, 2}, series = {{y = {1, 2, 3}}}})
  lu.assertEquals(want, {3})
  local list = svg_of{x = {0, 1, 2}, series = {{y = {1, 2, 3}}}}
  for _, y in ipairs{bnn.tensor{1, 2, 3}, bnn.tensor{{1}, {2}, {3}}, bnn.tensor({1, 2, 3}, "u8"),
                     bnn.tensor{{1, 0}, {2, 0}, {3, 0}}:narrow(2, 1, 1)} do
    lu.assertEquals(svg_of{x = bnn.tensor({0, 1, 2}, "i32"), series = {{y = y}}}, list)
    lu.assertEquals(svg_of{series = {{x = {0, 1, 2}, y = y}}}, list)
  end
end

function TestLines.test_long_lines_keep_what_is_seen_of_them()
  local thin = require "bnn.plot.canvas.downsample".thin
  local function drawable(v) return math.abs(v) < INF end
  local opts = {columns = 10, drawable_x = drawable, drawable_y = drawable}
  local x, y, z = {}, {}, {}
  for i = 1, 1000 do x[i], y[i], z[i] = i, i * 7919 % 1009, 0 end
  y[333], y[334], y[335], z[777], y[500] = 5000, NAN, -5000, 9, NAN
  local kept = thin({x, y, z}, opts)
  local row = {}
  for i, at in ipairs(kept[1]) do
    row[at] = i
    lu.assertTrue(i == 1 or at > kept[1][i - 1])
    for k, values in ipairs{x, y, z} do
      local good = kept[k][i] == values[at] or values[at] ~= values[at]
      lu.assertTrue(good)
    end
  end
  lu.assertTrue(#kept[1] < 80 and #kept[1] == #kept[2] and #kept[1] == #kept[3])
  for _, at in ipairs{1, 333, 334, 335, 500, 777, 1000} do lu.assertNotNil(row[at], at) end
  -- logarithms: the same share of the rows to each power of ten
  opts.is_log = true
  local low = 0
  for _, at in ipairs(thin({x, y}, opts)[1]) do low = low + (at <= 100 and 1 or 0) end
  lu.assertTrue(low > 10)
  -- left as they are: short, going back, parametric
  local short, back = {{1, 2}, {3, 4}}, {z, y}
  lu.assertIs(thin(short, opts), short)
  lu.assertEquals(#thin({x, y}, {columns = 1000, drawable_x = drawable})[1], 1000)
  back[1] = table.move(x, 1, 1000, 1, {})
  back[1][1000] = 0
  lu.assertIs(thin(back, opts), back)
  -- all in one place, and outside of the range
  z[777] = 0
  lu.assertTrue(#thin({z, x}, {columns = 2, drawable_x = drawable, drawable_y = drawable})[1] <= 4)
  opts = {columns = 2, range = {2000, 3000}, drawable_x = drawable, drawable_y = drawable}
  lu.assertTrue(#thin({x, x}, opts)[1] <= 4)
end

function TestLines.test_a_long_line_is_drawn_in_short()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local y = bnn.randn(bnn.key(3), 40000)
  y = y:totable()
  y[20000] = 25
  local svg = svg_of{series = {{y = y}}}
  local strokes = strokes_of(svg)
  lu.assertEquals(#strokes, 1)
  lu.assertTrue(strokes[1] > 1000 and strokes[1] <= 4 * 641)
  lu.assertStrContains(table.concat(texts_of(svg), "|"), "|25|") -- the axis goes up to the peak
end

function TestLines.test_the_axis_reaches_vlines_and_fits_lines()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function last_tic(opts)
    opts.series, opts.ylabel = opts.series or {{y = {1, 2}}}, "y"
    local tics = {}
    for _, text in ipairs(texts_of(svg_of(opts))) do tics[#tics + 1] = tonumber(text) end
    return math.max(table.unpack(tics))
  end
  lu.assertEquals(last_tic{}, 2)
  lu.assertEquals(last_tic{vlines = {7}}, 7)
  lu.assertEquals(svg_of{series = {{y = {1, 2}}}, xrange = {0, 3}, vlines = {7}},
    svg_of{series = {{y = {1, 2}}}, xrange = {0, 3}})
  assert(lines{series = {{y = {NAN}}}, vlines = {0.5, 7}, path = path "x.svg"})
end

-- The tics of an axis are written with the digits that tell them apart, and of x beside each other.
function TestLines.test_tics_of_narrow_and_of_wide_ranges_can_be_read()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function shown(opts) return "|" .. table.concat(texts_of(svg_of(opts)), "|") .. "|" end
  local narrow, y = {100000.0001, 100000.0002, 100000.0004}, {1, 2, 3}
  for _, opts in ipairs{{series = {{y = narrow}}}, {x = narrow, series = {{y = y}}}} do
    local texts = shown(opts)
    for _, tic in ipairs{"100000.0001", "100000.0002", "100000.0003"} do
      lu.assertStrContains(texts, "|" .. tic .. "|")
    end
  end
  local svg = read "x.svg"
  local at = svg:sub(1, svg:find(">100000.0004<", 1, true)):match ".*translate%(([%d.]+),"
  lu.assertTrue(tonumber(at) + 0.3 * 14 * #"100000.0004" < 640, at) -- it is not cut off
  local texts = shown{x = {1, 2, 630000.3}, series = {{y = y}}}
  lu.assertStrContains(texts, "|100000|200000|")
  lu.assertNil(texts:find("%.0000"))
  lu.assertStrContains(shown{x = {1, 5000, 10000}, series = {{y = y}}, legend = "right"},
    "|2000|4000|6000|8000|10000|")
  lu.assertStrContains(shown{x = {0, 2, 3}, series = {{y = y}}}, "|0|1|2|3|") -- whole numbers alone
end

function TestLines.test_tics_of_a_low_figure_do_not_cover_each_other()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local svg = svg_of{series = {{y = {0, 16}, label = "a"}}, xlabel = "x", height = 200, width = 320}
  local texts = "|" .. table.concat(texts_of(svg), "|") .. "|"
  lu.assertStrContains(texts, "|0|5|10|15|")
end

function TestLines.test_any_range_has_tics()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  for _, x in ipairs{{0, 5e-324}, {1e16, 1e16 + 2}, {-9e299, 9e299}, {1, 1}, {1e-300, 2e-300},
                     {-1e-9, 1e9}} do
    for _, opts in ipairs{{x = x, series = {{y = {1, 2}}}}, {series = {{y = x}}}} do
      svg_of(opts)
      opts.path, opts.width, opts.height = nil, 40, 10
      lu.assertIsString(lines(opts))
    end
  end
  svg_of{series = {{y = {1, 2}}}, xrange = {9, -9}, width = 100, height = 80}
end

function TestLines.test_every_option_changes_the_figure()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function draw(more, series)
    local opts = {series = {{y = {1, 20, 300}, label = "a"}}}
    for k, v in pairs(more) do opts[k] = v end
    for k, v in pairs(series or {}) do opts.series[1][k] = v end
    return svg_of(opts)
  end
  local plain = draw{}
  for _, more in ipairs{
    {x = {1, 2, 4}}, {title = "t"}, {xlabel = "t"}, {ylabel = "t"}, {xrange = {0, 9}},
    {yrange = {0, 9}}, {logx = true}, {logy = true}, {logy = true, yrange = {2, 40}},
    {vlines = {2}}, {vlines = {2}, vlabel = "a"}, {shade = {{-INF, 2}}}, {shade = {{2, INF}}},
    {legend = "right"},
    {legend = "none"}, {width = 300}, {height = 300},
  } do
    lu.assertNotEquals(draw(more), plain)
  end
  for _, more in ipairs{
    {x = {1, 2, 4}}, {label = "b"}, {colour = "green"}, {colour = "#102030"}, {style = "points"},
    {style = "both"}, {style = "dashes"}, {std = {1, 2, 3}}, {band = {{0, 0, 0}, {1, 2, 3}}},
  } do
    lu.assertNotEquals(draw({}, more), plain)
  end
end

function TestLines.test_without_a_path_a_plot_is_text()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local text = lines{title = "a_b^c", xlabel = "step", ylabel = "loss", width = 60, height = 15,
                     series = {{y = {3, 2, 1}, label = "train"}}}
  local count = 0
  for line in text:gmatch "([^\n]*)\n" do
    count = count + 1
    lu.assertTrue(utf8.len(line) <= 60, line)
    lu.assertNil(line:find "[%c ]$")
  end
  lu.assertTrue(count > 10 and count <= 15)
  for _, word in ipairs{"a_b^c", "step", "loss", "train", "%*%*%*"} do
    lu.assertNotNil(text:find(word), word)
  end
  text = lines{ylabel = "loss", width = 60, height = 15, series = {
    {y = {1e-9, 2e-9, 3e-9}, label = "first"}, {y = {1e-9, 1e-9, 1e-9}, label = "second"},
  }}
  lu.assertStrContains(text, "loss ") -- apart from the tics
  lu.assertNotNil(text:find "first %*+ +second #+\n") -- and entries from each other
  local out = io.open(path "out", "w")
  lu.assertEquals(lines{width = 40, height = 10, series = {{y = {1, 2}}}, out = out},
    lines{width = 40, height = 10, series = {{y = {1, 2}}}})
  out:close()
  lu.assertEquals(read "out", lines{width = 40, height = 10, series = {{y = {1, 2}}}})
end

-- ---- any text ----

local ANY_TEXTS = {
  "95%", "5 % off", "%g", "100%d", "a%%b", "50%-70%", "%h %T %s %c %L", "@x ^y _z {a} &b ~c \\d",
  "it's \"q\" `date` $x #h", "a]]>b <i> &amp;", "{/Symbol a}", "é ∑ x²", "\\n \\t \\101",
}
-- What shows as U+FFFD, byte for byte: no control character and no byte that is not UTF-8 can be
-- in XML.
local NO_TEXTS = {{"\27[31m\7", "?[31m?"}, {"\xff\xe9", "??"}, {"\u{9b}2J", "?2J"},
                  {"\xed\xa0\x80", "???"},
                  {"\u{FFFE}\u{FFFF}", "??"}}

TestText = in_folder{}

-- Draws a text as label, title, names of the axes and legend, and asserts that each shows `wanted`.
local function assert_shown(text, wanted)
  lu.assertEquals({bnn.plot.bars{
    title = text, xlabel = text, ylabel = text, path = path "x.svg", width = 900, height = 900,
    series = {{y = {1, 2}, label = text}}, labels = {text, "b"},
  }}, {true}, text)
  local count, svg = 0, read "x.svg"
  for _, shown in ipairs(texts_of(svg)) do
    if shown:match "^%s*(.-)%s*$" == wanted then count = count + 1 end
  end
  lu.assertEquals(count, 5, text)
  lu.assertNotNil(utf8.len(svg))
  lu.assertNil(svg:find("]]>", 1, true))
  lu.assertNil(svg:find "[\0-\8\11-\31]")
end

function TestText.test_labels_titles_and_legends_show_any_text_as_it_is()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  for _, text in ipairs(ANY_TEXTS) do assert_shown(text, text) end
  for _, row in ipairs(NO_TEXTS) do assert_shown(row[1], (row[2]:gsub("%?", "\u{FFFD}"))) end
end

function TestText.test_in_characters_too()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local ten, y = table.move(ANY_TEXTS, 1, 10, 1, {}), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
  local all = bnn.plot.bars{labels = ten, series = {{y = y}}, width = 400}
  for _, text in ipairs(ten) do lu.assertStrContains(all, text) end
  local shown = bnn.plot.bars{labels = {"\27[2J\u{9b}2J\xff"}, series = {{y = {1}}}, width = 100}
  lu.assertNil(shown:find "[\27\xff]")
  lu.assertNil(shown:find("\u{9b}", 1, true))
end

-- pango draws a box with the number of a character that no font has, as large as the picture.
function TestText.test_a_png_has_a_mark_for_a_character_without_a_font()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function png_of(label)
    local opts = {labels = {label, "b"}, series = {{y = {1, 2}}}, path = path "x.png"}
    lu.assertEquals({bnn.plot.bars(opts)}, {true})
    return read "x.png"
  end
  local fonts = core.run_program({"fc-list", ":charset=10fffd"}, "")
  lu.skipIf(not fonts or fonts.output ~= "", "fontconfig cannot tell")
  lu.assertTrue(png_of "a\u{10FFFD}é5 b" == png_of "a\u{FFFD}é5 b")
end

TestMisuse = in_folder{}

function TestMisuse.test_unknown_options_say_what_was_meant()
  local y = {{y = {1, 2}}}
  raises("unknown option 'xlable': did you mean 'xlabel'?", lines, {series = y, xlable = "x"})
  raises("series 1 (a): unknown option 'color': did you mean 'colour'?", lines,
    {series = {{y = {1}, color = "blue", label = "a"}}})
  raises("series 2: style: expected one of lines, points, both, dashes", lines,
    {series = {{y = {1}}, {y = {1}, style = "line"}}})
  raises("yellow (did you mean blue?), got \"blu\"", lines, {series = {{y = {1}, colour = "blu"}}})
  raises("unknown option 'column': did you mean 'columns'?", images,
    {x = bnn.zeros(1, 2, 2), column = 2})
end

function TestMisuse.test_shapes_that_do_not_agree_are_named()
  raises("bnn.plot.lines: series 1 (a): y: expected [2], as x, got [3, 1]", lines,
    {x = {1, 2}, series = {{y = bnn.zeros(3, 1), label = "a"}}})
  raises("series 1: std: expected [2], as y, got [3]", lines, {series = {{y = {1, 2}, std = {1, 2,
    3}}}})
  raises("the band's high edge: expected [2], as x, got [3]", lines,
    {series = {{y = {1, 2}, band = {{1, 2}, {1, 2, 3}}}}})
  raises("y: expected [n], got [2, 2]", lines, {series = {{y = bnn.zeros(2, 2)}}})
  raises("y: expected [n], got []", lines, {series = {{y = bnn.tensor(1)}}})
  raises("y[2]: expected a number, got a string", lines, {series = {{y = {1, "2"}}}})
  raises("y: expected a tensor or a list, got a table of named entries", lines,
    {series = {{y = {mean = bnn.ones(2)}}}})
  raises("x: expected [n, h, w] or [n, 1, h, w], got [4, 4]", images, {x = bnn.zeros(4, 4)})
  raises("got [2, 3, 4, 4]", images, {x = bnn.zeros(2, 3, 4, 4)})
  raises("x: expected at least one pixel, got [0, 4, 4]", images, {x = bnn.zeros(0, 4, 4)})
end

function TestMisuse.test_what_does_not_go_together_is_refused()
  local series = {{y = {1, 2}}}
  raises("series: expected", lines, {})
  raises("series: expected at least one, got none", lines, {series = {}})
  raises("bnn.plot.lines: series 1 (a): y: expected a tensor or a list, got nothing", lines,
    {series = {{label = "a"}}})
  raises("style: expected y=, whose it is, got none", lines, {series = {{band = {{1}, {2}},
    style = "lines"}}})
  raises("expected band= or std=, got both", lines, {series = {{y = {1}, std = {1}, band = {{1},
    {2}}}}})
  raises("band: expected {low, high}, got a list of 1", lines, {series = {{y = {1}, band = {{1}}}}})
  raises("path: expected a name that ends in .svg or .png, got \"x.jpg\"", lines,
    {series = series, path = "x.jpg"})
  raises("expected path= or out=, got both", lines, {series = series, path = "x.svg",
    out = io.stdout})
  raises("xrange: expected two numbers that differ, got {1, 1}", lines, {series = series,
    xrange = {1, 1}})
  raises("yrange: expected numbers above 0 for a logarithmic axis, got {0, 1}", lines,
    {series = series, yrange = {0, 1}, logy = true})
  raises("shade[1]: expected {from, to} with from < to, got {2, 1}", lines, {series = series,
    shade = {{2, 1}}})
  raises("path: expected a name that ends in .png, got \"x.svg\"", images,
    {x = bnn.zeros(1, 2, 2), path = "x.svg"})
  raises("captions: expected 1, one for each image, got 2", images,
    {x = bnn.zeros(1, 2, 2), captions = {"a", "b"}, path = "x.png"})
  raises("path: expected a file to draw captions into, got nothing", images, {x = bnn.zeros(1, 2,
    2), captions = {"a"}})
  raises("expected a grid of at most 32768 pixels each way, got 1 x 59999", images,
    {x = bnn.zeros(20000, 2, 1), columns = 1, scale = 1, gap = 1})
  lu.assertEquals(left(), {})
end

function TestMisuse.test_errors_are_raised_at_the_caller()
  for _, opts in ipairs{
    {series = {{y = {1}, colour = "no"}}}, {series = {{y = {1}, x = {1, 2}}}}, {series = {}},
    {series = {{y = {"a"}}}}, {series = {{y = {1}, no = 1}}}, {no = 1},
    {series = {{y = {1}}}, path = "x"}, {series = {{y = {1}}}, xrange = {1}},
    {series = {{y = {1}}}, shade = {{}}}, {series = {{y = {1}, band = {1}}}},
    {series = {{y = {1}, band = {{1, 2}}}}}, {series = {{y = {1}, std = {1, 2}}}},
    {series = {{}}},
  } do
    local ok, fault = pcall(function() lines(opts) end)
    lu.assertFalse(ok)
    lu.assertStrContains(fault, "test_plot.lua:")
  end
end

-- ---- histograms, bars, heat maps ----

TestBoxes = in_folder{}

-- The numbers of the points of the first series' outline.
local function outline_of(opts)
  opts.path = path "x.svg"
  assert(bnn.plot.histogram(opts))
  local points = {}
  local line = read "x.svg":match "id=\"gnuplot_plot_2\".- d='(.-)'" -- over the first, filled
  for x, y in line:gmatch "([%d.]+),([%d.]+)" do
    points[#points + 1] = {tonumber(x), tonumber(y)}
  end
  return points
end

-- Heights of a histogram's bins in its own units, where the first bin's is known.
local function heights_of(opts, first)
  local points = outline_of(opts)
  local heights, base = {}, points[1][2]
  for i = 2, #points - 1, 2 do
    heights[#heights + 1] = (base - points[i][2]) / (base - points[2][2]) * first
  end
  return heights
end

function TestBoxes.test_a_histogram_counts_what_is_in_each_bin()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local x = {0, 0.5, 1, 1, 1.5, 2, 3, 4, NAN, INF, 9, -1} -- 4 is the end and counts
  local want = {2, 3, 1, 2}
  local opts = {bins = 4, range = {0, 4}, density = false}
  for _, given in ipairs{x, bnn.tensor(x)} do
    opts.series = {{x = given}}
    for i, height in ipairs(heights_of(opts, 2)) do
      lu.assertAlmostEquals(height, want[i], 0.02) -- coordinates have two decimals
    end
  end
  local svg = read "x.svg"
  lu.assertStrContains(table.concat(texts_of(svg), "|"), "count")
  local all = heights_of({series = {{x = {1, 2, 2, 3, NAN}}}, bins = 2}, 1)
  lu.assertAlmostEquals(all[2], 3, 0.02)
end

-- Bins: one of three values, two of none, one of one: on logarithms too each stands on the axis.
function TestBoxes.test_an_outline_goes_down_to_the_axis_where_bins_are_empty()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  for _, logy in ipairs{false, true} do
    assert(bnn.plot.histogram{series = {{x = {0, 0, 0, 4}}}, bins = 4, density = false, logy = logy,
                              path = path "x.svg"})
    local svg, bottom = read "x.svg", 0
    local strokes = {}
    for stroke in svg:match "id=\"gnuplot_plot_2\".- d='(.-)'":gmatch "M[^M]*" do
      local ys = {}
      for y in stroke:gmatch ",([%d.]+)" do ys[#ys + 1] = tonumber(y) end
      strokes[#strokes + 1] = ys
      bottom = math.max(bottom, table.unpack(ys))
    end
    lu.assertEquals({#strokes, #strokes[1], #strokes[2]}, {2, 4, 4})
    for _, ys in ipairs(strokes) do
      lu.assertEquals({ys[1], ys[4]}, {bottom, bottom})
      lu.assertTrue(ys[2] < bottom - 50)
    end
    local texts = "|" .. table.concat(texts_of(svg), "|") .. "|"
    lu.assertEquals(texts:find("|10−1|", 1, true) ~= nil, logy) -- a decade below the least
  end
end

function TestBoxes.test_the_first_in_turn_is_filled_and_few_others_are_hatched()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function areas(count, more)
    local opts = {series = {}, bins = 2, path = path "x.svg"}
    for i = 1, count do opts.series[i] = {x = {1, 1.5, 2}, label = "set " .. i} end
    for k, v in pairs(more or {}) do opts[k] = v end
    assert(bnn.plot.histogram(opts))
    return select(2, read "x.svg":gsub("<polygon", ""))
  end
  local one = areas(1)
  lu.assertTrue(one > 0)
  lu.assertEquals({areas(2), areas(3), areas(4), areas(6)}, {2 * one, 3 * one, one, one})
  lu.assertEquals({areas(1, {logy = true}), areas(2, {logy = true})}, {one, one})
  lu.assertEquals(areas(1, {logy = true, order = {"inside", "set 1"}}), 0)
end

function TestBoxes.test_the_axis_goes_over_all_bins_and_to_the_threshold()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function shown(opts)
    opts.series, opts.path = {{x = {4, 5, 5}}}, path "x.svg"
    assert(bnn.plot.histogram(opts))
    return "|" .. table.concat(texts_of(read "x.svg"), "|") .. "|"
  end
  local texts = shown{range = {0, 10}}
  lu.assertStrContains(texts, "|0|2|4|6|8|10|")
  lu.assertStrContains(shown{vlines = {9}, vlabel = "refused above 9"}, "|9|")
  lu.assertStrContains(table.concat(texts_of(read "x.svg"), "|"), "refused above 9")
  lu.assertNil(shown{vlines = {}, vlabel = "never"}:find "never")
end

function TestBoxes.test_histograms_of_anything_are_drawn()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  for _, x in ipairs{{}, {NAN}, {5}, {5, 5}, {-1e30, 1e30}} do
    for _, logy in ipairs{false, true} do
      assert(bnn.plot.histogram{series = {{x = x}}, logy = logy, path = path "x.svg"})
    end
  end
  lu.assertStrContains(table.concat(texts_of(read "x.svg"), "|"), "density")
  raises("series 2 (b): unknown option 'y'", bnn.plot.histogram,
    {series = {{x = {1}}, {y = {1}, label = "b"}}})
  raises("range: expected {from, to} with from < to, got {2, 1}", bnn.plot.histogram,
    {series = {{x = {1}}}, range = {2, 1}})
  raises("series: expected at least one, got none", bnn.plot.histogram, {series = {}})
end

function TestBoxes.test_bars_have_their_labels_and_what_is_nan_has_no_bar()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local labels = {"std_x", "two\nlines", "<&>"}
  local function draw(y, std)
    assert(bnn.plot.bars{labels = labels, path = path "x.svg", ylabel = "AUROC",
                         series = {{y = y, std = std}, {y = {1, 2, 3}}}})
    return read "x.svg"
  end
  local svg = draw({1, 2, 3}, {0.1, 0.1, 0.1})
  local shown = table.concat(texts_of(svg), "|")
  for _, text in ipairs{"std_x", "two|lines", "<&>", "AUROC"} do
    lu.assertStrContains(shown, text)
  end
  local function count(text) return select(2, text:gsub("<polygon", "")) end
  lu.assertEquals(count(svg) - count(draw{1, NAN, 3}), 1)
  draw{NAN, NAN, NAN}
  assert(bnn.plot.bars{labels = labels, path = path "x.svg", series = {{y = {NAN, NAN, NAN}}}})
  raises("series 1 (a): y: expected [3], as labels, got [2]", bnn.plot.bars,
    {labels = labels, series = {{y = {1, 2}, label = "a"}}})
  raises("std: expected [3], as labels, got [1]", bnn.plot.bars,
    {labels = labels, series = {{y = {1, 2, 3}, std = {1}}}})
  raises("unknown option 'logx'", bnn.plot.bars,
    {labels = labels, series = {{y = {1, 2, 3}}}, logx = true})
end

-- They begin a power of ten below the least; marks of deviation do not go lower.
function TestBoxes.test_bars_on_an_axis_of_logarithms()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function draw(y, more)
    local opts = {labels = {"a", "b", "c"}, path = path "x.svg", logy = true,
                  series = {{y = y, std = {1, 1, 1}}}}
    for name, value in pairs(more or {}) do opts[name] = value end
    assert(bnn.plot.bars(opts))
    return read "x.svg"
  end
  local function count(svg) return select(2, svg:gsub("<polygon", "")) end
  local whole = draw{2, 0.2, 300}
  local shown = table.concat(texts_of(whole), "|")
  lu.assertStrContains(shown, "10−1|100|101|102|103|a") -- powers of ten
  lu.assertEquals(count(whole) - count(draw{2, 0, 300}), 1)
  lu.assertEquals(count(whole) - count(draw{2, -1, math.huge}), 2)
  draw({2, 0.2, 300}, {yrange = {1e-3, 1e3}})
  raises("yrange: expected numbers above 0", function() draw({1, 2, 3}, {yrange = {0, 1}}) end)
end

function TestBoxes.test_labels_of_bars_stand_side_by_side_in_lines_or_slanted()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function draw(labels)
    assert(bnn.plot.bars{labels = labels, path = path "x.svg", series = {{y = {1, 2, 3, 4, 5}}}})
    local svg = read "x.svg"
    return "|" .. table.concat(texts_of(svg), "|") .. "|", svg:find "rotate%(%-45" ~= nil
  end
  local texts, slanted = draw{"std of the class", "entropy", "mutual information", "b", "c"}
  lu.assertStrContains(texts, "|std of the|class|entropy|mutual|information|b|")
  lu.assertFalse(slanted)
  texts, slanted = draw{"std of the class", "mutual_information", "a", "b", "c"}
  lu.assertStrContains(texts, "|std of the class|mutual_information|")
  lu.assertTrue(slanted)
end

-- The colour of a PNG in the middle of a cell of z [2, 3].
local function cell_colours(opts)
  opts.path, opts.scale, opts.z = path "x.png", 1, bnn.tensor{{0, 1, 1}, {1, 1, NAN}}
  assert(bnn.plot.heatmap(opts))
  local picture = bnn.data.read(opts.path):narrow(3, 1, 3)
  local colours = {}
  for _, y in ipairs{100, 260} do
    for _, x in ipairs{120, 270, 430} do
      colours[#colours + 1] = ("%02x%02x%02x"):format(table.unpack(picture[y][x]:totable()))
    end
  end
  return colours
end

function TestBoxes.test_a_heat_map_has_its_first_row_on_top_unless_y_is_given()
  lu.skipIf(not GNUPLOT or not LIBPNG, "no gnuplot, or no libpng")
  local low, high = "440154", "fde725"
  lu.assertEquals(cell_colours{}, {low, high, high, high, high, "ffffff"})
  lu.assertEquals(cell_colours{y = {5, 6}}, {high, high, "ffffff", low, high, high})
  lu.assertEquals(cell_colours{y = {6, 5}, x = {3, 2, 1}}, {high, high, low, "ffffff", high, high})
end

function TestBoxes.test_a_heat_map_numbers_its_classes_and_has_room_for_its_scale()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  for _, most in ipairs{1, 1200, -3e6} do
    assert(bnn.plot.heatmap{
      z = bnn.linspace(0, most, 100):view(10, 10), x = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
      zlabel = "how many", path = path "x.svg",
    })
    local svg = read "x.svg"
    local texts = "|" .. table.concat(texts_of(svg), "|") .. "|"
    lu.assertStrContains(texts, "|1|2|3|4|5|6|7|8|9|10|0|1|2|3|4|5|6|7|8|9|") -- rows and classes
    local at = svg:sub(1, svg:find(">how many<", 1, true)):match ".*translate%(([%d.]+),"
    local tic = svg:match ".*translate%(([%d.]+)," -- the last of the scale
    lu.assertTrue(tonumber(at) < 640 - 4 and tonumber(at) > tonumber(tic) + 30, at)
  end
end

function TestBoxes.test_a_heat_map_of_one_row_or_column_is_drawn()
  lu.skipIf(not GNUPLOT or not LIBPNG, "no gnuplot, or no libpng")
  for _, z in ipairs{bnn.tensor{{1, 1}}, bnn.tensor{{1}, {1}}, bnn.tensor{{1}}} do
    assert(bnn.plot.heatmap{z = z, zrange = {0, 1}, path = path "x.png", scale = 1})
    local colour = bnn.data.read(path "x.png"):narrow(3, 1, 3)[120][150]
    lu.assertEquals(("%02x%02x%02x"):format(table.unpack(colour:totable())), "fde725")
  end
end

function TestBoxes.test_heat_maps_say_what_they_want()
  local map = bnn.plot.heatmap
  raises("path: expected", map, {z = bnn.zeros(2, 2)})
  raises("z: expected [h, w], got [4]", map, {z = bnn.zeros(4), path = "x.svg"})
  raises("z: expected [h, w], got [0, 2]", map, {z = bnn.zeros(0, 2), path = "x.svg"})
  raises("x: expected [2], as z has columns, got [3]", map, {z = bnn.zeros(2, 2), x = {1, 2, 3},
    path = "x.svg"})
  raises("y[2]: expected evenly spaced places, got 2", map, {z = bnn.zeros(3, 2), y = {1, 2, 4},
    path = "x.svg"})
  raises("x[1]: expected evenly spaced places, got 1", map, {z = bnn.zeros(2, 2), x = {1, 1},
    path = "x.svg"})
  raises("zrange: expected two numbers that differ, got {1}", map, {z = bnn.zeros(2, 2),
    zrange = {1}, path = "x.svg"})
  lu.skipIf(not GNUPLOT, "no gnuplot")
  for _, z in ipairs{bnn.zeros(1, 1), bnn.full({2, 2}, NAN), bnn.tensor({{1, 2}}, "u8")} do
    lu.assertTrue(map{z = z, path = path "x.svg", title = "a_b", zlabel = "<z>"})
  end
  lu.assertStrContains(table.concat(texts_of(read "x.svg"), "|"), "<z>")
end

-- ---- the world ----

TestFailures = in_folder{}

-- Runs a script where PATH is `where`; gives what it prints.
local function run_with_path(where, script)
  write("script.lua", script)
  local out = path "out"
  local program = os.getenv "BNNLUA" or arg[-1]
  os.execute(("PATH='%s' '%s' '%s' >'%s' 2>&1"):format(where, program, path "script.lua", out))
  local text = read "out"
  os.remove(out)
  os.remove(path "script.lua")
  return text
end

local function draw_script(name)
  return ([[
    local bnn = require "bnn"
    print(bnn.plot.lines{path = "%s", series = {{y = {1, 2}}}})
    print(bnn.plot.lines{series = {{y = {1, 2}}}})
  ]]):format(path(name or "x.svg"))
end

function TestFailures.test_without_gnuplot_a_message_says_what_to_install()
  local text = run_with_path("/nonexistent", draw_script())
  local how = "gnuplot is not installed; Debian's package gnuplot-nox has it: "
    .. "apt-get install gnuplot-nox\n"
  lu.assertEquals(text, ("nil\t%s: %snil\ta plot: %s"):format(path "x.svg", how, how))
  lu.assertEquals(left(), {})
  run_with_path("/nonexistent", draw_script "figures/x.svg") -- nor is there a folder for nothing
  lu.assertEquals(left(), {})
end

function TestFailures.test_a_gnuplot_that_fails_leaves_nothing_behind()
  core.make_folder(path "bin")
  for _, row in ipairs{
    {"echo '<svg>half a picture'; echo >&2; echo 'line 3: no such terminal' >&2; exit 1",
     "gnuplot failed: line 3: no such terminal"},
    {"echo '<svg>half a picture'; kill -9 $$", "gnuplot was killed by signal 9"},
    {"exit 0", "gnuplot failed: no message"},
    {"exit 7", "gnuplot failed: no message"},
    {"printf '<svg>half'", "gnuplot wrote no more than 9 bytes of the picture"}, -- a full disk, say
    {"printf '\\211PNG IDAT'", "gnuplot wrote no more than 9 bytes of the picture", "x.png"},
  } do
    write("bin/gnuplot", "#!/bin/sh\n" .. row[1] .. "\n")
    os.execute(("chmod +x '%s'"):format(path "bin/gnuplot"))
    local text = run_with_path(path "bin", draw_script(row[3]))
    lu.assertStrContains(text, ("nil\t%s: %s\n"):format(path(row[3] or "x.svg"), row[2]))
    lu.assertEquals(left(), {"bin"})
  end
  write("x.svg", "the picture before")
  run_with_path(path "bin", draw_script())
  lu.assertEquals(read "x.svg", "the picture before")
end

function TestFailures.test_settings_of_the_users_own_are_not_read()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  write(".gnuplot", "set title 'mine'\nset xrange [0:99]\n")
  local before = svg_of{series = {{y = {1, 2}}}}
  local out = ("HOME='%s' XDG_CONFIG_HOME='%s' "):format(folder, folder)
  run_with_path(os.getenv "PATH" .. "' " .. out .. "IGNORED='", draw_script())
  lu.assertEquals(read "x.svg", before)
end

function TestFailures.test_folders_that_are_missing_are_made_where_that_can_be()
  if LIBPNG then
    lu.assertTrue(images{path = path "new/deep/x.png", x = bnn.zeros(1, 2, 2)})
    lu.assertEquals(bnn.data.read(path "new/deep/x.png"):dtype(), "u8")
    for _, name in ipairs{"new/deep/x.png", "new/deep", "new"} do os.remove(path(name)) end
  end
  write("file", "")
  if GNUPLOT then
    local ok, fault = lines{path = path "file/x.svg", series = {{y = {1, 2}}}}
    lu.assertNil(ok)
    lu.assertStrContains(fault, "/file: Not a directory")
  end
  if LIBPNG then
    local ok, fault = images{path = path "file/x.png", x = bnn.zeros(1, 2, 2)}
    lu.assertNil(ok)
    lu.assertStrContains(fault, "/file: Not a directory")
  end
end

-- ---- images ----

TestImages = in_folder{}

function TestImages.test_a_sheet_goes_row_by_row_with_gaps()
  local x = bnn.tensor({{{1, 2}}, {{3, 4}}, {{5, 6}}}, "u8")
  local function sheet(opts)
    opts.x = x
    return images(opts):totable()
  end
  lu.assertEquals(sheet{scale = 1}, {{1, 2, 0, 3, 4}, {0, 0, 0, 0, 0}, {5, 6, 0, 0, 0}})
  lu.assertEquals(sheet{scale = 1, gap = 0, background = 1}, {{1, 2, 3, 4}, {5, 6, 255, 255}})
  lu.assertEquals(sheet{scale = 1, columns = 1, gap = 0}, {{1, 2}, {3, 4}, {5, 6}})
  lu.assertEquals(sheet{scale = 1, columns = 9}, {{1, 2, 0, 3, 4, 0, 5, 6}})
  lu.assertEquals(sheet{scale = 2, columns = 3, gap = 0},
    {{1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6}, {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6}})
end

function TestImages.test_reals_are_clipped_and_nan_is_a_middle_grey()
  local x = bnn.tensor{{{0, 1, 0.5, -3, 7, INF, -INF, NAN, 1 / 255, 254.6 / 255}}}
  lu.assertEquals(images{x = x, scale = 1}:totable(),
    {{0, 255, 128, 0, 255, 255, 0, 128, 1, 255}})
end

function TestImages.test_bytes_come_back_from_reals_and_from_views()
  local bytes = core.arange(0, 255):to "u8"
  local x = bytes:view(4, 1, 8, 8)
  local sheet = images{x = x}
  lu.assertEquals(images{x = x:real() / 255}:totable(), sheet:totable())
  local turned = x:permute(1, 2, 4, 3)
  lu.assertEquals(images{x = turned}:totable(), images{x = turned:contiguous()}:totable())
end

function TestImages.test_the_file_has_the_pixels()
  lu.skipIf(not LIBPNG, "no libpng")
  local x = bnn.rand(bnn.key(1), 5, 4, 6)
  lu.assertTrue(images{x = x, columns = 3, path = path "x.png"})
  local picture = bnn.data.read(path "x.png")
  lu.assertEquals(picture:shape(), {(2 * 4 + 1) * 3, (3 * 6 + 2) * 3})
  lu.assertEquals(picture:totable(), images{x = x, columns = 3}:totable())
  lu.assertEquals(left(), {"x.png"})
end

-- The darkest and the brightest value in rows from..to of a grey picture that gnuplot drew.
local function extremes(picture, from, to)
  local part = picture:narrow(1, from, to - from + 1):real()
  return {part:min():item(), part:max():item()}
end

function TestImages.test_captions_stand_under_images_that_keep_their_pixels()
  lu.skipIf(not GNUPLOT or not LIBPNG, "no gnuplot, or no libpng")
  local x = bnn.tensor({{0, 100}, {200, 255}}, "u8"):view(2, 1, 2, 1):broadcast_to(2, 20, 2, 20)
  x = x:contiguous():view(1, 40, 40)
  for _, row in ipairs{{captions = {""}, blank = true}, {captions = {"3: 97%"}}} do
    local file = path "x.png"
    lu.assertTrue(images{x = x, path = file, scale = 2, gap = 4, captions = row.captions})
    local picture = bnn.data.read(file)
    lu.assertEquals(picture:size(2), (40 + 2 * 4) * 2)
    for i, at in ipairs{{20, 20}, {20, 70}, {70, 20}, {70, 70}} do
      local pixel = picture[at[1] + 1][at[2] + 1]
      lu.assertEquals(pixel:totable()[1], ({0, 100, 200, 255})[i])
    end
    local below = extremes(picture, 90, picture:size(1))
    lu.assertEquals(below[1] < 128, not row.blank)
  end
end

function TestImages.test_captions_stay_under_their_images()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  assert(images{x = bnn.zeros(2, 8, 8), captions = {"a caption of many words", "é é é é é é é é"},
                path = path "x.svg"})
  lu.assertEquals(texts_of(read "x.svg"), {"a caption of", "many words", "é é é é é é é", "é"})
end

function TestImages.test_captions_are_shown_as_they_are_written()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local caption = [[<a_^>&"'\ `x`é]]
  lu.assertTrue(images{x = bnn.zeros(2, 8, 8), captions = {caption, "two\nlines"},
                       path = path "x.svg"})
  lu.assertEquals(texts_of(read "x.svg"), {caption, "two", "lines"})
end

os.exit(lu.LuaUnit.run(), true)
