--- The command line of an experiment: bnn.flags, and the text of --help: bnn.usage.
local lu = require "luaunit"
local flags = require "bnn.run.flags"
local usage = require "bnn.run.usage"

local defaults = {
  lr = {1e-3, "learning rate", above = 0},
  batch_size = {128, "examples in a step", type = "integer", min = 1, max = 1000},
  logvar = {-7, "initial log-variance", type = "number"},
  rounds = {4, "whole, as its default is", min = 1},
  widths = {{8, 16}, "whole, as its defaults are"},
  rate = {1, "a bound shows that it is none", above = 0.5},
  decays = {{1, 0.5}, "numbers"},
  beta = {1e-3, "weight of the KL", type = "schedule"},
  hidden = {{64, 64}, "units of each hidden layer", type = "integer", min = 1},
  kl = {"leading", "scale of the KL", choices = {"sum", "leading"}},
  data = {nil, "folder of the data set", type = "string"},
  ood = {false, "look at letters as well"},
  shuffle = {true, "new order in each epoch"},
  clip = {1, "largest gradient", infinite = true},
}

local function parse(...)
  return flags.parse({...}, defaults)
end

TestValues = {}

function TestValues.test_without_flags_every_default_is_there()
  lu.assertEquals(parse(), {
    lr = 1e-3, batch_size = 128, logvar = -7, beta = 1e-3, hidden = {64, 64}, kl = "leading",
    ood = false, shuffle = true, clip = 1, rounds = 4, widths = {8, 16}, rate = 1,
    decays = {1, 0.5},
  })
end

function TestValues.test_each_form_sets_a_value()
  local rows = {
    {{"--lr=0.1"}, "lr", 0.1}, {{"--lr", "0.1"}, "lr", 0.1}, {{"--logvar=1e-3"}, "logvar", 1e-3},
    {{"--logvar", "-3"}, "logvar", -3}, {{"--ood"}, "ood", true},
    {{"--no_shuffle"}, "shuffle", false}, {{"--no-shuffle"}, "shuffle", false},
    {{"--shuffle=false"}, "shuffle", false},
    {{"--ood=true"}, "ood", true}, {{"--batch-size=7"}, "batch_size", 7},
    {{"--kl=sum"}, "kl", "sum"}, {{"--data=a=b"}, "data", "a=b"},
    {{"--data="}, "data", ""}, {{"--hidden=5"}, "hidden", {5}},
    {{"--hidden=400,1e2"}, "hidden", {400, 100}}, {{"--hidden="}, "hidden", {}},
    {{"--beta=0.5"}, "beta", 0.5}, {{"--clip=inf"}, "clip", math.huge},
    {{"--clip=-INFINITY"}, "clip", -math.huge}, {{"--clip=0.5"}, "clip", 0.5},
    {{"--ood=True"}, "ood", true}, {{"--ood=on"}, "ood", true},
    {{"--shuffle=OFF"}, "shuffle", false},
    {{"--rounds=1e3"}, "rounds", 1000}, {{"--rounds", "+7"}, "rounds", 7},
    {{"--rounds=8.0"}, "rounds", 8}, {{"--widths=3,1e1"}, "widths", {3, 10}},
    {{"--rate=0.75"}, "rate", 0.75}, {{"--decays=2,0.25"}, "decays", {2, 0.25}},
    {{"--logvar", "-.5"}, "logvar", -0.5}, {{"--data=--x"}, "data", "--x"},
  }
  for _, row in ipairs(rows) do
    local cfg, fault = flags.parse(row[1], defaults)
    lu.assertNil(fault)
    lu.assertEquals(cfg[row[2]], row[3], row[1][1])
  end
end

function TestValues.test_an_integer_may_be_written_with_an_exponent_and_is_an_integer()
  lu.assertEquals(math.type(parse("--batch_size=1e2").batch_size), "integer")
  lu.assertEquals(math.type(parse("--rounds=1e3").rounds), "integer")
  lu.assertEquals(math.type(parse("--widths=1e1").widths[1]), "integer")
end

function TestValues.test_the_list_of_the_defaults_is_not_handed_out()
  parse().hidden[1] = 0
  lu.assertEquals(defaults.hidden[1], {64, 64})
end

TestRefusals = {}

function TestRefusals.test_each_names_the_flag_and_what_is_wanted()
  local rows = {
    {{"--beat=1"}, "unknown flag --beat: did you mean --beta?"},
    {{"--batchsize", "3"}, "unknown flag --batchsize: did you mean --batch_size?"},
    {{"--no_shufle"}, "unknown flag --no_shufle: did you mean --no_shuffle?"},
    {{"--no_lr"}, "unknown flag --no_lr: --help lists the flags"},
    {{"--zzzzzz"}, "unknown flag --zzzzzz: --help lists the flags"},
    {{"-lr"}, "unknown flag -lr: did you mean --lr?"},
    {{"--beta=abc"}, "--beta: expected a number or a schedule, such as "
      .. "cosine:1e-3:1e-5 or warmup:100:linear:1e-3:0, got 'abc'"},
    {{"--lr=abc"}, "--lr: expected a number, got 'abc'"},
    {{"--lr="}, "--lr: expected a number, got ''"},
    {{"--lr=1x"}, "--lr: expected a number, got '1x'"},
    {{"--lr=nan"}, "--lr: expected a number, got 'nan'"},
    {{"--lr=inf"}, "--lr: expected a number, got 'inf'"},
    {{"--lr=1e999"}, "--lr: expected a finite number, got '1e999'"},
    {{"--lr=0"}, "--lr: expected more than 0, got '0'"},
    {{"--batch_size=0"}, "--batch_size: expected at least 1, got '0'"},
    {{"--batch-size=0"}, "--batch-size: expected at least 1, got '0'"},
    {{"--batch_size", "0"}, "--batch_size: expected at least 1, got '0'"},
    {{"--batch_size=1001"}, "--batch_size: expected at most 1000, got '1001'"},
    {{"--batch_size=0.5"}, "--batch_size: expected an integer, got '0.5'"},
    {{"--batch_size=9e99"}, "--batch_size: expected an integer, got '9e99'"},
    {{"--batch_size=1e300"}, "--batch_size: expected an integer, got '1e300'"},
    {{"--hidden=0"}, "--hidden: expected at least 1, got '0'"},
    {{"--hidden=64,0"}, "--hidden: expected at least 1, got '64,0'"},
    {{"--hidden=64,"}, "--hidden: expected an integer, or several with commas, got '64,'"},
    {{"--kl=sun"}, "--kl: expected one of sum, leading (did you mean sum?), got 'sun'"},
    {{"--ood=perhaps"}, "--ood: expected true or false, got 'perhaps'"},
    {{"--ood="}, "--ood: expected true or false, got ''"},
    {{"--no_ood=1"}, "--no_ood takes no value"},
    {{"--help=1"}, "--help takes no value"},
    {{"--help=", "--lr=1"}, "--help takes no value"},
    {{"-h=no"}, "-h takes no value"},
    {{"-lr=1"}, "unknown flag -lr: did you mean --lr?"},
    {{"--=1"}, "unknown flag --: --help lists the flags"},
    {{"--rounds=3.5"}, "--rounds: expected an integer, as its default is, got '3.5' (a number of "
      .. "any kind: type = \"number\" in the experiment's defaults)"},
    {{"--rounds=1e-3"}, "--rounds: expected an integer, as its default is, got '1e-3' (a number "
      .. "of any kind: type = \"number\" in the experiment's defaults)"},
    {{"--rounds=x"}, "--rounds: expected an integer, got 'x'"},
    {{"--rounds=0"}, "--rounds: expected at least 1, got '0'"},
    {{"--rounds=1e400"}, "--rounds: expected a finite number, got '1e400'"},
    {{"--rounds=nan"}, "--rounds: expected an integer, got 'nan'"},
    {{"--rounds=9223372036854775808"}, "--rounds: expected an integer, got '9223372036854775808'"},
    {{"--widths=8,0.5"}, "--widths: expected an integer, got '8,0.5'"},
    {{"--widths=8,,9"}, "--widths: expected an integer, or several with commas, got '8,,9'"},
    {{"--clip=nan"}, "--clip: expected a number, got 'nan'"},
    {{"--lr"}, "--lr: expected a value"},
    {{"--data", "--ood"}, "--data: expected a value"},
    {{"--lr=1", "--lr=1"}, "--lr: given twice"},
    {{"--ood", "--no_ood"}, "--no_ood: given twice"},
    {{"file"}, "unexpected argument file: flags are written --name=value"},
    {{"--", "--lr=1"}, "unexpected argument --lr=1: flags are written --name=value"},
  }
  for _, row in ipairs(rows) do
    local cfg, fault = flags.parse(row[1], defaults)
    lu.assertNil(cfg, row[1][1])
    lu.assertEquals(fault, row[2])
  end
end

function TestRefusals.test_a_required_flag_that_is_missing_is_named_with_its_meaning()
  local _, fault = flags.parse({}, {data = {nil, "folder of the data set", required = true}})
  lu.assertEquals(fault, "--data: expected a value: folder of the data set")
end

function TestRefusals.test_malformed_defaults_raise_with_the_name_of_the_entry()
  local rows = {
    {{lr = 1}, "defaults.lr: expected {value, \"meaning\"}"},
    {{lr = {1}}, "defaults.lr: expected {value, \"meaning\"}"},
    {{lr = {0, "rate", min = 1}}, "defaults.lr: expected at least 1, got 0"},
    {{help = {0, "taken"}}, "defaults: 'help' cannot be the name of a flag"},
    {{["a-b"] = {0, "dash"}}, "defaults: 'a-b' cannot be the name of a flag"},
    {{["\27c"] = {0, "reset"}}, "defaults: '\\x1bc' cannot be the name of a flag"},
  }
  for _, row in ipairs(rows) do
    lu.assertErrorMsgEquals(row[2], flags.parse, {}, row[1])
  end
end

TestPositional = {}

function TestPositional.test_words_are_kept_where_the_experiment_wants_them()
  local cfg = flags.parse({"a", "--lr=1", "-5", "--", "--b"}, defaults, true)
  lu.assertEquals(cfg.positional, {"a", "-5", "--b"})
  lu.assertEquals(cfg.lr, 1)
  lu.assertEquals(flags.parse({}, defaults, true).positional, {})
end

TestHelpText = {}

function TestHelpText.test_help_is_seen_before_the_end_of_flags_only()
  lu.assertTrue(flags.wants_help{"--lr=1", "--help"})
  lu.assertTrue(flags.wants_help{"-h"})
  lu.assertFalse(flags.wants_help{"--", "-h"})
  lu.assertFalse(flags.wants_help{})
end

local function toy()
  local experiment = {
    about = ("words "):rep(30),
    defaults = {
      zeta = {1e-3, "first in the source"},
      alpha = {{64, 64}, "second", type = "integer"},
      a_flag_with_a_very_long_name = {nil, "no default"},
      quiet = {true, ("long "):rep(20)},
      kl = {"sum", "scale", choices = {"sum", "leading"}},
    },
  }
  function experiment.run() return experiment end
  return experiment
end

function TestHelpText.test_flags_stand_in_the_order_of_the_source()
  local experiment = toy()
  lu.assertEquals(usage.order(experiment, experiment.run),
    {"zeta", "alpha", "a_flag_with_a_very_long_name", "quiet", "kl"})
end

function TestHelpText.test_without_a_source_they_stand_by_name()
  lu.assertEquals(usage.order({defaults = {b = {1, ""}, a = {1, ""}}}, print), {"a", "b"})
end

function TestHelpText.test_an_order_of_the_experiment_comes_first()
  local experiment = toy()
  experiment.order = {"quiet", "kl"}
  lu.assertEquals(usage.order(experiment, experiment.run),
    {"quiet", "kl", "zeta", "alpha", "a_flag_with_a_very_long_name"})
  experiment.order = {"quit"}
  lu.assertErrorMsgEquals("order: 'quit' is not in defaults",
    usage.order, experiment, experiment.run)
end

function TestHelpText.test_it_shows_meanings_and_defaults_in_columns_of_eighty()
  local experiment = toy()
  local text = usage.text(experiment, "bnnlua toy.lua", experiment.run)
  local function has(line) lu.assertStrContains(text, "\n" .. line .. "\n") end
  lu.assertStrContains(text, "usage: bnnlua toy.lua [--flag=value ...]\n\nwords words")
  has "  --zeta=NUMBER             first in the source (default 0.001)"
  has "  --alpha=INTEGER,...       second (default 64,64)"
  has "  --a_flag_with_a_very_long_name=TEXT\n                            no default"
  has "  --[no_]quiet              long long long long long long long long long long"
  has "  --kl=sum|leading          scale (default sum)"
  has "  --help                    show this text"
  experiment.positional = {"image.png ...", "pictures of one character each"}
  text = usage.text(experiment, "bnnlua toy.lua", experiment.run)
  lu.assertStrContains(text, "usage: bnnlua toy.lua [--flag=value ...] image.png ...\n")
  has "  image.png ...             pictures of one character each"
  for line in text:gmatch "[^\n]+" do lu.assertTrue(#line <= 80, line) end
end

function TestHelpText.test_what_does_not_fit_beside_a_long_path_stands_below_it()
  local experiment = toy()
  local function first_lines(length)
    local program = "bnnlua " .. ("d"):rep(length - #"bnnlua ")
    local text = usage.text(experiment, program, experiment.run)
    lu.assertStrContains(text, "usage: " .. program)
    return text:sub(#"usage: " + length + 1):match "^(.-)\n\n"
  end
  lu.assertEquals(first_lines(54), " [--flag=value ...]")
  lu.assertEquals(first_lines(55), "\n       [--flag=value ...]")
  lu.assertEquals(first_lines(200), "\n       [--flag=value ...]")
  experiment.positional = {"image.png ...", "pictures of one character each"}
  lu.assertEquals(first_lines(40), " [--flag=value ...] image.png ...")
  lu.assertEquals(first_lines(41), " [--flag=value ...]\n       image.png ...")
end

TestRenamedFlags = {}

function TestRenamedFlags.test_an_old_flag_is_refused_with_the_new_one()
  local own = {data_dir = {nil, "folder"}, preprocess = {true, "centre"}}
  local renamed = {data = "data_dir", fit = "preprocess"}
  local rows = {
    {"--data=x", "--data is now --data_dir"}, {"--data", "--data is now --data_dir"},
    {"--fit", "--fit is now --preprocess"}, {"--no-fit", "--no-fit is now --no_preprocess"},
    {"--renamed=x", "unknown flag --renamed: --help lists the flags"},
  }
  for _, row in ipairs(rows) do
    local cfg, fault = flags.parse({row[1]}, own, false, renamed)
    lu.assertNil(cfg)
    lu.assertEquals(fault, row[2])
  end
  lu.assertEquals(flags.parse({"--data_dir=x"}, own, false, renamed),
    {data_dir = "x", preprocess = true})
end

function TestRenamedFlags.test_a_flag_of_an_old_name_that_the_experiment_has_is_its_own()
  lu.assertEquals(flags.parse({"--data=x"}, {data = {nil, "folder"}}, false, {data = "data_dir"}),
    {data = "x"})
end

os.exit(lu.LuaUnit.run())
