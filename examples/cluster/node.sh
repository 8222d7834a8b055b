#!/bin/sh
# Drops a shard's file and serves it: node.sh DIR NAME FILES
# DIR has shards.toml and gets the node's folder; FILES has NAME.db, as `goromdb split` writes it.
set -eu
dir=$1 name=$2 files=$3
node=$dir/nodes/$name
mkdir -p "$node"
exec 2> "$node/log"
# The sum file comes last: that is when the server takes the file.
cp "$files/$name.db" "$node/data.part"
mv "$node/data.part" "$node/data.db"
md5sum < "$node/data.db" > "$node/data.db.md5"
exec goromdb -shards "$dir/shards.toml" -shard "$name" -file "$node/data.db" -basedir "$node/state"
