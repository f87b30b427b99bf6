--- Text in figures: broken into lines of so many letters, and how many letters there is room for.
local core = require "bnn.core"

local M = {}

--- Breaks text at spaces into lines of at most so many letters; a word that is longer stays whole.
function M.wrap(text, letters)
  local lines = {}
  for paragraph in (text .. "\n"):gmatch "(.-)\n" do
    local line, size = "", 0
    for gap, word in paragraph:gmatch "( *)([^ ]*)" do
      local more = utf8.len(gap .. word) or #gap + #word
      if size > 0 and #word > 0 and size + more > letters then
        lines[#lines + 1] = line
        line, size = word, more - #gap
      else
        line, size = line .. gap .. word, size + more
      end
    end
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n")
end

local WIDTH, HEIGHT = 640, 400
local LETTER = 7.8 -- the mean width of a letter, in the units of a picture

--- The width and the height of a figure that is drawn into a path.
function M.width(opts) return opts.width or WIDTH end
function M.height(opts) return opts.height or HEIGHT end

--- How many letters stand side by side in a share of the width ("x") or the height ("y").
function M.letters(name, share, opts)
  local size = name == "x" and (opts.width or opts.path and WIDTH or core.terminal "stdout" or 80)
    or opts.height or opts.path and HEIGHT or 24
  return math.max(math.floor(size * share / (opts.path and LETTER or 1)), 1)
end

--- How many lines the longest of some texts has.
function M.most_lines(texts)
  local most = 1
  for _, text in ipairs(texts) do most = math.max(most, 1 + select(2, text:gsub("\n", ""))) end
  return most
end

return M
