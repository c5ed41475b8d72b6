"""Kernels most of whose numbers are 0: those that were small.

Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression" (2017).
"""

import keras
import numpy as np

from .kernels import Kernel, find_kernels, read


class MagnitudePruning(keras.callbacks.Callback):
    """Sets the smallest numbers of kernels to 0, ever more of them, while the network trains.

    After `s` updates the share of zeros is `sparsity * (1 - (1 - (s - begin) / (end - begin))^3)`, their equation 1,
    and from `end` on it is `sparsity`. The smallest are looked for in all kernels together (`choose_largest`), every
    `every` updates; in between the same numbers stay 0.

    For `fit`, or for any loop that calls `on_train_begin` before its first update, and `on_train_batch_end` after each;
    under every strategy of tf.distribute. Masks are variables, of which nothing has to be saved: once some have been
    chosen, a number is masked where it is 0. So a training that goes on from saved weights and optimizer is the one
    that was not interrupted, bit for bit. A running mean of weights (`use_ema`) is not sparse: `sparsify` the network
    after it has been taken.

    Args:
      networks: whose kernels are pruned, built; None is the model that is trained.
      sparsity: share of zeros at the end, in (0, 1).
      begin: updates before the first are pruned.
      end: updates until the last are.
      every: updates from one choice of numbers to the next.

    Raises:
      ValueError: an argument is out of its range.
    """

    def __init__(self, networks=None, *, sparsity: float, begin: int = 0, end: int, every: int = 10):
        super().__init__()
        if not 0.0 < sparsity < 1.0:
            raise ValueError(f"sparsity={sparsity} must lie between 0 and 1")
        if not 0 <= begin < end:
            raise ValueError(f"begin={begin} must be at least 0 and below end={end}")
        if every < 1:
            raise ValueError(f"every={every} must be at least 1")
        self.networks, self.sparsity = networks, sparsity
        self.begin, self.end, self.every = begin, end, every
        self._kernels: list[Kernel] = []
        self._masks: list[keras.Variable] = []

    def find_sparsity(self, updates: int) -> float:
        """The share of zeros after so many updates."""
        share = min(max((updates - self.begin) / (self.end - self.begin), 0.0), 1.0)
        return self.sparsity * (1.0 - (1.0 - share) ** 3)

    def on_train_begin(self, logs=None):
        """Takes up the masks that the kernels show; before the first choice, kernels of zeros may learn.

        Raises:
          ValueError: the optimizer has made the updates that pruning takes, and the kernels are not sparse.
        """
        self._kernels = find_kernels(self.model if self.networks is None else self.networks)
        kernels, updates = [read(kernel.variable) for kernel in self._kernels], self._count_updates()
        zeros = sum(np.sum(kernel == 0) for kernel in kernels)
        if updates >= self.end and zeros < round(self.sparsity * sum(kernel.size for kernel in kernels)):
            raise ValueError(
                f"end={self.end}: the optimizer has made {updates} updates already, and nothing would be pruned: add "
                "them to begin and end, or compile the model anew"
            )
        is_chosen = updates >= min(self.end, (self.begin // self.every + 1) * self.every)
        self._masks = [
            keras.Variable((kernel != 0) if is_chosen else np.ones_like(kernel), dtype="bool", trainable=False)
            for kernel in kernels
        ]

    def _count_updates(self) -> int:
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))

    def on_train_batch_end(self, batch, logs=None):
        """Chooses anew which numbers are 0, if it is time, and sets them to it."""
        updates = self._count_updates()
        if self.begin < updates <= self.end and (updates % self.every == 0 or updates == self.end):
            masks = choose_largest([read(kernel.variable) for kernel in self._kernels], self.find_sparsity(updates))
            for mask, chosen in zip(self._masks, masks, strict=True):
                mask.assign(chosen)
        for kernel, mask in zip(self._kernels, self._masks, strict=True):
            variable = kernel.variable
            variable.assign(keras.ops.where(mask.value, variable.value, keras.ops.zeros_like(variable.value)))

    def on_epoch_end(self, epoch, logs=None):
        """Reports the share of zeros as `sparsity`."""
        if logs is not None:
            logs["sparsity"] = measure_sparsity([kernel.layer for kernel in self._kernels])


def choose_largest(kernels: list[np.ndarray], sparsity: float) -> list[np.ndarray]:
    """Which numbers stay where a share goes, of all kernels together: a mask for each.

    A number counts by the share of its square in that of all of its kernel that are not smaller (Lee et al.,
    "Layer-adaptive Sparsity for the Magnitude-based Pruning" (2021), equation 4): large kernels lose most, small ones,
    such as the last layer's, little. The largest number of each always stays.
    """
    flat = np.concatenate([_score(kernel.ravel()) for kernel in kernels])
    is_kept = np.ones(len(flat), bool)
    is_kept[np.argsort(flat, kind="stable")[: round(sparsity * len(flat))]] = False
    ends = np.cumsum([kernel.size for kernel in kernels])[:-1]
    return [mask.reshape(kernel.shape) for mask, kernel in zip(np.split(is_kept, ends), kernels, strict=True)]


def _score(numbers: np.ndarray) -> np.ndarray:
    order = np.argsort(np.abs(numbers), kind="stable")
    squares = np.square(numbers[order].astype(np.float64))
    remaining = np.cumsum(squares[::-1])[::-1]  # of this one and all that are larger
    scores = np.empty(len(numbers))
    scores[order] = squares / np.maximum(remaining, 1e-300)
    return scores


def sparsify(networks, sparsity: float) -> None:
    """Sets the smallest numbers of the kernels to 0 at once, see `MagnitudePruning`."""
    kernels = [kernel.variable for kernel in find_kernels(networks)]
    for variable, mask in zip(kernels, choose_largest([read(one) for one in kernels], sparsity), strict=True):
        variable.assign(np.where(mask, read(variable), 0.0))


def measure_sparsity(networks) -> float:
    """The share of zeros in the kernels of a network, in [0, 1]."""
    kernels = [read(kernel.variable) for kernel in find_kernels(networks)]
    return float(sum(np.sum(kernel == 0) for kernel in kernels) / sum(kernel.size for kernel in kernels))
