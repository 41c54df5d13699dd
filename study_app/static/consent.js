// Leads participants who return to this page back to where they were. This browser keeps their link: under the ID of a
// person who has one, until its data is cleared, so that they can return from their platform in a new tab; for others
// until the tab is closed, so that the next person at a shared computer is not offered it.
const begun = document.getElementById("begun");
const who = begun.dataset.who;
const name = `glimpse ${location.pathname.replace(/enter$/, "")} ${who}`;
const MOST = 5; // links of one person: a form that was refused leaves a useless one
const page = (token) => begun.dataset.page.replace("TOKEN", token);
const keep = () => (who ? localStorage : sessionStorage);

document.querySelector("form")?.addEventListener("submit", ({ submitter, target }) => {
  if (submitter?.value !== "no") remember(target.elements.token.value);
});

function kept() {
  try { return JSON.parse(keep().getItem(name)) ?? []; } catch { return []; }
}

function remember(token) {
  try {
    keep().setItem(name, JSON.stringify([token, ...kept()].slice(0, MOST)));
  } catch { /* the browser forbids it: the link itself still works */ }
}

async function recall() {
  for (const token of kept()) {
    const { status } = await fetch(`${page(token)}next`);
    if (status === 404 || status === 410) continue; // never entered, or withdrawn
    if (who) return location.replace(page(token));
    begun.querySelector("a").href = page(token);
    begun.hidden = false;
    return;
  }
}
recall().catch(() => {});
