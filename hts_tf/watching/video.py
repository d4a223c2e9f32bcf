"""Videos of episodes: pictures with a caption, written as mp4 or GIF."""

import io
import itertools
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hts_tf import errors, seeding
from hts_tf.environments import base
from hts_tf.files import archive
from hts_tf.system import installation, outputs, whole
from hts_tf.watching import playback

SUFFIXES = (".mp4", ".gif")
FPS = 10.0  # env steps per second, where an environment does not say which look natural
FPS_RANGE = 1.0, 100.0

_CAPTION_HEIGHT = 80  # pixels
_MARGIN = 32
_BACKGROUND = (16, 26, 22)
_TEXT = (240, 245, 242)
_FAINT = (160, 178, 169)
_HIGHLIGHT = (240, 228, 66)
_GIF_WIDTH = 640  # pixels, at most
_GIF_FRAMES = 1000  # at most
_GIF_FPS = 50.0  # at most: browsers show what is faster at a tenth of that
_OTHER_COLOR, _HARDLY = 64, 1e-4  # of 255; of all pixels
_LEAST_WIDTH = 480  # of a picture: smaller ones are scaled up
_SIZES = 26, 19  # of the letters, where they find room
_SMALLEST = 9
_NAME_LENGTH = 40  # of who is played against, at most: of a path, the end says most
_GAP = 16  # between texts
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
        picture = _enlarged(environment.picture())
        frame = Image.new(
            "RGB", (picture.width, picture.height + _CAPTION_HEIGHT), color=_BACKGROUND
        )
        frame.paste(picture, (0, _CAPTION_HEIGHT))
        action = "" if moment.action is None else environment.action_name(moment.action)
        _write_caption(frame, environment.title, record, moment, action)
        yield frame


def fps(environment: base.Watched) -> float:
    """Returns how many env steps a second show an environment as it is meant to be seen."""
    low, high = FPS_RANGE
    return min(max(environment.fps or FPS, low), high)


def _enlarged(picture: Image.Image) -> Image.Image:
    """Returns a picture on which there is room for a caption, each pixel a square of pixels."""
    factor = -(-_LEAST_WIDTH // picture.width)
    if factor == 1:
        return picture
    size = picture.width * factor, picture.height * factor
    return picture.resize(size, Image.Resampling.NEAREST)


def name(record: archive.Record) -> str:
    """Returns which episode a record is of."""
    if seeding.is_evaluation(record.seed):
        return f"evaluation episode {record.episode}"
    return f"env {record.env}, its episode {record.episode}, update {record.update}"


def _write_caption(
    frame: Image.Image, title: str, record: archive.Record, moment: playback.Moment, action: str
) -> None:
    pencil = ImageDraw.Draw(frame)
    ending = f" ({moment.ending})" if moment.ending else ""
    step = f"step {moment.step} of {record.length}{ending}"
    score_color = _HIGHLIGHT if moment.gained else _TEXT
    if record.against:
        title = f"{title} against {_shortened(record.against)}"
    upper = title, action.replace("_", " "), f"score {_short(moment.score)}"
    lower = name(record), step, f"return {moment.episode_return:.2f}"
    _write_line(pencil, frame.width, 26, _SIZES[0], upper, (_TEXT, _TEXT, score_color))
    _write_line(pencil, frame.width, 57, _SIZES[1], lower, (_FAINT,) * 3)


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME_LENGTH else f"...{name[3 - _NAME_LENGTH :]}"


def _short(score: float) -> str:
    return f"{score:.0f}" if score == round(score) else f"{score:.2f}"


def _write_line(
    pencil: ImageDraw.ImageDraw,
    width: int,
    height: int,
    size: int,
    texts: tuple[str, str, str],
    colors: tuple[tuple[int, int, int], ...],
) -> None:
    """Writes texts on the left, in the middle and on the right, in smaller letters if need be."""
    margin = min(_MARGIN, width // 30)
    middle, right = width * 0.58, width - margin
    while True:
        font = ImageFont.load_default(size=size)
        lengths = [font.getlength(text) for text in texts]
        half = lengths[1] / 2
        # The middle one moves aside, where it has no room in its place.
        least, most = margin + lengths[0] + _GAP + half, right - lengths[2] - _GAP - half
        if least <= most or size <= _SMALLEST:
            break
        size -= 1
    middle = max(min(middle, most), least)
    for text, color, place, anchor in zip(
        texts, colors, (margin, middle, right), ("lm", "mm", "rm"), strict=True
    ):
        pencil.text((place, height), text, color, font, anchor=anchor)


def write(path: Path, pictures: Iterable[Image.Image], fps: float) -> None:
    """Writes a video; the last frame stays for a while.

    Args:
      path: ends in .mp4 (H.264, as browsers play it) or .gif (smaller, at most 640 pixels wide).
      pictures: the frames, all of one size; at least one. An mp4 is made as they come.
      fps: frames per second.

    Raises:
      ConfigError: the path ends otherwise, cannot be written, or mp4 cannot be written here.
      RunError: ffmpeg has failed.
    """
    check(path)
    outputs.prepare(path, "the video")  # refused now rather than after all pictures
    content = gif(pictures, fps) if path.suffix == ".gif" else _mp4(pictures, fps)
    with whole.refusing("the video"):
        whole.write(path, content)


def check(path: Path) -> None:
    """Raises: ConfigError: no video can be written to a path, as far as its name tells."""
    if path.suffix not in SUFFIXES:
        raise errors.ConfigError(f"--output={path} must end in {' or '.join(SUFFIXES)}")
    if path.suffix == ".mp4":
        with installation.needing("video", f"{path.name} (a name that ends in .gif does not)"):
            import imageio_ffmpeg  # noqa: F401  with a whole ffmpeg inside


def gif(pictures: Iterable[Image.Image], fps: float) -> bytes:
    """Returns an animated GIF that repeats forever.

    Of pictures that are too many, or follow each other faster than browsers show them, it has every
    second, or third, ..., for as long as these: at most 1000.
    """
    small: list[Image.Image] = []
    stride, last = math.ceil(fps / _GIF_FPS), None
    for number, picture in enumerate(pictures):
        last = picture
        if number % stride == 0:
            small.append(_small(picture, small))
            if len(small) > _GIF_FRAMES:
                del small[1::2]
                stride *= 2
    if number % stride:
        small.append(_small(last, small))
    content = io.BytesIO()
    # In whole hundredths of a second, as GIFs have it, of which none is lost.
    ends = np.round(100 * stride / fps * np.arange(len(small)))
    durations = [*(10 * np.diff(ends)).tolist(), 1000 * _HOLD_SEC]
    small[0].save(
        content, "GIF", save_all=True, append_images=small[1:], duration=durations, loop=0
    )
    return content.getvalue()


def _small(picture: Image.Image, others: list[Image.Image]) -> Image.Image:
    width = min(picture.width, _GIF_WIDTH)
    size = width, round(picture.height * width / picture.width)
    resized = picture.resize(size, Image.Resampling.LANCZOS)
    # One palette for many of them: what does not move stays the same, and takes no space.
    if others:
        found = resized.quantize(palette=others[-1], dither=Image.Dither.NONE)
        if _looks_like(found, resized):
            return found
    return resized.quantize(128, Image.Quantize.MAXCOVERAGE)  # players are few pixels


def _looks_like(found: Image.Image, picture: Image.Image) -> bool:
    """Returns whether hardly a pixel of a quantized picture has quite another colour."""
    difference = np.abs(np.asarray(found.convert("RGB"), int) - np.asarray(picture, int))
    return np.mean(difference.max(axis=-1) > _OTHER_COLOR) < _HARDLY


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

        def send(picture: bytes | None) -> None:
            try:
                writer.send(picture)
            except OSError as error:
                reason = errors.in_a_line(error)
                raise errors.RunError(f"the video: ffmpeg has failed: {reason}") from error

        send(None)
        try:
            for picture in itertools.chain([first], pictures):
                last = np.asarray(picture).tobytes()
                send(last)
            for _ in range(round(_HOLD_SEC * fps)):
                send(last)
        finally:
            writer.close()
        return file.read()
