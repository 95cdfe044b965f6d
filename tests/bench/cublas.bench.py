# SPDX-License-Identifier: Apache-2.0
"""cublas [N]...: what the vendor's own library takes for square products of size N (4096), by CUDA events.

The other side of `native roofline`, for the same machine: torch.matmul in f16 and, with TF32 off, in f32; and a
copy, as the bandwidth that can be had. Needs python3 with torch and a CUDA device. Last line: TFLOP/s of
each, GB/s of the copy (read and written).
"""
import statistics
import sys

try:
    import torch
except ImportError:
    torch = None
if torch is None or not torch.cuda.is_available():
    print("cublas: python3 has no torch, or torch sees no CUDA device")
    sys.exit(77)


def time_ms(work, repeat, rounds=7):
    """Median over rounds of one call's time within `repeat` calls."""
    work()
    torch.cuda.synchronize()
    times = []
    for _ in range(rounds):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(repeat):
            work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / repeat)
    return statistics.median(times)


def product(n, dtype, m=None):
    a = torch.randn(m or n, n, device="cuda").to(dtype)
    b = torch.randn(n, n, device="cuda").to(dtype)
    out = torch.empty(m or n, n, device="cuda", dtype=dtype)
    ms = time_ms(lambda: torch.matmul(a, b, out=out), 20)
    return ms, 2e-9 * (m or n) * n * n / ms


def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    line = []
    for n in [int(word) for word in sys.argv[1:]] or [4096]:
        for name, dtype in (("f32", torch.float32), ("f16", torch.float16)):
            ms, tflops = product(n, dtype)
            gemv_ms, _ = product(n, dtype, m=1)
            print(f"matmul {n}x{n}x{n} {name}: {1e3 * ms:.1f} us, {tflops:.1f} TFLOP/s; of one row: {1e3 * gemv_ms:.1f} us, "
                  f"{1e-6 * n * n * dtype.itemsize / gemv_ms:.0f} GB/s")
            line.append(f"{name}_{n}_tflops={tflops:.1f}")
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    gbps = 2e-6 * source.numel() / time_ms(lambda: target.copy_(source), 5)
    print(f"copy of 1 GiB: {gbps:.0f} GB/s read and written")
    print(" ".join([*line, f"copy_gbps={gbps:.0f}"]))


main()
