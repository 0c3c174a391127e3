/**
 * Runs before the page is drawn and before any module is there: opens the view that the address names, and asks for
 * the first random cars, whose answer api.js hands to random.js.
 */
{
  const [, view = "random", query = ""] = /^#(random|reconstruct|morph|tune|map)(?:\?(.*))?$/.exec(location.hash) ?? [];
  document.documentElement.dataset.view = view;
  window.CARVAE_API = (window.CARVAE_API ?? "").replace(/\/+$/, "");

  const seed = String(crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000); // short enough to read aloud
  /** @type {Record<string, string>} */
  const wanted = { seed, count: "12", temperature: "1", ...Object.fromEntries(new URLSearchParams(query)) };
  if (view === "random" && !wanted.like) {
    history.replaceState(null, "", `#random?${new URLSearchParams(wanted)}`);
    const count = String(Math.min(Number(wanted.count), 12));
    const { temperature } = wanted;
    const sheet = { size: "128", latents: "false", image: "webp" }; // as random.js asks for it
    const path = `/random?${new URLSearchParams({ count, seed: wanted.seed, temperature, ...sheet })}`;
    const controller = new AbortController();
    const answer = fetch(window.CARVAE_API + path, { headers: { Accept: "application/json" }, signal: controller.signal });
    answer.catch(() => {}); // told by the one who waits for it
    window.CARVAE_FIRST = { path, answer, abort: (reason) => controller.abort(reason) };
  }
}
