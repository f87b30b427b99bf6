--- IDX, the format of MNIST: a tensor.
local core = require "bnn.core"
local notice = require "bnn.base.notice"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local CHANNELS = 4 -- at most

-- Images as networks take them: those of four dimensions with the channels first.
-- x is as it is stored, path is for messages; layout is "nhwc" or "nchw", or nil: "nhwc", with a
-- notice. Gives nil, message if x has too many channels.
local function to_examples(x, path, layout)
  if x:dim() ~= 4 then return x end
  local channels = layout == "nchw" and x:size(2) or x:size(4)
  local shape = shapes.text(x)
  if channels > CHANNELS then
    local fault = "%s has %d channels when it is %s (layout = \"%s\" for the other order)"
    return strings.malformed(path, fault, shape, channels, layout or "nhwc",
      layout == "nchw" and "nhwc" or "nchw")
  end
  if not layout then
    notice.say("%s: %s is read as images x height x width x channels (layout = \"nchw\" for "
      .. "channels first)", path, shape)
  end
  if layout ~= "nchw" then x = x:permute(1, 4, 2, 3) end
  return (channels == 1 and x:select(2, 1) or x):contiguous()
end

return {
  name = "idx", title = "IDX", about = "a tensor, as in MNIST's files",
  endings = {"idx"}, name_pattern = "idx[1-8]%-%w+$", begins = {"\0\0[\8\9\11-\14][\1-\8]"},
  holds = "tensor", reads_gzip = true,
  read = function(_, path) return core.idx_read(path) end,
  mmap = core.idx_map,
  layout = {type = "string", choices = {"nhwc", "nchw"}}, to_examples = to_examples,
  example_bytes = "\0\0\8\2\0\0\0\2\0\0\0\3\1\2\3\4\5\6",
  example = function() return core.tensor({{1, 2, 3}, {4, 5, 6}}, "u8") end,
}
