# slurm_fake.sh - sbatch, squeue, scontrol, scancel and sacct that only take notes, for tests which
# source this after checks.sh; they are first on PATH. A folder, $T/cluster, is what they know:
#
#   jobs/ID/name array script     what was submitted, and jobs/ID/state of its tasks: PENDING
#   jobs/ID/task.INDEX            the state of one of them
#   requeued                      what scontrol was told
#   answer                        of sbatch. lost: it submits and fails; refuse: it fails; gone: it
#                                 submits what has failed when it is asked for; none: it is well
#   down                          while it is there, the controller does not answer
#   largest                       MaxArraySize (1001)
#
#   run_tasks ID [INDEX ...]      makes tasks of a job (all that are pending) as Slurm would
cluster=$T/cluster
mkdir -p "$T/bin" "$cluster/jobs"
PATH=$T/bin:$PATH
export cluster PATH

program() { # NAME: its text on stdin
  { echo '#!/usr/bin/env bash' && cat; } >"$T/bin/$1"
  chmod +x "$T/bin/$1"
}

program slurm_common <<'END'
if [ -e "$cluster/down" ]; then
  echo "${0##*/}: error: Unable to contact slurm controller (connect failure)" >&2
  exit 1
fi
indices() { # JOB
  local range=$(cat "$cluster/jobs/$1/array")
  range=${range%%\%*}
  seq "${range%-*}" "${range#*-}"
}
state() { cat "$cluster/jobs/$1/task.$2" 2>/dev/null || cat "$cluster/jobs/$1/state"; } # JOB INDEX
END

program sbatch <<'END'
[ "$1" != --version ] || exec echo "slurm-wlm 22.05.8"
. slurm_common
answer=$(cat "$cluster/answer" 2>/dev/null)
if [ "$answer" = refuse ]; then
  echo "sbatch: error: invalid partition specified: x" >&2
  exit 1
fi
job=$(($(ls "$cluster/jobs" | wc -l) + 1))
mkdir "$cluster/jobs/$job"
for word; do
  case $word in
  --job-name=*) echo "${word#*=}" >"$cluster/jobs/$job/name" ;;
  --array=*) echo "${word#*=}" >"$cluster/jobs/$job/array" ;;
  esac
done
cat >"$cluster/jobs/$job/script"
echo PENDING >"$cluster/jobs/$job/state"
[ "$answer" != gone ] || echo NODE_FAIL >"$cluster/jobs/$job/state"
if [ "$answer" = lost ]; then
  echo "sbatch: error: Batch job submission failed: Socket timed out" >&2
  exit 1
fi
echo "$job"
END

program squeue <<'END'
. slurm_common
for word; do case $word in --name=*) names=,${word#*=}, ;; esac; done
for folder in "$cluster"/jobs/*/; do
  [ -e "$folder/name" ] || continue
  job=$(basename "$folder") name=$(cat "$folder/name")
  case $names in *,"$name",*) ;; *) continue ;; esac
  for index in $(indices "$job"); do echo "$name|$job|$index|$(state "$job" "$index")|Priority"; done
done
END

program scancel <<'END'
. slurm_common
for folder in "$cluster"/jobs/*/; do
  [ "--name=$(cat "$folder/name")" = "$1" ] || continue
  echo CANCELLED >"$folder/state"
  [ "${2:-}" = --state=PENDING ] || rm -f "$folder"/task.*
done
END

program scontrol <<'END'
. slurm_common
case $1 in
show) echo "MaxArraySize            = $(cat "$cluster/largest" 2>/dev/null || echo 1001)" ;;
requeue) echo "$2" >>"$cluster/requeued" ;;
esac
END

program sacct <<'END'
echo "Slurm accounting storage is disabled" >&2
exit 1
END

run_tasks() {
  local job=$1 index
  shift
  for index in $(
    . slurm_common
    for i in ${*:-$(indices "$job")}; do [ "$(state "$job" "$i")" != PENDING ] || echo "$i"; done
  ); do
    echo RUNNING >"$cluster/jobs/$job/task.$index"
    SLURM_ARRAY_JOB_ID=$job SLURM_ARRAY_TASK_ID=$index SLURM_JOB_ID=$job \
      bash "$cluster/jobs/$job/script" >>"$cluster/jobs/$job/out.$index" 2>&1 </dev/null
    echo "$?" >"$cluster/jobs/$job/status.$index"
    echo COMPLETED >"$cluster/jobs/$job/task.$index"
  done
}
