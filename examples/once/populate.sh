#!/bin/sh
# Creates COUNT keys, 1,000 a request, and counts what came of them: populate.sh URL COUNT [PREFIX]
#   populate.sh http://127.0.0.1:11000 100000
set -eu
url=$1 count=$2 prefix=${3:-key}
first=1
while [ "$first" -le "$count" ]; do
  last=$((first + 999 < count ? first + 999 : count))
  seq "$first" "$last" |
    sed "s/.*/{\"key\":\"$prefix-&\",\"value\":\"value $prefix-&\"}/" |
    paste -sd, | sed 's/.*/[&]/' |
    curl -fsS --data-binary @- "$url/keys" |
    grep -o '"code":"[A-Z]*"'
  first=$((last + 1))
done | sort | uniq -c
