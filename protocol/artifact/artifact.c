/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the kernel artifact. Member names, order and types are a contract: clients and scripts
 * read them, so a change here is a change of the protocol, and of protocol/types.def.
 */
#include "protocol/artifact/artifact.h"

#include "base/base64.h"
#include "protocol/artifact/bindings.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const status_names[] = {
        [ARTIFACT_PREDICTED] = "predicted",
        [ARTIFACT_TUNING] = "tuning",
        [ARTIFACT_TUNED] = "tuned",
        [ARTIFACT_STALE] = "stale",
        [ARTIFACT_NAIVE] = "naive",
};

const char *artifact_status_name(enum artifact_status status)
{
	return status_names[status];
}

int artifact_status_parse(const char *text, enum artifact_status *ret_status)
{
	for (size_t i = 0; i < sizeof status_names / sizeof *status_names; i++) {
		if (!strcmp(status_names[i], text)) {
			*ret_status = (enum artifact_status)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- What the page's device needs. */

static void write_features(
        struct writer *writer, const char *name, uint32_t features, bool language)
{
	write_open(writer, name, '[');
	for (uint32_t i = 0; i < FEATURE_COUNT; i++) {
		const struct feature_info *info = feature_info((enum feature_number)i);
		if (features >> i & 1 && info->language == language)
			write_text(writer, NULL, info->name);
	}
	write_close(writer, ']');
}

#define MAX_BUFFER_BYTES (256ull << 20) /* WebGPU's default maxBufferSize */

/* What a page's device must be created with: only what exceeds what every page has. */
static void write_limits(struct writer *writer, const struct kernel *kernel)
{
	const struct limits *have = &limits_web_default;
	const uint32_t *size = kernel->workgroup_size;
	uint64_t largest = largest_binding(kernel);
	const struct {
		const char *name;
		uint64_t needed, given;
	} rows[] = {
	        {"maxComputeInvocationsPerWorkgroup", (uint64_t)size[0] * size[1] * size[2],
	                have->invocations},
	        {"maxComputeWorkgroupSizeX", size[0], have->size_x},
	        {"maxComputeWorkgroupSizeY", size[1], have->size_y},
	        {"maxComputeWorkgroupSizeZ", size[2], have->size_z},
	        {"maxComputeWorkgroupStorageSize", kernel->workgroup_bytes, have->workgroup_bytes},
	        {"maxStorageBuffersPerShaderStage", kernel->tensor_count, have->storage_buffers},
	        {"maxStorageBufferBindingSize", largest, have->binding_bytes},
	        {"maxBufferSize", largest, MAX_BUFFER_BYTES},
	};

	write_open(writer, "required_limits", '{');
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].needed > rows[i].given)
			write_whole(writer, rows[i].name, (int64_t)rows[i].needed);
	write_close(writer, '}');
}

/* ---- The artifact. */

static int64_t nanoseconds(double value)
{
	return llround(value);
}

/* Three decimals are more than a clock gives, and keep the text short. */
static double rounded(double value)
{
	return round(value * 1000) / 1000;
}

static void write_hex(struct writer *writer, const char *name, uint64_t value)
{
	char text[17];

	snprintf(text, sizeof text, "%016llx", (unsigned long long)value);
	write_text(writer, name, text);
}

static void write_triple(struct writer *writer, const char *name, const uint32_t value[3])
{
	write_open(writer, name, '[');
	for (int i = 0; i < 3; i++)
		write_whole(writer, NULL, value[i]);
	write_close(writer, ']');
}

static void write_identity(struct writer *writer, const struct artifact *artifact)
{
	char text[OP_TEXT_BYTES];

	op_print(&artifact->op, text);
	write_text(writer, "op", text);
	write_hex(writer, "key", op_key(&artifact->op));
	write_hex(writer, "device", artifact->device);
	write_text(writer, "target", target_name(artifact->target));
	write_text(writer, "profile", "web");
}

static void write_code(
        struct writer *writer, const struct artifact *artifact, const struct kernel *kernel)
{
	if (target_infos[artifact->target].form == FORM_TEXT) {
		write_text(writer, "code", kernel->code);
	} else { /* base64 needs no escape */
		write_name(writer, "code");
		buffer_putc(writer->text, '"');
		base64_encode(writer->text, kernel->code, kernel->code_bytes);
		buffer_putc(writer->text, '"');
	}
	write_text(writer, "entry_point", kernel->entry_point);
	write_triple(writer, "workgroup_size", kernel->workgroup_size);
	write_triple(writer, "workgroups", kernel->workgroups);
	write_bindings(writer, kernel, &artifact->op);
	write_features(writer, "required_features", kernel->features, false);
	write_features(writer, "required_language_features", kernel->features, true);
	write_limits(writer, kernel);
	if (kernel->dimension_count) {
		write_dimensions(writer, kernel);
		write_dispatch(writer, kernel);
	}
}

static void write_timing(struct writer *writer, const struct artifact *artifact)
{
	write_open(writer, "timing", '{');
	write_whole(writer, "median_ns", nanoseconds(artifact->median_ns));
	write_whole(writer, "mad_ns", nanoseconds(artifact->mad_ns));
	write_whole(writer, "samples", artifact->samples);
	write_real(writer, "gflops", rounded(artifact_gflops(&artifact->op, artifact->median_ns)));
	write_real(writer, "roofline",
	        rounded(artifact_roofline(&artifact->op, &artifact->facts, artifact->median_ns)));
	write_whole(writer, "baseline_ns", nanoseconds(artifact->baseline_ns));
	if (artifact->samples)
		write_text(writer, "clock", artifact->wall_clock ? "wall" : "timestamp");
	else
		write_null(writer, "clock");
	if (artifact->status == ARTIFACT_PREDICTED)
		write_whole(writer, "predicted_ns", nanoseconds(artifact->predicted_ns));
	write_close(writer, '}');
}

static void write_verified(struct writer *writer, const struct artifact *artifact)
{
	if (artifact->status == ARTIFACT_NAIVE) {
		write_null(writer, "verified");
		return;
	}
	write_open(writer, "verified", '{');
	write_real(writer, "max_rel_err", artifact->max_rel_err);
	write_whole(writer, "checked", artifact->checked);
	if (artifact->share > 0 && artifact->share < 1)
		write_real(writer, "share", artifact->share);
	write_close(writer, '}');
}

static void write_knowledge(struct writer *writer, const struct artifact *artifact)
{
	char schedule[SCHEDULE_TEXT_BYTES];

	schedule_print(&artifact->schedule, schedule);
	write_text(writer, "schedule", schedule);
	write_text(writer, "status", status_names[artifact->status]);
	write_open(writer, "progress", '{');
	write_whole(writer, "measured", artifact->measured);
	write_whole(writer, "of", artifact->of);
	write_close(writer, '}');
	write_timing(writer, artifact);
	write_open(writer, "compile", '{'); /* what the first run pays */
	write_whole(writer, "pipeline_ns", nanoseconds(artifact->pipeline_ns));
	write_whole(writer, "spirv_bytes", (int64_t)artifact->spirv_bytes);
	write_close(writer, '}');
	write_verified(writer, artifact);
	if (artifact->settled)
		write_text(writer, "settled_by", "page");
}

static void limit_dimensions(const struct artifact *artifact, struct kernel *kernel)
{
	for (uint32_t i = 0; i < kernel->dimension_count; i++)
		if (artifact->most[i])
			kernel->dimensions[i].high = artifact->most[i];
}

static int write_kernel(struct nnjit *nnjit, const struct artifact *artifact, struct writer *writer)
{
	struct kernel kernel;
	int r = nnjit_generate(nnjit, &artifact->op, &artifact->schedule,
	        target_infos[artifact->target].emit, &kernel);

	if (r)
		return r;
	limit_dimensions(artifact, &kernel);
	write_open(writer, NULL, '{');
	write_identity(writer, artifact);
	write_code(writer, artifact, &kernel);
	write_knowledge(writer, artifact);
	write_close(writer, '}');
	return 0;
}

int artifact_write(
        struct nnjit *nnjit, const struct artifact *artifact, int digits, struct buffer *text)
{
	struct writer writer = {.text = text, .digits = digits};
	int r = write_kernel(nnjit, artifact, &writer);

	return r ? r : text->failed ? -ENOMEM : 0;
}

/* ---- Operators in steps. */

static void write_place(
        struct writer *writer, const struct op_place *place, const struct kernel *whole)
{
	write_open(writer, NULL, '{');
	write_text(writer, "name",
	        place->tensor == OP_SCRATCH ? "scratch" : whole->tensors[place->tensor].name);
	write_whole(writer, "offset", (int64_t)place->offset_bytes);
	write_whole(writer, "advance", (int64_t)place->advance_bytes);
	write_close(writer, '}');
}

static void write_step(struct writer *writer, const struct artifact_steps *all,
        const struct artifact_step *step, const struct kernel *whole)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(&all->kernels[step->kernel].op, tensors);

	write_open(writer, NULL, '{');
	write_whole(writer, "kernel", step->kernel);
	write_whole(writer, "repeat", step->repeat);
	write_flag(writer, "once", step->once);
	write_open(writer, "buffers", '[');
	for (uint32_t i = 0; i < count; i++)
		write_place(writer, &step->places[i], whole);
	write_close(writer, ']');
	write_close(writer, '}');
}

/* The times of all steps of a run together; 0 while one is not measured. */
static void write_steps_timing(struct writer *writer, const struct artifact_steps *all)
{
	int64_t median_ns = 0, baseline_ns = 0;
	bool timed = true, compared = true;

	for (uint32_t i = 0; i < all->step_count; i++) {
		const struct artifact_step *step = &all->steps[i];
		const struct artifact *kernel = &all->kernels[step->kernel];
		if (step->once)
			continue;
		median_ns += step->repeat * nanoseconds(kernel->median_ns);
		baseline_ns += step->repeat * nanoseconds(kernel->baseline_ns);
		timed &= nanoseconds(kernel->median_ns) != 0;
		compared &= nanoseconds(kernel->baseline_ns) != 0;
	}
	write_open(writer, "timing", '{');
	write_whole(writer, "median_ns", timed ? median_ns : 0);
	write_whole(writer, "baseline_ns", compared ? baseline_ns : 0);
	write_close(writer, '}');
}

static void write_whole_limits(struct writer *writer, const struct kernel *whole)
{
	uint64_t largest = largest_binding(whole);

	write_open(writer, "required_limits", '{');
	if (largest > MAX_BUFFER_BYTES)
		write_whole(writer, "maxBufferSize", (int64_t)largest);
	write_close(writer, '}');
}

static void write_whole_operator(
        struct writer *writer, const struct artifact_steps *all, const struct kernel *whole)
{
	write_identity(writer, all->whole);
	write_tensors(writer, whole, &all->whole->op);
	write_whole_limits(writer, whole);
	if (whole->dimension_count)
		write_dimensions(writer, whole);
	write_text(writer, "status", status_names[all->whole->status]);
	write_steps_timing(writer, all);
	write_whole(writer, "scratch", (int64_t)all->scratch_bytes);
	write_open(writer, "steps", '[');
	for (uint32_t i = 0; i < all->step_count; i++)
		write_step(writer, all, &all->steps[i], whole);
	write_close(writer, ']');
}

int artifact_steps_write(
        struct nnjit *nnjit, const struct artifact_steps *all, int digits, struct buffer *text)
{
	struct writer writer = {.text = text, .digits = digits};
	struct kernel whole = {0};
	int r = 0;

	nnjit_dimensions(&all->whole->op, &whole);
	limit_dimensions(all->whole, &whole);
	whole.tensor_count = op_tensors(&all->whole->op, whole.tensors);
	write_open(&writer, NULL, '{');
	write_whole_operator(&writer, all, &whole);
	write_open(&writer, "kernels", '[');
	for (uint32_t i = 0; !r && i < all->kernel_count; i++)
		r = write_kernel(nnjit, &all->kernels[i], &writer);
	write_close(&writer, ']');
	write_close(&writer, '}');
	return r ? r : text->failed ? -ENOMEM : 0;
}
