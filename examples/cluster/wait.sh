#!/bin/sh
# Waits until all nodes serve, those of these processes among them: wait.sh DIR NAME=PID...
# DIR/status gets their state. When a process has ended, it says why, by the node's log, and fails.
set -eu
dir=$1
shift
while :; do
  waits=
  goromdb cluster status -shards "$dir/shards.toml" > "$dir/status" || waits=yes
  for node in "$@"; do
    name=${node%%=*} pid=${node#*=}
    if ! kill -0 "$pid" 2> /dev/null; then
      log=$dir/nodes/$name/log
      # A hint may follow the line that says why.
      echo "$name (pid $pid) has ended: $({ grep '^goromdb: ' "$log" || cat "$log"; } | tail -n 1)" >&2
      exit 1
    fi
    # Another server may answer at its address.
    grep -q "pid $pid, " "$dir/status" || waits=yes
  done
  [ -n "$waits" ] || exit 0
  sleep 0.2
done
