#!/usr/bin/env bash
# Write the versions installed in .venv to requirements/lock-<python>.txt; setup.sh installs exactly these.
set -euo pipefail
cd "$(dirname "$0")/.."
version="$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
{
  echo "# Versions that are tested together, Python $version. Made by \`make lock\`."
  .venv/bin/python -m pip --disable-pip-version-check freeze --exclude-editable |
    grep -vE '^(-e|#)|^(vitra|realman|xhand|tf2)[-_]|@ file' | sed 's/^torch==\([0-9.]*\)+.*/torch==\1/' | LC_ALL=C sort -f
} >"requirements/lock-$version.txt"
