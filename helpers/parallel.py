"""Many calls at the same time, in processes on this machine or on a Dask cluster. Used by ablations."""

import contextlib
import os

import joblib


def each(function, jobs):
    """Call `function(*job)` for each of `jobs`, where `workers` says; yields what comes back, the first to end first."""
    calls = (joblib.delayed(function)(*job) for job in jobs)
    return joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")(calls)


@contextlib.contextmanager
def workers(count, scheduler=None):
    """Within it `each` uses `count` processes here, or the Dask cluster whose scheduler has the address `scheduler`."""
    if scheduler:
        from distributed import Client

        with Client(scheduler) as client, joblib.parallel_config("dask", client=client):
            yield
    else:
        # Read by TensorFlow where a worker starts: together they use each core once.
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(max(1, joblib.cpu_count() // count))
        with joblib.parallel_config("loky", n_jobs=count):
            yield
