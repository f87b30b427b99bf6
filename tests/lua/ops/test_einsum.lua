--- bnn.einsum: against sums written out, gradients, and specs that do not fit.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(2)
local SIZE = {a = 2, b = 3, c = 4, i = 2, j = 3, k = 4, l = 5}

local function random(name, letters)
  local shape = {}
  for letter in letters:gmatch "." do shape[#shape + 1] = SIZE[letter] end
  return bnn.randn(key:fold(name), table.unpack(shape))
end

-- Element of x at the values of its letters.
local function at(x, letters, value)
  local element = x
  for letter in letters:gmatch "." do element = element[value[letter]] end
  return element
end

-- The sum over all letters, term by term, as a list in the order of the result.
local function written_out(terms, result, tensors)
  local letters, seen = {}, {}
  for _, term in ipairs{result, table.unpack(terms)} do
    for letter in term:gmatch "." do
      if not seen[letter] then letters[#letters + 1], seen[letter] = letter, true end
    end
  end
  local sums, value = {}, {}
  local function walk(depth, place)
    if depth > #letters then
      local product = 1
      for i, term in ipairs(terms) do product = product * at(tensors[i], term, value) end
      sums[place] = (sums[place] or 0) + product
      return
    end
    local letter = letters[depth]
    for v = 1, SIZE[letter] do
      value[letter] = v
      walk(depth + 1, depth <= #result and (place - 1) * SIZE[letter] + v or place)
    end
  end
  walk(1, 1)
  return sums
end

TestEinsum = {}

for _, spec in ipairs{
  "ij,jk->ik", "ij,jk->ki", "bij,bjk->bik", "ij->ji", "ij->i", "ij->", "i,j->ij", "i,i->",
  "ij,ij->ij", "ij,ij->i", "ij,kj->ik", "bic,bjc->bij", "aij,jk,kl->ail", "ij,k->ik", "ij,j->i",
  "ii->i", "ii->", "iij->j", "iij,jk->ik", "abc->cab", "i,i,i->i", "ij,jk,k->",
} do
  TestEinsum["test_" .. spec] = function()
    local inputs, result = spec:match "^(.*)%->(.*)$"
    local terms, tensors = {}, {}
    for term in inputs:gmatch "[^,]+" do
      terms[#terms + 1] = term
      tensors[#tensors + 1] = random(#terms, term)
    end
    local got = bnn.einsum(spec, table.unpack(tensors))
    local want = written_out(terms, result, tensors)
    lu.assertEquals(got:numel(), #want)
    local flat = got:contiguous():view(-1):totable()
    lu.assertAlmostEquals(flat, want, 2e-5)
    local shape = {}
    for letter in result:gmatch "." do shape[#shape + 1] = SIZE[letter] end
    lu.assertEquals(got:shape(), shape)
  end
end

function TestEinsum.test_without_an_arrow_letters_that_occur_once_are_the_result()
  local a, b = random(1, "ij"), random(2, "jk")
  bits.assert_same(bnn.einsum("ij,jk", a, b), bnn.einsum("ij,jk->ik", a, b))
  bits.assert_same(bnn.einsum("ba", random(1, "ba")), random(1, "ba"):permute(2, 1):contiguous())
  -- capitals come first, in any locale
  lu.assertEquals(bnn.einsum("aB", bnn.ones(2, 3)):shape(), {3, 2})
  lu.assertAlmostEquals(bnn.einsum("ii", {{1, 2}, {3, 4}}):item(), 5, 1e-6)
end

function TestEinsum.test_gradients_are_those_of_the_product()
  local a, b = random(1, "ij"), random(2, "jk")
  local function by(f) return bnn.grad(function(v) return f(v):square():sum() end)(a) end
  local got = by(function(v) return bnn.einsum("ij,jk->ki", v, b) end)
  local want = by(function(v) return v:mm(b) end)
  lu.assertAlmostEquals(got:view(-1):totable(), want:view(-1):totable(), 1e-4)
end

function TestEinsum.test_specs_that_do_not_fit()
  local a = bnn.ones(2, 3)
  raises("spec: expected a string", bnn.einsum, a, a)
  raises("expected 2 tensors, one for each term of 'ij,jk', got 1", bnn.einsum, "ij,jk", a)
  raises("tensor 1: expected 3 axes for 'ijk', got 2", bnn.einsum, "ijk->i", a)
  raises("'j' of 'ij,jk->ik': expected size 3 in tensor 2, got 2", bnn.einsum, "ij,jk->ik", a, a)
  raises("'z' of the result is in no term", bnn.einsum, "ij->iz", a)
  raises("'i' is twice in the result", bnn.einsum, "ij->ii", a)
  raises("expected letters, commas and ->, got '.' in '...i'", bnn.einsum, "...i", a)
end

os.exit(lu.LuaUnit.run())
