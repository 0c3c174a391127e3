/** What config.js, start.js and vendor/ leave for the page's modules. */
interface Window {
  CARVAE_API: string;
  Redoc: { init: (description: string, options: object, place: HTMLElement, done: (failure?: unknown) => void) => void };
  CARVAE_FIRST?: { path: string; answer: Promise<Response>; abort: (reason?: unknown) => void };
}
