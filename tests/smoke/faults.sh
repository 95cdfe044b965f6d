#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What drivers do to a tuner: a kernel that never ends, a crash, a lost device, a worker killed from
# outside. The daemon must answer health within 100 ms throughout, write down the candidate, go on
# with the search, and never try that candidate again.
#
# NNJIT_HEALTH_MS: the limit (100).
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/daemon.bash"
require curl jq

limit=${NNJIT_HEALTH_MS:-100}
op="matmul m=64 n=64 k=64"

poisoned() { trials "$op" | jq -r '.trials[] | select(.state == "poisoned") | .schedule' | sort; }
poisoned_count() { poisoned | grep -c .; }
restarts() { get /v1/status | jq .tuning.worker_restarts; }

# planted FAULT: tunes with the fault planted, and again after a restart.
planted() {
	local name=${1%%:*} before
	rm -rf "$SCRATCH/state"
	FAULT=$1
	daemon_start
	require_device
	sampling_begins
	ask "$op" >/dev/null
	wait_for 120 "$name: the search ends" is_tuned "$op"
	sampling_ends "$limit"
	[ "$(poisoned_count)" -eq 1 ] || die "$name: $(poisoned_count) candidates are poisoned, not 1"
	before=$(poisoned)
	echo "$name: $before is poisoned: $(trials "$op" |
		jq -r '.trials[] | select(.state == "poisoned") | .why')"
	(($(restarts) >= 1)) || die "$name: the worker was not started again"
	daemon_stop
	not_tried_again "$name" "$before"
}

# Measured again, by a worker without the fault: the candidate stays out.
not_tried_again() {
	FAULT=
	daemon_start
	require_device
	# Words are wanted: an operator is a name and its fields.
	# shellcheck disable=SC2086
	"$BUILD/nnjitctl" --port "$PORT" bench $op >"$SCRATCH/again" 2>&1 || {
		cat "$SCRATCH/again"
		die "$1: measuring again failed"
	}
	[ "$(poisoned)" = "$2" ] || die "$1: after a restart '$(poisoned)' is poisoned, not '$2'"
	daemon_stop
}

planted hang:3
planted crash:3
planted lost:3

# A worker killed from outside, in the middle of a search, several times.
rm -rf "$SCRATCH/state"
daemon_start
require_device
sampling_begins
op="matmul m=192 n=192 k=192"
ask "$op" >/dev/null
for _ in 1 2 3; do
	wait_for 30 "a worker runs" workers >/dev/null
	sleep 0.7
	for pid in $(workers); do kill -9 "$pid"; done
done
wait_for 120 "the search ends although its workers were killed" is_tuned "$op"
sampling_ends "$limit"
echo "workers killed: $(restarts) restarts, $(poisoned_count) candidates blamed"
daemon_stop
