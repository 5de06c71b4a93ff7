#!/bin/sh
# One node of compose.yaml's cluster: node.sh n1 [--bootstrap]. /cluster is shared by all of them, and holds
# the operator's token, which the first one to come draws; /data is this node's disk.
set -eu
name=$1
shift
token=/cluster/token
if [ ! -s "$token" ]; then
  (umask 077 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$token.$name")
  ln "$token.$name" "$token" 2>/dev/null || : # Another one was first: its token counts.
  rm -f "$token.$name"
fi
# The flag is for one start of one cluster: a first node whose disk was lost asks the others instead.
if [ "${1:-}" = --bootstrap ]; then
  if [ -e /cluster/begun ]; then shift; else touch /cluster/begun; fi
fi
exec dynamo-node --id "$name" --data /data --peers /cluster.d/peers.json --bind 0.0.0.0 \
  --admin-token-file "$token" "$@"
