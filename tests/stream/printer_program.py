"""A supervisor with nothing but the printer: FOLDER. Its last word goes to the file `reason`."""

import sys
from pathlib import Path

from configs.settings import SupervisorSettings
from stream import logs
from stream.bus import Endpoints
from stream.seat import Child
from stream.supervisor import Supervisor


def main(folder):
    # Not at the top: the printer's process reads this file, too, by another name.
    from stream.printer import PROCESS, PrinterSpec

    endpoints = Endpoints.in_folder(folder / "bus")
    logs.configure("supervisor", folder / "log")
    printer = Child(name=PROCESS, target="stream.printer:run", spec=PrinterSpec(endpoints=endpoints), stage=0)
    settings = SupervisorSettings(restarts=0, heartbeat_timeout_s=1.5)
    supervisor = Supervisor(settings, [printer], endpoints, folder / "log")
    status = supervisor.run()
    (folder / "reason").write_text(supervisor.reason)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
