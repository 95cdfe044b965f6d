/* SPDX-License-Identifier: Apache-2.0
 *
 * The one place where the families are named: a row of op/families.def without its room does not
 * link.
 */
#include "op/op.h"
#include "schedule/family.h"

#define FAMILY(name, room) extern const struct family family_##room;
#include "op/families.def"

const struct family *family_of(const struct op *op)
{
	static const struct family *const families[OP_FAMILIES] = {
#define FAMILY(name, room) &family_##room,
#include "op/families.def"
	};

	return families[op_family(op->kind)];
}
