// Returns to the platform after some seconds, unless the participant stays.
const note = document.getElementById("redirect");
const text = note.firstChild.data;
let left = Number(note.dataset.seconds);

function tick() {
  if (left <= 0) return location.assign(document.getElementById("complete").href);
  note.firstChild.data = text.replace("…", left);
  timer = setTimeout(tick, 1000);
  left -= 1;
}
let timer;
note.hidden = false;
document.getElementById("stay").addEventListener("click", () => { clearTimeout(timer); note.hidden = true; });
tick();
