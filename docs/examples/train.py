"""Trains a small VAE on drawn faces, or goes on with it, and measures what it has learned."""

import sys

import facezoo
import numpy as np
from facezoo.experiments.flags.training import ModelSettings, RunSettings, ScheduleSettings
from facezoo.metrics import psnr

folder, epochs = (*sys.argv[1:], "runs/small", "3")[:2]
settings = facezoo.TrainingSettings(
    model=ModelSettings(model="vae", image_size=32, latent_dim=16, set=("filters=16,32",)),
    schedule=ScheduleSettings(batch_size=32, epochs=int(epochs), steps_per_epoch=50),
    run=RunSettings(validation_steps=4),
)
run = facezoo.train(settings, folder)  # killed, and called again, it ends as if nothing had been

model = run.model()
faces = run.source("test").load(np.arange(64))["image"].astype("float32") / 255
reconstructions = model.decode(model.encode(faces))
print(f"PSNR on 64 test faces: {float(np.mean(psnr(faces, reconstructions))):.2f} dB")
