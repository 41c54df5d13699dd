// The raw events of the page during the trials: [ms, name, detail]. What is typed into a field is not among them.
const MOST = 200; // a trial
let seen = [];

export function note(name, detail = "", stamp = performance.now()) {
  if (seen.length < MOST) seen.push([stamp, name, String(detail)]);
}

const on = (target, name, detail) =>
  target.addEventListener(name, (event) => note(name, detail(event), event.timeStamp), { capture: true, passive: true });

on(window, "keydown", (event) => (event.target.closest?.("input, textarea") ? "" : event.code));
on(window, "pointerdown", (event) => event.pointerType);
on(window, "blur", () => "");
on(window, "focus", () => "");
on(window, "resize", () => `${innerWidth}x${innerHeight}`);
on(document, "visibilitychange", () => document.visibilityState);
on(document, "fullscreenchange", () => (document.fullscreenElement ? "on" : "off"));

// The events since the last call, in ms from `onset`.
export function happened(onset) {
  const found = seen.map(([stamp, name, detail]) => [Math.round(10 * (stamp - onset)) / 10, name, detail]);
  seen = [];
  return found;
}
