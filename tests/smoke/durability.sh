#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Kills nnjitd with SIGKILL again and again while it tunes. Each time the daemon must be healthy within
# a second of its start. It must still have everything that it told a client: kernels, trials and
# accepted jobs. In the end it must finish every search.
#
# NNJIT_KILLS: how many times (5).
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/daemon.bash"
require curl jq

TRIALS=50 # nnjitd's default for --trials
kills=${NNJIT_KILLS:-5}
asked=()

# next_job: asks for a kernel not asked for yet. Small ones, so that some end between kills.
next_job() {
	local op="matmul m=$((64 + 8 * ${#asked[@]})) n=96 k=96"
	ask "$op" | jq -e '.code' >/dev/null || die "no kernel was answered for $op"
	asked+=("$op")
}

# What the daemon says it has, one fact a line. A finished kernel is told with its schedule; one
# still in tuning may yet improve. A trial that was timed keeps its times though it is launched
# again; a rejected one stays rejected.
facts() {
	get /v1/kernels | jq -r '.kernels[] |
		"kernel \(.op)", if .status == "tuned" then "tuned \(.op): \(.schedule)" else empty end' ||
		return 1
	for op in "${asked[@]}"; do
		trials "$op" | jq -r '.op as $op | .trials[] |
			if .samples > 0 then "trial \($op): \(.schedule) timed"
			elif .state == "launched" then empty
			else "trial \($op): \(.schedule) \(.state)" end' || return 1
	done
}

# Keeps the last complete answer for a while, then kills: what was told must stay.
live_for() {
	local end=$(($(now_ms) + $1))
	while (($(now_ms) < end)); do
		facts >"$SCRATCH/now" && sort -u "$SCRATCH/now" >"$SCRATCH/told"
	done
}

check_kept() {
	facts >"$SCRATCH/now" || die "the daemon does not tell what it has"
	sort -u "$SCRATCH/now" >"$SCRATCH/kept"
	comm -23 "$SCRATCH/told" "$SCRATCH/kept" >"$SCRATCH/lost"
	[ -s "$SCRATCH/lost" ] || return 0
	cat "$SCRATCH/lost"
	die "kill $1: these were told and are lost"
}

daemon_start
require_device
next_job
next_job
slowest=0
: >"$SCRATCH/starts"
for ((kill = 1; kill <= kills; kill++)); do
	live_for $((300 + RANDOM % 2400))
	daemon_kill
	daemon_start
	echo "$STARTED_MS" >>"$SCRATCH/starts"
	((STARTED_MS <= slowest)) || slowest=$STARTED_MS
	((STARTED_MS < 1000)) || die "kill $kill: healthy only after $STARTED_MS ms"
	check_kept $kill
	is_tuned "${asked[-1]}" && next_job
done
settled=$(wc -l <"$SCRATCH/told")
median=$(sort -n "$SCRATCH/starts" | sed -n "$(((kills + 1) / 2))p")
echo "$kills kills: healthy again after $median ms (median), $slowest ms (slowest); $settled facts told, none lost"

# Nobody asks again: the jobs must have been kept.
idle() { get /v1/status | jq -e '.tuning | .jobs_queued + .jobs_running == 0' >/dev/null; }
wait_for 180 "the searches end" idle
for op in "${asked[@]}"; do
	trials "$op" >"$SCRATCH/trials"
	count=$(jq '.trials | length' "$SCRATCH/trials")
	is_tuned "$op" || die "$op was accepted and is not tuned"
	((count >= 1 && count <= TRIALS)) || die "$op has $count trials, more than one search may try"
	jq -r '"\(.op): \(.trials | length) trials, \([.trials[].state] | group_by(.) |
		map("\(length) \(.[0])") | join(", "))"' "$SCRATCH/trials"
done
daemon_stop
