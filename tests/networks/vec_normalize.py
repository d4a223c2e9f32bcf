"""What stable-baselines3's VecNormalize keeps."""

import numpy as np


class RunningMeanStd:
    """VecNormalize's statistics (stable-baselines3, running_mean_std.py), written out.

    It begins with `epsilon` observations that there never were; here there are none.
    """

    def __init__(self, shape, epsilon=0.0):
        self.mean, self.var = np.zeros(shape), np.ones(shape)
        self.count = epsilon

    def update(self, batch):
        self._update(batch.mean(axis=0), batch.var(axis=0), len(batch))

    def _update(self, batch_mean, batch_var, batch_count):
        delta = batch_mean - self.mean
        total = self.count + batch_count
        m_2 = (
            self.var * self.count
            + batch_var * batch_count
            + np.square(delta) * self.count * batch_count / total
        )
        self.mean = self.mean + delta * batch_count / total
        self.var = m_2 / total
        self.count = total
