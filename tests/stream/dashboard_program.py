"""A supervisor with nothing but the dashboard: FOLDER CAMERA... Its last word goes to the file `reason`."""

import sys
from pathlib import Path

from configs.settings import SupervisorSettings
from stream import logs
from stream.bus import Endpoints
from stream.seat import Child
from stream.supervisor import Supervisor


def main(folder, cameras):
    # Not at the top: the dashboard's process reads this file, too, by another name.
    from stream.dashboard.process import DashboardSpec

    endpoints = Endpoints.in_folder(folder / "bus")
    logs.configure("supervisor", folder / "log")
    spec = DashboardSpec(endpoints=endpoints, cameras=tuple(cameras), title="north side")
    view = Child(name="view", target="stream.dashboard.process:run", spec=spec, stage=0)
    supervisor = Supervisor(SupervisorSettings(restarts=0), [view], endpoints, folder / "log")
    status = supervisor.run()
    (folder / "reason").write_text(supervisor.reason)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
