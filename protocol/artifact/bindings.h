/* SPDX-License-Identifier: Apache-2.0
 *
 * Within protocol/artifact: the members of an artifact that say what to bind.
 */
#pragma once

#include "nnjit.h"
#include "protocol/artifact/writer.h"

/* "bindings": the kernel's tensors, and the uniform block where it has open dimensions. */
void write_bindings(struct writer *writer, const struct kernel *kernel, const struct op *op);
/* Without the block: what an operator in steps takes. Its kernels have blocks of their own. */
void write_tensors(struct writer *writer, const struct kernel *kernel, const struct op *op);
/* Of a kernel with open dimensions: which they are, and "dispatch", which follows from them. */
void write_dimensions(struct writer *writer, const struct kernel *kernel);
void write_dispatch(struct writer *writer, const struct kernel *kernel);
/* Bytes of the kernel's largest tensor. */
uint64_t largest_binding(const struct kernel *kernel);
