/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors: canonical text of every operator, keys, tensors, dynamic dimensions, and every way
 * to be refused, with its sentence.
 */
#include "nnjit.h"

#include "base/error.h"

#include <check.h>
#include <string.h>

static const struct {
	const char *text, *canonical;
} spellings[] = {
        {"matmul m=256 n=256 k=256", "matmul m=256 n=256 k=256"},
        {"  matmul  k=3\tn=2 m=1  ", "matmul m=1 n=2 k=3"},
        {"matmul m=1 n=2 k=3 batch=1 bias=0 act=none a=f32", "matmul m=1 n=2 k=3"},
        {"matmul act=gelu_tanh bias=1 k=3 residual=1 n=2 m=1 trans_a=1 trans_b=1 batch=4",
                "matmul m=1 n=2 k=3 batch=4 trans_a=1 trans_b=1 bias=1 residual=1 act=gelu_tanh"},
        {"matmul m=67108864 n=1 k=1", "matmul m=67108864 n=1 k=1"},
        {"matmul m=?128 n=?1..9 k=3", "matmul m=?128 n=?1..9 k=3"},
        {"matmul m=1 n=2 k=3 batch=?1", "matmul m=1 n=2 k=3 batch=?1"},
        {"matmul m=1 n=2 k=3 act=relu+tanh scale=0.50 pitch=4",
                "matmul m=1 n=2 k=3 scale=0.5 act=relu+tanh pitch=4"},
        {"matmul m=1 n=2 k=3 b=i8 a=f16 out=f16", "matmul m=1 n=2 k=3 a=f16 b=i8 out=f16"},
        {"matmul_nbits m=?1 n=8 k=64 zeros=1 block=32", "matmul_nbits m=?1 n=8 k=64 zeros=1"},
        {"conv2d c=4 h=8 w=8 oc=6 kernel=3 pad=1",
                "conv2d c=4 h=8 w=8 oc=6 kernel=3,3 pad=1,1,1,1"},
        {"conv2d c=4 h=8 w=8 oc=6 kernel=3,1 pad=1,0 stride=2 layout=nhwc dtype=f16",
                "conv2d c=4 h=8 w=8 oc=6 kernel=3,1 stride=2,2 pad=1,0,1,0 layout=nhwc dtype=f16"},
        {"conv1d c=4 l=20 oc=6 kernel=3 pad=2,0", "conv1d c=4 l=20 oc=6 kernel=3 pad=2,0"},
        {"conv_transpose2d c=4 h=8 w=8 oc=6 kernel=2 stride=2 out_pad=1,0",
                "conv_transpose2d c=4 h=8 w=8 oc=6 kernel=2,2 stride=2,2 out_pad=1,0"},
        {"softmax n=5 rows=?3", "softmax rows=?3 n=5"},
        {"log_softmax rows=3 n=5 inner=2", "log_softmax rows=3 n=5 inner=2"},
        {"layernorm rows=3 n=5 eps=1e-5 weight=0 bias=0", "layernorm rows=3 n=5 weight=0 bias=0"},
        {"rmsnorm rows=3 n=5 bias=0", "rmsnorm rows=3 n=5"},
        {"groupnorm c=6 groups=3 inner=7", "groupnorm c=6 inner=7 groups=3"},
        {"instancenorm batch=2 c=6 act=silu", "instancenorm batch=2 c=6 act=silu"},
        {"reduce_sum rows=1 n=2", "reduce_sum rows=1 n=2"},
        {"reduce_l2 rows=1 n=2 dtype=f16", "reduce_l2 rows=1 n=2 dtype=f16"},
        {"argmax rows=1 n=2", "argmax rows=1 n=2"},
        {"argmin rows=1 n=2", "argmin rows=1 n=2"},
        {"cumsum rows=1 n=2 reverse=1", "cumsum rows=1 n=2 reverse=1"},
        {"layernorm rows=1 n=2 eps=0.00100000005", "layernorm rows=1 n=2 eps=0.001"},
        {"softmax rows=1 n=2 scale=0.1", "softmax rows=1 n=2 scale=0.1"},
        {"map shape=2 steps=x,alpha,max alpha=-INF", "map shape=2 steps=x,alpha,max alpha=-inf"},
        {"map shape=2 dtype=i32 steps=x,alpha,add alpha=16777217.0",
                "map shape=2 dtype=i32 steps=x,alpha,add alpha=16777217"},
        {"map shape=?4,5 y=5 steps=x,y,add,alpha,mul alpha=0.5",
                "map shape=?4,5 y=5 steps=x,y,add,alpha,mul alpha=0.5"},
        {"cast shape=4 out=f16", "cast shape=4"},
        {"batchnorm c=3 inner=4 act=none", "batchnorm c=3 inner=4"},
        {"gate rows=2 n=3 act=silu", "gate rows=2 n=3"},
        {"gate rows=2 n=3 act=none", "gate rows=2 n=3 act=none"},
        {"rotary heads=2 seq=3 dim=4 pairs=neighbours",
                "rotary heads=2 seq=3 dim=4 pairs=neighbours"},
        {"transpose shape=2,?3,4 perm=2,0,1", "transpose shape=2,?3,4 perm=2,0,1"},
        {"gather rows=3 count=?4 inner=1", "gather rows=3 count=?4"},
        {"concat sizes=1,2,3,4", "concat sizes=1,2,3,4"},
        {"slice shape=5,6 size=2,3 begin=0,1 step=1,2",
                "slice shape=5,6 begin=0,1 size=2,3 step=1,2"},
        {"pad shape=5 before=1 mode=edge", "pad shape=5 before=1 mode=edge"},
        {"tile shape=2,3 repeats=1,2", "tile shape=2,3 repeats=1,2"},
        {"resize h=2 w=3 oh=4 ow=5 mode=linear", "resize h=2 w=3 oh=4 ow=5 mode=linear"},
        {"max_pool c=1 h=4 w=4 kernel=2", "max_pool c=1 h=4 w=4 kernel=2,2"},
        {"avg_pool c=1 h=4 w=4 kernel=2 count_pad=1",
                "avg_pool c=1 h=4 w=4 kernel=2,2 count_pad=1"},
        {"quantize outer=4 quantised=u8", "quantize outer=4 quantised=u8"},
        {"dequantize outer=?4 c=2 zeros=1", "dequantize outer=?4 c=2 zeros=1"},
        {"attention heads=4 q=5 kv=?1..9 dim=8 capacity=9 order=bhsd",
                "attention heads=4 q=5 kv=?1..9 dim=8 capacity=9"},
        {"where shape=3,4 x=3,1", "where shape=3,4 x=3,1"},
        {"add shape=?2,?3,?4,?5", "add shape=?2,?3,?4,?5"},
#define REDUCE(NAME, text, ...) {text " rows=1 n=2", text " rows=1 n=2"},
#include "op/reductions.def"
#define SCALAR(NAME, text, ...) {text " shape=2,3", text " shape=2,3"},
#include "op/scalar.def"
};

START_TEST(canonical)
{
	char text[OP_TEXT_BYTES];
	struct op op, again;

	ck_assert_int_eq(op_parse(spellings[_i].text, &op, NULL), 0);
	op_print(&op, text);
	ck_assert_str_eq(text, spellings[_i].canonical);
	ck_assert_int_eq(op_parse(text, &again, NULL), 0);
	ck_assert_uint_eq(op_key(&op), op_key(&again));
}
END_TEST

START_TEST(every_operator_is_spelled)
{
	bool seen[OP_COUNT] = {0};
	struct op op;

	for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
		ck_assert_int_eq(op_parse(spellings[i].text, &op, NULL), 0);
		seen[op.kind] = true;
	}
	for (uint32_t kind = 0; kind < OP_COUNT; kind++)
		ck_assert_msg(
		        seen[kind], "%s is not among the spellings", op_name((enum op_kind)kind));
}
END_TEST

static const struct {
	const char *text;
	enum op_refusal refusal;
	const char *field;
	const char *sentence; /* a part of it; NULL: whatever it says */
} refusals[] = {
        {"", OP_BAD_SYNTAX, "op", "is empty"},
        {"   ", OP_BAD_SYNTAX, "op", "is empty"},
        {"matmul m", OP_BAD_SYNTAX, "op", "'m' is not of the form field=value"},
        {"matmul =3", OP_BAD_SYNTAX, "op", "'=3' is not"},
        {"conv9d m=1", OP_UNKNOWN_OPERATOR, "op", "no operator 'conv9d'"},
        {"matmul m=1 n=1 k=1 colour=3", OP_UNKNOWN_FIELD, "colour", "no field 'colour'"},
        {"softmax rows=1 n=1 k=1", OP_UNKNOWN_FIELD, "k", "softmax has no field 'k'"},
        {"matmul m=1 n=1 k=1 m=1", OP_DUPLICATE_FIELD, "m", "given twice"},
        {"matmul m=1 n=1", OP_MISSING_FIELD, "k", "matmul needs k"},
        {"transpose shape=2,3", OP_BAD_VALUE, "perm", NULL},
        {"map shape=2", OP_MISSING_FIELD, "steps", "map needs steps"},
        {"add dtype=f16", OP_MISSING_FIELD, "shape", "add needs shape"},
        {"matmul m=0 n=1 k=1", OP_BAD_VALUE, "m", "m=0: must be a whole number from 1"},
        {"matmul m=-1 n=1 k=1", OP_BAD_VALUE, "m", NULL},
        {"matmul m=1.5 n=1 k=1", OP_BAD_VALUE, "m", NULL},
        {"matmul m=0x10 n=1 k=1", OP_BAD_VALUE, "m", NULL},
        {"matmul m=67108865 n=1 k=1", OP_BAD_VALUE, "m", "67108864"},
        {"matmul m=99999999999999999999999 n=1 k=1", OP_BAD_VALUE, "m", NULL},
        {"matmul m=1 n= k=1", OP_BAD_VALUE, "n", NULL},
        {"matmul m=1 n=1 k=1 trans_a=2", OP_BAD_VALUE, "trans_a", "must be 0 or 1"},
        {"matmul m=1 n=1 k=1 act=swish", OP_BAD_VALUE, "act", "functions of one number"},
        {"matmul m=1 n=1 k=1 act=add", OP_BAD_VALUE, "act", NULL},
        {"matmul m=1 n=1 k=1 act=not", OP_BAD_VALUE, "act", NULL},
        {"matmul m=1 n=1 k=1 act=", OP_BAD_VALUE, "act", NULL},
        {"matmul m=1 n=1 k=1 act=relu+", OP_BAD_VALUE, "act", NULL},
        {"matmul m=1 n=1 k=1 act=abs+abs+abs+abs+abs", OP_BAD_VALUE, "act", "up to 4"},
        {"matmul m=1 n=1 k=1 a=f64", OP_BAD_VALUE, "a", "one of f32,f16,i8"},
        {"matmul m=1 n=1 k=1 a=u4", OP_BAD_VALUE, "a", NULL},
        {"matmul m=1 n=1 k=1 a=f16", OP_BAD_VALUE, "b", "b=f32: must be as a (f16)"},
        {"matmul m=1 n=1 k=1 a=i8", OP_BAD_VALUE, "b", "b is too"},
        {"matmul m=1 n=1 k=1 out=i32", OP_BAD_VALUE, "out", "needs a and b of i8"},
        {"matmul m=1 n=1 k=1 a=i8 b=i8 out=i32 act=relu", OP_BAD_VALUE, "out", "allows no act"},
        {"matmul m=1 n=1 k=1 acc=f16", OP_BAD_VALUE, "acc", NULL},
        {"matmul m=1 n=1 k=1 scale=inf", OP_BAD_VALUE, "scale", "a finite number"},
        {"matmul m=1 n=1 k=1 scale=1x", OP_BAD_VALUE, "scale", NULL},
        {"matmul m=1 n=1 k=1 batch=6 batch_a=4", OP_BAD_VALUE, "batch_a", "batch"},
        {"matmul m=1 n=1 k=1 batch=?6 batch_b=3", OP_BAD_VALUE, "batch", "dynamic batch"},
        {"matmul m=1 n=8 k=1 pitch=7", OP_BAD_VALUE, "pitch", NULL},
        {"matmul m=1 n=?8 k=1 pitch=9", OP_BAD_VALUE, "pitch", "dynamic n"},
        {"matmul m=1 n=8 k=4 pitch_a=3", OP_BAD_VALUE, "pitch_a", NULL},
        {"matmul m=1 n=8 k=?4 pitch_a=8", OP_BAD_VALUE, "pitch_a", "dynamic k"},
        {"matmul m=2 n=8 k=4 pitch_a=8 trans_a=1", OP_BAD_VALUE, "pitch_a", "trans_a"},
        {"gather rows=8 inner=4 count=1 first=4 of=11", OP_BAD_VALUE, "of", NULL},
        {"gather rows=8 inner=3 count=1 of=9 dtype=f16", OP_BAD_VALUE, "inner", NULL},
        {"matmul m=? n=1 k=1", OP_BAD_VALUE, "m", "?128"},
        {"matmul m=?0 n=1 k=1", OP_BAD_VALUE, "m", NULL},
        {"matmul m=?9..8 n=1 k=1", OP_BAD_VALUE, "m", NULL},
        {"matmul m=?1.. n=1 k=1", OP_BAD_VALUE, "m", NULL},
        {"matmul m=?1..2..3 n=1 k=1", OP_BAD_VALUE, "m", NULL},
        {"matmul m=?1..67108865 n=1 k=1", OP_BAD_VALUE, "m", NULL},
        {"add shape=?1,?2,?3,?4,?5", OP_BAD_VALUE, "shape", NULL},
        {"matmul m=65536 n=65536 k=1", OP_TOO_LARGE, "out", "split the operator"},
        {"matmul m=67108864 n=67108864 k=67108864 batch=67108864", OP_TOO_LARGE, "a", NULL},
        {"matmul m=?1..65536 n=65536 k=1", OP_TOO_LARGE, "out", NULL},
        {"softmax rows=?40000 n=60000", OP_TOO_LARGE, "x", NULL},
        {"add shape=65536,65536", OP_TOO_LARGE, "x", NULL},
        {"tile shape=65536 repeats=67108864", OP_TOO_LARGE, "out", NULL},
        {"pad shape=67108864,1 before=67108864,64 after=67108864,0", OP_TOO_LARGE, "out", NULL},
        {"matmul_nbits m=1 n=1 k=64 block=48", OP_BAD_VALUE, "block", "16, 32, 64, 128 or 256"},
        {"matmul_nbits m=1 n=1 k=?64", OP_BAD_VALUE, "k", NULL},
        {"conv2d c=3 h=4 w=4 oc=4 kernel=5", OP_BAD_VALUE, "kernel", "does not fit"},
        {"conv2d c=3 h=4 w=4 oc=4 groups=2", OP_BAD_VALUE, "groups", "c"},
        {"conv2d c=4 h=4 w=4 oc=3 groups=2", OP_BAD_VALUE, "groups", "oc"},
        {"conv2d c=3 h=?4 w=4 oc=4", OP_BAD_VALUE, "h", NULL},
        {"conv2d c=3 h=4 w=4 oc=4 kernel=1,2,3", OP_BAD_VALUE, "kernel", "one or two"},
        {"conv2d c=3 h=4 w=4 oc=4 stride=0", OP_BAD_VALUE, "stride", NULL},
        {"conv2d c=3 h=4 w=4 oc=4 pad=1,2,3", OP_BAD_VALUE, "pad", "one, two or four"},
        {"conv2d c=3 h=4 w=4 oc=4 layout=chwn", OP_BAD_VALUE, "layout", "one of nchw,nhwc"},
        {"conv_transpose2d c=3 h=1 w=1 oc=4 pad=1", OP_BAD_VALUE, "kernel", NULL},
        {"max_pool c=3 h=4 w=4 kernel=2 pad=2", OP_BAD_VALUE, "pad", "hold nothing"},
        {"softmax rows=1 n=2 mask_rows=2", OP_BAD_VALUE, "mask", "without mask=1"},
        {"softmax rows=1 n=2 mask=1 inner=2", OP_BAD_VALUE, "mask", "inner=1"},
        {"layernorm rows=1 n=2 eps=-1", OP_BAD_VALUE, "eps", "negative"},
        {"groupnorm c=6 groups=4", OP_BAD_VALUE, "groups", NULL},
        {"add shape=1,2,3,4,5,6,7", OP_BAD_VALUE, "shape", "1 to 6"},
        {"add shape=2,0,3", OP_BAD_VALUE, "shape", "each from 1"},
        {"concat sizes=1,67108865", OP_BAD_VALUE, "sizes", "up to 67108864"},
        {"add shape=", OP_BAD_VALUE, "shape", NULL},
        {"add shape=3,,4", OP_BAD_VALUE, "shape", NULL},
        {"add shape=3,4,", OP_BAD_VALUE, "shape", NULL},
        {"add shape=3,4 y=2", OP_BAD_VALUE, "y", "dimension 0 of y is 2"},
        {"add shape=4 y=3,4", OP_BAD_VALUE, "y", "2 dimensions and shape only 1"},
        {"add shape=?3,4 y=3,4", OP_BAD_VALUE, "y", "leaving y out"},
        {"add shape=3 z=3", OP_BAD_VALUE, "z", "takes no z"},
        {"sqrt shape=3 dtype=i32", OP_BAD_VALUE, "dtype", "'sqrt' is for f32 and f16"},
        {"and shape=3 dtype=i32", OP_BAD_VALUE, "dtype", "for bool alone"},
        {"not shape=3 dtype=bool", OP_BAD_VALUE, "dtype", "leave dtype out"},
        {"map shape=3 steps=x,add", OP_BAD_VALUE, "steps", "'add' takes 2 values"},
        {"map shape=3 steps=x,y", OP_BAD_VALUE, "steps", "leave 2 values"},
        {"map shape=3 steps=alpha", OP_BAD_VALUE, "steps", "none of x, y and z"},
        {"map shape=3 steps=x,y,less,exp", OP_BAD_VALUE, "steps", "numbers, not truths"},
        {"map shape=3 steps=x,y,where", OP_BAD_VALUE, "steps", NULL},
        {"map shape=3 steps=x,not", OP_BAD_VALUE, "steps", "truths"},
        {"map shape=3 steps=w", OP_BAD_VALUE, "steps", NULL},
        {"map shape=3 steps=x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x", OP_BAD_VALUE, "steps", "16"},
        {"rotary heads=1 seq=1 dim=5", OP_BAD_VALUE, "rotated", "even"},
        {"rotary heads=1 seq=1 dim=4 rotated=6", OP_BAD_VALUE, "rotated", "at most dim"},
        {"transpose shape=2,3 perm=0,0", OP_BAD_VALUE, "perm", "each of 0 to 1 once"},
        {"transpose shape=2,3 perm=0,2", OP_BAD_VALUE, "perm", NULL},
        {"concat sizes=3", OP_BAD_VALUE, "sizes", "two to four"},
        {"concat sizes=3,0", OP_BAD_VALUE, "sizes", "at least 1"},
        {"slice shape=5 size=3 begin=3", OP_BAD_VALUE, "size", "its 5 elements"},
        {"slice shape=?5 size=3", OP_BAD_VALUE, "shape", "no dynamic"},
        {"pad shape=5 before=5 mode=reflect", OP_BAD_VALUE, "mode", "fewer"},
        {"pad shape=5 dtype=i32 value=1e10", OP_BAD_VALUE, "value", "whole numbers"},
        {"map shape=3 dtype=i32 steps=x,alpha,add alpha=0.5", OP_BAD_VALUE, "alpha",
                "whole numbers"},
        {"map shape=3 dtype=i32 steps=x,beta,add beta=-inf", OP_BAD_VALUE, "beta", NULL},
        {"map shape=3 steps=x,alpha,add alpha=nan", OP_BAD_VALUE, "alpha", "-inf"},
        {"attention heads=2 q=4 kv=4 dim=64 scale=1e-46", OP_BAD_VALUE, "scale", "within f32"},
        {"map shape=3 steps=x,alpha,add alpha=1e-50", OP_BAD_VALUE, "alpha", "within f32"},
        {"map shape=3 steps=x,alpha,add alpha=1e39", OP_BAD_VALUE, "alpha", "within f32"},
        {"tile shape=5 repeats=0", OP_BAD_VALUE, "repeats", "at least 1"},
        {"attention heads=1 q=1 kv=1 dim=257", OP_BAD_VALUE, "dim", "at most 256"},
        {"attention heads=6 kv_heads=4 q=1 kv=1 dim=8", OP_BAD_VALUE, "kv_heads", "heads"},
        {"attention heads=1 q=1 kv=9 dim=8 capacity=8", OP_BAD_VALUE, "capacity", "at least kv"},
        {"attention heads=1 q=1 kv=?9 dim=8 capacity=16", OP_BAD_VALUE, "kv", "?1..16"},
};

START_TEST(refused)
{
	struct op op = {.value = {42}};
	struct error err = {0};

	int refusal = op_parse(refusals[_i].text, &op, &err);
	ck_assert_msg(refusal == (int)refusals[_i].refusal, "%s: answered %d: %s",
	        refusals[_i].text, refusal, err.text);
	if (refusals[_i].field)
		ck_assert_str_eq(err.field, refusals[_i].field);
	ck_assert_msg(err.text[0], "a refusal says why");
	ck_assert_msg(!refusals[_i].sentence || strstr(err.text, refusals[_i].sentence),
	        "%s: the sentence is '%s'", refusals[_i].text, err.text);
	ck_assert_uint_eq(op.value[0], 42); /* untouched */
}
END_TEST

START_TEST(long_words_do_not_overflow)
{
	char text[5000] = "matmul m=1 n=1 k=1 ";
	struct op op;

	memset(text + 19, 'x', sizeof text - 20);
	text[4000] = '=';
	text[sizeof text - 1] = '\0';
	ck_assert_int_ne(op_parse(text, &op, NULL), 0);
}
END_TEST

START_TEST(tensors)
{
	struct tensor t[OP_TENSORS_MAX];
	struct op op;

	ck_assert_int_eq(
	        op_parse("matmul m=2 n=3 k=5 batch=7 trans_a=1 bias=1 residual=1", &op, NULL), 0);
	ck_assert_uint_eq(op_tensors(&op, t), 5);
	static const struct {
		const char *name;
		uint32_t rank, shape[3];
	} expected[] = {{"a", 3, {7, 5, 2}}, {"b", 3, {7, 5, 3}}, {"bias", 1, {3}},
	        {"residual", 3, {7, 2, 3}}, {"out", 3, {7, 2, 3}}};
	for (uint32_t i = 0; i < 5; i++) {
		ck_assert_str_eq(t[i].name, expected[i].name);
		ck_assert_uint_eq(t[i].rank, expected[i].rank);
		ck_assert_mem_eq(t[i].shape, expected[i].shape, 4 * expected[i].rank);
		ck_assert_int_eq(t[i].output, i == 4);
	}
	ck_assert(op_flops(&op) == 2.0 * 2 * 3 * 5 * 7);
	ck_assert(op_bytes(&op) == 4.0 * (70 + 105 + 3 + 42 + 42));
}
END_TEST

/* Outputs, one row a signature: shapes, types and bytes. */
static const struct {
	const char *text, *name;
	enum dtype dtype;
	uint32_t rank, shape[OP_RANK_MAX];
	uint64_t bytes;
} tensor_rows[] = {
        {"matmul m=3 n=5 k=2 pitch=8", "out", DTYPE_F32, 2, {3, 8}, 84},
        {"matmul m=3 n=5 k=2 batch=2 pitch_a=8", "a", DTYPE_F32, 3, {2, 3, 8}, 168},
        {"matmul m=3 n=5 k=7 a=i8 b=i8 out=i32", "a", DTYPE_I8, 2, {3, 7}, 24},
        {"matmul m=3 n=5 k=7 b=i8", "scales", DTYPE_F32, 1, {5}, 20},
        {"matmul_nbits m=3 n=5 k=70 zeros=1", "b", DTYPE_U4, 3, {5, 3, 32}, 240},
        {"matmul_nbits m=3 n=5 k=70 zeros=1", "zeros", DTYPE_U4, 2, {5, 4}, 12},
        {"conv2d c=4 h=9 w=7 oc=6 kernel=3 stride=2 pad=1", "out", DTYPE_F32, 4, {1, 6, 5, 4}, 480},
        {"conv2d c=4 h=9 w=7 oc=6 kernel=3 groups=2 layout=nhwc", "w", DTYPE_F32, 4, {6, 3, 3, 2},
                432},
        {"conv1d c=4 l=9 oc=6 kernel=3 pad=2,0 dtype=f16", "out", DTYPE_F16, 3, {1, 6, 9}, 108},
        {"conv_transpose2d c=4 h=3 w=2 oc=6 kernel=3 stride=2", "out", DTYPE_F32, 4, {1, 6, 7, 5},
                840},
        {"reduce_sum rows=3 n=5", "out", DTYPE_F32, 1, {3}, 12},
        {"reduce_sum rows=3 n=5 inner=2", "out", DTYPE_F32, 2, {3, 2}, 24},
        {"argmax rows=3 n=5 dtype=f16", "out", DTYPE_I32, 1, {3}, 12},
        {"softmax rows=3 n=5 mask=1 mask_rows=2", "mask", DTYPE_F32, 2, {2, 5}, 40},
        {"groupnorm batch=2 c=6 inner=5 groups=3", "weight", DTYPE_F32, 1, {6}, 24},
        {"less shape=3,5 x=5", "out", DTYPE_BOOL, 2, {3, 5}, 16},
        {"less shape=3,5 x=5", "x", DTYPE_F32, 1, {5}, 20},
        {"where shape=3,5 dtype=f16", "x", DTYPE_BOOL, 2, {3, 5}, 16},
        {"cast shape=1,2,3,4,5,6 out=i8", "out", DTYPE_I8, 6, {1, 2, 3, 4, 5, 6}, 720},
        {"gate rows=3 n=5", "x", DTYPE_F32, 2, {3, 10}, 120},
        {"rotary heads=2 seq=3 dim=8 rotated=4 order=bshd", "x", DTYPE_F32, 4, {1, 3, 2, 8}, 192},
        {"rotary heads=2 seq=3 dim=8 rotated=4", "cos", DTYPE_F32, 2, {3, 2}, 24},
        {"transpose shape=2,3,4 perm=2,0,1", "out", DTYPE_F32, 3, {4, 2, 3}, 96},
        {"gather outer=2 rows=9 inner=3 count=4", "out", DTYPE_F32, 3, {2, 4, 3}, 96},
        {"concat outer=2 sizes=1,4 inner=3", "out", DTYPE_F32, 3, {2, 5, 3}, 120},
        {"slice shape=8,9 size=3,2", "out", DTYPE_F32, 2, {3, 2}, 24},
        {"pad shape=8,9 before=1,0 after=0,2", "out", DTYPE_F32, 2, {9, 11}, 396},
        {"tile shape=2,3 repeats=3,1", "out", DTYPE_F32, 2, {6, 3}, 72},
        {"resize planes=2 h=3 w=4 oh=5 ow=6 inner=2", "out", DTYPE_F32, 4, {2, 5, 6, 2}, 480},
        {"avg_pool c=3 h=8 w=8 kernel=2 stride=2 layout=nhwc", "out", DTYPE_F32, 4, {1, 4, 4, 3},
                192},
        {"quantize outer=3 c=5 zeros=1", "out", DTYPE_I8, 3, {3, 5, 1}, 16},
        {"dequantize outer=3 c=5 quantised=u8", "x", DTYPE_U8, 3, {3, 5, 1}, 16},
        {"attention heads=4 kv_heads=2 q=3 kv=5 dim=8 capacity=7 mask=pair", "k", DTYPE_F32, 4,
                {1, 2, 7, 8}, 448},
        {"attention heads=4 q=3 kv=5 dim=8 mask=pair", "mask", DTYPE_F32, 2, {3, 5}, 60},
};

START_TEST(tensors_of_every_signature)
{
	struct tensor t[OP_TENSORS_MAX];
	struct op op;
	uint32_t i = 0;

	ck_assert_int_eq(op_parse(tensor_rows[_i].text, &op, NULL), 0);
	uint32_t count = op_tensors(&op, t);
	while (i < count && strcmp(t[i].name, tensor_rows[_i].name))
		i++;
	ck_assert_msg(i < count, "%s has no %s", tensor_rows[_i].text, tensor_rows[_i].name);
	ck_assert_int_eq(t[i].dtype, tensor_rows[_i].dtype);
	ck_assert_uint_eq(t[i].rank, tensor_rows[_i].rank);
	ck_assert_mem_eq(t[i].shape, tensor_rows[_i].shape, 4 * t[i].rank);
	ck_assert_uint_eq(tensor_bytes(&t[i]), tensor_rows[_i].bytes);
	for (i = 0; i < count; i++)
		ck_assert_int_eq(t[i].output, i + 1 == count);
}
END_TEST

/* ---- Dynamic dimensions. */

static const struct {
	const char *text, *name; /* of the dimension */
	uint32_t n, low, hint, high;
} dynamic_rows[] = {
        {"matmul m=?128 n=256 k=256", "m", 0, 1, 128, 8388608},
        {"matmul m=?64..4096 n=256 k=256", "m", 0, 64, 512, 4096},
        {"matmul k=?3 n=1 m=?5..5", "m", 0, 5, 5, 5},
        {"matmul k=?3 n=1 m=?5..5", "k", 1, 1, 3, 67108864},
        {"add shape=8,?128,768", "shape[1]", 0, 1, 128, 262144},
        {"attention heads=12 q=?1..8 kv=?1..1024 dim=64 capacity=1024", "kv", 1, 1, 32, 1024},
};

START_TEST(ranges)
{
	uint32_t low, high;
	char name[24];
	struct op op;

	ck_assert_int_eq(op_parse(dynamic_rows[_i].text, &op, NULL), 0);
	op_range(&op, dynamic_rows[_i].n, &low, &high);
	op_dynamic_name(&op, dynamic_rows[_i].n, name);
	ck_assert_str_eq(name, dynamic_rows[_i].name);
	ck_assert_uint_eq(low, dynamic_rows[_i].low);
	ck_assert_uint_eq(high, dynamic_rows[_i].high);
	ck_assert_uint_eq(op.value[op.dynamic[dynamic_rows[_i].n].value], dynamic_rows[_i].hint);
}
END_TEST

START_TEST(points_and_static_operators)
{
	uint32_t dims[OP_POINTS_MAX][OP_DYNAMIC_MAX];
	char text[OP_TEXT_BYTES];
	struct op op;

	ck_assert_int_eq(op_parse("matmul m=?1..100 n=?7 k=3", &op, NULL), 0);
	ck_assert_uint_eq(op_points(&op, dims), 3);
	static const uint32_t expected[3][OP_DYNAMIC_MAX] = {{1, 7}, {10, 7}, {100, 7}};
	ck_assert_mem_eq(dims, expected, sizeof expected);
	struct op at = op_at(&op, dims[2]);
	op_print(&at, text);
	ck_assert_str_eq(text, "matmul m=100 n=7 k=3");
	ck_assert_int_eq(op_validate(&at, NULL), 0);
	ck_assert_int_eq(op_parse("matmul m=?100 n=7 k=3", &op, NULL), 0);
	ck_assert_uint_eq(op_points(&op, dims), 1);
	ck_assert_int_eq(op_parse("matmul m=100 n=7 k=3", &op, NULL), 0);
	ck_assert_uint_eq(op_points(&op, dims), 1);
	ck_assert_int_eq(op_dynamic_at(&op, MATMUL_M), -1);
}
END_TEST

/* A dynamic operator is another one than the static one it is tuned as. */
START_TEST(keys_tell_dynamic_from_static)
{
	struct op fixed, open, range;

	ck_assert_int_eq(op_parse("matmul m=128 n=256 k=256", &fixed, NULL), 0);
	ck_assert_int_eq(op_parse("matmul m=?128 n=256 k=256", &open, NULL), 0);
	ck_assert_int_eq(op_parse("matmul m=?128..128 n=256 k=256", &range, NULL), 0);
	ck_assert_uint_ne(op_key(&fixed), op_key(&open));
	ck_assert_uint_ne(op_key(&open), op_key(&range));
}
END_TEST

START_TEST(keys_are_stable) /* stored on disk: a change here is a change of format */
{
	struct op op;

	ck_assert_int_eq(op_parse("matmul m=256 n=256 k=256", &op, NULL), 0);
	ck_assert_uint_eq(op_key(&op), 0x3e13c3866f534d9eull);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("op");
	TCase *tests = tcase_create("op");

	tcase_add_loop_test(tests, canonical, 0, sizeof spellings / sizeof *spellings);
	tcase_add_test(tests, every_operator_is_spelled);
	tcase_add_loop_test(tests, refused, 0, sizeof refusals / sizeof *refusals);
	tcase_add_test(tests, long_words_do_not_overflow);
	tcase_add_test(tests, tensors);
	tcase_add_loop_test(
	        tests, tensors_of_every_signature, 0, sizeof tensor_rows / sizeof *tensor_rows);
	tcase_add_loop_test(tests, ranges, 0, sizeof dynamic_rows / sizeof *dynamic_rows);
	tcase_add_test(tests, points_and_static_operators);
	tcase_add_test(tests, keys_tell_dynamic_from_static);
	tcase_add_test(tests, keys_are_stable);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
