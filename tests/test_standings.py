import csv

import numpy as np
import pytest
from PIL import Image

from hts_tf import errors, standings
from hts_tf.standings import Match

MATCHES = [
    Match(0, 1, wins=3, draws=1, losses=2, goals_for=7.0, goals_against=6.0),
    Match(1, 0, wins=4, draws=2, losses=0, goals_for=5.0, goals_against=1.0),
    Match(0, 2, wins=6, draws=0, losses=0, goals_for=9.0, goals_against=0.0),
]
NAMES = ["a", "b", "c"]


def test_points():
    expected = [[0, 3.5 + 1, 6], [2.5 + 5, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(standings.points(MATCHES, 3), expected)


@pytest.mark.parametrize("matches", [MATCHES, MATCHES[::-1]])
def test_rows(matches):
    table = standings.rows(NAMES, matches)
    assert [row.participant for row in table] == ["b", "a", "c"]
    assert [row[4:] for row in table] == [
        (7.5, 12, 6, 3, 3, 11.0, 8.0),
        (10.5, 18, 9, 3, 6, 17.0, 11.0),
        (0.0, 6, 0, 0, 6, 0.0, 9.0),
    ]
    assert sum(row.rating for row in table) == pytest.approx(0)
    assert all(row.low < row.rating < row.high for row in table)


def test_an_anchor_has_rating_0():
    free, anchored = standings.rows(NAMES, MATCHES), standings.rows(NAMES, MATCHES, anchor=2)
    assert anchored[-1][:4] == ("c", 0.0, 0.0, 0.0)
    for one, other in zip(free, anchored, strict=True):
        assert other.rating == pytest.approx(one.rating - free[-1].rating)


def test_files(tmp_path):
    table = standings.rows(NAMES, MATCHES)
    standings.write_matches(
        tmp_path / "folder" / "cup.v2", NAMES, MATCHES, is_over=True, tournament="x"
    )
    standings.write(tmp_path / "folder" / "cup.v2", table)
    with (tmp_path / "folder" / "cup.v2.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["participant"] for row in rows] == ["b", "a", "c"]
    assert [row["goals_against"] for row in rows] == ["8", "11", "9"]
    assert (tmp_path / "folder" / "cup.v2_matches.csv").read_text().splitlines() == [
        "left,right,wins,draws,losses,goals_for,goals_against",
        "a,b,3,1,2,7,6",
        "b,a,4,2,0,5,1",
        "a,c,6,0,0,9,0",
    ]


def test_a_tournament_before_stays_whole_until_this_one_is_over(tmp_path):
    standings.write_matches(tmp_path / "cup", NAMES, MATCHES, True, "x")
    before = (tmp_path / "cup_matches.csv").read_bytes()
    standings.write_matches(tmp_path / "cup", NAMES, MATCHES[:1], False, "x")
    assert (tmp_path / "cup_matches.csv").read_bytes() == before
    so_far = (tmp_path / "cup_matches_so_far.csv").read_text().splitlines()
    assert so_far[1:] == ["a,b,3,1,2,7.0,6.0,x"]
    standings.write_matches(tmp_path / "cup", NAMES, MATCHES[:2], True, "x")
    assert [path.name for path in tmp_path.iterdir()] == ["cup_matches.csv"]
    assert len((tmp_path / "cup_matches.csv").read_text().splitlines()) == 3


def test_what_was_played_of_a_tournament_is_known_again(tmp_path):
    matches = [MATCHES[0], Match(1, 0, 1, 0, 0, goals_for=0.1 + 0.2, goals_against=1 / 3)]
    standings.write_matches(tmp_path / "cup", NAMES, matches, False, "x")
    assert standings.played(tmp_path / "cup", NAMES, "x") == matches
    assert standings.played(tmp_path / "cup", NAMES, "y") == []
    assert standings.played(tmp_path / "other", NAMES, "x") == []
    for theirs in ("", "left,right\n1,2\n", "left,right,wins,tournament\na,b,many,x\n", "\xff"):
        (tmp_path / "cup_matches_so_far.csv").write_text(theirs, encoding="latin-1")
        assert standings.played(tmp_path / "cup", NAMES, "x") == []


def test_scores_with_many_digits(tmp_path):
    match = Match(0, 1, wins=1, draws=0, losses=0, goals_for=1234567.0, goals_against=12345.678)
    standings.write_matches(tmp_path / "cup", NAMES, [match], True, "x")
    assert (tmp_path / "cup_matches.csv").read_text().endswith("a,b,1,0,0,1234567,12345.678\n")
    assert "1234567:12345.678" in standings.text(standings.rows(NAMES[:2], [match]))


@pytest.mark.parametrize("count", [2, 12])
def test_long_names_leave_room_for_the_ratings(tmp_path, count):
    """The picture grows with the names."""
    for name in ("x", 100 * "x"):
        names = [f"{name}{number}" for number in range(count)]
        matches = [Match(n, (n + 1) % count, 2, 1, 1, 3.0, 2.0) for n in range(count)]
        standings.write(tmp_path / name[:2], standings.rows(names, matches))
    short, long = (Image.open(tmp_path / f"{name}.png").size for name in ("x", "xx"))
    assert long[0] > short[0] + 100 * 6
    assert long[1] == short[1]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    table = standings.rows(NAMES, MATCHES)
    with pytest.raises(errors.ConfigError, match="--output cannot be written"):
        standings.write(tmp_path / "file" / "cup", table)
    with pytest.raises(errors.ConfigError, match="--output cannot be written"):
        standings.write_matches(
            tmp_path / "file" / "cup", NAMES, MATCHES, is_over=False, tournament="x"
        )


def test_what_is_no_tournaments_table_stays(tmp_path):
    """Such as a run's evaluations; a table of an earlier tournament gives way."""
    standings.write(tmp_path / "cup", standings.rows(NAMES, MATCHES))
    standings.check(tmp_path / "cup")
    theirs = tmp_path / "evaluations.csv"
    theirs.write_text("updates,env_steps\n1,2\n")
    with pytest.raises(errors.ConfigError) as raised:
        standings.check(tmp_path / "evaluations")
    assert str(raised.value) == (
        f"--output={tmp_path / 'evaluations'}: {theirs} is there, and no table of a tournament; "
        "take another name"
    )
    theirs.rename(tmp_path / "theirs_matches.csv")
    with pytest.raises(errors.ConfigError, match="and no table of a tournament's matches; take"):
        standings.check(tmp_path / "theirs")
    for ending in (".csv", ".png"):
        with pytest.raises(errors.ConfigError, match=f"leave out the ending {ending}"):
            standings.check(tmp_path / f"new{ending}")
    standings.check(tmp_path / "new")
    standings.check(tmp_path / "new")  # which has left nothing there
    (tmp_path / "new_matches.csv").write_text("\nsomething")
    with pytest.raises(errors.ConfigError, match="and no table of a tournament's matches; take"):
        standings.check(tmp_path / "new")


def test_text():
    lines = standings.text(standings.rows(NAMES, MATCHES)).splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["b", "a", "c"]
    assert "7.5 / 12" in lines[1]
    assert "6/3/3" in lines[1]
    assert "11:8" in lines[1]
