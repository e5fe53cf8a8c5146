"""A sweep on a Dask cluster, here two processes of this machine; the same file again goes on with it.

On a cluster another class of Dask takes the place of LocalCluster, such as dask_jobqueue.SLURMCluster.
"""

import sys

from distributed import LocalCluster

from gegenflow.numerics.validation.command.main import main

WORKERS = 2

if __name__ == "__main__":
    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster:
        words = ["sweep", "study.toml", "--out", "results", "--workers", str(WORKERS)]
        sys.exit(main([*words, "--dask", cluster.scheduler_address]))
