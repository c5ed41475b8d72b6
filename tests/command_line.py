"""What the tests of the commands share: tiny runs, a command's start and its refusal, files, pictures."""

import csv
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import facezoo
import numpy as np
from facezoo.datasets.alignment import POINT_NAMES, TEMPLATES, template_points
from facezoo.datasets.manifest import HEADER, MANIFEST_FILE, Cut, Row, as_csv
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments.flags import parsing
from facezoo.experiments.runs import checkpoints, environment
from facezoo.experiments.runs import folder as run_folder
from facezoo.models import FaceMapping
from PIL import Image

SCRIPT = Path(sys.executable).with_name("facezoo")
SOFTWARE = f"facezoo {facezoo.__version__}"
VAE_FLAGS = (
    "--dataset=procedural_faces",
    "--image_size=32",
    "--model=vae",
    "--set=filters=8,8",
    "--latent_dim=4",
    "--batch_size=8",
    "--steps_per_epoch=4",
    "--validation_steps=2",
    "--epochs=2",
)
# The smallest model there is, for what does not depend on the model.
CAE_FLAGS = (
    "--model=cae",
    "--image_size=32",
    "--set=filters=4,4",
    "--batch_size=8",
    "--steps_per_epoch=2",
    "--validation_steps=1",
    "--epochs=1",
)
SIDE = 60  # of the pictures whose points are given
GIVEN = SIDE * template_points()  # a crop is then the whole picture


def started(*arguments, timeout=120, **environment):
    """Runs the console script in a process of its own."""
    return subprocess.run(
        [SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=os.environ | environment,
    )


def run_of(folder, model, key="face_mapping", *flags):
    """A run folder as training leaves it, of a model that was not trained."""
    values = parsing.parse_training([f"--model={key}", f"--image_size={model.image_size}", *flags])
    run_folder.create(folder, values, environment.environment(0, "float32", ["CPU:0"]))
    model.save(folder / checkpoints.MODEL_FILE)
    return folder


def mapping_run(folder, people=("ann", "bob", "eve"), *flags):
    """A run, not trained, that maps faces of 32 pixels onto some people, who look different."""
    model = FaceMapping(image_size=32, filters=(4, 4), inter_dim=6, people=people)
    model.set_weights([3.0 * weight for weight in model.get_weights()])
    return run_of(folder, model, "face_mapping", *flags)


def folder_of_crops(folder):
    """A folder as `facezoo align --template=celeba --margin=0.25` leaves it, but for the crops."""
    folder.mkdir()
    points = 100.0 * np.array(TEMPLATES["celeba"])
    row = Row("photographs", "a.jpg", 1, 1, Cut("celeba", 0.25), "a.jpg.png", confidence=1.0, points=points)
    (folder / MANIFEST_FILE).write_text(",".join(HEADER) + "\n" + as_csv([row]))
    return folder


def rewrite_config(path, change):
    """The model file with its configuration changed in place."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def assert_refused(done, *words):
    """Exit code 2, one message of at most 6 lines that holds the words, and nothing left behind.

    Before it may stand what was waited for until then.
    """
    code = done.returncode if isinstance(done, subprocess.CompletedProcess) else done.code
    message = drop_announcements(done.stderr if isinstance(done, subprocess.CompletedProcess) else done.err)
    assert code == 2, message
    assert message.startswith("facezoo: "), message
    assert message.count("facezoo: ") == 1, message
    assert len(message.strip().splitlines()) <= 6, message
    assert "Traceback" not in message
    for word in words:
        assert word in message
    assert not list(Path.cwd().iterdir())


def drop_announcements(text):
    """What a command says on stderr but for what takes a while, "Loading TensorFlow ...", and what has been kept."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not re.match(r"[A-Z][^:]* [.]{3}$|codes of [0-9,]+ faces ", line))


def contents(folder):
    """Every file below a folder: its bytes and the time of its last change."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def weights_of(path, only_trainable=False):
    """The weights of a run or of a model file."""
    loaded = facezoo.load(path)
    return [weight.numpy() for weight in (loaded.trainable_variables if only_trainable else loaded.variables)]


def assert_same(first, second, tolerance=0.0):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def drawn(positions, split="test"):
    """Drawn faces as the finished run sees them: float32 [N, 32, 32, 3]."""
    images = procedural_faces(split, image_size=32).load(np.asarray(positions))["image"]
    return images.astype(np.float32) / 255


def picture(size=(48, 40), seed=0):
    """A smooth picture in colour."""
    numbers = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return Image.fromarray(numbers).resize(size, Image.Resampling.BICUBIC)


def photographs_in(folder, count, size=(20, 20)):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture(size, number).save(folder / f"{number:03d}.jpg")
    return folder


def truncate(*paths):
    for path in paths:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def read_png(path):
    with Image.open(path) as image:
        return np.asarray(image), dict(image.text)


def reconstructed(model, image, *told):
    return np.rint(model.decode(model.encode(image[None]), *told)[0].numpy() * 255).astype(np.uint8)


def photograph_files(folder):
    """One picture in many kinds of file: path -> what should be read, uint8 [H, W, 3], before crop and resizing."""
    folder.mkdir()
    colour = picture()
    gray = colour.convert("L")
    pixels, gray_pixels = np.asarray(colour), np.stack([np.asarray(gray)] * 3, axis=-1)
    alpha = Image.fromarray(np.tile(np.uint8([[255, 0]]), (40, 24)), "L")
    files = {}

    def save(name, image, expected, **options):
        image.save(folder / name, **options)
        files[folder / name] = expected

    save("plain.png", colour, pixels)
    save("gray.png", gray, gray_pixels)
    save("sixteen_bit.png", Image.fromarray(np.asarray(gray).astype(np.uint16) * 257), gray_pixels)
    save("transparent.png", colour.copy(), np.where(np.asarray(alpha)[..., None] == 255, pixels, 255))
    with_alpha = colour.copy()
    with_alpha.putalpha(alpha)
    with_alpha.save(folder / "transparent.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter; upright again when rotated clockwise
    save("rotated.png", colour.transpose(Image.Transpose.ROTATE_90), pixels, exif=exif)
    others = [Image.new("RGB", colour.size, shade) for shade in ("black", "white")]
    save("animated.webp", colour, pixels, save_all=True, append_images=others, lossless=True)
    shades = colour.quantize(16)
    with_palette = np.asarray(shades.convert("RGB"))
    save("animated.gif", shades, with_palette, save_all=True, append_images=others)
    save("one_pixel.png", Image.new("RGB", (1, 1), (10, 200, 90)), np.full((1, 1, 3), (10, 200, 90), np.uint8))
    save("large.jpg", colour.resize((480, 400)), np.asarray(colour.resize((480, 400))), quality=100, subsampling=0)
    cmyk = colour.convert("CMYK")
    save("cmyk.jpg", cmyk, np.asarray(cmyk.convert("RGB")), quality=100, subsampling=0)
    return files


def photographs_with_points(root, names):
    """Pictures, and a file of the points of all of them: the paths of both."""
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture((SIDE, SIDE), number).save(root / name)
    return root, points_file(root.with_name("points.csv"), names)


def points_file(path, names):
    columns = [f"{name}_{axis}" for name in POINT_NAMES for axis in "xy"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", *columns])
        writer.writerows([name, *GIVEN.reshape(-1).tolist()] for name in names)
    return path
