"""The page of known troubles: what is written, what it means, what to do. From the signs that ``explain`` knows.

How each sign looks is told by the lines that its test tries it with.
"""

from __future__ import annotations

from cai_deploy.diagnosis import SIGNS, Exhibit, diagnose
from tests.unit.test_diagnosis import LINES
from tools.reference.markdown import MADE, code

HEAD = """# When something is wrong

| you see | ask |
|---|---|
| `launch` does not begin, or you have not tried yet | `python -m cai_deploy doctor`: looks at all that a launch needs, and changes nothing |
| `launch` ended with an error | its `hint:` first. What was written by then is in the project, in the file that the error names |
| a cluster that stands does odd things | `python -m cai_deploy explain`: searches all that was written for the signs below |
| a node is not ALIVE | `python -m cai_deploy logs NODE`, then `logs NODE --ray` for Ray's own words |
| what is there is not what you specified | `python -m cai_deploy plan`: each difference with its reason; `launch` removes it |
| `waits for` somebody who changes the cluster | another deployer has [the claim](changing-a-cluster.md#one-at-a-time); one that is dead is not waited for longer than 90 seconds |
| a command was killed, or the connection broke | run the same command again; nothing is made twice |
| somebody has to help you | `python -m cai_deploy explain --save evidence.txt`: tokens and keys are blanked out in it, but read it before you send it |

The rest of this page is what `explain` knows: each trouble with lines by which it is known, its cause, and the way out. The
signs of Ray are those of Ray 2.60.
"""


def page() -> str:
    """The whole page."""
    parts = [MADE, HEAD]
    for sign in SIGNS:
        seen = [line for line in LINES if sign.cause in (found.cause for found in diagnose([Exhibit("", line)]))]
        parts += [
            f"## {sign.cause[0].upper()}{sign.cause[1:]}\n",
            code("text", "\n".join(seen)),
            f"What to do: {sign.fix}.\n",
        ]
    return "\n".join(parts)
