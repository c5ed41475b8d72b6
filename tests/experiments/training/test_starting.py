"""What a training starts from, and how far it may differ."""

import numpy as np
import pytest
from facezoo.experiments.errors import UsageError
from facezoo.experiments.training.building import copy_weights
from facezoo.models import VAE, ConvolutionalAutoencoder


def test_convolutions_alone_start_pictures_of_another_size(tmp_path):
    start = ConvolutionalAutoencoder(image_size=16, filters=(4,))
    start.save(tmp_path / "start.keras")
    model = ConvolutionalAutoencoder(image_size=32, filters=(4,), seed=1)
    copy_weights(str(tmp_path / "start.keras"), model)
    for weight, copied in zip(start.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, copied)


def test_a_dense_layer_knows_one_size(tmp_path):
    VAE(image_size=16, filters=(4,), latent_dim=2).save(tmp_path / "start.keras")
    with pytest.raises(UsageError, match="image_size is 16, not 32"):
        copy_weights(str(tmp_path / "start.keras"), VAE(image_size=32, filters=(4,), latent_dim=2))
