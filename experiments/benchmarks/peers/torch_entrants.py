"""Entrants in PyTorch: pythae's models with its networks for CelebA, and two of PyTorch-VAE's layouts, written anew."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ....losses.vgg import IMAGENET_MEANS, vgg_features
from .entrant import Arrays

MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # of Adam
LAYERS = ("block3_conv1", "block3_conv3", "block4_conv3", "block5_conv2")  # that DFCVAE compares


class TorchEntrant:
    """A network, its loss and Adam.

    Args:
      network: all that is trained.
      loss: float32 [B, 3, S, S] in [0, 1] -> a scalar.
      reconstruct: the same -> the same.
      encode: the same -> means of codes [B, D].
      decode: codes -> pictures; None where codes are no such vectors.
      rate: the highest learning rate.
      channels_last: whether memory holds channels side by side, which suits some networks and not others.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[torch.Tensor], torch.Tensor],
        reconstruct: Callable[[torch.Tensor], torch.Tensor],
        encode: Callable[[torch.Tensor], torch.Tensor],
        decode: Callable[[torch.Tensor], torch.Tensor] | None,
        rate: float,
        channels_last: bool = False,
    ):
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self.network, self.loss, self.rate = network.to(memory_format=self._format), loss, rate  # type: ignore[call-overload]
        self._reconstruct, self._encode, self._decode = reconstruct, encode, decode
        self.steps = 0
        self.optimizers = self._make_optimizers()
        self.num_parameters, self.has_prior = _count(network), decode is not None

    def _make_optimizers(self) -> list[torch.optim.Optimizer]:
        return [self._make_adam(self.network)]

    def _make_adam(self, part: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(part.parameters(), lr=self.rate, fused=True)

    def take_step(self, images, rate_share):
        self.network.train()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate * rate_share
        torch.manual_seed(self.steps)  # noise is the same whoever else takes part, and when a contest goes on
        self._learn(self._read(images))
        self.steps += 1

    def _learn(self, images: torch.Tensor) -> None:
        (optimizer,) = self.optimizers
        optimizer.zero_grad(set_to_none=True)
        self.loss(images).backward()
        optimizer.step()

    def reconstruct(self, images):
        return to_numpy(self._compute(self._reconstruct, self._read(images)))

    def encode(self, images):
        return None if self._decode is None else self._compute(self._encode, self._read(images)).numpy()

    def decode(self, codes):
        if self._decode is None:
            raise ValueError("its codes are no vectors")
        return to_numpy(self._compute(self._decode, torch.from_numpy(codes)))

    def _read(self, images: np.ndarray) -> torch.Tensor:
        """[B, H, W, C] -> [B, C, H, W]."""
        return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=self._format)

    def _compute(self, find: Callable[[torch.Tensor], torch.Tensor], values: torch.Tensor) -> torch.Tensor:
        self.network.eval()
        with torch.no_grad():
            return find(values)

    def state(self):
        found = {f"weights/{name}": value.numpy() for name, value in self.network.state_dict().items()}
        for number, optimizer in enumerate(self.optimizers):
            for place, weight in enumerate(_weights(optimizer)):
                moments = optimizer.state.get(weight, {})
                found |= {f"moments/{number}/{place}/{name}": moments[name].numpy() for name in MOMENTS if moments}
        return found | {"steps": np.array(self.steps)}

    def restore(self, state: Arrays):
        self.steps = int(state["steps"])
        names = self.network.state_dict().keys()
        self.network.load_state_dict({name: torch.from_numpy(state[f"weights/{name}"]) for name in names})
        for number, optimizer in enumerate(self.optimizers):
            for place, weight in enumerate(_weights(optimizer)):
                moments = {name: state.get(f"moments/{number}/{place}/{name}") for name in MOMENTS}
                if moments["step"] is not None:
                    here = {
                        "step": torch.empty(()),
                        "exp_avg": torch.empty_like(weight),
                        "exp_avg_sq": torch.empty_like(weight),
                    }
                    optimizer.state[weight] = {
                        name: here[name].copy_(torch.from_numpy(value)) for name, value in moments.items()
                    }


class PythaeVAEGAN(TorchEntrant):
    """pythae's VAEGAN with three optimizers, as its trainer for it moves them."""

    def _make_optimizers(self):
        parts = (self.network.encoder, self.network.decoder, self.network.discriminator)
        return [self._make_adam(part) for part in parts]

    def _learn(self, images):
        told = self.network({"data": images})
        moved = [
            (optimizer, getattr(told, f"{player}_loss"))
            for optimizer, player in zip(self.optimizers, ("encoder", "decoder", "discriminator"), strict=True)
            if getattr(told, f"update_{player}")
        ]
        for optimizer, loss in moved:
            optimizer.zero_grad()
            loss.backward(retain_graph=True)
        for optimizer, _ in moved:
            optimizer.step()


def _weights(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def to_numpy(images: torch.Tensor) -> np.ndarray:
    """[B, C, H, W] -> [B, H, W, C]."""
    return images.numpy().transpose(0, 2, 3, 1)


# pythae: Chadebec, Vincent, Allassonniere, "Pythae: unifying generative autoencoders in Python" (2022).


PYTHAE_OPTIONS: dict[str, dict[str, Any]] = {
    "VAE": {},
    "BetaVAE": {"beta": 2.0},
    "VAEGAN": {"reconstruction_layer": 3},
    "VQVAE": {"num_embeddings": 128, "quantization_loss_factor": 0.2},
}


def make_pythae(kind: str, latent_dim: int, rate: float = 1e-3) -> TorchEntrant:
    """One of pythae's models with its residual networks for CelebA: a name of PYTHAE_OPTIONS; 64 pixels."""
    import pythae.models as models
    from pythae.models.nn.benchmarks import celeba

    torch.manual_seed(0)
    options = {"input_dim": (3, 64, 64), "latent_dim": latent_dim, **PYTHAE_OPTIONS[kind]}
    config = getattr(models, f"{kind}Config")(**options)
    if kind == "VQVAE":
        networks: dict[str, Any] = {
            "encoder": celeba.Encoder_ResNet_VQVAE_CELEBA(config),
            "decoder": celeba.Decoder_ResNet_VQVAE_CELEBA(config),
        }
    else:
        networks = {
            "encoder": celeba.Encoder_ResNet_VAE_CELEBA(config),
            "decoder": celeba.Decoder_ResNet_AE_CELEBA(config),
        }
    if kind == "VAEGAN":
        networks["discriminator"] = celeba.Discriminator_Conv_CELEBA(config)
    model = getattr(models, kind)(config, **networks)

    def loss(images):
        return model({"data": images}).loss

    def decode(codes):
        return model.decoder(codes).reconstruction

    def encode(images):
        return model.encoder(images).embedding

    def reconstruct(images):
        return model({"data": images}).recon_x if kind == "VQVAE" else decode(encode(images))

    make = PythaeVAEGAN if kind == "VAEGAN" else TorchEntrant
    entrant = make(model, loss, reconstruct, encode, None if kind == "VQVAE" else decode, rate)
    if kind == "VAEGAN":
        entrant.num_parameters -= _count(networks["discriminator"])
    return entrant


# PyTorch-VAE: Subramanian (2020).


class VanillaVAE(nn.Module):
    """The layout that PyTorch-VAE's VanillaVAE and DFCVAE share: five stages, tanh, pictures in [-1, 1].

    Args:
      latent_dim: D.
      image_size: pixels, a multiple of 32.
      filters: of the encoder's stages; the decoder mirrors them.
    """

    def __init__(self, latent_dim: int, image_size: int, filters: Sequence[int] = (32, 64, 128, 256, 512)):
        super().__init__()
        self.shape = (filters[-1], *2 * [image_size // 2 ** len(filters)])
        features = int(np.prod(self.shape))
        down = zip((3, *filters[:-1]), filters, strict=True)
        self.encoder = nn.Sequential(*(_stage(nn.Conv2d(a, b, 3, 2, 1), b) for a, b in down), nn.Flatten())
        self.mean, self.log_var = nn.Linear(features, latent_dim), nn.Linear(features, latent_dim)
        self.dense = nn.Linear(latent_dim, features)
        up = itertools.pairwise((*reversed(filters), filters[0]))
        self.decoder = nn.Sequential(
            *(_stage(nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1), b) for a, b in up),
            nn.Conv2d(filters[0], 3, 3, padding=1),
            nn.Tanh(),
        )

    def encode(self, images):
        """[B, 3, S, S] in [0, 1] -> mean and log variance, two [B, D]."""
        features = self.encoder(2.0 * images - 1.0)
        return self.mean(features), self.log_var(features)

    def decode(self, codes):
        """[B, D] -> [B, 3, S, S] in [0, 1]."""
        return 0.5 * self.decoder(self.dense(codes).reshape(-1, *self.shape)) + 0.5

    def forward(self, images):
        mean, log_var = self.encode(images)
        return self.decode(mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)), mean, log_var


def _stage(convolution: nn.Module, channels: int) -> nn.Module:
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.LeakyReLU())


KL_WEIGHT = 0.00025  # beside the mean squared error, as its settings for CelebA have it
ERROR_WEIGHT = 0.5  # of DFCVAE's error, of pixels and of features
RATE = 0.005


def make_vanilla_vae(latent_dim: int, image_size: int, **options: Any) -> TorchEntrant:
    """PyTorch-VAE's VanillaVAE."""
    return _make_layout(latent_dim, image_size, lambda made, images: 4.0 * functional.mse_loss(made, images), **options)


def make_dfc_vae(latent_dim: int, image_size: int, **options: Any) -> TorchEntrant:
    """PyTorch-VAE's DFCVAE, by VGG16 instead of a VGG19 with batch normalisation, whose weights are not at hand."""
    stages = _vgg_stages(image_size)

    def error_of_features(made, images):
        error = 4.0 * functional.mse_loss(made, images)
        made, images = map(_for_vgg, (made, images))
        for stage in stages:
            made, images = stage(made), stage(images)
            error = error + functional.mse_loss(made, images)
        return ERROR_WEIGHT * error

    return _make_layout(latent_dim, image_size, error_of_features, **options)


def _make_layout(latent_dim: int, image_size: int, find_error: Callable, **options: Any) -> TorchEntrant:
    """The shared network, with an error of pictures in [0, 1] as if they were in [-1, 1]: squares count four times.

    Its tanh asks for that range, and its weight of the divergence is from when it had pictures of [0, 1].
    """
    torch.manual_seed(0)
    network = VanillaVAE(latent_dim, image_size, **options)

    def loss(images):
        made, mean, log_var = network(images)
        kl = -0.5 * torch.sum(1.0 + log_var - mean.square() - log_var.exp(), dim=1).mean()
        return find_error(made, images) + KL_WEIGHT * kl

    def encode(images):
        return network.encode(images)[0]

    def reconstruct(images):
        return network.decode(encode(images))

    return TorchEntrant(network, loss, reconstruct, encode, network.decode, RATE, channels_last=True)


def _for_vgg(images: torch.Tensor) -> torch.Tensor:
    means = images.new_tensor(IMAGENET_MEANS).reshape(1, 3, 1, 1)
    return (255.0 * images.flip(1) - means) / 255.0


def _vgg_stages(image_size: int) -> list[nn.Module]:
    """VGG16 in parts that end at `LAYERS`, frozen; it computes with pictures of a 255th, and so do its offsets."""
    known = vgg_features("vgg16", LAYERS, "imagenet", image_size, dtype="float32")
    stages: list[nn.Module] = []
    parts: list[nn.Module] = []
    for layer in known.layers:
        if layer.name.endswith("_pool"):
            parts.append(nn.MaxPool2d(2))
        elif layer.name.startswith("block"):
            kernel, offset = map(torch.from_numpy, layer.get_weights())
            convolution = nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1).requires_grad_(False)
            convolution.weight.copy_(kernel.permute(3, 2, 0, 1))
            convolution.bias.copy_(offset / 255.0)  # type: ignore[union-attr]
            parts += [convolution, nn.ReLU()]
            if layer.name in LAYERS:
                stages.append(nn.Sequential(*parts))
                parts = []
    return stages
