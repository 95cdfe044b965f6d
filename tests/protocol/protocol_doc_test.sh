#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What follows from the protocol's rows, against what tests/protocol/print_protocol prints: the
# sections of docs/PROTOCOL.md between `<!-- rows: NAME -->` and `<!-- end -->`, and
# clients/web/protocol.d.ts. NNJIT_BLESS=1 writes both anew.
set -eu
source=${NNJIT_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
print=${NNJIT_BUILD:-$PWD}/tests/protocol/print_protocol
document=$source/docs/PROTOCOL.md
types=$source/clients/web/protocol.d.ts

[ -x "$print" ] || { echo "$print is not built (make check builds it)"; exit 77; }
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

# The document with its sections as the rows have them.
awk -v program="$print" '
	/^<!-- rows: [a-z]+ -->$/ {
		print
		fflush()
		if (system("\"" program "\" " $3))
			exit 1
		inside = 1
	}
	/^<!-- end -->$/ { inside = 0 }
	!inside { print; fflush() }
' "$document" >"$new/document" || { echo "docs/PROTOCOL.md has a section that no rows make"; exit 1; }
"$print" typescript >"$new/types"

for section in rest websocket parameters answers types errors; do
	grep -q "^<!-- rows: $section -->$" "$document" || { echo "docs/PROTOCOL.md has no section $section"; exit 1; }
done
if [ -n "${NNJIT_BLESS-}" ]; then
	cp "$new/document" "$document"
	cp "$new/types" "$types"
	exit 0
fi
if ! diff -u "$document" "$new/document" || ! diff -u "$types" "$new/types"; then
	echo "docs/PROTOCOL.md or clients/web/protocol.d.ts is not what the rows say; NNJIT_BLESS=1 make check writes them anew"
	exit 1
fi
