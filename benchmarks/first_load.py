"""What a first visit by phone takes: the page in Chromium, throttled as Lighthouse does it, from servers that run.

    make run
    python benchmarks/first_load.py http://127.0.0.1:8000 > benchmarks/first_load.csv

Slow 4G is 1.6 Mbit/s and 150 ms per request. There are three processor settings: this machine's own speed (1), four
times slower (1/4), and eight times faster, for the server as well (8). The last is simulated: the network runs eight
times slower and the times are divided by eight, which leaves the network's share, whatever else the machine does. All
times are in ms from the navigation's start, medians of the rounds. Several addresses take turns, so that a busy machine
treats them alike. A server's first answers are left out.
"""

import csv
import shutil
import statistics
import sys
import typing as t

from playwright.sync_api import Browser, sync_playwright

ROUNDS = 5
CARS = 12
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
DOWN, UP, LATENCY = 1.6e6 / 8, 0.75e6 / 8, 150  # bytes per second, ms
PHONE: dict[str, t.Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
_WATCH = """
window.seen = {};
new PerformanceObserver((list) => list.getEntries().forEach(({ name, startTime }) => { seen[name] = startTime; }))
    .observe({ type: "paint", buffered: true });
new PerformanceObserver((list) => { seen.largest = list.getEntries().at(-1).startTime; })
    .observe({ type: "largest-contentful-paint", buffered: true });
function look() {
    const cars = document.querySelectorAll("#random-cars > [data-ref]").length;
    if (cars) seen.first ??= performance.now();
    if (cars === CARS) seen.all = performance.now();
    else requestAnimationFrame(look);
}
look();
"""


def main() -> None:
    addresses = sys.argv[1:]
    names = ["address", "processor", "first_paint", "largest_paint", "first_car", "twelve_cars", "files", "bytes"]
    table = csv.DictWriter(sys.stdout, names)
    table.writeheader()
    with sync_playwright() as playwright:
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        browser = playwright.chromium.launch(executable_path=program, args=["--headless", "--no-sandbox"])
        for speed, processor in ((8, "8"), (1, "1"), (1 / 4, "1/4")):
            runs: dict[str, list[dict[str, float]]] = {address: [] for address in addresses}
            for _ in range(ROUNDS + 1):
                for address in addresses:
                    runs[address].append(load(browser, address, speed))
            for address, (_, *measured) in runs.items():
                medians = {name: round(statistics.median(run[name] for run in measured)) for name in measured[0]}
                table.writerow({"address": address, "processor": processor} | medians)
        browser.close()


def load(browser: Browser, address: str, speed: float) -> dict[str, float]:
    """One visit with nothing in the cache."""
    stretch = max(1, speed)
    network = {"downloadThroughput": DOWN / stretch, "uploadThroughput": UP / stretch, "latency": LATENCY * stretch}
    with browser.new_context(**PHONE) as context:
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.add_init_script(f"const CARS = {CARS};{_WATCH}")
        protocol = context.new_cdp_session(page)
        protocol.send("Network.enable")
        protocol.send("Network.emulateNetworkConditions", {"offline": False, **network})
        protocol.send("Emulation.setCPUThrottlingRate", {"rate": max(1, 1 / speed)})
        received: list[float] = []
        protocol.on("Network.loadingFinished", lambda end: received.append(end["encodedDataLength"]))
        page.goto(address)
        page.locator("#random-cars > [data-ref]").nth(CARS - 1).wait_for()
        page.wait_for_load_state("networkidle")
        seen = page.evaluate("window.seen")
    return {
        "first_paint": seen["first-contentful-paint"] / stretch,
        "largest_paint": seen["largest"] / stretch,
        "first_car": seen["first"] / stretch,
        "twelve_cars": seen["all"] / stretch,
        "files": sum(size > 0 for size in received),  # pictures inside an answer take nothing
        "bytes": sum(received),
    }


if __name__ == "__main__":
    main()
