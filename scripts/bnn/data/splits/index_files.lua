--- Splits that were published as files of row numbers, such as those of the UCI sets.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local number = require "bnn.base.number"
local split_pair = require "bnn.data.splits.split_pair"
local strings = require "bnn.base.strings"

local M = {}

local malformed = strings.malformed

--- Reads a file of row numbers: blanks or line ends between them, counted from 0 as NumPy does
-- ("3" or "3.000e+00").
--     local file = assert(io.open("index_test_0.txt", "w"))
--     file:write "0\n2\n"
--     file:close()
--     print(bnn.data.index_file("index_test_0.txt"):totable())   -- {1, 3}
-- @param path string
-- @return tensor i32 [n], counted from 1, as part:index takes them; or nil, message
function M.index_file(path)
  expect.string("bnn.data.index_file: path", path, "a path")
  local file, fault = io.open(path)
  local text = file and file:read "a"
  if file then file:close() end
  if not text then return nil, fault or strings.message("%s: cannot be read", path) end
  local rows = {}
  for word in text:gmatch "%S+" do
    local row = math.tointeger(number.parse(word) or nil)
    if not row or row < 0 or row >= 2^31 - 1 then
      return malformed(path, "entry %d: expected a row number from 0, got '%s'", #rows + 1, word)
    end
    rows[#rows + 1] = row + 1
  end
  if not rows[1] then return malformed(path, "has no row numbers") end
  return core.tensor(rows, "i32")
end

-- The rows of one side of split i, which must be rows of the part.
local function read_rows(part, folder, side, i)
  local path = ("%s/index_%s_%d.txt"):format(folder, side, i)
  local rows, fault = M.index_file(path)
  if not rows then return nil, fault end
  local most = math.tointeger(rows:max():item())
  if most <= part.size then return rows end
  return malformed(path, "expected rows below %d, got %d", part.size, most - 1)
end

local function has_file(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

--- Reads the published splits of a part from a folder that holds index_train_0.txt,
-- index_test_0.txt, index_train_1.txt and so on, as the UCI sets of Hernandez-Lobato and Adams
-- (2015) do.
--     local splits, message = bnn.data.index_splits(data.train, "uci/yacht")
--     if splits then print(splits[1].train, splits[1].test) else print(message) end
-- @param part part: all rows, in the order that the files count
-- @param folder string: path
-- @return list of splits as bnn.data.k_fold returns them; or nil, message
function M.index_splits(part, folder)
  expect_model.part("bnn.data.index_splits", part)
  expect.string("bnn.data.index_splits: folder", folder, "the path of a folder")
  local splits = {}
  while has_file(("%s/index_test_%d.txt"):format(folder, #splits)) do
    local rows = {}
    for _, side in ipairs{"train", "test"} do
      local fault
      rows[side], fault = read_rows(part, folder, side, #splits)
      if fault then return nil, fault end
    end
    splits[#splits + 1] = split_pair.new(part, rows.train, rows.test)
  end
  if splits[1] then return splits end
  return nil, strings.message("%s: expected index_train_0.txt and index_test_0.txt, found none",
    folder)
end

return M
