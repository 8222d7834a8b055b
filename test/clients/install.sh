#!/usr/bin/env sh
# Installs the clients that `npm run test:clients` runs: the packages of Debian 12, and two of Debian 13
# that are scripts, and run on 12 too. Arguments are further ones of apt-get.
set -eu

apt-get install -y "$@" --no-install-recommends \
  python3 python3-pymemcache python3-pylibmc python3-memcache python3-async-timeout \
  libcache-memcached-perl libcache-memcached-fast-perl \
  php-cli php-memcached \
  ruby ruby-dalli ruby-connection-pool \
  golang-go golang-github-bradfitz-gomemcache-dev golang-gopkg-redis.v5-dev \
  default-jdk-headless libspymemcached-java \
  libmemcached-tools \
  netcat-openbsd lmdb-utils \
  redis-tools prometheus-redis-exporter netcat-openbsd zsh fish sqlite3 rsync python3-pandas \
  prometheus

# Unpacked beside the system, from the mirror that it uses, with lists of their own.
into=/opt/goromdb-test-clients
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $codename" | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "deb $mirror trixie main" >"$work/sources"
mkdir -p "$work/lists/partial" "$work/packages" "$into"
from_trixie() {
  apt-get -qq -o Dir::Etc::SourceList="$work/sources" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$work/lists" -o APT::Sandbox::User=root "$@"
}
from_trixie update
(cd "$work/packages" && from_trixie download python3-redis ruby-dalli)
for package in "$work/packages"/*.deb; do dpkg-deb --extract "$package" "$into"; done
