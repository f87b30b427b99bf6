--- Full text search over names, descriptions and guides, the best first.
--
-- Every word of the query must be in a text, as the start of a word of it. A name counts more than
-- the first sentence, and that more than the rest; a part that lacks some of the words counts less,
-- and the words side by side count more.
local help_text = require "bnn.help.help_text"
local nearest = require "bnn.base.nearest"
local strings = require "bnn.base.strings"

local M = {}

local WORD = "[%w\128-\255]"

-- The words of a query in small letters; a plural's s is left out, as starts of words match.
local function words_of(query)
  local words = {}
  for word in strings.lower(query):gmatch(WORD .. "+") do
    words[#words + 1] = #word > 4 and word:gsub("s$", "") or word
  end
  return words
end

local MOST = 12

-- How often a word of `text` starts with `word`, up to MOST.
local function count(text, word)
  local n = 0
  if not text:find(word, 1, true) then return n end -- most have it not, and this is fast
  for before in text:gmatch("()%f[%w\128-\255]" .. word:gsub("%W", "%%%0")) do
    n = before and n + 1
    if n == MOST then break end
  end
  return n
end

-- What a text has in quotes outside of its example, and the options that it explains, each once:
-- what users write.
local function values_in(doc)
  local values, seen = {}, {}
  doc = doc:gsub("\n    [^\n]*", "")
  local function add(word)
    if not seen[word] then values[#values + 1], seen[word] = word, true end
  end
  for word in doc:gmatch '"([%w_%- ]+)"' do add(word) end
  for word in doc:gmatch "\n%s+([%w_]+)%s" do add(word) end
  return table.concat(values, " ")
end

-- A part of a text, with _ as a space, and what a hit in it counts.
local function field(text, weight) return {text = text:gsub("_", " "), weight = weight} end

local read = {} -- documentation text -> name -> fields: texts do not change

local function entry_fields(entry)
  local text = entry.doc or ""
  local known = read[text] or {}
  if known[entry.name] then return known[entry.name] end
  local doc = strings.lower(text)
  read[text], known[entry.name] = known, {
    field(strings.lower(entry.name), 30), field(values_in(doc), 9),
    field(strings.lower(help_text.summary(entry)), 10), field(doc, 1),
  }
  return known[entry.name]
end

local read_guides = {} -- text of a guide -> its fields and sections: {heading or nil, fields}

-- The sections of a guide, the text before the first heading without one.
local function sections_of(guide)
  local sections = {}
  for text in (guide.text .. "\n## "):gmatch "(.-)\n##+ " do
    local heading = sections[1] and text:match "^[^\n]*":gsub("`", "")
    sections[#sections + 1] = {heading = heading, field(strings.lower(text), 1)}
  end
  return sections
end

local function guide_fields(guide)
  local known = read_guides[guide.text]
  if not known then
    known = {
      sections = sections_of(guide), field(guide.name, 60),
      field(strings.lower(guide.title .. " " .. guide.summary), 30),
      field(strings.lower(guide.text), 2),
    }
    read_guides[guide.text] = known
  end
  return known
end

-- The score of one part of a text: how often it has the words, and which of them. Notes in `hit`
-- which ones it has.
local function part_score(text, words, phrase, hit)
  local sum, has = 0, 0
  for i, word in ipairs(words) do
    local n = count(text, word)
    sum, has, hit[i] = sum + n, has + (n > 0 and 1 or 0), hit[i] or n > 0
  end
  local beside = words[2] and text:find(phrase, 1, true) and 2 or 1
  return beside * sum * (has / #words) ^ 2
end

-- The score of a text for the words of a query, or nil if it lacks one of them.
local function score(fields, words, phrase)
  local total, hit = 0, {}
  for _, part in ipairs(fields) do
    total = total + part.weight * part_score(part.text, words, phrase, hit)
  end
  for i = 1, #words do
    if not hit[i] then return nil end
  end
  return total
end

-- The heading of the section of a guide that has the most of all the words; nil if that is the text
-- before the first, or none has all.
local function best_section(guide, words, phrase)
  local best, most = nil, 0
  for _, section in ipairs(guide_fields(guide).sections) do
    local sum = score(section, words, phrase)
    if sum and sum > most then best, most = section.heading, sum end
  end
  return best
end

local function add(found, row, fields, words, phrase)
  row.score = score(fields, words, phrase)
  if row.score then found[#found + 1] = row end
end

--- Everything that has all the words of a query, the best first.
-- @param query string
-- @param entries list of documentation entries
-- @param guides list of guides
-- @return list of {name, sentence}: guides are named `help "NAME"`
function M.find(query, entries, guides)
  local words, found, seen = words_of(query), {}, {}
  if not words[1] then return found end
  local phrase = table.concat(words, " ")
  for _, guide in ipairs(guides) do
    local section = best_section(guide, words, phrase)
    local text = section and ("Guide, %s"):format(section) or "Guide. " .. guide.title
    local row = {('help "%s"'):format(guide.name), text}
    add(found, row, guide_fields(guide), words, phrase)
  end
  for _, entry in ipairs(entries) do
    if not seen[entry.name] then
      add(found, {entry.name, help_text.summary(entry)}, entry_fields(entry), words, phrase)
      seen[entry.name] = true
    end
  end
  table.sort(found, function(a, b)
    if a.score ~= b.score then return a.score > b.score end
    return strings.before(a[1], b[1])
  end)
  return found
end

local function last_part(name) return name:match "[^.:]+$" or name end

--- Names near to a mistyped one: one letter in three may be wrong.
-- @param asked string: a name, or the last part of one
-- @return list of public names and guides, at most 5
function M.near(asked, entries, guides)
  local parts, full, near = {}, {}, {}
  local function offer(part, name)
    parts[#parts + 1] = not full[part] and part or nil
    full[part] = full[part] or name
  end
  for _, entry in ipairs(entries) do offer(last_part(entry.name), entry.name) end
  for _, guide in ipairs(guides) do offer(guide.name, ('help "%s"'):format(guide.name)) end
  local word = strings.lower(last_part(asked))
  for _, part in ipairs(nearest.list(word, parts, 5)) do
    local is_start = strings.lower(part):sub(1, #word) == word
    if is_start or 3 * nearest.distance(word, strings.lower(part)) <= #word then
      near[#near + 1] = full[part]
    end
  end
  return near
end

return M
