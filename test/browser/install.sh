#!/usr/bin/env sh
# Installs what `npm run test:browser` needs: a browser, and etcd for the page of set-once keys, packages of
# Debian 12. Arguments are further ones of apt-get.
set -eu

apt-get install -y "$@" --no-install-recommends chromium fonts-dejavu-core etcd-server
