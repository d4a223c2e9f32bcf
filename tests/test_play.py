"""A person plays: keys go in, pictures come out, in a real (pseudo) terminal."""

import os
import re
import signal

import pyte
import pytest

from tests import command_line, pseudo_terminal, refusals
from tests.command_line import SMALL_FOOTBALL

COLUMNS, LINES = 90, 40
SPEED = "--fps=200"

pytestmark = pytest.mark.slow


class Player:
    """Types into a command's terminal, and looks at its screen."""

    def __init__(self, *flags):
        self._process, self._terminal = pseudo_terminal.start(
            "hts_tf.play", flags, COLUMNS, LINES, without=("DISPLAY", "WAYLAND_DISPLAY")
        )
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""

    @property
    def text(self):
        return "\n".join(self.screen.display)

    def wait_for(self, pattern):
        while not (found := re.search(pattern, self.text)):
            assert self._look(), self.text
        return found

    def press(self, keys):
        os.write(self._terminal, keys.encode())

    def interrupt(self):
        self._process.send_signal(signal.SIGINT)

    def end(self):
        while self._look():
            pass
        os.close(self._terminal)
        return self._process.wait()

    def _look(self):
        try:
            new = os.read(self._terminal, 65536)
        except OSError:  # nobody has the other end any more
            return False
        self.raw += new
        self._stream.feed(new)
        return True


def colours(screen):
    return {
        (cell.fg, cell.bg)
        for row in screen.buffer.values()
        for cell in row.values()
        if cell.data == "▀"
    }


def test_cartpole():
    """Always to the right: the pole falls soon. Then Escape."""
    player = Player("--scenario=CartPole-v1", SPEED)
    player.wait_for("left: 0   right: 1")
    assert len(colours(player.screen)) > 3
    while "over" not in player.text:
        player.press("\x1b[C")
        player._look()
    score = int(player.wait_for(r"over, score (\d+)")[1])
    assert 7 <= score <= 40
    player.press("x")
    player.wait_for("step 0 ")
    player.press("\x1b")
    assert player.end() == 0
    said = f"episode 0: score {score}, return {score}.00, {score} env steps"
    assert said in player.raw.decode()
    assert b"\x1b[?1049l" in player.raw  # the screen is as it was


def test_football_moves_as_it_is_told():
    player = Player("--scenario=academy_empty_goal_close", SPEED)
    player.wait_for("up: top")
    player.press("\x1b[C")
    player.wait_for(r"step \d+ .* right")
    player.press("p")
    player.press("\x1b[D")
    player.wait_for(r"step \d+ .* left")
    player.interrupt()
    assert player.end() == 130
    assert b"\x1b[?1049l" in player.raw


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("trained")
    players = "--gin_bindings=Football.representation = 'relative'"
    small = "--gin_bindings=ActorCritic.torso = @mlp"
    short = ["--gin_bindings=Trainer.num_envs = 1", "--gin_bindings=Trainer.total_env_steps = 16"]
    command = [f"--workdir={workdir}", *SMALL_FOOTBALL, *short, players, small]
    code, _, errors = command_line.run("hts_tf.train", *command)
    assert code == 0, errors
    return workdir


def test_against_a_policy(trained):
    player = Player(f"--against={trained}", SPEED)
    player.wait_for(r"step [2-9]")
    player.press("\x1b")
    assert player.end() == 0


REFUSED = [
    (["--scenario=synthetic"], "Synthetic has no pictures"),
    (["--scenario=CartPole-v1"], "neither a display (DISPLAY) nor a terminal"),
    (["--scenario=nowhere"], "unknown scenario 'nowhere'"),
    (["--against=nowhere"], "holds no run"),
    *(
        (["--against=nowhere", f"--{flag}=synthetic"], f"--{flag} does not go with --against")
        for flag in ("scenario", "gin_files", "gin_bindings")
    ),
    (
        [
            "--scenario=academy_3_vs_1_with_keeper",
            "--gin_bindings=Football.left_players = 3",
            "--stage=terminal",
        ],
        "it has 3 players, and you are one",
    ),
]


def check_refusal(finished, says):
    code, _, errors = finished
    assert code == 2
    assert says in errors.strip().splitlines()[-1]
    assert "Traceback" not in errors


@pytest.fixture(scope="module")
def refused():
    """What each of these commands comes to."""
    return refusals.of(
        "hts_tf.play",
        "play",
        [flags for flags, _ in REFUSED],
        before="from hts_tf import settings",  # gin is locked once a configuration has been loaded
    )


@pytest.mark.parametrize(("number", "says"), [*enumerate(says for _, says in REFUSED)])
def test_what_cannot_be_played(refused, number, says):
    check_refusal(refused[number], says)


def test_what_has_no_keys():
    """In a process of its own: its renderer may not go together with TensorFlow."""
    finished = command_line.run("hts_tf.play", "--scenario=HalfCheetah-v5")
    check_refusal(finished, "none that a person can play with a keyboard")
