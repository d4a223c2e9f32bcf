"""What pixel maps stand for."""

import numpy as np


def to_dense(spec, encoded):
    """Decodes positions [frames, pixels] into an image, the slow and obvious way.

    Returns [height, width, channels] float32 of zeros and ones.
    """
    height, width, channels = spec.dense_shape
    image = np.zeros((height * width, channels), np.float32)
    planes_per_frame = channels // spec.frames
    for frame, positions in enumerate(encoded):
        for plane, position in zip(spec.planes, positions, strict=True):
            if position != spec.NO_PIXEL:
                image[position, frame * planes_per_frame + plane] = 1.0
    return image.reshape(height, width, channels)
