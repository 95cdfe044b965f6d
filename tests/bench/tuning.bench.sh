#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tuning [OP]...: what a search takes and what it is worth, on every device that is here. Starts an
# nnjitd of its own with nothing stored and asks for each operator on each device; the default
# kernel is timed in the same session as the tuned one.
# Last line: search_s and candidates, the greatest of all; speedup, the geometric mean.
export NNJIT_BUILD=${NNJIT_BUILD:-$PWD}
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/../smoke/daemon.bash"
require curl jq
[ $# -gt 0 ] || set -- "matmul m=256 n=256 k=256"

daemon_start
require_device
ctl() { "$BUILD/nnjitctl" --port "$PORT" "$@"; }
rows=$SCRATCH/rows
get /v1/devices | jq -r '.devices[] | "\(.id) \(.name)"' >"$SCRATCH/devices"
printf '%-34s %-33s %8s %10s %11s %9s %8s %9s\n' operator device search measured "default ms" \
	"tuned ms" speedup GFLOP/s
while read -r id name; do
	for op; do
		begin=$(now_ms)
		# shellcheck disable=SC2086
		ctl --device "$id" --features all --json tune $op </dev/null >"$SCRATCH/artifact" ||
			die "$op could not be tuned on $name"
		jq -r --arg name "$name" --argjson ms $(($(now_ms) - begin)) '[.op, $name, $ms / 1000,
			.progress.measured, .progress.of, .timing.baseline_ns / 1e6, .timing.median_ns / 1e6,
			.timing.baseline_ns / .timing.median_ns, .timing.gflops] | @tsv' "$SCRATCH/artifact" |
			tee -a "$rows" | awk -F '\t' '{ printf "%-34s %-33s %6.1f s %4d of %-3d %10.3f %9.3f %7.2fx %9.1f\n",
				$1, substr($2, 1, 33), $3, $4, $5, $6, $7, $8, $9 }'
	done
done <"$SCRATCH/devices"
awk -F '\t' '{ s = $3 > s ? $3 : s; n = $5 > n ? $5 : n; logs += log($8) }
	END { printf "search_s=%.1f candidates=%d speedup=%.2f\n", s, n, exp(logs / NR) }' "$rows"
