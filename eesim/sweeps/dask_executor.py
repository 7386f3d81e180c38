"""Chunks on a Dask cluster: the same chunks, simulated by the same code. Needs ``pip install eesim[cluster]``."""

from __future__ import annotations

import pickle
import threading
from typing import TYPE_CHECKING, Any

from eesim.errors import EesimError, InputError, Problem
from eesim.sweeps.worker import Chunk, Context, Finished, Outcome, Simulator, Spent

if TYPE_CHECKING:
    from distributed import Client

_PLUGIN = "eesim-sweep"


class ContextPlugin:
    """Brings the context to every worker, those included that join later.

    Parameters
    ----------
    context
        The context, pickled.
    """

    name = _PLUGIN

    def __init__(self, context: bytes) -> None:
        self.context = context
        self._local: Any = None

    def setup(self, worker: Any) -> None:  # noqa: ARG002
        """Called on each worker when it gets to know the plugin."""
        self._local = threading.local()

    def teardown(self, worker: Any) -> None:
        """Called on each worker when it leaves."""

    def simulator(self) -> Simulator:
        """Return the simulator of this thread."""
        if not hasattr(self._local, "simulator"):
            self._local.simulator = Simulator(pickle.loads(self.context))
        found: Simulator = self._local.simulator
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {"context": self.context, "_local": None}


def _run(chunk: Chunk) -> Outcome:
    from distributed import get_worker

    plugin: ContextPlugin = get_worker().plugins[_PLUGIN]
    return plugin.simulator().run(chunk)


class DaskExecutor:
    """Simulates on the workers of a Dask scheduler.

    Parameters
    ----------
    context
        For the workers.
    address
        Of a scheduler (``tcp://host:8786``); ``local`` starts one on this machine.
    workers
        Processes of a local cluster.

    Raises
    ------
    InputError
        If Dask is not installed, or there is no scheduler at the address.
    """

    def __init__(self, context: Context, address: str, workers: int) -> None:
        self._client = connect(address, workers)
        self._chunks: dict[Any, Chunk] = {}
        self._is_closed = False
        self._client.register_plugin(_as_worker_plugin(pickle.dumps(context)), name=_PLUGIN)

    @property
    def workers(self) -> int:
        """Threads of all workers of the cluster, at present."""
        return max(sum(map(int, self._client.nthreads().values())), 1)

    def submit(self, chunk: Chunk) -> None:
        """Take a chunk."""
        self._chunks[self._client.submit(_run, chunk, pure=False)] = chunk

    def finished(self, timeout_s: float) -> list[Finished]:
        """Chunks that came back. Dask itself tries again where a worker was lost."""
        from distributed import wait

        if not self._chunks:
            return []
        try:
            wait(list(self._chunks), timeout=timeout_s, return_when="FIRST_COMPLETED")
        except TimeoutError:
            return []
        done = [future for future in self._chunks if future.done()]
        return [self._outcome(future) for future in sorted(done, key=lambda future: self._chunks[future].number)]

    def _outcome(self, future: Any) -> Finished:
        chunk = self._chunks.pop(future)
        error = future.exception()
        if error is None:
            return Finished(chunk, *future.result())
        if isinstance(error, EesimError):
            raise error
        return Finished(chunk, None, Spent(), f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        if self._is_closed:
            return
        self._is_closed = True
        for future in self._chunks:
            future.cancel()
        self._chunks.clear()
        cluster = self._client.cluster
        self._client.close()
        if cluster is not None:
            cluster.close()


def connect(address: str, workers: int) -> Client:
    """Return a client of the scheduler at an address, or of a new local cluster."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        message = "needs Dask: pip install 'eesim[cluster]'"
        raise InputError([Problem("--scheduler", 0, "", message)]) from None
    if address == "local":
        cluster: Any = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)
        return Client(cluster)
    try:
        return Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError([Problem("--scheduler", 0, address, f"cannot be reached: {error}")]) from None


def _as_worker_plugin(context: bytes) -> Any:
    """Make the plugin one that Dask sends to its workers (its class is imported only here)."""
    from distributed import WorkerPlugin

    class Plugin(ContextPlugin, WorkerPlugin):
        """`ContextPlugin` for Dask."""

    return Plugin(context)
