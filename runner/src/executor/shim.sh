#!/bin/sh
# The process beside one agent. It outlives whoever starts it, starts the agent at most once, records how it ended, and
# is the dead-man's switch that needs no runner.
#
#   sh shim.sh start RUN CGROUP MARK CWD AGENT_PATH IN ERR ARGV...
#
# RUN: run directory with FIFO `in` and file `deadline`. CGROUP: empty, or a cgroup v2 directory with the children
# `shim` and `agent`. MARK: <task>.e<epoch>. IN: `in` or /dev/null. ERR: `err`, or `out` for one merged log. The caller gives it a
# session of its own. POSIX sh as dash, busybox and bash 3.2 read it; nothing is ever evaluated as text.
set -u
verb=$1 run=$2 cgroup=$3 mark=$4 cwd=$5 agent_path=$6 in=$7 err=$8
shift 8
umask 077
held=group
[ -z "$cgroup" ] || held=cgroup
cd "$run" || exit 75

stat_of() { # sets stat: what /proc says of process $1 behind its name, which may hold spaces, parentheses and line ends
  stat=
  while IFS= read -r line || [ -n "$line" ]; do stat="$stat $line"; done <"/proc/$1/stat" || return 1
  stat=${stat##*) }
  [ -n "$stat" ]
}
identity() { # "<pid> <start> <boot id> <how it is held>" of this very shell: a pid alone is reused by strangers
  if [ -r "/proc/$$/stat" ]; then
    stat_of $$
    read -r boot </proc/sys/kernel/random/boot_id
    set -- $stat
    start=${20}
  else
    set -- $(LC_ALL=C TZ=UTC ps -o lstart= -p $$)
    start=$1_$2_$3_$4_$5 boot=$(sysctl -n kern.bootsessionuuid)
  fi
  printf '%s %s %s %s\n' $$ "$start" "$boot" "$held"
}
boot_now() { # sets now: milliseconds since boot, asleep or awake
  if [ -r /proc/uptime ]; then
    read -r up _ </proc/uptime
    now=${up%.*}${up#*.}0
  else
    up=$(sysctl -n kern.boottime)
    up=${up#*sec = }
    now=$((($(date +%s) - ${up%%,*}) * 1000))
  fi
}
parent_of() { # our own pid for a process that has ended
  if [ -r "/proc/$$/stat" ]; then
    if stat_of "$1"; then set -- $stat; else set -- - $$; fi
  else
    set -- - $(ps -o ppid= -p "$1") $$
  fi
  echo "$2"
}
members() { # the pids of the agent and all it started; without a cgroup those that left the agent's own group
  if [ -n "$cgroup" ]; then
    find "$cgroup/agent" -name cgroup.procs -exec cat {} +
    return
  fi
  for pid in $(grep -lsxzF "SWITCHYARD_ATTEMPT=$mark" /proc/[0-9]*/environ | tr -dc '0-9\n'); do
    stat_of "$pid" || continue
    set -- $stat
    [ "$3" = "$leader" ] || echo "$pid"
  done
}
signal_tree() { # each once, since two requests are often read as an order; fails when there was nobody to signal
  signalled=1 leader=
  if [ -z "$cgroup" ]; then
    [ ! -f agent ] || read -r leader _ <agent
    case $leader in '' | 0 | 1 | *[!0-9]*) leader= ;; esac
    # The agent can write to that file: a leader that lives must be our child.
    [ -z "$leader" ] || [ "$(parent_of "$leader")" != $$ ] || { kill -s "$1" -- "-$leader" && signalled=0; }
  elif [ "$1" = KILL ]; then
    echo 1 >"$cgroup/agent/cgroup.kill"
  fi
  pids=$(members)
  [ -z "$pids" ] || { kill -s "$1" $pids && signalled=0; }
  return $signalled
}
settle() { # ends what the agent left behind, so that nobody writes to the log once `exit` is there
  signal_tree TERM || return 0
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.1 || sleep 1
    signal_tree 0 || return 0
  done
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    signal_tree KILL
    sleep 0.1 || sleep 1
    [ -n "$(members)" ] || return 0
  done
}
dead_man() { # asks at the soft time, kills past the deadline; a deadline that was never readable has passed
  soft=0 hard=0 asked=
  while [ -d claim ] && [ ! -e exit ]; do
    s='' h=''
    [ ! -f deadline ] || read -r s h _ <deadline
    case $s:$h in : | :* | *: | *[!0-9:]* | ????????????????????????????????*) ;; *) soft=$s hard=$h ;; esac
    # Not before the agent is there: by then its input is open, and cannot wait for a writer for ever.
    [ ! -e in.eof ] || [ ! -e agent ] || exec 3>&-
    boot_now
    if [ "$now" -ge "$hard" ]; then
      [ -e killed ] || { printf 'deadline %s\n' "$now" >killed.new && mv -f killed.new killed; }
      signal_tree KILL || kill -0 $$ || return
    elif [ "$now" -ge "$soft" ] && [ "$asked" != "$soft" ]; then
      asked=$soft
      signal_tree TERM
    fi
    sleep 1 3>&-
  done
}

if [ "$verb" = agent ]; then # inside the agent's own session, just before it becomes the agent
  [ -z "$cgroup" ] || echo 0 >"$cgroup/agent/cgroup.procs" || exit 125
  identity >agent.new && mv -f agent.new agent || exit 125
  export SWITCHYARD_ATTEMPT="$mark"
  umask 022
  cd "$cwd" || exit 126
  PATH=$agent_path
  exec "$@"
fi

# The claim is taken here and not by the runner, which may therefore start a shim as often as it likes.
mkdir claim || exit 0
trap '' HUP INT TERM
[ -z "$cgroup" ] || echo 0 >"$cgroup/shim/cgroup.procs" || cgroup='' held=group
# Both ends of the FIFO, from before anybody can see us run: the agent reads no end of file until in.eof says so.
exec 3<>in
tries=0
# .exit gets its full length now, so that the end can be recorded in place when the disk is full by then.
until printf '%-47s\n' '' >.exit && identity >pid.new && mv -f pid.new pid; do
  tries=$((tries + 1))
  [ $tries -lt 3 ] || { rm -f pid pid.new .exit; rmdir claim; exit 75; }
  sleep 1
done
# Whoever makes this directory decides: here the agent starts; a runner makes it so that it never will.
mkdir claim/go || exit 75
own=
dead_man &
dead=$!
exec 3>&-
command -v setsid >/dev/null && own=setsid || set -m
# In the foreground: a shell starts background commands with SIGINT ignored for ever.
(
  trap - HUP INT TERM
  exec $own sh "$0" agent "$run" "$cgroup" "$mark" "$cwd" "$agent_path" "$in" "$err" "$@"
) <"$in" >>out 2>>"$err"
code=$?
settle
boot_now
until [ ! -d claim ] || { printf '%-47s\n' "$code $now" 1<>.exit && mv -f .exit exit; }; do sleep 1; done
kill -s KILL "$dead"
