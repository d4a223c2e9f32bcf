import base64
import html.parser
import shutil

import numpy as np
import pandas as pd
import pytest

from hts_tf import errors
from hts_tf.files.curves import TARGETS
from hts_tf.report import figures, making, page, style, system_figures, systems, tables
from hts_tf.watching import picture
from tests import command_line, comparisons
from tests.comparisons import run, write, write_systems

RISE = [0.0, 0.5, 0.9, 0.9]
PICTURES = ("minutes", "env_steps", "estimates", "time_shares")
SYSTEMS_PICTURES = ("throughput", "speedup", "interval_times")


@pytest.fixture(autouse=True)
def few_pixels(monkeypatch):
    """Nobody looks at these pictures."""
    monkeypatch.setattr(picture, "_DOTS_PER_INCH", 40)


class Page(html.parser.HTMLParser):
    """What a reader sees: words of each row of each table, and all links to other files."""

    def __init__(self, path):
        super().__init__()
        self.text, self.rows, self.bold, self.images, self.loads = "", [], [], [], []
        self._is_bold = self._is_in_cell = False
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self._is_bold = tag == "b"
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._is_in_cell = True
            self.rows[-1].append("")
        if tag == "img":
            self.images.append(attributes["src"])
        if tag in ("script", "link", "iframe"):
            self.loads.append(attributes)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._is_in_cell = False

    def handle_data(self, data):
        self.text += " ".join(data.split()) + " "
        if self._is_in_cell:
            self.rows[-1][-1] += data.strip() + " "
        if self._is_bold and data.strip():
            self.bold.append(data.strip())
            self._is_bold = False

    def row(self, *heads):
        """The cells of the row that begins so."""
        (row,) = [r for r in self.rows if [cell.strip() for cell in r[: len(heads)]] == [*heads]]
        return [cell.strip() for cell in row[len(heads) :]]


def make(comparison, output, systems_path=None, targets=None):
    command = "python -m hts_tf.report & so on"
    return making.make([comparison], systems_path, output, command, targets)


def group(method, minutes, seeds=3, scores=RISE, scenario="academy_corner"):
    return [run(method, scores, minutes + seed / 10, scenario, seed) for seed in range(seeds)]


@pytest.mark.slow
def test_the_whole(tmp_path):
    runs = [
        *group("hts_ppo", 1, scenario="academy_run_to_score"),
        *group("ppo", 3, scenario="academy_run_to_score"),
        *group("impala", 2, scenario="academy_run_to_score", scores=[0.0, 0.5, 0.5, 0.5]),
    ]
    systems_path = write_systems(
        tmp_path / "systems.csv", {0.0: (1, 1), 1e-6: (1, 2), 4e-6: (1, 3)}
    )
    output = tmp_path / "page.html"
    written = make(write(tmp_path / "runs", runs), output, systems_path)
    pictures = [tmp_path / f"page_{name}.png" for name in PICTURES + SYSTEMS_PICTURES]
    assert written == [output, *pictures]

    shown = Page(output)
    contents = [base64.b64decode(source.split("base64,")[1]) for source in shown.images]
    assert contents == [path.read_bytes() for path in pictures]
    assert all(content.startswith(b"\x89PNG") for content in contents)
    assert not shown.loads
    # Score 0.5 after two points, 0.9 after three, each of 1.0, 1.1 and 1.2 minutes, and so on;
    # beside it the poster's IMPALA, PPO and HTS-RL.
    heads = "run to score", "0.4"
    assert shown.row(*heads) == [
        *("2.2 2.0 to 2.4\n3 seeds", "6.2 6.0 to 6.4\n3 seeds", "4.2 4.0 to 4.4\n3 seeds"),
        *("27.0", "16.2", "6.3"),
    ]
    assert shown.row("0.8") == [
        *("3.3 3.0 to 3.6\n3 seeds", "9.3 9.0 to 9.6\n3 seeds", "— not in 8.0 min"),
        *("34.6", "32.5", "11.4"),
    ]
    steps = shown.row("run to score", "HTS-RL (PPO)")[:4]
    assert steps == ["2,000 2,000\n3 seeds", "3,000 3,000\n3 seeds", "500", "1.00"]
    assert shown.bold[:2] == ["2.2", "6.3"]
    assert shown.row("HTS-RL (PPO) reaches a score in the fewest minutes.")[0] == "holds"
    assert "Too few runs" not in shown.text
    assert "env steps that count: academy_run_to_score 1,000 to 4,000. Seeds" in shown.text
    assert "python -m hts_tf.report & so on" in shown.text


def test_one_seed_of_one_method(tmp_path):
    runs = [run("mine", [0.5, 0.6], scenario="synthetic"), run("mine", [], scenario="other")]
    output = tmp_path / "page.html"
    written = make(write(tmp_path / "runs", runs), output, targets=(0.4, 0.8))
    assert not list(tmp_path.glob("*estimates*"))
    shown = Page(output)
    assert len(shown.images) == len(written) - 1 == 3
    assert shown.row("synthetic", "0.4") == ["1.0 1 seed"]
    assert "Too few runs for intervals" in shown.text
    assert "No systems benchmark was given" in shown.text


def test_runs_that_diverged_before_they_made_anything(tmp_path):
    comparison = write(tmp_path / "runs", [run("mine", [])])
    path = comparison / "time_shares.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    assert make(comparison, tmp_path / "page.html")
    assert not list(tmp_path.glob("*time_shares*"))


def test_names_are_not_taken_for_html(tmp_path):
    output = tmp_path / "page.html"
    runs = [run("<b>&", [0.5, 0.6], scenario="<i>")]
    make(write(tmp_path / "runs", runs), output, targets=(0.4, 0.8))
    assert Page(output).row("<i>", "<b>&")[0].startswith("1,000")


def test_games_whose_scores_may_be_anything_have_no_targets(tmp_path):
    output = tmp_path / "page.html"
    runs = [run("ppo", [20.0, 400.0], scenario="CartPole-v1")]
    make(write(tmp_path / "runs", runs), output)
    assert "to 0.4" not in Page(output).text
    make(tmp_path / "runs", output, targets=(300.0,))
    assert Page(output).row("CartPole-v1", "300") == ["2.0 1 seed"]


def test_runs_that_say_where_they_are_from(tmp_path):
    comparison = write(tmp_path / "runs", [run(method, [0.5, 0.6]) for method in ("ppo", "a2c")])
    for method, envs in (("ppo", 4), ("a2c", 16), ("of_another_comparison", 32)):
        workdir = comparison / f"academy_corner-{method}-seed0"
        workdir.mkdir()
        (workdir / "config.gin").write_text(f"n = {envs}\nTrainer.num_envs = %n\n")
    make(comparison, tmp_path / "page.html")
    assert Page(tmp_path / "page.html").row("Trainer.num_envs") == ["16; 4"]


def test_two_comparisons(tmp_path):
    easy = write(tmp_path / "easy", group("ppo", 1, seeds=2, scenario="academy_empty_goal"))
    hard = write(tmp_path / "hard", group("ppo", 9, seeds=1))
    making.make([easy, hard], None, tmp_path / "page.html", "")
    page = Page(tmp_path / "page.html")
    assert page.row("empty goal", "0.4")[0].endswith("2 seeds")
    assert page.row("corner", "0.4")[0].endswith("1 seed")
    assert "3 runs of" in page.text
    with pytest.raises(errors.ConfigError, match="the run of ppo on academy_corner, seed 0"):
        making.make([easy, hard, hard], None, tmp_path / "page.html", "")


def test_comparisons_of_other_settings_are_not_averaged(tmp_path):
    """Where there are workdirs that tell; else, as of results that are kept, they are taken."""
    directories = [
        write(tmp_path / name, [run("ppo", [0.5, 0.6], seed=seed)])
        for seed, name in enumerate(["one", "other"])
    ]

    def configure(seed, num_envs):
        workdir = directories[seed] / f"academy_corner-ppo-seed{seed}"
        workdir.mkdir(exist_ok=True)
        text = f"# --seed = {seed}\nTrainer.num_envs = {num_envs}\n"
        (workdir / "config.gin").write_text(text)

    tables.read_comparisons(directories)
    configure(0, 16)
    tables.read_comparisons(directories)
    configure(1, 16)
    tables.read_comparisons(directories)
    configure(1, 32)
    advice = "remove the older run, or make a report of each --comparison$"
    says = f"averaged: Trainer.num_envs = 16 in .*, 32 in .*; {advice}"
    with pytest.raises(errors.ConfigError, match=says):
        tables.read_comparisons(directories)


def change(name, old, new):
    """Returns what replaces text in one of a comparison's files."""

    def apply(directory):
        path = directory / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return apply


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (shutil.rmtree, "runs.csv does not exist"),
        (lambda d: (d / "time_shares.csv").unlink(), "time_shares.csv does not exist"),
        (lambda d: (d / "runs.csv").write_text(""), "runs.csv is no CSV file"),
        (lambda d: (d / "runs.csv").write_bytes(b"\xff\xfe\x00"), "runs.csv is no CSV file"),
        (change("scores.csv", "finished_episodes", "n"), "lacks the column finished_episodes"),
        (change("scores.csv", "0.5", "half"), "scores.csv, line 4: score 'half' is no number"),
        (change("runs.csv", ",500.0", ",inf"), "runs.csv, line 2: sps 'inf' is no number"),
        (change("runs.csv", "ppo", ""), "runs.csv, line 2: method is empty"),
        (change("runs.csv", "corner,1", "corner,0"), "runs.csv, line 3: seed '0' has the run"),
        (change("scores.csv", "corner,0", "corner,7"), "seed 7, that runs.csv beside it has not"),
    ],
)
def test_bad_input(tmp_path, spoil, complaint):
    comparison = write(tmp_path / "runs", group("ppo", 1, seeds=2))
    spoil(comparison)
    with pytest.raises(errors.ConfigError) as caught:
        make(comparison, tmp_path / "page.html")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("page*"))


@pytest.mark.parametrize(
    "broken", ["no systems", "systems without rows", "no place", "a directory", "page.pdf"]
)
def test_bad_paths(tmp_path, broken):
    names = {"no place": "nowhere/page.html", "page.pdf": "page.pdf"}
    output = tmp_path / names.get(broken, "page.html")
    systems_path = tmp_path / "systems.csv" if "systems" in broken else None
    if broken == "systems without rows":
        comparisons.write_csv(systems_path, comparisons.SYSTEMS_COLUMNS, [])
    if broken == "a directory":
        output.mkdir()
    with pytest.raises(errors.ConfigError):
        make(write(tmp_path / "runs", group("ppo", 1, seeds=1)), output, systems_path)
    assert not [*tmp_path.glob("*.png")]  # nothing of the page, either


@pytest.mark.slow
def test_the_command(tmp_path):
    comparison = write(tmp_path / "runs", group("ppo", 1, seeds=1))
    arguments = [f"--comparison={comparison}", f"--output={tmp_path / 'page.html'}"]
    code, out, err = command_line.run("hts_tf.report", *arguments)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == str(tmp_path / "page.html")
    assert f"python -m hts_tf.report {' '.join(arguments)}" in Page(tmp_path / "page.html").text
    (comparison / "runs.csv").unlink()
    code, out, err = command_line.run("hts_tf.report", *arguments)
    assert (code, out) == (2, "")
    assert err == f"error: {comparison}/runs.csv does not exist\n"


# ---- Tables and pictures ------------------------------------------------------------------------


def test_the_poster_has_eleven_scenarios():
    poster = page.poster()
    assert poster["scenario"].nunique() == 11
    easy = poster[poster["scenario"] == "academy_counterattack_easy"].set_index("target_score")
    assert easy.loc[0.4, "ppo_minutes"] == 223.2
    assert np.isnan(easy.loc[0.8, "hts_ppo_minutes"])


def test_a_dash_where_not_every_seed_reached_it():
    runs = [run("ppo", [0.9], seed=0), run("ppo", [0.1] * 7, seed=1), run("impala", [0.1, 0.9])]
    rows = {row.heads[1]: row.cells for row in page.minutes_table(runs, TARGETS).rows}
    assert rows["0.8"][:2] == [
        page.Cell("—", "1 of 2 seeds: 1.0\nnot in 7.0 min"),
        page.Cell("2.0", "1 seed", best=True),
    ]


def test_not_the_best_if_another_may_have_been_better():
    runs = [run("ppo", [0.9], 9.0), run("impala", [0.1, 0.1], 2.0)]
    rows = {row.heads[1]: row.cells for row in page.minutes_table(runs, TARGETS).rows}
    assert not rows["0.8"][0].best


def test_speedups(tmp_path):
    path = write_systems(tmp_path / "systems.csv", {4e-6: (1, 3), 1e-6: (2, 3)})
    table = systems.speedups(tables.read_systems(path))
    np.testing.assert_allclose(table["step_variance_sec2"], [1e-6, 4e-6])
    np.testing.assert_allclose(table["measured"], [1.5, 3])
    np.testing.assert_allclose(table["expected"], [3, 6])


def test_means_of_few_intervals_have_wide_bars(tmp_path):
    """Student's: 2.306 standard errors of nine."""
    path = write_systems(tmp_path / "systems.csv", {1e-6: (1, 2)})
    figure = system_figures.interval_times(tables.read_systems(path))
    hts, _ = figure.axes[0].containers
    bar, *_ = hts.lines[2][0].get_segments()
    assert bar[1, 1] - bar[0, 1] == pytest.approx(2 * 2.306 * 0.01, rel=1e-3)
    style.plt.close(figure)


def test_curves_are_means_in_bands():
    runs = [run("ppo", [0, 1, 1]), run("ppo", [0, 0, 0, 0.5], seed=1)]
    figure = figures.scores(runs, "minutes", TARGETS)
    (axis,) = figure.axes
    mean, *thin = axis.lines[:3]
    np.testing.assert_allclose(mean.get_ydata()[[0, -1]], [0, 0.5])
    np.testing.assert_allclose([line.get_xdata()[-1] for line in thin], [3, 4])
    band = axis.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (0, 1)
    style.plt.close(figure)


def test_bars_fill_the_time():
    """The learner's fingerprint is part of its update."""
    rows = [("executor", "step", 0.7), ("executor", "wait_sync", 0.2)]
    rows += [("learner", "update", 0.6), ("learner", "fingerprint", 0.1)]
    shares = pd.DataFrame(rows, columns=["role", "activity", "share"]).assign(method="ppo")
    figure = figures.time_shares(shares)
    widths = [[bar.get_width() for bar in axis.patches] for axis in figure.axes]
    np.testing.assert_allclose(widths, [[0.7, 0, 0, 0.2, 0.1], [0.6, 0, 0, 0, 0.4]], atol=1e-9)
    style.plt.close(figure)


def test_every_method_looks_different():
    looks = [style.look(name) for name in style.LOOKS]
    for field in zip(*looks, strict=True):
        assert len(set(field)) == len(looks)
    assert style.order(["x", "impala", "hts_ppo", "x"]) == ["hts_ppo", "impala", "x"]
    assert style.look("x") == style.look("x")
    looks += [style.look(f"my method {number}") for number in range(6)]
    assert len({look[1:] for look in looks}) == len(looks)


def test_looks_do_not_depend_on_what_is_shown_first():
    style.use(["b", "a", "ppo"])
    expected = [style.look(name) for name in "ab"]
    style.use(["ppo", "a", "b"])
    assert [style.look(name) for name in "ba"] == expected[::-1]
