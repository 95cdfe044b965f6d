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
expect 2 'is for tune' get matmul m=1 n=1 k=1 --model bert-base
expect 2 'needs --model' tune matmul m=1 n=1 k=1 --seq 8
expect 2 'must be a number' tune --model bert-base --seq some
expect 2 'given already' tune --model bert-base --seq 8 --seq 9
expect 2 'again is for tune' get matmul m=1 n=1 k=1 --again
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
expect 0 'verified' --port "$PORT" tune "${op[@]}" # it is known
expect 0 'verified' --port "$PORT" tune --again "${op[@]}"
expect 0 'verified' --port "$PORT" bench "${op[@]}" # the old name of the same
expect 0 '"status"' --port "$PORT" get "${op[@]}" --constant b --json
expect 0 'm=24 n=20 k=12 .*tuned' --port "$PORT" list
expect 0 'm=24' --port "$PORT" list m=24
expect 0 '"kernels": \[\]' --port "$PORT" list m=25 --json
expect 0 'timed' --port "$PORT" show "${op[@]}"
expect 0 '"trials"' --port "$PORT" show "${op[@]}" --json

socket=$SCRATCH/state/nnjitd.sock
expect 0 'no page has asked' --socket "$socket" origins
curl -s -o "$SCRATCH/out" -H 'Origin: https://app.example' "http://127.0.0.1:$PORT/v1/health"
jq -e '.code == "origin-pending"' "$SCRATCH/out" >/dev/null || complain "an unknown origin: $(cat "$SCRATCH/out")"
expect 0 'https://app.example  *pending' --socket "$socket" origins
expect 0 'is approved until the daemon ends' --socket "$socket" origins approve https://app.example --once
expect 0 '"kept": "once"' --socket "$socket" origins --json
expect 0 'is approved$' --socket "$socket" origins approve https://app.example
expect 0 'https://app.example is revoked' --socket "$socket" origins revoke https://app.example
expect 1 'unknown-origin' --socket "$socket" origins revoke https://app.example
expect 0 'is denied' --socket "$socket" origins deny https://app.example
expect 1 'bad-value' --socket "$socket" origins approve app.example
expect 2 'approve, deny or revoke' --socket "$socket" origins forgive https://app.example
expect 2 'approve, deny or revoke' --socket "$socket" origins deny https://app.example --once
expect 0 "^http://localhost:$PORT/admin#[0-9a-f]\{64\}$" --socket "$socket" admin
daemon_stop
expect 1 'no nnjitd answers on the socket' --socket "$socket" origins

[ $failures -eq 0 ] || die "$failures checks failed"
