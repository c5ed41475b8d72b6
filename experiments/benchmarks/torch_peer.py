"""A training step in PyTorch, as its users would write it for speed: what ours is measured against.

Channels-last, autocast to bfloat16, a fused Adam, and in one of two modes all of the loss compiled.
"""

from collections.abc import Callable

import torch
from torch import nn

MODES = ("eager", "compiled")


class TorchStep:
    """One training step on one batch; calling it takes so many.

    Args:
      mode: "eager", or "compiled" by `torch.compile`.
      batch_size: pictures in the batch, 64x64x3.
      half: autocasts to bfloat16, else float32.
      make_loss: makes a module of pictures [B, 3, 64, 64] in [0, 1] -> the loss.
      settings: the arguments of `make_loss`.
    """

    def __init__(self, mode: str, batch_size: int, half: bool, make_loss: Callable[..., nn.Module], *settings):
        torch.manual_seed(0)
        self.half = half
        module = make_loss(*settings).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        learned = [weight for weight in module.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.Adam(learned, lr=1e-3, fused=True)
        images = torch.rand(batch_size, 3, 64, 64)
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.loss = torch.compile(module, fullgraph=True) if mode == "compiled" else module

    def __call__(self, count: int) -> None:
        for _ in range(count):
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
                loss = self.loss(self.images)
            loss.backward()
            self.optimizer.step()
