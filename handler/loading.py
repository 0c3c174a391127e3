"""The model in use: loaded in the background, and again after a failure, without a restart."""

import dataclasses
import logging
import math
import threading
import time
import typing as t

from .bundle import Bundle, BundleError, Manifest
from .settings import ENGINES, Settings

if t.TYPE_CHECKING:
    from .engines import Engine

log = logging.getLogger("carvae")

#: Seconds until a request may start another attempt, after the first, second, ... failure.
BACK_OFF_S = (1, 2, 4, 8, 16, 30, 60)

#: Seconds that a request waits for a model that is being loaded. A gateway gives up after 30.
WAIT_S = 15.0

State = t.Literal["loading", "ready", "degraded", "unavailable"]


class NoModel(Exception):  # noqa: N818 - no error as long as it is being loaded
    """There is no model, or not yet; the text says why.

    Parameters
    ----------
    retry_after : int
        Whole seconds until it is worth asking again.
    """

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


@dataclasses.dataclass(frozen=True)
class Model:
    """A verified bundle's manifest, the warmed engine that runs it, and the seconds that took."""

    manifest: Manifest
    engine: "Engine"
    seconds: float


class Loader:
    """Loads the model that the settings name, starting now."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.detail: str | None = None
        self.model: Model | None = None
        #: The same, or one whose encoder is still being loaded.
        self.drawing: Model | None = None
        self.cold = True
        self._failures = 0
        self._retry_at = 0.0
        self._lock = threading.Lock()
        self._done, self._can_draw = threading.Event(), threading.Event()
        self._start()

    @property
    def state(self) -> State:
        """What ``/health`` says."""
        if self.model:
            return "degraded" if self.detail else "ready"
        return "unavailable" if self._done.is_set() else "loading"

    def wait(self, seconds: float = WAIT_S, to_draw: bool = False) -> None:
        """Wait until the current attempt has ended, or its model can draw; at most `seconds`."""
        (self._can_draw if to_draw else self._done).wait(seconds)

    def retry_after(self) -> int:
        """Whole seconds until it is worth asking again, at least 1."""
        # A rounding error may put the difference of two clock readings just above a whole number of seconds.
        return max(1, math.ceil(self._retry_at - time.monotonic() - 1e-6))

    def retry_if_due(self) -> None:
        """Start another attempt if the last one failed and its back-off is over."""
        with self._lock:
            if self.state == "unavailable" and time.monotonic() >= self._retry_at:
                self._start()

    def get(self, to_draw: bool = False) -> Model:
        """Return the model, after waiting for it if need be.

        Parameters
        ----------
        to_draw
            Nothing will be encoded, so a model without its encoder is enough.

        Raises
        ------
        NoModel
            If there is none.
        """
        model = self.drawing if to_draw else self.model
        if model is None:
            self.retry_if_due()
            self.wait(WAIT_S, to_draw)
            model = self.drawing if to_draw else self.model
        if model is None:
            detail = "the model is still being loaded" if self.state == "loading" else f"no model: {self.detail}"
            raise NoModel(detail, self.retry_after())
        return model

    def _start(self) -> None:
        self._done.clear()
        self._can_draw.clear()
        threading.Thread(target=self._attempt, name="carvae-loader", daemon=True).start()

    def _attempt(self) -> None:
        started = time.perf_counter()
        try:
            bundle = Bundle.open(self.settings.bundle, self.settings.cache, ENGINES[self.settings.engine])
            # numpy and whatever runs the model are imported while S3 sends it.
            from . import engines

            def can_draw(engine: "Engine") -> None:
                self.drawing = Model(bundle.manifest, engine, time.perf_counter() - started)
                self._can_draw.set()

            engine = engines.load(self.settings.engine, bundle, self.settings.threads, can_draw)
            self.model = self.drawing = Model(bundle.manifest, engine, time.perf_counter() - started)
            # A model that works although something went wrong is reported as degraded.
            self.detail = "; ".join(bundle.warnings) or None
            log.info("model %s %s ready in %.2f s", bundle.manifest.name, bundle.manifest.version, self.model.seconds)
        except BundleError as error:
            self._fail(str(error))
            log.error("%s: %s", self.settings.bundle, error)
        except Exception:  # whatever it was, /health must say so and a later attempt may mend it
            self._fail("the model can't be loaded; the log says why")
            log.exception("%s: loading failed", self.settings.bundle)
        finally:
            self._can_draw.set()
            self._done.set()

    def _fail(self, detail: str) -> None:
        self.detail, self.drawing = detail, None
        self._retry_at = time.monotonic() + BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
        self._failures += 1
