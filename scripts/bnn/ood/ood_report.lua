--- What bnn.ood.evaluate returns: numbers by score and set, as tables of text and as rows of a log.
local number = require "bnn.base.number"
local renamed = require "bnn.base.renamed"
local table_text = require "bnn.base.table_text"

local M = {}

local Report = {__name = "bnn.ood.report"}
Report.__index = Report
renamed.functions(Report, "report", {inside = "id", outside = "ood", refused = "abstained"})

--- A report to be filled in.
-- @param id string: the name of the in-distribution set
-- @param ood list of {name=}
function M.new(id, ood)
  local names = {}
  for i, set in ipairs(ood) do names[i] = set.name end
  return setmetatable({
    id = id, ood = names, scores = {}, n = {}, values = {}, ranking = {}, rules = {},
    abstained = {}, kept_accuracy = {},
  }, Report)
end

-- ---- rows of a log ----

local FIGURES = {
  "auroc", "average_precision_out", "average_precision_in", "aupr_out", "aupr_in", "fpr95_out",
  "fpr95_in", "base_rate",
}

-- Adds the metrics of one score against one set.
local function add_ranking(rows, prefix, figures)
  for _, name in ipairs(FIGURES) do
    rows[#rows + 1] = {prefix .. name, figures[name]}
    local interval = figures.intervals and figures.intervals[name]
    if interval then
      rows[#rows + 1] = {prefix .. name .. "/low", interval[1]}
      rows[#rows + 1] = {prefix .. name .. "/high", interval[2]}
    end
  end
end

local function add_score(rows, report, score)
  local prefix = ("ood/%s/"):format(score)
  rows[#rows + 1] = {prefix .. "threshold", report.rules[score].threshold}
  rows[#rows + 1] = {prefix .. "kept_accuracy", report.kept_accuracy[score]}
  rows[#rows + 1] = {prefix .. report.id .. "/refused", report.abstained[score][report.id]}
  for _, set in ipairs(report.ood) do
    local here = prefix .. set .. "/"
    add_ranking(rows, here, report.ranking[score][set])
    rows[#rows + 1] = {here .. "refused", report.abstained[score][set]}
  end
end

local function add_conformal(rows, report, set)
  local figures, prefix = report.conformal.sets[set], ("ood/conformal/%s/"):format(set)
  if figures.coverage then rows[#rows + 1] = {prefix .. "coverage", figures.coverage} end
  rows[#rows + 1] = {prefix .. "size", figures.size}
  rows[#rows + 1] = {prefix .. "not_single", figures.not_single}
end

--- Returns the numbers of bnn.ood.evaluate as rows for a log.
--     local report = bnn.ood.evaluate{predict = predict, id = data.test, ood = letters, key = key}
--     local row = report:rows()[1]
--     print(row[1], row[2])                             -- ood/accuracy  0.98
-- @return list of {name, value}
function Report:rows()
  local rows = {{"ood/accuracy", self.accuracy}}
  for _, score in ipairs(self.scores) do add_score(rows, self, score) end
  add_conformal(rows, self, self.id)
  for _, set in ipairs(self.ood) do add_conformal(rows, self, set) end
  return rows
end

-- ---- tables of the screen ----

-- "0.9987", and with an interval "0.9987 (0.9981 to 0.9992)".
local function with_interval(value, interval)
  if not interval then return number.fixed(value, 4) end
  return ("%s (%s to %s)"):format(number.fixed(value, 4), number.fixed(interval[1], 4),
    number.fixed(interval[2], 4))
end

local RANKING = {
  "score", "against", {"AUROC", align = "right"}, {"AP out", decimals = 4},
  {"AP in", decimals = 4}, {"AUPR out", decimals = 4}, {"AUPR in", decimals = 4},
  {"FPR95 out", decimals = 4}, {"FPR95 in", decimals = 4}, {"base rate", decimals = 3},
}

local LEGEND = [[
AP is average precision, AUPR the trapezoid; out, in: which of the two sets is positive. FPR95 out:
the share of examples inside that are flagged when 95% outside are; FPR95 in: the share outside that
is accepted when 95% inside are. The base rate is the share of examples that are outside.
]]

local function ranking_text(report)
  local rows = {}
  for _, score in ipairs(report.scores) do
    for _, set in ipairs(report.ood) do
      local f = report.ranking[score][set]
      rows[#rows + 1] = {
        score, set, with_interval(f.auroc, f.intervals and f.intervals.auroc),
        f.average_precision_out, f.average_precision_in, f.aupr_out, f.aupr_in, f.fpr95_out,
        f.fpr95_in, f.base_rate,
      }
    end
  end
  return #rows > 0 and table_text.render(rows, RANKING) .. LEGEND .. "\n" or ""
end

-- 0.99 -> "99", 0.995 -> "99.5".
local function percent(share) return number.format("%.6g", 100 * share) end

--- 0.99 -> "99th percentile", 0.5 -> "median".
function M.percentile_name(percentile)
  if percentile == 0.5 then return "median" end
  local text = percent(percentile)
  local teen, last = text:find "^1%d$", text:match "%d$"
  local ending = not teen and not text:find "%." and ({["1"] = "st", ["2"] = "nd", ["3"] = "rd"})
    [last] or "th"
  return text .. ending .. " percentile"
end

local function percent_cell(v) return number.format("%.2f%%", 100 * v) end

local function abstention_text(report)
  local columns = {
    "score", {"threshold", format = "%.4g"}, {report.id, align = "right"},
    {"accuracy of the kept", align = "right"},
  }
  for _, set in ipairs(report.ood) do columns[#columns + 1] = {set, align = "right"} end
  local rows = {}
  for i, score in ipairs(report.scores) do
    local kept = report.kept_accuracy[score]
    rows[i] = {
      score, report.rules[score].threshold, percent_cell(report.abstained[score][report.id]),
      kept and percent_cell(kept) or "none kept",
    }
    for k, set in ipairs(report.ood) do
      rows[i][4 + k] = percent_cell(report.abstained[score][set])
    end
  end
  local head = "Refused: scores above their %s on a half of %s (%d); its column is of the other "
    .. "half (%d).\n"
  local name = M.percentile_name(report.rules[report.scores[1]].percentile)
  return head:format(name, report.id, report.n_fit, report.n_report)
    .. table_text.render(rows, columns) .. "\n"
end

local function conformal_text(report)
  local fit, rows = report.conformal, {}
  for i, set in ipairs{report.id, table.unpack(report.ood)} do
    local f = fit.sets[set]
    rows[i] = {set, f.coverage and percent_cell(f.coverage) or "-", f.size,
               percent_cell(f.not_single)}
  end
  local head = "Split-conformal sets of classes, fitted on the same half: they hold the label of "
    .. "at least %s%%\nof examples inside, on average over halves%s.\n"
  local few = fit.n < 1 / fit.alpha - 1
    and ("; %d are too few for that, and every set holds every class"):format(fit.n) or ""
  return head:format(percent(1 - fit.alpha), few) .. table_text.render(rows, {
    "set", {"coverage", align = "right"}, {"mean size", decimals = 3},
    {"not one class", align = "right"},
  })
end

--- Returns the report of bnn.ood.evaluate as tables of text; print(report) prints them.
--     local report = bnn.ood.evaluate{predict = predict, id = data.test, ood = letters, key = key}
--     log:say(report:text())
-- @return string of lines
function Report:text()
  local head = "in: %s, %d examples, accuracy %s; out: %s\n\n"
  local ood = {}
  for i, set in ipairs(self.ood) do ood[i] = ("%s (%d)"):format(set, self.n[set]) end
  return head:format(self.id, self.n[self.id], percent_cell(self.accuracy),
    #ood > 0 and table.concat(ood, ", ") or "none")
    .. ranking_text(self) .. abstention_text(self) .. conformal_text(self)
end

Report.__tostring = Report.text

return M
