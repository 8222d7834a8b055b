#!/bin/sh
# Installs goromdb as a service: units, user, configuration, drop folder, log rotation. Run it as root,
# with goromdb on the path. It starts nothing, and leaves a configuration that is there as it is. With
# DESTDIR it writes below that folder, for packages and tests, and makes no user.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=${DESTDIR:-}
program=$(command -v goromdb) || {
  echo "install.sh: goromdb is not on the path: install it first, as with npm install -g" >&2
  exit 1
}
# The service may not read home folders, where some keep their Node.
case $(readlink -f "$program") in
  /home/* | /root/*)
    echo "install.sh: $program lies in a home folder, which the service cannot read: install goromdb and Node below /usr/local" >&2
    exit 1
    ;;
esac

unit=$(mktemp)
trap 'rm -f "$unit"' EXIT
sed "s|^ExecStart=[^ ]*|ExecStart=$program|" "$here/goromdb.service" >"$unit"

put() { # MODE SOURCE TARGET
  install -D -m "$1" "$2" "$root$3"
}
put 644 "$unit" /etc/systemd/system/goromdb.service
put 644 "$here/goromdb.socket" /etc/systemd/system/goromdb.socket
put 644 "$here/goromdb-http.socket" /etc/systemd/system/goromdb-http.socket
put 644 "$here/sysusers.conf" /etc/sysusers.d/goromdb.conf
put 644 "$here/tmpfiles.conf" /etc/tmpfiles.d/goromdb.conf
put 644 "$here/../logrotate/goromdb" /etc/logrotate.d/goromdb
[ -e "$root/etc/goromdb/goromdb.toml" ] || put 640 "$here/goromdb.toml" /etc/goromdb/goromdb.toml
[ -n "$root" ] && exit 0

systemd-sysusers /etc/sysusers.d/goromdb.conf
systemd-tmpfiles --create /etc/tmpfiles.d/goromdb.conf
chown root:goromdb /etc/goromdb/goromdb.toml
[ -d /run/systemd/system ] && systemctl daemon-reload
echo "installed: edit /etc/goromdb/goromdb.toml, then systemctl enable --now goromdb"
