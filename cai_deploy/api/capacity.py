"""What users may use of a workspace, and which GPUs it has. It must not know what anybody wants of it."""

from __future__ import annotations

import builtins

from cai_deploy.api.paging import entries
from cai_deploy.api.schemas import AcceleratorLabel, UserQuota
from cai_deploy.api.transport import Transport


class Capacity:
    """Every method raises ApiError, PlaceUnreachable or UnreadableAnswer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def quotas(self) -> builtins.list[UserQuota]:
        """The key's owner's quota; everybody's for an administrator; none where there are no quotas."""
        return [UserQuota.read(entry) for entry in entries(self._transport, "usersquota", "user_quota")]

    def accelerators(self) -> builtins.list[AcceleratorLabel]:
        """The kinds of GPUs; none where there are none."""
        found = entries(self._transport, "nodelabels", "accelerator_node_label")
        return [AcceleratorLabel.read(entry) for entry in found]
