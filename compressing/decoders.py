"""A small decoder, to be taught by a large one."""

import keras

KERNEL_SIZE = 3  # of depthwise convolutions


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
        return keras.ops.depth_to_space(inputs, self.patch)

    def compute_output_shape(self, input_shape):
        batch, height, width, numbers = input_shape
        return batch, height * self.patch, width * self.patch, numbers // self.patch**2

    def get_config(self):
        return super().get_config() | {"patch": self.patch}


def build_small_decoder(
    code_shape: tuple[int, ...],
    picture_shape: tuple[int, int, int],
    width: int,
    depth: int = 2,
    grid: int = 8,
    start: int | None = None,
    name: str = "decoder",
) -> keras.Model:
    """A new decoder all of whose work is done on a coarse grid, where places are few.

    Codes become channels on the grid. Residual blocks change them: a depthwise convolution, then 1x1 convolutions to
    twice the channels and back (as Liu et al., "A ConvNet for the 2020s" (2022), without normalisation). One more 1x1
    convolution makes of each place a whole patch of the picture.

    >>> build_small_decoder((4,), (32, 32, 3), width=12, depth=1).output_shape
    (None, 32, 32, 3)

    Args:
      code_shape: of a code: (D,), or maps (H, W, D), whose H and W are then the grid.
      picture_shape: (H, W, C), square.
      width: channels on the grid.
      depth: of residual blocks.
      grid: height and width of the grid, for codes that are vectors.
      start: channels that the dense layer makes of a code that is a vector, which has most of the parameters; a third
        of the width if absent.
      name: of the model.

    Returns:
      codes [B, *code_shape] -> pictures float32 [B, H, W, C] in (0, 1).

    Raises:
      ValueError: the picture's size is not a multiple of the grid's.
    """
    size, _, channels = picture_shape
    grid = code_shape[0] if len(code_shape) == 3 else grid
    if size % grid:
        raise ValueError(f"grid={grid} must go into the picture's {size} pixels without a rest")
    x = codes = keras.Input(code_shape)
    if len(code_shape) == 1:
        start = start or max(1, width // 3)
        x = keras.layers.Reshape((grid, grid, start))(keras.layers.Dense(grid * grid * start, name="start")(x))
    x = keras.layers.Conv2D(width, 1, name="widen")(x)
    for number in range(depth):
        x = _block(x, f"block_{number}")
    patch = size // grid
    x = keras.layers.Conv2D(patch * patch * channels, 1, name="patches")(x)
    picture = keras.layers.Activation("sigmoid", dtype="float32")(JoinedPatches(patch)(x))
    return keras.Model(codes, picture, name=name)


def _block(x, name: str):
    width = x.shape[-1]
    change = keras.layers.DepthwiseConv2D(KERNEL_SIZE, padding="same", name=f"{name}_places")(x)
    change = keras.layers.Conv2D(2 * width, 1, activation="relu", name=f"{name}_wide")(change)
    return keras.layers.Add()([x, keras.layers.Conv2D(width, 1, name=f"{name}_narrow")(change)])
