/* SPDX-License-Identifier: Apache-2.0
 *
 * How answers are written: members of JSON objects, times with fitting units, aligned tables, a
 * kernel's summary, a bar on a terminal. Asks nobody anything; knows no command.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

const char *text_at(const json_t *object, const char *member); /* "" if it is not there */
double number_at(const json_t *object, const char *member);    /* 0 if it is not there */

void print_json(const json_t *value); /* to stdout, indented */
void print_kernel(const json_t *kernel);
/* 1.23 ms and the like, into `text`, which is returned. */
#define TIME_TEXT_BYTES 24
const char *time_text(double ns, char text[static TIME_TEXT_BYTES]);

/* A bar with `done` of `of`, to stderr, at the beginning of the line. */
void print_bar(double done, double of);
void clear_line(void); /* of stderr, a terminal */

/* Rows of cells as aligned columns; numbers to the right (a column whose header starts with '>').
 */
struct table;
struct table *table_create(const char *const *headers, uint32_t columns);
void table_add(struct table *table, const char *cell); /* row after row, copied */
void table_addf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(struct table *table); /* and frees it */
