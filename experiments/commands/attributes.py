"""Find what to add to a code to give a face a beard or glasses: attribute vectors, kept with the run."""

import functools
from pathlib import Path

from absl import flags

from ... import files
from ...datasets.source import SPLITS, Source, with_attributes
from ...latents.attributes import LEAST_EXAMPLES, AttributeVectors, find_attributes, save_attributes
from ..backend import load_tensorflow
from ..codes.encoding import encode_source
from ..codes.kept import CodeKeeper
from ..codes.vectors import ATTRIBUTES_FILE, attributes_path
from ..errors import UsageError
from ..flags import groups, kinds
from ..flags.kinds import read_given
from ..folders import saved_elsewhere
from ..runs.run import Run, open_run
from ..tables import align_columns
from ..terminal import printable

WORDS = ("run_dir",)  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    flags.DEFINE_list(
        "attributes", None, "Some attributes, with commas between; all of the data set's if absent.", flag_values=values
    )
    flags.DEFINE_enum("split", "train", SPLITS, "Split whose faces are looked at.", flag_values=values)
    kinds.define_number(values, "count", None, "Only the first examples of the split.", 1)
    kinds.define_path(values, "out", f"File for the vectors (RUN/{ATTRIBUTES_FILE}).")
    groups.define_data_flags(values)


def run(values: flags.FlagValues) -> None:
    opened = open_run(values.run_dir, values.checkpoint)
    out = Path(values.out or attributes_path(opened))
    if out.exists():
        raise UsageError(f"--out={out} exists: remove it, or choose another file")
    source = opened.source(values.split, read_given(values, groups.DataSettings))
    source = with_attributes(source, values.attributes or source.attribute_names)
    load_tensorflow()
    with saved_elsewhere(out) as result, files.whole_file(out, is_new=True) as partial:
        found = _find(opened, source, values.count)
        result.save(partial, functools.partial(save_attributes, found=found))
    print(table(found))
    print(out)


def _find(opened: Run, source: Source, count: int | None) -> AttributeVectors:
    known = encode_source(opened.model(), source, ("attributes",), count, keeper=CodeKeeper(opened))
    try:
        return find_attributes(known["codes"], known["attributes"], source.attribute_names, opened.model_hash)
    except ValueError as error:
        raise UsageError(f"{source.name}: {error}") from error


def table(found: AttributeVectors) -> str:
    """A line for each attribute: how many examples have it and how many have not; and why some were left out."""
    rows = [(printable(name), *counts) for name, counts in zip(found.names, found.counts.tolist(), strict=True)]
    rows += [(f"{printable(name)} (left out)", *counts) for name, counts in found.left_out.items()]
    why = [f"left out: fewer than {LEAST_EXAMPLES} faces with it, or without it"] if found.left_out else []
    lines = [("", "with", "without"), *([name, *map(str, counts)] for name, *counts in rows)]
    return "\n".join([align_columns(lines), *why])
