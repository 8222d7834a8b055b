#!/usr/bin/env sh
# Installs the clients that `npm run test:clients` runs, from the packages of Debian 12. Arguments are
# further ones of apt-get.
set -eu

apt-get install -y "$@" --no-install-recommends \
  python3 python3-pymemcache python3-pylibmc python3-memcache \
  libcache-memcached-perl libcache-memcached-fast-perl \
  php-cli php-memcached \
  ruby ruby-dalli \
  golang-go golang-github-bradfitz-gomemcache-dev \
  libmemcached-tools \
  redis-tools
