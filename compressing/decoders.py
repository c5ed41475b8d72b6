"""Small networks of blocks on coarse grids: a decoder, to be taught by a large one, and others of maps."""

import keras

KERNEL_SIZE = 3  # of depthwise convolutions
LEAST_PATCH = 4  # pixels
FIRST_GRID = 4  # height and width, of codes that are vectors
NARROWING = 5.0 / 6.0  # of channels, from one grid to the next


@keras.saving.register_keras_serializable("facezoo")
class JoinedPatches(keras.layers.Layer):
    """Patches side by side: [B, H, W, patch * patch * C] -> [B, H * patch, W * patch, C].

    The numbers of a patch are its rows, in them its pixels, in them their channels (Shi et al., "Real-Time Single Image
    and Video Super-Resolution" (2016)).

    Args:
      patch: height and width of a patch in pixels.
    """

    def __init__(self, patch: int, **options):
        super().__init__(**options)
        self.patch = patch

    def call(self, inputs):
        return inputs if self.patch == 1 else keras.ops.depth_to_space(inputs, self.patch)

    def compute_output_shape(self, input_shape):
        batch, height, width, numbers = input_shape
        return batch, height * self.patch, width * self.patch, numbers // self.patch**2

    def get_config(self):
        return super().get_config() | {"patch": self.patch}


@keras.saving.register_keras_serializable("facezoo")
class PlaceBias(keras.layers.Layer):
    """Adds to each place of a map numbers of its own, which it learns: [B, H, W, C] -> [B, H, W, C].

    Convolutions treat all places alike; what lies where in pictures that are alike is told by this.
    """

    def build(self, input_shape):
        self.bias = self.add_weight(shape=input_shape[1:], initializer="zeros", name="bias")
        self.built = True

    def call(self, inputs):
        return inputs + keras.ops.cast(self.bias, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


def build_small_decoder(
    code_shape: tuple[int, ...],
    picture_shape: tuple[int, int, int],
    width: int,
    depth: int = 2,
    grid: int = FIRST_GRID,
    stages: int = 1,
    start: int | None = None,
    name: str = "decoder",
) -> keras.Model:
    """A new decoder whose work is done on coarse grids, where places are few.

    Codes become channels on the first grid. Residual blocks change them: a depthwise convolution, then 1x1 convolutions
    to twice the channels and back (as Liu et al., "A ConvNet for the 2020s" (2022), without normalisation). From grid
    to grid a 1x1 convolution makes four places of each. At last one makes of each place a patch of the picture.

    A decoder of several grids begins each with a number of its own for every channel of every place, and a code that is
    a vector scales the channels within every block (Perez et al., "FiLM" (2018)): both cost few parameters.

    >>> build_small_decoder((4,), (32, 32, 3), width=12, depth=1, stages=2).output_shape
    (None, 32, 32, 3)

    Args:
      code_shape: of a code: (D,), or maps (H, W, D), whose H and W are then the first grid.
      picture_shape: (H, W, C), square.
      width: channels on the first grid; each later one has a sixth less.
      depth: residual blocks of each grid.
      grid: height and width of the first grid, for codes that are vectors.
      stages: how many grids, each twice as high and wide as the one before.
      start: channels that the dense layer makes of a code that is a vector, which has many of the parameters; a third
        of the width if absent, or half where grids are several.
      name: of the model.

    Returns:
      codes [B, *code_shape] -> pictures float32 [B, H, W, C] in (0, 1).

    Raises:
      ValueError: the picture's size is not a multiple of the last grid's.
    """
    codes = keras.Input(code_shape)
    return keras.Model(codes, draw_on_grids(codes, picture_shape, width, depth, grid, stages, start), name=name)


def count_grids(size: int, grid: int) -> int:
    """How many grids, each twice as high and wide as the one before, leave patches of 4 pixels or more of a picture.

    >>> [count_grids(size, 4) for size in (16, 32, 64, 128, 24, 36)]
    [1, 2, 3, 4, 1, 1]

    Args:
      size: height and width of a picture.
      grid: of the first grid.
    """
    count = 1
    while size % (grid * 2**count) == 0 and size >= LEAST_PATCH * grid * 2**count:
        count += 1
    return count


def count_channels(width: int, stage: int) -> int:
    """The channels of a grid, of which the first is stage 0, where each has a sixth less than the one before.

    >>> [count_channels(96, stage) for stage in range(4)]
    [96, 80, 66, 56]
    """
    return max(1, round(width * NARROWING**stage / 2.0) * 2) if stage else width


def draw_on_grids(codes, picture_shape, width: int, depth: int, grid: int, stages: int, start: int | None = None):
    """What `build_small_decoder` makes of codes, by new layers: a symbolic tensor [B, *] -> another, [B, H, W, C].

    Args:
      codes: of which the rest of the shape is a code's; all others are `build_small_decoder`'s.

    Raises:
      ValueError: the picture's size is not a multiple of the last grid's.
    """
    size, _, channels = picture_shape
    code_shape = tuple(codes.shape[1:])
    grid = code_shape[0] if len(code_shape) == 3 else grid
    last = grid * 2 ** (stages - 1)
    if size % last:
        places = f"grid={grid}" if stages == 1 else f"grid={grid} and stages={stages}, a last grid of {last},"
        raise ValueError(f"{places} must go into the picture's {size} pixels without a rest")
    x = codes
    if len(code_shape) == 1:
        start = start or max(1, width // (3 if stages == 1 else 2))
        x = keras.layers.Reshape((grid, grid, start))(keras.layers.Dense(grid * grid * start, name="start")(x))
    x = keras.layers.Conv2D(width, 1, name="widen")(x)
    leading = codes if stages > 1 and len(code_shape) == 1 else None
    x = _work_on_grids(x, leading, width, depth, stages, has_places=stages > 1)
    patch = size // last
    x = keras.layers.Conv2D(patch * patch * channels, 1, name="patches")(x)
    return keras.layers.Activation("sigmoid", dtype="float32")(JoinedPatches(patch)(x))


def build_grid_network(
    shape: tuple[int, int, int],
    told: int,
    width: int,
    depth: int,
    stages: int,
    outputs: int,
    last_initializer: str | dict = "glorot_uniform",
    name: str | None = None,
) -> keras.Model:
    """A network of the blocks of `build_small_decoder` that makes maps of maps, and is led by vectors.

    Args:
      shape: of the maps that it sees, (H, W, C).
      told: numbers that lead it: they scale the channels of every block.
      width: channels on the first grid; the next has five sixths of them, and so on.
      depth: residual blocks on each grid.
      stages: grids, each after the first twice as high and wide.
      outputs: channels of the maps that it makes.
      last_initializer: of the last kernel, as Keras names them.
      name: of the network.

    Returns:
      A network of [maps [B, H, W, C], vectors [B, told]] -> float32 [B, s H, s W, outputs], s = 2^(stages - 1).
    """
    seen, known = keras.Input(shape), keras.Input((told,))
    x = keras.layers.Conv2D(width, 1, name="widen")(seen)
    x = _work_on_grids(x, known, width, depth, stages, has_places=True)
    last = keras.layers.Conv2D(outputs, 1, kernel_initializer=last_initializer, dtype="float32", name="last")
    return keras.Model([seen, known], last(x), name=name)


def _work_on_grids(x, leading, width: int, depth: int, stages: int, has_places: bool):
    """The blocks of all grids: [B, H, W, width] -> the maps of the last grid; leading as in `_block`."""
    for stage in range(stages):
        if stage:
            x = JoinedPatches(2)(keras.layers.Conv2D(4 * count_channels(width, stage), 1, name=f"enlarge_{stage}")(x))
        if has_places:
            x = PlaceBias(name=f"places_{stage}")(x)
        for number in range(depth):
            x = _block(x, f"block_{stage * depth + number}", leading)
    return x


def _block(x, name: str, leading):
    """A residual block; leading is None, or the vectors that scale its channels."""
    width = x.shape[-1]
    change = keras.layers.DepthwiseConv2D(KERNEL_SIZE, padding="same", name=f"{name}_places")(x)
    if leading is None:
        change = keras.layers.Conv2D(2 * width, 1, activation="relu", name=f"{name}_wide")(change)
    else:
        change = keras.layers.Conv2D(2 * width, 1, name=f"{name}_wide")(change)
        scales = keras.layers.Dense(
            2 * width, kernel_initializer="zeros", bias_initializer="ones", name=f"{name}_scales"
        )(leading)
        change = keras.layers.Multiply()([change, keras.layers.Reshape((1, 1, 2 * width))(scales)])
        change = keras.layers.Activation("relu")(change)
    return keras.layers.Add()([x, keras.layers.Conv2D(width, 1, name=f"{name}_narrow")(change)])
