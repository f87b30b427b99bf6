--- Generated digits and letters: what core draws, what bnn.data.load gives.
local lu = require "luaunit"
local core = require "bnn.core"
local data = require "bnn.data.data"
local bnn = require "bnn"

local function raises(text, f, ...) lu.assertErrorMsgContains(text, f, ...) end

-- The first n images and labels as plain lists.
local function lists(set, key, from, n)
  local x, y = core.glyphs(set, key, from, n)
  return x:reshape(x:numel()):totable(), y:totable()
end

TestGlyphs = {}

function TestGlyphs.test_images_are_u8_and_labels_i32()
  local x, y = core.glyphs("digits", core.key(1), 1, 5)
  lu.assertEquals(x:dtype(), "u8")
  lu.assertEquals(x:shape(), {5, 28, 28})
  lu.assertEquals(y:dtype(), "i32")
  lu.assertEquals(y:shape(), {5})
  lu.assertEquals(core.glyphs("letters", core.key(1), 1, 0):shape(), {0, 28, 28})
end

function TestGlyphs.test_an_image_depends_on_set_key_and_place_alone()
  local key = core.key(3)
  local x, y = lists("letters", key, 1, 100)
  core.glyphs("digits", key, 1, 10)
  local threads = bnn.threads()
  bnn.threads(3)
  local later_x, later_y = lists("letters", key, 41, 60)
  bnn.threads(threads)
  lu.assertEquals(later_x, table.move(x, 40 * 784 + 1, #x, 1, {}))
  lu.assertEquals(later_y, table.move(y, 41, 100, 1, {}))
  lu.assertNotEquals(lists("letters", core.key(4), 1, 100), x)
  lu.assertNotEquals(lists("digits", key, 1, 100), x)
end

function TestGlyphs.test_wrong_arguments_are_refused()
  local key = core.key(1)
  raises("invalid option 'numbers'", core.glyphs, "numbers", key, 1, 1)
  raises("bnn.key expected", core.glyphs, "digits", 1, 1, 1)
  raises("from: expected at least 1, got 0", core.glyphs, "digits", key, 0, 1)
  raises("n: expected at least 0, got -1", core.glyphs, "digits", key, 1, -1)
  raises("at most", core.glyphs, "digits", key, 1, math.maxinteger)
  raises("no integer representation", core.glyphs, "digits", key, 1.5, 1)
  raises("invalid option", core.glyph_names, "numbers")
end

function TestGlyphs.test_names_and_look_alikes()
  lu.assertEquals(table.concat(core.glyph_names "digits"), "0123456789")
  lu.assertEquals(table.concat(core.glyph_names "letters"), "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
  lu.assertEquals(core.glyph_names "unlike", core.glyph_names "letters")
  lu.assertEquals(core.glyph_look_alikes(),
    {B = 8, D = 0, G = 6, I = 1, O = 0, Q = 0, S = 5, T = 7, Y = 4, Z = 2})
end

-- Which characters the labels of a part stand for, sorted.
local function characters(part, names)
  local seen, list = {}, {}
  for _, label in ipairs(part.y:totable()) do seen[names[label + 1]] = true end
  for name in pairs(seen) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list)
end

function TestGlyphs.test_they_are_loaded_by_name()
  for name, wanted in pairs{glyphs = "0123456789", letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                            ["letters-unlike-digits"] = "ACEFHJKLMNPRUVWX"} do
    local set = assert(data.load(name))
    lu.assertEquals(set.train.x:shape(), {60000, 28, 28})
    lu.assertEquals(set.test.x:shape(), {10000, 28, 28})
    lu.assertEquals(characters(set.train, set.names), wanted)
    lu.assertEquals(characters(set.test, set.names), wanted)
    for letter in pairs(set.look_alikes) do lu.assertStrContains("BDGIOQSTYZ", letter) end
  end
end

function TestGlyphs.test_a_set_is_always_the_same_and_its_parts_differ()
  local function image(part, i) return part.x:select(1, i):reshape(784):totable() end
  local set, again = assert(data.load "glyphs"), assert(data.load "glyphs")
  lu.assertEquals(image(again.train, 60000), image(set.train, 60000))
  lu.assertEquals(image(again.test, 10000), image(set.test, 10000))
  lu.assertNotEquals(image(set.train, 1), image(set.test, 1))
end

function TestGlyphs.test_a_folder_given_is_searched_and_not_drawn()
  local set, message = data.load("glyphs", {dir = "/nonexistent"})
  lu.assertNil(set)
  lu.assertStrContains(message, "/nonexistent")
end

os.exit(lu.LuaUnit.run(), true)
