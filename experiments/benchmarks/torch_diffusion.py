"""`models.DiffusionAutoencoder` with its defaults in PyTorch, as its users would write it for speed.

An untrained VAE is held, of which nothing is learned; attention is PyTorch's own fused one, the scales and shifts of
all normalisations of a block are found in one multiplication.
"""

import itertools
import math

import torch
from torch import nn
from torch.nn import functional

FILTERS, LATENT_DIM, SLOPE = (32, 64, 128, 256), 64, 0.3
PATCH, GRID, COMPONENTS = 8, 8, 16
PATCH_NUMBERS = 3 * PATCH * PATCH
WIDTH, NEXT_WIDTH, DEPTH, NARROW, FINISH = 128, 106, 2, 64, 8
DENOISER_WIDTH, GROUP_CHANNELS, HEAD_CHANNELS, WAVES = 96, 16, 32, 32
RIGHT_ANGLE, FIRST_LOG_VAR, RECONSTRUCTION_FACTOR, KL_FACTOR = math.pi / 2.0, -4.0, 100.0, 1e-4
TEXTURE_FILTERS, TEXTURE_SIZE, TEXTURE_STRIDE = 32, 5, 2


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


class GridBlock(nn.Module):
    """A depthwise convolution and two dense layers of each place, scaled as it is told, added to what it reads."""

    def __init__(self, width: int, told: int):
        super().__init__()
        self.places = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.wide, self.narrow = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(2 * width, width, 1)
        self.scales = nn.Linear(told, 2 * width)

    def forward(self, x, told):
        change = self.wide(self.places(x)) * self.scales(told)[:, :, None, None]
        return x + self.narrow(functional.relu(change))


class GridNetwork(nn.Module):
    """Maps [B, inputs, 8, 8] and what is told [B, told] -> [B, outputs, 8, 8], twice as large with each more width."""

    def __init__(self, inputs: int, told: int, widths: tuple[int, ...], outputs: int):
        super().__init__()
        self.widen = nn.Conv2d(inputs, widths[0], 1)
        sizes = enumerate(widths)
        self.places = nn.ParameterList(torch.zeros(width, GRID * 2**n, GRID * 2**n) for n, width in sizes)
        pairs = itertools.pairwise(widths)
        self.enlarge = nn.ModuleList(nn.Conv2d(width, 4 * wanted, 1) for width, wanted in pairs)
        self.blocks = nn.ModuleList(nn.ModuleList(GridBlock(width, told) for _ in range(DEPTH)) for width in widths)
        self.last = nn.Conv2d(widths[-1], outputs, 1)

    def forward(self, seen, told):
        x = self.widen(seen)
        for stage, (places, blocks) in enumerate(zip(self.places, self.blocks, strict=True)):
            if stage:
                x = functional.pixel_shuffle(self.enlarge[stage - 1](x), 2)
            x = x + places
            for block in blocks:
                x = block(x, told)
        return self.last(x)


class DiffusionLoss(nn.Module):
    """What details give a picture back, how far they are from normal ones, and what the denoiser knows of them.

    Half of the codes have a doubt; pictures are drawn of other details, too, and the texture counts of one of both.
    """

    def __init__(self):
        super().__init__()
        told = 2 * WAVES + LATENT_DIM
        self.held = HeldVAE()
        self.detail_encoder = GridNetwork(2 * PATCH_NUMBERS, told, (NARROW,), 2 * COMPONENTS)
        self.detail_decoder = GridNetwork(COMPONENTS + PATCH_NUMBERS, told, (WIDTH, NEXT_WIDTH), PATCH_NUMBERS // 4)
        self.denoiser = Network(COMPONENTS + PATCH_NUMBERS, 2 * WAVES + told, DENOISER_WIDTH, 1, COMPONENTS)
        self.finisher = nn.Sequential(
            *(nn.Conv2d(3, FINISH, 5, padding=2), nn.ReLU()),
            *(nn.Conv2d(FINISH, FINISH, 3, padding=1), nn.ReLU()),
            nn.Conv2d(FINISH, 3, 3, padding=1),
        )

        filters = torch.randn(TEXTURE_FILTERS, 3, TEXTURE_SIZE, TEXTURE_SIZE)
        filters = filters - filters.mean(dim=(2, 3), keepdim=True)
        self.register_buffer("filters", functional.normalize(filters.flatten(1)).view_as(filters))

    def forward(self, images):
        count = len(images)
        with torch.no_grad():
            codes = self.held.encoder(images).float()
            doubts = functional.relu(2.0 * torch.rand(count, 1) - 1.0)
            told = (codes + doubts * torch.randn_like(codes)) / torch.sqrt(1.0 + doubts**2)
            pictures = self.held.decode(told)
            guide, known = _cut(pictures), torch.cat([_make_waves(doubts), told], dim=1)
        found = self.detail_encoder(torch.cat([_cut(images) - guide, guide], dim=1), known).float()
        mean, log_var = found.chunk(2, dim=1)
        log_var = log_var + FIRST_LOG_VAR
        details = mean + torch.exp(log_var / 2.0) * torch.randn_like(mean)
        drawn = torch.cat([details, torch.randn_like(details)])
        changes = self.detail_decoder(torch.cat([drawn, guide.repeat(2, 1, 1, 1)], dim=1), known.repeat(2, 1)).float()
        changed = pictures.repeat(2, 1, 1, 1) + functional.pixel_shuffle(changes, PATCH // 2)
        own, other = (changed + self.finisher(changed)).chunk(2)
        divergence = 0.5 * (mean.square() + log_var.exp() - 1.0 - log_var).sum(dim=(1, 2, 3)).mean()
        shown = torch.where(torch.rand(count, 1, 1, 1) < 0.5, own, other)
        texture = (self._sort(shown) - self._sort(images)).abs().mean()
        error = RECONSTRUCTION_FACTOR * (own - images).square().mean() + texture + KL_FACTOR * divergence
        return error + self._find_error(details.detach(), guide, known)

    def _sort(self, images):
        """What small filters say of pictures, in order: [B, TEXTURE_FILTERS, N]."""
        return functional.conv2d(images, self.filters, stride=TEXTURE_STRIDE).flatten(2).sort(dim=-1).values

    def _find_error(self, details, guide, known):
        """The mean squared error of the velocity at angles that are drawn."""
        angles, noise = RIGHT_ANGLE * torch.rand(len(details), 1), torch.randn_like(details)
        cosines, sines = torch.cos(angles)[..., None, None], torch.sin(angles)[..., None, None]
        noisy, velocity = cosines * details + sines * noise, cosines * noise - sines * details
        told = torch.cat([_make_waves(angles / RIGHT_ANGLE), known], dim=1)
        return (self.denoiser(torch.cat([noisy, guide], dim=1), told).float() - velocity).square().mean()


def _cut(pictures):
    return 4.0 * (functional.pixel_unshuffle(pictures, PATCH) - 0.5)


def _make_waves(numbers):
    phases = math.pi * numbers * torch.arange(1.0, WAVES + 1.0)
    return torch.cat([torch.sin(phases), torch.cos(phases)], dim=1)
