#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks that the generator is pure: libjit.a calls no function that opens, reads, writes, waits, asks
# the time or starts a thread. The list below has all that it may call, so that a person looks at any
# new call once.
set -u
archive=${NNJIT_BUILD:-$PWD}/libjit.a

[ -e "$archive" ] || { echo "$archive is not built"; exit 77; }
command -v nm >/dev/null || { echo "nm is not installed (tools/install-packages build)"; exit 77; }
if nm "$archive" 2>/dev/null | grep -q __asan; then
	echo "libjit.a is built with sanitizers, which call much more"
	exit 77
fi

# Memory and text; printing into memory; numbers; what the compiler itself calls.
allowed='malloc|calloc|realloc|free|qsort|bsearch|abort|__assert_fail|__stack_chk_fail
mem(cpy|set|move|cmp|chr)|str(len|nlen|cmp|ncmp|chr|rchr|str|spn|cspn|dup|ndup|casecmp|ncasecmp|tok_r|cpy|ncpy)
v?snprintf|__v?snprintf_chk|__mem(cpy|set|move)_chk|__str(cpy|cat)_chk
(__isoc99_|__isoc23_)?(strto(ul|ull|l|ll|d|f)|sscanf)|__ctype_(b|tolower|toupper)_loc|tolower|toupper
__errno_location|(erf|exp|exp2|expm1|log|log1p|log2|pow|sin|cos|sqrt|tanh|fabs|fma|ceil|floor|round|trunc|ldexp|frexp|fmod|fmin|fmax|isnan|l?lround|rint|lrint|nearbyint)f?
_GLOBAL_OFFSET_TABLE_'
pattern="^($(tr '\n' '|' <<<"$allowed" | sed 's/|$//'))\$"

calls=$(comm -23 <(nm -u "$archive" | awk '$1 == "U" { print $2 }' | sort -u) \
	<(nm --defined-only "$archive" | awk 'NF == 3 { print $3 }' | sort -u))
strangers=$(grep -vE "$pattern" <<<"$calls")
[ -z "$strangers" ] && exit 0
echo "FAILED: libjit.a calls: ${strangers//$'\n'/ }"
exit 1
