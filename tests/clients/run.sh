#!/usr/bin/env bash
# Drives unmodified clients (the Azure CLI, Cloud Custodian) against the sandbox.
# They are installed from hashed pins into .run/clients, and run in a network namespace of their own, where Microsoft's
# production host names resolve to the sandbox on port 443. Nothing outside of that namespace can be reached from it.
# Arguments are handed to pytest.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.venv/bin/python
folder=.run/clients

if [ "${1:-}" = "--inside" ]; then
  shift
  mount --bind tests/clients/hosts /etc/hosts
  # A new namespace has its loopback interface down: SIOCSIFFLAGS with IFF_UP | IFF_RUNNING.
  "$python" - <<'PYTHON'
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
    fcntl.ioctl(handle, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))
PYTHON
  TENANTRY_CLIENTS="$PWD/$folder" exec "$python" -m pytest tests/clients -p no:cacheprovider -q "$@"
fi

if ! unshare -Urmn true 2>/dev/null; then
  echo "test-clients: this machine does not let users make namespaces (unshare -Urmn is refused); run it where it does." >&2
  exit 1
fi
for client in azure-cli custodian; do
  pins=tests/clients/requirements-$client.txt
  if ! cmp -s "$pins" "$folder/$client/pins.txt"; then
    rm -rf "${folder:?}/$client"
    "$python" -m uv venv --quiet --python "$python" "$folder/$client"
    "$python" -m uv pip install --quiet --python "$folder/$client/bin/python" --require-hashes -r "$pins"
    cp "$pins" "$folder/$client/pins.txt"
  fi
done
exec unshare -Urmn bash "$0" --inside "$@"
