#!/bin/sh
# Ends the nodes that launch.sh and reshard.sh have started: end.sh DIR
set -eu
for state in "$1"/nodes/*/state; do
  pid=$(goromdb status -basedir "$state" -json 2> /dev/null | sed -n '/"pid"/{s/[^0-9]//g;p;q}')
  [ -z "$pid" ] || kill "$pid"
done
