/* SPDX-License-Identifier: Apache-2.0
 *
 * nnjitd's options: defaults, the configuration file under the command line, bounds, and sentences
 * that say what is wrong.
 */
#include "daemon/options.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int parse(const char *const *args, struct options *ret_options, struct error *err)
{
	char *argv[16] = {(char *)"nnjitd"};
	int argc = 1;

	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)args[argc - 1];
	return options_parse(argc, argv, ret_options, err);
}

START_TEST(defaults)
{
	struct options options;
	struct error err = {0};

	setenv("STATE_DIRECTORY", "/srv/one:/srv/two", 1);
	ck_assert_int_eq(parse((const char *[]){NULL}, &options, &err), 0);
	ck_assert_str_eq(options.state_dir, "/srv/one");
	ck_assert_uint_eq(options.port, 6174);
	ck_assert_uint_eq(options.tune.budget_s, 30);
	ck_assert_int_eq(options.level, LOG_LEVEL_INFO);
	ck_assert_ptr_nonnull(strstr(options.tune.worker, "nnjit-gpu"));
	options_free(&options);
	options_free(&options);
}
END_TEST

START_TEST(the_command_line_wins_over_the_file)
{
	char path[] = "/tmp/nnjit-options-test-XXXXXX";
	static const char text[] = "# a comment\n\n  port = 7000\nbudget=5\nlog-level = debug  \n";
	struct options options;
	struct error err = {0};
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
	close(fd);
	int r = parse((const char *[]){"--port", "7001", "--config", path, "--state-dir=/x", NULL},
	        &options, &err);
	unlink(path);
	ck_assert_msg(r == 0, "%s", err.text);
	ck_assert_uint_eq(options.port, 7001);
	ck_assert_uint_eq(options.tune.budget_s, 5);
	ck_assert_int_eq(options.level, LOG_LEVEL_DEBUG);
	ck_assert_str_eq(options.state_dir, "/x");
	options_free(&options);
}
END_TEST

/* A variable that is set and empty is as one that is not. */
START_TEST(empty_variables_are_not_set)
{
	struct options options;
	struct error err = {0};

	setenv("STATE_DIRECTORY", "", 1);
	setenv("XDG_STATE_HOME", "", 1);
	setenv("HOME", "", 1);
	if (!geteuid() && seteuid(65534))
		return; /* root's folder does not depend on them */
	ck_assert_int_eq(parse((const char *[]){NULL}, &options, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "HOME is not set"));
	setenv("HOME", "/home/of", 1);
	ck_assert_int_eq(parse((const char *[]){NULL}, &options, &err), 0);
	ck_assert_str_eq(options.state_dir, "/home/of/.local/state/nnjit");
	options_free(&options);
}
END_TEST

static const struct {
	const char *args[4];
	int answer;
	const char *sentence; /* a part of it */
} rows[] = {
        {{"--help"}, OPTIONS_HELP, ""},
        {{"-h"}, OPTIONS_HELP, ""},
        {{"--version"}, OPTIONS_VERSION, ""},
        {{"--port", "65536"}, -EINVAL, "from 0 to 65535"},
        {{"--port", "-1"}, -EINVAL, "from 0 to 65535"},
        {{"--port", "12x"}, -EINVAL, "12x"},
        {{"--port", ""}, -EINVAL, "whole number"},
        {{"--port"}, -EINVAL, "a value must follow"},
        {{"--budget", "0"}, -EINVAL, "from 1 to"},
        {{"--budget", "99999999999999999999999"}, -EINVAL, "from 1 to"},
        {{"--colour", "red"}, -EINVAL, "no such option"},
        {{"--state-dir", ""}, -EINVAL, "not empty"},
        {{"--log-level", "loud"}, -EINVAL, "error, warning, info or debug"},
        {{"--config", "/no/such/file"}, -ENOENT, "/no/such/file"},
        {{"surplus"}, -EINVAL, "'surplus' is not an option"},
};

START_TEST(answers_and_refusals)
{
	struct options options = {0};
	struct error err = {0};

	setenv("STATE_DIRECTORY", "/srv/one", 1);
	ck_assert_int_eq(parse(rows[_i].args, &options, &err), rows[_i].answer);
	ck_assert_msg(strstr(err.text, rows[_i].sentence) != NULL, "%s", err.text);
	ck_assert_ptr_null(options.state_dir);
}
END_TEST

static const struct {
	const char *text, *sentence;
} files[] = {
        {"port 7000\n", ":1: expected `name = value`"},
        {"port = 7000\ncolour = red\n", ":2: colour: there is no such option"},
        {"port = many\n", ":1: port must be a whole number"},
        {"worker =\n", "not empty"},
};

START_TEST(the_file_is_checked_by_line)
{
	char path[] = "/tmp/nnjit-options-test-XXXXXX";
	struct options options;
	struct error err = {0};
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(write(fd, files[_i].text, strlen(files[_i].text)), 0);
	close(fd);
	int r = parse((const char *[]){"--config", path, NULL}, &options, &err);
	unlink(path);
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_msg(strstr(err.text, files[_i].sentence) != NULL, "%s", err.text);
}
END_TEST

START_TEST(log_levels_by_name)
{
	enum log_level level;

	ck_assert_int_eq(log_level_parse("warning", &level), 0);
	ck_assert_int_eq(level, LOG_LEVEL_WARNING);
	ck_assert_int_eq(log_level_parse("WARNING", &level), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tests = tcase_create("options");

	tcase_add_test(tests, defaults);
	tcase_add_test(tests, empty_variables_are_not_set);
	tcase_add_test(tests, the_command_line_wins_over_the_file);
	tcase_add_loop_test(tests, answers_and_refusals, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_loop_test(
	        tests, the_file_is_checked_by_line, 0, (int)(sizeof files / sizeof *files));
	tcase_add_test(tests, log_levels_by_name);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
