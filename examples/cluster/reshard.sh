#!/bin/sh
# Splits each shard of FROM into two and starts their nodes beside those of FROM: reshard.sh FROM TO PORT
# Each shard i becomes i and i + N. When it says "serves", let clients ask the nodes of TO, which answer what those of
# FROM do; then end those. It runs until Ctrl-C or SIGTERM, as launch.sh does.
set -eu
from=$1 to=$2 port=$3
here=$(dirname "$0")
shards=$(($(grep -c '^\[\[shards\]\]' "$from/shards.toml") * 2))
goromdb split -shards "$shards" -from "$from" -o "$to"
"$here/shards-file.sh" "$shards" "$port" > "$to/shards.toml"
exec "$here/launch.sh" "$to"
