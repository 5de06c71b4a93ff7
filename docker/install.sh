#!/bin/sh
# Installs the packages that some commands need, as grader/packages.txt lists them: docker/install.sh base test
set -eu
cd "$(dirname "$0")/.."
wanted=$(for kind in "$@"; do
  sed -e 's/#.*//' -e 's/ *| */|/g' grader/packages.txt | awk -F'|' -v kind="$kind" \
    '{ split($1, kinds, ","); for (k in kinds) { sub(/[?]$/, "", kinds[k]); if (kinds[k] == kind) print $2 } }'
done | sort -u)
[ -n "$wanted" ] || { echo "install.sh: no package is for: $*" >&2; exit 2; }
apt-get update -q
# shellcheck disable=SC2086  # the packages are words
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $wanted
rm -rf /var/lib/apt/lists/*
