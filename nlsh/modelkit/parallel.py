"""Several processes that train one decoder, a GPU each: `torchrun --standalone --nproc-per-node 4 -m nlsh.modelkit decoder`.

Each draws its own sentences; gradients are averaged before each step, so all keep the same weights. Without torchrun there is one process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Processes:
    """Which of how many this process is (from 0), and the device it computes on."""

    rank: int
    count: int
    device: str

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and reports."""
        return self.rank == 0

    @property
    def kind(self) -> str:
        """“cuda” or “cpu”."""
        return self.device.partition(":")[0]

    def wait(self) -> None:
        """Wait until all are here."""
        if self.count > 1:
            dist.barrier()

    def agreed(self, value: float) -> float:
        """Return the first one's value, so that all stop at the same step though their clocks differ."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return float(shared.item())

    def average(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Put the mean of all processes' gradients in the place of each."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))


def join() -> Processes:
    """Join the processes that torchrun started; alone where it did not. Raises RuntimeError where they cannot find each other."""
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = "cpu"
    if torch.cuda.is_available():
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    if count > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device != "cpu" else "gloo")
    return Processes(rank, count, device)
