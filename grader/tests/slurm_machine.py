"""Slurm on one machine, in a folder of the test's own: munge, one controller, one node. Nothing of it
outlives the block; the services of the machine, if it has some, are left alone."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from dynamolab import processes
from dynamolab.cluster.ports import reserve_ports

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
READY_S = 60.0
COMMAND_S = 30.0
CONFIG = """
ClusterName=dynamo
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0
ReturnToService=2
MpiDefault=none
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> str:
    """Why there is no Slurm to be had here; empty if there is."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    return f"not installed: {', '.join(missing)} (Debian's slurm-wlm and munge)" if missing else ""


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which sbatch and its like find it. TimeoutError with the daemons' last words if
    its node does not come up."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    folder.chmod(0o755)  # munged wants to be reached by all.
    host = socket.gethostname().partition(".")[0]
    ports = reserve_ports(2)
    for port in ports:
        port.close()  # Slurm binds without SO_REUSEADDR.
    config = folder / "slurm.conf"
    config.write_text(
        CONFIG.format(
            host=host,
            user=getpass.getuser(),
            folder=folder,
            controller=ports[0].port,
            node=ports[1].port,
            cpus=len(processes.cpus()),
        )
    )
    environment = {**os.environ, "SLURM_CONF": str(config), "PATH": path}
    munge = ["munged", "--foreground", "--force", f"--key-file={key}"]
    munge += [f"--{what}={folder}/munge.{what.partition('-')[0]}" for what in ("socket", "pid-file")]
    munge += [f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"]
    with contextlib.ExitStack() as stack:
        logs = []
        for command in (munge, ["slurmctld", "-D", "-i"], ["slurmd", "-D", "-N", host]):
            log = folder / f"{command[0]}.out"
            logs.append(log)
            file = stack.enter_context(log.open("wb"))
            stack.enter_context(
                processes.start(command, env=environment, stdout=file, stderr=file)
            )
            if command is munge:
                _wait(lambda: (folder / "munge.socket").exists(), logs)
        _wait(lambda: "idle" in _said(["sinfo", "-h", "-o", "%T"], environment), logs)
        yield environment


def _said(command: list[str], environment: dict[str, str]) -> str:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=COMMAND_S, check=False
        ).stdout
    return ""


def _wait(ready, logs: list[Path]) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + READY_S
    while not ready():
        if time.monotonic() > until:
            words = "\n".join(f"{p.name}: {p.read_text(errors='replace')[-800:]}" for p in logs)
            raise TimeoutError(f"Slurm did not come up in {READY_S:.0f} s\n{words}")
        time.sleep(0.2)
