// Requests that are repeated until the server has answered, whatever the network does.

const WAITS = [300, 600, 1200, 2500, 5000, 10000];
const CONFLICT = 409, TOO_MANY = 429;
const PATIENCE = 15000, PIXELS_PATIENCE = 30000; // ms until an attempt counts as failed

// Resolves when `ms` have passed or the browser is online again.
const pause = (ms) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  addEventListener("online", () => { clearTimeout(timer); resolve(); }, { once: true });
});

const json = (response) => response.json();
const pixels = (response) => response.blob();

// The final response, { ok, status, body }: any but those of a failed connection or of an overloaded or failing server. A
// body that is cut off or not from our server (a hotel's login page) counts as a failed connection, and so does silence:
// when a phone changes networks, open requests are never answered. Each attempt may take longer than the last one, so
// that an image arrives even if that takes minutes.
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

// Fetches and decodes an image: a trial begins only after that.
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
