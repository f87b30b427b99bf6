-- The options of sbatch that users give, the scripts, and how runs are divided into arrays.
local lu = require "luaunit"
local slurm_options = require "bnn.slurm.slurm_options"
local slurm_script = require "bnn.slurm.slurm_script"

TestSlurmOptions = {}

function TestSlurmOptions.test_options_are_lines_with_their_values()
  local rows = {
    {"", {}}, {"  ", {}}, {"--time=1:00:00", {"--time=1:00:00"}},
    {"-p x -t 10  --exclusive", {"-p x", "-t 10", "--exclusive"}},
    {"--gres=gpu:a100:1 --mem=4G", {"--gres=gpu:a100:1", "--mem=4G"}},
    {"--comment='a b'", {'"--comment=a b"'}},
    {[[--comment="a 'b' \"c\" \\"]], {[["--comment=a 'b' \"c\" \\"]]}},
    {[[--comment=a\ #b]], {'"--comment=a #b"'}}, {"--comment=$(rm)", {'"--comment=$(rm)"'}},
    {"--account=a --acctg-freq=0", {"--account=a", "--acctg-freq=0"}},
    {"--wait-all-nodes=1", {"--wait-all-nodes=1"}}, {"--comment ''", {'--comment ""'}},
  }
  for _, row in ipairs(rows) do lu.assertEquals({slurm_options.read(row[1])}, {row[2]}, row[1]) end
end

function TestSlurmOptions.test_options_that_are_the_sweeps_own_are_refused()
  for _, text in ipairs{"--array=1", "--arr 1", "-a 1", "-a1", "--job-name=x", "--job x", "-Jx",
                        "--wait", "-W", "--wrap=ls", "--test-only", "-M x", "--clusters=x"} do
    local lines, fault = slurm_options.read("--time=1 " .. text)
    lu.assertNil(lines, text)
    lu.assertStrContains(fault, "is refused", false, text)
  end
end

function TestSlurmOptions.test_what_is_no_list_of_options_is_refused()
  for _, row in ipairs{{"x", "expected options of sbatch"}, {"--a='b", "without its partner"},
                       {"--time=1\n#SBATCH --array=1", "one line"}, {"--x=\0", "one line"}} do
    local lines, fault = slurm_options.read(row[1])
    lu.assertNil(lines, row[1])
    lu.assertStrContains(fault, row[2])
  end
end

TestSlurmScript = {}

-- The sizes and throttles of arrays as text, and runs of each task.
local function arrays(runs, per_task, throttle, largest)
  local list, each = slurm_script.arrays(runs, {per_task = per_task, throttle = throttle,
                                                largest = largest})
  local words = {}
  for i, array in ipairs(list) do words[i] = slurm_script.indices(array) end
  return table.concat(words, " ") .. " x" .. each
end

function TestSlurmScript.test_runs_are_divided_into_arrays()
  local rows = {
    {1, 1, 0, 1001, "0-0 x1"}, {12, 1, 2, 1001, "0-11%2 x1"}, {1001, 1, 0, 1001, "0-1000 x1"},
    {1002, 1, 0, 1001, "0-500 0-500 x1"}, {25, 1, 7, 11, "0-7%3 0-7%2 0-8%2 x1"},
    {10, 4, 0, 1001, "0-2 x4"}, {12, 1, 2, 4, "0-2%1 0-2%1 x2"}, {100, 1, 1, 10, "0-9%1 x10"},
    {0, 1, 0, 10, " x1"},
  }
  for _, row in ipairs(rows) do
    lu.assertEquals(arrays(table.unpack(row, 1, 4)), row[5], table.concat(row, " "))
  end
end

function TestSlurmScript.test_arrays_make_all_runs_within_their_limits()
  for runs = 1, 60 do
    for _, largest in ipairs{1, 2, 7, 13} do
      for _, throttle in ipairs{0, 1, 3, 20} do
        local list, each = slurm_script.arrays(runs, {per_task = 1, throttle = throttle,
                                                      largest = largest})
        local tasks, at_once = 0, 0
        for _, array in ipairs(list) do
          lu.assertTrue(array.count >= 1 and array.count <= largest)
          lu.assertEquals(array.throttle > 0, throttle > 0)
          tasks, at_once = tasks + array.count, at_once + array.throttle
        end
        lu.assertEquals(tasks, -(-runs // each))
        lu.assertEquals(at_once, throttle)
      end
    end
  end
end

function TestSlurmScript.test_names_of_folders_are_words_of_the_script()
  local text = slurm_script.text({name = "bnn-1", count = 3, throttle = 0}, {
    root = "/r's %j", sweep = "a b", per_task = 2, options = {"--time=1"},
  })
  lu.assertStrContains(text, [[#SBATCH "--output=/r's %%j/sweeps/a b/slurm-%A_%a.out"]])
  lu.assertStrContains(text, [[-m sweep '--worker=/r'\''s %j' '--name=a b' --count=2]])
  lu.assertStrContains(text, "#SBATCH --array=0-2\n")
end

os.exit(lu.LuaUnit.run())
