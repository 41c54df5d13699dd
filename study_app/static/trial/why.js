// "What made you decide?", asked after an answer: in words, or as a point on the image, which is shown again.

const $ = (id) => document.getElementById(id);
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 1 / 24; // of the image's width and height, for each press of an arrow

// Resolves with { why } or { why_x, why_y } (pixels of the image), or with {} if no reason was given.
export async function askWhy(image) {
  const given = $("why-text") ? inWords() : onImage(image);
  $("why-done").focus();
  $("why-text")?.focus();
  await new Promise((resolve) => $("why-done").addEventListener("click", resolve, { once: true }));
  return given();
}

function inWords() {
  const field = $("why-text");
  field.value = "";
  return () => (field.value.trim() ? { why: field.value.trim() } : {});
}

function onImage(image) {
  const stop = new AbortController();
  const { signal } = stop;
  const { naturalWidth: width, naturalHeight: height } = image;
  let point = null; // from 0 to 1
  const place = (x, y) => {
    point = [x, y].map((value) => Math.min(1, Math.max(0, value)));
    const { left, top, shown } = shownAt(image);
    const frame = $("frame").getBoundingClientRect();
    $("pin").style.left = `${left - frame.left + point[0] * width * shown}px`;
    $("pin").style.top = `${top - frame.top + point[1] * height * shown}px`;
    $("pin").hidden = false;
  };
  image.style.visibility = "visible";
  $("frame").addEventListener("click", (event) => {
    const { left, top, shown } = shownAt(image);
    const [x, y] = [(event.clientX - left) / (width * shown), (event.clientY - top) / (height * shown)];
    if (x >= 0 && x <= 1 && y >= 0 && y <= 1) place(x, y);
  }, { signal });
  addEventListener("keydown", (event) => {
    const [right, down] = ARROWS[event.key] ?? [0, 0];
    if (!right && !down) return;
    event.preventDefault();
    const [x, y] = point ?? [0.5, 0.5];
    place(x + right * STEP, y + down * STEP);
  }, { signal });
  return () => {
    stop.abort();
    $("pin").hidden = true;
    image.style.visibility = "hidden";
    return point ? { why_x: point[0] * width, why_y: point[1] * height } : {};
  };
}

// The position of the image inside its box, and CSS pixels per pixel of the image.
function shownAt(image) {
  const box = image.getBoundingClientRect();
  const shown = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
  return {
    shown, left: box.left + (box.width - image.naturalWidth * shown) / 2,
    top: box.top + (box.height - image.naturalHeight * shown) / 2,
  };
}
