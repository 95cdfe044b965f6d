#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# repeat [--device TEXT] [--times N] [OP]...: whether tuning the same kernel again picks one that is as
# fast. Tunes each operator N times (5), each time anew, and compares the picks by what the last
# session that timed both of them side by side measured.
# Last line: picks, how many different ones of an operator at most; spread, the slowest pick's time
# over the fastest's, the worst of all operators.
export NNJIT_BUILD=${NNJIT_BUILD:-$PWD}
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/../smoke/daemon.bash"
require curl jq

device=llvmpipe times=5
while [ $# -gt 0 ]; do
	case $1 in
	--device) device=$2; shift 2 ;;
	--times) times=$2; shift 2 ;;
	*) break ;;
	esac
done
[ $# -gt 0 ] || set -- "matmul m=64 n=64 k=64" "softmax rows=64 n=256"

daemon_start
require_device
ctl() { "$BUILD/nnjitctl" --port "$PORT" --device "$device" --json "$@" </dev/null; }
printf '%-28s %5s %10s %8s  %s\n' operator time "median ms" measured schedule
for op; do
	: >"$SCRATCH/picks"
	for ((i = 1; i <= times; i++)); do
		# Words are wanted: an operator is a name and its fields.
		# shellcheck disable=SC2086
		ctl bench $op >"$SCRATCH/artifact" || die "$op could not be tuned"
		jq -r '.kernel.schedule' "$SCRATCH/artifact" >>"$SCRATCH/picks"
		jq -r --arg i "$i" '[.op, $i, .kernel.timing.median_ns / 1e6, .kernel.progress.measured,
			.kernel.schedule] | @tsv' "$SCRATCH/artifact" |
			awk -F '\t' '{ printf "%-28s %5d %10.4f %8d  %s\n", $1, $2, $3, $4, $5 }'
	done
	# shellcheck disable=SC2086
	ctl show $op | jq -r --rawfile picks "$SCRATCH/picks" '($picks | split("\n")) as $picks |
		[.trials[] | select(.state == "timed" and (.schedule | IN($picks[])))] |
		"\(length) \((map(.median_ns) | max) / (map(.median_ns) | min))"' >>"$SCRATCH/spreads"
done
awk '{ p = $1 > p ? $1 : p; s = $2 > s ? $2 : s } END { printf "picks=%d spread=%.3f\n", p, s }' \
	"$SCRATCH/spreads"
