// The dashboard refreshes itself: every few seconds, only while its tab is visible.
const live = document.getElementById("live");
const EVERY_MS = 5000;

// Replaces the old numbers with the new ones; tables keep their scroll position and focus.
function show(html) {
  const tables = () => [...live.querySelectorAll(".scroll")];
  const before = tables().map((table) => table.scrollLeft), focused = tables().indexOf(document.activeElement);
  live.innerHTML = html;
  tables().forEach((table, i) => { table.scrollLeft = before[i] ?? 0; });
  tables()[focused]?.focus({ preventScroll: true });
}

async function refresh() {
  if (!document.hidden) {
    let trouble = false;
    try {
      const reply = await fetch(live.dataset.url, { headers: { "X-Requested-With": "live" }, signal: AbortSignal.timeout(20000) });
      if (reply.status === 401) { location.reload(); return; }
      if (reply.ok) show(await reply.text());
      else trouble = true;
    } catch { trouble = true; }
    const note = document.getElementById("trouble");
    if (note) note.hidden = !trouble;
  }
  setTimeout(refresh, EVERY_MS);
}

if (live) setTimeout(refresh, EVERY_MS);
document.getElementById("print")?.addEventListener("click", () => print());
