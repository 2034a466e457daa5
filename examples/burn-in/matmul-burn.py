#!/usr/bin/env python3
"""Burns every GPU with matrix products whose results must be equal, bit for bit.

The same two matrices are multiplied on each device again and again. A device that computes another
result than it did before, or than its neighbours do, is broken, however healthy its counters are.
Meanwhile the device is under full load, so heat and power are tried as well.

It needs PyTorch with CUDA. As a check of a suite:

    {check: command, name: matmul, timeoutSeconds: 900,
     command: [python3, /opt/drover/matmul-burn.py, "300"],
     limits: {leastTflopsPerSecond: {min: 60}}}

It ends with 0 where all results are equal, with 1 where any differs, with 2 where it cannot tell.
"""
import json
import sys
import time

SIZE = 8192


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    try:
        import torch
    except ImportError as error:
        print(json.dumps({"verdict": "INFRA", "text": f"PyTorch is missing: {error}"}))
        return 2
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        print(json.dumps({"verdict": "UNKNOWN", "text": "PyTorch finds no GPU"}))
        return 2

    torch.manual_seed(20261129)
    torch.backends.cuda.matmul.allow_tf32 = False
    left = torch.randn(SIZE, SIZE, dtype=torch.bfloat16)
    right = torch.randn(SIZE, SIZE, dtype=torch.bfloat16)
    devices = [torch.device("cuda", index) for index in range(count)]
    inputs = [(left.to(device), right.to(device)) for device in devices]
    first = [a @ b for a, b in inputs]

    wrong = [index for index in range(1, count) if not torch.equal(first[index].cpu(), first[0].cpu())]
    rounds = 0
    started = time.monotonic()
    while not wrong and time.monotonic() - started < seconds:
        results = [a @ b for a, b in inputs]
        wrong = [index for index in range(count) if not torch.equal(results[index], first[index])]
        rounds += 1
    elapsed = max(time.monotonic() - started, 1e-9)

    rate = rounds * 2 * SIZE**3 / elapsed / 1e12
    told = {"measures": {"devices": count, "rounds": rounds, "leastTflopsPerSecond": round(rate, 1)}}
    if wrong:
        names = ", ".join(f"GPU {index}" for index in wrong)
        told["text"] = f"{names} computed another result, in round {rounds}"
    print(json.dumps(told))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
