#!/usr/bin/env sh
# Installs what `npm run test:once` needs: etcd and nginx of Debian 12, what cuts networks, a clock that steps,
# and a client in Python. Arguments are further ones of apt-get.
set -eu

apt-get install -y "$@" --no-install-recommends etcd-server etcd-client openssl nginx-light curl \
  iproute2 iptables libfaketime util-linux python3
