"""TensorBoard's tab "Episodes": the episodes of runs, and any of them played again.

Whatever plays is a process of its own: a simulator that crashes, or an environment that somebody
else has written, is no affair of TensorBoard's.
"""

import collections
import functools
import json
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path

from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import Request, Response

from hts_tf import errors
from hts_tf.files import archive, checkpoint
from hts_tf.system.child import Child, ChildError

_DEPTH = 4  # of workdirs below the directory of logs
_KEPT = 2**28  # characters of answers; a long episode's pictures are most of that
_LIMIT_SEC = 600.0  # for an answer: who plays longer hangs

# What is asked of an episode -> the module that answers, on standard output.
_MODULES = {"played": "hts_tf.dashboard.played", "judged": "hts_tf.dashboard.judged"}


class EpisodesPlugin(base_plugin.TBPlugin):
    """Serves the tab, and what it asks for, as JSON."""

    plugin_name = "hts_tf_episodes"

    def __init__(self, context: base_plugin.TBContext) -> None:
        """Reads nothing yet.

        Args:
          context: of TensorBoard, whose `logdir` has the runs' workdirs.
        """
        self._logdir = Path(context.logdir).expanduser() if context.logdir else None
        self._answers: collections.OrderedDict[tuple[str, ...], str] = collections.OrderedDict()
        self._lock = threading.Lock()  # one player at a time

    def is_active(self) -> bool:
        """Returns whether there is a run with episodes."""
        return bool(self._runs())

    def get_plugin_apps(self) -> dict[str, Callable]:
        """Returns path -> application."""
        return {
            "/index.js": _application(_script, "text/javascript"),
            "/runs": _application(lambda _: json.dumps(sorted(self._runs()))),
            "/episodes": _application(self._episodes),
            **{f"/{what}": _application(functools.partial(self._ask, what)) for what in _MODULES},
        }

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Returns what the tab is made of."""
        return base_plugin.FrontendMetadata(
            es_module_path="/index.js", tab_name="Episodes", disable_reload=True
        )

    def _runs(self) -> dict[str, Path]:
        """Returns name -> workdir, of those that hold episodes."""
        found = {}
        if self._logdir is None:
            return found
        # As TensorBoard does; a link to what it is in leads in circles only as deep as we look.
        for directory, inner, files in os.walk(self._logdir, followlinks=True):
            name = os.path.relpath(directory, self._logdir)
            if archive.FILE_NAME in files:
                found[name] = Path(directory)
            if name.count(os.sep) >= _DEPTH - 1:
                inner.clear()
        return found

    def _episodes(self, request: Request) -> str:
        """Returns a run's episodes, as columns."""
        records = archive.read(self._workdir(request) / archive.FILE_NAME)
        return json.dumps(
            {
                "update": [record.update for record in records],
                "env": [record.env for record in records],
                "score": [_known(record.score) for record in records],
                "return": [_known(record.episode_return) for record in records],
                "length": [record.length for record in records],
                "against": [record.against for record in records],
            }
        )

    def _ask(self, what: str, request: Request) -> str:
        """Returns what a process says of an episode.

        Raises:
          ConfigError: there is no such run.
          ChildError: it cannot.
        """
        workdir, episode = self._workdir(request), request.args.get("episode", "")
        if not episode.isdecimal():
            raise errors.ConfigError(f"an episode is a number, not {episode!r}")
        # A run that goes on has another policy, and one that was killed takes episodes back.
        state = (workdir / archive.FILE_NAME).stat().st_mtime_ns
        newest = checkpoint.paths(workdir / "checkpoints")[:1]
        key = (what, str(workdir), episode, str(state), *map(str, newest))
        with self._lock:
            if key not in self._answers:
                self._answers[key] = _said(_MODULES[what], workdir, episode)
                while len(self._answers) > 1 and sum(map(len, self._answers.values())) > _KEPT:
                    self._answers.popitem(last=False)
            return self._answers[key]

    def _workdir(self, request: Request) -> Path:
        """Returns the workdir that a request names. Raises: ConfigError: there is no such run."""
        name = request.args.get("run", "")
        found = self._runs().get(name)  # no other path is ever opened
        if found is None:
            raise errors.ConfigError(f"there is no run {name!r}")
        return found


def _known(number: float) -> float | None:
    """Returns a number as JSON has it."""
    return None if math.isnan(number) else round(number, 4)


def _said(module: str, workdir: Path, episode: str) -> str:
    """Returns the JSON that a module writes of an episode. Raises: ChildError: it does not."""
    hangs = threading.Event()
    with Child(module, [f"--workdir={workdir}", f"--episode={episode}"]) as child:

        def end() -> None:
            hangs.set()
            child.kill()

        limit = threading.Timer(_LIMIT_SEC, end)
        limit.start()
        try:
            return child.hear()
        except ChildError as error:
            if hangs.is_set():
                raise ChildError(f"no answer for {_LIMIT_SEC:g} s", error.code) from error
            raise
        finally:
            limit.cancel()


def _application(
    answer: Callable[[Request], str], content_type: str = "application/json"
) -> Callable:
    """Returns a WSGI application of what answers with a text; what it refuses is an answer, too."""

    @Request.application
    def application(request: Request) -> Response:
        try:
            content = answer(request)
        except (errors.ConfigError, ChildError) as error:
            content = json.dumps({"error": str(error)})
        return http_util.Respond(request, content, content_type)

    return application


def _script(_: Request) -> str:
    return Path(__file__).with_name("index.js").read_text(encoding="utf-8")
