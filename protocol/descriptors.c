/* SPDX-License-Identifier: Apache-2.0
 *
 * The standard descriptors. Opens nothing but /dev/null, or a folder where there is none.
 * Invariant: once it has succeeded, open() answers 3 or more.
 */
#include "protocol/descriptors.h"

#include <errno.h>
#include <fcntl.h>

/* In the direction that the program does not use: what it reads or writes there fails. */
static int occupy(int fd)
{
	int opened = open("/dev/null", fd ? O_RDONLY : O_WRONLY);

	if (opened < 0)
		opened = open("/", O_PATH);
	return opened == fd ? 0 : opened < 0 ? -errno : -EBADF;
}

int descriptors_secure(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		int code = occupy(fd);
		if (code)
			return code;
	}
	return 0;
}
