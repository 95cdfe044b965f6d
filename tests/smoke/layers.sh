#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests tools/check-layers: plants each violation into a copy of the sources. The check must find it, at
# its line.
set -u
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
failures=0

fresh_copy() {
	rm -rf "$SCRATCH/tree"
	mkdir "$SCRATCH/tree"
	(cd "$SOURCE" && tar -c --exclude=node_modules --exclude='*.o' --exclude='*.a' \
		libjit protocol daemon clients tools) | tar -x -C "$SCRATCH/tree"
}

# planted WHAT FILE LINE-TEXT EXPECTED: the line is put at the top of the file.
planted() {
	local output status
	fresh_copy
	mkdir -p "$SCRATCH/tree/$(dirname "$2")"
	touch "$SCRATCH/tree/$2"
	{ printf '%s\n' "$3"; cat "$SCRATCH/tree/$2"; } >"$SCRATCH/file"
	mv "$SCRATCH/file" "$SCRATCH/tree/$2"
	output=$("$SCRATCH/tree/tools/check-layers" 2>&1)
	status=$?
	if [ $status -eq 0 ] || [[ $output != *"$2:1: "*"$4"* ]]; then
		echo "FAILED: $1: status $status, and it said: $output"
		failures=$((failures + 1))
	fi
}

fresh_copy
"$SCRATCH/tree/tools/check-layers" || {
	echo "FAILED: the tree itself does not pass"
	exit 1
}
planted "a floor above" libjit/ir/build.c '#include "lower/lower.h"' 'not beneath libjit/ir'
planted "around the door" daemon/api/api.c '#include "lower/lower.h"' 'not beneath daemon/api'
planted "Vulkan in the daemon" daemon/daemon.c '#include <vulkan/vulkan.h>' 'only for daemon/gpu/vulkan'
planted "Vulkan beside its room" daemon/gpu/trial.c '#include <vulkan/vulkan.h>' 'only for daemon/gpu/vulkan'
planted "around the seam" daemon/gpu/serve.c '#include "daemon/gpu/vulkan/device.h"' 'not beneath daemon/gpu'
planted "LMDB outside the store" daemon/tune/tune.h '#include <lmdb.h>' 'only for daemon/store'
planted "a clock in the generator" libjit/search/search.c '#include <time.h>' 'only libjit'
planted "a socket in the generator" libjit/nnjit.c '  #  include <sys/socket.h>' 'only libjit'
planted "a room without a row" daemon/cellar/cellar.c '#include <stdio.h>' 'no room'
planted "a header that is nowhere" protocol/wire.c '#include "protocol/nowhere.h"' 'nowhere'

# Circles: between two headers of one room, and in the table itself.
fresh_copy
echo '#include "base/hash.h"' >>"$SCRATCH/tree/libjit/base/error.h"
echo '#include "base/error.h"' >>"$SCRATCH/tree/libjit/base/hash.h"
"$SCRATCH/tree/tools/check-layers" | grep -q 'circle of includes' || {
	echo "FAILED: a circle of includes was not found"
	failures=$((failures + 1))
}
fresh_copy
sed -i 's|^libjit/base:.*|libjit/base: daemon|' "$SCRATCH/tree/tools/layers"
"$SCRATCH/tree/tools/check-layers" | grep -q 'circle of rooms' || {
	echo "FAILED: a circle of rooms was not found"
	failures=$((failures + 1))
}
[ $failures -eq 0 ]
