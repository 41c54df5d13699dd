// Changing the language reloads the page: the entries in its form are kept, in this tab only.
const name = `glimpse form ${location.pathname}`;
const fields = () => [...document.querySelectorAll("form :is(input:not([type=hidden]), textarea)")];
const ticked = (field) => field.type === "checkbox" || field.type === "radio";

function keep() {
  const given = fields().filter((field) => (ticked(field) ? field.checked : field.value));
  sessionStorage.setItem(name, JSON.stringify(given.map((field) => [field.name, field.value])));
}

function restore() {
  const given = JSON.parse(sessionStorage.getItem(name)) ?? [];
  sessionStorage.removeItem(name);
  for (const field of fields()) {
    for (const [key, value] of given) {
      if (field.name !== key) continue;
      if (!ticked(field)) field.value = value;
      else if (field.value === value) field.checked = true;
    }
  }
}

try {
  restore();
  for (const link of document.querySelectorAll("a[hreflang]")) {
    link.addEventListener("click", () => { try { keep(); } catch { /* the form is filled in again */ } });
  }
} catch { /* the browser forbids storage: the form is filled in again */ }
