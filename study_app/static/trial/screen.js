// What a trial shows: its image or images, and the mask.

const $ = (id) => document.getElementById(id);

// An image, or two side by side, in one box.
export function boxed(images, alts) {
  images.forEach((image, i) => { image.alt = alts[i]; });
  if (images.length === 1) return images[0];
  const box = document.createElement("div");
  box.append(...images);
  return box;
}

// Puts the image on the page twice: as #stimulus, and as the overlay that the compositor shows and hides (timing.js).
export function place(image) {
  const overlay = image.cloneNode(true);
  for (const one of [overlay, ...overlay.querySelectorAll("img")]) if (one.alt) one.alt = "";
  Object.assign(overlay, { id: "overlay" });
  Object.assign(image, { id: "stimulus" });
  const old = $("stimulus");
  $("overlay").replaceWith(overlay);
  old.replaceWith(image);
  for (const one of [old, ...old.querySelectorAll("img")]) if (one.src) URL.revokeObjectURL(one.src);
  return { cross: $("cross"), image, overlay, mask: $("mask") };
}

// Noise behind the image, in grains of the same size whatever the shape.
export function drawNoise(canvas) {
  const context = canvas.getContext("2d");
  canvas.height = 64;
  canvas.width = Math.round((64 * canvas.clientWidth) / canvas.clientHeight); // twice as wide for two images
  const noise = context.createImageData(canvas.width, 64);
  for (let i = 0; i < noise.data.length; i++) noise.data[i] = i % 4 === 3 ? 255 : Math.random() * 256;
  context.putImageData(noise, 0, 0);
}
