#!/bin/sh
# Gradescope runs this once, as root, when it makes an assignment's image of the zip that
# `./lab release --gradescope` wrote: it installs and compiles all that grading needs, so that nothing is
# fetched any more when a submission comes.
set -eu
cd "$(dirname "$0")/dynamo"
oldest=3.25
apt-get update -q
cmake=$(apt-cache policy cmake | sed -n 's/^ *Candidate: *//p')
if ! dpkg --compare-versions "$cmake" ge "$oldest"; then
  echo "setup.sh: this system is too old: it has cmake ${cmake:-not at all}, and the labs need $oldest or newer." >&2
  echo "Choose a base image with Debian 12, Ubuntu 24.04 or newer, or upload an image of docker/Dockerfile." >&2
  exit 2
fi
chmod +x lab cmake/*.sh docker/install.sh # Whatever the archive was unpacked with.
docker/install.sh base grade-one
./lab setup --grading
chmod 700 grader reference # Keeps solutions out also where the kernel has no Landlock.
pwd >/autograder/checkout
