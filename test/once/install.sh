#!/usr/bin/env sh
# Installs what `npm run test:once` needs: etcd of Debian 12. Arguments are further ones of apt-get.
set -eu

apt-get install -y "$@" --no-install-recommends etcd-server openssl
