#!/bin/sh
# A Slurm cluster of one node, this machine, from Debian's packages: `sudo workflow/slurm.sh FOLDER`.
#
#   apt-get install slurmctld slurmd slurm-client munge
#
# It keeps its state, logs and configuration in FOLDER, and is ready when the script ends. All of Slurm's programs find it
# by a link in /etc/slurm, so a machine that belongs to a cluster is refused. `workflow/slurm.sh FOLDER stop` ends it. For
# trying the workflow and for its tests:
#
#   snakemake --executor slurm --slurm-status-command squeue --jobs 2 --keep-going
set -eu

folder=$(mkdir -p "$1" && cd "$1" && pwd)
conf=$folder/slurm.conf
usual=/etc/slurm/slurm.conf # where jobs look, whose environment says nothing else

stop() {
    for name in slurmd slurmctld munged; do
        if [ -f "$folder/$name.pid" ]; then
            pid=$(cat "$folder/$name.pid")
            kill "$pid" 2>/dev/null || true
            for _ in $(seq 60); do # its port is free once it has gone
                kill -0 "$pid" 2>/dev/null || break
                sleep 0.5
            done
            rm -f "$folder/$name.pid"
        fi
    done
    if [ "$(readlink "$usual")" = "$conf" ]; then
        rm -f "$usual"
    fi
}

if [ "${2:-start}" = stop ]; then
    stop
    exit 0
fi

for program in munged slurmctld slurmd sinfo; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || { echo "$program is missing: see the head of $0" >&2; exit 2; }
done
if [ -e "$usual" ] && [ "$(readlink "$usual")" != "$conf" ]; then
    echo "$usual is there: this machine belongs to a cluster already" >&2
    exit 2
fi
PATH=$PATH:/usr/sbin
host=$(hostname -s)
memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)

mkdir -p "$folder/state" "$folder/spool" "$folder/log"
chmod 755 "$folder"
[ -f "$folder/munge.key" ] || dd if=/dev/urandom of="$folder/munge.key" bs=1 count=1024 2>/dev/null
chmod 600 "$folder/munge.key"

cat >"$conf" <<END
ClusterName=here
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
SlurmctldPort=${SLURMCTLD_PORT:-16817}
SlurmdPort=${SLURMD_PORT:-16818}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory State=UNKNOWN
PartitionName=here Nodes=$host Default=YES MaxTime=INFINITE State=UP
END

stop
munged --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/log/munged.log" --seed-file="$folder/munged.seed" --force
mkdir -p "$(dirname "$usual")"
ln -sfn "$conf" "$usual"
slurmctld
slurmd
for _ in $(seq 60); do
    case $(sinfo --noheader --format=%T 2>/dev/null) in
        idle* | mixed* | allocated*)
            echo "the node is ready"
            exit 0
            ;;
    esac
    sleep 0.5
done
echo "the node did not come up; see $folder/log" >&2
stop
exit 1
