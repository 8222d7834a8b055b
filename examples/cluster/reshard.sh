#!/bin/sh
# Doubles the shards of a cluster while it serves: reshard.sh DIR FROM TO PORT
# DIR has the nodes, and shards.toml; FROM has the files that they serve, as `goromdb split` wrote them, and may be
# DIR; TO gets those of twice as many shards. Shard i becomes i, whose node stays where it is, and i + N, whose node
# listens on PORT + i. Clients may ask any node all the time. The nodes run on; end.sh ends them.
# When a node of before does not serve, or a new one cannot start, it says why, ends the new ones, and leaves all as
# it was.
set -eu
dir=$1 from=$2 to=$3 port=$4
here=$(dirname "$0")
# How many there are is what the data says: shards.toml may be that of a run that was killed.
before=$(sed -n 's/^ *"name": "\(.*\)",$/\1/p' "$from/manifest.json")
count=$(echo "$before" | wc -l)
new=$(seq -f 'shard%.0f' "$count" $((count * 2 - 1)))
for name in $new; do
  if goromdb status -basedir "$dir/nodes/$name/state" > /dev/null 2>&1; then
    echo "$dir: expected no node beyond the $count shards of $from, found $name; nothing was changed" >&2
    exit 1
  fi
done

# 1. A list of the nodes, those of before and new ones; and the files.
trap 'exit 1' INT TERM
trap 'rm -f "$dir/shards.toml.new"' EXIT
awk -v count="$count" '/^\[\[shards\]\]/ { tables++ } tables <= count' "$dir/shards.toml" > "$dir/shards.toml.new"
# The wait below would have no end.
if ! status=$(goromdb cluster status -shards "$dir/shards.toml.new"); then
  printf '%s\n' "$status" >&2
  echo "$dir: expected all nodes to serve before they are resharded; nothing was changed" >&2
  exit 1
fi
"$here/shards-file.sh" "$count" "$port" "$count" >> "$dir/shards.toml.new"
goromdb cluster haproxy -shards "$dir/shards.toml.new" > /dev/null
goromdb split -shards $((count * 2)) -from "$from" -o "$to"

# 2. The new nodes answer their own keys, and ask the nodes of before for the others.
give_up() {
  # A second signal must not leave half of it undone.
  trap '' INT TERM
  mv "$dir/shards.toml.old" "$dir/shards.toml"
  for node in "$@"; do kill "${node#*=}" 2> /dev/null || :; done
  wait
}
set --
cp "$dir/shards.toml" "$dir/shards.toml.old"
trap 'give_up "$@"' EXIT
mv "$dir/shards.toml.new" "$dir/shards.toml"
for name in $new; do
  nohup "$here/node.sh" "$dir" "$name" "$to" > /dev/null &
  set -- "$@" "$name=$!"
done
# In the background, so that a signal is heeded at once.
"$here/wait.sh" "$dir" "$@" &
set -- "$@" "wait=$!"
wait $!
trap - EXIT INT TERM
rm "$dir/shards.toml.old"

# 3. One by one, the nodes of before take up the new list: they serve what stays, and ask the new nodes for what left.
for name in $before; do
  goromdb upgrade -basedir "$dir/nodes/$name/state"
done

# 4. They get their own smaller files, which frees the room of what left.
for name in $before; do goromdb publish "$to/$name.db" "$dir/nodes/$name/data.db"; done
goromdb cluster status -shards "$dir/shards.toml"
