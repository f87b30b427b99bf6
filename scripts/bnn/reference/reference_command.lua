--- The command `bnnlua -m help --html=DIR`.
local refusal = require "bnn.base.refusal"
local strings = require "bnn.base.strings"

local M = {}

--- The lines of the tool's usage on it.
M.USAGE = {
  "--html=DIR writes the reference as pages of HTML into the folder DIR, to be read in a browser",
  "without a server or the network: everything that help shows, with what the examples print",
  "when they run, and the flags of tools and experiments. Pages that it wrote there before are",
  "replaced, other files stay.",
}

--- The folder that the words ask for: --html=DIR or --html DIR.
-- @param words list of strings: the command line
-- @return string; "" where DIR is missing, nil where --html is not among the words
function M.folder(words)
  for i, word in ipairs(words) do
    local given = word:match "^%-%-html=(.*)$"
    if given then return given end
    if word == "--html" then return words[i + 1] or "" end
  end
end

--- Writes the site, and says where it is; ends the program with status 1 if that fails.
-- @param bnn table: the library
-- @param folder string
function M.run(bnn, folder)
  refusal.assert_or_exit(folder ~= "", "--html: expected the folder to write, as --html=DIR")
  local site = require "bnn.reference.reference_site" -- not loaded for what help shows
  local made = refusal.assert_or_exit(site.write(bnn, folder))
  print(folder .. "/index.html")
  strings.notice(("%d pages, %d examples, %.1f MB"):format(made.pages, made.examples,
    made.bytes / 1e6))
end

return M
