/* SPDX-License-Identifier: Apache-2.0
 *
 * All that a candidate's second build changes. Must not know why one is built twice. Invariant:
 * where there is a second build there is a first.
 */
#include "daemon/gpu/twins.h"
#include "daemon/gpu/fault.h"

#include <math.h>

void twins_free(struct twins *twins)
{
	trial_free(twins->first);
	trial_free(twins->second);
	*twins = (struct twins){0};
}

void twins_join(struct twins *twins, struct trial *second)
{
	trial_free(twins->second);
	twins->second = second;
	if (!second)
		twins_free(twins);
}

int twins_time(const struct twins *twins, double *ret_ns, struct error *err)
{
	double second_ns = INFINITY;
	uint64_t times;
	int answer = trial_time(twins->first, ret_ns, err);

	if (fault_planted(FAULT_LAME, &times))
		*ret_ns *= (double)times;
	if (!answer && twins->second)
		answer = trial_time(twins->second, &second_ns, err);
	*ret_ns = fmin(*ret_ns, second_ns);
	return answer;
}

int twins_size_again(struct twins *twins, struct error *err)
{
	int answer = twins->second ? trial_size_again(twins->second, err) : 0;

	return answer ? answer : trial_size_again(twins->first, err);
}
