--- the records of runs: list, compare, plot, check, replay, resume
--
-- bnnlua -m runs COMMAND [ID | FILTER ...] [--flag=value ...]
local bnn = require "bnn"
local core = require "bnn.core"
local flags = require "bnn.run.flags"
local help_text = require "bnn.help.help_text"
local ledger = require "bnn.records.ledger"
local ledger_move = require "bnn.records.ledger_move"
local ledger_place = require "bnn.records.ledger_place"
local nearest = require "bnn.base.nearest"
local recorder = require "bnn.records.recorder"
local report = require "bnn.report.report"
local run_filter = require "bnn.records.run_filter"
local run_folder = require "bnn.records.run_folder"
local run_list = require "bnn.records.run_list"
local runs_curves = require "bnn.records.runs_curves"
local runs_rerun = require "bnn.records.runs_rerun"
local runs_resume = require "bnn.records.runs_resume"
local runs_show = require "bnn.records.runs_show"
local runs_table = require "bnn.records.runs_table"
local strings = require "bnn.base.strings"
local folder_book = require "bnn.sweep.books.folder_book"
local sweep_record = require "bnn.sweep.books.sweep_record"
local usage = require "bnn.run.usage"

local assert_or_exit = bnn.assert_or_exit
local PROGRAM = "bnnlua -m runs"

-- ---- what the words mean ----

local function folder_of(cfg)
  local root = run_folder.root(cfg.runs)
  assert_or_exit(root, "$BNNLUA_RUNS is empty: nothing is recorded; --runs=DIR names a folder")
  assert_or_exit(core.is_folder(root), root .. ": no such folder of runs; --runs=DIR names another")
  return root
end

-- The folder, whose ledger is where --ledger says, if it does.
local function root_of(cfg)
  local root = folder_of(cfg)
  if cfg.ledger then assert_or_exit(ledger_place.settle(root, cfg.ledger)) end
  return root
end

-- The URL of the ledger of a group, of which all is asked for; nil: a folder of runs is.
local function group_of(cfg)
  local place = cfg.ledger and assert_or_exit(ledger_place.parse(cfg.ledger))
  return place and ledger_place.is_url(place) and place or nil
end

-- All runs; ends the program, with status 1, if there are none.
local function read_all(cfg)
  local url = group_of(cfg)
  local place = url or root_of(cfg)
  local runs = assert_or_exit((url and run_list.read_all or run_list.read)(place))
  assert_or_exit(runs[1], place .. ": holds no runs")
  return runs
end

-- The run of a group that a word means.
local function pick(runs, url, word)
  local ids, names = {}, {}
  for i, run in ipairs(runs) do ids[i], names[run.id] = run.id, run.name end
  local id, fault = run_list.pick(word, ids, function(one) return names[one] end)
  return assert_or_exit(id, fault or strings.message("no run '%s' in %s", word, url))
end

local function find(cfg, runs, word)
  local url = group_of(cfg)
  if url then return pick(runs, url, word) end
  return (assert_or_exit(bnn.run.find(word, {runs = root_of(cfg)})))
end

-- The runs that words mean, ids and filters: those of any id that pass all filters.
local function select_runs(cfg, words)
  local runs, filters, wanted = read_all(cfg), {}, nil
  for _, word in ipairs(words) do
    if word:find "[=<>!~]" then
      filters[#filters + 1] = word
    else
      wanted = wanted or {}
      wanted[find(cfg, runs, word)] = true
    end
  end
  local kept = {}
  for _, run in ipairs(runs) do
    if not wanted or wanted[run.id] then kept[#kept + 1] = run end
  end
  kept = assert_or_exit(run_filter.select(kept, filters))
  assert_or_exit(kept[1], "no run passes " .. table.concat(words, " "))
  return kept
end

-- The same of commands that need the folders.
local function select_here(cfg, words)
  local runs = select_runs(cfg, words)
  assert_or_exit(run_list.check_here(runs))
  return runs
end

-- Ends the program if a column or group has a name that no run has.
local function check_names(runs, names)
  local _, known = run_filter.names(runs)
  for _, name in ipairs(names or {}) do
    if name ~= "config" then assert_or_exit(run_filter.check_name(runs, name, known)) end
  end
end

local function words_of(text)
  local list = {}
  for word in (text or ""):gmatch "[^,]+" do list[#list + 1] = word end
  return list
end

-- ---- list, compare, best ----

local function print_groups(cfg, runs)
  local by, metrics = words_of(cfg.group), words_of(cfg.columns)
  check_names(runs, by)
  check_names(runs, metrics)
  if not metrics[1] then metrics = runs_table.metrics(runs) end
  io.write(bnn.table_text.render(runs_table.group_rows(runs, by, metrics)))
end

local function print_runs(cfg, runs)
  if cfg.group then return print_groups(cfg, runs) end
  local columns, left_out = words_of(cfg.columns), 0
  check_names(runs, columns)
  if columns[1] then
    if columns[1] ~= "id" then table.insert(columns, 1, "id") end
  else
    columns, left_out = runs_table.columns(runs)
  end
  io.write(bnn.table_text.render(runs_table.rows(runs, columns), runs_table.titles(columns)))
  if left_out > 0 then
    strings.notice(("%d more flags and metrics: --columns=NAME,..."):format(left_out))
  end
end

-- The value that a run is sorted by, as a number or a text.
local function sort_runs(runs, name)
  local falling = name:sub(1, 1) == "-"
  local key = falling and name:sub(2) or name
  check_names(runs, {key})
  local place, value = {}, {}
  for i, run in ipairs(runs) do place[run], value[run] = i, run_filter.value(run, key) end
  table.sort(runs, function(a, b)
    local x, y = value[a], value[b]
    if x == y then return place[a] < place[b] end
    if x == nil or y == nil then return y == nil end
    if type(x) ~= type(y) then return type(x) == "number" end
    local before = type(x) == "number" and x < y or type(x) == "string" and strings.before(x, y)
    if falling then return not before end
    return before
  end)
end

local function list(cfg, words)
  local runs = select_runs(cfg, words)
  if cfg.sort then sort_runs(runs, cfg.sort) end
  local count = #runs
  if not cfg.all and not cfg.group and count > cfg.last then
    runs = table.move(runs, count - cfg.last + 1, count, 1, {})
    strings.notice(("the last %d of %d runs: --all shows all"):format(cfg.last, count))
  end
  print_runs(cfg, runs)
end

local function compare(cfg, words) print_runs(cfg, select_runs(cfg, words)) end

local function best(cfg, words)
  local metric = table.remove(words, 1)
  local runs, extreme = select_runs(cfg, words), cfg.mode == "max" and "most" or "least"
  check_names(runs, {metric})
  local kept = {}
  for _, run in ipairs(runs) do
    if run.metrics[metric] and run.metrics[metric][extreme] then kept[#kept + 1] = run end
  end
  assert_or_exit(kept[1], ("no run has a number for '%s'"):format(metric))
  table.sort(kept, function(a, b)
    local x, y = a.metrics[metric][extreme], b.metrics[metric][extreme]
    if x == y then return strings.before(a.id, b.id) end
    if cfg.mode == "max" then return x > y end
    return x < y
  end)
  kept = table.move(kept, 1, math.min(cfg.count, #kept), 1, {})
  local rows, differing = {}, runs_table.differing(kept)
  for i, run in ipairs(kept) do
    local m = run.metrics[metric]
    rows[i] = {run.id, m[extreme], m[extreme .. "_step"]}
    for k = 1, math.min(#differing, 8) do rows[i][3 + k] = run.config[differing[k]] end
  end
  local columns = runs_table.titles{"id", metric, "at step", table.unpack(differing, 1,
    math.min(#differing, 8))}
  io.write(bnn.table_text.render(rows, columns))
end

-- ---- one or two runs ----

local function open(cfg, word)
  if not group_of(cfg) then return assert_or_exit(bnn.run.open(word, {runs = root_of(cfg)})) end
  local run = select_here(cfg, {word})[1]
  return assert_or_exit(bnn.run.open(run.id, {runs = run.path:match "^(.*)/"}))
end

local function show(cfg, words) io.write(runs_show.run(open(cfg, words[1]))) end

local function diff(cfg, words)
  io.write(runs_show.difference(open(cfg, words[1]), open(cfg, words[2])))
end

local function curves(cfg, words)
  local metric = table.remove(words, 1)
  local runs = select_here(cfg, words)
  check_names(runs, {metric})
  local by = words_of(cfg.group)
  check_names(runs, by)
  local done, left_out = runs_curves.draw(runs, metric, {path = cfg.path, group = by})
  assert_or_exit(done, left_out)
  if left_out > 0 then strings.notice(("%d more curves are left out"):format(left_out)) end
  if cfg.path then print(cfg.path) else io.write(done) end
end

-- ---- a page ----

-- The command that makes the same page.
local function command_of(name)
  local parts = {PROGRAM, name}
  for i = 2, #arg do parts[#parts + 1] = strings.shell_word(arg[i]) end
  return table.concat(parts, " ")
end

local function write_report(cfg, words)
  assert_or_exit(cfg.output ~= "", "--output: expected the name of a file")
  local runs, by = select_here(cfg, words), words_of(cfg.group)
  check_names(runs, by)
  check_names(runs, {cfg.metric})
  assert_or_exit(report.write(cfg.output, runs, {
    root = root_of(cfg), group = by, metric = cfg.metric, mode = cfg.mode, title = cfg.title,
    command = command_of "report",
  }))
  print(cfg.output)
end

-- ---- tags and notes ----

-- The ledger of a folder that has all by itself; or nil.
local function open_ledger(root)
  local book, fault, kind = ledger.open(root, true)
  if kind == "lost" then
    strings.notice(fault .. ": `bnnlua -m runs rebuild` enters what changes")
  end
  return book
end

local function annotate(cfg, id, row)
  local root = root_of(cfg)
  local book = open_ledger(root)
  assert_or_exit(recorder.annotate(root .. "/" .. id, book, row))
  if book then book:close() end
end

local function tag(cfg, words)
  local id = assert_or_exit(bnn.run.find(table.remove(words, 1), {runs = root_of(cfg)}))
  for _, word in ipairs(words) do annotate(cfg, id, {[cfg.remove and "untag" or "tag"] = word}) end
end

local function note(cfg, words)
  local id = assert_or_exit(bnn.run.find(table.remove(words, 1), {runs = root_of(cfg)}))
  annotate(cfg, id, {note = table.concat(words, " ")})
end

-- ---- export, delete ----

local function export(cfg, words)
  local runs = select_runs(cfg, words)
  local text, fault
  if cfg.format == "json" then
    text, fault = runs_table.json(runs)
  else
    local names = run_filter.names(runs)
    local columns = words_of(cfg.columns)
    check_names(runs, columns)
    if not columns[1] then columns = names end
    text = runs_table.csv(runs_table.rows(runs, columns), columns)
  end
  assert_or_exit(text, fault)
  if not cfg.path then return io.write(text) end
  assert_or_exit(core.save_bytes(cfg.path, text))
  print(cfg.path)
end

local function confirmed(runs)
  assert_or_exit(core.terminal "stdin", "delete: nobody can answer here: --yes does not ask")
  io.stderr:write(("delete %d runs, %s? [y/N] "):format(#runs, runs[1].id
    .. (runs[2] and " and others" or "")))
  local answer = io.read() or ""
  return answer:find "^[yY]" ~= nil
end

-- Says what becomes of the sweeps whose runs have been deleted.
local function say_sweeps(cfg, runs, book)
  local seen, root = {}, root_of(cfg)
  for _, run in ipairs(runs) do
    if run.sweep and not seen[run.sweep] then
      seen[run.sweep] = true
      local text, fault
      if book then text, fault = sweep_record.after_deleting(root, book, run.sweep) else
        text = folder_book.after_deleting(root, run.sweep)
      end
      assert_or_exit(not fault, fault)
      if text then strings.notice(text) end
    end
  end
end

-- Takes a run out of the ledger; without one the queue of its sweep has it.
local function forget(cfg, book, run)
  if not book then
    return run.sweep and folder_book.lose_run(root_of(cfg), run)
  end
  assert_or_exit(book:change(function(write) ledger.forget(write, run.id) end))
end

local function delete(cfg, words)
  local runs = select_here(cfg, words)
  for _, run in ipairs(runs) do
    assert_or_exit(run.status ~= "running", run.id .. ": is still running")
  end
  assert_or_exit(cfg.yes or confirmed(runs), "nothing deleted")
  local book = open_ledger(root_of(cfg))
  for _, run in ipairs(runs) do
    assert_or_exit(run_folder.remove(run.path))
    forget(cfg, book, run)
    print(run.id)
  end
  say_sweeps(cfg, runs, book)
  if book then book:close() end
end

-- ---- verify, rerun, resume ----

-- Prints a line for each file that is not as it was; gives whether all are.
local function verify_one(run)
  if run.status == "running" or run.status == "dead" then
    print(("%s: %s, so it has no seal"):format(run.id, run.status))
    return true
  end
  local faults, good = run_folder.verify(run.path)
  if not faults then
    print(("BAD  %s: %s"):format(run.id, good))
    return false
  end
  for _, fault in ipairs(faults) do print(("BAD  %s: %s"):format(run.id, fault)) end
  if not faults[1] then print(("ok   %s: %d files"):format(run.id, good)) end
  return not faults[1]
end

local function verify(cfg, words)
  local runs, bad = select_here(cfg, words), 0
  for _, run in ipairs(runs) do
    if not verify_one(run) then bad = bad + 1 end
  end
  assert_or_exit(bad == 0, ("%d of %d runs are not what they were"):format(bad, #runs))
end

local function rerun(cfg, words)
  local run = open(cfg, words[1])
  local lines, agree = runs_rerun.replay(run, cfg.threads)
  assert_or_exit(lines, agree)
  print(table.concat(lines, "\n"))
  assert_or_exit(agree, run.id .. ": the replay differs")
end

local function resume(cfg, words)
  local run = open(cfg, words[1])
  assert_or_exit(runs_resume.resume(run, root_of(cfg), cfg.from_start))
end

-- ---- the ledger ----

local function sql(cfg, words)
  local url = group_of(cfg)
  local book <close> = url and assert_or_exit(ledger.open_place(url, nil, false))
    or assert_or_exit(ledger.open(root_of(cfg), false))
  local rows, names = book:ask_plain(table.concat(words, " "))
  assert_or_exit(rows, "sql: " .. tostring(names))
  if cfg.format == "csv" then return io.write(runs_table.csv(rows, names)) end
  io.write(bnn.table_text.render(rows, runs_table.titles(names)))
end

local function rebuild(cfg)
  local root = folder_of(cfg)
  local runs = assert_or_exit(run_list.rebuild(root))
  local sweeps = assert_or_exit(sweep_record.rebuild(root))
  print(("%s: %d runs%s"):format(ledger.name(root), runs,
    sweeps > 0 and (", %d sweep%s"):format(sweeps, sweeps > 1 and "s" or "") or ""))
end

local function move(cfg)
  assert_or_exit(cfg.ledger, "move: expected --ledger=sqlite, folder or postgresql://host/db")
  local place, fault = ledger_place.parse(cfg.ledger)
  assert_or_exit(place, fault and "--ledger: " .. fault)
  local root = folder_of(cfg)
  local done, is_new = ledger_move.move(root, place)
  assert_or_exit(done, is_new)
  if is_new then return rebuild(cfg) end
  print(done)
end

-- ---- the command line ----

local RUNS = {nil, "the folder of runs (default $BNNLUA_RUNS, else runs)", type = "string"}
local LEDGER = {nil, "postgresql://host/db: all runs of the ledger of a group; where runs are "
                  .. "changed, the ledger of the folder (sqlite, folder or a URL)", type = "string"}
local GROUP = {nil, "group by flags, NAME,...; config: by all that differ but the seed",
               type = "string"}
local COLUMNS = {nil, "the columns, NAME,...: fields, flags, metrics, least:METRIC, most:METRIC",
                 type = "string"}
local MANY, ANY = math.huge, " [ID | FILTER ...]"

local commands = {
  list = {
    about = "list runs, the newest last, with the flags that differ", run = list,
    words = " [FILTER ...]", least = 0, most = MANY,
    defaults = {
      columns = COLUMNS, group = GROUP, sort = {nil, "sort by a name; -NAME: falling",
                                                type = "string"},
      last = {20, "how many", min = 1}, all = {false, "show all"},
    },
  },
  show = {
    about = "show all that is known of a run", run = show, words = " ID", least = 1, most = 1,
  },
  compare = {
    about = "a table of runs with what differs; with --group mean, sd, se and n of each metric",
    run = compare, words = ANY, least = 0, most = MANY,
    defaults = {columns = COLUMNS, group = GROUP},
  },
  diff = {
    about = "what differs between two runs: flags, scripts, machine, data, metrics", run = diff,
    words = " ID ID", least = 2, most = 2,
  },
  best = {
    about = "the runs with the best value that a metric ever had", run = best,
    words = " METRIC" .. ANY, least = 1, most = MANY,
    defaults = {mode = {"max", "which value is best", choices = {"max", "min"}},
                count = {5, "how many runs", min = 1}},
  },
  curves = {
    about = "draw a metric over the steps: as text, or into a figure", run = curves,
    words = " METRIC" .. ANY, least = 1, most = MANY,
    defaults = {group = GROUP, path = {nil, "a figure to write, .svg or .png", type = "string"}},
  },
  report = {
    about = "write a page with tables, curves, figures, failures and provenance",
    run = write_report, words = ANY, least = 0, most = MANY,
    defaults = {
      output = {"report.html", "the file: one page that needs no network and no other file"},
      group = {"config", "flags that make a configuration, NAME,...; config: all that differ and "
                 .. "change the result, but the seed"},
      metric = {nil, "what the best is best by (default: accuracy, or the next that is known)",
                type = "string"},
      mode = {nil, "which values of it are better (default: by its name, else max)",
              choices = {"max", "min"}, type = "string"},
      title = {nil, "of the page (default: the names of the experiments)", type = "string"},
    },
  },
  tag = {
    about = "add tags to a run", run = tag, words = " ID TAG ...", least = 2, most = MANY,
    defaults = {remove = {false, "remove them instead"}},
  },
  note = {about = "add a note to a run", run = note, words = " ID TEXT", least = 2, most = MANY},
  export = {
    about = "write runs with their flags and metrics", run = export, words = ANY, least = 0,
    most = MANY,
    defaults = {
      format = {"csv", "what to write", choices = {"csv", "json"}},
      columns = {nil, "the columns of a CSV table (default: all)", type = "string"},
      path = {nil, "the file (default: standard output)", type = "string"},
    },
  },
  delete = {
    about = "delete runs, after asking", run = delete, words = " ID | FILTER ...", least = 1,
    most = MANY, defaults = {yes = {false, "do not ask"}},
  },
  verify = {
    about = "hash the files of finished runs again; status 1 when one has changed", run = verify,
    words = ANY, least = 0, most = MANY,
  },
  rerun = {
    about = "replay a run from its recorded script and flags; status 1 unless the bytes of its "
      .. "metrics and its output agree",
    run = rerun, words = " ID", least = 1, most = 1,
    defaults = {threads = {nil, "another number of threads", type = "integer", min = 1,
                           max = 256}},
  },
  resume = {
    about = "go on with a run that died, failed or was interrupted, from its last checkpoint, with "
      .. "its recorded script and flags: to the bits of one that never stopped",
    run = resume, words = " ID", least = 1, most = 1,
    defaults = {from_start = {false, "run one without checkpoints again from its first step"}},
  },
  sql = {
    about = "ask the ledger by SQL, read-only: tables run, param, metric, tag, note, attempt, ...",
    run = sql, words = " QUERY", least = 1, most = MANY,
    defaults = {format = {"table", "how to print", choices = {"table", "csv"}}},
  },
  rebuild = {about = "make the ledger again from the folders", run = rebuild, words = "", least = 0,
             most = 0},
  move = {
    about = "move the ledger of a folder of runs: to --ledger=postgresql://host/db, which a group "
      .. "shares, to sqlite, or to folder, which is none",
    run = move, words = "", least = 0, most = 0,
    defaults = {
      ledger = {nil, "where to: sqlite, folder or postgresql://host/db", type = "string"},
    },
  },
}
local ORDER = {"list", "show", "compare", "diff", "best", "curves", "report", "tag", "note",
               "export", "delete", "verify", "rerun", "resume", "sql", "rebuild", "move"}

-- Those that change the runs of a folder; of others --ledger=URL is all of a group's.
local CHANGES = {tag = true, note = true, delete = true, rerun = true, resume = true,
                 rebuild = true}

local function print_help(out)
  out:write(("usage: %s COMMAND [ID | FILTER ...] [--flag=value ...]\n\n"):format(PROGRAM))
  for _, name in ipairs(ORDER) do
    for i, line in ipairs(help_text.wrap(commands[name].about, 69)) do
      out:write(("  %-7s  %s\n"):format(i == 1 and name or "", line))
    end
  end
  out:write "\n"
  for _, line in ipairs(help_text.wrap("ID is an id, the start or the end of one that no other run "
    .. "has, the name of a run, or last. FILTER is NAME=VALUE, also with != < <= > >= and ~ "
    .. "(holds), where NAME is a field, a flag, a metric or tag: status=completed 'lr<0.01' "
    .. "'test/accuracy>0.97'. COMMAND --help shows the flags of a command; `help \"runs\"` at the "
    .. "prompt says more.", 80)) do
    out:write(line, "\n")
  end
  out:write "\nEnvironment: BNNLUA_RUNS=DIR the folder of runs; empty: nothing is recorded.\n"
end

local function find_command(word)
  if commands[word] then return commands[word] end
  local near = nearest.find(word, ORDER)
  local hint = near and (": did you mean %s?"):format(near) or ":"
  assert_or_exit(nil, ("no command '%s'%s known are %s"):format(word, hint,
    table.concat(ORDER, ", ")))
end

local function with_runs(defaults)
  local all = {runs = RUNS, ledger = LEDGER}
  for name, entry in pairs(defaults or {}) do all[name] = entry end
  return all
end

local function main(argv)
  local word = argv[1]
  if not word or word == "-h" or word == "--help" or word == "help" then
    print_help(word and io.stdout or io.stderr)
    return assert_or_exit(word, "expected a command: " .. table.concat(ORDER, ", "))
  end
  local command = find_command(word)
  local defaults, program = with_runs(command.defaults), ("%s %s%s"):format(PROGRAM, word,
    command.words)
  local rest = table.move(argv, 2, #argv, 1, {})
  if flags.wants_help(rest) then
    io.write(usage.text({about = command.about, defaults = defaults}, program, command.run))
    return
  end
  local cfg = assert_or_exit(flags.parse(rest, defaults, true))
  if CHANGES[word] and cfg.ledger then
    root_of(cfg)
    cfg.ledger = nil
  end
  local words = cfg.positional
  local count_fits = #words >= command.least and #words <= command.most
  assert_or_exit(count_fits, ("usage: %s"):format(program))
  command.run(cfg, words)
end

local function guarded(argv)
  local _ <close> = setmetatable({}, {__close = function(_, err)
    require "bnn.run.experiment".explain_interrupt(err)
  end})
  require "bnn.signal".guard(main, argv)
end

guarded(arg)
