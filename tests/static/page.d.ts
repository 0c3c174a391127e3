/** What config.js and start.js leave for the page's modules. */
interface Window {
  CARVAE_API: string;
  CARVAE_FIRST?: { path: string; answer: Promise<Response>; abort: (reason?: unknown) => void };
}
