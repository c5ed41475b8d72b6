"""`models.DiffusionAutoencoder` with its defaults in PyTorch, as its users would write it for speed.

An untrained VAE is held, of which nothing is learned; attention is PyTorch's own fused one, the scales and shifts of
all normalisations of a block are found in one multiplication.
"""

import math

import torch
from torch import nn
from torch.nn import functional

FILTERS, LATENT_DIM, SLOPE = (32, 64, 128, 256), 64, 0.3
PATCH, GRID, COMPONENTS = 8, 8, 80
PATCH_NUMBERS = 3 * PATCH * PATCH
WIDTH, DEPTH, GROUP_CHANNELS, HEAD_CHANNELS, WAVES = 192, 2, 16, 32, 32
RIGHT_ANGLE, LEAST_NOISE = math.pi / 2.0, 0.15


class HeldVAE(nn.Module):
    """The VAE that is held: pictures [B, 3, 64, 64] -> codes [B, 64] -> pictures."""

    def __init__(self):
        super().__init__()
        sizes = zip((3, *FILTERS[:-1]), FILTERS, strict=True)
        self.encoder = nn.Sequential(
            *(_stage(nn.Conv2d(a, b, 3, 2, padding=1, bias=False), b) for a, b in sizes),
            nn.Flatten(),
            nn.Linear(16 * FILTERS[-1], LATENT_DIM),
        )
        self.dense = nn.Linear(LATENT_DIM, 16 * FILTERS[-1])
        mirrored = (*reversed(FILTERS[:-1]), FILTERS[0])
        sizes = zip((FILTERS[-1], *mirrored[:-1]), mirrored, strict=True)
        self.decoder = nn.Sequential(
            *(_stage(nn.ConvTranspose2d(a, b, 3, 2, padding=1, output_padding=1, bias=False), b) for a, b in sizes),
            nn.Conv2d(FILTERS[0], 3, 3, padding=1),
            nn.Sigmoid(),
        )
        self.eval().requires_grad_(False)

    def decode(self, codes):
        maps = self.dense(codes).reshape(-1, FILTERS[-1], 4, 4).contiguous(memory_format=torch.channels_last)
        return self.decoder(maps).float()


def _stage(convolution: nn.Module, channels: int) -> nn.Module:
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.LeakyReLU(SLOPE))


class Steered(nn.Module):
    """Group normalisation, scaled and shifted as `steer` says, then SiLU."""

    def __init__(self, channels: int):
        super().__init__()
        self.normalization = nn.GroupNorm(channels // GROUP_CHANNELS, channels, eps=1e-3)
        self.scale_and_shift = nn.Linear(WIDTH, 2 * channels)

    def forward(self, x, steer):
        scale, shift = self.scale_and_shift(steer)[:, :, None, None].chunk(2, dim=1)
        x = self.normalization(x)
        return functional.silu(torch.addcmul(x + shift, x, scale))


class Attention(nn.Module):
    """Between all places, with several heads, added to what it reads."""

    def __init__(self, channels: int):
        super().__init__()
        self.normalization = nn.GroupNorm(channels // GROUP_CHANNELS, channels, eps=1e-3)
        self.project = nn.Linear(channels, 3 * channels, bias=False)
        self.merge = nn.Linear(channels, channels)

    def forward(self, x):
        count, channels, height, width = x.shape
        tokens = self.normalization(x).permute(0, 2, 3, 1).reshape(count, height * width, channels)
        heads = self.project(tokens).reshape(count, height * width, 3, -1, HEAD_CHANNELS).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(*heads.unbind(0))
        merged = self.merge(found.transpose(1, 2).reshape(count, height * width, channels))
        return x + merged.reshape(count, height, width, channels).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Two convolutions and attention, each added to what it reads."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first, self.second = Steered(inputs), Steered(outputs)
        self.widen = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.change = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.attention = Attention(outputs)

    def forward(self, x, steer):
        change = self.change(self.second(self.widen(self.first(x, steer)), steer))
        return self.attention(self.skip(x) + change)


class Denoiser(nn.Module):
    """Noisy patches, patches of the reconstruction [B, *, 8, 8] and what is told [B, *] -> velocity [B, 80, 8, 8]."""

    def __init__(self):
        super().__init__()
        told = 4 * WAVES + LATENT_DIM
        self.steer = nn.Sequential(nn.Linear(told, 2 * WIDTH), nn.SiLU(), nn.Linear(2 * WIDTH, WIDTH), nn.SiLU())
        self.first = nn.Conv2d(COMPONENTS + PATCH_NUMBERS, WIDTH, 3, padding=1)
        self.places = nn.Parameter(0.02 * torch.randn(WIDTH, GRID, GRID))
        self.down = nn.ModuleList(Block(WIDTH, WIDTH) for _ in range(DEPTH))
        self.up = nn.ModuleList(Block(2 * WIDTH, WIDTH) for _ in range(DEPTH))
        self.last_normalization = Steered(WIDTH)
        self.last = nn.Conv2d(WIDTH, COMPONENTS, 1)

    def forward(self, noisy, guide, told):
        steer = self.steer(told)
        x, passed = self.first(torch.cat([noisy, guide], dim=1)) + self.places, []
        for block in self.down:
            x = block(x, steer)
            passed.append(x)
        for block in self.up:
            x = block(torch.cat([x, passed.pop()], dim=1), steer)
        return self.last(self.last_normalization(x, steer))


class DiffusionLoss(nn.Module):
    """The mean squared error of the velocity at an angle that is drawn, half of the codes with a doubt."""

    def __init__(self):
        super().__init__()
        self.held, self.denoiser = HeldVAE(), Denoiser()
        self.register_buffer("basis", torch.linalg.qr(torch.randn(PATCH_NUMBERS, COMPONENTS))[0])

    def forward(self, images):
        count = len(images)
        with torch.no_grad():
            codes = self.held.encoder(images).float()
            doubts = functional.relu(2.0 * torch.rand(count, 1) - 1.0)
            told = (codes + doubts * torch.randn_like(codes)) / torch.sqrt(1.0 + doubts**2)
            pictures = self.held.decode(told)
            change = torch.einsum("bphw,pd->bdhw", functional.pixel_unshuffle(images - pictures, PATCH), self.basis)
            least = math.asin(LEAST_NOISE)
            angles = least + (RIGHT_ANGLE - least) * torch.rand(count, 1)
            cosines, sines = torch.cos(angles)[..., None, None], torch.sin(angles)[..., None, None]
            noise = torch.randn_like(change)
            noisy, velocity = cosines * change + sines * noise, cosines * noise - sines * change
            guide = 4.0 * (functional.pixel_unshuffle(pictures, PATCH) - 0.5)
            known = torch.cat([_make_waves(angles / RIGHT_ANGLE), _make_waves(doubts), told], dim=1)
        return functional.mse_loss(self.denoiser(noisy, guide, known).float(), velocity)


def _make_waves(numbers):
    phases = math.pi * numbers * torch.arange(1.0, WAVES + 1.0)
    return torch.cat([torch.sin(phases), torch.cos(phases)], dim=1)
