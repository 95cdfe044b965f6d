#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks the systemd unit: systemd must understand every line, and the programs named must exist.
set -u
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${NNJIT_BUILD:-$PWD}
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT

command -v systemd-analyze >/dev/null || {
	echo "systemd-analyze is not installed (tools/install-packages test)"
	exit 77
}
shopt -s nullglob
units=("$BUILD"/systemd/*.service "$SOURCE"/systemd/*.service "$SOURCE"/systemd/*.service.in)
[ ${#units[@]} -gt 0 ] || { echo "FAILED: systemd/ holds no unit"; exit 1; }
unit=$SCRATCH/nnjitd.service
sed -E "s|^(Exec[A-Za-z]*=[-@:+!]*)[^ ]*/nnjitd|\1$BUILD/nnjitd|" "${units[0]}" >"$unit"
grep -q "^ExecStart=.*$BUILD/nnjitd" "$unit" || {
	echo "FAILED: ${units[0]} does not start nnjitd:"
	grep ^Exec "$unit"
	exit 1
}
# Only what is said of this unit: verify also reads the machine's own.
said=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep -F nnjitd.service)
[ -z "$said" ] && exit 0
echo "FAILED: systemd-analyze verify says: $said"
exit 1
