/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a store, whatever lies in its folder: the database is checked unless it is as this program
 * left it, set aside where it cannot be used, and begun anew; its format is brought up to date
 * where it is older. Where nothing can be written, it is read; where nothing can be read, the store
 * is empty and refuses writes. Invariant: a store that can be read has all its records in today's
 * format.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/store/environment.h"
#include "daemon/store/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT        2u  /* 1: keys with the id of a card in the place of its class */
#define CHECK_WAIT_MS 600 /* of the second within which a daemon answers */
#define TRY_AGAIN_S   10  /* between two tries to find room on a full disk */

enum { FORMAT_NEWER = ENVIRONMENT_DAMAGED + 1 }; /* beside the environment's answers */

static const struct store_bytes format_key = {"format", 6}, moving_key = {"moving", 6};

static bool read_u32(void *context, struct store_bytes key, struct store_bytes value)
{
	struct record_reader reader;

	if (!record_open(key, value, RECORD_META, &reader))
		*(uint32_t *)context = record_get_u32(&reader);
	return false;
}

/* Before the first record moves the format says so, lest an older nnjitd takes half for the whole.
 */
static int begin_moving(struct store *store)
{
	AUTO(buffer_free) struct buffer format = {0}, moving = {0};

	record_begin(&format, RECORD_META);
	record_put_u32(&format, FORMAT);
	record_begin(&moving, RECORD_META);
	record_put_u32(&moving, 1);
	int code = record_seal(&format, format_key);
	if (!code)
		code = record_seal(&moving, moving_key);
	struct store_edit edits[] = {
	        {STORE_META, format_key, {format.data, format.length}},
	        {STORE_META, moving_key, {moving.data, moving.length}},
	};
	return code ? code : store_commit(store, edits, 2);
}

static int move_records(struct store *store)
{
	const struct store_edit moved = {.table = STORE_META, .key = moving_key};
	int code = store_rekey(store);

	return code ? code : store_commit(store, &moved, 1);
}

static int begin_format(struct store *store)
{
	AUTO(buffer_free) struct buffer record = {0};

	record_begin(&record, RECORD_META);
	record_put_u32(&record, FORMAT);
	return store_put(store, STORE_META, format_key, &record);
}

/* 0, FORMAT_NEWER, or the failure and, if it is the move's, which format the store has. */
static int check_format(struct store *store, uint32_t *ret_format)
{
	uint32_t format = 0, moving = 0;
	int code = store_scan(store, STORE_META, format_key, read_u32, &format);

	if (code)
		return code == -EIO ? ENVIRONMENT_DAMAGED : code;
	*ret_format = format;
	if (format > FORMAT)
		return FORMAT_NEWER;
	if (!format)
		return store->refusal ? 0 : begin_format(store);
	if (format < FORMAT)
		code = begin_moving(store);
	if (!code)
		code = store_scan(store, STORE_META, moving_key, read_u32, &moving);
	return code || !moving ? code : move_records(store);
}

/* ---- Notices: what came of opening, for the log. */

__attribute__((format(printf, 2, 3))) static void say(struct store *store, const char *format, ...)
{
	size_t length = strlen(store->notice);
	va_list args;

	if (length && length + 2 < sizeof store->notice)
		length += (size_t)snprintf(
		        store->notice + length, sizeof store->notice - length, "; ");
	va_start(args, format);
	vsnprintf(store->notice + length, sizeof store->notice - length, format, args);
	va_end(args);
}

/* Nothing is read or written until the next start; `code` is what every write answers. */
static void do_without(struct store *store, int code, const char *what)
{
	environment_close(store);
	store->refusal = code;
	say(store, "%s in %.120s: %s; kernels are predicted, and what is tuned is not kept%s", what,
	        store->folder.path, strerror(-code), code == -ENOSPC ? " until there is room" : "");
}

/* ---- The database of the folder. */

static void begin_anew(struct store *store);

/* A store is a cache: one that cannot be used makes room for another, and is kept for who wants to
 * look at it. */
static void set_aside(struct store *store, const char *kind, const char *why)
{
	uint32_t number;
	int code;

	environment_close(store);
	code = folder_set_aside(&store->folder, kind, &number);
	if (code) {
		say(store, "the store cannot be used: %s", why);
		do_without(store, code, "it cannot be set aside");
		return;
	}
	say(store, "the store cannot be used: %s; it is set aside as %.120s/" STORE_FILE ".%s-%u",
	        why, store->folder.path, kind, number);
	begin_anew(store);
}

/* Opens what LMDB can read; of another format, brings it to today's. A new one that is damaged at
 * once lies on a failing disk. */
static void open_sound(struct store *store, bool is_new)
{
	char why[64];
	uint32_t format = 0;
	int code = environment_open(store);

	if (!code)
		code = check_format(store, &format);
	if (code == ENVIRONMENT_DAMAGED && is_new)
		do_without(store, -EIO, "the store cannot be written");
	else if (code == ENVIRONMENT_DAMAGED)
		set_aside(store, "damaged", "LMDB cannot open it");
	else if (code == FORMAT_NEWER) {
		snprintf(why, sizeof why, "a newer nnjitd wrote it (format %u, this one knows %u)",
		        format, FORMAT);
		set_aside(store, "newer", why);
	} else if (code && format)
		do_without(store, code,
		        "the store cannot be brought to this nnjitd's format (none is lost)");
	else if (code)
		do_without(store, code, "the store cannot be opened");
	else if (store->refusal)
		say(store,
		        "the store in %.120s can only be read; what it has is served, and nothing "
		        "is tuned",
		        store->folder.path);
}

/* What a full disk left of a new database goes, too. */
static void begin_anew(struct store *store)
{
	open_sound(store, true);
	if (!store->env)
		unlinkat(store->folder.fd, STORE_FILE, 0);
}

static void judge(struct store *store, const struct check_finding *finding)
{
	store->refusal = 0;
	if (finding->why[0]) {
		set_aside(store, "damaged", finding->why);
		return;
	}
	if (finding->unsound)
		say(store, "%u records of the store do not check out and count as absent",
		        finding->unsound);
	open_sound(store, false);
}

/* Left as this program leaves it, it need not be looked at. */
static bool was_left_clean(const struct store *store, int fd)
{
	struct folder_print left = folder_left(&store->folder), now = folder_print(fd);

	now.transaction = pages_transaction(fd);
	return folder_print_same(&now, &left);
}

static void check(struct store *store)
{
	int code = check_begin(store->folder.fd, &store->check);

	if (code) {
		do_without(store, code, "the store cannot be checked");
		return;
	}
	store->refusal = -EAGAIN;
	if (check_wait(store->check, CHECK_WAIT_MS))
		store_settle(store);
}

static void open_file(struct store *store)
{
	int fd = openat(store->folder.fd, STORE_FILE, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int code = fd < 0 ? -errno : 0;
	struct stat file = {0};

	if (!code && fstat(fd, &file))
		code = -errno;
	if (code == -ENOENT || (!code && S_ISREG(file.st_mode) && !file.st_size))
		begin_anew(store);
	else if (code == -EACCES || code == -EPERM)
		do_without(store, code, "the store cannot be read");
	else if (code || !S_ISREG(file.st_mode))
		set_aside(store, "damaged", code ? strerror(-code) : "it is no file");
	else if (was_left_clean(store, fd))
		open_sound(store, false);
	else
		check(store);
	if (fd >= 0)
		close(fd);
	if (!store->check)
		folder_note(&store->folder, NULL);
}

/* ---- For who has a store. */

static int take_up(struct store *store, struct error *err)
{
	struct error why = {0};
	char path[PATH_MAX];

	memcpy(path, store->folder.path, sizeof path);
	store->refusal = 0;
	int code = folder_take(path, &store->folder, &why);
	if (code == -ENOSPC || code == -EROFS) {
		do_without(store, code, "the state folder cannot be made");
		return 0;
	}
	if (code)
		return error_set(err, code, why.field, "%s", why.text);
	open_file(store);
	return 0;
}

int store_open(const char *state_dir, struct store **ret_store, struct error *err)
{
	struct store *store = calloc(1, sizeof *store);

	if (!store)
		return error_set(err, -ENOMEM, "", "Out of memory.");
	store->folder.fd = store->folder.lock = -1;
	int code = strlen(state_dir) < sizeof store->folder.path ? 0 : -ENAMETOOLONG;
	if (code)
		error_set(err, code, "state-dir", "The path of the state folder is too long.");
	else
		snprintf(store->folder.path, sizeof store->folder.path, "%s", state_dir);
	if (!code)
		code = take_up(store, err);
	if (code)
		store_close(store);
	else
		*ret_store = store;
	return code;
}

void store_try_again(struct store *store)
{
	time_t now = time(NULL);

	if (now - store->tried_s < TRY_AGAIN_S)
		return;
	store->tried_s = now;
	store->notice[0] = '\0';
	if (store->folder.fd < 0) {
		(void)take_up(store, NULL);
		return;
	}
	store->refusal = 0;
	open_file(store);
	if (!store->check)
		return;
	check_drop(TAKE(store->check)); /* nobody waits for its end */
	store->refusal = -ENOSPC;
}

int store_check_fd(const struct store *store)
{
	return store->check ? check_fd(store->check) : -1;
}

bool store_is_closed(const struct store *store)
{
	return store->refusal && store->refusal != -EAGAIN && store->refusal != -ENOSPC;
}

void store_settle(struct store *store)
{
	struct check_finding finding = check_end(TAKE(store->check));

	store->notice[0] = '\0';
	judge(store, &finding);
	folder_note(&store->folder, NULL);
}

const char *store_notice(const struct store *store)
{
	return store->notice;
}
