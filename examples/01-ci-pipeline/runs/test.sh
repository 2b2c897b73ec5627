# Run the test files named as arguments, on the code that arrived and no other.
set -euo pipefail
cat sources.tar.xz.* > sources.tar.xz
python -m tarfile -e sources.tar.xz tree
cd tree
export PYTHONPATH="$PWD:$PWD/sdk/python" PYTHONDONTWRITEBYTECODE=1

python - <<'PYTHON'
from pathlib import Path

import kruntimes_core

found = Path(kruntimes_core.__file__).resolve()
assert Path.cwd().resolve() in found.parents, f"{found} is not what travelled in the Run"
PYTHON

# The plugin that comes with the package is not among the sources that travel.
python -m pytest -q -p no:cacheprovider -p no:kruntimes_conformance --junitxml=../report.xml "$@"

python - <<'PYTHON'
import os
import xml.etree.ElementTree as xml

suite = xml.parse("../report.xml").getroot().find("testsuite")
with open(os.environ["KRUNTIMES_OUTPUTS"], "a") as outputs:
    outputs.write(f"tests={suite.get('tests')}\n")
PYTHON
