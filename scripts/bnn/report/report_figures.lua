--- The figures that runs recorded, as pictures within the page.
--
-- A picture is foreign data: it is shown as an image of a data URI, which no browser lets run
-- scripts or load anything, and only if its first bytes are those of its kind.
local core = require "bnn.core"
local html = require "bnn.html.html"
local parts = require "bnn.report.report_parts"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"

local M = {}

local BYTES_MOST, OF_A_RUN = 400000, 12 -- of all pictures, before base64

local element = html.element

local function is_svg(bytes) return bytes:sub(1, 4096):find("<svg", 1, true) ~= nil end

local function starts_with(magic)
  return function(bytes) return bytes:sub(1, #magic) == magic end
end

local KINDS = {
  svg = {type = "image/svg+xml", is_it = is_svg},
  png = {type = "image/png", is_it = starts_with "\x89PNG\r\n\x1a\n"},
  jpg = {type = "image/jpeg", is_it = starts_with "\xff\xd8\xff"},
  jpeg = {type = "image/jpeg", is_it = starts_with "\xff\xd8\xff"},
}

-- The pictures of a run's folder {name=, size=}, by their paths below figures/, in order.
local function pictures_of(run)
  local list, folder = {}, run.path .. "/figures"
  if not core.is_folder(folder) then return list end
  for i, name in ipairs(run_folder.files(folder)) do
    if KINDS[strings.lower(name):match "%.(%w+)$"] then
      local file <close> = io.open(folder .. "/" .. name, "rb")
      list[#list + 1] = {name = name, place = i, size = file and file:seek "end" or math.huge}
    end
  end
  return list
end

-- A picture as an element; nil if it is none.
local function figure_of(run, name)
  local bytes = run_folder.read(run.path .. "/figures/" .. name)
  local kind = KINDS[strings.lower(name):match "%.(%w+)$"]
  if not bytes or not kind.is_it(bytes) then return nil end
  local picture = html.picture(kind.type, bytes, "figure " .. html.cut(name, 120))
  return element("figure", nil, element("div", {class = "picture"}, picture),
    element("figcaption", nil, html.cut(name, 120)))
end

-- Those of a run's pictures that fit into so many bytes, the small ones first, in their order; and
-- the bytes that are left.
local function figures_of(run, pictures, bytes)
  local by_size, made, drawn = table.move(pictures, 1, #pictures, 1, {}), {}, {}
  table.sort(by_size, function(a, b)
    if a.size ~= b.size then return a.size < b.size end
    return a.place < b.place
  end)
  local count = 0
  for _, picture in ipairs(by_size) do
    if count == OF_A_RUN or picture.size > bytes then break end
    made[picture] = figure_of(run, picture.name)
    if made[picture] then count, bytes = count + 1, bytes - picture.size end
  end
  for _, picture in ipairs(pictures) do drawn[#drawn + 1] = made[picture] end
  return drawn, bytes
end

-- The first shown run of an experiment that has pictures, best configuration first: {experiment=,
-- run=, pictures=, others= how many more runs have some}; nil if there is none.
local function find(experiment)
  local found
  for _, run in ipairs(experiment.shown) do
    local pictures = pictures_of(run)
    if pictures[1] and found then found.others = found.others + 1 end
    if pictures[1] and not found then
      found = {experiment = experiment, run = run, pictures = pictures, others = 0}
    end
  end
  return found
end

local function show(found, drawn)
  local others = found.others > 0 and ("%s %s figures too: `bnnlua -m runs report ID` shows those "
    .. "of one run."):format(parts.count(found.others, "more run"),
    found.others == 1 and "has" or "have")
  return {
    element("h3", nil, found.experiment.name, " ", element("code", nil, found.run.id)),
    element("div", {class = "cards"}, drawn),
    parts.left_out(#drawn, #found.pictures, "figure", "the others are too large for this page, or "
      .. "no pictures"), others and parts.note(others),
  }
end

--- The figures of one run of each experiment, that of the best configuration which has any.
function M.section(view)
  local list, body, bytes = {}, {}, BYTES_MOST
  for _, experiment in ipairs(view.experiments) do list[#list + 1] = find(experiment) end
  for i, found in ipairs(list) do
    local share = bytes // (#list - i + 1)
    local drawn, left = figures_of(found.run, found.pictures, share)
    bytes = bytes - (share - left)
    body[i] = show(found, drawn)
  end
  return parts.section("figures", "Figures", body)
end

return M
