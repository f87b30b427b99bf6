--- Tables of numbers in text as parts of data sets.
local expect = require "bnn.base.expect"
local parts = require "bnn.data.part"
local table_format = require "bnn.data.formats.table_format"

local M = {}

--- Reads a table of numbers in text as a part: CSV, TSV or columns between blanks, plain or gzip.
--     local train = bnn.data.csv("train.csv", {label = "species"})
--     local test = bnn.data.csv("test.csv", {label = "species", like = train})
-- Labels that are integers become i32, other numbers real, and text the classes 0, 1, ... in the
-- order of their names. With like= or classes= classes keep the numbers that they have there, and a
-- new class is an error. A missing value or a cell that is not a number is an error with its row
-- and column.
--
-- What the options leave open is detected, and reported on stderr in a line for each file: the
-- delimiter that splits all rows alike; whether the first row is a header (all of its cells are
-- names, or an option calls a column by its name). A first column without a name that numbers the
-- rows, as pandas and R write it, is left out. What is ambiguous (a first row 0, 1, 2 over numbers,
-- two columns of one name) is an error that names the option that decides.
-- @param path string
-- @param opts table:
--   label      the labels' column, by name or position (negative: from the end)
--   header     true or false
--   delimiter  a character; " " stands for any number of blanks and tabs. separator= is the same
--   drop       columns to leave out, by name or position: one or a list
--   classes    the names of the classes in their order
--   like       a part, a data set (its train) or a model that has the classes. There must be as
--              many features as a part has, and under a header they must have the same names
-- @return part: x real [n, d], y [n] or nil, names = of x's columns, classes = of labels that are
--   text; or nil, message
function M.csv(path, opts)
  local what = "bnn.data.csv"
  local t, fault = table_format.read(what, expect.string(what .. ": path", path, "a path"), opts)
  if not t then return nil, fault end
  return parts.from_tensors(t)
end

return M
