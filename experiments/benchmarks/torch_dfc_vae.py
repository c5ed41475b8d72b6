"""facenet's residual DFC-VAE in PyTorch, as its users would write it for speed.

The network and its loss are those of `models.DFCVAE`; the target's features are without a gradient, in a VGG that is
bfloat16 itself. What ours computes in float32, the heads of the code and
the last convolution, is bfloat16 here. Even kernels with "same" padding make PyTorch copy a padded map, as they must.
"""

import warnings

import torch
from torch import nn
from torch.nn import functional

FILTERS, BLOCKS, BLOCK_SCALE, LATENT_DIM = (32, 64, 128, 256), 3, 0.1, 100
VGG16_TO_BLOCK3_CONV3 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256)


warnings.filterwarnings("ignore", "Using padding='same' with even kernel lengths", UserWarning)


class Activated(nn.Module):
    """A convolution, batch normalisation and leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel_size: int, stride: int = 1):
        super().__init__()
        padding: int | str = "same" if stride == 1 else 1
        self.convolution = nn.Conv2d(inputs, outputs, kernel_size, stride, padding, bias=False)
        self.normalization = nn.BatchNorm2d(outputs, eps=0.001, momentum=0.005)
        self.normalization.weight.requires_grad_(False)  # facenet's has an offset only

    def forward(self, x):
        return functional.leaky_relu(self.normalization(self.convolution(x)), 0.1, inplace=True)


class Block(nn.Module):
    """facenet's residual block."""

    def __init__(self, channels: int, kernel_size: int):
        super().__init__()
        self.change = Activated(channels, channels, kernel_size)

    def forward(self, x):
        return torch.add(x, self.change(x), alpha=BLOCK_SCALE)


class DFCVAE(nn.Module):
    """Pictures [B, 3, 64, 64] in [0, 1] -> reconstruction, mean, log variance."""

    def __init__(self):
        super().__init__()
        sizes = zip((3, *FILTERS[:-1]), FILTERS, strict=True)
        self.encoder = nn.Sequential(
            *(nn.Sequential(Activated(a, b, 4, stride=2), *(Block(b, 4) for _ in range(BLOCKS))) for a, b in sizes),
            nn.Flatten(),
        )
        features = 4 * 4 * FILTERS[-1]
        self.mean, self.log_var = nn.Linear(features, LATENT_DIM), nn.Linear(features, LATENT_DIM)
        self.dense = nn.Linear(LATENT_DIM, features)
        mirrored = (*reversed(FILTERS[:-1]), 3)
        sizes = zip((FILTERS[-1], *mirrored[:-1]), mirrored, strict=True)
        self.decoder = nn.Sequential(
            *(
                nn.Sequential(nn.Upsample(scale_factor=2), Activated(a, b, 3), *(Block(b, 3) for _ in range(BLOCKS)))
                for a, b in sizes
            )
        )
        self.images = nn.Conv2d(3, 3, 3, padding="same")

    def forward(self, images):
        features = self.encoder(images)
        mean, log_var = self.mean(features).float(), self.log_var(features).float()
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        maps = self.dense(z).reshape(-1, FILTERS[-1], 4, 4).contiguous(memory_format=torch.channels_last)
        return self.images(self.decoder(maps)).float(), mean, log_var


def vgg16() -> nn.Module:
    """Up to block3_conv3, frozen; its weights are random, which costs the same."""
    layers: list[nn.Module] = []
    channels = 3
    for width in VGG16_TO_BLOCK3_CONV3:
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
        channels = width
    network = nn.Sequential(*layers).eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class DFCVAELoss(nn.Module):
    """The loss of a batch.

    Args:
      r_loss_factor: of the mean squared error; that of the KL divergence is 1.
      perceptual_factor: of the distance in VGG16's block3_conv3; 0 goes without.
      half: keeps VGG in bfloat16, else in float32.
    """

    def __init__(self, r_loss_factor: float, perceptual_factor: float, half: bool):
        super().__init__()
        self.network = DFCVAE()
        self.r_loss_factor, self.perceptual_factor = r_loss_factor, perceptual_factor
        self.judges = [vgg16().to(torch.bfloat16 if half else torch.float32)] if perceptual_factor else []

    def forward(self, images):
        reconstruction, mean, log_var = self.network(images)
        kl = -0.5 * torch.sum(1.0 + log_var - mean.square() - log_var.exp(), dim=1).mean()
        loss = self.r_loss_factor * functional.mse_loss(reconstruction, images) + kl
        for judge in self.judges:
            loss = loss + self.perceptual_factor * _distance(judge, images, reconstruction)
        return loss


def _distance(judge, images, reconstruction):
    """The mean squared difference of the features, before it is divided by a constant."""
    kind = judge[0].weight.dtype
    with torch.no_grad():
        target = judge(_preprocess(images).to(kind))
    return functional.mse_loss(judge(_preprocess(reconstruction).to(kind)).float(), target.float())


def _preprocess(images):
    """RGB in [0, 1] to what VGG takes: BGR in 0..255 less a mean."""
    means = images.new_tensor((103.939, 116.779, 123.68)).reshape(1, 3, 1, 1)
    return 255.0 * images.flip(1) - means
