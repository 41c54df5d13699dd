// The dashboard refreshes itself: every few seconds, only while somebody looks.
const live = document.getElementById("live");
const EVERY_MS = 5000;

async function refresh() {
  if (!document.hidden) {
    let trouble = false;
    try {
      const reply = await fetch(live.dataset.url, { headers: { "X-Requested-With": "live" }, signal: AbortSignal.timeout(20000) });
      if (reply.status === 401) { location.reload(); return; }
      if (reply.ok) live.innerHTML = await reply.text();
      else trouble = true;
    } catch { trouble = true; }
    const note = document.getElementById("trouble");
    if (note) note.hidden = !trouble;
  }
  setTimeout(refresh, EVERY_MS);
}

if (live) setTimeout(refresh, EVERY_MS);
document.getElementById("print")?.addEventListener("click", () => print());
