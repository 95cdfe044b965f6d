/* SPDX-License-Identifier: Apache-2.0
 *
 * out = act(a x b + bias + residual), by the definition.
 */
#include "reference/reference.h"

#include <math.h>

double reference_activation(enum activation activation, double x)
{
	switch (activation) {
	case ACTIVATION_RELU:
		return x > 0 ? x : 0;
	case ACTIVATION_GELU: /* Hendrycks and Gimpel 2016 */
		return 0.5 * x * (1 + erf(x / sqrt(2)));
	case ACTIVATION_GELU_TANH:
		return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
	case ACTIVATION_SILU:
		return x / (1 + exp(-x));
	case ACTIVATION_NONE:
	case ACTIVATION_COUNT:
		break;
	}
	return x;
}

double reference_contraction(const struct op *op, void *const buffers[], uint64_t element)
{
	const uint32_t *v = op->value;
	uint64_t m = v[MATMUL_M], n = v[MATMUL_N], k = v[MATMUL_K];
	uint64_t column = element % n, row = element / n % m, batch = element / n / m;
	const float *a = (const float *)buffers[0] + batch * m * k;
	const float *b = (const float *)buffers[1] + batch * k * n;
	uint32_t next = 2;
	double sum = 0;

	for (uint64_t i = 0; i < k; i++)
		sum += (double)a[v[MATMUL_TRANS_A] ? i * m + row : row * k + i] *
		       b[v[MATMUL_TRANS_B] ? column * k + i : i * n + column];
	if (v[MATMUL_BIAS])
		sum += ((const float *)buffers[next++])[column];
	if (v[MATMUL_RESIDUAL])
		sum += ((const float *)buffers[next])[element];
	return reference_activation((enum activation)v[MATMUL_ACT], sum);
}
