"""`python -m samples.elections --voters 1000000 --landing landing --truth truth`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from samples.elections import land
from turnout.errors import TurnoutError

parser = argparse.ArgumentParser(prog="python -m samples.elections", description=(land.__doc__ or "").splitlines()[0])
parser.add_argument("--landing", type=Path, required=True, help="where the files go: LANDING/<source>/<table>/")
parser.add_argument("--voters", type=int, help="in all states; default TURNOUT_SAMPLE_VOTERS, else 8000")
parser.add_argument("--seed", type=int, default=0, help="another seed, another electorate")
parser.add_argument("--truth", type=Path, help="a folder for the truth; without it none is written")
arguments = parser.parse_args()
try:
    files = land(arguments.landing, arguments.voters, arguments.seed, arguments.truth)
except TurnoutError as error:
    sys.exit(str(error))
sys.stdout.writelines(f"{file}\n" for file in files)
