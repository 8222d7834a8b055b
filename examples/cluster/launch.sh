#!/bin/sh
# Starts a node for each shard that populate.sh has made, until Ctrl-C or SIGTERM: launch.sh DIR
set -eu
dir=$1
here=$(dirname "$0")
pids=
trap 'trap - INT TERM; kill $pids 2> /dev/null; wait; exit 0' INT TERM
for name in $(sed -n 's/^name = "\(.*\)"/\1/p' "$dir/shards.toml"); do
  "$here/node.sh" "$dir" "$name" "$dir" &
  pids="$pids $!"
done
until goromdb cluster status -shards "$dir/shards.toml" > "$dir/status"; do sleep 0.2; done
cat "$dir/status"
wait
