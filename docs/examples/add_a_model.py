"""An architecture of one's own: it states its networks, and has all that every model has."""

import sys
from pathlib import Path

import facezoo
import keras
import numpy as np
from facezoo.datasets import pipeline


@keras.saving.register_keras_serializable("examples")
class LinearAutoencoder(facezoo.Autoencoder):
    """The least there is: a code that is a matrix times the picture, and back."""

    def __init__(self, *, image_size=32, channels=3, latent_dim=32, seed=0, name=None):
        super().__init__(image_size=image_size, channels=channels, seed=seed, name=name)
        self.latent_dim, shape = latent_dim, (image_size, image_size, channels)
        self.encoder = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(latent_dim)])
        pixels = keras.layers.Dense(int(np.prod(shape)), dtype="float32")
        self.decoder = keras.Sequential([keras.Input((latent_dim,)), pixels, keras.layers.Reshape(shape)])
        self.build()

    def get_config(self):
        names = ("image_size", "channels", "latent_dim", "seed", "name")
        return {name: getattr(self, name) for name in names}


(out,) = sys.argv[1:] or ["linear.keras"]
model = LinearAutoencoder()
model.compile(keras.optimizers.Adam(1e-3))
source = facezoo.DATASETS["procedural_faces"]("train", image_size=32)
batches = pipeline.training_batches(source, batch_size=32, seed=0, steps_per_epoch=50)
history = model.fit(batches, steps_per_epoch=50, epochs=2, verbose=0).history
model.save(Path(out))
again = keras.saving.load_model(out)
faces = source.load(np.arange(4))["image"].astype("float32") / 255
print("loss:", " -> ".join(f"{value:.4f}" for value in history["loss"]))
print("saved and loaded alike:", bool(np.allclose(model.encode(faces), again.encode(faces))))
