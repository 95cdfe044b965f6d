/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes answers: times with fitting units, aligned tables, a kernel's summary. Must not ask the
 * daemon. A table is a flat list of cells; what ends a row is the number of columns alone.
 */
#include "clients/ctl/print.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
}

const char *text_at(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

double number_at(const json_t *object, const char *member)
{
	return json_number_value(json_object_get(object, member));
}

const char *time_text(double ns, char text[static TIME_TEXT_BYTES])
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	size_t unit = 0;

	for (; ns >= 999.5 && unit < 3; unit++)
		ns /= 1000;
	snprintf(text, TIME_TEXT_BYTES, "%.3g %s", ns, units[unit]);
	return text;
}

void print_bar(double done, double of)
{
	int filled = of > 0 ? (int)(30 * done / of) : 0;

	fprintf(stderr, "\r[%.*s%.*s] %.0f/%.0f", filled, "##############################",
	        30 - filled, "..............................", done, of);
}

void clear_line(void)
{
	fputs("\r\033[K", stderr);
}

static void print_timing(const json_t *kernel)
{
	const json_t *timing = json_object_get(kernel, "timing");
	const json_t *verified = json_object_get(kernel, "verified");
	const json_t *compile = json_object_get(kernel, "compile");
	double median_ns = number_at(timing, "median_ns"),
	       baseline_ns = number_at(timing, "baseline_ns");
	char text[TIME_TEXT_BYTES];

	if (!strcmp(text_at(kernel, "status"), "naive")) {
		puts("  naive      every schedule failed here; the plainest one, not verified");
		return;
	}
	if (median_ns <= 0) {
		printf("  predicted  %s, not measured yet\n",
		        time_text(number_at(timing, "predicted_ns"), text));
		return;
	}
	printf("  time       %s, ", time_text(median_ns, text));
	printf("spread %s over %.0f samples%s\n", time_text(number_at(timing, "mad_ns"), text),
	        number_at(timing, "samples"),
	        strcmp(text_at(timing, "clock"), "wall") ? "" : " by the host's clock");
	printf("  rate       %.1f GFLOP/s, %.0f%% of roofline\n", number_at(timing, "gflops"),
	        100 * number_at(timing, "roofline"));
	if (baseline_ns > 0)
		printf("  default    %s, so %.2fx faster\n", time_text(baseline_ns, text),
		        baseline_ns / median_ns);
	if (number_at(compile, "pipeline_ns") > 0)
		printf("  compile    %s, %.0f bytes of SPIR-V\n",
		        time_text(number_at(compile, "pipeline_ns"), text),
		        number_at(compile, "spirv_bytes"));
	printf("  verified   largest relative error %.2g over %.0f elements",
	        number_at(verified, "max_rel_err"), number_at(verified, "checked"));
	if (number_at(verified, "share") > 0)
		printf(", of a part only (%.0f%%): memory was short",
		        100 * number_at(verified, "share"));
	putchar('\n');
}

void print_kernel(const json_t *kernel)
{
	const json_t *progress = json_object_get(kernel, "progress");

	printf("%s\n", text_at(kernel, "op"));
	printf("  device     %s\n", text_at(kernel, "device"));
	printf("  status     %s, %.0f of %.0f schedules measured\n", text_at(kernel, "status"),
	        number_at(progress, "measured"), number_at(progress, "of"));
	printf("  schedule   %s\n", text_at(kernel, "schedule"));
	print_timing(kernel);
}

struct table {
	const char *const *headers;
	uint32_t columns;
	json_t *cells;
};

struct table *table_create(const char *const *headers, uint32_t columns)
{
	struct table *table = malloc(sizeof *table);

	if (!table)
		abort(); /* a command line tool has nothing better to do */
	*table = (struct table){headers, columns, json_array()};
	return table;
}

void table_add(struct table *table, const char *cell)
{
	json_array_append_new(table->cells, json_string(cell));
}

void table_addf(struct table *table, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	table_add(table, text);
}

/* Characters, not bytes: UTF-8 continuation bytes take no room. */
static int width(const char *text)
{
	int count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static void print_cell(const char *text, int room, bool right, bool last)
{
	int pad = room - width(text);

	if (right)
		printf("%*s%s", pad > 0 ? pad : 0, "", text);
	else
		printf("%s%*s", text, pad > 0 && !last ? pad : 0, "");
	fputs(last ? "\n" : "  ", stdout);
}

static const char *cell_at(const struct table *table, size_t row, uint32_t column)
{
	if (!row)
		return table->headers[column] + (*table->headers[column] == '>');
	const char *text = json_string_value(
	        json_array_get(table->cells, (row - 1) * table->columns + column));
	return text ? text : "";
}

void table_print(struct table *table)
{
	size_t rows = 1 + json_array_size(table->cells) / table->columns;
	int room[16] = {0};

	for (size_t row = 0; row < rows; row++)
		for (uint32_t c = 0; c < table->columns && c < 16; c++)
			if (width(cell_at(table, row, c)) > room[c])
				room[c] = width(cell_at(table, row, c));
	for (size_t row = 0; row < rows; row++)
		for (uint32_t c = 0; c < table->columns && c < 16; c++)
			print_cell(cell_at(table, row, c), room[c], *table->headers[c] == '>',
			        c + 1 == table->columns);
	json_decref(table->cells);
	free(table);
}
