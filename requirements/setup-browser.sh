#!/usr/bin/env bash
# Chromium for the tests of the web pages: Debian's package, where this account may install it.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  printf '\033[1m[setup]\033[0m installing Chromium (Debian package, about 300 MB unpacked)\n' >&2
  if apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends chromium >/dev/null; then
    exit 0
  fi
fi
printf '[setup] no Chromium here: tests of the web pages will be skipped (with CI=true they fail). sudo apt-get install chromium\n' >&2
