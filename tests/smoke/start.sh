#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Starts nnjitd where something is wrong: closed descriptors, full disks, a read-only folder, wrong
# paths, a removed lock. It must start wherever the store can be read, say what it cannot do, and
# serve what it has; it must end at SIGTERM. Full and read-only disks are real ones, small and made in
# a name space of our own; where that is not allowed, those cases are skipped.
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/daemon.bash"
require curl jq

# In a name space of our own, where mounting is possible.
if [ -z "${NNJIT_UNSHARED-}" ] && unshare -Urm true 2>/dev/null; then
	rm -rf "$SCRATCH"
	NNJIT_UNSHARED=yes exec unshare -Urm bash "$0"
fi

STATE=$SCRATCH/state
op="matmul m=8 n=8 k=8"
PORT=$(free_port)

# begin STATE [OPTION…]: starts nnjitd with the state folder, waits for its answer.
begin() {
	local state=$1 begun
	shift
	begun=$(now_ms)
	"$BUILD/nnjitd" --state-dir "$state" --port "$PORT" --budget 2 --page-dir "$SOURCE/clients/web" \
		"$@" 2>>"$SCRATCH/nnjitd.log" >/dev/null &
	DAEMON=$!
	until healthy; do
		kill -0 "$DAEMON" 2>/dev/null || die "$what: nnjitd ended at its start"
		(($(now_ms) - begun < 10000)) || die "$what: not healthy within 10 s"
		sleep 0.01
	done
}

# refuses PATTERN ARGUMENT…: nnjitd must end with status 1 and a sentence that matches.
refuses() {
	local pattern=$1 status=0
	shift
	timeout 10 "$BUILD/nnjitd" --port "$PORT" "$@" >"$SCRATCH/out" 2>&1 || status=$?
	[ $status -eq 1 ] || die "$what: status $status instead of 1: $(cat "$SCRATCH/out")"
	grep -q "$pattern" "$SCRATCH/out" || die "$what: no '$pattern' in: $(cat "$SCRATCH/out")"
}

logged() { grep -q "$1" "$SCRATCH/nnjitd.log" || die "$what: the log has no '$1'"; }
kept() { is_tuned "$op" || die "$what: the tuned kernel is not served"; }
answers() { ask "$op" | jq -e '.code != ""' >/dev/null || die "$what: no kernel is answered"; }
# As answers, without waiting for devices.
lives() { get /v1/status | jq -e '.store.kernels >= 0' >/dev/null || die "$what: no status is answered"; }
answers_quietly() { ask "$op" | jq -e '.code != null' >/dev/null; }
cut_log() { : >"$SCRATCH/nnjitd.log"; }

what="a store with a tuned kernel"
begin "$STATE"
require_device
ask "$op" >/dev/null
wait_for 60 "$what" is_tuned "$op"
daemon_stop

# Every combination of closed descriptors: whatever is opened first must not become one of them.
for closed in 0 1 2 01 02 12 012; do
	what="descriptors $closed closed"
	(
		[[ $closed != *0* ]] || exec <&-
		[[ $closed != *1* ]] || exec >&-
		[[ $closed != *2* ]] || exec 2>&-
		exec "$BUILD/nnjitd" --state-dir "$STATE" --port "$PORT" --log-level debug
	) >"$SCRATCH/out" 2>&1 </dev/null &
	DAEMON=$!
	wait_for 10 "$what" healthy
	kept
	for fd in 0 1 2; do
		[[ $closed != *$fd* ]] || [ "$(readlink "/proc/$DAEMON/fd/$fd")" = /dev/null ] ||
			die "$what: $fd is $(readlink "/proc/$DAEMON/fd/$fd")"
	done
	ask "matmul m=8 n=8 k=1$closed" >/dev/null
	daemon_stop
done
what="descriptors closed, afterwards"
cut_log
begin "$STATE"
kept
[ ! -e "$STATE/data.mdb.damaged-1" ] || die "$what: the store was set aside"
daemon_stop
for program in "nnjit-gpu --version" "nnjitctl help"; do
	what="$program without descriptors"
	# Words are wanted.
	# shellcheck disable=SC2086
	"$BUILD"/$program <&- 2>&- >"$SCRATCH/out" || die "$what: status $?"
	[ -s "$SCRATCH/out" ] || die "$what: nothing was printed"
done

what="a removed lock file"
begin "$STATE"
rm "$STATE/lock"
refuses "in use by another nnjitd" --state-dir "$STATE" --port 0
daemon_stop

what="a state folder that is a file"
: >"$SCRATCH/file"
refuses "Not a directory" --state-dir "$SCRATCH/file"
what="a state folder in a file"
refuses "Not a directory" --state-dir "$SCRATCH/file/deep/er"
what="no home"
status=0
env -u STATE_DIRECTORY HOME= XDG_STATE_HOME= setpriv --reuid 65534 --clear-groups true 2>/dev/null &&
	{ env -u STATE_DIRECTORY HOME= XDG_STATE_HOME= setpriv --reuid 65534 --clear-groups \
		"$BUILD/nnjitd" --port "$PORT" >"$SCRATCH/out" 2>&1 || status=$?
	[ $status -eq 2 ] || die "$what: status $status: $(cat "$SCRATCH/out")"
	grep -q "HOME is not set" "$SCRATCH/out" || die "$what: $(cat "$SCRATCH/out")"; }

what="a worker that is not there"
cut_log
"$BUILD/nnjitd" --state-dir "$STATE" --port "$PORT" --worker "$SCRATCH/none" 2>>"$SCRATCH/nnjitd.log" &
DAEMON=$!
wait_for 10 "$what" healthy
kept
logged "cannot be run"
daemon_stop

what="a device that is gone"
cut_log
VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent begin "$STATE"
wait_for 60 "$what: enumerated" enumerated
if get /v1/devices | jq -e 'any(.devices[]; .present | not)' >/dev/null; then
	kept
	ask "matmul m=9 n=9 k=9" | jq -e '.code != "" and .status == "predicted"' >/dev/null ||
		die "$what: nothing is predicted for it"
	get /v1/status | jq -e '.tuning.jobs_queued == 0' >/dev/null || die "$what: it is tuned for"
	"$BUILD/nnjitctl" --port "$PORT" devices | grep -q '(absent)' || die "$what: it is not marked"
fi
daemon_stop
what="no device at all"
VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent begin "$SCRATCH/new"
wait_for 60 "$what: enumerated" enumerated
if [ "$(get /v1/devices | jq '.devices | length')" -eq 0 ]; then
	"$BUILD/nnjitctl" --port "$PORT" devices >"$SCRATCH/out" 2>&1 && die "$what: devices ends with 0"
	grep -q 'knows no device' "$SCRATCH/out" || die "$what: $(cat "$SCRATCH/out")"
fi
daemon_stop

# A check of the store that takes long: kernels are predicted meanwhile, then all is there. The child is
# held up where it begins.
what="a long check"
cat >"$SCRATCH/slow.c" <<-'END'
	#include <pthread.h>
	#include <unistd.h>
	static void wait(void) { usleep(4000000); }
	__attribute__((constructor)) static void begin(void) { pthread_atfork(0, 0, wait); }
END
if ${CC:-cc} -shared -fPIC -o "$SCRATCH/slow.so" "$SCRATCH/slow.c" 2>/dev/null; then
	rm "$STATE/lock"
	cut_log
	LD_PRELOAD=$SCRATCH/slow.so begin "$STATE"
	logged "while it is checked, kernels are predicted"
	wait_for 60 "$what: the devices are listed" answers_quietly
	status=$(ask "$op" | jq -r .status)
	[ "$status" = predicted ] || logged "is checked now"
	echo "$what: meanwhile the kernel is $status"
	wait_for 60 "$what: the store is taken up" is_tuned "$op"
	wait_for 60 "$what: enumerated" enumerated
	kept
	daemon_stop
	begin "$STATE"
	kept
	daemon_stop
else
	echo "no C compiler: a long check is not tried"
fi

[ -n "${NNJIT_UNSHARED-}" ] || skip "full and read-only disks: no name space of our own (unshare -Urm)"
disk=$SCRATCH/disk
mkdir "$disk"
mounted() { mount -t tmpfs -o "$1" nnjit "$disk" || skip "full disks: no tmpfs can be mounted"; }

what="a read-only folder"
mounted size=8m
cp -r "$STATE" "$disk/state"
mount -o remount,ro "$disk"
cut_log
begin "$disk/state"
kept
answers
logged "can only be read"
wait_for 60 "$what: enumerated" enumerated
"$BUILD/nnjitctl" --port "$PORT" tune matmul m=9 n=9 k=9 >"$SCRATCH/out" 2>&1 &&
	die "$what: it was tuned in spite of it"
grep -q 'state folder cannot be written' "$SCRATCH/out" || die "$what: $(cat "$SCRATCH/out")"
"$BUILD/nnjitctl" --port "$PORT" tune matmul m=8 n=8 k=8 >"$SCRATCH/out" 2>&1 ||
	die "$what: what is tuned is not told: $(cat "$SCRATCH/out")"
daemon_stop
what="a folder that cannot be made"
cut_log
begin "$disk/new" --worker /bin/false
lives
logged "Read-only file system"
daemon_stop
umount "$disk"

# With so much room at first, in KiB: every step of a start meets a full disk at one of them. No device is
# looked for: that takes long on a new store.
for room in 0 4 8 12 16 20 24 28 32 40 48 64; do
	what="a new store with $room KiB of room"
	mounted size=256k
	head -c $(((256 - room) * 1024)) /dev/zero >"$disk/filling" 2>/dev/null
	cut_log
	begin "$disk/state" --worker /bin/false
	lives
	[ ! -e "$disk/state/port.part" ] || die "$what: port.part is left"
	[ -s "$disk/state/port" ] || [ ! -e "$disk/state/port" ] || die "$what: an empty port is left"
	! grep -q 'remove data.mdb' "$SCRATCH/nnjitd.log" || die "$what: wrong advice"
	[ "$room" -gt 4 ] || logged "No space left on device"
	daemon_stop
	rm "$disk/filling"
	begin "$disk/state" --worker /bin/false # there is room again
	lives
	[ -s "$disk/state/port" ] || die "$what: no port is written although there is room again"
	daemon_stop
	umount "$disk"
done

for inodes in 1 2 3 4; do
	what="a new store where $inodes files may be"
	mounted "size=1m,nr_inodes=$inodes"
	begin "$disk/state" --worker /bin/false
	lives
	[ ! -e "$disk/state/port.part" ] || die "$what: port.part is left"
	daemon_stop
	umount "$disk"
done

what="a store on a disk that is full"
mounted size=4m
cp -r "$STATE" "$disk/state"
rm -f "$disk/state/lock"
head -c 8m /dev/zero >"$disk/filling" 2>/dev/null
cut_log
begin "$disk/state"
kept
answers
[ ! -e "$disk/state/port.part" ] || die "$what: port.part is left"
rm "$disk/filling"
sleep 0.1
daemon_stop
begin "$disk/state"
kept
daemon_stop
umount "$disk"
