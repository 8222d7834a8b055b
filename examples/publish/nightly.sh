#!/bin/sh
# For cron: nightly.sh CSV KEY DROP... Mails of cron have only what went wrong.
#   15 3 * * *  /srv/jobs/nightly.sh /srv/jobs/cities.csv city /srv/drop/data.db
set -eu
csv=$1 key=$2
shift 2
exec goromdb publish "$csv" -key "$key" "$@" > /dev/null
