--- The options of sbatch that users give with --slurm: "--partition=x --time=1:00:00".
local strings = require "bnn.base.strings"

local M = {}

local PLAIN = "^[%w%-+./:=@_,%%*%[%]]+$"

-- The words of a text as a shell reads them, without its expansions; or nil, message.
local function split(text)
  local words, word, quote, at = {}, nil, nil, 1
  while at <= #text do
    local c = text:sub(at, at)
    if c == "\\" and quote ~= "'" then
      at = at + 1
      word = (word or "") .. text:sub(at, at)
    elseif c == quote then
      quote = nil
    elseif not quote and (c == "'" or c == '"') then
      quote, word = c, word or ""
    elseif not quote and c:find "%s" then
      words[#words + 1], word = word, nil
    else
      word = (word or "") .. c
    end
    at = at + 1
  end
  if quote then return nil, ("a %s without its partner"):format(quote) end
  words[#words + 1] = word
  return words
end

-- Options that are the sweep's own or would make sbatch do something else: {short, long, the least
-- that sbatch takes for it, why}.
local REFUSED = {
  {"a", "array", "ar", "the sweep makes its arrays: --workers=N is how many tasks run at a time"},
  {"J", "job-name", "j", "the sweep knows its jobs by their names"},
  {"W", "wait", "wait", "the sweep follows its jobs; --no_wait does not"},
  {nil, "wrap", "wr", "the sweep makes the script"},
  {nil, "test-only", "te", "--dry_run prints the script"},
  {"M", "clusters", "clusters", "name the cluster in the environment: SLURM_CLUSTERS"},
  {"M", "cluster", "cluster", "name the cluster in the environment: SLURM_CLUSTERS"},
}

local function is_option(word, row)
  local long = word:match "^%-%-([^=]*)"
  if not long then return row[1] ~= nil and word:sub(1, 2) == "-" .. row[1] end
  return #long >= #row[3] and row[2]:sub(1, #long) == long
end

local function refusal_of(word)
  for _, row in ipairs(REFUSED) do
    if is_option(word, row) then
      return strings.message("--slurm: %s is refused: %s", word, row[4])
    end
  end
end

--- Quotes a word for a line that begins with #SBATCH, if it needs quotes.
function M.quoted(word)
  if word:find(PLAIN) then return word end
  return '"' .. word:gsub('["\\]', "\\%0") .. '"'
end

--- Reads the options.
-- @param text string
-- @return list of what stands behind #SBATCH in a script, an option with its value in each; or nil,
--   message
function M.read(text)
  if text:find "%c" then return nil, "--slurm: expected one line, got a control character" end
  local words, fault = split(text)
  if not words then return nil, strings.message("--slurm: %s: %s", fault, text) end
  local lines = {}
  for _, word in ipairs(words) do
    local is_new, why = word:sub(1, 1) == "-", refusal_of(word)
    if why then return nil, why end
    if is_new then
      lines[#lines + 1] = M.quoted(word)
    elseif lines[1] then
      lines[#lines] = lines[#lines] .. " " .. M.quoted(word)
    else
      return nil, strings.message("--slurm: expected options of sbatch, such as "
        .. "--time=1:00:00, got '%s'", word)
    end
  end
  return lines
end

return M
