#!/bin/sh
# Creates COUNT keys, 1,000 a request, and counts what came of them: populate.sh URL COUNT [PREFIX]
#   populate.sh http://127.0.0.1:11000 100000
set -eu
url=$1 count=$2 prefix=${3:-key}
answers=$(mktemp)
trap 'rm -f "$answers"' EXIT
trap 'exit 1' HUP INT TERM
first=1
while [ "$first" -le "$count" ]; do
  last=$((first + 999 < count ? first + 999 : count))
  if ! seq "$first" "$last" |
    sed "s/.*/{\"key\":\"$prefix-&\",\"value\":\"value $prefix-&\"}/" |
    paste -sd, | sed 's/.*/[&]/' |
    curl -fsS --data-binary @- "$url/keys" >>"$answers"; then
    echo "populate.sh: $url did not take keys $first to $last: it ends here; run it again, which is safe" >&2
    exit 1
  fi
  first=$((last + 1))
done
grep -o '"code":"[A-Z]*"' "$answers" | sort | uniq -c
