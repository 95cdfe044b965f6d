/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalogue's rows: what tests/libjit/operators.h has, and what the models of today ask for
 * (their shapes stand in the papers and configurations of BERT, GPT-2, Llama, Whisper, ResNet-50,
 * MobileNetV2 and Stable Diffusion 1.5).
 */
#include "tests/bench/catalogue.h"

#include "base/error.h"
#include "space/space.h"
#include "tests/bench/times.h"
#include "tests/libjit/variants.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const model_shapes[] = {
        "matmul m=128 n=768 k=768 bias=1",
        "matmul m=128 n=3072 k=768 bias=1 act=gelu",
        "matmul m=?128 n=768 k=3072 bias=1 residual=1",
        "matmul m=128 n=128 k=64 batch=12 trans_b=1 scale=0.125",
        "matmul m=197 n=3072 k=768 bias=1 act=gelu",
        "matmul m=1 n=32128 k=768 trans_b=1",
        "matmul m=1 n=12288 k=4096 a=f16 b=f16 out=f16 trans_b=1",
        "matmul m=?1..2048 n=4096 k=4096 a=f16 b=f16 out=f16 trans_b=1",
        "matmul m=512 n=11008 k=4096 a=f16 b=f16 out=f16 acc=f16 trans_b=1",
        "matmul m=4 n=4096 k=11008 a=f16 b=i8 out=f16 trans_b=1",
        "matmul m=128 n=768 k=768 a=i8 b=i8 out=f32 scale=0.001 bias=1",
        "matmul m=12544 n=64 k=147",
        "matmul m=49 n=512 k=4608 bias=1 act=relu",
        "matmul_nbits m=1 n=11008 k=4096 a=f16 scales=f16 zeros=1",
        "matmul_nbits m=128 n=4096 k=4096 a=f16 scales=f16",
        "matmul_nbits m=?1..512 n=2048 k=8192 block=128",
        "conv2d c=3 h=224 w=224 oc=64 kernel=7 stride=2 pad=3 bias=1 act=relu",
        "conv2d c=64 h=56 w=56 oc=64 kernel=3 pad=1 bias=1 act=relu",
        "conv2d c=256 h=14 w=14 oc=1024 bias=1 residual=1 act=relu",
        "conv2d c=512 h=7 w=7 oc=512 kernel=3 pad=1 layout=nhwc",
        "conv2d c=96 h=112 w=112 oc=96 kernel=3 stride=2 pad=1 groups=96 bias=1 act=relu6",
        "conv2d c=384 h=14 w=14 oc=384 kernel=3 pad=1 groups=384 layout=nhwc bias=1 act=relu6",
        "conv2d c=16 h=112 w=112 oc=96 bias=1 act=relu6 layout=nhwc",
        "conv2d batch=2 c=320 h=64 w=64 oc=320 kernel=3 pad=1 dtype=f16",
        "conv2d c=1280 h=16 w=16 oc=1280 kernel=3 pad=1 dtype=f16 acc=f16 bias=1",
        "conv2d c=3 h=224 w=224 oc=768 kernel=16 stride=16 bias=1",
        "conv1d c=80 l=3000 oc=384 kernel=3 pad=1 bias=1 act=gelu",
        "conv1d c=384 l=3000 oc=384 kernel=3 stride=2 pad=1 bias=1 act=gelu dtype=f16",
        "conv_transpose2d c=256 h=28 w=28 oc=128 kernel=2 stride=2 bias=1",
        "conv_transpose2d c=64 h=32 w=32 oc=32 kernel=4 stride=2 pad=1 layout=nhwc",
        "softmax rows=1536 n=128 scale=0.125 mask=1 mask_rows=1 mask_every=1536",
        "softmax rows=1 n=50257",
        "softmax rows=?4096 n=?77 dtype=f16",
        "log_softmax rows=128 n=32128",
        "layernorm rows=128 n=768 residual=1",
        "layernorm rows=?1500 n=384 dtype=f16",
        "rmsnorm rows=1 n=4096 dtype=f16 residual=1",
        "rmsnorm rows=?1..2048 n=2048",
        "groupnorm batch=2 c=320 inner=4096 groups=32 act=silu",
        "groupnorm c=1280 inner=256 groups=32 act=silu dtype=f16",
        "instancenorm c=64 inner=65536",
        "reduce_mean rows=1280 n=49",
        "reduce_mean rows=1 n=49 inner=1280",
        "reduce_sum rows=4096 n=4096",
        "argmax rows=1 n=128256",
        "cumsum rows=64 n=4096",
        "add shape=1,128,768",
        "add shape=2,320,64,64 y=320,1,1",
        "map shape=128,3072 y=3072 steps=x,y,add,gelu",
        "map shape=?128,11008 dtype=f16 steps=x,silu,y,mul",
        "map shape=1,12,128,128 y=1,1,1,128 steps=x,alpha,mul,y,add alpha=0.125",
        "gate rows=?1..2048 n=11008 dtype=f16",
        "rotary heads=32 seq=?1..2048 dim=128 dtype=f16",
        "rotary heads=32 seq=128 dim=64 pairs=neighbours order=bshd",
        "batchnorm c=64 inner=12544 act=relu",
        "transpose shape=1,128,12,64 perm=0,2,1,3",
        "transpose shape=1,320,64,64 perm=0,2,3,1 dtype=f16",
        "transpose shape=3072,768 perm=1,0",
        "gather rows=30522 inner=768 count=128",
        "gather rows=32000 inner=2048 count=?1..2048 dtype=f16",
        "concat sizes=320,640 inner=4096",
        "slice shape=1,128,2304 begin=0,0,768 size=1,128,768",
        "pad shape=1,64,112,112 before=0,0,1,1 after=0,0,1,1",
        "tile shape=1,8,1,2048,64 repeats=1,1,4,1,1",
        "resize planes=1280 h=16 w=16 oh=32 ow=32 position=asymmetric",
        "resize h=224 w=224 oh=384 ow=384 inner=3 mode=linear",
        "max_pool c=64 h=112 w=112 kernel=3 stride=2 pad=1",
        "avg_pool c=1280 h=7 w=7 kernel=7",
        "quantize outer=128 inner=768",
        "dequantize outer=4096 c=1 inner=4096 dtype=f16",
        "cast shape=128,768",
        "where shape=1,12,128,128 x=1,1,128,128 z=1",
        "attention heads=12 q=128 kv=128 dim=64 mask=key",
        "attention heads=12 q=?1..1024 kv=?1..1024 dim=64 causal=1",
        "attention heads=32 q=1 kv=?1..4096 dim=128 capacity=4096 dtype=f16",
        "attention heads=32 kv_heads=8 q=?1..2048 kv=?1..4096 dim=64 causal=1 dtype=f16",
        "attention heads=12 q=512 kv=512 dim=64 mask=head scale=1",
        "attention batch=2 heads=8 q=4096 kv=4096 dim=40 order=bshd dtype=f16",
        "attention heads=8 q=256 kv=77 dim=160 order=bshd",
        "attention heads=6 q=1500 kv=1500 dim=64",
};

static void *grow(void *array, size_t count, size_t *room, size_t bytes)
{
	if (count < *room)
		return array;
	*room = *room ? 2 * *room : 1024;
	array = realloc(array, *room * bytes);
	if (!array)
		abort();
	return array;
}

static void refuse(const struct op *op, const struct error *err)
{
	char text[OP_TEXT_BYTES];

	op_print(op, text);
	fprintf(stderr, "%s: no space: %s\n", text, err->text);
	exit(1);
}

static void add_space(struct catalogue *c, const struct op *op, const struct limits *limits,
        const struct facts *facts)
{
	struct error err = {0};
	struct space space;
	double took[3];

	for (int i = 0; i < 3; i++) {
		double start = now_us();
		if (space_enumerate(op, limits, facts, &space, &err))
			refuse(op, &err);
		took[i] = now_us() - start;
	}
	c->spaces = grow(c->spaces, c->space_count, &c->space_room, sizeof *c->spaces);
	c->spaces[c->space_count++] = (struct catalogue_space){
	        *op, space.count, percentile(took, 3, 0.5)};
	for (uint32_t i = 0; i < space.count; i++) {
		c->kernels = grow(c->kernels, c->kernel_count, &c->kernel_room, sizeof *c->kernels);
		c->kernels[c->kernel_count++] = (struct catalogue_kernel){
		        *op, space.candidates[i].schedule};
	}
}

static void add_op(struct catalogue *c, const struct op *op)
{
	static const struct facts gpu = {
	        .fma_gflops = 10000, .memory_gbps = 500, .launch_ns = 3000};
	static const struct facts cpu = {
	        .fma_gflops = 20, .memory_gbps = 10, .launch_ns = 5000, .cpu = true};
	struct limits rich = limits_web_default;

	rich.features = (1u << FEATURE_COUNT) - 1;
	rich.subgroup_min = rich.subgroup_max = 32;
	add_space(c, op, &rich, &gpu);
	add_space(c, op, &limits_web_default, &cpu);
}

void catalogue_collect(struct catalogue *ret_catalogue)
{
	static struct op variants[VARIANTS_MAX];
	struct catalogue c = {0};

	for (size_t row = 0; row < OPERATOR_ROWS; row++)
		for (uint32_t i = 0, count = variants_of(row, variants); i < count; i++)
			add_op(&c, &variants[i]);
	for (size_t i = 0; i < sizeof model_shapes / sizeof *model_shapes; i++) {
		struct error err = {0};
		struct op op;
		if (op_parse(model_shapes[i], &op, &err)) {
			fprintf(stderr, "%s: %s\n", model_shapes[i], err.text);
			exit(1);
		}
		add_op(&c, &op);
	}
	*ret_catalogue = c;
}

void catalogue_free(struct catalogue *catalogue)
{
	free(catalogue->kernels);
	free(catalogue->spaces);
}
