#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Links a program that only makes WGSL with libjit, and checks what the linker took. The program must
# hold nothing of the other emitters, the interpreter, the reference or the search.
set -u
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
archive=${NNJIT_BUILD:-$PWD}/libjit.a

[ -e "$archive" ] || { echo "$archive is not built"; exit 77; }
command -v nm >/dev/null || { echo "nm is not installed (tools/install-packages build)"; exit 77; }
if nm "$archive" 2>/dev/null | grep -q __asan; then
	echo "libjit.a is built with sanitizers, and would need them to link"
	exit 77
fi
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT

cat >"$SCRATCH/wgsl.c" <<'END'
#include "emit/text/wgsl.h"
#include "nnjit.h"

#include <stdio.h>

int main(void)
{
	struct schedule schedule;
	struct nnjit *nnjit;
	struct kernel kernel;
	struct op op;

	if (nnjit_create(&nnjit) || op_parse("matmul m=64 n=64 k=64", &op, NULL) ||
	        schedule_parse("", &schedule, NULL) ||
	        nnjit_generate(nnjit, &op, &schedule, emit_wgsl, &kernel))
		return 1;
	fwrite(kernel.code, 1, kernel.code_bytes, stdout);
	nnjit_destroy(nnjit);
}
END
${CC:-cc} -std=gnu17 -I "$SOURCE/libjit" -o "$SCRATCH/wgsl" "$SCRATCH/wgsl.c" "$archive" -lm || {
	echo "FAILED: the program does not compile"
	exit 1
}
"$SCRATCH/wgsl" | grep -q '@compute' || {
	echo "FAILED: the program makes no WGSL"
	exit 1
}
nm "$SCRATCH/wgsl" >"$SCRATCH/symbols"
grep -q ' T emit_wgsl$' "$SCRATCH/symbols" || {
	echo "FAILED: nm does not show the emitter that is there"
	exit 1
}
# What each room that is left out defines.
failures=0
for room in emit/spirv emit/eval reference search nnjit_eval.c; do
	room_path=$SOURCE/libjit/$room
	while IFS= read -r name; do
		if grep -q " T $name\$" "$SCRATCH/symbols"; then
			echo "FAILED: a generator of WGSL has $name of libjit/$room"
			failures=1
		fi
	done < <(cat "$room_path" "$room_path"/*.c 2>/dev/null |
		sed -n 's/^[a-z][a-z0-9_ ]*[ *]\([a-z0-9_]*\)(.*/\1/p' | sort -u)
done
exit $failures
