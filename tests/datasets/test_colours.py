"""From the numbers of a file to sRGB: profiles, gammas, 16 bits, fractions, other colour spaces."""

import io
import struct

import numpy as np
import pytest
from facezoo.datasets.photographs import DamagedPictureError, read
from PIL import Image, ImageCms, PngImagePlugin

SMOOTH = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)).resize((60, 40), 3)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exchanged(profile=SRGB):
    """A profile whose red is blue and whose blue is red: the names of two of its tags are exchanged."""
    (count,) = struct.unpack_from(">I", profile, 128)
    names = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
    changed = bytearray(profile)
    for place in range(132, 132 + 12 * count, 12):
        name = bytes(profile[place : place + 4])
        changed[place : place + 4] = names.get(name, name)
    return bytes(changed)


def pixels_of(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return np.asarray(read(file)).astype(int)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_colours_are_those_of_the_profile(kind, options):
    seen = pixels_of(SMOOTH, kind, icc_profile=exchanged(), **options)
    assert np.abs(seen - np.asarray(SMOOTH)[..., ::-1]).max() <= 2


def test_transparent_parts_and_palettes_have_a_profile_too():
    clear = SMOOTH.copy()
    clear.putalpha(Image.new("L", SMOOTH.size, 0))
    assert (pixels_of(clear, icc_profile=exchanged()) == 255).all()
    red = Image.new("RGB", (4, 4), (255, 0, 0)).quantize(2)
    assert np.abs(pixels_of(red, icc_profile=exchanged()) - [0, 0, 255]).max() <= 2


@pytest.mark.parametrize("profile", [SRGB, b"no profile", SRGB[:200], b"x" * 5000])
def test_srgb_and_damaged_profiles_change_nothing(profile):
    assert np.array_equal(pixels_of(SMOOTH, icc_profile=profile), np.asarray(SMOOTH))


def test_a_profile_for_other_colours_changes_nothing():
    gray = SMOOTH.convert("L")
    assert np.array_equal(pixels_of(gray, icc_profile=exchanged())[..., 1], np.asarray(gray))


def with_gamma(gamma):
    information = PngImagePlugin.PngInfo()
    information.add(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    return information


def test_the_gamma_of_a_png_is_undone():
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    linear = pixels_of(levels, pnginfo=with_gamma(1.0))[0, :, 0]
    assert np.abs(linear - 255 * (np.arange(256) / 255) ** (1 / 2.2)).max() <= 0.5
    assert np.array_equal(pixels_of(levels, pnginfo=with_gamma(0.45455))[0, :, 0], np.arange(256))


def test_the_gamma_of_a_turned_png_is_undone_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    straight, turned = (pixels_of(levels, pnginfo=with_gamma(1.0), **more) for more in ({}, {"exif": exif}))
    assert np.array_equal(turned, np.rot90(straight, -1))


def gray_tiff(data, width, bits, white_is_zero=False):
    """A TIFF of one row of gray, as scanners write it and Pillow does not."""
    tags = ((256, 3, width), (257, 3, 1), (258, 3, bits), (259, 3, 1), (262, 3, 0 if white_is_zero else 1))
    tags += ((273, 4, 8), (277, 3, 1), (278, 3, 1), (279, 4, len(data)), (339, 3, 3 if bits == 32 else 1))
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    data += b"\0" * (len(data) % 2)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + b"\0" * 4


@pytest.mark.parametrize(
    ("data", "bits"),
    [
        (bytes((0x00, 0x08, 0x00, 0xFF, 0xF0, 0x00)), 12),  # 0, 2048, 4095 and 0
        (np.array([0, 32896, 65535, 0], "<u2").tobytes(), 16),
        (np.array([0, 0.5, 1, 0], "<f4").tobytes(), 32),
    ],
    ids=["12 bits", "16 bits", "fractions"],
)
def test_gray_of_scanners_has_its_brightness(data, bits):
    seen = np.asarray(read(io.BytesIO(gray_tiff(data, 4, bits)))).astype(int)[0, :, 0]
    assert np.abs(seen - [0, 127.5, 255, 0]).max() <= 1
    if bits != 12:  # which Pillow does not know the other way around
        turned = np.asarray(read(io.BytesIO(gray_tiff(data, 4, bits, white_is_zero=True))))[0, :, 0]
        assert np.array_equal(turned, 255 - seen)


def test_one_brightness_of_sixteen_bits_may_be_transparent():
    values = Image.fromarray(np.array([[0, 257, 514]], np.uint16))
    assert pixels_of(values, transparency=257)[0, :, 0].tolist() == [0, 255, 2]


def test_lab_is_converted():
    middle = Image.merge("LAB", [Image.new("L", (4, 4), value) for value in (136, 128, 128)])  # L* 53.3: gray 127
    assert np.abs(pixels_of(middle, "TIFF") - 127).max() <= 2


def test_sixteen_bits_of_gray_in_a_tiff_are_rounded():
    values = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    assert pixels_of(values, "TIFF")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_fractions_are_of_white_or_refused():
    assert pixels_of(Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32)), "TIFF")[0, :, 0].tolist() == [
        0,
        128,
        255,
    ]
    with pytest.raises(DamagedPictureError, match=r"outside of \[0, 1\]"):
        pixels_of(Image.fromarray(np.array([[0.0, 7.0]], np.float32)), "TIFF")


def test_black_ink_is_black():
    ink = Image.new("CMYK", (8, 8), (0, 0, 0, 255))
    assert pixels_of(ink, "TIFF").max() <= 8
    assert pixels_of(ink, "JPEG", quality=95).max() <= 8
