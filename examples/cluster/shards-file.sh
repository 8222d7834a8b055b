#!/bin/sh
# Prints shards.toml for nodes on this machine: shards-file.sh SHARDS PORT [FIRST]
# They answer every key from PORT on, and clients of a Redis Cluster from PORT + 1000 on. FIRST is the number of
# the first of them: 0.
set -eu
shards=$1 port=$2 first=${3:-0} i=0
while [ "$i" -lt "$shards" ]; do
  idx=$((first + i))
  echo "[[shards]]"
  echo "name = \"shard$idx\""
  echo "idx = $idx"
  echo "address = \"127.0.0.1:$((port + i))\""
  echo "cluster-address = \"127.0.0.1:$((port + 1000 + i))\""
  i=$((i + 1))
done
