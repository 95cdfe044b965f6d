#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Asks in the first moments after a start, when nobody knows the devices yet. Requests about devices
# wait and are then answered for the device that later ones get; health answers meanwhile.
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/daemon.bash"
require curl jq

device_of() { jq -r '.device // "none"' "$1"; }

# asks NAME: one request over REST and one command, both sent before the devices are known.
asks() {
	local rest tool
	daemon_start
	curl -s -g -m 60 -o "$SCRATCH/rest" "http://127.0.0.1:$PORT/v1/kernel?op=$(encode "copy shape=64")" &
	rest=$!
	"$BUILD/nnjitctl" --port "$PORT" tune copy shape=48 --json >"$SCRATCH/tool" 2>&1 &
	tool=$!
	healthy || die "$1: health does not answer while devices are looked for"
	wait $rest || die "$1: the request was not answered"
	require_device
	wait $tool || { cat "$SCRATCH/tool"; die "$1: the command failed"; }
	ask "copy shape=32" >"$SCRATCH/later"
	[ "$(device_of "$SCRATCH/rest")" = "$(device_of "$SCRATCH/later")" ] ||
		die "$1: the first was answered for $(device_of "$SCRATCH/rest"), a later one for $(device_of "$SCRATCH/later")"
	echo "$1: $(device_of "$SCRATCH/rest") from the first request on"
	daemon_stop
}

BUDGET_S=1
asks "a fresh state folder"
asks "a state folder with devices"
