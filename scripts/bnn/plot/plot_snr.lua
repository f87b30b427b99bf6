--- The signal-to-noise ratios of a posterior's weights, as a histogram.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local metrics = require "bnn.metrics.metrics"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local param_options = require "bnn.params.param_options"
local plot_bars = require "bnn.plot.plot_bars"

local M = {}

local spec = figure.spec{
  posterior = {type = "posterior", required = true}, only = "table|function",
  fraction = {type = "number", min = 0, max = 1},
  bins = {type = "integer", min = 1, max = 10000, default = 60},
  range = {type = "number", list = true, default = {-60, 40}},
  density = {type = "boolean", default = true},
}

-- The ratios of the weights that are drawn, flat.
local function ratios_of(what, posterior, only)
  local snr, parts = posterior:snr(), {}
  if not snr then
    fail("%s: posterior: expected one that says its std, got %s", what, posterior.family)
  end
  param_options.check_only(what, only, posterior:covered())
  for _, name in ipairs(posterior:covered()) do
    local shape = snr[name]:shape()
    local is_drawn = #shape > 1
    if only then is_drawn = param_options.is_among(only, name, shape) end
    if is_drawn then parts[#parts + 1] = snr[name]:reshape(snr[name]:numel()) end
  end
  if #parts == 0 then fail("%s: only: expected weights, got none", what) end
  return core.ops.concat(parts, 1)
end

--- Draws the signal-to-noise ratio |mean| / std of a posterior's weights in decibels, 20 log10 of
-- it (Blundell et al. 2015, figures 3 and 4): what bnn.prune goes by.
--     bnn.plot.snr{posterior = q, fraction = 0.75, path = "snr.svg"}
-- @param opts table:
--   posterior= one that says its std, as q:snr() needs it
--   fraction=0.75 marks the ratio below which that share of the weights lies
--   only= which tensors: a list of paths or layers, or function(path, shape) -> boolean; default
--     what has two axes or more, as in bnn.prune
--   bins=60, range={-60, 40} in decibels, density=: as for bnn.plot.histogram. Weights whose mean
--     is 0, and points, are at no finite ratio and are left out
--   title=, xlabel=, ylabel=, yrange=, logy=, legend=, path=, width=, height=, scale=, out=: as
--     for bnn.plot.lines
-- @return true, or the text if no path is given; or nil, message
-- Raises if the family does not say its std, or only= matches nothing.
function M.snr(opts)
  local what = "bnn.plot.snr"
  opts = options.check(what, opts, spec)
  figure.check(what, opts)
  local ratios, decibels = ratios_of(what, opts.posterior, opts.only), 20 / math.log(10)
  local at = opts.fraction and metrics.quantile(ratios, opts.fraction) or 0
  if at > 0 and at < math.huge then
    opts.vlines = {math.log(at) * decibels}
    opts.vlabel = number.format("%g%% of the weights are below", 100 * opts.fraction)
  end
  opts.series, opts.shade = {{x = ratios:log() * decibels}}, {}
  opts.xlabel = opts.xlabel or "signal-to-noise ratio |mean| / std, dB"
  return figure.render(plot_bars.histogram(what, opts), opts)
end

return M
