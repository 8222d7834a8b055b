#!/bin/sh
# Reads by nc: read.sh PORT KEY...
port=$1
shift
printf 'get %s\r\nquit\r\n' "$*" | nc 127.0.0.1 "$port" | tr -d '\r' | while read -r word key _; do
  [ "$word" = VALUE ] || continue
  IFS= read -r value
  printf '%s: %s\n' "$key" "$value"
done
