#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# space [--device TEXT] [--pairs N|A..B] [--sample N] [--seed N] [--climb N] [--trials N]
# [--budget-s N] [--features LIST] [--keep FILE]: how near the search comes to the best there is.
# Of each operator-shape pair of the table below it measures the whole lite space and a random
# sample of the full one (all of it, where it is no larger), each beside what the search picked
# within --trials (50) candidates, and compares the best of all sides again at the end. --budget-s is
# for each pair; --climb N: the reference climbs over N neighbours of the best as well.
# --pairs 1..7 does a slice; with --keep the results are kept in FILE, pairs that it has of this
# device are not measured again, and the last line is of all it has.
# Last line: the most trials of a search, and ratios to the best found (1.00: the best itself) of
# the search's pick and of the cold prediction.
export NNJIT_BUILD=${NNJIT_BUILD:-$PWD}
set -eu
command -v jq >/dev/null || { echo "jq is not installed (tools/install-packages test)"; exit 77; }
lab=$NNJIT_BUILD/tools/lab/nnjit-lab
[ -x "$lab" ] || make -s -C "$NNJIT_BUILD" tools/lab/nnjit-lab || { echo "$lab is not built"; exit 77; }

# Small enough that a processor pretending to be a GPU gets through.
pairs=(
	"matmul m=128 n=128 k=128"
	"matmul m=256 n=256 k=256"
	"matmul m=128 n=768 k=768"
	"matmul m=64 n=256 k=1024 bias=1 act=gelu"
	"matmul m=128 n=128 k=64 batch=12 trans_b=1 scale=0.125"
	"matmul m=97 n=131 k=65"
	"matmul m=1 n=2048 k=1024 trans_b=1"
	"matmul m=1 n=3072 k=768"
	"matmul m=4 n=1024 k=1024 trans_b=1"
	"matmul_nbits m=1 n=2048 k=1024"
	"conv2d c=3 h=56 w=56 oc=32 kernel=3 stride=2 pad=1 bias=1 act=relu"
	"conv2d c=32 h=28 w=28 oc=32 kernel=3 pad=1"
	"conv2d c=64 h=28 w=28 oc=128 bias=1 act=relu6 layout=nhwc"
	"conv2d c=96 h=28 w=28 oc=96 kernel=3 pad=1 groups=96 bias=1 act=relu6"
	"conv2d c=96 h=28 w=28 oc=96 kernel=3 stride=2 pad=1 groups=96 layout=nhwc"
	"conv1d c=80 l=300 oc=96 kernel=3 pad=1 bias=1 act=gelu"
	"softmax rows=1536 n=128"
	"softmax rows=16 n=8192"
	"layernorm rows=128 n=768"
	"rmsnorm rows=1 n=4096"
	"reduce_sum rows=1024 n=1024"
	"reduce_mean rows=1280 n=49"
	"argmax rows=4 n=32000"
	"add shape=1,128,768"
	"map shape=128,3072 y=3072 steps=x,y,add,gelu"
	"transpose shape=128,12,64 perm=1,0,2"
	"transpose shape=768,512 perm=1,0"
	"max_pool c=32 h=56 w=56 kernel=3 stride=2 pad=1"
	"attention heads=4 q=128 kv=128 dim=64"
	"attention heads=16 kv_heads=4 q=1 kv=512 dim=64"
)

slice=1..${#pairs[@]} keep='' device='' options=()
while [ $# -gt 0 ]; do
	[ $# -gt 1 ] || { echo "space: $1 needs a value"; exit 2; }
	case $1 in
	--pairs) slice=$2 ;;
	--keep) keep=$2 ;;
	--device) device=$2 ;;
	--sample | --seed | --climb | --trials | --budget-s | --features) options+=("$1" "$2") ;;
	*) echo "space: there is no option $1"; exit 2 ;;
	esac
	shift 2
done
first=${slice%%..*} last=${slice##*..}
[ "$slice" != "$last" ] || first=1 # --pairs N: the first N
[ -z "$device" ] || options+=(--device "$device")
if [ -z "$keep" ]; then
	keep=$(mktemp)
	trap 'rm -f "$keep"' EXIT
fi
touch "$keep"

# What is kept of this device, a line each.
kept() { jq -c --arg device "$device" 'select(.device_name | ascii_downcase | contains($device | ascii_downcase))' "$keep"; }

row() {
	jq -r '[.op, .best.ns / 1e6, .lite.ratio, .pick.ratio, .cold.ratio, .search.trials, .lite_space.count,
		.sample.measured, (if .sample.exhaustive then "all" else "" end), .elapsed_s] | @tsv' |
		awk -F '\t' '{ printf "%-62s %9.4f %6.2f %6.2f %6.2f %4d of %-2d %6d %-3s %5.0f s\n",
			$1, $2, $3, $4, $5, $6, $7, $8, $9, $10 }'
}

known=$(kept | jq -r .asked)
printf '%-62s %9s %6s %6s %6s %10s %10s %7s\n' pair "best ms" lite pick cold trials sample took
for ((i = first; i <= last && i <= ${#pairs[@]}; i++)); do
	grep -qxF -- "${pairs[i - 1]}" <<<"$known" || echo "${pairs[i - 1]}"
done | "$lab" space - --json "${options[@]}" | tee -a "$keep" |
	while read -r line; do row <<<"$line"; done
status=${PIPESTATUS[1]}
[ "$status" -ne 2 ] || exit 2
kept | jq -s -e 'length > 0' >/dev/null || { echo "no pair could be measured"; exit 77; }
kept | jq -rs 'def geomean: map(log) | add / length | exp | . * 1000 | round / 1000;
	def worst: max | . * 1000 | round / 1000;
	(map(.pick.ratio)) as $pick | (map(.cold.ratio // empty)) as $cold |
	"on \([.[].device_name] | unique | join(", ")): \(length) pairs; lite space'"'"'s best geomean " +
	"\(map(.lite.ratio) | geomean), worst \(map(.lite.ratio) | worst)",
	"trials=\(map(.search.trials) | max) pick_geomean=\($pick | geomean) pick_worst=\($pick | worst) " +
	"cold_geomean=\($cold | geomean) cold_worst=\($cold | worst)"'
