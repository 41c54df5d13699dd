// The trials: practice, then one image after the other; each answer is saved before the next image is shown.
import { Question } from "./answering.js";
import { happened, note } from "./events.js";
import { boxed, drawNoise, place } from "./screen.js";
import { post, request, loadImage } from "./net.js";
import { Display, FramePeriod, keepsSchedule, present, wait } from "./timing.js";
import { askWhy } from "./why.js";

const $ = (id) => document.getElementById(id);
const setup = JSON.parse($("setup").textContent);
const prompt = $("prompt");
const unsent = `glimpse ${setup.base}`; // the key under which an unsaved answer survives a reload,
const begun = `glimpse begun ${setup.base}`; // and the start of a trial that the server has not received yet
const keep = attempt(() => localStorage); // undefined if the browser forbids it: a reload then loses the answer
const view = Math.random().toString(36).slice(2, 12); // this page, until it is reloaded
const period = new FramePeriod();
const display = new Display($("display"));
const ADAPT_MS = 1000; // from a light or dark page to the first trial on grey: the fade of survey.css, and a moment for the eyes
// Measured while the instructions are read: the frame period, and whether the browser's frames keep a schedule.
const measured = wait(700, period).then(() => keepsSchedule(period));

window.__done = false;
window.__result = setup.result;

// On a calibrated screen sizes in cm stay true, even if the page was zoomed since.
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
let giving = false; // during a trial no other message is shown: its image may be on the screen
const trouble = () => { if (!giving) say("offline"); };

// The result of `action`, or undefined if it throws, as a browser's storage may.
function attempt(action) {
  try { return action(); } catch { return null; }
}

// ------------------------------------------------------------------------------------------------ answering

const answers = new Question($("answers"), () => !$("trial").hidden && ["stimulus", "mask", "answer", "fixation"].includes(document.body.dataset.phase));
const sureness = setup.confidence ? new Question($("sureness"), () => document.body.dataset.phase === "confidence") : null;

// The judgement of the image, if given since `moment`.
function judged(moment) {
  const answer = answers.asked(moment, setup.deadline);
  say("ask");
  return answer;
}

async function tooLate() {
  say("late");
  await wait(1000, period);
  say("");
}

// The reason for the answer; for a pair, in the image that was taken for generated.
async function reason(images, answer) {
  const image = images[images.length > 1 && answer.value === "real" ? 1 : 0];
  const old = $("stimulus");
  image.id = "stimulus";
  if (old !== image) old.replaceWith(image);
  phase("why");
  say("why");
  const given = await askWhy(image);
  say("");
  return given;
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

// Shows the image or pair; resolves with the result of `present`, and with the answer if that ended the exposure.
async function show(trial, image) {
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
  return { ...shown, until };
}

// The two images of a pair in sequence count as one exposure, with the larger of the two uncertainties.
async function showAll(trial, images) {
  const alts = $("frame").dataset.alts.split("|");
  if (!setup.sequence) return show(trial, boxed(images, alts));
  const first = await show(trial, boxed(images.slice(0, 1), alts));
  const early = answers.early;
  const late = await first.uncertain;
  const second = await show(trial, boxed(images.slice(1), alts.slice(1)));
  answers.early.unshift(...early);
  return {
    ...second, exposure: first.exposure, second: second.exposure, dropped: first.dropped + second.dropped,
    lost: first.lost || second.lost, full: first.full && second.full, resized: first.resized || second.resized,
    uncertain: second.uncertain.then((uncertain) => Math.max(late, uncertain)),
  };
}

async function give(trial, images) {
  giving = true;
  const shown = await showAll(trial, images);
  phase("answer");
  const answer = await (shown.until ?? judged(shown.end));
  giving = false;
  const early = answers.early.length;
  const missed = answer.value === "missed";
  if (missed) await tooLate();
  const confidence = setup.confidence && !missed ? await howSure() : undefined;
  const why = setup.why && !missed ? await reason(images, answer) : {};
  const rated = setup.task === "rating" && !missed;
  return {
    trial: trial.trial, ...(rated ? { rating: Number(answer.value) } : { answer: answer.value }), confidence, ...why,
    exposure_ms: shown.exposure, second_exposure_ms: shown.second, dropped_frames: shown.dropped,
    focus_lost: shown.lost, response_time_ms: missed ? null : Math.max(0, answer.stamp - shown.onset), by: answer.by,
    early_presses: early, frame_ms: shown.frame, view, uncertain_ms: await shown.uncertain, scheduled: await measured,
    resized: shown.resized, image_width: shown.size.width, image_height: shown.size.height,
    pixel_ratio: shown.size.ratio, fullscreen: setup.fullscreen ? shown.full : undefined,
    events: happened(shown.onset),
  };
}

// ------------------------------------------------------------------------------------------------ the run

// The result of `promise`; if it takes long, the page says what it waits for.
function waiting(key, promise) {
  const late = setTimeout(() => { if (!prompt.textContent) say(key); }, 400);
  return promise.finally(() => { clearTimeout(late); say(""); });
}

const imagesOf = ({ image, second }) => (second ? [image, second] : [image]);

async function practise() {
  const { ok, status, body: trials } = await waiting("load", request(`${setup.base}practice/`, {}, trouble));
  if (!ok) throw new Error(`practice: ${status}`);
  document.body.dataset.practice = "true";
  for (const trial of trials) {
    const images = await waiting("load", Promise.all(imagesOf(trial).map((url) => loadImage(url, trouble))));
    const given = await give(trial, images);
    if (setup.feedback && given.response_time_ms !== null) await feedBack(given);
  }
  delete document.body.dataset.practice;
  phase("ready");
  post(`${setup.base}practice/done`, {});
  say("count");
  await wait(1200, period);
}

// Enters full-screen mode, if the study asks for it and the browser can.
let wasFull = false;
async function fill() {
  if (!setup.fullscreen || !document.fullscreenEnabled) return;
  try { await document.documentElement.requestFullscreen(); } catch { /* refused: each trial tells */ }
  await wait(500, period); // until the window has its new size
  wasFull = document.fullscreenElement !== null;
}

// Shows whether a practice answer was right, with the image if it is still there.
async function feedBack({ trial, answer, rating }) {
  const url = `${setup.base}practice/truth/${trial}`;
  const { body } = await waiting("load", request(url, {}, trouble));
  if (!body) return;
  const said = answer ?? (rating > 3 ? "generated" : "real");
  if (!setup.sequence) $("stimulus").style.visibility = "visible";
  await rest(`${said === body.truth ? "right" : "wrong"}${body.truth === "real" ? "Real" : "Generated"}`, "feedback");
  $("stimulus").style.visibility = "hidden";
}

// A pause of any length: between blocks, to read feedback, or after the participant left full-screen mode.
function rest(why, name = "ready") {
  phase(name);
  say(why);
  $("pause").hidden = false;
  $("resume").focus();
  return new Promise((resolve) => {
    $("resume").addEventListener("click", () => { $("pause").hidden = true; fill().then(resolve); }, { once: true });
  });
}

// Tells the server that a trial starts: { trial, view }. A trial that is shown again, on any page, is flagged.
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
      images.get(url).catch(() => images.delete(url)); // if it fails before its trial, it is requested again then
    }
    return images.get(url);
  };
  let trial = await position();
  while (!trial.done) {
    $("progress").max = trial.of;
    $("progress").value = trial.trial - 1;
    if (wasFull && !document.fullscreenElement) await rest("fullscreen");
    else if (trial.pause) await rest("pause");
    const urls = imagesOf(trial);
    const shown = await waiting("load", Promise.all(urls.map(load)));
    for (const url of urls) images.delete(url);
    for (const url of [trial.prefetch, trial.prefetch_second]) if (url) load(url);
    announce({ trial: trial.trial, view });
    const answer = await give(trial, shown);
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
