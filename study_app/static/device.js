// Measures the window's size and the frame period and tests whether an image loads. Nothing here identifies a person.
const report = (id, good) => {
  const item = document.getElementById(id);
  item.textContent = good ? item.dataset.good : item.dataset.bad;
  item.className = good ? "good" : "bad";
};
const put = (name, value) => { document.querySelector(`input[name=${name}]`).value = value; };

const least = document.getElementById("check-size").dataset;
function size() {
  put("width", window.innerWidth);
  put("height", window.innerHeight);
  put("pixel_ratio", window.devicePixelRatio);
  put("touch", matchMedia("(pointer: coarse)").matches ? 1 : 0);
  put("screen", Math.min(screen.width, screen.height));
  report("check-size", window.innerWidth >= (least.width ?? 320) && window.innerHeight >= (least.height ?? 320));
}
size();
addEventListener("resize", size);

const image = new Image();
image.src = document.getElementById("check-image").dataset.src;
image.decode().then(() => report("check-image", true), () => report("check-image", false));

// The frame follows the slider; its height counts as that of a bank card only if the slider was moved.
const slider = document.getElementById("size");
function frame() {
  document.getElementById("frame-of-card").style.height = `${slider.value}px`;
  put("card", slider.value);
}
slider?.addEventListener("input", frame);
if (slider && slider.value !== slider.defaultValue) frame(); // kept over a change of language

// Where the study needs a certain screen, the form waits until the screen is measured.
const form = document.querySelector("form[data-wait]");
let waiting = false;
form?.addEventListener("submit", (event) => {
  if (document.querySelector("input[name=frame_ms]").value) return;
  event.preventDefault();
  waiting = true;
});

const stamps = [];
requestAnimationFrame(function frame(t) {
  stamps.push(t);
  if (stamps.length < 62) return requestAnimationFrame(frame);
  const periods = stamps.slice(1).map((s, i) => s - stamps[i]).sort((a, b) => a - b);
  const median = periods[periods.length >> 1];
  put("frame_ms", median.toFixed(3));
  if (waiting) form.submit();
  report("check-frames", periods.filter((p) => p > 1.5 * median).length <= 6 && median < 35 && median * document.getElementById("check-frames").dataset.rate <= 1020);
});
