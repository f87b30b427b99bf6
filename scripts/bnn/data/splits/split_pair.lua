--- Splits of a part: the rows of training and test, and the parts that are made of them when they
-- are asked for.
--
-- A list of splits holds row numbers only. The parts of a split live as long as somebody uses them,
-- so that a loop over ten folds does not end with ten copies of the data.
local core = require "bnn.core"

local M = {}

local PARTS = {train = true, test = true}

local Split = {__name = "bnn.split"}

function Split.__index(self, name)
  if not PARTS[name] then return nil end
  local held = self.held
  local made = held[name] or self.part:index(self.rows[name])
  held[name] = made
  return made
end

function Split.__tostring(self)
  return ("split: %d training and %d test rows"):format(#self.rows.train, #self.rows.test)
end

--- Makes a split.
-- @param part part
-- @param train, test lists of row numbers from 1, or tensors i32
-- @return table: train, test (parts), rows = {train=, test=} (tensors i32)
function M.new(part, train, test)
  local function tensor(rows) return type(rows) == "table" and core.tensor(rows, "i32") or rows end
  return setmetatable({part = part, rows = {train = tensor(train), test = tensor(test)},
                       held = setmetatable({}, {__mode = "v"})}, Split)
end

return M
