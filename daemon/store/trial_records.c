/* SPDX-License-Identifier: Apache-2.0
 *
 * The trials. The key is the kernel's, then the generator's generation, then the schedule's own
 * text: nothing is hashed, so no two schedules can meet under one key.
 */
#include "base/buffer.h"
#include "daemon/store/environment.h"

#include <errno.h>
#include <string.h>

#define PREFIX_BYTES (STORE_KEY_BYTES + 4)

struct trial_key {
	uint8_t bytes[PREFIX_BYTES + SCHEDULE_TEXT_BYTES];
	size_t length;
};

static struct trial_key trial_key(const struct store_key *key, const char *schedule)
{
	struct trial_key to = {.length = PREFIX_BYTES + strnlen(schedule, SCHEDULE_TEXT_BYTES)};

	store_key_encode(key, to.bytes);
	record_encode_u32(to.bytes + STORE_KEY_BYTES, nnjit_generation);
	memcpy(to.bytes + PREFIX_BYTES, schedule, to.length - PREFIX_BYTES);
	return to;
}

const char *store_trial_state_name(enum store_trial_state state)
{
	static const char *const names[] = {
#define NAME(name, text) [STORE_TRIAL_##name] = text,
	        STORE_EACH_TRIAL_STATE(NAME)
#undef NAME
	};

	return names[state];
}

static void encode(struct buffer *record, const struct store_trial *trial)
{
	record_begin(record, RECORD_TRIAL);
	record_put_u8(record, (uint8_t)trial->state);
	record_put_text(record, trial->why, strnlen(trial->why, sizeof trial->why));
	record_put_f64(record, trial->median_ns);
	record_put_f64(record, trial->mad_ns);
	record_put_f64(record, trial->pipeline_ns);
	record_put_u32(record, trial->samples);
	record_put_u64(record, trial->code_bytes);
	record_put_f64(record, trial->max_rel_err);
	record_put_u32(record, trial->checked);
}

static int decode(struct store_bytes key, struct store_bytes value, struct store_trial *trial)
{
	struct record_reader reader;
	int code = record_open(key, value, RECORD_TRIAL, &reader);
	size_t schedule = key.bytes - PREFIX_BYTES;

	if (code || key.bytes < PREFIX_BYTES || schedule >= sizeof trial->schedule)
		return -EBADMSG;
	memcpy(trial->schedule, (const char *)key.data + PREFIX_BYTES, schedule);
	trial->schedule[schedule] = '\0';
	uint8_t state = record_get_u8(&reader);
	record_get_text(&reader, trial->why, sizeof trial->why);
	trial->median_ns = record_get_f64(&reader);
	trial->mad_ns = record_get_f64(&reader);
	trial->pipeline_ns = record_get_f64(&reader);
	trial->samples = record_get_u32(&reader);
	trial->code_bytes = reader.version > 1 ? record_get_u64(&reader) : 0;
	trial->max_rel_err = reader.version > 1 ? record_get_f64(&reader) : 0;
	trial->checked = reader.version > 1 ? record_get_u32(&reader) : 0;
	trial->state = (enum store_trial_state)state;
	return state >= STORE_TRIAL_STATES ? -EBADMSG : record_close(&reader);
}

int store_put_trials(struct store *store, const struct store_key *key,
        const struct store_trial *trials, uint32_t count)
{
	struct trial_key keys[STORE_PUT_TRIALS_MAX];
	struct buffer records[STORE_PUT_TRIALS_MAX] = {0};
	struct store_edit edits[STORE_PUT_TRIALS_MAX];
	int code = count > STORE_PUT_TRIALS_MAX ? -EINVAL : 0;

	for (uint32_t i = 0; !code && i < count; i++) {
		keys[i] = trial_key(key, trials[i].schedule);
		encode(&records[i], &trials[i]);
		struct store_bytes whole = {keys[i].bytes, keys[i].length};
		code = record_seal(&records[i], whole);
		edits[i] = (struct store_edit){
		        STORE_TRIALS, whole, {records[i].data, records[i].length}};
	}
	if (!code && count)
		code = store_commit(store, edits, count);
	for (uint32_t i = 0; i < STORE_PUT_TRIALS_MAX; i++)
		buffer_free(&records[i]);
	return code;
}

int store_put_trial(
        struct store *store, const struct store_key *key, const struct store_trial *trial)
{
	return store_put_trials(store, key, trial, 1);
}

int store_delete_trial(struct store *store, const struct store_key *key, const char *schedule)
{
	struct trial_key bytes = trial_key(key, schedule);
	struct store_edit edit = {STORE_TRIALS, {bytes.bytes, bytes.length}, {NULL, 0}};

	return store_commit(store, &edit, 1);
}

struct each_trial {
	bool (*each)(void *context, const struct store_trial *trial);
	void *context;
};

static bool show(void *context, struct store_bytes key, struct store_bytes value)
{
	const struct each_trial *to = context;
	struct store_trial trial;

	return decode(key, value, &trial) ? true : to->each(to->context, &trial);
}

int store_each_trial(struct store *store, const struct store_key *key,
        bool (*each)(void *context, const struct store_trial *trial), void *context)
{
	struct each_trial to = {each, context};
	struct trial_key prefix = trial_key(key, "");

	return store_scan(
	        store, STORE_TRIALS, (struct store_bytes){prefix.bytes, prefix.length}, show, &to);
}
