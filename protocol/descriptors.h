/* SPDX-License-Identifier: Apache-2.0
 *
 * What each of the programs does before it opens anything.
 */
#pragma once

/* Occupies those of the descriptors 0, 1 and 2 that are closed, so that no file of the program's
 * own becomes its standard output, to be overwritten by a message. Reading from them or writing to
 * them fails as before. 0, or -errno: the program must not go on. */
int descriptors_secure(void);
