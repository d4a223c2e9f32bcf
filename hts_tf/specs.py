"""What arrays look like: the shapes and types that environments, storages and networks agree on.

Imported by executor processes: numpy only.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np


@dataclasses.dataclass(frozen=True)
class ArraySpec:
    """An array handed over as it is.

    Attributes:
      shape: shape of one observation, without time or batch.
      dtype: numpy dtype name.
      scale: the network multiplies the float32 cast of the array by this.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float = 1.0

    @property
    def nbytes(self) -> int:
        """Bytes of one observation."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclasses.dataclass(frozen=True)
class PixelMapSpec(ArraySpec):
    """A stack of sparse binary images, handed over as the positions of their set pixels.

    One observation is `frames` x `pixels` positions, oldest frame first; a position is
    `y * width + x`, or `NO_PIXEL` where there is none. The pixel in column k lies on plane
    `planes[k]` of its frame, and no plane holds the same position twice, so the dense image
    is the plain sum of its pixels.

    Attributes:
      height: of the image, in pixels.
      width: of the image, in pixels.
      planes: plane index of each of the `pixels` columns of a frame.
    """

    height: int = 0
    width: int = 0
    planes: tuple[int, ...] = ()

    NO_PIXEL = 0xFFFF

    @property
    def frames(self) -> int:
        """How many frames are stacked."""
        return self.shape[0]

    @property
    def dense_shape(self) -> tuple[int, int, int]:
        """Shape [height, width, channels] of the image; channels are frame-major, oldest first."""
        return self.height, self.width, self.frames * (max(self.planes) + 1)

    def to_dense(self, encoded: np.ndarray) -> np.ndarray:
        """Decodes positions into an image, the slow and obvious way.

        Args:
          encoded: [frames, pixels] uint16.

        Returns:
          [height, width, channels] float32 of zeros and ones.
        """
        height, width, channels = self.dense_shape
        image = np.zeros((height * width, channels), np.float32)
        planes_per_frame = channels // self.frames
        for frame, positions in enumerate(encoded):
            for plane, position in zip(self.planes, positions, strict=True):
                if position != self.NO_PIXEL:
                    image[position, frame * planes_per_frame + plane] = 1.0
        return image.reshape(height, width, channels)


@dataclasses.dataclass(frozen=True)
class EnvironmentSpec:
    """What the trainer needs to know of an environment before one exists.

    Attributes:
      observation: of one observation.
      num_actions: actions are the integers 0 to num_actions - 1; at most 256.
      max_episode_steps: no episode lasts longer, in env steps.
    """

    observation: ArraySpec
    num_actions: int
    max_episode_steps: int


class Rollout(NamedTuple):
    """One interval of experience, time-major: T = sync_interval env steps of B environments.

    Attributes:
      observation: [T + 1, B, ...]; row T is where the next interval starts. An episode that ends
        at t is followed by the first observation of the next one at t + 1.
      action: [T, B] uint8.
      logits: [T, B, A] float32, of the behaviour policy's A actions.
      value: [T + 1, B] float32, of the observation, by the behaviour network; row T is the
        bootstrap value.
      reward: [T, B] float32.
      score: [T, B] float32, what is reported as success.
      terminated: [T, B] bool: the episode ended by its rules in step t.
      truncated: [T, B] bool: a time limit ended the episode in step t.
      truncation_value: [T, B] float32: where truncated, the behaviour network's value of the
        episode's own last observation (which is not observation[t + 1]); elsewhere meaningless.
    """

    observation: Any
    action: Any
    logits: Any
    value: Any
    reward: Any
    score: Any
    terminated: Any
    truncated: Any
    truncation_value: Any
