#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The manual pages against the tables: every option and command is described.
# (protocol_doc_test.sh holds docs/PROTOCOL.md.)
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
check() {
	{ column daemon/options.def TEXT; column daemon/options.def LIST; column daemon/options.def NUMBER; } |
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
