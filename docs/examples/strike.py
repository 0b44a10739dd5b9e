"""Kills the pod of one node of a cluster on the local workspace, as a machine that fails would: strike.py ray-head"""

import os
import sys

import requests

faults = f"{os.environ['CML_HOST']}/local/v1/faults"
key = {"Authorization": f"Bearer {os.environ['CML_API_KEY']}"}
fault = {"kind": "pod_killed", "target": sys.argv[1], "count": 1}
answer = requests.post(faults, json=fault, headers=key, timeout=30)
answer.raise_for_status()
requests.delete(f"{faults}/{answer.json()['id']}", headers=key, timeout=30).raise_for_status()  # it has done its work
print(f"struck {sys.argv[1]}")
