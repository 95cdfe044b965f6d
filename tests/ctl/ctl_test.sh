#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# nnjitctl as scripts use it: exit codes, what goes to stdout and what to stderr, the artifact as
# JSON, the code in a file. Without a daemon first, then with one of its own.
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/../smoke/daemon.bash"

failures=0
complain() { echo "FAILED: $*"; failures=$((failures + 1)); }

# expect STATUS PATTERN ARGUMENT…: runs nnjitctl; the pattern must stand on stderr (stdout for 0).
expect() {
	local status=$1 pattern=$2 got=0
	shift 2
	"$BUILD/nnjitctl" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null || got=$?
	[ $got -eq "$status" ] || complain "nnjitctl $*: exit $got instead of $status: $(cat "$SCRATCH/err")"
	if [ "$status" -eq 0 ]; then
		[ -z "$pattern" ] || grep -qe "$pattern" "$SCRATCH/out" ||
			complain "nnjitctl $*: no '$pattern' in: $(cat "$SCRATCH/out")"
		[ -s "$SCRATCH/err" ] && complain "nnjitctl $*: wrote to stderr: $(cat "$SCRATCH/err")"
	else
		grep -qe "$pattern" "$SCRATCH/err" || complain "nnjitctl $*: no '$pattern' in: $(cat "$SCRATCH/err")"
		[ -s "$SCRATCH/out" ] && complain "nnjitctl $*: wrote to stdout although it failed"
	fi
}

[ -x "$BUILD/nnjitctl" ] || skip "$BUILD/nnjitctl is not built"
expect 0 '^usage' help
expect 0 '^usage' --help
expect 0 'act ' help ops
expect 0 '^nnjitctl [0-9]' --version
expect 2 'usage'
expect 2 "no command 'fly'" fly
expect 2 'port' --port 0 status
expect 2 'port' --port 6174x status
expect 2 'unrecognized option' status --colour
expect 2 'needs an operator' tune
expect 2 'no argument' status now
expect 2 'need an operator' bench space
expect 2 'needs schedules' bench side matmul m=1 n=1 k=1
expect 2 'belongs to bench side' bench space matmul m=1 n=1 k=1 --schedule wg_x=8
expect 2 '--sample must be a number' bench space matmul m=1 n=1 k=1 --sample some
expect 2 'are not for' tune matmul m=1 n=1 k=1 --sample 3
expect 1 'no nnjitd answers on port' --port "$(free_port)" status
expect 1 'no nnjitd answers on port' --port "$(free_port)" tune matmul m=1 n=1 k=1

require jq curl
daemon_start
expect 0 'up for' --port "$PORT" status
expect 0 '"version"' status --json --port "$PORT"
require_device

op=(matmul m=24 n=20 k=12)
expect 0 '^ID ' --port "$PORT" devices
expect 1 'unknown-operator' --port "$PORT" get matmull m=1
expect 1 'bad-value' --port "$PORT" tune matmul m=0 n=1 k=1
expect 1 'unknown-device' --port "$PORT" --device voodoo tune "${op[@]}"
expect 0 'fn main' get --port "$PORT" "${op[@]}"
expect 0 '"status"' get "${op[@]}" --port "$PORT" --json
jq -e '.op == "matmul m=24 n=20 k=12" and .target == "wgsl" and (.bindings | length) == 3 and
	(.key | length) == 16' "$SCRATCH/out" >/dev/null || complain "the artifact: $(cat "$SCRATCH/out")"
expect 0 '' get "${op[@]}" --port "$PORT" --target spirv -o "$SCRATCH/kernel.spv"
[ "$(od -An -tx4 -N4 "$SCRATCH/kernel.spv" | tr -d ' ')" = 07230203 ] || complain "no SPIR-V in the file"
expect 1 'cannot write' get "${op[@]}" --port "$PORT" -o "$SCRATCH/no/such/folder"
expect 1 'bad-value' get "${op[@]}" --port "$PORT" --target cuda

expect 0 '"tuned"' --port "$PORT" tune "${op[@]}" --json
jq -e '.status == "tuned" and .timing.median_ns > 0 and .verified.checked > 0' "$SCRATCH/out" \
	>/dev/null || complain "the tuned artifact: $(cat "$SCRATCH/out")"
expect 0 'verified' --port "$PORT" tune "${op[@]}" # again: it is known
expect 0 'm=24 n=20 k=12 .*tuned' --port "$PORT" list
expect 0 'm=24' --port "$PORT" list m=24
expect 0 '"kernels": \[\]' --port "$PORT" list m=25 --json
expect 0 'timed' --port "$PORT" show "${op[@]}"
expect 0 '"trials"' --port "$PORT" show "${op[@]}" --json
daemon_stop

# Research, by a worker of its own.
op=(add shape=40)
expect 0 "search's pick" bench space "${op[@]}" --sample 3 --climb 2 --trials 4 --budget-s 60
expect 0 '"pick"' bench space "${op[@]}" --sample 2 --json
jq -e '.op == "add shape=40" and .best.ratio == 1 and .pick.ratio >= 1 and .lite.ratio >= 1 and
	.lite_space.measured > 0 and .sample.measured > 0 and .full.legal >= .lite_space.count and
	([.tried[] | select(.lite and .ratio)] | length) == .lite_space.measured' \
	"$SCRATCH/out" >/dev/null || complain "bench space: $(cat "$SCRATCH/out")"
schedule=$(jq -r .pick.schedule "$SCRATCH/out")
expect 0 ' wg_x=16 ' bench side "${op[@]}" --schedule "$schedule" --schedule 'wg_x=16 tile_n=4 vec=4'
expect 1 'vec' bench side "${op[@]}" --schedule 'vec=3'
expect 1 'unknown\|no operator' bench space addd shape=40
expect 1 'no device here is named like voodoo' --device voodoo bench space "${op[@]}"

[ $failures -eq 0 ] || die "$failures checks failed"
