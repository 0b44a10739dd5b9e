"""The frame of the gateway's own pages: their look, the one script, and the headers that allow nothing else.

A page is one answer without assets. Its style and script are allowed by their digests, so that nothing that slipped
into a page could run.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from http import HTTPStatus

from aiohttp import hdrs, web

from cai_deploy.node.web.headers import is_websocket

STYLE = """
:root{color-scheme:light dark;--page:#f7f8f8;--card:#fff;--line:#e0e5e5;--text:#172322;--dim:#566664;--soft:#eef1f1;
--accent:#0f766e;--on:#fff;--good:#15703c;--busy:#8a5a00;--bad:#b3261e;
--mono:ui-monospace,"SF Mono","Cascadia Code",Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media(prefers-color-scheme:dark){:root{--page:#101615;--card:#171f1e;--line:#2a3533;--text:#e4ecea;--dim:#9db0ad;
--soft:#1f2928;--accent:#5ec9bd;--on:#06211e;--good:#6bd492;--busy:#e6b450;--bad:#ff8f86}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:1060px;padding:28px 24px 64px;background:var(--page);color:var(--text);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
a{color:var(--accent);text-underline-offset:3px}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
h1{font-size:26px;line-height:1.25;font-weight:650;letter-spacing:-.015em;margin:0;overflow-wrap:anywhere}
h2{font-size:16px;font-weight:620;margin:0 0 10px}
section{margin-top:32px}
p{margin:6px 0}
code,pre,.mono{font-family:var(--mono);font-size:13px}
.dim{color:var(--dim)}
header{display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:12px 24px}
nav{display:flex;flex-wrap:wrap;gap:8px;align-items:center}
nav form{margin:0}
button,.button{font:inherit;font-weight:560;line-height:1.3;color:var(--text);background:var(--card);
border:1px solid var(--line);border-radius:8px;padding:8px 14px;cursor:pointer;text-decoration:none;
display:inline-block}
button:hover,.button:hover{background:var(--soft)}
.main{background:var(--accent);border-color:var(--accent);color:var(--on)}
.main:hover{background:var(--accent);filter:brightness(1.08)}
.quiet{border-color:transparent;background:none;color:var(--dim)}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;overflow:hidden}
.empty{color:var(--dim);padding:18px;margin:0}
.scroll{overflow-x:auto}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;padding:10px 16px;vertical-align:baseline;font-variant-numeric:tabular-nums}
thead th{font-size:13px;font-weight:500;color:var(--dim);border-bottom:1px solid var(--line);white-space:nowrap}
tbody tr+tr>*{border-top:1px solid var(--line)}
tbody th{font-weight:560;overflow-wrap:anywhere}
td.wide{width:45%;overflow-wrap:anywhere}
.state{font-weight:500;white-space:nowrap;color:var(--dim)}
.state::before{content:"";display:inline-block;width:8px;height:8px;margin-right:7px;border-radius:50%;
background:currentColor}
.good{color:var(--good)}.busy{color:var(--busy)}.bad{color:var(--bad)}
.badge{font-size:12px;font-weight:500;color:var(--dim);border:1px solid var(--line);border-radius:6px;
padding:1px 6px;margin-left:8px;white-space:nowrap}
meter{display:block;width:100%;min-width:72px;height:5px;margin-top:5px;border:0;border-radius:3px;
background:var(--soft);appearance:none;-webkit-appearance:none}
meter::-webkit-meter-inner-element{display:block;height:5px}
meter::-webkit-meter-bar{height:5px;border:0;border-radius:3px;background:var(--soft)}
meter::-webkit-meter-optimum-value{background:var(--accent);border-radius:3px}
meter::-moz-meter-bar{background:var(--accent);border-radius:3px}
dl{display:flex;flex-wrap:wrap;gap:12px 32px;margin:16px 0 0}
dt{font-size:13px;color:var(--dim)}
dd{margin:0;overflow-wrap:anywhere}
ul{list-style:none;margin:0;padding:0}
li{display:flex;gap:16px;padding:9px 16px;align-items:baseline}
li+li{border-top:1px solid var(--line)}
li time,li .mono{white-space:nowrap}
li time{flex:0 0 92px;color:var(--dim);font-variant-numeric:tabular-nums}
li .kind{flex:0 0 112px}
li span{overflow-wrap:anywhere;min-width:0}
figure{margin:0}
figure+figure{border-top:1px solid var(--line)}
figcaption{padding:10px 16px 0;font-size:13px;color:var(--dim)}
pre{margin:0;padding:6px 16px 12px;white-space:pre-wrap;overflow-wrap:anywhere;user-select:all;line-height:1.6}
section>p{margin-top:14px}
.door{max-width:420px;margin:7vh auto 0}
.door form{display:grid;gap:14px;margin-top:20px;padding:20px 18px}
.field{display:grid;gap:5px}
label{font-size:14px;font-weight:500}
input{font:inherit;color:inherit;width:100%;min-height:42px;padding:8px 10px;background:var(--page);
border:1px solid var(--dim);border-radius:8px}
.wrong{color:var(--bad);margin:0;font-size:14px}
@media(max-width:700px){
body{padding:20px 16px 48px}
h1{font-size:22px}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tbody tr{display:block;padding:10px 0}
tbody tr+tr{border-top:1px solid var(--line)}
tbody tr+tr>*{border-top:0}
tbody th{display:block;padding:3px 16px;font-size:16px}
tbody td{display:flex;justify-content:space-between;gap:20px;padding:3px 16px;text-align:right}
tbody td::before{content:attr(data-label);color:var(--dim);font-size:14px;white-space:nowrap}
td.wide{width:auto}
meter{display:none}
li{flex-wrap:wrap;gap:2px 16px}
li time{flex:1 0 100%;font-size:13px}
input{font-size:16px}
}
@media print{nav,button{display:none}}
"""

SCRIPT = """
(function () {
  var wait = 5000;
  function look() {
    if (document.hidden || String(getSelection())) { return later(); }
    fetch(location.href, {headers: {Accept: "text/html"}, credentials: "same-origin", redirect: "error"})
      .then(function (answer) { if (!answer.ok) { throw answer; } return answer.text(); })
      .then(function (text) {
        var fresh = new DOMParser().parseFromString(text, "text/html");
        document.querySelectorAll("[data-live]").forEach(function (old) {
          var now = fresh.getElementById(old.id);
          if (now && now.innerHTML !== old.innerHTML) { old.innerHTML = now.innerHTML; }
        });
        document.getElementById("lost").hidden = true;
      })
      .catch(function () { document.getElementById("lost").hidden = false; })
      .then(later);
  }
  function later() { setTimeout(look, wait); }
  later();
})();
"""


def _allowed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src {_allowed(STYLE)}; script-src {_allowed(SCRIPT)};"
    " img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def framed(title: str, body: str, *, script: str = "") -> str:
    """A whole page; ``body`` is HTML, ``title`` is text."""
    scripted = f"<script>{script}</script>\n" if script else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n{scripted}</body>\n</html>\n"
    )


def html_answer(text: str, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """A page as an answer."""
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=HEADERS)


def excuse(request: web.Request, status: HTTPStatus, why: str) -> web.Response:
    """Why there is nothing to show: a page for a browser that goes there, JSON for everybody else."""
    if not wants_html(request):
        return web.json_response({"error": why}, status=status)
    body = (
        f'<div class="door"><h1>{escape(status.phrase)}</h1>\n<p>{escape(why)}.</p>\n'
        '<p><a href="/">The cluster</a></p></div>'
    )
    return html_answer(framed(status.phrase, body) if request.method != hdrs.METH_HEAD else "", status)


def wants_html(request: web.Request) -> bool:
    """Whether this is somebody who goes to a page with a browser."""
    looks = request.method in (hdrs.METH_GET, hdrs.METH_HEAD) and not is_websocket(request.headers)
    return looks and "text/html" in request.headers.get("Accept", "")
