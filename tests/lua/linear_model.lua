--- For tests: linear regression with noise of known size, whose posterior is known.
--
-- -log p(w, D) / N is (w - m)' B (w - m) / 2 but for a constant: the posterior is N(m, (N B)^-1).
local bnn = require "bnn"

local M = {N = 40, SIGMA = 0.5, PRIOR = 1.5}

--- The data of a key: x, y, net, data.
function M.of(key)
  local x = bnn.randn(key:fold "x", M.N, 2)
  local y = x:mm(bnn.tensor{{1}, {-2}}) + bnn.randn(key:fold "noise", M.N, 1) * M.SIGMA
  return {x = x, y = y, net = bnn.nn.linear(1, {bias = false}),
          data = bnn.data.from_tensors{x = x, y = y}}
end

--- The posterior for a likelihood to the power 1 / T: {{a, b}, {c, d}} of N B, its inverse a, b, c,
-- d in a list, and the mean m.
function M.posterior(model, T)
  local x, y, share = model.x, model.y, 1 / (M.SIGMA ^ 2 * T)
  local precision = x:t():mm(x) * share + bnn.eye(2) / M.PRIOR ^ 2
  local a, b, c, d = table.unpack(precision:view(4):totable())
  local r = (x:t():mm(y) * share):view(2):totable()
  local det = a * d - b * c
  local inverse = {d / det, -b / det, -c / det, a / det}
  return {{a, b}, {c, d}}, inverse,
    {inverse[1] * r[1] + inverse[2] * r[2], inverse[3] * r[1] + inverse[4] * r[2]}
end

return M
