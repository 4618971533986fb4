#!/bin/sh
# A Slurm cluster of one node, this machine, to try the workflow on. It takes Debian's packages and no root rights.
#
#   sudo apt-get install slurmctld slurmd slurm-client munge
#   workflow/slurm.sh start FOLDER    # returns when the node is ready; FOLDER must be new or empty
#   . FOLDER/environment              # the Slurm of this shell is now the one in FOLDER
#   snakemake --executor slurm --slurm-status-command squeue --jobs 2
#   workflow/slurm.sh stop FOLDER     # ends its jobs and daemons, removes FOLDER
#
# All of it lies in FOLDER, nothing in /etc or /run. SLURMCTLD_PORT and SLURMD_PORT give its ports other numbers than
# 16817 and 16818; they talk to who has the key in FOLDER, and listen to this machine only if its name stands for
# 127.0.0.1. Neither systemd nor cgroups are needed, so it runs in a container. The node has the CPUs and the memory of
# this machine, no GPUs, and does not hold jobs to what they asked for. A machine of a real cluster is refused.
set -eu

PROGRAMS="munged slurmctld slurmd sbatch srun scancel sinfo squeue"
PATH=$PATH:/usr/sbin:/sbin

refuse() {
    echo "$0: $*" >&2
    exit 2
}

require_programs() {
    missing=
    for program in $PROGRAMS; do
        command -v "$program" >/dev/null || missing="$missing $program"
    done
    [ -z "$missing" ] ||
        refuse "cannot find$missing: on Debian or Ubuntu, apt-get install slurmctld slurmd slurm-client munge"
}

require_no_other_cluster() {
    for other in "${SLURM_CONF:-}" /etc/slurm/slurm.conf /etc/slurm-llnl/slurm.conf /run/slurm/conf/slurm.conf; do
        [ ! -e "$other" ] ||
            refuse "this machine belongs to a cluster, see $other: give its jobs to that one, without this script"
    done
    if (unset SLURM_CONF && timeout 10 sinfo) >/dev/null 2>&1; then # found by its name in the network
        refuse "this machine belongs to a cluster, see what sinfo says: give its jobs to that one, without this script"
    fi
}

write_configuration() {
    host=$(hostname -s)
    # Slurm can keep to the one address that the host's name stands for, but then step and srun must meet there
    case $(getent ahostsv4 "$host") in
        127.0.0.1\ *) listen=NoInAddrAny,NoCtldInAddrAny ;;
        *) listen='' ;;
    esac
    cpus=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)
    memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo) # megabytes
    mkdir "$folder/state" "$folder/spool" "$folder/log" "$folder/pid" "$folder/bin"
    cat >"$conf" <<END
ClusterName=here
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
${listen:+CommunicationParameters=$listen}
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/pid/slurmctld.own
SlurmdPidFile=$folder/pid/slurmd.own
SlurmctldPort=${SLURMCTLD_PORT:-16817}
SlurmdPort=${SLURMD_PORT:-16818}
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
KillWait=5
MinJobAge=86400
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=here Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
    case $(slurmd -V) in # those from 24.05 on want to be told to do without cgroups, those before do not know the word
        *\ 2[0-3].* | *\ 24.02.*) ;;
        *) echo CgroupPlugin=disabled >"$folder/cgroup.conf" ;;
    esac
    # Snakemake clears what begins with SLURM_ before it calls srun within a job, and so would lose the configuration
    cat >"$folder/bin/srun" <<END
#!/bin/sh
SLURM_CONF=$conf exec $(command -v srun) "\$@"
END
    chmod +x "$folder/bin/srun"
    cat >"$folder/environment" <<END
export SLURM_CONF=$conf PATH=$folder/bin:\$PATH
END
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
}

launch() { # NAME ARGUMENTS...
    name=$1
    shift
    setsid "$name" "$@" </dev/null >"$folder/log/$name" 2>&1 &
    echo $! >"$folder/pid/$name"
}

process() { # NAME: the id of this daemon, if it runs
    [ -f "$folder/pid/$1" ] || return 1
    pid=$(cat "$folder/pid/$1")
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] || return 1
    ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null || return 1 # ended, but nobody has asked how
    echo "$pid"
}

soon() { # COMMAND...: wait until it succeeds, at most 30 seconds
    for _ in $(seq 120); do
        ! "$@" || return 0
        sleep 0.25
    done
    return 1
}

has_socket() { [ -S "$folder/munge.socket" ]; }
has_ended() { ! process "$1" >/dev/null; }
has_no_jobs() { [ -z "$(squeue --noheader)" ]; }
runs() { kill -0 "$(cat "$folder/pid/$1")" 2>/dev/null; }
has_node() { [ "$(timeout 5 sinfo --noheader --format=%T 2>/dev/null)" = idle ]; }
has_settled() { ! runs slurmctld || ! runs slurmd || has_node; }

start_daemons() {
    launch munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
        --pid-file="$folder/pid/munged.own" --seed-file="$folder/munge.seed"
    soon has_socket || return
    launch slurmctld -D -f "$conf"
    launch slurmd -D -f "$conf"
    soon has_settled && has_node
}

stop() {
    if process slurmctld >/dev/null && process munged >/dev/null; then
        timeout 10 scancel --user="$(id -un)" || true
        soon has_no_jobs || true
    fi
    for name in slurmd slurmctld munged; do
        pid=$(process "$name") || continue
        kill "$pid" 2>/dev/null || true # it may have ended by itself
        soon has_ended "$name" || kill -9 "$pid" || true
    done
    rm -rf "$folder"
}

fail() {
    trap - EXIT
    tail -n 20 "$folder"/log/* >&2 || true
    stop
    echo "$0: the node did not come up; above is what its daemons said" >&2
    exit 1
}

[ $# = 2 ] || refuse "usage: $0 start FOLDER | stop FOLDER"
folder=$(realpath -m -- "$2")
conf=$folder/slurm.conf
case $1 in
    start)
        case $folder in
            *[!A-Za-z0-9/._+-]*) refuse "$folder has a character that Slurm's configuration does not take: rename it" ;;
        esac
        [ -z "$(ls -A "$folder" 2>/dev/null)" ] || refuse "$folder is not empty: stop what runs there, or take another"
        require_no_other_cluster
        require_programs
        mkdir -p "$folder"
        chmod 700 "$folder"
        export SLURM_CONF="$conf"
        trap fail EXIT
        trap 'exit 1' INT TERM HUP
        write_configuration
        start_daemons
        trap - EXIT
        echo "the node is ready: . $folder/environment"
        ;;
    stop)
        [ -f "$conf" ] && [ -d "$folder/pid" ] || refuse "no cluster was started in $folder"
        export SLURM_CONF="$conf"
        stop
        ;;
    *) refuse "usage: $0 start FOLDER | stop FOLDER" ;;
esac
