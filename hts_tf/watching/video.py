"""Videos of episodes: pictures with a caption, written as mp4 or GIF."""

import io
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hts_tf import errors, seeding
from hts_tf.environments import base
from hts_tf.files import archive
from hts_tf.system import whole
from hts_tf.watching import playback

SUFFIXES = (".mp4", ".gif")
FPS = 10.0  # env steps per second: those of football

_CAPTION_HEIGHT = 80  # pixels
_MARGIN = 32
_BACKGROUND = (16, 26, 22)
_TEXT = (240, 245, 242)
_FAINT = (160, 178, 169)
_HIGHLIGHT = (240, 228, 66)
_GIF_WIDTH = 640  # pixels
_HOLD_SEC = 1.5  # how long the last frame stays


def frames(
    environment: base.Watched, moments: Iterable[playback.Moment], record: archive.Record
) -> Iterator[Image.Image]:
    """Yields a frame of each moment.

    Args:
      environment: whose moments they are; its picture is taken as each one comes.
      moments: see `playback.Playback`.
      record: of the episode.
    """
    for moment in moments:
        picture = environment.picture()
        frame = Image.new(
            "RGB", (picture.width, picture.height + _CAPTION_HEIGHT), color=_BACKGROUND
        )
        frame.paste(picture, (0, _CAPTION_HEIGHT))
        action = "" if moment.action is None else environment.action_names[moment.action]
        _write_caption(frame, environment.title, record, moment, action)
        yield frame


def name(record: archive.Record) -> str:
    """Returns which episode a record is of."""
    if seeding.is_evaluation(record.seed):
        return f"evaluation episode {record.episode}"
    return f"env {record.slot}, its episode {record.episode}, update {record.update}"


def _write_caption(
    frame: Image.Image, title: str, record: archive.Record, moment: playback.Moment, action: str
) -> None:
    pencil = ImageDraw.Draw(frame)
    large, small = (ImageFont.load_default(size=size) for size in (26, 19))
    top, bottom = 26, 57
    middle, right = frame.width * 0.58, frame.width - _MARGIN
    score_color = _HIGHLIGHT if moment.gained else _TEXT
    ending = f" ({moment.ending})" if moment.ending else ""
    pencil.text((_MARGIN, top), title, _TEXT, large, anchor="lm")
    pencil.text((_MARGIN, bottom), name(record), _FAINT, small, anchor="lm")
    pencil.text((middle, top), action.replace("_", " "), _TEXT, large, anchor="mm")
    step = f"step {moment.step} of {record.length}{ending}"
    pencil.text((middle, bottom), step, _FAINT, small, anchor="mm")
    pencil.text((right, top), f"score {moment.score:g}", score_color, large, anchor="rm")
    episode_return = f"return {moment.episode_return:.2f}"
    pencil.text((right, bottom), episode_return, _FAINT, small, anchor="rm")


def write(path: Path, pictures: Iterable[Image.Image], fps: float) -> None:
    """Writes a video; the last frame stays for a while.

    Args:
      path: ends in .mp4 (H.264, as browsers play it) or .gif (smaller, 640 pixels wide).
      pictures: the frames, all of one size; at least one. An mp4 is made as they come.
      fps: frames per second.

    Raises:
      ConfigError: the path ends otherwise, cannot be written, or mp4 cannot be written here.
    """
    check(path)
    with whole.refusing("the video"):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = gif(pictures, fps)[0] if path.suffix == ".gif" else _mp4(pictures, fps)
        whole.write(path, content)


def check(path: Path) -> None:
    """Raises: ConfigError: no video can be written to a path, as far as its name tells."""
    if path.suffix not in SUFFIXES:
        raise errors.ConfigError(f"--output={path} must end in {' or '.join(SUFFIXES)}")
    if path.suffix == ".mp4":
        try:
            import imageio_ffmpeg  # noqa: F401  with a whole ffmpeg inside
        except ImportError:
            raise errors.ConfigError(
                "mp4 needs the package imageio-ffmpeg (extra 'video'); or --output=FILE.gif"
            ) from None


def gif(pictures: Iterable[Image.Image], fps: float) -> tuple[bytes, tuple[int, int]]:
    """Returns an animated GIF that repeats forever, and its (width, height) in pixels."""
    small = []
    for picture in pictures:
        size = _GIF_WIDTH, round(picture.height * _GIF_WIDTH / picture.width)
        resized = picture.resize(size, Image.Resampling.LANCZOS)
        # One palette for all of them: what does not move stays the same, and takes no space.
        small.append(
            resized.quantize(palette=small[0], dither=Image.Dither.NONE)
            if small
            else resized.quantize(128, Image.Quantize.MAXCOVERAGE)  # players are few pixels
        )
    content = io.BytesIO()
    durations = [1000 / fps] * (len(small) - 1) + [1000 * _HOLD_SEC]
    small[0].save(
        content, "GIF", save_all=True, append_images=small[1:], duration=durations, loop=0
    )
    return content.getvalue(), small[0].size


def _mp4(pictures: Iterable[Image.Image], fps: float) -> bytes:
    import imageio_ffmpeg

    pictures = iter(pictures)
    first = next(pictures)
    # Into memory: of a full disk, ffmpeg would not tell.
    with os.fdopen(os.memfd_create("mp4"), "rb") as file:
        writer = imageio_ffmpeg.write_frames(
            f"/proc/{os.getpid()}/fd/{file.fileno()}",
            first.size,
            fps=fps,
            codec="libx264",
            quality=8,
            macro_block_size=2,  # odd sizes are scaled by a pixel, no others
            ffmpeg_log_level="error",
            # The index comes first: it plays before all of it has arrived.
            output_params=["-movflags", "+faststart", "-f", "mp4"],
        )
        writer.send(None)
        try:
            for picture in itertools.chain([first], pictures):
                last = np.asarray(picture).tobytes()
                writer.send(last)
            for _ in range(round(_HOLD_SEC * fps)):
                writer.send(last)
        finally:
            writer.close()
        return file.read()
