// Requests that do not give up: whatever the network does, they are tried again until the server has answered.

const WAITS = [300, 600, 1200, 2500, 5000, 10000];

// Resolves when `ms` have passed or the browser is online again.
const pause = (ms) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  addEventListener("online", () => { clearTimeout(timer); resolve(); }, { once: true });
});

// A response that is final: anything but a failed connection, an overloaded or a failing server.
export async function request(url, options, onTrouble) {
  for (let tries = 0; ; tries++) {
    try {
      const response = await fetch(url, { cache: "no-store", credentials: "omit", ...options });
      if (response.status < 500 && response.status !== 429) return response;
    } catch { /* offline, or the connection broke: try again */ }
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
    const response = await request(url, {}, onTrouble);
    if (!response.ok) throw new Error(`image: ${response.status}`);
    try {
      const image = new Image();
      image.src = URL.createObjectURL(await response.blob());
      await image.decode();
      return image;
    } catch (error) {
      if (tries >= 3) throw error;
    }
  }
}
