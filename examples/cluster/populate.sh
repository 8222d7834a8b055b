#!/bin/sh
# Makes a data set and splits it: populate.sh DIR [KEYS] [SHARDS] [PORT]
# DIR gets shards.toml, with nodes on this machine from PORT on, a table file for each shard, and manifest.json.
set -eu
dir=$1 keys=${2:-100000} shards=${3:-4} port=${4:-11211}
mkdir -p "$dir"
"$(dirname "$0")/shards-file.sh" "$shards" "$port" > "$dir/shards.toml"
awk -v keys="$keys" 'BEGIN { print "key,value"; for (i = 0; i < keys; i++) print "key:" i ",value " i }' |
  goromdb split -shards "$dir/shards.toml" -o "$dir" -rows csv -key key -value value -
