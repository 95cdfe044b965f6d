/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints what follows from the protocol's rows in documents and clients; protocol_doc_test.sh holds
 * the files in the tree against it.
 *   print_protocol rest|websocket|parameters|answers|types|errors    a section of docs/PROTOCOL.md
 *   print_protocol typescript                                        clients/web/protocol.d.ts
 */
#include "protocol/answers.h"
#include "protocol/params.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Text within a table's cell. */
static void put_cell(const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			putchar('\\');
		putchar(*text);
	}
}

static bool has_params(enum method method)
{
	for (uint32_t i = 0; i < method_param_count; i++)
		if (method_params[i].method == method)
			return true;
	return false;
}

/* Required ones first, as they are. */
static void put_params(enum method method)
{
	const char *between = "";

	for (int required = 1; required >= 0; required--) {
		for (uint32_t i = 0; i < method_param_count; i++) {
			if (method_params[i].method != method ||
			        method_params[i].required != required)
				continue;
			printf("%s%s`%s`%s", between, required ? "**" : "", method_params[i].name,
			        required ? "**" : "");
			between = ", ";
		}
	}
}

/* ---- Types, for people and for TypeScript. */

static const char *method_function(enum method method)
{
	static const char *const functions[METHOD_COUNT] = {
#define METHOD(id, function, ...) [METHOD_##id] = #function,
#include "protocol/methods.def"
	};

	return functions[method];
}

static enum method method_of(enum answer_kind kind)
{
	enum answer_kind types[ANSWER_TYPES_MAX];

	for (enum method m = 0; m < METHOD_COUNT; m++) {
		answer_types(m, types);
		if (types[0] == kind)
			return m;
	}
	return METHOD_COUNT;
}

/* What TypeScript calls it: "HealthAnswer" for what one method answers with. */
static void put_kind(enum answer_kind kind)
{
	static const char *const scalars[] = {[ANSWER_TEXT] = "string",
	        [ANSWER_WHOLE] = "number",
	        [ANSWER_NUMBER] = "number",
	        [ANSWER_BOOL] = "boolean",
	        [ANSWER_OBJECT] = "object"};

	if (kind < sizeof scalars / sizeof *scalars) {
		fputs(scalars[kind], stdout);
	} else if (answer_infos[kind].name) {
		fputs(answer_infos[kind].name, stdout);
	} else {
		const char *function = method_function(method_of(kind));
		printf("%c%sAnswer", toupper((unsigned char)*function), function + 1);
	}
}

static void put_type(const struct answer_member *member)
{
	static const struct {
		const char *before, *after;
	} shapes[] = {[SHAPE_ONE] = {"", ""},
	        [SHAPE_LIST] = {"", "[]"},
	        [SHAPE_NULLS] = {"(", " | null)[]"},
	        [SHAPE_MAP] = {"Record<string, ", ">"}};
	bool triple = member->shape == SHAPE_TRIPLE || member->shape == SHAPE_TRIPLES;

	for (int i = 0; triple && i < 3; i++) {
		fputs(i ? ", " : "[", stdout);
		put_kind(member->kind);
	}
	if (triple) {
		fputs(member->shape == SHAPE_TRIPLES ? "][]" : "]", stdout);
	} else {
		fputs(shapes[member->shape].before, stdout);
		put_kind(member->kind);
		fputs(shapes[member->shape].after, stdout);
	}
	if (member->when == WHEN_NULLABLE)
		fputs(" | null", stdout);
}

static bool has_members(enum answer_kind kind)
{
	for (uint32_t i = 0; i < answer_member_count; i++)
		if (answer_members[i].of == kind)
			return true;
	return false;
}

/* ---- The sections of docs/PROTOCOL.md. */

static void print_rest(void)
{
	puts("| address | what | parameters |\n|---|---|---|");
	for (enum method m = 0; m < METHOD_COUNT; m++) {
		if (!methods[m].path)
			continue;
		printf("| `%s %s` | ", methods[m].verb, methods[m].path);
		put_cell(methods[m].doc);
		fputs(" | ", stdout);
		put_params(m);
		puts(" |");
	}
}

static void print_websocket(void)
{
	puts("| method | what | parameters |\n|---|---|---|");
	for (enum method m = 0; m < METHOD_COUNT; m++) {
		if (!methods[m].name)
			continue;
		printf("| `%s`", methods[m].name);
		for (uint32_t i = 0; i < former_name_count; i++)
			if (former_names[i].method == m && !former_names[i].param)
				printf(", until 1.0 also `%s`", former_names[i].former);
		fputs(" | ", stdout);
		put_cell(methods[m].doc);
		fputs(" | ", stdout);
		if (methods[m].path && has_params(m))
			printf("as `%s %s`", methods[m].verb, methods[m].path);
		else
			put_params(m);
		puts(" |");
	}
}

static bool same_param(const struct method_param *a, const struct method_param *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->doc, b->doc);
}

static void put_former(const struct method_param *param)
{
	for (uint32_t i = 0; i < former_name_count; i++)
		if (former_names[i].method == param->method && former_names[i].param &&
		        !strcmp(former_names[i].param, param->name))
			printf("; until 1.0 also `%s`", former_names[i].former);
}

/* A row for each parameter and what it means there, at the first method that takes it so. */
static void print_parameters(void)
{
	puts("| parameter | of | what |\n|---|---|---|");
	for (uint32_t i = 0; i < method_param_count; i++) {
		const struct method_param *param = &method_params[i];
		bool told = false;
		for (uint32_t k = 0; k < i; k++)
			told |= same_param(&method_params[k], param);
		if (told)
			continue;
		printf("| `%s` |", param->name);
		for (uint32_t k = i; k < method_param_count; k++)
			if (same_param(&method_params[k], param))
				printf("%s `%s`", k == i ? "" : ",",
				        method_function(method_params[k].method));
		fputs(" | ", stdout);
		put_cell(param->doc);
		put_former(param);
		puts(" |");
	}
}

static void print_members(enum answer_kind kind)
{
	puts("\n| member | type | what |\n|---|---|---|");
	for (uint32_t i = 0; i < answer_member_count; i++) {
		const struct answer_member *member = &answer_members[i];
		if (member->of != kind)
			continue;
		printf("| `%s`%s | `", member->name,
		        member->when == WHEN_SOMETIMES ? " (may be left out)" : "");
		put_type(member);
		fputs("` | ", stdout);
		put_cell(member->doc);
		puts(" |");
	}
}

static void print_answers(void)
{
	for (enum method m = 0; m < METHOD_COUNT; m++) {
		enum answer_kind types[ANSWER_TYPES_MAX], pushed = answer_pushed(m);
		answer_types(m, types);
		printf("%s### %s\n\n", m ? "\n" : "", method_function(m));
		if (!answer_infos[types[0]].name)
			printf("An object:\n");
		for (uint32_t i = 0; answer_infos[types[0]].name && types[i] != ANSWER_KIND_COUNT;
		        i++)
			printf("%s`%s`", i ? " or " : "", answer_infos[types[i]].name);
		if (answer_infos[types[0]].name)
			puts(".");
		else
			print_members(types[0]);
		if (pushed != ANSWER_KIND_COUNT)
			printf("\nOver the WebSocket each `%s` follows.\n",
			        answer_infos[pushed].name);
	}
}

static void print_types(void)
{
	for (enum answer_kind kind = 0; kind < ANSWER_KIND_COUNT; kind++) {
		const struct answer_info *info = &answer_infos[kind];
		if (!info->name)
			continue;
		printf("%s### %s\n\n%c%s.\n", kind == ANSWER_OBJECT + 1 ? "" : "\n", info->name,
		        toupper((unsigned char)*info->doc), info->doc + 1);
		if (!info->words) {
			print_members(kind);
			continue;
		}
		fputs("\nOne of `", stdout);
		for (const char *at = info->words; *at; at++)
			fputs(*at == '|' ? "`, `" : (char[]){*at, '\0'}, stdout);
		puts("`.");
	}
}

static void print_errors(void)
{
	puts("| code | status | |\n|---|---|---|");
#define PROBLEM(name, code, status, title, doc) printf("| `%s` | %d | %s |\n", code, status, doc);
#include "protocol/errors.def"
}

/* ---- TypeScript. */

static void print_interface(enum answer_kind kind)
{
	fputs("export interface ", stdout);
	put_kind(kind);
	puts(" {");
	for (uint32_t i = 0; i < answer_member_count; i++) {
		const struct answer_member *member = &answer_members[i];
		if (member->of != kind)
			continue;
		printf("\t/** %s */\n\t%s%s: ", member->doc, member->name,
		        member->when == WHEN_SOMETIMES ? "?" : "");
		put_type(member);
		puts(";");
	}
	puts("}");
}

static void print_typescript(void)
{
	puts("// SPDX-License-Identifier: Apache-2.0\n//\n"
	     "// The types of the daemon's answers. tests/protocol/print_protocol writes this file "
	     "from\n"
	     "// protocol/types.def and protocol/methods.def: change those, then run\n"
	     "// `NNJIT_BLESS=1 make check`.");
	for (enum answer_kind kind = ANSWER_OBJECT + 1; kind < ANSWER_KIND_COUNT; kind++) {
		const struct answer_info *info = &answer_infos[kind];
		if (info->words) {
			printf("\n/** %c%s. */\nexport type %s = '",
			        toupper((unsigned char)*info->doc), info->doc + 1, info->name);
			for (const char *at = info->words; *at; at++)
				fputs(*at == '|' ? "' | '" : (char[]){*at, '\0'}, stdout);
			puts("';");
		} else if (has_members(kind)) {
			enum method method = info->name ? METHOD_COUNT : method_of(kind);
			const char *doc = info->name ? info->doc : methods[method].doc;
			printf("\n/** %c%s. */\n", toupper((unsigned char)*doc), doc + 1);
			print_interface(kind);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} sections[] = {{"rest", print_rest}, {"websocket", print_websocket},
	        {"parameters", print_parameters}, {"answers", print_answers},
	        {"types", print_types}, {"errors", print_errors}, {"typescript", print_typescript}};

	for (size_t i = 0; argc == 2 && i < sizeof sections / sizeof *sections; i++) {
		if (strcmp(sections[i].name, argv[1]))
			continue;
		sections[i].print();
		return 0;
	}
	fputs("usage: print_protocol rest|websocket|parameters|answers|types|errors|typescript\n",
	        stderr);
	return 2;
}
