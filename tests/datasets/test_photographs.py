"""Reading one picture: every kind of file a camera, a phone or a web page leaves."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from facezoo.datasets.photographs import DamagedPictureError, UnreadableFileError, crop_box, fit, read
from facezoo.datasets.source import DatasetError
from PIL import Image, ImageFile


def noise(height=40, width=60, channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def read_bytes(data):
    return np.asarray(read(io.BytesIO(data)))


def png_header(width, height):
    """The beginning of a PNG file that claims to be of that size."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_reads_rgb_whatever_the_file_is_called(kind, tmp_path):
    path = tmp_path / "picture.txt"
    options = {"lossless": True} if kind == "WEBP" else {}
    smooth = np.asarray(Image.fromarray(noise(4, 6)).resize((60, 40), Image.Resampling.BICUBIC))
    path.write_bytes(encoded(Image.fromarray(smooth), kind, **options))
    picture = read(path)
    assert (picture.mode, picture.size) == ("RGB", (60, 40))
    assert np.abs(np.asarray(picture).astype(int) - smooth).mean() < (4 if kind == "JPEG" else 1e-9)


def test_gray_is_the_same_in_all_channels():
    gray = noise(channels=1)
    assert (read_bytes(encoded(Image.fromarray(gray))) == gray[..., np.newaxis]).all()


def test_one_bit_is_black_and_white():
    bits = noise(channels=1) > 127
    assert (read_bytes(encoded(Image.fromarray(bits)))[..., 1] == bits * 255).all()


def test_sixteen_bit_gray_is_scaled_not_clipped():
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    assert read_bytes(encoded(Image.fromarray(values)))[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_become_white(mode):
    red = Image.new("RGBA", (4, 2), (200, 0, 0, 255))
    red.paste((0, 0, 200, 0), (0, 0, 2, 2))
    picture = read_bytes(encoded(red.convert(mode) if mode != "P" else red.quantize(4)))
    assert (picture[:, :2] == 255).all()
    assert (picture[:, 2:] < 255).any(-1).all()


def test_half_transparent_is_mixed_with_white():
    assert read_bytes(encoded(Image.new("RGBA", (1, 1), (0, 0, 0, 127))))[0, 0].tolist() == [128, 128, 128]


def test_a_transparent_colour_becomes_white():
    picture = read_bytes(encoded(Image.new("RGB", (2, 2), (1, 2, 3)), transparency=(1, 2, 3)))
    assert (picture == 255).all()


def test_cmyk_is_converted():
    picture = read_bytes(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    assert (np.abs(picture.astype(int) - [255, 0, 0]) < 8).all()


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda pixels: pixels),
        (2, np.fliplr),
        (3, lambda pixels: np.rot90(pixels, 2)),
        (4, np.flipud),
        (5, lambda pixels: np.rot90(np.fliplr(pixels))),
        (6, lambda pixels: np.rot90(pixels, -1)),
        (7, lambda pixels: np.rot90(np.fliplr(pixels), -1)),
        (8, np.rot90),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_exif_orientation_is_applied(kind, orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = Image.fromarray(noise(4, 6)).resize((60, 40), Image.Resampling.BICUBIC)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
    error = read_bytes(encoded(smooth, kind, exif=exif, **options)).astype(int) - upright(np.asarray(smooth))
    assert np.abs(error).mean() < (4 if kind == "JPEG" else 1e-9)


def test_damaged_exif_does_not_lose_the_picture():
    pixels = noise()
    assert np.array_equal(read_bytes(encoded(Image.fromarray(pixels), exif=b"Exif\0\0II*\0\xff\xff")), pixels)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_an_animation_gives_its_first_frame(kind, options):
    frames = [Image.fromarray(noise(seed=seed)) for seed in range(3)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert np.array_equal(read_bytes(data), np.asarray(frames[0]))


def test_above_a_hundred_megapixels_is_refused_from_the_header():
    with pytest.raises(DamagedPictureError, match="20000x20000 is more than 100 megapixels"):
        read_bytes(png_header(20_000, 20_000))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_pillows_own_limit_does_not_warn(kind, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_000)
    picture = read(io.BytesIO(encoded(Image.fromarray(noise(50, 50)), kind)))
    assert fit(picture, 8, (0, 0, 49, 49)).shape == (8, 8, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_refused(kind, part):
    data = encoded(Image.fromarray(noise()), kind)
    with pytest.raises(DamagedPictureError) as caught:
        read_bytes(data[: int(len(data) * part)])
    assert 0 < len(str(caught.value)) <= 100


@pytest.mark.parametrize(
    ("data", "reason"), [(b"dear diary", "not a JPEG, PNG, WebP"), (b"", "empty file"), (b"BM", "not a JPEG")]
)
def test_what_is_no_picture_is_refused(data, reason):
    with pytest.raises(DamagedPictureError, match=reason):
        read_bytes(data)


@pytest.mark.parametrize(("kind", "length"), [("PNG", 8), ("JPEG", 200), ("JPEG", 12)])
def test_a_header_that_is_cut_off_is_told(kind, length):
    data = encoded(Image.fromarray(noise()), kind)
    with pytest.raises(DamagedPictureError, match="the file is truncated"):
        read_bytes(data[:length])


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableFileError, match="not a regular file"):
        read(tmp_path / "pipe.png")


def test_a_missing_file_is_told_from_a_damaged_one(tmp_path):
    with pytest.raises(UnreadableFileError, match="no such file"):
        read(tmp_path / "nowhere.jpg")
    with pytest.raises(UnreadableFileError, match="directory"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_any_damage_is_a_damaged_picture_and_nothing_else(kind):
    data = np.frombuffer(encoded(Image.fromarray(noise()), kind), np.uint8)
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(100):
        damaged = data.copy()
        damaged[random.integers(12, len(data), 5)] = random.integers(0, 256, 5)
        try:
            read_bytes(damaged.tobytes())
        except DamagedPictureError:
            refused += 1
    assert refused > 0 or kind == "JPEG"


def test_the_centre_square_is_the_default():
    assert crop_box((60, 40)) == (10, 0, 50, 40)
    assert crop_box((40, 61)) == (0, 10, 40, 50)


def test_a_side_is_that_of_the_centre_square():
    assert crop_box((178, 218), 148) == (15, 35, 163, 183)  # as papers crop CelebA
    assert crop_box((178, 218), 108) == (35, 55, 143, 163)
    assert crop_box((60, 40), 40) == crop_box((60, 40))
    assert crop_box((5, 4), 1) == (2, 1, 3, 2)
    pixels = noise()
    assert np.array_equal(fit(Image.fromarray(pixels), 16, 16), pixels[12:28, 22:38])


def test_a_crop_at_its_own_size_is_exact():
    pixels = noise()
    assert np.array_equal(fit(Image.fromarray(pixels), 16, (7, 9, 16, 16)), pixels[9:25, 7:23])


def test_nothing_outside_the_crop_gets_in():
    pixels = np.zeros((60, 60, 3), np.uint8)
    pixels[10:50, 10:50] = 255
    assert (fit(Image.fromarray(pixels), 13, (10, 10, 40, 40)) == 255).all()


def test_shrinking_does_not_alias():
    checkerboard = (np.indices((640, 640)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.abs(fit(Image.fromarray(checkerboard), 32).astype(int) - 127.5).max() < 3


def test_gray_is_luma():
    colours = Image.fromarray(np.eye(3, dtype=np.uint8)[:, np.newaxis].repeat(3, 1) * 255)
    assert fit(colours, 3, channels=1)[:, 0, 0].tolist() == [76, 150, 29]


@pytest.mark.parametrize("channels", [1, 3])
def test_one_pixel_is_enlarged(channels):
    picture = fit(Image.new("RGB", (1, 1), (90, 90, 90)), 64, channels=channels)
    assert picture.shape == (64, 64, channels)
    assert picture.dtype == np.uint8
    assert (picture == 90).all()


@pytest.mark.parametrize(
    ("crop", "message"),
    [
        ((0, 0, 10, 11), "must be square"),
        ((-1, 0, 10, 10), "left, top >= 0"),
        ((0, 0, 0, 0), "width >= 1"),
        ((51, 0, 10, 10), "outside a picture of 60x40"),
        ((0, 31, 10, 10), "outside a picture of 60x40"),
        (41, "crop=41 reaches outside a picture of 60x40"),
        (0, "crop=0 must be a side of at least 1"),
        (-3, "crop=-3 must be a side"),
    ],
)
def test_an_unfit_crop_is_refused(crop, message):
    with pytest.raises(DatasetError, match=message):
        fit(Image.fromarray(noise()), 8, crop)


def test_two_channels_are_refused():
    with pytest.raises(DatasetError, match="channels=2"):
        fit(Image.fromarray(noise()), 8, channels=2)


# Files that ask for very much.


def jpeg(*parts, size=(64, 64), **options):
    """A JPEG with more bytes behind its first two."""
    data = encoded(Image.new("RGB", size, "gray"), "JPEG", **options)
    return data[:2] + b"".join(parts) + data[2:]


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def with_scans(count, size):
    """A progressive JPEG whose last scan comes again and again, and which says to be of a size."""
    data = encoded(Image.new("RGB", (64, 64), "gray"), "JPEG", progressive=True)
    place = data.index(b"\xff\xc2") + 5  # height and width in the frame's header
    data = data[:place] + struct.pack(">HH", size[1], size[0]) + data[place + 4 :]
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * count + b"\xff\xd9"


def png_of(parts, kind=b"teST", width=8, height=8):
    """A PNG with so many empty parts before its picture."""
    data = encoded(Image.new("RGB", (width, height)))
    return data[:33] + (struct.pack(">I", 0) + kind + struct.pack(">I", zlib.crc32(kind))) * parts + data[33:]


def tags(count, num_bytes):
    """Exif data with so many tags that name the same bytes."""
    entries = [struct.pack("<HHII", 0x9000 + number, 7, num_bytes, 8) for number in range(count)]
    return b"II*\0" + struct.pack("<IH", 8, count) + b"".join(entries) + bytes(4)


def gif(*comments, after=b""):
    data = encoded(Image.new("P", (8, 8)), "GIF")
    start = data.index(b",", 13 + 3 * 2 ** ((data[10] & 7) + 1))
    said = b"".join(b"!\xfe" + comment + b"\0" for comment in comments)
    return data[:start] + said + after + data[start:]


GREEDY = {
    "scans": (with_scans(80, (64, 64)), "scans"),
    "scans of a large picture": (with_scans(40, (8000, 8000)), "scans"),
    "segments": (jpeg(segment(0xFE, b"x") * 1100), "segments"),
    "metadata": (jpeg(segment(0xE2, b"x" * 60000) * 300), "segments"),
    "Exif": (jpeg(segment(0xE1, b"Exif\0\0" + b"x" * 60000) * 20), "segments"),
    "heads of Exif": (jpeg(segment(0xE1, b"Exif\0\0" * 3)), "head"),
    "heads of Exif in two parts": (
        jpeg(segment(0xE1, b"Exif\0\0Exif"), segment(0xE1, b"Exif\0\0\0\0Exif\0\0")),
        "head",
    ),
    "strange markers": (jpeg(segment(0xF0, segment(0xE1, b"Exif\0\0x") * 1000)), "a part of the kind F0"),
    "a comment behind an empty one": (
        gif(after=b"!\xf9\0," + bytes(44) + b"\0" + (b"\xff" + b"x" * 255) * 9000 + b"\0"),
        "empty comment",
    ),
    "texts": (png_of(1_100, b"zTXt"), "very much text"),
    "tags of Exif": (jpeg(segment(0xE1, b"Exif\0\0" + tags(2_000, 4))), "tags"),
    "tags that name the same bytes": (jpeg(segment(0xE1, b"Exif\0\0" + tags(500, 20_000))), "tags"),
    "two frames": (jpeg(segment(0xC0, struct.pack(">BHHB", 8, 900, 900, 3) + bytes(9))), "more than one picture"),
    "zeros": (jpeg()[:20] + bytes(10**6), "without a picture"),
    "comment": (gif((b"\xff" + b"x" * 255) * 5000), "comments"),
    "comments": (gif(*[b"\x01x"] * 300_000), "comments"),
    "gif of zeros": (gif(after=bytes(10**6)), "without a picture"),
    "parts": (png_of(200_000), "parts"),
    "long": (png_header(1, 70_000), "65535 pixels"),
    "wide": (png_header(70_000, 1), "65535 pixels"),
}


@pytest.mark.parametrize(("data", "reason"), GREEDY.values(), ids=GREEDY)
def test_a_file_that_asks_for_very_much_is_refused_before_it_is_decoded(monkeypatch, data, reason):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("it is decoded"))
    with pytest.raises(DamagedPictureError, match=reason):
        read(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_a_file_of_gigabytes_is_not_read(tmp_path, kind):
    path = tmp_path / "sparse"
    path.write_bytes(encoded(Image.new("RGB", (8, 8)), kind))
    os.truncate(path, 3 * 10**9)
    with pytest.raises(DamagedPictureError, match="the file has 2861 MB, more than 256"):
        read(path)


@pytest.mark.parametrize(
    "data",
    [jpeg(progressive=True), jpeg(segment(0xE1, b"Exif\0\0x") * 3), jpeg(segment(0xFE, b"x") * 900), gif(b"\x03abc")],
    ids=["progressive", "some metadata", "many comments", "a comment"],
)
def test_what_others_write_is_read(data):
    assert read(io.BytesIO(data)).size in ((64, 64), (8, 8))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_tags_of_exif_are_not_read_but_for_the_orientation(kind):
    data = encoded(Image.new("RGB", (8, 8)), kind, exif=b"Exif\0\0" + tags(700, 80))
    assert read(io.BytesIO(data)).size == (8, 8)


def test_heads_of_exif_in_a_png_do_not_stop_it():
    data = encoded(Image.new("RGB", (8, 8)), "PNG", exif=b"Exif\0\0" * 50_000)
    assert read(io.BytesIO(data)).size == (8, 8)


def test_large_transparent_pictures_are_read_strip_by_strip():
    colour = noise(600, 3, 4)
    expected = Image.alpha_composite(Image.new("RGBA", (3, 600), "white"), Image.fromarray(colour)).convert("RGB")
    assert (read_bytes(encoded(Image.fromarray(colour))) == np.asarray(expected)).all()
