import io

import pytest
from PIL import Image

from hts_tf import errors
from hts_tf.files.archive import Record
from hts_tf.watching import video
from hts_tf.watching.playback import Moment
from tests.full_disk import room_for


class Show:
    """Something to watch: a picture that gets brighter."""

    title = "a show"
    action_names = ("wait", "turn_up")

    def __init__(self):
        self.brightness = 0

    def picture(self):
        return Image.new("RGB", (320, 100), (self.brightness,) * 3)


def moments(show, count):
    for step in range(count):
        show.brightness = 20 * step
        yield Moment(step, 1 if step else None, 0.0, 0.0, 0.0, "")


def show_frames(count):
    show = Show()
    record = Record(1, 2, 4, 5, 0.0, 0.0, bytes(count - 1))
    return list(video.frames(show, moments(show, count), record))


def test_a_frame_is_the_picture_of_its_moment_under_a_caption():
    frames = show_frames(4)
    assert len(frames) == 4
    for step, frame in enumerate(frames):
        caption_height = frame.height - 100
        picture = frame.crop((0, caption_height, 320, frame.height))
        assert picture.getextrema() == ((20 * step, 20 * step),) * 3
        caption = frame.crop((0, 0, 320, caption_height)).convert("L")
        low, high = caption.getextrema()
        assert low < 50, "dark ground"
        assert high > 200, "light letters"
    captions = [frame.crop((0, 0, 320, caption_height)).tobytes() for frame in frames]
    assert len(set(captions)) == 4, "the step is in it"


def test_names():
    assert video.name(Record(1, 2, 4, 5, 0.0, 0.0, b"")) == "env 1, its episode 2, update 6"
    assert video.name(Record(0, 2, 5, 0, 0.0, 0.0, b"")) == "evaluation episode 2"


def test_gif_plays_every_frame_and_holds_the_last():
    content, size = video.gif(show_frames(5), fps=20)
    image = Image.open(io.BytesIO(content))
    assert image.size == size
    assert image.n_frames == 5
    durations = []
    for number in range(5):
        image.seek(number)
        durations.append(image.info["duration"])
    assert durations[:-1] == [50] * 4
    assert durations[-1] >= 1000
    assert image.info["loop"] == 0, "forever"


def test_gif_of_one_frame():
    content, _ = video.gif(show_frames(1), fps=10)
    assert content.startswith(b"GIF89a")


def test_mp4_is_h264_of_the_pictures(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "new" / "show.mp4"
    frames = show_frames(6)
    video.write(path, frames, fps=10)
    reader = ffmpeg.read_frames(str(path))
    about = next(reader)
    shown = [Image.frombytes("RGB", about["size"], content) for content in reader]
    assert about["codec"] == "h264"
    assert about["pix_fmt"].startswith("yuv420p"), "which browsers play"
    assert about["size"] == frames[0].size
    assert len(shown) > len(frames), "the last one is held"
    for number in (0, 3, 5):
        middle = shown[number].getpixel((160, frames[0].height - 50))
        assert middle == pytest.approx((20 * number,) * 3, abs=6)


@pytest.mark.parametrize("name", ["video", "video.avi", "video.MP4x"])
def test_other_suffixes_are_refused(tmp_path, name):
    with pytest.raises(errors.ConfigError, match=r"must end in \.mp4 or \.gif"):
        video.write(tmp_path / name, [], fps=10)


def test_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.ConfigError, match="cannot be written"):
        video.write(tmp_path / "file" / "video.gif", show_frames(1), fps=10)


def test_a_full_disk_leaves_the_video_before(tmp_path):
    path = tmp_path / "show.gif"
    path.write_bytes(b"before")
    with room_for(100), pytest.raises(OSError, match=str(path)):
        video.write(path, show_frames(3), fps=10)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
