--- What help names at the end of a text: names that the text mentions, the others of its family,
-- and the guides that use it.
local M = {}

local FAMILY = 8 -- a larger family is named by its module alone

local function owner_of(name) return name:match "^(.*)[.:][%w_]+$" end

local catalogues = setmetatable({}, {__mode = "k"}) -- of lists of entries that are in use

-- A set of the public names, and a list of those of each module and class.
local function catalogue(entries)
  local known = catalogues[entries]
  if known then return known[1], known[2] end
  local public, family = {}, {}
  catalogues[entries] = {public, family}
  for _, entry in ipairs(entries) do
    local owner = owner_of(entry.name)
    if owner and not public[entry.name] then
      family[owner] = family[owner] or {}
      table.insert(family[owner], entry.name)
    end
    public[entry.name] = true
  end
  return public, family
end

-- Calls f(name) for each public name in a text, in order: bnn.optim.adam, state:posterior, and
-- words with an underscore that are members of the same module, log_prob.
local function each_mention(text, owner, public, f)
  for word in text:gmatch "[%a_][%w_.:]*" do
    word = word:gsub("[.:]+$", "")
    if public[word] then
      f(word)
    elseif owner and word:find "^[%w]+_[%w_]+$" and public[owner .. "." .. word] then
      f(owner .. "." .. word)
    end
  end
end

-- Whether a guide's text has the name, not as a part of a longer one.
local function is_in(guide, name)
  return guide.text:find(name, 1, true) ~= nil
    and guide.text:find("%f[%w_.]" .. name:gsub("%p", "%%%0") .. "%f[^%w_.]") ~= nil
end

--- The names to look at besides an entry.
-- @param entry table: {name=, doc=}
-- @param entries list of documentation entries
-- @param guides list of guides
-- @return list of names, each once, the entry's own not among them
function M.names(entry, entries, guides)
  local public, family = catalogue(entries)
  local owner, names, seen = owner_of(entry.name), {}, {[entry.name] = true, bnn = true}
  local function add(name)
    if not seen[name] then names[#names + 1], seen[name] = name, true end
  end
  each_mention(entry.doc or "", owner, public, add)
  local siblings = owner and owner ~= "bnn" and family[owner] or {}
  for _, name in ipairs(#siblings <= FAMILY and siblings or {}) do add(name) end
  if owner and public[owner] then add(owner) end
  for _, guide in ipairs(guides) do
    local named = is_in(guide, entry.name)
    if named then add(('help "%s"'):format(guide.name)) end
  end
  return names
end

return M
