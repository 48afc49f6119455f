"""The decoder in plain PyTorch, computing exactly what llama.cpp's `qwen3` architecture computes (NEOX RoPE, per-head QK norm, SwiGLU, tied embeddings)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Shape:
    """The decoder's shape. Row sizes that are multiples of 256 can be quantised to k-quants."""

    vocabulary: int
    width: int = 256
    layers: int = 6
    feed_forward: int = 768
    heads: int = 4
    head_width: int = 64
    context: int = 512
    rope_base: float = 10_000.0
    epsilon: float = 1e-6


class Norm(nn.Module):
    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.epsilon)


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """[batch, heads, length, head width] of each → the same shape: causal attention."""
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    # Written out: the backward pass of PyTorch's own takes many times as long in bfloat16 on a CPU.
    later = torch.full((q.shape[2], q.shape[2]), -1e4, dtype=q.dtype).triu(1)
    return ((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + later).softmax(-1) @ v


class Block(nn.Module):
    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.s = s
        inner = s.heads * s.head_width
        self.attention_norm, self.feed_norm = Norm(s.width, s.epsilon), Norm(s.width, s.epsilon)
        self.q, self.k, self.v = (nn.Linear(s.width, inner, bias=False) for _ in range(3))
        self.out = nn.Linear(inner, s.width, bias=False)
        self.q_norm, self.k_norm = Norm(s.head_width, s.epsilon), Norm(s.head_width, s.epsilon)
        self.gate, self.up = nn.Linear(s.width, s.feed_forward, bias=False), nn.Linear(s.width, s.feed_forward, bias=False)
        self.down = nn.Linear(s.feed_forward, s.width, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        h = self.attention_norm(x)
        q, k, v = (f(h).view(batch, length, self.s.heads, self.s.head_width) for f in (self.q, self.k, self.v))
        q, k, v = self.q_norm(q).transpose(1, 2), self.k_norm(k).transpose(1, 2), v.transpose(1, 2)
        q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
        seen = _attend(q, k, v.to(q.dtype))
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, -1))
        h = self.feed_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Decoder(nn.Module):
    """[batch, tokens] of ids → [batch, tokens, width] hidden states (`hidden`) or logits over the vocabulary."""

    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.s = s
        self.embedding = nn.Embedding(s.vocabulary, s.width)
        self.blocks = nn.ModuleList(Block(s) for _ in range(s.layers))
        self.norm = Norm(s.width, s.epsilon)
        inverse = 1.0 / (s.rope_base ** (torch.arange(0, s.head_width, 2).float() / s.head_width))
        angles = torch.outer(torch.arange(s.context).float(), inverse)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                residual = 1 / math.sqrt(2 * s.layers) if name.endswith(("out.weight", "down.weight")) else 1.0
                nn.init.normal_(p, std=0.02 if "embedding" in name else residual / math.sqrt(p.shape[1]))

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids)
        cos, sin = self.cos[: ids.shape[1]].to(x.dtype), self.sin[: ids.shape[1]].to(x.dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.norm(x)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return F.linear(hidden, self.embedding.weight)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.logits(self.hidden(ids))

    def size(self) -> int:
        return sum(p.numel() for p in self.parameters())
