# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Functions for the smoke tests: start and stop an nnjitd on its own port and state folder, and speak
# REST with it. Scripts source this file; nobody runs it. Its processes end with the script.

set -u
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${NNJIT_BUILD:-$PWD}
SCRATCH=$(mktemp -d)
DAEMON=
SAMPLER=
PORT=
FAULT=
BUDGET_S=30
trap daemon_cleanup EXIT
trap 'exit 130' INT TERM

daemon_cleanup() {
	local status=$?
	[ -z "$SAMPLER" ] || kill "$SAMPLER" 2>/dev/null
	if [ -n "$DAEMON" ]; then
		kill -9 "$DAEMON" 2>/dev/null
		wait "$DAEMON" 2>/dev/null
	fi
	if [ $status -ne 0 ] && [ $status -ne 77 ] && [ -e "$SCRATCH/nnjitd.log" ]; then
		echo "--- the end of nnjitd's log:"
		tail -n 25 "$SCRATCH/nnjitd.log"
	fi
	rm -rf "$SCRATCH"
}

skip() { echo "$*"; exit 77; }
die() { echo "FAILED: $*"; exit 1; }

# require PROGRAM…: skips the script where one is missing.
require() {
	for program; do
		command -v "$program" >/dev/null ||
			skip "$program is not installed (tools/install-packages test)"
	done
	[ -x "$BUILD/nnjitd" ] || skip "$BUILD/nnjitd is not built"
}

now_ms() { # milliseconds of a clock good for differences
	local t=${EPOCHREALTIME//[.,]/}
	echo $((t / 1000))
}

# get PATH [CURL-ARGUMENT…]: the body; the status is in $SCRATCH/status.
get() {
	local path=$1
	shift
	curl -s -g -m 10 -o "$SCRATCH/body" -w '%{http_code}' "$@" \
		"http://127.0.0.1:$PORT$path" >"$SCRATCH/status" || return 1
	cat "$SCRATCH/body"
}

# The text as it may stand in a query.
encode() { jq -rn --arg text "$1" '$text | @uri'; }

healthy() { curl -s -f -m 2 -o /dev/null "http://127.0.0.1:$PORT/v1/health" 2>/dev/null; }

free_port() {
	local port
	for _ in {1..50}; do
		port=$((20000 + RANDOM % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
	die "no free port was found"
}

# Starts nnjitd, with FAULT planted in its workers and BUDGET_S for each search, and waits until it
# is healthy. STARTED_MS: how long that took.
daemon_start() {
	local begin
	[ -n "$PORT" ] || PORT=$(free_port)
	begin=$(now_ms)
	NNJIT_TEST_FAULT=$FAULT "$BUILD/nnjitd" --state-dir "$SCRATCH/state" --port "$PORT" \
		--budget "$BUDGET_S" --page-dir "$SOURCE/clients/web" >>"$SCRATCH/nnjitd.log" 2>&1 &
	DAEMON=$!
	until healthy; do
		kill -0 "$DAEMON" 2>/dev/null || die "nnjitd ended at its start"
		(($(now_ms) - begin < 10000)) || die "nnjitd was not healthy within 10 s"
		sleep 0.01
	done
	# Read by the scripts that source this.
	# shellcheck disable=SC2034
	STARTED_MS=$(($(now_ms) - begin))
}

daemon_kill() { # as the kernel's OOM killer would
	kill -9 "$DAEMON"
	wait "$DAEMON" 2>/dev/null
	DAEMON=
}

daemon_stop() { # as systemd would; fails if it takes longer than 5 s or exits with an error
	local begin status
	begin=$(now_ms)
	kill -TERM "$DAEMON"
	while kill -0 "$DAEMON" 2>/dev/null; do
		(($(now_ms) - begin < 5000)) || die "nnjitd did not end within 5 s of SIGTERM"
		sleep 0.02
	done
	wait "$DAEMON"
	status=$?
	DAEMON=
	[ $status -eq 0 ] || die "nnjitd ended with status $status after SIGTERM"
}

# The daemon's worker processes.
workers() {
	local children
	children=$(cat "/proc/$DAEMON/task/$DAEMON/children")
	[ -n "$children" ] && echo "$children"
}
has_worker() { workers >/dev/null; }

# wait_for SECONDS WHAT COMMAND…: polls until the command succeeds.
wait_for() {
	local seconds=$1 what=$2 begin
	shift 2
	begin=$(now_ms)
	until "$@"; do
		(($(now_ms) - begin < seconds * 1000)) || die "$what: not within $seconds s"
		sleep 0.1
	done
}

enumerated() { get /v1/devices | jq -e .enumerated >/dev/null; }

# Waits for the devices, and skips the script where there is none.
require_device() {
	wait_for 60 "the devices are known" enumerated
	[ "$(get /v1/devices | jq '.devices | length')" -gt 0 ] || skip "no Vulkan device here"
}

# ask OP: the kernel as known now; queues its tuning.
ask() { get "/v1/kernel?op=$(encode "$1")"; }
# Whether the store has it finished; does not ask for it.
is_tuned() {
	get "/v1/kernels?status=tuned" | jq -e --arg op "$1" 'any(.kernels[]; .op == $op)' >/dev/null
}
trials() { get "/v1/trials?op=$(encode "$1")"; }

# Samples health every 20 ms until sampling_ends: "milliseconds of the answer, milliseconds by which
# the sleep before it was late". The second is the control: how late this machine wakes anybody.
sampling_begins() {
	(
		while [ ! -e "$SCRATCH/enough" ]; do
			before=$(now_ms)
			sleep 0.02
			late=$(($(now_ms) - before - 20))
			curl -s -m 2 -o /dev/null -w '%{http_code} %{time_total}\n' \
				"http://127.0.0.1:$PORT/v1/health" |
				awk -v late="$late" '{ print $1 == 200 ? $2 * 1000 : 9999, late }'
		done >"$SCRATCH/health"
	) &
	SAMPLER=$!
}

# sampling_ends LIMIT: prints the figures; fails if an answer took longer than LIMIT ms and the
# worst lateness of the machine itself.
sampling_ends() {
	touch "$SCRATCH/enough"
	wait "$SAMPLER"
	SAMPLER=
	rm "$SCRATCH/enough"
	sort -n "$SCRATCH/health" | awk -v limit="$1" '
		{ ms[NR] = $1; late = $2 > late ? $2 : late }
		END {
			printf "health: %d samples, median %.1f ms, p99 %.1f ms, max %.1f ms; a sleep was at " \
				"most %d ms late\n", NR, ms[int((NR + 1) / 2)], ms[int(NR * 0.99 + 0.5)], ms[NR], late
			exit NR == 0 || ms[NR] > limit + late
		}' || die "health took longer than $1 ms"
}
