"""A Ray cluster of some nodes on this machine, in a process of its own: python tests/nodes.py COUNT"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

from runs import PATIENCE


class Nodes:
    """A cluster: a head that works nothing, and nodes of one core; `own` is the environment of who joins it."""

    def __init__(self, count: int) -> None:
        command = [sys.executable, __file__, str(count)]
        self.own = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        }
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=self.own
        )
        try:
            self.address = self._answer()
        except AssertionError:
            with self._process:
                self._process.kill()
            raise

    def replace_one(self) -> None:
        """Kill a node as a crash of its machine does, and let another join."""
        assert self._process.stdin
        self._process.stdin.write("replace\n")
        self._process.stdin.flush()
        assert self._answer() == "replaced"

    def _answer(self) -> str:
        assert self._process.stdout
        while line := self._process.stdout.readline():
            if line.startswith("> "):
                return line[2:].strip()
        raise AssertionError("The cluster has ended.")

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=PATIENCE)


def main(count: int) -> None:
    """Serve until standard input is closed."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "wait": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(wait=False, num_cpus=1) for _ in range(count)]
    cluster.wait_for_nodes(PATIENCE)
    print(f"> {cluster.address}", flush=True)
    for _ in sys.stdin:
        cluster.remove_node(nodes.pop(0), allow_graceful=False)
        nodes.append(cluster.add_node(wait=False, num_cpus=1))
        cluster.wait_for_nodes(PATIENCE)
        print("> replaced", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    main(int(sys.argv[1]))
