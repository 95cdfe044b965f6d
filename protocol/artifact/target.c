/* SPDX-License-Identifier: Apache-2.0
 *
 * The targets as a table, with the emitter that writes each.
 */
#include "protocol/artifact/target.h"

#include "emit/spirv/spirv.h"
#include "emit/text/wgsl.h"

#include <string.h>

const struct target_info target_infos[TARGET_COUNT] = {
#define TARGET(name, text, emitter, form) [TARGET_##name] = {text, emitter, FORM_##form},
#include "protocol/artifact/targets.def"
};

const char *target_name(enum target target)
{
	return target_infos[target].name;
}

enum target target_by_name(const char *name)
{
	enum target target = 0;

	while (target < TARGET_COUNT && strcmp(target_infos[target].name, name) != 0)
		target++;
	return target;
}
