#!/bin/sh
# Runs a script under systemd as the first process, and ends with it: in namespaces of their own, over the file
# system of this machine, of which nothing changes. Usage, as root: first-process.sh FOLDER CHECKOUT NODE. FOLDER has
# the script, script.sh; it sees FOLDER as /run/shared, CHECKOUT as /run/checkout, and NODE in /usr/local/bin.
set -eu

if [ "${4:-}" != inside ]; then
  # A group of its own: systemd makes its groups below it.
  groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
  [ -n "$groups" ] || { echo 'first-process.sh: no cgroup2 is mounted' >&2; exit 1; }
  group="$groups/goromdb-test-$$"
  mkdir "$group"
  trap 'find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true' EXIT
  (
    sh -c 'echo $PPID' >"$group/cgroup.procs"
    exec unshare --pid --fork --kill-child --mount --uts --ipc --net --cgroup "$0" "$1" "$2" "$3" inside
  ) || true
  # The kernel takes a moment until the group is empty.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    grep -q 'populated 0' "$group/cgroup.events" && break
    sleep 0.2
  done
  exit 0
fi

folder=$1 checkout=$2 node=$3 root=/run/root
ip link set lo up
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p "$root" /run/over/upper /run/over/work
mount -t overlay overlay -o lowerdir=/,upperdir=/run/over/upper,workdir=/run/over/work "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/sys"
mkdir -p "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/dev"
while read -r name major minor; do
  mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done <<'END'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
console 5 1
END
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs tmpfs "$root/run"
mkdir "$root/run/shared" "$root/run/checkout" "$root/run/units" "$root/oldroot"
mount --bind "$folder" "$root/run/shared"
mount --bind "$checkout" "$root/run/checkout"
cp "$node" "$root/usr/local/bin/node"
# What is started, and nothing that this machine would start.
for target in sysinit basic shutdown sockets network network-online multi-user; do
  printf '[Unit]\nDefaultDependencies=no\n' >"$root/run/units/$target.target"
done
cat >"$root/run/units/script.service" <<'END'
[Service]
Type=oneshot
ExecStart=/bin/sh /run/shared/script.sh
END
printf '[Unit]\nWants=script.service\n' >"$root/run/units/try.target"
cd "$root"
pivot_root . oldroot
cd /
umount -l /oldroot
exec env -i container=test PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  SYSTEMD_UNIT_PATH=/run/units:/etc/systemd/system /lib/systemd/systemd --system --unit=try.target
