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
MOMENTS_WIDTH, MOMENTS_DEPTH, MOST_LOGARITHM, SURPRISE_FACTOR = 64, 1, math.log(30.0), 0.1
RIGHT_ANGLE, LEAST_NOISE = math.pi / 2.0, 0.05


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

    def __init__(self, channels: int, steered_by: int):
        super().__init__()
        self.normalization = nn.GroupNorm(channels // GROUP_CHANNELS, channels, eps=1e-3)
        self.scale_and_shift = nn.Linear(steered_by, 2 * channels)

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
        self.first, self.second = Steered(inputs, outputs), Steered(outputs, outputs)
        self.widen = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.change = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.attention = Attention(outputs)

    def forward(self, x, steer):
        change = self.change(self.second(self.widen(self.first(x, steer)), steer))
        return self.attention(self.skip(x) + change)


class Network(nn.Module):
    """What is seen [B, inputs, 8, 8] and what is told [B, told] -> [B, outputs, 8, 8]."""

    def __init__(self, inputs: int, told: int, width: int, depth: int, outputs: int):
        super().__init__()
        self.steer = nn.Sequential(nn.Linear(told, 2 * width), nn.SiLU(), nn.Linear(2 * width, width), nn.SiLU())
        self.first = nn.Conv2d(inputs, width, 3, padding=1)
        self.places = nn.Parameter(0.02 * torch.randn(width, GRID, GRID))
        self.down = nn.ModuleList(Block(width, width) for _ in range(depth))
        self.up = nn.ModuleList(Block(2 * width, width) for _ in range(depth))
        self.last_normalization = Steered(width, width)
        self.last = nn.Conv2d(width, outputs, 1)

    def forward(self, seen, told):
        steer = self.steer(told)
        x, passed = self.first(seen) + self.places, []
        for block in self.down:
            x = block(x, steer)
            passed.append(x)
        for block in self.up:
            x = block(torch.cat([x, passed.pop()], dim=1), steer)
        return self.last(self.last_normalization(x, steer))


class DiffusionLoss(nn.Module):
    """The mean squared error of the velocity at an angle that is drawn, half of the codes with a doubt.

    And how much what is to be drawn surprises who tells its means and deviations.
    """

    def __init__(self):
        super().__init__()
        self.held = HeldVAE()
        self.denoiser = Network(COMPONENTS + PATCH_NUMBERS, 4 * WAVES + LATENT_DIM, WIDTH, DEPTH, COMPONENTS)
        self.moments = Network(PATCH_NUMBERS, 2 * WAVES + LATENT_DIM, MOMENTS_WIDTH, MOMENTS_DEPTH, 2 * COMPONENTS)
        self.register_buffer("basis", torch.linalg.qr(torch.randn(PATCH_NUMBERS, COMPONENTS))[0])
        self.register_buffer("sizes", torch.linspace(2.0, 0.3, COMPONENTS)[:, None, None])

    def forward(self, images):
        count = len(images)
        with torch.no_grad():
            codes = self.held.encoder(images).float()
            doubts = functional.relu(2.0 * torch.rand(count, 1) - 1.0)
            told = (codes + doubts * torch.randn_like(codes)) / torch.sqrt(1.0 + doubts**2)
            pictures = self.held.decode(told)
            change = torch.einsum("bphw,pd->bdhw", functional.pixel_unshuffle(images - pictures, PATCH), self.basis)
            guide = 4.0 * (functional.pixel_unshuffle(pictures, PATCH) - 0.5)
            doubt_waves = _make_waves(doubts)
        means, logarithms = self.moments(guide, torch.cat([doubt_waves, told], dim=1)).float().chunk(2, dim=1)
        logarithms = MOST_LOGARITHM * torch.tanh(logarithms / MOST_LOGARITHM)
        errors = (change - means) * torch.exp(-logarithms)
        surprise = (0.5 * errors.square() + logarithms).mean()
        with torch.no_grad():
            details, noise = errors.detach(), torch.randn_like(change)
            least = math.asin(LEAST_NOISE)
            angles = least + (RIGHT_ANGLE - least) * torch.rand(count, 1)
            across, along = torch.sin(angles)[..., None, None], self.sizes * torch.cos(angles)[..., None, None]
            cosines, sines = torch.cos(own := torch.atan2(across, along)), torch.sin(own)
            noisy, velocity = cosines * details + sines * noise, cosines * noise - sines * details
            known = torch.cat([_make_waves(angles / RIGHT_ANGLE), doubt_waves, told], dim=1)
            paces = self.sizes / (across**2 + along**2)
        found = self.denoiser(torch.cat([noisy, guide], dim=1), known).float()
        return (paces * (found - velocity).square()).mean() + SURPRISE_FACTOR * surprise


def _make_waves(numbers):
    phases = math.pi * numbers * torch.arange(1.0, WAVES + 1.0)
    return torch.cat([torch.sin(phases), torch.cos(phases)], dim=1)
