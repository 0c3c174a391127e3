"""What a visitor does on the page."""

import base64

from playwright.sync_api import Page, expect

CARS = "#random-cars > [data-ref]"


def wait_for_cars(page: Page, count: int) -> None:
    """Wait until the sheet has its cars and none is missing."""
    expect(page.locator("#random-cars")).to_have_attribute("aria-busy", "false")
    expect(page.locator(CARS)).to_have_count(count)


def pictures(page: Page, selector: str = f"{CARS} img") -> list[str]:
    """Data URLs of the pictures that a selector finds."""
    return page.eval_on_selector_all(selector, "images => images.map((image) => image.src)")


def upload(page: Page, data: bytes, name: str = "car.png", field: str = "#file") -> None:
    """Choose a file, as the button's dialog would, once there is a module to hear of it."""
    page.wait_for_selector(f"[data-view] .table:not([inert]) {field}", state="attached")
    kind = "image/png" if name.endswith("png") else "image/jpeg"
    page.set_input_files(field, {"name": name, "mimeType": kind, "buffer": data})


def transfer(page: Page, event: str, data: bytes, target: str = "body") -> None:
    """Drop or paste a picture on `target`."""
    page.eval_on_selector(
        target,
        """(target, { event, text }) => {
            const carried = new DataTransfer();
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            carried.items.add(new File([bytes], "car.png", { type: "image/png" }));
            target.dispatchEvent(event === "paste"
                ? new ClipboardEvent("paste", { clipboardData: carried, bubbles: true })
                : new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
        }""",
        {"event": event, "text": base64.b64encode(data).decode()},
    )


def tab_to(page: Page, selector: str, limit: int = 60) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is out of reach of {limit} presses of Tab")
