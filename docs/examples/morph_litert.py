"""Morphs two pictures by files of `facezoo export --format=litert`: LiteRT, NumPy and Pillow, without facezoo.

python morph_litert.py FOLDER A.jpg B.jpg OUT.png, where FOLDER has encoder.tflite, decoder.tflite and export.json.
The pictures are to be cut as the model's were, as by `facezoo align`.
"""

import json
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps


def load(path):
    """A file as a function of one float32 array with a batch of one."""
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(array):
        interpreter.set_tensor(taken, array)
        interpreter.invoke()
        return interpreter.get_tensor(given)

    return run


folder, first, second, out = sys.argv[1:]
encode, decode = (load(Path(folder) / f"{part}.tflite") for part in ("encoder", "decoder"))
_, height, width, channels = json.loads(Path(folder, "export.json").read_text())["picture"]["shape"]


def read(path):
    """The square in the middle of a picture, float32 [1, H, W, C] in [0, 1]."""
    photograph = ImageOps.exif_transpose(Image.open(path)).convert("RGB" if channels == 3 else "L")
    square = ImageOps.fit(photograph, (width, height), Image.Resampling.LANCZOS)
    return np.asarray(square, np.float32).reshape(1, height, width, channels) / 255


start, end = encode(read(first)), encode(read(second))
row = np.concatenate([decode(start + np.float32(share) * (end - start))[0] for share in np.linspace(0, 1, 8)], axis=1)
Image.fromarray(np.rint(255 * row).astype(np.uint8).squeeze()).save(out)
print(out)
