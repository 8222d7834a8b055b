#!/usr/bin/env sh
# Installs what `npm run test:deploy` runs: packages of Debian 12. Arguments are further ones of apt-get.
set -eu

apt-get install -y "$@" --no-install-recommends systemd logrotate mandoc man-db docker-compose iproute2 prometheus python3 strace
