--- What a sweep shows while it runs: on a terminal, on a pipe, and nothing if it is to be quiet.
package.path = arg[0]:match "^.*/" .. "../?.lua;" .. arg[0]:match "^.*/" .. "?.lua;" .. package.path
local lu = require "luaunit"
local sweep_view = require "bnn.sweep.sweep_view"
local sweeps = require "sweeps"

-- A terminal, or a pipe (columns nil), with a clock of its own; all that was written is in `text`.
local function fake_host(columns)
  local host = {clock = 0, text = ""}
  function host.now() return host.clock end
  function host.columns() return columns end
  function host.write(text) host.text = host.text .. text end
  return host
end

-- The lines that stand on a terminal after what was written.
local function screen(text)
  local lines, row = {}, 1
  for piece in (text .. "\0"):gmatch "[^\n]*[\n\0]" do
    local rest = piece:gsub("[\n\0]", "")
    while true do
      local up, tail = rest:match "^\r?\27%[(%d+)A(.*)$"
      if up then row, rest = row - tonumber(up), tail else break end
    end
    if rest:find "\27%[J" then
      for i = row, #lines do lines[i] = nil end
      rest = rest:gsub("\27%[J", "")
    end
    rest = rest:gsub("\27%[K", ""):gsub("\r", "")
    if rest ~= "" then lines[row] = rest end
    if piece:sub(-1) == "\n" then row = row + 1 end
  end
  return lines
end

-- Makes f's view of a sweep whose objective is loss, on a host; f(view, host).
local function with_view(host, f, opts)
  local before = sweep_view.host
  sweep_view.host = host
  local plan = {name = "s", opts = {progress = true}, names = {"x"}, seeds = {1},
                objectives = {{name = "loss", mode = "min"}}, workers = 2}
  for name, v in pairs(opts or {}) do plan[name] = v end
  local view = sweep_view.new(plan)
  local ok, fault = pcall(f, view, host)
  view:erase()
  sweep_view.host = before
  if not ok then error(fault, 0) end
end

local function counts(t)
  for _, name in ipairs{"open", "running", "completed", "failed", "pruned", "interrupted"} do
    t[name] = t[name] or 0
  end
  return t
end

local BEST = {number = 2, config = {x = 3}, value = 0.5, values = {0.5},
              seeds = {{seed = 1, value = 0.5}}, runs = {}}
local SLOTS = {{task = {trial = 4}, started = 0, line = "train: 3 of 10 steps"}, false}

TestView = {}

function TestView.test_who_follows_the_runs_of_others_shows_texts()
  local now = counts{open = 3, running = 1, completed = 2, total = 6}
  local texts = {"tasks of Slurm: 1 running, 3 pending (Priority)"}
  with_view(fake_host(60), function(view, host)
    view:show(now, BEST, texts)
    lu.assertEquals(screen(host.text)[3], "  " .. texts[1])
  end)
  with_view(fake_host(nil), function(view, host)
    view:show(now, nil, texts)
    lu.assertEquals(host.text, "s: 2 of 6 runs done, 1 running, 3 left; no trial is complete yet; "
      .. texts[1] .. "\n")
  end)
end

function TestView.test_a_terminal_has_the_whole_the_best_and_a_line_for_each_worker()
  with_view(fake_host(60), function(view, host)
    host.clock = 10
    lu.assertTrue(view:is_due())
    view:add_run(5)
    view:add_run(5)
    view:show(counts{open = 3, running = 1, completed = 2, total = 6}, BEST, SLOTS)
    local lines = screen(host.text)
    lu.assertEquals(#lines, 4)
    lu.assertEquals(lines[1], "s: 2 of 6 runs done, 1 running, 3 left, 20 s to go")
    lu.assertEquals(lines[2], "best so far: loss 0.5, trial 2: x=3")
    lu.assertEquals(lines[3], "  1: trial 4, 10 s: train: 3 of 10 steps")
    lu.assertEquals(lines[4], "  2: idle")
    lu.assertFalse(view:is_due())
    view:show(counts{open = 0, running = 1, completed = 5, total = 6}, BEST, SLOTS)
    lu.assertEquals(#screen(host.text), 4) -- in the same place
    view:erase()
    lu.assertEquals(screen(host.text), {})
  end)
end

function TestView.test_lines_are_cut_to_the_terminal_and_show_no_control_characters()
  with_view(fake_host(20), function(view, host)
    local slot = {task = {trial = 1}, started = 0, line = "ein\27[2J gutes W\u{f6}rterbuch"}
    view:show(counts{total = 1, open = 1}, nil, {slot})
    for _, line in ipairs(screen(host.text)) do lu.assertTrue(utf8.len(line) < 20, line) end
    lu.assertNil(host.text:find("\27[2J", 1, true))
  end)
end

function TestView.test_a_pipe_has_a_line_now_and_then()
  with_view(fake_host(nil), function(view, host)
    local shown = {}
    for clock = 0, 100 do
      host.clock = clock
      if view:is_due() then
        view:show(counts{open = 1, running = 1, completed = 0, total = 2}, nil, SLOTS)
        shown[#shown + 1] = clock
      end
    end
    lu.assertEquals(shown, {10, 20, 40, 80})
    local line = "s: 0 of 2 runs done, 1 running, 1 left; no trial is complete yet\n"
    lu.assertEquals(host.text, line:rep(4))
    lu.assertNil(host.text:find "\27")
  end)
end

function TestView.test_what_is_said_stays_above_the_changing_lines()
  local strings = require "bnn.base.strings"
  local notice = strings.notice
  with_view(fake_host(60), function(view, host)
    function strings.notice(text) host.write(text .. "\n") end
    view:show(counts{total = 1, open = 1}, nil, SLOTS)
    view:say "trial 3 failed: no"
    view:show(counts{total = 1, open = 1}, nil, SLOTS)
    local lines = screen(host.text)
    lu.assertEquals({lines[1], #lines}, {"trial 3 failed: no", 5})
  end)
  strings.notice = notice
end

function TestView.test_pruned_and_failed_runs_are_counted_and_seeds_are_named()
  with_view(fake_host(200), function(view, host)
    local slot = {task = {trial = 3}, started = 0, seed = 7}
    view:show(counts{total = 9, open = 2, completed = 3, pruned = 2, failed = 1, running = 1}, nil,
      {slot})
    local lines = screen(host.text)
    lu.assertStrContains(lines[1], "s: 5 of 9 runs done, 2 of them pruned, 1 failed, 1 running")
    lu.assertStrContains(lines[3], "trial 3, seed 7")
  end)
end

function TestView.test_a_sweep_that_is_to_be_quiet_shows_nothing()
  local host = fake_host(60)
  with_view(host, function(view)
    host.clock = 1000
    lu.assertFalse(view:is_due())
    view:show(counts{total = 1}, nil, SLOTS)
  end, {opts = {progress = false}})
  lu.assertEquals(host.text, "")
end

-- The whole: what children say of their progress is in the line of their worker.
function TestView.test_progress_of_runs_reaches_the_terminal()
  local host = fake_host(100)
  host.now = require "bnn.core".ticks
  local before, start = sweep_view.host, host.now()
  sweep_view.host = host
  sweeps.in_folder(function(root)
    sweeps.sweep(root, {progress = true, workers = 1, space = {x = {1}}, experiment = function()
      local progress = require "bnn.base.progress"
      local bar <close> = progress.start("work", {of = 10, unit = "parts"})
      bar.due = 0
      sweeps.wait_for(function()
        bar:update(5)
        return host.now() > start + 0.5
      end)
      return {loss = 1}
    end})
  end)
  sweep_view.host = before
  lu.assertStrMatches(host.text, ".*  1: trial 1, %d s: work: 5 of 10 parts.*")
  lu.assertEquals(screen(host.text), {})
end

os.exit(lu.LuaUnit.run())
