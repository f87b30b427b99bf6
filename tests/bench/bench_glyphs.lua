--- How long it takes to draw as many images as MNIST has, on one thread and on all.
local bnn = require "bnn"
local core = require "bnn.core"

for _, threads in ipairs{1, 0} do
  bnn.threads(threads)
  for _, set in ipairs{"digits", "letters"} do
    local start = os.clock()
    core.glyphs(set, core.key(1), 1, 70000)
    print(("%s, 70000 images, %d threads: %.2f s of processor time"):format(set, bnn.threads(),
      os.clock() - start))
  end
end
