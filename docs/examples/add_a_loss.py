"""A loss term of one's own: the error of a picture's edges, beside the mean squared error."""

import facezoo
import tensorflow as tf
from facezoo.datasets import pipeline
from facezoo.losses import Objective


class EdgeError:
    """Mean absolute error of neighbouring pixels' differences: (batch, outputs) -> [B], one value per example."""

    def __call__(self, batch, outputs):
        errors = [
            tf.reduce_mean(tf.abs(here - there), axis=(1, 2, 3))
            for here, there in zip(
                tf.image.image_gradients(batch["image"]),
                tf.image.image_gradients(outputs["reconstruction"]),
                strict=True,
            )
        ]
        return tf.add_n(errors)


model = facezoo.ConvolutionalAutoencoder(image_size=32, filters=(8, 8))
terms = model.loss_terms() | {"edges": EdgeError()}
model.compile("adam", Objective(terms, {"reconstruction": 1.0, "edges": 0.1}))
source = facezoo.DATASETS["procedural_faces"]("train", image_size=32)
batches = pipeline.training_batches(source, batch_size=16, seed=0, steps_per_epoch=20)
history = model.fit(batches, steps_per_epoch=20, epochs=2, verbose=0).history
for name in ("loss", "reconstruction", "edges"):
    print(f"{name}:", " -> ".join(f"{value:.4f}" for value in history[name]))
