"""The shape of a drawn face: one set of curves that both the drawing and the landmarks follow.

The head's own frame has x to the picture's right, y down and z out of the face; its unit is about half the head's
height, its origin the middle of the head. The view frame is the head turned by yaw and pitch; roll and the place in
the picture come last. Pictures are parallel projections: the view frame's z is dropped.
"""

import numpy as np

from .factors import columns

SCALE = 0.40  # head units -> share of the picture's side
CENTRE_Y = 0.46
UPPER = np.float32(0.94)  # from the middle of the head to the top of the skull
WIDE_SKULL = np.float32(0.13)  # rounds the skull: a plain ellipsoid looks like an egg
ROLL_PIVOT = 0.55  # the head leans about a point this far below its middle

LANDMARK_NAMES = (
    *(f"jaw_{number}" for number in range(17)),
    *(f"right_brow_{number}" for number in range(5)),
    *(f"left_brow_{number}" for number in range(5)),
    *(f"nose_bridge_{number}" for number in range(4)),
    *(f"nose_base_{number}" for number in range(5)),
    *(f"right_eye_{number}" for number in range(6)),
    *(f"left_eye_{number}" for number in range(6)),
    *(f"outer_mouth_{number}" for number in range(12)),
    *(f"inner_mouth_{number}" for number in range(8)),
    "right_pupil",
    "left_pupil",
)

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]


class Face:
    """Lengths and curves of a batch of faces, in head units.

    Every attribute is an array [n, 1, ...] of `num_dims` axes, so that it broadcasts against points or pixels.
    Right and left are the drawn person's: the right eye is on the picture's left, side -1.
    """

    def __init__(self, factors: np.ndarray, num_dims: int):
        self.factors = columns(factors, num_dims)
        self._set_pose()
        self._set_head()
        self._set_eyes()
        self._set_nose_and_mouth()

    def __getitem__(self, name: str) -> np.ndarray:
        return self.factors[name]

    def _set_pose(self) -> None:
        yaw, pitch, roll = (np.float32(np.pi / 180.0) * self[name] for name in ("yaw", "pitch", "roll"))
        self.sin_yaw, self.cos_yaw = np.sin(yaw), np.cos(yaw)
        self.sin_pitch, self.cos_pitch = np.sin(pitch), np.cos(pitch)
        self.sin_roll, self.cos_roll = np.sin(roll), np.cos(roll)
        self.zero = np.zeros_like(roll)
        # Towards the viewer, in the head frame.
        self.sight = self.to_head(self.zero, self.zero, self.zero + 1.0)
        self.centre_x = 0.5 + SCALE * (ROLL_PIVOT * self.sin_roll - 0.10 * self.sin_yaw)
        self.centre_y = CENTRE_Y + SCALE * (ROLL_PIVOT * (1.0 - self.cos_roll) + 0.10 * self.sin_pitch)

    def _set_head(self) -> None:
        self.age = np.clip((self["age"] - 18.0) / 62.0, 0.0, 1.2)
        self.half_width = 0.735 + 0.065 * self["face_width"]
        self.half_depth = self.zero + 0.86
        self.lower = 1.0 + 0.10 * self["face_length"] + 0.07 * self["mouth_open"]
        self.jaw = 0.02 + 0.16 * self["jaw_width"] + 0.04 * self.age
        self.chin = 0.06 + 0.14 * self["chin_width"]

    def _set_eyes(self) -> None:
        self.eye_x = 0.292 + 0.030 * self["eye_distance"] + 0.01 * self["face_width"]
        self.eye_y = self.zero + 0.06
        self.eye_half_width = 0.143 + 0.017 * self["eye_size"]
        self.eye_tilt = 0.05 + 0.14 * self["eye_tilt"] - 0.05 * self.age
        squint = 0.16 * np.clip(self["smile"], 0.0, 1.0)
        self.eye_opening = (0.089 + 0.023 * self["eye_size"] - 0.012 * self.age) * (1.0 - squint)
        self.iris_radius = 0.069 + 0.006 * self["eye_size"]
        self.gaze_x = 0.045 * self["gaze_x"]
        self.gaze_y = 0.022 * self["gaze_y"]
        self.brow_y = self.eye_y - 0.215 - 0.03 * self["brow_height"] - 0.035 * self["brow_raise"]
        self.brow_slope = 0.06 + 0.17 * self["brow_tilt"] + 0.06 * self["brow_raise"]
        self.brow_half_thickness = 0.032 + 0.017 * self["brow_thickness"]

    def _set_nose_and_mouth(self) -> None:
        self.nose_y = 0.40 + 0.06 * self["nose_length"]
        self.nose_half_width = 0.125 + 0.033 * self["nose_width"] + 0.012 * np.clip(self["smile"], 0.0, 1.0)
        self.nose_height = 0.215 + 0.03 * self["nose_length"]
        smile = np.clip(self["smile"], -0.4, 1.0)
        self.mouth_y = 0.625 + 0.035 * self["nose_length"] + 0.02 * self["face_length"] - 0.01 * smile
        self.mouth_half_width = 0.235 + 0.04 * self["mouth_width"] + 0.06 * smile - 0.025 * self["mouth_open"]
        self.corner_lift = 0.075 * smile
        fullness = (1.0 + 0.50 * self["lip_thickness"]) * (1.0 - 0.15 * self.age)
        stretch = 1.0 - 0.22 * np.clip(smile, 0.0, 1.0)
        self.upper_lip = 0.061 * fullness * stretch
        self.lower_lip = 0.084 * fullness * stretch
        self.gap = 0.21 * self["mouth_open"] + 0.055 * np.clip(smile - 0.25, 0.0, 1.0)

    # The surface: an ellipsoid whose width and depth change with height.

    def width_at(self, y: np.ndarray) -> np.ndarray:
        above, below = np.minimum(y, 0.0), np.maximum(y, 0.0)
        square = below * below
        return self.half_width * (1.0 + square * (self.jaw + self.chin * square) + WIDE_SKULL * above * above)

    def widening_at(self, y: np.ndarray) -> np.ndarray:
        """Slope of `width_at`."""
        above, below = np.minimum(y, 0.0), np.maximum(y, 0.0)
        square = below * below
        return self.half_width * (below * (2.0 * self.jaw + 4.0 * self.chin * square) + 2.0 * WIDE_SKULL * above)

    def forward_at(self, y: np.ndarray) -> np.ndarray:
        """How far the face comes forward at a height: without it the chin would lie under the ears."""
        below = np.maximum(y, 0.0)
        return 0.36 * below * below

    def height_at(self, y: np.ndarray) -> np.ndarray:
        """Half-height of the half (skull or lower face) that a height lies in."""
        return np.where(y > 0.0, self.lower, UPPER)

    def depth_at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """z of the face's surface, nose apart, above a point of the frontal plane."""
        inside = 1.0 - (x / self.width_at(y)) ** 2 - (y / self.height_at(y)) ** 2
        return self.half_depth * np.sqrt(np.maximum(inside, 0.0)) + self.forward_at(y)

    # Frames.

    def to_view(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Triple:
        """Head frame -> view frame."""
        across = x * self.cos_yaw + z * self.sin_yaw
        out = z * self.cos_yaw - x * self.sin_yaw
        return across, y * self.cos_pitch - out * self.sin_pitch, y * self.sin_pitch + out * self.cos_pitch

    def to_head(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Triple:
        """View frame -> head frame."""
        out = z * self.cos_pitch - y * self.sin_pitch
        height = y * self.cos_pitch + z * self.sin_pitch
        return x * self.cos_yaw - out * self.sin_yaw, height, x * self.sin_yaw + out * self.cos_yaw

    def to_picture(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """View frame -> picture, [0, 1] from the left top corner."""
        column = self.centre_x + SCALE * (x * self.cos_roll - y * self.sin_roll)
        return column, self.centre_y + SCALE * (x * self.sin_roll + y * self.cos_roll)

    def from_picture(self, column: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Picture -> view frame."""
        right, down = (column - self.centre_x) / SCALE, (row - self.centre_y) / SCALE
        return right * self.cos_roll + down * self.sin_roll, down * self.cos_roll - right * self.sin_roll

    def on_face(self, x: np.ndarray, y: np.ndarray, lift: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Frontal plane -> picture, for points `lift` above the surface."""
        across, down, _ = self.to_view(x, y, self.depth_at(x, y) + lift)
        return self.to_picture(across, down)

    # Curves.

    def eyelids(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """y of upper and lower lid from the eye's middle; u is -1 at the inner and 1 at the outer corner."""
        arch = np.maximum(1.0 - u * u, 0.0)
        slope = -self.eye_tilt * self.eye_half_width * u
        opening = self.eye_opening * self["eyes_open"]
        upper = slope - opening * arch * (1.0 + 0.22 * arch - 0.10 * u) + 0.020 * (1.0 - self["eyes_open"]) * arch
        lower = slope + self.eye_opening * arch * (0.46 + 0.06 * u + 0.14 * self["eyes_open"])
        return upper, lower

    def brow(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """y of the middle and half-thickness of a brow; u is -1 at the inner and 1 at the outer end."""
        arch = 0.035 * (1.0 - (u - 0.25) ** 2)
        # Raised inner ends read as worry, lowered ones as a frown.
        middle = self.brow_y - arch - 0.17 * self.brow_slope * u + 0.02 * np.maximum(u - 0.4, 0.0)
        taper = np.sqrt(np.maximum(1.0 - u * u, 0.0)) * (1.0 - 0.32 * u)
        return middle, self.brow_half_thickness * taper

    def brow_x(self, u: np.ndarray) -> np.ndarray:
        """Distance of a brow's point from the face's middle line."""
        return self.eye_x + 0.005 + 0.185 * u

    def lips(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """y of the four edges of the lips from top to bottom; u is -1 and 1 at the corners."""
        arch = np.maximum(1.0 - u * u, 0.0)
        line = self.mouth_y + self.corner_lift * (0.45 - u * u)
        middle = np.exp(-((u / 0.22) ** 2))
        inner_upper = line - 0.25 * self.gap * arch + 0.008 * middle
        inner_lower = line + 0.75 * self.gap * arch * (0.6 + 0.4 * arch) + 0.008 * middle
        upper = inner_upper - self.upper_lip * arch ** np.float32(0.75) * (1.08 - 0.30 * middle)
        return upper, inner_upper, inner_lower, inner_lower + self.lower_lip * arch * (0.55 + 0.45 * arch)

    def nose_points(self) -> tuple[Triple, Triple]:
        """Bridge and tip of the nose in the head frame."""
        zero, bridge_y, tip_y = self.zero, self.eye_y, self.nose_y - 0.075
        return (
            (zero, bridge_y, self.depth_at(zero, bridge_y) + 0.05),
            (zero, tip_y, self.depth_at(zero, tip_y) + self.nose_height),
        )

    def contour(self, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points of the head's outline in the view frame; angle 0 is the picture's right, pi/2 the chin."""
        x_view, y_view = np.cos(angle), np.sin(angle)
        y = y_view * self.cos_pitch
        for _ in range(6):
            across, down, out = self._rim(x_view, y_view, y)
            y = down
        left, low, _ = self.to_view(across, down, out)
        return left, low

    def _rim(self, x_view: np.ndarray, y_view: np.ndarray, y: np.ndarray) -> Triple:
        """The point of the surface's rim towards (x_view, y_view) if the widths were those at height y."""
        width, height, forward = self.width_at(y), self.height_at(y), self.forward_at(y)
        # In the unit sphere of the ellipsoid, normals are scaled by the axes: this is the point facing that way.
        aim = self.to_head(x_view, y_view, 0.0 * y)
        axes = (width, height, self.half_depth)
        point = [part * axis for part, axis in zip(aim, axes, strict=True)]
        length = np.sqrt(sum(p * p for p in point))
        x, y, z = (p / length * axis for p, axis in zip(point, axes, strict=True))
        return x, y, z + forward


def _jaw(face: Face) -> tuple[np.ndarray, np.ndarray]:
    # From the height of the eyes on the picture's left, round the chin, to the other side.
    angle = np.linspace(np.pi + 0.05, -0.05, 17, dtype=np.float32)[None]
    return face.to_picture(*face.contour(angle))


def _brow(face: Face, side: int) -> tuple[np.ndarray, np.ndarray]:
    u = side * np.linspace(-0.92, 0.92, 5, dtype=np.float32)[None]
    return face.on_face(side * face.brow_x(u), face.brow(u)[0])


def _nose_bridge(face: Face) -> tuple[np.ndarray, np.ndarray]:
    share = np.linspace(0.0, 1.0, 4, dtype=np.float32)[None]
    bridge, tip = face.nose_points()
    across, down, _ = face.to_view(*(b + share * (t - b) for b, t in zip(bridge, tip, strict=True)))
    return face.to_picture(across, down)


def _nose_base(face: Face) -> tuple[np.ndarray, np.ndarray]:
    u = np.array([-1.0, -0.5, 0.0, 0.5, 1.0], np.float32)[None]
    lift = np.array([0.05, 0.07, 0.10, 0.07, 0.05], np.float32)[None]
    down = np.array([-0.02, 0.0, 0.012, 0.0, -0.02], np.float32)[None]
    return face.on_face(face.nose_half_width * u, face.nose_y + down, lift)


def _eye(face: Face, side: int) -> tuple[np.ndarray, np.ndarray]:
    u = np.array([-1.0, -0.36, 0.36, 1.0], np.float32)[None]
    u = -u if side < 0 else u
    upper, lower = face.eyelids(u)
    lid = np.concatenate([upper, lower[:, 2:0:-1]], axis=1)
    u = np.concatenate([u, u[:, 2:0:-1]], axis=1)
    return face.on_face(side * (face.eye_x + face.eye_half_width * u), face.eye_y + lid)


def _mouth(face: Face, outer: bool) -> tuple[np.ndarray, np.ndarray]:
    u = np.array([-1.0, -0.64, -0.24, 0.0, 0.24, 0.64, 1.0] if outer else [-0.86, -0.36, 0.0, 0.36, 0.86], np.float32)
    edges = face.lips(u[None])
    top, bottom = (edges[0], edges[3]) if outer else (edges[1], edges[2])
    y = np.concatenate([top, bottom[:, -2:0:-1]], axis=1)
    u = np.concatenate([u, u[-2:0:-1]])[None]
    return face.on_face(face.mouth_half_width * u, y)


def _pupil(face: Face, side: int) -> tuple[np.ndarray, np.ndarray]:
    return face.on_face(side * face.eye_x + face.gaze_x, face.eye_y + face.gaze_y)


def face_landmarks(factors: np.ndarray) -> np.ndarray:
    """Where the parts of faces lie: factors [n, F] -> float32 [n, L, 2], (x, y) in [0, 1], as LANDMARK_NAMES."""
    face = Face(factors, num_dims=2)
    groups = (
        *(_jaw(face), _brow(face, -1), _brow(face, 1), _nose_bridge(face), _nose_base(face)),
        *(_eye(face, -1), _eye(face, 1), _mouth(face, outer=True), _mouth(face, outer=False)),
        *(_pupil(face, -1), _pupil(face, 1)),
    )
    points = [np.concatenate(axis, axis=1) for axis in zip(*groups, strict=True)]
    return np.stack(points, axis=2).astype(np.float32)
