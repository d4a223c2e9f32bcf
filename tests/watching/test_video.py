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
    fps = None

    def __init__(self, size=(500, 100), action="turn_up"):
        self.brightness = 0
        self.size = size
        self.action = action

    def picture(self):
        return Image.new("RGB", self.size, (self.brightness,) * 3)

    def action_name(self, action):
        return self.action


def moments(show, count):
    for step in range(count):
        show.brightness = 20 * step
        yield Moment(step, 1 if step else None, 0.0, 0.0, 0.0, "")


def show_frames(count, show=None, against=""):
    show = show or Show()
    record = Record(1, 2, 4, 5, 0.0, 0.0, bytes(count - 1), against=against)
    return list(video.frames(show, moments(show, count), record))


def test_a_frame_is_the_picture_of_its_moment_under_a_caption():
    frames = show_frames(4)
    assert len(frames) == 4
    for step, frame in enumerate(frames):
        caption_height = frame.height - 100
        picture = frame.crop((0, caption_height, 500, frame.height))
        assert picture.getextrema() == ((20 * step, 20 * step),) * 3
        caption = frame.crop((0, 0, 500, caption_height)).convert("L")
        low, high = caption.getextrema()
        assert low < 50, "dark ground"
        assert high > 200, "light letters"
    captions = [frame.crop((0, 0, 500, caption_height)).tobytes() for frame in frames]
    assert len(set(captions)) == 4, "the step is in it"


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((160, 210), (480, 630)),
        ((64, 64), (512, 512)),
        ((480, 480), (480, 480)),
        ((1, 1), (480,) * 2),
    ],
)
def test_small_pictures_are_enlarged_by_whole_factors(size, shown):
    width, height = shown
    (frame,) = show_frames(1, Show(size))
    assert (frame.width, frame.height - 80) == (width, height)


@pytest.mark.parametrize("action", ["", "up", "-0.25 1.00 -1.00 0.31 0.07 -0.66"])
@pytest.mark.parametrize("title", ["a show", "ALE/ElevatorAction-v5"])
@pytest.mark.parametrize("against", ["", "update 1,200", "runs/" + 9 * "long/" + "name@400"])
def test_texts_of_a_caption_do_not_touch(action, title, against):
    show = Show((160, 210) if not against else (944, 640), action)
    show.title = title
    frame = show_frames(2, show, against)[1]
    upper = frame.crop((0, 10, frame.width, 42)).convert("L")
    dark = [upper.crop((x, 0, x + 1, 32)).getextrema()[1] < 40 for x in range(frame.width)]
    # Stretches without letters as wide as between texts, and the margins.
    gaps = "".join("x" if is_dark else " " for is_dark in dark).split()
    assert sum(len(gap) >= 14 for gap in gaps) >= (4 if action else 3)


def test_a_caption_says_whom_the_policy_plays_against():
    captions = {
        show_frames(1, against=name)[0].crop((0, 0, 500, 40)).tobytes()
        for name in ("", "itself", "update 400")
    }
    assert len(captions) == 3


def test_fps_are_the_environments_within_limits():
    show = Show()
    assert video.fps(show) == 10
    for show.fps, expected in [(50, 50), (1000, 100), (0.1, 1)]:
        assert video.fps(show) == expected


def test_names():
    assert video.name(Record(1, 2, 4, 5, 0.0, 0.0, b"")) == "env 1, its episode 2, update 6"
    assert video.name(Record(0, 2, 5, 0, 0.0, 0.0, b"")) == "evaluation episode 2"


def test_gif_plays_every_frame_and_holds_the_last():
    image = Image.open(io.BytesIO(video.gif(show_frames(5), fps=20)))
    assert image.width == min(next(iter(show_frames(1))).width, video._GIF_WIDTH)
    assert image.n_frames == 5
    durations = []
    for number in range(5):
        image.seek(number)
        durations.append(image.info["duration"])
    assert durations[:-1] == [50] * 4
    assert durations[-1] >= 1000
    assert image.info["loop"] == 0, "forever"


def test_gif_of_many_frames_leaves_some_out_but_takes_as_long(monkeypatch):
    monkeypatch.setattr(video, "_GIF_FRAMES", 4)
    content = video.gif(show_frames(12), fps=20)
    image = Image.open(io.BytesIO(content))
    shown, durations = [], []
    for number in range(image.n_frames):
        image.seek(number)
        durations.append(image.info["duration"])
        shown.append(image.convert("L").getpixel((250, image.height - 50)))
    assert shown == pytest.approx([0, 80, 160, 220], abs=6), "steps 0, 4, 8 and the last"
    assert durations[:-1] == [200] * 3


@pytest.mark.parametrize("fps", [12, 30, 50, 60, 67, 100])
def test_gif_takes_as_long_as_it_says_and_no_frame_is_too_short_for_browsers(fps):
    image = Image.open(io.BytesIO(video.gif(show_frames(31), fps)))
    durations = []
    for number in range(image.n_frames - 1):
        image.seek(number)
        durations.append(image.info["duration"])
    assert min(durations) >= 20
    assert sum(durations) == pytest.approx(1000 * 30 / fps, abs=20)


def test_gif_has_the_colours_that_come_later():
    colors = [(0, 0, 0), (220, 40, 40), (40, 220, 40), (0, 0, 0), (40, 40, 220)]
    pictures = [Image.new("RGB", (480, 300)) for _ in colors]
    for picture, color in zip(pictures, colors, strict=True):
        picture.paste(color, (200, 100, 210, 110))
    image = Image.open(io.BytesIO(video.gif(pictures, fps=10)))
    for number, color in enumerate(colors):
        image.seek(number)
        assert image.convert("RGB").getpixel((205, 105)) == pytest.approx(color, abs=16)


def test_gif_of_one_frame():
    content = video.gif(show_frames(1), fps=10)
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
        middle = shown[number].getpixel((250, frames[0].height - 50))
        assert middle == pytest.approx((20 * number,) * 3, abs=6)


@pytest.mark.parametrize("name", ["video", "video.avi", "video.MP4x"])
def test_other_suffixes_are_refused(tmp_path, name):
    with pytest.raises(errors.ConfigError, match=r"must end in \.mp4 or \.gif"):
        video.write(tmp_path / name, [], fps=10)


def test_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.ConfigError, match="cannot be written"):
        video.write(tmp_path / "file" / "video.gif", show_frames(1), fps=10)


def test_an_unwritable_place_is_refused_before_pictures_are_made(tmp_path):
    path = tmp_path / "video.gif"
    path.mkdir()
    pictures = iter(show_frames(1))
    with pytest.raises(errors.ConfigError, match="the video cannot be written"):
        video.write(path, pictures, fps=10)
    assert len(list(pictures)) == 1


def test_what_fails_while_pictures_are_made_is_no_matter_of_the_video(tmp_path):
    def pictures():
        yield Image.new("RGB", (64, 64))
        raise ConnectionResetError("of the simulator")

    for name in ("a.gif", "a.mp4"):
        with pytest.raises(ConnectionResetError, match="of the simulator"):
            video.write(tmp_path / name, pictures(), 10.0)


def test_an_ffmpeg_that_dies_is_one_line(tmp_path, monkeypatch):
    def dying(*_, **__):
        yield
        yield
        raise OSError("[Errno 32] Broken pipe\n\nFFMPEG COMMAND:\n...")

    monkeypatch.setattr(pytest.importorskip("imageio_ffmpeg"), "write_frames", dying)
    with pytest.raises(errors.RunError, match=r"ffmpeg has failed: .*Broken pipe") as raised:
        video.write(tmp_path / "show.mp4", show_frames(6), fps=10)
    assert len(str(raised.value).splitlines()) == 1


def test_a_full_disk_leaves_the_video_before(tmp_path):
    path = tmp_path / "show.gif"
    path.write_bytes(b"before")
    with room_for(100), pytest.raises(OSError, match=str(path)):
        video.write(path, show_frames(3), fps=10)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
