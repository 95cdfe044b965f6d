#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A forgotten row does not compile, or does not link: each is left out of a copy of the built tree,
# where make must then fail and say what is missing. First the copy itself must build.
set -u
BUILD=${NNJIT_BUILD:-$PWD}
SCRATCH=$(mktemp -d)
TREE=$SCRATCH/tree
trap 'rm -rf "$SCRATCH"' EXIT
failures=0

skip() {
	echo "$1"
	exit 77
}

[ -e "$BUILD/Makefile" ] || skip "nothing is built in $BUILD (tools/build)"
[ -e "$BUILD/configure.ac" ] || skip "$BUILD is a build folder beside its sources: it cannot be copied"
grep -q '^NNJIT_CFLAGS = .*-fsanitize' "$BUILD/Makefile" && skip "$BUILD is built with sanitizers"
for program in nnjitd nnjitctl; do
	[ -x "$BUILD/$program" ] || skip "$BUILD/$program is not built"
done

# Times go along to the nanosecond, so that make rebuilds what is changed and nothing else.
fresh_copy() {
	rm -rf "$TREE"
	mkdir "$TREE"
	tar -c --format=posix -C "$BUILD" --exclude=./.git --exclude=./.build --exclude=node_modules \
		--exclude='./tests/*.o' --exclude='./tests/*_test' . | tar -x -C "$TREE"
}

# Warnings are errors, as in the builds of runtests --full.
build() { make -s -C "$TREE" CFLAGS='-O0 -Werror' "$1" 2>&1; }

# must_fail WHAT TARGET EXPECTED: what was planted in the copy.
must_fail() {
	local output status
	output=$(build "$2")
	status=$?
	if [ $status -eq 0 ] || [[ $output != *"$3"* ]]; then
		echo "FAILED: $1: make $2 ended with $status, and it said: $output"
		failures=$((failures + 1))
	fi
	# An object that is not made leaves the copy as it was.
	[[ $status -ne 0 && $2 == *.o ]] || rm -rf "$TREE"
}

# left_out WHAT FILE EXPRESSION TARGET EXPECTED: sed's expression changes the file.
left_out() {
	[ -e "$TREE" ] || fresh_copy
	sed -i -E "$3" "$TREE/$2"
	if cmp -s "$BUILD/$2" "$TREE/$2"; then
		echo "FAILED: $1: nothing in $2 matches $3"
		failures=$((failures + 1))
		return
	fi
	must_fail "$1" "$4" "$5"
	[ ! -e "$TREE" ] || cp -p "$BUILD/$2" "$TREE/$2"
}

# function_left_out WHAT FILE NAME TARGET EXPECTED: from the line it begins in to the brace that
# ends it.
function_left_out() { left_out "$1" "$2" "/^[^\t].*$3\(/,/^}/d" "$4" "$5"; }

# The control: the targets and the objects that are asked for below can be made.
fresh_copy
touch "$TREE"/daemon/api/status.c "$TREE"/clients/ctl/{kernel,overview}.c "$TREE"/libjit/family/families.c \
	"$TREE"/daemon/{net/gate,tune/batch,tune/known,tune/devices,gpu/serve}.c \
	"$TREE"/libjit/{op/rows,lower/scalar,family/reduction/rows,reference/reduction}.c
for target in nnjitd nnjitctl nnjit-gpu; do
	output=$(build $target) || {
		echo "FAILED: the tree itself does not build: make $target said: $output"
		exit 1
	}
done

function_left_out "a method's handler" daemon/api/status.c handle_health \
	nnjitd "undefined reference to \`handle_health'"
left_out "a handler's method" protocol/methods.def '/^(METHOD|RESULT|PARAM)\(HEALTH,/d' \
	daemon/api/status.o handle_health
left_out "a counter that is counted" protocol/metrics.def '/^METRIC\(NET, net_accepted,/d' \
	daemon/net/gate.o net_accepted
left_out "an option that is used" daemon/options.def '/^NUMBER\(tune, idle_s,/d' \
	daemon/tune/devices.o idle_s
function_left_out "a command's function" clients/ctl/kernel.c command_tune \
	nnjitctl "undefined reference to \`command_tune'"
left_out "a function's command" clients/ctl/commands.def '/^COMMAND\(status,/d' \
	clients/ctl/overview.o command_status

left_out "a reduction's result" libjit/op/reductions.def '/^REDUCE\(REDUCE_L2,/s/ \(Y, SQRT\),//' \
	libjit/reference/a-reduction.o REDUCE
left_out "an operator's row in its family" libjit/family/reduction/rows.c '/^ROW\(CUMSUM\)/d' \
	libjit/family/reduction/a-rows.o CUMSUM_row
left_out "an operator's meaning" libjit/reference/reduction.c '/^MEANING\(CUMSUM\)/,/^}/d' \
	libjit/reference/a-reduction.o meaning_CUMSUM
left_out "an operator that has a row in its family" libjit/op/op.def '/^OP\(CUMSUM,/,/^END/d' \
	libjit/family/reduction/a-rows.o CUMSUM_row
left_out "a function's price" libjit/op/scalar.def '/^SCALAR\(SIGMOID,/s/ 6, 16,/ 6,/' \
	libjit/op/a-rows.o SCALAR
left_out "a function's lowering" libjit/lower/scalar.c '/^FUNCTION\(sigmoid\)/,/^}/d' \
	libjit/lower/a-scalar.o sigmoid

function_left_out "a request's function" daemon/gpu/serve.c serve_list \
	daemon/gpu/nnjit_gpu-serve.o serve_list
left_out "a request that is served" protocol/wire/wire.def '/^REQUEST\(LIST,/,/^END/d' \
	daemon/gpu/nnjit_gpu-serve.o wire_list
left_out "a message's member" protocol/wire/wire.def '/^FIELD\(pilot_ns,/d' \
	daemon/tune/batch.o pilot_ns

left_out "what is known of a kernel" daemon/tune/tune.h '/^\tSTATUS\(STALE\)/d' \
	daemon/tune/known.o TUNE_STALE
left_out "what became of a schedule" daemon/store/store.h '/^\tSTATE\(REFUSED,/d' \
	daemon/tune/batch.o STORE_TRIAL_REFUSED

# A family's room: everybody includes its list, but only one file has to know it.
fresh_copy
sed -i 's/^FAMILY(ATTENTION, attention)/&\nFAMILY(CELLAR, cellar)/' \
	"$TREE/libjit/op/families.def"
build libjit/family/a-families.o >/dev/null
find "$TREE" -name '*.o' -exec touch {} +
must_fail "a family's room" nnjitd "undefined reference to \`family_cellar'"

[ $failures -eq 0 ]
