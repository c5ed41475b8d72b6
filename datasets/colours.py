"""From the numbers of a file to the colours of sRGB, in which screens show pictures and models see them."""

import functools
import io

import numpy as np
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION

SRGB_GAMMA = 1 / 2.2  # as a PNG's gAMA chunk says it (PNG specification, 11.3.2.2)
_SMALLEST_CHANGE = 0.05  # of an exponent, as libpng has it: below it nobody sees anything
_STRIP = 256  # rows, since each copy of a large picture takes much memory
_STEPS = 6  # of each colour, where two profiles are compared
_SAME = 2  # levels of 255
_WHITE_IS_ZERO = 0  # of a TIFF's photometric interpretation
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}  # of Pillow, by the colour space of a profile
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOCACHE  # a cache is for one thread alone


def in_srgb(image: Image.Image) -> Image.Image:
    """A picture as it is read from a file, in 8 bits of sRGB: RGB, gray, a palette, and with transparent parts or not.

    By its profile (ICC.1), relative colorimetric with the black point adapted, as browsers and Photoshop do; by the
    gamma of a PNG; else it is taken to be sRGB, as pictures on the web are. A damaged profile costs no sound
    picture, nor does one for other colours.

    Raises:
      ValueError: fractions of a brightness that nothing tells.
    """
    image = _eight_bit(image)
    profile, gamma = image.info.get("icc_profile"), image.info.get("gamma")
    if isinstance(profile, bytes) and profile:
        return _by_profile(image, profile)
    if image.mode == "LAB":
        return _apply(image, _lab_transform())
    if isinstance(gamma, float) and gamma > 0 and "srgb" not in image.info and image.format == "PNG":
        return _by_gamma(image, SRGB_GAMMA / gamma)
    return image


def _eight_bit(image: Image.Image) -> Image.Image:
    """Gray of 12 or 16 bits or in fractions, by rounding; Pillow's own conversion clips at 255."""
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    tags = getattr(image, "tag_v2", {})  # of TIFF
    highest = 2**12 - 1 if tags.get(BITSPERSAMPLE) == (12,) else 2**16 - 1
    values = np.asarray(image)
    gray = _convert_fractions(values) if image.mode == "F" else _convert_whole(values, highest)
    if tags.get(PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO:  # Pillow inverts pictures of 8 bits alone
        gray = 255 - gray
    found, see_through = Image.fromarray(gray), image.info.get("transparency")
    if isinstance(see_through, int):  # one brightness, as a PNG of 16 bits says it
        found.putalpha(Image.fromarray(np.where(values == see_through, 0, 255).astype(np.uint8)))
    return _with_info(found, image)


def _convert_whole(values: np.ndarray, highest: int) -> np.ndarray:
    rounded = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _STRIP):
        strip = values[top : top + _STRIP].clip(0, highest).astype(np.uint32)
        rounded[top : top + _STRIP] = (255 * strip + highest // 2) // highest
    return rounded


def _convert_fractions(values: np.ndarray) -> np.ndarray:
    if not (np.isfinite(values).all() and values.min() >= 0.0 and values.max() <= 1.0):
        raise ValueError("its brightness is given in fractions outside of [0, 1]")
    return np.rint(values * 255.0).astype(np.uint8)


def _with_info(image: Image.Image, of: Image.Image) -> Image.Image:
    image.info = {name: of.info[name] for name in ("icc_profile", "gamma", "srgb") if name in of.info}
    image.format = of.format
    return image


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    whole = _without_palette(image)
    mode = {"LA": "L", "RGBA": "RGB"}.get(whole.mode, whole.mode)
    transform = _transform(profile, mode)
    return image if transform is None else _apply(whole, transform)


def _without_palette(image: Image.Image) -> Image.Image:
    if image.mode in ("P", "PA") or (image.has_transparency_data and image.mode not in ("LA", "RGBA")):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.convert("L") if image.mode == "1" else image


def _apply(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    if image.mode not in ("LA", "RGBA"):
        return transform.apply(image)
    *colours, alpha = image.split()
    changed = transform.apply(colours[0] if len(colours) == 1 else Image.merge("RGB", colours))
    changed.putalpha(alpha)
    return changed


@functools.lru_cache(16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """To sRGB; None where the profile is damaged, speaks of other colours than those of the mode, or is sRGB itself."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _MODES.get(source.profile.xcolor_space.strip()) != mode:
            return None
        transform = _to_srgb(source, mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if mode in ("L", "RGB") and _changes_nothing(transform, mode) else transform


def _to_srgb(source: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.buildTransform(source, srgb, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC, _FLAGS)


@functools.cache
def _lab_transform() -> ImageCms.ImageCmsTransform:
    return _to_srgb(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    levels = np.linspace(0, 255, _STEPS).astype(np.uint8)
    colours = levels[None] if mode == "L" else np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    before = Image.fromarray(colours)
    after = np.asarray(transform.apply(before)).astype(int)
    return bool(np.abs(after - np.asarray(before.convert("RGB"))).max() <= _SAME)


def _by_gamma(image: Image.Image, exponent: float) -> Image.Image:
    if abs(exponent - 1.0) < _SMALLEST_CHANGE or not 0.1 < exponent < 10.0:
        return image
    whole = _without_palette(image)
    levels = np.rint(255.0 * (np.arange(256) / 255.0) ** exponent).astype(int).tolist()
    straight = list(range(256))
    tables = {"L": levels, "RGB": levels * 3, "LA": levels + straight, "RGBA": levels * 3 + straight}
    return whole.point(tables[whole.mode]) if whole.mode in tables else image
