/* SPDX-License-Identifier: Apache-2.0
 *
 * Ridge regression of log(measured / predicted) over the shares of the predicted time, which is to
 * first order a search for better weights. Within an operator only differences between schedules
 * are looked at, since its choice is among these; how fast the operator is as a whole comes after.
 * First all families together, then each, drawn towards what all have in common. Outliers count
 * less (Huber), and so do schedules far from their operator's best. Pure arithmetic; no memory.
 */
#include "cost/calibrate.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define RIDGE      0.2 /* as much weight of observations as the prior is worth */
#define OUTLIER    0.3 /* a residual beyond this, in log time, weighs by its size, not its square */
#define ROUNDS     4   /* of weighing outliers anew */
#define WORTH_MOST 2.5 /* e^2.5: twelve times */

static double clamp(double value, double most)
{
	return fmax(-most, fmin(most, value));
}

static double dot(const double x[COST_PARTS], const double y[COST_PARTS])
{
	double sum = 0;

	for (uint32_t i = 0; i < COST_PARTS; i++)
		sum += x[i] * y[i];
	return sum;
}

double correction_factor(
        const struct correction *correction, enum op_family family, const double share[COST_PARTS])
{
	if (!correction)
		return 1;
	return exp(clamp(correction->level[family], log(CORRECTION_LEVEL)) +
	           clamp(dot(correction->worth[family], share), log(CORRECTION_BEND)));
}

/* ---- Groups. */

struct group {
	const struct observation *all;
	uint32_t count;
	double best_ns;
};

/* The observations of one operator from number *at on, which is moved behind them. */
static struct group group_next(const struct observation all[], uint32_t count, uint32_t *at)
{
	struct group g = {.all = &all[*at], .best_ns = all[*at].measured_ns};

	while (*at < count && all[*at].group == g.all->group) {
		g.best_ns = fmin(g.best_ns, all[(*at)++].measured_ns);
		g.count++;
	}
	return g;
}

static double residual(const struct observation *o, const double worth[COST_PARTS])
{
	return log(o->measured_ns / o->predicted_ns) - dot(o->share, worth);
}

/* ---- Normal equations. */

struct equations {
	double a[COST_PARTS][COST_PARTS], b[COST_PARTS];
};

/* Cholesky; a is positive definite because of the ridge. */
static void solve(struct equations *e, double ret_x[COST_PARTS])
{
	for (uint32_t i = 0; i < COST_PARTS; i++) {
		for (uint32_t j = 0; j <= i; j++) {
			double sum = e->a[i][j];
			for (uint32_t k = 0; k < j; k++)
				sum -= e->a[i][k] * e->a[j][k];
			e->a[i][j] = i == j ? sqrt(fmax(sum, DBL_MIN)) : sum / e->a[j][j];
		}
	}
	for (uint32_t i = 0; i < COST_PARTS; i++) {
		ret_x[i] = e->b[i];
		for (uint32_t k = 0; k < i; k++)
			ret_x[i] -= e->a[i][k] * ret_x[k];
		ret_x[i] /= e->a[i][i];
	}
	for (uint32_t i = COST_PARTS; i-- > 0;) {
		for (uint32_t k = i + 1; k < COST_PARTS; k++)
			ret_x[i] -= e->a[k][i] * ret_x[k];
		ret_x[i] /= e->a[i][i];
	}
}

/* How much observation `o` of `g` counts, given that it is off by `off` more than the group is. */
static double weight_of(const struct group *g, const struct observation *o, double off)
{
	double near = g->best_ns / o->measured_ns;

	return near * (fabs(off) > OUTLIER ? OUTLIER / fabs(off) : 1);
}

/* Means over a group, by weight. */
struct mean {
	double weight, residual, share[COST_PARTS];
};

/* `before`: the mean residual of the round before, about which outliers are judged. */
static struct mean mean_of(const struct group *g, const double worth[COST_PARTS], double before)
{
	struct mean m = {0};

	for (uint32_t i = 0; i < g->count; i++) {
		double off = residual(&g->all[i], worth);
		double weight = weight_of(g, &g->all[i], off - before);
		m.weight += weight;
		m.residual += weight * off;
		for (uint32_t k = 0; k < COST_PARTS; k++)
			m.share[k] += weight * g->all[i].share[k];
	}
	m.residual /= m.weight;
	for (uint32_t k = 0; k < COST_PARTS; k++)
		m.share[k] /= m.weight;
	return m;
}

static struct mean converged_mean(const struct group *g, const double worth[COST_PARTS])
{
	struct mean m = mean_of(g, worth, 0);

	for (int i = 0; i < ROUNDS; i++)
		m = mean_of(g, worth, m.residual);
	return m;
}

static void add_group(struct equations *e, const struct group *g, const double worth[COST_PARTS])
{
	struct mean m = converged_mean(g, worth);
	double x[COST_PARTS];

	for (uint32_t i = 0; i < g->count; i++) {
		double off = residual(&g->all[i], worth) - m.residual;
		double weight = weight_of(g, &g->all[i], off);
		for (uint32_t k = 0; k < COST_PARTS; k++)
			x[k] = g->all[i].share[k] - m.share[k];
		for (uint32_t k = 0; k < COST_PARTS; k++) {
			e->b[k] += weight * off * x[k];
			for (uint32_t l = 0; l < COST_PARTS; l++)
				e->a[k][l] += weight * x[k] * x[l];
		}
	}
}

/* ---- Learning. */

#define FOLDS 4 /* of cross-validation: a group's fold is its number, modulo this */

/* Which groups are looked at. */
struct selection {
	int family;     /* -1: all */
	uint32_t folds; /* bits */
};
#define ALL_FOLDS ((1u << FOLDS) - 1)

static bool is_selected(const struct group *g, struct selection selection)
{
	return (selection.family < 0 || (int)g->all->family == selection.family) &&
	       selection.folds >> g->all->group % FOLDS & 1;
}

/* Adds to `worth`, towards which it is drawn, what the selected groups differ from it. */
static void learn(const struct observation all[], uint32_t count, struct selection selection,
        double worth[COST_PARTS])
{
	struct equations e = {0};
	double change[COST_PARTS];

	for (uint32_t k = 0; k < COST_PARTS; k++)
		e.a[k][k] = RIDGE;
	for (uint32_t at = 0; at < count;) {
		struct group g = group_next(all, count, &at);
		if (is_selected(&g, selection))
			add_group(&e, &g, worth);
	}
	solve(&e, change);
	for (uint32_t k = 0; k < COST_PARTS; k++)
		worth[k] = clamp(worth[k] + change[k], WORTH_MOST);
}

static void learn_all(const struct observation all[], uint32_t count, uint32_t folds,
        struct correction *ret_correction)
{
	double common[COST_PARTS] = {0};

	learn(all, count, (struct selection){-1, folds}, common);
	for (int family = 0; family < OP_FAMILIES; family++) {
		double *worth = ret_correction->worth[family];
		memcpy(worth, common, sizeof common);
		learn(all, count, (struct selection){family, folds}, worth);
	}
}

/* ---- How good the choices are. */

static double loss_of(const struct group *g, const struct correction *correction)
{
	double first_ns = INFINITY, measured_ns = g->best_ns;

	for (uint32_t i = 0; i < g->count; i++) {
		const struct observation *o = &g->all[i];
		double ns = o->predicted_ns * correction_factor(correction, o->family, o->share);
		if (ns < first_ns) {
			first_ns = ns;
			measured_ns = o->measured_ns;
		}
	}
	return log(measured_ns / g->best_ns);
}

/* The sum of the logarithms. */
static double losses(const struct observation all[], uint32_t count, struct selection selection,
        const struct correction *correction)
{
	double sum = 0;

	for (uint32_t at = 0; at < count;) {
		struct group g = group_next(all, count, &at);
		if (is_selected(&g, selection))
			sum += loss_of(&g, correction);
	}
	return sum;
}

double calibrate_loss(
        const struct observation all[], uint32_t count, const struct correction *correction)
{
	double groups = 0;

	for (uint32_t at = 0; at < count; groups++)
		group_next(all, count, &at);
	return exp(losses(all, count, (struct selection){-1, ALL_FOLDS}, correction) /
	           fmax(groups, 1));
}

/* Forgets what was learnt of a family where, learnt without a fold, it chose worse within it than
 * the model alone. */
static void forget_harmful(
        const struct observation all[], uint32_t count, struct correction *correction)
{
	double gain[OP_FAMILIES] = {0};
	struct correction without = {0};

	for (uint32_t fold = 0; fold < FOLDS; fold++) {
		learn_all(all, count, ALL_FOLDS & ~(1u << fold), &without);
		for (int family = 0; family < OP_FAMILIES; family++) {
			struct selection held_out = {family, 1u << fold};
			gain[family] += losses(all, count, held_out, NULL) -
			                losses(all, count, held_out, &without);
		}
	}
	for (int family = 0; family < OP_FAMILIES; family++)
		if (gain[family] < 0)
			memset(correction->worth[family], 0, sizeof correction->worth[family]);
}

/* ---- How fast a family is as a whole. */

static double level_of(
        const struct observation all[], uint32_t count, int family, const double worth[COST_PARTS])
{
	double level = 0, weight = RIDGE;

	for (uint32_t at = 0; at < count;) {
		struct group g = group_next(all, count, &at);
		if (!is_selected(&g, (struct selection){family, ALL_FOLDS}))
			continue;
		level += clamp(converged_mean(&g, worth).residual, log(CORRECTION_LEVEL));
		weight++;
	}
	return level / weight;
}

void calibrate(
        const struct observation observations[], uint32_t count, struct correction *ret_correction)
{
	*ret_correction = (struct correction){0};
	learn_all(observations, count, ALL_FOLDS, ret_correction);
	forget_harmful(observations, count, ret_correction);
	for (int family = 0; family < OP_FAMILIES; family++)
		ret_correction->level[family] = level_of(
		        observations, count, family, ret_correction->worth[family]);
}
