/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention being lowered, for the lower*.c of this room and nobody else. lower.c finds the
 * workgroup's head and rows; each section below is one file's, and a file calls only those further
 * up here. The softmax is the online one (Milakov and Gimelshein 2018; Dao et al. 2022).
 *
 * The state of a row is the score its weights are measured against (`top`), the sum of its weights
 * (`total`) and its weighted sum of v (`acc`), weights being exp(score - top). Raising top means to
 * scale the other two, so it is left where it is until a score passes it by SLACK: weights may be
 * as large as exp(SLACK) then, which costs no precision, and a rise becomes rare.
 *
 * What every row has one of stands in vectors of a.lanes rows, a.packs of them: a *pack*.
 */
#pragma once

#include "lower/lower.h"
#include "family/attention/shape.h"

#define ATTENTION_PACKS_MAX (ATTENTION_TILE_MAX / 4)

struct attend_row {
	ir_id start;  /* in q and out: the vector it begins with */
	ir_id mask;   /* the load of the mask that its key 0 is in */
	ir_id sees;   /* where causal: how many keys, from the first */
	ir_id exists; /* whether it is one of the head's; 0: certainly */
};

struct attend {
	struct lower *l;
	struct ir_builder *b;
	struct attention a;
	uint32_t q, k, v, mask, out; /* tensors */
	uint32_t vectors;            /* workgroup array of `width` lanes */
	bool whole;                  /* row tiles cover the rows exactly */
	ir_id positions, rows, keys; /* of q; of a head of k and v; in use */
	ir_id batch, kv_head;        /* whose rows these are */
	ir_id first_key;             /* the vector its keys begin with in k and v */
	struct attend_row row[ATTENTION_TILE_MAX];
	ir_id sees[ATTENTION_PACKS_MAX];
	ir_id top[ATTENTION_PACKS_MAX], total[ATTENTION_PACKS_MAX]; /* variables */
	ir_id acc[ATTENTION_ACCUMULATORS_MAX];                      /* variables: [row][each] */
	uint32_t each;                                              /* vectors of a row */
	/* Of the keys scored together: sums of products, then scores without bias, then weights. */
	ir_id product[ATTENTION_STEP_MAX][ATTENTION_TILE_MAX]; /* vectors of `width` */
	ir_id score[ATTENTION_STEP_MAX][ATTENTION_PACKS_MAX];
	ir_id bias[ATTENTION_STEP_MAX][ATTENTION_PACKS_MAX]; /* of the mask; 0: none */
};

/* ---- lower_position.c: in memory. */
/* What follows belongs to this head of k and v. */
void attend_position_head(struct attend *at, ir_id batch, ir_id kv_head);
/* Row n of the tile is at this position, of head number `head` of those that share k and v. */
void attend_position_row(struct attend *at, uint32_t n, ir_id position, ir_id head);
/* The whole tile, its first row being number `first` of its head of k and v. */
void attend_position_tile(struct attend *at, ir_id first);
/* No loop needs to pass this key for rows up to number `last`. */
ir_id attend_bound(struct attend *at, ir_id last);
/* The vector that a key begins with; one past the last is taken as the last. */
ir_id attend_key(struct attend *at, ir_id key);

/* ---- lower_softmax.c: of `keys` keys at once, the first being `key`. */
void attend_begin(struct attend *at, uint32_t each);
/* at->product become at->score: sums over lanes, times scale unless it is 1. */
void attend_score(struct attend *at, ir_id key, uint32_t keys, float scale);
void attend_greatest(struct attend *at, uint32_t keys, ir_id ret_greatest[ATTENTION_PACKS_MAX]);
/* Raises at->top where `greatest` asks for it. */
void attend_raise(struct attend *at, const ir_id greatest[ATTENTION_PACKS_MAX]);
/* at->score become weights; they are added to at->total. */
void attend_weigh(struct attend *at, uint32_t keys);
/* A row's own of a pack. */
ir_id attend_own(struct attend *at, const ir_id packs[ATTENTION_PACKS_MAX], uint32_t row);
/* The factor that makes acc the output, of totals that are complete. */
void attend_inverse(struct attend *at, ir_id packs[ATTENTION_PACKS_MAX]);
float attend_scale(const struct attend *at);

/* ---- lower_exchange.c */
/* One of the invocations that own a tile together. */
struct attend_team {
	struct attend *at;
	uint32_t queries, weights, slots;        /* workgroup arrays */
	ir_id lane, tile;                        /* this invocation among its tile's; which tile */
	ir_id own_keys;                          /* number of its first key in a block */
	ir_id first_chunk, part;                 /* whose sums it has */
	ir_id chunk[ATTENTION_ACCUMULATORS_MAX]; /* kept within the head */
};
/* All of the tile's invocations get the maximum or sum of what each has. */
void attend_agree(struct attend_team *x, enum ir_op op, ir_id packs[ATTENTION_PACKS_MAX]);

/* ---- The forms. lower_alone.c: the workgroup's block of rows from this one; it may stand in a
 * loop over blocks. */
void attend_alone(struct attend *at, ir_id first);

/* lower_team.c: the same. */
void attend_team(struct attend *at, ir_id first);
struct attend_team attend_begin_team(struct attend *at);
/* All keys for the rows that are positioned; then the factors of acc. */
void attend_rows(struct attend_team *x, ir_id bound, ir_id ret_inverse[ATTENTION_PACKS_MAX]);
/* Whether this invocation has the sum of its vector number i of each row; 0: certainly. */
ir_id attend_has_sum(struct attend_team *x, uint32_t i);

/* lower_pair.c: the workgroup's two rows of out, neighbours in memory. */
void attend_pair(struct attend *at);
