"""What a service mesh has to be told so that a cluster works in it: the Kubernetes manifest, as text. Pure.

Ray speaks plainly to the addresses of pods. A mesh with strict mutual TLS (Istio) accepts such connections and drops
them. So the ports of Ray have to be exempt, which a manifest can say for fixed ports alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from cai_deploy.errors import ConfigError
from cai_deploy.node_settings import NODE_PORTS, WORKER_PORTS
from cai_deploy.spec import ClusterSpec, Ports

HEAD_PORTS = ("gcs", "client", "serve")
"""The dashboard is not among them: it stands behind the head's HTTP port, and listens on loopback alone."""

MOST_WORKER_PORTS = 500
"""A manifest names each port; who has to read and approve it wants few."""

APP_PORT = 8100
"""On which the platform expects an application to listen, unless it says another (CDSW_APP_PORT)."""

EXAMPLE = """ports:
  gcs: 6379
  client: 10001
  serve: 8000
  node_manager: 8076
  object_manager: 8077
  dashboard_agent: 8078
  dashboard_agent_grpc: 8079
  runtime_env_agent: 8080
  metrics: 8081
  worker_min: 11000
  worker_max: 11099"""
"""All below 32768, from where on the kernel gives ports to connections that go out."""

MANIFEST = """\
# Lets Ray's own ports of the cluster {cluster} through a mesh with strict mutual TLS (Istio).
# Everything else of these pods stays as strict as it was. Apply it with: kubectl apply -f FILE
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: cai-deploy-{cluster}
  # The namespace in which the workspace runs the pods of the user who owns the applications.
  # `kubectl get pods -A | grep <an application's engine id>` finds it.
  namespace: {namespace}
spec:
  # Rules for single ports need a selector, and must meet all pods of the cluster, head and workers.
  # Which labels those have is shown by: kubectl get pods -n {namespace} --show-labels
  selector:
    matchLabels:
      {label}
  # PERMISSIVE takes plain connections beside those with mutual TLS.
  portLevelMtls:
{ports}
"""


def manifest(spec: ClusterSpec, namespace: str, label: str) -> str:
    """The PeerAuthentication that lets the cluster of ``spec`` through. ``label`` is ``name=value``, of its pods.

    Raises ConfigError when not all ports of Ray are pinned, or when there are too many.
    """
    name, _, value = label.partition("=")
    if not name or not value:
        raise ConfigError(f"{label!r} is not a label", next_step="give it as name=value")
    missing = missing_pins(spec.ports)
    if missing:
        raise ConfigError(
            f"a strict mesh needs fixed ports, and these are not pinned: {', '.join(missing)}",
            why="a port that Ray chooses itself, or that may move, cannot be named in a manifest",
            next_step=f"pin them in the specification, for example:\n{EXAMPLE}",
        )
    ports = list(named_ports(spec.ports))
    lines = [f"    {port}:  # {what}\n      mode: PERMISSIVE" for port, what in ports]
    return MANIFEST.format(cluster=spec.name, namespace=namespace, label=f"{name}: {value}", ports="\n".join(lines))


def missing_pins(ports: Ports) -> tuple[str, ...]:
    """The ports that have to be pinned in a mesh and are not."""
    pinned = ports.pinned()
    return tuple(name for name in (*HEAD_PORTS, *NODE_PORTS, *WORKER_PORTS) if name not in pinned)


def named_ports(ports: Ports) -> Iterator[tuple[int, str]]:
    """Every port that has to be let through, with what it is. Raises ConfigError for a range that is too wide."""
    numbers = ports.known()
    for name in (*HEAD_PORTS, *NODE_PORTS):
        yield numbers[name], name
    yield APP_PORT, "the nodes' HTTP port, CDSW_APP_PORT"
    first, last = (numbers[name] for name in WORKER_PORTS)
    if last - first >= MOST_WORKER_PORTS:
        raise ConfigError(
            f"the worker ports {first} to {last} are too many for a manifest, which names each",
            next_step=f"choose at most {MOST_WORKER_PORTS}: some more than a node runs tasks and actors at once",
        )
    yield from ((port, "worker processes") for port in range(first, last + 1))
