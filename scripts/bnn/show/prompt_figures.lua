--- What bnn.plot draws at the prompt goes to the terminal.
local figure_screen = require "bnn.plot.canvas.figure_screen"
local show = require "bnn.show.show"
local show_screen = require "bnn.show.show_screen"
local terminal_answers = require "bnn.show.terminal_answers"

local M = {}

--- Opens the terminal of the prompt for figures.
-- @param terminal table: unread = function(text), which puts back what was typed meanwhile
function M.open(terminal)
  terminal_answers.unread = terminal.unread
  figure_screen.open{
    show = show.show,
    has_pictures = function() return show_screen.find().is_picture end,
  }
end

--- Begins a block: nothing has been shown in it.
function M.begin() figure_screen.remember(nil) end

--- Whether a value of this block is what the function returned that showed something last, so that
-- there is no need to show it.
M.was_shown = figure_screen.was_shown

return M
