"""Actors that are no work: those that Ray's own libraries leave standing, for as long as the cluster lives.

Measured on, and read from, Ray 2.60. Serve's controller, proxies and replicas stand whether anybody asks them or not;
Data and Train leave detached actors that keep statistics; the dashboard has one beside each submitted job, which is
told as a job. All of them have namespaces of their own, and keep their node ACTIVE for Ray. An actor that is not listed
here counts as work, so a library that is new to us keeps a cluster awake and never puts one to sleep.
"""

from __future__ import annotations

from cai_deploy.node.gcs import Actor

SERVE = "serve"
RAYS_OWN = "_ray_internal_"
"""How the namespaces of Ray's own drivers begin too: its dashboard becomes one when somebody submits a job."""

BOOKKEEPING = frozenset(
    {
        SERVE,
        "SUPERVISOR_ACTOR_RAY_NAMESPACE",
        "ActorLocationTracker",
        "AutoscalingCoordinator",
        "AutoscalingRequester",
        "DataUsageCollectionActor",
        "_dataset_stats_actor",
        "_dataset_stats_summary_actor",
        "_train_state_actor",
        "llm_batch_telemetry",
        "llm_serve_telemetry",
    }
)


def only_stands(actor: Actor) -> bool:
    """Whether an actor is one of those."""
    return actor.namespace in BOOKKEEPING or actor.namespace.startswith(RAYS_OWN)
