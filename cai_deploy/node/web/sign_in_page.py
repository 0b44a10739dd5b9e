"""The page that asks for the cluster's token. Pure."""

from __future__ import annotations

from html import escape

from cai_deploy import layout
from cai_deploy.node.web.web_page import framed


def sign_in_page(cluster: str, action: str, following: str, wrong: str = "") -> str:
    """The form for ``cluster``, posted to ``action``, from where it goes on to ``following``."""
    told = f'<p id="wrong" class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    about = ' aria-invalid="true" aria-describedby="wrong"' if wrong else ""
    return framed(
        f"Sign in · {cluster}",
        f"""<main class="door">
<h1>Cluster {escape(cluster)}</h1>
<p class="dim">It asks for its token, which stands in the project, in
<code>{escape(layout.token_file(cluster))}</code>.</p>
<form method="post" action="{escape(action)}" class="card">
<input type="hidden" name="next" value="{escape(following)}">
<div class="field"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus
 spellcheck="false"{about}>{told}</div>
<button class="main">Sign in</button>
</form>
</main>""",
    )
