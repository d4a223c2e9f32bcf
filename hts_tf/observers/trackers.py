"""Experiment trackers: Weights & Biases, and MLflow. Both work without a network.

Each of them needs its own package: ./launch/setup.sh --extras=trackers.
"""

import importlib
import os
import re
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Literal

from hts_tf.configurables import configurable
from hts_tf.observers.observer import Observer, Run
from hts_tf.system import installation, terminal, whole

_MLFLOW = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nobody has asked for it
    # The run waits for a server that does not answer: not for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_MLFLOW_RUN = "mlflow.txt"  # in the workdir: how MLflow calls the run
_LONGEST = 250  # letters of a figure's name, as MLflow takes it
_LONGEST_GROUP = 128  # the same of a group of Weights & Biases
_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}  # MLflow's words


@configurable
class WeightsAndBiases(Observer):
    """Logs a run's figures, evaluations and configuration to Weights & Biases.

    One that is taken up again is another run there, of the same group.

    Args:
      project: where the run appears.
      mode: 'offline' writes into the workdir, for `wandb sync` to send later; 'online' sends them.
    """

    def __init__(
        self, project: str = "hts_tf", mode: Literal["offline", "online"] = "offline"
    ) -> None:
        self._project = project
        self._mode = mode

    def begin(self, run: Run) -> None:
        """See `Observer`."""
        wandb = _module("wandb")
        self._run = wandb.init(
            project=self._project,
            name=run.workdir.name,
            group=str(run.workdir)[-_LONGEST_GROUP:],
            dir=run.workdir,
            mode=self._mode,
            settings=wandb.Settings(silent=True, console="off"),  # else each redraw is sent, too
            config=_texts(run.configuration),
        )
        # Evaluations come late, and a resumed run goes back: steps are figures, not wandb's own.
        self._run.define_metric("*", step_metric="env_steps")

    def after_update(self, env_steps: int, figures: Mapping[str, float]) -> None:
        """See `Observer`."""
        self._run.log({"env_steps": env_steps, **figures})

    after_evaluation = after_update

    def end(self) -> None:
        """See `Observer`."""
        self._run.finish(exit_code=int(self.ended == "failed"))


@configurable
class MLflow(Observer):
    """Logs a run's figures, evaluations and configuration to MLflow.

    One that is taken up again is the same run there; what is made again is logged again.

    Args:
      tracking_uri: of a server; "" for files in the workdir.
      experiment: where the run appears.
    """

    def __init__(self, tracking_uri: str = "", experiment: str = "hts_tf") -> None:
        self._tracking_uri = tracking_uri
        self._experiment = experiment

    def begin(self, run: Run) -> None:
        """See `Observer`."""
        for name, value in _MLFLOW.items():
            os.environ.setdefault(name, value)
        mlflow = _module("mlflow")
        self._entities = mlflow.entities
        uri = self._tracking_uri or f"sqlite:///{(run.workdir / 'mlflow.db').resolve()}"
        self._client = mlflow.MlflowClient(uri)
        found = self._client.get_experiment_by_name(self._experiment)
        experiment = (
            found.experiment_id if found else self._client.create_experiment(self._experiment)
        )
        known = run.workdir / _MLFLOW_RUN
        if run.env_steps and known.exists():
            self._id = known.read_text().strip()
            try:
                self._client.update_run(self._id, status="RUNNING")
                return
            except mlflow.exceptions.MlflowException as error:
                terminal.warn(
                    f"MLflow knows no run {self._id} any more, so it gets another: {error}"
                )
        self._id = self._client.create_run(experiment, run_name=run.workdir.name).info.run_id
        whole.write(known, self._id.encode())
        for name, value in _texts(run.configuration).items():
            self._client.log_param(self._id, name.lstrip("-"), value)

    def after_update(self, env_steps: int, figures: Mapping[str, float]) -> None:
        """See `Observer`."""
        now = round(1000 * time.time())
        metrics = [
            self._entities.Metric(_metric(name), value, now, env_steps)
            for name, value in figures.items()
        ]
        self._client.log_batch(self._id, metrics)

    after_evaluation = after_update

    def end(self) -> None:
        """See `Observer`."""
        self._client.set_terminated(self._id, _STATUS[self.ended])


def _metric(name: str) -> str:
    """Returns a figure's name as MLflow takes it: opponents are named as paths are."""
    parts = re.sub(r"[^/\w.\- :]", "_", name).split("/")
    taken = "/".join(part for part in parts if part not in ("", ".", ".."))
    return taken[-_LONGEST:].lstrip("./")  # of a path, the end says most


def _module(name: str) -> ModuleType:
    """Returns a tracker's module. Raises: ConfigError: it is not installed."""
    with installation.needing("trackers", f"Trainer.observers: {name}"):
        return importlib.import_module(name)


def _texts(configuration: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in configuration.items()}
