"""The one way from pictures to codes and back: in batches, with what a model is told besides.

A conditional model is told attributes, when it encodes and when it decodes, and without them takes all as unknown. A
mapping model is told people, by number, when it decodes, and without takes the last one that it knows.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from ...datasets.naming import Names
from ...datasets.progress import progress_bar
from ...datasets.source import Source
from ..backend import as_array
from ..errors import UsageError
from ..terminal import announce
from .kept import COLUMNS as KEPT_COLUMNS
from .kept import CodeKeeper

BATCH_SIZE = 64
FRAMES_AT_ONCE = 2 * BATCH_SIZE  # of clips
Columns = Mapping[str, np.ndarray]
NOTHING: Columns = MappingProxyType({})


def batches(
    source: Source, what: str, count: int | None = None, begin: int = 0, at_once: int = BATCH_SIZE
) -> Iterator[tuple[slice, Columns]]:
    """The first examples of a source, all if `count` is absent, and where they stand; `what` is done with them.

    Those before `begin` are left out. At most `at_once` come together.
    """
    for rows in _portions(len(source) if count is None else min(count, len(source)), what, begin, at_once):
        yield rows, source.load(np.arange(rows.start, rows.stop))


def count_at_once(source: Source, reads_clips: bool) -> int:
    """How many examples a network goes through together: fewer where it reads clips and the source has some."""
    example = source.load(np.zeros(1, np.int64)) if reads_clips else {}
    return max(1, FRAMES_AT_ONCE // example["clip"].shape[1]) if "clip" in example else BATCH_SIZE


def _portions(total: int, what: str, begin: int = 0, at_once: int = BATCH_SIZE) -> Iterator[slice]:
    for start in progress_bar(what, range(begin, total, at_once), unit="batch"):
        yield slice(start, min(start + at_once, total))


def list_attributes(model) -> tuple[str, ...]:
    """The attributes that a conditional model is told; () of others."""
    return _list_names(model, "attributes")


def list_people(model) -> tuple[str, ...]:
    """The people as whom a mapping model decodes; () of others."""
    return _list_names(model, "identity")


def _list_names(model, column: str) -> tuple[str, ...]:
    """What a model calls the values of a column that it is told; () where it is not."""
    network = model.network()
    return next((tuple(getattr(network, name)) for name, told in network.conditions.items() if told == column), ())


def choose_conditions(model, examples: Columns) -> Columns:
    """Returns the columns of examples, as `for_model` gives them, that the model is told besides pictures, if any."""
    return {column: examples[column] for column in model.network().conditions.values() if column in examples}


def tell_person(model, person: str | None) -> Columns:
    """What makes a model decode as its `choose_person`, one row for all codes; nothing where it maps nobody."""
    chosen = choose_person(model, person)
    return NOTHING if chosen is None else {"identity": np.array([list_people(model).index(chosen)], np.int32)}


def choose_person(model, person: str | None) -> str | None:
    """Whose face a model decodes: the person's, or the last one's that it knows; None where it maps nobody.

    Raises:
      ValueError: it does not know the person, or maps nobody.
    """
    people = list_people(model)
    if person is None:
        return people[-1] if people else None
    if not people:
        raise ValueError(f"a {type(model.network()).__name__} maps nobody, --model=face_mapping trains one that does")
    meant = Names(people).find(person)
    if meant is None:
        raise ValueError(f"the model knows {', '.join(people)}")
    return meant


def ask_person(model, person: str | None, flag: str = "person") -> str | None:
    """`choose_person`, with a UsageError that names the flag."""
    try:
        return choose_person(model, person)
    except ValueError as error:
        raise UsageError(f"--{flag}={person}: {error}") from error


def as_person(person: str | None) -> str:
    """What descriptions of a mapping model's pictures end with."""
    return "" if person is None else f", as {person}"


def floats(images: np.ndarray) -> np.ndarray:
    """Pictures of a source as models read them: uint8 -> float32 in [0, 1]."""
    return images.astype(np.float32) / 255.0


def encode_batch(model, images: np.ndarray, told: Columns = NOTHING) -> np.ndarray:
    """Codes of one batch of pictures, float32 [N, H, W, C] in [0, 1], with what the model is told of them."""
    conditions = [told["attributes"]] if "attributes" in told else []
    return as_array(model.encode(images, *conditions))


def encode_exactly(model, images: np.ndarray) -> tuple[np.ndarray, Columns]:
    """Codes of one batch of pictures, and what the model is told besides to give just these pictures back.

    That is their noise, where a model draws details that its codes do not hold, with how doubtful the codes are and how
    far the noise was drawn, which is not at all; and nothing for all others.
    """
    if model.network().noise_shape is None:
        return encode_batch(model, images), NOTHING
    codes, noise = model.encode(images, noise=True)
    return as_array(codes), describe_noise(as_array(noise), 0.0, 0.0)


def draw_noise(model, count: int, seed: int | tuple[int, ...]) -> Columns:
    """What makes a model draw other details for each of `count` codes; nothing where it draws none."""
    network = model.network()
    if network.noise_shape is None:
        return NOTHING
    noise = np.random.default_rng(seed).standard_normal((count, *network.noise_shape), np.float32)
    return describe_noise(noise, 0.0, 1.0)


def describe_noise(noise: np.ndarray, doubt: np.ndarray | float, drawn: np.ndarray | float) -> Columns:
    """What `DiffusionAutoencoder.decode` takes besides codes, in its order: a row for each noise [N, ...]."""
    rows = np.zeros(len(noise), np.float32)
    return {"noise": noise, "doubt": rows + np.float32(doubt), "drawn": rows + np.float32(drawn)}


def encode_source(
    model,
    source: Source,
    columns: Sequence[str] = (),
    count: int | None = None,
    told: bool = False,
    keeper: CodeKeeper | None = None,
) -> dict[str, np.ndarray]:
    """The codes of a source's pictures, and what is known of them.

    Args:
      model: an `Autoencoder`.
      source: at least one picture.
      columns: of the source's examples, to be kept too.
      count: only the first pictures; all if absent.
      told: the source is as `for_model` gives it, and the model is told what it is told in training.
      keeper: of codes that the model has found before; it keeps those that are found now. The columns are of those that
        it keeps.

    Returns:
      `codes` float32 [N, *code shape], and the columns [N, ...].
    """
    total = len(source) if count is None else min(count, len(source))
    is_told = told and bool(list_attributes(model)) and bool(source.attribute_names)
    known = keeper.find(source, is_told) if keeper else {}
    num_known = min(total, len(known["codes"])) if known else 0
    if keeper and num_known:
        keeper.tell(source, is_told, num_known)
    if num_known < total:
        if total > BATCH_SIZE:
            announce(f"Encoding {total - num_known:,} faces of {source.name} ...")
        wanted = KEPT_COLUMNS if keeper else columns
        parts = [{name: known[name] for name in ("codes", *wanted) if name in known}] if known else []
        for _, examples in batches(source, "encoding", count, num_known):
            codes = encode_batch(
                model, floats(examples["image"]), choose_conditions(model, examples) if told else NOTHING
            )
            parts.append({"codes": codes} | {name: examples[name] for name in wanted if name in examples})
        known = join_examples(parts)
        if keeper and total > BATCH_SIZE:
            keeper.keep(source, is_told, known)
    return {name: known[name][:total] for name in ("codes", *columns)}


def join_examples(parts: Sequence[Columns]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts if name in part]) for name in parts[0]}


def decode_codes(model, codes: np.ndarray, told: Columns = NOTHING) -> np.ndarray:
    """Pictures of codes.

    Args:
      model: an `Autoencoder`, or what has its `decode`.
      codes: [N, *code shape].
      told: what the model is told, a row for each code or one for all.

    Returns:
      float32 [N, H, W, C] in [0, 1].
    """
    return np.concatenate([pictures for _, pictures in decode_batches(model, codes, told)])


def decode_batches(model, codes: np.ndarray, told: Columns = NOTHING) -> Iterator[tuple[slice, np.ndarray]]:
    """As `decode_codes`, batch by batch, and where each stands."""
    columns = [codes, *(np.broadcast_to(column, (len(codes), *column.shape[1:])) for column in told.values())]
    for rows in _portions(len(codes), "decoding"):
        yield rows, as_array(model.decode(*(column[rows] for column in columns)))
