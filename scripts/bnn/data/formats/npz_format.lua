--- NumPy's .npz: tensors by name, in a zip archive.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"

-- Tensors by name; the list of names; and {member = why} of what is not an array of numbers, for
-- which arrays= did not ask.
local function read(_, path, opts)
  local arrays, names, skipped = core.npz_read(path, opts.arrays)
  return arrays, names, not opts.arrays and skipped or nil
end

-- In alphabetical order.
local function save(path, value, opts)
  local names, tensors = options.sorted_names(value), {}
  for i, name in ipairs(names) do
    tensors[i] = expect.tensor("bnn.data.save: " .. name, value[name], "a tensor")
  end
  for name in pairs(value) do
    expect.string("bnn.data.save: name of a tensor", name)
  end
  if #names == 0 then fail "bnn.data.save: expected at least one tensor, got an empty table" end
  return core.npz_write(path, names, tensors, opts.compressed)
end

return {
  name = "npz", title = ".npz", about = "tensors by name, as NumPy writes them",
  endings = {"npz"}, begins = {"PK\3\4", "PK\5\6"}, holds = "tensors", library = "libzip",
  options = {arrays = {type = "string", list = true}}, read = read,
  save_options = {compressed = {type = "boolean", default = true}}, save = save,
  example = function() return {x = core.tensor{1, 2}, y = core.tensor({{3}, {4}}, "u8")} end,
}
