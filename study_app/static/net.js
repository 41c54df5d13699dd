// Requests that are repeated until the server has answered, whatever the network does.

const WAITS = [300, 600, 1200, 2500, 5000, 10000];
const CONFLICT = 409, TOO_MANY = 429;
const PATIENCE = 15000, PIXELS_PATIENCE = 30000; // ms until a try counts as failed

// Resolves when `ms` have passed or the browser is online again.
const pause = (ms) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  addEventListener("online", () => { clearTimeout(timer); resolve(); }, { once: true });
});

const json = (response) => response.json();
const pixels = (response) => response.blob();

// The answer that is final, { ok, status, body }: anything but a failed connection, an overloaded or a failing server. A
// body that breaks off half way, or that is not ours (a hotel's page in place of the server's), is a failed connection,
// and so is silence: a phone that changes networks leaves requests behind that nobody ever answers. Each try may take
// longer than the last one, so that an image comes through even where that takes minutes.
export async function request(url, options, onTrouble, read = json) {
  const patience = read === pixels ? PIXELS_PATIENCE : PATIENCE;
  for (let tries = 0; ; tries++) {
    try {
      const signal = AbortSignal.timeout?.(patience * Math.min(tries + 1, 4)); // none in browsers of before 2023
      const response = await fetch(url, { cache: "no-store", credentials: "omit", signal, ...options });
      const { ok, status } = response;
      if (ok || status === CONFLICT) return { ok, status, body: await read(response) };
      if (status < 500 && status !== TOO_MANY) return { ok, status, body: null };
    } catch { /* offline, or the connection broke or hangs: try again */ }
    onTrouble?.(true);
    await pause(WAITS[Math.min(tries, WAITS.length - 1)]);
  }
}

export const post = (url, body, onTrouble) => request(
  url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), keepalive: true },
  onTrouble,
);

// An image, fetched and decoded: only then may a trial with it begin.
export async function loadImage(url, onTrouble) {
  for (let tries = 0; ; tries++) {
    const { ok, status, body } = await request(url, {}, onTrouble, pixels);
    if (!ok) throw new Error(`image: ${status}`);
    try {
      const image = new Image();
      image.src = URL.createObjectURL(body);
      await image.decode();
      return image;
    } catch (error) {
      if (tries >= 3) throw error;
    }
  }
}
