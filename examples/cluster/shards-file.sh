#!/bin/sh
# Prints shards.toml for nodes on this machine: shards-file.sh SHARDS PORT
# They answer every key from PORT on, and clients of a Redis Cluster from PORT + 1000 on.
set -eu
shards=$1 port=$2 idx=0
while [ "$idx" -lt "$shards" ]; do
  echo "[[shards]]"
  echo "name = \"shard$idx\""
  echo "idx = $idx"
  echo "address = \"127.0.0.1:$((port + idx))\""
  echo "cluster-address = \"127.0.0.1:$((port + 1000 + idx))\""
  idx=$((idx + 1))
done
