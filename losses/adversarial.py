"""What a discriminator and the autoencoder that it judges minimise.

Logits are one number for a picture, [B, 1], or a map of them, [B, h, w, 1], each cell judging its patch (Isola et al.,
"Image-to-Image Translation with Conditional Adversarial Networks" (2017), section 3.2.2); a map's losses are averaged.
A positive logit says "real". Every loss is float32 [B].
"""

from collections.abc import Callable

import tensorflow as tf


class AdversarialLoss:
    """What both players minimise.

    A subclass says what the discriminator pays for real pictures, what for fake ones, and what the generator pays.
    """

    def real(self, logits):
        """What the discriminator pays for its judgement of real pictures: [B, ...] -> [B]."""
        raise NotImplementedError

    def fake(self, logits):
        """What the discriminator pays for its judgement of fake pictures: [B, ...] -> [B]."""
        raise NotImplementedError

    def generator(self, fake_logits):
        """What the generator pays for the judgement of its pictures: [B, ...] -> [B]."""
        raise NotImplementedError

    def discriminator(self, real_logits, fake_logits):
        """All that the discriminator pays: two [B, ...] -> [B]."""
        return self.real(real_logits) + self.fake(fake_logits)


class BinaryCrossEntropy(AdversarialLoss):
    """Cross-entropy of real and fake, the generator's in the form that does not saturate.

    Goodfellow et al., "Generative Adversarial Nets" (2014), equation 1, and the end of section 3. A discriminator that
    cannot tell pays ln 2 for each kind of picture.
    """

    def real(self, logits):
        return _average(tf.math.softplus(-_float32(logits)))

    def fake(self, logits):
        return _average(tf.math.softplus(_float32(logits)))

    def generator(self, fake_logits):
        return self.real(fake_logits)


class Hinge(AdversarialLoss):
    """The discriminator pays for what is not beyond a margin of 1; the generator pays the negative logit.

    Lim and Ye, "Geometric GAN" (2017), equations 12 and 13. A discriminator that cannot tell pays 1 for each kind of
    picture.
    """

    def real(self, logits):
        return _average(tf.nn.relu(1.0 - _float32(logits)))

    def fake(self, logits):
        return _average(tf.nn.relu(1.0 + _float32(logits)))

    def generator(self, fake_logits):
        return -_average(_float32(fake_logits))


ADVERSARIAL_LOSSES: dict[str, AdversarialLoss] = {"bce": BinaryCrossEntropy(), "hinge": Hinge()}


class AdversarialTerm:
    """What the generator pays for `outputs["fake_logits"]`, [B].

    >>> AdversarialTerm(ADVERSARIAL_LOSSES["hinge"])({}, {"fake_logits": tf.constant([[0.5]])}).numpy().tolist()
    [-0.5]

    Args:
      loss: one of `ADVERSARIAL_LOSSES`.
    """

    def __init__(self, loss: AdversarialLoss):
        self.loss = loss

    def __call__(self, batch, outputs):
        return self.loss.generator(outputs["fake_logits"])


class FeatureMatching:
    """Distance of picture and reconstruction in the discriminator's features, [B].

    Larsen et al., "Autoencoding beyond pixels using a learned similarity metric" (2016), equations 7 and 8, with a
    fixed variance: the mean over layers of the mean squared difference of `outputs["real_features"]`, which get no
    gradient, and `outputs["fake_features"]`, both lists of [B, ...]. Each layer is divided by the mean square of the
    example's real features, so that neither the size of the features, which grows as the discriminator learns, nor the
    width of a layer changes the balance; 1 means as far from the picture as no features at all.

    >>> outputs = {"real_features": [tf.ones((1, 4))], "fake_features": [tf.zeros((1, 4))]}
    >>> FeatureMatching(epsilon=0.0)({}, outputs).numpy().tolist()
    [1.0]

    Args:
      epsilon: added to the mean square.
    """

    def __init__(self, epsilon: float = 1e-6):
        self.epsilon = epsilon

    def __call__(self, batch, outputs):
        layers = zip(outputs["real_features"], outputs["fake_features"], strict=True)
        return tf.reduce_mean(tf.stack([self._distance(*features) for features in layers]), axis=0)

    def _distance(self, real, fake):
        real, fake = tf.stop_gradient(_float32(real)), _float32(fake)
        error = _average(tf.math.squared_difference(real, fake))
        return error / (_average(tf.square(real)) + self.epsilon)


def r1_penalty(judge: Callable, images):
    """`|grad_x D(x)|^2 / 2` of real pictures: float32 [B, H, W, C] -> [B].

    Mescheder, Geiger, Nowozin, "Which Training Methods for GANs do actually Converge?" (2018), equation 9. It needs a
    discriminator that looks at each picture alone, without batch normalisation.

    >>> r1_penalty(lambda images: 2.0 * images[:, :1, :1, :1], tf.zeros((1, 4, 4, 3))).numpy().tolist()
    [2.0]

    Args:
      judge: D, pictures -> logits [B, ...]; a map of logits is averaged for each picture.
      images: x.
    """
    images = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = tf.reduce_sum(_average(_float32(judge(images))))
    return tf.reduce_sum(tf.square(_float32(tape.gradient(logits, images))), axis=(1, 2, 3)) / 2.0


def _float32(values):
    return tf.cast(values, tf.float32)


def _average(values):
    """Over all axes but the first: [B, ...] -> [B]."""
    return tf.reduce_mean(values, axis=tuple(range(1, values.shape.rank)))
