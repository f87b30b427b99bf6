--- Pruning: which weights go, what is left of samples and of the KL, and that it is kept.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises, key = bits.raises, bnn.key(8)
local x = bnn.randn(key:fold "x", 9, 4)
local net = bnn.nn.mlp{6, 3}
local q = bnn.posterior.meanfield(net:init(key, x), {
  logvar = function(path, shape) return bnn.randn(key:fold(path), shape) * 0.5 - 3 end,
})
local WEIGHTS, BIASES = 4 * 6 + 6 * 3, 6 + 3

-- Values of both matrices, and their mask, as lists in order.
local function matrices(params)
  local list = {}
  for _, name in ipairs{"mlp/linear_0/w", "mlp/linear_1/w"} do
    for _, v in ipairs(params[name]:reshape(params[name]:numel()):totable()) do
      list[#list + 1] = v
    end
  end
  return list
end

TestPrune = {}

function TestPrune.test_the_lowest_ratios_go_and_biases_stay()
  for _, fraction in ipairs{0, 0.25, 0.5, 1} do
    local pruned = bnn.prune{posterior = q, fraction = fraction}
    local snr, mask = matrices(q:snr()), matrices(pruned.mask)
    local largest_out, least_in, out = -1, math.huge, 0
    for i, v in ipairs(snr) do
      if mask[i] == 0 then largest_out, out = math.max(largest_out, v), out + 1 end
      if mask[i] == 1 then least_in = math.min(least_in, v) end
    end
    lu.assertEquals(out, math.floor(fraction * WEIGHTS + 0.5))
    lu.assertTrue(largest_out <= least_in)
    lu.assertEquals(pruned.mask.flat:sum():item(), WEIGHTS + BIASES - out)
  end
end

function TestPrune.test_by_magnitude_and_only()
  local pruned = bnn.prune{posterior = q, fraction = 0.5, by = "magnitude",
                           only = {"mlp/linear_1"}}
  lu.assertEquals(pruned.mask["mlp/linear_0/w"]:min():item(), 1)
  local size, mask = q.mu["mlp/linear_1/w"]:abs():view(18):totable(),
    pruned.mask["mlp/linear_1/w"]:view(18):totable()
  local zero = {}
  for i, v in ipairs(mask) do
    if v == 0 then zero[#zero + 1] = size[i] end
  end
  -- Biases, which begin at 0, go first where a layer's name says so.
  lu.assertEquals(pruned.mask["mlp/linear_1/b"]:sum():item(), 0)
  lu.assertEquals(#zero, math.floor(21 * 0.5 + 0.5) - 3)
  table.sort(size)
  table.sort(zero)
  for i, v in ipairs(zero) do lu.assertEquals(v, size[i]) end
end

function TestPrune.test_samples_are_those_of_the_rest()
  local pruned = bnn.prune{posterior = q, fraction = 0.4}
  for s = 1, 3 do
    local whole, part = q:sample(key:fold(s)), pruned:sample(key:fold(s))
    lu.assertTrue((whole.flat * pruned.mask.flat - part.flat):abs():max():item() < 1e-6)
  end
  bits.assert_same(pruned:mean().flat, q:mean().flat * pruned.mask.flat)
  lu.assertTrue((pruned:std().flat - q:std().flat * pruned.mask.flat):abs():max():item() < 1e-7)
end

-- The closed form of each weight, summed over those that are left.
function TestPrune.test_kl_is_that_of_the_rest()
  local prior = 0.7
  local function kl_of(posterior, mask)
    local mu, logvar, sum = posterior.mu.flat:totable(), posterior.logvar.flat:totable(), 0
    for i, keep in ipairs(mask) do
      if keep == 1 then
        local ratio = math.exp(logvar[i]) / prior ^ 2
        sum = sum + (ratio + (mu[i] / prior) ^ 2 - 1 - math.log(ratio)) / 2
      end
    end
    return sum
  end
  for _, fraction in ipairs{0, 0.3, 1} do
    local pruned = bnn.prune{posterior = q, fraction = fraction}
    local want = kl_of(q, pruned.mask.flat:totable())
    lu.assertAlmostEquals(pruned:kl{prior = prior}, want, 1e-4 * want)
  end
end

function TestPrune.test_it_predicts_is_kept_and_is_pruned_further()
  local half = bnn.prune{posterior = q, fraction = 0.5}
  local model = {net = net, posterior = half, likelihood = "categorical"}
  local p, path = bnn.predict(model, x, {key = key, num_samples = 5}), os.tmpname()
  assert(bnn.checkpoint.save(path, {posterior = half}))
  model.posterior = assert(bnn.checkpoint.load(path)).posterior
  os.remove(path)
  bits.assert_same(bnn.predict(model, x, {key = key, num_samples = 5}).mean, p.mean)
  local more = bnn.prune{posterior = half, fraction = 0.75}
  bits.assert_same(more.mask, bnn.prune{posterior = q, fraction = 0.75}.mask)
  lu.assertTrue((half.mask.flat - more.mask.flat):min():item() >= 0) -- what is out stays out
  raises("the pruned posterior predicts, it is not trained", bnn.optim.adam{}.init,
    bnn.optim.adam{}, half)
end

function TestPrune.test_refusals()
  raises("bnn.prune: posterior: expected a meanfield one, got point", bnn.prune,
    {posterior = bnn.posterior.point(q:mean()), fraction = 0.5})
  raises("bnn.prune: fraction: expected at most 1, got 2", bnn.prune, {posterior = q, fraction = 2})
  raises("bnn.prune: only names 'mlp/linear_7'", bnn.prune,
    {posterior = q, fraction = 0.5, only = {"mlp/linear_7"}})
  local bad = q:clone()
  require "bnn.core".overwrite(bad.mu.flat, bad.mu.flat * (0 / 0))
  raises("bnn.prune: posterior: a weight is NaN", bnn.prune, {posterior = bad, fraction = 0.5})
  local point = bnn.posterior.point(q:mean()):snr()
  lu.assertEquals(point["mlp/linear_0/w"]:min():item(), math.huge)
end

os.exit(lu.LuaUnit.run())
