"""Networks of `keras.applications` with their ImageNet weights, downloaded once by Keras."""

import socket

import keras

from .weights import DOWNLOAD_TIMEOUT, WeightsError, reason


def download_application(name: str) -> keras.Model:
    """A network without its top, as `keras.applications` calls it: "VGG16", "InceptionV3".

    Raises:
      WeightsError: its weights cannot be downloaded.
    """
    before = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)  # Keras sets none: a silent firewall would hold us for minutes
        return getattr(keras.applications, name)(weights="imagenet", include_top=False)
    except Exception as error:  # Keras raises a plain Exception
        raise WeightsError(
            f"the ImageNet weights of {name.lower()} cannot be downloaded: give a weights file ({reason(error)})"
        ) from error
    finally:
        socket.setdefaulttimeout(before)
