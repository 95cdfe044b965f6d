/* SPDX-License-Identifier: Apache-2.0
 *
 * What a kernel's code may be asked for as: a row of targets.def each.
 */
#pragma once

#include "nnjit.h"

enum target {
#define TARGET(name, ...) TARGET_##name,
#include "protocol/artifact/targets.def"
	TARGET_COUNT
};
enum target_form {
	FORM_TEXT,  /* the code as it is */
	FORM_WORDS, /* base64 */
};
struct target_info {
	const char *name; /* on the wire */
	nnjit_emitter *emit;
	enum target_form form;
};
extern const struct target_info target_infos[TARGET_COUNT];
const char *target_name(enum target target);
enum target target_by_name(const char *name); /* TARGET_COUNT if there is none */
