--- The sets that the program draws itself: handwritten digits, and letters by the same hands.
local core = require "bnn.core"
local parts = require "bnn.data.part"

local M = {}

-- Under what name bnn.data.load knows a set, and what core.glyphs calls it.
local sets = {glyphs = "digits", letters = "letters", ["letters-unlike-digits"] = "unlike"}

local function draw(set, part, n)
  local x, y = core.glyphs(set, core.key(28):fold "glyphs":fold(part), 1, n)
  return parts.from_tensors{x = x, y = y}
end

--- A set that the program draws itself, in the manner of MNIST: always the same images.
-- @param name string: "glyphs", the digits; "letters", A to Z as labels 0 to 25; or
--   "letters-unlike-digits", the same labels without the letters that can be taken for a digit
-- @return nil when the name is another; else {train=, test=, names=, look_alikes=}: 60,000 and
--   10,000 images u8 [n, 28, 28] with labels i32 [n]; names[label + 1] is what a label stands for;
--   look_alikes {B = 8, ...} holds the letters that can be taken for a digit
function M.load(name)
  local set = sets[name]
  if not set then return nil end
  return {
    train = draw(set, "train", 60000), test = draw(set, "test", 10000),
    names = core.glyph_names(set), look_alikes = core.glyph_look_alikes(),
  }
end

return M
