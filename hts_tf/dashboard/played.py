"""Plays an episode of a run again, and writes all that there is to see of it as JSON.

Of football, where everybody is; of other environments their pictures. Not TensorFlow: see `replay`.
"""

import base64
import io
import json
from typing import Any

import numpy as np
from PIL import Image

from hts_tf.dashboard import chosen
from hts_tf.environments import base
from hts_tf.environments.football.view import FootballView
from hts_tf.system import child, command
from hts_tf.watching import playback, video

_LARGEST = 480, 360  # pixels of a picture


def play() -> None:
    """Plays, and writes.

    Raises:
      ConfigError: there is no such episode, or nothing to see of it.
    """
    answers = child.answer_channel()
    record, environment = chosen.find()
    player = base.watched(environment)
    try:
        playing = playback.Playback(player, environment.spec, record)
        steps = [_step(player, moment) for moment in playing]
        told = {
            "title": player.title,
            "fps": video.fps(player),
            "against": record.against,
            "seed": record.seed,
            "differs": playing.disagreements(),
            "steps": steps,
        }
    finally:
        player.close()
    print(json.dumps(told), file=answers, flush=True)


def _step(player: base.Watched, moment: playback.Moment) -> dict[str, Any]:
    told = {
        "action": "" if moment.action is None else _doing(player, moment.action),
        "score": moment.score,
        "return": moment.episode_return,
        "ending": moment.ending,
    }
    if isinstance(player, FootballView):
        return {**told, "scene": player.scene()._asdict()}
    picture = player.picture().convert("RGB")
    picture.thumbnail(_LARGEST, Image.Resampling.LANCZOS)
    content = io.BytesIO()
    picture.save(content, "WEBP", quality=80)
    return {**told, "picture": base64.b64encode(content.getvalue()).decode()}


def _doing(player: base.Watched, action: Any) -> str:
    if isinstance(player, FootballView) and np.ndim(action):  # each by the number on the shirt
        return ", ".join(f"{doing.number} {doing.action}" for doing in player.doings())
    return player.action_name(action).replace("_", " ")


if __name__ == "__main__":
    command.run(play)
