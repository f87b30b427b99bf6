# slurm.sh - a private Slurm for long tests, which source it: munged, slurmctld and slurmd on this
# host, on loopback ports, with all that they write in one folder.
#
#   slurm_lacks              prints why it cannot be started here; nothing if it can
#   slurm_start FOLDER [N]   starts it and exports SLURM_CONF; N is MaxArraySize (1001). Status 1
#                            and the end of its log if it did not start
#   slurm_kill_controller    kill -9
#   slurm_start_controller   starts it again, with the state that it had
#   slurm_stop               ends all jobs and daemons
#
# FOLDER and those above it must be searchable by all (munged asks for it). A requeued task waits
# for cred_expire + 1 seconds, which are 121 by default and 6 here.

slurm_lacks() {
  local program
  for program in munged slurmctld slurmd sbatch squeue scontrol scancel; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || { echo "there is no $program"; return; }
  done
  [ "$(id -u)" = 0 ] || { echo "its daemons are started as root only"; return; }
  getent ahosts "$(hostname -s)" | grep -q '^127\.' || echo "$(hostname -s) is no loopback name"
}

# slurm_alive PIDFILE: whether that process lives; a zombie does not.
slurm_alive() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$pid/status"
}

# slurm_wait SECONDS COMMAND...: until it succeeds
slurm_wait() {
  local end=$((SECONDS + $1))
  shift
  while ! "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

slurm_write_configuration() { # HOST MAX_ARRAY_SIZE
  local d=$slurm_folder base=$((20000 + $$ % 20000))
  cat >"$d/slurm.conf" <<END
ClusterName=private
SlurmctldHost=$1(127.0.0.1)
SlurmctldPort=$base
SlurmdPort=$((base + 1))
SrunPortRange=$((base + 100))-$((base + 199))
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$d/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$d/state
SlurmdSpoolDir=$d/spool
SlurmctldPidFile=$d/slurmctld.pid
SlurmdPidFile=$d/slurmd.pid
SlurmctldLogFile=$d/log/slurmctld
SlurmdLogFile=$d/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=100000
SlurmdParameters=config_overrides
SlurmdTimeout=10
ReturnToService=1
JobRequeue=1
KillWait=5
MinJobAge=300
MaxArraySize=$2
NodeName=$1 NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=UNLIMITED State=UP
END
  printf 'CgroupAutomount=no\n' >"$d/cgroup.conf"
}

slurm_is_idle() { [ "$(timeout 5 sinfo -h -o %T 2>/dev/null)" = idle ]; }

slurm_start_controller() { slurmctld -f "$SLURM_CONF" "$@" >>"$slurm_folder/log/start" 2>&1; }

slurm_kill_controller() {
  kill -KILL "$(cat "$slurm_folder/slurmctld.pid")"
  slurm_wait 5 eval '! slurm_alive "$slurm_folder/slurmctld.pid"'
}

slurm_start() {
  slurm_folder=$1
  PATH=$PATH:/usr/sbin
  mkdir -p "$1/munge" "$1/state" "$1/spool" "$1/log" || return 1
  chmod 755 "$1" "$1/munge"
  chmod 700 "$1/log" "$1/state"
  (umask 077 && head -c 1024 /dev/urandom >"$1/munge/key")
  slurm_write_configuration "$(hostname -s)" "${2:-1001}"
  export SLURM_CONF=$1/slurm.conf
  munged --key-file="$1/munge/key" --socket="$1/munge/socket" --pid-file="$1/munge/pid" \
    --log-file="$1/munge/log" --seed-file="$1/munge/seed" >>"$1/log/start" 2>&1
  slurm_start_controller -c
  slurmd -f "$SLURM_CONF" >>"$1/log/start" 2>&1
  slurm_wait 15 slurm_is_idle && return 0
  tail -n 3 "$1"/log/*
  return 1
}

slurm_is_empty() { [ -z "$(timeout 5 squeue -h -t R,CG 2>/dev/null)" ]; }

slurm_stop() {
  local pid
  [ -n "${slurm_folder:-}" ] || return 0
  if slurm_alive "$slurm_folder/slurmctld.pid"; then
    timeout 10 scancel -u root 2>/dev/null
    slurm_wait 15 slurm_is_empty
  fi
  for pid in "$slurm_folder"/slurmctld.pid "$slurm_folder"/slurmd.pid "$slurm_folder"/munge/pid; do
    slurm_alive "$pid" || continue
    kill "$(cat "$pid")" 2>/dev/null
    slurm_wait 5 eval '! slurm_alive "$pid"' || kill -KILL "$(cat "$pid")"
  done
}
