/* SPDX-License-Identifier: Apache-2.0
 *
 * The operators every kernel test walks: aligned, odd, prime, degenerate, transposed, batched, and
 * with each epilogue. Small, because each is computed by the interpreter in every schedule.
 */
#pragma once

static const char *const shapes[] = {
        "matmul m=64 n=64 k=64",
        "matmul m=32 n=48 k=80",
        "matmul m=128 n=64 k=32",
        "matmul m=16 n=256 k=16",
        "matmul m=33 n=65 k=17",
        "matmul m=47 n=53 k=59",
        "matmul m=97 n=131 k=65",
        "matmul m=7 n=5 k=3",
        "matmul m=31 n=30 k=29",
        "matmul m=13 n=100 k=50",
        "matmul m=1 n=1 k=1",
        "matmul m=1 n=1 k=257",
        "matmul m=1 n=67 k=1",
        "matmul m=67 n=1 k=1",
        "matmul m=1 n=128 k=128",
        "matmul m=1 n=131 k=97",
        "matmul m=128 n=1 k=128",
        "matmul m=5 n=768 k=64",
        "matmul m=2 n=2 k=512",
        "matmul m=3 n=4 k=1000",
        "matmul m=64 n=64 k=64 trans_b=1",
        "matmul m=33 n=65 k=17 trans_b=1",
        "matmul m=1 n=256 k=384 trans_b=1",
        "matmul m=1 n=251 k=383 trans_b=1",
        "matmul m=64 n=64 k=64 trans_a=1",
        "matmul m=33 n=66 k=18 trans_a=1",
        "matmul m=48 n=40 k=24 trans_a=1 trans_b=1",
        "matmul m=37 n=41 k=43 trans_a=1 trans_b=1",
        "matmul m=32 n=32 k=16 batch=6",
        "matmul m=17 n=19 k=23 batch=3",
        "matmul m=24 n=24 k=64 batch=4 trans_b=1",
        "matmul m=40 n=64 k=32 bias=1",
        "matmul m=40 n=64 k=32 residual=1",
        "matmul m=40 n=64 k=32 act=relu",
        "matmul m=40 n=64 k=32 bias=1 act=gelu",
        "matmul m=40 n=64 k=32 bias=1 act=gelu_tanh",
        "matmul m=40 n=64 k=32 act=silu",
        "matmul m=41 n=61 k=31 bias=1 residual=1 act=gelu",
        "matmul m=19 n=46 k=30 batch=2 trans_b=1 bias=1 residual=1 act=silu",
        "matmul m=1 n=96 k=200 trans_b=1 bias=1 residual=1 act=gelu_tanh",
};
#define SHAPES (sizeof shapes / sizeof *shapes)
