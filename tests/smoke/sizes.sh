#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests tools/check-sizes and tools/check-readmes: plants each violation into a copy of the sources. The
# checks must find it.
set -u
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
failures=0

(cd "$SOURCE" && tools/list-files | grep -E '^(libjit|protocol|daemon|clients|systemd|tools|tests/bench)/' |
	tar -c -T -) | tar -x -C "$SCRATCH"

# planted CHECK WHAT FILE EXPECTED: FILE is made of standard input, and goes again.
planted() {
	local output status
	cat >"$SCRATCH/$3"
	output=$("$SCRATCH/tools/$1" 2>&1)
	status=$?
	rm "$SCRATCH/$3"
	if [ $status -eq 0 ] || [[ $output != *"$4"* ]]; then
		echo "FAILED: $2: status $status, and it said: $output"
		failures=$((failures + 1))
	fi
}
lines() { for ((i = 0; i < $1; i++)); do printf '%s\n' "$2"; done; }

for check in check-sizes check-readmes; do
	"$SCRATCH/tools/$check" || {
		echo "FAILED: the tree itself does not pass $check"
		exit 1
	}
done
{ printf 'int long_one(void)\n{\n'; lines 60 '	;'; printf '}\n'; } |
	planted check-sizes "a long function" libjit/op/x.c 'x.c:1: long_one has 63 lines'
printf 'static int wide(int a, int (*b)(int, int), int c, int d,\n        int e[2], int f)\n{\n}\n' |
	planted check-sizes "six parameters" daemon/x.c 'x.c:1: wide has 6 parameters'
lines 501 '' | planted check-sizes "a long file" protocol/x.h 'x.h has 501 lines'
{ printf 'struct crowd {\n'; lines 13 '	int a, *b;'; printf '};\n'; } |
	planted check-sizes "a struct of 26" libjit/x.h 'crowd has 26 members'
{ printf 'struct outer {\n	struct inner {\n'; lines 26 '		int a;'; printf '	} in;\n};\n'; } |
	planted check-sizes "a struct within one" libjit/x.h 'inner has 26 members'
printf 'export function wide(a, b, { c, d }, e, f = [1, 2], g) {\n}\n' |
	planted check-sizes "parameters in JavaScript" clients/web/x.js 'wide has 6 parameters'
{ printf 'class A {\n	async long(a) {\n'; lines 60 '		;'; printf '	}\n}\n'; } |
	planted check-sizes "a long method in JavaScript" clients/web/x.js 'long has 62 lines'
{ cat "$SOURCE/tools/sizes"; echo 'lines nobody it is not there'; } |
	planted check-sizes "an exception that nothing needs" tools/sizes 'nothing needs the row'
cp "$SOURCE/tools/sizes" "$SCRATCH/tools/sizes"

echo '/* nothing */' |
	planted check-readmes "a file that no README names" daemon/store/stranger.c 'stranger.c: daemon/store'
mkdir "$SCRATCH/daemon/cellar"
echo '/* nothing */' |
	planted check-readmes "a room without a README" daemon/cellar/wine.c 'daemon/cellar: has no README.md'
rmdir "$SCRATCH/daemon/cellar"
# The backquotes are markdown's.
# shellcheck disable=SC2016
{ cat "$SOURCE/daemon/store/README.md"; printf '| `ghost` | not there |\n'; } |
	planted check-readmes "a README that names what is not there" daemon/store/README.md 'ghost'
[ $failures -eq 0 ]
