#!/usr/bin/env bash
# The environment of the documentation site (mkdocs-material).
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
python="$root/.venv/bin/python"
[ -x "$python" ] || python="${PYTHON:-python3}"
if ! cmp -s "$root/requirements/docs.txt" "$root/.venv-docs/installed.txt"; then
  "$python" -m venv "$root/.venv-docs"
  "$root/.venv-docs/bin/pip" install -q --disable-pip-version-check -r "$root/requirements/docs.txt"
  cp "$root/requirements/docs.txt" "$root/.venv-docs/installed.txt"
fi
