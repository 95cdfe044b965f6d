/* SPDX-License-Identifier: Apache-2.0
 *
 * What an emitter is: one linear walk from a finished module to a target's code. The emitters stand
 * in the rooms beside this file, each declared in a header of its own, so that a program links only
 * those that it names.
 */
#pragma once

struct buffer;
struct ir_module;

/* Appends the module's code to `out`: one entry point "main", storage bindings in group (set) 0 at
 * their index. The same module gives the same bytes on every machine. -ENOMEM (out's sticky
 * failure); -ENOTSUP for what the target cannot say. */
typedef int nnjit_emitter(const struct ir_module *module, struct buffer *out);
