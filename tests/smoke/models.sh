#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tunes a small form of every manifest on lavapipe by `nnjitctl tune --model`. Each must end about within
# its budget, and each kernel must be tuned and verified. The budget is not exact: each operator gets two
# schedules whatever they take, and other programs may load the machine. Then it tests the same model
# again, which costs nothing; the list over REST; an interrupt; and wrong command lines.
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/daemon.bash"
require curl jq

failures=0
complain() { echo "FAILED: $*"; failures=$((failures + 1)); }

# Model, budget in seconds, sizes. Alike where they can be: what was tuned for one model costs the
# next one nothing.
text="layers=1,hidden=64,head=32,vocab=100,seq=16"
read -r -d '' models <<-END || true
	bert-base      10 $text
	roberta-base   5 $text
	gpt2           8 $text
	llama-2-7b     8 $text,ffn=256
	llama-3.2-1b   5 $text,head=16
	bart-large     8 $text,target_seq=4
	t5-base        14 $text,target_seq=4
	whisper-tiny   10 $text,frames=16,target_seq=4,mels=20
	vit-b-16       12 layers=1,hidden=64,head=32,image=32,patch=8,classes=10
	resnet-50      30 image=32,width=8,blocks1=2,blocks2=2,blocks3=2,blocks4=2,classes=10
	mobilenet-v2   18 image=32,stem=8,c1=8,c2=8,c3=8,c4=16,c5=16,c6=16,c7=16,last=32,classes=10
	sd-1.5-unet    50 latent=8,c1=32,c2=32,c3=32,step=32,groups=8,heads=2,text=7,text_hidden=32
END

ctl() { "$BUILD/nnjitctl" --port "$PORT" "$@" </dev/null; }

# By how much others slow this machine down: what runs or wants to, for each core.
slower() { awk -v cores="$(nproc)" '{ n = $1 / cores; print (n > 1 ? n : 1) }' /proc/loadavg; }

# verify MODEL: the kernel of every operator in $SCRATCH/model, as a page would get it.
verify() {
	jq -r '.ops[].op' "$SCRATCH/model" | while IFS= read -r op; do
		ask "$op" | jq -e '.status == "tuned" and .verified.checked > 0 and .timing.median_ns > 0' \
			>/dev/null || echo "$op: $(jq -c '{status, verified, timing, detail}' "$SCRATCH/body")"
	done >"$SCRATCH/unverified"
	[ ! -s "$SCRATCH/unverified" ] || complain "$1: $(head -n 3 "$SCRATCH/unverified")"
}

tune() { # tune MODEL BUDGET SIZES
	if ! ctl --device "$device" --json tune --model "$1" --budget "$2" --size "$3" \
		>"$SCRATCH/model" 2>"$SCRATCH/err"; then
		complain "$1: $(cat "$SCRATCH/err")"
		return
	fi
	jq -e '.failed == 0 and .total.refused == 0 and .total.tuned == .total.ops and .total.ops > 0' \
		"$SCRATCH/model" >/dev/null || complain "$1: $(jq -c '.total, .failed' "$SCRATCH/model")"
	jq -r --argjson budget "$2" '"\(.model): \(.total.ops) operators, \(.elapsed_s * 10 | round / 10) s of " +
		"\($budget) s, \(.total.default_ns / 1e6) ms -> \(.total.tuned_ns / 1e6) ms"' "$SCRATCH/model"
	jq -e --argjson budget "$2" --argjson slower "$(slower)" \
		'.elapsed_s <= 1.5 * $budget * $slower' "$SCRATCH/model" >/dev/null ||
		complain "$1: far beyond its budget"
	verify "$1"
}

daemon_start
require_device
device=$(get /v1/devices | jq -r 'first(.devices[] | select(.name | test("llvmpipe")) | .id) // empty')
[ -n "$device" ] || skip "lavapipe is not installed (tools/install-packages test)"
manifests=("$SOURCE"/protocol/models/*.json)
[ ${#manifests[@]} -eq "$(wc -l <<<"$models")" ] ||
	complain "there are other models than those tried here"
while read -r model budget sizes; do tune "$model" "$budget" "$sizes"; done <<<"$models"

# Known by now: nothing is measured again.
begin=$(now_ms)
ctl --device "$device" tune --model bert-base --size "$text" >"$SCRATCH/out" 2>"$SCRATCH/err" ||
	complain "bert-base again: $(cat "$SCRATCH/err")"
(($(now_ms) - begin < 3000)) || complain "bert-base again took $(($(now_ms) - begin)) ms"
grep -q '^OPERATOR .*TUNED ms' "$SCRATCH/out" || complain "no table: $(cat "$SCRATCH/out")"
grep -q 'with default kernels' "$SCRATCH/out" || complain "no totals: $(cat "$SCRATCH/out")"
grep -q '^1 of 1[0-9], ' "$SCRATCH/err" || complain "no lines of progress: $(cat "$SCRATCH/err")"

# Over REST: the list at once, the tuning later.
get "/v1/prefetch?model=gpt2&sizes=$(encode "$text,hidden=32")&budget_s=4&device=$device" -X POST |
	jq -e '.of == (.ops | length) and .queued > 0 and .look == "/v1/model"' >/dev/null ||
	complain "prefetch over REST: $(cat "$SCRATCH/body")"
all_tuned() {
	get "/v1/model?model=gpt2&sizes=$(encode "$text,hidden=32")&device=$device" |
		jq -e '.total | .tuned == .ops' >/dev/null
}
wait_for 180 "what was queued over REST is tuned" all_tuned

# Ctrl-C: nnjitctl ends at once and says so, the daemon drops what nobody waits for.
idle() { get /v1/status | jq -e '.tuning | .jobs_queued + .jobs_running == 0' >/dev/null; }
set -m # background jobs of a script do not hear SIGINT otherwise
"$BUILD/nnjitctl" --port "$PORT" --device "$device" tune --model vit-b-16 --size image=64 \
	>"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null &
ctl_pid=$!
set +m
running() { get /v1/status | jq -e '.tuning.jobs_running > 0' >/dev/null; }
wait_for 10 "the model is being tuned" running
kill -INT "$ctl_pid"
wait "$ctl_pid"
[ $? -eq 130 ] || complain "an interrupt did not end with status 130"
grep -q 'cancelled after' "$SCRATCH/err" || complain "an interrupt: $(cat "$SCRATCH/err")"
wait_for 30 "what was cancelled ends" idle

# refuse STATUS PATTERN ARGUMENT…
refuse() {
	local status=$1 pattern=$2 got=0
	shift 2
	ctl "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" || got=$?
	if [ $got -ne "$status" ] || ! grep -qe "$pattern" "$SCRATCH/err"; then
		complain "nnjitctl $*: exit $got, $(cat "$SCRATCH/err")"
	fi
}
refuse 1 "no model 'bert'; there are bart-large" tune --model bert
refuse 1 'vit-b-16 has no input or size .seq' tune --model vit-b-16 --seq 3
refuse 1 'at most 512 (positions)' tune --model bert-base --seq 513
refuse 1 "'hidden/head': 100 / 64 leaves a remainder" tune --model bert-base --size hidden=100
refuse 1 'dtype must be f32' tune --model bert-base --dtype f64
refuse 1 'budget_s must be more than 0' tune --model bert-base --budget 0
refuse 2 'seq must be a number' tune --model bert-base --seq many
refuse 2 'seq needs --model' tune --seq 3 matmul m=1 n=1 k=1
refuse 2 'no operator is given' tune --model bert-base matmul m=1 n=1 k=1
refuse 2 'model is for tune' get --model bert-base
ctl models | grep -q '^sd-1.5-unet .* 859520964 ' || complain "models: $(ctl models)"
ctl models bert-base --seq 8 --json --device "$device" |
	jq -e '.ops[0].status == "predicted" and .total.tuned == 0 and .inputs.seq == 8' >/dev/null ||
	complain "models bert-base --seq 8"
daemon_stop

[ $failures -eq 0 ] || die "$failures checks failed"
