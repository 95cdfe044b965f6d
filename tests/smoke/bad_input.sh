#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Sends wrong requests over REST. The daemon must answer each with problem details, the right code and
# a sentence, and must stay healthy. tests/web does the same over the WebSocket.
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/daemon.bash"
require curl jq

failures=0
complain() { echo "FAILED: $*"; failures=$((failures + 1)); }

# expect STATUS CODE WHAT PATH [CURL-ARGUMENT…]
expect() {
	local status=$1 code=$2 what=$3 path=$4 body
	shift 4
	body=$(get "$path" "$@") || { complain "$what: no answer"; return; }
	[ "$(cat "$SCRATCH/status")" = "$status" ] ||
		complain "$what: HTTP $(cat "$SCRATCH/status") instead of $status: $body"
	[ "$(jq -r .code <<<"$body" 2>/dev/null)" = "$code" ] ||
		complain "$what: not $code: $body"
	jq -e '(.type | type) == "string" and (.title | length) > 0 and .status == '"$status"' and
		(.detail | length) > 10' <<<"$body" >/dev/null || complain "$what: not problem details: $body"
	healthy || die "$what: the daemon is not healthy any more"
}

# refuse CODE WHAT OPERATOR: as a query of /v1/kernel, status 400
refuse() { expect 400 "$1" "$2" "/v1/kernel?op=$(encode "$3")"; }

# raw WHAT BYTES: sends what curl would not, and expects some 4xx or a closed connection.
raw() {
	local answer
	answer=$(
		exec 3<>"/dev/tcp/127.0.0.1/$PORT" || exit
		printf '%b' "$2" >&3
		timeout 3 head -n 1 <&3
	) 2>/dev/null
	case $answer in
	'' | 'HTTP/1.1 4'*) ;;
	*) complain "$1: answered '$answer'" ;;
	esac
	healthy || die "$1: the daemon is not healthy any more"
}

daemon_start
require_device

refuse unknown-operator "unknown operator" "matmull m=1 n=1 k=1"
refuse unknown-field "unknown field" "matmul m=1 n=1 k=1 q=3"
refuse duplicate-field "duplicate field" "matmul m=1 n=1 k=1 m=2"
refuse missing-field "missing field" "matmul m=1 n=1"
refuse bad-value "zero" "matmul m=0 n=1 k=1"
refuse bad-value "negative" "matmul m=-1 n=1 k=1"
refuse bad-value "not a number" "matmul m=lots n=1 k=1"
refuse bad-value "past 32 bits" "matmul m=4294967297 n=1 k=1"
refuse bad-value "unknown dtype" "matmul m=1 n=1 k=1 a=f99"
refuse bad-value "unknown activation" "matmul m=1 n=1 k=1 act=tan"
refuse too-large "a tensor past 2^31 elements" "matmul m=67108864 n=67108864 k=1"
refuse bad-syntax "no equals sign" "matmul m 1"
expect 400 missing-field "no operator at all" "/v1/kernel"
expect 400 unknown-field "unknown parameter" "/v1/kernel?op=$(encode "matmul m=8 n=8 k=8")&colour=red"
expect 422 exceeds-limits "larger than a binding" \
	"/v1/kernel?op=$(encode "matmul m=16384 n=16384 k=16384")"
expect 404 unknown-device "unknown device" \
	"/v1/kernel?op=$(encode "matmul m=8 n=8 k=8")&device=voodoo"
expect 400 bad-value "unknown target" \
	"/v1/kernel?op=$(encode "matmul m=8 n=8 k=8")&target=cuda"
for runs in 0 -1 1.5 1e13 many; do
	expect 400 bad-value "runs=$runs" "/v1/kernel?op=$(encode "matmul m=8 n=8 k=8")&runs=$runs"
done
expect 400 bad-value "unknown status" "/v1/kernels?status=fresh"
expect 404 not-found "no such address" /v1/nothing
expect 405 method-not-allowed "wrong verb" /v1/status -X DELETE
expect 426 upgrade-required "plain GET of the WebSocket's address" /v1/ws
expect 421 wrong-host "a name that is not ours" /v1/health -H 'Host: example.com'
expect 403 origin-pending "a page from elsewhere" /v1/health -H 'Origin: https://example.com'
expect 403 wrong-origin "an origin that only looks local" /v1/health \
	-H 'Origin: http://localhost.example.com'
get /v1/health -H 'Origin: https://example.com' | grep -q 'https://example.com' ||
	complain "a refused origin is not named"

raw "no HTTP at all" 'hello\r\n\r\n'
raw "two Host headers" 'GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n\r\n'
raw "no Host header" 'GET /v1/health HTTP/1.1\r\n\r\n'
raw "a space before the colon" "GET /v1/health HTTP/1.1\r\nHost : 127.0.0.1:$PORT\r\n\r\n"
raw "a folded header" "GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:$PORT\r\nX: a\r\n b\r\n\r\n"
raw "an unknown upgrade" \
	"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:$PORT\r\nConnection: Upgrade\r\nUpgrade: gopher\r\n\r\n"
raw "a head without end" "GET / HTTP/1.1\r\nHost: 127.0.0.1:$PORT\r\nX: $(printf 'a%.0s' {1..70000})"
raw "length and chunks at once" \
	"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:$PORT\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"

daemon_stop
[ $failures -eq 0 ] || die "$failures answers were not as they should be"
