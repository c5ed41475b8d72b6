"""The true factors of a drawn face: their names and ranges, how they are sampled, which attributes follow from them."""

import dataclasses
import zlib

import numpy as np

PICTURES_PER_IDENTITY = 10

HAIR_STYLES = (
    "bald",
    "short",
    "side_part",
    "long_straight",
    "afro",
    "bun",
    "bob_with_fringe",
    "receding",
    "long_wavy",
    "short_curly",
)
GLASSES = ("none", "round", "square", "wide", "sunglasses")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
BACKGROUNDS = ("gradient", "two_tone_wall", "bokeh", "window", "panels")

HAIR_STYLE_WEIGHTS = (5, 18, 15, 14, 8, 9, 10, 8, 8, 7)
GLASSES_WEIGHTS = (75, 8, 8, 6, 3)
BEARD_WEIGHTS = (56, 10, 9, 9, 16)
BACKGROUND_WEIGHTS = (30, 18, 20, 14, 18)
LONG_STYLES = (3, 5, 6, 8)
OLD_ENOUGH_FOR_BEARDS = 22.0


@dataclasses.dataclass(frozen=True)
class Factor:
    """One number a face is drawn from.

    Attributes:
      low, high: the range of sampled values, both ends possible.
      meaning: what the ends look like.
      choices: the names of a discrete factor's values 0, 1, ...; empty for a continuous one.
      of_person: the same in all pictures of a person.
      of_occasion: the same in all pictures of a person that are taken on one occasion.
    """

    low: float
    high: float
    meaning: str
    choices: tuple[str, ...] = ()
    of_person: bool = True
    of_occasion: bool = True


def _trait(meaning: str) -> Factor:
    return Factor(-1.0, 1.0, meaning + "; 0 is the average")


def _choice(choices: tuple[str, ...], meaning: str, of_person: bool = True) -> Factor:
    return Factor(0.0, len(choices) - 1.0, meaning, choices, of_person)


def _by_picture(low: float, high: float, meaning: str) -> Factor:
    return Factor(low, high, meaning, of_person=False, of_occasion=False)


def _by_occasion(low: float, high: float, meaning: str) -> Factor:
    return Factor(low, high, meaning, of_person=False)


FACTORS = {
    "face_width": _trait("narrow to wide head"),
    "face_length": _trait("short to long lower face"),
    "jaw_width": _trait("tapered to square jaw"),
    "chin_width": _trait("pointed to broad chin"),
    "eye_size": _trait("small to large eyes"),
    "eye_distance": _trait("close-set to wide-set eyes"),
    "eye_tilt": _trait("outer corners low to high"),
    "eye_colour": Factor(0.0, 1.0, "dark brown, brown, hazel, green, blue, gray"),
    "nose_length": _trait("short to long nose"),
    "nose_width": _trait("narrow to broad nose"),
    "mouth_width": _trait("narrow to wide mouth"),
    "lip_thickness": _trait("thin to full lips"),
    "brow_height": _trait("low to high brows"),
    "brow_thickness": _trait("thin to bushy brows"),
    "brow_tilt": _trait("outer ends low to high"),
    "skin_tone": Factor(0.0, 1.0, "palest to deepest"),
    "hair_style": _choice(HAIR_STYLES, "the cut"),
    "hair_colour": Factor(0.0, 1.0, "black, dark brown, brown, auburn, dark blond, light blond"),
    "hair_gray": Factor(0.0, 1.0, "share of gray"),
    "hair_volume": _trait("flat to full hair"),
    "age": Factor(18.0, 80.0, "years"),
    "beard": _choice(BEARDS, "the kind"),
    "smile": _by_picture(-0.4, 1.0, "corners of the mouth down (below 0) to a broad smile"),
    "mouth_open": _by_picture(0.0, 1.0, "closed to wide open"),
    "eyes_open": _by_picture(0.1, 1.0, "nearly shut to wide open"),
    "brow_raise": _by_picture(-1.0, 1.0, "frown to raised brows"),
    "gaze_x": _by_picture(-1.0, 1.0, "irises to the picture's left to its right"),
    "gaze_y": _by_picture(-1.0, 1.0, "irises up to down"),
    "glasses": _choice(GLASSES, "the frame", of_person=False),
    "yaw": _by_picture(-45.0, 45.0, "degrees; above 0 the nose points to the picture's right"),
    "pitch": _by_picture(-20.0, 20.0, "degrees; above 0 the face looks up"),
    "roll": _by_picture(-20.0, 20.0, "degrees; above 0 the head leans clockwise"),
    "light_x": _by_picture(-1.0, 1.0, "light from the picture's left to its right"),
    "light_y": _by_picture(-1.0, 0.3, "light from above to a little below"),
    "light_strength": _by_picture(0.0, 1.0, "soft even light to a strong key light"),
    "light_warmth": _by_picture(-1.0, 1.0, "cool to warm light"),
    "background_hue": _by_occasion(0.0, 1.0, "once around the colour circle"),
    "background_saturation": _by_occasion(0.0, 0.6, "gray to colourful"),
    "background_brightness": _by_occasion(0.15, 0.9, "dark to bright"),
    "background_pattern": _choice(BACKGROUNDS, "what is behind", of_person=False),
    "background_shift": _by_occasion(0.0, 1.0, "where the pattern lies"),
    "clothes_hue": _by_occasion(0.0, 1.0, "round collar below 0.5, V-neck above, each once around the colour circle"),
    "clothes_brightness": _by_occasion(0.1, 0.9, "dark to bright clothes"),
}
FACTOR_NAMES = tuple(FACTORS)
FACTOR_RANGES = {name: (factor.low, factor.high) for name, factor in FACTORS.items()}
DISCRETE_FACTORS = tuple(name for name, factor in FACTORS.items() if factor.choices)


def number_people(indices: np.ndarray) -> np.ndarray:
    """Number of the person in each picture: indices [n] -> int32 [n]."""
    return (np.asarray(indices, np.int64) // PICTURES_PER_IDENTITY).astype(np.int32)


def columns(factors: np.ndarray, num_dims: int = 1) -> dict[str, np.ndarray]:
    """Factors [n, F] -> one float32 array [n, 1, ...] of `num_dims` axes for each name."""
    table = np.ascontiguousarray(np.asarray(factors, np.float32).T)
    shape = (table.shape[1],) + (1,) * (num_dims - 1)
    return {name: table[column].reshape(shape) for column, name in enumerate(FACTOR_NAMES)}


def _mix(bits: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele et al. 2014, figure 16): uint64 -> well mixed uint64."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


class Draws:
    """Uniform numbers that depend on (seed, key, name) only, never on what else was drawn."""

    def __init__(self, seed: int, keys: np.ndarray):
        start = np.asarray([seed & 0xFFFFFFFFFFFFFFFF], np.uint64)
        self._state = _mix(_mix(start + np.uint64(0x9E3779B97F4A7C15)) ^ np.asarray(keys).astype(np.uint64))

    def uniform(self, name: str, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        stream = np.uint64(zlib.crc32(name.encode()) * 0x9E3779B97F4A7C15 % 2**64)
        bits = _mix(_mix(self._state ^ stream) + stream)
        return low + (high - low) * ((bits >> np.uint64(11)).astype(np.float64) * 2.0**-53)

    def bell(self, name: str, low: float = -1.0, high: float = 1.0) -> np.ndarray:
        """Most near the middle, all within [low, high]."""
        mean = sum(self.uniform(f"{name}/{part}") for part in range(3)) / 3.0
        return low + (high - low) * np.clip(0.5 + 1.4 * (mean - 0.5), 0.0, 1.0)

    def choice(self, name: str, weights: tuple[float, ...]) -> np.ndarray:
        edges = np.cumsum(weights)[:-1] / np.sum(weights)
        return np.searchsorted(edges, self.uniform(name), side="right").astype(np.float64)


def _sample_hair(person: Draws, age: np.ndarray) -> dict[str, np.ndarray]:
    style = person.choice("hair_style", HAIR_STYLE_WEIGHTS)
    going_gray = np.clip((age - 38.0 - 22.0 * person.uniform("gray_onset")) / 18.0, 0.0, 1.0)
    # A receding hairline below thirty looks like an error of the drawing, so the young get short hair instead.
    style = np.where((style == HAIR_STYLES.index("receding")) & (age < 32), HAIR_STYLES.index("short"), style)
    return {"hair_style": style, "hair_gray": going_gray}


def _sample_beard(person: Draws, age: np.ndarray, style: np.ndarray) -> np.ndarray:
    kind = person.choice("beard", BEARD_WEIGHTS)
    return np.where(np.isin(style, LONG_STYLES) | (age < OLD_ENOUGH_FOR_BEARDS), 0.0, kind)


def _sample_person(person: Draws) -> dict[str, np.ndarray]:
    values = {name: person.bell(name) for name, factor in FACTORS.items() if factor.of_person and factor.low == -1.0}
    values["age"] = 18.0 + 62.0 * person.uniform("age") ** 1.25
    values["skin_tone"] = person.uniform("skin_tone")
    # Light eyes and hair are kept rarer on deep skin, the rest of the square of tones is filled.
    values["eye_colour"] = person.uniform("eye_colour") * (1.1 - 0.8 * values["skin_tone"]).clip(0.0, 1.0)
    values["hair_colour"] = person.uniform("hair_colour") * (1.2 - 1.0 * values["skin_tone"]).clip(0.0, 1.0)
    values |= _sample_hair(person, values["age"])
    values["beard"] = _sample_beard(person, values["age"], values["hair_style"])
    return values


def _sample_expression(picture: Draws) -> dict[str, np.ndarray]:
    wide = picture.uniform("mouth_open")
    squint = picture.uniform("eyes_open")
    return {
        "smile": picture.uniform("smile", -0.4, 1.0),
        "mouth_open": (np.maximum(wide - 0.45, 0.0) / 0.55) ** 1.5,
        "eyes_open": np.where(squint < 0.06, 0.1 + 5.0 * squint, 0.5 + 0.5 * squint),
        "brow_raise": picture.bell("brow_raise"),
        "gaze_x": picture.bell("gaze_x"),
        "gaze_y": picture.bell("gaze_y"),
        "glasses": picture.choice("glasses", GLASSES_WEIGHTS),
    }


def _sample_scene(picture: Draws) -> dict[str, np.ndarray]:
    names = (
        *("light_x", "light_y", "light_strength", "light_warmth", "clothes_hue", "clothes_brightness"),
        *("background_hue", "background_saturation", "background_brightness", "background_shift"),
    )
    values = {name: picture.uniform(name, *FACTOR_RANGES[name]) for name in names}
    for name in ("yaw", "pitch", "roll"):
        turn = picture.bell(name)
        values[name] = FACTORS[name].high * np.sign(turn) * np.abs(turn) ** 1.4
    values["background_pattern"] = picture.choice("background_pattern", BACKGROUND_WEIGHTS)
    return values


def sample_factors(indices: np.ndarray, seed: int = 0) -> np.ndarray:
    """Draws the factors of pictures, each a pure function of (seed, index).

    Args:
      indices: [n] non-negative numbers of pictures; ten in a row show one person.
      seed: which world of people.

    Returns:
      float32 [n, F] in the order of FACTOR_NAMES, within FACTOR_RANGES.
    """
    indices = np.asarray(indices, np.int64).reshape(-1)
    return sample_pictures(number_people(indices), indices, seed)


def sample_pictures(people: np.ndarray, pictures: np.ndarray, seed: int = 0) -> np.ndarray:
    """Draws the factors of pictures of given people.

    Args:
      people: [n] non-negative numbers, on which alone, with the seed, the factors of a person depend.
      pictures: [n] non-negative numbers, on which alone, with the seed, all other factors depend.
      seed: which world of people.

    Returns:
      float32 [n, F] in the order of FACTOR_NAMES, within FACTOR_RANGES.
    """
    person = Draws(2 * seed, people)
    picture = Draws(2 * seed + 1, pictures)
    values = _sample_person(person) | _sample_expression(picture) | _sample_scene(picture)
    return np.stack([values[name] for name in FACTOR_NAMES], axis=1).astype(np.float32)


def _hair_attributes(face: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    style = np.array(HAIR_STYLES)[face["hair_style"].astype(int)]
    colour, gray = face["hair_colour"], (face["hair_gray"] > 0.5) & (style != "bald")
    coloured = ~gray & (style != "bald")
    return {
        "bald": style == "bald",
        "receding_hairline": style == "receding",
        "bangs": style == "bob_with_fringe",
        "long_hair": np.isin(style, ("long_straight", "long_wavy", "bob_with_fringe")),
        "wavy_hair": np.isin(style, ("long_wavy", "afro", "short_curly")),
        "black_hair": coloured & (colour < 0.2),
        "brown_hair": coloured & (colour >= 0.2) & (colour < 0.65),
        "blond_hair": coloured & (colour >= 0.65),
        "gray_hair": gray,
    }


def _face_attributes(face: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    beard = np.array(BEARDS)[face["beard"].astype(int)]
    return {
        "smiling": face["smile"] > 0.4,
        "mouth_slightly_open": face["mouth_open"] > 0.1,
        "eyeglasses": face["glasses"] > 0,
        "beard": np.isin(beard, ("stubble", "goatee", "full")),
        "mustache": np.isin(beard, ("moustache", "goatee", "full")),
        "young": face["age"] < 40,
        "pale_skin": face["skin_tone"] < 0.2,
        "bushy_eyebrows": face["brow_thickness"] > 0.35,
        "narrow_eyes": face["eyes_open"] * (1.0 + 0.3 * face["eye_size"]) < 0.6,
        "big_nose": face["nose_width"] + 0.5 * face["nose_length"] > 0.45,
        "big_lips": face["lip_thickness"] > 0.35,
        "oval_face": face["face_length"] - face["face_width"] - 0.5 * face["jaw_width"] > 0.4,
        "chubby": face["face_width"] + 0.5 * face["jaw_width"] > 0.5,
    }


def _attributes(factors: np.ndarray) -> dict[str, np.ndarray]:
    face = columns(factors)
    return _face_attributes(face) | _hair_attributes(face)


ATTRIBUTE_NAMES = tuple(_attributes(np.zeros((1, len(FACTOR_NAMES)), np.float32)))


def face_attributes(factors: np.ndarray) -> np.ndarray:
    """What is true of faces: factors [n, F] -> float32 [n, A] in {0, 1}, in the order of ATTRIBUTE_NAMES."""
    return np.stack(list(_attributes(factors).values()), axis=1).astype(np.float32)
