"""Morphs two pictures by files of `facezoo export --format=onnx`: ONNX Runtime, NumPy and Pillow, without facezoo.

python morph_onnx.py FOLDER A.jpg B.jpg OUT.png, where FOLDER has encoder.onnx, decoder.onnx and export.json.
The pictures are to be cut as the model's were, as by `facezoo align`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def load(path):
    """A file as a function of one float32 array with a batch of one."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda array: session.run(None, {name: array})[0]


folder, first, second, out = sys.argv[1:]
encode, decode = (load(Path(folder) / f"{part}.onnx") for part in ("encoder", "decoder"))
_, height, width, channels = json.loads(Path(folder, "export.json").read_text())["picture"]["shape"]


def read(path):
    """The square in the middle of a picture, float32 [1, H, W, C] in [0, 1]."""
    photograph = ImageOps.exif_transpose(Image.open(path)).convert("RGB" if channels == 3 else "L")
    square = ImageOps.fit(photograph, (width, height), Image.Resampling.LANCZOS)
    return np.asarray(square, np.float32).reshape(1, height, width, channels) / 255


start, end = encode(read(first)), encode(read(second))
shares = np.linspace(0, 1, 8, dtype=np.float32)
row = np.concatenate([decode((1 - share) * start + share * end)[0] for share in shares], axis=1)
Image.fromarray(np.rint(255 * row).astype(np.uint8).squeeze()).save(out)
print(out)
