#!/usr/bin/env sh
# Installs the browser that `npm run test:browser` runs: a package of Debian 12. Arguments are further ones of
# apt-get.
set -eu

apt-get install -y "$@" --no-install-recommends chromium fonts-dejavu-core
