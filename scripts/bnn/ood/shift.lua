--- Dataset shift: images that differ more and more from those of the training set. A network's
-- accuracy should fall slowly, and its uncertainty should grow with its errors.
--
--     local turned = bnn.shift.rotate(data.test.x, {key = key, severity = 3})
--     local report = bnn.shift.evaluate{predict = predict, data = data.test, key = key}
--
-- Images are [n, h, w] or [n, channels, h, w], u8 or real from 0 (the background) to 1; the result
-- is a new tensor of the same type. The strength is a severity from 0 (nothing) to 5, or an amount:
--
--   severity              1     2     3     4     5
--   rotate     degrees    15    30    45    60    75
--   translate  pixels     1     2     3     4     5      of 28
--   noise      std        0.1   0.2   0.3   0.4   0.5
--   blur       sigma      1     1.5   2     2.5   3      pixels of 28
--   contrast   factor     0.75  0.6   0.45  0.3   0.15
--   occlude    side       6     9     12    15    18     pixels of 28
--
-- The pixels of a severity are for an image whose shorter side is 28, and grow with that side; an
-- amount is used unchanged. The draws for an image are a function of the key and of its place in x:
-- the same bits on any number of threads, and the same draws (a side, a direction, a pattern of
-- noise) at every severity. A NaN moves with its pixel.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local logs = require "bnn.log.log"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local report = require "bnn.ood.shift_report"

local M = {}

--- Lists the names of the shifts, in the order of bnn.shift.evaluate.
--     print(bnn.shift.names[1])                         -- rotate
M.names = {"rotate", "translate", "noise", "blur", "contrast", "occlude"}

-- By name: what the amount is called and the amount at each severity; whether it is in pixels of
-- 28, whether it needs a key, and the amount that changes nothing (0).
local kinds = {
  rotate = {"degrees", {15, 30, 45, 60, 75}},
  translate = {"pixels", {1, 2, 3, 4, 5}, in_pixels = true},
  noise = {"std", {0.1, 0.2, 0.3, 0.4, 0.5}, needs_key = true},
  blur = {"sigma", {1, 1.5, 2, 2.5, 3}, in_pixels = true},
  contrast = {"factor", {0.75, 0.6, 0.45, 0.3, 0.15}, still = 1},
  occlude = {"side", {6, 9, 12, 15, 18}, in_pixels = true, needs_key = true},
}

local SIDE = 28 -- the shorter side of the images that amounts in pixels are meant for

--- Returns the amount of a shift at a severity.
--     bnn.shift.amount("rotate", 3)                     -- 45 degrees
--     bnn.shift.amount("blur", 1, 56)                   -- 2.0 sigma: twice that of 28 pixels
-- @param name string, one of bnn.shift.names
-- @param severity integer, 0 to 5
-- @param side integer: the shorter side of the images (28)
-- @return number, and what it is called ("degrees")
-- Raises for a name that is not one of them, and a severity outside 0..5.
function M.amount(name, severity, side)
  local what, kind = "bnn.shift.amount", kinds[name]
  if not kind then
    fail("%s: name: expected one of %s, got %q", what, table.concat(M.names, ", "), tostring(name))
  end
  local amount = severity == 0 and (kind.still or 0) or kind[2][severity]
  if not amount then
    fail("%s: severity: expected an integer from 0 to 5, got %s", what, number.text(severity))
  end
  if side ~= nil and not options.accept(side, {type = "number", min = 0}) then
    fail("%s: side: expected a number of pixels, got %s", what, number.text(side))
  end
  return kind.in_pixels and amount * (side or SIDE) / SIDE or amount, kind[1]
end

local function shorter_side(x)
  if x:dim() < 2 then return SIDE end -- of the wrong shape, as core.shift will say
  return math.min(x:size(-1), x:size(-2))
end

local function shift(name, x, given)
  local what, kind = "bnn.shift." .. name, kinds[name]
  local opts = options.check(what, given, {
    key = {type = "key", required = kind.needs_key},
    severity = {type = "integer", min = 0, max = 5}, [kind[1]] = "number",
  })
  expect.tensor(what .. ": x", x, "a tensor [n, h, w] or [n, channels, h, w]")
  local amount = opts[kind[1]]
  if (amount == nil) == (opts.severity == nil) then
    local got = amount and "both" or "neither"
    fail("%s: expected severity= or %s=, got %s", what, kind[1], got)
  end
  amount = amount or M.amount(name, opts.severity, shorter_side(x))
  return fail.within(what, core.shift, x, name, amount, opts.key)
end

--- Rotates images about their centre, by bilinear interpolation; pixels from outside are 0.
--     bnn.shift.rotate(x, {degrees = 30})               -- counterclockwise, u8 [32, 28, 28]
--     bnn.shift.rotate(x, {severity = 2, key = key})    -- 30 degrees, to a side drawn for each
-- @param x tensor [n, h, w] or [n, channels, h, w], u8 or real from 0 to 1
-- @param opts table: severity=0 to 5 (15 degrees more each) or degrees=; key= draws the side to
--   which each image turns; without it all turn counterclockwise (clockwise for degrees below 0)
-- @return tensor of the type and shape of x
function M.rotate(x, opts) return shift("rotate", x, opts) end

--- Translates images, by bilinear interpolation; pixels from outside are 0.
--     bnn.shift.translate(x, {pixels = 2.5})            -- to the right, u8 [32, 28, 28]
--     bnn.shift.translate(x, {severity = 2, key = key}) -- 2 pixels, in a direction drawn for each
-- @param x tensor [n, h, w] or [n, channels, h, w], u8 or real from 0 to 1
-- @param opts table: severity=0 to 5 (1 pixel of 28 more each) or pixels=; key= draws into which
--   direction each image moves; without it all move to the right (to the left for pixels below
--   0)
-- @return tensor of the type and shape of x
function M.translate(x, opts) return shift("translate", x, opts) end

--- Adds normal noise to every pixel, and clips to 0..1.
--     bnn.shift.noise(x, {std = 0.2, key = key})        -- u8 [32, 28, 28]
-- @param x tensor [n, h, w] or [n, channels, h, w], u8 or real from 0 to 1
-- @param opts table: key=; severity=0 to 5 (0.1 more each) or std=, of which 1 is the whole range
-- @return tensor of the type and shape of x
function M.noise(x, opts) return shift("noise", x, opts) end

--- Blurs images by a Gaussian, cut off at ceil(3 sigma); the pixels of an edge repeat beyond it.
--     bnn.shift.blur(x, {sigma = 1.5})                  -- u8 [32, 28, 28]
-- @param x tensor [n, h, w] or [n, channels, h, w], u8 or real from 0 to 1
-- @param opts table: severity=0 to 5 (1 pixel of 28, and half a pixel more each) or sigma= in
--   pixels; key= has no effect: all shifts take one
-- @return tensor of the type and shape of x
function M.blur(x, opts) return shift("blur", x, opts) end

--- Lowers the contrast: each pixel moves towards the mean of its image's channel, which is NaN if
-- one of its pixels is.
--     bnn.shift.contrast(x, {factor = 0.5})             -- u8 [32, 28, 28]
-- @param x tensor [n, h, w] or [n, channels, h, w], u8 or real from 0 to 1
-- @param opts table: severity=0 to 5 (0.75, and 0.15 less each) or factor= from 1 (nothing) to 0,
--   by which the distance from the mean is multiplied; key= has no effect: all shifts take one
-- @return tensor of the type and shape of x
function M.contrast(x, opts) return shift("contrast", x, opts) end

--- Hides a square of each image: sets it to 0, at a position drawn uniformly within the image. A
-- NaN is not hidden.
--     bnn.shift.occlude(x, {side = 10, key = key})      -- u8 [32, 28, 28]
-- @param x tensor [n, h, w] or [n, channels, h, w], u8 or real from 0 to 1
-- @param opts table: key=; severity=0 to 5 (6 pixels of 28, and 3 more each) or side= in pixels,
--   rounded to whole ones; a side longer than the image hides all of it
-- @return tensor of the type and shape of x
function M.occlude(x, opts) return shift("occlude", x, opts) end

-- Raises if there is none, or one twice: a line of the figure would go back and forth.
local function check_distinct(what, name, list)
  if #list == 0 then fail("%s: %s: expected at least one, got none", what, name) end
  local taken = {}
  for _, v in ipairs(list) do
    if taken[v] then fail("%s: %s names %s twice", what, name, v) end
    taken[v] = true
  end
end

--- Measures how accuracy, negative log-likelihood, calibration and mutual information change with
-- the severity of shifts.
--     local report = bnn.shift.evaluate{
--       predict = function(x) return bnn.predict(model, x, {num_samples = 100, key = key}) end,
--       data = data.test, key = key:fold "shift", figures = "figures",
--     }
--     log:say(report:text())
-- @param opts table:
--   predict     function(images) -> what bnn.predict returns, or probabilities [n, C]
--   data        part of a data set: x images, y labels in 0..C-1
--   key         key of the draws
--   shifts      list of names, default bnn.shift.names; severities: list, default 1 to 5
--   log, step   a log that gets the report's rows, at this step (0)
--   figures     a folder that gets a figure of each metric, shift_accuracy.svg and so on, with
--               title= above, such as the network's name
-- @return report: results, a list of {shift=, severity=, amount= in words, accuracy=, nll=, ece=,
--   mutual_information= the mean in nats, nil if predictions have none}, the first for the
--   unchanged images (shift "none", severity 0); :text(), a table of these; :rows(), a list of
--   {"shift/rotate/1/accuracy", value}; figures, the files written
function M.evaluate(opts)
  local what = "bnn.shift.evaluate"
  opts = options.check(what, opts, {
    predict = {type = "function", required = true}, data = {type = "table", required = true},
    key = {type = "key", required = true}, log = "any", step = {type = "integer", default = 0},
    shifts = {type = "string", list = true, default = M.names, choices = M.names},
    severities = {type = "integer", list = true, min = 1, max = 5, default = {1, 2, 3, 4, 5}},
    figures = "string", title = "string",
  })
  check_distinct(what, "shifts", opts.shifts)
  check_distinct(what, "severities", opts.severities)
  report.check_data(what, opts.data)
  opts.log = opts.log ~= nil and fail.within(what, logs.resolve, opts.log) or nil
  opts.order = M.names
  return report.make(function(name, severity)
    local amount, unit = M.amount(name, severity, shorter_side(opts.data.x))
    return shift(name, opts.data.x, {key = opts.key, severity = severity}),
      number.format("%s %.4g", unit, amount)
  end, opts)
end

return M
