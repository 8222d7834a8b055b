# Installs goromdb as a service and uses it as an operator does: see first-process.deploy.ts. It runs in what
# first-process.sh makes. Each line that it reports is a name and what was found.
exec 2>/run/shared/trace
set -ux

report() {
  echo "$1: $2" >>/run/shared/report
}
show() {
  systemctl show goromdb -p "$1" --value
}
get() {
  timeout 20 bash -c 'exec 3<>/dev/tcp/127.0.0.1/11211 && printf "get k\r\nquit\r\n" >&3 && cat <&3' |
    tr -d '\r' | sed -n 2p
}
# COMMAND WANTED: asks until it is so, for 30 s at most.
await() {
  for _ in $(seq 300); do
    [ "$($1)" = "$2" ] && return
    sleep 0.1
  done
}

cp -r /run/checkout/bin /run/checkout/dist /run/checkout/package.json /run/checkout/deploy /run/shared/node_modules \
  -t "$(mkdir -p /usr/local/lib/goromdb && echo /usr/local/lib/goromdb)"
chmod -R a+rX /usr/local/lib/goromdb
ln -sf /usr/local/lib/goromdb/bin/goromdb.js /usr/local/bin/goromdb
chmod 755 /usr/local/lib/goromdb/bin/goromdb.js
report installed "$(sh /usr/local/lib/goromdb/deploy/systemd/install.sh | grep -o '^installed')"

extra=/etc/systemd/system/goromdb.service.d
mkdir -p "$extra"
printf '[Service]\nStandardError=append:/run/shared/log\n' >"$extra/log.conf"
systemctl daemon-reload

systemctl start goromdb
report started "$(show ActiveState), $(show StatusText)"
cd /srv/goromdb/drop || exit
printf '{"k":"v1"}' >data.db
md5sum data.db >data.db.md5
await get v1
status() { show StatusText | grep -o 'generation 1 serves'; }
await status 'generation 1 serves'
report serves "$(get), $(status), $(goromdb health -addr 127.0.0.1:11280)"

reloads() { grep -c ' reloaded: ' /run/shared/log; }
systemctl reload goromdb
await reloads 1
report reloaded "$(reloads) time"

before=$(show MainPID)
is_another() { [ "$(show MainPID)" != "$before" ] && [ ! -e "/proc/$before" ] && echo yes; }
su -s /bin/sh goromdb -c 'goromdb upgrade -basedir /var/lib/goromdb/data' >/run/shared/upgrade
await is_another yes
report upgraded "$(is_another), $(show ActiveState), restarts $(show NRestarts), $(get)"

systemctl kill -s KILL goromdb
await 'show NRestarts' 1
await get v1
# It serves a moment before systemd has read that it does.
await 'show ActiveState' active
report killed "$(show ActiveState), restarts $(show NRestarts), $(get)"

printf '[Service]\nWatchdogSec=10s\n' >"$extra/watchdog.conf"
systemctl daemon-reload
systemctl restart goromdb
kill -STOP "$(show MainPID)"
await 'show NRestarts' 1
await get v1
await 'show ActiveState' active
report stuck "$(show ActiveState), restarts $(show NRestarts), $(get)"

systemctl stop goromdb
# The rest does not go by how busy the machine is.
rm "$extra/watchdog.conf"
systemctl daemon-reload
systemctl start goromdb.socket goromdb-http.socket
asked=$(get)
await 'show ActiveState' active
report 'by its sockets' "$asked, $(show ActiveState)"
# One that the old process has accepted, and not answered, is closed; none is refused.
(
  for _ in $(seq 30); do get; done 2>/run/shared/clients | sort -u >/run/shared/answers
) &
for _ in 1 2 3; do systemctl restart goromdb; done
wait
report restarted "$(grep -v '^$' /run/shared/answers), refused $(grep -c refused /run/shared/clients)"

systemctl stop goromdb.socket goromdb-http.socket goromdb
report stopped "$(show ActiveState), $(show Result)"
report done yes
