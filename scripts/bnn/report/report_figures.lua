--- The figures that runs recorded, as pictures within the page.
--
-- A picture is foreign data: it is shown as an image of a data URI, which no browser lets run
-- scripts or load anything, and only if its first bytes are those of its kind.
local core = require "bnn.core"
local html = require "bnn.report.html"
local parts = require "bnn.report.report_parts"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"

local M = {}

local BYTES_MOST, FIGURES_MOST, OF_A_RUN = 300000, 24, 12 -- of all pictures, before base64

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

-- The pictures of a run's folder, by their paths below figures/.
local function names_of(run)
  local names = {}
  if not core.is_folder(run.path .. "/figures") then return names end
  for _, name in ipairs(run_folder.files(run.path .. "/figures")) do
    if KINDS[strings.lower(name):match "%.(%w+)$"] then names[#names + 1] = name end
  end
  return names
end

-- A figure as an element, and its size; nil if it is none or larger than `most`.
local function figure_of(run, name, most)
  local file <close> = io.open(run.path .. "/figures/" .. name, "rb")
  local size = file and file:seek "end"
  if not size or size > most then return nil end
  file:seek "set"
  local bytes, kind = file:read "a", KINDS[strings.lower(name):match "%.(%w+)$"]
  if not bytes or not kind.is_it(bytes) then return nil end
  local picture = html.picture(kind.type, bytes, "figure " .. name)
  return element("figure", nil, element("div", {class = "picture"}, picture),
    element("figcaption", nil, html.cut(name, 120))), size
end

-- The figures of a run that there is room for, and how many it has.
local function figures_of(run, room)
  local drawn, names = {}, names_of(run)
  for i = 1, #names do
    local may_be = #drawn < OF_A_RUN and room.count > 0
    local made, size = nil, nil
    if may_be then made, size = figure_of(run, names[i], room.bytes) end
    if made then
      drawn[#drawn + 1], room.bytes, room.count = made, room.bytes - size, room.count - 1
    end
  end
  return drawn, #names
end

-- The figures of the first run of an experiment that has any, best configuration first.
local function of_experiment(experiment, room)
  for i, run in ipairs(experiment.shown) do
    local drawn, total = figures_of(run, room)
    if total > 0 then
      local others = 0
      for k = i + 1, #experiment.shown do
        others = others + (names_of(experiment.shown[k])[1] and 1 or 0)
      end
      return {
        element("h3", nil, experiment.name, " ", element("code", nil, run.id)),
        element("div", {class = "cards"}, drawn),
        parts.left_out(#drawn, total, "figure", "the rest is too much for a page, or no picture"),
        others > 0 and parts.note(("%s have figures too: `bnnlua -m runs report ID` shows those of "
          .. "one run."):format(parts.count(others, "more run"))),
      }
    end
  end
end

--- The figures of one run of each experiment, that of the best configuration which has any.
function M.section(view)
  local body, room = {}, {bytes = BYTES_MOST, count = FIGURES_MOST}
  for _, experiment in ipairs(view.experiments) do
    body[#body + 1] = of_experiment(experiment, room)
  end
  return parts.section("figures", "Figures", body)
end

return M
