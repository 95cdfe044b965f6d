#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The documents against the tables: every method, parameter and error code stands in
# docs/PROTOCOL.md, every option in the manual pages.
set -eu
root=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}

# missing FILE: says which of the words on stdin, one a line, the file lacks.
missing() {
	while read -r word; do
		grep -qF -- "$word" "$root/$1" || echo "$1 does not mention $word"
	done
}
# column TABLE MACRO: the first quoted text of each row.
column() {
	sed -n "s/^$2([^\"]*\"\([^\"]*\)\".*/\1/p" "$root/$1"
}
quoted() {
	sed "s/.*/\`&\`/"
}
check() {
	column protocol/errors.def PROBLEM | quoted | missing docs/PROTOCOL.md
	sed -n 's/^METHOD([A-Z]*, "\([a-z]*\)".*/\1/p' "$root/protocol/methods.def" | quoted |
		missing docs/PROTOCOL.md
	grep -o '"/v1/[a-z.]*"' "$root/protocol/methods.def" | tr -d '"' | missing docs/PROTOCOL.md
	column protocol/methods.def PARAM | quoted | missing docs/PROTOCOL.md
	{ column daemon/options.def TEXT; column daemon/options.def NUMBER; } |
		sed 's/-/\\-/g; s/^/\\-\\-/' | missing docs/nnjitd.8
	sed -n 's/^COMMAND(\([a-z]*\),.*/\1/p' "$root/clients/ctl/commands.def" | while read -r command; do
		grep -qE "^\.BI? $command( |\$)" "$root/docs/nnjitctl.1" ||
			echo "docs/nnjitctl.1 does not describe $command"
	done
}

said=$(check)
[ -z "$said" ] && exit 0
echo "$said"
exit 1
