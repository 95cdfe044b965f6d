#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/OPERATORS.md against what tests/libjit/print_operators prints; NNJIT_BLESS=1 writes it anew.
set -eu
source=${NNJIT_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
print=${NNJIT_BUILD:-$PWD}/tests/libjit/print_operators

[ -x "$print" ] || { echo "$print is not built (make check builds it)"; exit 77; }
if [ -n "${NNJIT_BLESS-}" ]; then
	"$print" >"$source/docs/OPERATORS.md"
	exit 0
fi
"$print" | diff -u "$source/docs/OPERATORS.md" - || {
	echo "docs/OPERATORS.md is not what the rows say; NNJIT_BLESS=1 make check writes it anew"
	exit 1
}
