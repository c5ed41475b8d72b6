"""Pack the pictures of a folder at one size into a few large files, which training reads faster."""

from pathlib import Path

from absl import flags

from ... import files
from ...datasets.folder import ALL, find_cut, folder
from ...datasets.packed import Origin
from ...datasets.packing import write_pack
from ...datasets.splitting import choose_splits
from ..backend import load_tensorflow
from ..errors import UsageError
from ..flags import groups, kinds
from ..flags.kinds import read_given
from ..flags.sources import read_given_arguments
from ..folders import new_folder

WORDS = ("in", "out")  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    kinds.define_required(values, "in", "Folder of pictures.")
    kinds.define_required(values, "out", "New folder for the pack.")
    text = "Height and width in pixels; a training may ask for less, not for more."
    kinds.define_number(values, "size", 64, text, groups.MIN_IMAGE_SIZE, groups.MAX_IMAGE_SIZE)
    flags.DEFINE_enum("channels", "3", ["1", "3"], "1 gray, 3 RGB.", flag_values=values)
    groups.define_folder_flags(values)
    kinds.define_number(values, "shard_mb", 128, "Megabytes of each file.", 0, kind=float, above=True)


def run(values: flags.FlagValues) -> None:
    out = new_folder(values.out, Path())
    in_folder = groups.in_folder(values)
    data = groups.DataSettings(**read_given(values, groups.DataSettings))
    shape = {"image_size": values.size, "channels": int(values.channels)}
    source = folder(ALL, data_dir=in_folder, **shape, **read_given_arguments(data))
    crop = data.square()
    splits = choose_splits(source.names, data.split_by or "file", data.partition)
    origin = Origin(crop, find_cut(Path(in_folder), crop))

    tf = load_tensorflow()
    try:
        with files.whole_folder(out) as partial:
            counts = write_pack(source, partial, int(values.shard_mb * 1e6), origin, splits)
    except tf.errors.OpError as error:
        raise UsageError(f"--out={out} cannot be written: {error.message}") from error
    print(f"{out}: {', '.join(f'{count} {split}' for split, count in counts.items())}")
