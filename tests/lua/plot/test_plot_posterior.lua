--- Figures of posteriors: ratios of their weights (bnn.plot.snr), variances of their gradients.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local core = require "bnn.core"
local plot_bars = require "bnn.plot.plot_bars"

local raises, key = bits.raises, bnn.key(4)
local GNUPLOT = core.run_program{"gnuplot", "-V"} ~= nil
local x = bnn.randn(key:fold "x", 24, 4)
local net = bnn.nn.mlp{6, 3}
local q = bnn.posterior.meanfield(net:init(key, x), {
  logvar = function(path, shape) return bnn.randn(key:fold(path), shape) * 0.5 - 3 end,
})

-- The options that f gives to the drawing `name` of plot_bars, which draws nothing.
local function given_to(name, f, opts)
  local drawing, given = plot_bars[name], nil
  plot_bars[name] = function(_, own)
    given = own
    error("drawn", 0)
  end
  local ok, fault = pcall(f, opts)
  plot_bars[name] = drawing
  lu.assertFalse(ok)
  lu.assertEquals(fault, "drawn")
  return given
end

-- Draws, if gnuplot is there, and gives the SVG.
local function svg_of(f, opts)
  lu.skipIf(not GNUPLOT, "no gnuplot")
  opts.path = os.tmpname() .. ".svg"
  assert(f(opts))
  local file <close> = assert(io.open(opts.path))
  os.remove(opts.path)
  return file:read "a"
end

TestSnr = {}

-- The mark is where bnn.prune cuts: of that share of the matrices' weights none is above it.
function TestSnr.test_the_mark_is_where_prune_cuts()
  for _, only in ipairs{false, {"mlp/linear_1"}} do
    only = only or nil
    local given = given_to("histogram", bnn.plot.snr, {posterior = q, fraction = 0.6, only = only})
    local mark = given.vlines[1]
    lu.assertEquals(given.series[1].x:numel(), only and 6 * 3 + 3 or 4 * 6 + 6 * 3)
    lu.assertEquals(given.vlabel, "60% of the weights are below")
    local mask = bnn.prune{posterior = q, fraction = 0.6, only = only}.mask
    for _, name in ipairs(only and {"mlp/linear_1/w"} or {"mlp/linear_0/w", "mlp/linear_1/w"}) do
      local snr, keeps = q:snr()[name]:view(-1):totable(), mask[name]:view(-1):totable()
      for i, keep in ipairs(keeps) do
        local above = 20 * math.log(snr[i], 10) - mark
        lu.assertTrue(keep == 1 and above > -1e-4 or keep == 0 and above < 1e-4)
      end
    end
  end
end

function TestSnr.test_without_a_share_there_is_no_mark()
  local given = given_to("histogram", bnn.plot.snr, {posterior = q})
  lu.assertNil(given.vlines)
  lu.assertEquals(given.range, {-60, 40})
  local pruned = bnn.prune{posterior = q, fraction = 0.9} -- which have no ratio, 0 / 0
  lu.assertNotNil(given_to("histogram", bnn.plot.snr, {posterior = pruned}))
end

function TestSnr.test_it_is_drawn()
  local svg = svg_of(bnn.plot.snr, {posterior = q, fraction = 0.25, title = "ratios"})
  lu.assertStrContains(svg, "25% of the weights are below")
  lu.assertStrContains(svg, "ratios")
end

function TestSnr.test_wrong_arguments()
  raises("posterior: expected a posterior, got nothing", bnn.plot.snr, {})
  raises("only names 'mlp/linear_9'", bnn.plot.snr, {posterior = q, only = {"mlp/linear_9"}})
  raises("fraction: expected at most 1, got 2", bnn.plot.snr, {posterior = q, fraction = 2})
  raises("range: expected {from, to}", bnn.plot.snr, {posterior = q, range = {1}})
  local nameless = bnn.posterior.define{
    name = "no_std", buffers = {mu = "params"}, sample = function(phi) return phi.mu end,
    kl = function(phi) return phi.mu.flat:sum() end,
  }
  raises("expected one that says its std, got no_std", bnn.plot.snr,
    {posterior = nameless(net:init(key, x))})
  bnn.posterior.define{name = "no_std", buffers = {mu = "params"}, kl = function() end,
                       sample = function(phi) return phi.mu end}
end

TestGradients = {}

local function measured(more)
  local opts = {
    objective = bnn.elbo{net = net, posterior = q}, key = key, batch_size = 8, batches = 3,
    draws = 2, progress = false,
    data = bnn.data.from_tensors{x = x, y = bnn.zeros(24):to "i32"},
    estimators = {{label = "one"}, {label = "two", num_samples = 2},
                  {label = "six", num_samples = 6}},
  }
  for name, value in pairs(more or {}) do opts[name] = value end
  return bnn.gradient_variance(opts)
end

function TestGradients.test_ratios_to_the_first_of_each_other()
  local v = measured()
  for _, value in ipairs{false, "total_ratio"} do
    local given = given_to("bars", bnn.plot.gradient_variance,
      {variances = v, buffer = "logvar", value = value or nil})
    lu.assertEquals(given.labels, {"linear_0/w", "linear_0/b", "linear_1/w", "linear_1/b", "all"})
    lu.assertEquals({given.series[1].label, given.series[2].label, given.series[3]}, {"two", "six"})
    for k, name in ipairs{"two", "six"} do
      local row = v:find(name, "logvar", "mlp/linear_1/w")
      lu.assertEquals(given.series[k].y[3], row[value or "noise_ratio"])
      lu.assertEquals(given.series[k].std[3], row[(value or "noise_ratio") .. "_se"])
    end
    lu.assertStrContains(given.ylabel, "than with one")
    lu.assertEquals(given.order, {"one", "two", "six"})
  end
end

function TestGradients.test_shares_of_all()
  local v = measured()
  local given = given_to("bars", bnn.plot.gradient_variance, {variances = v, value = "noise_share"})
  lu.assertEquals(#given.labels, 10)
  lu.assertEquals(given.labels[6], "logvar linear_0/w")
  lu.assertEquals(#given.series, 3)
  local row = v:find("six", "mu")
  lu.assertEquals(given.series[3].y[5], row.noise / row.total)
end

function TestGradients.test_they_are_drawn()
  local svg = svg_of(bnn.plot.gradient_variance, {variances = measured(), title = "noise"})
  for _, text in ipairs{"noise", "mu linear_0/w", "logvar all", "two", "six"} do
    lu.assertStrContains(svg, text)
  end
end

function TestGradients.test_wrong_arguments()
  local v = measured{estimators = {{}}, batches = 1}
  raises("variances: expected variances, got nothing", bnn.plot.gradient_variance, {})
  raises("value: expected several batches for noise_share", bnn.plot.gradient_variance,
    {variances = v})
  raises("value: expected several estimators for total_ratio", bnn.plot.gradient_variance,
    {variances = v, value = "total_ratio"})
  raises("buffer: expected one that was measured, got 'rho'", bnn.plot.gradient_variance,
    {variances = measured(), buffer = "rho"})
  raises("value: expected one of noise_ratio, noise_share, total_ratio", bnn.plot.gradient_variance,
    {variances = v, value = "noise"})
end

os.exit(lu.LuaUnit.run())
