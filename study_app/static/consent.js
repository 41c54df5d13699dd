// Offers participants who return to this page a link to continue: the tab remembers it until it is closed.
const name = `glimpse ${location.pathname.replace(/enter$/, "")}`;
const form = document.querySelector("form");

form?.addEventListener("submit", (event) => {
  if (event.submitter?.value !== "no") remember(form.elements.token.value);
});

function remember(token) {
  try { sessionStorage.setItem(name, token); } catch { /* the browser forbids it: the link itself still works */ }
}

async function recall() {
  const token = sessionStorage.getItem(name);
  if (!token || !(await fetch(`/p/${token}/next`)).ok) return;
  const begun = document.getElementById("begun");
  begun.querySelector("a").href = `/p/${token}/`;
  begun.hidden = false;
}
recall().catch(() => {});
