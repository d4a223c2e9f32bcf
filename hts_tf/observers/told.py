"""Telling observers, whatever they make of it."""

from collections.abc import Callable, Sequence

import numpy as np

from hts_tf import errors
from hts_tf.observers.observer import Observer, Run
from hts_tf.system import terminal


class Observers:
    """All observers of a run.

    Attributes:
      asked_to_stop: whether one of them wants the run to end.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._all = list(observers)
        self._begun: list[Observer] = []
        self.asked_to_stop = False

    def begin(self, run: Run) -> None:
        """Tells that the run begins.

        Raises:
          ConfigError: one of them cannot observe it.
          RunError: one of them has failed.
        """
        for observer in self._all:
            try:
                if observer.ended:  # it has observed the run before a machine was lost
                    _set_ended(observer, "")
                copies = dict(run.configuration), dict(run.scope)
                observer.begin(run._replace(configuration=copies[0], scope=copies[1]))
            except errors.ConfigError:
                raise
            except (Exception, SystemExit) as error:
                raise errors.RunError(
                    f"{_name(observer)}.begin has failed: {_line(error)}",
                    page="watching.md#figures-elsewhere",
                ) from error
            self._begun.append(observer)

    def tell(self, what: str, *about: object) -> None:
        """Calls one of `Observer`'s methods."""

        def call(observer: Observer) -> object:
            copies = (dict(part) if isinstance(part, dict) else part for part in about)
            return getattr(observer, what)(*copies)

        self._each(what, call)

    def end(self, ended: str) -> None:
        """Tells that the run is over, and how, see `Observer`; may be called twice."""

        def call(observer: Observer) -> None:
            _set_ended(observer, ended)
            observer.end()

        self._each("end", call)
        self._begun.clear()

    def _each(self, what: str, call: Callable[[Observer], object]) -> None:
        for observer in self._begun.copy():
            try:
                wants_end = call(observer)
            except (Exception, SystemExit) as error:
                self._begun.remove(observer)
                terminal.warn(
                    f"{_name(observer)}.{what} has failed ({_line(error)}): it is told no more",
                    page="watching.md#figures-elsewhere",
                )
                continue
            # Figures may be numpy's, and so what comparing them says; anything else is no answer.
            is_asked = isinstance(wants_end, bool | np.bool_) and bool(wants_end)
            if is_asked and not self.asked_to_stop:
                self.asked_to_stop = True
                terminal.warn(f"{_name(observer)} asks to stop: stopping at the next sync point")


def _set_ended(observer: Observer, ended: str) -> None:
    object.__setattr__(observer, "ended", ended)  # also where it is a frozen dataclass


def _name(observer: Observer) -> str:
    return type(observer).__name__


def _line(error: BaseException) -> str:
    return errors.in_a_line(f"{type(error).__name__}: {error}")
