"""Published weights on the Hugging Face hub, or on another that speaks its language (HF_ENDPOINT): hf://USER/NAME."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ... import files
from ..backend import check_installed
from ..errors import UsageError
from ..terminal import announce

PREFIX = "hf://"
# What the files are called there, whatever they are called here: one model in a repository.
WEIGHTS, CARD, SHEET, PAGE = "facezoo.npz", "facezoo.json", "facezoo.png", "README.md"
ATTRIBUTES = ".gitattributes"  # which the hub puts into every new one
MOST_BYTES = {WEIGHTS: 2 * 2**30, CARD: 10_000_000}
NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
EXTRA = "hub"


class Place(NamedTuple):
    """A repository, and which of its revisions.

    Attributes:
      user: or organisation.
      name: of the repository.
      revision: branch, tag or commit; None is the main branch.
    """

    user: str
    name: str
    revision: str | None = None

    @property
    def repository(self) -> str:
        return f"{self.user}/{self.name}"

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}" + (f"@{self.revision}" if self.revision else "")


def is_hub(named: str | Path) -> bool:
    """Whether a user names a place on a hub."""
    return str(named).startswith(PREFIX)


def parse_place(named: str) -> Place:
    """hf://USER/NAME, or hf://USER/NAME@REVISION.

    Raises:
      UsageError: it is no such name.
    """
    found = re.fullmatch(rf"{PREFIX}({NAME})/({NAME})(?:@([A-Za-z0-9][A-Za-z0-9._/-]*))?", named)
    groups = found.groups(default="") if found else ()
    if not found or any(part in text for text in groups for part in ("..", "--")) or groups[1].endswith(".git"):
        raise UsageError(f"{named} is no place on a hub: {PREFIX}USER/NAME is one, or {PREFIX}USER/NAME@REVISION")
    return Place(*found.groups())


def fetch(named: str) -> Path:
    """The published weights of a repository, beside their card, in the hub's cache; what is there is not loaded again.

    Raises:
      UsageError: they cannot be had, are too large, or are not those of their card.
    """
    place = parse_place(named)
    card = _download(place, CARD)
    commit = place._replace(revision=card.parent.name)  # both of the same, whatever is published meanwhile
    weights = _download(commit, WEIGHTS)
    _check_hash(place, card, weights)
    return weights


def check_room(place: Place, is_public: bool) -> None:
    """Makes a repository that is not there yet, so that nothing is measured in vain.

    Raises:
      UsageError: nobody is logged in, it is not one's own, holds something already, or others see it than was asked.
    """
    check_installed("huggingface_hub", EXTRA)
    from huggingface_hub import HfApi

    if place.revision:
        raise UsageError(f"--to={place}: what is published goes to the main branch: leave @{place.revision} out")
    with _explaining(place, "--to="):
        api = HfApi(_find_endpoint())
        api.create_repo(place.repository, private=not is_public, exist_ok=True)
        about = api.model_info(place.repository)  # one that was there keeps who may see it
    if about.private == is_public:
        seen = "only you and those you chose see it" if about.private else "everybody sees it"
        way = "leave --public out" if is_public else "give --public"
        raise UsageError(f"--to={place} is there already, and {seen}: {way}, or choose another name")
    if there := {file.rfilename for file in about.siblings or ()} - {ATTRIBUTES}:
        what = "a model" if CARD in there else f"other files ({min(there)})"
        raise UsageError(f"--to={place} holds {what} already: choose another name")


def upload(place: Place, contents: Mapping[str, Path | bytes], message: str) -> str:
    """Puts files into a repository in one commit; returns its address.

    Args:
      place: a repository that `check_room` has found to be free.
      contents: by their names there.
      message: of the commit.

    Raises:
      UsageError: it cannot be done.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    size = sum(len(data) if isinstance(data, bytes) else data.stat().st_size for data in contents.values())
    announce(f"Uploading {size / 1e6:.1f} MB to {place} ...")
    with _explaining(place, "--to="):
        api = HfApi(_find_endpoint())
        operations = [CommitOperationAdd(name, data) for name, data in contents.items()]
        api.create_commit(place.repository, operations, commit_message=message)
        return f"{api.endpoint}/{place.repository}"


def write_metadata(license_name: str, reconstructs: bool, dataset: str) -> str:
    """What stands before a model card: the metadata by which the hub lists it.

    Args:
      license_name: as the hub names it: apache-2.0, cc-by-nc-4.0, other.
      reconstructs: the model makes pictures, and not only codes of them.
      dataset: that it was trained on, for a tag.
    """
    from huggingface_hub import ModelCardData

    about = ModelCardData(
        license=license_name,
        library_name="facezoo",
        pipeline_tag="image-to-image" if reconstructs else "image-feature-extraction",
        tags=["facezoo", "keras", "autoencoder", "faces", dataset],
    )
    return f"---\n{about.to_yaml()}\n---\n\n"


def _download(place: Place, name: str) -> Path:
    check_installed("huggingface_hub", EXTRA)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    given: dict[str, Any] = {"repo_id": place.repository, "filename": name, "revision": place.revision}
    given["endpoint"] = _find_endpoint()
    with _explaining(place):
        about = hf_hub_download(**given, dry_run=True)
        size = about.file_size or 0
        if size > MOST_BYTES[name]:
            raise UsageError(f"{place}: its {name} has {size / 2**20:,.0f} MB, which is more than is read")
        if about.will_download and name == WEIGHTS:
            announce(f"Downloading {size / 1e6:.1f} MB from {place} ...")
        return Path(hf_hub_download(**given))


def _check_hash(place: Place, card: Path, weights: Path) -> None:
    try:
        told = json.loads(files.read_text(card, MOST_BYTES[CARD]))["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{place}: its {CARD} is no card as `facezoo publish` writes it") from error
    found = hashlib.sha256(files.read_bytes(weights, MOST_BYTES[WEIGHTS])).hexdigest()
    if found != told:
        raise UsageError(
            f"{place}: its {WEIGHTS} is not the file of its card (SHA-256 differs), and is not loaded: "
            "whoever published it has to publish it again"
        )


def _find_endpoint() -> str:
    """The address of the hub."""
    from huggingface_hub.constants import ENDPOINT

    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or ENDPOINT


@contextlib.contextmanager
def _explaining(place: Place, flag: str = "") -> Iterator[None]:
    """Within, what a hub refuses or does not answer is told of in a line.

    Args:
      place: that is asked.
      flag: before its name.
    """
    from huggingface_hub import errors, get_token

    said, address = f"{flag}{place}", _find_endpoint()
    unanswered: Any = errors.HfHubHTTPError.__bases__[0]  # of the library that it speaks HTTP by
    try:
        yield
    except errors.GatedRepoError as error:
        raise UsageError(f"{said}: its owner asks for consent first: {address}/{place.repository}") from error
    except errors.RepositoryNotFoundError as error:
        if get_token():
            raise UsageError(f"{said}: there is no such repository, or your token may not see it") from error
        way = "log in by `hf auth login`, or name a token in HF_TOKEN"
        raise UsageError(f"{said}: there is no such repository, or it is private: {way}") from error
    except errors.RevisionNotFoundError as error:
        raise UsageError(f"{said}: it has no such revision") from error
    except errors.RemoteEntryNotFoundError as error:
        raise UsageError(f"{said}: it has no {CARD} and {WEIGHTS}, as `facezoo publish --to={place}` makes") from error
    except errors.HfHubHTTPError as error:
        code = error.response.status_code
        if code in (401, 403):
            way = "log in by `hf auth login`, with a token that may write" if flag else "your token is not accepted"
            raise UsageError(f"{said}: {address} says no ({code}): {way}") from error
        later = "try again later" if code >= 500 or code == 429 else str(error).splitlines()[0]
        raise UsageError(f"{said}: {address} answers with {code}: {later}") from error
    except (errors.LocalEntryNotFoundError, ConnectionError, unanswered) as error:
        is_off = os.environ.get("HF_HUB_OFFLINE", "0").upper() not in ("", "0", "FALSE", "NO", "OFF")
        why = "HF_HUB_OFFLINE is set, and it is not in the cache" if is_off else f"{address} cannot be reached"
        raise UsageError(f"{said}: {why}: it takes a network once") from error
    except ValueError as error:  # of a card's metadata, of which the hub says what is wrong
        raise UsageError(f"{said}: the hub does not take it: {' '.join(str(error).split())}") from error
    except errors.LocalTokenNotFoundError as error:
        way = "log in by `hf auth login`, or name a token in HF_TOKEN"
        raise UsageError(f"{said}: nobody is logged in: {way}") from error
