#!/bin/sh
# Doubles the shards of a cluster while it serves: reshard.sh DIR FROM TO PORT
# DIR has the nodes, and shards.toml; FROM has the files that they serve, as `goromdb split` wrote them, and may be
# DIR; TO gets those of twice as many shards. Shard i becomes i, whose node stays where it is, and i + N, whose node
# listens on PORT + i. Clients may ask any node all the time. The nodes run on; end.sh ends them.
set -eu
dir=$1 from=$2 to=$3 port=$4
here=$(dirname "$0")
before=$(sed -n 's/^name = "\(.*\)"/\1/p' "$dir/shards.toml")
count=$(echo "$before" | wc -l)

# 1. The files, and a list of the nodes: those of before, and new ones.
goromdb split -shards $((count * 2)) -from "$from" -o "$to"
{ cat "$dir/shards.toml"; "$here/shards-file.sh" "$count" "$port" "$count"; } > "$to/shards.toml"

# 2. The new nodes answer their own keys, and ask the nodes of before for the others.
cp "$to/shards.toml" "$dir/shards.toml.new"
mv "$dir/shards.toml.new" "$dir/shards.toml"
for idx in $(seq "$count" $((count * 2 - 1))); do
  nohup "$here/node.sh" "$dir" "shard$idx" "$to" > /dev/null &
done
until goromdb cluster status -shards "$dir/shards.toml" > "$dir/status"; do sleep 0.2; done

# 3. One by one, the nodes of before take up the new list: they serve what stays, and ask the new nodes for what left.
for name in $before; do
  goromdb upgrade -basedir "$dir/nodes/$name/state"
done

# 4. They get their own smaller files, which frees the room of what left.
for name in $before; do goromdb publish "$to/$name.db" "$dir/nodes/$name/data.db"; done
goromdb cluster status -shards "$dir/shards.toml"
