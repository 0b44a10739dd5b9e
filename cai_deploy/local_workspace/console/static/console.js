// Keeps a page fresh: asks for the same page again and puts in the parts marked data-live that have changed,
// and lets a log grow. Without it every page still works, by reloading.
"use strict";
(() => {
  const PAUSE = 2000;
  const lost = document.getElementById("lost");
  const log = document.getElementById("log");

  async function ask(address) {
    const answer = await fetch(address, { credentials: "same-origin", cache: "no-store" });
    if (answer.redirected) location.reload(); // signed out: the reload shows the door
    if (!answer.ok) throw new Error(String(answer.status));
    return answer;
  }

  async function refresh() {
    const text = await (await ask(location.href)).text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (!other || other.innerHTML === part.innerHTML) continue;
      const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
      part.innerHTML = other.innerHTML; // our own page, escaped by the server
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    }
  }

  async function grow() {
    const more = await (await ask(`${log.dataset.log}?from=${log.dataset.next}`)).json();
    log.dataset.next = more.next;
    if (more.text) {
      log.append(more.text);
      document.getElementById("log-empty").hidden = true;
      if (document.getElementById("follow").checked) log.scrollTop = log.scrollHeight;
    }
  }

  async function tick() {
    if (!document.hidden) {
      try {
        if (document.querySelector("[data-live]")) await refresh();
        if (log) await grow();
        lost.hidden = true;
      } catch {
        lost.hidden = false;
      }
    }
    setTimeout(tick, PAUSE);
  }

  function chooseFields() {
    const kind = document.getElementById("kind");
    if (!kind) return;
    const show = () => {
      const calls = "calls" in kind.selectedOptions[0].dataset;
      for (const [id, wanted] of [["of-calls", calls], ["of-things", !calls]]) {
        const group = document.getElementById(id);
        group.hidden = group.disabled = !wanted;
      }
    };
    kind.addEventListener("change", show);
    show();
  }

  chooseFields();
  if (log) log.scrollTop = log.scrollHeight;
  if (document.querySelector("form[action='/logout']")) setTimeout(tick, PAUSE);
})();
