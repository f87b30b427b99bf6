--- Einstein's sums: products of tensors whose axes have letters, summed over those that the result
-- does not have.
--
-- Two tensors at a time, from the left: what each has alone and nobody needs is summed first; then
-- the axes are ordered into a stack of matrices, [batch, m, k] and [batch, k, n], whose product bmm
-- computes.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local strings = require "bnn.base.strings"
local tensor_call = require "bnn.ops.tensor_call"

local ops = core.ops

local M = {}

local WHAT = "bnn.einsum"

-- ---- the letters ----

local function letters_of(text)
  local list = {}
  for letter in text:gmatch "." do list[#list + 1] = letter end
  return list
end

-- The letters that occur once in all terms, in the order of the alphabet: NumPy's default.
local function implied(terms)
  local count, names = {}, {}
  for _, term in ipairs(terms) do
    for _, letter in ipairs(term) do count[letter] = (count[letter] or 0) + 1 end
  end
  for letter, n in pairs(count) do
    if n == 1 then names[#names + 1] = letter end
  end
  table.sort(names, strings.before)
  return names
end

local function check_letters(spec, text)
  local odd = text:match "[^%a]"
  if odd then
    fail("%s: spec: expected letters, commas and ->, got '%s' in '%s'", WHAT, odd, spec)
  end
end

-- The terms of a spec and the result's letters: "ij,jk->ik".
local function parse(spec, n)
  expect.string(WHAT .. ": spec", spec, 'a string, as "ij,jk->ik"')
  local left, right = spec:gsub("%s", ""):match "^([^>]-)%->(.*)$"
  local inputs = left or spec:gsub("%s", "")
  local terms = {}
  for term in (inputs .. ","):gmatch "([^,]*)," do
    check_letters(spec, term)
    terms[#terms + 1] = letters_of(term)
  end
  if #terms ~= n then
    fail("%s: expected %d tensors, one for each term of '%s', got %d", WHAT, #terms, spec, n)
  end
  if not right then return terms, implied(terms) end
  check_letters(spec, right)
  return terms, letters_of(right)
end

-- letter -> size, of all terms.
local function sizes_of(spec, terms, tensors)
  local size = {}
  for i, term in ipairs(terms) do
    local x = tensors[i]
    if x:dim() ~= #term then
      fail("%s: tensor %d: expected %d axes for '%s', got %d", WHAT, i, #term,
        table.concat(term), x:dim())
    end
    for axis, letter in ipairs(term) do
      local n = x:size(axis)
      if size[letter] and size[letter] ~= n then
        fail("%s: '%s' of '%s': expected size %d in tensor %d, got %d", WHAT, letter, spec,
          size[letter], i, n)
      end
      size[letter] = n
    end
  end
  return size
end

local function set_of(letters)
  local set = {}
  for _, letter in ipairs(letters) do set[letter] = true end
  return set
end

local function union(set, letters)
  local all = set_of(letters)
  for letter in pairs(set) do all[letter] = true end
  return all
end

local function check_result(spec, result, size)
  local seen = {}
  for _, letter in ipairs(result) do
    if not size[letter] then
      fail("%s: spec: '%s' of the result is in no term of '%s'", WHAT, letter, spec)
    elseif seen[letter] then
      fail("%s: spec: '%s' is twice in the result of '%s'", WHAT, letter, spec)
    end
    seen[letter] = true
  end
end

-- ---- one tensor ----

-- An operand: a tensor and the letter of each axis.
local function permuted(operand, letters)
  local at, order = {}, {}
  for axis, letter in ipairs(operand.letters) do at[letter] = axis end
  for i, letter in ipairs(letters) do order[i] = at[letter] end
  local is_same = true
  for i, axis in ipairs(order) do is_same = is_same and i == axis end
  return is_same and operand.x or operand.x:permute(order)
end

-- The diagonal of two axes of one letter becomes the first axis.
local function take_diagonal(operand, first, second)
  local order, rest = {first, second}, {}
  for axis = 1, #operand.letters do
    if axis ~= first and axis ~= second then
      order[#order + 1] = axis
      rest[#rest + 1] = operand.letters[axis]
    end
  end
  local x = operand.x:permute(order)
  local n, shape, positions = x:size(1), x:shape(), {}
  table.remove(shape, 1)
  shape[1] = n * n
  for i = 1, n do positions[i] = (i - 1) * (n + 1) + 1 end
  table.insert(rest, 1, operand.letters[first])
  x = ops.index(x:contiguous():view(shape), core.tensor(positions, "i32"), 1)
  return {x = x, letters = rest}
end

-- Without letters that occur twice.
local function diagonal(operand)
  local seen = {}
  for axis, letter in ipairs(operand.letters) do
    if seen[letter] then return diagonal(take_diagonal(operand, seen[letter], axis)) end
    seen[letter] = axis
  end
  return operand
end

-- Summed over the letters that nobody needs.
local function without(operand, needed)
  local axes, kept = {}, {}
  for axis, letter in ipairs(operand.letters) do
    if needed[letter] then kept[#kept + 1] = letter else axes[#axes + 1] = axis end
  end
  if #axes == 0 then return operand end
  return {x = operand.x:sum(axes), letters = kept}
end

-- ---- two tensors ----

local function product_of(size, letters)
  local n = 1
  for _, letter in ipairs(letters) do n = n * size[letter] end
  return n
end

local function joined(...)
  local all = {}
  for _, list in ipairs{...} do table.move(list, 1, #list, #all + 1, all) end
  return all
end

-- The letters that both have and the result needs, that both have and it does not, and that one
-- has.
local function sorted_letters(a, b, needed)
  local in_a, in_b = set_of(a.letters), set_of(b.letters)
  local batch, summed, left, right = {}, {}, {}, {}
  for _, letter in ipairs(a.letters) do
    local to = not in_b[letter] and left or needed[letter] and batch or summed
    to[#to + 1] = letter
  end
  for _, letter in ipairs(b.letters) do
    if not in_a[letter] then right[#right + 1] = letter end
  end
  return batch, summed, left, right
end

-- The product of two operands, summed over what nobody needs.
local function multiply(a, b, needed, size)
  a, b = without(a, union(needed, b.letters)), without(b, union(needed, a.letters))
  local batch, summed, left, right = sorted_letters(a, b, needed)
  local g, k = product_of(size, batch), product_of(size, summed)
  local m, n = product_of(size, left), product_of(size, right)
  local x = permuted(a, joined(batch, left, summed)):contiguous():view(g, m, k)
  local y = permuted(b, joined(batch, summed, right)):contiguous():view(g, k, n)
  local letters, shape = joined(batch, left, right), {}
  for i, letter in ipairs(letters) do shape[i] = size[letter] end
  return {x = ops.bmm(x, y):view(shape), letters = letters}
end

-- What the result and the operands from i on need.
local function needed_after(operands, i, result)
  local needed = set_of(result)
  for j = i, #operands do
    for _, letter in ipairs(operands[j].letters) do needed[letter] = true end
  end
  return needed
end

--- Multiplies tensors and sums over the axes that the result does not have, by Einstein's
-- convention: each axis has a letter.
--     bnn.einsum("ij,jk->ik", bnn.ones(2, 3), bnn.ones(3, 4))        -- the matrix product, [2, 4]
--     bnn.einsum("bij,bkj->bik", bnn.ones(5, 2, 3), bnn.ones(5, 4, 3))
--     bnn.einsum("ii", {{1, 2}, {3, 4}})                             --> 5
-- A letter that is twice in one term takes the diagonal. Without -> the result has the letters that
-- occur once, in the order of the alphabet. Products are made from left to right.
-- @param spec string
-- @param ... tensors [...], one for each term, of as many axes as it has letters; or lists
-- @return tensor [...], an axis for each letter of the result
-- Raises if the terms do not fit the tensors, or a letter has two sizes.
function M.einsum(spec, ...)
  local tensors, operands = table.pack(...), {}
  for i = 1, tensors.n do tensors[i] = tensor_call.tensor(WHAT, tensors[i]) end
  local terms, result = parse(spec, tensors.n)
  local size = sizes_of(spec, terms, tensors)
  check_result(spec, result, size)
  for i, term in ipairs(terms) do operands[i] = diagonal{x = tensors[i], letters = term} end
  local made = operands[1]
  for i = 2, #operands do
    made = multiply(made, operands[i], needed_after(operands, i + 1, result), size)
  end
  return permuted(without(made, set_of(result)), result)
end

return M
