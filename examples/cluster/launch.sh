#!/bin/sh
# Starts a node for each shard that populate.sh has made, until Ctrl-C or SIGTERM: launch.sh DIR
set -eu
dir=$1
pids=
trap 'trap - INT TERM; kill $pids 2> /dev/null; wait; exit 0' INT TERM
for name in $(sed -n 's/^name = "\(.*\)"/\1/p' "$dir/shards.toml"); do
  node=$dir/nodes/$name
  mkdir -p "$node"
  # The sum file comes last: that is when the server takes the file.
  cp "$dir/$name.db" "$node/data.part"
  mv "$node/data.part" "$node/data.db"
  md5sum < "$node/data.db" > "$node/data.db.md5"
  goromdb -shards "$dir/shards.toml" -shard "$name" -file "$node/data.db" -basedir "$node/state" 2> "$node/log" &
  pids="$pids $!"
done
until goromdb cluster status -shards "$dir/shards.toml" > "$dir/status"; do sleep 0.2; done
cat "$dir/status"
wait
