#!/usr/bin/env sh
# Installs the clients that `npm run test:cluster` runs, beside those of `test/clients/install.sh`: packages of
# Debian 12. Arguments are further ones of apt-get.
set -eu

apt-get install -y "$@" --no-install-recommends \
  python3 python3-redis python3-async-timeout \
  php-cli php-redis php-predis ruby ruby-redis golang-go golang-gopkg-redis.v5-dev golang-github-mna-redisc-dev redis-tools \
  nutcracker haproxy python3-pymemcache python3-pylibmc php-memcached golang-github-bradfitz-gomemcache-dev
