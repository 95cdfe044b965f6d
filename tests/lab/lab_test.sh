#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# nnjit-lab as benches use it: exit codes, what it refuses, and one small experiment of each kind on
# a worker of its own.
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/../smoke/daemon.bash"

failures=0
complain() { echo "FAILED: $*"; failures=$((failures + 1)); }

# expect STATUS PATTERN ARGUMENT…: runs nnjit-lab; the pattern must stand on stderr (stdout for 0).
expect() {
	local status=$1 pattern=$2 got=0 where
	shift 2
	"$BUILD/tools/lab/nnjit-lab" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null || got=$?
	[ $got -eq "$status" ] || complain "nnjit-lab $*: exit $got instead of $status: $(cat "$SCRATCH/err")"
	where=$SCRATCH/err
	[ "$status" -ne 0 ] || where=$SCRATCH/out
	grep -qe "$pattern" "$where" || complain "nnjit-lab $*: no '$pattern' in: $(cat "$where")"
	[ "$status" -eq 0 ] || [ ! -s "$SCRATCH/out" ] || complain "nnjit-lab $*: wrote to stdout although it failed"
}

require jq
[ -x "$BUILD/tools/lab/nnjit-lab" ] || skip "$BUILD/tools/lab/nnjit-lab is not built"
expect 0 '^usage' --help
expect 2 'usage'
expect 2 "no experiment 'fly'" fly
expect 2 'unrecognized option' space --colour
expect 2 'an operator' space
expect 2 'schedules' side matmul m=1 n=1 k=1
expect 2 "does not belong to 'space'" space matmul m=1 n=1 k=1 --schedule wg_x=8
expect 2 "does not belong to 'side'" side matmul m=1 n=1 k=1 --schedule wg_x=8 --sample 3
expect 2 '--sample must be a number' space matmul m=1 n=1 k=1 --sample some
expect 2 'profile must be' space matmul m=1 n=1 k=1 --profile gpu
expect 2 'given already' space matmul m=1 n=1 k=1 --seed 1 --seed 2

"$BUILD/nnjit-gpu" --list | grep -q . || skip "no device here"
op=(add shape=40)
if "$BUILD/nnjit-gpu" --list | grep -q llvmpipe; then op+=(--device llvmpipe); fi
expect 0 "search's pick" space "${op[@]}" --sample 3 --climb 2 --trials 4 --budget-s 60
expect 0 '"pick"' space "${op[@]}" --sample 2 --trials 4 --json
jq -e '.op == "add shape=40" and .best.ratio == 1 and .pick.ratio >= 1 and .lite.ratio >= 1 and
	.lite_space.measured > 0 and .sample.measured > 0 and .full.legal >= .lite_space.count and
	([.tried[] | select(.lite and .ratio)] | length) == .lite_space.measured' \
	"$SCRATCH/out" >/dev/null || complain "space: $(cat "$SCRATCH/out")"
schedule=$(jq -r .pick.schedule "$SCRATCH/out")
expect 0 ' wg_x=16 ' side "${op[@]}" --schedule "$schedule" --schedule 'wg_x=16 tile_n=4 vec=4'
expect 0 '"times"' side "${op[@]}" --schedule "$schedule" --json
expect 1 'vec' side "${op[@]}" --schedule 'vec=3'
expect 1 'addd' space addd shape=40
expect 1 'no device here is named like voodoo' --device voodoo space add shape=40

[ $failures -eq 0 ] || die "$failures checks failed"
