--- Text and code of the reference as markup, in which public names, guides and addresses are links.
--
-- ctx is {addresses= name -> address, guides= name -> file, here= the address of what the text
-- documents, which does not link to itself}.
local html = require "bnn.html.html"

local M = {}

local element = html.element

local function link_name(ctx, word)
  local address = word:find "[.:]" and ctx.addresses[word]
  return address and address ~= ctx.here and html.link(address, nil, word)
end

-- Calls add with the pieces of a text: strings, and links of its names.
local function each_name(text, ctx, add)
  local at = 1
  for from, word in text:gmatch "()([%a_][%w_.:]*)" do
    word = word:gsub("[.:]+$", "")
    local link = from >= at and link_name(ctx, word)
    if link then
      add(text:sub(at, from - 1))
      add(link)
      at = from + #word
    end
  end
  add(text:sub(at))
end

--- A text whose public names are links.
function M.names(text, ctx)
  local parts = {}
  each_name(text, ctx, function(part) parts[#parts + 1] = part end)
  return html.list(parts)
end

-- What is marked within prose, tried in this order where it starts: a pattern, and what is made of
-- its captures; nil leaves it as it is.
local MARKS = {
  {"^`([^`]+)`", function(ctx, code) return element("code", nil, M.names(code, ctx)) end},
  {"^%*%*([^*]+)%*%*", function(ctx, words) return element("b", nil, M.prose(words, ctx)) end},
  {"^%[([^%]]+)%]%(([%w_]+)%.md%)", function(ctx, words, guide)
    local file = ctx.guides[guide]
    return file and html.link(file, nil, words)
  end},
  {"^%[([^%]]+)%]%((https?://[^%s)]+)%)", function(_, words, address)
    return html.link(address, nil, words)
  end},
  {"^%[([^%]]+)%]%(([%w_./]+)%)", function(_, words, path)
    return html.list{words, " (", element("code", nil, path), ")"}
  end},
  {"^help \"([%w_]+)\"", function(ctx, guide)
    local file = ctx.guides[guide]
    return file and html.link(file, nil, ("help %q"):format(guide))
  end},
  {"^https?://[%w%-._~/#?=&%%+]*[%w/]", function(_, address)
    return html.link(address, nil, address)
  end},
  {"^arXiv:(%d%d%d%d%.%d+)", function(_, number)
    return html.link("https://arxiv.org/abs/" .. number, nil, "arXiv:" .. number)
  end},
}

local STARTS = "[`*%[hab]"

-- The mark at a place of a text: its markup, and where it ends.
local function mark_at(text, at, ctx)
  for _, mark in ipairs(MARKS) do
    local found = table.pack(text:find(mark[1], at))
    local from, to = found[1], found[2]
    if from == at then
      local captures = found.n > 2 and {table.unpack(found, 3, found.n)} or {text:sub(from, to)}
      local made = mark[2](ctx, table.unpack(captures))
      if made then return made, to end
    end
  end
end

--- A paragraph's text: `code`, **bold**, [links](data.md), addresses, public names.
-- @return markup
function M.prose(text, ctx)
  local parts, from, at = {}, 1, 1
  while true do
    at = text:find(STARTS, at)
    if not at then break end
    local is_start = at == 1 or not text:sub(at - 1, at - 1):find "[%w_]"
    local made, to
    if is_start then made, to = mark_at(text:sub(at), 1, ctx) end
    if made then
      parts[#parts + 1] = M.names(text:sub(from, at - 1), ctx)
      parts[#parts + 1] = made
      from, at = at + to, at + to
    else
      at = at + 1
    end
  end
  parts[#parts + 1] = M.names(text:sub(from), ctx)
  return html.list(parts)
end

-- Where a comment of a line of Lua starts: outside of strings.
local function comment_at(line)
  local quote, i = nil, 1
  while i <= #line do
    local c = line:sub(i, i)
    if quote then
      if c == "\\" then i = i + 1 elseif c == quote then quote = nil end
    elseif c == '"' or c == "'" then
      quote = c
    elseif line:sub(i, i + 1) == "--" then
      return i
    end
    i = i + 1
  end
end

--- A block of Lua, its comments marked.
-- @return markup
function M.code(text, ctx)
  local parts = {}
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    local at = comment_at(line)
    parts[#parts + 1] = M.names(line:sub(1, (at or #line + 1) - 1), ctx)
    if at then parts[#parts + 1] = element("i", nil, line:sub(at)) end
    parts[#parts + 1] = "\n"
  end
  parts[#parts] = nil
  return element("pre", {class = "lua"}, element("code", nil, parts))
end

--- A block of text that is no Lua: a command, a table drawn in characters.
function M.verbatim(text, class)
  return element("pre", {class = class or false}, element("code", nil, text))
end

return M
