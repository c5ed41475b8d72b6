"""Hair on the head, hair that hangs down, and beards."""

import dataclasses

import numpy as np

from .canvas import Canvas
from .colours import hair_colour, skin_colour
from .factors import FACTOR_NAMES, HAIR_STYLES
from .geometry import CENTRE_Y, SCALE, Face
from .light import gloss, light_colour, light_on_head, matt_light
from .shapes import ellipse, spot, step
from .surface import normals


@dataclasses.dataclass(frozen=True)
class Cut:
    """A hair style on the unit sphere of the head (y is -1 at the crown, 1 at the chin).

    Attributes:
      line: height of the hairline over the middle of the forehead.
      parting: how much lower the hairline runs on one side.
      recess: how much higher it runs over the temples.
      side: height where the hair beside the face ends; 3 for hair that falls over the ears.
      open_from, open_to: cosines of the angles from straight ahead between which the hair turns from forehead to side.
      top, beside: thickness above the crown and at the ears.
      curl: depth of the waves of the outline.
      fall: how far the hair hangs down, in head units below the middle of the head; 0 for none.
      spread: half-width of the hanging hair.
    """

    line: float = -0.60
    parting: float = 0.0
    recess: float = 0.0
    side: float = 0.05
    open_from: float = 0.80
    open_to: float = 0.30
    top: float = 0.10
    beside: float = 0.035
    curl: float = 0.0
    fall: float = 0.0
    spread: float = 0.0


_OPEN_SIDES = {"side": 3.0, "open_from": 0.83, "open_to": 0.45}
CUTS = {
    "bald": Cut(),
    "short": Cut(line=-0.60, top=0.10, beside=0.03),
    "side_part": Cut(line=-0.56, parting=0.22, top=0.17, beside=0.05),
    "long_straight": Cut(line=-0.62, top=0.11, beside=0.10, fall=1.9, spread=0.98, **_OPEN_SIDES),
    "afro": Cut(line=-0.58, side=0.15, top=0.40, beside=0.34, curl=0.018),
    "bun": Cut(line=-0.66, side=-0.05, top=0.05, beside=0.02),
    "bob_with_fringe": Cut(
        line=-0.27, side=3.0, open_from=0.74, open_to=0.46, top=0.12, beside=0.13, fall=0.93, spread=0.96
    ),
    "receding": Cut(line=-0.76, recess=0.16, side=0.02, top=0.05, beside=0.05),
    "long_wavy": Cut(
        line=-0.58, parting=-0.20, top=0.16, beside=0.16, curl=0.028, fall=1.6, spread=1.06, **_OPEN_SIDES
    ),
    "short_curly": Cut(line=-0.53, side=0.08, top=0.24, beside=0.11, curl=0.03),
}
_CUT_TABLE = {
    field.name: np.array([getattr(CUTS[style], field.name) for style in HAIR_STYLES], np.float32)
    for field in dataclasses.fields(Cut)
}


def _find_cut(face: Face, name: str) -> np.ndarray:
    return _CUT_TABLE[name][face["hair_style"].astype(int)]


def draw_hair(canvas: Canvas) -> None:
    """Paints the hair that lies on the skull, down to the hair line."""
    below, line = _hair_line(canvas)
    inside = canvas.cover(_hair_outline(canvas, below), 0.02)
    shadow = np.exp(-((np.maximum(line, 0.0) / 0.10) ** 2)) * canvas.on_head
    canvas.picture *= 1.0 - 0.22 * shadow
    _paint_hair(canvas, inside * canvas.cover(line, 0.05), _strands(canvas))


def _hair_outline(canvas: Canvas, below: np.ndarray) -> np.ndarray:
    """Distance outside the hair's outer edge, in head units; hair is thinner near the hairline."""
    face, surface = canvas.face, canvas.surface
    fullness = 1.0 + 0.30 * face["hair_volume"]
    up = np.clip(0.45 - 0.55 * surface.down, 0.0, 1.0)
    top, beside = _find_cut(face, "top"), _find_cut(face, "beside")
    thickness = fullness * (beside + (top - beside) * up) * (0.2 + 0.8 * step(0.05, -0.30, below))
    angle = np.arctan2(canvas.view[0], -canvas.view[1])
    curl = _find_cut(face, "curl") * (np.sin(11.0 * angle) + 0.6 * np.sin(17.0 * angle + 1.0))
    return (surface.rim - 1.0 - thickness - curl) * face.half_width


def _hair_line(canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    """How far below the hairline the head is: straight down on the unit sphere, and the distance in head units."""
    face, surface = canvas.face, canvas.surface
    ahead = surface.out / np.sqrt(surface.out**2 + surface.across**2 + 1e-4)
    nape = 0.50 * step(-0.02, -0.50, ahead)
    across = surface.across
    # Below the jaw the middle counts as ahead too, or hair that falls beside the face would close under the chin.
    ahead = ahead + (1.0 - ahead) * step(0.62, 0.34, np.abs(across)) * step(0.0, 0.4, surface.down)
    front = _find_cut(face, "line") + _find_cut(face, "parting") * (across + 0.25) + 0.22 * across * across
    front = front - 0.010 * np.clip(face["age"] - 40.0, 0.0, 20.0) * 0.3
    front = front - _find_cut(face, "recess") * spot(np.abs(across) - 0.42, surface.down + 0.7, 0.22, 0.4)
    low, high = _find_cut(face, "open_to"), _find_cut(face, "open_from")
    share = np.clip((high - ahead) / (high - low), 0.0, 1.0)
    side = share * share * (3.0 - 2.0 * share)
    drop = _find_cut(face, "side") + nape - front
    steep = np.sqrt(1.0 + (np.minimum(drop, 2.0) * 6.0 * share * (1.0 - share) / (high - low)) ** 2)
    below = surface.down - front - drop * side
    return below, below / steep


def _paint_hair(canvas: Canvas, alpha: np.ndarray, strand: np.ndarray) -> None:
    """Hair with its own light: a matt part, a band of highlight, strands. strand [n, h, w] numbers the strands."""
    face = canvas.face
    normal = normals(face, canvas.surface, canvas.view, relief=False)
    light = matt_light(face, normal, light_on_head(face), softness=0.5)
    band = gloss(face, normal, 3)
    colour = hair_colour(face)
    strands = 1.0 + 0.09 * np.sin(strand) + 0.06 * np.sin(1.7 * strand + 2.0)
    shine = band * (0.10 + 0.35 * colour) * (0.6 + 0.4 * strands)
    canvas.paint((0.20 + 0.70 * light) * colour * strands + 0.55 * shine * light, alpha)


def _strands(canvas: Canvas) -> np.ndarray:
    surface = canvas.surface
    combed = 13.0 * surface.across * (1.25 + 0.5 * surface.down) + 3.0 * surface.down
    x, y = canvas.view
    lumps = 0.9 * np.sin(14.0 * x + 1.5 * np.sin(9.0 * y)) + 0.9 * np.sin(15.0 * y + 1.5 * np.sin(11.0 * x))
    curl, fall = _find_cut(canvas.face, "curl"), _find_cut(canvas.face, "fall")
    waves = combed + 50.0 * curl * np.sin(6.0 * y + 3.0 * surface.across)
    return np.where((curl > 0.0) & (fall == 0.0), lumps, waves)


def draw_hair_behind(canvas: Canvas) -> None:
    """Paints long hair behind the neck; before the head is painted."""
    distance, strand = _hanging(canvas)
    fallen = _find_cut(canvas.face, "fall") > 0.0
    _paint_hanging(canvas, canvas.cover(distance, 0.02) * fallen, strand, 0.62)


def draw_locks(canvas: Canvas) -> None:
    """The parts of long hair that lie in front of the shoulders."""
    distance, strand = _hanging(canvas)
    opening = 0.50 - np.abs(canvas.body[0] - (canvas.face.centre_x - 0.5) / SCALE) - 0.10 * (canvas.body[1] - 1.0)
    fallen = _find_cut(canvas.face, "fall") > 0.0
    _paint_hanging(canvas, canvas.cover(np.maximum(distance, opening), 0.03) * fallen, strand, 0.85)


def _hanging(canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance to the hair that hangs behind and beside the neck, and its strands."""
    face = canvas.face
    x, y = canvas.body
    centre_x, centre_y = (face.centre_x - 0.5) / SCALE, (face.centre_y - CENTRE_Y) / SCALE
    x = x - centre_x + 0.22 * face.sin_yaw * step(0.0, 1.0, y) + 0.5 * face.sin_roll * (y - 0.2)
    y = y - centre_y
    wave = _find_cut(face, "curl") * 2.0 * np.sin(7.0 * y + 1.0)
    spread = _find_cut(face, "spread") * (1.0 + 0.10 * face["hair_volume"]) * face.half_width / 0.735 * 0.92
    # Domed at the top, so that it vanishes behind the hair on the head.
    dome = np.sqrt(np.maximum(1.0 - (np.minimum(y - 0.35, 0.0) / 0.80) ** 2, 0.0))
    side = np.abs(x) - (spread + wave) * dome - 0.05 * step(0.5, 1.5, y)
    fall = _find_cut(face, "fall") + 0.08 * face["hair_volume"]
    bottom = y - fall
    corner = np.sqrt(np.maximum(side + 0.2, 0.0) ** 2 + np.maximum(bottom + 0.2, 0.0) ** 2) - 0.2
    return np.maximum(corner, -0.35 - y), 11.0 * x + 2.0 * np.sin(3.0 * y)


def _paint_hanging(canvas: Canvas, alpha: np.ndarray, strand: np.ndarray, brightness: float) -> None:
    face = canvas.face
    strands = 1.0 + 0.10 * np.sin(strand) + 0.06 * np.sin(1.6 * strand + 2.0)
    side = 1.0 + 0.35 * face["light_strength"] * face["light_x"] * np.clip(canvas.view[0], -1.0, 1.0)
    colour = brightness * hair_colour(face) * light_colour(face)
    canvas.paint(colour * (strands * side), alpha)


def draw_bun(canvas: Canvas) -> None:
    """Paints the bun behind the top of the head."""
    face = canvas.face
    place = face.to_view(face.zero, face.zero - 1.08, face.zero - 0.25)
    x, y = canvas.view[0] - place[0], canvas.view[1] - place[1]
    radius = 0.27 + 0.05 * face["hair_volume"]
    distance = np.sqrt(x * x + y * y) - radius
    lit = 0.85 + 0.5 * (x * face["light_x"] + y * (face["light_y"] - 0.2)) / radius
    swirl = 1.0 + 0.10 * np.sin(14.0 * (x + y) + 3.0 * np.sin(6.0 * y))
    canvas.paint(hair_colour(face) * (lit * swirl) * light_colour(face), canvas.cover(distance, 0.02))


def draw_beard(canvas: Canvas) -> None:
    """Paints stubble, moustache, full beard or goatee on those who have one."""
    kind = canvas.factors[:, FACTOR_NAMES.index("beard")]
    with canvas.where(kind > 0) as part:
        if len(part.factors):
            _paint_beard(part)


def _paint_beard(canvas: Canvas) -> None:
    face, surface = canvas.face, canvas.surface
    kind = face["beard"]
    stubble, moustache, goatee, full = (kind == number for number in range(1, 5))
    x, y = np.abs(surface.x), surface.y
    edges = face.lips(np.clip(x / face.mouth_half_width, -1.0, 1.0))
    droop = 0.09 * (x / face.mouth_half_width) ** 2
    lip = np.maximum(face.nose_y + 0.055 + droop - y, y - edges[1] - 0.6 * droop)
    lip = np.maximum(lip, x - 1.12 * face.mouth_half_width)
    chin_y = 0.55 * (face.mouth_y + face.lower)
    chin = ellipse(x, y - chin_y, 0.27, face.lower + 0.06 - chin_y)
    chin = np.maximum(chin, face.mouth_y - 0.02 - y)
    cheek = face.nose_y + 0.19 - 0.42 * step(0.30, 0.95, np.abs(surface.across)) - y
    everything = np.minimum(cheek, lip)
    distance = np.where(moustache, lip, np.where(goatee, np.minimum(lip, chin), everything))
    alpha = canvas.cover(distance, 0.10) * np.where(stubble, 0.42, 0.92) * step(-0.45, -0.15, surface.out)
    thick = np.where(full, 0.075, np.where(goatee, 0.04, 0.0)) * step(0.35, 0.8, y)
    alpha = alpha * canvas.cover((surface.rim - 1.0 - thick) * face.half_width, 0.02)
    texture = 1.0 + 0.10 * np.sin(19.0 * surface.x + 4.0 * y) * np.sin(11.0 * y + 5.0 * surface.x)
    colour = (0.72 * hair_colour(face) + skin_colour(face) * 0.10) * texture
    canvas.paint_lit(colour, alpha)
