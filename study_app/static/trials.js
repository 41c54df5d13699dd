// The trials: practice, then one image after the other, each answer saved before the next image is shown.
import { Question } from "./answering.js";
import { happened, note } from "./events.js";
import { post, request, loadImage } from "./net.js";
import { Display, FramePeriod, keepsSchedule, present, wait } from "./timing.js";

const $ = (id) => document.getElementById(id);
const setup = JSON.parse($("setup").textContent);
const prompt = $("prompt");
const unsent = `glimpse ${setup.base}`; // where an answer that is not saved yet survives a reload,
const begun = `glimpse begun ${setup.base}`; // and the start of a trial that the server does not know of yet
const keep = attempt(() => localStorage); // none where the browser forbids it: then only the reload loses it
const view = Math.random().toString(36).slice(2, 12); // this page, until it is reloaded
const period = new FramePeriod();
const display = new Display($("display"));
const ADAPT_MS = 1000; // from a light or dark page to the first trial on grey: the fade of survey.css, and a moment for the eyes
// While the instructions are read: the frame period, and whether the browser's frames keep a schedule.
const measured = wait(700, period).then(() => keepsSchedule(period));

window.__done = false;
window.__result = setup.result;

// On a calibrated screen a centimetre is one, also if the page was zoomed since.
const { px_per_mm: mm, pixel_ratio: ratio } = setup.device;
if (mm) document.documentElement.style.setProperty("--cm", `${10 * mm * ((ratio ?? 1) / devicePixelRatio)}px`);

const phase = (name) => {
  document.body.dataset.phase = name;
  note("phase", name);
};
function say(key) {
  prompt.textContent = key ? prompt.dataset[key] : "";
  prompt.classList.toggle("trouble", key === "offline");
}
let giving = false; // while a trial is given nothing else is said: its image may be on the screen
const trouble = () => { if (!giving) say("offline"); };

// What `action` returns; nothing where it throws, as a browser's storage may.
function attempt(action) {
  try { return action(); } catch { return null; }
}

// ------------------------------------------------------------------------------------------------ answering

const answers = new Question($("answers"), () => !$("trial").hidden && document.body.dataset.phase !== "confidence");
const sureness = setup.confidence ? new Question($("sureness"), () => document.body.dataset.phase === "confidence") : null;

// The judgement of the image, given since `moment`.
function judged(moment) {
  const answer = answers.asked(moment);
  say("ask");
  return answer;
}

async function howSure() {
  phase("confidence");
  say("confidence");
  sureness.early = [];
  const { value } = await sureness.asked();
  say("");
  return Number(value);
}

// ------------------------------------------------------------------------------------------------ one trial

// The image takes its place twice: as #stimulus, and as the twin that the compositor shows and hides (timing.js).
function place(image) {
  const twin = image.cloneNode();
  Object.assign(twin, { id: "twin", alt: "" });
  Object.assign(image, { id: "stimulus", alt: $("stimulus").alt });
  const old = $("stimulus").src;
  $("twin").replaceWith(twin);
  $("stimulus").replaceWith(image);
  URL.revokeObjectURL(old);
  return { cross: $("cross"), image, twin, mask: $("mask") };
}

async function give(trial, image) {
  giving = true;
  const screen = place(image);
  if (setup.mask) drawNoise(screen.mask);
  answers.early = [];
  const open = trial.exposure_ms === null; // no limit: the image stays until the answer
  let until = null;
  const shown = await present(screen, {
    fixation: setup.fixation, planned: trial.exposure_ms, mask: setup.mask, period, display, scheduled: await measured,
    until: () => until,
    phase(name) {
      phase(name);
      if (name === "fixation") say("practice" in document.body.dataset ? "practice" : "look");
      else if (name === "stimulus" && open) until = judged();
      else say("");
    },
  });
  phase("answer");
  const answer = await (until ?? judged(shown.end));
  giving = false;
  const early = answers.early.length;
  const confidence = setup.confidence ? await howSure() : undefined;
  return {
    trial: trial.trial, ...(setup.task === "rating" ? { rating: Number(answer.value) } : { answer: answer.value }),
    confidence, exposure_ms: shown.exposure, dropped_frames: shown.dropped,
    focus_lost: shown.lost, response_time_ms: Math.max(0, answer.stamp - shown.onset), by: answer.by,
    early_presses: early, frame_ms: shown.frame, view, uncertain_ms: await shown.uncertain, scheduled: await measured,
    resized: shown.resized, image_width: shown.size.width, image_height: shown.size.height,
    pixel_ratio: shown.size.ratio, fullscreen: setup.fullscreen ? shown.full : undefined,
    events: happened(shown.onset),
  };
}

function drawNoise(canvas) {
  const context = canvas.getContext("2d");
  canvas.width = canvas.height = 64;
  const noise = context.createImageData(64, 64);
  for (let i = 0; i < noise.data.length; i++) noise.data[i] = i % 4 === 3 ? 255 : Math.random() * 256;
  context.putImageData(noise, 0, 0);
}

// ------------------------------------------------------------------------------------------------ the run

// What `promise` brings; while it takes long, the page says what it waits for.
function waiting(key, promise) {
  const late = setTimeout(() => { if (!prompt.textContent) say(key); }, 400);
  return promise.finally(() => { clearTimeout(late); say(""); });
}

async function practise() {
  const { ok, status, body: trials } = await waiting("load", request(`${setup.base}practice/`, {}, trouble));
  if (!ok) throw new Error(`practice: ${status}`);
  document.body.dataset.practice = "true";
  for (const trial of trials) {
    const image = await waiting("load", loadImage(trial.image, trouble));
    await give(trial, image);
  }
  delete document.body.dataset.practice;
  phase("ready");
  post(`${setup.base}practice/done`, {});
  say("count");
  await wait(1200, period);
}

// On the full screen, if the study asks for it and the browser can.
let wasFull = false;
async function fill() {
  if (!setup.fullscreen || !document.fullscreenEnabled) return;
  try { await document.documentElement.requestFullscreen(); } catch { /* refused: each trial tells */ }
  await wait(500, period); // until the window has its new size
  wasFull = document.fullscreenElement !== null;
}

// A pause, as long as the participant likes: between blocks, or as they left the full screen.
function rest(why) {
  phase("ready");
  say(why);
  $("pause").hidden = false;
  $("resume").focus();
  return new Promise((resolve) => {
    $("resume").addEventListener("click", () => { $("pause").hidden = true; fill().then(resolve); }, { once: true });
  });
}

// Tells the server that a trial starts: { trial, view }. Should it be shown again, by whatever page, it is flagged.
async function announce(start) {
  const text = JSON.stringify(start);
  attempt(() => keep.setItem(begun, text));
  await post(`${setup.base}begin`, start);
  attempt(() => { if (keep.getItem(begun) === text) keep.removeItem(begun); });
}

async function save(answer) {
  attempt(() => keep.setItem(unsent, JSON.stringify(answer)));
  say("");
  const response = await waiting("wait", post(`${setup.base}answer`, answer, trouble));
  attempt(() => keep.removeItem(unsent));
  if (response.ok && answer.trial > window.__result.length) { // a repetition may be among them already
    window.__result.push({ exposure: answer.exposure_ms, rt: answer.response_time_ms });
  }
  return response;
}

async function position() {
  const { ok, status, body } = await waiting("load", request(`${setup.base}next`, {}, trouble));
  if (!ok) throw new Error(`next: ${status}`);
  return body;
}

async function run() {
  $("instructions").hidden = true;
  $("trial").hidden = false;
  document.body.classList.add("running");
  const adapted = new Promise((resolve) => setTimeout(resolve, ADAPT_MS));
  const start = attempt(() => JSON.parse(keep.getItem(begun)));
  if (start) await waiting("load", announce(start));
  const left = attempt(() => JSON.parse(keep.getItem(unsent)));
  if (left) await save(left);
  await waiting("load", measured);
  await adapted;
  if (setup.practice) await practise();
  const images = new Map();
  const load = (url) => {
    if (!images.has(url)) {
      images.set(url, loadImage(url, trouble));
      images.get(url).catch(() => images.delete(url)); // one that failed ahead of its trial is asked for again in it
    }
    return images.get(url);
  };
  let trial = await position();
  while (!trial.done) {
    $("progress").max = trial.of;
    $("progress").value = trial.trial - 1;
    if (wasFull && !document.fullscreenElement) await rest("fullscreen");
    else if (trial.pause) await rest("pause");
    const image = await waiting("load", load(trial.image));
    images.delete(trial.image);
    if (trial.prefetch) load(trial.prefetch);
    announce({ trial: trial.trial, view });
    const answer = await give(trial, image);
    const { status, body } = await save(answer);
    if (!body) throw new Error(`answer: ${status}`);
    trial = body.next;
  }
  if (document.fullscreenElement) document.exitFullscreen();
  $("trial").hidden = true;
  document.body.classList.remove("running");
  $("thanks").hidden = false;
  $("thanks").querySelector("h1").focus();
  phase("done");
  window.__done = true;
}

$("begin").disabled = false; // a click before this would be lost: on a slow network the script comes after the page
$("begin").addEventListener("click", () => fill().then(run).catch((error) => { console.error(error); say("gone"); }));
