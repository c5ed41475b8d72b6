"""How well a face network reads faces: its outputs against what is known of the pictures."""

from collections.abc import Sequence

import numpy as np

ROWS_AT_ONCE = 1000  # bounds the memory of a comparison of all with all
EYES = ("right_eye", "left_eye")


def face_reading(
    truth: dict[str, np.ndarray],
    read: dict[str, np.ndarray],
    landmark_names: Sequence[str],
    factor_choices: Sequence[int],
) -> dict[str, float]:
    """Accuracy of each head.

    Args:
      truth: `identity` [N], `attributes` [N, A], `landmarks` [N, L, 2], `factors` [N, F].
      read: `embedding` [N, D], `attribute_logits` [N, A], `landmarks` [N, L, 2], `factors` [N, F].
      landmark_names: L names, iBUG's eyes among them.
      factor_choices: of each factor; 0 for a continuous one.

    Returns:
      `identity_rank_1`: share of pictures whose nearest other picture shows the same person;
      `attribute_accuracy` and `attribute_balanced_accuracy` (mean of both classes' recall), means over attributes;
      `landmark_error`: mean distance in percent of the distance between the eyes' centres;
      `factor_correlation`: mean over the continuous factors; `choice_accuracy`: mean over the others.
    """
    seen = read["attribute_logits"] > 0
    is_choice = np.array(factor_choices) > 0
    correlations = column_correlations(truth["factors"][:, ~is_choice], read["factors"][:, ~is_choice])
    return {
        "identity_rank_1": float(np.mean(truth["identity"][nearest_other(read["embedding"])] == truth["identity"])),
        "attribute_accuracy": float(np.mean(seen == (truth["attributes"] > 0.5))),
        "attribute_balanced_accuracy": _balanced_accuracy(truth["attributes"] > 0.5, seen),
        "landmark_error": landmark_error(truth["landmarks"], read["landmarks"], landmark_names),
        "factor_correlation": float(np.mean(correlations)),
        "choice_accuracy": float(np.mean(truth["factors"][:, is_choice] == read["factors"][:, is_choice])),
    }


def nearest_other(embeddings: np.ndarray) -> np.ndarray:
    """For each embedding of unit length [N, D] the position of the nearest of the others: [N]."""
    return np.concatenate([_nearest_other(embeddings, first) for first in range(0, len(embeddings), ROWS_AT_ONCE)])


def _nearest_other(embeddings: np.ndarray, first: int) -> np.ndarray:
    likeness = embeddings[first : first + ROWS_AT_ONCE] @ embeddings.T  # [rows, N]
    rows = np.arange(len(likeness))
    likeness[rows, first + rows] = -np.inf
    return likeness.argmax(axis=1)


def nearest_person(embeddings: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """The nearest of some people for each picture.

    Args:
      embeddings: [N, D] of unit length.
      gallery: [P, K, D], K pictures of each of P people; a person is the mean of theirs.

    Returns:
      Numbers of people [N].
    """
    people = gallery.mean(axis=1)
    people /= np.linalg.norm(people, axis=-1, keepdims=True)
    return (embeddings @ people.T).argmax(axis=1)


def column_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each column with the same one of another table: two [N, F] -> [F]; 0 for a constant."""
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    norms = np.linalg.norm(first, axis=0) * np.linalg.norm(second, axis=0)
    return np.divide((first * second).sum(axis=0), norms, out=np.zeros(first.shape[1]), where=norms > 0)


def landmark_error(truth: np.ndarray, read: np.ndarray, landmark_names: Sequence[str]) -> float:
    """The mean of `landmark_errors`."""
    return float(np.mean(landmark_errors(truth, read, landmark_names)))


def landmark_errors(truth: np.ndarray, read: np.ndarray, landmark_names: Sequence[str]) -> np.ndarray:
    """Mean distance of landmarks, two [N, L, 2], in percent of each face's distance between the eyes' centres: [N]."""
    distances = np.linalg.norm(truth - read, axis=-1).mean(axis=1)
    return 100.0 * distances / find_eye_distances(truth, landmark_names)


def find_eye_distances(landmarks: np.ndarray, landmark_names: Sequence[str]) -> np.ndarray:
    """The distance between the eyes' centres: landmarks [..., L, 2] -> [...]."""
    eyes = [landmarks[..., [name.startswith(eye) for name in landmark_names], :].mean(axis=-2) for eye in EYES]
    return np.linalg.norm(eyes[0] - eyes[1], axis=-1)


def _balanced_accuracy(truth: np.ndarray, seen: np.ndarray) -> float:
    present = (truth & seen).sum(axis=0) / np.maximum(truth.sum(axis=0), 1)
    absent = (~truth & ~seen).sum(axis=0) / np.maximum((~truth).sum(axis=0), 1)
    return float(np.mean((present + absent) / 2.0))
