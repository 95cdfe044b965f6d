#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# model [NAME]... [--device TEXT] [OPTION of nnjitctl tune --model]...: tunes all operators of the
# models named, or of every manifest, and prints of each operator what it takes with the default and
# with the tuned kernel, and how near that comes to what the device could attain. Starts an nnjitd of
# its own with nothing stored. Without --budget each operator may take a minute.
# Last line: default_ms and tuned_ms of one forward pass, tune_s; of several models their sums.
export NNJIT_BUILD=${NNJIT_BUILD:-$PWD}
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/../smoke/daemon.bash"
require curl jq

names=() options=()
while [ $# -gt 0 ]; do
	case $1 in
	--*) [ $# -gt 1 ] || die "$1 needs a value"; options+=("$1" "$2"); shift ;;
	*) names+=("$1") ;;
	esac
	shift
done

BUDGET_S=60
daemon_start
require_device
ctl() { "$BUILD/nnjitctl" --port "$PORT" "$@"; }
if [ ${#names[@]} -eq 0 ]; then
	mapfile -t names < <(get /v1/models | jq -r '.models[].name')
fi

# table FILE: a row an operator, the dearest first.
table() {
	jq -r '"\(.title), \(.dtype), \(.inputs | to_entries | map("\(.key)=\(.value)") | join(" "))" +
		", on \(.device_name)"' "$1"
	printf '%11s %11s %8s %9s %6s %6s  %s\n' 'default ms' 'tuned ms' speedup roofline share times operator
	jq -r '.ops | sort_by(-(.share // 0))[] | [(.default_ns // 0) / 1e6, (.tuned_ns // 0) / 1e6,
		.speedup // 0, .roofline // 0, .share // 0, .times, .op,
		(if .status == "refused" then "  (refused: \(.why))" else "" end)] | @tsv' "$1" |
		awk -F '\t' '{ printf "%11.4f %11.4f %7.2fx %8.1f%% %5.1f%% %6d  %s%s\n",
			$1, $2, $3, 100 * $4, 100 * $5, $6, $7, $8 }'
}

line() {
	jq -r '[.model, .total.default_ns / 1e6, .total.tuned_ns / 1e6, .elapsed_s] | @tsv' "$1" |
		awk -F '\t' '{ printf "name=%s default_ms=%.3f tuned_ms=%.3f tune_s=%.1f\n", $1, $2, $3, $4 }'
}

for name in "${names[@]}"; do
	ctl --json tune --model "$name" "${options[@]}" </dev/null >"$SCRATCH/model" ||
		[ -s "$SCRATCH/model" ] || die "$name could not be tuned"
	table "$SCRATCH/model"
	line "$SCRATCH/model" >>"$SCRATCH/lines"
	echo
done
tr '=' ' ' <"$SCRATCH/lines" | awk '{ n = NR > 1 ? "all" : $2; d += $4; t += $6; s += $8 }
	END { printf "name=%s default_ms=%.3f tuned_ms=%.3f tune_s=%.1f\n", n, d, t, s }'
