#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# determinism [--device TEXT] [--times N] [OP]...: whether the same tuning picks kernels that are as
# good each time. Tunes each operator N times (5), each time by an nnjitd that has the device's facts
# stored, as measured once, and nothing else; then the schedules that were picked are timed side by
# side, so that the spread is theirs and not the hours'. Wanted: within 3%.
# Last line: spread_geomean and spread_worst, the slowest pick's time over the fastest's (1: the same
# schedule each time).
export NNJIT_BUILD=${NNJIT_BUILD:-$PWD}
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/../smoke/daemon.bash"
require curl jq
lab=$BUILD/tools/lab/nnjit-lab
[ -x "$lab" ] || make -s -C "$BUILD" tools/lab/nnjit-lab || skip "$lab is not built"

device='' times=5 ops=()
while [ $# -gt 0 ]; do
	case $1 in
	--device) device=$2; shift ;;
	--times) times=$2; shift ;;
	*) ops+=("$1") ;;
	esac
	shift
done
[ ${#ops[@]} -gt 0 ] || ops=("matmul m=128 n=128 k=128" "softmax rows=256 n=128"
	"conv2d c=32 h=28 w=28 oc=32 kernel=3 pad=1" "attention heads=4 q=128 kv=128 dim=64")
where=(${device:+--device "$device"})

daemon_start
require_device
daemon_stop
cp -r "$SCRATCH/state" "$SCRATCH/facts"

# pick OP: PICKED is the schedule that a daemon ends with that knows the device only.
pick() {
	rm -rf "$SCRATCH/state"
	cp -r "$SCRATCH/facts" "$SCRATCH/state"
	daemon_start
	require_device
	# shellcheck disable=SC2086
	"$BUILD/nnjitctl" --port "$PORT" "${where[@]}" --json tune $1 </dev/null >"$SCRATCH/artifact" ||
		die "$1 could not be tuned"
	daemon_stop
	PICKED=$(jq -r .schedule "$SCRATCH/artifact")
}

printf '%-46s %7s %7s %8s  %s\n' operator picks best spread "picks, times the best"
for op in "${ops[@]}"; do
	: >"$SCRATCH/picks"
	for ((i = 0; i < times; i++)); do
		pick "$op"
		echo "$PICKED" >>"$SCRATCH/picks"
	done
	schedules=()
	while read -r schedule; do
		schedules+=(--schedule "$schedule")
	done < <(sort -u "$SCRATCH/picks")
	# shellcheck disable=SC2086
	"$lab" "${where[@]}" --json side $op "${schedules[@]}" </dev/null >"$SCRATCH/side" ||
		die "the picks of $op could not be timed side by side"
	jq -r '[.times[].ns] as $ns | ($ns | length) as $length | ($ns | min) as $best | [.op, $length,
		$best / 1e6, ($ns | max) / $best,
		([$ns[] / $best * 100 | round / 100 | tostring] | join(" "))] | @tsv' "$SCRATCH/side" |
		tee -a "$SCRATCH/rows" | awk -F '\t' '{ printf "%-46s %7d %7.3f %8.3f  %s\n", $1, $2, $3, $4, $5 }'
done
awk -F '\t' '{ logs += log($4); worst = $4 > worst ? $4 : worst }
	END { printf "spread_geomean=%.3f spread_worst=%.3f\n", exp(logs / NR), worst }' "$SCRATCH/rows"
