#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Plants the faults that drivers have: a kernel that never ends, a crash, a lost device, a worker killed
# from outside. The daemon must answer health within 100 ms throughout. It must store the candidate as
# poisoned, continue the search, and never try that candidate again.
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

# planted FAULT OP: tunes with the fault planted.
planted() {
	local name=${1%%:*}
	FAULT=$1
	op=$2
	daemon_start
	require_device
	sampling_begins
	ask "$op" >/dev/null
	wait_for 120 "$name: the search ends" is_tuned "$op"
	sampling_ends "$limit"
	[ "$(poisoned_count)" -eq 1 ] || die "$name: $(poisoned_count) candidates are poisoned, not 1"
	(($(restarts) >= 1)) || die "$name: the worker was not started again"
	echo "$name: $(trials "$op" |
		jq -r '.trials[] | select(.state == "poisoned") | "\(.schedule) is poisoned: \(.why)"')"
	daemon_stop
}

# Measured again after a restart, by workers without the fault: the candidate stays out.
not_tried_again() {
	local before=$1
	FAULT=
	daemon_start
	require_device
	# Words are wanted: an operator is a name and its fields.
	# shellcheck disable=SC2086
	"$BUILD/nnjitctl" --port "$PORT" bench $op >"$SCRATCH/again" 2>&1 || {
		cat "$SCRATCH/again"
		die "measuring again failed"
	}
	[ "$(poisoned)" = "$before" ] || die "after a restart '$(poisoned)' is poisoned, not '$before'"
	daemon_stop
}

BUDGET_S=12
planted crash:1 "matmul m=40 n=64 k=64"
planted lost:1 "matmul m=48 n=64 k=64"
BUDGET_S=22 # a kernel that never ends takes ten of them
planted hang:1 "matmul m=56 n=64 k=64"
daemon_start
blamed=$(poisoned)
daemon_stop
not_tried_again "$blamed"

# Every candidate computes wrong numbers: the plainest kernel stands in, marked, the reasons are kept.
FAULT='wrong:*'
BUDGET_S=60
op="matmul m=24 n=24 k=24"
daemon_start
require_device
ask "$op" >/dev/null
is_naive() { ask "$op" | jq -e '.status == "naive" and .verified == null and .code != ""' >/dev/null; }
wait_for 150 "every candidate is out" is_naive
# shellcheck disable=SC2086
"$BUILD/nnjitctl" --port "$PORT" show $op >"$SCRATCH/shown" || die "show failed"
grep -q 'wrong .*must be' "$SCRATCH/shown" || die "no reasons: $(cat "$SCRATCH/shown")"
grep -q 'naive' "$SCRATCH/shown" || die "not marked: $(cat "$SCRATCH/shown")"
grep -q 'is served without having been verified' "$SCRATCH/nnjitd.log" || die "the log is silent"
daemon_stop

# A worker killed from outside, in the middle of a search, several times.
FAULT=
daemon_start
require_device
sampling_begins
op="matmul m=192 n=192 k=192"
ask "$op" >/dev/null
for _ in 1 2 3; do
	wait_for 30 "a worker runs" has_worker
	sleep 0.7
	for pid in $(workers); do kill -9 "$pid"; done
	sleep 0.1
done
wait_for 120 "the search ends although its workers were killed" is_tuned "$op"
sampling_ends "$limit"
echo "workers killed: $(restarts) restarts, $(poisoned_count) candidates blamed"
daemon_stop
