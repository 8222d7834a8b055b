#!/bin/sh
# Starts a node for each shard that populate.sh has made, until Ctrl-C or SIGTERM: launch.sh DIR
# When a node cannot start, it says why, ends the others, and fails.
set -eu
dir=$1
here=$(dirname "$0")
end() {
  trap - INT TERM
  for node in "$@"; do kill "${node#*=}" 2> /dev/null || :; done
  wait
}
trap 'end "$@"; exit 0' INT TERM
names=$(sed -n 's/^name = "\(.*\)"/\1/p' "$dir/shards.toml")
set --
for name in $names; do
  "$here/node.sh" "$dir" "$name" "$dir" &
  set -- "$@" "$name=$!"
done
# In the background, so that a signal is heeded at once.
"$here/wait.sh" "$dir" "$@" &
set -- "$@" "wait=$!"
wait $! || { end "$@"; exit 1; }
cat "$dir/status"
wait
