// Measures the window's size and the frame period and tests whether an image loads. Nothing here identifies a person.
const report = (id, good) => {
  const item = document.getElementById(id);
  item.textContent = good ? item.dataset.good : item.dataset.bad;
  item.className = good ? "good" : "bad";
};
const put = (name, value) => { document.querySelector(`input[name=${name}]`).value = value; };

function size() {
  put("width", window.innerWidth);
  put("height", window.innerHeight);
  put("pixel_ratio", window.devicePixelRatio);
  put("touch", matchMedia("(pointer: coarse)").matches ? 1 : 0);
  report("check-size", Math.min(window.innerWidth, window.innerHeight) >= 320);
}
size();
addEventListener("resize", size);

const image = new Image();
image.src = document.getElementById("check-image").dataset.src;
image.decode().then(() => report("check-image", true), () => report("check-image", false));

const stamps = [];
requestAnimationFrame(function frame(t) {
  stamps.push(t);
  if (stamps.length < 62) return requestAnimationFrame(frame);
  const periods = stamps.slice(1).map((s, i) => s - stamps[i]).sort((a, b) => a - b);
  const median = periods[periods.length >> 1];
  put("frame_ms", median.toFixed(3));
  report("check-frames", periods.filter((p) => p > 1.5 * median).length <= 6 && median < 35);
});
