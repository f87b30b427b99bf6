--- NumPy's .npy: a tensor.
local core = require "bnn.core"

return {
  name = "npy", title = ".npy", about = "a tensor, as NumPy writes it",
  endings = {"npy"}, begins = {"\x93NUMPY"}, holds = "tensor", reads_gzip = true,
  read = function(_, path) return core.npy_read(path) end,
  mmap = core.npy_map,
  save = function(path, x) return core.npy_write(path, x) end,
  example = function() return core.tensor{{1, 2.5}, {-3, 4}, {5, 6}} end,
}
