"""Morphs two drawn faces by a model that ships with facezoo, into a row of pictures."""

import sys

import facezoo
import numpy as np
from facezoo.latents.interpolation import even_alphas, interpolate
from facezoo.pictures import row, save_png

(out,) = sys.argv[1:] or ["morph.png"]
model = facezoo.load_pretrained("vae")
source = facezoo.DATASETS["procedural_faces"]("test", image_size=model.image_size)
faces = source.load(np.array([1145, 1040]))["image"].astype("float32") / 255
start, end = np.asarray(model.encode(faces))
codes = interpolate(start, end, even_alphas(8), path="slerp")
save_png(out, row(np.asarray(model.decode(codes))), "two drawn faces and the way between them")
print(out)
