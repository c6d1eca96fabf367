"""`python -m observability.told`: Alertmanager's configuration, with the channels of the environment, as JSON.

JSON is YAML too, which Alertmanager reads. It needs the standard library alone, so that the image of the control plane
can run it (`make alerts`).
"""

import json
import os
import sys

from observability.alertmanager import configuration
from observability.channels import Channels, WrongChannels


def main() -> int:
    try:
        channels = Channels.from_environment(os.environ)
    except WrongChannels as problem:
        print(problem, file=sys.stderr)
        return 1
    print(json.dumps(configuration(channels), ensure_ascii=False, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
