#!/usr/bin/env bash
# Makes a certificate authority of your own and a certificate for local names, for trying the edge.
# Usage: certs/make-dev-certificate.sh [FOLDER [NAME…]]      default: certs/dev, localhost 127.0.0.1 ::1
# The keys stay on this machine: FOLDER must not be committed (certs/dev is ignored).
set -euo pipefail

folder=${1:-"$(dirname "$0")/dev"}
shift || true
[ $# -gt 0 ] || set -- localhost 127.0.0.1 ::1

names=
for name in "$@"; do
    case $name in
        *[!0-9.:a-fA-F]* | localhost) names+=",DNS:$name" ;;
        *) names+=",IP:$name" ;;
    esac
done

umask 077
mkdir -p "$folder"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
    -subj "/CN=Panelgate development authority" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout "$folder/ca.pem.key" -out "$folder/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$folder/dev.key" -out "$folder/dev.csr" 2>/dev/null
openssl x509 -req -in "$folder/dev.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca.pem.key" -CAcreateserial -days 90 \
    -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "${names#,}") \
    -out "$folder/dev.crt" 2>/dev/null
rm -f "$folder/dev.csr" "$folder/ca.srl"
echo "certificate $folder/dev.crt and key for: $*"
echo "let your browser trust $folder/ca.pem, and set edge.certificates to $folder"
